"""The spending of a budget that many draw on at once.

A budget is cut into shards, so that rivals rarely meet. One short shard proves nothing: after two of them all
shards are read at one instant, and either that sum is too small (exhausted, exactly) or the amount is taken
from several shards in one transaction. So nothing is overspent, refused wrongly, or stranded. When little is
left it is moved into the first shard: the tail is then paid from one row.
"""

import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TypeVar

from msgspec import Struct, field
from msgspec.structs import replace

from chalicelib.coupons.model import (
    BudgetExhausted,
    BudgetShort,
    Campaign,
    CampaignClosed,
    CampaignMoved,
    CampaignPaused,
    CouponDoomed,
    Edge,
    Grant,
    Mode,
    Shard,
    ShardMerged,
    ShardShort,
    Snapshot,
    Switch,
    UnknownCampaign,
    entries,
)
from chalicelib.coupons.service.ports import Books, Store
from chalicelib.kernel.clock import Clock
from chalicelib.kernel.errors import Busy, Conflicted
from chalicelib.kernel.money import Won
from chalicelib.kernel.tables import Write

T = TypeVar("T")
LONGEST_ID = 64
CACHE_AGE = timedelta(seconds=1)
DOUBTED_AFTER = timedelta(minutes=1)
"""So long a process believes that a campaign is exhausted without looking for itself."""
TRIES = 12
FIRST_PAUSE_SECONDS = 0.005
LONGEST_PAUSE_SECONDS = 0.16
SHORT_SHARDS = 2
"""So many short shards, and the whole budget is looked at."""


class Budgets(Struct, frozen=True):
    """Campaigns as a process remembers them, for a second, and how an amount is taken from their shards.

    `proofs`: what could still be granted when this process looked last. `merging`: when it last tried to move
    a tail together.
    """

    store: Store
    books: Books
    begin: Callable[..., Write]
    now: Clock
    choose: Callable[[Sequence[int]], int] = random.choice
    pause: Callable[[float], None] = time.sleep
    campaigns: dict[str, tuple[datetime, Campaign]] = field(default_factory=dict)
    proofs: dict[str, tuple[datetime, Won]] = field(default_factory=dict)
    merging: dict[str, datetime] = field(default_factory=dict)

    def campaign(self, campaign_id: str) -> Campaign:
        """At most a second old: what never changes may be trusted, the rest is a hint."""
        at = self.now()
        kept = self.campaigns.get(campaign_id)
        if kept is None or at - kept[0] > CACHE_AGE:
            kept = (at, self._doubted(self.current(campaign_id), at))
            self.campaigns[campaign_id] = kept
        return kept[1]

    def current(self, campaign_id: str) -> Campaign:
        campaign = self.store.campaign(campaign_id) if len(campaign_id) <= LONGEST_ID else None
        if campaign is None:
            raise UnknownCampaign()
        return campaign

    def snapshot(self, campaign: Campaign) -> Snapshot:
        for trial in range(TRIES):
            try:
                return self.store.snapshot(campaign)
            except Conflicted:
                self.wait(trial)
        raise Busy()

    def forget(self, campaign_id: str) -> None:
        self.campaigns.pop(campaign_id, None)
        self.proofs.pop(campaign_id, None)

    def refuse_known(self, campaign: Campaign, amount: Won, least: Won | None = None) -> None:
        """As a proof of the last second would; reads and writes nothing."""
        proof = self.proofs.get(campaign.campaign_id)
        if proof and self.now() - proof[0] <= CACHE_AGE and not campaign.terms.bound:
            _agreed(campaign, proof[1], amount, least)

    def spend(
        self, campaign: Campaign, amount: Won, attempt: Callable[[Grant], T], least: Won | None = None
    ) -> T:
        """Calls `attempt` with one grant after another until it commits; what it raises but ShardShort and
        Conflicted ends it. Busy, never BudgetExhausted, when rivals were always faster.

        A grant is smaller than `amount` only at the edge of a budget that allows it, and never below `least`,
        without which it is BudgetShort.
        """
        self.refuse_known(campaign, amount, least)
        short: set[int] = set()
        prove = campaign.left is not None and campaign.left < amount
        for trial in range(TRIES):
            grant = self._granted(campaign, amount, least, None if prove else short)
            try:
                return attempt(grant)
            except ShardShort:
                short.update(shard for shard, _ in grant.split[:1])
                prove = prove or len(short) >= min(SHORT_SHARDS, campaign.in_use)
            except Conflicted:
                self.wait(trial)
        raise Busy()

    def bind(self, write: Write, campaign: Campaign, count: int, name: str) -> None:
        """Adds the money of `count` coupons about to be issued, where the budget is bound at issue, and books
        it under that name. BudgetTooSmall when it does not cover them."""
        if campaign.terms.worth is None:
            return
        amount, at = count * campaign.terms.worth, self.now()
        self.store.bind(write, campaign, amount, count)
        self.books.post(
            write, entries.bound(campaign.campaign_id, f"bound/{name}", "bound", amount, at, count=count)
        )

    def unbind(self, write: Write, campaign: Campaign, worth: Won, count: int, name: str) -> None:
        """Adds the way back: `worth` of `count` coupons that will never be used; the caller takes it off
        them in the same transaction."""
        at = self.now()
        self.store.bind(write, campaign, -worth, -count)
        self.books.post(
            write, entries.bound(campaign.campaign_id, f"unbound/{name}", "unbound", -worth, at, count=-count)
        )

    def giving_back(self, campaign: Campaign, attempt: Callable[[int | None], T]) -> T:
        """Calls `attempt` with the shard that all goes into (None: each gets its own) until it commits; then
        sees to it that a campaign which seemed exhausted does so no longer."""
        into = self._home(campaign)
        for trial in range(TRIES):
            try:
                answer = attempt(into)
            except (ShardMerged, CouponDoomed):
                into = 0
            except Conflicted:
                self.wait(trial)
            else:
                self._seen_again(campaign.campaign_id)
                return answer
        raise Busy()

    def wait(self, trial: int) -> None:
        longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2**trial)
        self.pause(random.uniform(0.2, 1) * longest)

    # --- granting ------------------------------------------------------------------------------------------

    def _granted(self, campaign: Campaign, amount: Won, least: Won | None, short: set[int] | None) -> Grant:
        """`short`: shards not to ask again; None to look at all of them."""
        if campaign.terms.bound:
            if campaign.state is Switch.PAUSED:
                raise CampaignPaused()
            return Grant(amount, ())
        if short is None:
            return self._proven(campaign, amount, least)
        others = [shard for shard in range(campaign.in_use) if shard not in short]
        return Grant(amount, ((self.choose(others), amount),))

    def _proven(self, campaign: Campaign, amount: Won, least: Won | None) -> Grant:
        """Of what all shards held at one instant; refused when that was too little."""
        at = self.now()
        seen = self.snapshot(campaign)
        if seen.campaign.state is Switch.PAUSED:
            raise CampaignPaused()
        if seen.campaign.state is Switch.CLOSED:
            raise CampaignClosed()
        if seen.grantable < amount:
            self._note(seen, at)
        elif seen.campaign.left is not None and seen.campaign.left < amount:
            self._shown(campaign.campaign_id)
        amount = _agreed(seen.campaign, seen.grantable, amount, least)
        return Grant(amount, self._together(seen, amount, at).split(amount, self.choose))

    def _together(self, seen: Snapshot, amount: Won, at: datetime) -> Snapshot:
        """The tail in one shard, if it is one and nobody was in the way; else all as it was seen."""
        campaign = seen.campaign
        tried = self.merging.get(campaign.campaign_id)
        if not seen.tail(amount) or (tried and at - tried <= CACHE_AGE):
            return seen
        self.merging[campaign.campaign_id] = at
        available = [shard.available for shard in seen.shards]
        write = self.begin(attempts=1)
        self.store.merge(write, seen)
        self.books.post(write, entries.moved(campaign.campaign_id, campaign.moves, available, at))
        try:
            write.commit()
        except (Busy, CampaignMoved):
            return seen  # or moved after all, if only the answer was lost: then the split will be short
        after = replace(campaign, mode=Mode.SINGLE, moves=campaign.moves + 1)
        self.campaigns[campaign.campaign_id] = (at, after)
        uses = seen.uses_left
        empty = Shard(0, state=Switch.MERGED, uses_left=None if uses is None else 0)
        first = replace(seen.shards[0], available=seen.available, uses_left=uses)
        return Snapshot(after, (first, *(empty for _ in seen.shards[1:])))

    # --- what is said to be left -----------------------------------------------------------------------

    def _note(self, seen: Snapshot, at: datetime) -> None:
        """For this process, and once for all the others. Looks again after writing: what came back in
        between was not there to be seen, and its bringer saw no note to take away."""
        campaign, left = seen.campaign, seen.grantable
        self.proofs[campaign.campaign_id] = (at, left)
        self.campaigns[campaign.campaign_id] = (at, replace(campaign, left=left))
        if campaign.left is not None and campaign.left <= left:
            return
        if self.store.note_left(campaign, left) and self.snapshot(campaign).grantable > left:
            self._shown(campaign.campaign_id)

    def _doubted(self, campaign: Campaign, at: datetime) -> Campaign:
        """Now and then a process looks for itself, should whoever gave back have died before saying so."""
        proof = self.proofs.get(campaign.campaign_id)
        if not campaign.seems_exhausted or (proof and at - proof[0] <= DOUBTED_AFTER):
            return campaign
        with suppress(Conflicted):
            seen = self.store.snapshot(campaign)
            self.proofs[campaign.campaign_id] = (at, seen.grantable)
            if seen.campaign.left is not None and seen.grantable > seen.campaign.left:
                self.store.forget_left(campaign.campaign_id)
            return replace(seen.campaign, left=seen.grantable)
        return campaign

    def _seen_again(self, campaign_id: str) -> None:
        """After something came back. Best effort: see `_doubted`."""
        with suppress(Busy):
            campaign = self.store.campaign(campaign_id)
            if campaign is not None and campaign.left is not None:
                self.store.forget_left(campaign_id)
        self.forget(campaign_id)

    def _shown(self, campaign_id: str) -> None:
        self.store.forget_left(campaign_id)
        self.forget(campaign_id)

    def _home(self, campaign: Campaign) -> int | None:
        if campaign.terms.bound:
            return 0 if campaign.over(self.now()) else None
        return 0 if campaign.mode is Mode.SINGLE else None


def _agreed(campaign: Campaign, left: Won, amount: Won, least: Won | None) -> Won:
    """What is granted of `amount` when so much is left."""
    if amount <= left:
        return amount
    if campaign.terms.at_the_edge is Edge.REJECT or left == 0:
        raise BudgetExhausted()
    if least is None or least > left:
        raise BudgetShort(offered=left)
    return left
