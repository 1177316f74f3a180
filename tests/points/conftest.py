"""Each behaviour is tested twice: on the memory store and on DynamoDB."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
import pytest

from chalicelib.kernel.done import Done
from chalicelib.kernel.facts import Fact, fact_of
from chalicelib.kernel.money import balances
from chalicelib.kernel.tables import AllOrNothing
from chalicelib.points.model import (
    Booked,
    Conversion,
    Draw,
    Kind,
    Movement,
    Rental,
    Wallet,
    What,
    Wish,
    first_car,
    lot_until,
)
from chalicelib.points.service import AwardService, ConversionService, PointService, PointTimers
from chalicelib.points.store import PointStore
from tests.conftest import Hands
from tests.memory import MemoryWrite
from tests.points.memory import MemoryPoints
from tests.points.office import Office

KIM = "kim"


@dataclass
class Contracts:
    rentals: dict[str, Rental] = field(default_factory=dict)

    def rental(self, contract_id: str) -> Rental:
        return self.rentals[contract_id]


@dataclass
class World:
    store: Any
    points: PointService
    awards: AwardService
    conversions: ConversionService
    timers: PointTimers
    contracts: Contracts
    office: Office
    clock: Hands
    facts: Callable[[], list[Fact]]

    def give(self, points: int, until: datetime, kind: Kind = Kind.GIVEN, who: str = KIM) -> str:
        """Into a lot that lasts to the end of that month."""
        lot = lot_until(until, self.clock())[:4] + kind.value

        def attempt(wallet: Wallet) -> None:
            cause = f"test/{wallet.entries}"
            self.commit(wallet.granted(points, lot, cause, What.GRANTED, self.clock(), {}))

        self.points.changing(who, attempt)
        return lot

    def drove(self, *customers: str) -> None:
        """They once had a car; the points for it are long gone."""
        for who in customers:
            write = self.points.begin()
            self.store.once(write, Booked(first_car(who)))
            write.commit()

    def commit(self, change: Any) -> None:
        write = self.points.begin()
        self.points.store.change(write, change)
        write.commit()

    def hold(self, checkout_id: str, points: int, who: str = KIM) -> Draw:
        def attempt(wallet: Wallet, draw: Draw) -> Draw:
            write = self.points.begin()
            self.points.hold(write, wallet, draw, checkout_id)
            write.commit()
            return draw

        return self.points.spending(who, points, attempt)

    def step(self, what: str, draw: Draw, *given: str, who: str = KIM) -> None:
        """capture, release or refund."""

        def attempt(wallet: Wallet) -> None:
            write = self.points.begin()
            getattr(self.points, what)(write, wallet, draw, *given, self.clock())
            write.commit()

        self.points.changing(who, attempt)

    def spend(self, checkout_id: str, points: int, who: str = KIM) -> Draw:
        draw = self.hold(checkout_id, points, who)
        self.step("capture", draw, checkout_id, who=who)
        return draw

    def convert(
        self, points: int = 1_000, key: str = "k1", partner: str = "hanbit", account: str = "M-12345678"
    ) -> Done[Conversion]:
        wish = Wish(partner, account, points, f"{partner} {account} {points}")
        return self.conversions.convert(wish, KIM, key)

    def balance(self, who: str = KIM) -> int:
        return self.points.wallet(who).balance(self.clock())

    def lots(self, who: str = KIM) -> dict[str, int]:
        return dict(self.points.wallet(who).lots)

    def entries(self, who: str = KIM) -> list[Movement]:
        return self.points.entries(who, 100)

    def pots(self, who: str = KIM) -> Counter[str]:
        """What each account holds by all entries; proven against the wallet on the way."""
        witness = self.points.witness(who)
        assert not witness.differences
        assert witness.stored == witness.rebuilt
        found = balances(movement.entry for movement in self.entries(who))
        return Counter({account.rpartition("/")[2]: points for account, points in found.items()})


def drove(who: str = KIM) -> None:
    """As `World.drove`, of the application's own points."""
    store, write = PointStore(), AllOrNothing()
    store.once(write, Booked(first_car(who)))
    write.commit()


def memory_begin(attempts: int = 5) -> MemoryWrite:
    return MemoryWrite()


def nothing(seconds: float) -> None:
    pass


def stored_facts(client: Any) -> list[Fact]:
    rows = [row for row in client.scan(TableName="test-points")["Items"] if "fact" in row]
    rows.sort(key=lambda row: (row["pk"]["S"], row["sk"]["S"]))
    return [fact_of({"detail": msgspec.json.decode(row["fact"]["S"])}) for row in rows]


def world_on(store: Any, begin: Any, clock: Hands, new_id: Any, facts: Callable[[], list[Fact]]) -> World:
    contracts, office = Contracts(), Office()
    points = PointService(store, begin, clock, new_id, nothing)
    conversions = ConversionService(store, points, office, clock)
    awards = AwardService(store, points, contracts, clock)
    timers = PointTimers(points, conversions)
    return World(store, points, awards, conversions, timers, contracts, office, clock, facts)


def memory_world(clock: Hands, new_id: Callable[[str], str]) -> World:
    store = MemoryPoints()
    return world_on(store, memory_begin, clock, new_id, lambda: list(store.facts))


def stored_world(client: Any, clock: Hands, new_id: Callable[[str], str]) -> World:
    return world_on(PointStore(), AllOrNothing, clock, new_id, lambda: stored_facts(client))


@pytest.fixture(params=["memory", "dynamodb"])
def world(request: pytest.FixtureRequest, clock: Hands, new_id: Callable[[str], str]) -> World:
    if request.param == "memory":
        return memory_world(clock, new_id)
    return stored_world(request.getfixturevalue("dynamodb"), clock, new_id)
