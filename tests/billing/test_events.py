"""The sample files of this context's entry points, as gateway, bus, schedule and stream hand them over."""

import json
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
import time_machine

from chalicelib.handlers.billing import billing_hear, billing_publish, billing_sweep
from chalicelib.kernel.clock import stamp
from infra.local.bank import Bank
from tests import bank
from tests.api import Api
from tests.conftest import NOON, ROOT
from tests.contracts.examples import assigned_by_samples

EVENTS = ROOT / "events"
NOBODY = SimpleNamespace()
START = NOON + timedelta(days=14)


def sample(name: str) -> Any:
    return json.loads((EVENTS / name).read_text())


def asked(name: str) -> Any:
    from app import app

    answer = app(sample(f"http/billing-{name}.json"), NOBODY)
    assert answer["statusCode"] == 200, answer["body"]
    return json.loads(answer["body"])


def said(kind: str, **data: Any) -> Any:
    """The sample fact on the bus, saying something else."""
    fact = sample(f"facts/{kind}.json")
    return sample("bus/billing_hear.json") | {"detail": fact | {"data": fact["data"] | data}}


@pytest.fixture
def gateway(api: Api) -> Bank:
    """Behind it the contract that the samples of contracts sign and assign, whose payment is heard of."""
    from chalicelib import wiring

    gateway = bank.fresh()
    with time_machine.travel(NOON, tick=False):
        assigned_by_samples()
        wiring.payments().charge("pay_chk_1", 460_000, "tok_visa", "first_month")
        assert billing_hear(sample("bus/billing_hear.json"), NOBODY) == "not_started"
    return gateway


def test_the_sample_requests_tell_one_story_and_all_succeed(gateway: Bank) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        before = asked("1-payments")
        assert (before["billing"], before["next_charge_at"], before["balance"]) == ("not_started", None, 0)
        assert [(each["what"], each["amount"], each["state"]) for each in before["charges"]] == [
            ("first_month", 460_000, "paid")
        ]
        assert asked("2-payment-method")["state"] == "not_started"
        lines = [{"what": "first_month", "amount": 460_000}, {"what": "compensation", "amount": 276_000}]
        billing_hear(said("ContractCancelled", lines=lines), NOBODY)
        clock.shift(timedelta(minutes=10))
        contract_id = sample("facts/ContractPaid.json")["data"]["contract_id"]
        billing_sweep(sample("schedule/billing_sweep.json"), NOBODY)
        assert asked("3-transferred") == {
            "refund_id": f"{contract_id}-refund-2",
            "amount": 276_000,
            "state": "paid",
        }


def test_every_sample_request_is_part_of_the_story() -> None:
    names = {path.stem for path in (EVENTS / "http").glob("billing-*.json")}
    assert names == {"billing-1-payments", "billing-2-payment-method", "billing-3-transferred"}


def test_the_schedule_charges_the_month_that_begins(gateway: Bank) -> None:
    with time_machine.travel(START, tick=False) as clock:
        assert billing_hear(said("ContractActivated"), NOBODY) == "current"
        clock.shift(timedelta(days=31))
        report = billing_sweep(sample("schedule/billing_sweep.json"), NOBODY)
        assert report == {"found": 1, "claimed": 1, "queries": 16}
        taken = [it["amount"] for it in gateway.listing()["payments"] if it["amount"] > 1_000]
        assert taken == [460_000, 460_000]
        paid = asked("1-payments")
    assert [each["state"] for each in paid["charges"]] == ["paid", "paid"]
    assert (paid["balance"], paid["gaps"]) == (0, [])
    assert paid["next_charge_at"].startswith("2026-05-16T03:00")


def test_a_queue_may_hand_over_single_shards(gateway: Bank) -> None:
    assert billing_sweep({"Records": [{"body": '{"shard": 3}'}]}, NOBODY)["queries"] == 1


def test_the_stream_carries_the_one_fact_among_its_rows(dynamodb: Any) -> None:
    boto3.client("events").create_event_bus(Name="test-facts")
    assert billing_publish(sample("stream/billing_publish.json"), NOBODY) == 1
    images = [record["dynamodb"]["NewImage"] for record in sample("stream/billing_publish.json")["Records"]]
    facts = [json.loads(image["fact"]["S"]) for image in images if "fact" in image]
    assert facts == [sample("facts/ChargePaid.json")]


def test_the_bus_hands_over_the_sample_fact() -> None:
    assert sample("bus/billing_hear.json")["detail"] == sample("facts/ContractPaid.json")
    assert stamp(START) == sample("facts/ContractActivated.json")["data"]["starts_at"]
