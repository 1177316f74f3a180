"""The table `<stage>-keys`.

| pk                        | sk           | row                                                             |
|---------------------------|--------------|-----------------------------------------------------------------|
| SHIPMENT#<shipment_id>    | SHIPMENT     | where a shipment stands                                         |
| SHIPMENT#<shipment_id>    | EVENT#<id>   | one event; when it is news to the world, `fact` is what is said |
| TAG#<key_tag>             | TAG          | the latest shipment with this tag, and whether it is open       |
| TRACK#<carrier>#<number>  | TRACK        | whose parcel has this number                                    |
| TRACK#<carrier>#<number>  | EVENT#<id>   | an event of a number nobody had bound: kept EARLY_KEPT          |

A shipment and all its events are one query. Index `due` (due_shard, due_at) holds a shipment only while a
timer runs, index `trouble` (trouble, trouble_at) only while operations must see it. No row names a person.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import Any
from zlib import crc32

from msgspec.structs import asdict
from pynamodb.attributes import BooleanAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.expressions.update import Action
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex

from chalicelib.kernel.clock import moment, stamp
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.ids import keyed_id
from chalicelib.kernel.tables import AllOrNothing, Item, table_name
from chalicelib.keys.model import (
    SHARDS,
    TROUBLES,
    AlreadyPlanned,
    Change,
    Delivery,
    Event,
    Happened,
    History,
    KeyTagTaken,
    Moved,
    MovedOn,
    Position,
    Shipment,
    State,
    Tracking,
    TrackingNumberTaken,
)

SOURCE = "keys"
EARLY_KEPT = timedelta(days=30)
NUMBER_KEPT = timedelta(days=90)
"""After this a tracking number may be another parcel's: carriers recycle them."""


class DueIndex(GlobalSecondaryIndex["ShipmentItem"]):  # type: ignore[no-untyped-call]
    class Meta:
        index_name = "due"
        projection = AllProjection()

    due_shard = UnicodeAttribute(hash_key=True)
    due_at = UnicodeAttribute(range_key=True)


class TroubleIndex(GlobalSecondaryIndex["ShipmentItem"]):  # type: ignore[no-untyped-call]
    class Meta:
        index_name = "trouble"
        projection = AllProjection()

    trouble = UnicodeAttribute(hash_key=True)
    trouble_at = UnicodeAttribute(range_key=True)


class ShipmentItem(Item):
    class Meta:
        table_name = table_name("keys")

    by_due = DueIndex()
    by_trouble = TroubleIndex()
    shipment_id = UnicodeAttribute()
    contract_id = UnicodeAttribute()
    customer_id = UnicodeAttribute()
    car_id = UnicodeAttribute()
    key_tag = UnicodeAttribute()
    label_hash = UnicodeAttribute()
    handover_at = UnicodeAttribute()
    planned_at = UnicodeAttribute()
    state = UnicodeAttribute()
    since = UnicodeAttribute()
    due_shard = UnicodeAttribute(null=True)
    due_at = UnicodeAttribute(null=True)
    trouble = UnicodeAttribute(null=True)
    trouble_at = UnicodeAttribute(null=True)
    rung = NumberAttribute()
    version = NumberAttribute()
    carrier = UnicodeAttribute(null=True)
    number = UnicodeAttribute(null=True)
    place = UnicodeAttribute(null=True)


class EventItem(Item):
    class Meta:
        table_name = table_name("keys")

    event = UnicodeAttribute()
    at = UnicodeAttribute()
    recorded_at = UnicodeAttribute()
    by = UnicodeAttribute()
    code = UnicodeAttribute(null=True)
    position = UnicodeAttribute(null=True)
    outcome = UnicodeAttribute(null=True)
    fact = UnicodeAttribute(null=True)
    ttl = NumberAttribute(null=True)


class TagItem(Item):
    class Meta:
        table_name = table_name("keys")

    shipment_id = UnicodeAttribute()
    open = BooleanAttribute()


class TrackItem(Item):
    class Meta:
        table_name = table_name("keys")

    shipment_id = UnicodeAttribute()
    bound_at = UnicodeAttribute()


def due_shard(shipment_id: str) -> str:
    return str(crc32(shipment_id.encode()) % SHARDS)


def fact_of(happened: Happened, moved: Moved) -> Fact:
    """An event is published under one id for ever, whoever finds it out."""
    times = {"occurred_at": stamp(moved.occurred_at), "recorded_at": stamp(moved.recorded_at)}
    return Fact.of(
        moved.name,
        SOURCE,
        moved.shipment_id,
        at=moved.recorded_at,
        id=keyed_id("evt", moved.shipment_id, happened.id),
        data=asdict(moved) | times,
    )


class KeyStore:
    """`due_page`: how many due shipments a sweep holds at a time."""

    def __init__(self, due_page: int = 250) -> None:
        self._due_page = due_page

    def plan(self, shipment: Shipment) -> None:
        write = AllOrNothing()
        write.put(_item(shipment), only_if=ShipmentItem.pk.does_not_exist(), otherwise=AlreadyPlanned)
        write.put(
            TagItem(f"TAG#{shipment.delivery.key_tag}", "TAG", shipment_id=shipment.shipment_id, open=True),
            only_if=TagItem.pk.does_not_exist() | (TagItem.open == False),  # noqa: E712
            otherwise=KeyTagTaken,
        )
        write.commit()

    def history(self, shipment_id: str) -> History | None:
        pages = EventItem.query(f"SHIPMENT#{shipment_id}", consistent_read=True).page_iter
        raws = {raw["sk"]["S"]: raw for raw in chain.from_iterable(page["Items"] for page in pages)}
        head = raws.pop("SHIPMENT", None)
        if head is None:
            return None
        log = (_happened(EventItem.from_raw_data(raw)) for raw in raws.values())
        return History(_shipment(ShipmentItem.from_raw_data(head)), tuple(log))

    def shipment(self, shipment_id: str) -> Shipment | None:
        item = ShipmentItem.load(f"SHIPMENT#{shipment_id}", "SHIPMENT")
        return _shipment(item) if item else None

    def by_tag(self, key_tag: str) -> str | None:
        item = TagItem.load(f"TAG#{key_tag}", "TAG")
        return item.shipment_id if item else None

    def by_tracking(self, tracking: Tracking) -> str | None:
        item = TrackItem.load(_track(tracking), "TRACK")
        return item.shipment_id if item else None

    def save(self, changes: Sequence[Change], at: datetime) -> None:
        write = AllOrNothing()
        for change in changes:
            before, after = change.before, change.after
            write.update(
                _named(before),
                *_standing(after),
                *_where(after),
                only_if=ShipmentItem.version == before.version,
                otherwise=MovedOn,
            )
            _log(write, change)
            if after.tracking and after.tracking != before.tracking:
                _bind(write, after.tracking, after.shipment_id, at)
            if after.ended and not before.ended:
                write.update(
                    TagItem(f"TAG#{after.delivery.key_tag}", "TAG"),
                    TagItem.open.set(False),
                    only_if=TagItem.shipment_id == after.shipment_id,
                    otherwise=MovedOn,
                )
        write.commit()

    def ring(self, change: Change) -> None:
        before, after = change.before, change.after
        write = AllOrNothing()
        write.update(
            _named(before),
            *_standing(after),
            ShipmentItem.rung.set(after.rung),
            only_if=(ShipmentItem.state == before.state) & (ShipmentItem.due_at == _stamped(before.due_at)),
            otherwise=MovedOn,
        )
        _log(write, change)
        write.commit()

    def keep(self, tracking: Tracking, news: Sequence[Happened]) -> None:
        write = AllOrNothing()
        write.check(
            TrackItem(_track(tracking), "TRACK"), only_if=TrackItem.pk.does_not_exist(), otherwise=MovedOn
        )
        for happened in news:
            item = _event(_track(tracking), happened)
            item.ttl = int((happened.recorded_at + EARLY_KEPT).timestamp())
            write.put(item)
        write.commit()

    def kept(self, tracking: Tracking) -> list[Happened]:
        found = EventItem.query(_track(tracking), EventItem.sk.startswith("EVENT#"), consistent_read=True)
        return sorted((_happened(item) for item in found), key=lambda each: each.order)

    def due(self, shard: int, until: datetime) -> Iterator[list[Shipment]]:
        until_then = ShipmentItem.due_at <= stamp(until)
        found = ShipmentItem.by_due.query(str(shard), until_then, page_size=self._due_page)
        for page in found.page_iter:
            yield [_shipment(ShipmentItem.from_raw_data(raw)) for raw in page["Items"]]

    def first_due(self, shard: int, until: datetime) -> datetime | None:
        found = ShipmentItem.by_due.query(str(shard), ShipmentItem.due_at <= stamp(until), limit=1)
        return next((moment(item.due_at) for item in found if item.due_at), None)

    def troubles(self, state: State, limit: int) -> list[Shipment]:
        return [_shipment(item) for item in ShipmentItem.by_trouble.query(state.value, limit=limit)]


def _named(shipment: Shipment) -> ShipmentItem:
    return ShipmentItem(f"SHIPMENT#{shipment.shipment_id}", "SHIPMENT")


def _track(tracking: Tracking) -> str:
    return f"TRACK#{tracking.carrier}#{tracking.number}"


def _standing(after: Shipment) -> list[Action]:
    """The indexes hold it only while a timer runs, and while it is in trouble."""
    in_trouble = after.state in TROUBLES
    return [
        ShipmentItem.state.set(after.state),
        ShipmentItem.since.set(stamp(after.since)),
        ShipmentItem.version.set(ShipmentItem.version + 1),
        _set(ShipmentItem.due_shard, due_shard(after.shipment_id) if after.due_at else None),
        _set(ShipmentItem.due_at, _stamped(after.due_at)),
        _set(ShipmentItem.trouble, after.state if in_trouble else None),
        _set(ShipmentItem.trouble_at, stamp(after.since) if in_trouble else None),
    ]


def _where(after: Shipment) -> list[Action]:
    """What only scans know; a ring, which works from an index that may lag, leaves it alone."""
    return [
        _set(ShipmentItem.carrier, after.tracking and after.tracking.carrier),
        _set(ShipmentItem.number, after.tracking and after.tracking.number),
        _set(ShipmentItem.place, _text(after.place)),
    ]


def _set(attribute: Any, value: Any) -> Action:
    action: Action = attribute.remove() if value is None else attribute.set(value)
    return action


def _log(write: AllOrNothing, change: Change) -> None:
    for happened, moved in change.news:
        item = _event(f"SHIPMENT#{change.before.shipment_id}", happened)
        item.fact = fact_of(happened, moved).json() if moved else None
        write.put(item, only_if=EventItem.pk.does_not_exist(), otherwise=MovedOn)


def _bind(write: AllOrNothing, tracking: Tracking, shipment_id: str, at: datetime) -> None:
    free = TrackItem.pk.does_not_exist() | (TrackItem.bound_at < stamp(at - NUMBER_KEPT))
    write.put(
        TrackItem(_track(tracking), "TRACK", shipment_id=shipment_id, bound_at=stamp(at)),
        only_if=free | (TrackItem.shipment_id == shipment_id),
        otherwise=TrackingNumberTaken,
    )


def _stamped(at: datetime | None) -> str | None:
    return stamp(at) if at else None


def _text(position: Position | None) -> str | None:
    return f"{position.lat},{position.lon}" if position else None


def _position(text: str | None) -> Position | None:
    return Position(*map(float, text.split(","))) if text else None


def _event(pk: str, happened: Happened) -> EventItem:
    return EventItem(
        pk,
        f"EVENT#{happened.id}",
        event=happened.event,
        at=stamp(happened.at),
        recorded_at=stamp(happened.recorded_at),
        by=happened.by,
        code=happened.code or None,
        position=_text(happened.position),
        outcome=happened.outcome,
    )


def _happened(item: EventItem) -> Happened:
    return Happened(
        id=item.sk.removeprefix("EVENT#"),
        event=Event(item.event),
        at=moment(item.at),
        recorded_at=moment(item.recorded_at),
        by=item.by,
        code=item.code or "",
        position=_position(item.position),
        outcome=State(item.outcome) if item.outcome else None,
    )


def _item(shipment: Shipment) -> ShipmentItem:
    delivery = shipment.delivery
    return ShipmentItem(
        f"SHIPMENT#{shipment.shipment_id}",
        "SHIPMENT",
        shipment_id=shipment.shipment_id,
        contract_id=delivery.contract_id,
        customer_id=delivery.customer_id,
        car_id=delivery.car_id,
        key_tag=delivery.key_tag,
        label_hash=delivery.label_hash,
        handover_at=stamp(delivery.handover_at),
        planned_at=stamp(shipment.planned_at),
        state=shipment.state,
        since=stamp(shipment.since),
        due_shard=due_shard(shipment.shipment_id),
        due_at=_stamped(shipment.due_at),
        rung=shipment.rung,
        version=shipment.version,
    )


def _shipment(item: ShipmentItem) -> Shipment:
    return Shipment(
        shipment_id=item.shipment_id,
        delivery=Delivery(
            contract_id=item.contract_id,
            customer_id=item.customer_id,
            car_id=item.car_id,
            key_tag=item.key_tag,
            label_hash=item.label_hash,
            handover_at=moment(item.handover_at),
        ),
        planned_at=moment(item.planned_at),
        state=State(item.state),
        since=moment(item.since),
        due_at=moment(item.due_at) if item.due_at else None,
        rung=int(item.rung),
        version=int(item.version),
        tracking=Tracking(item.carrier, item.number) if item.carrier and item.number else None,
        place=_position(item.place),
    )
