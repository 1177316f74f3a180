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

OPS, KIM, LEE = bearer("olga", "ops"), bearer("kim"), bearer("lee")
MASTER = "m" * 40
CAR = "car-0001"


@pytest.fixture
def contract_id(api: Api) -> str:
    """A customer's contract, whose car is assigned and connected, with a smart key."""
    secrets = aws.client("secretsmanager")
    for name in ("command-key", "link-key"):
        secrets.create_secret(Name=f"test/handover/{name}", SecretString=MASTER)
    api.post("/v1/ops/cars", car_body(car_id=CAR), by=OPS)
    soon = {
        "at": (datetime.now(UTC) + timedelta(days=9)).isoformat(),
        "address": "서울특별시 중구 세종대로 110",
    }
    signed = api.post("/v1/contracts", sign_body(handover=soon), by=KIM, key="c1")
    contract_id = str(signed.json_body["contract_id"])
    confirmed(contract_id)
    assigned = {"car_id": CAR, "key_tag": car_body()["key_tags"][0]}
    assert api.post(f"/v1/ops/contracts/{contract_id}/assign", assigned, by=OPS).status_code == 200
    until = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    order = {"holder": "customer", "reason": "key lost", "not_after": until}
    path = f"/v1/ops/contracts/{contract_id}/smart-keys"
    assert api.post(path, order, by=OPS, key="g1").status_code == 201
    connected(True)
    return contract_id


@pytest.fixture
def cookie(api: Api, contract_id: str) -> dict[str, str]:
    """The session of the contract's customer."""
    (key,) = api.get(f"/v1/ops/contracts/{contract_id}/smart-keys", by=OPS).json_body["smart_keys"]
    code = wiring.smartkeys().link(key["grant_id"], 1).code
    proof = sign_body()["drivers"][0]["birth_date"].replace("-", "")
    answer = api.post("/v1/smart-key/exchange", {"code": code, "proof": proof})
    assert answer.status_code == 204, answer.body
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
    assert busy.json_body["retry_after"] == int(busy.headers["Retry-After"])
    assert set(busy.json_body["messages"]) == {"ko", "en"}


def test_r13_too_many_presses_are_429_and_say_when_to_come_back(api: Api, cookie: dict[str, str]) -> None:
    from chalicelib.handlers.doors import doors_ack

    car = Unit(CAR, car_key(MASTER, CAR))
    for number in range(3):
        assert send(api, cookie, "horn", key=f"k{number}").status_code == 202
        ack = car.receive(published()[-1][1], now_ms())
        assert ack is not None
        doors_ack({**ack, "topic": f"cars/{CAR}/acks", "client_id": CAR, "received_at": now_ms()}, None)
    limited = send(api, cookie, "horn", key="k3")
    assert is_problem(limited, 429, "RATE_LIMITED")
    assert 1 <= int(limited.headers["Retry-After"]) <= 60
    assert limited.json_body["retry_after"] == int(limited.headers["Retry-After"])
    assert send(api, cookie, "lock", key="k4").status_code == 202


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


def test_r11_no_publish_after_a_revoke(api: Api, cookie: dict[str, str]) -> None:
    key = api.get("/v1/smart-key", headers=cookie).json_body
    path = f"/v1/ops/contracts/{key['contract_id']}/smart-keys/{key['grant_id']}"
    assert api.delete(path + "?reason=lost", by=OPS).status_code == 200
    assert is_problem(send(api, cookie), 403, "GRANT_REVOKED")
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


def for_contract(api: Api, contract_id: str, by: str | None, key: str | None = "k1", **body: Any) -> Any:
    return api.post(f"/v1/contracts/{contract_id}/commands", {"action": "lock", **body}, by=by, key=key)


def test_a_signed_in_customer_sends_and_looks_and_a_replay_is_marked(api: Api, contract_id: str) -> None:
    sent = for_contract(api, contract_id, KIM)
    assert (sent.status_code, sent.json_body["state"]) == (202, "SENT"), sent.body
    again = for_contract(api, contract_id, KIM)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(published()) == 1
    path = f"/v1/contracts/{contract_id}/commands/{sent.json_body['command_id']}"
    for who in (KIM, OPS):
        assert api.get(path, by=who).json_body["state"] == "SENT"
    assert is_problem(api.get(path, by=LEE), 404)
    assert is_problem(api.get(path), 401)
    assert is_problem(api.get(f"/v1/contracts/{contract_id}/commands/cmd_none", by=KIM), 404)


def test_r09_a_sign_in_that_does_not_say_when_it_was_opens_nothing(api: Api, contract_id: str) -> None:
    refused = for_contract(api, contract_id, KIM, action="unlock")
    assert is_problem(refused, 403, "STEP_UP_REQUIRED")
    assert {"retryable", "may_have_executed", "retry_after", "messages"} <= set(refused.json_body)
    assert published() == []


def test_a_fresh_sign_in_opens_the_car(api: Api, contract_id: str) -> None:
    just_now = bearer("kim", auth_time=str(now_ms() // 1000))
    assert for_contract(api, contract_id, just_now, action="unlock").json_body["state"] == "SENT"
    day_old = bearer("kim", auth_time=str(now_ms() // 1000 - 24 * 3600 - 60))
    again = for_contract(api, contract_id, day_old, key="k2", action="unlock")
    assert is_problem(again, 403, "STEP_UP_REQUIRED")


def test_staff_give_a_reason_or_send_nothing(api: Api, contract_id: str) -> None:
    for reason in ({}, {"reason": None}, {"reason": "   "}):
        assert is_problem(for_contract(api, contract_id, OPS, **reason), 422, "REASON_NEEDED")
    assert published() == []
    sent = for_contract(api, contract_id, OPS, reason="the customer is locked out")
    assert (sent.status_code, sent.json_body["state"]) == (202, "SENT"), sent.body
    (line,) = api.get(f"/v1/ops/cars/{CAR}/log", by=OPS).json_body["lines"]
    assert line["who"].startswith("staff:")


@pytest.mark.parametrize(
    ("body", "by", "key", "status"),
    [
        ({}, LEE, "k1", 404),
        ({}, None, "k1", 401),
        ({}, KIM, None, 400),
        ({"action": "start_engine"}, KIM, "k1", 400),
        ({"position": {"lat": 91, "lon": 0}}, KIM, "k1", 400),
        ({"position": {"lat": 37.5, "lon": 127.0, "accuracy_m": -1}}, KIM, "k1", 400),
        ({"reason": "x" * 201}, OPS, "k1", 400),
    ],
)
def test_what_does_not_fit_is_a_problem_and_sends_nothing(
    api: Api, contract_id: str, body: dict[str, Any], by: str | None, key: str | None, status: int
) -> None:
    assert is_problem(for_contract(api, contract_id, by, key, **body), status)
    assert published() == []


def test_r11_operations_stop_a_car_and_let_it_go_again(api: Api, cookie: dict[str, str]) -> None:
    path = f"/v1/ops/cars/{CAR}/stop"
    assert api.get(path, by=OPS).json_body["stopped"] is False
    for _ in range(2):
        stopped = api.post(path, {"reason": "stolen"}, by=OPS)
        assert (stopped.status_code, stopped.json_body["reason"]) == (200, "stolen")
    refused = send(api, cookie)
    assert is_problem(refused, 403, "STOPPED")
    assert "전화" in refused.json_body["messages"]["ko"]
    assert send(api, cookie, "lock", key="k2").status_code == 202
    assert is_problem(api.delete(path, by=OPS), 422, "REASON_NEEDED")
    assert api.delete(path + "?reason=found", by=OPS).status_code == 204
    assert len(published()) == 1


def test_r11_operations_stop_every_car(api: Api, cookie: dict[str, str]) -> None:
    path = "/v1/ops/fleet/stop"
    assert api.post(path, {"reason": "a flaw"}, by=OPS).json_body["stopped"] is True
    view = send(api, cookie).json_body
    assert (view["state"], view["reason"], view["may_have_executed"]) == ("NOT_SENT", "STOPPED", False)
    assert published() == []
    assert api.delete(path + "?reason=mended", by=OPS).status_code == 204
    assert api.get(path, by=OPS).json_body["stopped"] is False
    log = api.get("/v1/ops/fleet/log", by=OPS).json_body
    assert ([line["what"] for line in log["lines"]], log["whole"]) == (["stopped", "resumed"], True)


def test_r14_operations_read_what_was_asked_of_a_car_and_what_became_of_it(
    api: Api, cookie: dict[str, str]
) -> None:
    first = send(api, cookie).json_body["command_id"]
    send(api, cookie, "horn", key="k2")
    path = f"/v1/ops/cars/{CAR}/log"
    log = api.get(path, by=OPS).json_body
    assert [(line["what"], line["about"]["command_id"]) for line in log["lines"]] == [("requested", first)]
    assert (log["whole"], log["next_cursor"]) == (True, None)
    denied = api.get(path + "?of=denied", by=OPS).json_body
    assert [(line["what"], line["about"]["code"]) for line in denied["lines"]] == [("denied", "BUSY")]
    became = api.get(f"{path}?of={first}&limit=1", by=OPS).json_body
    assert ([line["what"] for line in became["lines"]], became["whole"]) == (["published"], True)
    assert "127.0.0.1" not in json.dumps([log, denied, became])


@pytest.mark.parametrize("method", ["get", "post", "delete"])
@pytest.mark.parametrize("path", [f"/v1/ops/cars/{CAR}/stop", "/v1/ops/fleet/stop"])
def test_only_operations_stop_anything(api: Api, contract_id: str, method: str, path: str) -> None:
    body = [{"reason": "mine"}] if method == "post" else []
    assert is_problem(getattr(api, method)(path, *body, by=KIM), 403)
    assert is_problem(getattr(api, method)(path, *body), 401)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/ops/cars/car-nobody-has/log", 404),
        ("/v1/ops/cars/car-nobody-has/stop", 404),
        (f"/v1/ops/cars/{CAR}/log?of=cmd_nobody_sent", 404),
        (f"/v1/ops/cars/{CAR}/log?of={'x' * 3000}", 404),
        (f"/v1/ops/cars/{CAR}/log?limit=0", 400),
        (f"/v1/ops/cars/{CAR}/log?cursor=%21", 400),
        (f"/v1/ops/cars/{CAR}/log?cursor=eHg", 400),
    ],
)
def test_what_there_is_not_is_a_problem(api: Api, contract_id: str, path: str, status: int) -> None:
    assert is_problem(api.get(path, by=OPS), status)


@pytest.mark.parametrize("body", [{}, {"reason": None}, {"reason": "x" * 201}, [], b"{"])
def test_a_stop_without_a_reason_is_not_read(api: Api, contract_id: str, body: Any) -> None:
    assert is_problem(api.post("/v1/ops/fleet/stop", body, by=OPS), 400)


def test_the_sample_requests_tell_one_story(api: Api, cookie: dict[str, str]) -> None:
    """With a session of this run in place of the sample's."""
    from app import app

    answers = []
    for sample in sorted((ROOT / "events/http").glob("doors-*.json")):
        event = json.loads(sample.read_text())
        event["headers"] |= cookie
        event["multiValueHeaders"]["Cookie"] = [cookie["Cookie"]]
        answers.append(app(event, SimpleNamespace()))
    codes = [answer["statusCode"] for answer in answers]
    assert codes == [202, 200, 202, 200, 200, 200, 200, 204, 200, 200, 204, 200]
    told = [json.loads(answer["body"] or "null") for answer in answers]
    assert told[0] == told[1] == told[3]
    assert [line["what"] for line in told[6]["lines"]] == ["stopped"]
    assert [line["what"] for line in told[11]["lines"]] == ["stopped", "resumed"]
