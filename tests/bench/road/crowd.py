"""Who is in a world: people who press and repeat, operations that revoke and stop, somebody who means ill."""

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any

from chalicelib.doors.model import Action
from tests.bench.road.air import Message
from tests.bench.road.world import CARS, HOUR_MS, NAMES, SWEEP_MS, World

WISHES = (Action.UNLOCK,) * 8 + (Action.LOCK,) * 7 + (Action.HAZARD_ON, Action.HAZARD_OFF, Action.HORN) * 2
BETWEEN_PRESSES_MS, BETWEEN_DECISIONS_MS, BETWEEN_FORGERIES_MS = 45_000, 900_000, 30_000


def crowd(world: World, until: int) -> None:
    """Everybody goes about their day, and the clock ticks until everything can have ended."""
    people, hours = Crowd(world, until), world.hours
    for car_id, car in world.cars.items():
        hours.start(partial(car.live, until))
        hours.start(partial(car.beat, until))
        hours.start(partial(people.presses, car_id), 2_000)
    hours.start(people.operations)
    hours.start(people.sweeps)
    hours.start(partial(mallory, world, until))
    hours.run(until + 12 * SWEEP_MS)


@dataclass
class Crowd:
    world: World
    until: int
    keys: Iterator[int] = field(default_factory=itertools.count)

    def presses(self, car_id: str) -> None:
        """A process. Some press at the same moment as somebody else, or again and again."""
        drawn, hours = self.world.drawn, self.world.hours
        tokens = [f"{name}-{car_id}" for name in NAMES]
        while self._another(BETWEEN_PRESSES_MS):
            action = drawn.choice(WISHES)
            hours.start(self._press(drawn.choice(tokens), action))
            while drawn.random() < 0.3:
                other = action if drawn.random() < 0.4 else drawn.choice(WISHES)
                hours.start(self._press(drawn.choice(tokens), other), int(drawn.random() * 2_500))

    def _press(self, token: str, action: Action) -> Callable[[], None]:
        return partial(self.world.press, token, action, f"k{next(self.keys)}")

    def operations(self) -> None:
        """A process: they revoke a key and give another, or stop a car, or all."""
        world, drawn = self.world, self.world.drawn
        while self._another(BETWEEN_DECISIONS_MS):
            car_id, name = drawn.choice(CARS), drawn.choice(NAMES)
            chance, ms = drawn.random(), int(drawn.random() * 120_000)
            if chance < 0.6:
                world.revoke(f"{name}-{car_id}")
                world.hours.pause(ms)
                world.admit(f"{name}-{car_id}", car_id, f"grt_{name}-{car_id}-{next(self.keys)}")
            else:
                world.stop(car_id if chance < 0.8 else None, ms)

    def sweeps(self) -> None:
        """A process: once a minute, and on until everything must have ended."""
        while self.world.hours.now < self.until + 10 * SWEEP_MS:
            self.world.hours.pause(SWEEP_MS)
            self.world.sweep()

    def _another(self, usually: int) -> bool:
        self.world.hours.pause(1 + int(self.world.drawn.expovariate(1 / usually)))
        return self.world.hours.now < self.until


def mallory(world: World, until: int) -> None:
    """Publishes and acknowledges what is not theirs: whatever they heard, again and changed."""
    drawn = world.drawn
    while world.hours.now < until:
        world.hours.pause(1 + int(drawn.expovariate(1 / BETWEEN_FORGERIES_MS)))
        if not world.broker.captured:
            continue
        car_id, payload = drawn.choice(world.broker.captured[-40:])
        other = next(each for each in CARS if each != car_id)
        envelope = json.loads(payload)
        for target, forged in tampered(car_id, other, envelope, drawn):
            message = Message(target, json.dumps(forged).encode(), world.hours.now + HOUR_MS, ours=False)
            world.broker.carry(message)
        for thing, client, answer in forged_acks(car_id, other, envelope):
            world.hear(thing, "acks", answer, client)


def tampered(
    car_id: str, other: str, envelope: dict[str, Any], drawn: Random
) -> Iterator[tuple[str, dict[str, Any]]]:
    now_open = {"action": "unlock" if envelope["action"] != "unlock" else "lock"}
    longer = {"expires_at": envelope["expires_at"] + HOUR_MS}
    yield car_id, envelope
    yield other, envelope
    yield car_id, {**envelope, **drawn.choice((now_open, longer, {"counter": envelope["counter"] + 1}))}
    yield car_id, {**envelope, **longer, "command_id": "cmd_forged", "counter": 10**6}


def forged_acks(
    car_id: str, other: str, envelope: dict[str, Any]
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    answer = {
        "v": 1,
        "command_id": envelope["command_id"],
        "status": "succeeded",
        "at": envelope["issued_at"],
    }
    yield car_id, other, {**answer, "nonce": envelope["nonce"]}
    yield other, other, {**answer, "nonce": envelope["nonce"]}
    yield car_id, car_id, {**answer, "nonce": "0" * 16}
