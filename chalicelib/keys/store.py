"""The table `<stage>-keys`.

| pk                        | sk           | row                                                             |
|---------------------------|--------------|-----------------------------------------------------------------|
| SHIPMENT#<shipment_id>    | SHIPMENT     | where a shipment stands                                         |
| SHIPMENT#<shipment_id>    | EVENT#<id>   | one event; when it is news to the world, `fact` is what is said |
| KEY#<key_tag>             | HOLDER       | who has the key now; its latest shipment, and if it is open     |
| KEY#<key_tag>             | MOVE#<seq>   | one change of holder, never edited, with its fact               |
| CONTRACT#<contract_id>    | WAY#<at>#<id> | a shipment of this contract, the current one last              |
| CAR#<car_id>              | WAY          | the latest shipment with a key of this car                      |
| TRACK#<carrier>#<number>  | TRACK        | whose parcel has this number                                    |
| TRACK#<carrier>#<number>  | EVENT#<id>   | an event of a number nobody had bound: kept EARLY_KEPT          |
| CALENDAR                  | DAY#<date>#<at> | a day announced late, with its fact                          |
| CALENDAR                  | ORDER#<id>   | the same under its request, for whoever asks again              |
| FACT#<key_tag>            | <time>#<id>  | a key lost, found or written off                                |

A shipment and all its events are one query. Index `due` (due_shard, due_at) holds a shipment only while a
timer runs, index `trouble` (trouble, trouble_at) only while operations must see it. No row names a person.
The holder changes in the transaction of the event that moved the key, and only by its latest shipment.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from typing import Any

from msgspec.structs import asdict
from pynamodb.attributes import BooleanAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.expressions.update import Action
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex

from chalicelib.kernel.clock import moment, stamp
from chalicelib.kernel.deadlines import PAGE, due_pages, shard_of
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.ids import keyed_id
from chalicelib.kernel.tables import AllOrNothing, Item, Raw, table_name
from chalicelib.keys.model import (
    TROUBLES,
    AlreadyAnnounced,
    AlreadyPlanned,
    Change,
    Delivery,
    Entry,
    Escalated,
    Event,
    Happened,
    Held,
    History,
    Holder,
    KeyTagTaken,
    Moved,
    MovedOn,
    Override,
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
FOR_EVER = datetime(9999, 1, 1, tzinfo=UTC)


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
    sla = NumberAttribute()
    rings = NumberAttribute()
    rungs = NumberAttribute()
    rung = NumberAttribute()
    holder = UnicodeAttribute()
    held_first = UnicodeAttribute()
    moves = NumberAttribute()
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


class HolderItem(Item):
    class Meta:
        table_name = table_name("keys")

    key_tag = UnicodeAttribute()
    car_id = UnicodeAttribute()
    holder = UnicodeAttribute()
    since = UnicodeAttribute()
    seq = NumberAttribute()
    shipment_id = UnicodeAttribute()
    contract_id = UnicodeAttribute()
    open = BooleanAttribute()


class MoveItem(Item):
    class Meta:
        table_name = table_name("keys")

    car_id = UnicodeAttribute()
    contract_id = UnicodeAttribute()
    shipment_id = UnicodeAttribute()
    from_kind = UnicodeAttribute()
    holder_kind = UnicodeAttribute()
    at = UnicodeAttribute()
    recorded_at = UnicodeAttribute()
    event = UnicodeAttribute()
    event_id = UnicodeAttribute()
    fact = UnicodeAttribute()


class WayItem(Item):
    class Meta:
        table_name = table_name("keys")

    shipment_id = UnicodeAttribute()
    key_tag = UnicodeAttribute()


class DayItem(Item):
    class Meta:
        table_name = table_name("keys")

    day = UnicodeAttribute()
    open = BooleanAttribute()
    note = UnicodeAttribute()
    announced_at = UnicodeAttribute()
    fact = UnicodeAttribute(null=True)


class TrackItem(Item):
    class Meta:
        table_name = table_name("keys")

    shipment_id = UnicodeAttribute()
    bound_at = UnicodeAttribute()


def fact_of(happened: Happened, said: Moved | Escalated) -> Fact:
    """An event is published under one id for ever, whoever finds it out."""
    times = {"occurred_at": stamp(said.occurred_at), "recorded_at": stamp(said.recorded_at)}
    if isinstance(said, Escalated):
        times["since"] = stamp(said.since)
    return Fact.of(
        said.name,
        SOURCE,
        said.shipment_id,
        at=said.recorded_at,
        id=keyed_id("evt", said.shipment_id, happened.id),
        data=asdict(said) | times,
    )


def facts_of(entry: Entry) -> list[Fact]:
    """That the key changed hands, and what this means for renting its car."""
    told = {"key_tag": entry.key_tag, "car_id": entry.car_id, "contract_id": entry.contract_id}
    moved = {
        **told,
        "holder_kind": entry.holder_kind,
        "from_kind": entry.from_kind,
        "at": stamp(entry.at),
        "event": entry.event,
    }
    names = {"KeyCustodyChanged": moved}
    if entry.news:
        names[entry.news] = told
    return [
        Fact.of(
            name,
            SOURCE,
            entry.key_tag,
            at=entry.recorded_at,
            id=keyed_id("evt", entry.key_tag, str(entry.seq), name),
            data=data,
        )
        for name, data in names.items()
    ]


def fact_of_day(override: Override) -> Fact:
    day = override.day.isoformat()
    return Fact.of(
        "CalendarChanged",
        SOURCE,
        day,
        at=override.announced_at,
        id=keyed_id("evt", day, stamp(override.announced_at)),
        data={"date": day, "open": override.open},
    )


class KeyStore:
    """`due_page`: how many due shipments a sweep holds at a time."""

    def __init__(self, due_page: int = PAGE) -> None:
        self._due_page = due_page

    def plan(self, shipment: Shipment) -> None:
        delivery, id_ = shipment.delivery, shipment.shipment_id
        write = AllOrNothing()
        write.put(_item(shipment), only_if=ShipmentItem.pk.does_not_exist(), otherwise=AlreadyPlanned)
        write.update(
            _key(delivery.key_tag),
            HolderItem.key_tag.set(delivery.key_tag),
            HolderItem.car_id.set(delivery.car_id),
            HolderItem.holder.set(HolderItem.holder | shipment.holder.value),
            HolderItem.since.set(HolderItem.since | stamp(shipment.planned_at)),
            HolderItem.seq.set(HolderItem.seq | 0),
            HolderItem.contract_id.set(HolderItem.contract_id | delivery.contract_id),
            HolderItem.shipment_id.set(id_),
            HolderItem.open.set(True),
            only_if=HolderItem.pk.does_not_exist()
            | ((HolderItem.open == False) & (HolderItem.seq == shipment.moves)),  # noqa: E712
            otherwise=_taken,
        )
        ways = (
            (f"CONTRACT#{delivery.contract_id}", f"WAY#{stamp(shipment.planned_at)}#{id_}"),
            (f"CAR#{delivery.car_id}", "WAY"),
        )
        for pk, sk in ways:
            write.put(WayItem(pk, sk, shipment_id=id_, key_tag=delivery.key_tag))
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
        held = self.held(key_tag)
        return held.shipment_id if held else None

    def by_contract(self, contract_id: str) -> list[tuple[str, str]]:
        ways = WayItem.query(f"CONTRACT#{contract_id}", WayItem.sk.startswith("WAY#"), consistent_read=True)
        return [(way.shipment_id, way.key_tag) for way in ways]

    def by_car(self, car_id: str) -> str | None:
        way = WayItem.load(f"CAR#{car_id}", "WAY")
        return way.shipment_id if way else None

    def held(self, key_tag: str) -> Held | None:
        item = HolderItem.load(f"KEY#{key_tag}", "HOLDER")
        return _held(item) if item else None

    def ledger(self, key_tag: str, limit: int) -> list[Entry]:
        moves = MoveItem.query(
            f"KEY#{key_tag}",
            MoveItem.sk.startswith("MOVE#"),
            consistent_read=True,
            scan_index_forward=False,
            limit=limit,
        )
        return [_entry(move) for move in moves]

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
            _hold(write, change)
            if after.tracking and after.tracking != before.tracking:
                _bind(write, after.tracking, after.shipment_id, at)
        write.commit()

    def ring(self, change: Change) -> None:
        before = change.before
        write = AllOrNothing()
        write.update(
            _named(before),
            *_standing(change.after),
            only_if=(ShipmentItem.version == before.version)
            & (ShipmentItem.due_at == _stamped(before.due_at)),
            otherwise=MovedOn,
        )
        _log(write, change)
        _hold(write, change)
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
        for page in due_pages(ShipmentItem, shard, until, self._due_page):
            yield [_shipment(ShipmentItem.from_raw_data(raw)) for raw in page]

    def armed(self, shard: int) -> Iterator[list[Shipment]]:
        return self.due(shard, FOR_EVER)

    def first_due(self, shard: int, until: datetime) -> datetime | None:
        found = ShipmentItem.by_due.query(str(shard), ShipmentItem.due_at <= stamp(until), limit=1)
        return next((moment(item.due_at) for item in found if item.due_at), None)

    def announce(self, override: Override, order_id: str) -> None:
        fact = fact_of_day(override)
        write = AllOrNothing()
        order = _day(f"ORDER#{order_id}", override)
        write.put(order, only_if=DayItem.pk.does_not_exist(), otherwise=AlreadyAnnounced)
        day = _day(f"DAY#{fact.subject}#{fact.time}", override)
        day.fact = fact.json()
        write.put(day)
        write.commit()

    def announced(self, order_id: str) -> Override | None:
        item = DayItem.load("CALENDAR", f"ORDER#{order_id}")
        return _override(item) if item else None

    def overrides(self, since: date) -> list[Override]:
        days = DayItem.sk.between(f"DAY#{since.isoformat()}", "DAY#9999")
        return [_override(item) for item in DayItem.query("CALENDAR", days, consistent_read=True)]

    def troubles(self, state: State, limit: int) -> list[Shipment]:
        return [_shipment(item) for item in ShipmentItem.by_trouble.query(state.value, limit=limit)]


def _named(shipment: Shipment) -> ShipmentItem:
    return ShipmentItem(f"SHIPMENT#{shipment.shipment_id}", "SHIPMENT")


def _key(key_tag: str) -> HolderItem:
    return HolderItem(f"KEY#{key_tag}", "HOLDER")


def _taken(old: Raw | None) -> Exception:
    """Another way of this key is open; or it has just changed hands, and is looked at again."""
    return KeyTagTaken() if old and old["open"]["BOOL"] else MovedOn()


def _track(tracking: Tracking) -> str:
    return f"TRACK#{tracking.carrier}#{tracking.number}"


def _standing(after: Shipment) -> list[Action]:
    """The indexes hold it only while a timer runs, and while it is in trouble."""
    in_trouble = after.state in TROUBLES
    return [
        ShipmentItem.state.set(after.state),
        ShipmentItem.since.set(stamp(after.since)),
        ShipmentItem.rings.set(after.rings),
        ShipmentItem.rungs.set(after.rungs),
        ShipmentItem.rung.set(after.rung),
        ShipmentItem.holder.set(after.holder),
        ShipmentItem.moves.set(after.moves),
        ShipmentItem.version.set(ShipmentItem.version + 1),
        _set(ShipmentItem.due_shard, shard_of(after.shipment_id) if after.due_at else None),
        _set(ShipmentItem.due_at, _stamped(after.due_at)),
        _set(ShipmentItem.trouble, after.state if in_trouble else None),
        _set(ShipmentItem.trouble_at, stamp(after.since) if in_trouble else None),
    ]


def _where(after: Shipment) -> list[Action]:
    """What scans and the contract know; the clock leaves it alone."""
    return [
        ShipmentItem.label_hash.set(after.delivery.label_hash),
        ShipmentItem.handover_at.set(stamp(after.delivery.handover_at)),
        _set(ShipmentItem.carrier, after.tracking and after.tracking.carrier),
        _set(ShipmentItem.number, after.tracking and after.tracking.number),
        _set(ShipmentItem.place, _text(after.place)),
    ]


def _set(attribute: Any, value: Any) -> Action:
    action: Action = attribute.remove() if value is None else attribute.set(value)
    return action


def _log(write: AllOrNothing, change: Change) -> None:
    for news in change.news:
        item = _event(f"SHIPMENT#{change.before.shipment_id}", news.happened)
        item.fact = fact_of(news.happened, news.said).json() if news.said else None
        write.put(item, only_if=EventItem.pk.does_not_exist(), otherwise=MovedOn)


def _hold(write: AllOrNothing, change: Change) -> None:
    """The key's one holder, and a line of its ledger for each time it changed hands."""
    before, after, entries = change.before, change.after, change.entries
    actions: list[Action] = []
    if after.ended != before.ended:
        actions.append(HolderItem.open.set(not after.ended))
    if entries:
        actions += [
            HolderItem.holder.set(after.holder),
            HolderItem.since.set(stamp(entries[-1].at)),
            HolderItem.seq.set(after.moves),
            HolderItem.contract_id.set(after.delivery.contract_id),
        ]
    if actions:
        write.update(
            _key(after.delivery.key_tag),
            *actions,
            only_if=(HolderItem.shipment_id == after.shipment_id) & (HolderItem.seq == before.moves),
            otherwise=MovedOn,
        )
    for entry in entries:
        _enter(write, entry)


def _enter(write: AllOrNothing, entry: Entry) -> None:
    moved, *others = facts_of(entry)
    move = MoveItem(
        f"KEY#{entry.key_tag}",
        f"MOVE#{entry.seq:08d}",
        car_id=entry.car_id,
        contract_id=entry.contract_id,
        shipment_id=entry.shipment_id,
        from_kind=entry.from_kind,
        holder_kind=entry.holder_kind,
        at=stamp(entry.at),
        recorded_at=stamp(entry.recorded_at),
        event=entry.event,
        event_id=entry.event_id,
        fact=moved.json(),
    )
    write.put(move, only_if=MoveItem.pk.does_not_exist(), otherwise=MovedOn)
    for fact in others:
        write.fact(ShipmentItem, fact)


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
        due_shard=shard_of(shipment.shipment_id),
        due_at=_stamped(shipment.due_at),
        sla=shipment.sla,
        rings=shipment.rings,
        rungs=shipment.rungs,
        rung=shipment.rung,
        holder=shipment.holder,
        held_first=shipment.held_first,
        moves=shipment.moves,
        version=shipment.version,
    )


def _day(sk: str, override: Override) -> DayItem:
    return DayItem(
        "CALENDAR",
        sk,
        day=override.day.isoformat(),
        open=override.open,
        note=override.note,
        announced_at=stamp(override.announced_at),
    )


def _override(item: DayItem) -> Override:
    return Override(date.fromisoformat(item.day), item.open, item.note, moment(item.announced_at))


def _held(item: HolderItem) -> Held:
    return Held(
        item.key_tag,
        item.car_id,
        Holder(item.holder),
        moment(item.since),
        int(item.seq),
        item.shipment_id,
        item.contract_id,
        item.open,
    )


def _entry(item: MoveItem) -> Entry:
    return Entry(
        item.pk.removeprefix("KEY#"),
        item.car_id,
        item.contract_id,
        item.shipment_id,
        int(item.sk.removeprefix("MOVE#")),
        Holder(item.from_kind),
        Holder(item.holder_kind),
        moment(item.at),
        moment(item.recorded_at),
        Event(item.event),
        item.event_id,
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
        sla=int(item.sla),
        rings=int(item.rings),
        rungs=int(item.rungs),
        rung=int(item.rung),
        holder=Holder(item.holder),
        held_first=Holder(item.held_first),
        moves=int(item.moves),
        version=int(item.version),
        tracking=Tracking(item.carrier, item.number) if item.carrier and item.number else None,
        place=_position(item.place),
    )
