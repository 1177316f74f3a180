"""So many worlds until so many commands were given, counted; then every boundary; then without each guard."""

import itertools
import os
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from infra.local.car import SKEW_MS
from tests.bench.road.crowd import crowd
from tests.bench.road.truths import TRUTHS, executions
from tests.bench.road.world import HOUR_MS, Kit, World

AT_ONCE = 16
"""Worlds handed out at a time; the sum does not depend on it."""


@dataclass
class Days:
    """Of one world, or of many. `broken`: cases against each truth; `examples`: the first, and where.

    In `counts`, `gap`: publishes that began after their grant's revocation was answered, the last look at it
    having begun before, by `longest_gap` ms. `in_tolerance`, `beyond`: executions after expires_at by cars
    whose clock is as right as the protocol asks, or not; `copies`: of the latter, what somebody else sent.
    """

    worlds: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    boundaries: set[tuple[str, str, str]] = field(default_factory=set)
    broken: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    longest_gap: int = 0
    latest: int = 0
    latest_in_tolerance: int = 0

    def __iadd__(self, other: "Days") -> "Days":
        self.worlds += other.worlds
        for name in ("counts", "states", "faults", "broken"):
            getattr(self, name).update(getattr(other, name))
        self.boundaries |= other.boundaries
        self.examples = {**other.examples, **self.examples}
        self.longest_gap = max(self.longest_gap, other.longest_gap)
        self.latest = max(self.latest, other.latest)
        self.latest_in_tolerance = max(self.latest_in_tolerance, other.latest_in_tolerance)
        return self


def day(seed: int, kit: Kit | None = None) -> Days:
    world = World(seed, kit)
    crowd(world, HOUR_MS)
    days = Days(worlds=1)
    for truth in TRUTHS:
        found = list(truth(world))
        days.broken[truth.__name__] = len(found)
        if found:
            days.examples[truth.__name__] = f"world {seed}: {found[0]}"
    _count(world, days)
    return days


def _count(world: World, days: Days) -> None:
    commands = world.store.commands.values()
    days.counts.update(
        commands=len(commands),
        given=sum(1 for command in commands if command.counter),
        published=len(world.seen.publishes),
        executed=sum(1 for _ in executions(world)),
        presses=len(world.seen.told),
        revoked=len(world.seen.revoked),
        stopped=len(world.seen.stops),
        lines=sum(map(len, world.store.logs.values())),
        refused_messages=len(world.store.refusals),
    )
    days.states.update(f"{command.state.value} {command.reason or ''}".strip() for command in commands)
    for (_, _, _, fault), number in world.lambdas.faults.items():
        days.faults[fault.value] += number
    days.boundaries |= {(kind, call, side.value) for kind, call, side, _ in world.lambdas.faults}
    _lateness(world, days)
    for it in world.seen.publishes:
        ended = world.seen.revoked.get(it.grant_id)
        if ended is not None and it.begun >= ended:
            days.counts["gap"] += 1
            days.longest_gap = max(days.longest_gap, it.begun - ended)


def _lateness(world: World, days: Days) -> None:
    for each in executions(world):
        late = each.at - each.expires_at
        if late < 0:
            continue
        if abs(world.cars[each.car_id].nature.skew) > SKEW_MS:
            days.counts["beyond"] += 1
            days.counts["copies"] += each.replayed
            days.latest = max(days.latest, late)
        else:
            days.counts["in_tolerance"] += 1
            days.latest_in_tolerance = max(days.latest_in_tolerance, late)


def travel(commands: int) -> Days:
    """Worlds number 0, 1, 2... until there were so many commands."""
    days = Days()
    with ProcessPoolExecutor(os.cpu_count()) as processes:
        for start in itertools.count(0, AT_ONCE):
            for one in processes.map(day, range(start, start + AT_ONCE)):
                days += one
            if days.counts["commands"] >= commands:
                break
    return days
