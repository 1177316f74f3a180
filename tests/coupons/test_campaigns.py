"""Making, watching, pausing and topping up a campaign."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from msgspec.structs import replace

from chalicelib.coupons.model import (
    CampaignClosed,
    CampaignMoved,
    CutDiffers,
    CutTooDeep,
    Mode,
    NoCountLimit,
    NotOffered,
    ReserveAt,
    Switch,
    TopUpDiffers,
    UnknownCampaign,
)
from chalicelib.coupons.schemas import CampaignCreated
from chalicelib.coupons.service import CouponService, Store
from chalicelib.kernel.errors import KeyReused
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.money import Entry
from tests.conftest import ROOT, Hands
from tests.coupons.examples import (
    FIVE_THOUSAND_OFF,
    KIM,
    OLGA,
    TEN_PERCENT_OFF,
    THREE_MILLION,
    campaign_of,
    given,
)
from tests.coupons.till import Till, stands

Facts = Callable[[], list[Fact]]


def test_a_new_campaign_has_its_whole_budget_available(service: CouponService) -> None:
    campaign = campaign_of(service, TEN_PERCENT_OFF)
    seen = service.status(campaign.campaign_id)
    assert seen.campaign == campaign
    assert seen.campaign.terms == TEN_PERCENT_OFF
    assert (seen.available, seen.reserved, seen.captured, seen.refunded) == (THREE_MILLION, 0, 0, 0)
    assert len(seen.shards) == campaign.shards == 10


def test_the_same_key_makes_one_campaign(service: CouponService, facts: Facts) -> None:
    with ThreadPoolExecutor(8) as people:
        done = list(
            people.map(
                lambda _: service.create(FIVE_THOUSAND_OFF, 100_000, by=OLGA, key="k", request="fp"), range(8)
            )
        )
    assert len({each.value.campaign_id for each in done}) == 1
    assert sum(not each.replayed for each in done) == 1
    assert len(facts()) == 1


def test_a_key_stands_for_one_campaign(service: CouponService) -> None:
    campaign_of(service, budget=100_000)
    with pytest.raises(KeyReused):
        campaign_of(service, budget=200_000)


def test_only_a_fixed_discount_can_be_bound_at_issue(service: CouponService, facts: Facts) -> None:
    with pytest.raises(NotOffered):
        campaign_of(service, replace(TEN_PERCENT_OFF, reserve_at=ReserveAt.ISSUE))
    assert facts() == []


def test_pausing_turns_every_shard_and_resuming_turns_them_back(service: CouponService) -> None:
    campaign_id = campaign_of(service).campaign_id
    for state in (Switch.PAUSED, Switch.PAUSED, Switch.OPEN, Switch.OPEN):
        seen = service.switch(campaign_id, state)
        assert {shard.state for shard in seen.shards} == {seen.campaign.state} == {state}


def test_a_top_up_counts_once(service: CouponService) -> None:
    campaign_id = campaign_of(service).campaign_id
    first = service.top_up(campaign_id, "t1", 1_000_001, by=OLGA, key="k1")
    again = service.top_up(campaign_id, "t1", 1_000_001, by=OLGA, key="k1")
    other_key = service.top_up(campaign_id, "t1", 1_000_001, by=OLGA, key="k2")
    assert [first.replayed, again.replayed, other_key.replayed] == [False, True, True]
    for seen in (first.value, again.value, other_key.value):
        assert seen.campaign.budget == seen.available == THREE_MILLION + 1_000_001


def test_sixteen_top_ups_of_one_name_at_once_count_once(service: CouponService) -> None:
    campaign_id = campaign_of(service).campaign_id
    with ThreadPoolExecutor(16) as people:
        list(
            people.map(lambda n: service.top_up(campaign_id, "t1", 500, by=OLGA, key=f"k{n % 2}"), range(16))
        )
    assert service.status(campaign_id).available == THREE_MILLION + 500


def test_a_top_up_of_the_same_name_and_another_amount_is_refused(service: CouponService) -> None:
    campaign_id = campaign_of(service).campaign_id
    service.top_up(campaign_id, "t1", 500, by=OLGA, key="k1")
    with pytest.raises(TopUpDiffers):
        service.top_up(campaign_id, "t1", 600, by=OLGA, key="k2")
    with pytest.raises(KeyReused):
        service.top_up(campaign_id, "t2", 600, by=OLGA, key="k1")
    assert service.status(campaign_id).available == THREE_MILLION + 500


def test_uses_are_topped_up_with_the_money_and_only_where_they_are_limited(service: CouponService) -> None:
    limited = campaign_of(service, uses=40).campaign_id
    service.top_up(limited, "t1", 500, by=OLGA, key="k1", uses=7)
    assert service.top_up(limited, "t1", 500, by=OLGA, key="k2", uses=7).replayed
    with pytest.raises(TopUpDiffers):
        service.top_up(limited, "t1", 500, by=OLGA, key="k3", uses=8)
    seen = service.status(limited)
    assert (seen.campaign.uses, seen.uses_left, seen.available) == (47, 47, THREE_MILLION + 500)
    free = campaign_of(service, budget=5, key="c2").campaign_id
    with pytest.raises(NoCountLimit):
        service.top_up(free, "t1", 500, by=OLGA, key="k4", uses=7)
    assert service.top_up(free, "t1", 500, by=OLGA, key="k5").value.uses_left is None


def test_c15_a_cut_takes_only_what_is_neither_spent_nor_reserved(
    service: CouponService, entries: Callable[[], list[Entry]]
) -> None:
    campaign_id, till = campaign_of(service, budget=150_000).campaign_id, Till(service)
    till.reserve("chk_1", given(service, campaign_id, KIM), 5_000)
    with pytest.raises(CutTooDeep) as refusal:
        service.cut(campaign_id, "c1", 145_001, by=OLGA, key="k1")
    assert refusal.value.extra == {"most": 145_000}
    first = service.cut(campaign_id, "c1", 145_000, by=OLGA, key="k1")
    again = service.cut(campaign_id, "c1", 145_000, by=OLGA, key="k1")
    other_key = service.cut(campaign_id, "c1", 145_000, by=OLGA, key="k2")
    assert [first.replayed, again.replayed, other_key.replayed] == [False, True, True]
    with pytest.raises(CutDiffers):
        service.cut(campaign_id, "c1", 1, by=OLGA, key="k3")
    seen = service.status(campaign_id)
    assert (seen.campaign.budget, stands(seen)) == (5_000, (0, 5_000, 0, 0))
    assert [entry.what for entry in entries() if entry.what == "cut"] == ["cut"]
    till.release("chk_1")
    assert service.cut(campaign_id, "c2", 5_000, by=OLGA, key="k4").value.campaign.budget == 0


class Rival:
    """A store before whose next `cut` somebody else takes from the budget."""

    def __init__(self, store: Store, first: Callable[[], object]) -> None:
        self.store, self.first = store, [first]

    def __getattr__(self, name: str) -> object:
        return getattr(self.store, name)

    def cut(self, *arguments: Any) -> None:
        if self.first:
            self.first.pop()()
        self.store.cut(*arguments)


def test_a_cut_that_is_overtaken_looks_again(service: CouponService) -> None:
    campaign_id, till = campaign_of(service, budget=10_000).campaign_id, Till(service)
    coupon_id = given(service, campaign_id, KIM)
    rival: Any = Rival(service.store, lambda: till.reserve("chk_1", coupon_id, 5_000))
    with pytest.raises(CutTooDeep):
        replace(service, store=rival).cut(campaign_id, "c1", 6_000, by=OLGA, key="k1")
    rival = Rival(service.store, lambda: service.switch(campaign_id, Switch.PAUSED))
    replace(service, store=rival).cut(campaign_id, "c2", 5_000, by=OLGA, key="k2")
    assert stands(service.status(campaign_id)) == (0, 5_000, 0, 0)


def test_a_closed_campaign_stays_closed(service: CouponService, entries: Callable[[], list[Entry]]) -> None:
    campaign_id = campaign_of(service, replace(FIVE_THOUSAND_OFF, download=True)).campaign_id
    for _ in range(2):
        seen = service.close(campaign_id, "the sponsor withdrew", by=OLGA)
        assert {shard.state for shard in seen.shards} == {seen.campaign.state} == {Switch.CLOSED}
    for change in (
        lambda: service.switch(campaign_id, Switch.OPEN),
        lambda: service.switch(campaign_id, Switch.PAUSED),
        lambda: service.top_up(campaign_id, "t1", 500, by=OLGA, key="k1"),
        lambda: service.cut(campaign_id, "t1", 500, by=OLGA, key="k2"),
    ):
        with pytest.raises(CampaignClosed):
            change()
    (closed,) = [entry for entry in entries() if entry.what == "closed"]
    assert closed.about == {"by": "olga", "reason": "the sponsor withdrew"}


def test_a_top_up_spreads_a_tail_over_all_shards_again(service: CouponService) -> None:
    campaign = campaign_of(service, budget=150_000)
    write = service.budgets.begin()
    service.store.merge(write, service.status(campaign.campaign_id))
    write.commit()
    seen = service.top_up(campaign.campaign_id, "t1", 30_000, by=OLGA, key="k1").value
    assert [shard.available for shard in seen.shards] == [160_000, 10_000, 10_000]
    assert {shard.state for shard in seen.shards} == {Switch.OPEN}
    assert seen.campaign.mode is Mode.SHARDED


@pytest.mark.parametrize("between", ["reserve", "pause", "top up", "merge"])
def test_a_tail_is_moved_only_as_it_was_seen(service: CouponService, between: str) -> None:
    campaign = campaign_of(service, budget=150_000, uses=40)
    seen = service.status(campaign.campaign_id)
    if between == "reserve":
        till = Till(replace(service, budgets=replace(service.budgets, choose=max)))
        till.reserve("chk_1", given(service, campaign.campaign_id, KIM), 5_000)
    elif between == "pause":
        service.switch(campaign.campaign_id, Switch.PAUSED)
    elif between == "top up":
        service.top_up(campaign.campaign_id, "t1", 3, by=OLGA, key="k1")
    for expected in (CampaignMoved,) if between != "merge" else (None, CampaignMoved):
        write = service.budgets.begin()
        service.store.merge(write, seen)
        if expected:
            with pytest.raises(expected):
                write.commit()
        else:
            write.commit()
    stands(service.status(campaign.campaign_id))


def test_campaigns_are_listed_newest_first(service: CouponService, clock: Hands) -> None:
    made = []
    for number in range(5):
        made.append(campaign_of(service, budget=5_000 + number, key=f"c{number}").campaign_id)
        clock.move(days=40)
    found, after = [], None
    for size in (2, 2, 1):
        page, after = service.campaigns(2, after)
        assert len(page) == size
        found += [seen.campaign.campaign_id for seen in page]
    assert (found, after) == (made[::-1], None)


@pytest.mark.parametrize("campaign_id", ["cmp_nobody", "x" * 5_000, "\x00"])
def test_unknown_campaigns_are_not_found(service: CouponService, campaign_id: str) -> None:
    for use in (
        lambda: service.status(campaign_id),
        lambda: service.switch(campaign_id, Switch.PAUSED),
        lambda: service.top_up(campaign_id, "t1", 500, by=OLGA, key="k1"),
        lambda: service.cut(campaign_id, "c1", 500, by=OLGA, key="k1"),
        lambda: service.close(campaign_id, "a mistake", by=OLGA),
        lambda: service.request_codes(campaign_id, "b1", 5, by=OLGA, key="k1"),
    ):
        with pytest.raises(UnknownCampaign):
            use()


def test_the_published_fact_is_the_sample(service: CouponService, facts: Facts) -> None:
    campaign = campaign_of(service)
    (fact,) = facts()
    assert fact.envelope() == json.loads((ROOT / "events/facts/CampaignCreated.json").read_text())
    created = fact.data_as(CampaignCreated)
    assert (created.campaign_id, created.budget) == (campaign.campaign_id, THREE_MILLION)
