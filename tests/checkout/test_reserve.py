"""Reserving an order, with and without a coupon."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from chalicelib.checkout.model import (
    Item,
    Kind,
    NoCatalogue,
    SameItemTwice,
    State,
    TooLittleForACard,
    TooManyPoints,
    UnknownCheckout,
)
from chalicelib.checkout.schemas import CheckoutReserved
from chalicelib.coupons.model import (
    BudgetExhausted,
    BudgetShort,
    CampaignClosed,
    CampaignNotOpen,
    CampaignPaused,
    CouponUsed,
    Edge,
    NothingToDiscount,
    OrderTooSmall,
    Scope,
    Switch,
    UnknownCoupon,
    UserLimitReached,
)
from chalicelib.kernel.errors import KeyReused, NotFound, Refused
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
    given,
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
    late = given(shop.coupons, campaign.campaign_id, LEE, "late")
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
    lees = given(shop.coupons, campaign.campaign_id, LEE, "lees")
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
    """7 shards of about 71,428 pay for ten coupons each; the 71st is paid with what all have left."""
    campaign, coupons = shop.with_coupons(
        KIM, 73, terms=replace(FIVE_THOUSAND_OFF, value=7_000), budget=500_000
    )
    granted = [shop.reserve(coupon, KIM, coupon).value for coupon in coupons[:71]]
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
    """It is built from the record as its insertion shows it."""
    campaign, (coupon,) = shop.with_coupons(KIM)
    shop.give_points(KIM, 30_000)
    done = shop.reserve(coupon, KIM, "k1", points=20_000).value
    (fact,) = shop.facts()
    sample = json.loads((ROOT / "events/facts/CheckoutReserved.json").read_text())
    assert replace(fact, id=sample["id"]).envelope() == sample
    assert fact.data_as(CheckoutReserved) == CheckoutReserved(
        done.checkout_id, "order-1", "kim", coupon, campaign.campaign_id, 5_000, [(0, 5_000)], 20_000
    )


@pytest.mark.parametrize(("plan", "discount"), [("avante", 0), ("kona", 5_000)])
def test_a_coupon_of_one_plan_is_good_for_no_other(shop: Shop, plan: str, discount: int) -> None:
    """The plan is the contract's, as the server knows it."""
    terms = replace(FIVE_THOUSAND_OFF, scope=Scope(plans=frozenset({plan})))
    _, (coupon,) = shop.with_coupons(KIM, terms=terms)
    if discount:
        assert shop.reserve(coupon, KIM, "k1").value.discount == discount
    else:
        with pytest.raises(NothingToDiscount):
            shop.reserve(coupon, KIM, "k1")


# --- with points -------------------------------------------------------------------------------------------


def test_c07_card_points_and_coupon_are_set_aside_together_or_not_at_all(shop: Shop) -> None:
    campaign, (coupon, other) = shop.with_coupons(KIM, 2)
    shop.give_points(KIM, 30_000)
    done = shop.reserve(coupon, KIM, "k1", points=20_000).value
    assert (done.discount, done.points_used, done.payable) == (5_000, 20_000, FEE - 25_000)
    assert (shop.sums(campaign.campaign_id)[1], shop.balance(KIM)) == (5_000, 10_000)
    with pytest.raises(Refused, match="points"):
        shop.reserve(other, KIM, "k2", points=10_001)
    with pytest.raises(CouponUsed):
        shop.reserve(coupon, KIM, "k3", points=10_000)
    assert (shop.sums(campaign.campaign_id)[1], shop.balance(KIM)) == (5_000, 10_000)
    assert len(shop.facts()) == 1


def test_points_alone_pay_too(shop: Shop) -> None:
    shop.give_points(KIM, FEE)
    done = shop.reserve(None, KIM, "k1", points=FEE).value
    assert (done.payable, shop.balance(KIM)) == (0, 0)
    again = shop.reserve(None, KIM, "k1", points=FEE)
    assert (again.value, again.replayed) == (done, True)
    with pytest.raises(KeyReused):
        shop.reserve(None, KIM, "k1", points=1)


def test_not_like_mall_discount_and_points_never_exceed_the_total(shop: Shop) -> None:
    """There an order came to -824 (#1003)."""
    _, (coupon,) = shop.with_coupons(KIM)
    shop.give_points(KIM, FEE)
    with pytest.raises(TooManyPoints) as refusal:
        shop.reserve(coupon, KIM, "k1", points=FEE - 4_999)
    assert refusal.value.extra == {"most": FEE - 5_000}
    assert shop.reserve(coupon, KIM, "k1", points=FEE - 5_000).value.payable == 0
    assert shop.balance(KIM) == 5_000


def test_what_no_card_would_pay_is_not_reserved(shop: Shop) -> None:
    shop.give_points(KIM, FEE)
    with pytest.raises(TooLittleForACard) as refusal:
        shop.reserve(None, KIM, "k1", points=FEE - 99)
    assert refusal.value.code == "TOO_LITTLE_FOR_A_CARD"
    assert refusal.value.extra == {"payable": 99, "least": 100}
    assert shop.balance(KIM) == FEE
    assert shop.reserve(None, KIM, "k1", points=FEE - 100).value.payable == 100


def test_what_is_left_of_a_budget_is_granted_to_who_is_content_with_it(shop: Shop) -> None:
    """The price a customer has not seen is never charged: they say how little discount is enough."""
    terms = replace(FIVE_THOUSAND_OFF, at_the_edge=Edge.PARTIAL)
    campaign, (first, second) = shop.with_coupons(KIM, 2, terms=terms, budget=8_000)
    shop.give_points(KIM, 10_000)
    shop.reserve(first, KIM, "k1")
    with pytest.raises(BudgetShort) as refusal:
        shop.reserve(second, KIM, "k2", points=10_000)
    assert refusal.value.extra["offered"] == 3_000
    with pytest.raises(BudgetShort):
        shop.reserve(second, KIM, "k2", points=10_000, least=3_001)
    done = shop.reserve(second, KIM, "k2", points=10_000, least=3_000).value
    assert (done.discount, done.points_used, done.payable) == (3_000, 10_000, FEE - 13_000)
    assert shop.sums(campaign.campaign_id) == (0, 8_000)


def test_customers_at_once_spend_no_point_twice(shop: Shop) -> None:
    shop.give_points(KIM, 30_000)

    def reserve(number: int) -> int:
        try:
            return shop.reserve(None, KIM, f"k{number}", points=10_000).value.points_used
        except Refused:
            return 0

    with ThreadPoolExecutor(6) as hands:
        assert sum(hands.map(reserve, range(6))) == 30_000
    assert shop.balance(KIM) == 0
