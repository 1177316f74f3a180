"""Verification first, then payment, once."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from chalicelib.contracts.model import Captured, NotPayable, UnknownContract
from chalicelib.contracts.service import ContractService
from chalicelib.kernel.facts import Fact
from tests.conftest import Hands
from tests.contracts.examples import FIRST_CAR, KIM, KIM_MINJI, PARK_JUN, Story, asks, paid_checkout
from tests.contracts.memory import Desk

Facts = Callable[[], list[Fact]]


def kinds(facts: Facts) -> list[str]:
    return [fact.type for fact in facts()]


def test_every_named_driver_is_checked_before_anybody_pays(service: ContractService, desk: Desk) -> None:
    story = Story(service)
    assert desk.asked == [KIM_MINJI.licence_no, PARK_JUN.licence_no]
    assert story.now.state == "awaiting_payment"
    assert service.payable(story.id, "kim") == 460_000


@pytest.mark.parametrize("reason", ["no_licence", "suspended", "wrong_class"])
def test_one_driver_who_may_not_drive_ends_the_application(
    service: ContractService, desk: Desk, facts: Facts, reason: str
) -> None:
    desk.refused[PARK_JUN.licence_no] = reason
    story = Story(service)
    assert (story.now.state, story.now.why, story.now.due_at) == ("rejected", reason, None)
    assert facts()[-1].data == {"contract_id": story.id, "reason": reason}
    with pytest.raises(NotPayable):
        service.payable(story.id, "kim")


def test_an_office_that_is_away_does_not_stop_a_customer_from_signing(
    service: ContractService, desk: Desk, facts: Facts, clock: Hands
) -> None:
    desk.away = True
    story = Story(service)
    assert story.now.state == "applied"
    with pytest.raises(NotPayable, match="being verified"):
        service.payable(story.id, "kim")
    assert service.fee(story.id, "kim").amount == 460_000
    clock.move(minutes=30)
    service.sweep()
    clock.move(minutes=30)
    service.sweep()
    assert kinds(facts) == ["ContractSigned", "VerificationOverdue", "VerificationOverdue"]
    desk.away = False
    service.verify(story.id)
    service.verify(story.id)
    assert kinds(facts)[3:] == ["ContractVerified"]


def test_a_slow_office_does_not_keep_a_customer_waiting(
    service: ContractService, desk: Desk, clock: Hands
) -> None:
    desk.slow = lambda: clock.move(seconds=4)
    story = Story(service)
    assert (story.now.state, desk.asked) == ("applied", [KIM_MINJI.licence_no])
    service.verify(story.id)
    assert story.now.state == "awaiting_payment"


def test_nobody_verified_within_a_day_is_an_end(service: ContractService, desk: Desk, clock: Hands) -> None:
    desk.away = True
    story = Story(service)
    for _ in range(2):
        clock.move(hours=24)
        service.sweep()
    assert story.now.state == "expired"
    desk.away = False
    service.verify(story.id)
    assert story.now.state == "expired"


def test_a_captured_checkout_pays_its_contract(service: ContractService, facts: Facts) -> None:
    story = Story(service)
    service.captured(paid_checkout(story.id, 455_000))
    assert story.now.state == "confirmed"
    assert facts()[-1].data == {
        "contract_id": story.id,
        "checkout_id": "chk_1",
        "payment_id": "pay_chk_1",
        "customer_id": "kim",
        "handover_at": "2026-03-16T03:00:00.000000Z",
        "monthly_fee": 460_000,
        "months": 6,
        "amount": 455_000,
    }
    with pytest.raises(NotPayable, match="is paid"):
        service.payable(story.id, "kim")
    with pytest.raises(NotPayable):
        service.fee(story.id, "kim")


def test_the_same_payment_heard_twice_is_one(service: ContractService, facts: Facts) -> None:
    story = Story(service).confirmed()
    for _ in range(3):
        service.captured(paid_checkout(story.id))
    assert kinds(facts) == ["ContractSigned", "ContractVerified", "ContractPaid"]


def test_no_contract_is_paid_twice_and_the_second_payment_goes_back_once(
    service: ContractService, facts: Facts
) -> None:
    story = Story(service).confirmed()
    for _ in range(3):
        service.captured(paid_checkout(story.id, 400_000, checkout_id="chk_2"))
    assert kinds(facts)[3:] == ["ContractPaymentRefused"]
    assert facts()[-1].data == {
        "contract_id": story.id,
        "checkout_id": "chk_2",
        "payment_id": "pay_chk_2",
        "amount": 400_000,
    }


@pytest.mark.parametrize("how", ["cancelled", "expired"])
def test_a_payment_that_comes_too_late_goes_back(
    service: ContractService, facts: Facts, clock: Hands, how: str
) -> None:
    story = Story(service)
    if how == "cancelled":
        service.cancel(story.id, asks("cancel"))
    else:
        clock.move(hours=48)
        service.sweep()
    assert story.now.state == how
    service.captured(paid_checkout(story.id))
    assert facts()[-1].type == "ContractPaymentRefused"
    assert story.now.state == how


def test_shares_of_one_payment_add_up_to_it() -> None:
    shares = list(Captured("chk", "pay", (("a", 100), ("b", 100), ("c", 100)), paid=100).shares())
    assert [(contract_id, payment.amount) for contract_id, payment in shares] == [
        ("a", 33),
        ("b", 33),
        ("c", 34),
    ]
    free = list(Captured("chk", None, (("a", 0),), paid=0).shares())
    assert [payment.amount for _, payment in free] == [0]


def test_a_contract_paid_by_a_coupon_alone_is_paid(service: ContractService) -> None:
    story = Story(service)
    service.captured(replace(paid_checkout(story.id, 0), payment_id=None))
    assert (story.now.state, story.now.payment is not None) == ("confirmed", True)


def test_prices_are_for_the_owner(service: ContractService) -> None:
    story = Story(service)
    for question in (service.payable, service.fee, service.owned):
        with pytest.raises(UnknownContract):
            question(story.id, "lee")
    service.owned(story.id, "kim")
    assert service.card_token(story.id) == FIRST_CAR.card_token
    assert KIM.id == "kim"
