"""What happens to a command the car does not answer, and what the car's own reports tell."""

from datetime import timedelta

import pytest

from chalicelib.doors.model import Command, Event, Reason, State
from tests.doors.world import CAR, HORN, LOCK, UNLOCK, World


def unanswered(world: World, seconds: float = 15) -> Command:
    command = world.press(UNLOCK, "k1")
    world.clock.move(seconds=seconds)
    return command


def test_reading_a_command_after_its_life_finds_it_unknown(world: World) -> None:
    command = unanswered(world)
    unknown = world.look(command)
    assert (unknown.state, unknown.reason, unknown.may_have_executed) == (
        State.UNKNOWN,
        Reason.DEVICE_TIMEOUT,
        True,
    )
    assert unknown.retry_after is None
    assert world.settled() == [("UNKNOWN", "DEVICE_TIMEOUT", False)]


def test_a_command_is_never_unknown_before_its_life_ends(world: World) -> None:
    command = unanswered(world, seconds=14.999)
    assert world.look(command).state == State.SENT
    assert world.service.sweep().rows_read == 0


@pytest.mark.parametrize("event", [Event.SUCCEEDED, Event.REJECTED, Event.FAILED, Event.ALREADY_DONE])
def test_a_late_answer_still_tells_the_truth_and_is_marked_late(world: World, event: Event) -> None:
    command = unanswered(world)
    assert world.look(command).state == State.UNKNOWN
    world.clock.move(seconds=30)
    assert world.answer(command, event) == "accepted"
    assert world.look(command).late
    assert [(state, late) for state, _, late in world.settled()] == [
        ("UNKNOWN", False),
        (world.look(command).state, True),
    ]


def test_a_late_answer_needs_no_sweep_before_it(world: World) -> None:
    command = unanswered(world, seconds=20)
    assert world.answer(command, Event.SUCCEEDED) == "accepted"
    assert (world.look(command).state, world.look(command).late) == (State.SUCCEEDED, True)
    assert len(world.settled()) == 1


def test_after_the_grace_unknown_is_final_and_the_car_may_say_what_it_likes(world: World) -> None:
    command = unanswered(world, seconds=75)
    assert world.look(command).state == State.UNKNOWN_FINAL
    assert world.answer(command, Event.SUCCEEDED) == "not_now"
    assert world.look(command).state == State.UNKNOWN_FINAL
    assert [state for state, _, _ in world.settled()] == ["UNKNOWN", "UNKNOWN_FINAL"]


def test_the_sweep_settles_what_is_due_and_reads_nothing_else(world: World) -> None:
    world.answer(world.press(LOCK, "done"), Event.SUCCEEDED)
    due = unanswered(world)
    fresh = world.press(UNLOCK, "k2")
    report = world.service.sweep()
    assert (report.rows_read, report.settled) == (1, 1)
    assert (world.look(due).state, world.look(fresh).state) == (State.UNKNOWN, State.SENT)
    assert world.service.sweep().rows_read == 0
    world.clock.move(seconds=60)
    report = world.service.sweep()
    assert (report.rows_read, report.settled) == (2, 2)
    assert world.look(due).state == State.UNKNOWN_FINAL
    world.clock.move(minutes=5)
    assert world.service.sweep().rows_read == 1  # the fresh one's own grace
    assert world.service.sweep().rows_read == 0


def test_the_cars_report_settles_what_it_never_answered(world: World) -> None:
    command = unanswered(world)
    assert world.look(command).state == State.UNKNOWN
    world.clock.move(seconds=5)
    world.hear(locked=False)
    after = world.look(command)
    assert (after.state, after.reason, after.late) == (State.SUCCEEDED, Reason.SEEN_IN_STATE, True)
    assert after.retry_after is None


def test_a_report_before_the_end_of_life_waits_for_the_answer_and_counts_afterwards(world: World) -> None:
    command = world.press(UNLOCK, "k1")
    world.clock.move(seconds=2)
    world.hear(locked=False)
    assert world.look(command).state == State.SENT
    world.clock.move(seconds=14)
    assert world.look(command).state == State.SUCCEEDED
    assert world.settled() == [("SUCCEEDED", "SEEN_IN_STATE", True)]


@pytest.mark.parametrize("what", ["still locked", "older than the command", "not about doors"])
def test_a_report_that_proves_nothing_settles_nothing(world: World, what: str) -> None:
    before = world.clock()
    command = world.press(HORN if what == "not about doors" else UNLOCK, "k1")
    world.clock.move(seconds=20)
    older = before - timedelta(seconds=1) if what == "older than the command" else None
    world.hear(locked=what == "still locked", at=older)
    assert world.look(command).state == State.UNKNOWN


def test_reports_out_of_order_do_not_turn_time_back(world: World) -> None:
    now = world.clock()
    world.hear(locked=False, at=now)
    world.hear(locked=True, at=now - timedelta(seconds=3))
    assert world.service.car_state(CAR).locked is False
    world.hear(locked=True, at=now)  # the same moment, the next number
    assert world.service.car_state(CAR).locked is True


def test_a_clock_that_runs_ahead_cannot_silence_the_car(world: World) -> None:
    assert world.hear(locked=False, at=world.clock() + timedelta(days=400)) == "clock_ahead"
    assert world.hear(locked=True) == "accepted"
    assert world.service.car_state(CAR).locked is True
    assert world.refusals() == ["clock_ahead"]


def test_others_may_ask_how_a_car_stands(world: World) -> None:
    nobody = world.service.car_state("car-9999")
    assert (nobody.online, nobody.last_seen, nobody.locked) == (False, None, None)
    world.clock.move(seconds=30)
    world.hear(locked=True, position=(37.5, 127.0), battery_percent=64)
    car = world.service.car_state(CAR)
    assert (car.online, car.last_seen, car.locked) == (True, world.clock(), True)
    assert (car.battery_percent, car.position, car.doors_open) == (64, (37.5, 127.0), False)
