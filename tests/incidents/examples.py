"""Memorable contracts, and the neighbours of this context: smart keys, contracts, and the queue."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from chalicelib.incidents.model import Incident, Key, Piece, Row, Seen
from chalicelib.incidents.service import IncidentService, Order
from chalicelib.kernel.errors import HandoverError, NotFound
from tests.conftest import Hands

OLGA = "olga"
OSCAR = "oscar"


class Crash(Exception):
    """The process is gone between two calls."""


class UnknownContract(NotFound):
    """There is no such contract."""


@dataclass(frozen=True)
class Standing:
    state: str = "preparing"
    car_id: str | None = "car-0001"


class Contracts:
    """Every contract is on its way to its handover, unless a test says otherwise."""

    def __init__(self) -> None:
        self.others: dict[str, Standing | None] = {}

    def standing(self, contract_id: str) -> Standing:
        found = self.others.get(contract_id, Standing())
        if found is None:
            raise UnknownContract()
        return found


@dataclass
class SmartKeys:
    """One grant and one text for each order. `before` and `after` may raise around the deed itself."""

    before: Callable[[str], object] = lambda _: None
    after: Callable[[str], object] = lambda _: None
    orders: dict[str, Key] = field(default_factory=dict)
    live: dict[str, str] = field(default_factory=dict)
    """contract -> grant"""
    texts: list[str] = field(default_factory=list)
    refused: dict[str, HandoverError] = field(default_factory=dict)
    unlocked: set[str] = field(default_factory=set)
    reasons: list[str] = field(default_factory=list)

    def issue(self, order: Order) -> Key:
        self.before(order.contract_id)
        if order.order_id not in self.orders:
            if problem := self.refused.get(order.contract_id):
                raise problem
            grant_id = self.live.setdefault(order.contract_id, order.grant_id)
            older = grant_id != order.grant_id
            self.orders[order.order_id] = Key(grant_id, older, order.contract_id in self.unlocked)
            self.texts.append(order.contract_id)
        self.after(order.contract_id)
        return self.orders[order.order_id]

    def revoke(self, contract_id: str, grant_id: str, by: str, reason: str) -> None:
        self.before(contract_id)
        if self.live.get(contract_id) == grant_id:
            del self.live[contract_id]
            self.reasons.append(f"{by}: {reason}")
        self.after(contract_id)


class Queue:
    """Hands out what is due, and again what was not done; after five times it lies among what failed."""

    def __init__(self, clock: Hands) -> None:
        self.clock = clock
        self.pieces: list[tuple[Piece, int]] = []
        self.failed: list[Piece] = []
        self.problems: list[Exception] = []

    def put(self, pieces: Iterable[Piece], at: datetime) -> None:
        self.pieces += [(piece, 0) for piece in pieces]

    def run(self, service: IncidentService) -> None:
        """Until nothing is left; the clock goes on from turn to turn."""
        while self.pieces:
            piece, tries = self.pieces.pop(0)
            self.clock.at = max(self.clock.at, piece.due)
            try:
                service.work(piece)
            except (HandoverError, Crash) as problem:
                self.problems.append(problem)
                if tries < 4:
                    self.pieces.append((piece, tries + 1))
                else:
                    self.failed.append(piece)


def contracts_named(count: int) -> list[str]:
    return [f"con_{number:04d}" for number in range(count)]


def opened(service: IncidentService, count: int = 3, key: str = "k1") -> Incident:
    named = contracts_named(count)
    return service.open("Key post", "the wrong keys were packed", named, OLGA, key, f"fp-{key}").value


def all_rows(service: IncidentService, seen: Seen) -> list[Row]:
    return service.rows(seen.incident, 0, seen.incident.affected)


def adds_up(service: IncidentService, incident_id: str) -> bool:
    """The funnel counts every row once, as the rows themselves say."""
    seen = service.see(incident_id)
    told: dict[str, Any] = {name: getattr(seen.funnel, name) for name in seen.funnel.__struct_fields__}
    affected = told.pop("affected")
    rows = all_rows(service, seen)
    found = dict.fromkeys(told, 0)
    for row in rows:
        name = "queued" if row.outcome.value == "issuing" else row.outcome.value
        found[name] += 1
    assert told == found
    return bool(affected == sum(told.values()) == len(rows))
