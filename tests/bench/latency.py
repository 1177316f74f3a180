"""From the press to SENT, and to the car's answer on record, through the deployed local stack: ours in turn
with two bare Lambdas that only publish and only record, and with one that makes our calls and nothing else.

`python -m tests.bench.latency`. The emulator is no AWS; what counts is the ratio.
"""

import json
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from infra.local.place import STAGE, client
from infra.local.servers import EMULATOR
from infra.local.stack import down, up
from tests.bench.bare import OUR_CALLS, PUBLISH, Bare, answering, deployed
from tests.stack.cars import Drive, Garage

CARS = 12
WARM, MEASURED = 1, 3
"""Presses for each car."""
REST_SECONDS = 0.6
"""Between two presses, until what the last one set off is done: rules, streams, facts and who hears them.
With CARS in turn a car rests for the life of a command, as it mostly does."""
OURS = "ours"
PATIENCE_SECONDS = 30.0
LOOK_EVERY_SECONDS = 0.004


@dataclass(frozen=True)
class Spread:
    """Milliseconds."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, times: list[float]) -> "Spread":
        low, median, high = statistics.quantiles(times, n=4)
        return cls(low * 1000, median * 1000, high * 1000)


@dataclass(frozen=True)
class Latency:
    """Quartiles. `sent`: the answer to the press; `recorded`: the car's answer stands in the table."""

    pairs: int
    our_sent: Spread
    bare_sent: Spread
    same_calls_sent: Spread
    our_recorded: Spread
    bare_recorded: Spread


def timed(press: Callable[[], Callable[[], bool]]) -> tuple[float, float]:
    """Seconds to the answer, and to what it promised. `press` gives how to look for it."""
    began = time.perf_counter()
    recorded = press()
    sent = time.perf_counter() - began
    while not recorded():
        if time.perf_counter() - began > PATIENCE_SECONDS:
            raise TimeoutError("no answer was recorded")
        time.sleep(LOOK_EVERY_SECONDS)
    return sent, time.perf_counter() - began


def ours(drive: Drive, number: int) -> Callable[[], Callable[[], bool]]:
    def press() -> Callable[[], bool]:
        command = drive.press("unlock" if number % 2 else "lock")
        key = {"pk": {"S": f"CMD#{command['command_id']}"}, "sk": {"S": "COMMAND"}}

        def recorded() -> bool:
            found = client("dynamodb").get_item(TableName=f"{STAGE}-doors", Key=key, ConsistentRead=True)
            return found["Item"]["state"]["S"] in ("SUCCEEDED", "ALREADY_DONE")

        return recorded

    return press


def theirs(bare: Bare, path: str) -> Callable[[], Callable[[], bool]]:
    def press() -> Callable[[], bool]:
        command_id = uuid.uuid4().hex
        bare.press(command_id, path)
        return lambda: bare.recorded(command_id)

    return press


def measure() -> Latency:
    """The stack is stopped at the end, whatever happened, unless it was up before."""
    was_up = EMULATOR.pid() is not None
    try:
        return _measured(up())
    finally:
        if not was_up:
            down()


def _measured(stack: dict[str, Any]) -> Latency:
    bare = deployed()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as on_air:
        garage = Garage(stack, Path(folder))
        drives = [garage.make() for _ in range(CARS)]
        for drive in drives:
            on_air.enter_context(drive.on_air())
        on_air.enter_context(answering(bare, garage.broker))
        times: dict[str, list[tuple[float, float]]] = {OURS: [], PUBLISH: [], OUR_CALLS: []}
        for number in range(WARM + MEASURED):
            for drive in drives:
                turn = [(OURS, ours(drive, number))]
                turn += [(path, theirs(bare, path)) for path in (PUBLISH, OUR_CALLS)]
                for who, press in turn if len(times[OURS]) % 2 else reversed(turn):
                    time.sleep(REST_SECONDS)
                    times[who].append(timed(press))
    sent, recorded = (
        {who: Spread.of([each[part] for each in taken[WARM * CARS :]]) for who, taken in times.items()}
        for part in (0, 1)
    )
    pairs = MEASURED * CARS
    return Latency(pairs, sent[OURS], sent[PUBLISH], sent[OUR_CALLS], recorded[OURS], recorded[PUBLISH])


if __name__ == "__main__":
    print(json.dumps(asdict(measure())))
