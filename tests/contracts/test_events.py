"""The sample files of this context's entry points, as gateway, bus, schedule and stream hand them over."""

import json
import re
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
import time_machine

from chalicelib.handlers import contracts as handlers
from chalicelib.handlers.contracts import (
    HEARD,
    contracts_hear,
    contracts_publish,
    contracts_sweep,
    contracts_verify,
)
from chalicelib.kernel.http import DECLARED
from tests.conftest import NOON, ROOT
from tests.contracts.examples import assigned_by_samples, samples_played
from tests.offices import OFFICES

EVENTS = ROOT / "events"
NOBODY = SimpleNamespace()


def sample(name: str) -> Any:
    return json.loads((EVENTS / name).read_text())


def answer_to(name: str) -> Any:
    from app import app

    answer = app(sample(f"http/{name}"), NOBODY)
    assert answer["statusCode"] < 300, (name, answer["body"])
    return json.loads(answer["body"])


@pytest.mark.usefixtures("api")
def test_the_sample_requests_tell_one_story_and_all_succeed() -> None:
    with time_machine.travel(NOON, tick=False):
        asked = [event for event, _ in samples_played()]
        assert answer_to("contracts-6-get.json")["state"] == "settling"
    declared = {each.path for each in DECLARED if each.view in vars(handlers)}
    assert {event["resource"] for event in asked} == declared


@pytest.mark.usefixtures("api")
def test_the_bus_has_a_contract_verified_and_paid() -> None:
    with time_machine.travel(NOON, tick=False):
        OFFICES.away = True
        answer_to("contracts-4-sign.json")
        OFFICES.away = False
        contracts_verify(sample("bus/contracts_verify.json"), NOBODY)
        contracts_hear(sample("bus/contracts_hear.json"), NOBODY)
        assert answer_to("contracts-6-get.json")["state"] == "confirmed"


@pytest.mark.usefixtures("api")
def test_every_fact_that_is_heard_is_understood_as_it_is_published() -> None:
    with time_machine.travel(NOON, tick=False):
        ours = {"contract_id": assigned_by_samples(), "car_id": "car-0001", "key_tag": "tag-0001-a"}
        for kind in sorted(HEARD.keys() - {"CheckoutCaptured"}):
            fact = sample(f"facts/{kind}.json")
            fact["data"] |= {name: value for name, value in ours.items() if name in fact["data"]}
            contracts_hear({"detail": fact}, NOBODY)
        assert answer_to("contracts-6-get.json")["state"] == "active"


@pytest.mark.usefixtures("api")
def test_the_schedule_rings_what_is_overdue() -> None:
    with time_machine.travel(NOON, tick=False):
        answer_to("contracts-4-sign.json")
    with time_machine.travel(NOON + timedelta(days=14), tick=False):
        assert contracts_sweep(sample("schedule/contracts_sweep.json"), NOBODY) == {"found": 1, "claimed": 1}
        assert answer_to("contracts-6-get.json")["state"] == "expired"


def test_the_rule_passes_on_exactly_what_is_heard() -> None:
    template = (ROOT / "infra" / "app.yaml").read_text()
    rule = template.partition("  ContractsHearRule:")[2].partition("Targets:")[0]
    assert set(re.findall(r"          - (\w+)", rule)) == HEARD.keys()


def test_the_stream_carries_every_inserted_fact_to_the_bus(dynamodb: Any) -> None:
    boto3.client("events").create_event_bus(Name="test-facts")
    assert contracts_publish(sample("stream/contracts_publish.json"), NOBODY) == 2


def test_the_sample_stream_holds_the_sample_facts() -> None:
    images = [record["dynamodb"]["NewImage"] for record in sample("stream/contracts_publish.json")["Records"]]
    facts = [json.loads(image["fact"]["S"]) for image in images if "fact" in image]
    assert facts == [sample(f"facts/{name}.json") for name in ("ContractSigned", "ContractAssigned")]
