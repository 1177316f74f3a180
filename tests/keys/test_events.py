"""The sample files of this context's entry points, as gateway, bus, schedule and stream hand them over."""

import json
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
import time_machine

from chalicelib.handlers.keys import keys_plan, keys_publish, keys_sweep
from infra.local import histories
from tests.conftest import NOON, ROOT
from tests.keys.examples import secret

EVENTS = ROOT / "events"
NOBODY = SimpleNamespace()


def sample(name: str) -> Any:
    return json.loads((EVENTS / name).read_text())


@pytest.fixture
def planned(api: Any) -> str:
    """The shipment of the contract that the samples of contracts sign and assign."""
    from app import app

    name = "carrier-easypost"
    boto3.client("secretsmanager").create_secret(Name=f"test/handover/{name}", SecretString=secret(name))
    with time_machine.travel(NOON - timedelta(days=1), tick=False):
        for each in ("3-register-car", "4-sign", "5-assign"):
            assert app(sample(f"http/contracts-{each}.json"), NOBODY)["statusCode"] < 300
        return str(keys_plan(sample("bus/keys_plan.json"), NOBODY))


def test_the_sample_requests_tell_one_story_and_all_succeed(planned: str) -> None:
    from app import app

    requests = sorted((EVENTS / "http").glob("keys-*.json"))
    states = []
    with time_machine.travel(histories.moment("now"), tick=False):
        for each in requests:
            answer = app(json.loads(each.read_text()), NOBODY)
            assert answer["statusCode"] == 200, (each.name, answer["body"])
            states.append(json.loads(answer["body"]).get("state"))
    assert states == ["packed", "handed_to_carrier", None, "verified"]


def test_the_same_assignment_heard_twice_plans_once(planned: str) -> None:
    assert keys_plan(sample("bus/keys_plan.json"), NOBODY) == planned


def test_the_schedule_finds_what_is_overdue(planned: str) -> None:
    with time_machine.travel(NOON + timedelta(days=14), tick=False):
        report = keys_sweep(sample("schedule/keys_sweep.json"), NOBODY)
    assert report == {"found": 1, "claimed": 1, "rows_read": 1, "queries": 16}


def test_the_stream_carries_the_one_fact_among_its_rows(dynamodb: Any) -> None:
    boto3.client("events").create_event_bus(Name="test-facts")
    assert keys_publish(sample("stream/keys_publish.json"), NOBODY) == 1
    images = [record["dynamodb"]["NewImage"] for record in sample("stream/keys_publish.json")["Records"]]
    facts = [json.loads(image["fact"]["S"]) for image in images if "fact" in image]
    assert facts == [sample("facts/KeyShipmentLate.json")]


def test_the_bus_hands_over_the_sample_fact() -> None:
    assert sample("bus/keys_plan.json")["detail"] == sample("facts/ContractAssigned.json")
