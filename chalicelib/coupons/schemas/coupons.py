"""Requests and answers about codes and coupons, and the facts published and heard."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from chalicelib.coupons.model import Batch, Boxed, Kind, Offered, Record, Told
from chalicelib.coupons.schemas.campaigns import Name
from chalicelib.kernel.errors import Malformed
from chalicelib.kernel.tables import cursor, position

MOST_CODES_IN_BATCH = 100_000
CODES_IN_PAGE = 10_000
"""As JSON, when not asked otherwise; a whole batch, 2 MB of the 6 that a Lambda may answer, as CSV."""
COUPONS_IN_PAGE = 50
BATCHES_IN_PAGE = 50
MOST_CUSTOMERS = 1_000

Customer = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._:@+-]{1,64}$(?!\n)")]
Customers = Annotated[list[Customer], Meta(max_length=MOST_CUSTOMERS)]


class CodesRequest(Struct, frozen=True):
    batch_id: Name
    count: Annotated[int, Meta(ge=1, le=MOST_CODES_IN_BATCH)]


class BatchView(Struct, frozen=True):
    """`per_second` and `seconds_left` are guessed from how it went so far. `voided`: of a batch that is to be
    void, how many of its codes are seen to."""

    campaign_id: str
    batch_id: str
    kind: str
    state: str
    issued: int
    count: int
    created_at: datetime | None
    per_second: float | None
    seconds_left: int | None
    voided: int | None

    @classmethod
    def of(cls, batch: Batch) -> "BatchView":
        speed = batch.per_second
        return cls(
            campaign_id=batch.campaign_id,
            batch_id=batch.batch_id,
            kind=batch.kind.value,
            state=batch.state,
            issued=batch.issued,
            count=batch.count,
            created_at=batch.created_at,
            per_second=None if speed is None else round(speed, 1),
            seconds_left=batch.seconds_left,
            voided=batch.voided,
        )


class BatchesView(Struct, frozen=True):
    batches: list[BatchView]
    next_cursor: str | None

    @classmethod
    def of(cls, batches: list[Batch], last: str | None) -> "BatchesView":
        return cls([BatchView.of(batch) for batch in batches], cursor(last) if last else None)


class TargetsRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """`send`: they are told by text, if they agreed to advertising."""

    batch_id: Name
    customers: Annotated[list[Customer], Meta(min_length=1, max_length=MOST_CUSTOMERS)]
    send: bool = False


class TextsView(Struct, frozen=True):
    """`refused`: how many, by reason."""

    sent: int
    waiting: int
    refused: dict[str, int]

    @classmethod
    def of(cls, told: Told) -> "TextsView":
        return cls(told.sent, told.waiting, told.refused)


class TargetsView(Struct, frozen=True):
    """`issued` of `count` customers have their coupon; `refused`: who gets none, by reason."""

    campaign_id: str
    batch_id: str
    state: str
    issued: int
    count: int
    created_at: datetime | None
    send: bool
    refused: dict[str, int]
    texts: TextsView

    @classmethod
    def of(cls, batch: Batch, told: Told) -> "TargetsView":
        return cls(
            campaign_id=batch.campaign_id,
            batch_id=batch.batch_id,
            state=batch.state,
            issued=batch.issued,
            count=batch.count,
            created_at=batch.created_at,
            send=batch.send,
            refused={"NOT_IN_GROUP": batch.refused} if batch.refused else {},
            texts=TextsView.of(told),
        )


class MembersRequest(Struct, frozen=True, forbid_unknown_fields=True):
    add: Customers = []
    remove: Customers = []

    def __post_init__(self) -> None:
        if set(self.add) & set(self.remove):
            raise ValueError("somebody is to be added and removed")


class MembersView(Struct, frozen=True):
    """Who is in the group now, and who is not, of those that were named."""

    group: str
    added: int
    removed: int


class VoidRequest(Struct, frozen=True):
    reason: Annotated[str, Meta(min_length=1, max_length=200)]


class VoidedView(Struct, frozen=True):
    coupon_id: str
    campaign_id: str
    state: str
    voided_at: datetime | None
    voided_by: str | None
    reason: str | None

    @classmethod
    def of(cls, record: Record) -> "VoidedView":
        coupon, voided = record.coupon, record.voided
        return cls(
            coupon_id=coupon.coupon_id,
            campaign_id=coupon.campaign_id,
            state=coupon.state.value,
            voided_at=voided.at if voided else None,
            voided_by=voided.by if voided else None,
            reason=voided.reason if voided else None,
        )


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
    """`why_not`: null when it can be used now; else used, void, expired, not_yet or paused. `kinds` and
    `plans`: what it applies to, all when empty. `used_by`: the checkout that holds or spent it."""

    coupon_id: str
    campaign_id: str
    name: str
    kind: Kind
    value: int
    max_discount: int | None
    min_order: int
    closes_at: datetime | None
    state: str
    description: str
    opens_at: datetime | None
    kinds: list[str]
    plans: list[str]
    why_not: str | None
    used_by: str | None

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
            description=terms.description,
            opens_at=terms.opens_at,
            kinds=sorted(terms.scope.kinds),
            plans=sorted(terms.scope.plans),
            why_not=boxed.why_not,
            used_by=coupon.used_by,
        )


class OfferedView(Struct, frozen=True):
    """`mine`: it is among my coupons already."""

    campaign_id: str
    name: str
    kind: Kind
    value: int
    max_discount: int | None
    min_order: int
    closes_at: datetime | None
    description: str
    mine: bool

    @classmethod
    def of(cls, offered: Offered) -> "OfferedView":
        terms = offered.campaign.terms
        return cls(
            campaign_id=offered.campaign.campaign_id,
            name=terms.name,
            kind=terms.kind,
            value=terms.value,
            max_discount=terms.max_discount,
            min_order=terms.min_order,
            closes_at=terms.closes_at,
            description=terms.description,
            mine=offered.mine,
        )


class OffersView(Struct, frozen=True):
    campaigns: list[OfferedView]

    @classmethod
    def of(cls, offered: list[Offered]) -> "OffersView":
        return cls([OfferedView.of(each) for each in offered])


class CouponsView(Struct, frozen=True):
    coupons: list[CouponView]
    next_cursor: str | None

    @classmethod
    def of(cls, boxed: list[Boxed], last: str | None) -> "CouponsView":
        return cls([CouponView.of(each) for each in boxed], cursor(last) if last else None)


def batch_after(query: dict[str, str]) -> str | None:
    """The name of the batch the last page ended on."""
    token = query.get("cursor")
    last = position(token) if token else None
    if last is not None and len(last) > 64:
        raise Malformed("unknown cursor", (("cursor", "not a cursor of this list"),))
    return last


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


class CodeBatchRequested(Struct, frozen=True):
    """Published, and heard by ourselves."""

    campaign_id: str
    batch_id: str
    count: int


class CodeBatchContinued(Struct, frozen=True):
    """Published, and heard by ourselves: a run of the Lambda has used its time, and another goes on."""

    campaign_id: str
    batch_id: str
    count: int


class CodeBatchVoided(Struct, frozen=True):
    """Published, and heard by ourselves: none of these codes shall be used any more."""

    campaign_id: str
    batch_id: str
    count: int


class CouponGiven(Struct, frozen=True):
    """Published when its customer should be told: the coupon of that number in a batch lies in their box."""

    campaign_id: str
    batch_id: str
    number: int


class CouponVoided(Struct, frozen=True):
    """Published."""

    campaign_id: str
    coupon_id: str
