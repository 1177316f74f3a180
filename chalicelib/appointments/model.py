"""An appointment from its proposal to the car in somebody's hands, and what it costs to move it.

Every event is kept, whenever it arrives; where an appointment stands is the fold of its events in the order
in which they happened. So a partner without signal may send a whole morning later and in any order, and a car
that stood locked out has cost the same. An end, once reached, is final. A reschedule begins anew: what
happened before it no longer moves the appointment, but a hand-over that happened does end it.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from chalicelib.kernel.calendar import KST
from chalicelib.kernel.errors import Conflict, Forbidden, NotFound, Refused, TooMany
from chalicelib.kernel.money import Won
from chalicelib.kernel.states import IllegalMove, Table


class UnknownAppointment(NotFound):
    """There is no such appointment."""


class NotYours(Forbidden):
    """This is said by somebody else."""


class ClockWrong(Refused):
    """The clock of this device is wrong: set it and say it again."""


class AccessNotReady(Refused):
    """Do not leave yet: nobody could open the car."""


class SlotFull(Refused):
    """This time is fully booked."""


class TooLate(Refused):
    """It is too late to change this appointment."""


class OutOfReach(Refused):
    """The new time must lie ahead, and within a year."""


class NotNow(Refused):
    """This contract has nothing to hand over or to return now."""


class HistoryFull(TooMany):
    """So much cannot happen to one appointment."""


class AlreadyMade(Conflict):
    """This appointment exists."""


class MovedOn(Conflict):
    """The appointment changed while we looked."""


class Which(StrEnum):
    HANDOVER = "handover"
    RETURN = "return"


class Role(StrEnum):
    CUSTOMER = "customer"
    AGENT = "agent"
    COURIER = "courier"
    OPS = "ops"
    SYSTEM = "system"
    """Other contexts' facts."""
    CLOCK = "clock"


class State(StrEnum):
    PROPOSED = "proposed"
    CONFIRMED = "confirmed"
    AT_RISK = "at_risk"
    EN_ROUTE = "en_route"
    WAITING = "waiting"
    LOCKED_OUT = "locked_out"
    MISSED_CUSTOMER = "missed_customer"
    MISSED_PARTNER = "missed_partner"
    HANDED_OVER = "handed_over"
    RETURNED = "returned"
    CANCELLED = "cancelled"


class Event(StrEnum):
    """Of events at the same instant, the one named first here happened first."""

    RESCHEDULE = "reschedule"
    CUSTOMER_CONFIRM = "customer_confirm"
    ACCESS_GATE_FAIL = "T.access_gate_fail"
    """The contract's own timer; it tells us as a fact."""
    ACCESS_RESTORED = "access_restored"
    PARTNER_DEPART = "partner_depart"
    ARRIVED = "arrived"
    MISSED_CUSTOMER = "missed_customer"
    ACCESS_FAILED = "access_failed"
    SMART_UNLOCK_OK = "smart_unlock_ok"
    HANDOVER_OK = "handover_ok"
    RETURNED = "returned"
    CANCEL = "cancel"
    T_CONFIRM_BY = "T.confirm_by"
    T_DEPART_BY = "T.depart_by"
    T_WINDOW_END = "T.window_end"
    T_WAIT_LIMIT = "T.wait_limit"
    T_LOCKOUT_ESCALATE = "T.lockout_escalate"
    T_REOFFER_BY = "T.reoffer_by"


IN_ORDER = {event: rank for rank, event in enumerate(Event)}
START = State.PROPOSED
PARTNERS = {Role.AGENT, Role.COURIER}
CHOOSERS = {Role.CUSTOMER, Role.OPS}
BY_CUSTOMER = {Role.CUSTOMER, Role.SYSTEM}
"""Whoever pays for a contract has confirmed the time it was signed for."""
BY_SYSTEM = {Role.SYSTEM}
CLOCK = {Role.CLOCK}
MOVABLE = (State.PROPOSED, State.CONFIRMED, State.MISSED_CUSTOMER, State.MISSED_PARTNER)
OPEN = (*MOVABLE, State.EN_ROUTE, State.WAITING)

HANDOVER = Table[State, Event](
    (State.PROPOSED, Event.CUSTOMER_CONFIRM, State.CONFIRMED, BY_CUSTOMER),
    (State.PROPOSED, Event.T_CONFIRM_BY, State.PROPOSED, CLOCK),
    (State.CONFIRMED, Event.ACCESS_GATE_FAIL, State.AT_RISK, BY_SYSTEM),
    (State.CONFIRMED, Event.T_DEPART_BY, State.AT_RISK, CLOCK),
    (State.AT_RISK, Event.ACCESS_RESTORED, State.CONFIRMED, BY_SYSTEM),
    (State.AT_RISK, Event.T_WINDOW_END, State.MISSED_PARTNER, CLOCK),
    # Who leaves late arrives late, and the car is handed over all the same.
    *(
        (state, Event.PARTNER_DEPART, State.EN_ROUTE, PARTNERS)
        for state in (State.CONFIRMED, State.AT_RISK, State.MISSED_PARTNER)
    ),
    (State.EN_ROUTE, Event.ARRIVED, State.WAITING, PARTNERS),
    (State.EN_ROUTE, Event.T_WINDOW_END, State.MISSED_PARTNER, CLOCK),
    (State.MISSED_PARTNER, Event.ARRIVED, State.WAITING, PARTNERS),
    (State.WAITING, Event.MISSED_CUSTOMER, State.MISSED_CUSTOMER, PARTNERS),
    (State.WAITING, Event.T_WAIT_LIMIT, State.MISSED_CUSTOMER, CLOCK),
    *(
        row
        for state in (State.WAITING, State.MISSED_CUSTOMER)
        for row in (
            (state, Event.HANDOVER_OK, State.HANDED_OVER, PARTNERS),
            (state, Event.ACCESS_FAILED, State.LOCKED_OUT, PARTNERS),
        )
    ),
    (State.LOCKED_OUT, Event.SMART_UNLOCK_OK, State.HANDED_OVER, BY_SYSTEM),
    (State.LOCKED_OUT, Event.HANDOVER_OK, State.HANDED_OVER, PARTNERS),
    (State.LOCKED_OUT, Event.T_LOCKOUT_ESCALATE, State.LOCKED_OUT, CLOCK),
    (State.MISSED_CUSTOMER, Event.T_REOFFER_BY, State.MISSED_CUSTOMER, CLOCK),
    (State.MISSED_PARTNER, Event.T_REOFFER_BY, State.MISSED_PARTNER, CLOCK),
    *(
        (state, Event.RESCHEDULE, State.PROPOSED, CHOOSERS)
        for state in (*MOVABLE, State.AT_RISK, State.LOCKED_OUT)
    ),
    # The contract behind it can be cancelled at any moment before the car is in the customer's hands.
    *(
        (state, Event.CANCEL, State.CANCELLED, BY_SYSTEM)
        for state in (*OPEN, State.AT_RISK, State.LOCKED_OUT)
    ),
)
RETURN = Table[State, Event](
    (State.PROPOSED, Event.CUSTOMER_CONFIRM, State.CONFIRMED, BY_CUSTOMER),
    (State.PROPOSED, Event.T_CONFIRM_BY, State.PROPOSED, CLOCK),
    (State.CONFIRMED, Event.T_WINDOW_END, State.MISSED_PARTNER, CLOCK),
    *(
        (state, Event.PARTNER_DEPART, State.EN_ROUTE, PARTNERS)
        for state in (State.CONFIRMED, State.MISSED_PARTNER)
    ),
    (State.EN_ROUTE, Event.ARRIVED, State.WAITING, PARTNERS),
    (State.EN_ROUTE, Event.T_WINDOW_END, State.MISSED_PARTNER, CLOCK),
    (State.MISSED_PARTNER, Event.ARRIVED, State.WAITING, PARTNERS),
    (State.WAITING, Event.MISSED_CUSTOMER, State.MISSED_CUSTOMER, PARTNERS),
    (State.WAITING, Event.T_WAIT_LIMIT, State.MISSED_CUSTOMER, CLOCK),
    (State.MISSED_CUSTOMER, Event.T_REOFFER_BY, State.MISSED_CUSTOMER, CLOCK),
    (State.MISSED_PARTNER, Event.T_REOFFER_BY, State.MISSED_PARTNER, CLOCK),
    # A car that is back is back, however it came.
    *((state, Event.RETURNED, State.RETURNED, PARTNERS) for state in OPEN),
    *((state, Event.RESCHEDULE, State.PROPOSED, CHOOSERS) for state in MOVABLE),
    *((state, Event.CANCEL, State.CANCELLED, BY_SYSTEM) for state in OPEN),
)
TABLES = {Which.HANDOVER: HANDOVER, Which.RETURN: RETURN}

TROUBLES = (State.LOCKED_OUT, State.AT_RISK, State.MISSED_PARTNER, State.MISSED_CUSTOMER)
"""What operations must see, the worst first."""
OUR_FAULT = frozenset({State.AT_RISK, State.LOCKED_OUT, State.MISSED_PARTNER})
JOBS = frozenset(OPEN) - {State.PROPOSED} | {State.AT_RISK, State.LOCKED_OUT}
"""A partner has something to do, and may know where."""


class Slot(Struct, frozen=True):
    """Two hours in which the car comes. `day`: the day in Seoul."""

    starts_at: datetime
    ends_at: datetime

    @property
    def day(self) -> str:
        return self.starts_at.astimezone(KST).date().isoformat()


WINDOW = timedelta(hours=2)
OPENS, CLOSES = 9, 21
"""The hours in Seoul between which slots are offered, every day. What was signed for another hour is kept, in
a window of its own that starts at an even hour."""
CAPACITY = 300
"""So many cars in one slot."""


def slot_of(at: datetime) -> Slot:
    """The window that contains this time."""
    local = at.astimezone(KST)
    offered = OPENS <= local.hour < CLOSES
    hour = local.hour - (local.hour - (OPENS if offered else 0)) % 2
    starts = local.replace(hour=hour, minute=0, second=0, microsecond=0)
    return Slot(starts.astimezone(UTC), (starts + WINDOW).astimezone(UTC))


def slots_of(day: datetime) -> tuple[Slot, ...]:
    """The windows offered on the day in Seoul that contains this time."""
    local = day.astimezone(KST).replace(minute=0, second=0, microsecond=0)
    return tuple(slot_of(local.replace(hour=hour)) for hour in range(OPENS, CLOSES, 2))


class Timer(Struct, frozen=True):
    """Rings `after` the state began, but not before the `edge` of the slot."""

    event: Event
    after: timedelta = timedelta()
    edge: str = ""


A_DAY = timedelta(hours=24)
RING_CONFIRM = Timer(Event.T_CONFIRM_BY, A_DAY)
RING_WAIT = Timer(Event.T_WAIT_LIMIT, timedelta(minutes=30))
RING_REOFFER = Timer(Event.T_REOFFER_BY, A_DAY)
RING_ON_THE_WAY = Timer(Event.T_WINDOW_END, timedelta(hours=1), "ends_at")
TIMERS = {
    Which.HANDOVER: {
        State.PROPOSED: RING_CONFIRM,
        State.CONFIRMED: Timer(Event.T_DEPART_BY, edge="starts_at"),
        State.AT_RISK: Timer(Event.T_WINDOW_END, edge="ends_at"),
        State.EN_ROUTE: RING_ON_THE_WAY,
        State.WAITING: RING_WAIT,
        State.LOCKED_OUT: Timer(Event.T_LOCKOUT_ESCALATE, timedelta(minutes=15)),
        State.MISSED_CUSTOMER: RING_REOFFER,
        State.MISSED_PARTNER: RING_REOFFER,
    },
    Which.RETURN: {
        State.PROPOSED: RING_CONFIRM,
        State.CONFIRMED: Timer(Event.T_WINDOW_END, edge="ends_at"),
        State.EN_ROUTE: RING_ON_THE_WAY,
        State.WAITING: RING_WAIT,
        State.MISSED_CUSTOMER: RING_REOFFER,
        State.MISSED_PARTNER: RING_REOFFER,
    },
}
TIMER_EVENTS = frozenset(timer.event for timers in TIMERS.values() for timer in timers.values())


def due(which: Which, state: State, since: datetime, slot: Slot) -> datetime | None:
    """When silence in this state becomes a finding; None in an end."""
    timer = TIMERS[which].get(state)
    if timer is None:
        return None
    earliest = since + timer.after
    return max(earliest, getattr(slot, timer.edge)) if timer.edge else earliest


class Position(Struct, frozen=True):
    """Degrees, WGS 84."""

    lat: float
    lon: float


class Parking(Struct, frozen=True):
    """Where a car came to stand, since when, and what an hour there costs."""

    since: datetime
    position: Position | None = None
    tariff: Won = 0

    def minutes(self, until: datetime) -> int:
        return max(0, int((until - self.since).total_seconds())) // 60

    def cost(self, until: datetime) -> Won:
        """Every hour that has started is paid for."""
        return self.tariff * -(-max(0, int((until - self.since).total_seconds())) // 3600)


class Lockout(Struct, frozen=True):
    """A car that stood there and could not be opened, until somebody could or it was taken away."""

    parking: Parking
    ended_at: datetime


class Happened(Struct, frozen=True):
    """One event. `id` is the same however often it is told; `code`: the fingerprint of the request behind it.

    `at` of a timer is the moment it was due. `to`, `charge` and `address_changed` belong to a reschedule,
    `position` and `tariff` to a car that stands. `outcome`: where the appointment stood once this was known.
    """

    id: str
    event: Event
    at: datetime
    recorded_at: datetime
    by: str
    code: str = ""
    to: datetime | None = None
    charge: Won = 0
    address_changed: bool = False
    position: Position | None = None
    tariff: Won | None = None
    outcome: State | None = None

    @property
    def order(self) -> tuple[datetime, int, str]:
        return (self.at, IN_ORDER[self.event], self.id)


class Appointment(Struct, frozen=True):
    """`at`: the agreed time; `first_at`: the first one. `since`: when it came into its state. `rung`: how
    many timers have rung for it. `version` grows with every change. `departed`: somebody left for it."""

    appointment_id: str
    contract_id: str
    customer_id: str
    which: Which
    made_at: datetime
    first_at: datetime
    at: datetime
    state: State
    since: datetime
    due_at: datetime | None
    rung: int = 0
    version: int = 1
    departed: bool = False
    parking: Parking | None = None

    @property
    def slot(self) -> Slot:
        return slot_of(self.at)

    @property
    def ended(self) -> bool:
        return self.state in TABLES[self.which].ends

    @property
    def fresh(self) -> "Appointment":
        """As it was when nothing had happened yet."""
        due_at = due(self.which, START, self.made_at, slot_of(self.first_at))
        return replace(
            self,
            at=self.first_at,
            state=START,
            since=self.made_at,
            due_at=due_at,
            departed=False,
            parking=None,
        )

    def may(self, event: Event) -> bool:
        return TABLES[self.which].allows(self.state, event)

    def choices(self, *roles: Role) -> frozenset[Event]:
        """What these may do now; nobody arrives who never left."""
        found = {event for role in roles for event in TABLES[self.which].choices(self.state, role)}
        return frozenset(found if self.departed else found - {Event.ARRIVED})

    def after(self, what: Happened) -> "Appointment":
        """Unchanged where the table has no such row, when a timer rang that later news had put off, and when
        somebody arrives who never left."""
        if self.ended:
            return self
        if what.event is Event.RESCHEDULE:
            return self._anew(what)
        early = what.event in TIMER_EVENTS and (self.due_at is None or what.at < self.due_at)
        stray = what.event is Event.ARRIVED and not self.departed
        if early or stray or not self.may(what.event):
            return self
        return self._moved(TABLES[self.which].after(self.state, what.event), what)

    def _anew(self, what: Happened) -> "Appointment":
        assert what.to is not None
        fresh = replace(self, at=what.to, departed=False, parking=None)
        return replace(fresh, state=START, since=what.at, due_at=due(self.which, START, what.at, fresh.slot))

    def _moved(self, then: State, what: Happened) -> "Appointment":
        since = self.since if then is self.state else what.at
        return replace(
            self,
            state=then,
            since=since,
            due_at=due(self.which, then, what.at, self.slot),
            departed=self.departed or what.event is Event.PARTNER_DEPART,
            parking=self._parking(what),
        )

    def _parking(self, what: Happened) -> Parking | None:
        """The car stands from its arrival on; where and at which tariff may be said when it does not open."""
        if what.event is Event.ARRIVED:
            return Parking(what.at, what.position, what.tariff or 0)
        if what.event is Event.ACCESS_FAILED and self.parking:
            tariff = self.parking.tariff if what.tariff is None else what.tariff
            return Parking(self.parking.since, what.position or self.parking.position, tariff)
        return self.parking

    def cost_so_far(self, at: datetime) -> Won | None:
        """Of a car that stands locked out."""
        return self.parking.cost(at) if self.parking and self.state is State.LOCKED_OUT else None

    def folded(self, log: Iterable[Happened]) -> tuple["Appointment", tuple[Lockout, ...]]:
        """Where it stands when all of this has happened, in whatever order it was heard, and how long its car
        stood locked out."""
        here = self.fresh
        lockouts = []
        for what in sorted(log, key=lambda each: each.order):
            then = here.after(what)
            if here.state is State.LOCKED_OUT and then.state is not State.LOCKED_OUT and here.parking:
                lockouts.append(Lockout(here.parking, what.at))
            here = then
        return here, tuple(lockouts)


def proposed(
    appointment_id: str, contract_id: str, customer_id: str, which: Which, at: datetime, made_at: datetime
) -> Appointment:
    """Nobody has agreed to it yet."""
    bare = Appointment(
        appointment_id, contract_id, customer_id, which, made_at, at, at, START, made_at, due_at=None
    )
    return bare.fresh


class News(Struct, frozen=True):
    """What the world is told; nobody is named in it. `cause`: the event's id."""

    name: str
    cause: str
    at: datetime
    data: dict[str, object]


MOST_EVENTS = 500
"""More than anybody ever told of one appointment; what its clock rings does not count."""


class History(Struct, frozen=True):
    """An appointment and all that happened to it, read at one instant."""

    appointment: Appointment
    log: tuple[Happened, ...] = ()

    def known(self, id: str) -> Happened | None:
        return next((each for each in self.log if each.id == id), None)

    def told(self, *news: Happened) -> "Change":
        """What hearing this changes; what is known already changes nothing."""
        here, log = self.appointment, {each.id: each for each in self.log}
        _, stood = here.folded(log.values())
        fresh: list[Happened] = []
        said: list[News] = []
        for what in news:
            if what.id in log:
                continue
            log[what.id] = what
            folded, lockouts = here.folded(log.values())
            then = here if here.ended else folded
            log[what.id] = replace(what, outcome=then.state)
            fresh.append(log[what.id])
            said += [_ended(here, each, what) for each in lockouts if each not in stood]
            said += published(here, then, what)
            here, stood = then, lockouts
        if fresh and sum(each.by != Role.CLOCK for each in log.values()) > MOST_EVENTS:
            raise HistoryFull()
        return Change(self.appointment, here, tuple(fresh), tuple(said))


class Change(Struct, frozen=True):
    """What one telling does. `fresh`: the new events; `said`: what is published of them."""

    before: Appointment
    then: Appointment
    fresh: tuple[Happened, ...]
    said: tuple[News, ...]

    @property
    def after(self) -> Appointment:
        return replace(self.then, version=self.before.version + 1)


def rung(before: Appointment, at: datetime) -> Change:
    """The change that its due timer makes."""
    assert before.due_at is not None
    number = before.rung + 1
    ring = Happened(
        f"clock#{number}", TIMERS[before.which][before.state].event, before.due_at, at, Role.CLOCK
    )
    then = replace(before.after(ring), rung=number)
    ring = replace(ring, outcome=then.state)
    return Change(before, then, (ring,), tuple(published(before, then, ring)))


def _about(appointment: Appointment) -> dict[str, object]:
    return {"appointment_id": appointment.appointment_id, "contract_id": appointment.contract_id}


def _agreed(appointment: Appointment) -> dict[str, object]:
    return {**_about(appointment), "which": appointment.which, "at": appointment.at}


def published(before: Appointment, after: Appointment, what: Happened) -> list[News]:
    """A new state is news, and so is a reschedule, and a timer that leaves everything as it is."""
    if what.event is Event.RESCHEDULE:
        return [moved(after, what)]
    if before.state is not after.state:
        return [News(*_named(after, what))]
    if what.event not in TIMER_EVENTS:
        return []
    data = {**_agreed(after), "state": after.state, "event": what.event, "rung": after.rung}
    return [News("AppointmentOverdue", what.id, what.recorded_at, data)]


def moved(after: Appointment, what: Happened) -> News:
    terms = Terms(what.charge)
    data = {**_agreed(after), "state": after.state, "address_changed": what.address_changed, **terms.said()}
    return News("AppointmentMoved", what.id, what.recorded_at, data)


NAMES = {
    State.CONFIRMED: "AppointmentConfirmed",
    State.AT_RISK: "AppointmentAtRisk",
    State.EN_ROUTE: "PartnerDeparted",
    State.WAITING: "CarArrived",
    State.LOCKED_OUT: "CarLockedOut",
    State.MISSED_CUSTOMER: "AppointmentMissed",
    State.MISSED_PARTNER: "AppointmentMissed",
    State.HANDED_OVER: "HandoverCompleted",
    State.RETURNED: "ReturnCompleted",
    State.CANCELLED: "AppointmentCancelled",
}


def _named(after: Appointment, what: Happened) -> tuple[str, str, datetime, dict[str, object]]:
    """The name of what is told when it comes into this state, and its data."""
    name, agreed = NAMES[after.state], _agreed(after)
    data: dict[str, object] = {
        State.AT_RISK: {**agreed, "why": what.event},
        State.EN_ROUTE: {**agreed, "occurred_at": after.since},
        State.WAITING: {**agreed, "occurred_at": after.since},
        State.LOCKED_OUT: _standing(after),
        State.MISSED_CUSTOMER: {**agreed, "by": "customer"},
        State.MISSED_PARTNER: {**agreed, "by": "partner"},
        State.HANDED_OVER: {**_about(after), "at": after.since},
        State.RETURNED: {**_about(after), "at": after.since},
    }.get(after.state, agreed)
    return name, what.id, what.recorded_at, data


def _standing(after: Appointment) -> dict[str, object]:
    parking = after.parking or Parking(after.since)
    place = parking.position
    return {
        **_about(after),
        "parked_at": parking.since,
        "lat": place and place.lat,
        "lon": place and place.lon,
        "tariff_per_hour": parking.tariff,
    }


def _ended(appointment: Appointment, lockout: Lockout, what: Happened) -> News:
    parking, until = lockout.parking, lockout.ended_at
    data = {
        **_about(appointment),
        "parked_at": parking.since,
        "ended_at": until,
        "minutes": parking.minutes(until),
        "parking_cost": parking.cost(until),
    }
    return News("LockoutEnded", f"{what.id}#{parking.since.isoformat()}", what.recorded_at, data)


# ---- moving an appointment ---------------------------------------------------------------------------------

FREE_UNTIL = timedelta(hours=24)
CHANGE_UNTIL = timedelta(hours=3)
REDISPATCH_FEE: Won = 30_000
"""What it costs to send somebody anew: published with every appointment, the same for everybody."""
LONGEST_NOTICE = timedelta(days=365)
TOLD = {
    "ContractAtRisk": (Which.HANDOVER, Event.ACCESS_GATE_FAIL),
    "KeyShipmentEscalated": (Which.HANDOVER, Event.ACCESS_GATE_FAIL),
    "ContractReady": (Which.HANDOVER, Event.ACCESS_RESTORED),
    "ContractCancelled": (Which.HANDOVER, Event.CANCEL),
    "ContractExpired": (Which.HANDOVER, Event.CANCEL),
    "ContractTerminated": (Which.RETURN, Event.CANCEL),
}
"""What a fact about a contract means for which of its appointments. Of a key's rungs only the last is heard,
which asks for the handover to be planned anew: days before the gate, and free of charge for its customer."""
CONTRACTS_WITH = {
    Which.HANDOVER: frozenset({"confirmed", "preparing", "at_risk", "ready"}),
    Which.RETURN: frozenset({"return_scheduled", "return_overdue"}),
}
"""The states of a contract in which there is something to hand over, or to return."""


class Line(Struct, frozen=True):
    """Signed as the customer sees it."""

    what: str
    amount: int


class Terms(Struct, frozen=True):
    """sum of the lines = refund - charge."""

    charge: Won
    refund: Won = 0

    @property
    def lines(self) -> tuple[Line, ...]:
        return (Line("redispatch", -self.charge),) if self.charge else ()

    def said(self) -> dict[str, object]:
        return {"refund": self.refund, "charge": self.charge, "lines": list(self.lines)}


def terms_of_change(appointment: Appointment | None, roles: Iterable[Role], at: datetime) -> Terms:
    """What moving it costs at that moment. TooLate, or IllegalMove once somebody is under way.

    Free before it is agreed, when operations move it, and when the fault is ours.
    """
    if appointment is None:
        return Terms(0)
    if not appointment.may(Event.RESCHEDULE):
        raise IllegalMove(f"an appointment that is {appointment.state.value} cannot be moved")
    if Role.OPS in roles or appointment.state is State.PROPOSED or appointment.state in OUR_FAULT:
        return Terms(0)
    if appointment.state is State.MISSED_CUSTOMER:
        return Terms(REDISPATCH_FEE)
    if at > appointment.at - CHANGE_UNTIL:
        raise TooLate()
    return Terms(0 if at <= appointment.at - FREE_UNTIL else REDISPATCH_FEE)


def refuse_out_of_reach(new_at: datetime, roles: Iterable[Role], at: datetime) -> None:
    """Somebody must have the time to get ready; operations know whom they ask."""
    notice = timedelta() if Role.OPS in roles else CHANGE_UNTIL
    if not at + notice < new_at <= at + LONGEST_NOTICE:
        raise OutOfReach()


class Wish(Struct, frozen=True):
    """A new time, and a new address unless None. `quote`: the token of the preview it was decided on.

    `preview`: only to be looked at.
    """

    which: Which
    at: datetime
    address: str | None
    quote: str | None
    fingerprint: str
    preview: bool = False


class Moved(Struct, frozen=True):
    """Where an appointment stands after a reschedule, or would stand; `quote` only in a preview."""

    contract_id: str
    appointment_id: str
    which: Which
    at: datetime
    state: State
    terms: Terms
    quote: str | None = None
    quote_until: datetime | None = None

    @property
    def slot(self) -> Slot:
        return slot_of(self.at)


class Seen(Struct, frozen=True):
    """An appointment with its place, for whoever may know it."""

    appointment: Appointment
    address: str | None
    plate: str | None = None
    model: str | None = None
    ready: bool = True


class Heard(Struct, frozen=True):
    """`counted`: it moved the appointment, or it was known. What is said too early is kept."""

    appointment: Appointment
    counted: bool
    replayed: bool


# ---- what partners say -------------------------------------------------------------------------------------

WORDS = {
    "depart": Event.PARTNER_DEPART,
    "arrived": Event.ARRIVED,
    "handover_ok": Event.HANDOVER_OK,
    "access_failed": Event.ACCESS_FAILED,
    "missed_customer": Event.MISSED_CUSTOMER,
    "returned": Event.RETURNED,
}
"""What partners say, in the words of their page."""
CLOCK_SKEW = timedelta(minutes=5)
LONGEST_OFFLINE = timedelta(days=30)


NEXT_STEP = {
    "ko": "아직 출발하지 마세요. 고객이 차를 열 수 없어요. 스마트키가 준비되면 다시 눌러 주세요.",
    "en": "Do not leave yet: the customer cannot open the car. Press again once a smart key is ready.",
}
KEPT = {
    "ko": "기록했어요. 앞 단계가 도착하면 함께 반영돼요.",
    "en": "Noted. It counts as soon as the step before it has arrived.",
}
"""What is said before its turn, by a device that was without signal."""


def job_key(appointment: Appointment) -> str:
    """Its place among the jobs of its day: it sorts by time, and no two are the same."""
    at = appointment.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{at}#{appointment.appointment_id}"


class Said(Struct, frozen=True):
    """`word`: one of WORDS. Without signal it is sent later, and counts from when it was said."""

    word: str
    at: datetime
    position: Position | None = None
    tariff: Won | None = None

    @property
    def id(self) -> str:
        return f"said#{self.word}#{self.at.isoformat()}"

    def allowed(self, which: Which, roles: Iterable[str], now: datetime) -> None:
        """NotYours or ClockWrong."""
        event = WORDS[self.word]
        if not any(set(may) & set(roles) for _, what, _, may in TABLES[which].rows if what is event):
            raise NotYours(f"{self.word} is not said by you here")
        if not now - LONGEST_OFFLINE < self.at < now + CLOCK_SKEW:
            raise ClockWrong()

    def happened(self, by: str, now: datetime) -> Happened:
        at = min(self.at, now)
        return Happened(self.id, WORDS[self.word], at, now, by, position=self.position, tariff=self.tariff)
