"""The sample files of this context's entry points, as gateway, bus, schedule and stream hand them over."""

import json
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
import time_machine

from chalicelib import wiring
from chalicelib.handlers.points import points_celebrate, points_hear, points_publish, points_sweep
from chalicelib.kernel import aws
from chalicelib.points.model import Rental, expiry, lot_lasting
from chalicelib.points.model.wallet import Kind
from tests import bank
from tests.api import Api
from tests.conftest import NOON, ROOT, Hands
from tests.contracts.examples import assigned_by_samples
from tests.points.conftest import KIM, World, drove

EVENTS = ROOT / "events"
NOBODY = SimpleNamespace(get_remaining_time_in_millis=lambda: 60_000)
CONTRACT = "con_30tmyxbq4sj2sfc1m7018mhayt"


def read(path: str) -> Any:
    return json.loads((EVENTS / path).read_text())


def heard(name: str, **data: Any) -> None:
    """A fact as the bus hands it over."""
    fact = read(f"facts/{name}.json")
    detail = {**fact, "data": {**fact["data"], **data}}
    points_hear({**read("bus/points_hear.json"), "detail-type": name, "detail": detail}, NOBODY)


@pytest.fixture(autouse=True)
def noon() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def signed(api: Api) -> Api:
    bank.partners()
    secrets: Any = aws.client("secretsmanager")
    for name in ("link-key", "partner-sora"):
        secrets.create_secret(Name=f"test/handover/{name}", SecretString="x")
    return api


def entries(who: str = KIM) -> list[str]:
    return [movement.entry.cause for movement in wiring.points().entries(who, 50)]


def test_the_sample_requests_tell_one_story_and_all_succeed(signed: Api) -> None:
    from app import app

    drove()
    answers = {}
    for path in sorted((EVENTS / "http").glob("points-*.json")):
        answer = app(json.loads(path.read_text()), NOBODY)
        assert answer["statusCode"] < 300, (path.name, answer["body"])
        answers[path.stem] = json.loads(answer["body"])
    assert answers["points-2-look"]["balance"] == 5_000
    assert (answers["points-5-convert"]["state"], answers["points-5-convert"]["gives"]) == ("DONE", 100)
    assert answers["points-6-conversion"] == answers["points-5-convert"]
    assert [entry["points"] for entry in answers["points-7-entries"]["entries"]] == [-2_000, 5_000]
    (_, grant) = answers["points-8-customer"]["entries"]
    assert (grant["staff"], grant["reason"]) == ("olga", "a late handover")
    assert [answers[each]["state"] for each in ("points-9a-ask", "points-9b-approve")] == ["ASKED", "GIVEN"]


def test_what_is_heard_twice_is_awarded_once(signed: Api) -> None:
    contract_id = assigned_by_samples()
    paid = read("bus/points_hear.json")["detail"]["data"]
    for _ in range(2):
        points_hear(read("bus/points_hear.json"), NOBODY)
        back = {"checkout_id": paid["checkout_id"], "customer_id": paid["customer_id"]}
        heard("CheckoutRefunded", **back, refund_id="ref_1", card=paid["paid"])
        heard("ContractActivated", contract_id=contract_id)
        heard("ContractReturned", contract_id=contract_id)
    owner = wiring.contracts().standing(contract_id)
    checkout_id = paid["checkout_id"]
    assert entries(paid["customer_id"])[-2:] == [f"clawback/{checkout_id}/ref_1", f"earn/{checkout_id}"]
    assert f"signup/{owner.customer_id}" in entries(owner.customer_id)
    assert wiring.points().witness(owner.customer_id).differences == ()
    assert f"returned/{contract_id}" not in entries(owner.customer_id)  # it was not to be back by any day


def test_a_car_returned_by_the_agreed_time_is_an_award(world: World) -> None:
    world.contracts.rentals[CONTRACT] = Rental(KIM, NOON)
    world.awards.returned(CONTRACT, NOON)
    assert [it.entry.what for it in world.entries()] == ["returned_in_time"]


def test_the_morning_s_birthdays_and_the_minute_s_sweep(signed: Api, noon: time_machine.Traveller) -> None:
    signed_in = read("http/points-3-birthday.json")
    from app import app

    app(signed_in, NOBODY)
    drove()
    assert points_celebrate(read("schedule/points_celebrate.json"), NOBODY) == 1
    assert points_celebrate(read("schedule/points_celebrate.json"), NOBODY) == 0
    assert entries() == [f"birthday/{KIM}/2026"]
    lot = lot_lasting(NOON + timedelta(days=92), Kind.GIVEN)
    noon.move_to(expiry(lot))
    swept = [points_sweep(read("schedule/points_sweep.json"), NOBODY) for _ in range(2)]
    assert [run["claimed"] for run in swept] == [1, 0]
    assert wiring.points().standing(KIM).balance == 0


def test_the_stream_carries_every_inserted_fact_to_the_bus(dynamodb: Any) -> None:
    boto3.client("events").create_event_bus(Name="test-facts")
    assert points_publish(read("stream/points_publish.json"), NOBODY) == 1


def test_the_fact_published_is_the_sample(world: World, clock: Hands) -> None:
    world.give(500, NOON + timedelta(days=20))
    world.timers.sweep()
    assert [fact.envelope() for fact in world.facts()] == [read("facts/PointsExpiring.json")]
    images = [record["dynamodb"]["NewImage"] for record in read("stream/points_publish.json")["Records"]]
    assert [json.loads(it["fact"]["S"]) for it in images if "fact" in it] == [
        read("facts/PointsExpiring.json")
    ]
