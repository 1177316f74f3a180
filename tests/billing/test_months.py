"""Months are charged as they begin, each once, and none after the end; on memory and on DynamoDB."""

from datetime import timedelta

from chalicelib.billing.model import Billing, Ledger
from chalicelib.kernel.calendar import months_after
from tests.billing.conftest import World
from tests.billing.examples import FEE, KIM, START, activated, ending, paid, returned, told


def test_the_first_month_was_paid_at_the_checkout_and_nothing_is_due_yet(world: World) -> None:
    world.hear(paid())
    assert (world.balance(Ledger.CASH), world.balance(Ledger.DEFERRED), world.balance()) == (FEE, -FEE, 0)
    assert world.service.standing(KIM) == "not_started"
    assert world.service.standing("con_nobody") == "not_started"
    world.days(3)
    assert world.gateway.calls == []


def test_billing_starts_at_the_later_of_handover_and_first_proven_access(world: World) -> None:
    late = START + timedelta(hours=5)
    world.hear(paid(), activated(START, proven_at=late))
    assert world.book.starts_at == late
    assert (world.book.account.state, world.said()) == (Billing.CURRENT, ["BillingStarted"])


def test_each_month_is_charged_once_as_it_begins(world: World) -> None:
    world.hear(paid(), activated())
    world.tick(days=30)
    assert world.gateway.charged == {}
    world.tick(days=1)
    assert world.gateway.charged == {"con_kim-1-1": (FEE, "tok_good")}
    world.tick(days=1)
    assert len(world.gateway.charged) == 1
    assert world.said("ChargePaid") == ["ChargePaid"]


def test_a_contract_of_three_months_is_charged_for_three_and_never_after(world: World) -> None:
    world.hear(paid(months=3), activated())
    world.tick(days=200)
    assert list(world.gateway.charged) == ["con_kim-1-1", "con_kim-2-1"]
    assert world.gateway.taken == 2 * FEE
    assert world.book.account.due_at is None


def test_months_missed_in_an_outage_are_made_up_for_one_by_one(world: World) -> None:
    world.hear(paid(months=6), activated())
    world.clock.move(days=100)
    assert [world.service.sweep().claimed for _ in range(5)] == [1, 1, 1, 0, 0]
    assert list(world.gateway.charged) == ["con_kim-1-1", "con_kim-2-1", "con_kim-3-1"]


def test_a_coupon_makes_the_first_month_cheaper_and_no_other(world: World) -> None:
    world.hear(paid(amount=FEE - 50_000), activated())
    world.tick(days=31)
    assert world.balance(Ledger.CASH) == 2 * FEE - 50_000


def test_a_renewal_is_charged_at_its_own_fee(world: World) -> None:
    world.hear(paid(months=1), activated())
    world.hear(told("ContractRenewed", START + timedelta(days=20), months=2, monthly_fee=290_000))
    world.tick(days=200)
    assert [amount for amount, _ in world.gateway.charged.values()] == [290_000, 290_000]


def test_no_month_is_charged_that_begins_at_the_agreed_end_or_later(world: World) -> None:
    world.hear(paid(months=6), activated())
    ends = months_after(START, 2)
    world.hear(ending(START + timedelta(days=40), ends, early_end=-40_000))
    world.tick(days=200)
    assert list(world.gateway.charged) == ["con_kim-1-1"]


def test_an_end_that_is_taken_back_was_never_owed(world: World) -> None:
    world.hear(paid(months=3), activated())
    world.hear(ending(START + timedelta(days=3), months_after(START, 1), early_end=-62_000))
    assert world.balance() == 62_000
    world.hear(told("ContractUncancelled", START + timedelta(days=5)))
    assert world.balance() == 0
    world.tick(days=31)
    assert world.gateway.charged == {"con_kim-1-1": (FEE, "tok_good")}


def test_nothing_is_charged_once_the_car_is_back(world: World) -> None:
    world.hear(paid(months=6), activated(), returned(START + timedelta(days=20)))
    world.tick(days=200)
    assert world.gateway.charged == {}


def test_what_moving_an_appointment_costs_comes_with_the_next_month(world: World) -> None:
    fee = [{"what": "redispatch", "amount": -30_000}]
    moved = told("AppointmentMoved", lines=fee, refund=0, charge=30_000)
    free = told("AppointmentMoved", START + timedelta(hours=1), lines=[], refund=0, charge=0)
    world.hear(paid(), activated(), moved, moved, free)
    world.tick(days=31)
    assert world.gateway.charged == {"con_kim-1-1": (FEE + 30_000, "tok_good")}


def test_parking_while_locked_out_is_paid_back_without_asking_and_once(world: World) -> None:
    def ended(hour: int, cost: int) -> None:
        at = START + timedelta(hours=hour)
        parked_at = "2026-03-02T03:00:00Z"
        world.hear(told("LockoutEnded", at, parking_cost=cost, appointment_id="apt_1", parked_at=parked_at))

    world.hear(paid(), activated())
    ended(1, 6_000)
    assert world.balance() == -6_000
    ended(3, 4_000)
    ended(2, 9_000)  # late news of an earlier word
    assert world.balance() == -4_000
    world.tick(days=31)
    assert world.gateway.charged == {"con_kim-1-1": (FEE - 4_000, "tok_good")}


def test_less_than_a_card_is_charged_waits_for_the_next_month(world: World) -> None:
    almost = told("LockoutEnded", parking_cost=FEE - 99, appointment_id="apt_1")
    world.hear(paid(months=3), activated(), almost)
    world.tick(days=31)
    assert (world.gateway.charged, world.balance()) == ({}, 99)
    world.tick(days=31)
    assert world.gateway.charged == {"con_kim-2-1": (FEE + 99, "tok_good")}


def test_a_paid_contract_that_does_not_start_is_heard_of_every_day(world: World) -> None:
    world.hear(paid())
    world.tick(days=8)
    assert world.said("BillingStartLate") == []
    world.days(3)
    assert world.said("BillingStartLate") == ["BillingStartLate"] * 3
    assert world.gateway.calls == []
    world.hear(activated(world.clock()))
    world.days(3)
    assert len(world.said("BillingStartLate")) == 3
