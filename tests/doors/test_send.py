"""A command leaves once, for a car that can hear it, and the same key never makes a second one."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest

from chalicelib.doors.model import (
    ActionNotGranted,
    Asked,
    CarBusy,
    Event,
    NoSuchCommand,
    NotAccepted,
    NotConnected,
    PerhapsAccepted,
    Reason,
    State,
)
from chalicelib.doors.schemas import CommandMessage, CommandRequested, CommandSettled
from chalicelib.kernel.errors import KeyReused
from tests.conftest import ROOT
from tests.doors.world import CAR, CAR_KEY, HORN, LOCK, UNLOCK, SessionOver, World, unit


def test_a_command_is_signed_published_once_and_sent(world: World) -> None:
    command = world.press(UNLOCK, "k1")
    assert (command.state, command.counter, command.may_have_executed) == (State.SENT, 1, True)
    assert world.look(command) == command
    ((car_id, payload, expires_in),) = world.air.published
    assert (car_id, expires_in, payload) == (CAR, 15, command.envelope(CAR_KEY))


def test_a_real_unit_carries_it_out_and_its_answer_settles_it(world: World) -> None:
    car = unit()
    command = world.press(UNLOCK, "k1")
    ack = car.receive(world.air.payloads[0], at=world.air.published[0][1]["issued_at"])
    assert ack is not None
    assert world.answer(command, Event(ack["status"]), nonce=ack["nonce"]) == "accepted"
    assert (world.look(command).state, car.body.locked) == (State.SUCCEEDED, False)
    assert world.settled() == [("SUCCEEDED", None, False)]


def test_the_payload_fits_in_512_bytes_and_its_own_schema(world: World) -> None:
    world.press(UNLOCK, "k" * 128)
    (payload,) = world.air.payloads
    assert len(payload) <= 512
    assert msgspec.json.decode(payload, type=CommandMessage).action is UNLOCK


def test_r03_an_offline_car_is_told_at_once_and_nothing_leaves(
    world: World,
) -> None:
    world.clock.move(minutes=5)
    world.connect(online=False)
    world.clock.move(minutes=1)
    command = world.press(UNLOCK, "k1")
    assert (command.state, command.reason) == (State.NOT_SENT, Reason.VEHICLE_OFFLINE)
    assert command.last_seen is not None
    assert (world.clock() - command.last_seen).total_seconds() == 60
    assert (command.may_have_executed, command.retry_after) == (False, 60)
    assert (world.air.published, world.requested()) == ([], 0)
    assert world.settled() == [("NOT_SENT", "VEHICLE_OFFLINE", False)]
    assert world.look(command) == command


def test_a_car_never_heard_of_is_offline(world: World) -> None:
    command = world.press(UNLOCK, "k1", by="newcomer")
    assert (command.reason, command.last_seen) == (Reason.VEHICLE_OFFLINE, None)


def test_an_offline_car_hears_a_new_press_once_it_is_back(world: World) -> None:
    world.connect(online=False)
    world.press(UNLOCK, "k1")
    world.connect()
    again = world.sent(UNLOCK, "k1")
    assert (again.command.state, again.replayed) == (State.NOT_SENT, True)
    assert world.press(UNLOCK, "k2").state == State.SENT


def test_r04_the_same_key_is_the_same_command_however_often_it_comes(world: World) -> None:
    first = world.sent(UNLOCK, "k1")
    world.clock.move(seconds=3)
    for _ in range(3):
        again = world.sent(UNLOCK, "k1")
        assert (again.command, again.replayed) == (first.command, True)
    world.answer(first.command, Event.SUCCEEDED)
    world.clock.move(hours=2)
    assert world.sent(UNLOCK, "k1").command.state == State.SUCCEEDED
    assert (len(world.air.published), world.requested()) == (1, 1)


@pytest.mark.parametrize("settled", [False, True])
def test_r04_the_same_key_with_another_action_is_refused(world: World, settled: bool) -> None:
    command = world.press(UNLOCK, "k1")
    if settled:
        world.answer(command, Event.SUCCEEDED)
    for other in (LOCK, HORN):
        with pytest.raises(KeyReused):
            world.press(other, "k1")
    assert len(world.air.published) == 1


def test_a_key_belongs_to_its_holder(world: World) -> None:
    mine = world.press(UNLOCK, "k1")
    world.answer(mine, Event.SUCCEEDED)
    theirs = world.press(UNLOCK, "k1", by="partner")
    assert theirs.command_id != mine.command_id


def test_r04_the_same_wish_of_the_same_contract_joins_the_one_under_way(world: World) -> None:
    first = world.press(UNLOCK, "k1")
    joined = world.sent(UNLOCK, "k2", by="partner")
    assert (joined.command, joined.replayed) == (first, False)
    assert world.look(first, by="partner") == first
    world.answer(first, Event.SUCCEEDED)
    world.clock.move(minutes=1)
    again = world.sent(UNLOCK, "k2", by="partner")
    assert (again.command.command_id, again.command.state) == (first.command_id, State.SUCCEEDED)
    assert len(world.air.published) == 1


def test_another_contract_cannot_join_and_cannot_look(world: World) -> None:
    command = world.press(UNLOCK, "k1")
    with pytest.raises(CarBusy):
        world.press(UNLOCK, "k1", by="stranger")
    with pytest.raises(NoSuchCommand):
        world.look(command, by="stranger")


def test_another_action_waits_until_the_first_is_answered(world: World) -> None:
    command = world.press(UNLOCK, "k1")
    world.clock.move(seconds=4)
    with pytest.raises(CarBusy) as busy:
        world.press(HORN, "k2")
    assert (busy.value.retry_after, busy.value.extra["may_have_executed"]) == (11, False)
    world.answer(command, Event.SUCCEEDED)
    assert world.press(HORN, "k2").state == State.SENT


def test_r04_lock_goes_ahead_of_a_pending_unlock_and_the_car_drops_what_it_overtook(world: World) -> None:
    unlock = world.press(UNLOCK, "k1")
    lock = world.press(LOCK, "k2")
    assert (lock.state, lock.counter) == (State.SENT, 2)
    car = unit()
    at = world.air.published[0][1]["issued_at"]
    for payload in reversed(world.air.payloads):
        ack = car.receive(payload, at)
        assert ack is not None
        reason = Reason(ack["reason"]) if "reason" in ack else None
        world.answer(lock if ack["command_id"] == lock.command_id else unlock, Event(ack["status"]), reason)
    assert world.look(lock).state == State.ALREADY_DONE
    overtaken = world.look(unlock)
    assert (overtaken.state, overtaken.reason) == (State.REJECTED, Reason.OUT_OF_ORDER)
    assert car.body.locked


def test_nothing_goes_ahead_of_a_pending_lock(world: World) -> None:
    world.press(LOCK, "k1")
    with pytest.raises(CarBusy):
        world.press(UNLOCK, "k2")


def test_r02_the_broker_keeps_a_command_no_longer_than_it_lives(world: World) -> None:
    """A function that was frozen between its look at the car and the publish."""
    world.holders.at_the_last_moment = lambda: world.clock.move(seconds=9.2)
    assert world.press(UNLOCK, "k1").state == State.SENT
    ((_, _, expires_in),) = world.air.published
    assert expires_in == 5


def test_r02_a_command_whose_life_is_over_before_it_leaves_does_not_leave(world: World) -> None:
    world.holders.at_the_last_moment = lambda: world.clock.move(seconds=14.5)
    command = world.press(UNLOCK, "k1")
    assert (command.state, command.reason, command.late) == (State.NOT_SENT, Reason.EXPIRED, False)
    assert (command.may_have_executed, world.air.published) == (False, [])


def test_r03_a_car_that_is_found_gone_by_the_transport_is_offline(world: World) -> None:
    world.air.breaks = NotConnected()
    command = world.press(UNLOCK, "k1")
    assert (command.state, command.reason) == (State.NOT_SENT, Reason.VEHICLE_OFFLINE)


def test_the_lease_of_an_unanswered_command_ends_with_its_life(world: World) -> None:
    world.press(UNLOCK, "k1")
    world.clock.move(seconds=15)
    assert world.press(HORN, "k2").state == State.SENT


def test_r04_a_crash_between_lease_and_publish_frees_itself(world: World) -> None:
    world.air.breaks = MemoryError("the Lambda died here")
    with pytest.raises(MemoryError):
        world.press(UNLOCK, "k1")
    world.air.breaks = None
    assert world.press(UNLOCK, "k1").state == State.REQUESTED  # its own retry: never a second publish
    with pytest.raises(CarBusy):
        world.press(HORN, "k2")
    world.clock.move(seconds=15)
    assert world.press(UNLOCK, "k3").state == State.SENT
    lost = world.sent(UNLOCK, "k1").command
    assert (lost.state, lost.reason, lost.may_have_executed) == (State.UNKNOWN, Reason.DEVICE_TIMEOUT, True)
    assert len(world.air.published) == 1


def test_a_refused_publish_is_not_sent_and_the_car_is_free_again(world: World) -> None:
    world.air.breaks = NotAccepted()
    command = world.press(UNLOCK, "k1")
    assert (command.state, command.reason) == (State.NOT_SENT, Reason.CHANNEL_DOWN)
    world.air.breaks = None
    assert world.press(UNLOCK, "k2").state == State.SENT


def test_a_publish_nobody_answered_for_may_have_executed(world: World) -> None:
    world.air.breaks = PerhapsAccepted()
    command = world.press(UNLOCK, "k1")
    assert (command.state, command.may_have_executed, command.retry_after) == (State.UNKNOWN, True, None)
    world.air.breaks = None
    assert world.press(UNLOCK, "k2") == command  # joined, not sent again
    world.answer(command, Event.SUCCEEDED)
    after = world.look(command)
    assert (after.state, after.late) == (State.SUCCEEDED, False)
    assert world.air.published == []


def test_an_answer_may_overtake_our_own_note_that_it_was_sent(world: World) -> None:
    def at_once(payload: dict[str, Any]) -> None:
        command = world.store.command(payload["command_id"])
        assert command is not None
        assert world.answer(command, Event.SUCCEEDED) == "accepted"

    world.air.then = at_once
    assert world.press(UNLOCK, "k1").state == State.SUCCEEDED


def test_what_the_key_does_not_grant_is_refused(world: World) -> None:
    with pytest.raises(ActionNotGranted):
        world.press(LOCK, "k1", by="valet")
    assert world.press(UNLOCK, "k1", by="valet").state == State.SENT


def test_nobody_without_a_session_sends_or_looks(world: World) -> None:
    command = world.press(UNLOCK, "k1")
    with pytest.raises(SessionOver):
        world.service.send(None, Asked(UNLOCK), "k2")
    with pytest.raises(SessionOver):
        world.look(command, by="thief")


@pytest.mark.parametrize("keys", ["one key", "a key each"])
def test_r04_twenty_presses_at_once_are_one_command(world: World, keys: str) -> None:
    def press(number: int) -> str:
        return world.press(UNLOCK, "same" if keys == "one key" else f"k{number}").command_id

    with ThreadPoolExecutor(20) as threads:
        ids = set(threads.map(press, range(20)))
    assert (len(ids), len(world.air.published), world.requested()) == (1, 1, 1)


def test_r04_lock_and_unlock_at_once_get_counters_of_their_own(world: World) -> None:
    def press(number: int) -> str:
        try:
            return str(world.press(LOCK if number % 2 else UNLOCK, f"k{number}").command_id)
        except CarBusy:
            return "busy"

    with ThreadPoolExecutor(20) as threads:
        outcomes = Counter(threads.map(press, range(20)))
    counters = [payload["counter"] for _, payload, _ in world.air.published]
    actions = [payload["action"] for _, payload, _ in world.air.published]
    assert sorted(counters) == list(range(1, len(counters) + 1))
    assert world.requested() == len(counters) == len(outcomes - Counter(busy=100))
    assert actions.count("lock") == 1  # everything after the lock waits for it or joins it
    assert actions.count("unlock") <= 1


def test_the_published_facts_are_the_samples(world: World) -> None:
    world.answer(world.press(UNLOCK, "k1"), Event.SUCCEEDED)
    shapes: list[type[msgspec.Struct]] = [CommandRequested, CommandSettled]
    for fact, shape in zip(world.facts(), shapes, strict=True):
        assert fact.envelope() == json.loads((ROOT / f"events/facts/{fact.type}.json").read_text())
        assert set(fact.data) == set(shape.__struct_fields__)
        fact.data_as(shape)
