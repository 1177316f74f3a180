"""The table `<stage>-appointments`.

| pk                            | sk                | row                              |
|-------------------------------|-------------------|----------------------------------|
| APPOINTMENT#<appointment_id>  | APPOINTMENT       | where an appointment stands      |
| APPOINTMENT#<appointment_id>  | EVENT#<id>        | one event                        |
| SLOTS#<which>#<day in Seoul>  | <start of a slot> | how many cars the slot has taken |
| FACT#<appointment_id>         | <time>#<id>       | a published fact                 |

An appointment and all its events are one query. Three indexes, each holding open work only: `due` (due_shard,
due_at) while a timer runs, `trouble` (trouble, trouble_at) while operations must see it, `day` (day, day_at:
time and id) while a partner has something to do. No row names a person or a place by its address.
"""

from collections.abc import Iterator
from datetime import datetime
from itertools import chain
from typing import Any

from pynamodb.attributes import BooleanAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex

from chalicelib.appointments.model import (
    CAPACITY,
    JOBS,
    TROUBLES,
    AlreadyMade,
    Appointment,
    Change,
    Event,
    Happened,
    History,
    MovedOn,
    News,
    Parking,
    Position,
    Slot,
    SlotFull,
    State,
    Which,
    job_key,
)
from chalicelib.kernel.clock import moment, stamp
from chalicelib.kernel.deadlines import due_pages, shard_of
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.ids import keyed_id
from chalicelib.kernel.tables import AllOrNothing, Item, Write, table_name

TABLE = table_name("appointments")
SOURCE = "appointments"


class TroubleIndex(GlobalSecondaryIndex["AppointmentItem"]):  # type: ignore[no-untyped-call]
    class Meta:
        index_name = "trouble"
        projection = AllProjection()

    trouble = UnicodeAttribute(hash_key=True)
    trouble_at = UnicodeAttribute(range_key=True)


class DayIndex(GlobalSecondaryIndex["AppointmentItem"]):  # type: ignore[no-untyped-call]
    class Meta:
        index_name = "day"
        projection = AllProjection()

    day = UnicodeAttribute(hash_key=True)
    day_at = UnicodeAttribute(range_key=True)


class AppointmentItem(Item):
    class Meta:
        table_name = TABLE

    by_trouble = TroubleIndex()
    by_day = DayIndex()
    appointment_id = UnicodeAttribute()
    contract_id = UnicodeAttribute()
    customer_id = UnicodeAttribute()
    which = UnicodeAttribute()
    made_at = UnicodeAttribute()
    first_at = UnicodeAttribute()
    at = UnicodeAttribute()
    state = UnicodeAttribute()
    since = UnicodeAttribute()
    due_shard = UnicodeAttribute(null=True)
    due_at = UnicodeAttribute(null=True)
    trouble = UnicodeAttribute(null=True)
    trouble_at = UnicodeAttribute(null=True)
    day = UnicodeAttribute(null=True)
    day_at = UnicodeAttribute(null=True)
    rung = NumberAttribute()
    version = NumberAttribute()
    departed = BooleanAttribute()
    parked_at = UnicodeAttribute(null=True)
    place = UnicodeAttribute(null=True)
    tariff = NumberAttribute(null=True)


class EventItem(Item):
    class Meta:
        table_name = TABLE

    event = UnicodeAttribute()
    at = UnicodeAttribute()
    recorded_at = UnicodeAttribute()
    by = UnicodeAttribute()
    code = UnicodeAttribute(null=True)
    to = UnicodeAttribute(null=True)
    charge = NumberAttribute(null=True)
    address_changed = BooleanAttribute(null=True)
    place = UnicodeAttribute(null=True)
    tariff = NumberAttribute(null=True)
    outcome = UnicodeAttribute(null=True)


class SlotItem(Item):
    class Meta:
        table_name = TABLE

    taken = NumberAttribute()


def fact_of(appointment: Appointment, news: News) -> Fact:
    """An event is published under one id for ever, whoever finds it out."""
    data = {name: stamp(each) if isinstance(each, datetime) else each for name, each in news.data.items()}
    about = appointment.appointment_id
    return Fact.of(
        news.name, SOURCE, about, at=news.at, id=keyed_id("evt", about, news.cause, news.name), data=data
    )


class AppointmentStore:
    def make(self, write: Write, change: Change, *, kept: bool) -> None:
        after = change.then
        write.put(_item(after), only_if=AppointmentItem.pk.does_not_exist(), otherwise=AlreadyMade)
        if not after.ended:
            _take(write, after, kept=kept)
        _log(write, change)

    def save(self, write: Write, change: Change) -> None:
        before, after = change.before, change.after
        as_read = AppointmentItem.version == before.version
        write.update(_named(before), *_standing(after), only_if=as_read, otherwise=MovedOn)
        left = after.state is State.CANCELLED and before.state is not State.CANCELLED
        if left or after.slot != before.slot:
            _give_back(write, before)
        if after.slot != before.slot and not after.ended:
            _take(write, after, kept=False)
        _log(write, change)

    def ring(self, change: Change) -> None:
        before, after = change.before, change.after
        as_seen = (AppointmentItem.state == before.state) & (
            AppointmentItem.due_at == _stamped(before.due_at)
        )
        write = AllOrNothing()
        write.update(
            _named(before),
            *_standing(after),
            AppointmentItem.rung.set(after.rung),
            only_if=as_seen,
            otherwise=MovedOn,
        )
        _log(write, change)
        write.commit()

    def history(self, appointment_id: str) -> History | None:
        pages = EventItem.query(f"APPOINTMENT#{appointment_id}", consistent_read=True).page_iter
        raws = {raw["sk"]["S"]: raw for raw in chain.from_iterable(page["Items"] for page in pages)}
        head = raws.pop("APPOINTMENT", None)
        if head is None:
            return None
        log = (_happened(EventItem.from_raw_data(raw)) for raw in raws.values())
        return History(_appointment(AppointmentItem.from_raw_data(head)), tuple(log))

    def appointment(self, appointment_id: str) -> Appointment | None:
        item = AppointmentItem.load(f"APPOINTMENT#{appointment_id}", "APPOINTMENT")
        return _appointment(item) if item else None

    def due(self, shard: int, until: datetime) -> Iterator[list[Appointment]]:
        for page in due_pages(AppointmentItem, shard, until):
            yield [_appointment(AppointmentItem.from_raw_data(raw)) for raw in page]

    def troubles(self, state: State, limit: int) -> list[Appointment]:
        return [_appointment(item) for item in AppointmentItem.by_trouble.query(state.value, limit=limit)]

    def jobs(self, day: str, limit: int, after: str = "") -> list[Appointment]:
        later: Condition | None = AppointmentItem.day_at > after if after else None
        return [_appointment(item) for item in AppointmentItem.by_day.query(day, later, limit=limit)]

    def taken(self, which: Which, day: str) -> dict[datetime, int]:
        found = SlotItem.query(f"SLOTS#{which}#{day}", consistent_read=True)
        return {moment(item.sk): int(item.taken) for item in found}


def _named(appointment: Appointment) -> AppointmentItem:
    return AppointmentItem(f"APPOINTMENT#{appointment.appointment_id}", "APPOINTMENT")


def _slot(which: Which, slot: Slot) -> SlotItem:
    return SlotItem(f"SLOTS#{which}#{slot.day}", stamp(slot.starts_at))


def _take(write: AllOrNothing, appointment: Appointment, *, kept: bool) -> None:
    """`kept`: the time was promised when the contract was signed, and holds beyond the slot's capacity."""
    free = SlotItem.taken.does_not_exist() | (SlotItem.taken < CAPACITY)
    write.update(
        _slot(appointment.which, appointment.slot),
        SlotItem.taken.add(1),
        only_if=None if kept else free,
        otherwise=SlotFull,
    )


def _give_back(write: AllOrNothing, appointment: Appointment) -> None:
    write.update(_slot(appointment.which, appointment.slot), SlotItem.taken.add(-1))


def _standing(after: Appointment) -> list[Action]:
    """The indexes hold it only while there is something to do about it."""
    item = _item(after)
    changed = (
        "at",
        "state",
        "since",
        "due_shard",
        "due_at",
        "trouble",
        "trouble_at",
        "day",
        "day_at",
        "departed",
        "parked_at",
        "place",
        "tariff",
    )
    actions = [_set(getattr(AppointmentItem, name), getattr(item, name)) for name in changed]
    return [*actions, AppointmentItem.version.set(AppointmentItem.version + 1)]


def _set(attribute: Any, value: Any) -> Action:
    action: Action = attribute.remove() if value is None else attribute.set(value)
    return action


def _log(write: AllOrNothing, change: Change) -> None:
    for happened in change.fresh:
        item = _event(change.before.appointment_id, happened)
        write.put(item, only_if=EventItem.pk.does_not_exist(), otherwise=MovedOn)
    for news in change.said:
        write.fact(AppointmentItem, fact_of(change.before, news))


def _stamped(at: datetime | None) -> str | None:
    return stamp(at) if at else None


def _moment(text: str | None) -> datetime | None:
    return moment(text) if text else None


def _text(position: Position | None) -> str | None:
    return f"{position.lat},{position.lon}" if position else None


def _position(text: str | None) -> Position | None:
    return Position(*map(float, text.split(","))) if text else None


def _event(appointment_id: str, happened: Happened) -> EventItem:
    return EventItem(
        f"APPOINTMENT#{appointment_id}",
        f"EVENT#{happened.id}",
        event=happened.event,
        at=stamp(happened.at),
        recorded_at=stamp(happened.recorded_at),
        by=happened.by,
        code=happened.code or None,
        to=_stamped(happened.to),
        charge=happened.charge or None,
        address_changed=happened.address_changed or None,
        place=_text(happened.position),
        tariff=happened.tariff,
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
        to=_moment(item.to),
        charge=int(item.charge or 0),
        address_changed=bool(item.address_changed),
        position=_position(item.place),
        tariff=None if item.tariff is None else int(item.tariff),
        outcome=State(item.outcome) if item.outcome else None,
    )


def _item(appointment: Appointment) -> AppointmentItem:
    in_trouble = appointment.state in TROUBLES
    is_job = appointment.state in JOBS
    parking = appointment.parking
    return AppointmentItem(
        f"APPOINTMENT#{appointment.appointment_id}",
        "APPOINTMENT",
        appointment_id=appointment.appointment_id,
        contract_id=appointment.contract_id,
        customer_id=appointment.customer_id,
        which=appointment.which,
        made_at=stamp(appointment.made_at),
        first_at=stamp(appointment.first_at),
        at=stamp(appointment.at),
        state=appointment.state,
        since=stamp(appointment.since),
        due_shard=shard_of(appointment.appointment_id) if appointment.due_at else None,
        due_at=_stamped(appointment.due_at),
        trouble=appointment.state if in_trouble else None,
        trouble_at=stamp(appointment.since) if in_trouble else None,
        day=appointment.slot.day if is_job else None,
        day_at=job_key(appointment) if is_job else None,
        rung=appointment.rung,
        version=appointment.version,
        departed=appointment.departed,
        parked_at=parking and stamp(parking.since),
        place=parking and _text(parking.position),
        tariff=parking and parking.tariff,
    )


def _appointment(item: AppointmentItem) -> Appointment:
    parked_at = _moment(item.parked_at)
    return Appointment(
        appointment_id=item.appointment_id,
        contract_id=item.contract_id,
        customer_id=item.customer_id,
        which=Which(item.which),
        made_at=moment(item.made_at),
        first_at=moment(item.first_at),
        at=moment(item.at),
        state=State(item.state),
        since=moment(item.since),
        due_at=_moment(item.due_at),
        rung=int(item.rung),
        version=int(item.version),
        departed=item.departed,
        parking=Parking(parked_at, _position(item.place), int(item.tariff or 0)) if parked_at else None,
    )
