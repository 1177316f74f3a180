"""A budget is never overspent, never refused falsely, never stranded: whatever the order of calls and faults.

`SCHEDULES=10000 pytest tests/checkout/test_interleavings.py` plays more of them.
"""

import os
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from chalicelib.coupons.model import BudgetExhausted, Campaign, Coupon, Shard, Snapshot, Split, State, Switch
from chalicelib.kernel.money import Won
from tests.checkout.schedules import Play
from tests.checkout.worlds import DynamoWorld, MemoryWorld, calls_are_steps
from tests.coupons.memory import MemoryCoupons
from tests.memory import LOCK, MemoryWrite

SCHEDULES = int(os.environ.get("SCHEDULES", "300"))
SEEDS = st.integers(0, 2**32 - 1)


@settings(max_examples=SCHEDULES, deadline=None, derandomize=True)
@given(SEEDS)
def test_the_invariants_hold_in_memory_after_every_step(seed: int) -> None:
    Play(seed, MemoryWorld).run()


def test_the_same_seed_is_the_same_schedule() -> None:
    assert Play(7, MemoryWorld).run() == Play(7, MemoryWorld).run()


def test_the_schedules_meet_everything_they_are_made_for() -> None:
    seen: Counter[str] = sum((Play(seed, MemoryWorld).run() for seed in range(40)), Counter())
    for answer in (
        "granted",
        "exhausted",
        "CouponUsed",
        "UserLimitReached",
        "CampaignPaused",
        "LostAnswer",
        "Busy",
    ):
        assert seen[answer], answer


@pytest.mark.parametrize("seed", range(8))
def test_the_invariants_hold_on_dynamodb_after_every_step(dynamodb: Any, seed: int) -> None:
    play = Play(seed, DynamoWorld, conflicts=(0, 0.1, 0.3))
    assert isinstance(play.world, DynamoWorld)
    with calls_are_steps(play.world):
        play.run()


# --- the oracle itself: each rule taken away is noticed ----------------------------------------------------


class OverspendingShards(MemoryCoupons):
    """Forgets `available >= amount`."""

    def _add_debit(self, write: MemoryWrite, shards: list[Shard], number: int, part: Won) -> None:
        def pay() -> None:
            shard = shards[number]
            shards[number] = replace(shard, available=shard.available - part, reserved=shard.reserved + part)

        write.clause(then=pay)


class ReusableCoupons(MemoryCoupons):
    """Forgets that a coupon must be in its owner's box."""

    def hold(self, write: MemoryWrite, used: Coupon, per_user_limit: int | None, split: Split) -> None:
        here = self.coupons[used.code_hash]
        if here.state is State.USED:
            self.coupons[used.code_hash] = here.owned_by(str(used.owner))
        super().hold(write, used, per_user_limit, split)


class FlagOnlyPause(MemoryCoupons):
    """Pauses the campaign and not its shards."""

    def switch(self, campaign: Campaign, state: Switch) -> None:
        with LOCK:
            name = campaign.campaign_id
            self.campaigns[name] = replace(self.campaigns[name], state=state)


class BlindToTheRest(MemoryCoupons):
    """Sees nothing but the first two shards, as a limiter without a proof does."""

    def snapshot(self, campaign: Campaign) -> Snapshot:
        seen = super().snapshot(campaign)
        blind = tuple(replace(shard, available=0) for shard in seen.shards[2:])
        return Snapshot(seen.campaign, seen.shards[:2] + blind)


@pytest.mark.parametrize(
    ("store", "rule"),
    [
        (OverspendingShards, "I2"),
        (ReusableCoupons, "I3"),
        (FlagOnlyPause, "paused"),
        (BlindToTheRest, "I7|spent"),
    ],
)
def test_a_store_without_the_rule_is_found_out(store: type[MemoryCoupons], rule: str) -> None:
    def play_on(seeds: range) -> None:
        for seed in seeds:
            Play(seed, lambda stage, faults: MemoryWorld(stage, faults, store())).run()

    with pytest.raises((AssertionError, BudgetExhausted), match=rule):
        play_on(range(500))
