"""Whatever breaks off where: a charge is taken once, a refund is given once; on memory and on DynamoDB."""

import contextlib
from typing import Any

import pytest

from chalicelib.billing.model import Billing, Ledger
from tests.billing.conftest import World, memory_world
from tests.billing.examples import FEE, START, activated, cancelled, paid, told
from tests.conftest import Hands


@pytest.mark.parametrize("after", [True, False], ids=["money moved", "never arrived"])
def test_a_charge_whose_answer_is_lost_is_asked_for_again_under_its_id(world: World, after: bool) -> None:
    world.hear(paid(), activated())
    world.gateway.silent, world.gateway.after = 3, after
    world.tick(days=31)
    assert world.balance() == FEE
    for _ in range(5):
        world.tick(minutes=5)
    assert world.gateway.calls == ["con_kim-1-1"] * 4
    assert (world.gateway.taken, world.balance()) == (FEE, 0)
    assert world.said("ChargePaid", "ChargeFailed") == ["ChargePaid"]


class Breaking:
    """Breaks off at the `at`th call of anything, before it or after it."""

    def __init__(self, world: World, at: int, after: bool) -> None:
        self.left, self.after = at, after
        self.store, self.gateway = world.store, world.gateway

    def wrap(self, inner: Any) -> Any:
        outer = self

        class Wrapped:
            def __getattr__(self, name: str) -> Any:
                method = getattr(inner, name)
                return lambda *args: outer.through(method, *args)

        return Wrapped()

    def through(self, method: Any, *args: Any) -> Any:
        self.left -= 1
        if self.left == 0 and not self.after:
            raise ConnectionError
        answer = method(*args)
        if self.left == 0:
            raise ConnectionError
        return answer


@pytest.mark.parametrize("after", [True, False], ids=["after", "before"])
@pytest.mark.parametrize("at", range(1, 25))
def test_a_sweep_that_breaks_off_at_any_call_charges_once(clock: Hands, at: int, after: bool) -> None:
    world = memory_world(clock)
    world.hear(paid(), activated())
    world.clock.move(days=31)
    breaking = Breaking(world, at, after)
    store, gateway = world.store, world.gateway
    world.store, world.gateway = breaking.wrap(store), breaking.wrap(gateway)
    with contextlib.suppress(ConnectionError):
        world.service.sweep()
    world.store, world.gateway = store, gateway
    world.tick(minutes=6)
    assert world.gateway.charged == {"con_kim-1-1": (FEE, "tok_good")}
    assert (world.balance(), world.said("ChargePaid")) == (0, ["ChargePaid"])


def test_sweeps_at_the_same_time_ask_once(world: World) -> None:
    world.hear(paid(), activated())
    world.clock.move(days=31)
    seen = world.store.book("con_kim")

    class Stale:
        """A sweep that read the account before another one rang it."""

        def __getattr__(self, name: str) -> Any:
            return (lambda contract_id: seen) if name == "book" else getattr(store, name)

    store = world.store
    world.tick(minutes=10)
    world.store = Stale()
    assert world.service.ring("con_kim") is False
    assert world.gateway.calls == ["con_kim-1-1"]


def test_an_answer_that_comes_twice_is_booked_once(world: World) -> None:
    world.hear(paid(), activated())
    world.tick(days=31)
    charge = world.book.charges[-1]
    answer = world.gateway.charge(charge.payment_id, charge.amount, "tok_good", charge.what)
    assert world.book.charge_answered(charge, answer, world.clock()) == world.book


def test_a_cancelled_contract_gets_its_money_back_once(world: World) -> None:
    world.hear(paid(), cancelled(START, first_month=FEE))
    world.gateway.silent = 2
    world.tick(minutes=10)
    assert (world.book.account.state, world.said("ContractSettled")) == (Billing.NOT_STARTED, [])
    world.tick(minutes=5)
    world.tick(minutes=5)
    assert world.gateway.refunded == {"con_kim-refund-1": ("pay_1", FEE)}
    assert world.said("RefundPaid", "ContractSettled").count("ContractSettled") == 1
    assert world.book.account.state is Billing.CLOSED
    assert all(world.balance(account) == 0 for account in Ledger if account is not Ledger.CASH)


def test_a_cancellation_heard_of_before_the_payment_pays_back_all_the_same(world: World) -> None:
    world.hear(cancelled(START, first_month=FEE, late_cancellation=-93_000))
    world.tick(minutes=10)
    assert world.gateway.calls == []
    world.hear(paid())
    world.tick(minutes=10)
    assert world.gateway.given_back == FEE - 93_000
    assert world.balance(Ledger.PENALTIES) == -93_000


def test_a_contract_cancelled_without_payment_owes_nothing(world: World) -> None:
    world.hear(cancelled(START))
    world.tick(minutes=10)
    assert (world.gateway.calls, world.book.account.due_at) == ([], None)


def test_what_no_card_takes_back_is_transferred_by_hand_and_never_forgotten(world: World) -> None:
    world.hear(paid(), cancelled(START, first_month=FEE, compensation=93_000))
    world.tick(minutes=10)
    assert world.gateway.refunded == {"con_kim-refund-1": ("pay_1", FEE)}
    assert world.said("TransferDue") == ["TransferDue"]
    world.days(2)
    assert world.said("TransferDue") == ["TransferDue"] * 3
    assert world.said("ContractSettled") == []
    assert not world.service.transferred("con_kim", "con_kim-refund-2").replayed
    assert world.service.transferred("con_kim", "con_kim-refund-2").replayed
    world.days(2)
    assert world.said("TransferDue") == ["TransferDue"] * 3
    assert world.said("ContractSettled") == ["ContractSettled"]
    assert world.balance(Ledger.COMPENSATION) == 93_000


def test_a_refund_the_gateway_refuses_is_transferred_by_hand(world: World) -> None:
    world.gateway.refuses_refunds = True
    world.hear(paid(), cancelled(START, first_month=FEE))
    world.tick(minutes=10)
    assert (world.gateway.refunded, world.said("TransferDue")) == ({}, ["TransferDue"])
    world.service.transferred("con_kim", "con_kim-refund-1")
    assert world.said("ContractSettled") == ["ContractSettled"]


@pytest.mark.parametrize(("before", "by_hand"), [(100_000, False), (100_000, True), (FEE, False)])
def test_what_operations_gave_back_before_is_not_given_back_again(
    world: World, before: int, by_hand: bool
) -> None:
    world.gateway.had_gone_back, world.gateway.refuses_refunds = before, by_hand
    world.hear(paid(), cancelled(START, first_month=FEE))
    world.tick(minutes=10)
    if by_hand:
        world.service.transferred("con_kim", "con_kim-refund-1")
    told = {fact.type: fact.data.get("amount") for fact in world.facts()}
    rest = FEE - before or None
    assert (told.get("TransferDue"), told.get("RefundPaid")) == (rest if by_hand else None, rest)
    assert "ContractSettled" in told
    assert all(world.balance(account) == 0 for account in Ledger if account is not Ledger.CASH)


def test_a_payment_for_nothing_goes_back_in_full(world: World) -> None:
    refused = told("ContractPaymentRefused", amount=FEE, checkout_id="chk_2", payment_id="pay_2")
    world.hear(refused, refused)
    world.tick(minutes=10)
    assert world.gateway.refunded == {"con_kim-refund-1": ("pay_2", FEE)}
    world.hear(paid(), activated())
    world.tick(days=31)
    assert world.gateway.taken == FEE
    assert world.balance() == 0
