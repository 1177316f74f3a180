"""`make bench-peers`: the same race run by django-oscar on PostgreSQL and by us on the local DynamoDB.

One after the other on this machine, 16 processes each, without HTTP on either side. A table, and
`.local/bench-peers.json`.
"""

import json
import subprocess
import sys
from dataclasses import asdict
from typing import Any

from infra.local.place import LOCAL, StackProblem
from infra.local.race import AMOUNT, BUDGET, PROCESSES, NotRaced
from infra.package import ROOT
from tests.bench import dynamodb
from tests.bench.peers import postgres
from tests.bench.sides import ATTEMPTS, ORDERS, QUOTED, Ours, Side, ours, show, words

PYTHON = ROOT / ".venv-peers" / "bin" / "python"
FOLDER = LOCAL / "bench" / "peers"
MEASURED = LOCAL / "bench-peers.json"
TIMES_AS_FAST = 5.0
"""The goal: so many times as many grants a second as django-oscar."""


def oscar() -> Side:
    task = {
        "attempts": ATTEMPTS,
        "orders": ORDERS,
        "budget": BUDGET,
        "amount": AMOUNT,
        "processes": PROCESSES,
    }
    with postgres.running(FOLDER / "postgres") as socket:
        command = [str(PYTHON), "-m", "tests.bench.peers.shop", socket]
        done = subprocess.run(
            command, cwd=ROOT, input=json.dumps(task), capture_output=True, text=True, check=False
        )
    if done.returncode:
        raise NotRaced(f"django-oscar: {done.stderr[-1000:]}")
    told = json.loads(done.stdout.splitlines()[-1])
    return side_of(told)


def side_of(told: dict[str, Any]) -> Side:
    race, twice = told["race"], told["twice"]
    heard = {name: number for name, number in twice["heard"].items() if name != "granted"}
    restored, won = told["restored"], twice["won"]
    return Side(
        "django-oscar 4.2.1",
        "money",
        race["granted"],
        max(0, race["won"] - BUDGET),
        f"{race['counter']:,}",
        race["granted"] / race["seconds"],
        f"{twice['orders']} orders, their own count {twice['counter']:,} of {twice['won']:,}; {words(heard)}",
        f"restores {restored:,} of {won:,}",
    )


def goals(mine: Ours, theirs: Side) -> list[tuple[str, bool]]:
    times = mine.race.granted_per_second / theirs.rate
    return [
        (f"exactly {mine.race.affordable} granted, and every table says so", mine.race.adds_up),
        ("the same order twice is charged once", mine.once),
        ("cancelling restores all of it", mine.restored),
        (f"{times:.1f} x as many a second as django-oscar (goal {TIMES_AS_FAST:g})", times >= TIMES_AS_FAST),
    ]


def main() -> int:
    try:
        print(f"django-oscar on {postgres.version()} ...", flush=True)
        theirs = oscar()
        print("handover on the local DynamoDB ...", flush=True)
        with dynamodb.running() as stack:
            mine = ours(stack)
    except (postgres.NoPostgres, NotRaced, StackProblem) as problem:
        print(f"handover: {problem}", file=sys.stderr)
        return 1
    sides = [mine.side(), theirs, *(side for side in QUOTED if side.name != theirs.name)]
    show(sides)
    reached = goals(mine, theirs)
    for what, good in reached:
        print(f"  {'good' if good else 'MISSED'}: {what}")
    told = {"sides": [asdict(side) for side in sides], "goals": dict(reached)}
    MEASURED.write_text(json.dumps(told, indent=1) + "\n")
    return 0 if all(good for _, good in reached) else 1


if __name__ == "__main__":
    sys.exit(main())
