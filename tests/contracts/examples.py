"""Memorable people, cars and contracts for the tests of this context."""

from datetime import date, timedelta
from typing import Any

from msgspec.structs import replace

from chalicelib.contracts.model import Application, Car, Driver, Handover
from chalicelib.kernel.auth import Caller, Group
from tests.conftest import NOON

KIM = Caller("kim")
LEE = Caller("lee")
OPS = Caller("olga", frozenset({Group.OPS}))

IN_TWO_WEEKS = NOON + timedelta(days=14)
ADDRESS = "서울특별시 중구 세종대로 110, 3층"
KIM_MINJI = Driver("김민지", "+821012345678", date(1990, 1, 15), "111234567801")
PARK_JUN = Driver("Park Jun", "+821087654321", date(1992, 2, 29), "129876543202", "en")
FIRST_CAR = Application(
    "first-car", 6, Handover(IN_TWO_WEEKS, ADDRESS), "tok_visa", (KIM_MINJI, PARK_JUN), "fp-1"
)
ANOTHER_BODY = replace(FIRST_CAR, months=12, fingerprint="fp-2")

CAR_1 = Car("car-0001", "12가 3456", "Casper", ("tag-0001-a", "tag-0001-b"))
CAR_2 = Car("car-0002", "34나 5678", "Ray", ("tag-0002-a",))


def sign_body(**changes: Any) -> dict[str, Any]:
    """The body of POST /v1/contracts."""
    return {
        "plan_id": "first-car",
        "months": 6,
        "handover": {"at": "2026-03-16T12:00:00+09:00", "address": ADDRESS},
        "card_token": "tok_visa",
        "drivers": [driver_body()],
        **changes,
    }


def driver_body(**changes: Any) -> dict[str, Any]:
    return {
        "name": "김민지",
        "phone": "010-1234-5678",
        "birth_date": "1990-01-15",
        "licence_no": "11-12-345678-01",
        **changes,
    }


def car_body(**changes: Any) -> dict[str, Any]:
    return {
        "car_id": "car-0001",
        "plate": "12가 3456",
        "model": "Casper",
        "key_tags": ["tag-0001-a", "tag-0001-b"],
        **changes,
    }
