"""The way to the cars and back: a broker that keeps messages for sleeping cars until they expire, radio that
loses, repeats, delays and reorders, and reference cars whose clocks are wrong."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from infra.local.car import Body, Memory, Unit
from tests.bench.road.hours import Hours
from tests.conftest import NOON

EPOCH_MS = round(NOON.timestamp() * 1000)
LAST_MILE_MS = 20_000
"""The longest a message is on the air after it left the broker."""
NOTICED_MS = 45_000
"""The broker believes in a connection so long after it broke: one and a half times its keep-alive."""
STATE_EVERY_MS = 60_000


@dataclass(frozen=True)
class Execution:
    """`at` by true time, `own` by the car's clock; both and the envelope's times in epoch milliseconds."""

    car_id: str
    command_id: str
    action: str
    counter: int
    issued_at: int
    expires_at: int
    at: int
    own: int
    replayed: bool
    """Somebody else than the service sent it, and it was a true copy."""


@dataclass(frozen=True)
class Nature:
    """What a car is like. `skew`: its clock's error; `awake` and `asleep`: the usual lengths, all in ms.
    `cut`: how often its power fails, at each side of each write to its memory."""

    skew: int = 0
    awake: int = 1_200_000
    asleep: int = 60_000
    lossy: float = 0.05
    cut: float = 0.002


def natures(drawn: Random) -> Nature:
    """Most clocks are right within a second; some err within what the protocol tolerates, some far beyond."""
    chance = drawn.random()
    reach = 1_000 if chance < 0.6 else 4_500 if chance < 0.85 else 90_000
    skew = int(drawn.uniform(-reach, reach))
    if drawn.random() < 0.3:
        return Nature(skew, 200_000, 400_000, 0.1)
    return Nature(skew)


STEADY = Nature(lossy=0, cut=0)


class PowerCut(Exception):
    """The unit stops here, and starts again with what its memory had kept."""


class Flash(Memory):
    """A unit's memory, in which the power may fail: before a word is kept, or after."""

    fails: Callable[[], bool] = staticmethod(lambda: False)

    def keep(self, counter: int, answer: dict[str, Any]) -> None:
        if self.fails():
            raise PowerCut()
        super().keep(counter, answer)
        if self.fails():
            raise PowerCut()


class Doors(Body):
    """A body that tells when it really did something."""

    did: Callable[[str], None] = staticmethod(lambda _: None)

    def act(self, action: str) -> tuple[str, str | None]:
        status, reason = super().act(action)
        if status != "rejected":
            self.did(action)
        return status, reason


@dataclass(frozen=True)
class Message:
    """On its way to a car; `expires` in true ms. `ours`: the service sent it."""

    car_id: str
    payload: bytes
    expires: int
    ours: bool = True


class Broker:
    """`cars` by id. What it accepted is delivered at least once, unless it expires or the session is lost."""

    expires = True

    def __init__(self, hours: Hours, drawn: Random) -> None:
        self.hours = hours
        self.cars: dict[str, Car] = {}
        self.captured: list[tuple[str, bytes]] = []
        """What somebody who listens in could have kept."""
        self._drawn = drawn
        self._queues: dict[str, list[Message]] = {}

    def publish(self, car_id: str, payload: bytes, expires_in: int) -> None:
        self.captured.append((car_id, payload))
        self.carry(Message(car_id, payload, self.hours.now + expires_in * 1000))

    def carry(self, message: "Message") -> None:
        car = self.cars[message.car_id]
        if not car.connected:
            self._queues.setdefault(car.car_id, []).append(message)
            return
        for delay in self._deliveries():
            self.hours.later(delay, lambda: self._arrive(car, message))

    def _deliveries(self) -> list[int]:
        drawn = self._drawn
        times = 2 if drawn.random() < 0.05 else 1
        return [delay(drawn) for _ in range(times)]

    def _arrive(self, car: "Car", message: "Message") -> None:
        """Broken off on the way, it is sent again when the car is back."""
        if car.connected:
            car.hear(message)
        else:
            self._queues.setdefault(car.car_id, []).append(message)

    def connected(self, car: "Car", session_kept: bool) -> None:
        waiting = self._queues.pop(car.car_id, [])
        if not session_kept:
            return
        for message in waiting:
            if self.hours.now < message.expires or not self.expires:
                self.carry(message)


def delay(drawn: Random) -> int:
    """Mostly a moment, now and then so long that it comes after others, or too late."""
    chance = drawn.random()
    longest = 300 if chance < 0.9 else 8_000 if chance < 0.98 else LAST_MILE_MS
    return 20 + int(drawn.random() * (longest - 20))


class Car:
    """A reference unit in a world. `says`: car, topic and message that the broker hands to the rules."""

    def __init__(
        self,
        car_id: str,
        unit: Callable[..., Unit],
        key: str,
        nature: Nature,
        broker: Broker,
        says: Callable[[str, str, dict[str, Any]], None],
        drawn: Random,
    ) -> None:
        self.car_id, self.nature, self.connected = car_id, nature, False
        self.version = -1
        self.executions: list[Execution] = []
        self.moves: list[tuple[int, bool]] = []
        """When it was locked or unlocked, by whatever: true time, and whether it was locked from then on."""
        self._build, self._key, self._broker, self._says, self._drawn = unit, key, broker, says, drawn
        self._hours = broker.hours
        self._unsaid: list[tuple[str, dict[str, Any]]] = []
        self._body, self._memory = Doors(), Flash("")
        self._body.did = self._executed
        self._memory.fails = lambda: drawn.random() < self.nature.cut
        self._hearing = Message(car_id, b"", 0)
        self._start()
        self._note()
        broker.cars[car_id] = self

    def _start(self) -> None:
        self.unit = self._build(self.car_id, self._key, self._body, self._memory)

    @property
    def own(self) -> int:
        """Its clock, epoch milliseconds."""
        return EPOCH_MS + self._hours.now + self.nature.skew

    def connect(self) -> None:
        if self._drawn.random() < 0.2:  # it was switched off meanwhile; its memory stays
            self._start()
        self.connected = True
        self.version += 1
        self._tell_presence("connected", self.version, delay(self._drawn))
        self._broker.connected(self, session_kept=self._drawn.random() > 0.1)
        unsaid, self._unsaid = self._unsaid, []
        for topic, message in unsaid:
            self.say(topic, message)
        self.report()

    def disconnect(self) -> None:
        self.connected = False
        noticed = int(self._drawn.random() * NOTICED_MS) if self._drawn.random() < 0.5 else 100
        self._tell_presence("disconnected", self.version, noticed + delay(self._drawn))

    def _tell_presence(self, event: str, version: int, after: int) -> None:
        at = EPOCH_MS + self._hours.now
        told = {"client_id": self.car_id, "event": event, "at": at, "version": version}
        for extra in (0, 7_000) if self._drawn.random() < 0.05 else (0,):
            self._hours.later(after + extra, lambda: self._says(self.car_id, "presence", told))

    def live(self, until: int) -> None:
        """A process: awake, asleep, awake..."""
        self.connect()
        while self._hours.now < until:
            self._hours.pause(1 + int(self._drawn.expovariate(1 / self.nature.awake)))
            self.disconnect()
            usual = self.nature.asleep if self._drawn.random() < 0.7 else 5_000
            self._hours.pause(1 + int(self._drawn.expovariate(1 / usual)))
            self.connect()

    def beat(self, until: int) -> None:
        """A process: its regular reports, and what people do to the car by hand."""
        while self._hours.now < until:
            self._hours.pause(STATE_EVERY_MS)
            self._body.door_open = self._drawn.random() < 0.05
            self._body.moving = self._drawn.random() < 0.05
            if self._drawn.random() < 0.05:
                self._body.locked = not self._body.locked
                self._note()
            self.report()

    def hear(self, message: Message) -> None:
        self._hearing = message
        try:
            answer = self.unit.receive(message.payload, self.own)
        except PowerCut:
            self._start()
            self._hours.later(2_000, lambda: self._broker.carry(message))  # nobody has told the broker
            return
        if answer is None:
            return
        if self._drawn.random() < 0.1:
            self.say("acks", {**answer, "status": "received"})
            self._hours.later(int(self._drawn.random() * 20_000), lambda: self._answer(answer))
        else:
            self._answer(answer)

    def _answer(self, answer: dict[str, Any]) -> None:
        self.say("acks", answer)
        self.report()

    def _executed(self, action: str) -> None:
        self._note()
        command = json.loads(self._hearing.payload)
        self.executions.append(
            Execution(
                self.car_id,
                command["command_id"],
                action,
                command["counter"],
                command["issued_at"],
                command["expires_at"],
                EPOCH_MS + self._hours.now,
                self.own,
                not self._hearing.ours,
            )
        )

    def _note(self) -> None:
        self.moves.append((self._hours.now, self._body.locked))

    def report(self) -> None:
        self.say("state", self.unit.state(self.own))

    def say(self, topic: str, message: dict[str, Any]) -> None:
        """Kept until it is connected again, unless it is lost; also twice, and out of order."""
        if self._drawn.random() < self.nature.lossy:
            return
        if not self.connected:
            if topic == "acks":
                self._unsaid.append((topic, message))
            return
        for _ in range(2 if self._drawn.random() < 0.04 else 1):
            self._hours.later(delay(self._drawn), lambda: self._says(self.car_id, topic, message))
