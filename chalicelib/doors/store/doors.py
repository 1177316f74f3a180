"""Reads and writes of the table `<stage>-doors`."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action as Change

from chalicelib.doors.model import (
    DENIALS_AN_HOUR,
    LOGS_KEPT,
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
from chalicelib.doors.store.items import (
    DUE_SHARDS,
    CarItem,
    CommandItem,
    RefusedItem,
    command_of,
    control_of,
    gone_at,
    head_of,
    head_row,
    hour_text,
    item_of,
    momentary,
    presence_of,
    reading_of,
    stamped,
    stop_of,
    stop_text,
)
from chalicelib.kernel.audit import About, Head, Line, Private, line_after
from chalicelib.kernel.clock import KST, stamp
from chalicelib.kernel.errors import Busy, Conflict
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.tables import AllOrNothing, LogMoved, Look, Raw, Rows, read_log

DUE_PAGE = 250
MAX_NAME = 128
LOG_TRIES = 40
"""How often a line that lost its place in a log to another tries the next: denials come in crowds."""


class DoorStore:
    """Each method is one read, or one write that happens whole or not at all."""

    def car(self, car_id: str) -> Car:
        rows = {row.sk: row for row in CarItem.query(f"CAR#{car_id}", consistent_read=True)}
        return Car(
            car_id,
            control_of(rows["CONTROL"]) if "CONTROL" in rows else Control(),
            presence_of(car_id, rows["PRESENCE"]) if "PRESENCE" in rows else None,
            reading_of(car_id, rows["READING"]) if "READING" in rows else None,
        )

    def command(self, command_id: str) -> Command | None:
        item = CommandItem.load(f"CMD#{command_id}", "COMMAND")
        if item is not None and item.joined:
            item = CommandItem.load(f"CMD#{item.joined}", "COMMAND")
        return command_of(item) if item is not None else None

    def open(self, command: Command, seen: Control, line: Line, private: Private | None, fact: Fact) -> None:
        taken = seen.taken_by(command, line)
        unchanged = _unmoved(seen)
        if command.action is not Action.LOCK:
            unchanged &= CarItem.stopped.does_not_exist()
        write = AllOrNothing()
        self._add(write, item_of(command))
        write.update(
            CarItem(f"CAR#{command.car_id}", "CONTROL"),
            CarItem.counter.set(taken.counter),
            CarItem.command_id.set(command.command_id),
            CarItem.lease_until.set(stamp(command.expires_at)),
            CarItem.given.set(hour_text(taken.recent)),
            CarItem.mark.set(taken.mark),
            only_if=unchanged,
            otherwise=CarTaken,
        )
        write.line(CommandItem, line, private=private, fact=fact, ttl=gone_at(line.at, LOGS_KEPT))
        write.commit()

    def keep(self, command: Command, entry: Entry, fact: Fact) -> None:
        self._append(entry, fact, also=lambda write: self._add(write, item_of(command)))

    def join(self, command_id: str, running: Command, entry: Entry) -> None:
        item = CommandItem(f"CMD#{command_id}", "COMMAND", joined=running.command_id, ttl=gone_at(entry.at))
        self._append(entry, also=lambda write: self._add(write, item))

    def deny(self, car_id: str, entry: Entry) -> None:
        hour = stamp(entry.at)[:13]
        row = CarItem.load(f"CAR#{car_id}", "DENIED")
        told = int(row.denied or 0) if row is not None and row.hour == hour else 0
        if told >= DENIALS_AN_HOUR:
            self.record(Refusal(car_id, entry.who, Verdict.DENIED, "", entry.at))
        else:
            self._append(entry, None, CarItem.hour.set(hour), CarItem.denied.set(told + 1))

    def reserve(self, car_id: str, count: int, who: str, at: datetime) -> int:
        """The first of `count` counters that a device check may use on a car in service, each with its line.

        CarTaken when a command was faster. At most 90 at a time.
        """
        control = self.car(car_id).control
        write, head = AllOrNothing(), control.head
        for _ in range(count):
            about: About = {"counter": head.no + 1}
            line = line_after(head, car_id, at=at, what=What.DEVICE_CHECK, who=who, about=about)
            write.line(CommandItem, line, ttl=gone_at(at, LOGS_KEPT))
            head = line.head
        write.update(
            CarItem(f"CAR#{car_id}", "CONTROL"),
            CarItem.counter.set(head.no),
            CarItem.mark.set(head.mark),
            only_if=_unmoved(control),
            otherwise=CarTaken,
        )
        write.commit()
        return control.counter + 1

    def _add(self, write: AllOrNothing, item: CommandItem) -> None:
        """The key's command is the record of the key: whoever finds it taken asks what it did."""
        write.put(item, only_if=CommandItem.pk.does_not_exist(), otherwise=KeyTaken)

    def _append(
        self,
        entry: Entry,
        fact: Fact | None = None,
        *changes: Change,
        also: Callable[[AllOrNothing], None] = lambda _: None,
        only_if: Condition | None = None,
    ) -> None:
        """The entry at the end of its log, wherever that is by now. Busy when others always were faster.

        `changes` and `only_if` are of the row that keeps the end; AlreadySo when `only_if` does not hold.
        """
        for _ in range(LOG_TRIES):
            row = head_row(entry.log)
            head = head_of(CarItem.load(row.pk, row.sk))
            line = entry.after(head)
            here = CarItem.log_no == head.no if head.no else CarItem.log_no.does_not_exist()
            write = AllOrNothing()
            also(write)
            write.update(
                row,
                CarItem.log_no.set(line.no),
                CarItem.mark.set(line.mark),
                CarItem.at.set(stamp(line.at)),
                *changes,
                only_if=here if only_if is None else here & only_if,
                otherwise=_elsewhere(head),
            )
            ttl = gone_at(line.at, LOGS_KEPT)
            write.line(CommandItem, line, private=entry.private, fact=fact, ttl=ttl)
            try:
                write.commit()
                return
            except LogMoved:
                continue
        raise Busy()

    def stop_car(self, car_id: str, stop: Stop | None, entry: Entry, fact: Fact) -> bool:
        change, unless = _stopping(stop)
        control = CarItem(f"CAR#{car_id}", "CONTROL")

        def also(write: AllOrNothing) -> None:
            write.update(control, change, only_if=unless, otherwise=AlreadySo)

        return self._unless_so(lambda: self._append(entry, fact, also=also))

    def stop_fleet(self, stop: Stop | None, entry: Entry, fact: Fact) -> bool:
        change, unless = _stopping(stop)
        return self._unless_so(lambda: self._append(entry, fact, change, only_if=unless))

    def _unless_so(self, write: Callable[[], None]) -> bool:
        try:
            write()
        except AlreadySo:
            return False
        return True

    def fleet_stop(self) -> Stop | None:
        look = Look()
        stopped = self.fleet_stopped(look)
        look.fetch()
        return stopped()

    def fleet_stopped(self, look: Rows) -> Callable[[], Stop | None]:
        row = look.row(CarItem, "FLEET", "STOP")
        return lambda: stop_of(item.stopped) if (item := row()) is not None else None

    def end_of(self, log: str) -> tuple[Head, datetime | None]:
        row = head_row(log)
        item = CarItem.load(row.pk, row.sk)
        return head_of(item), momentary(item.at) if item is not None else None

    def lines(self, log: str, after: int, limit: int) -> list[Line]:
        return read_log(CommandItem, log, after, limit)

    def move(self, after: Command, event: Event, line: Line, fact: Fact | None) -> None:
        changes: list[Change] = [
            CommandItem.state.set(after.state.value),
            CommandItem.late.set(after.late),
            CommandItem.log_no.set(after.head.no),
            CommandItem.mark.set(after.head.mark),
            _set_or_remove(CommandItem.reason, after.reason),
            _set_or_remove(CommandItem.settled_at, stamped(after.settled_at)),
            _set_or_remove(CommandItem.due_at, stamped(after.due_at)),
        ]
        if after.due_at is None:
            changes.append(CommandItem.due_shard.remove())
        write = AllOrNothing()
        write.update(
            CommandItem(f"CMD#{after.command_id}", "COMMAND"),
            *changes,
            only_if=CommandItem.state.is_in(*sorted(state.value for state in sources(event))),
            otherwise=MovedOn,
        )
        write.line(CommandItem, line, fact=fact, ttl=gone_at(line.at, LOGS_KEPT))
        write.commit()

    def due(self, at: datetime) -> Iterator[str]:
        for shard in range(DUE_SHARDS):
            until = CommandItem.due_at <= stamp(at)
            for row in CommandItem.due.query(str(shard), until, limit=DUE_PAGE):
                yield row.pk.removeprefix("CMD#")

    def connected(self, presence: Presence) -> bool:
        long_ago = stamp(presence.at - VERSIONS_RESET_AFTER)
        return self._unless_newer(
            CarItem(f"CAR#{presence.car_id}", "PRESENCE"),
            CarItem.online.set(presence.online),
            CarItem.order.set(presence.order),
            CarItem.at.set(stamp(presence.at)),
            only_if=CarItem.pk.does_not_exist() | (CarItem.order < presence.order) | (CarItem.at < long_ago),
        )

    def report(self, reading: Reading, fact: Fact | None) -> bool:
        lat, lon = reading.position or (None, None)
        at = stamp(reading.at)
        return self._unless_newer(
            CarItem(f"CAR#{reading.car_id}", "READING"),
            CarItem.at.set(at),
            CarItem.seq.set(reading.seq),
            CarItem.heard_at.set(stamp(reading.heard_at)),
            CarItem.locked.set(reading.locked),
            CarItem.doors_open.set(reading.doors_open),
            CarItem.ignition_on.set(reading.ignition_on),
            CarItem.moving.set(reading.moving),
            CarItem.battery_percent.set(reading.battery_percent),
            _set_or_remove(CarItem.lat, lat),
            _set_or_remove(CarItem.lon, lon),
            _set_or_remove(CarItem.position_at, stamped(reading.position_at)),
            only_if=CarItem.pk.does_not_exist()
            | (CarItem.at < at)
            | ((CarItem.at == at) & (CarItem.seq < reading.seq)),
            fact=fact,
        )

    def _unless_newer(self, item: CarItem, *changes: Change, only_if: Any, fact: Fact | None = None) -> bool:
        write = AllOrNothing()
        write.update(item, *changes, only_if=only_if, otherwise=OlderThanKnown)
        if fact is not None:
            write.fact(CarItem, fact)
        try:
            write.commit()
        except OlderThanKnown:
            return False
        return True

    def record(self, refusal: Refusal) -> None:
        day = refusal.at.astimezone(KST).date()
        write = AllOrNothing()
        write.update(
            RefusedItem(f"REFUSED#{refusal.thing}", f"{day}#{refusal.verdict}"),
            RefusedItem.times.add(1),
            RefusedItem.client.set(refusal.client[:MAX_NAME]),
            RefusedItem.command_id.set(refusal.command_id[:MAX_NAME]),
            RefusedItem.at.set(stamp(refusal.at)),
            RefusedItem.ttl.set(gone_at(refusal.at)),
        )
        write.commit()


class OlderThanKnown(Conflict):
    """What we know of the car is newer."""


class AlreadySo(Conflict):
    """It was stopped, or running, before."""


def _unmoved(seen: Control) -> Condition:
    return CarItem.counter == seen.counter if seen.counter else CarItem.counter.does_not_exist()


def _elsewhere(head: Head) -> Callable[[Raw | None], Exception]:
    """What it means that the row of a log's end refused a write: the end is not there any more, or all the
    rest of the condition failed."""

    def meaning(old: Raw | None) -> Exception:
        now = int(old["log_no"]["N"]) if old and "log_no" in old else 0
        return LogMoved() if now != head.no else AlreadySo()

    return meaning


def _stopping(stop: Stop | None) -> tuple[Change, Condition]:
    """The change, and what must be so for it to be one."""
    if stop is None:
        return CarItem.stopped.remove(), CarItem.stopped.exists()
    return CarItem.stopped.set(stop_text(stop)), CarItem.stopped.does_not_exist()


def _set_or_remove(attribute: Any, value: Any) -> Change:
    change: Change = attribute.remove() if value is None else attribute.set(value)
    return change
