"""The samples of this context's entry points, each taken by the Lambda it is meant for."""

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
import time_machine

from chalicelib.devices.model import Why
from chalicelib.handlers.devices import devices_connect, devices_hook, devices_publish, devices_retire
from tests.api import Api
from tests.conftest import NOON, ROOT
from tests.contracts.examples import assigned_by_samples
from tests.devices.world import CAR, STAFF, World, certificate

NOBODY = SimpleNamespace()


def sample(path: str) -> Any:
    return json.loads((ROOT / "events" / path).read_text())


@pytest.fixture(autouse=True)
def noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


def test_the_sample_requests_are_taken_in_their_order(api: Api) -> None:
    from app import app

    secrets: Any = boto3.client("secretsmanager")
    for name in ("enrolment-key", "link-key"):
        secrets.create_secret(Name=f"test/handover/{name}", SecretString="x")
    assigned_by_samples()
    paths = sorted((ROOT / "events" / "http").glob("devices-*.json"))
    assert [app(json.loads(path.read_text()), NOBODY)["statusCode"] for path in paths] == [201, 200, 204]


def test_the_hook_refuses_a_unit_that_nobody_ordered(api: Api) -> None:
    assert devices_hook(sample("iot/devices_hook.json"), NOBODY) == {"allowProvisioning": False}


def test_connections_are_heard_and_refused_ones_recorded(api: Api, dynamodb: Any) -> None:
    assert devices_connect(sample("iot/devices_connect.json"), NOBODY) == "no_unit"
    assert devices_connect(sample("iot/devices_connect-refused.json"), NOBODY) == "connect_failed"
    (row,) = dynamodb.scan(TableName="test-devices")["Items"]
    assert (row["pk"]["S"], row["sk"]["S"]) == (f"REFUSED#{certificate(1)}", "2026-03-02#connect_failed")
    assert (row["name"]["S"], row["times"]["N"]) == (CAR, "1")


def test_the_fact_published_is_the_sample(world: World) -> None:
    world.enrolled(certificate(1))
    world.service.withdraw(CAR, Why.STOLEN, STAFF)
    assert [fact.envelope() for fact in world.facts()] == [sample("facts/CertificateEnded.json")]


def test_the_fact_heard_ends_the_certificate_at_aws_iot(api: Api) -> None:
    iot: Any = boto3.client("iot")
    certificate_id = iot.create_keys_and_certificate(setAsActive=True)["certificateId"]
    event = sample("bus/devices_retire.json")
    assert event["detail"] == sample("facts/CertificateEnded.json")
    event["detail"]["data"].update(certificate_id=certificate_id, reason="replaced")
    devices_retire(event, NOBODY)
    described = iot.describe_certificate(certificateId=certificate_id)["certificateDescription"]
    assert described["status"] == "INACTIVE"


def test_the_stream_carries_the_line_that_is_a_fact_and_no_other(api: Api) -> None:
    boto3.client("events").create_event_bus(Name="test-facts")
    event = sample("stream/devices_publish.json")
    assert devices_publish(event, NOBODY) == 1
    facts = [it["dynamodb"]["NewImage"].get("fact", {}).get("S") for it in event["Records"]]
    assert [json.loads(fact) for fact in facts if fact] == [sample("facts/CertificateEnded.json")]
