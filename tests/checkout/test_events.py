"""The sample files of this context's entry points, as the gateway and the stream would hand them over."""

import json
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
import time_machine

from chalicelib.handlers.checkout import checkout_publish
from chalicelib.handlers.coupons import coupons_issue
from chalicelib.kernel import aws
from tests.conftest import NOON, ROOT
from tests.coupons.examples import SECRET

EVENTS = ROOT / "events"
STORY = (
    ("contracts-4-sign", 201),
    ("coupons-1-create", 201),
    ("coupons-6-ask-for-codes", 202),
    ("coupons-8-register", 201),
    ("checkout-1-reserve", 201),
    ("checkout-2-look", 200),
)


def read(path: str) -> Any:
    return json.loads((EVENTS / path).read_text())


@pytest.mark.usefixtures("api")
def test_the_sample_requests_tell_one_story_and_all_succeed() -> None:
    from app import app

    aws.client("secretsmanager").create_secret(Name="test/handover/code-key", SecretString=SECRET)
    with time_machine.travel(NOON, tick=False):
        for name, wanted in STORY:
            answer = app(read(f"http/{name}.json"), SimpleNamespace())
            assert answer["statusCode"] == wanted, (name, answer["body"])
            if name.endswith("ask-for-codes"):
                coupons_issue(read("bus/coupons_issue.json"), SimpleNamespace())
    assert json.loads(answer["body"])["payable"] == 455_000


def test_every_sample_request_is_part_of_the_story() -> None:
    named = {name for name, _ in STORY if name.startswith("checkout")}
    assert named == {sample.stem for sample in (EVENTS / "http").glob("checkout-*.json")}


def test_the_stream_carries_every_inserted_fact_to_the_bus(dynamodb: Any) -> None:
    boto3.client("events").create_event_bus(Name="test-facts")
    assert checkout_publish(read("stream/checkout_publish.json"), SimpleNamespace()) == 1


def test_the_sample_stream_holds_the_sample_fact() -> None:
    images = [record["dynamodb"]["NewImage"] for record in read("stream/checkout_publish.json")["Records"]]
    (fact,) = [json.loads(image["fact"]["S"]) for image in images if "fact" in image]
    assert fact == read("facts/CheckoutReserved.json")
