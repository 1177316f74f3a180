"""The sample files of this context's entry points, as the gateway and the stream would hand them over."""

import json
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
import time_machine

from chalicelib.handlers.contracts import contracts_publish
from tests.conftest import NOON, ROOT

HTTP = sorted((ROOT / "events" / "http").glob("contracts-*.json"))
STATUS = {"POST /v1/contracts": 201, "POST /v1/ops/cars": 201}


@pytest.mark.usefixtures("api")
def test_the_sample_requests_tell_one_story_and_all_succeed() -> None:
    from app import app

    assert len(HTTP) == 6
    with time_machine.travel(NOON, tick=False):
        for sample in HTTP:
            event = json.loads(sample.read_text())
            answer = app(event, SimpleNamespace())
            wanted = STATUS.get(f"{event['httpMethod']} {event['resource']}", 200)
            assert answer["statusCode"] == wanted, (sample.name, answer["body"])


def test_the_stream_carries_every_inserted_fact_to_the_bus(dynamodb: Any) -> None:
    boto3.client("events").create_event_bus(Name="test-facts")
    sample = json.loads((ROOT / "events/stream/contracts_publish.json").read_text())
    assert contracts_publish(sample, SimpleNamespace()) == 2


def test_the_sample_stream_holds_the_sample_facts() -> None:
    sample = json.loads((ROOT / "events/stream/contracts_publish.json").read_text())
    images = [record["dynamodb"]["NewImage"] for record in sample["Records"]]
    facts = [json.loads(image["fact"]["S"]) for image in images if "fact" in image]
    names = ("ContractSigned", "ContractAssigned")
    assert facts == [json.loads((ROOT / f"events/facts/{name}.json").read_text()) for name in names]
