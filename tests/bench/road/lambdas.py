"""Runs of our Lambdas, and every way they can break.

Each call of a port (store, holders, publisher) is a boundary with two sides. At each side time passes, so
that anything else may come in between; and there the process may die, freeze, or lose the answer.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random
from typing import Any

from greenlet import getcurrent

from chalicelib.doors.model import NotAccepted, PerhapsAccepted
from chalicelib.kernel.errors import Busy, HandoverError
from tests.bench.road.hours import Hours, Promise
from tests.conftest import NOON
from tests.memory import MemoryLook

TIMEOUT_MS = 29_000
"""Then a Lambda is killed, wherever it stands."""
AGAIN_MS = (60_000, 120_000)
"""When AWS calls an asynchronous Lambda again that failed (docs.aws.amazon.com/lambda, invocation-async)."""
PUBLISH = "publisher.publish"


class Side(StrEnum):
    BEFORE = "before"
    AFTER = "after"


class Fault(StrEnum):
    CRASH = "crash"
    LOST = "lost"
    """The caller hears of an error; before the call's effect, or after it."""
    REFUSED = "refused"
    """A publish that has certainly not left."""


class Crash(BaseException):
    """The process dies here."""


class Unexpected(Exception):
    """An exception no port and no rule may raise: a bug."""


@dataclass(frozen=True)
class Weather:
    """How often, at each side of each call; and `twice`: how often an event is delivered twice."""

    crash: float = 0.002
    lost: float = 0.002
    refused: float = 0.01
    freeze: float = 0.001
    twice: float = 0.03


CALM = Weather(0, 0, 0, 0, 0)
Plan = Callable[[int, str, Side], Fault | None]
"""What happens at the n-th boundary of a run: its number, call and side."""


@dataclass
class Run:
    """One invocation. `calls`: each port call with the time it began. `skew` of its clock, ms."""

    kind: str
    skew: int
    until: int
    plan: Plan
    calls: list[tuple[str, int]] = field(default_factory=list)
    crossed: int = 0
    faults: int = 0


@dataclass(frozen=True)
class Crashed:
    """The process died; nobody heard an answer."""


class Lambdas:
    """`noted` hears of every port call that took effect: run, name, when it began, arguments, problem."""

    def __init__(self, hours: Hours, drawn: Random, weather: Weather) -> None:
        self.hours = hours
        self.weather = weather
        self.faults: Counter[tuple[str, str, Side, Fault]] = Counter()
        self.boundaries: Counter[tuple[str, str, Side]] = Counter()
        self.noted: Callable[[Run, str, int, tuple[Any, ...], Exception | None], None] = lambda *_: None
        self.unexpected: list[str] = []
        self.planned: dict[str, list[Plan]] = {}
        """For the next events of a kind."""
        self._drawn = drawn

    def clock(self) -> datetime:
        """The time as the machine knows it that the present run is on."""
        return self.moment(self.hours.now + getcurrent().invocation.skew)

    @staticmethod
    def moment(ms: int) -> datetime:
        return NOON + timedelta(milliseconds=ms)

    def ask(self, kind: str, work: Callable[[], Any], plan: Plan | None = None) -> Promise:
        """An answer, a HandoverError, or Crashed."""
        promise = Promise(self.hours)

        def answer() -> None:
            kept = self._run(kind, work, plan or self.by_chance)
            promise.clean = not getcurrent().invocation.faults
            promise.keep(kept)

        self.hours.start(answer, self._way())
        return promise

    def tell(self, kind: str, work: Callable[[], Any], plan: Plan | None = None) -> None:
        """An event: once or twice, and again when the run fails."""

        def deliver(plan: Plan) -> None:
            for again in (*AGAIN_MS, None):
                answer = self._run(kind, work, plan)
                if again is None or not isinstance(answer, Crashed | Exception):
                    break
                self.hours.pause(again)
                plan = self.by_chance

        if plan is None and self.planned.get(kind):
            plan = self.planned[kind].pop(0)
        for _ in range(2 if self._drawn.random() < self.weather.twice else 1):
            self.hours.start(lambda: deliver(plan or self.by_chance), self._way())

    def _way(self) -> int:
        return 2 + int(self._drawn.random() * 40)

    def _run(self, kind: str, work: Callable[[], Any], plan: Plan) -> Any:
        skew = round(self._drawn.gauss(0, 100)) if self.weather.freeze else 0
        run = Run(kind, skew, self.hours.now + TIMEOUT_MS, plan)
        me: Any = getcurrent()
        me.invocation = run
        try:
            return work()
        except Crash:
            return Crashed()
        except HandoverError as problem:
            return problem
        except Exception as problem:
            self.unexpected.append(f"{kind} at {run.calls[-1:]}: {problem!r}")
            return problem

    def by_chance(self, number: int, call: str, side: Side) -> Fault | None:
        chance, weather = self._drawn.random(), self.weather
        if chance < weather.crash:
            return Fault.CRASH
        chance -= weather.crash
        if chance < weather.lost:
            return Fault.LOST
        chance -= weather.lost
        if call == PUBLISH and side is Side.BEFORE and chance < weather.refused:
            return Fault.REFUSED
        return None

    def cross(self, call: str, act: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        run: Run = getcurrent().invocation
        begun = self.hours.now
        run.calls.append((call, begun))
        self._side(run, call, Side.BEFORE)
        answer, problem = None, None
        try:
            answer = act(*args)
            if isinstance(answer, Iterable) and not isinstance(answer, tuple | list | str):
                answer = list(answer)
        except Exception as raised:
            problem = raised
        self.noted(run, call, begun, args, problem)
        self._side(run, call, Side.AFTER)
        if problem is not None:
            raise problem
        return answer

    def _side(self, run: Run, call: str, side: Side) -> None:
        run.crossed += 1
        self.boundaries[run.kind, call, side] += 1
        self.hours.pause(self._latency())
        if self.hours.now > run.until:
            raise Crash()
        fault = run.plan(run.crossed, call, side)
        if fault is None:
            return
        run.faults += 1
        self.faults[run.kind, call, side, fault] += 1
        if fault is Fault.CRASH:
            raise Crash()
        if fault is Fault.REFUSED:
            raise NotAccepted()
        raise PerhapsAccepted() if call == PUBLISH else Busy("the answer was lost")

    def _latency(self) -> int:
        chance = self._drawn.random()
        if chance < self.weather.freeze:
            return 1_000 + int(self._drawn.random() * 19_000)
        return 1 + int(chance * 20)


class Port:
    """A real port, every call of it a boundary."""

    def __init__(self, name: str, real: Any, lambdas: Lambdas) -> None:
        self._name, self._real, self._lambdas = name, real, lambdas

    def __getattr__(self, method: str) -> Any:
        act, call = getattr(self._real, method), f"{self._name}.{method}"
        cross = self._lambdas.cross

        def crossed(*args: Any) -> Any:
            return cross(call, act, args)

        setattr(self, method, crossed)
        return crossed


class Look(MemoryLook):
    """One call, and one boundary, for all that is looked at."""

    def __init__(self, lambdas: Lambdas) -> None:
        super().__init__()
        self._lambdas = lambdas

    def fetch(self) -> None:
        self._lambdas.cross("look.fetch", super().fetch, ())
