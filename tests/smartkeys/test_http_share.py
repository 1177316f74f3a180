"""The routes of who is signed in: a contract's customer, its drivers, and operations."""

from collections.abc import Iterator
from typing import Any

import pytest
import time_machine

from chalicelib import wiring
from chalicelib.kernel import aws
from tests.api import Api, bearer, is_problem
from tests.conftest import NOON
from tests.contracts.examples import car_body, confirmed, driver_body, sign_body
from tests.smartkeys.examples import BORN, KEY
from tests.smartkeys.test_http import EXCHANGE, KIM, LATER, OPS, WISH, opened

LEE = bearer("lee")
PARK = bearer("park", phone_number="+821087654321", phone_number_verified="true")
GIFT = {"holder": "2", "not_after": LATER}


@pytest.fixture(autouse=True)
def noon() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def contract(api: Api) -> str:
    """Kim's contract, which also names Park, with a car; Kim has a smart key."""
    aws.client("secretsmanager").create_secret(Name="test/handover/link-key", SecretString=KEY)
    api.post("/v1/ops/cars", car_body(), by=OPS)
    body = sign_body(drivers=[*sign_body()["drivers"], driver_body(phone="010-8765-4321")])
    contract_id = str(api.post("/v1/contracts", body, by=KIM, key="k1").json_body["contract_id"])
    confirmed(contract_id)
    wish = {"car_id": "car-0001", "key_tag": "tag-0001-a"}
    assert api.post(f"/v1/ops/contracts/{contract_id}/assign", wish, by=OPS).status_code == 200
    assert api.post(f"/v1/ops/contracts/{contract_id}/smart-keys", WISH, by=OPS, key="w1").status_code == 201
    return contract_id


def keys(api: Api, contract_id: str, by: str) -> dict[str, Any]:
    answer = api.get(f"/v1/contracts/{contract_id}/smart-keys", by=by)
    assert answer.status_code == 200, answer.body
    seen: dict[str, Any] = answer.json_body
    return seen


def test_r10_the_customer_shares_sends_again_and_takes_back(api: Api, contract: str) -> None:
    path = f"/v1/contracts/{contract}/smart-keys"
    first, again = (api.post(path, GIFT, by=KIM, key="s1") for _ in range(2))
    assert (first.status_code, again.headers["Idempotent-Replayed"]) == (201, "true")
    assert first.json_body == again.json_body
    grant_id = first.json_body["grant_id"]
    seen = keys(api, contract, KIM)
    assert seen["car"]["plate"] == "12가 3456"
    assert {(each["holder"], each["mine"]) for each in seen["smart_keys"]} == {
        ("customer", True),
        ("2", False),
    }
    assert [each["number"] for each in seen["drivers"]] == ["2"]
    assert "reason" not in seen["smart_keys"][0]
    (parks,) = keys(api, contract, PARK)["smart_keys"]
    assert (parks["grant_id"], parks["mine"], parks["name"]) == (grant_id, True, None)
    sent = [api.post(f"{path}/{grant_id}/link", by=KIM, key="l1") for _ in range(2)]
    assert [answer.status_code for answer in sent] == [202, 202]
    assert sent[1].headers["Idempotent-Replayed"] == "true"
    ended = [api.delete(f"{path}/{grant_id}", by=KIM).json_body for _ in range(2)]
    assert ended[0] == ended[1]
    assert ended[0]["certain_at"] == "2026-03-02T03:00:15Z"
    assert is_problem(api.post(f"{path}/{grant_id}/link", by=KIM, key="l2"), 409, "GRANT_ENDED")


def test_r10_nobody_reaches_anothers_contract(api: Api, contract: str) -> None:
    path = f"/v1/contracts/{contract}/smart-keys"
    own = keys(api, contract, KIM)["smart_keys"][0]["grant_id"]
    unverified = bearer("park", phone_number="+821087654321", phone_number_verified="false")
    for by, status in ((None, 401), (LEE, 404), (unverified, 404)):
        assert is_problem(api.get(path, by=by), status)
        assert is_problem(api.post(path, GIFT, by=by, key="s1"), status)
        assert is_problem(api.post(f"{path}/{own}/link", by=by, key="l1"), status)
        assert is_problem(api.delete(f"{path}/{own}", by=by), status)
    assert is_problem(api.post(path, GIFT, by=PARK, key="s1"), 403, "ONLY_THE_CUSTOMER")
    assert is_problem(api.post(f"{path}/{own}/link", by=PARK, key="l1"), 404, "UNKNOWN_GRANT")
    assert is_problem(api.delete(f"{path}/{own}", by=KIM), 403, "ONLY_OPERATIONS")
    for name in ("con_nobody", "x" * 5000, "%00"):
        assert is_problem(api.get(f"/v1/contracts/{name}/smart-keys", by=KIM), 404)
        assert is_problem(api.post(f"{path}/{name}/link", by=KIM, key="l1"), 404)


def test_what_cannot_be_shared_is_said(api: Api, contract: str) -> None:
    path = f"/v1/contracts/{contract}/smart-keys"
    assert is_problem(api.post(path, GIFT, by=KIM), 400, "MALFORMED")
    for wrong in (
        {**GIFT, "holder": "customer"},
        {**GIFT, "holder": "1"},
        {**GIFT, "holder": "2\n"},
        {**GIFT, "holder": "person:0123456789"},
        {**GIFT, "actions": []},
        {**GIFT, "actions": ["open"]},
        {"holder": "2"},
    ):
        assert is_problem(api.post(path, wrong, by=KIM, key="s1"), 400, "MALFORMED")
    assert is_problem(api.post(path, {**GIFT, "holder": "9"}, by=KIM, key="s1"), 404, "UNKNOWN_HOLDER")
    early = {**GIFT, "not_after": "2026-03-02T03:00:00Z"}
    assert is_problem(api.post(path, early, by=KIM, key="s2"), 422, "BAD_WINDOW")
    own = keys(api, contract, KIM)["smart_keys"][0]["grant_id"]
    api.delete(f"/v1/ops/contracts/{contract}/smart-keys/{own}?reason=r", by=OPS)
    assert is_problem(api.post(path, GIFT, by=KIM, key="s3"), 403, "GRANT_REVOKED")


AUNT = {"name": "고모", "phone": "010-5555-6666", "birth_date": "1961-03-04"}


def test_operations_name_a_person_for_two_uses(api: Api, contract: str) -> None:
    path = f"/v1/ops/contracts/{contract}/smart-keys"
    wish = {"person": AUNT, "reason": "picks the car up", "not_after": LATER, "max_uses": 2}
    grant_id = api.post(path, wish, by=OPS, key="p1").json_body["grant_id"]
    cookie = opened_by_aunt(api, grant_id)
    shown = api.get("/v1/smart-key", headers=cookie).json_body
    assert (shown["who"], shown["uses_left"]) == ("person", 2)
    for wrong in (
        {**wish, "holder": "customer"},
        {**wish, "person": {**AUNT, "birth_date": None}},
        {**wish, "person": {**AUNT, "licence_last4": "1234\n"}},
        {**wish, "person": {**AUNT, "phone": "02-123-4567"}},
        {**wish, "max_uses": 0},
        {"reason": "x", "not_after": LATER},
        {"holder": "staff:olga", "reason": "x", "not_after": LATER},
    ):
        assert is_problem(api.post(path, wrong, by=OPS, key="p2"), 400, "MALFORMED")


def opened_by_aunt(api: Api, grant_id: str) -> dict[str, str]:
    code = wiring.smartkeys().link(grant_id, 1).code
    answer = api.post(EXCHANGE, {"code": code, "proof": "610304"}, key="e1")
    return {"Cookie": answer.headers["Set-Cookie"].split(";")[0]}


def test_operations_send_again_and_read_the_log(api: Api, contract: str) -> None:
    path = f"/v1/ops/contracts/{contract}/smart-keys"
    (listed,) = api.get(path, by=OPS).json_body["smart_keys"]
    key = f"{path}/{listed['grant_id']}"
    for _ in range(2):
        assert api.post(f"{key}/link", by=OPS, key="l1").status_code == 202
    first = api.get(f"{key}/log?limit=1", by=OPS).json_body
    rest = api.get(f"{key}/log?cursor={first['next_cursor']}", by=OPS).json_body
    assert [each["what"] for each in first["lines"] + rest["lines"]] == ["issued", "link_made"]
    assert (first["whole"], rest["whole"], rest["next_cursor"]) == (True, True, None)
    for by, status in ((None, 401), (KIM, 403)):
        assert is_problem(api.get(f"{key}/log", by=by), status)
        assert is_problem(api.post(f"{key}/link", by=by, key="l2"), status)
    for wrong in ("cursor=x", "cursor=LTE", "limit=0", "limit=101"):
        assert is_problem(api.get(f"{key}/log?{wrong}", by=OPS), 400, "MALFORMED")
    assert is_problem(api.get(f"{path}/grt_x/log", by=OPS), 404, "UNKNOWN_GRANT")


def test_r09_a_session_is_proven_again_over_http(
    api: Api, contract: str, noon: time_machine.Traveller
) -> None:
    (listed,) = keys(api, contract, KIM)["smart_keys"]
    cookie = opened(api, wiring.smartkeys().link(listed["grant_id"], 1).code)
    noon.shift(2 * 86_400)
    for body, status in ((b"", 400), ({}, 400), ({"proof": ""}, 400), ({"proof": "000000"}, 422)):
        assert is_problem(api.post("/v1/smart-key/step-up", body, headers=cookie), status)
    assert is_problem(api.post("/v1/smart-key/step-up", {"proof": BORN}), 401, "SESSION_ENDED")
    assert api.post("/v1/smart-key/step-up", {"proof": BORN}, headers=cookie).status_code == 204
    assert api.get("/v1/smart-key", headers=cookie).json_body["proven_until"] == "2026-03-05T03:00:00Z"
