"""Coupons that customers take for themselves: one each, from campaigns that are for them."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from chalicelib.coupons.model import (
    DOWNLOADS,
    BudgetExhausted,
    BudgetTooSmall,
    CampaignClosed,
    CampaignNotOpen,
    CampaignPaused,
    Record,
    ReserveAt,
    State,
    Switch,
    UnknownCampaign,
)
from chalicelib.coupons.service import CouponService
from chalicelib.kernel.auth import Caller
from tests.conftest import NOON, Hands
from tests.coupons.examples import FIVE_THOUSAND_OFF, KIM, LEE, OLGA, campaign_of, coupons_of
from tests.coupons.uses import for_group, spend, use

FREE = replace(FIVE_THOUSAND_OFF, download=True)


def names(service: CouponService, by: Caller) -> dict[str, bool]:
    return {each.campaign.terms.name: each.mine for each in service.offered(by)}


def test_a_customer_takes_one_however_often_and_at_once_they_ask(service: CouponService) -> None:
    campaign_id = campaign_of(service, FREE).campaign_id
    with ThreadPoolExecutor(8) as hands:
        done = list(hands.map(lambda _: service.take(campaign_id, KIM), range(8)))
    assert sum(not each.replayed for each in done) == 1
    assert len({each.value.coupon for each in done}) == 1
    assert service.take(campaign_id, LEE).value.coupon not in {each.value.coupon for each in done}
    ((boxed,), _) = service.mine(KIM, 50, None)
    assert (boxed.coupon.state, boxed.coupon.owner) == (State.REGISTERED, "kim")
    assert (service.store.issued(campaign_id), service.store.registered(campaign_id)) == (2, 2)


class Unseen:
    """A store that has not seen the coupon yet."""

    def __init__(self, store: Any) -> None:
        self.store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def look(self, code_hash: str, customer_id: str) -> tuple[None, frozenset[str]]:
        return None, self.store.look(code_hash, customer_id)[1]


def test_who_was_faster_with_their_other_hand_still_has_one(service: CouponService) -> None:
    terms = replace(FREE, reserve_at=ReserveAt.ISSUE)
    campaign_id = campaign_of(service, terms).campaign_id
    first = service.take(campaign_id, KIM).value.coupon
    use(service, first, "chk_1")
    again = replace(service, store=Unseen(service.store)).take(campaign_id, KIM)
    assert (again.replayed, again.value.coupon.used_by) == (True, "chk_1")
    assert service.status(campaign_id).reserved == 5_000


def test_who_has_used_theirs_gets_no_second_one(service: CouponService) -> None:
    campaign_id = campaign_of(service, FREE).campaign_id
    use(service, service.take(campaign_id, KIM).value.coupon, "chk_1")
    again = service.take(campaign_id, KIM)
    assert (again.replayed, again.value.coupon.state) == (True, State.USED)


def test_nothing_is_taken_from_a_campaign_that_is_not_open(service: CouponService, clock: Hands) -> None:
    days = timedelta(days=1)
    early, late, paused, closed, codes = (
        campaign_of(service, terms, key=key).campaign_id
        for key, terms in (
            ("early", replace(FREE, opens_at=NOON + days)),
            ("late", replace(FREE, closes_at=NOON)),
            ("paused", FREE),
            ("closed", FREE),
            ("codes", FIVE_THOUSAND_OFF),
        )
    )
    mine = service.take(closed, LEE).value.coupon
    service.switch(paused, Switch.PAUSED)
    service.close(closed, "over", by=OLGA)
    for campaign_id, problem in (
        (early, CampaignNotOpen),
        (late, CampaignClosed),
        (paused, CampaignPaused),
        (closed, CampaignClosed),
        (codes, UnknownCampaign),
        ("cmp_unknown", UnknownCampaign),
        ("x" * 500, UnknownCampaign),
    ):
        with pytest.raises(problem):
            service.take(campaign_id, KIM)
    again = service.take(closed, LEE)
    assert (again.replayed, again.value.coupon) == (True, mine)


def test_a_campaign_for_others_gives_nothing_and_is_not_seen(service: CouponService) -> None:
    campaign_id = campaign_of(service, for_group("vip", terms=FREE)).campaign_id
    service.change_group("vip", ["kim"], [])
    with pytest.raises(UnknownCampaign):
        service.take(campaign_id, LEE)
    assert (names(service, LEE), names(service, KIM)) == ({}, {"Spring": False})
    service.take(campaign_id, KIM)
    assert names(service, KIM) == {"Spring": True}


def test_only_what_can_be_taken_now_is_offered(service: CouponService, clock: Hands) -> None:
    day = timedelta(days=1)
    for name, change in (
        ("open", {}),
        ("until tomorrow", {"closes_at": NOON + day}),
        ("from tomorrow", {"opens_at": NOON + day}),
        ("by code", {"download": False}),
    ):
        campaign_of(service, replace(FREE, name=name, **change), key=name)
    assert set(names(service, KIM)) == {"open", "until tomorrow"}
    clock.move(days=1)
    assert set(names(service, KIM)) == {"open", "from tomorrow"}


def test_an_exhausted_campaign_is_offered_no_more_until_something_comes_back(
    service: CouponService, clock: Hands
) -> None:
    campaign_id = campaign_of(service, FREE, budget=5_000).campaign_id
    first, second = coupons_of(service, campaign_id, LEE, 2)
    spend(service, first, "lee", "chk_1", 5_000)
    with pytest.raises(BudgetExhausted):
        spend(service, second, "lee", "chk_2", 5_000)
    clock.move(seconds=2)
    assert names(service, KIM) == {}
    with pytest.raises(BudgetExhausted):
        service.take(campaign_id, KIM)
    service.top_up(campaign_id, "t1", 5_000, by=OLGA, key="k")
    clock.move(seconds=2)
    assert names(service, KIM) == {"Spring": False}
    assert not service.take(campaign_id, KIM).replayed


def test_what_is_bound_at_issue_is_bound_once_for_each_that_is_taken(service: CouponService) -> None:
    terms = replace(FREE, reserve_at=ReserveAt.ISSUE)
    campaign_id = campaign_of(service, terms, budget=12_000).campaign_id
    for who in (KIM, KIM, LEE):
        service.take(campaign_id, who)
    seen = service.status(campaign_id)
    assert (seen.available, seen.reserved) == (2_000, 10_000)
    with pytest.raises(BudgetTooSmall):
        service.take(campaign_id, Caller("park"))
    assert service.mine(Caller("park"), 50, None) == ([], None)


def test_every_coupon_that_was_taken_is_found_again(service: CouponService) -> None:
    campaign_id = campaign_of(service, FREE).campaign_id
    taken = {service.take(campaign_id, Caller(f"customer-{n}")).value.coupon.code_hash for n in range(40)}
    found: list[str] = []
    for lane in range(16):
        after = None
        while True:
            page, after = service.store.downloads(campaign_id, lane, 2, after)
            found += page
            if after is None:
                break
    assert sorted(found) == sorted(taken)
    record: Record = service.find(coupon_id=f"{campaign_id}.{found[0]}")
    assert record.batch_id == DOWNLOADS
