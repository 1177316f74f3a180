"""A car, the people who may press its buttons, and a way to it that can break."""

import itertools
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from chalicelib.doors.model import (
    Ack,
    Action,
    Command,
    Event,
    Presence,
    Reading,
    Reason,
    Report,
    Sent,
    car_key,
)
from chalicelib.doors.service import DoorService, Store
from chalicelib.kernel.errors import Unauthenticated
from chalicelib.kernel.facts import Fact
from infra.local.car import Unit
from tests.conftest import Hands

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


KIM = SmartKey("grt_kim")
PARTNER = SmartKey("grt_partner")
STRANGER = SmartKey("grt_stranger", contract_id="con_2")
VALET = SmartKey("grt_valet", actions=frozenset({"unlock"}))
NEWCOMER = SmartKey("grt_newcomer", car_id="car-never-seen")


HOLDERS = {"kim": KIM, "partner": PARTNER, "stranger": STRANGER, "valet": VALET, "newcomer": NEWCOMER}


class Holders:
    def holder(self, token: str | None, at: datetime) -> SmartKey:
        if token not in HOLDERS:
            raise SessionOver()
        return HOLDERS[token]


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
    store: Store
    air: Air
    clock: Hands
    facts: Callable[[], list[Fact]]
    refusals: Callable[[], list[str]]
    versions: Any = field(default_factory=itertools.count)

    def connect(self, car_id: str = CAR, online: bool = True) -> None:
        self.service.presence(Presence.of(car_id, next(self.versions), self.clock(), online=online))

    def press(self, action: Action, key: str, by: str = "kim") -> Command:
        return self.sent(action, key, by).command

    def sent(self, action: Action, key: str, by: str = "kim") -> Sent:
        return self.service.send(by, action, key)

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


def unit(car_id: str = CAR) -> Unit:
    return Unit(car_id, car_key(MASTER, car_id))
