"""What a redemption costs in DynamoDB calls and write units, granted and refused."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from chalicelib.checkout.service import CheckoutService, PaymentService
from chalicelib.checkout.store import CheckoutStore, PaymentStore
from chalicelib.coupons.model import BudgetExhausted, CodeRefused
from chalicelib.coupons.store import CouponStore
from chalicelib.kernel.tables import AllOrNothing
from tests.checkout.bank import Bank
from tests.checkout.conftest import FEE, Shop
from tests.checkout.memory import PriceList
from tests.checkout.meter import metered
from tests.conftest import Hands
from tests.coupons.conftest import coupon_service
from tests.coupons.examples import FIVE_THOUSAND_OFF, KIM, OLGA, codes_of, with_limit

LIMITED = with_limit(FIVE_THOUSAND_OFF, 9)


@pytest.fixture
def shop(dynamodb: Any, clock: Hands, new_id: Callable[[str], str]) -> Shop:
    """Prices cost nothing here: what contracts reads is its own to count."""
    coupons = coupon_service(CouponStore(), clock, new_id)
    prices = PriceList({("con_kim", "kim"): FEE})
    bank = Bank()
    payments = PaymentService(PaymentStore(), bank, AllOrNothing, clock)
    checkout = CheckoutService(CheckoutStore(), coupons, prices, payments, AllOrNothing, clock, new_id)
    return Shop(coupons, checkout, prices, list, bank)


def test_a_redemption_is_one_transaction_of_five_rows_and_no_read(shop: Shop) -> None:
    _, (first, second) = shop.with_coupons(KIM, 2, terms=LIMITED)
    shop.reserve(first, KIM, "k1")
    with metered() as meter:
        shop.reserve(second, KIM, "k2")
    assert dict(meter.calls) == {"TransactWriteItems": 1}
    assert (meter.items, meter.write_units, meter.index_units) == (5, 10, 1)


def test_a_redemption_without_a_limit_per_customer_is_one_of_four(shop: Shop) -> None:
    _, (first, second) = shop.with_coupons(KIM, 2)
    shop.reserve(first, KIM, "k1")
    with metered() as meter:
        shop.reserve(second, KIM, "k2")
    assert dict(meter.calls) == {"TransactWriteItems": 1}
    assert (meter.items, meter.write_units, meter.index_units) == (4, 8, 1)


def test_the_thirtieth_redemption_costs_what_the_first_did(shop: Shop) -> None:
    _, coupons = shop.with_coupons(KIM, 30, terms=with_limit(FIVE_THOUSAND_OFF, 99))
    units = []
    for coupon in coupons:
        with metered() as meter:
            shop.reserve(coupon, KIM, coupon)
        units.append((meter.write_units, meter.items))
    assert set(units) == {(10, 5)}


def test_a_reservation_without_a_coupon_is_one_transaction_of_two_rows(shop: Shop) -> None:
    with metered() as meter:
        shop.reserve(None, KIM, "k1")
    assert dict(meter.calls) == {"TransactWriteItems": 1}
    assert (meter.items, meter.write_units) == (2, 4)


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
    elsewhere = coupon_service(CouponStore(), clock, new_id)
    other = replace(shop.checkout, coupons=elsewhere)
    with metered() as meter, pytest.raises(BudgetExhausted):
        Shop(elsewhere, other, shop.prices, list, shop.bank).reserve(coupons[1], KIM, "k1")
    assert dict(meter.calls) == {"GetItem": 2, "TransactGetItems": 1}


def test_a_mistyped_code_costs_nothing_and_a_guess_one_write_unit(shop: Shop) -> None:
    _, _ = shop.with_coupons(KIM)
    code = codes_of(shop.coupons, shop.with_coupons(KIM, key="c2")[0].campaign_id, 1, "b9")[0]
    with metered() as meter, pytest.raises(CodeRefused):
        shop.coupons.register(code[:-1] + ("Z" if code[-1] != "Z" else "Y"), KIM, "typo")
    assert not meter.calls
    shop.coupons.register(code, OLGA, "k")
    with metered() as meter, pytest.raises(CodeRefused):
        shop.coupons.register(code, KIM, "foreign")
    assert (dict(meter.calls), meter.write_units) == ({"UpdateItem": 1, "GetItem": 2}, 1)
