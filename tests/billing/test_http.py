"""The routes of billing, through the whole application."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from chalicelib import wiring
from chalicelib.handlers.billing import billing_hear
from infra.local.bank import Bank
from tests import bank
from tests.api import Api, bearer, is_problem
from tests.billing.test_events import said
from tests.conftest import NOON
from tests.contracts.examples import confirmed, sign_body

KIM, LEE, OPS = bearer("kim"), bearer("lee"), bearer("olga", "ops")
BODY = {"card_token": "tok_new"}


@pytest.fixture
def gateway(api: Api) -> Bank:
    return bank.fresh()


@pytest.fixture
def contract_id(api: Api, gateway: Bank) -> str:
    """Signed and paid; billing has heard of it."""
    with time_machine.travel(NOON, tick=False):
        contract_id = str(api.post("/v1/contracts", sign_body(), by=KIM, key="k1").json_body["contract_id"])
        confirmed(contract_id)
        wiring.payments().charge("pay_chk_1", 460_000, "tok_visa", "first_month")
        billing_hear(said("ContractPaid", contract_id=contract_id), None)
    return contract_id


def path(contract_id: str) -> str:
    return f"/v1/contracts/{contract_id}/payment-method"


def payments(api: Api, contract_id: str, by: str = KIM) -> Any:
    return api.get(f"/v1/contracts/{contract_id}/payments", by=by).json_body


def test_a_card_is_changed_and_the_same_request_again_changes_nothing(api: Api, contract_id: str) -> None:
    first = api.post(path(contract_id), BODY, by=KIM, key="k1")
    assert (first.status_code, first.json_body["state"]) == (200, "not_started")
    again = api.post(path(contract_id), BODY, by=KIM, key="k1")
    assert (again.json_body, again.headers["Idempotent-Replayed"]) == (first.json_body, "true")
    other = api.post(path(contract_id), {"card_token": "tok_third"}, by=KIM, key="k1")
    assert is_problem(other, 422, "KEY_REUSED")
    assert payments(api, contract_id)["card"] == first.json_body["card"]


def test_a_card_that_is_declined_changes_nothing(api: Api, contract_id: str) -> None:
    before = payments(api, contract_id)
    refused = api.post(path(contract_id), {"card_token": "tok_declined_1"}, by=KIM, key="k1")
    assert is_problem(refused, 422, "CARD_DECLINED")
    assert payments(api, contract_id) == before


def test_a_new_card_pays_what_is_overdue_at_once(api: Api, contract_id: str, gateway: Bank) -> None:
    with time_machine.travel(NOON + timedelta(days=14), tick=False) as clock:
        assert api.post(path(contract_id), BODY, by=KIM, key="k1").status_code == 200
        billing_hear(said("ContractActivated", contract_id=contract_id), None)
        clock.shift(timedelta(days=31))
        gateway.away = True
        wiring.billing().ring(contract_id)
        assert payments(api, contract_id)["charges"][-1]["state"] == "asking"
        gateway.away = False
        clock.shift(timedelta(minutes=5))
        wiring.billing().ring(contract_id)
        assert [each["state"] for each in payments(api, contract_id)["charges"]] == ["paid", "paid"]


def test_before_the_first_payment_there_is_nothing_to_show_and_no_card_to_change(
    api: Api, gateway: Bank
) -> None:
    with time_machine.travel(NOON, tick=False):
        unpaid = str(api.post("/v1/contracts", sign_body(), by=KIM, key="k1").json_body["contract_id"])
    assert payments(api, unpaid) == {
        "billing": "not_started",
        "card": None,
        "next_charge_at": None,
        "balance": 0,
        "charges": [],
        "gaps": [],
    }
    assert is_problem(api.post(path(unpaid), BODY, by=KIM, key="k1"), 409, "NO_ACCOUNT")


def test_another_customer_sees_nothing_of_it(api: Api, contract_id: str) -> None:
    assert is_problem(api.get(f"/v1/contracts/{contract_id}/payments", by=LEE), 404)
    assert is_problem(api.post(path(contract_id), BODY, by=LEE, key="k1"), 404)
    assert is_problem(api.get("/v1/contracts/con_none/payments", by=KIM), 404)
    assert payments(api, contract_id, by=OPS)["billing"] == "not_started"


UNREADABLE: list[tuple[Any, str | None, str | None, int]] = [
    (BODY, None, "k1", 401),
    (BODY, KIM, None, 400),
    ({}, KIM, "k1", 400),
    ({"card_token": " "}, KIM, "k1", 400),
    ({"card_token": "x" * 201}, KIM, "k1", 400),
    ({"card_token": 5}, KIM, "k1", 400),
    (b"{", KIM, "k1", 400),
]


def test_what_cannot_be_read_is_refused(api: Api, contract_id: str) -> None:
    before = payments(api, contract_id)
    for body, by, key, status in UNREADABLE:
        assert is_problem(api.post(path(contract_id), body, by=by, key=key), status), body
    assert payments(api, contract_id) == before


def test_only_operations_say_that_a_transfer_was_made(api: Api, contract_id: str) -> None:
    transferred = f"/v1/ops/contracts/{contract_id}/refunds/{contract_id}-refund-2/transferred"
    assert is_problem(api.post(transferred, by=KIM, key="k1"), 403)
    assert is_problem(api.post(transferred, by=OPS), 400)
    assert is_problem(api.post(transferred, by=OPS, key="k1"), 404, "UNKNOWN_REFUND")
    lines = [{"what": "first_month", "amount": 460_000}, {"what": "compensation", "amount": 276_000}]
    with time_machine.travel(NOON, tick=False) as clock:
        billing_hear(said("ContractCancelled", contract_id=contract_id, lines=lines), None)
        clock.shift(timedelta(minutes=10))
        wiring.billing().ring(contract_id)
        first, again = (api.post(transferred, by=OPS, key="k1") for _ in range(2))
    assert (first.status_code, first.json_body["state"]) == (200, "paid")
    assert (again.json_body, again.headers["Idempotent-Replayed"]) == (first.json_body, "true")
    assert payments(api, contract_id)["billing"] == "closed"
