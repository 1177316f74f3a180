"""Campaigns, as the people who run them make, watch and change them."""

from collections.abc import Callable, Sequence
from datetime import timedelta

from chalicelib.coupons.model import (
    AlreadyDone,
    Campaign,
    CampaignClosed,
    CampaignMoved,
    Change,
    Coupon,
    CutDiffers,
    CutTooDeep,
    NoCountLimit,
    ShardShort,
    Snapshot,
    Switch,
    Tally,
    Terms,
    TopUpDiffers,
    entries,
    parts_of,
    shard_budgets,
    spread,
)
from chalicelib.coupons.service.budgets import TRIES
from chalicelib.coupons.service.desk import Desk, asked_by
from chalicelib.kernel.auth import Caller
from chalicelib.kernel.done import Done
from chalicelib.kernel.errors import Busy, KeyReused
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.ids import keyed_id
from chalicelib.kernel.money import Won, shares
from chalicelib.kernel.tables import Write

RECLAIMED_AFTER = timedelta(hours=1)
"""After the campaign's end: by then no checkout that began before it is open."""


class Campaigns(Desk, frozen=True):
    def create(
        self, terms: Terms, budget: Won, by: Caller, key: str, request: str, uses: int | None = None
    ) -> Done[Campaign]:
        """`request` is the fingerprint of the body; `uses` limits how many coupons may be used in all."""
        terms.refuse_unoffered()
        at = self.now()
        parts = (budget,) if terms.bound else shard_budgets(budget, terms.largest, uses)
        campaign = Campaign(
            keyed_id("cmp", by.id, key), terms, budget, len(parts), request, uses=uses, created_at=at
        )
        write = self.budgets.begin()
        self.store.create(write, campaign, parts, self._created(campaign))
        if terms.bound and terms.closes_at is not None:
            self.store.reclaim_at(write, campaign.campaign_id, terms.closes_at + RECLAIMED_AFTER)
        self.budgets.books.post(
            write, entries.budgeted(campaign.campaign_id, "created", "created", parts, at, by=by.id)
        )
        try:
            write.commit()
            return Done(campaign)
        except AlreadyDone:
            made = self.budgets.current(campaign.campaign_id)
        if made.request != request:
            raise KeyReused()
        return Done(made, replayed=True)

    def status(self, campaign_id: str) -> Snapshot:
        return self.budgets.snapshot(self.budgets.current(campaign_id))

    def tally(self, campaign_id: str) -> Tally:
        return Tally(self.store.issued(campaign_id), self.store.registered(campaign_id))

    def campaigns(self, limit: int, after: str | None) -> tuple[list[Snapshot], str | None]:
        """Newest first, each at an instant of its own."""
        ids, last = self.store.recent(limit, after)
        return [self.status(campaign_id) for campaign_id in ids], last

    def switch(self, campaign_id: str, state: Switch) -> Snapshot:
        """Linearizable: no debit that commits after this returns has met the old state. CampaignClosed when
        it is closed already: for good."""

        def add(write: Write, campaign: Campaign) -> None:
            self.store.switch(write, campaign, state)

        return self._switched(campaign_id, add)

    def close(self, campaign_id: str, reason: str, by: Caller) -> Snapshot:
        """As linearizable, before the campaign's own end, and for good. Closing twice changes nothing."""
        at = self.now()

        def add(write: Write, campaign: Campaign) -> None:
            self.store.switch(write, campaign, Switch.CLOSED)
            if campaign.terms.bound:
                self.store.reclaim_at(write, campaign_id, at + RECLAIMED_AFTER)
            self.budgets.books.post(
                write, entries.noted(campaign_id, "closed", "closed", at, by=by.id, reason=reason)
            )

        try:
            return self._switched(campaign_id, add)
        except CampaignClosed:
            return self.status(campaign_id)

    def _switched(self, campaign_id: str, add: Callable[[Write, Campaign], None]) -> Snapshot:
        for trial in range(TRIES):
            campaign = self.budgets.current(campaign_id)
            if campaign.state is Switch.CLOSED:
                raise CampaignClosed()
            write = self.budgets.begin()
            add(write, campaign)
            try:
                write.commit()
            except CampaignMoved:
                self.budgets.wait(trial)
                continue
            self.budgets.forget(campaign_id)
            return self.status(campaign_id)
        raise Busy()

    def top_up(
        self, campaign_id: str, top_up_id: str, amount: Won, by: Caller, key: str, uses: int = 0
    ) -> Done[Snapshot]:
        """Once for each name, spread over all shards; `uses` where they are limited."""

        def shared(campaign: Campaign) -> Sequence[Won]:
            if uses and campaign.uses is None:
                raise NoCountLimit()
            return spread(amount, campaign.shards)

        change = Change(f"top-up/{top_up_id}", amount, uses)
        done = self._changed(campaign_id, change, by, key, shared, self.store.top_up)
        if done.replayed and self.store.change(campaign_id, change.name) != change:
            raise TopUpDiffers()
        return done

    def cut(self, campaign_id: str, cut_id: str, amount: Won, by: Caller, key: str) -> Done[Snapshot]:
        """Once for each name, from what is neither spent nor reserved; CutTooDeep says how much that is."""

        def shared(campaign: Campaign) -> Sequence[Won]:
            seen = self.budgets.snapshot(campaign)
            if amount > seen.available:
                raise CutTooDeep(most=seen.available)
            return shares(amount, [shard.available for shard in seen.shards])

        change = Change(f"cut/{cut_id}", amount)
        done = self._changed(campaign_id, change, by, key, shared, self.store.cut, -1)
        if done.replayed and self.store.change(campaign_id, change.name) != change:
            raise CutDiffers()
        return done

    def _changed(
        self,
        campaign_id: str,
        change: Change,
        by: Caller,
        key: str,
        shared: Callable[[Campaign], Sequence[Won]],
        add: Callable[..., None],
        sign: int = 1,
    ) -> Done[Snapshot]:
        """`shared`: what of it each shard gets or gives. Tried anew as long as the campaign moves; a replay
        comes before any refusal."""
        what, _, name = change.name.partition("/")
        asked = asked_by(by, key, what, campaign_id, name, str(change.amount), str(change.uses))
        for trial in range(TRIES):
            campaign = self.budgets.current(campaign_id)
            if self.asked_before(asked) or self.store.change(campaign_id, change.name):
                return Done(self.status(campaign_id), replayed=True)
            if campaign.state is Switch.CLOSED:
                raise CampaignClosed()
            parts, at = shared(campaign), self.now()
            write = self.budgets.begin()
            add(write, campaign, change, parts, asked)
            signed = [sign * part for part in parts]
            kind = {"top-up": "topped_up", "cut": "cut"}[what]
            self.budgets.books.post(
                write, entries.budgeted(campaign_id, change.name, kind, signed, at, by=by.id)
            )
            try:
                write.commit()
            except (AlreadyDone, CampaignMoved, ShardShort):
                self.budgets.wait(trial)
                continue
            self.budgets.forget(campaign_id)
            return Done(self.status(campaign_id))
        raise Busy()

    # --- for those who check -------------------------------------------------------------------------------

    def used(self, campaign_id: str, customer_ids: Sequence[str]) -> dict[str, int]:
        """How many of the campaign's coupons they use, of those that ever did; at most 100."""
        return self.store.uses_of(campaign_id, customer_ids)

    def coupons_by_id(self, coupon_ids: Sequence[str]) -> list[Coupon]:
        """Those that there are; at most 100."""
        return self.store.coupons_of(sorted({parts_of(each)[1] for each in coupon_ids if "." in each}))

    def repair(
        self, write: Write, *, campaign_id: str, shard: int, pot: str, found: Won, amount: Won
    ) -> None:
        """Adds `amount` to a shard's available, reserved or captured. NotAsFound unless it holds that."""
        self.store.repair(write, campaign_id, shard, pot, found, amount)

    def _created(self, campaign: Campaign) -> Fact:
        terms = campaign.terms
        data = {
            "campaign_id": campaign.campaign_id,
            "name": terms.name,
            "kind": terms.kind,
            "budget": campaign.budget,
            "sponsor_id": terms.sponsor_id,
            "sponsor_percent": terms.sponsor_percent,
        }
        return self.fact("CampaignCreated", campaign.campaign_id, data)
