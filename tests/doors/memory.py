"""The doors store in memory: the same promises as `chalicelib.doors.store`, in dictionaries."""

from collections.abc import Iterable
from datetime import datetime

from msgspec.structs import replace

from chalicelib.doors.model import (
    VERSIONS_RESET_AFTER,
    Car,
    CarTaken,
    Command,
    Control,
    Event,
    KeyTaken,
    MovedOn,
    Presence,
    Reading,
    Refusal,
    sources,
)
from chalicelib.kernel.facts import Fact
from tests.memory import LOCK, MemoryWrite


class MemoryDoors:
    def __init__(self) -> None:
        self.commands: dict[str, Command] = {}
        self.joins: dict[str, str] = {}
        self.cars: dict[str, Car] = {}
        self.facts: list[Fact] = []
        self.refusals: list[Refusal] = []

    def car(self, car_id: str) -> Car:
        return self.cars.get(car_id, Car(car_id, Control()))

    def command(self, command_id: str) -> Command | None:
        return self.commands.get(self.joins.get(command_id, command_id))

    def open(self, command: Command, seen: Control, fact: Fact) -> None:
        def take() -> None:
            car = self.car(command.car_id)
            self.cars[car.car_id] = replace(car, control=seen.taken_by(command))

        write = MemoryWrite()
        self._add(write, command.command_id, command)
        write.clause(
            holds=lambda: self.car(command.car_id).control.counter == seen.counter,
            then=take,
            otherwise=CarTaken,
        )
        write.fact(self.facts, fact)
        write.commit()

    def keep(self, command: Command, fact: Fact) -> None:
        write = MemoryWrite()
        self._add(write, command.command_id, command)
        write.fact(self.facts, fact)
        write.commit()

    def join(self, command_id: str, running: Command, at: datetime) -> None:
        write = MemoryWrite()
        write.clause(
            holds=lambda: command_id not in self.commands and command_id not in self.joins,
            then=lambda: self.joins.update({command_id: running.command_id}),
            otherwise=KeyTaken,
        )
        write.commit()

    def _add(self, write: MemoryWrite, command_id: str, command: Command) -> None:
        write.clause(
            holds=lambda: command_id not in self.commands and command_id not in self.joins,
            then=lambda: self.commands.update({command_id: command}),
            otherwise=KeyTaken,
        )

    def move(self, after: Command, event: Event, fact: Fact | None) -> None:
        write = MemoryWrite()
        write.clause(
            holds=lambda: self.commands[after.command_id].state in sources(event),
            then=lambda: self.commands.update({after.command_id: after}),
            otherwise=MovedOn,
        )
        if fact is not None:
            write.fact(self.facts, fact)
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
