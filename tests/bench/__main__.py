"""`make bench`: what things cost, by counting. A table, and `.local/bench.json`.

Instructions by callgrind, calls and rows as they cross to AWS, memory as the system accounts it. Only the
race and a door command are timed, beside bare ones in the same minute on the same machine.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.bench.instructions import ROOT, NotCounted, count, count_each, environment

FOLDER = ROOT / ".local" / "bench"
BUYERS = 100
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


def race() -> Iterator[Figure]:
    from infra.local import race
    from infra.local.stack import up

    stack = up()
    people = _people(stack)
    outcome = race.run(race.stage(stack, people, 2000))
    raw = race.raw_transactions(stack)
    missed = abs(outcome.granted - outcome.affordable)
    yield Figure("race: 2,000 attempts on a budget for 600", outcome.granted, None, "granted", None)
    yield Figure("race: granted too many or too few", missed, None, "grants", 0)
    yield Figure("race: budget did not add up", outcome.wrong_looks, None, f"of {outcome.looks} looks", 0)
    yield Figure("race: redemptions", outcome.granted_per_second, raw, "/s beside raw transactions", None)


def latency() -> Iterator[Figure]:
    from tests.bench.latency import measure

    it = measure()
    for what, ours, bare, goal in (
        ("press to SENT, beside a Lambda that only publishes", it.our_sent, it.bare_sent, 1.3),
        ("press to SENT, beside one that makes our calls", it.our_sent, it.same_calls_sent, None),
        ("press to the answer on record, beside two bare Lambdas", it.our_recorded, it.bare_recorded, 1.3),
    ):
        yield Figure(what, ours.median, bare.median, f"ms, median of {it.pairs}", goal)


def _people(stack: dict[str, Any]) -> list[tuple[str, str]]:
    """Customers with a contract each, made through the deployed API."""
    from infra.local import cast, race, scene

    parts, stage = cast.cast()[:BUYERS], scene.stage_of(stack)
    cast.each(parts, lambda part: scene.enrol(stack, part))
    cast.each(parts, lambda part: cast.sign(stage, part))
    return [(race.subject_of(part.token), part.contract_id) for part in parts]


def show(figures: list[Figure]) -> None:
    table = Table(title="What it costs", title_justify="left")
    for name in ("", "ours", "yardstick", "ratio", "unit", "goal", ""):
        table.add_column(name, justify="left" if name in ("", "unit") else "right")
    for figure in figures:
        sign = "<=" if figure.at_most else ">="
        table.add_row(
            figure.what,
            f"{figure.ours:,.1f}".removesuffix(".0"),
            "" if figure.yardstick is None else f"{figure.yardstick:,.1f}",
            "" if figure.ratio is None else f"{figure.ratio:.2f}",
            figure.unit,
            "" if figure.goal is None else f"{sign} {figure.goal:g}",
            "[green]good[/]" if figure.good else "[bold red]missed[/]",
        )
    Console(width=140).print(table)


def main() -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    figures: list[Figure] = []
    parts: tuple[Callable[[], Iterator[Figure]], ...] = (counted, road, instructions, memory, race, latency)
    for part in parts:
        try:
            figures += part()
        except NotCounted as problem:
            print(f"bench: {part.__name__} left out: {problem}", file=sys.stderr)
    show(figures)
    MEASURED.write_text(
        json.dumps([asdict(figure) | {"good": figure.good} for figure in figures], indent=1) + "\n"
    )
    return 0 if all(figure.good for figure in figures) and len(figures) > len(parts) else 1


if __name__ == "__main__":
    sys.exit(main())
