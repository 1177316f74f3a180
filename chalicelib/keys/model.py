"""A key's way to its customer: what can happen to it, where it then stands, when its silence is a finding.

Every event is kept, whenever it arrives; where a shipment stands is the fold of its events in the order in
which they happened. So carriers may repeat themselves, be late and overtake each other, and a scan made
without signal counts from the moment it was made. An end, once reached, is final.
"""

import math
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from chalicelib.kernel.errors import Conflict, Forbidden, NotFound, Refused, TooMany, Unauthenticated
from chalicelib.kernel.states import Table


class UnknownShipment(NotFound):
    """No key is on its way for this contract."""


class UnknownKeyTag(NotFound):
    """No shipment carries a key with this tag."""


class UnknownCarrier(NotFound):
    """We do not work with this carrier."""


class BadSignature(Unauthenticated):
    """This webhook is not signed by its carrier."""


class NotYourScan(Forbidden):
    """This scan is made by somebody else."""


class LabelMismatch(Refused):
    """The label does not carry the address this key goes to: do not pack it."""


class ClockWrong(Refused):
    """The scanner's clock is wrong: set it and scan again."""


class HistoryFull(TooMany):
    """So much cannot happen to one key."""


class TrackingNumberTaken(Refused):
    """This tracking number belongs to another key."""


class KeyTagTaken(Conflict):
    """A key with this tag is already on its way."""


class AlreadyPlanned(Conflict):
    """This contract's shipment exists."""


class MovedOn(Conflict):
    """The shipment changed while we looked."""


class Role(StrEnum):
    PACKER = "packer"
    COURIER = "courier"
    AGENT = "agent"
    OPS = "ops"
    CARRIER = "carrier"
    CUSTOMER = "customer"
    CAR = "car"
    CLOCK = "clock"


class State(StrEnum):
    PLANNED = "planned"
    PACKED = "packed"
    HANDED_TO_CARRIER = "handed_to_carrier"
    IN_TRANSIT = "in_transit"
    OUT_FOR_DELIVERY = "out_for_delivery"
    ATTEMPT_FAILED = "attempt_failed"
    INTERCEPTING = "intercepting"
    EXCEPTION = "exception"
    STALLED = "stalled"
    DELIVERED = "delivered"
    UNCONFIRMED = "unconfirmed"
    WRONG_KEY = "wrong_key"
    WRONG_ADDRESS = "wrong_address"
    RETURNING = "returning"
    RETURNED = "returned"
    LOST = "lost"
    VERIFIED = "verified"
    RESTOCKED = "restocked"
    WRITTEN_OFF = "written_off"
    CANCELLED = "cancelled"


class Event(StrEnum):
    """Of events at the same instant, the one named first here happened first."""

    CANCEL = "cancel"
    ADDRESS_CHANGED = "address_changed"
    PACK_SCAN_MISMATCH = "pack_scan_mismatch"
    PACK_SCAN_OK = "pack_scan_ok"
    CARRIER_ACCEPT = "carrier_accept"
    SCAN_TRANSIT = "scan_transit"
    REDIRECTED = "redirected"
    SCAN_OFD = "scan_ofd"
    SCAN_ATTEMPT_FAILED = "scan_attempt_failed"
    SCAN_EXCEPTION = "scan_exception"
    SCAN_WRONG_ADDRESS = "scan_wrong_address"
    SCAN_DELIVERED = "scan_delivered"
    POD_FAR_FROM_ADDRESS = "pod_far_from_address"
    CUSTOMER_NOT_RECEIVED = "customer_not_received"
    CUSTOMER_SCAN_MISMATCH = "customer_scan_mismatch"
    HELD_BY_ANOTHER = "held_by_another"
    CUSTOMER_SCAN_MATCH = "customer_scan_match"
    PHYSICAL_UNLOCK_OK = "physical_unlock_ok"
    FOUND = "found"
    RECOVERED = "recovered"
    SCAN_RETURNING = "scan_returning"
    SCAN_RECEIVED_HUB = "scan_received_hub"
    AUDIT_OK = "audit_ok"
    REKEYED = "rekeyed"
    T_PACK_BY = "T.pack_by"
    T_HANDOFF_BY = "T.handoff_by"
    T_FIRST_SCAN_BY = "T.first_scan_by"
    T_SCAN_GAP = "T.scan_gap"
    T_REDELIVER_BY = "T.redeliver_by"
    T_INTERCEPT_BY = "T.intercept_by"
    T_DECLARE_LOST = "T.declare_lost"
    T_VERIFY_BY = "T.verify_by"
    T_RECOVER_BY = "T.recover_by"
    T_AUDIT_BY = "T.audit_by"
    T_REKEY_BY = "T.rekey_by"


SHARDS = 16
"""The timers are spread over so many parts, each read by one query of a sweep."""
IN_ORDER = {event: rank for rank, event in enumerate(Event)}
START = State.PLANNED

CARRIER_WORDS = {
    Event.SCAN_TRANSIT: State.IN_TRANSIT,
    Event.SCAN_OFD: State.OUT_FOR_DELIVERY,
    Event.SCAN_ATTEMPT_FAILED: State.ATTEMPT_FAILED,
    Event.SCAN_EXCEPTION: State.EXCEPTION,
    Event.SCAN_WRONG_ADDRESS: State.WRONG_ADDRESS,
    Event.SCAN_DELIVERED: State.DELIVERED,
    Event.SCAN_RETURNING: State.RETURNING,
}
ON_THE_WAY = (
    State.PACKED,
    State.HANDED_TO_CARRIER,
    State.IN_TRANSIT,
    State.OUT_FOR_DELIVERY,
    State.ATTEMPT_FAILED,
    State.EXCEPTION,
    State.STALLED,
    State.LOST,
)
"""Carriers skip scans and repeat them: from all of these, each of their words leads to the same place."""
MAYBE_WITH_CUSTOMER = (
    State.PLANNED,
    *ON_THE_WAY,
    State.INTERCEPTING,
    State.DELIVERED,
    State.UNCONFIRMED,
    State.WRONG_ADDRESS,
)
OUT_OF_HOUSE = (*MAYBE_WITH_CUSTOMER[1:], State.WRONG_KEY, State.RETURNING)
OPEN = (State.PLANNED, *OUT_OF_HOUSE, State.RETURNED)

COURIERS = {Role.CARRIER, Role.COURIER, Role.AGENT}
CLOCK = {Role.CLOCK}

JOURNEY = Table[State, Event](
    (State.PLANNED, Event.PACK_SCAN_OK, State.PACKED, {Role.PACKER}),
    (State.PLANNED, Event.PACK_SCAN_MISMATCH, State.PLANNED, {Role.PACKER}),
    (State.PLANNED, Event.CANCEL, State.CANCELLED, {Role.OPS}),
    (State.PLANNED, Event.T_PACK_BY, State.PLANNED, CLOCK),
    (State.PACKED, Event.CARRIER_ACCEPT, State.HANDED_TO_CARRIER, {*COURIERS, Role.PACKER}),
    (State.PACKED, Event.PACK_SCAN_MISMATCH, State.PACKED, {Role.PACKER}),
    (State.PACKED, Event.ADDRESS_CHANGED, State.PLANNED, {Role.OPS}),
    (State.PACKED, Event.CANCEL, State.CANCELLED, {Role.OPS}),
    (State.PACKED, Event.T_HANDOFF_BY, State.PACKED, CLOCK),
    *((state, word, then, COURIERS) for state in ON_THE_WAY for word, then in CARRIER_WORDS.items()),
    (State.HANDED_TO_CARRIER, Event.T_FIRST_SCAN_BY, State.STALLED, CLOCK),
    (State.IN_TRANSIT, Event.ADDRESS_CHANGED, State.INTERCEPTING, {Role.OPS}),
    (State.IN_TRANSIT, Event.T_SCAN_GAP, State.STALLED, CLOCK),
    (State.OUT_FOR_DELIVERY, Event.T_SCAN_GAP, State.STALLED, CLOCK),
    (State.ATTEMPT_FAILED, Event.T_REDELIVER_BY, State.STALLED, CLOCK),
    (State.INTERCEPTING, Event.REDIRECTED, State.IN_TRANSIT, {Role.OPS}),
    (State.INTERCEPTING, Event.SCAN_RETURNING, State.RETURNING, COURIERS),
    (State.INTERCEPTING, Event.SCAN_DELIVERED, State.WRONG_ADDRESS, COURIERS),
    (State.INTERCEPTING, Event.T_INTERCEPT_BY, State.STALLED, CLOCK),
    (State.EXCEPTION, Event.T_DECLARE_LOST, State.LOST, CLOCK),
    (State.STALLED, Event.T_DECLARE_LOST, State.LOST, CLOCK),
    (State.DELIVERED, Event.POD_FAR_FROM_ADDRESS, State.WRONG_ADDRESS, COURIERS),
    (State.DELIVERED, Event.CUSTOMER_NOT_RECEIVED, State.WRONG_ADDRESS, {Role.CUSTOMER}),
    (State.DELIVERED, Event.PHYSICAL_UNLOCK_OK, State.VERIFIED, {Role.CAR}),
    (State.DELIVERED, Event.SCAN_RETURNING, State.RETURNING, COURIERS),
    (State.DELIVERED, Event.T_VERIFY_BY, State.UNCONFIRMED, CLOCK),
    (State.UNCONFIRMED, Event.CUSTOMER_NOT_RECEIVED, State.WRONG_ADDRESS, {Role.CUSTOMER}),
    (State.UNCONFIRMED, Event.PHYSICAL_UNLOCK_OK, State.VERIFIED, {Role.CAR}),
    (State.UNCONFIRMED, Event.SCAN_RETURNING, State.RETURNING, COURIERS),
    (State.UNCONFIRMED, Event.T_DECLARE_LOST, State.LOST, CLOCK),
    # A parcel that moves again has had its address corrected; a "delivered" repeated there proves nothing.
    (State.WRONG_ADDRESS, Event.SCAN_TRANSIT, State.IN_TRANSIT, COURIERS),
    (State.WRONG_ADDRESS, Event.SCAN_OFD, State.OUT_FOR_DELIVERY, COURIERS),
    (State.WRONG_ADDRESS, Event.SCAN_RETURNING, State.RETURNING, COURIERS),
    (State.WRONG_ADDRESS, Event.RECOVERED, State.RETURNING, {Role.COURIER, Role.AGENT}),
    (State.WRONG_ADDRESS, Event.T_RECOVER_BY, State.LOST, CLOCK),
    (State.WRONG_KEY, Event.RECOVERED, State.RETURNING, {Role.COURIER, Role.AGENT}),
    (State.WRONG_KEY, Event.T_RECOVER_BY, State.LOST, CLOCK),
    # On its way back a parcel is scanned and "delivered" too: to us.
    *(
        (State.RETURNING, word, State.RETURNING, COURIERS)
        for word in (Event.SCAN_TRANSIT, Event.SCAN_OFD, Event.SCAN_DELIVERED, Event.SCAN_RETURNING)
    ),
    (State.RETURNING, Event.T_SCAN_GAP, State.STALLED, CLOCK),
    (State.RETURNED, Event.AUDIT_OK, State.RESTOCKED, {Role.PACKER}),
    (State.RETURNED, Event.T_AUDIT_BY, State.RETURNED, CLOCK),
    (State.LOST, Event.FOUND, State.RETURNING, {Role.PACKER, Role.COURIER, Role.AGENT}),
    (State.LOST, Event.REKEYED, State.WRITTEN_OFF, {Role.OPS}),
    (State.LOST, Event.T_REKEY_BY, State.LOST, CLOCK),
    # What somebody holds in their hand outranks every scan.
    *((state, Event.CUSTOMER_SCAN_MATCH, State.VERIFIED, {Role.CUSTOMER}) for state in OPEN),
    *(
        (state, Event.CUSTOMER_SCAN_MISMATCH, State.WRONG_KEY, {Role.CUSTOMER})
        for state in MAYBE_WITH_CUSTOMER
    ),
    *((state, Event.HELD_BY_ANOTHER, State.WRONG_KEY, {Role.CUSTOMER}) for state in MAYBE_WITH_CUSTOMER),
    *((state, Event.SCAN_RECEIVED_HUB, State.RETURNED, {Role.PACKER}) for state in OUT_OF_HOUSE),
)

TROUBLES = (
    State.STALLED,
    State.WRONG_ADDRESS,
    State.WRONG_KEY,
    State.EXCEPTION,
    State.UNCONFIRMED,
    State.LOST,
)
"""What operations must see, worst news for a waiting customer first."""


class Timer(Struct, frozen=True):
    event: Event
    after: timedelta


TIMERS = {
    State.PLANNED: Timer(Event.T_PACK_BY, timedelta(days=4)),
    State.PACKED: Timer(Event.T_HANDOFF_BY, timedelta(hours=4)),
    State.HANDED_TO_CARRIER: Timer(Event.T_FIRST_SCAN_BY, timedelta(hours=24)),
    State.IN_TRANSIT: Timer(Event.T_SCAN_GAP, timedelta(hours=24)),
    State.OUT_FOR_DELIVERY: Timer(Event.T_SCAN_GAP, timedelta(hours=12)),
    State.ATTEMPT_FAILED: Timer(Event.T_REDELIVER_BY, timedelta(hours=24)),
    State.INTERCEPTING: Timer(Event.T_INTERCEPT_BY, timedelta(hours=12)),
    State.EXCEPTION: Timer(Event.T_DECLARE_LOST, timedelta(hours=48)),
    State.STALLED: Timer(Event.T_DECLARE_LOST, timedelta(hours=48)),
    State.DELIVERED: Timer(Event.T_VERIFY_BY, timedelta(hours=24)),
    State.UNCONFIRMED: Timer(Event.T_DECLARE_LOST, timedelta(hours=48)),
    State.WRONG_KEY: Timer(Event.T_RECOVER_BY, timedelta(days=3)),
    State.WRONG_ADDRESS: Timer(Event.T_RECOVER_BY, timedelta(days=3)),
    State.RETURNING: Timer(Event.T_SCAN_GAP, timedelta(hours=24)),
    State.RETURNED: Timer(Event.T_AUDIT_BY, timedelta(hours=24)),
    State.LOST: Timer(Event.T_REKEY_BY, timedelta(hours=24)),
}
TIMER_EVENTS = frozenset(timer.event for timer in TIMERS.values())
TOLD_ANYWAY = TIMER_EVENTS | {Event.PACK_SCAN_MISMATCH}
"""Published even when the state stays as it is."""
AGAIN = timedelta(hours=24)
"""A timer that leaves the state as it is rings again after this."""
BEFORE_HANDOVER = timedelta(hours=2)


def due(state: State, since: datetime, handover_at: datetime, *, again: bool = False) -> datetime | None:
    """When silence in this state becomes a finding; None in an end. Plain hours: the one place a calendar of
    business hours will replace."""
    timer = TIMERS.get(state)
    if timer is None:
        return None
    if again:
        return since + AGAIN
    if state is State.PLANNED:
        return max(since, handover_at - timer.after)
    if state is State.DELIVERED:
        return max(since, min(since + timer.after, handover_at - BEFORE_HANDOVER))
    return since + timer.after


class Position(Struct, frozen=True):
    """Degrees, WGS 84."""

    lat: float
    lon: float

    def metres_to(self, other: "Position") -> float:
        """Great circle (haversine), on a sphere of 6,371 km."""
        lat, other_lat = math.radians(self.lat), math.radians(other.lat)
        half = math.sin((other_lat - lat) / 2) ** 2
        half += math.cos(lat) * math.cos(other_lat) * math.sin(math.radians(other.lon - self.lon) / 2) ** 2
        return 2 * 6_371_000 * math.asin(math.sqrt(half))


POD_METRES = 200
"""A proof of delivery farther than this from the label's address is none."""


class Carrier(StrEnum):
    """The tracking services we are told by."""

    EASYPOST = "easypost"
    AFTERSHIP = "aftership"
    DELIVERY_TRACKER = "delivery-tracker"


class Tracking(Struct, frozen=True):
    carrier: str
    number: str

    @classmethod
    def of(cls, carrier: str, number: str) -> "Tracking":
        """Labels print the number in groups, carriers send it without."""
        return cls(carrier, re.sub(r"[\s-]", "", number).upper())


class Delivery(Struct, frozen=True):
    """What the contract says of its key. `label_hash` stands for the address."""

    contract_id: str
    customer_id: str
    car_id: str
    key_tag: str
    label_hash: str
    handover_at: datetime


class Happened(Struct, frozen=True):
    """One event. `id` is the same however often it is told; `code`: the teller's own words for it.

    `at` of a timer is the moment it was due. `outcome`: where the shipment stood once this was known.
    """

    id: str
    event: Event
    at: datetime
    recorded_at: datetime
    by: str
    code: str = ""
    position: Position | None = None
    outcome: State | None = None

    @property
    def order(self) -> tuple[datetime, int, str]:
        return (self.at, IN_ORDER[self.event], self.id)


class Shipment(Struct, frozen=True):
    """`since`: when it came into its state. `rung`: how many timers have rung for it. `version` grows with
    every change. `place`: where the label's address is, once a scan said it."""

    shipment_id: str
    delivery: Delivery
    planned_at: datetime
    state: State
    since: datetime
    due_at: datetime | None
    rung: int = 0
    version: int = 1
    tracking: Tracking | None = None
    place: Position | None = None

    @property
    def ended(self) -> bool:
        return self.state in JOURNEY.ends

    def after(self, what: Happened) -> "Shipment":
        """Unchanged where the table has no such row, and when a timer rang that later news had put off."""
        rings = what.event in TIMER_EVENTS
        early = rings and (self.due_at is None or what.at < self.due_at)
        if early or not JOURNEY.allows(self.state, what.event):
            return self
        then = JOURNEY.after(self.state, what.event)
        if what.event is Event.PACK_SCAN_MISMATCH:
            return self
        again = rings and then is self.state
        return replace(
            self, state=then, since=what.at, due_at=due(then, what.at, self.delivery.handover_at, again=again)
        )

    def folded(self, log: Iterable[Happened]) -> "Shipment":
        """Where it stands when all of this has happened, in whatever order it was heard."""
        fresh = planned(self.shipment_id, self.delivery, self.planned_at)
        here = replace(self, state=fresh.state, since=fresh.since, due_at=fresh.due_at)
        for what in sorted(log, key=lambda each: each.order):
            here = here.after(what)
        return here


class Moved(Struct, frozen=True):
    """What the world is told of one event; nobody is named in it."""

    shipment_id: str
    contract_id: str
    car_id: str
    from_state: State
    to_state: State
    event: Event
    occurred_at: datetime
    recorded_at: datetime

    @property
    def name(self) -> str:
        moved = self.from_state != self.to_state
        return NAMES.get(self.to_state, "KeyShipmentMoved") if moved else "KeyShipmentMoved"


NAMES = {
    State.STALLED: "KeyShipmentLate",
    State.WRONG_ADDRESS: "KeyShipmentMisdelivered",
    State.WRONG_KEY: "KeyShipmentMismatched",
    State.VERIFIED: "KeyShipmentVerified",
    State.LOST: "KeyShipmentLate",
}


class History(Struct, frozen=True):
    """A shipment and all that happened to it, read at one instant."""

    shipment: Shipment
    log: tuple[Happened, ...]

    def known(self, id: str) -> Happened | None:
        return next((each for each in self.log if each.id == id), None)

    def count(self, event: Event) -> int:
        return sum(each.event is event for each in self.log)

    def told(self, news: Iterable[Happened]) -> "Change":
        """What hearing this changes; what is known already changes nothing."""
        here, log, fresh = self.shipment, {each.id: each for each in self.log}, []
        for what in sorted(_with_far_pods(here, news), key=lambda each: each.order):
            if what.id in log:
                continue
            log[what.id] = what
            then = here if here.ended else here.folded(log.values())
            log[what.id] = replace(what, outcome=then.state)
            fresh.append((log[what.id], _published(here, then, what)))
            here = then
        if fresh and len(log) > MOST_EVENTS:
            raise HistoryFull()
        return Change(self.shipment, History(here, tuple(log.values())), tuple(fresh))


class Change(Struct, frozen=True):
    """What one telling does to one shipment. `news`: each new event, and what is published of it."""

    before: Shipment
    history: History
    news: tuple[tuple[Happened, Moved | None], ...]

    @property
    def after(self) -> Shipment:
        return replace(self.history.shipment, version=self.before.version + 1)

    @property
    def real(self) -> bool:
        return bool(self.news) or self.history.shipment != self.before

    def bound(self, tracking: Tracking | None, place: Position | None) -> "Change":
        """Also: under which number the carrier knows it, and where its label's address is."""
        here = self.history.shipment
        here = replace(here, tracking=tracking or here.tracking, place=place or here.place)
        return replace(self, history=replace(self.history, shipment=here))


def planned(shipment_id: str, delivery: Delivery, at: datetime) -> Shipment:
    return Shipment(shipment_id, delivery, at, START, at, due(START, at, delivery.handover_at))


def rung(before: Shipment, at: datetime) -> Change:
    """The change that its due timer makes."""
    assert before.due_at is not None
    ring = Happened(f"clock#{before.rung + 1}", TIMERS[before.state].event, before.due_at, at, Role.CLOCK)
    after = replace(before.after(ring), rung=before.rung + 1)
    ring = replace(ring, outcome=after.state)
    return Change(before, History(after, (ring,)), ((ring, _published(before, after, ring)),))


def _with_far_pods(shipment: Shipment, news: Iterable[Happened]) -> list[Happened]:
    """Each proof of delivery made far from the label's address brings its own event."""
    found: list[Happened] = []
    for what in news:
        found.append(what)
        place, proof = shipment.place, what.position
        if what.event is Event.SCAN_DELIVERED and place and proof and place.metres_to(proof) > POD_METRES:
            found.append(replace(what, id=what.id + "#far", event=Event.POD_FAR_FROM_ADDRESS))
    return found


def _published(before: Shipment, after: Shipment, what: Happened) -> Moved | None:
    if before.state == after.state and what.event not in TOLD_ANYWAY:
        return None
    return Moved(
        before.shipment_id,
        before.delivery.contract_id,
        before.delivery.car_id,
        before.state,
        after.state,
        what.event,
        what.at,
        what.recorded_at,
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
MOST_EVENTS = 500
"""More than any parcel ever had; what keeps a history one query."""


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

    def told_to(self, history: History, by: str, now: datetime) -> Change:
        """The same tag, event and time is the same scan, unless one fits and the other does not. What does
        not fit gets no tracking number."""
        fits = self.fits(history.shipment)
        event = SCANS[self.event] if fits else Event.PACK_SCAN_MISMATCH
        scan_id = f"scan#{event}#{self.at.isoformat()}"
        change = history.told([Happened(scan_id, event, min(self.at, now), now, by, self.event)])
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
