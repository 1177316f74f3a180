import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest
import time_machine

from chalicelib import wiring
from tests.api import Api, bearer, is_problem
from tests.conftest import NOON
from tests.contracts.conftest import with_tables
from tests.contracts.examples import ADDRESS, car_body, confirmed, driver_body, sign_body
from tests.offices import OFFICES

KIM, LEE, OPS = bearer("kim"), bearer("lee"), bearer("olga", "ops")
COURIER, AGENT = bearer("carl", "courier"), bearer("agnes", "agent")
CAR_AND_KEY = {"car_id": "car-0001", "key_tag": "tag-0001-a"}


@pytest.fixture
def dynamodb() -> Iterator[Any]:
    with with_tables("test-contracts", "test-keys", "test-billing") as client:
        yield client


@pytest.fixture(autouse=True)
def noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def contract_id(api: Api) -> str:
    return str(api.post("/v1/contracts", sign_body(), by=KIM, key="k1").json_body["contract_id"])


@pytest.fixture
def paid_id(contract_id: str) -> str:
    confirmed(contract_id)
    return contract_id


def brought(at: str = "2026-03-16T12:00:00+09:00", address: str = ADDRESS) -> dict[str, Any]:
    return sign_body(handover={"at": at, "address": address})


def rows(dynamodb: Any) -> int:
    return int(dynamodb.scan(TableName="test-contracts")["Count"])


def test_health_says_which_version_runs(api: Api) -> None:
    answer = api.get("/v1/health")
    assert (answer.status_code, answer.json_body) == (200, {"status": "ok", "version": "dev"})


def test_plans_are_public_and_speak_two_languages(api: Api) -> None:
    (first, *_) = api.get("/v1/plans").json_body["plans"]
    assert (first["plan_id"], first["name"]) == ("first-car", "첫 차")
    assert first["terms"][1] == {"months": 6, "monthly_fee": 460_000}
    english = api.get("/v1/plans", headers={"Accept-Language": "en"}).json_body["plans"]
    assert english[0]["name"] == "First car"


def test_signing_answers_201_with_the_price_of_the_plan(api: Api) -> None:
    answer = api.post("/v1/contracts", sign_body(monthly_fee=1), by=KIM, key="k1")
    assert answer.status_code == 201
    assert answer.json_body["contract_id"].startswith("con_")
    assert (answer.json_body["state"], answer.json_body["monthly_fee"]) == ("applied", 460_000)
    assert "Idempotent-Replayed" not in answer.headers


def test_a_replay_says_the_same_and_that_it_is_one(api: Api, paid_id: str) -> None:
    api.post("/v1/ops/cars", car_body(), by=OPS)
    api.post(f"/v1/ops/contracts/{paid_id}/assign", CAR_AND_KEY, by=OPS)
    again = api.post("/v1/contracts", sign_body(), by=KIM, key="k1")
    assert again.status_code == 201
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json_body == {"contract_id": paid_id, "state": "applied", "monthly_fee": 460_000}


def test_a_key_stands_for_one_body(api: Api, contract_id: str) -> None:
    assert is_problem(api.post("/v1/contracts", sign_body(months=12), by=KIM, key="k1"), 422, "KEY_REUSED")


def test_a_customer_sees_the_whole_contract_but_no_secrets(api: Api, contract_id: str) -> None:
    shown = api.get(f"/v1/contracts/{contract_id}", by=KIM).json_body
    assert {name: shown[name] for name in ("contract_id", "state", "billing", "key", "car_id")} == {
        "contract_id": contract_id,
        "state": "awaiting_payment",
        "billing": "not_started",
        "key": None,
        "car_id": None,
    }
    assert shown["drivers"] == [
        {
            "number": 1,
            "name": "김민지",
            "phone": "+821012345678",
            "licence_no": "11**********",
            "verified": True,
        }
    ]
    assert (shown["handover"]["at"], shown["handover"]["address"]) == ("2026-03-16T03:00:00Z", ADDRESS)
    assert not [secret for secret in ("tok_visa", "7801", "1990") if secret in json.dumps(shown)]


def test_operations_see_every_contract_and_nobody_else_does(api: Api, contract_id: str) -> None:
    assert api.get(f"/v1/contracts/{contract_id}", by=OPS).status_code == 200
    foreign = api.get(f"/v1/contracts/{contract_id}", by=LEE)
    unknown = api.get("/v1/contracts/con_nobody", by=LEE)
    assert is_problem(foreign, 404, "UNKNOWN_CONTRACT")
    assert is_problem(api.get(f"/v1/contracts/{contract_id}", by=COURIER), 404)
    assert is_problem(api.get(f"/v1/contracts/{contract_id}"), 401)
    same = [{**each.json_body, "trace_id": ""} for each in (foreign, unknown)]
    assert same[0] == same[1]


def test_no_id_breaks_anything(api: Api) -> None:
    for contract_id in ("con_nobody", "x" * 5000, "%00", "con_%F0%28", "con_%EA%B9%80", "..", "{}"):
        assert is_problem(api.get(f"/v1/contracts/{contract_id}", by=OPS), 404)
        path = f"/v1/ops/contracts/{contract_id}/assign"
        assert is_problem(api.post(path, CAR_AND_KEY, by=OPS), 404)


UNREADABLE: list[tuple[Any, list[str]]] = [
    (b"", []),
    (b"{", []),
    (b"\xff", []),
    (b"null", ["/"]),
    (b"[]", ["/"]),
    ({}, ["/"]),
    (sign_body(plan_id=5), ["/plan_id"]),
    (sign_body(plan_id="p" * 65), ["/plan_id"]),
    (sign_body(months="6"), ["/months"]),
    (sign_body(months=6.5), ["/months"]),
    (sign_body(months=10**30), ["/months"]),
    (sign_body(months=-3), ["/months"]),
    (sign_body(card_token=""), ["/card_token"]),
    (sign_body(drivers=[]), ["/drivers"]),
    (sign_body(drivers=[driver_body()] * 6), ["/drivers"]),
    (sign_body(drivers=None), ["/drivers"]),
    (sign_body(drivers=[driver_body(name=" ")]), ["/drivers/0/name"]),
    (sign_body(drivers=[driver_body(birth_date="1990-02-30")]), ["/drivers/0/birth_date"]),
    (sign_body(drivers=[driver_body(birth_date="15.01.1990")]), ["/drivers/0/birth_date"]),
    (sign_body(drivers=[driver_body(language="fr")]), ["/drivers/0/language"]),
    (sign_body(drivers=[driver_body(), driver_body(phone="0101234567")]), ["/drivers/1/phone"]),
    (
        sign_body(drivers=[driver_body(phone="02-123-4567", licence_no="?")]),
        ["/drivers/0/phone", "/drivers/0/licence_no"],
    ),
    (sign_body(handover="tomorrow"), ["/handover"]),
    (brought("2026-03-16T12:00:00"), ["/handover/at"]),
    (brought("2026-03-16"), ["/handover/at"]),
    (brought(address=""), ["/handover/address"]),
    (
        brought(address="x" * 201),
        ["/handover/address"],
    ),
]


def test_what_cannot_be_read_is_a_400_that_says_where(api: Api, dynamodb: Any) -> None:
    for body, pointers in UNREADABLE:
        answer = api.post("/v1/contracts", body, by=KIM, key="k1")
        assert is_problem(answer, 400, "MALFORMED")
        assert [each["pointer"] for each in answer.json_body["errors"]] == pointers
    assert rows(dynamodb) == 0


REFUSED: list[tuple[Any, int, str]] = [
    (sign_body(plan_id="yacht"), 404, "UNKNOWN_PLAN"),
    (sign_body(months=7), 422, "TERM_NOT_OFFERED"),
    (brought("2026-03-02T11:59:00+09:00"), 422, "HANDOVER_OUT_OF_REACH"),
    (brought("9999-12-31T23:59:59-12:00"), 422, "HANDOVER_OUT_OF_REACH"),
    (brought("0001-01-01T00:00:00+14:00"), 422, "HANDOVER_OUT_OF_REACH"),
    (sign_body(drivers=[driver_body(birth_date="2009-01-15")]), 422, "DRIVER_TOO_YOUNG"),
    (sign_body(drivers=[driver_body(birth_date="2090-01-15")]), 422, "DRIVER_TOO_YOUNG"),
]


def test_what_a_rule_refuses_changes_nothing(api: Api, dynamodb: Any) -> None:
    for body, status, code in REFUSED:
        assert is_problem(api.post("/v1/contracts", body, by=KIM, key="k1"), status, code)
    assert rows(dynamodb) == 0


def test_signing_needs_a_key_a_sign_in_and_json(api: Api, dynamodb: Any) -> None:
    assert is_problem(api.post("/v1/contracts", sign_body(), by=KIM), 400)
    assert is_problem(api.post("/v1/contracts", sign_body(), by=KIM, key="k" * 129), 400)
    assert is_problem(api.post("/v1/contracts", sign_body(), key="k1"), 401)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert is_problem(api.post("/v1/contracts", b"months=6", by=KIM, key="k1", headers=form), 415)
    assert rows(dynamodb) == 0


def test_operations_register_a_car_and_assign_it(api: Api, paid_id: str) -> None:
    car = api.post("/v1/ops/cars", car_body(), by=OPS)
    assert (car.status_code, car.json_body) == (201, {**car_body(), "contract_id": None, "blocked": False})
    answer = api.post(f"/v1/ops/contracts/{paid_id}/assign", CAR_AND_KEY, by=OPS)
    assert answer.status_code == 200
    assert answer.json_body == {"contract_id": paid_id, "state": "preparing", **CAR_AND_KEY}
    again = api.post(f"/v1/ops/contracts/{paid_id}/assign", CAR_AND_KEY, by=OPS)
    assert (again.json_body, again.headers["Idempotent-Replayed"]) == (answer.json_body, "true")
    assert api.get(f"/v1/contracts/{paid_id}", by=KIM).json_body["car_id"] == "car-0001"


UNFIT: list[tuple[Any, int, str]] = [
    ({**CAR_AND_KEY, "car_id": "car-9999"}, 404, "UNKNOWN_CAR"),
    ({**CAR_AND_KEY, "key_tag": "tag-0002-a"}, 422, "NOT_THE_CARS_KEY"),
    ({**CAR_AND_KEY, "car_id": "cars/+/#"}, 400, "MALFORMED"),
    ({**CAR_AND_KEY, "car_id": "car-0001\n"}, 400, "MALFORMED"),
    ({**CAR_AND_KEY, "key_tag": ""}, 400, "MALFORMED"),
    ({"car_id": "car-0001"}, 400, "MALFORMED"),
]


def test_an_assignment_that_does_not_fit_is_refused(api: Api, paid_id: str) -> None:
    api.post("/v1/ops/cars", car_body(), by=OPS)
    for body, status, code in UNFIT:
        assert is_problem(api.post(f"/v1/ops/contracts/{paid_id}/assign", body, by=OPS), status, code)
    assert api.get(f"/v1/contracts/{paid_id}", by=KIM).json_body["state"] == "confirmed"


def test_a_contract_that_has_its_car_gets_no_other(api: Api, paid_id: str) -> None:
    api.post("/v1/ops/cars", car_body(), by=OPS)
    api.post(f"/v1/ops/contracts/{paid_id}/assign", CAR_AND_KEY, by=OPS)
    other_key = {**CAR_AND_KEY, "key_tag": "tag-0001-b"}
    answer = api.post(f"/v1/ops/contracts/{paid_id}/assign", other_key, by=OPS)
    assert is_problem(answer, 409, "ILLEGAL_MOVE")


def test_a_car_without_its_particulars_is_refused(api: Api, dynamodb: Any) -> None:
    wrongs: tuple[dict[str, Any], ...] = (
        {"key_tags": []},
        {"key_tags": ["a b"]},
        {"key_tags": "tag"},
        {"plate": ""},
        {"car_id": "c" * 65},
        {"model": None},
    )
    for wrong in wrongs:
        assert is_problem(api.post("/v1/ops/cars", car_body(**wrong), by=OPS), 400)
    assert rows(dynamodb) == 0


def test_a_tag_named_twice_is_one_tag(api: Api) -> None:
    answer = api.post("/v1/ops/cars", car_body(key_tags=["tag-1", "tag-1"]), by=OPS)
    assert answer.json_body["key_tags"] == ["tag-1"]


def test_another_car_by_the_same_name_or_key_is_a_conflict(api: Api) -> None:
    api.post("/v1/ops/cars", car_body(), by=OPS)
    assert api.post("/v1/ops/cars", car_body(), by=OPS).headers["Idempotent-Replayed"] == "true"
    assert is_problem(api.post("/v1/ops/cars", car_body(plate="other"), by=OPS), 409, "CAR_DIFFERS")
    assert is_problem(api.post("/v1/ops/cars", car_body(car_id="car-2"), by=OPS), 409, "KEY_TAG_TAKEN")


def test_only_operations_may(api: Api) -> None:
    for path in ("/v1/ops/cars", "/v1/ops/contracts/con_1/assign"):
        assert is_problem(api.post(path, {}), 401)
        assert is_problem(api.post(path, {}, by=KIM), 403)
        assert is_problem(api.post(path, {}, by=COURIER), 403)


# ---- quotes and lists -------------------------------------------------------------------------------------


def test_plans_speak_to_people_who_never_had_a_car(api: Api) -> None:
    (first, *_) = api.get("/v1/plans").json_body["plans"]
    assert (first["car_class"], first["seats"], first["example"], first["fuel"]) == (
        "경형 SUV",
        4,
        "Casper",
        "휘발유",
    )
    english = api.get("/v1/plans", headers={"Accept-Language": "en"}).json_body["plans"]
    for plan in english:
        assert all(plan[name].isascii() for name in ("name", "car_class", "luggage", "fuel", "good_for"))


def test_a_quote_says_what_it_costs_and_what_leaving_would(api: Api) -> None:
    quote = api.post("/v1/quotes", {"plan_id": "family", "months": 3})
    assert quote.json_body == {
        "plan_id": "family",
        "months": 3,
        "monthly_fee": 790_000,
        "first_payment": 790_000,
        "total": 2_370_000,
        "cancel": {"free_until_hours": 24, "late_percent": 10, "early_end_percent": 10},
    }
    assert is_problem(api.post("/v1/quotes", {"plan_id": "family", "months": 5}), 422, "TERM_NOT_OFFERED")
    assert is_problem(api.post("/v1/quotes", {"plan_id": "yacht", "months": 3}), 404, "UNKNOWN_PLAN")
    assert is_problem(api.post("/v1/quotes", {"plan_id": "family"}), 400)


def test_a_list_is_read_page_by_page(api: Api, contract_id: str) -> None:
    with time_machine.travel(NOON + timedelta(minutes=1), tick=False):
        second = api.post("/v1/contracts", sign_body(), by=KIM, key="k2").json_body["contract_id"]
    page = api.get("/v1/contracts?limit=1", by=KIM).json_body
    assert [each["contract_id"] for each in page["contracts"]] == [second]
    assert page["contracts"][0] == {
        "contract_id": second,
        "state": "awaiting_payment",
        "billing": "not_started",
        "plan_id": "first-car",
        "months": 6,
        "handover_at": "2026-03-16T03:00:00Z",
        "car": None,
    }
    rest = api.get(f"/v1/contracts?limit=2&cursor={page['cursor']}", by=KIM).json_body
    assert ([each["contract_id"] for each in rest["contracts"]], rest["cursor"]) == ([contract_id], None)
    assert api.get("/v1/contracts", by=LEE).json_body == {"contracts": [], "cursor": None}
    assert is_problem(api.get("/v1/contracts"), 401)
    for query in ("limit=0", "limit=51", "limit=x", "cursor=%21", "cursor=eHl6"):
        assert is_problem(api.get(f"/v1/contracts?{query}", by=KIM), 400)


# ---- self-service -----------------------------------------------------------------------------------------


@pytest.fixture
def active_id(api: Api, paid_id: str) -> str:
    create_preview_key()
    api.post("/v1/ops/cars", car_body(), by=OPS)
    api.post("/v1/ops/cars", car_body(car_id="car-0002", plate="34나 5678", key_tags=["tag-0002-a"]), by=OPS)
    api.post(f"/v1/ops/contracts/{paid_id}/assign", CAR_AND_KEY, by=OPS)
    service = wiring.contracts()
    service.access_proven(paid_id, NOON)
    service.handed_over(paid_id, NOON)
    return paid_id


def create_preview_key() -> None:
    boto3.client("secretsmanager").create_secret(Name="test/handover/preview-key", SecretString="s" * 32)


def test_a_contract_shows_its_car_its_term_and_its_buttons(api: Api, active_id: str) -> None:
    answer = api.get(f"/v1/contracts/{active_id}", by=KIM)
    shown = answer.json_body
    assert shown["car"] == {"plate": "12가 3456", "model": "Casper"}
    assert (shown["starts_at"], shown["ends_at"]) == ("2026-03-02T03:00:00Z", "2026-09-02T03:00:00Z")
    assert (shown["return"], shown["why"]) == (None, None)
    assert set(shown["actions"]) == {
        "cancel",
        "renew",
        "swap",
        "add_driver",
        "remove_driver",
        "payment_method",
    }
    assert answer.headers["ETag"] == '"6"'


def test_a_preview_and_its_commit_over_http(api: Api, paid_id: str) -> None:
    create_preview_key()
    path = f"/v1/contracts/{paid_id}/cancel"
    shown = api.post(f"{path}?preview=true", {}, by=KIM, key="c1").json_body
    assert (shown["refund"], shown["charge"]) == (460_000, 0)
    assert api.get(f"/v1/contracts/{paid_id}", by=KIM).json_body["state"] == "confirmed"
    done = api.post(path, {"quote": shown["quote"]}, by=KIM, key="c1")
    same = {name: shown[name] for name in ("contract_id", "refund", "charge", "lines", "effective_at")}
    assert done.json_body == {**same, "state": "cancelled", "quote": None, "quote_until": None}
    again = api.post(path, {"quote": shown["quote"]}, by=KIM, key="c1")
    assert (again.json_body, again.headers["Idempotent-Replayed"]) == (done.json_body, "true")
    assert is_problem(api.post(path, {"quote": "1.x"}, by=KIM, key="c2"), 422, "PREVIEW_EXPIRED")
    assert is_problem(api.post(path, {}, by=KIM, key="c2"), 409, "ILLEGAL_MOVE")


def test_every_change_over_http(api: Api, active_id: str) -> None:
    mine, ops = f"/v1/contracts/{active_id}", f"/v1/ops/contracts/{active_id}"
    other = {"car_id": "car-0002", "key_tag": "tag-0002-a"}
    steps: list[tuple[str, dict[str, Any], str, str]] = [
        (f"{mine}/cancel", {}, KIM, "cancel_scheduled"),
        (f"{mine}/uncancel", {}, KIM, "active"),
        (f"{mine}/renew", {"months": 12}, KIM, "active"),
        (f"{mine}/swap", {"reason": "preference"}, KIM, "swap_pending"),
        (f"{mine}/swap/withdraw", {}, KIM, "active"),
        (f"{mine}/swap", {"reason": "defect"}, KIM, "swap_pending"),
        (f"{ops}/swap", other, OPS, "swap_pending"),
        (f"{ops}/swap/done", {}, AGENT, "active"),
        (f"{ops}/access", {"lost": True, "at": "2026-03-02T12:00:00+09:00"}, OPS, "active"),
        (f"{ops}/access", {"lost": False, "at": "2026-03-02T12:00:00+09:00"}, OPS, "active"),
        (f"{ops}/breach", {"reason": "unpaid"}, OPS, "return_scheduled"),
        (f"{ops}/returned", {"at": "2026-03-02T12:00:00+09:00"}, OPS, "inspection"),
        (f"{ops}/inspect", {"charges": [{"what": "scratch", "amount": 80000}]}, AGENT, "settling"),
    ]
    for number, (path, body, by, state) in enumerate(steps):
        answer = api.post(path, body, by=by, key=f"step {number}")
        assert (answer.status_code, answer.json_body["state"]) == (200, state), (path, answer.json_body)
        again = api.post(path, body, by=by, key=f"step {number}")
        assert (again.json_body, again.headers.get("Idempotent-Replayed")) == (answer.json_body, "true"), path
    assert api.get(mine, by=KIM).json_body["car"]["plate"] == "34나 5678"


def test_drivers_come_and_go(api: Api, active_id: str) -> None:
    path = f"/v1/contracts/{active_id}/drivers"
    body = driver_body(licence_no="21-22-333333-44", name="Lee")
    preview = api.post(f"{path}?preview=true", body, by=KIM, key="d1").json_body
    added = api.post(path, body, by=KIM, key="d1")
    assert (added.status_code, added.json_body["number"], added.json_body["verified"]) == (201, 2, False)
    assert (preview["refund"], preview["charge"], preview["lines"]) == (0, 0, [])
    assert api.delete(f"{path}/2", by=KIM).status_code == 204
    assert api.delete(f"{path}/2", by=KIM).status_code == 204
    assert is_problem(api.delete(f"{path}/1", by=KIM), 422, "FIRST_DRIVER_STAYS")
    assert is_problem(api.delete(f"{path}/7", by=KIM), 404)
    assert is_problem(api.delete(f"{path}/2", by=LEE), 404)
    assert is_problem(api.post(path, driver_body(phone="02-1"), by=KIM, key="d2"), 400)


CHANGES: dict[str, Any] = {
    "cancel": {},
    "uncancel": {},
    "renew": {"months": 12},
    "swap": {"reason": "defect"},
    "swap/withdraw": {},
    "drivers": driver_body(),
}


def test_a_strangers_change_is_404_and_needs_a_key_and_a_sign_in(api: Api, contract_id: str) -> None:
    for path, body in CHANGES.items():
        at = f"/v1/contracts/{contract_id}/{path}"
        assert is_problem(api.post(at, body, by=LEE, key="k"), 404, "UNKNOWN_CONTRACT")
        assert is_problem(api.post(at, body, by=COURIER, key="k"), 404, "UNKNOWN_CONTRACT")
        assert is_problem(api.post(at, body, by=KIM), 400)
        assert is_problem(api.post(at, body, key="k"), 401)


def test_what_is_for_operations_is_forbidden_to_customers(api: Api, contract_id: str) -> None:
    for path in ("swap", "swap/done", "access", "breach", "returned", "inspect"):
        at = f"/v1/ops/contracts/{contract_id}/{path}"
        assert is_problem(api.post(at, {}, by=KIM, key="k"), 403)
        assert is_problem(api.post(at, {}, by=COURIER, key="k"), 403)
        assert is_problem(api.post(at, {}, key="k"), 401)


def test_what_operations_say_must_be_readable_and_name_nobody(api: Api, contract_id: str) -> None:
    scratch = {"what": "scratch", "amount": 1}
    for path, body in (
        ("access", {"lost": True, "at": "0001-01-01T00:00:00+14:00"}),
        ("access", {"lost": True, "at": "2026-03-02T12:00:00"}),
        ("access", {"lost": True, "at": "2026-03-02T12:00:00Z", "cause": "김민지 called"}),
        ("breach", {"reason": "Mr Kim did not pay"}),
        ("inspect", {"charges": [{**scratch, "amount": -1}]}),
        ("inspect", {"charges": [scratch] * 21}),
        ("returned", {}),
    ):
        assert is_problem(api.post(f"/v1/ops/contracts/{contract_id}/{path}", body, by=OPS, key="k"), 400)


def test_whoever_changes_an_old_version_is_told(api: Api, paid_id: str) -> None:
    path = f"/v1/contracts/{paid_id}/cancel"
    assert is_problem(api.post(path, {}, by=KIM, key="k", headers={"If-Match": '"1"'}), 412, "STALE")
    assert is_problem(api.post(path, {}, by=KIM, key="k", headers={"If-Match": "1"}), 400)
    tag = api.get(f"/v1/contracts/{paid_id}", by=KIM).headers["ETag"]
    assert api.post(path, {}, by=KIM, key="k", headers={"If-Match": tag}).status_code == 200


def test_a_car_under_recall_is_refused(api: Api, paid_id: str) -> None:
    api.post("/v1/ops/cars", car_body(), by=OPS)
    OFFICES.recalled["car-0001"] = "brakes"
    answer = api.post(f"/v1/ops/contracts/{paid_id}/assign", CAR_AND_KEY, by=OPS)
    assert is_problem(answer, 422, "CAR_UNDER_RECALL")
    OFFICES.away = True
    assert is_problem(
        api.post(f"/v1/ops/contracts/{paid_id}/assign", CAR_AND_KEY, by=OPS), 503, "OFFICE_AWAY"
    )


def test_signing_does_not_wait_for_an_office_that_is_away(api: Api) -> None:
    OFFICES.away = True
    answer = api.post("/v1/contracts", sign_body(), by=KIM, key="k1")
    assert (answer.status_code, answer.json_body["state"]) == (201, "applied")
    shown = api.get(f"/v1/contracts/{answer.json_body['contract_id']}", by=KIM).json_body
    assert (shown["state"], shown["drivers"][0]["verified"]) == ("applied", False)
