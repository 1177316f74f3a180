from datetime import datetime, timedelta

import pytest

from chalicelib.kernel.states import IllegalMove
from chalicelib.keys.model import (
    JOURNEY,
    ON_THE_WAY,
    SCANS,
    START,
    TIMER_EVENTS,
    TIMERS,
    ClockWrong,
    Event,
    NotYourScan,
    Position,
    Role,
    State,
    due,
    planned,
)
from chalicelib.keys.schemas import ScanRequest
from tests.conftest import NOON
from tests.keys.examples import IN_TWO_WEEKS, Contracts, pack

KIM = Contracts().delivery("con_kim")
ROWS = {(before, event): (after, roles) for before, event, after, roles in JOURNEY.rows}


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


def test_every_state_can_be_reached() -> None:
    assert JOURNEY.reachable(START) == JOURNEY.states == frozenset(State)


@pytest.mark.parametrize("state", State)
def test_every_state_can_end(state: State) -> None:
    assert JOURNEY.reachable(state) & JOURNEY.ends


def test_only_the_four_ends_are_final() -> None:
    assert JOURNEY.ends == {State.VERIFIED, State.RESTOCKED, State.WRITTEN_OFF, State.CANCELLED}


@pytest.mark.parametrize("state", sorted(JOURNEY.states - JOURNEY.ends))
def test_every_open_state_has_a_timer_and_knows_what_it_means(state: State) -> None:
    assert JOURNEY.allows(state, TIMERS[state].event)
    assert due(state, NOON, IN_TWO_WEEKS) is not None


@pytest.mark.parametrize("state", sorted(JOURNEY.ends))
def test_no_timer_runs_in_an_end(state: State) -> None:
    assert due(state, NOON, IN_TWO_WEEKS) is None


def test_only_the_clock_rings_timers_and_nothing_else() -> None:
    assert all((event in TIMER_EVENTS) is (roles == {Role.CLOCK}) for _, event, _, roles in JOURNEY.rows)


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


@pytest.mark.parametrize(
    ("state", "since", "handover", "rings"),
    [
        (State.PLANNED, NOON, NOON + timedelta(days=14), NOON + timedelta(days=10)),
        (State.PLANNED, NOON, NOON + timedelta(days=2), NOON),
        (State.PACKED, NOON, IN_TWO_WEEKS, NOON + hours(4)),
        (State.HANDED_TO_CARRIER, NOON, IN_TWO_WEEKS, NOON + hours(24)),
        (State.IN_TRANSIT, NOON, IN_TWO_WEEKS, NOON + hours(24)),
        (State.OUT_FOR_DELIVERY, NOON, IN_TWO_WEEKS, NOON + hours(12)),
        (State.STALLED, NOON, IN_TWO_WEEKS, NOON + hours(48)),
        (State.DELIVERED, NOON, IN_TWO_WEEKS, NOON + hours(24)),
        (State.DELIVERED, NOON, NOON + hours(20), NOON + hours(18)),
        (State.DELIVERED, NOON, NOON + hours(1), NOON),
        (State.WRONG_KEY, NOON, IN_TWO_WEEKS, NOON + hours(72)),
    ],
)
def test_a_timer_counts_from_the_event_and_never_passes_the_handover(
    state: State, since: datetime, handover: datetime, rings: datetime
) -> None:
    assert due(state, since, handover) == rings


def test_a_timer_that_changes_nothing_rings_again_a_day_later() -> None:
    assert due(State.LOST, NOON, IN_TWO_WEEKS, again=True) == NOON + hours(24)


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


def test_a_planned_shipment_waits_to_be_packed() -> None:
    shipment = planned("shp_1", KIM, NOON)
    assert (shipment.state, shipment.due_at, shipment.rung) == (State.PLANNED, NOON + timedelta(days=10), 0)
