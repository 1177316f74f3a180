"""From the press to the car and back, over real MQTT with real certificates, on the deployed stack."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from infra.identity import CERTIFICATE, PRIVATE_KEY
from infra.local.car import COMMAND_KEY, now_ms
from tests.stack.cars import STAGE, Drive, Garage, until


@pytest.fixture(scope="module")
def garage(stack: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Garage:
    return Garage(stack, Path(tmp_path_factory.mktemp("things")))


def test_a_press_opens_the_car_and_another_locks_it(garage: Garage) -> None:
    drive = garage.make()
    with drive.on_air() as car:
        for action, locked in (("unlock", False), ("lock", True)):
            command = drive.press(action)
            assert command["state"] in ("SENT", "SUCCEEDED")
            settled = drive.settled(command)
            assert (settled["state"], settled["may_have_executed"]) == ("SUCCEEDED", True)
            assert car.unit.body.locked is locked
        assert car.unit.executed == ["unlock", "lock"]


def test_the_same_press_sent_again_acts_once(garage: Garage) -> None:
    drive = garage.make()
    with drive.on_air() as car:
        commands = [drive.press("horn", key="same") for _ in range(3)]
        drive.settled(commands[0])
        assert len({command["command_id"] for command in commands}) == 1
        assert car.unit.body.horns == 1


def test_an_offline_car_is_not_sent_at_once(garage: Garage) -> None:
    drive = garage.make()
    with drive.on_air():
        pass
    until(lambda: not drive.online())
    command = drive.press("unlock")
    assert (command["state"], command["reason"]) == ("NOT_SENT", "VEHICLE_OFFLINE")
    assert (command["may_have_executed"], command["retryable"]) == (False, True)
    assert command["last_seen"]


def test_a_car_that_was_never_there_is_not_sent_at_once(garage: Garage) -> None:
    command = garage.make().press("unlock")
    assert (command["state"], command["reason"], command["last_seen"]) == (
        "NOT_SENT",
        "VEHICLE_OFFLINE",
        None,
    )


def pretend_online(drive: Drive) -> None:
    """The moment between a car's falling silent and our hearing of it."""
    event = {"client_id": drive.car_id, "event": "connected", "version": 1000, "at": now_ms()}
    answer = drive.garage.aws("lambda").invoke(
        FunctionName=f"{STAGE}-doors_presence", Payload=json.dumps(event)
    )
    assert answer["Payload"].read() == b"true"


def test_after_its_life_a_command_is_neither_carried_out_nor_forgotten(garage: Garage) -> None:
    """One car reconnects too late and does nothing; another has acted, and says so only late."""
    gone, slow = garage.make(), garage.make("slow:30")
    with gone.on_air():
        pass  # its broker session lives on and keeps what comes while it is away
    pretend_online(gone)
    lost = gone.press("unlock")
    assert lost["state"] == "SENT"
    with slow.on_air() as slow_car:
        late = slow.press("unlock")
        until(lambda: slow.look(late)["state"] == "DELIVERED")
        for drive, command in ((gone, lost), (slow, late)):
            unknown = drive.unsure(command)
            assert (unknown["reason"], unknown["may_have_executed"]) == ("DEVICE_TIMEOUT", True)
            assert not unknown["retryable"]
        with gone.on_air() as back:
            time.sleep(1.5)
            assert back.unit.executed == []
            assert back.unit.body.locked
        put_right = until(lambda: (it := slow.look(late))["state"] == "SUCCEEDED" and it)
        assert put_right["late"]
        assert slow_car.unit.executed == ["unlock"]
    assert gone.look(lost)["state"] in ("UNKNOWN", "UNKNOWN_FINAL")


def test_a_car_that_repeats_itself_confuses_nobody(garage: Garage) -> None:
    drive = garage.make("replaying")
    with drive.on_air() as car:
        for action in ("unlock", "lock", "lock"):
            drive.settled(drive.press(action))
        until(lambda: "not_now" in drive.refused())
        assert car.unit.executed == ["unlock", "lock", "lock"]
        assert drive.settled(drive.press("lock"))["state"] == "ALREADY_DONE"


@pytest.mark.parametrize(
    ("behaviour", "action", "reason"), [("moving", "unlock", "IN_MOTION"), ("door_open", "lock", "DOOR_OPEN")]
)
def test_a_car_says_why_it_will_not(garage: Garage, behaviour: str, action: str, reason: str) -> None:
    drive = garage.make(behaviour)
    with drive.on_air():
        settled = drive.settled(drive.press(action))
        assert (settled["state"], settled["reason"], settled["may_have_executed"]) == (
            "REJECTED",
            reason,
            False,
        )


def test_every_thing_of_the_stack_has_a_folder_a_car_can_be_driven_from(stack: dict[str, Any]) -> None:
    for thing in stack["things"].values():
        assert {it.name for it in Path(thing["dir"]).iterdir()} >= {CERTIFICATE, PRIVATE_KEY, COMMAND_KEY}
