"""Paying on the deployed stack: the real gateway adapter, the simulated gateway, and its bad days."""

import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import urllib3

from infra.local import place
from infra.local.client import Api
from tests.stack.conftest import eventually

CARD = {"number": "4242424242424242", "expiry": "12/39", "birth_or_business_no": "910715"}

MONTHS = 12
"""Nobody else on the stack signs for so long: these payments are told from all others by their amount."""


@pytest.fixture
def customer(signed_in: Callable[[str], Api]) -> Api:
    return signed_in("customer")


@pytest.fixture
def contract_id(customer: Api) -> str:
    body = {
        "plan_id": "first-car",
        "months": MONTHS,
        "handover": {"at": (datetime.now(UTC) + timedelta(days=14)).isoformat(), "address": "서울 중구 1"},
        "card_token": "tok_visa",
        "drivers": [
            {
                "name": "김민지",
                "phone": "+821012345678",
                "birth_date": "1991-07-15",
                "licence_no": "11-12-345678-01",
            }
        ],
    }
    return str(customer.post("/v1/contracts", body).expect(201)["contract_id"])


@pytest.fixture
def path(customer: Api, contract_id: str) -> str:
    order = {"order_id": uuid.uuid4().hex, "items": [{"kind": "contract_fee", "ref": contract_id}]}
    assert state(customer, f"/v1/contracts/{contract_id}", "awaiting_payment")
    return f"/v1/checkouts/{customer.post('/v1/checkouts', order).expect(201)['checkout_id']}"


def state(caller: Api, path: str, wanted: str, seconds: float = 20.0) -> bool:
    return bool(eventually(lambda: caller.get(path).expect(200)["state"] == wanted, seconds))


def taken(stack: dict[str, Any], customer: Api, path: str) -> int:
    """What the gateway has of the payments that could be for this checkout."""
    price = customer.get(path).expect(200)["payable"]
    listing = urllib3.request("GET", f"{stack['outside']['payments_url']}/payments").json()
    return sum(it["left"] for it in listing["payments"] if it["amount"] == price)


def swept() -> bool:
    """The sweep has run once more, and need not wait for its minute."""
    time.sleep(1)
    answer = place.client("lambda").invoke(FunctionName="local-checkout_sweep", Payload=b"{}")
    return "FunctionError" not in answer


def pay(customer: Api, path: str, card_token: str, *statuses: int) -> dict[str, Any]:
    return dict(customer.post(f"{path}/capture", {"card_token": card_token}).expect(*statuses))


def test_a_card_typed_in_a_browser_pays_a_contract(
    stack: dict[str, Any], customer: Api, contract_id: str, path: str
) -> None:
    card = urllib3.request("POST", f"{stack['outside']['payments_url']}/v1/card-tokens", json=CARD).json()
    before = taken(stack, customer, path)
    checkout = pay(customer, path, card["card_token"], 200)
    assert (checkout["state"], taken(stack, customer, path) - before) == ("CAPTURED", checkout["payable"])
    assert state(customer, f"/v1/contracts/{contract_id}", "confirmed")


def test_a_declined_card_leaves_the_contract_to_be_paid_with_another(customer: Api, path: str) -> None:
    assert pay(customer, path, "tok_declined", 422)["code"] == "CARD_DECLINED"
    assert pay(customer, path, "tok_other", 200)["state"] == "CAPTURED"


def test_an_answer_that_never_comes_is_settled_by_the_sweep_and_paid_once(
    stack: dict[str, Any], customer: Api, contract_id: str, path: str
) -> None:
    before = taken(stack, customer, path)
    assert pay(customer, path, "tok_timeout", 202)["state"] == "CAPTURING"
    assert eventually(lambda: swept() and customer.get(path).expect(200)["state"] == "CAPTURED", 150)
    assert taken(stack, customer, path) - before == customer.get(path).expect(200)["payable"]
    assert state(customer, f"/v1/contracts/{contract_id}", "confirmed")


def test_an_answer_that_comes_twice_pays_once(stack: dict[str, Any], customer: Api, path: str) -> None:
    before = taken(stack, customer, path)
    paid = pay(customer, path, "tok_twice", 200)
    assert taken(stack, customer, path) - before == paid["payable"]


def test_only_whoever_settles_payments_knows_the_gateways_key(stack: dict[str, Any]) -> None:
    role = place.client("lambda").get_function_configuration(FunctionName="local-checkout_publish")["Role"]
    name = role.rpartition("/")[2]
    (policy,) = place.client("iam").list_role_policies(RoleName=name)["PolicyNames"]
    document = place.client("iam").get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
    assert "payments-key" not in str(document)
