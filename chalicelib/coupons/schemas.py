"""Requests and answers about campaigns, codes and coupons, and the facts published and heard."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from chalicelib.coupons.model import (
    KINDS_OF_LINE,
    Batch,
    Boxed,
    Kind,
    ReserveAt,
    Snapshot,
    Terms,
)
from chalicelib.kernel.errors import Malformed
from chalicelib.kernel.tables import cursor, position

MOST_CODES_IN_BATCH = 100_000
MOST_CODES_IN_PAGE = 50_000
CODES_IN_PAGE = 10_000
COUPONS_IN_PAGE = 50
YEARS = range(2000, 3000)
"""A time outside these is a slip, and near the ends of the calendar no time at all in another time zone."""

Won = Annotated[int, Meta(ge=0, le=10**12)]
Positive = Annotated[int, Meta(ge=1, le=10**12)]
# The last group is for Python, whose `$` also matches before a line's end.
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,64}$(?!\n)")]
Moment = Annotated[datetime, Meta(tz=True)]


class Scope(Struct, frozen=True, forbid_unknown_fields=True):
    """What the coupon applies to; nothing named means everything."""

    kinds: list[Literal["contract_fee", "service"]] = []


class CampaignRequest(Struct, frozen=True):
    """`value`: won when fixed, whole percent when percent."""

    name: Annotated[str, Meta(min_length=1, max_length=80)]
    kind: Kind
    value: Positive
    budget: Positive
    max_discount: Positive | None = None
    min_order: Won | None = None
    per_user_limit: Annotated[int, Meta(ge=1, le=10**6)] | None = None
    opens_at: Moment | None = None
    closes_at: Moment | None = None
    scope: Scope | Literal["all"] | None = None
    reserve_at: ReserveAt = ReserveAt.REDEEM

    def __post_init__(self) -> None:
        if self.kind is Kind.PERCENT and self.value > 100:
            raise ValueError("value is more than 100 percent")
        for name, at in (("opens_at", self.opens_at), ("closes_at", self.closes_at)):
            if at and at.year not in YEARS:
                raise ValueError(f"{name} is not in the years {YEARS[0]} to {YEARS[-1]}")
        if self.opens_at and self.closes_at and self.closes_at <= self.opens_at:
            raise ValueError("closes_at is not after opens_at")

    def terms(self) -> Terms:
        kinds = self.scope.kinds if isinstance(self.scope, Scope) else []
        return Terms(
            name=self.name,
            kind=self.kind,
            value=self.value,
            max_discount=self.max_discount,
            min_order=self.min_order or 0,
            per_user_limit=self.per_user_limit,
            opens_at=self.opens_at,
            closes_at=self.closes_at,
            scope=frozenset(kinds) or KINDS_OF_LINE,
            reserve_at=self.reserve_at,
        )


class CreatedView(Struct, frozen=True):
    campaign_id: str


class CampaignView(Struct, frozen=True):
    """budget = available + reserved + (captured - refunded), at one instant."""

    campaign_id: str
    name: str
    kind: Kind
    value: int
    max_discount: int | None
    min_order: int
    per_user_limit: int | None
    opens_at: datetime | None
    closes_at: datetime | None
    budget: int
    available: int
    reserved: int
    captured: int
    refunded: int
    state: str

    @classmethod
    def of(cls, seen: Snapshot, at: datetime) -> "CampaignView":
        terms = seen.campaign.terms
        return cls(
            campaign_id=seen.campaign.campaign_id,
            name=terms.name,
            kind=terms.kind,
            value=terms.value,
            max_discount=terms.max_discount,
            min_order=terms.min_order,
            per_user_limit=terms.per_user_limit,
            opens_at=terms.opens_at,
            closes_at=terms.closes_at,
            budget=seen.campaign.budget,
            available=seen.available,
            reserved=seen.reserved,
            captured=seen.captured,
            refunded=seen.refunded,
            state=seen.standing(at),
        )


class TopUpRequest(Struct, frozen=True):
    amount: Positive
    top_up_id: Name


class CodesRequest(Struct, frozen=True):
    batch_id: Name
    count: Annotated[int, Meta(ge=1, le=MOST_CODES_IN_BATCH)]


class BatchView(Struct, frozen=True):
    campaign_id: str
    batch_id: str
    state: str
    issued: int
    count: int

    @classmethod
    def of(cls, batch: Batch) -> "BatchView":
        return cls(batch.campaign_id, batch.batch_id, batch.state, batch.issued, batch.count)


class CodesView(Struct, frozen=True):
    """`codes` stays empty until the state is DONE."""

    campaign_id: str
    batch_id: str
    state: str
    issued: int
    count: int
    codes: tuple[str, ...]
    next_cursor: str | None

    @classmethod
    def of(cls, batch: Batch, first: int, codes: tuple[str, ...]) -> "CodesView":
        after = first + len(codes)
        more = cursor(str(after)) if codes and after < batch.count else None
        return cls(batch.campaign_id, batch.batch_id, batch.state, batch.issued, batch.count, codes, more)

    def csv(self) -> str:
        return "\r\n".join(("code", *self.codes, ""))


class RegisterRequest(Struct, frozen=True):
    code: Annotated[str, Meta(max_length=256)]


class CouponView(Struct, frozen=True):
    coupon_id: str
    campaign_id: str
    name: str
    kind: Kind
    value: int
    max_discount: int | None
    min_order: int
    closes_at: datetime | None
    state: str

    @classmethod
    def of(cls, boxed: Boxed) -> "CouponView":
        coupon, terms = boxed.coupon, boxed.terms
        return cls(
            coupon_id=coupon.coupon_id,
            campaign_id=coupon.campaign_id,
            name=terms.name,
            kind=terms.kind,
            value=terms.value,
            max_discount=terms.max_discount,
            min_order=terms.min_order,
            closes_at=terms.closes_at,
            state=coupon.state.value,
        )


class CouponsView(Struct, frozen=True):
    coupons: list[CouponView]
    next_cursor: str | None

    @classmethod
    def of(cls, boxed: list[Boxed], last: str | None) -> "CouponsView":
        return cls([CouponView.of(each) for each in boxed], cursor(last) if last else None)


def coupon_after(query: dict[str, str]) -> str | None:
    """The id of the coupon the last page ended on."""
    token = query.get("cursor")
    last = position(token) if token else None
    if last is not None and not ("." in last and len(last) <= 128):
        raise Malformed("unknown cursor", (("cursor", "not a cursor of this list"),))
    return last


def number_of_first(query: dict[str, str]) -> int:
    """The number of the code a page starts with."""
    token = query.get("cursor")
    number = position(token) if token else "0"
    if not (number.isascii() and number.isdigit() and len(number) <= 9):
        raise Malformed("unknown cursor", (("cursor", "not a cursor of this list"),))
    return int(number)


class CampaignCreated(Struct, frozen=True):
    """Published."""

    campaign_id: str
    name: str
    kind: Kind
    budget: int


class CodeBatchRequested(Struct, frozen=True):
    """Published, and heard by ourselves."""

    campaign_id: str
    batch_id: str
    count: int
