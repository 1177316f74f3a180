"""What a redemption costs in DynamoDB calls and write units, granted and refused."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from chalicelib.checkout.model import Checkout, GivenBack, Item, Kind, Line, Lots, Parts
from chalicelib.checkout.store.items import stored, stored_refunds
from chalicelib.coupons.model import BudgetExhausted, CodeRefused
from chalicelib.coupons.store import CouponStore
from chalicelib.kernel.ids import new_id as fresh
from chalicelib.ledger.store import Books
from tests.checkout.conftest import Shop, dynamodb_shop
from tests.checkout.meter import KB, metered, size
from tests.conftest import NOON, Hands
from tests.coupons.conftest import coupon_service
from tests.coupons.examples import FIVE_THOUSAND_OFF, KIM, codes_of, with_limit

LIMITED = with_limit(FIVE_THOUSAND_OFF, 9)


@pytest.fixture
def shop(dynamodb: Any, clock: Hands, new_id: Callable[[str], str]) -> Shop:
    """Prices cost nothing here: what contracts reads is its own to count."""
    return dynamodb_shop(dynamodb, clock, new_id)


def test_c11_a_redemption_is_one_transaction_of_four_rows_and_no_read(shop: Shop) -> None:
    """Record, coupon, its owner's uses, one shard; the record and the coupon are in an index each."""
    _, (first, second) = shop.with_coupons(KIM, 2, terms=LIMITED)
    shop.reserve(first, KIM, "k1")
    with metered() as meter:
        shop.reserve(second, KIM, "k2")
    assert dict(meter.calls) == {"TransactWriteItems": 1}
    assert (meter.items, meter.write_units, meter.index_units) == (4, 8, 2)


def test_c11_a_redemption_without_a_limit_per_customer_is_one_of_three(shop: Shop) -> None:
    _, (first, second) = shop.with_coupons(KIM, 2)
    shop.reserve(first, KIM, "k1")
    with metered() as meter:
        shop.reserve(second, KIM, "k2")
    assert dict(meter.calls) == {"TransactWriteItems": 1}
    assert (meter.items, meter.write_units, meter.index_units) == (3, 6, 2)


def test_the_thirtieth_redemption_costs_what_the_first_did(shop: Shop) -> None:
    _, coupons = shop.with_coupons(KIM, 30, terms=with_limit(FIVE_THOUSAND_OFF, 99))
    units = []
    for coupon in coupons:
        with metered() as meter:
            shop.reserve(coupon, KIM, coupon)
        units.append((meter.write_units, meter.items))
    assert set(units) == {(8, 4)}


def test_a_reservation_without_a_coupon_is_one_write_of_one_row(shop: Shop) -> None:
    with metered() as meter:
        shop.reserve(None, KIM, "k1")
    assert dict(meter.calls) == {"PutItem": 1}
    assert (meter.items, meter.write_units, meter.index_units) == (1, 1, 0)


def test_c11_with_points_it_is_five_rows_and_one_read_of_the_wallet(shop: Shop) -> None:
    _, (first, second) = shop.with_coupons(KIM, 2, terms=LIMITED)
    shop.give_points(KIM, 30_000)
    shop.reserve(first, KIM, "k1")
    with metered() as meter:
        shop.reserve(second, KIM, "k2", points=20_000)
    assert dict(meter.calls) == {"GetItem": 1, "TransactWriteItems": 1}
    assert (meter.items, meter.write_units) == (5, 10)


def test_c11_the_record_of_one_item_is_one_write_unit_from_the_first_day_to_the_last(shop: Shop) -> None:
    """With ids as long as they are, points of six lots, and a refund."""
    campaign, contract = fresh("cmp"), fresh("con")
    customer, order = "b8f6c1de-70a1-7019-8d3c-0f3f6b1c2d4e", "2026-11-22-b8f6c1de-000001"
    lots: Lots = tuple((f"27{month:02}g", 16_667) for month in range(1, 7))
    checkout = Checkout(
        checkout_id=fresh("chk"),
        customer_id=customer,
        order_id=order,
        items=(Line(Item(Kind.CONTRACT_FEE, contract), 1_460_000, "avante-hybrid"),),
        coupon_id=f"{campaign}.{'d71f09900063e855' * 2}",
        discount=100_000,
        split=((15, 60_000), (3, 40_000)),
        request="f" * 64,
        reserved_at=NOON,
        due_at=NOON,
        points_used=100_002,
        lots=lots,
    )
    row = stored(checkout)
    assert size(row.to_dynamodb_dict()) <= KB
    row.payment_id, row.settled_at, row.due_shard, row.due_at = fresh("pay"), row.due_at, None, None
    back = GivenBack("con_0.refund", 1_460_000, Parts(1_259_998, 100_002, 100_000), NOON, 0, fresh("req"))
    row.refunds = stored_refunds(replace(checkout, refunds=(back,)))
    assert size(row.to_dynamodb_dict()) <= KB


def test_c11_a_capture_moves_one_row_of_the_coupon_and_a_refund_too(shop: Shop) -> None:
    _, (coupon,) = shop.with_coupons(KIM, terms=LIMITED)
    held = shop.reserve(coupon, KIM, "k1").value
    with metered() as meter:
        shop.capture(held.checkout_id, KIM)
    assert meter.calls["TransactWriteItems"] == 2
    assert meter.tables == {"test-checkout": 5, "test-coupons": 1, "test-ledger": 1}
    with metered() as meter:
        shop.refund(held.checkout_id, "r1", 1_000)
    assert meter.tables["test-coupons"] == 1


def test_c11_giving_a_reservation_back_is_one_transaction(shop: Shop) -> None:
    """And what was given back ten times costs what the first time did."""
    _, (coupon,) = shop.with_coupons(KIM, terms=LIMITED)
    spent = []
    for number in range(10):
        held = shop.reserve(coupon, KIM, f"k{number}").value
        with metered() as meter:
            shop.checkout.cancel(held.checkout_id, KIM)
        assert meter.calls["TransactWriteItems"] == 1
        spent.append((meter.write_units, meter.items))
    assert set(spent) == {(spent[0])}
    assert spent[0][1] == 5


def test_a_refusal_after_the_budget_is_gone_is_one_read_and_no_write(shop: Shop) -> None:
    _, coupons = shop.with_coupons(KIM, 4, budget=5_000)
    shop.reserve(coupons[0], KIM, "granted")
    with pytest.raises(BudgetExhausted):
        shop.reserve(coupons[1], KIM, "k1")
    for coupon in coupons[1:]:
        with metered() as meter, pytest.raises(BudgetExhausted):
            shop.reserve(coupon, KIM, "k2")
        assert dict(meter.calls) == {"GetItem": 1}


def test_exhaustion_is_proved_once_a_second_without_a_write(shop: Shop, clock: Hands) -> None:
    _, coupons = shop.with_coupons(KIM, 2, budget=5_000)
    shop.reserve(coupons[0], KIM, "granted")
    with pytest.raises(BudgetExhausted):
        shop.reserve(coupons[1], KIM, "k1")
    with metered() as meter:
        for _ in range(30):
            clock.move(seconds=0.1)
            with pytest.raises(BudgetExhausted):
                shop.reserve(coupons[1], KIM, "k2")
    assert meter.writes == 0
    assert meter.calls["TransactGetItems"] <= 3
    assert meter.calls["GetItem"] <= 30 + 3


def test_a_refusal_of_another_process_is_a_proof_and_no_write(
    shop: Shop, clock: Hands, new_id: Callable[[str], str]
) -> None:
    """It is told by the campaign's own row that a proof is likely to refuse."""
    _, coupons = shop.with_coupons(KIM, 2, budget=5_000)
    shop.reserve(coupons[0], KIM, "k0")
    with pytest.raises(BudgetExhausted):
        shop.reserve(coupons[1], KIM, "k1")
    elsewhere = coupon_service(CouponStore(), clock, new_id, books=Books())
    checkout = replace(shop.checkout, coupons=elsewhere)
    other = dataclasses.replace(shop, coupons=elsewhere, checkout=checkout)
    with metered() as meter, pytest.raises(BudgetExhausted):
        other.reserve(coupons[1], KIM, "k1")
    assert dict(meter.calls) == {"GetItem": 2, "TransactGetItems": 1}


def test_a_mistyped_code_costs_nothing(shop: Shop) -> None:
    code = codes_of(shop.coupons, shop.with_coupons(KIM)[0].campaign_id, 1, "b9")[0]
    with metered() as meter, pytest.raises(CodeRefused):
        shop.coupons.register(code[:-1] + ("Z" if code[-1] != "Z" else "Y"), KIM, "typo")
    assert not meter.calls
