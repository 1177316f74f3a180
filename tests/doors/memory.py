"""The doors store in memory: the same promises as `chalicelib.doors.store`, in dictionaries."""

from collections.abc import Callable, Iterable
from datetime import datetime

from msgspec.structs import replace

from chalicelib.doors.model import (
    DENIALS_AN_HOUR,
    VERSIONS_RESET_AFTER,
    Action,
    Car,
    CarTaken,
    Command,
    Control,
    Entry,
    Event,
    KeyTaken,
    MovedOn,
    Presence,
    Reading,
    Refusal,
    Stop,
    Verdict,
    What,
    sources,
)
from chalicelib.kernel.audit import Head, Line, Private
from chalicelib.kernel.facts import Fact
from tests.memory import LOCK, MemoryLogs, MemoryLook, MemoryWrite


class MemoryDoors:
    """`logs`: log -> its lines; `private`: what stands beside them, by their marks."""

    def __init__(self) -> None:
        self.commands: dict[str, Command] = {}
        self.joins: dict[str, str] = {}
        self.cars: dict[str, Car] = {}
        self.fleet: Stop | None = None
        self.logs = MemoryLogs()
        self.private: dict[str, Private] = {}
        self.facts: list[Fact] = []
        self.refusals: list[Refusal] = []

    def car(self, car_id: str) -> Car:
        return self.cars.get(car_id, Car(car_id, Control()))

    def command(self, command_id: str) -> Command | None:
        return self.commands.get(self.joins.get(command_id, command_id))

    def open(self, command: Command, seen: Control, line: Line, private: Private | None, fact: Fact) -> None:
        def free() -> bool:
            control = self.car(command.car_id).control
            stopped = control.stopped is not None and command.action is not Action.LOCK
            return control.counter == seen.counter and not stopped

        def take() -> None:
            car = self.car(command.car_id)
            control = replace(seen.taken_by(command, line), stopped=car.control.stopped)
            self.cars[car.car_id] = replace(car, control=control)

        write = MemoryWrite()
        self._add(write, command.command_id, lambda: self.commands.update({command.command_id: command}))
        write.clause(holds=free, then=take, otherwise=CarTaken)
        self._line(write, line, private, fact)
        write.commit()

    def keep(self, command: Command, entry: Entry, fact: Fact) -> None:
        put = lambda: self.commands.update({command.command_id: command})  # noqa: E731
        self._append(entry, fact, lambda write: self._add(write, command.command_id, put))

    def join(self, command_id: str, running: Command, entry: Entry) -> None:
        put = lambda: self.joins.update({command_id: running.command_id})  # noqa: E731
        self._append(entry, None, lambda write: self._add(write, command_id, put))

    def deny(self, car_id: str, entry: Entry) -> None:
        with LOCK:
            hour = entry.at.replace(minute=0, second=0, microsecond=0)
            if sum(line.what == What.DENIED and line.at >= hour for line in self.logs[entry.log]) < (
                DENIALS_AN_HOUR
            ):
                self._append(entry)
            else:
                self.record(Refusal(car_id, entry.who, Verdict.DENIED, "", entry.at))

    def _add(self, write: MemoryWrite, command_id: str, put: Callable[[], None]) -> None:
        write.clause(
            holds=lambda: command_id not in self.commands and command_id not in self.joins,
            then=put,
            otherwise=KeyTaken,
        )

    def _append(
        self,
        entry: Entry,
        fact: Fact | None = None,
        also: Callable[[MemoryWrite], None] = lambda _: None,
    ) -> None:
        with LOCK:
            write = MemoryWrite()
            also(write)
            self._line(write, entry.after(self.end_of(entry.log)[0]), entry.private, fact)
            write.commit()

    def _line(self, write: MemoryWrite, line: Line, private: Private | None, fact: Fact | None) -> None:
        write.line(self.logs, line)
        if private is not None:
            write.clause(then=lambda: self.private.update({line.mark: private}))
        if fact is not None:
            write.fact(self.facts, fact)

    def stop_car(self, car_id: str, stop: Stop | None, entry: Entry, fact: Fact) -> bool:
        with LOCK:
            car = self.car(car_id)
            if (car.control.stopped is None) is (stop is None):
                return False
            self._append(entry, fact)
            self.cars[car_id] = replace(car, control=replace(car.control, stopped=stop))
            return True

    def stop_fleet(self, stop: Stop | None, entry: Entry, fact: Fact) -> bool:
        with LOCK:
            if (self.fleet is None) is (stop is None):
                return False
            self._append(entry, fact)
            self.fleet = stop
            return True

    def fleet_stop(self) -> Stop | None:
        return self.fleet

    def fleet_stopped(self, look: MemoryLook) -> Callable[[], Stop | None]:
        return look.row(self.fleet_stop)

    def end_of(self, log: str) -> tuple[Head, datetime | None]:
        lines = self.logs[log]
        return (lines[-1].head, lines[-1].at) if lines else (Head(), None)

    def lines(self, log: str, after: int, limit: int) -> list[Line]:
        return [line for line in self.logs[log] if line.no > after][:limit]

    def move(self, after: Command, event: Event, line: Line, fact: Fact | None) -> None:
        write = MemoryWrite()
        write.clause(
            holds=lambda: self.commands[after.command_id].state in sources(event),
            then=lambda: self.commands.update({after.command_id: after}),
            otherwise=MovedOn,
        )
        self._line(write, line, None, fact)
        write.commit()

    def due(self, at: datetime) -> Iterable[str]:
        return [it.command_id for it in list(self.commands.values()) if it.due_at and it.due_at <= at]

    def connected(self, presence: Presence) -> bool:
        with LOCK:
            car = self.car(presence.car_id)
            known = car.presence
            newer = known is None or known.order < presence.order
            if newer or (known is not None and known.at < presence.at - VERSIONS_RESET_AFTER):
                self.cars[car.car_id] = replace(car, presence=presence)
                return True
            return False

    def report(self, reading: Reading, fact: Fact | None) -> bool:
        with LOCK:
            car = self.car(reading.car_id)
            if car.reading is not None and (car.reading.at, car.reading.seq) >= (reading.at, reading.seq):
                return False
            self.cars[car.car_id] = replace(car, reading=reading)
            self.facts.extend([fact] if fact else [])
            return True

    def record(self, refusal: Refusal) -> None:
        self.refusals.append(refusal)
