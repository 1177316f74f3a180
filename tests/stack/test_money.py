"""Coupon, points and card on the deployed stack, where every function has its own rights and facts travel."""

import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.kernel.clock import KST
from infra.local import place
from infra.local.client import Api
from tests.stack.conftest import eventually

DISCOUNT, POINTS = 5_000, 10_000
HOUR = timedelta(hours=1)


@pytest.fixture
def ops(signed_in: Callable[[str], Api]) -> Api:
    return signed_in("ops")


@pytest.fixture
def customer(signed_in: Callable[[str], Api]) -> Api:
    return signed_in("driver")


@pytest.fixture
def campaign_id(ops: Api) -> str:
    terms = {
        "name": "Sky Air week",
        "kind": "fixed",
        "value": DISCOUNT,
        "budget": 20_000,
        "per_user_limit": 2,
    }
    terms |= {"sponsor_id": "sky-air", "sponsor_percent": 50}
    return str(ops.post("/v1/ops/campaigns", terms).expect(201)["campaign_id"])


@pytest.fixture
def coupon_id(ops: Api, customer: Api, campaign_id: str) -> str:
    path = f"/v1/ops/campaigns/{campaign_id}/codes"
    ops.post(path, {"batch_id": "b1", "count": 3}).expect(202)
    batch = eventually(lambda: _done(ops.get(f"{path}/b1").expect(200)), 60)
    registered = customer.post("/v1/me/coupons", {"code": batch["codes"][0]}).expect(201)
    return str(registered["coupon_id"])


def _done(batch: dict[str, Any]) -> dict[str, Any] | None:
    return batch if batch["state"] == "DONE" else None


@pytest.fixture
def customer_id(ops: Api, customer: Api, coupon_id: str) -> str:
    """With points to spend."""
    found = ops.get(f"/v1/ops/lookup?coupon_id={coupon_id}").expect(200)
    owner = str(found["coupons"][0]["customer_id"])
    grant = {"customer_id": owner, "points": POINTS, "reason": "for the test"}
    ops.post("/v1/ops/points/grants", grant).expect(201)
    return owner


@pytest.fixture
def contract_id(customer: Api) -> str:
    body = {
        "plan_id": "first-car",
        "months": 6,
        "handover": {"at": (datetime.now(UTC) + timedelta(days=14)).isoformat(), "address": "서울 중구 1"},
        "card_token": "tok_visa",
        "drivers": [
            {
                "name": "이하늘",
                "phone": "+821012345679",
                "birth_date": "1992-07-15",
                "licence_no": "11-12-345679-01",
            }
        ],
    }
    contract_id = str(customer.post("/v1/contracts", body).expect(201)["contract_id"])
    path = f"/v1/contracts/{contract_id}"
    assert eventually(lambda: customer.get(path).expect(200)["state"] == "awaiting_payment")
    return contract_id


def reserved(customer: Api, contract_id: str, coupon_id: str) -> dict[str, Any]:
    order = {
        "order_id": uuid.uuid4().hex,
        "items": [{"kind": "contract_fee", "ref": contract_id}],
        "coupon_id": coupon_id,
        "points": POINTS,
    }
    return dict(customer.post("/v1/checkouts", order).expect(201))


def budget(ops: Api, campaign_id: str) -> dict[str, int]:
    seen = ops.get(f"/v1/ops/campaigns/{campaign_id}").expect(200)
    assert seen["budget"] == seen["available"] + seen["reserved"] + seen["captured"] - seen["refunded"]
    return {pot: seen[pot] for pot in ("available", "reserved", "captured", "refunded")}


def points(customer: Api) -> tuple[int, int]:
    seen = customer.get("/v1/me/points").expect(200)
    return seen["balance"], seen["held"]


def reconciled(ops: Api, campaign_id: str) -> list[dict[str, Any]]:
    asked = ops.post("/v1/ops/reconciliations", {"campaign_id": campaign_id}).expect(202)
    path = f"/v1/ops/reconciliations/{asked['run_id']}"
    run = eventually(lambda: _ended(ops.get(path).expect(200)), 60)
    assert run["checked"] > 0
    return list(run["differences"])


def _ended(run: dict[str, Any]) -> dict[str, Any] | None:
    return run if run["state"] == "DONE" else None


def test_a_fee_paid_with_all_three_comes_back_to_all_three_and_the_books_agree(
    ops: Api,
    customer: Api,
    signed_in: Callable[[str], Api],
    campaign_id: str,
    coupon_id: str,
    customer_id: str,
    contract_id: str,
) -> None:
    before, _ = points(customer)
    checkout = reserved(customer, contract_id, coupon_id)
    path = f"/v1/checkouts/{checkout['checkout_id']}"
    assert checkout["total"] == checkout["payable"] + DISCOUNT + POINTS
    assert budget(ops, campaign_id) == {"available": 15_000, "reserved": 5_000, "captured": 0, "refunded": 0}
    assert points(customer) == (before - POINTS, POINTS)

    assert customer.post(f"{path}/capture", {"card_token": "tok_visa"}).expect(200)["state"] == "CAPTURED"
    assert budget(ops, campaign_id) == {"available": 15_000, "reserved": 0, "captured": 5_000, "refunded": 0}
    earned = checkout["payable"] // 100
    assert eventually(lambda: points(customer) == (before - POINTS + earned, 0))

    back = {"refund_id": "all", "amount": checkout["total"], "reason": "goodwill"}
    refund = ops.post(f"{path}/refunds", back).expect(200)
    assert (refund["card"], refund["points"], refund["coupon"]) == (checkout["payable"], POINTS, DISCOUNT)
    assert budget(ops, campaign_id)["available"] == 20_000
    assert eventually(lambda: points(customer) == (before, 0))
    mine = customer.get("/v1/me/coupons").expect(200)["coupons"]
    assert {each["coupon_id"]: each["state"] for each in mine}[coupon_id] == "REGISTERED"

    period = f"{datetime.now(UTC).astimezone(KST):%Y-%m}"
    settled = signed_in("sponsor").get(f"/v1/sponsor/settlements/{period}?format=csv").expect(200)
    assert f"{period},{campaign_id}," in settled
    assert eventually(lambda: reconciled(ops, campaign_id) == [], 60)


def test_a_reservation_nobody_pays_is_given_back_by_the_sweep(
    ops: Api, customer: Api, campaign_id: str, coupon_id: str, customer_id: str, contract_id: str
) -> None:
    before = points(customer)
    checkout_id = reserved(customer, contract_id, coupon_id)["checkout_id"]
    an_hour_passes(checkout_id)
    time.sleep(1)
    answer = place.client("lambda").invoke(FunctionName="local-checkout_sweep", Payload=b"{}")
    assert "FunctionError" not in answer
    path = f"/v1/checkouts/{checkout_id}"
    assert eventually(lambda: customer.get(path).expect(200)["state"] == "EXPIRED", 90)
    assert budget(ops, campaign_id) == {"available": 20_000, "reserved": 0, "captured": 0, "refunded": 0}
    assert points(customer) == before
    customer.post(f"{path}/capture", {"card_token": "tok_visa"}).expect(422)


def an_hour_passes(checkout_id: str) -> None:
    """For this reservation."""
    then = (datetime.now(UTC) - HOUR).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    place.client("dynamodb").update_item(
        TableName="local-checkout",
        Key={"pk": {"S": f"CHECKOUT#{checkout_id}"}, "sk": {"S": "CHECKOUT"}},
        UpdateExpression="SET reserved_at = :then, due_at = :then",
        ExpressionAttributeValues={":then": {"S": then}},
    )
