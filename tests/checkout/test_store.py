"""What the table itself refuses, whoever asks: each condition alone, on DynamoDB."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from chalicelib.checkout.model import (
    BeingPaid,
    Checkout,
    Event,
    GivenBack,
    Item,
    Kind,
    Line,
    MovedOn,
    Parts,
    Payment,
    PaymentState,
    ReservationExpired,
    State,
    opened,
    promised,
)
from chalicelib.checkout.store import CheckoutStore, PaymentStore
from chalicelib.kernel.tables import AllOrNothing
from tests.conftest import NOON, Hands

FEE = 460_000


@pytest.fixture
def store(dynamodb: Any) -> CheckoutStore:
    return CheckoutStore()


def reserved(store: CheckoutStore, name: str = "chk", ref: str = "con") -> Checkout:
    line = Line(Item(Kind.CONTRACT_FEE, ref), FEE, "kona")
    checkout = Checkout(name, "kim", "o1", (line,), None, 0, (), "request", NOON, NOON)
    return _written(checkout, lambda write: store.add(write, checkout))


def capturing(store: CheckoutStore, before: Checkout, payment_id: str = "pay_1") -> Checkout:
    after = before.capturing(payment_id, NOON)
    return _written(after, lambda write: store.claim(write, after, NOON))


def settled(store: CheckoutStore, before: Checkout, after: Checkout) -> Checkout:
    return _written(after, lambda write: store.settle(write, before, after))


def refunded(store: CheckoutStore, before: Checkout, after: Checkout) -> Checkout:
    return _written(after, lambda write: store.refund(write, before, after))


def _written(after: Checkout, add: Callable[[AllOrNothing], None]) -> Checkout:
    write = AllOrNothing()
    add(write)
    write.commit()
    return after


def payment(payment_id: str = "pay_1") -> Payment:
    return opened(payment_id, FEE, "tok", "fee", NOON)


def test_a_record_is_found_again_as_it_was_left(store: CheckoutStore) -> None:
    before = reserved(store)
    back = GivenBack("r1", 1_000, Parts(1_000, 0, 0), NOON, 0, "req", "late")
    taken = capturing(store, before)
    paid = settled(store, taken, taken.settled(payment().paid("ref"), NOON))
    after = refunded(store, paid, paid.refunded(back))
    assert store.checkout("chk") == after
    assert store.records(["chk", "chk_nobody"]) == [after]
    assert store.records([]) == []
    assert store.claimed_by(before.items[0].item) == "chk"


def test_what_is_seen_too_late_cannot_be_given_back(store: CheckoutStore) -> None:
    before = reserved(store)
    gone = settled(store, before, before.released(Event.CANCEL, NOON, None))
    for stale in (before, capturing(store, reserved(store, "chk_2"))):
        late = replace(stale, checkout_id="chk")
        with pytest.raises(MovedOn):
            settled(store, late, late.released(Event.EXPIRE, NOON, None))
    assert store.checkout("chk") == gone


def test_only_the_payment_it_waits_for_settles_it(store: CheckoutStore) -> None:
    first = capturing(store, reserved(store))
    free = settled(store, first, first.settled(payment().declined("limit"), NOON))
    assert store.claimed_by(first.items[0].item) is None
    second = capturing(store, free, "pay_2")
    with pytest.raises(MovedOn):
        settled(store, first, first.settled(payment().paid("ref"), NOON))
    assert store.checkout("chk") == second


def test_a_claim_is_its_own_checkouts(store: CheckoutStore) -> None:
    first = capturing(store, reserved(store))
    with pytest.raises(BeingPaid):
        capturing(store, reserved(store, "chk_2"), "pay_2")
    other = reserved(store, "chk_3", "con_3")
    stolen = replace(capturing(store, other, "pay_3"), items=first.items)
    with pytest.raises(MovedOn):
        settled(store, stolen, stolen.released(Event.EXPIRE, NOON, None))
    assert store.claimed_by(first.items[0].item) == "chk"


def test_a_reservation_is_claimed_once_and_in_its_time(store: CheckoutStore, clock: Hands) -> None:
    before = reserved(store)
    clock.move(minutes=15)
    after = before.capturing("pay_1", clock())
    with pytest.raises(ReservationExpired):
        _written(after, lambda write: store.claim(write, after, clock()))
    capturing(store, before)
    with pytest.raises(MovedOn):
        capturing(store, before, "pay_2")


def test_a_refund_stands_on_the_refunds_it_has_seen(store: CheckoutStore) -> None:
    taken = capturing(store, reserved(store))
    paid = settled(store, taken, taken.settled(payment().paid("ref"), NOON))
    one, other = (paid.refunded(GivenBack(name, 1, Parts(1, 0, 0), NOON)) for name in ("r1", "r2"))
    first = refunded(store, paid, one)
    with pytest.raises(MovedOn):
        refunded(store, paid, other)
    with pytest.raises(MovedOn):
        refunded(store, replace(first, state=State.REFUNDED), other)
    assert store.checkout("chk") == one


def test_a_timer_is_moved_only_where_it_was_seen(store: CheckoutStore) -> None:
    before = reserved(store)
    later = replace(before, due_at=before.expires_at)
    for stale in (replace(before, due_at=before.expires_at), replace(before, state=State.CAPTURING)):
        with pytest.raises(MovedOn):
            store.rearm(stale, later)
    store.rearm(before, later)
    assert store.checkout("chk") == later


# --- payments and refunds ----------------------------------------------------------------------------------


@pytest.fixture
def payments(dynamodb: Any) -> PaymentStore:
    """With one that waits for its answer."""
    store = PaymentStore()
    _committed(lambda write: store.open(write, payment()))
    return store


def _committed(add: Callable[[AllOrNothing], None]) -> None:
    write = AllOrNothing()
    add(write)
    write.commit()


def test_a_payment_that_has_ended_does_not_end_again_and_is_not_left(payments: PaymentStore) -> None:
    _committed(lambda write: payments.leave(write, payment().unwanted(NOON)))
    _committed(lambda write: payments.settle(write, payment().declined("limit")))
    for late in (
        lambda write: payments.settle(write, payment().paid("ref")),
        lambda write: payments.leave(write, payment().unwanted(NOON)),
    ):
        with pytest.raises(MovedOn):
            _committed(late)
    found = payments.payment("pay_1")
    assert found
    assert (found.state, found.reason, found.due_at) == (PaymentState.DECLINED, "limit", None)


def test_a_timer_rings_only_as_it_was_seen(payments: PaymentStore) -> None:
    seen = payment()
    for stale in (replace(seen, state=PaymentState.UNKNOWN), seen.rung_at(NOON)):
        with pytest.raises(MovedOn):
            payments.mark(stale, seen.rung_at(NOON))
    _committed(lambda write: payments.settle(write, seen.paid("ref")))
    back = promised("pay_1", "ref_1", 1_000, NOON)
    _committed(lambda write: payments.promise(write, back, drawn=False))
    with pytest.raises(MovedOn):
        payments.mark_refund(back.rung_at(NOON), back.rung_at(NOON).rung_at(NOON))
    payments.mark_refund(back, back.rung_at(NOON))
    assert payments.refund("pay_1", "ref_1") == back.rung_at(NOON)


def test_what_the_bank_refused_is_left_once(payments: PaymentStore) -> None:
    _committed(lambda write: payments.settle(write, payment().paid("ref")))
    back = promised("pay_1", "ref_1", 1_000, NOON)
    _committed(lambda write: payments.promise(write, back, drawn=False))
    _committed(lambda write: payments.end(write, back, back.refused("REFUND_REJECTED")))
    for late in (
        lambda write: payments.end(write, back, back.refused("REFUND_REJECTED")),
        lambda write: payments.end(write, back, back.done()),
    ):
        with pytest.raises(MovedOn):
            _committed(late)
    found = payments.payment("pay_1")
    assert found
    assert found.left == FEE
