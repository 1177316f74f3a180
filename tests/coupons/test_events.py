"""The sample files of this context's entry points, as gateway, bus and stream would hand them over."""

import json
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
import time_machine

from chalicelib.handlers.campaigns import coupons_reclaim
from chalicelib.handlers.coupons import coupons_issue, coupons_publish
from chalicelib.kernel import aws
from tests.conftest import NOON, ROOT
from tests.coupons.examples import SECRET

EVENTS = ROOT / "events"
HTTP = sorted((EVENTS / "http").glob("coupons-*.json"))
STATUS = {
    "POST /v1/ops/campaigns": 201,
    "POST /v1/ops/campaigns/{campaign_id}/codes": 202,
    "POST /v1/ops/campaigns/{campaign_id}/targets": 202,
    "POST /v1/me/coupons": 201,
}


def read(path: str) -> Any:
    return json.loads((EVENTS / path).read_text())


@pytest.mark.usefixtures("api")
def test_the_sample_requests_tell_one_story_and_all_succeed() -> None:
    from app import app

    aws.client("secretsmanager").create_secret(Name="test/handover/code-key", SecretString=SECRET)
    assert len(HTTP) == 14
    with time_machine.travel(NOON, tick=False):
        for sample in HTTP:
            event = json.loads(sample.read_text())
            answer = app(event, SimpleNamespace())
            wanted = STATUS.get(f"{event['httpMethod']} {event['resource']}", 200)
            assert answer["statusCode"] == wanted, (sample.name, answer["body"])
            if sample.stem.endswith("ask-for-codes"):
                assert coupons_issue(read("bus/coupons_issue.json"), SimpleNamespace()) == 200


@pytest.mark.usefixtures("api")
def test_the_sample_requests_about_one_campaign_all_succeed() -> None:
    from app import app

    samples = sorted((EVENTS / "http").glob("campaigns-*.json"))
    assert len(samples) == 4
    with time_machine.travel(NOON, tick=False):
        answers = [app(json.loads(sample.read_text()), SimpleNamespace()) for sample in samples]
    assert [answer["statusCode"] for answer in answers] == [201, 200, 200, 200]
    assert json.loads(answers[-1]["body"])["state"] == "CLOSED"


def test_the_schedule_takes_back_what_nobody_can_use(dynamodb: Any) -> None:
    assert coupons_reclaim(read("schedule/coupons_reclaim.json"), SimpleNamespace()) == 0


def test_the_bus_hands_over_the_published_fact() -> None:
    assert read("bus/coupons_issue.json")["detail"] == read("facts/CodeBatchRequested.json")


def test_the_stream_carries_every_inserted_fact_to_the_bus(dynamodb: Any) -> None:
    boto3.client("events").create_event_bus(Name="test-facts")
    assert coupons_publish(read("stream/coupons_publish.json"), SimpleNamespace()) == 2


def test_the_sample_stream_holds_the_sample_facts() -> None:
    images = [record["dynamodb"]["NewImage"] for record in read("stream/coupons_publish.json")["Records"]]
    facts = [json.loads(image["fact"]["S"]) for image in images if "fact" in image]
    assert facts == [read(f"facts/{name}.json") for name in ("CampaignCreated", "CodeBatchRequested")]
