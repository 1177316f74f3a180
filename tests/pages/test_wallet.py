"""The foot of a customer's page as data: what there is to pay with."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from chalicelib.kernel import aws
from chalicelib.pages.model import Expiring, Wallet
from chalicelib.pages.service import SOON, WalletService
from tests.api import bearer, is_problem
from tests.coupons.examples import SECRET

NOON = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
A_MINUTE = timedelta(minutes=1)


@dataclass
class Points:
    first: Expiring | None = None

    def balance(self, customer_id: str) -> tuple[int, Expiring | None]:
        return 12_300, self.first


class Coupons:
    def usable(self, customer_id: str) -> int:
        return 2


def wallet_with(first: Expiring | None) -> Wallet:
    return WalletService(Points(first), Coupons(), now=lambda: NOON).wallet("sub-jiwoo")


def test_points_that_go_soon_are_named_and_others_are_not() -> None:
    soon, later = Expiring(300, NOON + SOON), Expiring(300, NOON + SOON + A_MINUTE)
    assert wallet_with(None) == Wallet(12_300, 2, None)
    assert wallet_with(soon).expiring_soon == soon
    assert wallet_with(later).expiring_soon is None


def test_everybody_sees_their_own_wallet_and_nobody_else_does(api: Any) -> None:
    aws.client("secretsmanager").create_secret(Name="test/handover/code-key", SecretString=SECRET)
    assert is_problem(api.get("/v1/me/wallet"), 401, "UNAUTHENTICATED")
    mine = api.get("/v1/me/wallet", by=bearer("sub-jiwoo")).json_body
    assert mine == {"points": 0, "coupons": 0, "expiring_soon": None}
    campaign = {"name": "First month", "kind": "fixed", "value": 5_000, "budget": 3_000_000, "download": True}
    ops = bearer("mina", "ops")
    made = api.post("/v1/ops/campaigns", campaign, by=ops, key="a-campaign").json_body["campaign_id"]
    api.post(f"/v1/me/campaigns/{made}/coupon", {}, by=bearer("sub-jiwoo"), key="a-coupon")
    granted = {"customer_id": "sub-jiwoo", "points": 700, "reason": "sorry"}
    api.post("/v1/ops/points/grants", granted, by=ops, key="a-grant")
    mine = api.get("/v1/me/wallet", by=bearer("sub-jiwoo")).json_body
    assert (mine["points"], mine["coupons"]) == (700, 1)
    assert api.get("/v1/me/wallet", by=bearer("sub-other")).json_body["points"] == 0
