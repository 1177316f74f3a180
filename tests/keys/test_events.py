"""The sample files of this context's entry points, as gateway, bus, schedule and stream hand them over."""

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
import time_machine

from chalicelib import wiring
from chalicelib.handlers.keys import keys_calendar, keys_hear, keys_plan, keys_publish, keys_sweep
from chalicelib.kernel.clock import stamp
from chalicelib.kernel.deadlines import SHARDS, shard_of
from chalicelib.keys.gateway import DueQueue
from infra.local import histories
from tests.conftest import NOON, ROOT
from tests.contracts.examples import assigned_by_samples
from tests.keys.examples import secret

EVENTS = ROOT / "events"
NOBODY = SimpleNamespace()
CONTRACT = "con_30tmyxbq4sj2sfc1m7018mhayt"


def sample(name: str) -> Any:
    return json.loads((EVENTS / name).read_text())


@pytest.fixture
def planned(api: Any) -> str:
    """The shipment of the contract that the samples of contracts sign and assign."""

    name = "carrier-easypost"
    boto3.client("secretsmanager").create_secret(Name=f"test/handover/{name}", SecretString=secret(name))
    with time_machine.travel(NOON - timedelta(days=1), tick=False):
        assigned_by_samples()
        return str(keys_plan(sample("bus/keys_plan.json"), NOBODY))


def test_the_sample_requests_tell_one_story_and_all_succeed(planned: str) -> None:
    from app import app

    requests = sorted((EVENTS / "http").glob("keys-[1-6]-*.json"))
    states = []
    with time_machine.travel(histories.moment("now"), tick=False):
        for each in requests:
            answer = app(json.loads(each.read_text()), NOBODY)
            assert answer["statusCode"] == 200, (each.name, answer["body"])
            states.append(json.loads(answer["body"]).get("state"))
    assert states == ["packed", "handed_to_carrier", None, "verified", "verified", None]


def swept(days: int) -> None:
    """Until nothing more is due, so many days from now."""
    with time_machine.travel(histories.moment("now") + timedelta(days=days), tick=False):
        while keys_sweep(sample("schedule/keys_sweep.json"), NOBODY)["found"]:
            continue


def test_the_sample_requests_of_operations_put_right_what_went_wrong(planned: str) -> None:
    from app import app

    def ask(name: str, **later: float) -> str:
        with time_machine.travel(histories.moment("now") + timedelta(**later), tick=False):
            answer = app(sample(f"http/keys-{name}.json"), NOBODY)
        assert answer["statusCode"] == 200, (name, answer["body"])
        return str(json.loads(answer["body"])["state"])

    for each in ("1-pack", "2-handoff"):
        ask(each)
    with time_machine.travel(histories.moment("now"), tick=False):
        wiring.keys().contract_cancelled(CONTRACT, histories.moment("now"), "evt_1")
    assert ask("7-redirected", hours=1) == "in_transit"
    swept(days=4)
    assert ask("8-found", days=4, minutes=1) == "returning"
    swept(days=8)
    assert ask("8-rekeyed", days=8, minutes=1) == "written_off"
    assert ask("9-correct", days=9) == "cancelled"


def test_the_same_assignment_heard_twice_plans_once(planned: str) -> None:
    assert keys_plan(sample("bus/keys_plan.json"), NOBODY) == planned


def test_the_schedule_finds_what_is_overdue_and_measures_how_long(
    planned: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with time_machine.travel(datetime(2026, 3, 10, 3, 1, tzinfo=UTC), tick=False):
        report = keys_sweep(sample("schedule/keys_sweep.json"), NOBODY)
    assert report == {"found": 1, "claimed": 1, "handed_on": 0}
    assert '"context":"keys","oldest_due_seconds":[' in capsys.readouterr().out


def test_a_shard_handed_on_is_swept_alone(planned: str) -> None:
    handed_on = sample("queue/keys_sweep.json")
    shard = shard_of(planned)
    other = str((int(shard) + 1) % SHARDS)
    with time_machine.travel(NOON + timedelta(days=14), tick=False):
        handed_on["Records"][0]["body"] = json.dumps({"shard": int(other)})
        assert keys_sweep(handed_on, NOBODY)["found"] == 0
        handed_on["Records"][0]["body"] = json.dumps({"shard": int(shard)})
        assert keys_sweep(handed_on, NOBODY)["found"] == 1


def test_a_shard_handed_on_waits_in_the_queue_as_the_sample_says(dynamodb: Any) -> None:
    sqs = boto3.client("sqs")
    url = sqs.create_queue(QueueName="test-keys-due")["QueueUrl"]
    DueQueue(lambda: sqs, "test-keys-due").hand_on(3)
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    assert message["Body"] == sample("queue/keys_sweep.json")["Records"][0]["body"]


def test_a_car_opened_with_its_key_proves_a_key_that_was_delivered(planned: str) -> None:
    from app import app

    opened = sample("bus/keys_hear.json")
    with time_machine.travel(histories.moment("now"), tick=False):
        keys_hear(opened, NOBODY)
        assert wiring.keys().key("tag-0001-a").state == "planned"
        for each in ("1-pack", "2-handoff", "3-carrier"):
            app(sample(f"http/keys-{each}.json"), NOBODY)
        opened["detail"]["data"]["at"] = stamp(histories.moment("now"))
        keys_hear(opened, NOBODY)
        keys_hear(opened, NOBODY)
        assert wiring.keys().key("tag-0001-a").state == "verified"


def test_a_changed_calendar_counts_every_open_deadline_anew(planned: str) -> None:
    from app import app

    store = wiring.keys()._store
    before = store.shipment(planned)
    with time_machine.travel(NOON, tick=False):
        app(sample("http/keys-6-calendar.json"), NOBODY)
        assert keys_calendar(sample("bus/keys_calendar.json"), NOBODY) == 0
        body = {"date": "2026-03-12", "open": False, "note": "announced late"}
        request = sample("http/keys-6-calendar.json")
        request["headers"]["Idempotency-Key"] = "k7"
        request["multiValueHeaders"]["Idempotency-Key"] = ["k7"]
        app({**request, "body": json.dumps(body)}, NOBODY)
        assert keys_calendar(sample("bus/keys_calendar.json"), NOBODY) == 1
        assert keys_calendar(sample("bus/keys_calendar.json"), NOBODY) == 0
    after = store.shipment(planned)
    assert before is not None
    assert after is not None
    assert (before.due_at, after.due_at) == (
        datetime(2026, 3, 10, 3, tzinfo=UTC),
        datetime(2026, 3, 9, 3, tzinfo=UTC),
    )


def test_the_stream_carries_the_one_fact_among_its_rows(dynamodb: Any) -> None:
    boto3.client("events").create_event_bus(Name="test-facts")
    assert keys_publish(sample("stream/keys_publish.json"), NOBODY) == 1
    images = [record["dynamodb"]["NewImage"] for record in sample("stream/keys_publish.json")["Records"]]
    facts = [json.loads(image["fact"]["S"]) for image in images if "fact" in image]
    assert facts == [sample("facts/KeyShipmentLate.json")]


def test_the_bus_hands_over_the_sample_facts() -> None:
    for bus, fact in (
        ("keys_plan", "ContractAssigned"),
        ("keys_hear", "CarOpenedWithKey"),
        ("keys_calendar", "CalendarChanged"),
    ):
        assert sample(f"bus/{bus}.json")["detail"] == sample(f"facts/{fact}.json")
