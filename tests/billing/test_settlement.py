"""The end of a contract, in amounts: what is left over is given back or asked for, and the ledger is zero."""

from datetime import timedelta

import pytest

from chalicelib.billing.model import Billing, Ledger
from chalicelib.kernel.calendar import months_after
from chalicelib.kernel.facts import Fact
from tests.billing.conftest import World, memory_world
from tests.billing.examples import (
    FEE,
    START,
    activated,
    ending,
    inspected,
    lost,
    paid,
    restored,
    returned,
    told,
)
from tests.conftest import Hands

DAY = timedelta(days=1)
TERM_END = months_after(START, 1)


def broken_off(day: int) -> Fact:
    return ending(START + day * DAY, START + day * DAY, why="breach")


SETTLEMENTS = [
    # what happened in a month of 310,000 (10,000 a day), the car back on day n            back   asked for
    ("as agreed", [], 31, {}, 0, 0),
    ("a scratch of 120,000", [], 31, {"scratch": 120_000}, 0, 120_000),
    ("back five days early", [], 26, {}, 50_000, 0),
    ("back early, with a scratch", [], 26, {"scratch": 20_000}, 30_000, 0),
    ("two days without access", [lost(START + DAY), restored(START + 3 * DAY)], 31, {}, 20_000, 0),
    ("locked out for the last four days", [lost(START + 27 * DAY)], 31, {}, 40_000, 0),
    ("locked out and never back in, back on day 29", [lost(START + 27 * DAY)], 29, {}, 40_000, 0),
    ("broken off on day 10, back on day 11", [broken_off(10)], 11, {}, 200_000, 0),
    ("ten days too late", [], 41, {}, 0, 0),
    ("ten days too late, as charged by the agent", [], 41, {"overdue": 100_000}, 0, 100_000),
]


@pytest.mark.parametrize(("what", "facts", "day", "damage", "back", "asked"), SETTLEMENTS)
def test_a_settlement(
    clock: Hands, what: str, facts: list[Fact], day: int, damage: dict[str, int], back: int, asked: int
) -> None:
    world = memory_world(clock)
    world.hear(paid(months=1), activated(), *facts)
    world.days(day)
    world.hear(returned(START + day * DAY))
    world.hear(inspected(START + (day + 1) * DAY, **damage))
    world.tick(days=2)
    assert (world.gateway.given_back, world.gateway.taken) == (back, asked), what
    assert world.said("ContractSettled") == ["ContractSettled"]
    assert (world.book.account.state, world.book.account.card) == (Billing.CLOSED, None)
    nobody_owes = (Ledger.RECEIVABLE, Ledger.DEFERRED, Ledger.REFUNDS_DUE)
    assert [world.balance(account) for account in nobody_owes] == [0, 0, 0]
    assert world.balance(Ledger.CASH) == FEE - back + asked
    assert sum(world.balance(account) for account in Ledger) == 0


def test_an_early_end_is_paid_with_the_settlement(world: World) -> None:
    world.hear(paid(months=3), activated())
    world.hear(ending(START + 3 * DAY, TERM_END, early_end=-62_000))
    world.tick(days=31)
    assert world.gateway.calls == []
    world.hear(returned(TERM_END), inspected(TERM_END + DAY))
    world.tick(days=1)
    assert world.gateway.charged == {"con_kim-settlement-1": (62_000, "tok_good")}
    assert world.said("ContractSettled") == ["ContractSettled"]


def test_the_inspection_may_be_heard_of_before_the_return(world: World) -> None:
    world.hear(paid(months=1), activated(), inspected(START + 27 * DAY))
    world.tick(days=27)
    assert world.said("ContractSettled") == []
    world.hear(returned(START + 26 * DAY))
    world.tick(minutes=10)
    assert world.gateway.given_back == 50_000


def test_what_comes_back_goes_to_the_payments_it_came_from(world: World) -> None:
    world.hear(paid(months=3), activated())
    world.tick(days=31)
    world.hear(lost(START + DAY), restored(START + 40 * DAY))
    world.hear(broken_off(41), returned(START + 41 * DAY), inspected(START + 42 * DAY))
    world.tick(minutes=10)
    back = world.gateway.refunded
    assert back["con_kim-refund-1"] == ("con_kim-1-1", FEE)
    assert back["con_kim-refund-2"][0] == "pay_1"
    assert world.balance(Ledger.INCOME) == -(10_000 + FEE // 30)  # the first day, and one of the next month


def test_a_settlement_nobody_pays_is_let_go_and_the_contract_closes(world: World) -> None:
    world.hear(paid(months=1), activated(), returned(TERM_END), inspected(TERM_END, scratch=120_000))
    world.gateway.declining.add("tok_good")
    world.tick(days=31)
    assert world.book.account.state is Billing.PAST_DUE
    world.tick(days=45)
    assert (world.book.account.state, world.balance(Ledger.BAD_DEBT)) == (Billing.CLOSED, 120_000)
    assert world.said("ContractSettled") == ["ContractSettled"]


def test_months_that_were_driven_unpaid_are_owed_in_the_end(world: World) -> None:
    world.hear(paid(months=6), activated())
    world.gateway.declining.add("tok_good")
    world.tick(days=31)
    world.tick(days=44)
    assert world.book.account.state is Billing.CLOSED
    world.hear(broken_off(75), returned(START + 75 * DAY), inspected(START + 76 * DAY))
    world.tick(minutes=10)
    assert world.gateway.charged == {}
    assert world.said("ContractSettled") == ["ContractSettled"]
    driven = FEE + FEE + FEE * 14 // 31
    assert world.balance(Ledger.INCOME) == -driven
    assert world.balance(Ledger.BAD_DEBT) == driven - FEE


def test_an_unpaid_month_is_asked_for_with_the_settlement(world: World) -> None:
    world.hear(paid(months=2), activated())
    world.gateway.declining.add("tok_good")
    world.tick(days=31)
    end = START + 32 * DAY
    world.hear(broken_off(32), returned(end), inspected(end, scratch=5_000))
    world.gateway.declining.clear()
    world.days(3)
    one_day = FEE // 30
    assert world.gateway.charged == {"con_kim-1-2": (one_day + 5_000, "tok_good")}
    assert world.said("ContractSettled") == ["ContractSettled"]


def test_a_car_that_never_came_back_is_settled_without_inspection(world: World) -> None:
    world.hear(paid(months=1), activated(), told("ContractTerminated", START + 50 * DAY))
    world.tick(days=50)
    assert (world.gateway.calls, world.said("ContractSettled")) == ([], ["ContractSettled"])


def test_a_gap_heard_of_after_the_settlement_is_paid_back_and_nothing_else_is(world: World) -> None:
    world.hear(paid(months=1), activated(), returned(TERM_END), inspected(TERM_END))
    world.tick(days=31)
    assert world.book.account.state is Billing.CLOSED
    world.hear(lost(START + DAY, said_at=TERM_END), restored(START + 2 * DAY, said_at=TERM_END))
    world.tick(days=1)
    assert world.gateway.given_back == 10_000
    world.hear(told("AppointmentMoved", TERM_END + DAY, lines=[{"what": "redispatch", "amount": -30_000}]))
    world.tick(days=1)
    assert (world.gateway.charged, world.balance()) == ({}, 0)
    assert world.said("ContractSettled") == ["ContractSettled"]
