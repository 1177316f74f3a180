"""What is known of a contract's money, read off everything heard so far, in whatever order it came."""

from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from chalicelib.billing.model.ledger import Ledger, Posting
from chalicelib.billing.model.states import Billing
from chalicelib.billing.model.terms import Month, Span, Term, months_of, without
from chalicelib.billing.model.values import (
    Account,
    CardChange,
    Charge,
    ChargeState,
    Gap,
    Heard,
    News,
    Refund,
    Said,
)
from chalicelib.kernel.errors import KeyReused
from chalicelib.kernel.money import Won


class Known(Struct, frozen=True):
    """All there is about the money of one contract, and what it says. Bounded by the contract's own life."""

    account: Account
    heard: tuple[Heard, ...] = ()
    postings: tuple[Posting, ...] = ()
    charges: tuple[Charge, ...] = ()
    refunds: tuple[Refund, ...] = ()
    card_changes: tuple[CardChange, ...] = ()
    said: tuple[Said, ...] = ()

    def all(self, *news: News) -> list[Heard]:
        """In the order in which they were said."""
        found = [each for each in self.heard if each.news in news]
        return sorted(found, key=lambda each: (each.told_at, each.id))

    def first(self, *news: News) -> Heard | None:
        return next(iter(self.all(*news)), None)

    def has(self, heard_id: str) -> bool:
        return any(each.id == heard_id for each in self.heard)

    @property
    def terms(self) -> tuple[Term, ...]:
        return tuple(each.term for each in self.all(News.PAID)[:1] + self.all(News.RENEWED) if each.term)

    @property
    def starts_at(self) -> datetime | None:
        activated = self.first(News.ACTIVATED)
        return activated.at if activated and self.first(News.PAID) else None

    @property
    def months(self) -> list[Month]:
        """The first costs what was paid for it: a coupon made it cheaper."""
        paid = self.first(News.PAID)
        if self.starts_at is None or paid is None:
            return []
        months = months_of(self.terms, self.starts_at)
        return [replace(months[0], fee=paid.amount), *months[1:]]

    @property
    def ending(self) -> Heard | None:
        """The latest that was not taken back."""
        said = self.all(News.ENDING, News.UNCANCELLED)
        return said[-1] if said and said[-1].news is News.ENDING else None

    @property
    def ends_at(self) -> datetime | None:
        if not self.months:
            return None
        term_end = self.months[-1].span.to_at
        return min(self.ending.until, term_end) if self.ending and self.ending.until else term_end

    @property
    def stopped_at(self) -> datetime | None:
        """When the car was back, or given up: nothing is billed after it."""
        last = self.first(News.RETURNED) or self.first(News.TERMINATED)
        return min(last.at, self.ends_at) if last and self.ends_at else None

    @property
    def open(self) -> bool:
        return self.first(News.PAID) is not None and self.account.state is not Billing.CLOSED

    @property
    def over(self) -> bool:
        """No money will be earned any more: the account can be settled."""
        back = self.first(News.RETURNED) and self.first(News.INSPECTED)
        ended = self.starts_at and (back or self.first(News.TERMINATED))
        return bool(self.first(News.PAID) and (ended or self.first(News.CANCELLED)))

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """Since the start, earliest first; a lost access and a defective car may overlap."""
        start = self.starts_at
        if start is None:
            return ()
        found = [*self._access_gaps(), *self._swap_gaps()]
        clipped = (replace(each, from_at=max(each.from_at, start)) for each in found)
        return tuple(
            sorted(
                (each for each in clipped if each.to_at is None or each.from_at < each.to_at),
                key=lambda each: each.from_at,
            )
        )

    def _access_gaps(self) -> list[Gap]:
        proven = [replace(each, at=each.until) for each in self.all(News.ACTIVATED) if each.until]
        lost = [each for each in self.all(News.ACCESS_LOST) if each.ours]
        return _intervals(lost, [*self.all(News.ACCESS_RESTORED), *proven])

    def _swap_gaps(self) -> list[Gap]:
        begun = [each for each in self.all(News.SWAP_BEGUN) if each.ours]
        return _intervals(begun, self.all(News.SWAP_OVER))

    def billed(self, month: Month) -> tuple[Span, ...]:
        """The part of a month that is paid for: until the return, and never in a gap."""
        returned = self.first(News.RETURNED)
        after = [Span(returned.at, month.span.to_at)] if returned else []
        return without(month.span, [*self._free(month), *after])

    def _free(self, month: Month) -> list[Span]:
        """The gaps that are over; once the car is back, or given up, all of them."""
        known = [gap for gap in self.gaps if gap.to_at or self.stopped_at]
        return [Span(gap.from_at, gap.to_at or month.span.to_at) for gap in known]

    def card_change(self, request_id: str, fingerprint: str) -> CardChange | None:
        """KeyReused when that request was another one."""
        known = next((each for each in self.card_changes if each.request_id == request_id), None)
        if known and known.fingerprint != fingerprint:
            raise KeyReused()
        return known

    def on(self, account: Ledger) -> Won:
        return sum(posting.on(account) for posting in self.postings)

    @property
    def open_charge(self) -> Charge | None:
        waiting = (ChargeState.ASKING, ChargeState.DECLINED)
        return next((each for each in self.charges if each.state in waiting), None)

    @property
    def next_month(self) -> Month | None:
        """The month that will be charged next; none once the end is fixed before it, or the car is back."""
        end, closed = self.ends_at, self.account.state is Billing.CLOSED
        if end is None or self.stopped_at or self.over or closed:
            return None
        charged = max((each.number for each in self.charges if each.number is not None), default=-1)
        ahead = (each for each in self.months if each.number > charged and each.span.from_at < end)
        return next(ahead, None)

    @property
    def gap_open(self) -> bool:
        return any(gap.to_at is None for gap in self.gaps)


def _intervals(begins: list[Heard], ends: list[Heard]) -> list[Gap]:
    """Each beginning lasts until the first end after it; one inside another is the same gap."""

    def order(each: Heard) -> tuple[datetime, datetime, str]:
        return each.at, each.told_at, each.id

    gaps: list[Gap] = []
    for begin in sorted(begins, key=order):
        last = gaps[-1] if gaps else None
        if last is None or (last.to_at is not None and last.to_at <= begin.at):
            end = min((each.at for each in ends if order(each) > order(begin)), default=None)
            gaps.append(Gap(begin.at, end, begin.cause))
    return gaps
