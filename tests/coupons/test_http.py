"""The routes of campaigns, codes and coupons."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import pytest
import time_machine

from chalicelib import wiring
from chalicelib.coupons.model import spell
from chalicelib.coupons.schemas import MOST_CODES_IN_BATCH
from chalicelib.kernel import aws
from chalicelib.kernel.entry import LOG
from tests.api import Api, bearer, is_problem
from tests.conftest import NOON
from tests.coupons.examples import SECRET, campaign_body

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


def rows(dynamodb: Any) -> int:
    return int(dynamodb.scan(TableName="test-coupons")["Count"])


def test_codes_are_asked_for_watched_and_fetched_in_pages(api: Api, campaign_id: str) -> None:
    path = f"/v1/ops/campaigns/{campaign_id}/codes"
    asked = api.post(path, {"batch_id": "b1", "count": 25}, by=OPS, key="b1")
    progress = {"campaign_id": campaign_id, "batch_id": "b1", "state": "REQUESTED", "issued": 0, "count": 25}
    guess = {
        "kind": "codes",
        "created_at": "2026-03-02T03:00:00Z",
        "per_second": None,
        "seconds_left": None,
        "voided": None,
    }
    assert (asked.status_code, asked.json_body) == (202, progress | guess)
    batches = api.get(f"/v1/ops/campaigns/{campaign_id}/batches", by=OPS).json_body
    assert batches == {"batches": [progress | guess], "next_cursor": None}
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
    "query", ["limit=0", "limit=x", "limit=100001", "limit=-1", "cursor=%21", "cursor=bm8", "limit=²"]
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


def test_c13_a_whole_batch_is_one_file(api: Api, campaign_id: str) -> None:
    """100,000 codes are 2 MB, a third of what a Lambda may answer."""
    codes = issued(api, campaign_id, 300)
    csv = api.get(f"/v1/ops/campaigns/{campaign_id}/codes/b1?format=csv", by=OPS)
    assert csv.body.decode().split() == ["code", *codes]
    assert len(csv.body) / 300 * MOST_CODES_IN_BATCH < 2.1 * 10**6


def test_c12_why_a_code_was_refused_is_in_the_log_and_nowhere_else(
    api: Api, campaign_id: str, code: str
) -> None:
    api.post("/v1/me/coupons", {"code": code}, by=KIM, key="k1")
    with logged() as lines:
        answer = api.post("/v1/me/coupons", {"code": code}, by=LEE, key="k")
    (line,) = (line for line in lines() if line["message"] == "refusal")
    assert (line["code"], line["why"], line["customer_id"]) == ("CODE_REFUSED", "FOREIGN", "lee")
    assert line["refused_coupon_id"].startswith(campaign_id)
    assert code not in json.dumps(lines())
    assert not {"why", "aside", "refused_coupon_id"} & set(answer.json_body)


@contextmanager
def logged() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(LOG.registered_formatter)
    logging.getLogger("handover").addHandler(handler)
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    logging.getLogger("handover").removeHandler(handler)


def test_targets_are_given_watched_and_told(api: Api, campaign_id: str) -> None:
    path = f"/v1/ops/campaigns/{campaign_id}/targets"
    body = {"batch_id": "t1", "customers": ["kim", "lee", "kim"], "send": True}
    asked = api.post(path, body, by=OPS, key="t1")
    assert asked.status_code == 202
    assert asked.json_body == {
        "campaign_id": campaign_id,
        "batch_id": "t1",
        "state": "REQUESTED",
        "issued": 0,
        "count": 2,
        "created_at": "2026-03-02T03:00:00Z",
        "send": True,
        "refused": {},
        "texts": {"sent": 0, "waiting": 0, "refused": {}},
    }
    assert api.post(path, body, by=OPS, key="t1").headers["Idempotent-Replayed"] == "true"
    assert is_problem(api.post(path, {**body, "send": False}, by=OPS, key="t1"), 422)
    wiring.coupons().issue(campaign_id, "t1")
    seen = api.get(f"{path}/t1", by=OPS).json_body
    assert (seen["state"], seen["issued"]) == ("DONE", 2)
    assert seen["texts"] == {"sent": 0, "waiting": 2, "refused": {}}
    assert len(api.get("/v1/me/coupons", by=LEE).json_body["coupons"]) == 1
    assert is_problem(api.get(f"/v1/ops/campaigns/{campaign_id}/codes/t1", by=OPS), 404, "UNKNOWN_BATCH")


@pytest.mark.parametrize(
    "body",
    [
        {"batch_id": "t1", "customers": []},
        {"batch_id": "t1", "customers": ["kim lee"]},
        {"batch_id": "t1", "customers": ["x" * 65]},
        {"batch_id": "t1", "customers": ["kim"] * 1_001},
        {"batch_id": "~", "customers": ["kim"]},
        {"batch_id": "t1", "customers": ["kim"], "sent": True},
    ],
)
def test_targets_that_make_no_sense_are_refused(api: Api, campaign_id: str, body: Any) -> None:
    path = f"/v1/ops/campaigns/{campaign_id}/targets"
    assert is_problem(api.post(path, body, by=OPS, key="t1"), 400, "MALFORMED")


def test_a_campaign_for_a_group_is_its_members_alone(api: Api) -> None:
    body = campaign_body(download=True, scope={"groups": ["vip"]})
    campaign_id = api.post("/v1/ops/campaigns", body, by=OPS, key="c2").json_body["campaign_id"]
    changed = api.post("/v1/ops/groups/vip/members", {"add": ["kim"], "remove": ["lee"]}, by=OPS)
    assert (changed.status_code, changed.json_body) == (200, {"group": "vip", "added": 1, "removed": 1})
    assert api.get("/v1/me/campaigns", by=LEE).json_body == {"campaigns": []}
    path = f"/v1/me/campaigns/{campaign_id}/coupon"
    assert is_problem(api.post(path, by=LEE, key="k"), 404, "UNKNOWN_CAMPAIGN")
    (offered,) = api.get("/v1/me/campaigns", by=KIM).json_body["campaigns"]
    assert (offered["campaign_id"], offered["value"], offered["mine"]) == (campaign_id, 5_000, False)
    taken, again = (api.post(path, by=KIM, key=key) for key in ("k1", "k2"))
    assert (taken.status_code, again.status_code) == (201, 200)
    assert (again.headers["Idempotent-Replayed"], again.json_body) == ("true", taken.json_body)
    assert api.get("/v1/me/coupons", by=KIM).json_body["coupons"] == [taken.json_body]
    assert api.get("/v1/me/campaigns", by=KIM).json_body["campaigns"][0]["mine"]


@pytest.mark.parametrize(
    ("group", "body", "status"),
    [
        ("vip", {"add": ["kim"], "remove": ["kim"]}, 400),
        ("vip", {"add": ["kim\n"]}, 400),
        ("vip", {"and": []}, 400),
        ("v i p", {"add": ["kim"]}, 404),
        ("x" * 65, {"add": ["kim"]}, 404),
    ],
)
def test_a_group_that_makes_no_sense_is_refused(api: Api, group: str, body: Any, status: int) -> None:
    path = f"/v1/ops/groups/{quote(group)}/members"
    assert is_problem(api.post(path, body, by=OPS), status)


def test_operations_make_a_coupon_void(api: Api, campaign_id: str, code: str) -> None:
    coupon = api.post("/v1/me/coupons", {"code": code}, by=KIM, key="k1").json_body
    path = f"/v1/ops/coupons/{coupon['coupon_id']}/void"
    assert is_problem(api.post(path, {"reason": ""}, by=OPS, key="v"), 400)
    done, again = (api.post(path, {"reason": "a mistake"}, by=OPS, key="v") for _ in range(2))
    assert (
        done.json_body
        == again.json_body
        == {
            "coupon_id": coupon["coupon_id"],
            "campaign_id": campaign_id,
            "state": "VOID",
            "voided_at": "2026-03-02T03:00:00Z",
            "voided_by": "olga",
            "reason": "a mistake",
        }
    )
    assert "Idempotent-Replayed" not in done.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    (mine,) = api.get("/v1/me/coupons", by=KIM).json_body["coupons"]
    assert (mine["state"], mine["why_not"]) == ("VOID", "void")
    assert is_problem(api.post("/v1/ops/coupons/nobody/void", {"reason": "x"}, by=OPS, key="w"), 404)


def test_operations_make_a_batch_void(api: Api, campaign_id: str, code: str) -> None:
    path = f"/v1/ops/campaigns/{campaign_id}/batches/b1/void"
    done, again = (api.post(path, {"reason": "leaked"}, by=OPS, key="v") for _ in range(2))
    assert (done.status_code, done.json_body["state"], done.json_body["voided"]) == (202, "VOIDING", 0)
    assert again.headers["Idempotent-Replayed"] == "true"
    wiring.coupons().carry_on(campaign_id, "b1")
    codes = api.get(f"/v1/ops/campaigns/{campaign_id}/codes/b1", by=OPS).json_body
    assert (codes["state"], codes["codes"]) == ("VOID", [])
    csv = api.get(f"/v1/ops/campaigns/{campaign_id}/codes/b1?format=csv", by=OPS)
    assert is_problem(csv, 422, "BATCH_VOID")
    assert is_problem(api.post("/v1/me/coupons", {"code": code}, by=KIM, key="k"), 422, "CODE_REFUSED")


def test_guessing_is_stopped(api: Api, campaign_id: str, code: str) -> None:
    for number in range(5):
        body = {"code": spell(SECRET, campaign_id, "never", number)}
        assert is_problem(api.post("/v1/me/coupons", body, by=LEE, key=f"k{number}"), 422)
    stopped = api.post("/v1/me/coupons", {"code": code}, by=LEE, key="k")
    assert is_problem(stopped, 429, "TOO_MANY_CODES")
    assert stopped.headers["Retry-After"] == "5"


KEYED = [
    ("/v1/ops/campaigns/{}/codes", {"batch_id": "b9", "count": 1}, OPS),
    ("/v1/ops/campaigns/{}/targets", {"batch_id": "b9", "customers": ["kim"]}, OPS),
    ("/v1/ops/coupons/{}.x/void", {"reason": "a mistake"}, OPS),
    ("/v1/ops/campaigns/{}/batches/b1/void", {"reason": "a mistake"}, OPS),
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
    ("POST", "/v1/ops/campaigns/{}/codes", {"batch_id": "b9", "count": 1}),
    ("GET", "/v1/ops/campaigns/{}/codes/b1", None),
    ("GET", "/v1/ops/campaigns/{}/batches", None),
    ("POST", "/v1/ops/campaigns/{}/targets", {"batch_id": "b9", "customers": ["kim"]}),
    ("GET", "/v1/ops/campaigns/{}/targets/b1", None),
    ("POST", "/v1/ops/coupons/{}.x/void", {"reason": "a mistake"}),
    ("POST", "/v1/ops/campaigns/{}/batches/b1/void", {"reason": "a mistake"}),
]


@pytest.mark.parametrize(("method", "path", "body"), OPERATIONS)
def test_campaigns_are_run_by_operations_only(
    api: Api, dynamodb: Any, campaign_id: str, method: str, path: str, body: Any
) -> None:
    before = rows(dynamodb)
    for by, number in ((None, 401), (KIM, 403), (COURIER, 403)):
        assert is_problem(api.send(method, path.format(campaign_id), body, by=by, key="k"), number)
    assert rows(dynamodb) == before


@pytest.mark.parametrize(("method", "path", "body"), OPERATIONS)
def test_unknown_campaigns_are_not_found(api: Api, method: str, path: str, body: Any) -> None:
    for unknown in ("cmp_nobody", "x" * 3_000):
        assert is_problem(api.send(method, path.format(unknown), body, by=OPS, key="k"), 404)


def test_my_coupons_need_a_sign_in(api: Api) -> None:
    assert is_problem(api.get("/v1/me/coupons"), 401)
    assert is_problem(api.post("/v1/me/coupons", {"code": "x"}, key="k"), 401)
    assert is_problem(api.get("/v1/me/campaigns"), 401)
    assert is_problem(api.post("/v1/me/campaigns/cmp_1/coupon", key="k"), 401)
    assert is_problem(api.post("/v1/me/campaigns/cmp_1/coupon", by=KIM), 400)
