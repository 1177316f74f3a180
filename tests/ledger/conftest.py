"""Each behaviour is tested twice: on the memory stores and on DynamoDB."""

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from chalicelib.kernel.auth import Caller, Group
from chalicelib.kernel.errors import Conflict
from chalicelib.kernel.facts import Fact, fact_of
from chalicelib.kernel.money import Entry
from chalicelib.kernel.tables import AllOrNothing
from chalicelib.ledger.model import (
    Counted,
    Counts,
    Difference,
    Held,
    Pot,
    Purse,
    Record,
    Repairable,
    Reserved,
    Sponsored,
)
from chalicelib.ledger.service import BookService, RunService, SettlementService
from chalicelib.ledger.store import BookStore, RunStore, SponsorStore
from tests.conftest import NOON, Hands
from tests.ledger.memory import MemoryBooks, MemoryRuns, MemorySponsors
from tests.ledger.world import CAMPAIGN, Told, World, world_of
from tests.memory import MemoryWrite

OLGA = Caller("olga", frozenset({Group.OPS}))
OTTO = Caller("otto", frozenset({Group.OPS}))
SALLY = Caller("sally", frozenset({Group.SPONSOR}))


def told(n: int, state: str = "captured", **more: Any) -> Told:
    plain = Told(
        checkout_id=f"chk_{n}",
        customer_id="kim",
        coupon_id=f"{CAMPAIGN}.code{n}",
        shard=n % 3,
        discount=5_000,
        card=455_000,
        points=1_000,
        state=state,
        refunded=0,
        minute=n,
    )
    return replace(plain, **more)


@dataclass
class Town:
    """What the books are read against: a world of checkouts and counters, of which tests spoil one thing."""

    world: World
    purses: dict[str, Purse] = field(default_factory=dict)
    open: list[tuple[str, str]] = field(default_factory=list)
    corrected: list[tuple[Repairable, Difference]] = field(default_factory=list)
    counted: Counts = field(default_factory=Counts)
    passing: list[list[Counted]] = field(default_factory=list)
    """What the counters show to the first looks, before what they show to all later ones."""

    def records(self, checkout_ids: Collection[str]) -> dict[str, Record]:
        return {name: each for name, each in self.world.records().items() if name in checkout_ids}

    def unfinished(self) -> list[tuple[str, str]]:
        return self.open

    def budget(self, campaign_id: str) -> list[Counted]:
        if campaign_id != CAMPAIGN:
            return []
        return self.passing.pop(0) if self.passing else self.world.counters

    def counts(self, campaign_id: str) -> Counts:
        return self.counted

    def coupons(self, coupon_ids: Collection[str]) -> dict[str, Held]:
        return {name: held for name, held in self.world.held.items() if name in coupon_ids}

    def uses(self, campaign_id: str, customer_ids: Collection[str]) -> dict[str, int]:
        return {who: used for who, used in self.world.uses.items() if who in customer_ids}

    def purse(self, customer_id: str) -> Purse:
        held = {
            each.checkout_id: each.points
            for each in self.world.told
            if each.customer_id == customer_id and each.state == "reserved"
        }
        return self.purses.get(customer_id) or Purse(customer_id, held)

    def correct(self, write: Any, counter: Repairable, difference: Difference) -> None:
        if isinstance(counter, Pot):
            account = f"campaign/{counter.campaign_id}/{counter.shard}/{counter.pot}"
            holds = next(each.holds for each in self.world.counters if account in each.holds)
            if holds[account] != difference.found:
                raise Conflict()
        self.corrected.append((counter, difference))

    def spoil(self, account: str, by: int) -> str:
        """The name of the row that holds it."""
        place = next(n for n, each in enumerate(self.world.counters) if account in each.holds)
        each = self.world.counters[place]
        self.world.counters[place] = replace(each, holds=each.holds | {account: each.holds[account] + by})
        return each.item


@dataclass(frozen=True)
class Office:
    books: BookService
    runs: RunService
    settlements: SettlementService
    clock: Hands
    begin: Callable[[], Any]
    facts: Callable[[], list[Fact]]
    town: Town
    pauses: list[float]

    def post(self, *entries: Entry) -> None:
        for entry in entries:
            write = self.begin()
            self.books.store.post(write, entry)
            write.commit()

    def campaign(self, campaign_id: str = CAMPAIGN, sponsor: str | None = "acme", percent: int = 100) -> None:
        self.settlements.hear_campaign(Sponsored(campaign_id, "Spring", sponsor, percent, NOON))

    def live(self, *checkouts: Told) -> World:
        """The campaign, its checkouts and counters, all of them booked and in agreement."""
        world = world_of(list(checkouts))
        self.town.world = world
        self.campaign()
        self.post(*(row.entry for row in world.rows if row.entry))
        for record in world.records().values():
            self.refer(record)
        return world

    def refer(self, record: Record) -> None:
        who, at = record.customer_id, record.reserved_at
        reserved = Reserved(record.checkout_id, "order-1", who, record.coupon_id, None, (), 0, at)
        self.books.store.reserve(reserved)

    def run(self, campaign_id: str | None = CAMPAIGN, key: str = "k1", seconds: float = 900) -> Any:
        asked = self.runs.request(campaign_id, OLGA, key).value
        return self.runs.go_on(asked.run_id, lambda: seconds)


def stored_facts(client: Any) -> list[Fact]:
    rows = client.scan(TableName="test-ledger")["Items"]
    return [fact_of({"detail": json.loads(row["fact"]["S"])}) for row in rows if "fact" in row]


@pytest.fixture(params=["memory", "dynamodb"])
def office(request: pytest.FixtureRequest, clock: Hands, new_id: Callable[[str], str]) -> Office:
    clock.at = NOON + timedelta(days=1)
    town, pauses = Town(world_of([])), list[float]()
    stores: tuple[Any, Any, Any]
    if request.param == "dynamodb":
        client = request.getfixturevalue("dynamodb")
        stores, begin = (BookStore(), RunStore(), SponsorStore()), AllOrNothing
        facts = lambda: stored_facts(client)  # noqa: E731
    else:
        stores, begin = (MemoryBooks(), MemoryRuns(), MemorySponsors()), MemoryWrite  # type: ignore[assignment]
        facts = lambda: [*stores[0].facts, *stores[1].facts]  # noqa: E731
    books = BookService(stores[0], stores[1])
    runs = RunService(stores[1], books, stores[2], town, town, begin, clock, new_id, pause=pauses.append)
    settlements = SettlementService(stores[2], books, clock)
    return Office(books, runs, settlements, clock, begin, facts, town, pauses)
