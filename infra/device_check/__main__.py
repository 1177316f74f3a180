"""`make device-check THING=...`: a car of the local stack by its id, or the folder of a unit of your own.

    python -m infra.device_check car-0001
    python -m infra.device_check FOLDER --host 192.0.2.7 --port 8883 --ca ca.pem --service FOLDER

It opens and locks the car a few times and sounds its horn; in the end the car is locked.

A unit's folder is named as its car and holds command.key; with the unit's certificate.pem and private.key the
run can also end its connection. --service: a folder with certificate.pem and private.key that may publish
cars/<car>/commands and hear cars/<car>/#. --counter: above every counter that the unit has accepted; the
seconds since 1970 when not given. A unit that uses Basic Ingest must speak on its plain topics for this.
"""

import argparse
import asyncio
import contextlib
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import aiomqtt

from infra.device_check.bench import Bench, Unfit
from infra.device_check.checks import Finding, run
from infra.device_check.wire import MqttWire
from infra.local.car import COMMAND_KEY, Broker


class NotRun(Exception):
    """Why nothing could be checked, in one sentence."""


def main(arguments: Sequence[str] | None = None) -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("thing", help="a car_id of the local stack, or a folder")
    options.add_argument("--host")
    options.add_argument("--port", type=int, default=8883)
    options.add_argument("--ca", help="the broker's trust root, a PEM file")
    options.add_argument("--service", type=Path)
    options.add_argument("--counter", type=int, default=0)
    given = options.parse_args(arguments)
    try:
        with _place(given) as (thing, broker, service, counter):
            return asyncio.run(_checked(thing, broker, service, counter))
    except (NotRun, Unfit, aiomqtt.MqttError, OSError) as problem:
        print(f"device-check: {problem}", file=sys.stderr)
        return 2


@contextlib.contextmanager
def _place(given: argparse.Namespace) -> Iterator[tuple[Path, Broker, Path, int]]:
    """The unit's folder, where it is heard, who may play the service, and from which counter on."""
    if not given.thing:
        raise NotRun("say which unit: make device-check THING=car-0001")
    if given.host is None:
        from infra.device_check.house import NoStack, at_home  # noqa: PLC0415 - a maker has no stack of ours

        try:
            with at_home(given.thing) as place:
                yield place
        except NoStack as problem:
            raise NotRun(problem) from problem
        return
    thing = Path(given.thing)
    if not (thing / COMMAND_KEY).exists():
        raise NotRun(f"{thing} holds no {COMMAND_KEY}")
    if given.ca is None or given.service is None:
        raise NotRun("with --host, say --ca and --service too")
    yield thing, Broker(given.host, given.port, given.ca), given.service, given.counter or int(time.time())


async def _checked(thing: Path, broker: Broker, service: Path, counter: int) -> int:
    car_id, key = thing.resolve().name, (thing / COMMAND_KEY).read_text().strip()
    print(f"{car_id} at {broker.host}:{broker.port}")
    async with MqttWire.opened(thing, broker, service) as wire:
        bench = Bench(car_id, key, wire, counter - 1)
        found = await run(bench, lambda finding: print(line(finding), flush=True))
    wrong = sum(finding.wrong is not None for finding in found)
    skipped = sum(finding.skipped is not None for finding in found)
    print(
        f"{len(found)} checks: {len(found) - wrong - skipped} kept, {wrong} broken, {skipped} not looked at;"
        f" slowest answer {bench.slowest:.2f} s"
    )
    return 1 if wrong else 0


def line(finding: Finding) -> str:
    if finding.wrong is not None:
        return f"  BROKEN  {finding.promise}\n          it {finding.wrong}"
    if finding.skipped is not None:
        return f"  --      {finding.promise}\n          {finding.skipped}"
    return f"  ok      {finding.promise}"


if __name__ == "__main__":
    sys.exit(main())
