"""The timeline over HTTP, and the facts as the bus hands them over."""

import json
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine

from chalicelib.handlers.journey import journey_record
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.tables import cursor
from infra import rules
from tests.api import Api, bearer, is_problem
from tests.conftest import NOON, ROOT
from tests.contracts.examples import sign_body
from tests.journey.conftest import fact

KIM, LEE, OLGA = bearer("kim"), bearer("lee"), bearer("olga", "ops")
NOBODY = SimpleNamespace()
SAMPLE = json.loads((ROOT / "events/queue/journey_record.json").read_text())


@pytest.fixture(autouse=True)
def noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def contract_id(api: Api) -> str:
    return str(api.post("/v1/contracts", sign_body(), by=KIM, key="k1").json_body["contract_id"])


def heard(*told: Fact | str) -> list[str]:
    """These facts, or messages that are none, in one batch; the numbers of those that are to come again."""
    bodies = [each if isinstance(each, str) else json.dumps({"detail": each.envelope()}) for each in told]
    records = [{**SAMPLE["Records"][0], "messageId": str(n), "body": body} for n, body in enumerate(bodies)]
    answer = journey_record({"Records": records}, NOBODY)
    return [each["itemIdentifier"] for each in answer["batchItemFailures"]]


def test_what_the_bus_brings_is_on_the_timeline_once(api: Api, dynamodb: Any) -> None:
    sign = json.loads((ROOT / "events/http/contracts-4-sign.json").read_text())
    assert app_answers(sign) == 201
    for _ in range(2):
        assert journey_record(SAMPLE, NOBODY) == {"batchItemFailures": []}
    contract_id = json.loads(SAMPLE["Records"][0]["body"])["detail"]["data"]["contract_id"]
    answer = api.get(f"/v1/contracts/{contract_id}/timeline", by=KIM)
    assert answer.status_code == 200
    assert answer.json_body == {
        "events": [
            {
                "id": "evt_0001",
                "type": "ContractSigned",
                "at": "2026-03-02T03:00:00Z",
                "data": {"plan_id": "first-car", "months": 6},
            }
        ],
        "cursor": None,
    }


def test_the_timeline_comes_in_pages(api: Api, contract_id: str) -> None:
    facts = [fact("ChargePaid", hours, contract_id, amount=hours, charge_id="chg_1") for hours in range(5)]
    assert heard(*facts) == []
    path = f"/v1/contracts/{contract_id}/timeline?limit=2"
    first = api.get(path, by=KIM).json_body
    second = api.get(f"{path}&cursor={first['cursor']}", by=KIM).json_body
    third = api.get(f"{path}&cursor={second['cursor']}", by=KIM).json_body
    amounts = [event["data"] for page in (first, second, third) for event in page["events"]]
    assert amounts == [{"amount": hours} for hours in (4, 3, 2, 1, 0)]
    assert third["cursor"] is None


def test_operations_see_all_of_it_and_no_other_customer_any(api: Api, contract_id: str) -> None:
    heard(fact("KeyShipmentEscalated", contract=contract_id, action="smart_key"))
    path = f"/v1/contracts/{contract_id}/timeline"
    assert api.get(path, by=KIM).json_body["events"] == []
    assert api.get(path, by=OLGA).json_body["events"][0]["data"]["action"] == "smart_key"
    assert is_problem(api.get(path, by=LEE), 404)
    assert is_problem(api.get(path, by=bearer("carl", "courier")), 404)
    assert is_problem(api.get("/v1/contracts/con_nobody/timeline", by=KIM), 404)
    assert is_problem(api.get("/v1/contracts/con_nobody/timeline", by=OLGA), 404)
    assert is_problem(api.get(path), 401)


WRONG_PAGES = [
    "limit=0",
    "limit=101",
    "limit=-1",
    "limit=many",
    "limit=%EF%BC%95",
    "cursor=%",
    "cursor=a",
    "cursor=" + cursor("now"),
    "cursor=" + cursor("2026-03-02T03:00:00.000000Z#" + "x" * 2000),
    "cursor=" + cursor("\x00"),
]


def test_a_page_that_cannot_be_is_a_400(api: Api, contract_id: str) -> None:
    for query in WRONG_PAGES:
        assert is_problem(api.get(f"/v1/contracts/{contract_id}/timeline?{query}", by=KIM), 400, "MALFORMED")


def app_answers(request: Any) -> int:
    from app import app

    return int(app(request, NOBODY)["statusCode"])


def test_the_sample_request_is_understood(api: Api) -> None:
    request = json.loads((ROOT / "events/http/journey-1-timeline.json").read_text())
    assert app_answers(request) == 404
    assert app_answers(json.loads((ROOT / "events/http/contracts-4-sign.json").read_text())) == 201
    assert app_answers(request) == 200


def test_a_message_that_is_no_fact_comes_again_alone(api: Api, contract_id: str) -> None:
    good = [fact("ContractVerified", contract=contract_id), fact("ContractPaid", 1, contract_id)]
    assert heard(good[0], "no json", "{}", '{"detail": {"source": 7}}', good[1]) == ["1", "2", "3"]
    shown = api.get(f"/v1/contracts/{contract_id}/timeline", by=KIM).json_body["events"]
    assert [event["type"] for event in shown] == ["ContractPaid", "ContractVerified"]


def test_rows_go_six_years_after_their_fact(api: Api, dynamodb: Any) -> None:
    heard(fact("ContractSigned"))
    (row,) = dynamodb.scan(TableName="test-journey")["Items"]
    assert int(row["ttl"]["N"]) == int((NOON + timedelta(days=2192)).timestamp())


def test_the_rule_hears_every_context_and_only_what_names_a_contract() -> None:
    """One pattern for all: a new fact needs no new rule."""
    rule = rules.load(ROOT / "infra/app.yaml")["Resources"]["JourneyRecordRule"]["Properties"]
    assert rule["EventPattern"] == {
        "source": [{"prefix": "handover."}],
        "detail": {"data": {"contract_id": [{"exists": True}]}},
    }
