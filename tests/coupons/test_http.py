"""The routes of campaigns, codes and coupons."""

from collections.abc import Iterator
from typing import Any

import pytest
import time_machine

from chalicelib import wiring
from chalicelib.coupons.model import spell
from chalicelib.kernel import aws
from tests.api import Api, bearer, is_problem
from tests.conftest import NOON
from tests.coupons.examples import SECRET, THREE_MILLION, campaign_body

OPS, KIM, LEE, COURIER = bearer("olga", "ops"), bearer("kim"), bearer("lee"), bearer("carl", "courier")


@pytest.fixture(autouse=True)
def at_noon_with_the_code_key(api: Api) -> Iterator[None]:
    aws.client("secretsmanager").create_secret(Name="test/handover/code-key", SecretString=SECRET)
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def campaign_id(api: Api) -> str:
    return str(api.post("/v1/ops/campaigns", campaign_body(), by=OPS, key="c1").json_body["campaign_id"])


@pytest.fixture
def code(api: Api, campaign_id: str) -> str:
    return issued(api, campaign_id, 3)[0]


def issued(api: Api, campaign_id: str, count: int) -> list[str]:
    path = f"/v1/ops/campaigns/{campaign_id}/codes"
    assert api.post(path, {"batch_id": "b1", "count": count}, by=OPS, key="b1").status_code == 202
    wiring.coupons().issue(campaign_id, "b1")
    return list(api.get(f"{path}/b1", by=OPS).json_body["codes"])


def status(api: Api, campaign_id: str) -> dict[str, Any]:
    return dict(api.get(f"/v1/ops/campaigns/{campaign_id}", by=OPS).json_body)


def rows(dynamodb: Any) -> int:
    return int(dynamodb.scan(TableName="test-coupons")["Count"])


def test_a_campaign_is_made_and_looked_at(api: Api) -> None:
    body = campaign_body(
        kind="percent",
        value=10,
        max_discount=30_000,
        min_order=100_000,
        per_user_limit=1,
        opens_at="2026-03-01T00:00:00+09:00",
        closes_at="2026-04-01T00:00:00+09:00",
        scope={"kinds": ["contract_fee"]},
        reserve_at="redeem",
    )
    made = api.post("/v1/ops/campaigns", body, by=OPS, key="c1")
    assert (made.status_code, list(made.json_body)) == (201, ["campaign_id"])
    seen = status(api, made.json_body["campaign_id"])
    assert seen["state"] == "OPEN"
    assert (seen["budget"], seen["available"], seen["reserved"]) == (THREE_MILLION, THREE_MILLION, 0)
    assert (seen["captured"], seen["refunded"]) == (0, 0)
    assert (seen["max_discount"], seen["opens_at"]) == (30_000, "2026-02-28T15:00:00Z")


def test_a_replay_says_the_same_and_that_it_is_one(api: Api, campaign_id: str) -> None:
    again = api.post("/v1/ops/campaigns", campaign_body(), by=OPS, key="c1")
    assert (again.status_code, again.json_body) == (201, {"campaign_id": campaign_id})
    assert again.headers["Idempotent-Replayed"] == "true"
    assert is_problem(
        api.post("/v1/ops/campaigns", campaign_body(value=1), by=OPS, key="c1"), 422, "KEY_REUSED"
    )


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "free"},
        {"value": 0},
        {"value": -5},
        {"value": 1.5},
        {"value": "5000"},
        {"value": 10**13},
        {"kind": "percent", "value": 101},
        {"budget": 0},
        {"name": ""},
        {"per_user_limit": 0},
        {"max_discount": 0},
        {"min_order": -1},
        {"opens_at": "2026-03-01T00:00:00"},
        {"opens_at": "0001-01-01T00:00:00Z"},
        {"opens_at": "0001-01-01T00:00:00+14:00"},
        {"closes_at": "9999-12-31T23:59:59-14:00"},
        {"opens_at": "2026-03-02T00:00:00Z", "closes_at": "2026-03-01T00:00:00Z"},
        {"scope": {"kinds": ["cars"]}},
        {"scope": {"plans": ["first-car"]}},
        {"reserve_at": "later"},
    ],
)
def test_a_campaign_that_makes_no_sense_is_refused(api: Api, dynamodb: Any, change: dict[str, Any]) -> None:
    assert is_problem(
        api.post("/v1/ops/campaigns", campaign_body(**change), by=OPS, key="c1"), 400, "MALFORMED"
    )
    assert rows(dynamodb) == 0


@pytest.mark.parametrize("scope", [None, "all", {}, {"kinds": ["contract_fee", "service"]}])
def test_a_scope_that_names_nothing_is_everything(api: Api, scope: Any) -> None:
    assert api.post("/v1/ops/campaigns", campaign_body(scope=scope), by=OPS, key="c1").status_code == 201


def test_reserving_at_issue_is_refused_by_name(api: Api) -> None:
    body = campaign_body(reserve_at="issue")
    assert is_problem(api.post("/v1/ops/campaigns", body, by=OPS, key="c1"), 422, "NOT_OFFERED")


def test_a_campaign_is_paused_and_resumed(api: Api, campaign_id: str) -> None:
    path = f"/v1/ops/campaigns/{campaign_id}"
    for act, state in (("pause", "PAUSED"), ("pause", "PAUSED"), ("resume", "OPEN"), ("resume", "OPEN")):
        answer = api.post(f"{path}/{act}", by=OPS)
        assert (answer.status_code, answer.json_body["state"]) == (200, state)
        assert status(api, campaign_id)["state"] == state


def test_a_top_up_adds_once(api: Api, campaign_id: str) -> None:
    path = f"/v1/ops/campaigns/{campaign_id}/top-up"
    first = api.post(path, {"amount": 10_000, "top_up_id": "t1"}, by=OPS, key="t1")
    again = api.post(path, {"amount": 10_000, "top_up_id": "t1"}, by=OPS, key="t1")
    assert first.json_body == again.json_body
    assert again.headers["Idempotent-Replayed"] == "true"
    assert (
        status(api, campaign_id)["budget"] == status(api, campaign_id)["available"] == THREE_MILLION + 10_000
    )
    other = {"amount": 20_000, "top_up_id": "t1"}
    assert is_problem(api.post(path, other, by=OPS, key="t2"), 422, "TOP_UP_DIFFERS")
    assert is_problem(api.post(path, other, by=OPS, key="t1"), 422, "KEY_REUSED")


def test_codes_are_asked_for_watched_and_fetched_in_pages(api: Api, campaign_id: str) -> None:
    path = f"/v1/ops/campaigns/{campaign_id}/codes"
    asked = api.post(path, {"batch_id": "b1", "count": 25}, by=OPS, key="b1")
    progress = {"campaign_id": campaign_id, "batch_id": "b1", "state": "REQUESTED", "issued": 0, "count": 25}
    assert (asked.status_code, asked.json_body) == (202, progress)
    assert api.get(f"{path}/b1", by=OPS).json_body == {**progress, "codes": [], "next_cursor": None}
    assert is_problem(api.get(f"{path}/b1?format=csv", by=OPS), 409, "BATCH_NOT_DONE")
    wiring.coupons().issue(campaign_id, "b1")
    found, cursor = [], ""
    for size in (10, 10, 5):
        page = api.get(f"{path}/b1?limit=10{cursor}", by=OPS).json_body
        assert (page["state"], page["issued"], len(page["codes"])) == ("DONE", 25, size)
        found += page["codes"]
        cursor = f"&cursor={page['next_cursor']}"
    assert page["next_cursor"] is None
    assert len(set(found)) == 25
    csv = api.get(f"{path}/b1", by=OPS, headers={"Accept": "text/csv"})
    assert csv.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert csv.body.decode().split("\r\n") == ["code", *found, ""]


def test_a_long_csv_goes_on_at_its_cursor(api: Api, campaign_id: str) -> None:
    codes = issued(api, campaign_id, 7)
    path = f"/v1/ops/campaigns/{campaign_id}/codes/b1?format=csv&limit=5"
    first = api.get(path, by=OPS)
    rest = api.get(f"{path}&cursor={first.headers['X-Next-Cursor']}", by=OPS)
    assert "X-Next-Cursor" not in rest.headers
    assert first.body.decode().split()[1:] + rest.body.decode().split()[1:] == codes


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=x", "limit=50001", "limit=-1", "cursor=%21", "cursor=bm8", "limit=²"]
)
def test_a_page_that_cannot_be_is_refused(api: Api, campaign_id: str, code: str, query: str) -> None:
    assert is_problem(api.get(f"/v1/ops/campaigns/{campaign_id}/codes/b1?{query}", by=OPS), 400, "MALFORMED")
    assert is_problem(api.get(f"/v1/me/coupons?{query}", by=KIM), 400, "MALFORMED")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"batch_id": "b1"},
        {"batch_id": "b 1", "count": 1},
        {"batch_id": "b1", "count": 0},
        {"batch_id": "b1", "count": 100_001},
        [],
    ],
)
def test_a_batch_that_makes_no_sense_is_refused(api: Api, campaign_id: str, body: Any) -> None:
    path = f"/v1/ops/campaigns/{campaign_id}/codes"
    assert is_problem(api.post(path, body, by=OPS, key="b1"), 400, "MALFORMED")


def test_a_code_becomes_my_coupon(api: Api, campaign_id: str, code: str) -> None:
    answer = api.post("/v1/me/coupons", {"code": code.lower()}, by=KIM, key="k1")
    coupon = answer.json_body
    assert answer.status_code == 201
    assert coupon["coupon_id"].startswith(f"{campaign_id}.")
    assert (coupon["kind"], coupon["value"], coupon["state"]) == ("fixed", 5_000, "REGISTERED")
    again = api.post("/v1/me/coupons", {"code": code}, by=KIM, key="k2")
    assert (again.status_code, again.json_body) == (201, coupon)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert api.get("/v1/me/coupons", by=KIM).json_body == {"coupons": [coupon], "next_cursor": None}
    assert api.get("/v1/me/coupons", by=LEE).json_body == {"coupons": [], "next_cursor": None}


def test_wrong_used_and_foreign_codes_get_the_same_answer(api: Api, campaign_id: str, code: str) -> None:
    api.post("/v1/me/coupons", {"code": code}, by=KIM, key="k1")
    answers = []
    for typed in (code, spell(SECRET, campaign_id, "never", 1), "nonsense", ""):
        answer = api.post("/v1/me/coupons", {"code": typed}, by=LEE, key=f"k {typed}")
        assert is_problem(answer, 422, "CODE_REFUSED")
        answers.append({**answer.json_body, "trace_id": None})
    assert all(each == answers[0] for each in answers)


def test_guessing_is_stopped(api: Api, campaign_id: str, code: str) -> None:
    for number in range(5):
        body = {"code": spell(SECRET, campaign_id, "never", number)}
        assert is_problem(api.post("/v1/me/coupons", body, by=LEE, key=f"k{number}"), 422)
    stopped = api.post("/v1/me/coupons", {"code": code}, by=LEE, key="k")
    assert is_problem(stopped, 429, "TOO_MANY_CODES")
    assert stopped.headers["Retry-After"] == "5"


KEYED = [
    ("/v1/ops/campaigns", campaign_body(), OPS),
    ("/v1/ops/campaigns/{}/top-up", {"amount": 1, "top_up_id": "t"}, OPS),
    ("/v1/ops/campaigns/{}/codes", {"batch_id": "b9", "count": 1}, OPS),
    ("/v1/me/coupons", {"code": "x"}, KIM),
]


@pytest.mark.parametrize(("path", "body", "by"), KEYED)
def test_what_moves_money_needs_a_key(api: Api, campaign_id: str, path: str, body: Any, by: str) -> None:
    assert is_problem(api.post(path.format(campaign_id), body, by=by), 400, "MALFORMED")


@pytest.mark.parametrize(("path", "body", "by"), KEYED)
def test_a_body_that_is_no_json_is_refused(api: Api, campaign_id: str, path: str, body: Any, by: str) -> None:
    for raw in (b"", b"{", b"[]", b"\xff", b"null"):
        assert is_problem(api.post(path.format(campaign_id), raw, by=by, key="k"), 400, "MALFORMED")


OPERATIONS = [
    ("GET", "/v1/ops/campaigns/{}", None),
    ("POST", "/v1/ops/campaigns", campaign_body()),
    ("POST", "/v1/ops/campaigns/{}/pause", None),
    ("POST", "/v1/ops/campaigns/{}/resume", None),
    ("POST", "/v1/ops/campaigns/{}/top-up", {"amount": 1, "top_up_id": "t"}),
    ("POST", "/v1/ops/campaigns/{}/codes", {"batch_id": "b9", "count": 1}),
    ("GET", "/v1/ops/campaigns/{}/codes/b1", None),
]


@pytest.mark.parametrize(("method", "path", "body"), OPERATIONS)
def test_campaigns_are_run_by_operations_only(
    api: Api, dynamodb: Any, campaign_id: str, method: str, path: str, body: Any
) -> None:
    before = rows(dynamodb)
    for by, number in ((None, 401), (KIM, 403), (COURIER, 403)):
        assert is_problem(api.send(method, path.format(campaign_id), body, by=by, key="k"), number)
    assert rows(dynamodb) == before


@pytest.mark.parametrize(("method", "path", "body"), [each for each in OPERATIONS if "{}" in each[1]])
def test_unknown_campaigns_are_not_found(api: Api, method: str, path: str, body: Any) -> None:
    for unknown in ("cmp_nobody", "x" * 3_000):
        assert is_problem(api.send(method, path.format(unknown), body, by=OPS, key="k"), 404)


def test_my_coupons_need_a_sign_in(api: Api) -> None:
    assert is_problem(api.get("/v1/me/coupons"), 401)
    assert is_problem(api.post("/v1/me/coupons", {"code": "x"}, key="k"), 401)
