"""Requests and answers about points, and the facts published and heard."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from chalicelib.kernel.errors import Malformed
from chalicelib.kernel.ids import fingerprint
from chalicelib.kernel.tables import cursor, position
from chalicelib.points.model import (
    PARTNERS,
    Birthday,
    Conversion,
    ConversionState,
    Given,
    Grant,
    Movement,
    Partner,
    Standing,
    Wallet,
    Wish,
    exists,
    expiry,
)

ENTRIES_IN_PAGE = 30
MOST_ENTRIES_IN_PAGE = 100
YEARS = range(2000, 3000)
"""A time outside these is a slip, and near the ends of the calendar no time at all in another time zone."""

# The last group is for Python, whose `$` also matches before a line's end.
CustomerId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._:@-]{1,128}$(?!\n)")]
Account = Annotated[str, Meta(pattern=r"^[A-Za-z0-9-]{4,40}$(?!\n)")]


class BirthdayRequest(Struct, frozen=True):
    """No year: nobody's age is asked for."""

    month: Annotated[int, Meta(ge=1, le=12)]
    day: Annotated[int, Meta(ge=1, le=31)]

    def __post_init__(self) -> None:
        if not exists(self.month, self.day):
            raise ValueError("that month has no such day")


class ConversionRequest(Struct, frozen=True):
    """`account`: the member's number at the partner."""

    partner: Annotated[str, Meta(min_length=1, max_length=40)]
    account: Account
    points: Annotated[int, Meta(ge=1, le=10**9)]

    def wish(self) -> Wish:
        return Wish(self.partner, self.account, self.points, fingerprint(self))


class GrantRequest(Struct, frozen=True):
    """`expires_at`: at least so long they last, to the end of its month; a year when it is not given."""

    customer_id: CustomerId
    points: Annotated[int, Meta(ge=1, le=1_000_000)]
    reason: Annotated[str, Meta(pattern=r"\S", max_length=200)]
    expires_at: Annotated[datetime, Meta(tz=True)] | None = None

    def __post_init__(self) -> None:
        if self.expires_at and self.expires_at.year not in YEARS:
            raise ValueError(f"expires_at is not in the years {YEARS[0]} to {YEARS[-1]}")

    def grant(self) -> Grant:
        return Grant(self.customer_id, self.points, self.reason, self.expires_at, fingerprint(self))


class ApproveRequest(Struct, frozen=True):
    """What is approved, as whoever approves it understood it."""

    customer_id: CustomerId
    points: Annotated[int, Meta(ge=1, le=1_000_000)]


class BirthdayView(Struct, frozen=True):
    month: int
    day: int

    @classmethod
    def of(cls, birthday: Birthday) -> "BirthdayView":
        return cls(birthday.month, birthday.day)


class ExpiringView(Struct, frozen=True):
    points: int
    expires_at: datetime


class PointsView(Struct, frozen=True):
    """`balance` can be spent, `held` is reserved for open checkouts, `debt` is what the next points pay
    first. `expiring`: when which part of the balance goes, soonest first."""

    balance: int
    held: int
    debt: int
    expiring: list[ExpiringView]
    birthday: BirthdayView | None

    @classmethod
    def of(cls, standing: Standing, birthday: Birthday | None) -> "PointsView":
        return cls(
            balance=standing.balance,
            held=standing.held,
            debt=standing.debt,
            expiring=[ExpiringView(points, at) for at, points in standing.expiring],
            birthday=BirthdayView.of(birthday) if birthday else None,
        )


class EntryView(Struct, frozen=True, omit_defaults=True):
    """`points` came (above 0) or went. `balance_after`: what was the customer's then, held points too.
    `debt`: what was added to the debt; below 0, what was paid of it."""

    at: datetime
    what: str
    points: int
    balance_after: int
    debt: int = 0
    expires_at: datetime | None = None
    checkout_id: str | None = None
    conversion_id: str | None = None

    @classmethod
    def of(cls, movement: Movement) -> "EntryView":
        entry = movement.entry
        return cls(
            at=entry.at,
            what=entry.what,
            points=movement.points,
            balance_after=movement.owned,
            debt=movement.debt,
            expires_at=movement.expires_at,
            checkout_id=_text(entry.about.get("checkout_id")),
            conversion_id=_text(entry.about.get("conversion_id")),
        )


class EntriesView(Struct, frozen=True):
    entries: list[EntryView]
    next_cursor: str | None

    @classmethod
    def of(cls, movements: Sequence[Movement]) -> "EntriesView":
        return cls([EntryView.of(each) for each in movements], _next(movements))


class PartnerView(Struct, frozen=True):
    """For every `takes` points a member gets `gives` of the partner's."""

    partner: str
    name_ko: str
    name_en: str
    takes: int
    gives: int

    @classmethod
    def of(cls, partner: Partner) -> "PartnerView":
        return cls(partner.partner_id, partner.ko, partner.en, partner.takes, partner.gives)


class PartnersView(Struct, frozen=True):
    partners: list[PartnerView]

    @classmethod
    def of(cls) -> "PartnersView":
        return cls([PartnerView.of(each) for each in PARTNERS.values()])


class ConversionView(Struct, frozen=True):
    """`gives` in the partner's points. `account` without its beginning. `reason`: why the partner refused."""

    conversion_id: str
    partner: str
    account: str
    points: int
    gives: int
    state: str
    asked_at: datetime
    reason: str | None

    @property
    def waits(self) -> bool:
        """For the partner's answer."""
        return self.state == ConversionState.PENDING

    @classmethod
    def of(cls, conversion: Conversion) -> "ConversionView":
        return cls(
            conversion_id=conversion.conversion_id,
            partner=conversion.partner_id,
            account=conversion.account_shown,
            points=conversion.points,
            gives=conversion.gives,
            state=conversion.state.value,
            asked_at=conversion.asked_at,
            reason=conversion.reason,
        )


class GrantView(Struct, frozen=True):
    """`state`: GIVEN, or ASKED while a second person must approve it."""

    grant_id: str
    state: str
    customer_id: str
    points: int
    expires_at: datetime | None

    @property
    def waits(self) -> bool:
        return self.expires_at is None

    @classmethod
    def of(cls, grant: Grant, given: Given) -> "GrantView":
        state, until = ("GIVEN", expiry(given.lot)) if given.lot else ("ASKED", None)
        return cls(given.grant_id, state, grant.customer_id, grant.points, until)


class HeldView(Struct, frozen=True):
    checkout_id: str
    points: int


class OpsEntryView(Struct, frozen=True):
    """`cause` happens once. `staff`, `approved_by` and `reason`: who gave it by hand, and why."""

    at: datetime
    cause: str
    what: str
    points: int
    balance_after: int
    debt: int
    lots: dict[str, int]
    staff: str | None
    approved_by: str | None
    reason: str | None

    @classmethod
    def of(cls, movement: Movement) -> "OpsEntryView":
        entry = movement.entry
        return cls(
            at=entry.at,
            cause=entry.cause,
            what=entry.what,
            points=movement.points,
            balance_after=movement.owned,
            debt=movement.debt,
            lots=dict(movement.lots),
            staff=_text(entry.about.get("staff")),
            approved_by=_text(entry.about.get("approved_by")),
            reason=_text(entry.about.get("reason")),
        )


class OpsPointsView(Struct, frozen=True):
    """A customer's wallet as it stands, and what brought it there, newest first."""

    customer_id: str
    balance: int
    debt: int
    lots: dict[str, int]
    held: list[HeldView]
    entries: list[OpsEntryView]
    next_cursor: str | None

    @classmethod
    def of(cls, wallet: Wallet, at: datetime, movements: Sequence[Movement]) -> "OpsPointsView":
        return cls(
            customer_id=wallet.customer_id,
            balance=wallet.balance(at),
            debt=wallet.debt,
            lots=dict(wallet.lots),
            held=[HeldView(name, sum(dict(lots).values())) for name, lots in wallet.held.items()],
            entries=[OpsEntryView.of(each) for each in movements],
            next_cursor=_next(movements),
        )


def entries_before(query: dict[str, str]) -> int | None:
    """The number of the entry the last page ended on."""
    token = query.get("cursor")
    number = position(token) if token else None
    if number is not None and not re.fullmatch(r"[1-9][0-9]{0,8}", number, re.ASCII):
        raise Malformed("unknown cursor", (("/cursor", "not a cursor of this list"),))
    return int(number) if number else None


def _next(movements: Sequence[Movement]) -> str | None:
    last = movements[-1].no if movements else 1
    return cursor(str(last)) if last > 1 else None


def _text(value: str | int | None) -> str | None:
    return None if value is None else str(value)


class PointsExpiring(Struct, frozen=True):
    """Published a month before points expire: how many do, at which moment."""

    customer_id: str
    points: int
    expires_at: datetime


class ContractHappened(Struct, frozen=True):
    """Heard from contracts: ContractActivated, and ContractReturned with its time."""

    contract_id: str
    at: datetime | None = None


class CheckoutCaptured(Struct, frozen=True):
    """Heard from checkout: paid for good. `paid`: by card."""

    checkout_id: str
    customer_id: str
    paid: int


class CheckoutRefunded(Struct, frozen=True):
    """Heard from checkout: so much went back to the card."""

    checkout_id: str
    customer_id: str
    refund_id: str
    card: int
