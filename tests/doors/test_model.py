"""The table of a command, its words, and its signature."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from chalicelib.doors.model import (
    ADVICE,
    GRACE,
    JOURNEY,
    KNOWN,
    OPEN,
    SETTLED,
    TTL,
    Action,
    Command,
    Event,
    Reason,
    Role,
    State,
    car_key,
    sources,
)
from chalicelib.doors.schemas import message
from chalicelib.kernel.states import IllegalMove
from tests.conftest import NOON
from tests.doors.world import CAR, CAR_KEY, MASTER

COMMAND = Command("cmd_1", "grt_kim", "con_1", CAR, Action.UNLOCK, NOON, "00000000000000aa", counter=7)


def test_every_state_is_reached_and_every_open_one_can_end() -> None:
    assert JOURNEY.reachable(State.REQUESTED) == set(State)
    assert JOURNEY.ends == set(State) - set(OPEN)
    for state in OPEN:
        assert JOURNEY.reachable(state) & JOURNEY.ends


def test_every_open_state_has_a_timer() -> None:
    for state in OPEN:
        assert JOURNEY.choices(state, Role.CLOCK)
        assert replace(COMMAND, state=state).due_at is not None
    for state in JOURNEY.ends:
        assert replace(COMMAND, state=state).due_at is None


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("event", Event)
def test_a_cell_that_is_not_a_row_is_refused(state: State, event: Event) -> None:
    rows = {(before, what): after for before, what, after, _ in JOURNEY.rows}
    command = replace(COMMAND, state=state)
    if (state, event) in rows:
        assert command.after(event, NOON).state == rows[state, event]
    else:
        with pytest.raises(IllegalMove):
            command.after(event, NOON)


@pytest.mark.parametrize("role", Role)
def test_each_event_is_said_by_one_role(role: Role) -> None:
    said = {what for _, what, _, roles in JOURNEY.rows if role in roles}
    others = {what for _, what, _, roles in JOURNEY.rows if role not in roles}
    assert said
    assert not said & others


def test_wherever_an_event_comes_from_it_leads_to_one_state() -> None:
    """So that one condition on the old state covers every race (`sources`)."""
    for event in Event:
        assert len({JOURNEY.after(state, event) for state in sources(event)}) == 1


events_in_time = st.lists(st.tuples(st.sampled_from(Event), st.integers(0, 120)), max_size=12)


@given(events_in_time)
def test_r01_whatever_happens_in_whatever_order_nothing_leaves_a_terminal_state(
    happenings: list[tuple[Event, int]],
) -> None:
    command, ended = COMMAND, None
    for event, seconds in happenings:
        at = NOON + timedelta(seconds=seconds)
        try:
            command = command.after(event, at)
        except IllegalMove:
            continue
        assert ended is None, f"{event} left {ended}"
        ended = command.state if command.settled else None
        assert (command.settled_at is not None) == (command.state in SETTLED)
        assert command.late == (command.state in KNOWN and at >= COMMAND.expires_at)
        assert command.state is not State.UNKNOWN or command.may_have_executed


@given(st.integers(0, 120))
def test_r01_the_clock_ends_every_silent_command(seconds: int) -> None:
    at = NOON + timedelta(seconds=seconds)
    command = replace(COMMAND, state=State.SENT)
    while event := command.next_event(None, at):
        command = command.after(event, at)
    age = timedelta(seconds=seconds)
    expected = State.SENT if age < TTL else State.UNKNOWN if age < TTL + GRACE else State.UNKNOWN_FINAL
    assert command.state == expected


def test_r01_a_late_success_puts_unknown_right_and_says_so() -> None:
    unknown = replace(COMMAND, state=State.SENT).after(Event.EXPIRED, NOON + TTL)
    late = unknown.after(Event.SUCCEEDED, NOON + TTL + timedelta(seconds=9))
    assert (late.state, late.late, late.reason) == (State.SUCCEEDED, True, None)


@pytest.mark.parametrize("reason", Reason)
def test_r12_every_code_tells_a_person_what_to_do_next_in_both_languages(reason: Reason) -> None:
    advice = ADVICE[reason]
    assert any("가" <= letter <= "힣" for letter in advice.ko)
    assert advice.en.isascii()
    assert advice.ko.count(".") >= 2
    assert advice.en.count(".") >= 2 or ":" in advice.en
    assert not (advice.retryable and advice.may_have_executed)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("action", Action)
def test_every_command_has_words_at_every_moment(state: State, action: Action) -> None:
    by_reason = {State.UNKNOWN, State.UNKNOWN_FINAL, State.NOT_SENT, State.REJECTED, State.FAILED}
    reason = Reason.DEVICE_TIMEOUT if state in by_reason else None
    command = replace(COMMAND, state=state, action=action, reason=reason)
    assert message(command, "ko") != message(command, "en")


def test_reasons_of_the_car_count_only_where_it_refuses_or_fails() -> None:
    sent = replace(COMMAND, state=State.SENT)
    assert sent.after(Event.REJECTED, NOON, Reason.DOOR_OPEN).reason == Reason.DOOR_OPEN
    assert sent.after(Event.FAILED, NOON).reason == Reason.DEVICE_FAULT
    assert sent.after(Event.SUCCEEDED, NOON, Reason.DOOR_OPEN).reason is None
    assert sent.after(Event.ALREADY_DONE, NOON).reason == Reason.ALREADY_DONE


def test_r05_the_signature_covers_everything_the_car_acts_on() -> None:
    seen = {COMMAND.envelope(CAR_KEY)["sig"]}
    for change in (
        {"command_id": "cmd_2"},
        {"grant_id": "grt_2"},
        {"action": Action.LOCK},
        {"counter": 8},
        {"requested_at": NOON + timedelta(milliseconds=1)},
        {"nonce": "00000000000000ab"},
        {"car_id": "car-0002"},
    ):
        seen.add(replace(COMMAND, **change).envelope(CAR_KEY)["sig"])
    seen.add(COMMAND.envelope(car_key(MASTER, "car-0002"))["sig"])
    assert len(seen) == 9
