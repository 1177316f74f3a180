"""What operations see of texts."""

import json
from types import SimpleNamespace

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
        "reason": "NUMBER_LIMIT",
        "asked_at": "2026-03-02T03:00:00Z",
        "due_at": "2026-03-02T03:00:00Z",
    }


def test_only_operations_see_it(api: Api) -> None:
    assert is_problem(api.get("/v1/ops/texts"), 401)
    assert is_problem(api.get("/v1/ops/texts", by=KIM), 403)


@pytest.mark.usefixtures("api")
def test_the_sample_request_succeeds() -> None:
    from app import app

    sample = json.loads((ROOT / "events/http/notices-1-texts.json").read_text())
    assert app(sample, SimpleNamespace())["statusCode"] == 200
