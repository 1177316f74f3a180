"""`make bench`: what things cost, by counting. A table, and `.local/bench.json`.

Instructions by callgrind, calls and rows as they cross to AWS, memory as the system accounts it. Only the
race and a door command are timed, beside bare ones in the same minute on the same machine.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.table import Table

from tests.bench.instructions import ROOT, NotCounted, count, count_each, environment

FOLDER = ROOT / ".local" / "bench"
HANDS = 2
MEASURED = ROOT / ".local" / "bench.json"


@dataclass(frozen=True)
class Figure:
    """`goal`: what `ours` must not exceed (`at_most`) or must reach; None where there is none."""

    what: str
    ours: float
    yardstick: float | None
    unit: str
    goal: float | None
    at_most: bool = True

    @property
    def ratio(self) -> float | None:
        return self.ours / self.yardstick if self.yardstick else None

    @property
    def good(self) -> bool:
        if self.goal is None:
            return True
        measured = self.ours if self.ratio is None else self.ratio
        return measured <= self.goal if self.at_most else measured >= self.goal


Part = Callable[[], Iterator[Figure]]


def instructions() -> Iterator[Figure]:
    million, unit = 1e6, "M instructions"
    bare, ours = count("tests.bench.cold_bare"), count("tests.bench.cold_ours", str(FOLDER))
    yield Figure("cold start: import and first request", ours / million, bare / million, unit, 1.3)
    for case in ("redemption", "command"):
        bare_one = count_each("tests.bench.warm", str(FOLDER), case, "bare")
        our_one = count_each("tests.bench.warm", str(FOLDER), case, "ours")
        yield Figure(f"warm {case}", our_one / million, bare_one / million, unit, 1.3)


def memory() -> Iterator[Figure]:
    libraries = _peak("tests.bench.cold_bare")
    ours = _peak("tests.bench.cold_ours", str(FOLDER))
    yield Figure("peak memory of the API function", ours, None, "MB", None)
    yield Figure("  above Chalice and one client", ours - libraries, None, "MB", 128)


def _peak(*module: str) -> float:
    """MB of resident memory at the most (ru_maxrss of the process)."""
    program = "import resource, runpy, sys; sys.argv = sys.argv[1:]"
    program += "; runpy.run_module(sys.argv[0], run_name='__main__')"
    program += "; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
    command = [sys.executable, "-c", program, *module]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=True)
    return int(done.stderr.split()[-1]) / 1024


def counted() -> Iterator[Figure]:
    """From a process of its own, since the strict DynamoDB leaves its marks on botocore."""
    yield from _told_by("tests.bench.counted", str(FOLDER))


def road() -> Iterator[Figure]:
    """100,000 commands where everything goes wrong."""
    yield from _told_by("tests.bench.road")


def _told_by(*module: str) -> list[Figure]:
    """NotCounted when it broke before it was done: its figures come last, or as it goes with a clean end."""
    command = [sys.executable, "-m", *module]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith('{"what"')]
    if "Traceback" in done.stderr or not lines:
        raise NotCounted(done.stderr[-2000:])
    return [Figure(**json.loads(line)) for line in lines]


def growth() -> Iterator[Figure]:
    yield from _told_by("tests.bench.growth")


def hot() -> Iterator[Figure]:
    """A campaign with ever more shards, in a model."""
    yield from _told_by("tests.bench.hot")


def money() -> Iterator[Figure]:
    """10,000 schedules of everything that moves money."""
    yield from _told_by("tests.bench.money", "10000")


def race() -> Iterator[Figure]:
    """On a local DynamoDB of its own; a table beside other shops is printed with it."""
    from infra.local import race
    from tests.bench import dynamodb, sides

    with dynamodb.running() as stack:
        ours = sides.ours(stack)
        raw, refused = race.raw_transactions(stack), sides.refused(ours.buyers)
    sides.show([ours.side(), *sides.QUOTED])
    outcome = ours.race
    missed = abs(outcome.granted - outcome.affordable)
    yield Figure("race: 2,000 attempts on a budget for 600", outcome.granted, None, "granted", None)
    yield Figure("race: granted too many or too few", missed, None, "grants", 0)
    yield Figure("race: tables that say otherwise", int(not outcome.adds_up), None, "races", 0)
    yield Figure("race: budget did not add up", outcome.wrong_looks, None, f"of {outcome.looks} looks", 0)
    yield Figure("race: redemptions", outcome.granted_per_second, raw, "/s beside raw transactions", None)
    yield Figure(
        f"{sides.ORDERS} orders sent twice: not charged just once", int(not ours.once), None, "cases", 0
    )
    lost = ours.charged * outcome.amount - ours.back
    yield Figure("  and cancelled twice: not restored", lost, None, "won", 0)
    times = sum(refused.heard.values())
    not_refused = times - refused.heard.get("refused", 0)
    yield Figure(f"{times:,} orders when all is spent: not refused", not_refused, None, "orders", 0)
    yield Figure("  reads of the record for each", refused.reads / times, None, "reads", 1)
    yield Figure("  writes", refused.writes, None, "writes", 0)
    yield Figure("  proofs a second and process", refused.proofs_a_second, None, "proofs", 1)
    print(f"other calls of the {times:,} refusals, 16 processes, {refused.seconds:.0f} s: {refused.others}")


def latency() -> Iterator[Figure]:
    from tests.bench.latency import measure

    it = measure()
    for what, ours, bare, goal in (
        ("press to SENT, beside a Lambda that only publishes", it.our_sent, it.bare_sent, 1.3),
        ("press to SENT, beside one that makes our calls", it.our_sent, it.same_calls_sent, None),
        ("press to the answer on record, beside two bare Lambdas", it.our_recorded, it.bare_recorded, 1.3),
    ):
        yield Figure(what, ours.median, bare.median, f"ms, median of {it.pairs}", goal)


def rounded(number: float) -> str:
    return f"{number:,.2f}".rstrip("0").rstrip(".")


def show(figures: list[Figure]) -> None:
    table = Table(title="What it costs", title_justify="left")
    for name in ("", "ours", "yardstick", "ratio", "unit", "goal", ""):
        table.add_column(name, justify="left" if name in ("", "unit") else "right")
    for figure in figures:
        sign = "<=" if figure.at_most else ">="
        table.add_row(
            figure.what,
            rounded(figure.ours),
            "" if figure.yardstick is None else rounded(figure.yardstick),
            "" if figure.ratio is None else f"{figure.ratio:.2f}",
            figure.unit,
            "" if figure.goal is None else f"{sign} {figure.goal:g}",
            "[green]good[/]" if figure.good else "[bold red]missed[/]",
        )
    Console(width=140).print(table)


AT_ONCE = (growth, hot, instructions, memory)
"""Nothing in them is timed. The last two play what `counted` recorded."""
PARTS: dict[str, Part] = {part.__name__: part for part in (counted, *AT_ONCE, money, road, race, latency)}


def done(name: str) -> list[Figure]:
    started = time.monotonic()
    try:
        return list(PARTS[name]())
    except NotCounted as problem:
        print(f"bench: {name} left out: {problem}", file=sys.stderr)
        return []
    finally:
        print(f"bench: {name}, {time.monotonic() - started:.0f} s", flush=True)


def main() -> int:
    """All parts, or those named; a file is only written of all."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    names = sys.argv[1:] or list(PARTS)
    if strange := set(names) - PARTS.keys():
        print(f"bench: there is no {', '.join(strange)}, only {', '.join(PARTS)}", file=sys.stderr)
        return 1
    at_once = [name for name in names if PARTS[name] in AT_ONCE]
    told = {name: done(name) for name in names if PARTS[name] is counted}
    with ThreadPoolExecutor(HANDS) as hands:
        told |= zip(at_once, hands.map(done, at_once), strict=True)
    told |= {name: done(name) for name in names if name not in told}
    figures = [figure for name in names for figure in told[name]]
    show(figures)
    if not sys.argv[1:]:
        each = [asdict(figure) | {"good": figure.good} for figure in figures]
        MEASURED.write_text(json.dumps(each, indent=1) + "\n")
    return 0 if all(figure.good for figure in figures) and all(told.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
