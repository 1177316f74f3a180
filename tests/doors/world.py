"""A car, the people who may press its buttons, and a way to it that can break."""

import itertools
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from chalicelib.doors.model import (
    Ack,
    Action,
    Asked,
    Command,
    Event,
    Origin,
    Presence,
    Reading,
    Reason,
    Report,
    Sent,
    car_key,
)
from chalicelib.doors.service import DoorDesk, DoorService, Store
from chalicelib.doors.store import DoorStore
from chalicelib.kernel.audit import Line
from chalicelib.kernel.auth import Caller, Group
from chalicelib.kernel.errors import Forbidden, HandoverError, NotFound, Unauthenticated
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.tables import Look, Rows
from infra.local.car import Unit
from tests.conftest import NOON, Hands
from tests.memory import MemoryLook

MASTER = "a master secret of at least thirty-two characters"
CAR = "car-0001"
CAR_KEY = car_key(MASTER, CAR)
UNLOCK, LOCK, HORN = Action.UNLOCK, Action.LOCK, Action.HORN


class SessionOver(Unauthenticated):
    """This session is over."""


@dataclass(frozen=True)
class SmartKey:
    grant_id: str
    contract_id: str = "con_1"
    car_id: str = CAR
    actions: frozenset[str] = frozenset(Action)
    reason: str | None = None
    proven_at: datetime | None = NOON
    refusal: HandoverError | None = None

    @property
    def who(self) -> str:
        return f"customer:{self.grant_id}"


class GrantRevoked(Forbidden):
    """This smart key was ended."""


class GrantExpired(Forbidden):
    """This smart key's time is over."""


KIM = SmartKey("grt_kim")
PARTNER = SmartKey("grt_partner")
STRANGER = SmartKey("grt_stranger", contract_id="con_2")
VALET = SmartKey("grt_valet", actions=frozenset({"unlock"}))
NEWCOMER = SmartKey("grt_newcomer", car_id="car-never-seen")


HOLDERS = {"kim": KIM, "partner": PARTNER, "stranger": STRANGER, "valet": VALET, "newcomer": NEWCOMER}


@dataclass
class Holders:
    """`proven`: when everybody last proved themselves. `ended`: grants that are over, and why.

    `at_the_last_moment` runs between the log's line and the publish.
    """

    proven: datetime | None = NOON
    ended: dict[str, HandoverError] = field(default_factory=dict)
    at_the_last_moment: Callable[[], object] = lambda: None

    def holder(self, token: str | None, at: datetime) -> SmartKey:
        if token not in HOLDERS:
            raise SessionOver()
        found = HOLDERS[token]
        return replace(found, proven_at=self.proven, refusal=self.ended.get(found.grant_id))

    def of_contract(self, contract_id: str, caller: Caller, reason: str | None, at: datetime) -> SmartKey:
        self.sees(contract_id, caller, at)
        grant_id = f"grt_staff_{caller.id}" if Group.OPS in caller.groups else f"grt_{caller.id}"
        return SmartKey(grant_id, contract_id, reason=reason, proven_at=self.proven)

    def sees(self, contract_id: str, caller: Caller, at: datetime) -> None:
        if contract_id != "con_1" or (caller.id != "kim" and Group.OPS not in caller.groups):
            raise NotFound()

    def still(self, look: Rows, command: Command) -> Callable[[datetime], HandoverError | None]:
        self.at_the_last_moment()
        return lambda _: self.ended.get(command.grant_id)


class Cars:
    def exists(self, car_id: str) -> None:
        if not car_id.startswith("car-"):
            raise NotFound()


@dataclass
class Air:
    """Remembers what was published; `breaks` is raised instead, `then` runs before the publish returns."""

    published: list[tuple[str, dict[str, Any], int]] = field(default_factory=list)
    payloads: list[bytes] = field(default_factory=list)
    breaks: Exception | None = None
    then: Callable[[dict[str, Any]], object] = lambda _: None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def publish(self, car_id: str, payload: bytes, expires_in: int) -> None:
        with self.lock:
            if self.breaks is not None:
                raise self.breaks
            self.payloads.append(payload)
            self.published.append((car_id, json.loads(payload), expires_in))
        self.then(json.loads(payload))


@dataclass
class World:
    service: DoorService
    desk: DoorDesk
    holders: Holders
    store: Store
    air: Air
    clock: Hands
    facts: Callable[[], list[Fact]]
    refusals: Callable[[], list[str]]
    versions: Any = field(default_factory=itertools.count)

    def connect(self, car_id: str = CAR, online: bool = True) -> None:
        self.service.presence(Presence.of(car_id, next(self.versions), self.clock(), online=online))

    def press(self, action: Action, key: str, by: str = "kim", at: Origin | None = None) -> Command:
        return self.sent(action, key, by, at).command

    def sent(self, action: Action, key: str, by: str = "kim", at: Origin | None = None) -> Sent:
        return self.service.send(by, Asked(action, None, at, "192.0.2.7", "a phone", "trace-1"), key)

    def log(self, of: str = "commands", car_id: str = CAR) -> list[Line]:
        """Every line of a car's log, which must be whole."""
        page = self.desk.log(car_id, of, 0, 100)
        assert page.whole
        return page.lines

    def look(self, command: Command, by: str = "kim") -> Command:
        return self.service.command(by, command.command_id)

    def answer(self, command: Command, event: Event, reason: Reason | None = None, **changes: Any) -> str:
        ack = {
            "thing": command.car_id,
            "client": command.car_id,
            "command_id": command.command_id,
            "nonce": command.nonce,
            "event": event,
            "reason": reason,
            "received_at": self.clock(),
            **changes,
        }
        return self.service.ack(Ack(**ack))

    def hear(self, *, locked: bool, at: datetime | None = None, **changes: Any) -> str:
        now = self.clock()
        values = {
            "doors_open": False,
            "ignition_on": False,
            "moving": False,
            "battery_percent": 80,
            **changes,
        }
        reading = Reading(CAR, at or now, next(self.versions), now, locked, **values)
        return self.service.report(Report(CAR, CAR, now, reading))

    def settled(self) -> list[tuple[str, str | None, bool]]:
        """What the world was told, in order: state, reason, late."""
        told = [fact.data for fact in self.facts() if fact.type == "CommandSettled"]
        return [(data["state"], data["reason"], data["late"]) for data in told]

    def requested(self) -> int:
        return sum(fact.type == "CommandRequested" for fact in self.facts())


def world_of(
    store: Any,
    clock: Hands,
    new_id: Callable[[str], str],
    facts: Callable[[], list[Fact]] = list,
    refusals: Callable[[], list[str]] = list,
) -> World:
    """A car that is connected, and everybody who may use it."""
    air, holders, nonces = Air(), Holders(), itertools.count(1)
    look = Look if isinstance(store, DoorStore) else MemoryLook
    service = DoorService(
        store, holders, air, lambda: MASTER, clock, new_id, lambda: f"{next(nonces):016x}", look
    )
    desk = DoorDesk(store, Cars(), clock, new_id)
    world = World(service, desk, holders, store, air, clock, facts, refusals)
    world.connect()
    return world


def unit(car_id: str = CAR) -> Unit:
    return Unit(car_id, car_key(MASTER, car_id))
