"""The two tables, the slots, the timers and the prices."""

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from msgspec.structs import replace

from chalicelib.appointments.model import (
    FREE_UNTIL,
    MOST_EVENTS,
    OPEN,
    OUR_FAULT,
    REDISPATCH_FEE,
    START,
    TABLES,
    TIMER_EVENTS,
    TIMERS,
    TOLD,
    TROUBLES,
    WORDS,
    Appointment,
    ClockWrong,
    Event,
    Happened,
    History,
    HistoryFull,
    NotYours,
    OutOfReach,
    Parking,
    Role,
    State,
    TooLate,
    Which,
    due,
    proposed,
    refuse_out_of_reach,
    slot_of,
    slots_of,
    terms_of_change,
)
from chalicelib.appointments.schemas import SaidRequest
from chalicelib.kernel.calendar import KST
from chalicelib.kernel.states import IllegalMove
from tests.appointments.examples import IN_TWO_WEEKS, said
from tests.conftest import NOON

EVERY = [(which, state) for which, table in TABLES.items() for state in sorted(table.states)]
OPEN_ONES = [(which, state) for which, state in EVERY if state not in TABLES[which].ends]


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


def standing_in(which: Which, state: State) -> Appointment:
    """An appointment in that state, whose partner has left, with no timer in the way."""
    fresh = proposed("apt_1", "con_kim", "kim", which, IN_TWO_WEEKS, NOON)
    due_at = due(which, state, NOON, fresh.slot)
    return replace(fresh, state=state, due_at=due_at, departed=True, parking=Parking(NOON))


def happening(event: Event, at: datetime) -> Happened:
    return Happened("x", event, at, at, "somebody", to=IN_TWO_WEEKS)


@pytest.mark.parametrize("which", Which)
def test_every_state_can_be_reached_and_can_end(which: Which) -> None:
    table = TABLES[which]
    assert table.reachable(START) == table.states
    assert all(table.reachable(state) & table.ends for state in table.states)


def test_the_ends_are_final() -> None:
    assert TABLES[Which.HANDOVER].ends == {State.HANDED_OVER, State.CANCELLED}
    assert TABLES[Which.RETURN].ends == {State.RETURNED, State.CANCELLED}


@pytest.mark.parametrize(("which", "state"), OPEN_ONES)
def test_every_open_state_has_a_timer_that_the_table_knows(which: Which, state: State) -> None:
    assert TABLES[which].allows(state, TIMERS[which][state].event)
    assert due(which, state, NOON, slot_of(IN_TWO_WEEKS)) is not None


@pytest.mark.parametrize("which", Which)
def test_no_timer_runs_in_an_end(which: Which) -> None:
    assert all(due(which, state, NOON, slot_of(NOON)) is None for state in TABLES[which].ends)


@pytest.mark.parametrize("which", Which)
def test_only_the_clock_rings_timers(which: Which) -> None:
    for _, event, _, roles in TABLES[which].rows:
        assert (event in TIMER_EVENTS) is (roles == {Role.CLOCK})


@pytest.mark.parametrize(("which", "state"), EVERY)
def test_every_row_moves_it_and_what_is_no_row_is_refused(which: Which, state: State) -> None:
    table, here = TABLES[which], standing_in(which, state)
    for event in Event:
        then = here.after(happening(event, here.due_at or NOON))
        if table.allows(state, event):
            assert then.state is table.after(state, event)
        elif event is not Event.RESCHEDULE:  # refused before it happens: see terms_of_change
            assert then == here
        if not table.allows(state, event):
            with pytest.raises(IllegalMove):
                table.after(state, event)


@pytest.mark.parametrize(("which", "state", "role"), [(*each, role) for each, role in product(EVERY, Role)])
def test_nobody_is_offered_what_is_not_theirs(which: Which, state: State, role: Role) -> None:
    rows = {event: roles for before, event, _, roles in TABLES[which].rows if before is state}
    assert set(TABLES[which].choices(state, role)) == {e for e, roles in rows.items() if role in roles}


def test_nobody_arrives_who_never_left() -> None:
    stray = replace(standing_in(Which.HANDOVER, State.MISSED_PARTNER), departed=False)
    assert stray.after(happening(Event.ARRIVED, NOON)) == stray
    assert stray.choices(Role.AGENT) == {Event.PARTNER_DEPART}


@pytest.mark.parametrize(("by", "full"), [("anna", True), (Role.CLOCK, False)])
def test_a_history_has_an_end_which_its_clock_does_not_use_up(by: str, full: bool) -> None:
    log = tuple(replace(happening(Event.T_CONFIRM_BY, NOON), id=str(n), by=by) for n in range(MOST_EVENTS))
    history = History(proposed("apt_1", "con_kim", "kim", Which.HANDOVER, IN_TWO_WEEKS, NOON), log)
    news = happening(Event.CUSTOMER_CONFIRM, NOON)
    if full:
        with pytest.raises(HistoryFull):
            history.told(news)
    else:
        assert history.told(news).then.state is State.CONFIRMED


def test_a_timer_that_was_put_off_does_not_ring() -> None:
    here = standing_in(Which.HANDOVER, State.WAITING)
    assert here.after(happening(Event.T_WAIT_LIMIT, NOON + timedelta(minutes=29))) == here


def test_trouble_is_only_where_somebody_must_act() -> None:
    assert set(TROUBLES) == OUR_FAULT | {State.MISSED_CUSTOMER}
    assert set(TROUBLES) <= {*OPEN, State.AT_RISK, State.LOCKED_OUT}


@pytest.mark.parametrize(
    ("which", "state", "rings"),
    [
        (Which.HANDOVER, State.PROPOSED, NOON + hours(24)),
        (Which.HANDOVER, State.CONFIRMED, IN_TWO_WEEKS - hours(1)),
        (Which.HANDOVER, State.AT_RISK, IN_TWO_WEEKS + hours(1)),
        (Which.HANDOVER, State.EN_ROUTE, IN_TWO_WEEKS + hours(1)),
        (Which.HANDOVER, State.WAITING, NOON + hours(0.5)),
        (Which.HANDOVER, State.LOCKED_OUT, NOON + hours(0.25)),
        (Which.HANDOVER, State.MISSED_PARTNER, NOON + hours(24)),
        (Which.RETURN, State.CONFIRMED, IN_TWO_WEEKS + hours(1)),
    ],
)
def test_timers_ring_when_the_window_says_so(which: Which, state: State, rings: datetime) -> None:
    assert due(which, state, NOON, slot_of(IN_TWO_WEEKS)) == rings


def test_whoever_leaves_late_has_an_hour_to_arrive() -> None:
    late = IN_TWO_WEEKS + hours(3)
    assert due(Which.HANDOVER, State.EN_ROUTE, late, slot_of(IN_TWO_WEEKS)) == late + hours(1)


@pytest.mark.parametrize(
    ("hour", "starts", "ends"),
    [(9, 9, 11), (10, 9, 11), (12, 11, 13), (20, 19, 21), (21, 20, 22), (23, 22, 24), (0, 0, 2), (8, 8, 10)],
)
def test_a_slot_is_the_window_that_contains_the_time(hour: int, starts: int, ends: int) -> None:
    day = datetime(2026, 3, 16, tzinfo=KST)
    slot = slot_of(day + hours(hour) + timedelta(minutes=59))
    assert (slot.starts_at, slot.ends_at) == (day + hours(starts), day + hours(ends))
    assert slot.day == "2026-03-16"


def test_a_day_offers_six_windows_from_nine_to_nine() -> None:
    slots = slots_of(NOON)
    assert [slot.starts_at.astimezone(KST).hour for slot in slots] == [9, 11, 13, 15, 17, 19]
    assert {slot.day for slot in slots} == {"2026-03-02"}


@pytest.mark.parametrize(
    ("minutes", "cost"), [(-5, 0), (0, 0), (1, 4_000), (60, 4_000), (61, 8_000), (125, 12_000)]
)
def test_every_hour_that_has_started_is_paid_for(minutes: int, cost: int) -> None:
    assert Parking(NOON, None, 4_000).cost(NOON + timedelta(minutes=minutes)) == cost


@pytest.mark.parametrize(
    ("before", "charge"),
    [(hours(48), 0), (FREE_UNTIL, 0), (FREE_UNTIL - hours(0.01), REDISPATCH_FEE), (hours(3), REDISPATCH_FEE)],
)
def test_moving_is_free_until_the_day_before(before: timedelta, charge: int) -> None:
    confirmed = standing_in(Which.HANDOVER, State.CONFIRMED)
    terms = terms_of_change(confirmed, (Role.CUSTOMER,), IN_TWO_WEEKS - before)
    assert (terms.charge, sum(line.amount for line in terms.lines)) == (charge, -charge)


def test_three_hours_before_it_is_too_late_for_the_customer_and_not_for_operations() -> None:
    confirmed, soon = standing_in(Which.HANDOVER, State.CONFIRMED), IN_TWO_WEEKS - hours(2.9)
    with pytest.raises(TooLate):
        terms_of_change(confirmed, (Role.CUSTOMER,), soon)
    assert terms_of_change(confirmed, (Role.OPS,), soon).charge == 0


@pytest.mark.parametrize(
    ("state", "charge"),
    [
        (State.PROPOSED, 0),
        (State.AT_RISK, 0),
        (State.LOCKED_OUT, 0),
        (State.MISSED_PARTNER, 0),
        (State.MISSED_CUSTOMER, REDISPATCH_FEE),
    ],
)
def test_our_fault_costs_the_customer_nothing_however_late(state: State, charge: int) -> None:
    here = standing_in(Which.HANDOVER, state)
    assert terms_of_change(here, (Role.CUSTOMER,), IN_TWO_WEEKS + hours(1)).charge == charge


@pytest.mark.parametrize("state", [State.EN_ROUTE, State.WAITING, State.HANDED_OVER, State.CANCELLED])
def test_nobody_moves_what_is_under_way_or_over(state: State) -> None:
    with pytest.raises(IllegalMove):
        terms_of_change(standing_in(Which.HANDOVER, state), (Role.OPS,), NOON)


@pytest.mark.parametrize("to", [NOON - hours(1), NOON + hours(3), NOON + timedelta(days=366)])
def test_a_new_time_lies_ahead_and_within_a_year(to: datetime) -> None:
    with pytest.raises(OutOfReach):
        refuse_out_of_reach(to, (Role.CUSTOMER,), NOON)


def test_the_words_of_partners_are_those_of_the_interface() -> None:
    assert set(SaidRequest.__annotations__["event"].__args__) == set(WORDS)


@pytest.mark.parametrize("word", WORDS)
def test_customers_and_packers_say_nothing_of_a_partner_s(word: str) -> None:
    for roles in ([], ["packer"], ["ops"]):
        with pytest.raises(NotYours):
            said(word, NOON).allowed(Which.HANDOVER, roles, NOON)


def test_a_hand_over_is_not_returned_nor_a_return_handed_over() -> None:
    for word, which in (("returned", Which.HANDOVER), ("handover_ok", Which.RETURN)):
        with pytest.raises(NotYours):
            said(word, NOON).allowed(which, ["agent"], NOON)


@pytest.mark.parametrize("off", [timedelta(minutes=5), timedelta(days=365), timedelta(days=-30)])
def test_a_device_with_a_wrong_clock_is_told(off: timedelta) -> None:
    with pytest.raises(ClockWrong):
        said("arrived", NOON + off).allowed(Which.HANDOVER, ["agent"], NOON)


def test_what_contracts_tell_is_somewhere_in_its_table() -> None:
    for which, event in TOLD.values():
        assert any(what is event and Role.SYSTEM in roles for _, what, _, roles in TABLES[which].rows)


def test_times_are_kept_in_utc() -> None:
    assert slot_of(NOON).starts_at.tzinfo is UTC
