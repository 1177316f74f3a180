"""A sponsored campaign, sold through the interface: what every context writes when it happens for real."""

import json
from types import SimpleNamespace
from typing import Any

from chalicelib import wiring
from chalicelib.handlers.coupons import coupons_issue
from chalicelib.handlers.ledger import ledger_hear, ledger_reconcile
from chalicelib.kernel import aws
from tests import bank
from tests.api import Api, bearer
from tests.contracts.examples import sign_body
from tests.coupons.examples import SECRET, campaign_body

OPS, KIM, SALLY = bearer("olga", "ops"), bearer("kim"), bearer("sally", "sponsor")
HEARD = {"CheckoutReserved", "CampaignCreated"}


def rows(context: str) -> list[dict[str, Any]]:
    return list(aws.client("dynamodb").scan(TableName=f"test-{context}")["Items"])


def told() -> list[dict[str, Any]]:
    """Every fact that coupons, checkout and the ledger have published so far."""
    found = [
        json.loads(row["fact"]["S"]) for each in ("coupons", "ledger") for row in rows(each) if "fact" in row
    ]
    reserved = [wiring.checkout().told(row) for row in rows("checkout")]
    return found + [fact.envelope() for fact in reserved if fact]


def delivered(fact: dict[str, Any]) -> dict[str, Any]:
    return {"detail-type": fact["type"], "source": fact["source"], "detail": fact}


def heard() -> None:
    """The ledger hears what it listens to, twice."""
    for fact in 2 * [fact for fact in told() if fact["type"] in HEARD]:
        ledger_hear(delivered(fact), SimpleNamespace())


def reconciled() -> dict[str, Any]:
    """Every run that was asked for is carried out; the last one's answer."""
    here = SimpleNamespace(get_remaining_time_in_millis=lambda: 900_000)
    asked = [fact for fact in told() if fact["type"] == "ReconciliationRequested"]
    return [dict(ledger_reconcile(delivered(fact), here)) for fact in asked][-1]


class Story:
    """`campaign_id`, and the `checkouts` by what became of them."""

    def __init__(self, api: Api) -> None:
        self.api = api
        aws.client("secretsmanager").create_secret(Name="test/handover/code-key", SecretString=SECRET)
        aws.client("logs").create_log_group(logGroupName="/aws/lambda/test-api")
        bank.fresh()
        self.said("/v1/ops/sponsors", {"sponsor_id": "acme", "name": "Acme"}, 201)
        self.said("/v1/ops/sponsors/acme/people", {"subject": "sally"}, 201)
        paid_by = {"sponsor_id": "acme", "sponsor_percent": 50}
        body = campaign_body(budget=1_000_000, per_user_limit=5, count_limit=60, **paid_by)
        self.campaign_id = str(self.said("/v1/ops/campaigns", body, 201)["campaign_id"])
        self.coupons = self._coupons(3)
        grant = {"customer_id": "kim", "points": 50_000, "reason": "welcome"}
        self.said("/v1/ops/points/grants", grant, 201)
        self.checkouts = {
            "captured": self._reserve(0),
            "cancelled": self._reserve(1),
            "reserved": self._reserve(2),
        }
        done = {"card_token": "tok_visa"}
        self.said(f"/v1/checkouts/{self.checkouts['captured']}/capture", done, 200, by=KIM)
        self.said(f"/v1/checkouts/{self.checkouts['cancelled']}/cancel", {}, 200, by=KIM)
        heard()

    def said(self, path: str, body: Any, status: int, by: str = OPS) -> Any:
        answer = self.api.post(path, body, by=by, key=path)
        assert answer.status_code == status, (path, answer.json_body)
        return answer.json_body

    def _coupons(self, count: int) -> list[str]:
        path = f"/v1/ops/campaigns/{self.campaign_id}/codes"
        self.said(path, {"batch_id": "b1", "count": count}, 202)
        asked = next(fact for fact in told() if fact["type"] == "CodeBatchRequested")
        coupons_issue(delivered(asked), SimpleNamespace())
        self.codes = self.api.get(f"{path}/b1", by=OPS).json_body["codes"]
        boxed = [self.api.post("/v1/me/coupons", {"code": each}, by=KIM, key=each) for each in self.codes]
        return [each.json_body["coupon_id"] for each in boxed]

    def _reserve(self, n: int) -> str:
        signed = self.api.post("/v1/contracts", sign_body(), by=KIM, key=f"s{n}").json_body
        items = [{"kind": "contract_fee", "ref": signed["contract_id"]}]
        order = {"order_id": f"order-{n}", "items": items, "coupon_id": self.coupons[n], "points": 700}
        answer = self.api.post("/v1/checkouts", order, by=KIM, key=f"r{n}")
        assert answer.status_code == 201, answer.json_body
        return str(answer.json_body["checkout_id"])
