"""Memorable people, cars and contracts for the tests of this context."""

import json
from collections.abc import Iterator
from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any

from msgspec.structs import replace

from chalicelib.contracts.model import Application, Assignment, Captured, Car, Contract, Driver, Handover
from chalicelib.contracts.service import ContractService, Wish
from chalicelib.kernel.auth import Caller, Group
from tests.conftest import NOON, ROOT

KIM = Caller("kim")
LEE = Caller("lee")
OPS = Caller("olga", frozenset({Group.OPS}))
AGENT = Caller("agnes", frozenset({Group.AGENT}))

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
CAR_1_KEY_A = Assignment("car-0001", "tag-0001-a")
CAR_2_KEY_A = Assignment("car-0002", "tag-0002-a")


def paid_checkout(contract_id: str, amount: int = 460_000, checkout_id: str = "chk_1") -> Captured:
    return Captured(checkout_id, f"pay_{checkout_id}", ((contract_id, amount),), amount)


def confirmed(contract_id: str, amount: int = 460_000, service: ContractService | None = None) -> None:
    """Verifies and pays a contract that was signed: what else happens between signing and assigning."""
    from chalicelib import wiring

    service = service or wiring.contracts()
    service.verify(contract_id)
    service.captured(paid_checkout(contract_id, amount))


def samples_played() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """The sample requests of contracts and their answers, in order; between them, what else happens."""
    from app import app
    from chalicelib import wiring

    contract_id = ""
    for sample in sorted((ROOT / "events" / "http").glob("contracts-*.json")):
        event = json.loads(sample.read_text())
        answer = app(event, SimpleNamespace())
        assert answer["statusCode"] < 300, (sample.name, answer["body"])
        yield event, answer
        if sample.stem == "contracts-4-sign":
            contract_id = json.loads(answer["body"])["contract_id"]
            confirmed(contract_id)
        elif sample.stem == "contracts-8-list":
            service = wiring.contracts()
            service.register_car(CAR_2)
            service.access_proven(contract_id, NOON)
            service.handed_over(contract_id, NOON)


def assigned_by_samples() -> str:
    """Plays the samples of contracts up to the assignment, payment included; the contract they tell of."""
    for event, answer in samples_played():
        if event["resource"].endswith("/assign"):
            return str(json.loads(answer["body"])["contract_id"])
    raise AssertionError("no sample assigns")


class Story:
    """One contract on its way, told through its service; each chapter begins where the one before ended."""

    def __init__(self, service: ContractService, application: Application = FIRST_CAR) -> None:
        self.service = service
        service.register_car(CAR_1)
        service.register_car(CAR_2)
        self.id = service.sign(application, by=KIM, key="k1").value.contract_id

    @property
    def now(self) -> Contract:
        found = self.service.store.find(self.id)
        assert found is not None
        return found

    def confirmed(self) -> "Story":
        confirmed(self.id, service=self.service)
        return self

    def preparing(self) -> "Story":
        self.confirmed().service.assign(self.id, CAR_1_KEY_A)
        return self

    def ready(self) -> "Story":
        self.preparing().service.access_proven(self.id, IN_TWO_WEEKS - timedelta(days=1))
        return self

    def active(self) -> "Story":
        self.ready().service.handed_over(self.id, IN_TWO_WEEKS)
        return self

    def swapping(self) -> "Story":
        self.active().service.swap(self.id, asks("swap"), "defect")
        return self

    def due_back(self) -> "Story":
        self.active().service.breach(self.id, asks("breach", by=OPS))
        return self

    def inspection(self) -> "Story":
        self.due_back().service.received(self.id, IN_TWO_WEEKS + timedelta(days=1))
        return self

    def settling(self) -> "Story":
        self.inspection().service.inspect(self.id, asks("inspect", by=AGENT), [])
        return self


def asks(words: str, by: Caller = KIM, key: str | None = None, **more: Any) -> Wish:
    return Wish(by, key or words, words, **more)


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
