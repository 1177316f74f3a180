"""A small world: two cars, the people who hold their keys, operations, and our service between them, real but
for AWS."""

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from greenlet import getcurrent

from chalicelib.doors.model import Action, Asked, Command, Sent, car_key
from chalicelib.doors.schemas import read_ack, read_presence, read_report
from chalicelib.doors.service import DoorDesk, DoorService
from chalicelib.kernel.errors import Busy, HandoverError
from chalicelib.kernel.ids import keyed_id
from infra.local.car import Unit
from tests.bench.road.air import EPOCH_MS, Broker, Car, Nature, natures
from tests.bench.road.hours import Hours
from tests.bench.road.keys import Grant, Keys, SmartKeys
from tests.bench.road.lambdas import Crashed, Lambdas, Look, Plan, Port, Run, Weather
from tests.doors.memory import MemoryDoors

MASTER = "a master secret of at least thirty-two characters"
HOUR_MS = 3_600_000
SWEEP_MS = 60_000
CLIENT_PATIENCE_MS = 10_000
CARS = ("car-a", "car-b")
NAMES = ("kim", "partner", "driver")


class Registered:
    """Every car is."""

    def exists(self, car_id: str) -> None: ...


@dataclass(frozen=True)
class Kit:
    """What a world is made of. `heard` is what a run makes of an ack before the service has it."""

    unit: Callable[..., Unit] = Unit
    store: Callable[[], Any] = MemoryDoors
    keys: Callable[[Lambdas], Keys] = SmartKeys
    broker: Callable[..., Broker] = Broker
    heard: Callable[[Any, Any], Any] = lambda ack, _: ack
    nature: Callable[[Random], Nature] = natures
    stale: float = 0.1


@dataclass(frozen=True)
class Publish:
    """`looked`: when the run's last call before the publish began; `asked_last`: it asked for the grant and
    for the stop of all. `recorded`: its line was there before."""

    command_id: str
    grant_id: str
    car_id: str
    action: str
    counter: int
    looked: int
    asked_last: bool
    begun: int
    at: int
    recorded: bool


@dataclass
class Told:
    """What a person heard of one press. `refusals`: with whether the run that refused met no fault."""

    command_id: str
    answers: list[tuple[int, Command]] = field(default_factory=list)
    refusals: list[tuple[HandoverError, bool]] = field(default_factory=list)


@dataclass(frozen=True)
class Stopped:
    """A stop of a car, or of all (None): when it was answered, and when the call that ended it began."""

    car_id: str | None
    since: int
    until: int


@dataclass
class Seen:
    """Everything the judge needs, by true time in ms."""

    publishes: list[Publish] = field(default_factory=list)
    histories: dict[str, list[tuple[int, Command]]] = field(default_factory=dict)
    told: dict[tuple[str, str], Told] = field(default_factory=dict)
    revoked: dict[str, int] = field(default_factory=dict)
    stops: list[Stopped] = field(default_factory=list)
    sweeps: list[tuple[datetime, int]] = field(default_factory=list)
    """Those that met no fault: the time they went by, and when they ended."""


class Book(dict[str, Command]):
    """Commands as the store holds them, with everything each has been."""

    def __init__(self, hours: Hours, histories: dict[str, list[tuple[int, Command]]]) -> None:
        super().__init__()
        self._hours, self._histories = hours, histories

    def update(self, *given: Any, **_: Any) -> None:
        for command_id, command in given[0].items():
            self[command_id] = command
            self._histories.setdefault(command_id, []).append((self._hours.now, command))


class World:
    def __init__(self, seed: int, kit: Kit | None = None, weather: Weather | None = None) -> None:
        kit = kit or Kit()
        self.kit, self.drawn, self.hours, self.seen = kit, Random(seed), Hours(), Seen()
        self.lambdas = Lambdas(self.hours, self.drawn, weather or Weather())
        self.lambdas.noted = self._note
        self.store, self.keys = kit.store(), kit.keys(self.lambdas)
        self.store.commands = Book(self.hours, self.seen.histories)
        self.broker = kit.broker(self.hours, self.drawn)
        ids, nonces = itertools.count(1), itertools.count(1)
        self.service = DoorService(
            Port("store", self.store, self.lambdas),
            Port("grants", self.keys, self.lambdas),
            Port("publisher", self.broker, self.lambdas),
            lambda: MASTER,
            self.lambdas.clock,
            lambda prefix: f"{prefix}_{next(ids)}",
            lambda: f"{next(nonces):016x}",
            lambda: Look(self.lambdas),
        )
        self.staff = Port("grants", self.keys, self.lambdas)
        self.desk = DoorDesk(
            Port("store", self.store, self.lambdas),
            Registered(),
            self.lambdas.clock,
            lambda prefix: f"{prefix}_{next(ids)}",
        )
        self.cars = {car_id: self._car(car_id) for car_id in CARS}
        for car_id in CARS:
            for name in NAMES:
                self.admit(f"{name}-{car_id}", car_id, f"grt_{name}-{car_id}")

    def _car(self, car_id: str) -> Car:
        key = car_key(MASTER, car_id)
        nature = self.kit.nature(self.drawn)
        return Car(car_id, self.kit.unit, key, nature, self.broker, self.hear, self.drawn)

    def admit(self, token: str, car_id: str, grant_id: str) -> None:
        """Some have not proved themselves for more than a day."""
        age = timedelta(hours=25 if self.drawn.random() < self.kit.stale else 1)
        proven_at = self.lambdas.moment(self.hours.now) - age
        self.keys.admit(token, Grant(grant_id, f"con_{car_id}", car_id, proven_at))

    # What the cars say, as the rules hand it to our Lambdas.

    def hear(self, car_id: str, topic: str, message: dict[str, Any], client: str | None = None) -> None:
        carried = {
            **message,
            "topic": f"cars/{car_id}/{topic}",
            "client_id": client or car_id,
            "received_at": EPOCH_MS + self.hours.now,
        }
        if topic == "acks":
            ack = read_ack({"reason": None, "state": None, **carried})
            self.lambdas.tell("ack", lambda: self.service.ack(self._heard(ack)))
        elif topic == "state":
            self.lambdas.tell("report", lambda: self.service.report(read_report(carried)))
        else:
            presence = read_presence(message)
            self.lambdas.tell("presence", lambda: self.service.presence(presence))

    def _heard(self, ack: Any) -> Any:
        return self.kit.heard(ack, self.store.command(ack.command_id))

    # What people do.

    def press(self, token: str, action: Action, key: str, *plans: Plan) -> None:
        """A process: asks until it is answered, always with the same key, then looks what became of it."""
        grant_id, contract_id, who = self.keys.who(token)
        asked = Asked(action, None, None, "192.0.2.7", "a phone", key)
        told = self.seen.told.setdefault((grant_id, key), Told(keyed_id("cmd", contract_id, who, key)))
        for plan in [*plans, *[None] * 4]:
            promise = self.lambdas.ask("send", lambda: self.service.send(token, asked, key), plan)
            answer = promise.wait(CLIENT_PATIENCE_MS)
            if self.drawn.random() < 0.02:  # lost on its way to the phone
                answer = None
            if isinstance(answer, Sent):
                told.answers.append((self.hours.now, answer.command))
                self._follow(token, answer.command.command_id, told)
                return
            if isinstance(answer, HandoverError) and type(answer) is not Busy:
                told.refusals.append((answer, promise.clean))
                return
            self.hours.pause(500 + int(self.drawn.random() * 4_000))

    def _follow(self, token: str, command_id: str, told: Told) -> None:
        for pause in (700, 1_500, 4_000, 10_000, 20_000, 45_000):
            if told.answers[-1][1].settled or self.drawn.random() < 0.2:
                return
            self.hours.pause(pause)
            promise = self.lambdas.ask("look", lambda: self.service.command(token, command_id))
            answer = promise.wait(CLIENT_PATIENCE_MS)
            if isinstance(answer, Command):
                told.answers.append((self.hours.now, answer))

    def revoke(self, token: str, *plans: Plan) -> None:
        """A process: until it is answered."""
        grant_id = self.keys.who(token)[0]
        self._insist("revoke", lambda: self.staff.revoke(grant_id), *plans)
        self.seen.revoked[grant_id] = self.hours.now

    def stop(self, car_id: str | None, ms: int, *plans: Plan) -> None:
        """A process: stops a car, or all, for so long."""
        if car_id is None:
            self._insist("stop fleet", lambda: self.desk.stop_fleet("theft", "olga"), *plans)
        else:
            self._insist("stop car", lambda: self.desk.stop_car(car_id, "theft", "olga"), *plans)
        since = self.hours.now
        self.hours.pause(ms)
        self.seen.stops.append(Stopped(car_id, since, self.hours.now))
        if car_id is None:
            self._insist("resume fleet", lambda: self.desk.resume_fleet("found", "olga"))
        else:
            self._insist("resume car", lambda: self.desk.resume_car(car_id, "found", "olga"))

    def _insist(self, kind: str, work: Callable[[], Any], *plans: Plan) -> None:
        """Again and again until it is answered."""
        for plan in itertools.chain(plans, itertools.repeat(None)):
            promise = self.lambdas.ask(kind, lambda: work() or "done", plan)
            answer = promise.wait(CLIENT_PATIENCE_MS)
            if answer is not None and not isinstance(answer, Crashed | HandoverError):
                return

    def sweep(self, plan: Plan | None = None) -> None:
        def work() -> Any:
            run: Run = getcurrent().invocation
            at = self.lambdas.clock()
            report = self.service.sweep()
            if not run.faults:
                self.seen.sweeps.append((at, self.hours.now))
            return report

        self.lambdas.tell("sweep", work, plan)

    # What is written down for the judge.

    def _note(
        self, run: Run, call: str, begun: int, args: tuple[Any, ...], problem: Exception | None
    ) -> None:
        if call != "publisher.publish":
            return
        car_id, payload, _ = args
        it = json.loads(payload)
        calls = [each for each in run.calls if not each[0].startswith("keys.")]
        (last, looked) = calls[-2]
        log = self.store.logs[car_id]
        recorded = (
            len(log) >= it["counter"] and log[it["counter"] - 1].about["command_id"] == it["command_id"]
        )
        self.seen.publishes.append(
            Publish(
                it["command_id"],
                it["grant_id"],
                car_id,
                it["action"],
                it["counter"],
                looked,
                last == "look.fetch",
                begun,
                self.hours.now,
                recorded,
            )
        )
