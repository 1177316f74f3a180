"""An unpaid charge: asked for again, then blocked, then let go; on memory and on DynamoDB."""

import pytest

from chalicelib.billing.model import DUNNING, Billing, CardDeclined, Ledger, NoAccount
from chalicelib.kernel.auth import Caller
from chalicelib.kernel.errors import KeyReused, NotFound
from tests.billing.conftest import World
from tests.billing.examples import FEE, KIM, activated, paid

CUSTOMER = Caller("kim")

LADDER = [
    # day  state         attempts
    (0, "past_due", 1),
    (1, "past_due", 2),
    (3, "past_due", 3),
    (7, "past_due", 4),
    (13, "past_due", 4),
    (14, "blocked", 4),
    (43, "blocked", 4),
    (44, "closed", 4),
    (60, "closed", 4),
]


@pytest.fixture
def overdue(world: World) -> World:
    """The first charge of the card has just been declined."""
    world.hear(paid(months=6), activated())
    world.gateway.declining.add("tok_good")
    world.tick(days=31)
    return world


def change(world: World, token: str, key: str = "k1") -> str:
    return world.service.change_card(KIM, token, f"body {token}", by=CUSTOMER, key=key).value.state


def test_the_ladder_of_a_declined_charge(overdue: World) -> None:
    day = 0
    for upto, state, attempts in LADDER:
        overdue.tick(days=upto - day)
        day = upto
        assert (overdue.book.account.state, len(overdue.gateway.declined)) == (state, attempts), upto
    assert overdue.said("BillingBlocked") == ["BillingBlocked"]
    assert overdue.said("ChargeFailed") == ["ChargeFailed"] * 4
    assert overdue.gateway.charged == {}
    assert (overdue.balance(), overdue.balance(Ledger.BAD_DEBT)) == (0, FEE)
    assert overdue.book.account.due_at is None


def test_after_an_outage_each_rung_is_made_up_for_once(overdue: World) -> None:
    overdue.tick(days=60)
    assert overdue.book.account.state is Billing.CLOSED
    assert len(overdue.gateway.declined) == 4
    assert overdue.book.account.rung == 1 + len(DUNNING)


def test_a_retry_that_is_paid_brings_it_back_to_current(overdue: World) -> None:
    overdue.gateway.declining.clear()
    overdue.days(1)
    assert overdue.book.account.state is Billing.CURRENT
    assert overdue.gateway.charged == {"con_kim-1-2": (FEE, "tok_good")}
    overdue.tick(days=30)
    assert list(overdue.gateway.charged) == ["con_kim-1-2", "con_kim-2-1"]


@pytest.mark.parametrize("days", [0, 5, 20])
def test_a_new_card_brings_it_back_at_once(overdue: World, days: int) -> None:
    overdue.days(days)
    assert change(overdue, "tok_new") == Billing.CURRENT
    assert [token for _, token in overdue.gateway.charged.values()] == ["tok_new"]
    assert overdue.gateway.taken == FEE
    overdue.days(3)
    assert overdue.gateway.taken == FEE


def test_a_new_card_that_is_declined_changes_nothing(overdue: World) -> None:
    before = overdue.book
    with pytest.raises(CardDeclined):
        change(overdue, "tok_bad")
    assert overdue.book == before
    overdue.gateway.declining.remove("tok_good")
    overdue.days(1)
    assert [token for _, token in overdue.gateway.charged.values()] == ["tok_good"]


def test_a_verified_card_without_money_leaves_it_overdue(overdue: World) -> None:
    assert change(overdue, "tok_empty") == Billing.PAST_DUE
    overdue.tick(days=44)
    assert (overdue.book.account.state, overdue.gateway.charged) == (Billing.CLOSED, {})


def test_a_change_of_card_that_is_asked_twice_is_made_once(overdue: World) -> None:
    first = overdue.service.change_card(KIM, "tok_new", "body", by=CUSTOMER, key="k1")
    again = overdue.service.change_card(KIM, "tok_new", "body", by=CUSTOMER, key="k1")
    assert (first.replayed, again.replayed, first.value) == (False, True, again.value)
    assert overdue.said("PaymentMethodChanged") == ["PaymentMethodChanged"]
    with pytest.raises(KeyReused):
        overdue.service.change_card(KIM, "tok_third", "another body", by=CUSTOMER, key="k1")


def test_a_change_of_card_is_answered_again_when_the_account_is_closed(overdue: World) -> None:
    overdue.service.change_card(KIM, "tok_empty", "body", by=CUSTOMER, key="k1")
    overdue.tick(days=50)
    again = overdue.service.change_card(KIM, "tok_empty", "body", by=CUSTOMER, key="k1")
    assert (again.replayed, again.value.state) == (True, Billing.CLOSED)
    with pytest.raises(NoAccount):
        change(overdue, "tok_new", key="k2")


def test_another_customers_card_cannot_be_changed(overdue: World) -> None:
    with pytest.raises(NotFound):
        overdue.service.change_card(KIM, "tok_new", "body", by=Caller("lee"), key="k1")


def test_a_contract_that_is_not_paid_has_no_card_to_change(world: World) -> None:
    with pytest.raises(NoAccount):
        change(world, "tok_new")


def test_a_card_may_be_changed_in_good_times(world: World) -> None:
    world.hear(paid(), activated())
    assert change(world, "tok_new") == Billing.CURRENT
    world.tick(days=31)
    assert world.gateway.charged == {"con_kim-1-1": (FEE, "tok_new")}


def test_a_contract_whose_card_nobody_knows_is_dunned(world: World) -> None:
    world.contracts.tokens[KIM] = None  # type: ignore[assignment]
    world.hear(paid(), activated())
    world.tick(days=31)
    assert (world.book.account.state, world.gateway.calls) == (Billing.PAST_DUE, [])
    assert change(world, "tok_new") == Billing.CURRENT


def test_no_fact_and_no_history_shows_the_card(overdue: World) -> None:
    change(overdue, "tok_new")
    assert not any("tok_" in fact.json() for fact in overdue.facts())
