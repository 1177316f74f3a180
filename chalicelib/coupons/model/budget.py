"""How a budget is cut into shards, and what all of them hold at one instant.

A budget is money, and perhaps a number of uses beside it. Both lie on the same shards; of a discount that
several shards pay, the first one also pays the use.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from chalicelib.coupons.model.errors import BudgetExhausted, CampaignClosed
from chalicelib.coupons.model.terms import Edge, Kind, Line, Terms
from chalicelib.kernel.money import Won

Split = tuple[tuple[int, Won], ...]
"""How much of one discount each shard pays: pairs of (shard, amount). The first also pays the use, if
uses are limited, and may pay only that."""

LANES = 16
"""Into so many rows a campaign's counts of coupons are spread, and so many lists hold what was downloaded."""
MOST_SHARDS = 90
"""A proof reads all shards and the campaign, a debit may touch all of them: 100 rows are the limit."""
COUPONS_PER_SHARD = 10
PEAK_PER_SECOND = 200
HOLD_SECONDS = 0.008
"""Half of the 15.7 ms seen for a whole TransactWriteItems on AWS: how long it keeps others off a row."""


class Grant(Struct, frozen=True):
    """What a customer gets, and from which shards; from none when it was bound as the coupon was issued."""

    amount: Won
    split: Split


def shard_budgets(budget: Won, largest: Won | None, uses: int | None = None) -> tuple[Won, ...]:
    """Adds up to exactly the budget. About one attempt in ten meets another at the peak rate, and every shard
    holds at least ten of the largest discounts, and ten uses."""
    wanted = math.ceil(10 * PEAK_PER_SECOND * HOLD_SECONDS)
    covered = budget // (COUPONS_PER_SHARD * (largest or budget))
    counted = wanted if uses is None else uses // COUPONS_PER_SHARD
    return spread(budget, max(1, min(wanted, MOST_SHARDS, covered, counted)))


def spread(amount: Won, shards: int) -> tuple[Won, ...]:
    """As even as whole won allow, and exactly `amount` in all."""
    each, rest = divmod(amount, shards)
    return tuple(each + (shard < rest) for shard in range(shards))


def split(
    available: Sequence[Won],
    amount: Won,
    choose: Callable[[Sequence[int]], int],
    uses: Sequence[int] | None = None,
) -> Split:
    """From one shard if any can pay alone (chosen, so that rivals part), else from several, largest first.

    `uses`: what each shard has of them, when they are limited. BudgetExhausted when all of them together hold
    too little: what is given must be seen at one instant.
    """
    counting = [shard for shard in range(len(available)) if uses is None or uses[shard] > 0]
    if sum(available) < amount or not counting:
        raise BudgetExhausted()
    alone = [shard for shard in counting if available[shard] >= amount]
    if alone:
        return ((choose(alone), amount),)
    by_size = sorted(range(len(available)), key=lambda shard: -available[shard])
    first = next(shard for shard in by_size if shard in counting)
    parts = []
    for shard in (first, *(other for other in by_size if other != first)):
        part = min(available[shard], amount)
        amount -= part
        if part or shard == first:
            parts.append((shard, part))
        if amount == 0:
            break
    return tuple(parts)


class Switch(StrEnum):
    """Whether a campaign grants at all; every shard carries it, so that a debit meets it.

    CLOSED is for good. MERGED is said of a shard alone: what it had is in the first one.
    """

    OPEN = "OPEN"
    PAUSED = "PAUSED"
    CLOSED = "CLOSED"
    MERGED = "MERGED"


class Mode(StrEnum):
    """SINGLE: the tail of a budget, all of it in the first shard."""

    SHARDED = "sharded"
    SINGLE = "single"


class Shard(Struct, frozen=True):
    """Of the uses, `uses_left` is None when they are not limited; the others count in any case."""

    available: Won
    reserved: Won = 0
    captured: Won = 0
    refunded: Won = 0
    state: Switch = Switch.OPEN
    uses_left: int | None = None
    uses_reserved: int = 0
    uses_captured: int = 0
    uses_refunded: int = 0


class Tally(Struct, frozen=True):
    """How many coupons a campaign has issued, and how many of them ever came into a box."""

    issued: int
    registered: int


class Change(Struct, frozen=True):
    """A top-up or a cut, made once by that name."""

    name: str
    amount: Won
    uses: int = 0


class Campaign(Struct, frozen=True):
    """`left` is what a proof found in all shards together when it refused somebody: a hint, None without one.
    `request` is the fingerprint of the request that made the campaign. `uses` is None when they are not
    limited. `moves` counts how often the budget was moved between shards."""

    campaign_id: str
    terms: Terms
    budget: Won
    shards: int
    request: str
    state: Switch = Switch.OPEN
    left: Won | None = None
    uses: int | None = None
    mode: Mode = Mode.SHARDED
    moves: int = 0
    created_at: datetime | None = None

    def discount(self, lines: Iterable[Line]) -> Won:
        return self.terms.discount(lines)

    def over(self, at: datetime) -> bool:
        """For good: its days are past, or it was closed before."""
        return self.state is Switch.CLOSED or self.terms.closed(at)

    def refuse_outside(self, at: datetime) -> None:
        if self.state is Switch.CLOSED:
            raise CampaignClosed()
        self.terms.refuse_outside(at)

    @property
    def in_use(self) -> int:
        """So many shards, from the first on, may have something."""
        return 1 if self.mode is Mode.SINGLE else self.shards

    @property
    def seems_exhausted(self) -> bool:
        """Too little is left for a coupon as its owner knows it. Never so when each has its own money."""
        terms = self.terms
        whole = terms.kind is Kind.FIXED and terms.at_the_edge is Edge.REJECT
        shown = terms.value if whole else terms.least_grant
        return self.left is not None and self.left < shown and not terms.bound


class Snapshot(Struct, frozen=True):
    """A campaign and all its shards at one instant: budget = available + reserved + (captured - refunded),
    and the same of the uses."""

    campaign: Campaign
    shards: tuple[Shard, ...]

    @property
    def available(self) -> Won:
        return sum(shard.available for shard in self.shards)

    @property
    def reserved(self) -> Won:
        return sum(shard.reserved for shard in self.shards)

    @property
    def captured(self) -> Won:
        return sum(shard.captured for shard in self.shards)

    @property
    def refunded(self) -> Won:
        return sum(shard.refunded for shard in self.shards)

    @property
    def uses_left(self) -> int | None:
        if self.campaign.uses is None:
            return None
        return sum(shard.uses_left or 0 for shard in self.shards)

    @property
    def grantable(self) -> Won:
        """The most anybody can be granted now."""
        return 0 if self.uses_left == 0 else self.available

    def split(self, amount: Won, choose: Callable[[Sequence[int]], int]) -> Split:
        limited = self.campaign.uses is not None
        uses = [shard.uses_left or 0 for shard in self.shards] if limited else None
        return split([shard.available for shard in self.shards], amount, choose, uses)

    def tail(self, amount: Won) -> bool:
        """So little is left that most shards cannot pay the largest discount (or this one) alone."""
        each = self.campaign.terms.largest or amount
        sharded = self.campaign.mode is Mode.SHARDED and self.campaign.shards > 1
        return sharded and 0 < self.grantable < each * self.campaign.shards

    def standing(self, at: datetime) -> str:
        """One word for the people who run it; the first that fits."""
        campaign, terms = self.campaign, self.campaign.terms
        words = (
            ("CLOSED", campaign.state is Switch.CLOSED),
            ("PAUSED", campaign.state is Switch.PAUSED),
            ("SCHEDULED", not terms.opened(at)),
            ("CLOSED", terms.closed(at)),
            ("EXHAUSTED", self.grantable < terms.least_grant),
        )
        return next((word for word, fits in words if fits), "OPEN")
