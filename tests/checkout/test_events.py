"""The sample files of this context's entry points, as the gateway and the stream would hand them over."""

import json
from collections.abc import Iterable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
import time_machine

from chalicelib.handlers.checkout import checkout_publish, checkout_sweep
from chalicelib.handlers.coupons import coupons_issue
from chalicelib.kernel import aws
from infra.local.bank import Bank
from tests import bank
from tests.api import Api
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
    ("checkout-3-capture", 200),
)


def read(path: str) -> Any:
    return json.loads((EVENTS / path).read_text())


@pytest.fixture
def gateway(api: Api) -> Bank:
    aws.client("secretsmanager").create_secret(Name="test/handover/code-key", SecretString=SECRET)
    return bank.fresh()


def test_the_sample_requests_tell_one_story_and_all_succeed(gateway: Bank) -> None:
    with time_machine.travel(NOON, tick=False):
        answer = tell(STORY)
    assert (answer["payable"], answer["state"]) == (455_000, "CAPTURED")
    assert [it["amount"] for it in gateway.listing()["payments"]] == [455_000]


def test_the_schedule_settles_what_the_gateway_did_not_answer(gateway: Bank) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        tell(STORY[:-1])
        gateway.away = True
        assert tell([("checkout-3-capture", 202)])["state"] == "CAPTURING"
        gateway.away = False
        clock.shift(timedelta(minutes=1))
        report = checkout_sweep(read("schedule/checkout_sweep.json"), SimpleNamespace())
        assert report == {"found": 1, "claimed": 1, "queries": 16}
        assert tell([("checkout-2-look", 200)])["state"] == "CAPTURED"


def tell(story: Iterable[tuple[str, int]]) -> Any:
    """The last answer."""
    from app import app

    for name, wanted in story:
        answer = app(read(f"http/{name}.json"), SimpleNamespace())
        assert answer["statusCode"] == wanted, (name, answer["body"])
        if name.endswith("ask-for-codes"):
            coupons_issue(read("bus/coupons_issue.json"), SimpleNamespace())
    return json.loads(answer["body"])


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
