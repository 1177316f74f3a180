"""Use cases of keys on their way: planned, scanned, tracked, received, corrected, and missed in time."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from chalicelib.kernel import deadlines
from chalicelib.kernel.auth import Caller
from chalicelib.kernel.calendar import KST, Calendar
from chalicelib.kernel.clock import Clock
from chalicelib.kernel.deadlines import SHARDS, Report
from chalicelib.kernel.done import Done
from chalicelib.kernel.errors import Busy, KeyReused
from chalicelib.kernel.ids import keyed_id
from chalicelib.keys import model
from chalicelib.keys.model import (
    JOURNEY,
    TAGS_FOLLOWED,
    AlreadyPlanned,
    Calendars,
    CarrierReport,
    Change,
    Correction,
    DayIsOver,
    Delivery,
    Entry,
    Event,
    GoneOnAnotherWay,
    Happened,
    Heard,
    Held,
    History,
    Holder,
    LabelMismatch,
    MovedOn,
    Override,
    Receipt,
    Role,
    Scan,
    Shipment,
    State,
    Told,
    Tracking,
    UnknownKey,
    UnknownKeyTag,
    UnknownShipment,
)

CHUNK = 20
"""Events heard in one transaction, which holds 100 rows: each may bring one of ours, and both may move the
key."""
TRIES = 8
"""How often a change is thought over again when somebody else was faster."""
CALENDAR_KEPT = timedelta(minutes=1)
"""How long a Lambda may count in a calendar that was just changed; the clock looks again before it rings."""
LONGEST_OPEN = timedelta(days=366)
SHOWN = 100
"""So many lines of a ledger, and events of a shipment, are shown: the latest."""


class Store(Protocol):
    """Every method that writes does so entirely or not at all. Reads are strongly consistent; only what is
    due and what is in trouble may lag a moment."""

    def plan(self, shipment: Shipment) -> None:
        """Also claims the key tag. AlreadyPlanned, KeyTagTaken while another open shipment has the tag, or
        MovedOn when the key has changed hands meanwhile."""

    def history(self, shipment_id: str) -> History | None: ...

    def shipment(self, shipment_id: str) -> Shipment | None: ...

    def by_tag(self, key_tag: str) -> str | None:
        """The shipment id of the latest shipment with this tag."""

    def by_contract(self, contract_id: str) -> Sequence[tuple[str, str]]:
        """Shipment id and key tag of each of its shipments, as they were planned."""

    def by_car(self, car_id: str) -> str | None:
        """The shipment id of the latest shipment with a key of this car."""

    def held(self, key_tag: str) -> Held | None: ...

    def ledger(self, key_tag: str, limit: int) -> Sequence[Entry]:
        """Latest first."""

    def by_tracking(self, tracking: Tracking) -> str | None: ...

    def save(self, changes: Sequence[Change], at: datetime) -> None:
        """MovedOn when any of the shipments is not as it was, or its key goes another way by now. A new
        tracking number is bound to its shipment: TrackingNumberTaken when it lately was another one's."""

    def ring(self, change: Change) -> None:
        """MovedOn unless shipment and due time are as they were."""

    def keep(self, tracking: Tracking, news: Sequence[Happened]) -> None:
        """For whoever binds this number. MovedOn when it has been bound meanwhile."""

    def kept(self, tracking: Tracking) -> Sequence[Happened]:
        """Earliest first."""

    def due(self, shard: int, until: datetime) -> Iterator[Sequence[Shipment]]:
        """One page per query, earliest first, to the last one due."""

    def armed(self, shard: int) -> Iterator[Sequence[Shipment]]:
        """All that wait for anything; as `due`."""

    def first_due(self, shard: int, until: datetime) -> datetime | None: ...

    def announce(self, override: Override, order_id: str) -> None:
        """With its fact, CalendarChanged. AlreadyAnnounced."""

    def announced(self, order_id: str) -> Override | None: ...

    def overrides(self, since: date) -> Sequence[Override]:
        """Of all days from this one on."""

    def troubles(self, state: State, limit: int) -> Sequence[Shipment]:
        """Longest in that state first."""


class Contracts(Protocol):
    def delivery(self, contract_id: str) -> Delivery: ...


class Carriers(Protocol):
    def report(self, carrier: str, raw: bytes, signature: str) -> CarrierReport:
        """Verified before it is read. UnknownCarrier, BadSignature, or Malformed."""


class Relief(Protocol):
    def hand_on(self, shard: int) -> None:
        """This shard of what is due is left to another run."""


class KeyView(Struct, frozen=True):
    """A key, who has it, how it came there, and what happened on its latest way."""

    held: Held
    ledger: Sequence[Entry]
    state: State
    log: Sequence[Happened]


class KeyStatus(Struct, frozen=True):
    shipment_id: str
    key_tag: str
    state: str
    tracking: str | None


class Trouble(Struct, frozen=True):
    """`kind`: its state."""

    shipment_id: str
    contract_id: str
    kind: str
    since: datetime


def shipment_id_of(contract_id: str, swapped_to: str = "") -> str:
    """A contract's first shipment has one name, and so has that of each car it is swapped to: planning one
    twice plans it once."""
    return keyed_id("shp", contract_id, swapped_to) if swapped_to else keyed_id("shp", contract_id)


class KeyService:
    """`most`: after so many rings a sweep hands the rest on."""

    def __init__(
        self,
        store: Store,
        contracts: Contracts,
        carriers: Carriers,
        relief: Relief,
        now: Clock,
        most: int = deadlines.MOST,
    ) -> None:
        self._store = store
        self._contracts = contracts
        self._carriers = carriers
        self._relief = relief
        self._now = now
        self._most = most
        self._kept: tuple[Calendars, datetime] | None = None

    def plan(self, contract_id: str) -> str:
        """The shipment's id, also when it was planned before."""
        delivery = self._contracts.delivery(contract_id)
        ways = {key_tag: shipment_id for shipment_id, key_tag in self._store.by_contract(contract_id)}
        if delivery.key_tag in ways:
            return ways[delivery.key_tag]
        shipment_id = shipment_id_of(contract_id, delivery.key_tag if ways else "")
        for _ in range(TRIES):
            with contextlib.suppress(MovedOn):
                self._plan(shipment_id, delivery)
                return shipment_id
        raise Busy()

    def swapped(self, contract_id: str, at: datetime, cause: str) -> str:
        """The key of the new car has changed hands with it; as any other, it is only home once proven."""
        shipment_id = self.plan(contract_id)
        handed = Happened(f"fact#{cause}", Event.HANDED_IN_PERSON, at, self._now(), Role.AGENT)
        self._heard(shipment_id, [handed])
        return shipment_id

    def _plan(self, shipment_id: str, delivery: Delivery) -> None:
        held, now = self._store.held(delivery.key_tag), self._now()
        holder, moves = (held.holder, held.seq) if held else (Holder.DEPOT, 0)
        calendar = self._calendars().latest
        with contextlib.suppress(AlreadyPlanned):
            self._store.plan(model.planned(shipment_id, delivery, now, calendar, holder=holder, moves=moves))

    def scan(self, scan: Scan, by: Caller) -> Told:
        """LabelMismatch, with the scan stored, when a key is being packed for another address."""
        now = self._now()
        scan.allowed([group.value for group in by.groups], now)
        shipment_id = self._store.by_tag(scan.key_tag)
        if shipment_id is None:
            raise UnknownKeyTag()
        books = self._calendars()
        (change,) = self._settled(lambda: [scan.told_to(self._history(shipment_id), by.id, now, books)])
        if not scan.fits(change.before):
            raise LabelMismatch(shipment_id=shipment_id, state=change.after.state.value)
        after = change.after
        early = self._store.kept(scan.tracking) if scan.tracking else ()
        for later in self._heard(shipment_id, early):
            after = later.after
        return Told(shipment_id, after.state, replayed=not change.news)

    def carrier_event(self, carrier: str, raw: bytes, signature: str) -> Heard:
        """Three calls for news (number, history, transaction), two for a repetition or an unknown number; a
        webhook with more news than CHUNK takes two calls more."""
        report = self._carriers.report(carrier, raw, signature)
        said = report.happened(self._now())
        news = tuple({each.id: each for each in said}.values())
        shipment_id = self._bound(report.tracking, news) if news else None
        if shipment_id is None:
            return Heard(known=False, scans=len(said), new=len(news))
        new = sum(len(change.news) for change in self._heard(shipment_id, news))
        return Heard(known=True, scans=len(said), new=new)

    def _bound(self, tracking: Tracking, news: Sequence[Happened]) -> str | None:
        """Whose number this is; None when nobody's, with the news kept until somebody binds it."""
        shipment_id = self._store.by_tracking(tracking)
        if shipment_id is None:
            try:
                self._store.keep(tracking, news)
            except MovedOn:
                return self._store.by_tracking(tracking)
        return shipment_id

    def receipt(self, contract_id: str, receipt: Receipt, by: Caller, key: str) -> Told:
        """A tag that is another contract's key is trouble for both: two wrong keys come in pairs."""
        shipment_id = self._current(contract_id)
        receipt_id = f"receipt#{keyed_id('rcp', by.id, key)}"
        books = self._calendars()

        def think() -> list[Change]:
            history = self._history(shipment_id)
            if history.shipment.delivery.customer_id != by.id:
                raise UnknownShipment()
            known = history.known(receipt_id)
            if known is not None and known.code != receipt.words:
                raise KeyReused()
            event, now = receipt.event(history.shipment), self._now()
            own = history.told([Happened(receipt_id, event, now, now, by.id, receipt.words)], books)
            wrong = own.history.count(Event.CUSTOMER_SCAN_MISMATCH)
            followed = own.real and event is Event.CUSTOMER_SCAN_MISMATCH and wrong <= TAGS_FOLLOWED
            return [own, *self._other_of_the_pair(own, receipt, books)] if followed else [own]

        own = self._settled(think)[0]
        heard = own.history.known(receipt_id)
        assert heard is not None
        assert heard.outcome is not None
        return Told(shipment_id, heard.outcome, replayed=not own.real)

    def _other_of_the_pair(self, own: Change, receipt: Receipt, books: Calendars) -> list[Change]:
        """The one whose key was scanned, if that is news."""
        other_id = self._store.by_tag(receipt.key_tag or "")
        other = self._store.history(other_id) if other_id else None
        if other is None or other.shipment.shipment_id == own.before.shipment_id:
            return []
        scanned = own.news[0].happened
        held = replace(scanned, id=f"pair#{scanned.id}", event=Event.HELD_BY_ANOTHER, code="")
        change = other.told([replace(held, by=own.before.shipment_id)], books)
        return [change] if change.after.state is not change.before.state else []

    def correct(self, shipment_id: str, correction: Correction, by: Caller) -> Told:
        """An event declared an error stays in its row and counts no more; the ledger gets one more line."""
        books, now = self._calendars(), self._now()

        def think() -> list[Change]:
            history = self._history(shipment_id)
            if self._store.by_tag(history.shipment.delivery.key_tag) != shipment_id:
                raise GoneOnAnotherWay()
            return [correction.told_to(history, by.id, now, books)]

        (change,) = self._settled(think)
        return Told(shipment_id, change.history.shipment.state, replayed=not change.real)

    def order(self, shipment_id: str, event: Event, by: Caller, key: str) -> Told:
        """What operations say of a shipment themselves. IllegalMove where the table has no such row."""
        order_id = f"ops#{keyed_id('ops', by.id, key)}"
        books, now = self._calendars(), self._now()

        def think() -> list[Change]:
            history = self._history(shipment_id)
            known = history.known(order_id)
            if known is not None and known.event is not event:
                raise KeyReused()
            if known is None:
                JOURNEY.after(history.shipment.state, event)
            return [history.told([Happened(order_id, event, now, now, by.id)], books)]

        (change,) = self._settled(think)
        heard = change.history.known(order_id)
        assert heard is not None
        assert heard.outcome is not None
        return Told(shipment_id, heard.outcome, replayed=not change.real)

    def order_by_tag(self, key_tag: str, event: Event, by: Caller, key: str) -> Told:
        shipment_id = self._store.by_tag(key_tag)
        if shipment_id is None:
            raise UnknownKey()
        return self.order(shipment_id, event, by, key)

    def appointment_moved(self, contract_id: str, cause: str) -> None:
        """The contract says where and when its key is wanted now; a label of the old address is refused from
        the moment this is heard."""
        ways = self._store.by_contract(contract_id)
        if not ways:
            return
        shipment_id, key_tag = ways[-1]
        delivery = self._contracts.delivery(contract_id)
        if delivery.key_tag != key_tag:
            return
        books, now = self._calendars(), self._now()

        def think() -> list[Change]:
            history = self._history(shipment_id)
            moved = delivery.label_hash != history.shipment.delivery.label_hash
            news = [Happened(f"fact#{cause}", Event.ADDRESS_CHANGED, now, now, Role.OPS)] if moved else []
            return [history.promised_anew(delivery, news, books)]

        self._settled(think)

    def contract_cancelled(self, contract_id: str, at: datetime, cause: str) -> None:
        """A key still in the house stays there, one on its way is called back; one that has arrived is
        outstanding until it is brought."""
        cancelled = Happened(f"fact#{cause}", Event.CANCEL, at, self._now(), Role.OPS)
        for shipment_id, _ in self._store.by_contract(contract_id):
            self._heard(shipment_id, [cancelled])

    def car_opened_with_key(self, car_id: str, at: datetime, cause: str) -> None:
        """Whoever opens a car with a key has it: proof, where the carrier says that it arrived before."""
        shipment_id = self._store.by_car(car_id)
        shipment = self._store.shipment(shipment_id) if shipment_id else None
        if shipment is None or not JOURNEY.allows(shipment.state, Event.PHYSICAL_UNLOCK_OK):
            return
        opened = Happened(f"fact#{cause}", Event.PHYSICAL_UNLOCK_OK, at, self._now(), Role.CAR)
        self._heard(shipment.shipment_id, [opened])

    def sweep(self, shards: Iterable[int] = range(SHARDS)) -> Report:
        """Rings every timer that ran out, each once, however many sweeps run at a time or break off half way:
        what is due stays due until its ring and its fact are stored together."""
        now = self._now()
        return deadlines.sweep(
            lambda shard: self._store.due(shard, now),
            lambda shipment: self._rings(shipment, now),
            shards=shards,
            most=self._most,
            hand_on=self._relief.hand_on,
        )

    def _rings(self, shipment: Shipment, now: datetime) -> bool:
        change = model.rung(shipment, now, self._calendars())
        try:
            self._store.ring(change)
        except MovedOn:
            return False
        return bool(change.news)

    def announce(self, day: date, *, is_open: bool, note: str, by: Caller, key: str) -> Done[Override]:
        """What operations learn late about a day: the calendar of all deadlines changes with it."""
        now, order_id = self._now(), keyed_id("cal", by.id, key)
        override = Override(day, is_open, note, now)
        before = self._store.announced(order_id)
        if before is not None:
            return self._announced(override, before)
        if day < now.astimezone(KST).date():
            raise DayIsOver()
        self._store.announce(override, order_id)
        self._kept = None
        return Done(override)

    def _announced(self, override: Override, before: Override) -> Done[Override]:
        if replace(override, announced_at=before.announced_at) != before:
            raise KeyReused()
        return Done(before, replayed=True)

    def calendar_changed(self) -> int:
        """Every open item is due when the new calendar says; how many that changed."""
        self._kept = None
        calendar = self._calendars().latest
        pages = (page for shard in range(SHARDS) for page in self._store.armed(shard))
        return sum(self._armed_anew(shipment, calendar) for page in pages for shipment in page)

    def _armed_anew(self, shipment: Shipment, calendar: Calendar) -> bool:
        here = shipment.armed(calendar)
        if here.due_at == shipment.due_at:
            return False
        try:
            self._store.ring(Change(shipment, History(here, ()), ()))
        except MovedOn:
            return False
        return True

    def calendar(self) -> Calendar:
        return self._calendars().latest

    def _calendars(self) -> Calendars:
        now = self._now()
        if self._kept is None or now - self._kept[1] >= CALENDAR_KEPT:
            since = (now - LONGEST_OPEN).astimezone(KST).date()
            self._kept = Calendars(tuple(self._store.overrides(since))), now
        return self._kept[0]

    def outstanding(self, contract_id: str) -> list[str]:
        """The tags of its keys that have not come home."""
        tags = sorted({key_tag for _, key_tag in self._store.by_contract(contract_id)})
        held = ((tag, self._store.held(tag)) for tag in tags)
        return [tag for tag, it in held if it and it.contract_id == contract_id and not it.home]

    def key(self, key_tag: str) -> KeyView:
        held = self._store.held(key_tag)
        history = self._store.history(held.shipment_id) if held else None
        if held is None or history is None:
            raise UnknownKey()
        log = sorted(history.log, key=lambda each: each.order, reverse=True)
        return KeyView(held, self._store.ledger(key_tag, SHOWN), history.shipment.state, log[:SHOWN])

    def status(self, contract_id: str) -> KeyStatus | None:
        ways = self._store.by_contract(contract_id)
        shipment = self._store.shipment(ways[-1][0]) if ways else None
        if shipment is None:
            return None
        number = shipment.tracking.number if shipment.tracking else None
        return KeyStatus(shipment.shipment_id, shipment.delivery.key_tag, shipment.state, number)

    def troubles(self, limit: int) -> list[Trouble]:
        """Longest in trouble first."""
        found = [each for state in model.TROUBLES for each in self._store.troubles(state, limit)]
        return [
            Trouble(each.shipment_id, each.delivery.contract_id, each.state, each.since)
            for each in sorted(found, key=lambda each: each.since)[:limit]
        ]

    def oldest_due(self, at: datetime) -> datetime | None:
        """The earliest timer that ran out before `at` and that no sweep has taken."""
        first = (self._store.first_due(shard, at) for shard in range(SHARDS))
        return min((due_at for due_at in first if due_at), default=None)

    def _history(self, shipment_id: str) -> History:
        history = self._store.history(shipment_id)
        if history is None:
            raise UnknownShipment()
        return history

    def _current(self, contract_id: str) -> str:
        ways = self._store.by_contract(contract_id)
        if not ways:
            raise UnknownShipment()
        return ways[-1][0]

    def _heard(self, shipment_id: str, news: Sequence[Happened]) -> list[Change]:
        """As many changes as it takes: what is news to the shipment, CHUNK at a time."""
        think = partial(self._told, shipment_id, news, self._calendars())
        changes: list[Change] = []
        while news and not (changes and changes[-1].history.knows(news)):
            changes += self._settled(think)
        return changes

    def _told(self, shipment_id: str, news: Sequence[Happened], books: Calendars) -> list[Change]:
        history = self._history(shipment_id)
        fresh = [each for each in news if not history.knows([each])]
        return [history.told(fresh[:CHUNK], books)]

    def _settled(self, think: Callable[[], list[Change]]) -> list[Change]:
        """Thought over again, from what is then stored, whenever somebody else was faster."""
        for _ in range(TRIES):
            changes = think()
            real = [change for change in changes if change.real]
            try:
                if real:
                    self._store.save(real, self._now())
                return changes
            except MovedOn:
                continue
        raise Busy()
