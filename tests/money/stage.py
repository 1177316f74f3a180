"""Several actors, one call at a time: a deterministic scheduler at the granularity of API calls.

Actors are ordinary functions. Whoever is about to make a call waits, and is told when its turn has come and
what will go wrong with the call. The same order of turns gives the same run.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Any

from greenlet import GreenletExit, getcurrent, greenlet


class Fault(StrEnum):
    """What goes wrong with a call. TWICE: it is made once more by the network, without a request token."""

    NONE = "none"
    CONFLICT = "conflict"
    THROTTLE = "throttle"
    LOST = "lost"
    TWICE = "twice"
    DEATH_BEFORE = "death before"
    DEATH_AFTER = "death after"


class Died(BaseException):
    """The process ends here. Nothing in it can catch that."""


class Process(greenlet):  # type: ignore[misc]
    """One actor. `waits` says what call it is about to make; `troubled` counts what went wrong so far."""

    def __init__(self, name: str, act: Callable[[], Any], hub: greenlet) -> None:
        super().__init__(self._run, hub)
        self.name, self.act, self.hub = name, act, hub
        self.waits = ""
        self.troubled = 0
        self.failed: BaseException | None = None

    def _run(self) -> None:
        try:
            self.act()
        except GreenletExit:
            raise
        except Died:
            return
        except BaseException as failure:
            self.failed = failure

    def turn(self, what: str) -> Fault:
        """Waits for its turn."""
        self.waits = what
        fault: Fault = self.hub.switch()
        self.troubled += fault is not Fault.NONE
        return fault


class Stage:
    def __init__(self) -> None:
        self.playing: list[Process] = []
        self.calls = 0

    def enter(self, name: str, act: Callable[[], Any]) -> Process:
        """Runs up to its first call."""
        process = Process(name, act, getcurrent())
        self._go(process)
        if not process.dead:
            self.playing.append(process)
        return process

    def go(self, process: Process, fault: Fault = Fault.NONE) -> None:
        """The call it waits for, and whatever it does up to its next one."""
        self.calls += 1
        process.hub = getcurrent()
        process.parent = process.hub
        self._go(process, fault)
        if process.dead:
            self.playing.remove(process)

    def _go(self, process: Process, *told: Fault) -> None:
        process.switch(*told)
        if process.failed is not None:
            raise process.failed

    def turn(self, what: str) -> Fault:
        """Of whoever makes a call: an actor waits, anybody else goes on at once."""
        here = getcurrent()
        return here.turn(what) if isinstance(here, Process) else Fault.NONE

    def clear(self) -> None:
        for process in self.playing:
            process.throw()
        self.playing.clear()
