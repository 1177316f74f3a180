from datetime import timedelta

import pytest

from chalicelib.kernel.states import IllegalMove
from chalicelib.keys.model import (
    JOURNEY,
    ON_THE_WAY,
    SCANS,
    START,
    TIMER_EVENTS,
    ClockWrong,
    Event,
    NotYourScan,
    Position,
    Role,
    State,
)
from chalicelib.keys.schemas import ScanRequest
from tests.conftest import NOON
from tests.keys.examples import pack

ROWS = {(before, event): (after, roles) for before, event, after, roles in JOURNEY.rows}


def test_every_state_can_be_reached() -> None:
    assert JOURNEY.reachable(START) == JOURNEY.states == frozenset(State)


@pytest.mark.parametrize("state", State)
def test_every_state_can_end(state: State) -> None:
    assert JOURNEY.reachable(state) & JOURNEY.ends


def test_only_the_four_ends_are_final() -> None:
    assert JOURNEY.ends == {State.VERIFIED, State.RESTOCKED, State.WRITTEN_OFF, State.CANCELLED}


def test_only_the_clock_rings_timers_and_nothing_else() -> None:
    clocked = TIMER_EVENTS | {Event.T_ESCALATE}
    assert all((event in clocked) is (roles == {Role.CLOCK}) for _, event, _, roles in JOURNEY.rows)


@pytest.mark.parametrize("state", State)
def test_what_is_not_a_row_is_refused(state: State) -> None:
    for event in Event:
        if (state, event) in ROWS:
            assert JOURNEY.after(state, event) is ROWS[state, event][0]
        else:
            with pytest.raises(IllegalMove):
                JOURNEY.after(state, event)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("role", Role)
def test_nobody_is_offered_what_is_not_theirs(state: State, role: Role) -> None:
    offered = JOURNEY.choices(state, role)
    assert all(role in ROWS[state, event][1] for event in offered)
    assert len(offered) == sum(role in roles for (before, _), (_, roles) in ROWS.items() if before is state)


@pytest.mark.parametrize("state", ON_THE_WAY)
def test_carriers_may_skip_every_scan_but_the_last(state: State) -> None:
    assert JOURNEY.after(state, Event.SCAN_DELIVERED) is State.DELIVERED


def test_the_words_of_scanners_are_those_of_the_interface() -> None:
    assert set(ScanRequest.__annotations__["event"].__args__) == set(SCANS)


@pytest.mark.parametrize(
    ("roles", "mine"), [(["packer"], True), (["courier"], False), (["ops"], False), ([], False)]
)
def test_only_packers_pack(roles: list[str], mine: bool) -> None:
    if mine:
        return pack().allowed(roles, NOON)
    with pytest.raises(NotYourScan):
        pack().allowed(roles, NOON)
    return None


@pytest.mark.parametrize("off", [timedelta(minutes=5), timedelta(days=365), timedelta(days=-30)])
def test_a_scanner_with_a_wrong_clock_is_told(off: timedelta) -> None:
    with pytest.raises(ClockWrong):
        pack(NOON + off).allowed(["packer"], NOON)


def test_a_scan_made_without_signal_may_come_days_later() -> None:
    pack(NOON - timedelta(days=3)).allowed(["packer"], NOON)


def test_distances_are_those_of_the_map() -> None:
    city_hall, gwanghwamun = Position(37.56635, 126.97796), Position(37.57166, 126.97689)
    assert city_hall.metres_to(gwanghwamun) == pytest.approx(598, abs=2)
    assert city_hall.metres_to(city_hall) == 0
