"""Each behaviour is tested twice: on the memory store and on DynamoDB."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from chalicelib.kernel.auth import Caller
from chalicelib.kernel.facts import Fact, fact_of
from chalicelib.keys.gateway import SignedCarriers
from chalicelib.keys.model import Happened, Heard, History, Position, Receipt, Scan, Told
from chalicelib.keys.service import KeyService, Store, shipment_id_of
from chalicelib.keys.store import KeyStore
from tests.conftest import Hands
from tests.keys.examples import (
    COURIER,
    EASYPOST,
    PACKER,
    Contracts,
    Relief,
    aftership,
    easypost,
    handoff,
    pack,
    secret,
    signature,
)
from tests.keys.memory import MemoryKeys


@dataclass
class World:
    """A keys service, its store, its clock, and what it asks of contracts."""

    service: KeyService
    store: Store
    clock: Hands
    contracts: Contracts
    facts_of_store: Callable[[], list[Fact]]
    relief: Relief

    def plan(self, *names: str) -> None:
        for name in names or ("kim",):
            self.service.plan(f"con_{name}")

    def take_tag(self, name: str, key_tag: str) -> None:
        """This contract's key is the one with that tag."""
        delivery = self.contracts.delivery(f"con_{name}")
        self.contracts.changed[f"con_{name}"] = replace(delivery, key_tag=key_tag)

    def scan(self, scan: Scan, by: Caller | None = None) -> Told:
        return self.service.scan(scan, by or (PACKER if scan.event == "pack" else COURIER))

    def scan_word(self, word: str, name: str = "kim", by: Caller = COURIER) -> Told:
        return self.scan(Scan(word, f"tag-{name}", "", self.clock()), by)

    def on_the_way(self) -> None:
        """Kim's key, planned, packed and handed over now."""
        self.plan()
        self.scan(pack(self.clock()))
        self.scan(handoff(self.clock()))

    def hear(self, *details: tuple[datetime, str], number: str = EASYPOST.number) -> Heard:
        raw = easypost(number, *details)
        return self.service.carrier_event("easypost", raw, signature("easypost", raw))

    def hear_aftership(self, number: str, *points: tuple[datetime, str, Position | None]) -> Heard:
        raw = aftership(number, *points)
        return self.service.carrier_event("aftership", raw, signature("aftership", raw))

    def says(self, by: Caller, key_tag: str | None, key: str = "k1", contract_id: str = "") -> Told:
        return self.service.receipt(contract_id or f"con_{by.id}", Receipt(key_tag), by, key)

    def says_by_name(self, name: str, key_tag: str | None) -> Told:
        return self.says(Caller(name), key_tag)

    def history(self, name: str = "kim") -> History:
        history = self.store.history(shipment_id_of(f"con_{name}"))
        assert history is not None
        return history

    def in_order(self, name: str = "kim") -> list[Happened]:
        return sorted(self.history(name).log, key=lambda each: each.order)

    def state(self, name: str = "kim") -> str:
        return self.history(name).shipment.state.value

    def facts(self) -> list[Fact]:
        """Every fact written of shipments so far, oldest first."""
        told = [fact for fact in self.facts_of_store() if fact.type.startswith("KeyShipment")]
        return sorted(told, key=lambda fact: (fact.time, fact.data["occurred_at"]))

    def facts_named(self, *names: str) -> list[Fact]:
        return sorted((each for each in self.facts_of_store() if each.type in names), key=lambda it: it.time)

    def swept(self) -> list[int]:
        """What each sweep takes until nothing is due."""
        taken = []
        while (report := self.service.sweep()).found:
            taken.append(report.claimed)
        return taken

    def said(self) -> list[str]:
        return [fact.type for fact in self.facts()]

    def at_once(self, count: int, act: Callable[[], object]) -> None:
        """`act` so many times, in threads."""
        with ThreadPoolExecutor(count) as threads:
            for running in [threads.submit(act) for _ in range(count)]:
                running.result()


def memory_world(clock: Hands) -> World:
    store, contracts, relief = MemoryKeys(), Contracts(), Relief()
    service = KeyService(store, contracts, SignedCarriers(secret), relief, clock)
    return World(service, store, clock, contracts, lambda: list(store.published), relief)


def stored_facts(client: Any) -> list[Fact]:
    pages = client.get_paginator("scan").paginate(TableName="test-keys")
    rows = [row for page in pages for row in page["Items"]]
    return [fact_of({"detail": msgspec.json.decode(row["fact"]["S"])}) for row in rows if "fact" in row]


def dynamodb_world(clock: Hands, client: Any) -> World:
    store, contracts, relief = KeyStore(), Contracts(), Relief()
    service = KeyService(store, contracts, SignedCarriers(secret), relief, clock)
    return World(service, store, clock, contracts, lambda: stored_facts(client), relief)


@pytest.fixture(params=["memory", "dynamodb"])
def world(request: pytest.FixtureRequest, clock: Hands) -> World:
    if request.param == "dynamodb":
        return dynamodb_world(clock, request.getfixturevalue("dynamodb"))
    return memory_world(clock)
