"""Making, watching, pausing and topping up a campaign."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from msgspec.structs import replace

from chalicelib.coupons.model import NotOffered, ReserveAt, Switch, TopUpDiffers, UnknownCampaign
from chalicelib.coupons.schemas import CampaignCreated
from chalicelib.coupons.service import CouponService
from chalicelib.kernel.errors import KeyReused
from chalicelib.kernel.facts import Fact
from tests.conftest import ROOT
from tests.coupons.examples import FIVE_THOUSAND_OFF, OLGA, TEN_PERCENT_OFF, THREE_MILLION, campaign_of

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


def test_binding_the_budget_at_issue_is_refused_not_forgotten(service: CouponService, facts: Facts) -> None:
    with pytest.raises(NotOffered):
        campaign_of(service, replace(FIVE_THOUSAND_OFF, reserve_at=ReserveAt.ISSUE))
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


@pytest.mark.parametrize("campaign_id", ["cmp_nobody", "x" * 5_000, "\x00"])
def test_unknown_campaigns_are_not_found(service: CouponService, campaign_id: str) -> None:
    for use in (
        lambda: service.status(campaign_id),
        lambda: service.switch(campaign_id, Switch.PAUSED),
        lambda: service.top_up(campaign_id, "t1", 500, by=OLGA, key="k1"),
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
