import json
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine

from tests.api import Api, bearer, is_problem
from tests.conftest import NOON
from tests.contracts.examples import ADDRESS, car_body, driver_body, sign_body

KIM, LEE, OPS = bearer("kim"), bearer("lee"), bearer("olga", "ops")
COURIER = bearer("carl", "courier")
CAR_AND_KEY = {"car_id": "car-0001", "key_tag": "tag-0001-a"}


@pytest.fixture(autouse=True)
def noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def contract_id(api: Api) -> str:
    return str(api.post("/v1/contracts", sign_body(), by=KIM, key="k1").json_body["contract_id"])


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


def test_a_replay_says_the_same_and_that_it_is_one(api: Api, contract_id: str) -> None:
    api.post("/v1/ops/cars", car_body(), by=OPS)
    api.post(f"/v1/ops/contracts/{contract_id}/assign", CAR_AND_KEY, by=OPS)
    again = api.post("/v1/contracts", sign_body(), by=KIM, key="k1")
    assert again.status_code == 201
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json_body == {"contract_id": contract_id, "state": "applied", "monthly_fee": 460_000}


def test_a_key_stands_for_one_body(api: Api, contract_id: str) -> None:
    assert is_problem(api.post("/v1/contracts", sign_body(months=12), by=KIM, key="k1"), 422, "KEY_REUSED")


def test_a_customer_sees_the_whole_contract_but_no_secrets(api: Api, contract_id: str) -> None:
    shown = api.get(f"/v1/contracts/{contract_id}", by=KIM).json_body
    assert {name: shown[name] for name in ("contract_id", "state", "billing", "key", "car_id")} == {
        "contract_id": contract_id,
        "state": "applied",
        "billing": "not_started",
        "key": None,
        "car_id": None,
    }
    assert shown["drivers"] == [
        {"number": 1, "name": "김민지", "phone": "+821012345678", "licence_no": "11**********"}
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


@pytest.mark.parametrize(
    "contract_id", ["con_nobody", "x" * 5000, "%00", "con_%F0%28", "con_%EA%B9%80", "..", "{}"]
)
def test_no_id_breaks_anything(api: Api, contract_id: str) -> None:
    assert is_problem(api.get(f"/v1/contracts/{contract_id}", by=OPS), 404)
    path = f"/v1/ops/contracts/{contract_id}/assign"
    assert is_problem(api.post(path, CAR_AND_KEY, by=OPS), 404)


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
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
    ],
)
def test_what_cannot_be_read_is_a_400_that_says_where(
    api: Api, dynamodb: Any, body: Any, pointers: list[str]
) -> None:
    answer = api.post("/v1/contracts", body, by=KIM, key="k1")
    assert is_problem(answer, 400, "MALFORMED")
    assert [each["pointer"] for each in answer.json_body["errors"]] == pointers
    assert rows(dynamodb) == 0


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (sign_body(plan_id="yacht"), 404, "UNKNOWN_PLAN"),
        (sign_body(months=7), 422, "TERM_NOT_OFFERED"),
        (brought("2026-03-02T11:59:00+09:00"), 422, "HANDOVER_OUT_OF_REACH"),
        (brought("9999-12-31T23:59:59-12:00"), 422, "HANDOVER_OUT_OF_REACH"),
        (brought("0001-01-01T00:00:00+14:00"), 422, "HANDOVER_OUT_OF_REACH"),
        (sign_body(drivers=[driver_body(birth_date="2009-01-15")]), 422, "DRIVER_TOO_YOUNG"),
        (sign_body(drivers=[driver_body(birth_date="2090-01-15")]), 422, "DRIVER_TOO_YOUNG"),
    ],
)
def test_what_a_rule_refuses_changes_nothing(
    api: Api, dynamodb: Any, body: Any, status: int, code: str
) -> None:
    assert is_problem(api.post("/v1/contracts", body, by=KIM, key="k1"), status, code)
    assert rows(dynamodb) == 0


def test_signing_needs_a_key_a_sign_in_and_json(api: Api, dynamodb: Any) -> None:
    assert is_problem(api.post("/v1/contracts", sign_body(), by=KIM), 400)
    assert is_problem(api.post("/v1/contracts", sign_body(), by=KIM, key="k" * 129), 400)
    assert is_problem(api.post("/v1/contracts", sign_body(), key="k1"), 401)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert is_problem(api.post("/v1/contracts", b"months=6", by=KIM, key="k1", headers=form), 415)
    assert rows(dynamodb) == 0


def test_operations_register_a_car_and_assign_it(api: Api, contract_id: str) -> None:
    car = api.post("/v1/ops/cars", car_body(), by=OPS)
    assert (car.status_code, car.json_body) == (201, {**car_body(), "contract_id": None})
    answer = api.post(f"/v1/ops/contracts/{contract_id}/assign", CAR_AND_KEY, by=OPS)
    assert answer.status_code == 200
    assert answer.json_body == {"contract_id": contract_id, "state": "preparing", **CAR_AND_KEY}
    again = api.post(f"/v1/ops/contracts/{contract_id}/assign", CAR_AND_KEY, by=OPS)
    assert (again.json_body, again.headers["Idempotent-Replayed"]) == (answer.json_body, "true")
    assert api.get(f"/v1/contracts/{contract_id}", by=KIM).json_body["car_id"] == "car-0001"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({**CAR_AND_KEY, "car_id": "car-9999"}, 404, "UNKNOWN_CAR"),
        ({**CAR_AND_KEY, "key_tag": "tag-0002-a"}, 422, "NOT_THE_CARS_KEY"),
        ({**CAR_AND_KEY, "car_id": "cars/+/#"}, 400, "MALFORMED"),
        ({**CAR_AND_KEY, "car_id": "car-0001\n"}, 400, "MALFORMED"),
        ({**CAR_AND_KEY, "key_tag": ""}, 400, "MALFORMED"),
        ({"car_id": "car-0001"}, 400, "MALFORMED"),
    ],
)
def test_an_assignment_that_does_not_fit_is_refused(
    api: Api, contract_id: str, body: Any, status: int, code: str
) -> None:
    api.post("/v1/ops/cars", car_body(), by=OPS)
    assert is_problem(api.post(f"/v1/ops/contracts/{contract_id}/assign", body, by=OPS), status, code)
    assert api.get(f"/v1/contracts/{contract_id}", by=KIM).json_body["state"] == "applied"


def test_a_contract_that_has_its_car_gets_no_other(api: Api, contract_id: str) -> None:
    api.post("/v1/ops/cars", car_body(), by=OPS)
    api.post(f"/v1/ops/contracts/{contract_id}/assign", CAR_AND_KEY, by=OPS)
    other_key = {**CAR_AND_KEY, "key_tag": "tag-0001-b"}
    answer = api.post(f"/v1/ops/contracts/{contract_id}/assign", other_key, by=OPS)
    assert is_problem(answer, 409, "ILLEGAL_MOVE")


@pytest.mark.parametrize(
    "body",
    [
        car_body(key_tags=[]),
        car_body(key_tags=["a b"]),
        car_body(key_tags="tag"),
        car_body(plate=""),
        car_body(car_id="c" * 65),
        car_body(model=None),
    ],
)
def test_a_car_without_its_particulars_is_refused(api: Api, dynamodb: Any, body: Any) -> None:
    assert is_problem(api.post("/v1/ops/cars", body, by=OPS), 400)
    assert rows(dynamodb) == 0


def test_a_tag_named_twice_is_one_tag(api: Api) -> None:
    answer = api.post("/v1/ops/cars", car_body(key_tags=["tag-1", "tag-1"]), by=OPS)
    assert answer.json_body["key_tags"] == ["tag-1"]


def test_another_car_by_the_same_name_or_key_is_a_conflict(api: Api) -> None:
    api.post("/v1/ops/cars", car_body(), by=OPS)
    assert api.post("/v1/ops/cars", car_body(), by=OPS).headers["Idempotent-Replayed"] == "true"
    assert is_problem(api.post("/v1/ops/cars", car_body(plate="other"), by=OPS), 409, "CAR_DIFFERS")
    assert is_problem(api.post("/v1/ops/cars", car_body(car_id="car-2"), by=OPS), 409, "KEY_TAG_TAKEN")


@pytest.mark.parametrize("path", ["/v1/ops/cars", "/v1/ops/contracts/con_1/assign"])
def test_only_operations_may(api: Api, path: str) -> None:
    assert is_problem(api.post(path, {}), 401)
    assert is_problem(api.post(path, {}, by=KIM), 403)
    assert is_problem(api.post(path, {}, by=COURIER), 403)
