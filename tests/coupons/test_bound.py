"""Budgets bound at issue: a coupon has its money from its first day, and what nobody can use comes back."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from chalicelib.coupons.model import (
    BudgetTooSmall,
    CampaignClosed,
    CampaignPaused,
    Coupon,
    NotHeld,
    ReserveAt,
    State,
    Switch,
)
from chalicelib.coupons.service import CouponService
from chalicelib.kernel.money import Entry, balances
from tests.conftest import NOON, Hands
from tests.coupons.examples import FIVE_THOUSAND_OFF, KIM, OLGA, campaign_of, codes_of
from tests.coupons.till import Till, stands

BOUND = replace(FIVE_THOUSAND_OFF, reserve_at=ReserveAt.ISSUE, closes_at=NOON + timedelta(days=30))


@pytest.fixture
def till(service: CouponService) -> Till:
    return Till(service)


@pytest.fixture
def campaign_id(service: CouponService) -> str:
    return campaign_of(service, BOUND, 30_000, uses=8).campaign_id


def boxed(service: CouponService, campaign_id: str, count: int) -> list[str]:
    codes = codes_of(service, campaign_id, count)
    return [service.register(code, KIM, code).value.coupon.coupon_id for code in codes]


def stored(service: CouponService, coupon_id: str) -> Coupon:
    found = service.store.coupon(coupon_id.rpartition(".")[2])
    assert found is not None
    return found


def test_a_batch_binds_its_money_when_it_is_asked_for(service: CouponService, campaign_id: str) -> None:
    service.request_codes(campaign_id, "b1", 4, by=OLGA, key="k1")
    assert stands(service.status(campaign_id)) == (10_000, 20_000, 0, 0)
    with pytest.raises(BudgetTooSmall) as refusal:
        service.request_codes(campaign_id, "b2", 3, by=OLGA, key="k2")
    assert refusal.value.extra == {"most": 2}
    service.request_codes(campaign_id, "b2", 2, by=OLGA, key="k3")
    assert stands(service.status(campaign_id)) == (0, 30_000, 0, 0)


def test_the_number_of_uses_is_bound_too(service: CouponService) -> None:
    campaign_id = campaign_of(service, BOUND, 3_000_000, uses=2).campaign_id
    with pytest.raises(BudgetTooSmall) as refusal:
        service.request_codes(campaign_id, "b1", 3, by=OLGA, key="k1")
    assert refusal.value.extra == {"most": 2}


def test_a_bound_coupon_works_though_the_budget_is_given_away(
    service: CouponService, till: Till, campaign_id: str
) -> None:
    """And using it touches no row that others share."""
    first, *_ = boxed(service, campaign_id, 6)
    assert service.status(campaign_id).available == 0
    assert service.offer(first)
    assert till.reserve("chk_1", first, 3_000).split == ()
    assert stands(service.status(campaign_id)) == (0, 30_000, 0, 0)
    till.capture("chk_1")
    assert stands(service.status(campaign_id)) == (0, 27_000, 3_000, 0)
    assert stored(service, first).worth == 2_000
    with pytest.raises(NotHeld):
        till.capture("chk_1")


def test_given_back_before_the_end_it_has_its_money_again(
    service: CouponService, till: Till, campaign_id: str
) -> None:
    first, *_ = boxed(service, campaign_id, 6)
    till.reserve("chk_1", first, 5_000)
    till.release("chk_1")
    till.reserve("chk_2", first, 5_000)
    till.capture("chk_2")
    till.refund("chk_2", back=1_000, whole=False)
    assert (stored(service, first).state, stored(service, first).worth) == (State.USED, 1_000)
    till.refund("chk_2", back=4_000)
    assert (stored(service, first).state, stored(service, first).worth) == (State.REGISTERED, 5_000)
    with pytest.raises(NotHeld):
        till.refund("chk_2", back=1_000, whole=False)
    assert stands(service.status(campaign_id)) == (0, 30_000, 5_000, 5_000)
    till.reserve("chk_3", first, 5_000)


def test_after_the_end_what_nobody_can_use_comes_back(
    service: CouponService,
    till: Till,
    campaign_id: str,
    clock: Hands,
    entries: Callable[[], list[Entry]],
) -> None:
    """Never registered, registered, used in part: all but what an open checkout holds, which comes later."""
    unused, in_part, held, refunded, *_ = boxed(service, campaign_id, 5)
    codes_of(service, campaign_id, 1, "never registered")
    for name, coupon_id, amount in (
        ("chk_1", in_part, 3_000),
        ("chk_2", held, 5_000),
        ("chk_3", refunded, 5_000),
    ):
        till.reserve(name, coupon_id, amount)
    till.capture("chk_1")
    till.capture("chk_3")
    assert service.reclaim_due() == 0
    clock.at = NOON + timedelta(days=30, hours=2)
    till.refund("chk_3")  # after the end: to the budget, not to the coupon
    assert stored(service, refunded).state is State.VOID
    assert service.reclaim_due() == 3 * 5_000 + 2_000
    assert service.reclaim(campaign_id) == service.reclaim_due() == 0
    assert stored(service, unused).state is State.VOID
    assert (stored(service, in_part).state, stored(service, in_part).worth) == (State.USED, 0)
    assert stands(service.status(campaign_id)) == (22_000, 5_000, 8_000, 5_000)
    till.release("chk_2")
    assert stands(service.status(campaign_id)) == (27_000, 0, 8_000, 5_000)
    clock.move(days=1, hours=2)
    assert service.reclaim_due() == 0
    clock.move(days=2)
    assert service.store.reclaimable(clock.at, 9) == []
    amounts = balances(entries())
    for leg in till.legs:
        amounts[leg.account] += leg.amount
    shard = service.status(campaign_id).shards[0]
    assert amounts[f"campaign/{campaign_id}/0/available"] == shard.available
    assert amounts[f"campaign/{campaign_id}/0/reserved"] == shard.reserved
    assert amounts[f"campaign/{campaign_id}/0/captured"] == shard.captured - shard.refunded
    assert service.status(campaign_id).uses_left == 7


def test_a_run_that_stops_anywhere_is_taken_up_by_the_next(
    service: CouponService, campaign_id: str, clock: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chalicelib.coupons.service.reclaims.COUPONS_AT_ONCE", 2)
    codes_of(service, campaign_id, 6)
    clock.at = NOON + timedelta(days=31)

    class Stopped(Exception):
        pass

    calls = iter([None, Stopped])

    class Store:
        def __getattr__(self, name: str) -> object:
            return getattr(service.store, name)

        def coupons_of(self, hashes: list[str]) -> list[Coupon]:
            if next(calls, None):
                raise Stopped
            return service.store.coupons_of(hashes)

    with pytest.raises(Stopped):
        replace(service, store=Store()).reclaim_due()
    assert stands(service.status(campaign_id)) == (10_000, 20_000, 0, 0)
    assert service.reclaim_due() == 20_000
    assert stands(service.status(campaign_id)) == (30_000, 0, 0, 0)


def test_a_use_comes_back_once_though_its_money_comes_in_two_parts(
    service: CouponService, till: Till, campaign_id: str, clock: Hands
) -> None:
    """Of 5,000 an order took 3,000: given back after the end, the rest follows with the next run."""
    released, refunded = boxed(service, campaign_id, 2)
    for name, coupon_id in (("chk_1", released), ("chk_2", refunded)):
        till.reserve(name, coupon_id, 3_000)
    till.capture("chk_2")
    clock.at = NOON + timedelta(days=31)
    till.release("chk_1")
    till.refund("chk_2")
    assert service.reclaim(campaign_id) == 4_000
    seen = service.status(campaign_id)
    assert stands(seen) == (30_000, 0, 3_000, 3_000)
    shard = seen.shards[0]
    assert (shard.uses_left, shard.uses_reserved, shard.uses_captured, shard.uses_refunded) == (8, 0, 1, 1)


class Slow:
    """A store that takes ten seconds to find some coupons."""

    def __init__(self, store: Any, clock: Hands) -> None:
        self.store, self.clock = store, clock

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def coupons_of(self, hashes: list[str]) -> list[Coupon]:
        self.clock.move(seconds=10)
        found: list[Coupon] = self.store.coupons_of(hashes)
        return found


def test_a_run_out_of_time_goes_on_behind_the_others_where_it_stopped(
    service: CouponService, campaign_id: str, clock: Hands
) -> None:
    for batch in ("b1", "b2"):
        codes_of(service, campaign_id, 2, batch)
    later = replace(BOUND, closes_at=NOON + timedelta(days=30, minutes=1))
    other = campaign_of(service, later, 30_000, key="c2").campaign_id
    codes_of(service, other, 1)
    clock.at = NOON + timedelta(days=31)
    slow = replace(service, store=Slow(service.store, clock))
    assert slow.reclaim_due(until=clock.at + timedelta(seconds=5)) == 10_000
    clock.move(seconds=1)
    waiting = [(name, place) for name, _, place in service.store.reclaimable(clock.at, 9)]
    assert waiting == [(other, ""), (campaign_id, "b1")]
    assert service.reclaim_due() == 15_000
    assert service.store.reclaimable(clock.at + timedelta(days=9), 9) == []
    for name in (campaign_id, other):
        assert stands(service.status(name)) == (30_000, 0, 0, 0)


def test_closed_by_hand_nothing_more_is_bound_and_the_rest_comes_back(
    service: CouponService, campaign_id: str, clock: Hands
) -> None:
    codes_of(service, campaign_id, 2)
    service.close(campaign_id, "a mistake", by=OLGA)
    with pytest.raises(CampaignClosed):
        service.request_codes(campaign_id, "b2", 1, by=OLGA, key="k2")
    clock.move(hours=2)
    assert service.reclaim_due() == 10_000
    assert stands(service.status(campaign_id)) == (30_000, 0, 0, 0)


def test_paused_it_grants_nothing(service: CouponService, till: Till, campaign_id: str) -> None:
    first, *_ = boxed(service, campaign_id, 1)
    service.switch(campaign_id, Switch.PAUSED)
    with pytest.raises(CampaignPaused):
        till.reserve("chk_1", first, 5_000)
