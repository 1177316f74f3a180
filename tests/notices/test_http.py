"""What operations see of texts."""

import hashlib
import hmac
import json
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
import time_machine

from chalicelib import wiring
from chalicelib.notices.model import Notice, NumberLimit, Template
from tests.api import Api, bearer, is_problem
from tests.conftest import NOON, ROOT

OPS, KIM = bearer("olga", "ops"), bearer("kim")


def test_operations_see_what_a_day_has_cost_and_what_waits(api: Api) -> None:
    service = wiring.notices()
    with time_machine.travel(NOON, tick=False):
        found = api.get("/v1/ops/texts", by=OPS)
    assert found.json_body == {
        "day": "2026-03-02",
        "parts": 0,
        "most": 5000,
        "for_links": 2000,
        "waiting": [],
    }
    notice = Notice.new("ntc_1", Template.KEY_QUESTION, NOON, contract_id="con_kim")
    service.store.begin(notice)
    service.store.move(notice, notice.waiting(NumberLimit(NOON)))
    with time_machine.travel(NOON, tick=False):
        (waiting,) = api.get("/v1/ops/texts", by=OPS).json_body["waiting"]
    assert waiting == {
        "notice_id": "ntc_1",
        "template": "key_question",
        "contract_id": "con_kim",
        "grant_id": None,
        "campaign_id": None,
        "batch_id": None,
        "reason": "NUMBER_LIMIT",
        "asked_at": "2026-03-02T03:00:00Z",
        "due_at": "2026-03-02T03:00:00Z",
    }


def test_only_operations_see_it(api: Api) -> None:
    assert is_problem(api.get("/v1/ops/texts"), 401)
    assert is_problem(api.get("/v1/ops/texts", by=KIM), 403)


def test_a_customer_agrees_to_advertising_and_takes_it_back(api: Api) -> None:
    nothing = {"marketing": False, "night": False, "given_at": None, "confirm_by": None}
    assert api.get("/v1/me/consents", by=KIM).json_body == {**nothing, "night_given_at": None}
    with time_machine.travel(NOON, tick=False):
        agreed = api.send("PUT", "/v1/me/consents", {"marketing": True, "night": True}, by=KIM)
    assert agreed.json_body == api.get("/v1/me/consents", by=KIM).json_body
    assert agreed.json_body == {
        "marketing": True,
        "night": True,
        "given_at": "2026-03-02T03:00:00Z",
        "confirm_by": "2028-03-02T03:00:00Z",
        "night_given_at": "2026-03-02T03:00:00Z",
    }
    assert not api.get("/v1/me/consents", by=bearer("lee")).json_body["marketing"]
    back = api.send("PUT", "/v1/me/consents", {"marketing": False}, by=KIM)
    assert back.json_body == {**nothing, "night_given_at": None}


def test_a_consent_needs_a_person_and_plain_words(api: Api) -> None:
    for method in ("GET", "PUT"):
        assert is_problem(api.send(method, "/v1/me/consents", {"marketing": True}), 401)
    for body in ({}, {"marketing": "yes"}, {"marketing": True, "nights": True}, {"night": True}):
        assert is_problem(api.send("PUT", "/v1/me/consents", body, by=KIM), 400), body
    night_alone = api.send("PUT", "/v1/me/consents", {"marketing": False, "night": True}, by=KIM)
    assert is_problem(night_alone, 422, "NIGHT_ALONE")


def test_only_the_signed_call_strikes_a_number_off(api: Api) -> None:
    boto3.client("secretsmanager").create_secret(Name="test/handover/opt-out-key", SecretString="k")
    raw = b'{"phone": "+821012345678", "at": "2026-03-02T03:00:00Z"}'
    boto3.client("secretsmanager").create_secret(Name="test/handover/link-key", SecretString="k")
    right = "sha256=" + hmac.new(b"k", raw, hashlib.sha256).hexdigest()
    for signature in ("", "sha256=", right[:-1] + "x", "한"):
        told = api.post("/v1/webhooks/opt-outs", raw, headers={"X-Signature": signature})
        assert is_problem(told, 401, "BAD_SIGNATURE")
    for _ in range(2):
        told = api.post("/v1/webhooks/opt-outs", raw, headers={"X-Signature": right})
        assert (told.status_code, told.json_body) == (200, {"struck_off": True})
    kept = json.dumps(api_rows())
    assert "STRUCK_OFF" in kept
    assert "1012345678" not in kept


def api_rows() -> list[Any]:
    rows: list[Any] = boto3.client("dynamodb").scan(TableName="test-notices")["Items"]
    return rows


@pytest.mark.usefixtures("api")
def test_the_sample_requests_succeed() -> None:
    from app import app

    for sample in sorted((ROOT / "events/http").glob("notices-*.json")):
        assert app(json.loads(sample.read_text()), SimpleNamespace())["statusCode"] == 200, sample.name
