"""The routes of the checkout."""

from collections.abc import Iterator
from typing import Any

import pytest
import time_machine

from chalicelib import wiring
from chalicelib.kernel import aws
from chalicelib.kernel.auth import Caller
from infra.local.bank import Bank
from tests import bank
from tests.api import Api, bearer, is_problem
from tests.checkout.conftest import grant
from tests.conftest import NOON
from tests.contracts.examples import sign_body
from tests.coupons.examples import SECRET, campaign_body

OPS, KIM, LEE = bearer("olga", "ops"), bearer("kim"), bearer("lee")
FEE = 460_000


@pytest.fixture(autouse=True)
def at_noon_with_the_code_key(api: Api) -> Iterator[None]:
    aws.client("secretsmanager").create_secret(Name="test/handover/code-key", SecretString=SECRET)
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def contract_id(api: Api) -> str:
    return str(api.post("/v1/contracts", sign_body(), by=KIM, key="s1").json_body["contract_id"])


@pytest.fixture
def coupons(api: Api) -> list[str]:
    """Two of Kim's, of a campaign that can pay for one."""
    body = campaign_body(budget=5_000)
    campaign_id = api.post("/v1/ops/campaigns", body, by=OPS, key="c1").json_body["campaign_id"]
    path = f"/v1/ops/campaigns/{campaign_id}/codes"
    api.post(path, {"batch_id": "b1", "count": 2}, by=OPS, key="b1")
    wiring.coupons().issue(campaign_id, "b1")
    codes = api.get(f"{path}/b1", by=OPS).json_body["codes"]
    return [
        api.post("/v1/me/coupons", {"code": code}, by=KIM, key=code).json_body["coupon_id"] for code in codes
    ]


def order(contract_id: str, coupon_id: str | None = None, **changes: Any) -> dict[str, Any]:
    items = [{"kind": "contract_fee", "ref": contract_id}]
    return {"order_id": "o1", "items": items, "coupon_id": coupon_id, "points": 0, **changes}


def test_an_order_is_reserved_at_the_servers_price(api: Api, contract_id: str, coupons: list[str]) -> None:
    answer = api.post("/v1/checkouts", order(contract_id, coupons[0], amount=1), by=KIM, key="k1")
    assert answer.status_code == 201
    checkout = answer.json_body
    assert checkout == {
        "checkout_id": checkout["checkout_id"],
        "order_id": "o1",
        "state": "RESERVED",
        "total": FEE,
        "discount": 5_000,
        "points_used": 0,
        "payable": FEE - 5_000,
        "expires_at": "2026-03-02T03:15:00Z",
        "declined": None,
        "refunds": [],
        "actions": ["capture", "cancel"],
    }
    assert api.get(f"/v1/checkouts/{checkout['checkout_id']}", by=KIM).json_body == checkout
    campaign = api.get(f"/v1/ops/campaigns/{coupons[0].split('.')[0]}", by=OPS).json_body
    assert (campaign["available"], campaign["reserved"], campaign["state"]) == (0, 5_000, "EXHAUSTED")


def test_a_retry_hears_the_grant_also_after_the_budget_is_gone(
    api: Api, contract_id: str, coupons: list[str]
) -> None:
    granted = api.post("/v1/checkouts", order(contract_id, coupons[0]), by=KIM, key="k1")
    late = api.post("/v1/checkouts", order(contract_id, coupons[1], order_id="o2"), by=KIM, key="k2")
    assert is_problem(late, 422, "BUDGET_EXHAUSTED")
    again = api.post("/v1/checkouts", order(contract_id, coupons[0]), by=KIM, key="k1")
    assert (again.status_code, again.json_body) == (201, granted.json_body)
    assert again.headers["Idempotent-Replayed"] == "true"


def test_the_coupons_of_a_spent_campaign_leave_the_box(
    api: Api, contract_id: str, coupons: list[str]
) -> None:
    for number, coupon in enumerate(coupons):
        api.post("/v1/checkouts", order(contract_id, coupon), by=KIM, key=f"k{number}")
    shown = api.get("/v1/me/coupons", by=KIM).json_body["coupons"]
    assert [(each["coupon_id"], each["state"]) for each in shown] == [(coupons[0], "USED")]


def test_an_order_without_a_coupon_costs_the_whole_fee(api: Api, contract_id: str) -> None:
    body = {"order_id": "o1", "items": [{"kind": "contract_fee", "ref": contract_id}]}
    assert api.post("/v1/checkouts", body, by=KIM, key="k1").json_body["payable"] == FEE


def test_what_is_another_customers_is_not_found(api: Api, contract_id: str, coupons: list[str]) -> None:
    assert is_problem(api.post("/v1/checkouts", order(contract_id), by=LEE, key="k1"), 404)
    lees = api.post("/v1/contracts", sign_body(), by=LEE, key="s1").json_body["contract_id"]
    assert is_problem(
        api.post("/v1/checkouts", order(lees, coupons[0]), by=LEE, key="k1"), 404, "UNKNOWN_COUPON"
    )
    mine = api.post("/v1/checkouts", order(contract_id), by=KIM, key="k1").json_body["checkout_id"]
    assert is_problem(api.get(f"/v1/checkouts/{mine}", by=LEE), 404)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"points": 1}, "NOT_ENOUGH_POINTS"),
        ({"items": [{"kind": "service", "ref": "wash"}]}, "NO_CATALOGUE"),
    ],
)
def test_what_cannot_be_sold_is_refused_by_name(
    api: Api, contract_id: str, change: dict[str, Any], code: str
) -> None:
    assert is_problem(api.post("/v1/checkouts", order(contract_id, **change), by=KIM, key="k1"), 422, code)


@pytest.mark.parametrize(
    "change",
    [
        {"order_id": ""},
        {"order_id": 7},
        {"order_id": "x" * 129},
        {"items": []},
        {"items": "con"},
        {"items": [{"kind": "car", "ref": "x"}]},
        {"items": [{"kind": "contract_fee"}]},
        {"items": [{"kind": "contract_fee", "ref": "x" * 129}]},
        {"items": [{"kind": "contract_fee", "ref": str(n)} for n in range(21)]},
        {"coupon_id": ""},
        {"coupon_id": 5},
        {"points": -1},
        {"points": 0.5},
        {"points": None},
        {"least_discount": 0},
        {"least_discount": "all"},
    ],
)
def test_an_order_that_cannot_be_read_changes_nothing(
    api: Api, dynamodb: Any, contract_id: str, change: dict[str, Any]
) -> None:
    assert is_problem(
        api.post("/v1/checkouts", order(contract_id, **change), by=KIM, key="k1"), 400, "MALFORMED"
    )
    assert dynamodb.scan(TableName="test-checkout")["Count"] == 0


def test_reserving_needs_a_key_and_a_sign_in(api: Api, contract_id: str) -> None:
    assert is_problem(api.post("/v1/checkouts", order(contract_id), by=KIM), 400, "MALFORMED")
    assert is_problem(api.post("/v1/checkouts", order(contract_id), key="k1"), 401)
    api.post("/v1/checkouts", order(contract_id), by=KIM, key="k1")
    other = order(contract_id, order_id="o2")
    assert is_problem(api.post("/v1/checkouts", other, by=KIM, key="k1"), 422, "KEY_REUSED")


@pytest.mark.parametrize("checkout_id", ["chk_nobody", "x" * 3_000])
def test_unknown_checkouts_are_not_found(api: Api, checkout_id: str) -> None:
    assert is_problem(api.get(f"/v1/checkouts/{checkout_id}", by=KIM), 404)


# --- paying ------------------------------------------------------------------------------------------------


@pytest.fixture
def gateway(api: Api) -> Bank:
    return bank.fresh()


@pytest.fixture
def path(api: Api, contract_id: str) -> str:
    """Of Kim's reservation."""
    checkout = api.post("/v1/checkouts", order(contract_id), by=KIM, key="k1").json_body
    return f"/v1/checkouts/{checkout['checkout_id']}"


CARD = {"card_token": "tok_visa"}


def test_a_reservation_is_paid_with_a_card(api: Api, gateway: Bank, path: str) -> None:
    answer = api.post(f"{path}/capture", CARD, by=KIM, key="c1")
    assert (answer.status_code, answer.json_body["state"]) == (200, "CAPTURED")
    again = api.post(f"{path}/capture", CARD, by=KIM, key="c1")
    assert (again.json_body, again.headers["Idempotent-Replayed"]) == (answer.json_body, "true")
    assert api.get(path, by=KIM).json_body == answer.json_body
    assert [it["amount"] for it in gateway.listing()["payments"]] == [FEE]


def test_a_declined_card_says_why_and_another_may_pay(api: Api, gateway: Bank, path: str) -> None:
    answer = api.post(f"{path}/capture", {"card_token": "tok_declined"}, by=KIM, key="c1")
    assert is_problem(answer, 422, "CARD_DECLINED")
    assert answer.json_body["reason"] == "limit"
    standing = api.get(path, by=KIM).json_body
    assert (standing["state"], standing["declined"]) == ("RESERVED", "limit")
    assert is_problem(api.post(f"{path}/capture", CARD, by=KIM, key="c1"), 422, "KEY_REUSED")
    assert api.post(f"{path}/capture", CARD, by=KIM, key="c2").json_body["state"] == "CAPTURED"


def test_without_the_gateway_s_answer_it_is_accepted_and_settles_later(
    api: Api, gateway: Bank, path: str
) -> None:
    gateway.away = True
    answer = api.post(f"{path}/capture", CARD, by=KIM, key="c1")
    assert (answer.status_code, answer.json_body["state"]) == (202, "CAPTURING")
    gateway.away = False
    later = api.post(f"{path}/capture", CARD, by=KIM, key="c1")
    assert (later.status_code, later.json_body["state"]) == (200, "CAPTURED")
    assert len(gateway.listing()["payments"]) == 1


def test_a_fee_is_paid_once_however_often_it_is_reserved(
    api: Api, gateway: Bank, contract_id: str, path: str
) -> None:
    other = api.post("/v1/checkouts", order(contract_id), by=KIM, key="k2").json_body["checkout_id"]
    assert api.post(f"{path}/capture", CARD, by=KIM, key="c1").status_code == 200
    answer = api.post(f"/v1/checkouts/{other}/capture", CARD, by=KIM, key="c1")
    assert is_problem(answer, 409, "BEING_PAID")
    assert len(gateway.listing()["payments"]) == 1


def test_a_reservation_is_paid_by_its_owner_with_a_key_and_a_card(api: Api, gateway: Bank, path: str) -> None:
    for other in (LEE, OPS):
        assert is_problem(api.post(f"{path}/capture", CARD, by=other, key="c1"), 404, "UNKNOWN_CHECKOUT")
    assert is_problem(api.post("/v1/checkouts/chk_nobody/capture", CARD, by=KIM, key="c1"), 404)
    assert is_problem(api.post(f"{path}/capture", CARD, key="c1"), 401)
    assert is_problem(api.post(f"{path}/capture", CARD, by=KIM), 400, "MALFORMED")
    for body in ({"card_token": ""}, {"card_token": 7}, {"card_token": "x" * 301}):
        assert is_problem(api.post(f"{path}/capture", body, by=KIM, key="c1"), 400, "MALFORMED")
    assert gateway.listing()["payments"] == []


def test_no_card_token_stays_in_the_table_or_reaches_a_log(
    api: Api, dynamodb: Any, gateway: Bank, path: str, capfd: pytest.CaptureFixture[str]
) -> None:
    for number, token in enumerate(("tok_declined_secret", "tok_secret")):
        api.post(f"{path}/capture", {"card_token": token}, by=KIM, key=f"c{number}")
    api.post(f"{path}/capture", {"card_token": ["tok_secret"]}, by=KIM, key="c9")
    assert "secret" not in str(dynamodb.scan(TableName="test-checkout")["Items"])
    said = capfd.readouterr()
    assert "tok_" not in said.out + said.err


# --- giving back -------------------------------------------------------------------------------------------


def test_a_reservation_is_cancelled_and_its_coupon_lies_in_the_box_again(
    api: Api, contract_id: str, coupons: list[str]
) -> None:
    body = order(contract_id, coupons[0])
    path = f"/v1/checkouts/{api.post('/v1/checkouts', body, by=KIM, key='k1').json_body['checkout_id']}"
    answer = api.post(f"{path}/cancel", {}, by=KIM, key="x1")
    assert (answer.status_code, answer.json_body["state"]) == (200, "CANCELLED")
    assert answer.json_body["actions"] == []
    again = api.post(f"{path}/cancel", {}, by=KIM, key="x1")
    assert (again.json_body, again.headers["Idempotent-Replayed"]) == (answer.json_body, "true")
    assert is_problem(api.post(f"{path}/capture", CARD, by=KIM, key="c1"), 422, "RESERVATION_CANCELLED")
    states = [each["state"] for each in api.get("/v1/me/coupons", by=KIM).json_body["coupons"]]
    assert set(states) == {"REGISTERED"}
    assert api.post("/v1/checkouts", body, by=KIM, key="k2").status_code == 201


def test_a_reservation_is_given_back_by_its_owner_or_operations_with_a_key(
    api: Api, gateway: Bank, path: str
) -> None:
    assert is_problem(api.post(f"{path}/cancel", {}, by=LEE, key="x1"), 404, "UNKNOWN_CHECKOUT")
    assert is_problem(api.post("/v1/checkouts/chk_nobody/cancel", {}, by=OPS, key="x1"), 404)
    assert is_problem(api.post(f"{path}/cancel", {}, key="x1"), 401)
    assert is_problem(api.post(f"{path}/cancel", {}, by=KIM), 400, "MALFORMED")
    assert api.post(f"{path}/cancel", {}, by=OPS, key="x1").json_body["state"] == "CANCELLED"


def test_what_is_paid_is_not_cancelled_but_refunded(api: Api, gateway: Bank, path: str) -> None:
    api.post(f"{path}/capture", CARD, by=KIM, key="c1")
    answer = api.post(f"{path}/cancel", {}, by=KIM, key="x1")
    assert is_problem(answer, 422, "ALREADY_PAID")
    assert "cancel the contract" in answer.json_body["title"]


REFUND = {"refund_id": "r1", "amount": 60_000, "reason": "late handover"}


def test_operations_give_a_part_back_and_its_owner_sees_it(api: Api, gateway: Bank, path: str) -> None:
    api.post(f"{path}/capture", CARD, by=KIM, key="c1")
    answer = api.post(f"{path}/refunds", REFUND, by=OPS, key="r1")
    assert answer.status_code == 200
    assert answer.json_body == {
        "checkout_id": path.rpartition("/")[2],
        "refund_id": "r1",
        "amount": 60_000,
        "card": 60_000,
        "points": 0,
        "coupon": 0,
        "card_state": "DONE",
        "state": "CAPTURED",
        "left": 400_000,
    }
    again = api.post(f"{path}/refunds", REFUND, by=OPS, key="r1")
    assert (again.json_body, again.headers["Idempotent-Replayed"]) == (answer.json_body, "true")
    other = api.post(f"{path}/refunds", REFUND | {"amount": 1}, by=OPS, key="r1")
    assert is_problem(other, 422, "REFUND_DIFFERS")
    too_much = api.post(f"{path}/refunds", {"refund_id": "r2", "amount": 400_001}, by=OPS, key="r2")
    assert is_problem(too_much, 422, "NOT_REFUNDABLE")
    assert too_much.json_body["left"] == 400_000
    seen = api.get(path, by=KIM).json_body["refunds"]
    assert api.get(path, by=OPS).json_body["refunds"] == seen
    assert seen == [{"at": "2026-03-02T03:00:00Z", "card": 60_000, "points": 0, "coupon": 0}]


def test_whoever_paid_is_told_to_cancel_the_contract(api: Api, gateway: Bank, path: str) -> None:
    api.post(f"{path}/capture", CARD, by=KIM, key="c1")
    answer = api.post(f"{path}/refunds", REFUND, by=KIM, key="r1")
    assert is_problem(answer, 422, "REFUND_BY_CANCELLING")
    assert is_problem(api.post(f"{path}/refunds", REFUND, by=LEE, key="r1"), 404, "UNKNOWN_CHECKOUT")
    assert is_problem(api.post(f"{path}/refunds", REFUND, key="r1"), 401)
    assert is_problem(api.post(f"{path}/refunds", REFUND, by=OPS), 400, "MALFORMED")
    for change in (
        {"amount": 0},
        {"amount": -1},
        {"amount": 0.5},
        {"amount": "all"},
        {"refund_id": ""},
        {"refund_id": "billing/r1"},
        {"refund_id": "x" * 65},
        {"refund_id": "r1\n"},
        {"reason": "x" * 201},
    ):
        answer = api.post(f"{path}/refunds", REFUND | change, by=OPS, key="r1")
        assert is_problem(answer, 400, "MALFORMED"), change
    assert api.get(path, by=KIM).json_body["refunds"] == []


def test_points_pay_all_of_it_without_a_card(api: Api, gateway: Bank, contract_id: str) -> None:
    grant(wiring.points(), Caller("kim"), FEE)
    held = api.post("/v1/checkouts", order(contract_id, points=FEE), by=KIM, key="k1").json_body
    assert (held["points_used"], held["payable"]) == (FEE, 0)
    path = f"/v1/checkouts/{held['checkout_id']}"
    answer = api.post(f"{path}/capture", {}, by=KIM, key="c1")
    assert (answer.status_code, answer.json_body["state"]) == (200, "CAPTURED")
    assert gateway.listing()["payments"] == []
    too_many = order(contract_id, points=FEE + 1)
    refusal = api.post("/v1/checkouts", too_many, by=KIM, key="k2")
    assert is_problem(refusal, 422, "TOO_MANY_POINTS")
    assert refusal.json_body["most"] == FEE


def test_a_card_is_needed_while_something_is_to_pay(api: Api, gateway: Bank, path: str) -> None:
    for body in ({}, {"card_token": None}):
        assert is_problem(api.post(f"{path}/capture", body, by=KIM, key="c1"), 400, "MALFORMED")
    assert gateway.listing()["payments"] == []
