"""Each behaviour is tested twice: on the memory store and on DynamoDB."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from chalicelib.billing.model import Book, Ledger
from chalicelib.billing.schemas import heard
from chalicelib.billing.service import BillingService, Store
from chalicelib.billing.store import BillingStore
from chalicelib.kernel.facts import Fact, fact_of
from tests.billing.examples import KIM
from tests.billing.memory import Contracts, Gateway, MemoryBilling
from tests.conftest import Hands


@dataclass
class World:
    """A billing service, its store, its gateway and its clock."""

    store: Store
    clock: Hands
    facts: Callable[[], list[Fact]]
    gateway: Gateway = field(default_factory=Gateway)
    contracts: Contracts = field(default_factory=Contracts)

    @property
    def service(self) -> BillingService:
        return BillingService(self.store, self.contracts, self.gateway, self.clock)

    def hear(self, *facts: Fact) -> None:
        for fact in facts:
            self.service.hear(*heard(fact))

    def tick(self, **by: float) -> None:
        """Time passes, and what is due is rung until nothing is."""
        self.clock.move(**by)
        rings = sum(1 for _ in itertools.takewhile(self.service.ring, itertools.repeat(KIM, 50)))
        assert rings < 50, "the ringing finds no end"

    def days(self, count: int) -> None:
        for _ in range(count):
            self.tick(days=1)

    @property
    def book(self) -> Book:
        book = self.store.book(KIM)
        assert book
        return book

    def balance(self, account: Ledger = Ledger.RECEIVABLE) -> int:
        return self.book.on(account)

    def said(self, *kinds: str) -> list[str]:
        return [fact.type for fact in self.facts() if not kinds or fact.type in kinds]


def memory_world(clock: Hands) -> World:
    store = MemoryBilling()
    return World(store, clock, lambda: list(store.published))


def dynamodb_world(clock: Hands, client: Any) -> World:
    def facts() -> list[Fact]:
        rows = client.scan(TableName="test-billing")["Items"]
        said = [msgspec.json.decode(row["fact"]["S"]) for row in rows if "fact" in row]
        return sorted((fact_of({"detail": each}) for each in said), key=lambda fact: fact.time)

    return World(BillingStore(), clock, facts)


@pytest.fixture(params=["memory", "dynamodb"])
def world(request: pytest.FixtureRequest, clock: Hands) -> World:
    if request.param == "dynamodb":
        return dynamodb_world(clock, request.getfixturevalue("dynamodb"))
    return memory_world(clock)
