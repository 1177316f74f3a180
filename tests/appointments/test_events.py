"""The sample files of this context's entry points, as gateway, bus, schedule and stream hand them over."""

import json
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
import time_machine

from chalicelib import wiring
from chalicelib.appointments.model import Which
from chalicelib.appointments.service import appointment_id_of
from chalicelib.handlers.appointments import appointments_hear, appointments_publish, appointments_sweep
from tests.appointments.examples import OPS
from tests.conftest import NOON, ROOT
from tests.contracts.examples import assigned_by_samples

EVENTS = ROOT / "events"
NOBODY = SimpleNamespace()


def sample(name: str) -> Any:
    return json.loads((EVENTS / name).read_text())


@pytest.fixture(autouse=True)
def noon() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON, tick=False) as clock:
        yield clock


@pytest.fixture
def contract_id(api: Any) -> str:
    """The contract of the contracts' own samples, paid, assigned, and its payment heard."""
    contract_id = assigned_by_samples()
    for _ in range(2):
        appointments_hear(sample("bus/appointments_hear.json"), NOBODY)
    return contract_id


def test_the_sample_requests_tell_one_story_and_all_succeed(contract_id: str) -> None:
    from app import app

    for each in sorted((EVENTS / "http").glob("appointments-*.json")):
        answer = app(json.loads(each.read_text()), NOBODY)
        assert answer["statusCode"] == 200, (each.name, answer["body"])


def test_what_the_bus_says_of_a_contract_reaches_its_appointment(
    contract_id: str, noon: time_machine.Traveller
) -> None:
    noon.shift(timedelta(hours=1))
    cancelled = sample("bus/appointments_hear.json")
    told = {"type": "ContractCancelled", "id": "evt_cancelled", "time": "2026-03-02T04:00:00.000000Z"}
    appointments_hear({"detail": cancelled["detail"] | told}, NOBODY)
    (seen,) = wiring.appointments().of_contract(contract_id, by=OPS)
    assert (seen.appointment.state, seen.appointment.appointment_id) == (
        "cancelled",
        appointment_id_of(contract_id, Which.HANDOVER),
    )


@pytest.mark.usefixtures("contract_id")
def test_the_schedule_finds_who_has_not_left(noon: time_machine.Traveller) -> None:
    noon.shift(timedelta(days=14))
    report = appointments_sweep(sample("schedule/appointments_sweep.json"), NOBODY)
    assert report == {"found": 1, "claimed": 1, "queries": 16}


def test_the_stream_carries_the_one_fact_among_its_rows(dynamodb: Any) -> None:
    boto3.client("events").create_event_bus(Name="test-facts")
    assert appointments_publish(sample("stream/appointments_publish.json"), NOBODY) == 1
    images = [each["dynamodb"]["NewImage"] for each in sample("stream/appointments_publish.json")["Records"]]
    facts = [json.loads(image["fact"]["S"]) for image in images if "fact" in image]
    assert facts == [sample("facts/CarLockedOut.json")]
