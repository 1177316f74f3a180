"""Brings the local stack up and down: `python -m infra.local.stack up|down`.

Up is safe to repeat: it starts what is not running and deploys when the sources changed. When any step fails,
everything is stopped.
"""

import contextlib
import fcntl
import json
import os
import shutil
import sys
import time
import traceback
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError

from infra.deploy import NotDeployed
from infra.local import place
from infra.local.client import Unexpected
from infra.local.demo import BEHAVIOURS_FILE
from infra.local.deployment import CA_FILE, deploy, say, sources
from infra.local.place import LOCAL, STACK_FILE, StackProblem
from infra.local.processes import running
from infra.local.servers import (
    EMULATOR,
    FLEET,
    OFFICES,
    TEMPORARY,
    start_emulator,
    start_fleet,
    start_offices,
)
from infra.local.things import CLAIM, THINGS
from infra.package import NotPackaged

DEPLOYED = LOCAL / "deployed"
"""The sources of what is deployed now."""


class Elsewhere(StackProblem):
    """It is up on other ports, and stays as it is."""


def up() -> dict[str, Any]:
    """What `.local/stack.json` says, once every part answers."""
    LOCAL.mkdir(exist_ok=True)
    with _alone():
        try:
            return _up()
        except Elsewhere:
            raise
        except BaseException:
            _stop()
            raise


def down() -> None:
    LOCAL.mkdir(exist_ok=True)
    with _alone():
        _stop()


def _up() -> dict[str, Any]:
    if EMULATOR.pid() is None:
        _stop()
        say("starting the emulator")
        start_emulator()
    else:
        _must_be_here()
    if OFFICES.pid() is None:
        start_offices()
    wanted = sources()
    if not STACK_FILE.exists() or not DEPLOYED.exists() or DEPLOYED.read_text() != wanted:
        FLEET.stop()
        stack = deploy(_known())
        _drive()
        _tell(stack)
        DEPLOYED.write_text(wanted)
    elif FLEET.pid() is None:
        _drive()
    return _known()


def _must_be_here() -> None:
    """What is deployed knows the ports it was deployed with."""
    known = _known()
    for there in (known.get("aws", {}).get("endpoint_url"), *known.get("outside", {}).values()):
        if there not in (None, place.ENDPOINT, place.OFFICES_URL):
            raise Elsewhere(f"the local stack is already up at {there}; make down first, or use its port")


def _drive() -> None:
    say("starting the cars")
    start_fleet(THINGS, CA_FILE, BEHAVIOURS_FILE)


def _known() -> dict[str, Any]:
    return dict(json.loads(STACK_FILE.read_text())) if STACK_FILE.exists() else {}


def _tell(stack: dict[str, Any]) -> None:
    """Whole or not at all, and readable by its owner only: there are passwords in it."""
    fresh = STACK_FILE.with_suffix(".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(stack, file, indent=2)
    fresh.replace(STACK_FILE)


def _stop() -> None:
    """Everything in the background, also what an interrupted command left behind; the emulator last."""
    for process in sorted(running(), key=lambda process: process.name == EMULATOR.name):
        process.stop()
    for path in (STACK_FILE, DEPLOYED, CA_FILE, BEHAVIOURS_FILE):
        path.unlink(missing_ok=True)
    for folder in (THINGS, CLAIM, TEMPORARY):
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Two commands at once would stop each other's processes; the second waits."""
    with (LOCAL / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


KNOWN = (StackProblem, NotPackaged, NotDeployed, Unexpected)
"""Problems whose text is a sentence for whoever typed the command."""


def main() -> int:
    act = {"up": up, "down": down}[sys.argv[1]]
    started = time.monotonic()
    try:
        stack = act()
    except KNOWN as problem:
        print(f"handover: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except (BotoCoreError, ClientError, HTTPError, OSError) as problem:
        log = LOCAL / "problem.log"
        log.write_text(traceback.format_exc())
        print(f"handover: {type(problem).__name__}: {problem} (see {log})", file=sys.stderr)
        return 1
    if stack:
        print(f"up in {time.monotonic() - started:.0f} s: {stack['site_url']}  (details in {STACK_FILE})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
