"""The conditions behind the courtesies: a store refuses what a service that looked too early would write."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from chalicelib.coupons.model import (
    AlreadyDone,
    Asked,
    BudgetTooSmall,
    Campaign,
    CampaignClosed,
    CampaignMoved,
    Change,
    Coupon,
    CouponUsed,
    Grant,
    NotAsFound,
    NotBound,
    NotHeld,
    ReserveAt,
    ShardMerged,
    ShardShort,
    Snapshot,
    State,
    Switch,
    UnknownCampaign,
    UnknownCoupon,
)
from chalicelib.coupons.service import CouponService
from tests.conftest import NOON
from tests.coupons.examples import FIVE_THOUSAND_OFF, KIM, LEE, OLGA, campaign_of, given
from tests.coupons.till import Till, stands

Write = Any
BOUND = replace(FIVE_THOUSAND_OFF, reserve_at=ReserveAt.ISSUE, closes_at=NOON + timedelta(days=9))


def refused(service: CouponService, error: type[Exception], add: Callable[[Write], None]) -> None:
    write = service.budgets.begin()
    add(write)
    with pytest.raises(error):
        write.commit()


def committed(service: CouponService, add: Callable[[Write], None]) -> None:
    write = service.budgets.begin()
    add(write)
    write.commit()


@pytest.fixture
def seen(service: CouponService) -> Snapshot:
    """Three shards of 50,000 and 14, 13, 13 uses, as they were before anybody did anything."""
    return service.status(campaign_of(service, budget=150_000, uses=40).campaign_id)


def merged(service: CouponService, seen: Snapshot) -> None:
    committed(service, lambda write: service.store.merge(write, seen))


def paused(service: CouponService, seen: Snapshot) -> None:
    service.switch(seen.campaign.campaign_id, Switch.PAUSED)


def asked(name: str) -> Asked:
    return Asked(f"req_{name}", "a test")


@pytest.mark.parametrize("between", [merged, paused])
def test_a_campaign_that_moved_is_changed_by_nobody_who_saw_it_before(
    service: CouponService, seen: Snapshot, between: Callable[[CouponService, Snapshot], None]
) -> None:
    """Else a pause would open merged shards again, and a top-up paused ones."""
    between(service, seen)
    before = service.status(seen.campaign.campaign_id)
    store, parts = service.store, (3, 3, 3)
    for add in (
        lambda write: store.switch(write, seen.campaign, Switch.OPEN),
        lambda write: store.top_up(write, seen.campaign, Change("top-up/t", 9), parts, asked("t")),
        lambda write: store.cut(write, seen.campaign, Change("cut/t", 9), parts, asked("t")),
        lambda write: store.merge(write, seen),
    ):
        refused(service, CampaignMoved, add)
    assert service.status(seen.campaign.campaign_id) == before


@pytest.mark.parametrize("shard", [0, 2])
def test_a_tail_is_moved_only_as_it_was_seen(service: CouponService, seen: Snapshot, shard: int) -> None:
    till = Till(replace(service, budgets=replace(service.budgets, choose=lambda shards: shards[shard])))
    till.reserve("chk_1", given(service, seen.campaign.campaign_id, KIM), 5_000)
    refused(service, CampaignMoved, lambda write: service.store.merge(write, seen))
    stands(service.status(seen.campaign.campaign_id))


def test_a_change_is_made_once_by_its_name_and_once_by_its_key(
    service: CouponService, seen: Snapshot
) -> None:
    store, campaign = service.store, seen.campaign
    for change, again in (
        (store.top_up, Change("top-up/t", 9)),
        (store.cut, Change("cut/t", 9)),
    ):
        committed(service, lambda w, c=change, a=again: c(w, campaign, a, (3, 3, 3), asked(a.name)))  # type: ignore[misc]
        for name, key in ((again.name, "other"), (f"{again.name}2", again.name)):
            other = Change(name, 9)
            refused(
                service,
                AlreadyDone,
                lambda w, c=change, o=other, k=key: c(w, campaign, o, (3, 3, 3), asked(k)),  # type: ignore[misc]
            )
    assert service.status(campaign.campaign_id).available == 150_000


def test_a_cut_takes_from_no_shard_more_than_it_has(service: CouponService, seen: Snapshot) -> None:
    change = Change("cut/c", 50_001)
    refused(
        service,
        ShardShort,
        lambda write: service.store.cut(write, seen.campaign, change, (0, 50_001, 0), asked("c")),
    )


def test_what_is_said_to_be_left_only_falls(service: CouponService, seen: Snapshot) -> None:
    noted = [service.store.note_left(seen.campaign, left) for left in (400, 500, 400, 300)]
    assert noted == [True, False, False, True]
    service.top_up(seen.campaign.campaign_id, "t", 9, by=OLGA, key="t")
    assert not service.store.note_left(seen.campaign, 200)


def test_a_repair_asks_for_what_was_found(service: CouponService, seen: Snapshot) -> None:
    name = seen.campaign.campaign_id

    def repair(found: int) -> Callable[[Write], None]:
        return lambda write: service.repair(
            write, campaign_id=name, shard=1, pot="available", found=found, amount=-7
        )

    refused(service, NotAsFound, repair(49_999))
    committed(service, repair(50_000))
    assert service.status(name).shards[1].available == 49_993


def test_a_tail_is_not_moved_when_only_a_use_came_back(service: CouponService, seen: Snapshot) -> None:
    campaign, till = seen.campaign, Till(service)
    till.reserve("chk_1", given(service, campaign.campaign_id, KIM), 5_000)
    till.capture("chk_1")
    before, nothing = service.status(campaign.campaign_id), Grant(0, ((0, 0),))
    committed(
        service,
        lambda write: service.store.refund(write, campaign, used(campaign), nothing, None, State.REGISTERED),
    )
    refused(service, CampaignMoved, lambda write: service.store.merge(write, before))


def test_a_campaign_that_is_not_there_is_not_made_by_forgetting(service: CouponService) -> None:
    with pytest.raises(UnknownCampaign):
        service.store.forget_left("cmp_nobody")


# --- a coupon ----------------------------------------------------------------------------------------------


def used(campaign: Campaign, by: str = "kim", checkout: str = "chk_1", name: str = "h1") -> Coupon:
    return Coupon(campaign.campaign_id, name, State.USED, by, checkout)


def test_a_coupon_is_used_once_by_its_owner_in_its_campaign(service: CouponService, seen: Snapshot) -> None:
    campaign, grant = seen.campaign, Grant(5_000, ((0, 5_000),))
    other = campaign_of(service, budget=150_000, key="c2")
    given(service, campaign.campaign_id, KIM)
    for coupon in (used(campaign, by="lee"), used(campaign, name="h9"), used(other)):
        refused(
            service,
            UnknownCoupon,
            lambda w, c=coupon: service.store.hold(w, replace(campaign, campaign_id=c.campaign_id), c, grant),  # type: ignore[misc]
        )
    committed(service, lambda write: service.store.hold(write, campaign, used(campaign), grant))
    refused(
        service,
        CouponUsed,
        lambda write: service.store.hold(write, campaign, used(campaign, checkout="chk_2"), grant),
    )


def test_a_debit_needs_money_and_a_use_of_its_own_shard(service: CouponService, seen: Snapshot) -> None:
    campaign = seen.campaign
    given(service, campaign.campaign_id, KIM)

    def hold(amount: int) -> Callable[[Write], None]:
        grant = Grant(amount, ((1, amount),))
        return lambda write: service.store.hold(write, campaign, used(campaign), grant)

    refused(service, ShardShort, hold(50_001))
    for number in range(13):
        given(service, campaign.campaign_id, LEE, f"lee{number}")
        coupon = used(campaign, "lee", name=f"lee{number}")
        committed(
            service,
            lambda write, c=coupon: service.store.hold(write, campaign, c, Grant(1, ((1, 1),))),  # type: ignore[misc]
        )
    refused(service, ShardShort, hold(1))


def test_only_its_own_checkout_gives_a_coupon_back(service: CouponService, seen: Snapshot) -> None:
    campaign, grant = seen.campaign, Grant(5_000, ((1, 5_000),))
    till = Till(replace(service, budgets=replace(service.budgets, choose=lambda shards: shards[1])))
    till.reserve("chk_1", given(service, campaign.campaign_id, KIM), 5_000)
    store = service.store

    def release(coupon: Coupon, grant: Grant = grant) -> Callable[[Write], None]:
        return lambda write: store.release(write, campaign, coupon, grant, None, State.REGISTERED)

    refused(service, NotHeld, release(used(campaign, checkout="chk_2")))
    refused(service, NotBound, release(used(campaign), Grant(5_001, ((1, 5_001),))))
    merged(service, service.status(campaign.campaign_id))
    refused(service, ShardMerged, release(used(campaign)))
    till.release("chk_1")
    refused(service, NotHeld, release(used(campaign)))


# --- bound at issue ----------------------------------------------------------------------------------------


def test_what_is_bound_is_there_and_what_comes_back_was_bound(service: CouponService) -> None:
    campaign = campaign_of(service, BOUND, 20_000, uses=3)
    store = service.store
    refused(service, BudgetTooSmall, lambda write: store.bind(write, campaign, 20_001, 1))
    refused(service, BudgetTooSmall, lambda write: store.bind(write, campaign, 20_000, 4))
    committed(service, lambda write: store.bind(write, campaign, 15_000, 3))
    refused(service, NotBound, lambda write: store.bind(write, campaign, -15_001, -3))
    committed(service, lambda write: store.bind(write, campaign, -15_000, -3))
    service.close(campaign.campaign_id, "a mistake", by=OLGA)
    refused(service, CampaignClosed, lambda write: store.bind(write, campaign, 5_000, 1))


def test_a_bound_coupon_pays_what_is_bound_for_it_to_its_own_checkout(service: CouponService) -> None:
    campaign, store = campaign_of(service, BOUND, 20_000), service.store
    committed(service, lambda write: store.bind(write, campaign, 5_000, 1))
    given(service, campaign.campaign_id, KIM)
    unused = store.coupon("h1")
    assert unused is not None
    refused(service, CouponUsed, lambda write: store.hold(write, campaign, used(campaign), Grant(5_001, ())))
    committed(service, lambda write: store.hold(write, campaign, used(campaign), Grant(5_000, ())))
    refused(service, NotBound, lambda write: store.take_back(write, unused, State.VOID))
    stranger = used(campaign, checkout="chk_2")
    refused(service, NotHeld, lambda write: store.capture(write, campaign, stranger, Grant(5_000, ())))
    refused(service, NotHeld, lambda write: store.capture(write, campaign, used(campaign), Grant(5_001, ())))
    committed(service, lambda write: store.capture(write, campaign, used(campaign), Grant(5_000, ())))
    refused(service, NotHeld, lambda write: store.refund(write, campaign, stranger, Grant(9, ()), None, None))
    paid = store.coupon("h1")
    committed(service, lambda write: store.refund(write, campaign, used(campaign), Grant(9, ()), None, None))
    assert paid is not None
    refused(service, NotBound, lambda write: store.take_back(write, paid, State.USED))
