"""Does the judge see anything? Each guard is taken away in turn, and the road has to notice.

Some guards stand behind one another; of those, one alone may go unnoticed (`held_by` says what holds), and
both together may not.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from dataclasses import replace as with_
from random import Random
from typing import Any

from msgspec.structs import replace

from chalicelib.doors.model import Ack, CarTaken, KeyTaken, MovedOn, Reason, Stop
from chalicelib.kernel.tables import LogMoved
from infra.local.car import Unit
from tests.bench.road.air import Broker, Nature
from tests.bench.road.crashes import SCENES, play, unharmed
from tests.bench.road.crowd import crowd
from tests.bench.road.keys import Grant, Grants
from tests.bench.road.truths import TRUTHS
from tests.bench.road.world import HOUR_MS, Kit, World
from tests.doors.memory import MemoryDoors


class Credulous(Unit):
    def _signature(self, command: dict[str, Any]) -> str:
        return str(command["sig"])


class Timeless(Unit):
    def _out_of_time(self, command: dict[str, Any], at: int) -> str | None:
        return None


class Uncounting(Unit):
    def _objection(self, command: dict[str, Any], at: int) -> str | None:
        self.memory.counter = 0
        return super()._objection(command, at)


class Forgetful(Unit):
    def _objection(self, command: dict[str, Any], at: int) -> str | None:
        self.memory.answers.clear()
        return super()._objection(command, at)


class Mindless(Forgetful, Uncounting): ...


class Hasty(Unit):
    """Acts first, and then remembers."""

    def __init__(self, car_id: str, key: str, body: Any, memory: Any) -> None:
        super().__init__(car_id, key, body, Late(memory))  # type: ignore[arg-type]


class Late:
    def __init__(self, memory: Any) -> None:
        self._memory = memory

    def __getattr__(self, name: str) -> Any:
        return getattr(self._memory, name)

    def keep(self, counter: int, answer: dict[str, Any]) -> None:
        if answer.get("reason") != "DEVICE_FAULT":
            self._memory.keep(counter, answer)


def worn_out(drawn: Random) -> Nature:
    """Its power fails often."""
    return Nature(cut=0.1)


class Hoarder(Broker):
    expires = False


class Repeating(Broker):
    def publish(self, car_id: str, payload: bytes, expires_in: int) -> None:
        super().publish(car_id, payload, expires_in)
        super().publish(car_id, payload, expires_in)


class Leaseless(MemoryDoors):
    def car(self, car_id: str) -> Any:
        car = super().car(car_id)
        return replace(car, control=replace(car.control, command_id=None, lease_until=None))


class Raceable(MemoryDoors):
    def open(self, command: Any, seen: Any, line: Any, private: Any, fact: Any) -> None:
        try:
            super().open(command, seen, line, private, fact)
        except (CarTaken, LogMoved):
            self.commands.update({command.command_id: command})
            car = self.car(command.car_id)
            self.cars[command.car_id] = replace(car, control=seen.taken_by(command, line))
            self.logs[line.log].append(line)
            self.facts.append(fact)


class Keyless(MemoryDoors):
    def open(self, command: Any, *rest: Any) -> None:
        try:
            super().open(command, *rest)
        except KeyTaken:
            del self.commands[command.command_id]
            super().open(command, *rest)


class Unwritten(MemoryDoors):
    def open(self, command: Any, seen: Any, line: Any, *rest: Any) -> None:
        super().open(command, seen, line, *rest)
        self.logs[line.log].pop()


class Stateless(MemoryDoors):
    """A move from any state; the command's log still takes one line at a time."""

    def move(self, after: Any, event: Any, line: Any, fact: Any) -> None:
        try:
            super().move(after, event, line, fact)
        except MovedOn:
            if line.no <= len(self.logs[line.log]):
                raise LogMoved() from None
            self._overwrite(after, line, fact)

    def _overwrite(self, after: Any, line: Any, fact: Any) -> None:
        self.commands.update({after.command_id: after})
        self.logs[line.log].append(line)
        self.facts += [fact] if fact else []


class Unconditional(Stateless):
    def move(self, after: Any, event: Any, line: Any, fact: Any) -> None:
        try:
            MemoryDoors.move(self, after, event, line, fact)
        except (MovedOn, LogMoved):
            self._overwrite(after, line, fact)


class Unstoppable(MemoryDoors):
    def stop_car(self, car_id: str, stop: Stop | None, entry: Any, fact: Any) -> bool:
        self._append(entry, fact)
        return True


class UnstoppableFleet(MemoryDoors):
    def fleet_stopped(self, look: Any) -> Any:
        return lambda: None


class Trusting(Grants):
    def still(self, *_: Any) -> Any:
        return lambda _: None


class Blind(Trusting):
    def holder(self, token: str | None, at: Any) -> Grant:
        return with_(super().holder(token, at), refusal=None)


def slow_and_sleepy(drawn: Random) -> Nature:
    """Its clock is so far behind that it believes in the freshness of what is over."""
    return Nature(-25_000 - int(drawn.random() * 30_000), 30_000, 40_000)


def any_nonce(ack: Ack, command: Any) -> Ack:
    return replace(ack, nonce=command.nonce) if command else ack


def any_client(ack: Ack, command: Any) -> Ack:
    return replace(ack, thing=command.car_id, client=command.car_id) if command else ack


def any_refusal(ack: Ack, _: Any) -> Ack:
    return replace(ack, reason=Reason.EXPIRED) if ack.reason is Reason.BAD_SIGNATURE else ack


@dataclass(frozen=True)
class Guard:
    """`without`: a world that lacks it. `held_by`: what stands behind it, when nobody misses it alone."""

    name: str
    without: Kit
    held_by: str = ""


GUARDS = (
    Guard("the car checks the signature", Kit(unit=Credulous)),
    Guard("the car checks the time", Kit(unit=Timeless)),
    Guard("the car checks the counter", Kit(unit=Uncounting)),
    Guard("the car remembers what it had", Kit(unit=Forgetful)),
    Guard("the car checks the counter and remembers", Kit(unit=Mindless)),
    Guard("the car remembers before it acts", Kit(unit=Hasty, nature=worn_out)),
    Guard("the broker lets messages expire", Kit(broker=Hoarder, nature=slow_and_sleepy)),
    Guard("the car checks the time and the broker lets messages expire", Kit(unit=Timeless, broker=Hoarder)),
    Guard("a publish is tried once", Kit(broker=Repeating), held_by="the car's memory"),
    Guard("one command holds the car (lease)", Kit(store=Leaseless)),
    Guard("a command opens on the counter it saw", Kit(store=Raceable)),
    Guard("a key has one command", Kit(store=Keyless)),
    Guard("the line is written before the publish", Kit(store=Unwritten)),
    Guard("a move starts from its state", Kit(store=Stateless), held_by="one line at a time in its log"),
    Guard("a move starts from its state and its log's end", Kit(store=Unconditional)),
    Guard("a stop is part of the car's row", Kit(store=Unstoppable)),
    Guard("the stop of all is looked at", Kit(store=UnstoppableFleet)),
    Guard("the grant is looked at again before the publish", Kit(keys=Trusting)),
    Guard("the grant is looked at at all", Kit(keys=Blind)),
    Guard("an answer echoes the nonce", Kit(heard=any_nonce)),
    Guard("an answer comes from the car itself", Kit(heard=any_client)),
    Guard("a refused forgery settles nothing", Kit(heard=any_refusal)),
)


@dataclass(frozen=True)
class Missed:
    """What the judge saw without a guard: how often each truth was broken."""

    guard: Guard
    broken: Counter[str]

    @property
    def as_expected(self) -> bool:
        return bool(self.broken) is not bool(self.guard.held_by)


def without_each(seeds: Iterable[int], guards: Iterable[Guard] = GUARDS) -> list[Missed]:
    found = []
    for guard in guards:
        broken: Counter[str] = Counter()
        for world in worlds(seeds, guard.without):
            for truth in TRUTHS:
                broken[truth.__name__] += sum(1 for _ in truth(world))
            if any(broken.values()) and not guard.held_by:
                break
        found.append(Missed(guard, +broken))
    return found


def worlds(seeds: Iterable[int], kit: Kit) -> Iterator[World]:
    """Every scene, in which nobody dies, and then some of the crowd."""
    for scene in SCENES:
        yield play(scene, kit, unharmed)
    for seed in seeds:
        world = World(seed, kit)
        crowd(world, HOUR_MS)
        yield world
