"""The books of the deployed stack: a sponsor's own page of them, and what operations look up in the log."""

import uuid
from collections.abc import Callable
from typing import Any

from infra.local.client import Api
from tests.stack.conftest import eventually


def test_a_sponsor_sees_its_campaigns_and_nobody_else_does(signed_in: Callable[[str], Api]) -> None:
    campaigns = signed_in("sponsor").get("/v1/sponsor/campaigns").expect(200)["campaigns"]
    assert "Sky Air miles" in [each["name"] for each in campaigns]
    signed_in("sponsor").get("/v1/sponsor/settlements/2025-01").expect(404)
    for role in ("customer", "ops"):
        signed_in(role).get("/v1/sponsor/campaigns").expect(403)


def test_what_was_refused_is_found_in_the_api_s_own_log(signed_in: Callable[[str], Api]) -> None:
    order = f"refused-{uuid.uuid4().hex}"
    asked = {
        "order_id": order,
        "items": [{"kind": "contract_fee", "ref": "con_none"}],
        "coupon_id": "cmp_none.none",
        "points": 0,
    }
    code = signed_in("customer").post("/v1/checkouts", asked).expect(404)["code"]
    ops = signed_in("ops")
    found: Any = {}

    def told() -> Any:
        found.update(ops.get(f"/v1/ops/lookup?order_id={order}").expect(200))
        return found["refusals"]

    assert [each["code"] for each in eventually(told)] == [code]
    assert (found["attempts"], found["looked"]["complete"]) == ([], True)
