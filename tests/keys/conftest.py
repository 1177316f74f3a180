"""Each behaviour is tested twice: on the memory store and on DynamoDB."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import pytest

from chalicelib.kernel.auth import Caller
from chalicelib.kernel.facts import Fact, fact_of
from chalicelib.keys.gateway import SignedCarriers
from chalicelib.keys.model import Heard, History, Receipt, Scan, Told
from chalicelib.keys.service import KeyService, Store, shipment_id_of
from chalicelib.keys.store import KeyStore
from tests.conftest import Hands
from tests.keys.examples import (
    COURIER,
    EASYPOST,
    PACKER,
    Contracts,
    easypost,
    handoff,
    pack,
    secret,
    signature,
)
from tests.keys.memory import MemoryKeys


@dataclass
class World:
    """A keys service, its store, and its clock."""

    service: KeyService
    store: Store
    clock: Hands
    facts_of_store: Callable[[], list[Fact]]

    def plan(self, *names: str) -> None:
        for name in names or ("kim",):
            self.service.plan(f"con_{name}")

    def scan(self, scan: Scan, by: Caller | None = None) -> Told:
        return self.service.scan(scan, by or (PACKER if scan.event == "pack" else COURIER))

    def on_the_way(self) -> None:
        """Kim's key, planned, packed and handed over now."""
        self.plan()
        self.scan(pack(self.clock()))
        self.scan(handoff(self.clock()))

    def hear(self, *details: tuple[datetime, str], number: str = EASYPOST.number) -> Heard:
        raw = easypost(number, *details)
        return self.service.carrier_event("easypost", raw, signature("easypost", raw))

    def says(self, by: Caller, key_tag: str | None, key: str = "k1") -> Told:
        return self.service.receipt(f"con_{by.id}", Receipt(key_tag), by, key)

    def history(self, name: str = "kim") -> History:
        history = self.store.history(shipment_id_of(f"con_{name}"))
        assert history is not None
        return history

    def state(self, name: str = "kim") -> str:
        return self.history(name).shipment.state.value

    def facts(self) -> list[Fact]:
        """Every fact written so far, oldest first."""
        return sorted(self.facts_of_store(), key=lambda fact: (fact.time, fact.data["occurred_at"]))

    def said(self) -> list[str]:
        return [fact.type for fact in self.facts()]


def memory_world(clock: Hands) -> World:
    store = MemoryKeys()
    service = KeyService(store, Contracts(), SignedCarriers(secret), clock)
    return World(service, store, clock, lambda: list(store.published))


def stored_facts(client: Any) -> list[Fact]:
    rows = client.scan(TableName="test-keys")["Items"]
    return [fact_of({"detail": msgspec.json.decode(row["fact"]["S"])}) for row in rows if "fact" in row]


def dynamodb_world(clock: Hands, client: Any) -> World:
    store = KeyStore()
    service = KeyService(store, Contracts(), SignedCarriers(secret), clock)
    return World(service, store, clock, lambda: stored_facts(client))


@pytest.fixture(params=["memory", "dynamodb"])
def world(request: pytest.FixtureRequest, clock: Hands) -> World:
    if request.param == "dynamodb":
        return dynamodb_world(clock, request.getfixturevalue("dynamodb"))
    return memory_world(clock)
