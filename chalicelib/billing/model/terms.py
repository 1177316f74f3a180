"""Months, shares of them, and what a change of a contract costs: for the preview and for the commit.

Sources: 소비자분쟁해결기준 별표2 No.46 for cancellation; the standard terms of car rental for an early end.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from chalicelib.kernel.calendar import months_after
from chalicelib.kernel.money import Won, percent_of


class Term(Struct, frozen=True):
    """One agreed stretch of a contract: the one that was signed, or one it was renewed for."""

    months: int
    monthly_fee: Won


class Span(Struct, frozen=True):
    from_at: datetime
    to_at: datetime

    @property
    def length(self) -> int:
        """Microseconds, since money is worked out in whole numbers only."""
        return (self.to_at - self.from_at) // timedelta(microseconds=1)


class Month(Struct, frozen=True):
    """The `number`th month of a contract, from 0."""

    number: int
    span: Span
    fee: Won

    def price(self, billed: Iterable[Span]) -> Won:
        """The fee's share for the billed part of the month, rounded down: in the customer's favour."""
        return self.fee * sum(each.length for each in billed) // self.span.length


def without(span: Span, free: Iterable[Span]) -> tuple[Span, ...]:
    """What is left of `span`; free spans may overlap."""
    left, here = [], span.from_at
    for each in sorted(free, key=lambda one: one.from_at):
        if here < min(each.from_at, span.to_at):
            left.append(Span(here, min(each.from_at, span.to_at)))
        here = max(here, each.to_at)
    if here < span.to_at:
        left.append(Span(here, span.to_at))
    return tuple(left)


@lru_cache(maxsize=64)
def months_of(terms: tuple[Term, ...], start: datetime) -> tuple[Month, ...]:
    """Kept, since an account that is worked out asks for them many times."""
    fees = [term.monthly_fee for term in terms for _ in range(term.months)]
    begins = [months_after(start, number) for number in range(len(fees) + 1)]
    return tuple(Month(number, Span(*begins[number : number + 2]), fee) for number, fee in enumerate(fees))


FREE_UNTIL = timedelta(hours=24)
LATE_PERCENT = 10
COMPENSATION_PERCENT = 10
EARLY_END_PERCENT = 10


class What(StrEnum):
    """What a line is about; other contexts may add words of their own."""

    FIRST_MONTH = "first_month"
    MONTHLY_FEE = "monthly_fee"
    GAP = "gap"
    UNUSED_DAYS = "unused_days"
    LATE_CANCELLATION = "late_cancellation"
    COMPENSATION = "compensation"
    EARLY_END = "early_end"
    PARKING = "parking"
    REDISPATCH = "redispatch"
    SETTLEMENT = "settlement"
    REFUND = "refund"


class Line(Struct, frozen=True):
    """`amount`: positive comes back to the customer, negative is owed."""

    what: str
    amount: Won


class Money(Struct, frozen=True):
    """`effective_at`: when the change takes effect. Of refund and charge at most one is above zero."""

    effective_at: datetime
    refund: Won
    charge: Won
    lines: tuple[Line, ...]


class ContractFacts(Struct, frozen=True):
    """What a price is made of. `paid`: the card money that came for the first month, None before payment.

    `starts_at`: the later of handover and first proven access, None before.
    """

    terms: tuple[Term, ...]
    handover_at: datetime
    paid: Won | None = None
    starts_at: datetime | None = None

    @property
    def planned_fee(self) -> Won:
        """대여예정요금: of all that was agreed."""
        return sum(term.months * term.monthly_fee for term in self.terms)

    @property
    def months(self) -> tuple[Month, ...]:
        return months_of(self.terms, self.starts_at or self.handover_at)


def cancel_terms(facts: ContractFacts, cause: Literal["customer", "company"], at: datetime) -> Money:
    """Before the handover. The deduction is taken from what a card paid and never claimed beyond it; whoever
    paid without a card is compensated like everybody else."""
    if facts.paid is None:
        return _money(at, [])
    lines = [Line(What.FIRST_MONTH, facts.paid)]
    if cause == "company":
        lines.append(Line(What.COMPENSATION, percent_of(facts.planned_fee, COMPENSATION_PERCENT)))
    elif facts.handover_at - at <= FREE_UNTIL:
        deducted = min(percent_of(facts.planned_fee, LATE_PERCENT), facts.paid)
        lines.append(Line(What.LATE_CANCELLATION, -deducted))
    return _money(at, lines)


def end_terms(facts: ContractFacts, why: Literal["cancel", "term", "breach"], at: datetime) -> Money:
    """After the start. A customer's early end takes effect when the running, paid month is over."""
    effective = {"cancel": month_end(facts, at), "term": _end(facts), "breach": min(at, _end(facts))}[why]
    rest = Span(effective, _end(facts))
    remaining = sum(
        month.price(without(month.span, [Span(month.span.from_at, rest.from_at)])) for month in facts.months
    )
    return _money(effective, [Line(What.EARLY_END, -percent_of(remaining, EARLY_END_PERCENT))])


def renew_terms(facts: ContractFacts, added: Term) -> Money:
    """Nothing is due at the renewal: its months are charged as they begin."""
    return _money(_end(replace(facts, terms=(*facts.terms, added))), [])


def ends_at(facts: ContractFacts) -> datetime | None:
    """The end of the whole term; None before billing has started."""
    return _end(facts) if facts.starts_at else None


def month_end(facts: ContractFacts, at: datetime) -> datetime:
    """The end of the month that runs at `at`; the term's end when there is none."""
    return next((month.span.to_at for month in facts.months if at < month.span.to_at), _end(facts))


def _end(facts: ContractFacts) -> datetime:
    return facts.months[-1].span.to_at


def _money(effective_at: datetime, lines: list[Line]) -> Money:
    kept = tuple(line for line in lines if line.amount)
    total = sum(line.amount for line in kept)
    return Money(effective_at, max(total, 0), max(-total, 0), kept)
