"""Reserving an order, with and without a coupon."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from chalicelib.checkout.model import Item, Kind, NoCatalogue, NoPoints, SameItemTwice, State, UnknownCheckout
from chalicelib.checkout.schemas import CheckoutReserved
from chalicelib.coupons.model import (
    BudgetExhausted,
    CampaignClosed,
    CampaignNotOpen,
    CampaignPaused,
    CouponUsed,
    OrderTooSmall,
    Switch,
    UnknownCoupon,
    UserLimitReached,
)
from chalicelib.kernel.errors import KeyReused, NotFound
from tests.checkout.conftest import FEE, Shop, order_of
from tests.conftest import NOON, ROOT, Hands
from tests.coupons.examples import (
    FIVE_THOUSAND_OFF,
    KIM,
    LEE,
    OLGA,
    TEN_PERCENT_OFF,
    THREE_MILLION,
    campaign_of,
    coupons_of,
    with_limit,
)


def test_the_server_prices_and_the_coupon_takes_its_part(shop: Shop) -> None:
    campaign, (coupon,) = shop.with_coupons(KIM)
    done = shop.reserve(coupon, KIM, "k1").value
    assert (done.total, done.discount, done.payable) == (FEE, 5_000, FEE - 5_000)
    assert (done.state, done.expires_at) == (State.RESERVED, NOON + timedelta(minutes=15))
    assert shop.checkout.checkout(done.checkout_id, KIM) == done
    assert shop.sums(campaign.campaign_id) == (THREE_MILLION - 5_000, 5_000)


def test_an_order_needs_no_coupon(shop: Shop) -> None:
    done = shop.reserve(None, KIM, "k1").value
    assert (done.total, done.discount, done.payable) == (FEE, 0, FEE)
    again = shop.reserve(None, KIM, "k1")
    assert (again.value, again.replayed) == (done, True)


def test_a_percentage_is_taken_of_the_servers_price(shop: Shop) -> None:
    _, (coupon,) = shop.with_coupons(KIM, terms=TEN_PERCENT_OFF)
    assert shop.reserve(coupon, KIM, "k1").value.discount == 30_000


def test_an_order_below_the_coupons_minimum_keeps_the_coupon(shop: Shop) -> None:
    _, (coupon,) = shop.with_coupons(KIM, terms=replace(TEN_PERCENT_OFF, min_order=FEE + 1))
    with pytest.raises(OrderTooSmall):
        shop.reserve(coupon, KIM, "k1")
    assert [boxed.coupon.state.value for boxed in shop.coupons.mine(KIM, 9, None)[0]] == ["REGISTERED"]


def test_a_retry_hears_the_grant_and_pays_once(shop: Shop) -> None:
    campaign, (coupon,) = shop.with_coupons(KIM)
    with ThreadPoolExecutor(8) as hands:
        done = list(hands.map(lambda _: shop.reserve(coupon, KIM, "k1"), range(8)))
    assert len({each.value for each in done}) == 1
    assert sum(not each.replayed for each in done) == 1
    assert shop.sums(campaign.campaign_id) == (THREE_MILLION - 5_000, 5_000)
    assert len(shop.facts()) == 1


def test_a_retry_hears_the_grant_whatever_happened_since(shop: Shop, clock: Hands) -> None:
    terms = replace(FIVE_THOUSAND_OFF, closes_at=NOON + timedelta(days=1))
    campaign, (coupon,) = shop.with_coupons(KIM, terms=terms, budget=5_000)
    granted = shop.reserve(coupon, KIM, "k1").value
    (late,) = coupons_of(shop.coupons, campaign.campaign_id, LEE)
    with pytest.raises(BudgetExhausted):
        shop.reserve(late, LEE, "k1")
    assert shop.reserve(coupon, KIM, "k1").value == granted
    shop.coupons.switch(campaign.campaign_id, Switch.PAUSED)
    clock.move(days=300)
    shop.prices.fees.clear()
    again = shop.reserve(coupon, KIM, "k1")
    assert (again.value, again.replayed) == (granted, True)


def test_a_key_stands_for_one_order(shop: Shop) -> None:
    campaign, (coupon, other) = shop.with_coupons(KIM, 2)
    shop.reserve(coupon, KIM, "k1")
    with pytest.raises(KeyReused):
        shop.reserve(other, KIM, "k1")
    with pytest.raises(KeyReused):
        shop.reserve(None, KIM, "k1")
    assert shop.sums(campaign.campaign_id)[1] == 5_000


def test_a_refusal_leaves_its_key_free(shop: Shop) -> None:
    campaign, (coupon,) = shop.with_coupons(KIM)
    shop.coupons.switch(campaign.campaign_id, Switch.PAUSED)
    with pytest.raises(CampaignPaused):
        shop.reserve(coupon, KIM, "k1")
    shop.coupons.switch(campaign.campaign_id, Switch.OPEN)
    assert not shop.reserve(coupon, KIM, "k1").replayed


def test_a_coupon_is_used_once(shop: Shop) -> None:
    campaign, (coupon,) = shop.with_coupons(KIM)
    shop.reserve(coupon, KIM, "k1")
    with pytest.raises(CouponUsed):
        shop.reserve(coupon, KIM, "k2")
    assert shop.sums(campaign.campaign_id)[1] == 5_000
    assert len(shop.facts()) == 1


def test_a_coupon_is_its_owners(shop: Shop) -> None:
    campaign, (kims,) = shop.with_coupons(KIM)
    other = campaign_of(shop.coupons, key="c2").campaign_id
    of_another_campaign = other + kims.removeprefix(campaign.campaign_id)
    for unknown in (
        kims,
        of_another_campaign,
        "cmp_nobody.abc",
        "nonsense",
        f"{campaign.campaign_id}.",
        "x" * 128,
    ):
        with pytest.raises(UnknownCoupon):
            shop.reserve(unknown, LEE, "k1")
    with pytest.raises(UnknownCoupon):
        shop.reserve(of_another_campaign, KIM, "k1")
    assert shop.sums(campaign.campaign_id)[1] == shop.sums(other)[1] == 0


def test_a_customer_uses_no_more_than_the_campaign_allows(shop: Shop) -> None:
    campaign, coupons = shop.with_coupons(KIM, 3, terms=with_limit(FIVE_THOUSAND_OFF, 2))
    for number, coupon in enumerate(coupons[:2]):
        shop.reserve(coupon, KIM, f"k{number}")
    with pytest.raises(UserLimitReached):
        shop.reserve(coupons[2], KIM, "k2")
    (lees,) = coupons_of(shop.coupons, campaign.campaign_id, LEE)
    assert shop.reserve(lees, LEE, "k0")
    assert shop.sums(campaign.campaign_id)[1] == 15_000


def test_coupons_work_on_their_days(shop: Shop, clock: Hands) -> None:
    terms = replace(FIVE_THOUSAND_OFF, opens_at=NOON + timedelta(days=1), closes_at=NOON + timedelta(days=2))
    _, (coupon,) = shop.with_coupons(KIM, terms=terms)
    with pytest.raises(CampaignNotOpen):
        shop.reserve(coupon, KIM, "k1")
    clock.move(days=2)
    with pytest.raises(CampaignClosed):
        shop.reserve(coupon, KIM, "k1")
    clock.move(hours=-1)
    assert shop.reserve(coupon, KIM, "k1")


def test_after_pausing_nothing_is_granted_and_after_resuming_at_once(shop: Shop) -> None:
    campaign, coupons = shop.with_coupons(KIM, 3)
    shop.reserve(coupons[0], KIM, "k0")
    shop.coupons.switch(campaign.campaign_id, Switch.PAUSED)
    with pytest.raises(CampaignPaused):
        shop.reserve(coupons[1], KIM, "k1")
    shop.coupons.switch(campaign.campaign_id, Switch.OPEN)
    assert shop.reserve(coupons[1], KIM, "k1")


def test_the_last_won_can_be_granted(shop: Shop) -> None:
    """7 shards of about 71,428 pay for ten coupons each; the 71st is paid with what is left in several."""
    campaign, coupons = shop.with_coupons(
        KIM, 73, terms=replace(FIVE_THOUSAND_OFF, value=7_000), budget=500_000
    )
    granted = [shop.reserve(coupon, KIM, coupon).value for coupon in coupons[:71]]
    assert len(granted[-1].split) > 1
    for each in granted:
        assert sum(part for _, part in each.split) == each.discount == 7_000
    for coupon in coupons[71:]:
        with pytest.raises(BudgetExhausted):
            shop.reserve(coupon, KIM, coupon)
    assert shop.sums(campaign.campaign_id) == (3_000, 497_000)


def test_a_smaller_discount_still_fits_after_a_larger_one_was_refused(shop: Shop) -> None:
    terms = replace(TEN_PERCENT_OFF, min_order=0, max_discount=None)
    _, (first, second, third) = shop.with_coupons(KIM, 3, terms=terms, budget=60_000)
    shop.prices.fees["con_small", "kim"] = 100_000
    shop.reserve(first, KIM, "k1")
    with pytest.raises(BudgetExhausted):
        shop.reserve(second, KIM, "k2")
    assert shop.checkout.reserve(order_of(third, ref="con_small"), KIM, "k3").value.discount == 10_000


def test_a_topped_up_campaign_grants_again(shop: Shop, clock: Hands) -> None:
    campaign, (first, second) = shop.with_coupons(KIM, 2, budget=5_000)
    shop.reserve(first, KIM, "k1")
    with pytest.raises(BudgetExhausted):
        shop.reserve(second, KIM, "k2")
    shop.coupons.top_up(campaign.campaign_id, "t1", 5_000, by=OLGA, key="t1")
    assert shop.reserve(second, KIM, "k2").value.discount == 5_000


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"points": 1}, NoPoints),
        ({"items": (Item(Kind.SERVICE, "wash"),)}, NoCatalogue),
        ({"items": (Item(Kind.CONTRACT_FEE, "con_kim"),) * 2}, SameItemTwice),
        ({"items": (Item(Kind.CONTRACT_FEE, "con_lee"),)}, NotFound),
        ({"items": (Item(Kind.CONTRACT_FEE, "con_nobody"),)}, NotFound),
    ],
)
def test_what_cannot_be_sold_is_refused_and_changes_nothing(
    shop: Shop, change: dict[str, Any], refusal: type[Exception]
) -> None:
    campaign, (coupon,) = shop.with_coupons(KIM)
    with pytest.raises(refusal):
        shop.checkout.reserve(replace(order_of(coupon), **change), KIM, "k1")
    assert shop.sums(campaign.campaign_id)[1] == 0
    assert shop.facts() == []


def test_a_checkout_is_its_owners(shop: Shop) -> None:
    checkout_id = shop.reserve(None, KIM, "k1").value.checkout_id
    for unknown in (checkout_id, "chk_nobody", "x" * 5_000, "\x00"):
        with pytest.raises(UnknownCheckout):
            shop.checkout.checkout(unknown, LEE)


def test_the_published_fact_is_the_sample(shop: Shop) -> None:
    campaign, (coupon,) = shop.with_coupons(KIM)
    done = shop.reserve(coupon, KIM, "k1").value
    (fact,) = shop.facts()
    sample = json.loads((ROOT / "events/facts/CheckoutReserved.json").read_text())
    assert replace(fact, id=sample["id"]).envelope() == sample
    assert fact.data_as(CheckoutReserved) == CheckoutReserved(
        done.checkout_id, "order-1", campaign.campaign_id, 5_000
    )
