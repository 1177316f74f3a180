"""The sample files of this context's entry points, as gateway, bus, schedule and stream hand them over."""

import json
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
import time_machine

from chalicelib import wiring
from chalicelib.handlers.ledger import HEARD, ledger_hear, ledger_publish, ledger_reconcile
from chalicelib.kernel import aws
from chalicelib.kernel.facts import Fact, fact_of
from chalicelib.ledger.model import Difference, Run
from chalicelib.ledger.schemas import CampaignCreated, CheckoutReserved
from tests.api import Api
from tests.conftest import NOON, ROOT
from tests.ledger.story import rows

EVENTS = ROOT / "events"
HERE = SimpleNamespace(get_remaining_time_in_millis=lambda: 900_000)
WANTED = {"1": 201, "2": 201, "8": 202, "9c": 422}
"""Nothing is wrong with the samples' books yet: there is no difference to repair."""


def read(path: str) -> Any:
    return json.loads((EVENTS / path).read_text())


def test_the_sample_requests_tell_one_story(api: Api) -> None:
    from app import app

    aws.client("logs").create_log_group(logGroupName="/aws/lambda/test-api")
    with time_machine.travel(NOON + timedelta(hours=1), tick=False):
        assert ledger_hear(read("bus/ledger_hear-campaign.json"), HERE)
        assert ledger_hear(read("bus/ledger_hear.json"), HERE)
        assert not ledger_hear(read("bus/ledger_hear.json"), HERE)
        for each in sorted((EVENTS / "http").glob("ledger-*.json")):
            if each.stem.startswith("ledger-9c"):
                _with_a_difference(read("bus/ledger_reconcile.json")["detail"]["data"]["run_id"])
            answer = app(json.loads(each.read_text()), HERE)
            wanted = WANTED.get(each.stem.split("-")[1], 200)
            assert answer["statusCode"] == wanted, (each.name, answer["body"])
    assert json.loads(answer["body"])["looked"]["complete"]


def _with_a_difference(run_id: str) -> None:
    """Of what can be named and not repaired."""
    store = wiring.ledger_runs().store
    before = store.run(run_id)
    assert isinstance(before, Run)
    wrong = Difference("checkout CHECKOUT#chk_1", "discount", 5_000, 4_000, -1_000)
    store.go_on(before, before.and_book("cmp", 1, [wrong]))


def test_a_night_s_run_is_asked_for_and_carried_out_where_it_is_heard(dynamodb: Any) -> None:
    with time_machine.travel(NOON, tick=False):
        run_id = ledger_reconcile(read("schedule/ledger_reconcile.json"), HERE)["run_id"]
        (asked,) = [row for row in rows("ledger") if "fact" in row]
        fact = json.loads(asked["fact"]["S"])
        sample = read("bus/ledger_reconcile.json")
        detail = sample["detail"] | {"data": {"run_id": run_id}}
        assert set(fact) == set(sample["detail"])
        assert fact["type"] == sample["detail-type"]
        done = ledger_reconcile(sample | {"detail": detail}, HERE)
    assert done == {"run_id": run_id, "state": "DONE", "differences": 0}


def test_the_facts_we_publish_are_the_samples() -> None:
    for name, fields in (
        ("ReconciliationRequested", {"run_id"}),
        ("ReconciliationFailed", {"run_id", "campaign_id", "differences"}),
    ):
        assert set(read(f"facts/{name}.json")["data"]) == fields


@pytest.mark.parametrize(
    ("name", "shape"), [("CheckoutReserved", CheckoutReserved), ("CampaignCreated", CampaignCreated)]
)
def test_what_we_hear_is_what_others_publish(name: str, shape: Any) -> None:
    fact: Fact = fact_of({"detail": read(f"facts/{name}.json")})
    assert fact.type in HEARD
    assert fact.data_as(shape)


def test_the_stream_carries_entries_that_are_facts(dynamodb: Any) -> None:
    boto3.client("events").create_event_bus(Name="test-facts")
    assert ledger_publish(read("stream/ledger_publish.json"), HERE) == 2
