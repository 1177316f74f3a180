"""One world of all contexts: the API, the bus between them, the sweeps, and a clock that moves them all."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
import time_machine

from chalicelib.contracts.model import label_hash
from infra.local.bank import Bank
from tests import bank
from tests.api import Api, bearer
from tests.conftest import NOON
from tests.contracts.examples import ADDRESS, car_body, driver_body, sign_body
from tests.whole.bus import Bus, function

OPS, PACKER, COURIER, AGENT = (bearer(name, name) for name in ("ops", "packer", "courier", "agent"))
SECRETS = ("preview-key", "link-key", "code-key", "command-key", "enrolment-key")
SECRET = "s" * 40
SWEEPS = ("KeysSweep", "ContractsSweep", "AppointmentsSweep", "BillingSweep", "CheckoutSweep")
A_MINUTE = SimpleNamespace(get_remaining_time_in_millis=lambda: 60_000)
HANDOVER = NOON + timedelta(days=14)


class World:
    """`world.says(...)` is one request that must succeed; after each, the bus carries what came of it."""

    def __init__(self, api: Api, clock: Any, gateway: Bank) -> None:
        self.api, self.clock, self.bank = api, clock, gateway
        self.bus = Bus()
        self.requests = 0

    def says(self, who: str, path: str, body: Any = None) -> Any:
        self.requests += 1
        answer = self.api.post(path, body or {}, by=who, key=f"request-{self.requests}")
        assert answer.status_code < 300, answer.body
        self.bus.settle()
        return answer.json_body

    def sees(self, who: str, path: str) -> Any:
        answer = self.api.get(path, by=who)
        assert answer.status_code == 200, answer.body
        return answer.json_body

    def goes_to(self, at: datetime) -> None:
        """Time passes, hour by hour at first and then by days, and every minute's sweeps with it."""
        self.clock.move_to(at, tick=False)
        for _ in range(12):
            rung = sum(function(name)({}, A_MINUTE).get("claimed", 0) for name in SWEEPS)
            self.bus.settle()
            if not rung:
                return

    def signed(self, name: str, number: int, points: int = 0) -> str:
        """A contract of this customer, verified and paid."""
        phone, licence = f"010-1234-{5600 + number:04d}", f"11-12-34567{number}-01"
        driver = driver_body(phone=phone, licence_no=licence)
        contract_id = str(
            self.says(bearer(name), "/v1/contracts", sign_body(drivers=[driver]))["contract_id"]
        )
        items = [{"kind": "contract_fee", "ref": contract_id}]
        order = {"order_id": contract_id, "items": items, "coupon_id": None, "points": points}
        checkout_id = self.says(bearer(name), "/v1/checkouts", order)["checkout_id"]
        self.says(bearer(name), f"/v1/checkouts/{checkout_id}/capture", {"card_token": "tok_visa"})
        return contract_id

    def prepared(self, name: str, number: int, points: int = 0) -> str:
        """The same with a car, its key packed and taken by the courier."""
        contract_id, car_id, tag = self.signed(name, number, points), f"car-{number:04d}", f"tag-{number:04d}"
        self.says(OPS, "/v1/ops/cars", car_body(car_id=car_id, plate=f"{number}2가 3456", key_tags=[tag]))
        self.says(OPS, f"/v1/ops/contracts/{contract_id}/assign", {"car_id": car_id, "key_tag": tag})
        for who, event in ((PACKER, "pack"), (COURIER, "handoff"), (COURIER, "out_for_delivery")):
            self.scan(who, event, tag)
        return contract_id

    def scan(self, who: str, event: str, tag: str) -> Any:
        at = self.now.isoformat()
        body = {"event": event, "key_tag": tag, "label_hash": label_hash(ADDRESS), "occurred_at": at}
        self.clock.shift(timedelta(seconds=1))
        return self.says(who, "/v1/scans", body)

    def driven(self, name: str, number: int) -> str:
        """The same with the car handed over, and its key in the customer's hand."""
        contract_id, tag = self.prepared(name, number), f"tag-{number:04d}"
        self.scan(COURIER, "delivered", tag)
        self.says(bearer(name), f"/v1/contracts/{contract_id}/key/receipt", {"key_tag": tag})
        self.goes_to(HANDOVER - timedelta(hours=1))
        self.partner(contract_id, "depart")
        self.partner(contract_id, "arrived", position={"lat": 37.5663, "lon": 126.9779}, tariff_per_hour=4000)
        self.goes_to(HANDOVER)
        self.partner(contract_id, "handover_ok")
        return contract_id

    def partner(self, contract_id: str, event: str, **more: Any) -> Any:
        (open_one,) = (
            each
            for each in self.sees(OPS, f"/v1/contracts/{contract_id}/appointments")["appointments"]
            if each["state"] not in ("handed_over", "returned", "cancelled")
        )
        at = self.now.isoformat()
        self.clock.shift(timedelta(seconds=1))
        path = f"/v1/appointments/{open_one['appointment_id']}/events"
        return self.says(AGENT, path, {"event": event, "occurred_at": at, **more})

    def taken(self) -> list[int]:
        """Every amount the bank took."""
        return [payment["amount"] for payment in self.bank.listing()["payments"]]

    def kept(self) -> int:
        """What of it was not given back."""
        return sum(payment["left"] for payment in self.bank.listing()["payments"])

    @property
    def now(self) -> datetime:
        return datetime.now(UTC)

    def contract(self, contract_id: str) -> Any:
        return self.sees(OPS, f"/v1/contracts/{contract_id}")


@pytest.fixture
def world(api: Any) -> Iterator[World]:
    secrets = boto3.client("secretsmanager")
    for name in SECRETS:
        secrets.create_secret(Name=f"test/handover/{name}", SecretString=SECRET)
    boto3.client("s3").create_bucket(
        Bucket="test-handover-documents",
        CreateBucketConfiguration={"LocationConstraint": "ap-northeast-2"},
    )
    with time_machine.travel(NOON, tick=False) as clock:
        yield World(api, clock, bank.fresh())
