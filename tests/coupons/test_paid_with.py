"""Bound and partial discounts all the way through a checkout: its entries and the shards say the same."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from msgspec.structs import replace

from chalicelib.coupons.model import BudgetShort, Campaign, Edge, ReserveAt, State
from chalicelib.kernel.money import balances
from tests.checkout.conftest import FEE, Shop, dynamodb_shop, memory_shop, order_of
from tests.conftest import NOON, Hands
from tests.coupons.examples import FIVE_THOUSAND_OFF, KIM, campaign_of, codes_of

BOUND = replace(FIVE_THOUSAND_OFF, reserve_at=ReserveAt.ISSUE, closes_at=NOON + timedelta(days=30))


@pytest.fixture(params=["memory", "dynamodb"])
def shop(request: pytest.FixtureRequest, clock: Hands, new_id: Callable[[str], str]) -> Shop:
    if request.param == "dynamodb":
        return dynamodb_shop(request.getfixturevalue("dynamodb"), clock, new_id)
    return memory_shop(clock, new_id)


def agree(shop: Shop, campaign: Campaign, *checkouts: str) -> tuple[int, int, int]:
    """Available, reserved, captured less refunded. What was reserved is booked by whoever hears of it."""
    seen = shop.coupons.status(campaign.campaign_id)
    records = shop.checkout.records(checkouts)
    entries = [entry for record in records for entry in shop.checkout.entries_of(record)]
    held = balances([*shop.entries(), *(entry for entry in entries if entry.what == "reserved")])
    for number, shard in enumerate(seen.shards):
        pots = (shard.available, shard.reserved, shard.captured - shard.refunded)
        for pot, amount in zip(("available", "reserved", "captured"), pots, strict=True):
            assert held[f"campaign/{campaign.campaign_id}/{number}/{pot}"] == amount, (number, pot)
    return seen.available, seen.reserved, seen.captured - seen.refunded


def test_a_coupon_bound_at_issue_is_paid_with_given_back_and_paid_with_again(shop: Shop) -> None:
    campaign = campaign_of(shop.coupons, BOUND, 30_000)
    (code,) = codes_of(shop.coupons, campaign.campaign_id, 1)
    coupon = shop.coupons.register(code, KIM, "k").value.coupon
    first = shop.reserve(coupon.coupon_id, KIM, "k1").value
    assert (first.discount, first.split) == (5_000, ())
    assert agree(shop, campaign, first.checkout_id) == (25_000, 5_000, 0)
    shop.checkout.cancel(first.checkout_id, KIM)
    second = shop.reserve(coupon.coupon_id, KIM, "k2").value
    both = first.checkout_id, second.checkout_id
    assert agree(shop, campaign, *both) == (25_000, 5_000, 0)
    shop.capture(second.checkout_id, KIM)
    assert agree(shop, campaign, *both) == (25_000, 0, 5_000)
    shop.refund(second.checkout_id, "r1", 100_000)
    shop.refund(second.checkout_id, "r2", FEE - 100_000)
    assert agree(shop, campaign, *both) == (25_000, 5_000, 0)
    shop.prices.fees["con_other", "kim"] = FEE
    third = shop.checkout.reserve(order_of(coupon.coupon_id, "o3", ref="con_other"), KIM, "k3").value
    shop.capture(third.checkout_id, KIM, key="c3")
    shop.clock.move(days=31)
    shop.refund(third.checkout_id, "r3", FEE)
    assert agree(shop, campaign, *both, third.checkout_id) == (30_000, 0, 0)
    after = shop.coupons.store.coupon(coupon.code_hash)
    assert after is not None
    assert after.state is State.VOID


def test_a_customer_agrees_to_what_is_left(shop: Shop) -> None:
    terms = replace(FIVE_THOUSAND_OFF, at_the_edge=Edge.PARTIAL)
    campaign, (first, second) = shop.with_coupons(KIM, 2, terms=terms, budget=8_000)
    shop.reserve(first, KIM, "k1")
    with pytest.raises(BudgetShort) as short:
        shop.reserve(second, KIM, "k2")
    assert short.value.extra == {"offered": 3_000}
    held = shop.reserve(second, KIM, "k3", least=3_000).value
    assert (held.discount, held.payable) == (3_000, FEE - 3_000)
    assert shop.reserve(second, KIM, "k3", least=3_000).replayed
    assert shop.coupons.status(campaign.campaign_id).available == 0
