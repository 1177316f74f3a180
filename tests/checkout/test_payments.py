"""Money taken and given back under an id that happens once: what billing leans on."""

from datetime import timedelta

import pytest

from chalicelib.checkout.model import (
    CardDeclined,
    NotRefundable,
    PaymentDiffers,
    PaymentState,
    RefundState,
    Unanswered,
)
from tests.checkout.bank import EMPTY, GOOD, OTHER, VISA
from tests.checkout.conftest import Shop
from tests.conftest import Hands

MONTH = 460_000


def charge(shop: Shop, payment_id: str = "chg_1", card_token: str = GOOD) -> PaymentState:
    return shop.payments.charge(payment_id, MONTH, card_token, "monthly fee").state


def test_a_payment_is_taken_once_however_often_it_is_asked_for(shop: Shop) -> None:
    assert [charge(shop) for _ in range(3)] == [PaymentState.PAID] * 3
    assert shop.bank.charges == {"chg_1": MONTH}
    assert shop.bank.asked == ["charge"]


def test_another_payment_is_another_charge(shop: Shop) -> None:
    assert (charge(shop, "chg_1"), charge(shop, "chg_2")) == (PaymentState.PAID, PaymentState.PAID)
    assert shop.bank.kept == 2 * MONTH


def test_a_payment_of_one_name_has_one_amount(shop: Shop) -> None:
    charge(shop)
    with pytest.raises(PaymentDiffers):
        shop.payments.charge("chg_1", MONTH + 1, GOOD, "monthly fee")


def test_a_declined_payment_stays_declined_and_says_why(shop: Shop) -> None:
    for card_token in (EMPTY, GOOD):
        payment = shop.payments.charge("chg_1", MONTH, card_token, "monthly fee")
        assert (payment.state, payment.reason) == (PaymentState.DECLINED, "limit")
    assert shop.bank.kept == 0


@pytest.mark.parametrize("silence", ["deaf", "mute"])
def test_an_unknown_payment_asked_for_again_is_settled_without_a_second_charge(
    shop: Shop, silence: str
) -> None:
    setattr(shop.bank, silence, True)
    assert [charge(shop) for _ in range(2)] == [PaymentState.UNKNOWN] * 2
    setattr(shop.bank, silence, False)
    assert charge(shop) is PaymentState.PAID
    assert shop.bank.charges == {"chg_1": MONTH}


def test_an_unknown_payment_nobody_asks_for_is_settled_by_the_sweep(shop: Shop, clock: Hands) -> None:
    shop.bank.mute = True
    charge(shop)
    shop.bank.mute = False
    clock.move(minutes=1)
    assert shop.checkout.sweep().claimed == 1
    assert charge(shop) is PaymentState.PAID
    assert shop.facts() == []


def test_what_the_gateway_never_takes_comes_to_nothing_in_the_end(shop: Shop, clock: Hands) -> None:
    """The last time it is sent is an hour before it is given up: nothing can arrive after that."""
    shop.bank.broken = True
    charge(shop)
    sent = []
    for _ in range(7):
        payment = shop.payments.find("chg_1")
        assert payment
        assert payment.due_at
        clock.at = payment.due_at
        shop.bank.asked.clear()
        shop.checkout.sweep()
        sent.append("charge" in shop.bank.asked)
    assert sent == [True] * 5 + [False] * 2
    payment = shop.payments.charge("chg_1", MONTH, GOOD, "monthly fee")
    assert (payment.state, payment.reason) == (PaymentState.DECLINED, "no_answer")
    assert shop.bank.kept == 0


def test_the_oldest_that_waits_is_known_to_the_sweep(shop: Shop, clock: Hands) -> None:
    shop.bank.deaf = True
    charge(shop)
    due = clock() + timedelta(minutes=1)
    clock.move(hours=3)
    assert shop.checkout.sweep().oldest == due


# --- giving back -------------------------------------------------------------------------------------------


def test_parts_go_back_each_once_and_never_more_than_was_paid(shop: Shop) -> None:
    charge(shop)
    for _ in range(2):
        assert shop.payments.refund("chg_1", "ref_1", 400_000).state is RefundState.DONE
    with pytest.raises(NotRefundable):
        shop.payments.refund("chg_1", "ref_2", 60_001)
    assert shop.payments.refund("chg_1", "ref_2", 60_000).state is RefundState.DONE
    assert shop.bank.kept == 0


def test_a_refund_of_one_name_has_one_amount(shop: Shop) -> None:
    charge(shop)
    shop.payments.refund("chg_1", "ref_1", 1_000)
    with pytest.raises(PaymentDiffers):
        shop.payments.refund("chg_1", "ref_1", 2_000)


@pytest.mark.parametrize("card_token", [EMPTY, GOOD])
def test_what_was_not_paid_does_not_go_back(shop: Shop, card_token: str) -> None:
    shop.bank.mute = card_token == GOOD
    charge(shop, card_token=card_token)
    for unpaid in ("chg_1", "chg_nobody"):
        with pytest.raises(NotRefundable):
            shop.payments.refund(unpaid, "ref_1", 1)
    assert not shop.bank.refunds


@pytest.mark.parametrize("silence", ["deaf", "mute"])
def test_a_refund_without_an_answer_is_asked_for_until_there_is_one(
    shop: Shop, clock: Hands, silence: str
) -> None:
    charge(shop)
    setattr(shop.bank, silence, True)
    assert shop.payments.refund("chg_1", "ref_1", 1_000).state is RefundState.PENDING
    clock.move(minutes=1)
    assert shop.checkout.sweep().claimed == 1
    setattr(shop.bank, silence, False)
    clock.move(minutes=2)
    assert (shop.checkout.sweep().claimed, shop.bank.refunds) == (1, {"ref_1": 1_000})
    assert shop.payments.refund("chg_1", "ref_1", 1_000).state is RefundState.DONE
    clock.move(days=1)
    assert shop.checkout.sweep().found == 0


def test_a_refused_refund_says_so_and_is_left_to_be_given_back_otherwise(shop: Shop) -> None:
    charge(shop)
    shop.bank.gives_nothing_back = True
    refund = shop.payments.refund("chg_1", "ref_1", MONTH)
    assert (refund.state, refund.reason) == (RefundState.REFUSED, "REFUND_REJECTED")
    shop.bank.gives_nothing_back = False
    assert shop.payments.refund("chg_1", "ref_1", MONTH).state is RefundState.REFUSED
    assert shop.payments.refund("chg_1", "ref_2", MONTH).state is RefundState.DONE


# --- can this card pay? ------------------------------------------------------------------------------------


def test_a_card_is_verified_by_a_hundred_won_that_go_back_at_once(shop: Shop) -> None:
    for _ in range(2):
        assert shop.payments.verify(GOOD) == VISA
    assert (list(shop.bank.charges.values()), shop.bank.kept) == ([100], 0)


def test_a_card_that_cannot_pay_is_not_verified(shop: Shop) -> None:
    with pytest.raises(CardDeclined):
        shop.payments.verify(EMPTY)


def test_a_card_is_verified_anew_each_day(shop: Shop, clock: Hands) -> None:
    shop.payments.verify(GOOD)
    shop.payments.verify(OTHER)
    clock.move(days=1)
    shop.payments.verify(GOOD)
    assert (len(shop.bank.charges), shop.bank.kept) == (3, 0)


def test_a_verification_that_broke_off_gives_the_hundred_won_back_by_itself(shop: Shop, clock: Hands) -> None:
    shop.bank.mute = True
    with pytest.raises(Unanswered):
        shop.payments.verify(GOOD)
    assert shop.bank.kept == 100
    shop.bank.mute = False
    for _ in range(2):
        clock.move(minutes=2)
        shop.checkout.sweep()
    assert shop.bank.kept == 0
