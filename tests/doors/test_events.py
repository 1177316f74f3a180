"""Every sample event of this context is taken by the Lambda it is meant for."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.doors.model import Event, State
from chalicelib.doors.schemas import read_ack, read_presence, read_report
from chalicelib.handlers import doors
from chalicelib.kernel import aws
from tests.api import Api
from tests.conftest import ROOT
from tests.doors.world import CAR, UNLOCK, World


def sample(path: str) -> Any:
    return json.loads((ROOT / "events" / path).read_text())


@pytest.mark.parametrize(
    ("name", "verdict", "state"),
    [
        ("doors_ack", "accepted", State.SUCCEEDED),
        ("doors_ack-received", "accepted", State.DELIVERED),
        ("doors_ack-rejected", "accepted", State.REJECTED),
        ("doors_ack-forged", "other_car", State.SENT),
        ("doors_ack-unreadable", "unreadable", State.SENT),
    ],
)
def test_an_ack_does_to_its_command_what_it_says(world: World, name: str, verdict: str, state: State) -> None:
    command = world.press(UNLOCK, "k1")
    assert world.service.ack(read_ack(sample(f"iot/{name}.json"))) == verdict
    assert world.look(command).state == state


def test_a_reason_nobody_knows_is_a_fault_of_the_device(world: World) -> None:
    ack = read_ack({**sample("iot/doors_ack.json"), "status": "failed", "reason": "GREMLINS"})
    assert (ack.event, ack.reason) == (Event.FAILED, None)


def test_a_state_is_taken_or_put_on_record(world: World) -> None:
    assert world.service.report(read_report(sample("iot/doors_state.json"))) == "accepted"
    assert world.service.report(read_report(sample("iot/doors_state-unreadable.json"))) == "unreadable"
    assert world.service.car_state(CAR).position == (37.5663, 126.9779)


def test_presence_follows_the_connection(world: World) -> None:
    for name, online in (("connected", True), ("disconnected", False)):
        event = sample(f"iot/doors_presence-{name}.json") | {"version": 7}
        assert world.service.presence(read_presence(event))
        assert world.service.car_state(CAR).online == online


BACKGROUND: list[tuple[str, Callable[[Any, Any], Any], Any]] = [
    ("iot/doors_ack.json", doors.doors_ack, "unknown_command"),
    ("iot/doors_ack-received.json", doors.doors_ack, "unknown_command"),
    ("iot/doors_ack-rejected.json", doors.doors_ack, "unknown_command"),
    ("iot/doors_ack-forged.json", doors.doors_ack, "unknown_command"),
    ("iot/doors_ack-unreadable.json", doors.doors_ack, "unreadable"),
    ("iot/doors_state.json", doors.doors_state, "accepted"),
    ("iot/doors_state-unreadable.json", doors.doors_state, "unreadable"),
    ("iot/doors_presence-connected.json", doors.doors_presence, True),
    ("iot/doors_presence-disconnected.json", doors.doors_presence, True),
    ("schedule/doors_sweep.json", doors.doors_sweep, {"rows_read": 0, "settled": 0}),
]


def test_the_list_below_is_every_sample_there_is() -> None:
    folders = ("iot", "schedule")
    found = {f"{it}/{path.name}" for it in folders for path in (ROOT / "events" / it).glob("doors_*.json")}
    assert found == {name for name, _, _ in BACKGROUND}


@pytest.mark.parametrize(("name", "function", "answer"), BACKGROUND)
def test_a_lambda_takes_its_sample(api: Api, name: str, function: Callable[..., Any], answer: Any) -> None:
    assert function(sample(name), None) == answer


def test_the_stream_sample_carries_both_facts_to_the_bus(api: Api) -> None:
    aws.client("events").create_event_bus(Name="test-facts")
    assert doors.doors_publish(sample("stream/doors_publish.json"), None) == 2
