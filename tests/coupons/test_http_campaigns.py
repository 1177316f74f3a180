"""The routes of campaigns."""

from collections.abc import Iterator
from typing import Any

import pytest
import time_machine

from tests.api import Api, bearer, is_problem
from tests.conftest import NOON
from tests.coupons.examples import THREE_MILLION, campaign_body

OPS, KIM, COURIER = bearer("olga", "ops"), bearer("kim"), bearer("carl", "courier")


@pytest.fixture(autouse=True)
def at_noon(api: Api) -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def campaign_id(api: Api) -> str:
    return str(api.post("/v1/ops/campaigns", campaign_body(), by=OPS, key="c1").json_body["campaign_id"])


def status(api: Api, campaign_id: str) -> dict[str, Any]:
    return dict(api.get(f"/v1/ops/campaigns/{campaign_id}", by=OPS).json_body)


def rows(dynamodb: Any) -> int:
    return sum(int(dynamodb.scan(TableName=f"test-{name}")["Count"]) for name in ("coupons", "ledger"))


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
        {"scope": {"plans": [""]}},
        {"scope": {"cars": ["van"]}},
        {"at_the_edge": "maybe"},
        {"count_limit": 0},
        {"sponsor_percent": 50},
        {"sponsor_id": "tire-maker", "sponsor_percent": 101},
        {"description": "x" * 501},
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


def test_only_fixed_discounts_are_bound_at_issue(api: Api) -> None:
    fixed, percent = (
        campaign_body(reserve_at="issue"),
        campaign_body(reserve_at="issue", kind="percent", value=9),
    )
    made = api.post("/v1/ops/campaigns", fixed, by=OPS, key="c1")
    assert status(api, made.json_body["campaign_id"])["reserve_at"] == "issue"
    assert is_problem(api.post("/v1/ops/campaigns", percent, by=OPS, key="c2"), 422, "NOT_OFFERED")


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


def test_everything_agreed_is_shown(api: Api) -> None:
    agreed = {
        "count_limit": 100,
        "at_the_edge": "partial",
        "sponsor_id": "tire-maker",
        "download": True,
        "description": "For your first car",
        "scope": {"kinds": ["contract_fee"], "plans": ["first-car"], "groups": ["new"]},
        "reserve_at": "redeem",
    }
    made = api.post("/v1/ops/campaigns", campaign_body(**agreed), by=OPS, key="c1")
    seen = status(api, made.json_body["campaign_id"])
    assert {name: seen[name] for name in agreed} == agreed
    assert (seen["sponsor_percent"], seen["shards"], seen["mode"]) == (100, 10, "sharded")
    nothing = {"issued": 0, "registered": 0, "reserved": 0, "captured": 0, "refunded": 0}
    assert seen["counts"] == {**nothing, "left": 100}
    assert seen["created_at"] == "2026-03-02T03:00:00Z"


def test_a_budget_is_cut_once_and_not_below_what_is_used(api: Api, campaign_id: str) -> None:
    path = f"/v1/ops/campaigns/{campaign_id}/cut"
    deep = api.post(path, {"amount": THREE_MILLION + 1, "cut_id": "c1"}, by=OPS, key="k1")
    assert is_problem(deep, 422, "CUT_TOO_DEEP")
    assert deep.json_body["most"] == THREE_MILLION
    first = api.post(path, {"amount": 1_000_000, "cut_id": "c1"}, by=OPS, key="k1")
    again = api.post(path, {"amount": 1_000_000, "cut_id": "c1"}, by=OPS, key="k1")
    assert (first.status_code, first.json_body["budget"]) == (200, 2_000_000)
    assert (again.json_body, again.headers["Idempotent-Replayed"]) == (first.json_body, "true")
    assert is_problem(api.post(path, {"amount": 5, "cut_id": "c1"}, by=OPS, key="k2"), 422, "CUT_DIFFERS")
    assert is_problem(api.post(path, {"amount": 5, "cut_id": "c1"}, by=OPS, key="k1"), 422, "KEY_REUSED")


def test_a_campaign_is_closed_for_good(api: Api, campaign_id: str) -> None:
    path = f"/v1/ops/campaigns/{campaign_id}"
    assert is_problem(api.post(f"{path}/close", {"reason": ""}, by=OPS), 400, "MALFORMED")
    for _ in range(2):
        closed = api.post(f"{path}/close", {"reason": "the sponsor withdrew"}, by=OPS)
        assert (closed.status_code, closed.json_body["state"]) == (200, "CLOSED")
    assert is_problem(api.post(f"{path}/resume", by=OPS), 422, "CAMPAIGN_CLOSED")


def test_campaigns_are_listed_in_pages(api: Api) -> None:
    made = [
        api.post("/v1/ops/campaigns", campaign_body(name=f"No {n}", budget=9_000), by=OPS, key=f"c{n}")
        for n in range(3)
    ]
    first = api.get("/v1/ops/campaigns?limit=2", by=OPS).json_body
    rest = api.get(f"/v1/ops/campaigns?limit=2&cursor={first['next_cursor']}", by=OPS).json_body
    listed = first["campaigns"] + rest["campaigns"]
    assert {each["campaign_id"] for each in listed} == {answer.json_body["campaign_id"] for answer in made}
    assert (len(listed), rest["next_cursor"], listed[0]["counts"]["issued"]) == (3, None, None)
    for query in ("limit=0", "limit=21", "cursor=%21", "cursor=bm8"):
        assert is_problem(api.get(f"/v1/ops/campaigns?{query}", by=OPS), 400, "MALFORMED")


OPERATIONS = [
    ("GET", "/v1/ops/campaigns", None),
    ("GET", "/v1/ops/campaigns/{}", None),
    ("POST", "/v1/ops/campaigns", campaign_body()),
    ("POST", "/v1/ops/campaigns/{}/pause", None),
    ("POST", "/v1/ops/campaigns/{}/resume", None),
    ("POST", "/v1/ops/campaigns/{}/close", {"reason": "a mistake"}),
    ("POST", "/v1/ops/campaigns/{}/top-up", {"amount": 1, "top_up_id": "t"}),
    ("POST", "/v1/ops/campaigns/{}/cut", {"amount": 1, "cut_id": "t"}),
]


def test_what_moves_money_needs_a_key_and_a_body_that_can_be_read(api: Api, campaign_id: str) -> None:
    keyed = [each for each in OPERATIONS if each[2] and "close" not in each[1]]
    assert len(keyed) == 3
    for method, path, body in keyed:
        asked = api.send(method, path.format(campaign_id), body, by=OPS)
        assert is_problem(asked, 400, "MALFORMED")
        for raw in (b"", b"{", b"[]", b"\xff", b"null"):
            answer = api.post(path.format(campaign_id), raw, by=OPS, key="k")
            assert is_problem(answer, 400, "MALFORMED")


def test_campaigns_are_run_by_operations_only(api: Api, dynamodb: Any, campaign_id: str) -> None:
    before = rows(dynamodb)
    for method, path, body in OPERATIONS:
        for by, number in ((None, 401), (KIM, 403), (COURIER, 403)):
            assert is_problem(api.send(method, path.format(campaign_id), body, by=by, key="k"), number)
    assert rows(dynamodb) == before


def test_unknown_campaigns_are_not_found(api: Api) -> None:
    for method, path, body in (each for each in OPERATIONS if "{}" in each[1]):
        for unknown in ("cmp_nobody", "x" * 3_000):
            assert is_problem(api.send(method, path.format(unknown), body, by=OPS, key="k"), 404)
