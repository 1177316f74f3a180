"""What people, customers and carriers tell, and what each telling makes of a shipment."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from chalicelib.keys.model.deadlines import Calendars
from chalicelib.keys.model.journey import (
    JOURNEY,
    AlreadyCorrected,
    ClockWrong,
    Event,
    NotCorrectable,
    NotYourScan,
    Role,
    State,
    UnknownEvent,
)
from chalicelib.keys.model.shipment import (
    ERROR,
    Change,
    Happened,
    History,
    Position,
    Shipment,
    Tracking,
)

SCANS = {
    "pack": Event.PACK_SCAN_OK,
    "handoff": Event.CARRIER_ACCEPT,
    "out_for_delivery": Event.SCAN_OFD,
    "attempt_failed": Event.SCAN_ATTEMPT_FAILED,
    "delivered": Event.SCAN_DELIVERED,
    "recovered": Event.RECOVERED,
    "found": Event.FOUND,
    "received": Event.SCAN_RECEIVED_HUB,
    "audited": Event.AUDIT_OK,
}
"""What people scan, in the words of the partner pages."""
CLOCK_SKEW = timedelta(minutes=5)
LONGEST_OFFLINE = timedelta(days=30)


class Scan(Struct, frozen=True):
    """`event`: a word of SCANS. `label_hash` counts when packing. `place`: the label's address on the map."""

    event: str
    key_tag: str
    label_hash: str
    at: datetime
    tracking: Tracking | None = None
    place: Position | None = None

    def allowed(self, roles: Iterable[str], now: datetime) -> None:
        """NotYourScan or ClockWrong."""
        event = SCANS[self.event]
        if not any(set(may) & set(roles) for _, what, _, may in JOURNEY.rows if what is event):
            raise NotYourScan(f"{self.event} is not scanned by you")
        if not now - LONGEST_OFFLINE < self.at < now + CLOCK_SKEW:
            raise ClockWrong()

    def fits(self, shipment: Shipment) -> bool:
        """Packing needs two scans that agree: the tag found the shipment, the label must be its address."""
        return self.event != "pack" or self.label_hash == shipment.delivery.label_hash

    def told_to(self, history: History, by: str, now: datetime, calendars: Calendars) -> Change:
        """The same tag, event and time is the same scan, unless one fits and the other does not. What does
        not fit gets no tracking number."""
        fits = self.fits(history.shipment)
        event = SCANS[self.event] if fits else Event.PACK_SCAN_MISMATCH
        scan_id = f"scan#{event}#{self.at.isoformat()}"
        scanned = Happened(scan_id, event, min(self.at, now), now, by, self.event)
        change = history.told([scanned], calendars)
        return change.bound(self.tracking, self.place) if fits else change


TAGS_FOLLOWED = 3
"""So many wrong tags of one customer are followed to their owners: more is guessing."""


class Receipt(Struct, frozen=True):
    """What a customer says: the tag on the key in their hand, or None when no key came."""

    key_tag: str | None

    @property
    def words(self) -> str:
        return f"tag {self.key_tag}" if self.key_tag else "not received"

    def event(self, shipment: Shipment) -> Event:
        if self.key_tag is None:
            return Event.CUSTOMER_NOT_RECEIVED
        match = self.key_tag == shipment.delivery.key_tag
        return Event.CUSTOMER_SCAN_MATCH if match else Event.CUSTOMER_SCAN_MISMATCH


class Why(StrEnum):
    """The reasons of an errorDeclaration (EPCIS 2.0, CBV)."""

    DID_NOT_OCCUR = "did_not_occur"
    INCORRECT_DATA = "incorrect_data"


class Correction(Struct, frozen=True):
    """`event_id` is declared an error: its row stays, the fold no longer believes it. `instead`: what truly
    happened, and when."""

    event_id: str
    why: Why
    instead: tuple[Event, datetime] | None = None

    @property
    def words(self) -> str:
        event, at = self.instead or ("nothing", "")
        return f"{self.why}: {event} {at}".rstrip()

    def told_to(self, history: History, by: str, now: datetime, calendars: Calendars) -> Change:
        """Once for each event; an end that rests on an error is open again."""
        wrong = history.known(self.event_id)
        if wrong is None:
            raise UnknownEvent()
        if wrong.by == Role.CLOCK or wrong.event is Event.DECLARED_IN_ERROR:
            raise NotCorrectable()
        declared = ERROR + self.event_id
        before = history.known(declared)
        if before is not None and before.code != self.words:
            raise AlreadyCorrected()
        if before is not None:
            return Change(history.shipment, history, ())
        news = [Happened(declared, Event.DECLARED_IN_ERROR, now, now, by, self.words)]
        if self.instead:
            event, at = self.instead
            news.append(Happened(f"corrected#{self.event_id}", event, min(at, now), now, by, self.words))
        return history.told(news, calendars, reopening=True)


class CarrierScan(Struct, frozen=True):
    """One thing a carrier says, `code` in its own words. `event` is ours."""

    event: Event
    at: datetime
    code: str
    position: Position | None = None


class CarrierReport(Struct, frozen=True):
    """One webhook: carriers send the whole history with every step of it."""

    tracking: Tracking
    scans: tuple[CarrierScan, ...]

    def happened(self, now: datetime) -> tuple[Happened, ...]:
        """The same number, time and code is the same scan. Nothing happens later than it is told: some
        carriers send local times as if they were UTC."""
        source = f"{self.tracking.carrier}#{self.tracking.number}"
        return tuple(
            Happened(
                f"{source}#{each.at.isoformat()}#{each.code}",
                each.event,
                min(each.at, now),
                now,
                f"{Role.CARRIER}:{self.tracking.carrier}",
                each.code,
                each.position,
            )
            for each in self.scans
        )


class Told(Struct, frozen=True):
    """Where the shipment stands after hearing this. `replayed`: it was heard before."""

    shipment_id: str
    state: State
    replayed: bool = False


class Heard(Struct, frozen=True):
    """What became of a webhook: while no parcel of ours has its number it is not `known`, and kept."""

    known: bool
    scans: int
    new: int
