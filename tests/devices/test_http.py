"""What operations can do about a car's unit, and that nobody else can."""

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
import time_machine

from chalicelib.handlers.devices import devices_connect, devices_hook
from tests.api import Api, bearer, is_problem
from tests.conftest import NOON, ROOT
from tests.contracts.examples import car_body
from tests.devices.world import SERIAL, certificate

OLGA, KIM, COURIER = bearer("olga", "ops"), bearer("kim"), bearer("carl", "courier")
PATH = "/v1/ops/cars/car-0001/unit"
NOBODY = SimpleNamespace()


def sample(path: str) -> Any:
    return json.loads((ROOT / "events" / path).read_text())


@pytest.fixture(autouse=True)
def noon() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def car(api: Api) -> Api:
    secrets: Any = boto3.client("secretsmanager")
    secrets.create_secret(Name="test/handover/enrolment-key", SecretString="codes")
    secrets.create_secret(Name="test/handover/command-key", SecretString="commands")
    api.post("/v1/ops/cars", car_body(), by=OLGA)
    return api


def order(api: Api, serial: str = SERIAL, key: str = "k1") -> Any:
    return api.post(PATH, {"serial": serial}, by=OLGA, key=key)


def asked(code: str, **changes: Any) -> dict[str, Any]:
    """As AWS IoT asks when a unit comes with this code."""
    event = sample("iot/devices_hook.json")
    return {**event, "parameters": {**event["parameters"], "Code": code, **changes}}


def test_an_order_shows_the_code_once_and_the_same_to_a_retry(car: Api) -> None:
    first, again = order(car), order(car)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json_body == again.json_body
    assert again.headers["Idempotent-Replayed"] == "true"
    assert first.json_body["expires_at"] == "2026-03-02T04:00:00Z"
    assert first.json_body["enrolment_code"] not in car.get(PATH, by=OLGA).body.decode()
    assert is_problem(order(car, serial="TCU-0002"), 422, "KEY_REUSED")


def test_the_story_of_a_unit_is_there_to_be_read(car: Api) -> None:
    code = order(car).json_body["enrolment_code"]
    assert devices_hook(asked(code), NOBODY)["allowProvisioning"] is True
    assert devices_connect(sample("iot/devices_connect.json"), NOBODY) == "first"
    assert car.delete(PATH + "?reason=stolen", by=OLGA).status_code == 204
    unit = car.get(PATH, by=OLGA).json_body
    assert (unit["serial"], unit["open_until"]) == (None, None)
    (ended,) = unit["certificates"]
    assert (ended["certificate_id"], ended["state"], ended["reason"]) == (certificate(1), "revoked", "stolen")
    assert [line["what"] for line in unit["log"]] == ["ordered", "enrolled", "in_force", "withdrawn", "ended"]


def test_r07_a_unit_cannot_say_which_car_it_is(car: Api) -> None:
    code = order(car).json_body["enrolment_code"]
    answer = devices_hook(asked(code, CarId="car-0002", CommandKey="00"), NOBODY)
    assert answer["parameterOverrides"]["CarId"] == "car-0001"
    assert answer["parameterOverrides"]["CommandKey"] != "00"


@pytest.mark.parametrize(
    "parameters",
    [
        None,
        {},
        {"Serial": SERIAL},
        {"Serial": SERIAL, "Code": "x"},
        {"Serial": "TCU-9999", "Code": "x"},
        {"Serial": "#" * 900, "Code": ""},
        {"Serial": [SERIAL], "Code": {"a": 1}},
        {"Serial": SERIAL, "Code": None},
        "text",
    ],
)
def test_r07_hostile_parameters_are_refused_and_told_nothing(car: Api, parameters: Any) -> None:
    order(car)
    refused = devices_hook({**sample("iot/devices_hook.json"), "parameters": parameters}, NOBODY)
    assert refused == {"allowProvisioning": False}


def test_neither_code_nor_key_is_logged(car: Api, capsys: pytest.CaptureFixture[str]) -> None:
    code = order(car).json_body["enrolment_code"]
    key = devices_hook(asked(code), NOBODY)["parameterOverrides"]["CommandKey"]
    devices_hook(asked("guess" * 5), NOBODY)
    written = "".join(capsys.readouterr())
    assert code not in written
    assert key not in written
    assert "guess" not in written


@pytest.mark.parametrize(("by", "status"), [(KIM, 403), (COURIER, 403), (None, 401)])
def test_only_operations_deal_with_units(car: Api, by: str | None, status: int) -> None:
    for answer in (
        car.post(PATH, {"serial": SERIAL}, by=by, key="k1"),
        car.get(PATH, by=by),
        car.delete(PATH + "?reason=stolen", by=by),
    ):
        assert is_problem(answer, status)


def test_what_is_not_there_is_404(car: Api) -> None:
    unknown = "/v1/ops/cars/car-9999/unit"
    assert is_problem(car.post(unknown, {"serial": SERIAL}, by=OLGA, key="k1"), 404)
    for path in (unknown, PATH):
        assert is_problem(car.get(path, by=OLGA), 404)
        assert is_problem(car.delete(path + "?reason=stolen", by=OLGA), 404)


@pytest.mark.parametrize("serial", ["", "abc", "a b c d", "TCU-1\n", "가나다라", "x" * 65, None, 7])
def test_a_serial_that_is_none_is_400(car: Api, serial: Any) -> None:
    assert is_problem(car.post(PATH, {"serial": serial}, by=OLGA, key="k1"), 400)


def test_an_order_needs_a_key_and_taking_out_needs_a_reason(car: Api) -> None:
    assert is_problem(car.post(PATH, {"serial": SERIAL}, by=OLGA), 400)
    order(car)
    for query in ("", "?reason=", "?reason=replaced", "?reason=mood"):
        assert is_problem(car.delete(PATH + query, by=OLGA), 400)


def test_a_unit_of_another_car_is_409(car: Api) -> None:
    car.post("/v1/ops/cars", {**car_body(), "car_id": "car-0002", "key_tags": ["tag-0002-a"]}, by=OLGA)
    order(car)
    answer = car.post("/v1/ops/cars/car-0002/unit", {"serial": SERIAL}, by=OLGA, key="k9")
    assert is_problem(answer, 409, "SERIAL_TAKEN")
