"""`python -m tests.bench.road [commands]`: the road and what came of it; its last lines for `make bench`."""

import json
import sys

from tests.bench.road.crashes import die_everywhere
from tests.bench.road.guards import Missed, without_each
from tests.bench.road.travel import Days, travel

COMMANDS = 100_000
SEEDS = range(12)
"""Worlds tried without a guard until it is missed."""


def show(days: Days) -> None:
    counts = days.counts
    print(f"{days.worlds:,} worlds of an hour: " + ", ".join(f"{n:,} {name}" for name, n in counts.items()))
    print("faults: " + ", ".join(f"{number:,} {name}" for name, number in sorted(days.faults.items())))
    print(f"kinds of boundaries where a fault struck by chance: {len(days.boundaries)}")
    for state, number in days.states.most_common():
        print(f"  {number:>8,}  {state}")
    for truth, number in days.broken.items():
        print(f"  {number:>8,}  {truth.replace('_', ' ')}  {days.examples.get(truth, '')}")
    late = f"{counts['in_tolerance']:,}, at most {days.latest_in_tolerance / 1000:.1f} s"
    print(f"executed after expires_at by a car whose clock is within its tolerance: {late}")
    late = f"{counts['beyond']:,}, at most {days.latest / 1000:.1f} s, {counts['copies']:,} of them a copy"
    print(f"by one whose clock is beyond it: {late} that somebody else had sent")
    gap = f"{counts['gap']:,}, at most {days.longest_gap / 1000:.1f} s after it"
    print(f"published when a revocation had just been answered, looked at before: {gap}")


def show_guard(each: Missed) -> None:
    seen = ", ".join(f"{name} {number}" for name, number in each.broken.items())
    held = f"held by {each.guard.held_by}" if each.guard.held_by else "NOT SEEN"
    print(f"  without: {each.guard.name}: {seen or held}")


def main() -> int:
    days = travel(int(sys.argv[1]) if len(sys.argv) > 1 else COMMANDS)
    show(days)
    deaths = die_everywhere()
    print(
        f"{deaths.boundaries} boundaries, {deaths.faults:,} deaths or lost answers: {len(deaths.wrong)} wrong"
    )
    print("\n".join(deaths.wrong[:10]))
    missed = without_each(SEEDS)
    for each in missed:
        show_guard(each)
    told = {f"road: {truth.replace('_', ' ')}": number for truth, number in days.broken.items()}
    told[f"road: untrue after {deaths.faults:,} deaths at {deaths.boundaries} boundaries"] = len(deaths.wrong)
    told[f"road: guards of {len(missed)} that nobody misses"] = sum(not each.as_expected for each in missed)
    unit = f"of {days.counts['commands']:,} commands"
    for what, number in told.items():
        print(json.dumps({"what": what, "ours": number, "yardstick": None, "unit": unit, "goal": 0}))
    return 1 if any(told.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
