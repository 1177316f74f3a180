"""The life of a certificate, and codes."""

import itertools
from datetime import timedelta

import pytest

from chalicelib.devices.model import LIFE, Certificate, Event, Order, Role, State, Unit, Verdict, Why
from chalicelib.kernel.states import IllegalMove
from tests.conftest import NOON
from tests.devices.world import CAR, SERIAL, certificate

MADE = Certificate(certificate(1), SERIAL, NOON)


@pytest.mark.parametrize(("state", "event"), [*itertools.product(State, Event)])
def test_a_certificate_takes_only_the_steps_of_the_table(state: State, event: Event) -> None:
    known = Certificate(certificate(1), SERIAL, NOON, state)
    if LIFE.allows(state, event):
        assert known.after(event, NOON, Why.STOLEN).state is LIFE.after(state, event)
    else:
        with pytest.raises(IllegalMove):
            known.after(event, NOON)


def test_every_state_is_reached_and_every_certificate_can_end() -> None:
    assert LIFE.reachable(State.MADE) == set(State)
    assert LIFE.ends == {State.REVOKED}
    assert all(LIFE.choices(state, Role.OPS) for state in set(State) - LIFE.ends)


@pytest.mark.parametrize("event", [Event.REPLACED, Event.WITHDRAWN])
def test_a_certificate_that_has_ended_never_comes_into_force(event: Event) -> None:
    unit = Unit(CAR, SERIAL, None, (MADE.after(event, NOON, Why.STOLEN),))
    assert unit.connected(certificate(1), NOON) == (unit, Verdict.KNOWN)
    assert unit.connected(certificate(1), NOON + timedelta(seconds=1)) == (unit, Verdict.ENDED)


def test_a_late_first_connection_of_an_older_certificate_retires_nothing_newer() -> None:
    unit = Unit(CAR, SERIAL, None, (MADE, Certificate(certificate(2), SERIAL, NOON)))
    after, verdict = unit.connected(certificate(1), NOON)
    assert (verdict, [each.state for each in after.certificates]) == (
        Verdict.FIRST,
        [State.IN_FORCE, State.MADE],
    )


def test_a_code_has_128_bits_and_belongs_to_one_order() -> None:
    orders = [Order(f"enr_{number}", CAR, SERIAL, NOON + timedelta(hours=1)) for number in range(2)]
    first, second = (order.code("secret") for order in orders)
    assert first != second
    assert len(first) * 5 >= 128
    assert first == orders[0].code("secret") != orders[0].code("another secret")


def test_a_unit_stays_small_however_often_its_certificate_changes() -> None:
    unit = Unit(CAR, SERIAL)
    for number in range(1, 51):
        unit = Unit(
            CAR, SERIAL, None, (*unit.certificates, Certificate(certificate(number), SERIAL, NOON)), unit.head
        )
        unit, _ = unit.connected(certificate(number), NOON)
        for each in unit.certificates:
            unit = unit.closed(each.certificate_id, NOON)
    assert len(unit.certificates) < 12
    assert unit.certificates[-1].state is State.IN_FORCE
