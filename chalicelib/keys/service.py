"""Use cases of keys on their way: planned, scanned, tracked, received, and missed in time."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from chalicelib.kernel.auth import Caller
from chalicelib.kernel.clock import Clock
from chalicelib.kernel.errors import Busy, KeyReused
from chalicelib.kernel.ids import keyed_id
from chalicelib.keys import model
from chalicelib.keys.model import (
    TAGS_FOLLOWED,
    AlreadyPlanned,
    CarrierReport,
    Change,
    Delivery,
    Event,
    Happened,
    Heard,
    History,
    LabelMismatch,
    MovedOn,
    Receipt,
    Scan,
    Shipment,
    State,
    Told,
    Tracking,
    UnknownKeyTag,
    UnknownShipment,
)

CHUNK = 40
"""Events heard in one transaction, which holds 100 rows: each may bring one of ours."""
TRIES = 8
"""How often a change is thought over again when somebody else was faster."""


class Store(Protocol):
    """Every method that writes does so entirely or not at all. Reads are strongly consistent; only what is
    due and what is in trouble may lag a moment."""

    def plan(self, shipment: Shipment) -> None:
        """Also claims the key tag. AlreadyPlanned, or KeyTagTaken while another open shipment has the tag."""

    def history(self, shipment_id: str) -> History | None: ...

    def shipment(self, shipment_id: str) -> Shipment | None: ...

    def by_tag(self, key_tag: str) -> str | None:
        """The shipment id of the latest shipment with this tag."""

    def by_tracking(self, tracking: Tracking) -> str | None: ...

    def save(self, changes: Sequence[Change], at: datetime) -> None:
        """MovedOn when any of the shipments is not as it was. A new tracking number is bound to its shipment:
        TrackingNumberTaken when it lately belonged to another one."""

    def ring(self, change: Change) -> None:
        """MovedOn unless state and due time are as they were."""

    def keep(self, tracking: Tracking, news: Sequence[Happened]) -> None:
        """For whoever binds this number. MovedOn when it has been bound meanwhile."""

    def kept(self, tracking: Tracking) -> Sequence[Happened]:
        """Earliest first."""

    def due(self, shard: int, until: datetime) -> Iterator[Sequence[Shipment]]:
        """One page per query, earliest first, to the last one due."""

    def first_due(self, shard: int, until: datetime) -> datetime | None: ...

    def troubles(self, state: State, limit: int) -> Sequence[Shipment]:
        """Longest in that state first."""


class Contracts(Protocol):
    def delivery(self, contract_id: str) -> Delivery: ...


class Carriers(Protocol):
    def report(self, carrier: str, raw: bytes, signature: str) -> CarrierReport:
        """Verified before it is read. UnknownCarrier, BadSignature, or Malformed."""


class SweepReport(Struct, frozen=True):
    found: int
    claimed: int
    rows_read: int
    queries: int


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


def shipment_id_of(contract_id: str) -> str:
    """A contract's shipment has one name, so planning it twice plans it once."""
    return keyed_id("shp", contract_id)


class KeyService:
    def __init__(self, store: Store, contracts: Contracts, carriers: Carriers, now: Clock) -> None:
        self._store = store
        self._contracts = contracts
        self._carriers = carriers
        self._now = now

    def plan(self, contract_id: str) -> str:
        """The shipment's id, also when it was planned before."""
        shipment_id = shipment_id_of(contract_id)
        delivery = self._contracts.delivery(contract_id)
        with contextlib.suppress(AlreadyPlanned):
            self._store.plan(model.planned(shipment_id, delivery, self._now()))
        return shipment_id

    def scan(self, scan: Scan, by: Caller) -> Told:
        """LabelMismatch, with the scan stored, when a key is being packed for another address."""
        now = self._now()
        scan.allowed([group.value for group in by.groups], now)
        shipment_id = self._store.by_tag(scan.key_tag)
        if shipment_id is None:
            raise UnknownKeyTag()
        (change,) = self._settled(lambda: [scan.told_to(self._history(shipment_id), by.id, now)])
        if not scan.fits(change.before):
            raise LabelMismatch(shipment_id=shipment_id, state=change.after.state.value)
        after = change.after
        early = self._store.kept(scan.tracking) if scan.tracking else ()
        for start in range(0, len(early), CHUNK):
            after = self._heard(shipment_id, early[start : start + CHUNK]).after
        return Told(shipment_id, after.state, replayed=not change.news)

    def carrier_event(self, carrier: str, raw: bytes, signature: str) -> Heard:
        """Three calls for news (number, history, transaction), two for a repetition or an unknown number."""
        report = self._carriers.report(carrier, raw, signature)
        said = report.happened(self._now())
        news = tuple({each.id: each for each in said}.values())
        shipment_id = self._bound(report.tracking, news) if news else None
        if shipment_id is None:
            return Heard(known=False, scans=len(said), new=len(news))
        return Heard(known=True, scans=len(said), new=len(self._heard(shipment_id, news).news))

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
        shipment_id = shipment_id_of(contract_id)
        receipt_id = f"receipt#{keyed_id('rcp', by.id, key)}"

        def think() -> list[Change]:
            history = self._store.history(shipment_id)
            if history is None or history.shipment.delivery.customer_id != by.id:
                raise UnknownShipment()
            known = history.known(receipt_id)
            if known is not None and known.code != receipt.words:
                raise KeyReused()
            event, now = receipt.event(history.shipment), self._now()
            own = history.told([Happened(receipt_id, event, now, now, by.id, receipt.words)])
            wrong = own.history.count(Event.CUSTOMER_SCAN_MISMATCH)
            followed = own.real and event is Event.CUSTOMER_SCAN_MISMATCH and wrong <= TAGS_FOLLOWED
            return [own, *self._other_of_the_pair(own, receipt)] if followed else [own]

        own = self._settled(think)[0]
        heard = own.history.known(receipt_id)
        assert heard is not None
        assert heard.outcome is not None
        return Told(shipment_id, heard.outcome, replayed=not own.real)

    def _other_of_the_pair(self, own: Change, receipt: Receipt) -> list[Change]:
        """The one whose key was scanned, if that is news."""
        other_id = self._store.by_tag(receipt.key_tag or "")
        other = self._store.history(other_id) if other_id else None
        if other is None or other.shipment.shipment_id == own.before.shipment_id:
            return []
        (scanned, _), *_ = own.news
        held = replace(scanned, id=f"pair#{scanned.id}", event=Event.HELD_BY_ANOTHER, code="")
        change = other.told([replace(held, by=own.before.shipment_id)])
        return [change] if change.after.state is not change.before.state else []

    def sweep(self) -> SweepReport:
        """Rings every timer that ran out, each once, however many sweeps run at a time or break off half way:
        what is due stays due until its ring and its fact are stored together."""
        now = self._now()
        found = claimed = queries = 0
        for shard in range(model.SHARDS):
            for page in self._store.due(shard, now):
                queries += 1
                found += len(page)
                claimed += sum(self._rings(shipment, now) for shipment in page)
        return SweepReport(found, claimed, rows_read=found, queries=queries)

    def _rings(self, shipment: Shipment, now: datetime) -> bool:
        try:
            self._store.ring(model.rung(shipment, now))
        except MovedOn:
            return False
        return True

    def status(self, contract_id: str) -> KeyStatus | None:
        shipment = self._store.shipment(shipment_id_of(contract_id))
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
        first = (self._store.first_due(shard, at) for shard in range(model.SHARDS))
        return min((due_at for due_at in first if due_at), default=None)

    def _history(self, shipment_id: str) -> History:
        history = self._store.history(shipment_id)
        if history is None:
            raise UnknownShipment()
        return history

    def _heard(self, shipment_id: str, news: Sequence[Happened]) -> Change:
        return self._settled(lambda: [self._history(shipment_id).told(news)])[0]

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
