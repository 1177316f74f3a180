"""A shipment: the fold of all that happened to it, in the order in which it happened.

Every event is kept, whenever it arrives. So carriers may repeat themselves, be late and overtake each other,
and a scan made without signal counts from the moment it was made. An end, once reached, is final, unless what
led to it is declared an error.
"""

import math
import re
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from chalicelib.kernel.calendar import KOREA, Calendar
from chalicelib.keys.model.custody import BROUGHT_BY, GIVEN_BACK, Entry, Holder, holder_after
from chalicelib.keys.model.deadlines import CURRENT, SLA, TIMER_EVENTS, Action, Calendars, Sla
from chalicelib.keys.model.journey import IN_ORDER, JOURNEY, START, Event, HistoryFull, Role, State

CLOCKED = TIMER_EVENTS | {Event.T_ESCALATE}
TOLD_ANYWAY = TIMER_EVENTS | {Event.PACK_SCAN_MISMATCH}
"""Published even when the state stays as it is."""
MOST_EVENTS = 500
"""More than any parcel ever had; what keeps a history one query."""


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
    def order(self) -> tuple[datetime, int, int, str]:
        return (self.at, IN_ORDER[self.event], len(self.id), self.id)


FAR = "#far"
ERROR = "error#"


def believed(log: Iterable[Happened]) -> list[Happened]:
    """In the order in which they happened, without those declared an error and what came of them."""
    kept = list(log)
    errors = {each.id.removeprefix(ERROR) for each in kept if each.event is Event.DECLARED_IN_ERROR}
    true = (each for each in kept if each.id.removesuffix(FAR) not in errors)
    return sorted(true, key=lambda each: each.order)


class Shipment(Struct, frozen=True):
    """`since`: when it came into its state; there its timer has rung `rings` times, and it has taken `rungs`
    rungs of its ladder. `sla`: the version of its deadlines. `holder` has the key, `held_first` had it when
    this was planned; the key's ledger has `moves` entries.

    `rung`: how often the clock has spoken for it. `version` grows with every change. `place`: where the
    label's address is, once a scan said it.
    """

    shipment_id: str
    delivery: Delivery
    planned_at: datetime
    state: State
    since: datetime
    due_at: datetime | None
    sla: int = CURRENT
    rings: int = 0
    rungs: int = 0
    holder: Holder = Holder.DEPOT
    held_first: Holder = Holder.DEPOT
    moves: int = 0
    rung: int = 0
    version: int = 1
    tracking: Tracking | None = None
    place: Position | None = None

    @property
    def ended(self) -> bool:
        return self.state in JOURNEY.ends

    @property
    def promised(self) -> Sla:
        return SLA[self.sla]

    @property
    def next_rung(self) -> str:
        return f"{self.state}#{self.rungs + 1}"

    def timer_at(self, calendar: Calendar) -> datetime | None:
        return self.promised.timer_at(self.state, self.since, self.delivery.handover_at, self.rings, calendar)

    def rung_at(self, calendar: Calendar) -> datetime | None:
        return self.promised.rung_at(self.state, self.since, self.delivery.handover_at, self.rungs, calendar)

    def armed(self, calendar: Calendar) -> "Shipment":
        """With the earliest of what may ring next as its due time; a change of calendar changes no more."""
        ahead = (self.timer_at(calendar), self.rung_at(calendar))
        return replace(self, due_at=min(filter(None, ahead), default=None))

    def after(self, what: Happened, calendars: Calendars) -> "Shipment":
        """Unchanged where the table has no such row, and when the clock spoke of what later news had put off.
        Not armed anew."""
        if not JOURNEY.allows(self.state, what.event) or self._put_off(what, calendars):
            return self
        then = JOURNEY.after(self.state, what.event)
        if what.event is Event.PACK_SCAN_MISMATCH:
            return self
        if what.event is Event.T_ESCALATE:
            return replace(self, rungs=self.rungs + 1)
        if what.event in TIMER_EVENTS and then is self.state:
            return replace(self, rings=self.rings + 1)
        holder = holder_after(self.holder, what.event, then)
        return replace(self, state=then, since=what.at, rings=0, rungs=0, holder=holder)

    def _put_off(self, what: Happened, calendars: Calendars) -> bool:
        if what.event not in CLOCKED:
            return False
        known = calendars.known(what.recorded_at)
        if what.event is Event.T_ESCALATE:
            due_at = self.rung_at(known) if what.code == self.next_rung else None
        else:
            due_at = self.timer_at(known)
        return due_at is None or what.at < due_at

    def folded(self, log: Iterable[Happened], calendars: Calendars) -> "Shipment":
        """Where it stands when all of this has happened, in whatever order it was heard."""
        here = replace(self, state=START, since=self.planned_at, rings=0, rungs=0, holder=self.held_first)
        true = believed(log)
        for what in true:
            here = here.after(what, calendars)
        return here.given_back(true).armed(calendars.latest)

    def given_back(self, log: Iterable[Happened]) -> "Shipment":
        """A key that reached its customer comes home long after its shipment has ended."""
        if self.state is not State.VERIFIED:
            return self
        later = (each for each in believed(log) if each.at >= self.since and each.event in GIVEN_BACK)
        holder = BROUGHT_BY[self.state]
        for what in later:
            holder = GIVEN_BACK[what.event]
        return replace(self, holder=holder)


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


class Escalated(Struct, frozen=True):
    """One rung of the ladder: what it asks for. `rung` counts within the state's stay."""

    shipment_id: str
    contract_id: str
    car_id: str
    rung: int
    action: Action
    state: State
    since: datetime
    occurred_at: datetime
    recorded_at: datetime

    @property
    def name(self) -> str:
        return "KeyShipmentEscalated"


class News(Struct, frozen=True):
    """A new event, what is published of it, and the line of the ledger it adds when the key changes hands."""

    happened: Happened
    said: Moved | Escalated | None
    entry: Entry | None = None


class History(Struct, frozen=True):
    """A shipment and all that happened to it, read at one instant."""

    shipment: Shipment
    log: tuple[Happened, ...]

    def known(self, id: str) -> Happened | None:
        return next((each for each in self.log if each.id == id), None)

    def knows(self, news: Iterable[Happened]) -> bool:
        return {each.id for each in news} <= {each.id for each in self.log}

    def count(self, event: Event) -> int:
        return sum(each.event is event for each in self.log)

    def told(self, news: Iterable[Happened], calendars: Calendars, *, reopening: bool = False) -> "Change":
        """What hearing this changes; what is known already changes nothing."""
        here, log = self.shipment, {each.id: each for each in self.log}
        fresh: list[News] = []
        heard = _with_far_pods(here, news)
        for what in heard if reopening else sorted(heard, key=lambda each: each.order):
            if what.id in log:
                continue
            log[what.id] = what
            final = here.ended and not reopening
            then = here.given_back(log.values()) if final else here.folded(log.values(), calendars)
            log[what.id] = replace(what, outcome=then.state)
            here, told = _news(here, then, log[what.id])
            fresh.append(told)
        if fresh and len(log) > MOST_EVENTS:
            raise HistoryFull()
        return Change(self.shipment, History(here, tuple(log.values())), tuple(fresh))

    def promised_anew(self, delivery: Delivery, news: Iterable[Happened], calendars: Calendars) -> "Change":
        """The contract now says otherwise where and when its key is wanted; an end stays as it was."""
        before = self.shipment
        if before.ended:
            return Change(before, self, ())
        wanted = replace(before.delivery, label_hash=delivery.label_hash, handover_at=delivery.handover_at)
        place = before.place if wanted.label_hash == before.delivery.label_hash else None
        here = replace(before, delivery=wanted, place=place).folded(self.log, calendars)
        return replace(History(here, self.log).told(news, calendars), before=before)


class Change(Struct, frozen=True):
    """What one telling does to one shipment."""

    before: Shipment
    history: History
    news: tuple[News, ...]

    @property
    def after(self) -> Shipment:
        return replace(self.history.shipment, version=self.before.version + 1)

    @property
    def real(self) -> bool:
        return bool(self.news) or self.history.shipment != self.before

    @property
    def entries(self) -> list[Entry]:
        return [each.entry for each in self.news if each.entry]

    def bound(self, tracking: Tracking | None, place: Position | None) -> "Change":
        """Also: under which number the carrier knows it, and where its label's address is."""
        here = self.history.shipment
        here = replace(here, tracking=tracking or here.tracking, place=place or here.place)
        return replace(self, history=replace(self.history, shipment=here))


def planned(
    shipment_id: str,
    delivery: Delivery,
    at: datetime,
    calendar: Calendar = KOREA,
    *,
    sla: int = CURRENT,
    holder: Holder = Holder.DEPOT,
    moves: int = 0,
) -> Shipment:
    """`holder` has the key, in whose ledger there are `moves` entries: it may still have to come back."""
    fresh = Shipment(
        shipment_id, delivery, at, START, at, None, sla=sla, holder=holder, held_first=holder, moves=moves
    )
    return fresh.armed(calendar)


def rung(seen: Shipment, at: datetime, calendars: Calendars) -> Change:
    """The change that its due timer or rung makes; none but the due time where the calendar has changed."""
    here = seen.armed(calendars.latest)
    if here.due_at is None or here.due_at > at:
        return Change(seen, History(here, ()), ())
    if here.due_at == here.rung_at(calendars.latest):
        event, code = Event.T_ESCALATE, here.next_rung
    else:
        event, code = here.promised.timers[here.state].event, ""
    ring = Happened(f"clock#{here.rung + 1}", event, here.due_at, at, Role.CLOCK, code)
    then = replace(here.after(ring, calendars).armed(calendars.latest), rung=here.rung + 1)
    ring = replace(ring, outcome=then.state)
    then, told = _news(here, then, ring)
    return Change(seen, History(then, (ring,)), (told,))


def _news(before: Shipment, after: Shipment, what: Happened) -> tuple[Shipment, News]:
    """With its line in the ledger when the key changed hands."""
    said = _published(before, after, what)
    if after.holder is before.holder:
        return after, News(what, said)
    after = replace(after, moves=before.moves + 1)
    delivery = after.delivery
    entry = Entry(
        delivery.key_tag,
        delivery.car_id,
        delivery.contract_id,
        after.shipment_id,
        after.moves,
        before.holder,
        after.holder,
        what.at,
        what.recorded_at,
        what.event,
        what.id,
    )
    return after, News(what, said, entry)


def _with_far_pods(shipment: Shipment, news: Iterable[Happened]) -> list[Happened]:
    """Each proof of delivery made far from the label's address brings its own event."""
    found: list[Happened] = []
    for what in news:
        found.append(what)
        place, proof = shipment.place, what.position
        if what.event is Event.SCAN_DELIVERED and place and proof and place.metres_to(proof) > POD_METRES:
            found.append(replace(what, id=what.id + FAR, event=Event.POD_FAR_FROM_ADDRESS))
    return found


def _published(before: Shipment, after: Shipment, what: Happened) -> Moved | Escalated | None:
    shipment_id, delivery = before.shipment_id, before.delivery
    if what.event is Event.T_ESCALATE:
        return Escalated(
            shipment_id,
            delivery.contract_id,
            delivery.car_id,
            after.rungs,
            before.promised.ladder[before.state][before.rungs].action,
            before.state,
            before.since,
            what.at,
            what.recorded_at,
        )
    if before.state == after.state and what.event not in TOLD_ANYWAY:
        return None
    return Moved(
        shipment_id,
        delivery.contract_id,
        delivery.car_id,
        before.state,
        after.state,
        what.event,
        what.at,
        what.recorded_at,
    )
