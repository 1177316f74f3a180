"""Never a double charge, never a half capture: whatever breaks off where, and whoever goes on with it.

`SCHEDULES=10000 pytest tests/checkout/test_crashes.py` plays more of them.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from chalicelib.checkout.model import CardDeclined, Checkout, Payment, State
from chalicelib.checkout.service import CheckoutService, PaymentService
from chalicelib.checkout.store import CheckoutStore, PaymentStore
from chalicelib.coupons.store import CouponStore
from chalicelib.kernel.errors import Busy
from chalicelib.kernel.tables import AllOrNothing
from tests.checkout.bank import EMPTY, GOOD, Bank
from tests.checkout.conftest import FEE, Shop, order_of
from tests.checkout.hook import Call, calls_go_through
from tests.checkout.memory import MemoryCheckouts, MemoryPayments, PriceList
from tests.checkout.till import Died, Till
from tests.conftest import Hands
from tests.coupons.conftest import coupon_service
from tests.coupons.examples import KIM
from tests.memory import MemoryWrite

SCHEDULES = int(os.environ.get("SCHEDULES", "200"))


@settings(max_examples=SCHEDULES, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1))
def test_a_fee_is_paid_once_or_not_at_all(seed: int) -> None:
    Till(seed).run()


def test_the_schedules_meet_everything_they_are_made_for() -> None:
    heard: Counter[str] = sum((Till(seed).run() for seed in range(60)), Counter())
    for answer in ("CAPTURED", "CAPTURING", "CardDeclined", "BeingPaid", "Died"):
        assert heard[answer], answer


# --- a crash at every call, one after the other ------------------------------------------------------------


class Breaking:
    """Everything outside the process: the call that is `at` breaks off, before or after it is made."""

    def __init__(self) -> None:
        self.count, self.at, self.after = 0, -1, False

    def call(self, make: Callable[[], Any]) -> Any:
        self.count += 1
        broken = self.count == self.at
        if broken and not self.after:
            raise Died
        answer = make()
        if broken:
            raise Died
        return answer

    @contextmanager
    def around_dynamodb(self) -> Iterator[None]:
        def breaking(call: Call) -> Call:
            return lambda *given: self.call(lambda: call(*given))

        with calls_go_through(breaking):
            yield


class BrokenBank(Bank):
    breaking: Breaking

    def charge(self, *given: Any) -> Any:
        return self.breaking.call(lambda: super(BrokenBank, self).charge(*given))

    def find(self, *given: Any) -> Any:
        return self.breaking.call(lambda: super(BrokenBank, self).find(*given))

    def refund(self, *given: Any) -> Any:
        return self.breaking.call(lambda: super(BrokenBank, self).refund(*given))


@pytest.fixture
def breaking() -> Breaking:
    return Breaking()


@pytest.fixture
def shop(dynamodb: Any, clock: Hands, new_id: Callable[[str], str], breaking: Breaking) -> Shop:
    bank, prices = BrokenBank(), PriceList({})
    bank.breaking = breaking
    coupons = coupon_service(CouponStore(), clock, new_id)
    payments = PaymentService(PaymentStore(), bank, AllOrNothing, clock)
    checkout = CheckoutService(CheckoutStore(), coupons, prices, payments, AllOrNothing, clock, new_id)
    return Shop(coupons, checkout, prices, list, bank)


@pytest.mark.parametrize("next_hand", ["retry", "sweep"])
@pytest.mark.parametrize("card", [GOOD, EMPTY])
@pytest.mark.parametrize("after", [False, True])
def test_a_capture_that_broke_off_at_any_call_is_finished_by_whoever_comes(
    shop: Shop, breaking: Breaking, clock: Hands, card: str, after: bool, next_hand: str
) -> None:
    """Every call once; and the retry breaks off as well, at each of its calls."""
    for number in range(1, 8):
        contract = f"con_{number}"
        shop.prices.fees[contract, "kim"] = FEE
        checkout_id = shop.checkout.reserve(order_of(ref=contract), KIM, contract).value.checkout_id
        breaking.count, breaking.at, breaking.after = 0, number, after
        with breaking.around_dynamodb():
            for _ in range(2):
                _press(shop, checkout_id, card)
                breaking.count = 0
        breaking.at = -1
        clock.move(minutes=5)
        if next_hand == "sweep":
            shop.checkout.sweep()
        _press(shop, checkout_id, card)
        standing = shop.checkout.checkout(checkout_id, KIM)
        assert standing.state is (State.CAPTURED if card == GOOD else State.RESERVED), number
        clock.move(days=1)
        assert shop.checkout.sweep().found == 0
    assert shop.bank.kept == (7 * FEE if card == GOOD else 0)


def _press(shop: Shop, checkout_id: str, card: str) -> None:
    with suppress(Died, CardDeclined, Busy):
        shop.capture(checkout_id, KIM, card)


def test_a_capture_is_that_many_calls(shop: Shop, breaking: Breaking) -> None:
    shop.prices.fees["con_kim", "kim"] = FEE
    checkout_id = shop.reserved(KIM)
    breaking.count = 0
    with breaking.around_dynamodb():
        shop.capture(checkout_id, KIM)
    assert breaking.count == 6  # payment, checkout, claim; charge; checkout, settle


# --- the oracle itself: each rule taken away is noticed ----------------------------------------------------


class Unclaimed(MemoryCheckouts):
    """Lets each reservation of a fee be paid."""

    def claim(self, write: MemoryWrite, after: Checkout, at: datetime) -> None:
        super().claim(write, replace(after, items=()), at)


class KeepsClaims(MemoryCheckouts):
    """Does not let go of a fee whose card was declined."""

    def settle(self, write: MemoryWrite, before: Checkout, after: Checkout) -> None:
        write.clause(then=lambda: self._stand(after))


class Unwritten(MemoryPayments):
    """Writes a payment down when it is settled."""

    def open(self, write: MemoryWrite, payment: Payment) -> None:
        pass

    def mark(self, before: Payment, after: Payment) -> None:
        pass

    def settle(self, write: MemoryWrite, after: Payment) -> None:
        write.clause(then=lambda: self._put(after))


@pytest.mark.parametrize(
    ("checkouts", "payments", "rule"),
    [
        (Unclaimed, MemoryPayments, "paid twice"),
        (KeepsClaims, MemoryPayments, "a claim without a payment"),
        (MemoryCheckouts, Unwritten, "taken and not written down"),
    ],
)
def test_a_store_without_the_rule_is_found_out(
    checkouts: type[MemoryCheckouts], payments: type[MemoryPayments], rule: str
) -> None:
    def play() -> None:
        for seed in range(300):
            Till(seed, checkouts, payments).run()

    with pytest.raises(AssertionError, match=rule):
        play()
