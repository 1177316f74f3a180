"""Only the car a command was sent to, answering that very command, changes anything."""

from typing import Any

import pytest

from chalicelib.doors.model import Event, Reason, Report, State
from tests.doors.world import CAR, LOCK, UNLOCK, World, unit

ANSWERS = {
    Event.SUCCEEDED: State.SUCCEEDED,
    Event.ALREADY_DONE: State.ALREADY_DONE,
    Event.REJECTED: State.REJECTED,
    Event.FAILED: State.FAILED,
}


@pytest.mark.parametrize("event", ANSWERS)
def test_the_cars_answer_settles_the_command(world: World, event: Event) -> None:
    command = world.press(LOCK, "k1")
    world.clock.move(seconds=2)
    assert world.answer(command, event, Reason.DOOR_OPEN) == "accepted"
    after = world.look(command)
    assert (after.state, after.late, after.settled_at) == (ANSWERS[event], False, world.clock())
    assert [state for state, _, _ in world.settled()] == [ANSWERS[event]]
    assert world.refusals() == []


def test_two_answers_at_once_both_find_their_place(world: World) -> None:
    command = world.press(UNLOCK, "k1")
    move = world.store.move

    def meanwhile(*given: Any) -> None:
        world.store.move = move  # type: ignore[method-assign]
        assert world.answer(command, Event.RECEIVED) == "accepted"
        move(*given)

    world.store.move = meanwhile  # type: ignore[method-assign,assignment]
    assert world.answer(command, Event.SUCCEEDED) == "accepted"
    assert world.look(command).state == State.SUCCEEDED
    told = [line.what for line in world.log(command.command_id)]
    assert told == ["published", "received", "succeeded"]


def test_received_means_delivered_and_tells_nobody_yet(world: World) -> None:
    command = world.press(UNLOCK, "k1")
    assert world.answer(command, Event.RECEIVED) == "accepted"
    assert world.look(command).state == State.DELIVERED
    assert world.settled() == []
    assert world.answer(command, Event.RECEIVED) == "not_now"
    assert world.answer(command, Event.SUCCEEDED) == "accepted"


@pytest.mark.parametrize(
    ("forged", "verdict"),
    [
        ({"thing": "car-0002", "client": "car-0002"}, "other_car"),
        ({"client": "car-0002"}, "not_its_own"),
        ({"thing": "car-0002"}, "not_its_own"),
        ({"nonce": "ffffffffffffffff"}, "wrong_nonce"),
        ({"nonce": ""}, "wrong_nonce"),
        ({"nonce": "문"}, "wrong_nonce"),
        ({"command_id": "cmd_nobody_sent"}, "unknown_command"),
        ({"command_id": ""}, "unknown_command"),
        ({"event": Event.REJECTED, "reason": Reason.BAD_SIGNATURE}, "forged_command"),
        ({"event": None}, "unreadable"),
        ({"event": Event.PUBLISHED}, "not_now"),
        ({"event": Event.SEEN_DONE}, "not_now"),
    ],
)
def test_r06_a_forged_ack_changes_nothing_and_is_on_record(
    world: World, forged: dict[str, Any], verdict: str
) -> None:
    command = world.press(UNLOCK, "k1")
    assert world.answer(command, **{"event": Event.SUCCEEDED, **forged}) == verdict
    assert world.look(command) == command
    assert world.refusals() == [verdict]
    assert world.settled() == []


def test_r06_a_copy_with_a_flipped_bit_does_not_hide_what_the_true_command_did(world: World) -> None:
    """Whoever holds only iot:Publish makes the car refuse a copy; its answer carries the right nonce."""
    command = world.press(UNLOCK, "k1")
    car = unit()
    at = world.air.published[0][1]["issued_at"]
    true, copy = world.air.payloads[0], world.air.payloads[0].replace(b'"counter":1', b'"counter":2')
    for payload in (copy, true):
        said = car.receive(payload, at)
        assert said is not None
        reason = Reason(said["reason"]) if "reason" in said else None
        world.answer(command, Event(said["status"]), reason, nonce=said["nonce"])
    assert (world.look(command).state, car.executed) == (State.SUCCEEDED, ["unlock"])
    assert world.refusals() == ["forged_command"]


def test_r06_what_is_settled_stays_settled(world: World) -> None:
    command = world.press(UNLOCK, "k1")
    world.answer(command, Event.SUCCEEDED)
    for event in (*ANSWERS, Event.RECEIVED):
        assert world.answer(command, event) == "not_now"
    assert world.look(command).state == State.SUCCEEDED
    assert world.settled() == [("SUCCEEDED", None, False)]
    assert world.refusals() == ["not_now"] * 5


def test_an_ack_for_a_command_that_never_left_is_refused(world: World) -> None:
    world.connect(online=False)
    command = world.press(UNLOCK, "k1")
    assert world.answer(command, Event.SUCCEEDED) == "not_now"
    assert world.look(command).state == State.NOT_SENT


def test_an_ack_without_a_command_id_of_a_sane_length_is_cut_for_the_record(world: World) -> None:
    command = world.press(UNLOCK, "k1")
    verdict = world.answer(command, Event.SUCCEEDED, command_id="x" * 1000, client="y" * 1000)
    assert verdict == "not_its_own"
    assert world.refusals() == ["not_its_own"]


@pytest.mark.parametrize(
    ("report", "verdict"),
    [
        (lambda at: Report(CAR, CAR, at, None), "unreadable"),
        (lambda at: Report(CAR, "car-0002", at, None), "unreadable"),
    ],
)
def test_a_report_that_cannot_be_read_is_on_record(world: World, report: Any, verdict: str) -> None:
    assert world.service.report(report(world.clock())) == verdict
    assert world.refusals() == [verdict]
