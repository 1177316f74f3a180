"""What is stopped stays shut, but for LOCK: one car, all cars, and a smart key that was ended."""

import contextlib
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest

from chalicelib.doors.model import Action, Event, Reason, ReasonNeeded, State, Stopped
from chalicelib.doors.schemas import CarResumed, CarStopped, FleetResumed, FleetStopped
from chalicelib.kernel.errors import HandoverError, NotFound
from tests.conftest import ROOT
from tests.doors.world import CAR, HORN, KIM, LOCK, UNLOCK, GrantExpired, GrantRevoked, World

OPS = "ops_olga"


def stop(world: World, whom: str, reason: str = "stolen") -> Any:
    if whom == "fleet":
        return world.desk.stop_fleet(reason, OPS)
    return world.desk.stop_car(CAR, reason, OPS)


def resume(world: World, whom: str) -> None:
    if whom == "fleet":
        world.desk.resume_fleet("found", OPS)
    else:
        world.desk.resume_car(CAR, "found", OPS)


@pytest.mark.parametrize("whom", ["car", "fleet"])
def test_r11_after_a_stop_everything_but_lock_is_refused_until_it_is_lifted(world: World, whom: str) -> None:
    stop(world, whom)
    for number, action in enumerate(Action):
        if action is LOCK:
            world.answer(world.press(action, "lock"), Event.SUCCEEDED)
        elif whom == "car":
            with pytest.raises(Stopped):
                world.press(action, f"k{number}")
        else:  # looked at only when everything else is in order, at the last moment
            command = world.press(action, f"k{number}")
            assert (command.state, command.reason) == (State.NOT_SENT, Reason.STOPPED)
    assert [payload["action"] for _, payload, _ in world.air.published] == ["lock"]
    assert {line.about["code"] for line in world.log("denied") if line.what == "denied"} <= {"STOPPED"}
    resume(world, whom)
    assert world.press(UNLOCK, "again").state == State.SENT


@pytest.mark.parametrize("whom", ["car", "fleet"])
def test_stopping_twice_is_once(world: World, whom: str) -> None:
    first = stop(world, whom)
    world.clock.move(minutes=1)
    assert stop(world, whom, "another reason") == first
    resume(world, whom)
    resume(world, whom)
    told = [fact.type for fact in world.facts()]
    assert told == (["FleetStopped", "FleetResumed"] if whom == "fleet" else ["CarStopped", "CarResumed"])
    page = world.desk.fleet_log(0, 10) if whom == "fleet" else world.desk.log(CAR, "denied", 0, 10)
    assert page.whole
    assert [(line.what, line.who) for line in page.lines] == [
        ("stopped", f"staff:{OPS}"),
        ("resumed", f"staff:{OPS}"),
    ]


def test_a_stop_is_one_cars_and_others_see_it(world: World) -> None:
    stop(world, "car")
    assert world.service.car_state(CAR).stopped
    assert not world.service.car_state("car-0002").stopped
    assert world.desk.car_stop("car-0002") is None


@pytest.mark.parametrize("reason", ["", "   "])
def test_nobody_stops_a_car_without_saying_why(world: World, reason: str) -> None:
    with pytest.raises(ReasonNeeded):
        stop(world, "car", reason)
    with pytest.raises(ReasonNeeded):
        world.desk.resume_fleet(reason, OPS)


def test_an_unknown_car_cannot_be_stopped_by_mistake(world: World) -> None:
    with pytest.raises(NotFound):
        world.desk.stop_car("bicycle", "a slip of the pen", OPS)


def test_r11_a_stop_between_the_look_and_the_write_is_seen(world: World) -> None:
    """No command is given to the car after the stop was answered, whoever looked before it."""
    look = world.store.car

    def late(car_id: str) -> Any:
        world.store.car = look  # type: ignore[method-assign]
        seen = look(car_id)
        stop(world, "car")
        return seen

    world.store.car = late  # type: ignore[method-assign]
    with pytest.raises(Stopped):
        world.press(UNLOCK, "k1")
    assert world.air.published == []


def test_r11_in_a_crowd_nothing_opens_once_the_stop_is_answered(world: World) -> None:
    answered: list[int] = []

    def press(number: int) -> None:
        if number == 8:
            stop(world, "car")
            answered.append(world.store.car(CAR).control.counter)
            return
        with contextlib.suppress(HandoverError):
            world.press(HORN if number % 2 else UNLOCK, f"k{number}")

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(press, range(16)))
    assert world.store.car(CAR).control.counter == answered[0]


def test_r11_a_fleet_stop_reaches_a_command_that_is_about_to_leave(world: World) -> None:
    write = world.store.open

    def slow(*given: Any) -> None:
        write(*given)
        stop(world, "fleet")

    world.store.open = slow  # type: ignore[method-assign,assignment]
    command = world.press(UNLOCK, "k1")
    assert (command.state, command.reason) == (State.NOT_SENT, Reason.STOPPED)
    assert world.air.published == []


@pytest.mark.parametrize(
    ("ended", "reason"),
    [(GrantRevoked(), Reason.GRANT_REVOKED), (GrantExpired(), Reason.GRANT_EXPIRED)],
)
def test_r11_a_smart_key_that_ends_before_the_publish_ends_its_command(
    world: World, ended: HandoverError, reason: Reason
) -> None:
    world.holders.at_the_last_moment = lambda: world.holders.ended.update({KIM.grant_id: ended})
    command = world.press(UNLOCK, "k1")
    assert (command.state, command.reason) == (State.NOT_SENT, reason)
    assert (command.may_have_executed, world.air.published) == (False, [])
    assert world.settled() == [("NOT_SENT", reason, False)]
    assert [line.what for line in world.log(command.command_id)] == ["withheld"]


def test_r11_no_publish_after_a_revoke_and_no_old_answer_either(world: World) -> None:
    command = world.press(UNLOCK, "k1")
    world.holders.ended[KIM.grant_id] = GrantRevoked()
    for key, may_have in (("k1", True), ("k2", None)):
        world.holders.ended[KIM.grant_id] = GrantRevoked()
        with pytest.raises(GrantRevoked) as refused:
            world.press(UNLOCK, key)
        assert refused.value.extra.get("may_have_executed") is may_have
    with pytest.raises(GrantRevoked):
        world.look(command)
    assert len(world.air.published) == 1


def test_the_published_facts_of_stops_are_the_samples(world: World) -> None:
    for whom in ("car", "fleet"):
        stop(world, whom)
        resume(world, whom)
    shapes: list[type[msgspec.Struct]] = [CarStopped, CarResumed, FleetStopped, FleetResumed]
    for fact, shape in zip(world.facts(), shapes, strict=True):
        assert fact.envelope() == json.loads((ROOT / f"events/facts/{fact.type}.json").read_text())
        assert set(fact.data) == set(shape.__struct_fields__)
        fact.data_as(shape)
