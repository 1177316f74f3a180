"""The rows of the table `<stage>-doors`.

    pk                    sk                     row
    CAR#<car>             CONTROL                counter, lease, the last hour, the end of the car's log, a
                                                 stop: written by commands and stops only
    CAR#<car>             DENIED                 where the log of what was not sent ends; denials this hour
    CAR#<car>             PRESENCE               the last connection event
    CAR#<car>             READING                what the car last reported
    CMD#<command>         COMMAND                one command, or the one this key joined (`joined`)
    FLEET                 STOP                   a stop of all cars, and where their log ends
    LOG#<log>             <number>               a line of a log (`model.log`); with `fact` published too
    REFUSED#<thing>       <day>#<verdict>        how many messages were refused that day; the last one
    FACT#<car>            <time>#<fact>          published facts that belong to no line

One row per car for each writer, so that a car that reports itself never collides with the transaction of a
command; one query reads them together. Index `due` (due_shard, due_at): the commands the clock will speak
about. Commands and refusals are gone after KEPT (service logs: three months), lines after LOGS_KEPT.
"""

from datetime import UTC, datetime, timedelta
from typing import Any
from zlib import crc32

import msgspec
from pynamodb.attributes import BooleanAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection

from chalicelib.doors.model import (
    FLEET,
    Action,
    Command,
    Control,
    Given,
    Presence,
    Reading,
    Reason,
    State,
    Stop,
    millis,
)
from chalicelib.kernel.audit import GENESIS, Head
from chalicelib.kernel.clock import moment, stamp
from chalicelib.kernel.tables import Item, table_name

DUE_SHARDS = 4
KEPT = timedelta(days=90)


class CarItem(Item):
    """CONTROL, DENIED, PRESENCE, READING and the fleet's STOP, told apart by `sk`."""

    class Meta:
        table_name = table_name("doors")

    counter = NumberAttribute(null=True)
    command_id = UnicodeAttribute(null=True)
    lease_until = UnicodeAttribute(null=True)
    given = UnicodeAttribute(null=True)
    stopped = UnicodeAttribute(null=True)

    log_no = NumberAttribute(null=True)
    mark = UnicodeAttribute(null=True)
    hour = UnicodeAttribute(null=True)
    denied = NumberAttribute(null=True)

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
    position_at = UnicodeAttribute(null=True)


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
    log_no = NumberAttribute(null=True)
    mark = UnicodeAttribute(null=True)
    ttl = NumberAttribute(null=True)


class RefusedItem(Item):
    class Meta:
        table_name = table_name("doors")

    times = NumberAttribute(null=True)
    client = UnicodeAttribute(null=True)
    command_id = UnicodeAttribute(null=True)
    at = UnicodeAttribute(null=True)
    ttl = NumberAttribute(null=True)


LETTERS = {
    Action.UNLOCK: "u",
    Action.LOCK: "l",
    Action.HAZARD_ON: "y",
    Action.HAZARD_OFF: "n",
    Action.HORN: "h",
}
MEANT = {letter: action for action, letter in LETTERS.items()}
EPOCH = datetime.fromtimestamp(0, UTC)


def hour_text(given: tuple[Given, ...]) -> str:
    """A letter and, in hex, the milliseconds since the one before: an hour of presses stays below 1 KB."""
    words, before = [], 0
    for each in given:
        at = millis(each.at)
        words.append(f"{LETTERS[each.action]}{at - before:x}")
        before = at
    return " ".join(words)


def hour_of(text: str | None) -> tuple[Given, ...]:
    given, at = [], 0
    for word in (text or "").split():
        at += int(word[1:], 16)
        given.append(Given(EPOCH + timedelta(milliseconds=at), MEANT[word[0]]))
    return tuple(given)


def head_row(log: str) -> CarItem:
    """The row that keeps where a log of denials, or of the fleet, ends."""
    return CarItem("FLEET", "STOP") if log == FLEET else CarItem(f"CAR#{log.partition('/')[0]}", "DENIED")


def head_of(item: Any) -> Head:
    return Head(int(item.log_no), item.mark) if item is not None and item.log_no else Head()


def stop_text(stop: Stop) -> str:
    return msgspec.json.encode(stop).decode()


def stop_of(text: str | None) -> Stop | None:
    return msgspec.json.decode(text, type=Stop) if text else None


def stamped(at: datetime | None) -> str | None:
    return stamp(at) if at is not None else None


def momentary(text: str | None) -> datetime | None:
    return moment(text) if text else None


def gone_at(at: datetime, kept: timedelta = KEPT) -> int:
    return int((at + kept).timestamp())


def item_of(command: Command) -> CommandItem:
    due_at = stamped(command.due_at)
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
        settled_at=stamped(command.settled_at),
        last_seen=stamped(command.last_seen),
        log_no=command.head.no,
        mark=command.head.mark,
        ttl=gone_at(command.requested_at),
    )


def command_of(item: CommandItem) -> Command:
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
        momentary(item.settled_at),
        momentary(item.last_seen),
        Head(int(item.log_no or 0), item.mark or GENESIS),
    )


def control_of(item: CarItem) -> Control:
    return Control(
        int(item.counter or 0),
        item.command_id,
        momentary(item.lease_until),
        hour_of(item.given),
        item.mark or GENESIS,
        stop_of(item.stopped),
    )


def presence_of(car_id: str, item: CarItem) -> Presence:
    return Presence(car_id, item.online, int(item.order), moment(item.at))


def reading_of(car_id: str, item: CarItem) -> Reading:
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
        momentary(item.position_at),
    )
