"""The holder's routes and the cars' Lambdas, with everything real behind them except AWS."""

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from moto.iotdata.models import iotdata_backends

from chalicelib import wiring
from chalicelib.doors.model import car_key
from chalicelib.kernel import aws
from infra.local.car import Unit, now_ms
from tests.api import Api, bearer, is_problem
from tests.conftest import ROOT
from tests.contracts.examples import car_body, confirmed, sign_body

OPS, KIM = bearer("olga", "ops"), bearer("kim")
MASTER = "m" * 40
CAR = "car-0001"


@pytest.fixture
def cookie(api: Api) -> dict[str, str]:
    """The session of a customer whose car is assigned and connected."""
    secrets = aws.client("secretsmanager")
    for name in ("command-key", "link-key"):
        secrets.create_secret(Name=f"test/handover/{name}", SecretString=MASTER)
    api.post("/v1/ops/cars", car_body(car_id=CAR), by=OPS)
    soon = {
        "at": (datetime.now(UTC) + timedelta(days=9)).isoformat(),
        "address": "서울특별시 중구 세종대로 110",
    }
    signed = api.post("/v1/contracts", sign_body(handover=soon), by=KIM, key="c1")
    contract_id = signed.json_body["contract_id"]
    confirmed(contract_id)
    assigned = {"car_id": CAR, "key_tag": car_body()["key_tags"][0]}
    assert api.post(f"/v1/ops/contracts/{contract_id}/assign", assigned, by=OPS).status_code == 200
    until = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    order = {"holder": "customer", "reason": "key lost", "not_after": until}
    path = f"/v1/ops/contracts/{contract_id}/smart-keys"
    grant_id = api.post(path, order, by=OPS, key="g1").json_body["grant_id"]
    code = wiring.smartkeys().link(grant_id, 1).code
    proof = sign_body()["drivers"][0]["birth_date"].replace("-", "")
    answer = api.post("/v1/smart-key/exchange", {"code": code, "proof": proof})
    assert answer.status_code == 204, answer.body
    connected(True)
    return {"Cookie": answer.headers["Set-Cookie"].split(";")[0]}


def connected(online: bool, version: int = 0) -> None:
    from chalicelib.handlers.doors import doors_presence

    event = "connected" if online else "disconnected"
    doors_presence({"client_id": CAR, "event": event, "version": version, "at": now_ms()}, None)


def published() -> list[tuple[str, bytes]]:
    backend = iotdata_backends["123456789012"]["ap-northeast-2"]
    return [(topic, payload) for topic, payload in backend.published_payloads]


def send(
    api: Api, cookie: dict[str, str], action: str = "unlock", key: str | None = "k1", **more: str
) -> Any:
    return api.post("/v1/smart-key/commands", {"action": action}, key=key, headers={**cookie, **more})


def test_unlock_from_the_press_to_the_cars_answer(api: Api, cookie: dict[str, str]) -> None:
    from chalicelib.handlers.doors import doors_ack

    answer = send(api, cookie)
    view = answer.json_body
    assert (answer.status_code, view["state"], view["may_have_executed"]) == (202, "SENT", True)
    ((topic, payload),) = published()
    assert topic == f"cars/{CAR}/commands"
    car = Unit(CAR, car_key(MASTER, CAR))
    ack = car.receive(payload, now_ms())
    assert ack is not None
    carried = {"topic": f"cars/{CAR}/acks", "client_id": CAR, "received_at": now_ms()}
    assert doors_ack({**ack, **carried}, None) == "accepted"
    after = api.get(f"/v1/smart-key/commands/{view['command_id']}", headers=cookie)
    assert (after.status_code, after.json_body["state"]) == (200, "SUCCEEDED")
    assert after.json_body["message"] == "문이 열렸어요."


def test_an_offline_car_is_202_and_not_sent_in_the_callers_language(api: Api, cookie: dict[str, str]) -> None:
    connected(False)
    view = send(api, cookie, **{"Accept-Language": "en-GB,en"}).json_body
    assert (view["state"], view["reason"], view["retryable"]) == ("NOT_SENT", "VEHICLE_OFFLINE", True)
    assert view["message"] == "The car is not connected and nothing was sent. Press again in a minute."
    assert view["last_seen"]
    assert published() == []


def test_a_replay_is_marked_and_publishes_nothing(api: Api, cookie: dict[str, str]) -> None:
    first, again = send(api, cookie), send(api, cookie)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json_body == first.json_body
    assert "Idempotent-Replayed" not in first.headers
    assert len(published()) == 1


def test_a_key_with_another_body_is_422(api: Api, cookie: dict[str, str]) -> None:
    send(api, cookie)
    assert is_problem(send(api, cookie, "lock"), 422, "KEY_REUSED")


def test_a_busy_car_says_when_to_come_back_and_what_to_tell_the_person(
    api: Api, cookie: dict[str, str]
) -> None:
    send(api, cookie)
    busy = send(api, cookie, "horn", key="k2")
    assert is_problem(busy, 503, "BUSY")
    assert 1 <= int(busy.headers["Retry-After"]) <= 15
    assert (busy.json_body["retryable"], busy.json_body["may_have_executed"]) == (True, False)
    assert set(busy.json_body["messages"]) == {"ko", "en"}


@pytest.mark.parametrize(
    ("body", "key", "status"),
    [
        ({"action": "unlock"}, None, 400),
        ({"action": "unlock"}, "k" * 129, 400),
        ({"action": "start_engine"}, "k", 400),
        ({"action": None}, "k", 400),
        ({}, "k", 400),
        ([], "k", 400),
        (b"{", "k", 400),
        (b"", "k", 400),
        (b"\xff\xfe", "k", 400),
    ],
)
def test_bad_input_is_a_problem_and_publishes_nothing(
    api: Api, cookie: dict[str, str], body: Any, key: str | None, status: int
) -> None:
    assert is_problem(api.post("/v1/smart-key/commands", body, key=key, headers=cookie), status)
    assert published() == []


@pytest.mark.parametrize(
    "session", [{}, {"Cookie": "__Host-smartkey="}, {"Cookie": "__Host-smartkey=stolen"}]
)
def test_without_a_session_nothing_is_sent_or_shown(
    api: Api, cookie: dict[str, str], session: dict[str, str]
) -> None:
    command_id = send(api, cookie).json_body["command_id"]
    assert is_problem(send(api, session, key="k2"), 401)
    assert is_problem(api.get(f"/v1/smart-key/commands/{command_id}", headers=session), 401)


@pytest.mark.parametrize("command_id", ["cmd_unknown", "x" * 300, "%00", "..%2f.."])
def test_an_unknown_command_is_404(api: Api, cookie: dict[str, str], command_id: str) -> None:
    assert is_problem(api.get(f"/v1/smart-key/commands/{command_id}", headers=cookie), 404)


def test_no_publish_after_a_revoke(api: Api, cookie: dict[str, str]) -> None:
    key = api.get("/v1/smart-key", headers=cookie).json_body
    path = f"/v1/ops/contracts/{key['contract_id']}/smart-keys/{key['grant_id']}"
    assert api.delete(path, by=OPS).status_code == 204
    assert send(api, cookie).status_code in (401, 403, 422)
    assert published() == []


@pytest.mark.parametrize("event", [{}, {"v": 2}, {"command_id": 7}, {"status": "opened!"}, {"reason": []}])
def test_an_unreadable_ack_is_recorded_and_not_retried(api: Api, event: dict[str, Any]) -> None:
    from chalicelib.handlers.doors import doors_ack, doors_state

    carried = {"topic": f"cars/{CAR}/acks", "client_id": CAR, "received_at": 1_772_420_400_000}
    assert doors_ack({**event, **carried}, None) == "unreadable"
    assert doors_state({**event, **carried}, None) == "unreadable"


def test_messages_are_stored_facts_without_personal_data(api: Api, cookie: dict[str, str]) -> None:
    send(api, cookie)
    text = json.dumps(aws.client("dynamodb").scan(TableName="test-doors")["Items"])
    for secret in ("kim", "김민지", "8210", cookie["Cookie"].split("=")[1]):
        assert secret not in text


def test_the_sample_requests_tell_one_story(api: Api, cookie: dict[str, str]) -> None:
    """With a session of this run in place of the sample's."""
    from app import app

    answers = []
    for sample in sorted((ROOT / "events/http").glob("doors-*.json")):
        event = json.loads(sample.read_text())
        event["headers"] |= cookie
        event["multiValueHeaders"]["Cookie"] = [cookie["Cookie"]]
        answers.append(app(event, SimpleNamespace()))
    assert [answer["statusCode"] for answer in answers] == [202, 200]
    sent, looked = (json.loads(answer["body"]) for answer in answers)
    assert sent == looked
