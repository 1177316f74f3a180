"""What was bound for coupons that nobody can use any more, after their campaign's end."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from chalicelib.coupons.model import LANES, Campaign, NotBound, State
from chalicelib.coupons.service.budgets import TRIES
from chalicelib.coupons.service.desk import Desk
from chalicelib.kernel.clock import stamp
from chalicelib.kernel.errors import Conflicted
from chalicelib.kernel.money import Won

AGAIN_AFTER = timedelta(days=1)
CAMPAIGNS_AT_ONCE = 20
BATCHES_AT_ONCE = 50
COUPONS_AT_ONCE = 96
"""Beside the shard and the entry in one transaction."""


LANE = "lane:"


class Reclaims(Desk, frozen=True):
    def reclaim_due(self, until: datetime | None = None) -> Won:
        """Takes back what is bound for coupons of ended campaigns that nobody can use any more; how much. A
        campaign is looked at again on the next day as long as something is bound: a checkout may be open.
        What is not done by `until` goes on from there in the next run, behind the others."""
        amount = 0
        for campaign_id, due, place in self.store.reclaimable(self.now(), CAMPAIGNS_AT_ONCE):
            found, stopped_at = self._pass(campaign_id, place, until)
            amount += found
            write = self.budgets.begin()
            self.store.reclaimed(write, campaign_id, due)
            if stopped_at is not None:
                self.store.reclaim_at(write, campaign_id, self.now(), stopped_at)
            elif self.budgets.snapshot(self.budgets.current(campaign_id)).reserved:
                self.store.reclaim_at(write, campaign_id, self.now() + AGAIN_AFTER)
            write.commit()
            if stopped_at is not None:
                break
        return amount

    def reclaim(self, campaign_id: str) -> Won:
        """Of one campaign; nothing before its end."""
        return self._pass(campaign_id, "", None)[0]

    def _pass(self, campaign_id: str, place: str, until: datetime | None) -> tuple[Won, str | None]:
        """How much, and the place where it stopped, None at the end. What is taken back from a coupon is gone
        from it, so that any run may do what another did."""
        campaign, amount = self.budgets.current(campaign_id), 0
        if not campaign.over(self.now()):
            return 0, None
        for number, (here, hashes) in enumerate(self._issued(campaign_id, place)):
            if until is not None and self.now() >= until:
                return amount, here
            for trial in range(TRIES):
                try:
                    amount += self._reclaim(campaign, hashes, number)
                    break
                except (NotBound, Conflicted):
                    self.budgets.wait(trial)
        return amount, None

    def _reclaim(self, campaign: Campaign, hashes: Sequence[str], number: int) -> Won:
        idle = [coupon for coupon in self.store.coupons_of(hashes) if coupon.idle(campaign.terms)]
        worth = sum(coupon.worth or 0 for coupon in idle)
        if not worth:
            return 0
        write = self.budgets.begin()
        for coupon in idle:
            self.store.take_back(write, coupon, coupon.ended)
        # Who has less than its value was given back after the end: its use came back then.
        unused = sum(
            coupon.state is not State.USED and coupon.worth == campaign.terms.worth for coupon in idle
        )
        self.budgets.unbind(write, campaign, worth, unused, f"{stamp(self.now())}-{number}")
        write.commit()
        return worth

    def _issued(self, campaign_id: str, place: str) -> Iterator[tuple[str, Sequence[str]]]:
        """Of every coupon the hash, some at a time; with the last batch that was done before, or the lane of
        downloads that they are in. From such a place on."""
        if not place.startswith(LANE):
            after: str | None = place or None
            while True:
                batches, after = self.store.batches(campaign_id, BATCHES_AT_ONCE, after)
                for batch in batches:
                    for first in range(0, batch.issued, COUPONS_AT_ONCE):
                        yield place, batch.hashes(self.secret(), first, COUPONS_AT_ONCE)
                    place = batch.batch_id
                if after is None:
                    break
            place = f"{LANE}0"
        for lane in range(int(place.removeprefix(LANE)), LANES):
            yield from ((f"{LANE}{lane}", hashes) for hashes in self._downloaded(campaign_id, lane))

    def _downloaded(self, campaign_id: str, lane: int) -> Iterator[Sequence[str]]:
        after: str | None = None
        while True:
            hashes, after = self.store.downloads(campaign_id, lane, COUPONS_AT_ONCE, after)
            yield hashes
            if after is None:
                break
