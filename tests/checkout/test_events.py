"""The sample files of this context's entry points, as the gateway and the stream would hand them over."""

import json
from collections.abc import Iterable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
import time_machine
from msgspec.structs import replace

from chalicelib import wiring
from chalicelib.checkout.model import Item, Kind, Order
from chalicelib.handlers.checkout import checkout_hear, checkout_publish, checkout_sweep
from chalicelib.handlers.coupons import coupons_issue
from chalicelib.kernel import aws
from infra.local.bank import Bank
from tests import bank
from tests.api import Api
from tests.checkout.conftest import grant
from tests.conftest import NOON, ROOT
from tests.coupons.examples import KIM, SECRET

EVENTS = ROOT / "events"
HERE = SimpleNamespace(get_remaining_time_in_millis=lambda: 60_000)
STORY = (
    ("contracts-4-sign", 201),
    ("coupons-1-create", 201),
    ("coupons-6-ask-for-codes", 202),
    ("coupons-8-register", 201),
    ("checkout-1-reserve", 201),
    ("checkout-2-look", 200),
    ("checkout-3-capture", 200),
    ("checkout-4-refund", 200),
    ("checkout-5-reserve-another", 201),
    ("checkout-6-cancel", 200),
)
PAID = STORY[:7]


def read(path: str) -> Any:
    return json.loads((EVENTS / path).read_text())


@pytest.fixture
def gateway(api: Api) -> Bank:
    aws.client("secretsmanager").create_secret(Name="test/handover/code-key", SecretString=SECRET)
    return bank.fresh()


def test_the_sample_requests_tell_one_story_and_all_succeed(gateway: Bank) -> None:
    with time_machine.travel(NOON, tick=False):
        answer = tell(PAID)
        assert (answer["payable"], answer["state"]) == (455_000, "CAPTURED")
        assert [it["amount"] for it in gateway.listing()["payments"]] == [455_000]
        answer = tell(STORY[7:8])
        assert (answer["card"], answer["coupon"], answer["card_state"]) == (45_500, 500, "DONE")
        assert tell(STORY[8:])["state"] == "CANCELLED"


def test_the_schedule_settles_what_the_gateway_did_not_answer(gateway: Bank) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        tell(PAID[:-1])
        gateway.away = True
        assert tell([("checkout-3-capture", 202)])["state"] == "CAPTURING"
        gateway.away = False
        clock.shift(timedelta(minutes=1))
        report = checkout_sweep(read("schedule/checkout_sweep.json"), HERE)
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


def test_a_cancelled_contract_that_no_card_paid_for_gives_the_points_back(gateway: Bank) -> None:
    with time_machine.travel(NOON, tick=False):
        tell(STORY[:1])
        contract_id = read("bus/checkout_hear.json")["detail"]["data"]["contract_id"]
        checkout = wiring.checkout()
        grant(wiring.points(), KIM, 460_000)
        order = Order("o1", (Item(Kind.CONTRACT_FEE, contract_id),), None, 460_000, "request")
        checkout_id = checkout.reserve(order, KIM, "k1").value.checkout_id
        checkout.capture(checkout_id, None, KIM, "c1")
        for _ in range(2):
            checkout_hear(read("bus/checkout_hear.json"), SimpleNamespace())
        assert checkout.checkout(checkout_id, KIM).state == "REFUNDED"
        assert wiring.points().wallet("kim").balance(NOON) == 460_000


@pytest.mark.parametrize("name", ["ContractCancelled", "ContractPaymentRefused"])
def test_what_contracts_say_is_understood(dynamodb: Any, name: str) -> None:
    event = read("bus/checkout_hear.json") | {"detail": read(f"facts/{name}.json")}
    checkout_hear(event, SimpleNamespace())


def test_a_refund_that_the_gateway_refused_is_counted_for_the_alarm(
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_DISABLED", "false")
    event = read("bus/checkout_hear.json") | {"detail": read("facts/RefundRefused.json")}
    checkout_hear(event, SimpleNamespace())
    (line,) = caplog.records
    assert vars(line).items() >= event["detail"]["data"].items()
    assert '"refunds_refused":[1.0]' in capsys.readouterr().out


def test_every_sample_request_is_part_of_the_story() -> None:
    named = {name for name, _ in STORY if name.startswith("checkout")}
    assert named == {sample.stem for sample in (EVENTS / "http").glob("checkout-*.json")}


def test_the_stream_carries_every_inserted_fact_to_the_bus(dynamodb: Any) -> None:
    boto3.client("events").create_event_bus(Name="test-facts")
    assert checkout_publish(read("stream/checkout_publish.json"), SimpleNamespace()) == 2


def test_a_new_reservations_row_is_its_fact(dynamodb: Any) -> None:
    images = [record["dynamodb"]["NewImage"] for record in read("stream/checkout_publish.json")["Records"]]
    said = wiring.checkout().told(images[0])
    assert said
    sample = read("facts/CheckoutReserved.json")
    assert replace(said, id=sample["id"]).envelope() == sample
    assert wiring.checkout().told(images[0]) == said, "carried twice, it is one fact"
    assert wiring.checkout().told(images[1]) is None
    assert json.loads(images[1]["fact"]["S"]) == read("facts/CheckoutDeclined.json")
