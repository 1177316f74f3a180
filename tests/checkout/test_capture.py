"""Paying for a reservation: once, whatever the card, the gateway and the customer's patience do."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from msgspec.structs import replace

from chalicelib.checkout.model import (
    CHECKOUTS,
    PAYMENTS,
    REFUNDS,
    BeingPaid,
    CardDeclined,
    PaymentState,
    ReservationExpired,
    State,
    UnknownCheckout,
)
from chalicelib.checkout.schemas import CapturedItem, CheckoutCaptured, CheckoutDeclined
from chalicelib.kernel.errors import Conflict, KeyReused
from tests.checkout.bank import EMPTY, GOOD, OTHER
from tests.checkout.conftest import FEE, Shop, order_of
from tests.checkout.memory import NotPayable
from tests.conftest import ROOT, Hands
from tests.coupons.examples import KIM, LEE, TEN_PERCENT_OFF


def test_a_reservation_is_paid_with_one_charge_of_what_is_payable(shop: Shop) -> None:
    campaign, (coupon,) = shop.with_coupons(KIM)
    checkout_id = shop.reserve(coupon, KIM, "k1").value.checkout_id
    done = shop.capture(checkout_id, KIM)
    assert (done.value.state, done.replayed) == (State.CAPTURED, False)
    assert shop.checkout.checkout(checkout_id, KIM) == done.value
    assert list(shop.bank.charges.values()) == [FEE - 5_000]
    assert shop.said() == ["CheckoutReserved", "CheckoutCaptured"]
    assert shop.pots(campaign.campaign_id)[1:] == (0, 5_000)


def test_asked_again_it_hears_what_it_heard(shop: Shop) -> None:
    checkout_id = shop.reserved(KIM)
    first = shop.capture(checkout_id, KIM)
    for key in ("c1", "c2"):
        again = shop.capture(checkout_id, KIM, key=key)
        assert (again.value, again.replayed) == (first.value, True)
    assert shop.bank.kept == FEE
    assert len(shop.facts()) == 2


def test_pressed_many_times_at_once_the_card_pays_once(shop: Shop) -> None:
    checkout_id = shop.reserved(KIM)

    def press(number: int) -> object:
        try:
            return shop.capture(checkout_id, KIM, key=f"c{number % 2}").value.state
        except Conflict as lost:
            return type(lost)

    with ThreadPoolExecutor(8) as hands:
        seen = set(hands.map(press, range(8)))
    assert State.CAPTURED in seen
    assert shop.bank.kept == FEE
    assert shop.said().count("CheckoutCaptured") == 1


def test_a_declined_card_leaves_the_reservation_for_another_one(shop: Shop) -> None:
    checkout_id = shop.reserved(KIM)
    with pytest.raises(CardDeclined) as refusal:
        shop.capture(checkout_id, KIM, EMPTY)
    assert refusal.value.extra == {"reason": "limit"}
    standing = shop.checkout.checkout(checkout_id, KIM)
    assert (standing.state, standing.payment_id, standing.declined) == (State.RESERVED, None, "limit")
    done = shop.capture(checkout_id, KIM, OTHER, key="c2").value
    assert (done.state, done.declined) == (State.CAPTURED, None)
    assert shop.bank.kept == FEE
    assert shop.said() == ["CheckoutReserved", "CheckoutDeclined", "CheckoutCaptured"]


def test_a_retry_of_a_declined_request_asks_no_bank(shop: Shop) -> None:
    checkout_id = shop.reserved(KIM)
    for _ in range(3):
        with pytest.raises(CardDeclined):
            shop.capture(checkout_id, KIM, EMPTY)
    assert shop.bank.asked == ["charge"]


def test_a_key_stands_for_one_card(shop: Shop) -> None:
    checkout_id = shop.reserved(KIM)
    shop.capture(checkout_id, KIM, GOOD)
    with pytest.raises(KeyReused):
        shop.capture(checkout_id, KIM, OTHER)


def test_two_reservations_of_one_fee_end_in_one_payment(shop: Shop) -> None:
    first, second = shop.reserved(KIM, "k1"), shop.reserved(KIM, "k2")
    shop.capture(first, KIM)
    with pytest.raises(BeingPaid):
        shop.capture(second, KIM)
    assert shop.bank.kept == FEE
    assert shop.checkout.checkout(second, KIM).state is State.RESERVED


def test_a_refused_card_frees_the_fee_for_the_other_reservation(shop: Shop) -> None:
    first, second = shop.reserved(KIM, "k1"), shop.reserved(KIM, "k2")
    with pytest.raises(CardDeclined):
        shop.capture(first, KIM, EMPTY)
    assert shop.capture(second, KIM).value.state is State.CAPTURED
    with pytest.raises(BeingPaid):
        shop.capture(first, KIM, key="c2")


def test_a_reservation_that_ran_out_cannot_be_paid(shop: Shop, clock: Hands) -> None:
    checkout_id = shop.reserved(KIM)
    clock.move(minutes=15)
    with pytest.raises(ReservationExpired):
        shop.capture(checkout_id, KIM)
    assert shop.bank.asked == []
    clock.move(seconds=-1)
    assert shop.capture(checkout_id, KIM).value.state is State.CAPTURED


def test_what_is_paid_is_still_paid_when_the_reservation_has_run_out(shop: Shop, clock: Hands) -> None:
    checkout_id = shop.reserved(KIM)
    done = shop.capture(checkout_id, KIM).value
    clock.move(days=400)
    assert shop.capture(checkout_id, KIM).value == done


def test_a_contract_that_does_not_wait_for_money_gets_none(shop: Shop) -> None:
    checkout_id = shop.reserved(KIM)
    shop.prices.closed.add("con_kim")
    with pytest.raises(NotPayable):
        shop.capture(checkout_id, KIM)
    assert shop.bank.asked == []


def test_a_checkout_is_paid_by_its_owner(shop: Shop) -> None:
    checkout_id = shop.reserved(KIM)
    for unknown in (checkout_id, "chk_nobody", "x" * 5_000):
        with pytest.raises(UnknownCheckout):
            shop.capture(unknown, LEE)
    assert shop.bank.asked == []


def test_nothing_to_pay_asks_no_bank(shop: Shop) -> None:
    all_of_it = replace(TEN_PERCENT_OFF, value=100, min_order=0, max_discount=None)
    _, (coupon,) = shop.with_coupons(KIM, terms=all_of_it)
    checkout_id = shop.reserve(coupon, KIM, "k1").value.checkout_id
    done = shop.capture(checkout_id, KIM)
    assert (done.value.state, done.value.payable, done.value.payment_id) == (State.CAPTURED, 0, None)
    assert shop.capture(checkout_id, KIM).replayed
    assert shop.bank.asked == []
    other = shop.reserved(KIM, "k2")
    with pytest.raises(BeingPaid):
        shop.capture(other, KIM)
    assert [fact.data["paid"] for fact in shop.facts() if fact.type == "CheckoutCaptured"] == [0]


# --- when nobody answers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("silence", ["deaf", "mute"])
def test_without_an_answer_it_is_on_its_way_until_the_sweep_knows(
    shop: Shop, clock: Hands, silence: str
) -> None:
    checkout_id = shop.reserved(KIM)
    setattr(shop.bank, silence, True)
    assert shop.capture(checkout_id, KIM).value.state is State.CAPTURING
    assert shop.capture(checkout_id, KIM).value.state is State.CAPTURING
    assert shop.checkout.sweep().found == 0
    clock.move(minutes=1)
    assert (shop.checkout.sweep().claimed, shop.checkout.sweep().found) == (1, 0)
    setattr(shop.bank, silence, False)
    clock.move(minutes=2)
    assert shop.checkout.sweep().claimed == 1
    assert shop.checkout.checkout(checkout_id, KIM).state is State.CAPTURED
    assert shop.bank.kept == FEE
    assert shop.said() == ["CheckoutReserved", "CheckoutCaptured"]
    clock.move(days=9)
    assert shop.checkout.sweep().found == 0


def test_a_retry_settles_it_before_the_sweep(shop: Shop) -> None:
    checkout_id = shop.reserved(KIM)
    shop.bank.mute = True
    shop.capture(checkout_id, KIM)
    shop.bank.mute = False
    for key in ("c1", "other key"):
        assert shop.capture(checkout_id, KIM, key=key).value.state is State.CAPTURED
    assert shop.bank.asked == ["charge", "find"]


def test_another_card_waits_until_the_first_is_known(shop: Shop) -> None:
    checkout_id = shop.reserved(KIM)
    shop.bank.mute = True
    shop.capture(checkout_id, KIM, EMPTY)
    assert shop.capture(checkout_id, KIM, OTHER, key="c2").value.state is State.CAPTURING
    shop.bank.mute = False
    with pytest.raises(CardDeclined):
        shop.capture(checkout_id, KIM, OTHER, key="c2")
    assert shop.capture(checkout_id, KIM, OTHER, key="c2").value.state is State.CAPTURED
    assert shop.bank.kept == FEE


def test_the_sweep_asks_a_silent_bank_less_and_less_often(shop: Shop, clock: Hands) -> None:
    shop.bank.deaf = True
    shop.payments.charge("chg_1", FEE, GOOD, "monthly fee")
    waits = []
    for _ in range(8):
        payment = shop.payments.find("chg_1")
        assert payment
        assert payment.due_at
        waits.append(payment.due_at - clock())
        clock.at = payment.due_at
        assert shop.checkout.sweep().claimed == 1
    minutes = [1, 2, 4, 8, 16, 32, 60, 60]
    assert waits == [timedelta(minutes=minute) for minute in minutes]


def test_sweeps_at_once_take_each_payment_once(shop: Shop, clock: Hands) -> None:
    shop.bank.deaf = True
    for name in (KIM, LEE):
        shop.capture(shop.reserved(name), name)
    shop.bank.deaf = False
    clock.move(minutes=1)
    with ThreadPoolExecutor(4) as hands:
        claimed = sum(hands.map(lambda _: shop.checkout.sweep().claimed, range(4)))
    assert claimed == 2
    assert shop.bank.kept == 2 * FEE


# --- what is kept, and said --------------------------------------------------------------------------------


def test_the_card_token_is_kept_only_while_it_is_needed(shop: Shop) -> None:
    checkout_id = shop.reserved(KIM)
    shop.bank.mute = True
    payment_id = shop.capture(checkout_id, KIM).value.payment_id
    assert payment_id
    waiting = shop.payments.find(payment_id)
    assert waiting
    assert (waiting.state, waiting.card_token) == (PaymentState.UNKNOWN, GOOD)
    shop.bank.mute = False
    shop.capture(checkout_id, KIM)
    paid = shop.payments.find(payment_id)
    assert paid
    assert (paid.state, paid.card_token, paid.due_at, paid.left) == (PaymentState.PAID, None, None, FEE)
    assert all(GOOD not in fact.json() for fact in shop.facts())


def test_the_published_facts_are_the_samples(shop: Shop) -> None:
    contract_id = "con_30tmyxbq4sj2sfc1m7018mhayt"
    shop.prices.fees[contract_id, "kim"] = FEE
    checkout_id = shop.checkout.reserve(order_of(ref=contract_id), KIM, "k1").value.checkout_id
    with pytest.raises(CardDeclined):
        shop.capture(checkout_id, KIM, EMPTY, key="c0")
    done = shop.capture(checkout_id, KIM, key="c1").value
    _, declined, captured = shop.facts()
    for fact in (declined, captured):
        sample = json.loads((ROOT / f"events/facts/{fact.type}.json").read_text())
        assert replace(fact, id=sample["id"]).envelope() == sample
    assert declined.data_as(CheckoutDeclined) == CheckoutDeclined(checkout_id, "limit")
    items = [CapturedItem("contract_fee", contract_id, FEE, "kona")]
    assert captured.data_as(CheckoutCaptured) == CheckoutCaptured(
        checkout_id, "order-1", "kim", None, items, 0, 0, FEE, done.payment_id
    )


@pytest.mark.parametrize("table", [CHECKOUTS, PAYMENTS, REFUNDS])
def test_every_state_is_reached_and_every_payment_can_end(table: object) -> None:
    assert table.reachable(table.rows[0][0]) == table.states  # type: ignore[attr-defined]
    for state in table.states:  # type: ignore[attr-defined]
        assert table.reachable(state) & table.ends  # type: ignore[attr-defined]
