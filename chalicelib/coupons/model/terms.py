"""What a coupon of a campaign is worth, and when."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from chalicelib.coupons.model.errors import (
    CampaignClosed,
    CampaignNotOpen,
    NothingToDiscount,
    NotOffered,
    OrderTooSmall,
)
from chalicelib.kernel.money import Won, percent_of


class Kind(StrEnum):
    FIXED = "fixed"
    PERCENT = "percent"


class ReserveAt(StrEnum):
    """When the budget is bound: as the coupon is used, or already as it is issued."""

    REDEEM = "redeem"
    ISSUE = "issue"


class Edge(StrEnum):
    """What happens when less is left of the budget than a coupon is worth: nothing, or less, if the customer
    agrees to it."""

    REJECT = "reject"
    PARTIAL = "partial"


KINDS_OF_LINE = frozenset({"contract_fee", "service"})


class Line(Protocol):
    """One line of an order."""

    @property
    def kind(self) -> str: ...

    @property
    def plan(self) -> str | None: ...

    @property
    def amount(self) -> Won: ...


class Scope(Struct, frozen=True):
    """The lines a coupon applies to, and the groups of customers who may have it; an empty set is all."""

    kinds: frozenset[str] = frozenset()
    plans: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()

    def covers(self, line: Line) -> bool:
        return (not self.kinds or line.kind in self.kinds) and (not self.plans or line.plan in self.plans)

    @property
    def every_line(self) -> bool:
        return not self.plans and (not self.kinds or self.kinds >= KINDS_OF_LINE)


class Terms(Struct, frozen=True):
    """What a coupon of the campaign is worth, to whom, and who pays; never changed once it is made.

    `value` is won or whole percent. `sponsor_percent` of every discount is the sponsor's to pay. `download`:
    customers may take a coupon without a code.
    """

    name: str
    kind: Kind
    value: int
    max_discount: Won | None = None
    min_order: Won = 0
    per_user_limit: int | None = None
    opens_at: datetime | None = None
    closes_at: datetime | None = None
    scope: Scope = Scope()
    reserve_at: ReserveAt = ReserveAt.REDEEM
    at_the_edge: Edge = Edge.REJECT
    sponsor_id: str | None = None
    sponsor_percent: int = 0
    download: bool = False
    description: str = ""

    def opened(self, at: datetime) -> bool:
        return self.opens_at is None or self.opens_at <= at

    def closed(self, at: datetime) -> bool:
        return self.closes_at is not None and self.closes_at <= at

    def refuse_outside(self, at: datetime) -> None:
        if not self.opened(at):
            raise CampaignNotOpen()
        if self.closed(at):
            raise CampaignClosed()

    def refuse_unoffered(self) -> None:
        if self.bound and self.kind is not Kind.FIXED:
            raise NotOffered("a budget can be bound at issue only when every coupon is worth the same")

    @property
    def bound(self) -> bool:
        """A coupon has its money from the day it is issued."""
        return self.reserve_at is ReserveAt.ISSUE

    @property
    def worth(self) -> Won | None:
        """What is bound for one new coupon."""
        return self.value if self.bound else None

    def discount(self, lines: Iterable[Line]) -> Won:
        """Rounded down, within the cap, never above what it applies to."""
        lines = tuple(lines)
        if sum(line.amount for line in lines) < self.min_order:
            raise OrderTooSmall(min_order=self.min_order)
        discount = self._off(sum(line.amount for line in lines if self.scope.covers(line)))
        if discount == 0:
            raise NothingToDiscount()
        return discount

    @property
    def largest(self) -> Won | None:
        """None when the terms set no bound."""
        value = self.value if self.kind is Kind.FIXED else None
        return min((bound for bound in (value, self.max_discount) if bound is not None), default=None)

    @property
    def least(self) -> Won:
        """No order gets a smaller discount than this."""
        return max(1, self._off(self.min_order) if self.scope.every_line else 0)

    @property
    def least_grant(self) -> Won:
        """With less than this left, nobody can be granted anything."""
        return 1 if self.at_the_edge is Edge.PARTIAL else self.least

    def _off(self, amount: Won) -> Won:
        full = self.value if self.kind is Kind.FIXED else percent_of(amount, self.value)
        return min(full, amount, full if self.max_discount is None else self.max_discount)
