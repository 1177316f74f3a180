"""Over ten thousand schedules of coupons, points, cards, operators and faults: `python -m tests.bench.money
[schedules]`; its last lines for `make bench`.

Half are Hypothesis's own choice of whose call is next, half are drawn from seeds. Then each act with each
fault at each of its calls, and a second one in the repetition; then every faulty twin until it is found out.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import run_state_machine_as_test

import tests.conftest  # noqa: F401 (the stage `test`)
from tests.money import machine, test_crashes
from tests.money.plays import found, play
from tests.money.stage import Fault
from tests.money.twins import TWINS

SCHEDULES = 12_000
HANDS = 2
ROUND = 500
"""So many schedules are one task."""
ON_MOTO = 40


@dataclass(frozen=True)
class Told:
    """What came of some schedules: how often each thing was heard, and what was untrue."""

    number: int
    heard: Counter[str]
    untrue: tuple[str, ...]


def chosen(number: int) -> Told:
    """Schedules of Hypothesis; it stops at the first untruth, which it tells as short as it can."""
    machine.HEARD.clear()
    suppressed = list(HealthCheck)
    way = settings(
        max_examples=ROUND,
        stateful_step_count=25,
        deadline=None,
        database=None,
        suppress_health_check=suppressed,
    )
    try:
        run_state_machine_as_test(seed(number)(machine.MoneyMachine), settings=way)
    except Exception as problem:
        return Told(ROUND, Counter(machine.HEARD), (f"machine {number}: {problem} {problem.__notes__}",))
    return Told(ROUND, Counter(machine.HEARD), ())


def drawn(seeds: range) -> Told:
    heard, untrue = Counter[str](), []
    for each in seeds:
        try:
            heard += play(each)
        except Exception as problem:
            untrue.append(f"seed {each}: {type(problem).__name__} {problem}")
    return Told(len(seeds), heard, tuple(untrue))


def on_moto(seeds: range) -> Told:
    """Each call is answered by strict moto too, and alike."""
    from chalicelib.kernel.aws import client
    from tests.conftest import table_definitions
    from tests.money.wire import both
    from tests.strict import create, strict

    untrue = []
    for each in seeds:
        with strict():
            moto = client("dynamodb")
            create(table_definitions())
            try:
                play(each, shards=1 + each % 20, ask=lambda rows, moto=moto: both(rows, moto))
            except Exception as problem:
                untrue.append(f"seed {each} on moto: {type(problem).__name__} {problem}"[:500])
    return Told(len(seeds), Counter(), tuple(untrue))


def broken_off(place: int) -> Told:
    """Every fault at every call of a scene; and when it is repeated, at every call of that."""
    scene = test_crashes.SCENES[place]
    calls, tried, untrue = test_crashes.played(scene, {}, again=False), 0, []
    for number in range(1, calls + 1):
        plans: list[tuple[dict[int, Fault], bool, dict[int, Fault]]] = [
            ({number: fault}, again, {}) for fault in test_crashes.EVERY for again in (False, True)
        ]
        plans += [
            ({number: Fault.DEATH_AFTER}, True, {second: Fault.DEATH_AFTER}) for second in range(1, calls + 1)
        ]
        for faults, again, later in plans:
            tried += 1
            try:
                test_crashes.played(scene, faults, again, later)
            except Exception as problem:
                untrue.append(f"{scene.name} {faults} {later}: {problem}")
    return Told(tried, Counter(calls=calls), tuple(untrue))


def twin(place: int) -> tuple[str, int | None, str]:
    """After how many schedules it was found out."""
    each = TWINS[place]
    with each.at_work():
        seen = found(range(each.within))
    name = f"{each.name} (as {each.like})" if each.like else each.name
    return name, seen[0] if seen else None, seen[1][:100] if seen else ""


def _sum(parts: Iterable[Told]) -> Told:
    number, heard, untrue = 0, Counter[str](), ()
    for part in parts:
        number, heard, untrue = number + part.number, heard + part.heard, (*untrue, *part.untrue)  # type: ignore[assignment]
    return Told(number, heard, untrue)


def show(what: str, told: Told) -> None:
    print(f"{what}: {told.number:,}, untrue: {len(told.untrue)}", flush=True)
    if told.heard:
        print("  " + ", ".join(f"{n:,} {name}" for name, n in told.heard.most_common()))
    for each in told.untrue[:5]:
        print(f"  {each[:600]}")


def figures(schedules: int) -> Iterator[tuple[str, int, str]]:
    rounds = max(1, schedules // (2 * ROUND))
    with ProcessPoolExecutor(HANDS) as hands:
        by_machine = hands.map(chosen, range(rounds))
        by_seed = hands.map(drawn, [range(ROUND * each, ROUND * (each + 1)) for each in range(rounds)])
        moto = hands.map(on_moto, [range(first, first + ON_MOTO // 2) for first in (0, ON_MOTO // 2)])
        breaks = hands.map(broken_off, range(len(test_crashes.SCENES)))
        missed = hands.map(twin, range(len(TWINS)))
        machines, seeds = _sum(by_machine), _sum(by_seed)
        show("schedules chosen by Hypothesis", machines)
        show("schedules drawn from seeds", seeds)
        every = machines.number + seeds.number
        yield f"money: untrue in {every:,} schedules", len(machines.untrue) + len(seeds.untrue), "schedules"
        told = _sum(moto)
        show("schedules answered by moto alike", told)
        yield f"money: answers of moto's that differ, {told.number} schedules", len(told.untrue), "schedules"
        told = _sum(breaks)
        show(f"acts broken off at {told.heard['calls']} calls", Told(told.number, Counter(), told.untrue))
        yield f"money: untrue after {told.number:,} faults, one at each call", len(told.untrue), "acts"
        unseen = 0
        for name, after, what in missed:
            unseen += after is None
            print(f"  {'NOT SEEN' if after is None else after:>8}  without: {name}  {what}", flush=True)
        yield f"money: faulty twins of {len(TWINS)} that nobody sees", unseen, "twins"


def main() -> int:
    lines = list(figures(int(sys.argv[1]) if len(sys.argv) > 1 else SCHEDULES))
    for what, number, unit in lines:
        print(json.dumps({"what": what, "ours": number, "yardstick": None, "unit": unit, "goal": 0}))
    return 1 if any(number for _, number, _ in lines) else 0


if __name__ == "__main__":
    sys.exit(main())
