"""Requests and answers about campaigns, and the fact published."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from chalicelib.coupons.model import Edge, Kind, ReserveAt, Snapshot, Tally, Terms
from chalicelib.coupons.model import Scope as TermsScope
from chalicelib.kernel.errors import Malformed
from chalicelib.kernel.tables import cursor, position

CAMPAIGNS_IN_PAGE = 20
YEARS = range(2000, 3000)
"""A time outside these is a slip, and near the ends of the calendar no time at all in another time zone."""

Won = Annotated[int, Meta(ge=0, le=10**12)]
Positive = Annotated[int, Meta(ge=1, le=10**12)]
Count = Annotated[int, Meta(ge=1, le=10**9)]
# The last group is for Python, whose `$` also matches before a line's end.
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,64}$(?!\n)")]
Names = Annotated[list[Name], Meta(max_length=50)]
Moment = Annotated[datetime, Meta(tz=True)]


class Scope(Struct, frozen=True, forbid_unknown_fields=True):
    """The lines of an order a coupon applies to, and the groups of customers it is for; nothing named means
    all."""

    kinds: list[Literal["contract_fee", "service"]] = []
    plans: Names = []
    groups: Names = []

    @classmethod
    def of(cls, scope: TermsScope) -> "Scope":
        kinds: list[Literal["contract_fee", "service"]] = sorted(scope.kinds)  # type: ignore[arg-type]
        return cls(kinds, sorted(scope.plans), sorted(scope.groups))


class CampaignRequest(Struct, frozen=True):
    """`value`: won when fixed, whole percent when percent. `sponsor_percent`, 100 when not given, is
    the part of every discount that the sponsor pays."""

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
    count_limit: Count | None = None
    at_the_edge: Edge = Edge.REJECT
    sponsor_id: Name | None = None
    sponsor_percent: Annotated[int, Meta(ge=1, le=100)] | None = None
    download: bool = False
    description: Annotated[str, Meta(max_length=500)] = ""

    def __post_init__(self) -> None:
        if self.kind is Kind.PERCENT and self.value > 100:
            raise ValueError("value is more than 100 percent")
        for name, at in (("opens_at", self.opens_at), ("closes_at", self.closes_at)):
            if at and at.year not in YEARS:
                raise ValueError(f"{name} is not in the years {YEARS[0]} to {YEARS[-1]}")
        if self.opens_at and self.closes_at and self.closes_at <= self.opens_at:
            raise ValueError("closes_at is not after opens_at")
        if self.sponsor_percent and not self.sponsor_id:
            raise ValueError("sponsor_percent without sponsor_id")

    def terms(self) -> Terms:
        scope = self.scope if isinstance(self.scope, Scope) else Scope()
        return Terms(
            name=self.name,
            kind=self.kind,
            value=self.value,
            max_discount=self.max_discount,
            min_order=self.min_order or 0,
            per_user_limit=self.per_user_limit,
            opens_at=self.opens_at,
            closes_at=self.closes_at,
            scope=TermsScope(frozenset(scope.kinds), frozenset(scope.plans), frozenset(scope.groups)),
            reserve_at=self.reserve_at,
            at_the_edge=self.at_the_edge,
            sponsor_id=self.sponsor_id,
            sponsor_percent=(self.sponsor_percent or 100) if self.sponsor_id else 0,
            download=self.download,
            description=self.description,
        )


class CreatedView(Struct, frozen=True):
    campaign_id: str


class Counts(Struct, frozen=True):
    """Coupons: issued, and of them ever in a box (null in lists); held by checkouts, or bound at issue; paid
    with; given back whole after that; and how many may still be used, null without a limit."""

    issued: int | None
    registered: int | None
    reserved: int
    captured: int
    refunded: int
    left: int | None


class CampaignView(Struct, frozen=True):
    """budget = available + reserved + (captured - refunded), at one instant; with a `count_limit`, that
    is left + reserved + (captured - refunded) of `counts` at the same instant."""

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
    count_limit: int | None
    shards: int
    mode: str
    at_the_edge: Edge
    sponsor_id: str | None
    sponsor_percent: int
    download: bool
    description: str
    scope: Scope | Literal["all"]
    reserve_at: ReserveAt
    created_at: datetime | None
    counts: Counts

    @classmethod
    def of(cls, seen: Snapshot, at: datetime, tally: Tally | None = None) -> "CampaignView":
        campaign, terms = seen.campaign, seen.campaign.terms
        counts = Counts(
            issued=tally.issued if tally else None,
            registered=tally.registered if tally else None,
            reserved=sum(shard.uses_reserved for shard in seen.shards),
            captured=sum(shard.uses_captured for shard in seen.shards),
            refunded=sum(shard.uses_refunded for shard in seen.shards),
            left=seen.uses_left,
        )
        return cls(
            campaign_id=campaign.campaign_id,
            name=terms.name,
            kind=terms.kind,
            value=terms.value,
            max_discount=terms.max_discount,
            min_order=terms.min_order,
            per_user_limit=terms.per_user_limit,
            opens_at=terms.opens_at,
            closes_at=terms.closes_at,
            budget=campaign.budget,
            available=seen.available,
            reserved=seen.reserved,
            captured=seen.captured,
            refunded=seen.refunded,
            state=seen.standing(at),
            count_limit=campaign.uses,
            shards=campaign.shards,
            mode=campaign.mode.value,
            at_the_edge=terms.at_the_edge,
            sponsor_id=terms.sponsor_id,
            sponsor_percent=terms.sponsor_percent,
            download=terms.download,
            description=terms.description,
            scope="all" if terms.scope == TermsScope() else Scope.of(terms.scope),
            reserve_at=terms.reserve_at,
            created_at=campaign.created_at,
            counts=counts,
        )


class CampaignsView(Struct, frozen=True):
    """Newest first."""

    campaigns: list[CampaignView]
    next_cursor: str | None

    @classmethod
    def of(cls, seen: list[Snapshot], last: str | None, at: datetime) -> "CampaignsView":
        return cls([CampaignView.of(each, at) for each in seen], cursor(last) if last else None)


def campaigns_after(query: dict[str, str]) -> str | None:
    """Where the last page ended."""
    token = query.get("cursor")
    last = position(token) if token else None
    if last is not None and not ("#" in last and len(last) <= 128):
        raise Malformed("unknown cursor", (("cursor", "not a cursor of this list"),))
    return last


class TopUpRequest(Struct, frozen=True):
    """`count`: so many more uses, where they are limited."""

    amount: Positive
    top_up_id: Name
    count: Count | None = None


class CutRequest(Struct, frozen=True):
    amount: Positive
    cut_id: Name


class CloseRequest(Struct, frozen=True):
    reason: Annotated[str, Meta(min_length=1, max_length=200)]


class CampaignCreated(Struct, frozen=True):
    """Published."""

    campaign_id: str
    name: str
    kind: Kind
    budget: int
    sponsor_id: str | None
    sponsor_percent: int
