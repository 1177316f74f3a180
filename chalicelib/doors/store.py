"""The table `<stage>-doors`.

    pk                    sk                     row
    CAR#<car>             CONTROL                counter, lease and the last minute: written by commands only
    CAR#<car>             PRESENCE               the last connection event
    CAR#<car>             READING                what the car last reported
    CMD#<command>         COMMAND                one command, or the one this key joined (`joined`)
    REFUSED#<thing>       <day>#<verdict>        how many messages were refused that day; the last one
    FACT#<command or car> <time>#<fact>          published facts

Three rows per car, so that a car that reports itself never collides with the transaction of a command;
one query reads them together. Index `due` (due_shard, due_at): the commands the clock will speak about.
Everything but CONTROL, PRESENCE and READING is gone after KEPT (service logs: three months).
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from zlib import crc32

from pynamodb.attributes import BooleanAttribute, ListAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.expressions.update import Action as Change
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection

from chalicelib.doors.model import (
    VERSIONS_RESET_AFTER,
    Action,
    Car,
    CarTaken,
    Command,
    Control,
    Event,
    KeyTaken,
    MovedOn,
    Presence,
    Reading,
    Reason,
    Refusal,
    State,
    sources,
)
from chalicelib.kernel.clock import KST, moment, stamp
from chalicelib.kernel.errors import Conflict
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.tables import AllOrNothing, Item, table_name

DUE_SHARDS = 4
DUE_PAGE = 250
KEPT = timedelta(days=90)
MAX_NAME = 128


class CarItem(Item):
    """CONTROL, PRESENCE and READING, told apart by `sk`."""

    class Meta:
        table_name = table_name("doors")

    counter = NumberAttribute(null=True)
    command_id = UnicodeAttribute(null=True)
    lease_until = UnicodeAttribute(null=True)
    recent: ListAttribute[Any] = ListAttribute(null=True)

    online = BooleanAttribute(null=True)
    order = NumberAttribute(null=True)
    at = UnicodeAttribute(null=True)

    seq = NumberAttribute(null=True)
    heard_at = UnicodeAttribute(null=True)
    locked = BooleanAttribute(null=True)
    doors_open = BooleanAttribute(null=True)
    ignition_on = BooleanAttribute(null=True)
    moving = BooleanAttribute(null=True)
    battery_percent = NumberAttribute(null=True)
    lat = NumberAttribute(null=True)
    lon = NumberAttribute(null=True)


class DueIndex(GlobalSecondaryIndex["CommandItem"]):  # type: ignore[no-untyped-call]
    class Meta:
        index_name = "due"
        projection = KeysOnlyProjection()

    due_shard = UnicodeAttribute(hash_key=True)
    due_at = UnicodeAttribute(range_key=True)


class CommandItem(Item):
    class Meta:
        table_name = table_name("doors")

    due = DueIndex()
    due_shard = UnicodeAttribute(null=True)
    due_at = UnicodeAttribute(null=True)
    joined = UnicodeAttribute(null=True)
    grant_id = UnicodeAttribute(null=True)
    contract_id = UnicodeAttribute(null=True)
    car_id = UnicodeAttribute(null=True)
    action = UnicodeAttribute(null=True)
    requested_at = UnicodeAttribute(null=True)
    nonce = UnicodeAttribute(null=True)
    counter = NumberAttribute(null=True)
    state = UnicodeAttribute(null=True)
    reason = UnicodeAttribute(null=True)
    late = BooleanAttribute(null=True)
    settled_at = UnicodeAttribute(null=True)
    last_seen = UnicodeAttribute(null=True)
    ttl = NumberAttribute(null=True)


class RefusedItem(Item):
    class Meta:
        table_name = table_name("doors")

    times = NumberAttribute(null=True)
    client = UnicodeAttribute(null=True)
    command_id = UnicodeAttribute(null=True)
    at = UnicodeAttribute(null=True)
    ttl = NumberAttribute(null=True)


class DoorStore:
    """Each method is one read, or one write that happens whole or not at all."""

    def car(self, car_id: str) -> Car:
        rows = {row.sk: row for row in CarItem.query(f"CAR#{car_id}", consistent_read=True)}
        return Car(
            car_id,
            _control(rows["CONTROL"]) if "CONTROL" in rows else Control(),
            _presence(car_id, rows["PRESENCE"]) if "PRESENCE" in rows else None,
            _reading(car_id, rows["READING"]) if "READING" in rows else None,
        )

    def command(self, command_id: str) -> Command | None:
        item = CommandItem.load(f"CMD#{command_id}", "COMMAND")
        if item is not None and item.joined:
            item = CommandItem.load(f"CMD#{item.joined}", "COMMAND")
        return _command(item) if item is not None else None

    def open(self, command: Command, seen: Control, fact: Fact) -> None:
        taken = seen.taken_by(command)
        unchanged = CarItem.counter == seen.counter if seen.counter else CarItem.counter.does_not_exist()
        write = AllOrNothing()
        self._add(write, _item(command))
        write.update(
            CarItem(f"CAR#{command.car_id}", "CONTROL"),
            CarItem.counter.set(taken.counter),
            CarItem.command_id.set(command.command_id),
            CarItem.lease_until.set(stamp(command.expires_at)),
            CarItem.recent.set([stamp(at) for at in taken.recent]),
            only_if=unchanged,
            otherwise=CarTaken,
        )
        write.fact(CommandItem, fact)
        write.commit()

    def keep(self, command: Command, fact: Fact) -> None:
        write = AllOrNothing()
        self._add(write, _item(command))
        write.fact(CommandItem, fact)
        write.commit()

    def join(self, command_id: str, running: Command, at: datetime) -> None:
        write = AllOrNothing()
        item = CommandItem(f"CMD#{command_id}", "COMMAND", joined=running.command_id, ttl=_gone_at(at))
        self._add(write, item)
        write.commit()

    def _add(self, write: AllOrNothing, item: CommandItem) -> None:
        """The key's command is the record of the key: whoever finds it taken asks what it did."""
        write.put(item, only_if=CommandItem.pk.does_not_exist(), otherwise=KeyTaken)

    def move(self, after: Command, event: Event, fact: Fact | None) -> None:
        changes: list[Change] = [
            CommandItem.state.set(after.state.value),
            CommandItem.late.set(after.late),
            _set_or_remove(CommandItem.reason, after.reason),
            _set_or_remove(CommandItem.settled_at, _stamped(after.settled_at)),
            _set_or_remove(CommandItem.due_at, _stamped(after.due_at)),
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
        if fact is not None:
            write.fact(CommandItem, fact)
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
            RefusedItem.ttl.set(_gone_at(refusal.at)),
        )
        write.commit()


class OlderThanKnown(Conflict):
    """What we know of the car is newer."""


def _set_or_remove(attribute: Any, value: Any) -> Change:
    change: Change = attribute.remove() if value is None else attribute.set(value)
    return change


def _stamped(at: datetime | None) -> str | None:
    return stamp(at) if at is not None else None


def _moment(text: str | None) -> datetime | None:
    return moment(text) if text else None


def _gone_at(at: datetime) -> int:
    return int((at + KEPT).timestamp())


def _item(command: Command) -> CommandItem:
    due_at = _stamped(command.due_at)
    return CommandItem(
        f"CMD#{command.command_id}",
        "COMMAND",
        due_shard=str(crc32(command.command_id.encode()) % DUE_SHARDS) if due_at else None,
        due_at=due_at,
        grant_id=command.grant_id,
        contract_id=command.contract_id,
        car_id=command.car_id,
        action=command.action.value,
        requested_at=stamp(command.requested_at),
        nonce=command.nonce,
        counter=command.counter,
        state=command.state.value,
        reason=command.reason,
        late=command.late,
        settled_at=_stamped(command.settled_at),
        last_seen=_stamped(command.last_seen),
        ttl=_gone_at(command.requested_at),
    )


def _command(item: CommandItem) -> Command:
    return Command(
        item.pk.removeprefix("CMD#"),
        item.grant_id,
        item.contract_id,
        item.car_id,
        Action(item.action),
        moment(item.requested_at),
        item.nonce,
        int(item.counter),
        State(item.state),
        Reason(item.reason) if item.reason else None,
        item.late,
        _moment(item.settled_at),
        _moment(item.last_seen),
    )


def _control(item: CarItem) -> Control:
    recent = tuple(moment(text) for text in item.recent or ())
    return Control(int(item.counter), item.command_id, _moment(item.lease_until), recent)


def _presence(car_id: str, item: CarItem) -> Presence:
    return Presence(car_id, item.online, int(item.order), moment(item.at))


def _reading(car_id: str, item: CarItem) -> Reading:
    return Reading(
        car_id,
        moment(item.at),
        int(item.seq),
        moment(item.heard_at),
        item.locked,
        item.doors_open,
        item.ignition_on,
        item.moving,
        int(item.battery_percent),
        (item.lat, item.lon) if item.lat is not None else None,
    )
