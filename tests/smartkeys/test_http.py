import io
import itertools
import json
import logging
from collections.abc import Iterator
from http.cookies import SimpleCookie
from typing import Any

import pytest
import time_machine

from chalicelib import wiring
from chalicelib.kernel import aws
from chalicelib.kernel.entry import LOG
from tests.api import Api, bearer, is_problem
from tests.conftest import NOON
from tests.contracts.examples import car_body, confirmed, sign_body
from tests.smartkeys.examples import BORN, KEY, PHONE

KIM, OPS, COURIER = bearer("kim"), bearer("olga", "ops"), bearer("carl", "courier")
LATER = "2026-03-09T12:00:00+09:00"
WISH = {"holder": "customer", "reason": "called: no key", "not_after": LATER}
EXCHANGE = "/v1/smart-key/exchange"


@pytest.fixture(autouse=True)
def noon() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def path(api: Api) -> str:
    """Of the smart keys of a contract with a car."""
    aws.client("secretsmanager").create_secret(Name="test/handover/link-key", SecretString=KEY)
    api.post("/v1/ops/cars", car_body(), by=OPS)
    contract_id = api.post("/v1/contracts", sign_body(), by=KIM, key="k1").json_body["contract_id"]
    confirmed(contract_id)
    wish = {"car_id": "car-0001", "key_tag": "tag-0001-a"}
    assert api.post(f"/v1/ops/contracts/{contract_id}/assign", wish, by=OPS).status_code == 200
    return f"/v1/ops/contracts/{contract_id}/smart-keys"


@pytest.fixture
def grant_id(api: Api, path: str) -> str:
    return str(api.post(path, WISH, by=OPS, key="w1").json_body["grant_id"])


@pytest.fixture
def code(grant_id: str) -> str:
    return wiring.smartkeys().link(grant_id, 1).code


def session(answer: Any) -> dict[str, str]:
    """What a browser would send back."""
    assert answer.status_code == 204, answer.body
    (name, morsel) = next(iter(SimpleCookie(answer.headers["Set-Cookie"]).items()))
    return {"Cookie": f"theme=dark; {name}={morsel.value}"}


def opened(api: Api, code: str) -> dict[str, str]:
    return session(api.post(EXCHANGE, {"code": code, "proof": BORN}, key="e1"))


def dump(dynamodb: Any) -> str:
    tables = dynamodb.list_tables()["TableNames"]
    return json.dumps([dynamodb.scan(TableName=table)["Items"] for table in tables], default=str)


def test_operations_issue_list_and_revoke(api: Api, path: str) -> None:
    issued = api.post(path, WISH, by=OPS, key="w1")
    grant_id = issued.json_body["grant_id"]
    assert issued.status_code == 201
    (listed,) = api.get(path, by=OPS).json_body["smart_keys"]
    assert (listed["grant_id"], listed["state"], listed["links"]) == (grant_id, "LIVE", 1)
    assert (listed["not_before"], listed["not_after"]) == ("2026-03-02T03:00:00Z", "2026-03-09T03:00:00Z")
    for reason in ("?reason=sold", "?reason=another", ""):
        ended = api.delete(f"{path}/{grant_id}{reason}", by=OPS)
        assert ended.json_body == {
            "grant_id": grant_id,
            "revoked_at": "2026-03-02T03:00:00Z",
            "certain_at": "2026-03-02T03:00:15Z",
        }
    (ended,) = api.get(path, by=OPS).json_body["smart_keys"]
    assert (ended["state"], ended["revoked_by"], ended["revoked_for"]) == ("REVOKED", "olga", "sold")


def test_a_smart_key_can_be_ended_without_a_word(api: Api, path: str) -> None:
    grant_id = api.post(path, WISH, by=OPS, key="w1").json_body["grant_id"]
    assert api.delete(f"{path}/{grant_id}?reason=%20", by=OPS).status_code == 200
    (ended,) = api.get(path, by=OPS).json_body["smart_keys"]
    assert (ended["state"], ended["revoked_by"], ended["revoked_for"]) == ("REVOKED", "olga", None)


def test_a_replay_says_the_same_and_that_it_is_one(api: Api, path: str) -> None:
    first, again = (api.post(path, WISH, by=OPS, key="w1") for _ in range(2))
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert (again.status_code, again.json_body) == (201, first.json_body)
    other = api.post(path, {**WISH, "reason": "another"}, by=OPS, key="w1")
    assert is_problem(other, 422, "KEY_REUSED")


def test_only_operations_touch_grants(api: Api, path: str, grant_id: str) -> None:
    for by, status in ((None, 401), (KIM, 403), (COURIER, 403)):
        assert is_problem(api.post(path, WISH, by=by, key="w2"), status)
        assert is_problem(api.get(path, by=by), status)
        assert is_problem(api.delete(f"{path}/{grant_id}?reason=r", by=by), status)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "MALFORMED"),
        ({}, 400, "MALFORMED"),
        ({**WISH, "holder": "nobody"}, 400, "MALFORMED"),
        ({**WISH, "holder": 1}, 400, "MALFORMED"),
        ({**WISH, "reason": ""}, 400, "MALFORMED"),
        ({**WISH, "not_after": "tomorrow"}, 400, "MALFORMED"),
        ({**WISH, "not_after": "2026-03-09T12:00:00"}, 400, "MALFORMED"),
        ({**WISH, "holder": "9"}, 404, "UNKNOWN_HOLDER"),
        ({**WISH, "not_after": "2026-03-02T03:00:00Z"}, 422, "BAD_WINDOW"),
        ({**WISH, "not_after": "9999-12-31T23:59:59-12:00"}, 422, "BAD_WINDOW"),
        ({**WISH, "not_after": "0001-01-01T00:00:00+14:00"}, 422, "BAD_WINDOW"),
        ({**WISH, "not_before": "9999-12-31T23:59:59-12:00"}, 422, "BAD_WINDOW"),
    ],
)
def test_a_wish_that_cannot_be_granted_changes_nothing(
    api: Api, path: str, body: Any, status: int, code: str
) -> None:
    assert is_problem(api.post(path, body, by=OPS, key="w1"), status, code)
    assert api.get(path, by=OPS).json_body == {"smart_keys": []}


def test_a_window_may_have_begun_long_ago(api: Api, path: str) -> None:
    body = {**WISH, "not_before": "0001-01-01T00:00:00+14:00"}
    api.post(path, body, by=OPS, key="w1")
    (listed,) = api.get(path, by=OPS).json_body["smart_keys"]
    assert listed["not_before"] == "2026-03-02T03:00:00Z"


@pytest.mark.parametrize("name", ["con_nobody", "x" * 5000, "%00", "con_%F0%28"])
def test_no_id_breaks_anything(api: Api, path: str, grant_id: str, name: str) -> None:
    unknown = f"/v1/ops/contracts/{name}/smart-keys"
    assert is_problem(api.post(unknown, WISH, by=OPS, key="w9"), 404)
    assert is_problem(api.get(unknown, by=OPS), 404)
    assert is_problem(api.delete(f"{unknown}/{grant_id}?reason=r", by=OPS), 404)
    assert is_problem(api.delete(f"{path}/{name}?reason=r", by=OPS), 404)
    assert len(api.get(path, by=OPS).json_body["smart_keys"]) == 1


def test_issuing_needs_a_key(api: Api, path: str) -> None:
    assert is_problem(api.post(path, WISH, by=OPS), 400, "MALFORMED")


def test_a_contract_without_a_car_waits(api: Api, path: str) -> None:
    contract_id = api.post("/v1/contracts", sign_body(), by=KIM, key="k2").json_body["contract_id"]
    answer = api.post(f"/v1/ops/contracts/{contract_id}/smart-keys", WISH, by=OPS, key="w2")
    assert is_problem(answer, 409, "NOT_ASSIGNED")


def test_r08_the_exchange_sets_a_cookie_no_script_and_no_other_site_can_use(api: Api, code: str) -> None:
    answer = api.post(EXCHANGE, {"code": code, "proof": BORN})
    assert (answer.status_code, answer.body) == (204, b"")
    first, *attributes = answer.headers["Set-Cookie"].split("; ")
    assert first.startswith("__Host-smartkey=")
    assert sorted(attributes) == ["HttpOnly", "Max-Age=2592000", "Path=/", "SameSite=Strict", "Secure"]
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_page_hears_car_actions_and_window(api: Api, code: str, grant_id: str) -> None:
    answer = api.get("/v1/smart-key", headers=opened(api, code))
    assert answer.status_code == 200
    key = answer.json_body
    assert key["car"] == {
        "car_id": "car-0001",
        "plate": "12가 3456",
        "model": "Casper",
        "online": False,
        "last_seen": None,
        "position": None,
        "locked": None,
        "doors_open": None,
        "battery_percent": None,
        "reported_at": None,
        "stopped": False,
    }
    assert (key["who"], key["proven_until"]) == ("customer", "2026-03-03T03:00:00Z")
    assert key["actions"] == ["unlock", "lock", "hazard_on", "hazard_off", "horn"]
    assert (key["grant_id"], key["not_after"]) == (grant_id, "2026-03-09T03:00:00Z")


def test_a_lost_answer_is_given_again_with_the_same_cookie(api: Api, code: str) -> None:
    assert opened(api, code) == opened(api, code)
    assert is_problem(api.post(EXCHANGE, {"code": code, "proof": BORN}, key="e2"), 422, "LINK_INVALID")


PREVIEWS = (
    "facebookexternalhit/1.1; kakaotalk-scrap/1.0; +https://devtalk.kakao.com/t/scrap/33984",
    "TelegramBot (like TwitterBot)",
    "WhatsApp/2.23.20.0 A",
    "Mozilla/5.0 (Macintosh) AppleWebKit/601.2.4 facebookexternalhit/1.1 Facebot Twitterbot/1.0",
)


def test_r08_looking_never_uses_a_link_up(api: Api, code: str) -> None:
    """Chat servers fetch what is shared. A fragment never reaches us; a query with a code means nothing."""
    pages = ("/k", "/v1/smart-key", EXCHANGE, "/v1/smart-key/links")
    for method, page, agent in itertools.product(("GET", "HEAD"), pages, PREVIEWS):
        for url in (page, f"{page}?code={code}&proof={BORN}"):
            api.send(method, url, headers={"User-Agent": agent})
    assert opened(api, code)


def test_r09_dead_links_are_refused_in_the_same_words(api: Api, code: str, path: str, grant_id: str) -> None:
    opened(api, code)
    used = api.post(EXCHANGE, {"code": code, "proof": BORN}).json_body
    unknown = api.post(EXCHANGE, {"code": "A" * 22, "proof": BORN}).json_body
    api.post(path, WISH, by=OPS, key="w2")
    api.delete(f"{path}/{grant_id}?reason=r", by=OPS)
    revoked = api.post(EXCHANGE, {"code": code, "proof": BORN}).json_body
    for each in (used, unknown, revoked):
        each.pop("trace_id")
    assert used == unknown == revoked
    assert used["code"] == "LINK_INVALID"


def test_a_wrong_proof_is_told_apart_and_counted(api: Api, code: str) -> None:
    wrong = {"code": code, "proof": "000000"}
    for _ in range(5):
        assert is_problem(api.post(EXCHANGE, wrong), 422, "PROOF_WRONG")
    assert is_problem(api.post(EXCHANGE, {"code": code, "proof": BORN}), 422, "LINK_INVALID")


@pytest.mark.parametrize("proof", ["900115", "1990-01-15", "19900115", "7801"])
def test_birth_date_or_the_licences_last_digits_prove_it(api: Api, code: str, proof: str) -> None:
    assert api.post(EXCHANGE, {"code": code, "proof": proof}).status_code == 204


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b'{"code": "\\ud800", "proof": "x"}',
        [],
        {"code": "x"},
        {"code": "x", "proof": None},
        {"code": "", "proof": "x"},
        {"code": "x" * 129, "proof": "x"},
        {"phone": PHONE},
    ],
)
def test_what_cannot_be_read_is_a_400(api: Api, path: str, body: Any) -> None:
    for url in (EXCHANGE, "/v1/smart-key/links"):
        assert is_problem(api.post(url, body), 400, "MALFORMED")


def test_the_answer_never_tells_whether_a_phone_has_a_key(api: Api, grant_id: str) -> None:
    known = api.post("/v1/smart-key/links", {"phone": "010-1234-5678", "proof": BORN})
    wrong = api.post("/v1/smart-key/links", {"phone": PHONE, "proof": "000000"})
    unknown = api.post("/v1/smart-key/links", {"phone": "010-9999-9999", "proof": BORN})
    heads = [{k: v for k, v in each.headers.items() if k != "Date"} for each in (known, wrong, unknown)]
    assert [(each.status_code, each.body) for each in (known, wrong, unknown)] == [(202, b"")] * 3
    assert heads[0] == heads[1] == heads[2]
    assert wiring.smartkeys().link(grant_id, 2).code


@pytest.mark.parametrize("phone", ["010-1234-5678", "010-9999-9999"])
def test_the_fourth_ask_in_ten_minutes_waits(api: Api, grant_id: str, phone: str) -> None:
    body = {"phone": phone, "proof": "000000"}
    for _ in range(3):
        assert api.post("/v1/smart-key/links", body).status_code == 202
    answer = api.post("/v1/smart-key/links", body)
    assert is_problem(answer, 429, "TOO_MANY_ASKS")
    assert 0 < int(answer.headers["Retry-After"]) <= 601


def test_without_a_session_there_is_nothing_to_see(api: Api, path: str) -> None:
    for headers in (
        {},
        {"Cookie": "__Host-smartkey="},
        {"Cookie": "__Host-smartkey=김"},
        {"Cookie": "__Host-smartkey=.x"},
        {"Cookie": "__Host-smartkey=grt_x."},
        {"Cookie": "__Host-smartkey=grt_x.x"},
        {"Cookie": f"__Host-smartkey={'g' * 5000}.x"},
        {"Cookie": ";;=;x"},
    ):
        assert is_problem(api.get("/v1/smart-key", headers=headers), 401, "SESSION_ENDED")


def test_a_session_ends_with_its_grant(
    api: Api, code: str, path: str, grant_id: str, noon: time_machine.Traveller
) -> None:
    cookie = opened(api, code)
    noon.shift(8 * 86_400)
    assert is_problem(api.get("/v1/smart-key", headers=cookie), 403, "GRANT_EXPIRED")
    noon.shift(-8 * 86_400)
    api.delete(f"{path}/{grant_id}?reason=r", by=OPS)
    assert is_problem(api.get("/v1/smart-key", headers=cookie), 403, "GRANT_REVOKED")


def test_signing_out_takes_the_cookie_back(api: Api, code: str) -> None:
    cookie = opened(api, code)
    answer = api.post("/v1/smart-key/sign-out", headers=cookie)
    assert "__Host-smartkey=;" in answer.headers["Set-Cookie"]
    assert "Max-Age=0" in answer.headers["Set-Cookie"]
    assert is_problem(api.get("/v1/smart-key", headers=cookie), 401, "SESSION_ENDED")
    assert api.post("/v1/smart-key/sign-out").status_code == 204


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the Lambda's own logger writes, as it writes it."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(LOG.registered_formatter)
    logging.getLogger("handover").addHandler(handler)
    yield written
    logging.getLogger("handover").removeHandler(handler)


def test_r08_neither_logs_nor_tables_know_code_session_or_phone(
    api: Api, dynamodb: Any, code: str, log: io.StringIO, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    api.post(EXCHANGE, {"code": code, "proof": "000000"})
    token = opened(api, code)["Cookie"].split("__Host-smartkey=")[1]
    api.post(EXCHANGE, {"code": code, "proof": BORN})
    api.get("/v1/smart-key", headers={"Cookie": f"__Host-smartkey={token}x"})
    for phone in (PHONE, PHONE, PHONE, PHONE, "02-123-4567"):
        api.post("/v1/smart-key/links", {"phone": phone, "proof": BORN})
    logs = log.getvalue() + caplog.text
    assert "LINK_INVALID" in logs
    dynamodb.delete_table(TableName="test-contracts")
    kept = dump(dynamodb)
    secrets = (code, token.partition(".")[2], PHONE, PHONE[3:], "1012345678", BORN)
    assert [secret for secret in secrets if secret in logs or secret in kept] == []
