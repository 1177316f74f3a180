"""What this context reads and answers over HTTP, and the data of the facts it publishes and hears."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from chalicelib.appointments.model import (
    CHANGE_UNTIL,
    FREE_UNTIL,
    KEPT,
    NEXT_STEP,
    REDISPATCH_FEE,
    WORDS,
    Appointment,
    Event,
    Heard,
    Moved,
    Position,
    Role,
    Said,
    Seen,
    Slot,
    State,
    Terms,
    Which,
    Wish,
)
from chalicelib.kernel.errors import Malformed
from chalicelib.kernel.ids import fingerprint

JOBS_IN_PAGE = 50
MOST_JOBS = 100
Moment = Annotated[datetime, Meta(tz=True)]


def _utc(at: datetime, pointer: str) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError as problem:
        raise Malformed("the body does not fit", ((pointer, "out of range"),)) from problem


class RescheduleRequest(Struct, frozen=True):
    """`address`: left out, it stays. `quote`: the token of the preview this was decided on."""

    which: Which
    at: Moment
    address: Annotated[str, Meta(pattern=r"\S", max_length=200)] | None = None
    quote: Annotated[str, Meta(max_length=200)] | None = None

    def wish(self, preview: str = "") -> Wish:
        address = self.address.strip() if self.address else None
        at = _utc(self.at, "/at")
        return Wish(self.which, at, address, self.quote, fingerprint(self), preview == "true")


def which_of(text: str) -> Which:
    try:
        return Which(text)
    except ValueError as problem:
        raise Malformed("the query does not fit", (("/which", "handover or return"),)) from problem


def day_of(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as problem:
        raise Malformed("the query does not fit", (("/day", "a day, as 2026-03-02"),)) from problem


class SlotView(Struct, frozen=True):
    starts_at: datetime
    ends_at: datetime

    @classmethod
    def of(cls, slot: Slot) -> "SlotView":
        return cls(slot.starts_at, slot.ends_at)


class FreeSlotView(Struct, frozen=True):
    """`free`: how many more cars it takes."""

    starts_at: datetime
    ends_at: datetime
    free: int


class SlotsView(Struct, frozen=True):
    day: str
    slots: list[FreeSlotView]

    @classmethod
    def of(cls, day: date, slots: list[tuple[Slot, int]]) -> "SlotsView":
        return cls(
            day.isoformat(), [FreeSlotView(slot.starts_at, slot.ends_at, free) for slot, free in slots]
        )


class LineView(Struct, frozen=True):
    """Signed as the customer sees it: + comes back, - is owed."""

    what: str
    amount: int


class RescheduledView(Struct, frozen=True):
    """sum of the lines = refund - charge. `quote` holds this price for a commit until `quote_until`."""

    contract_id: str
    appointment_id: str
    which: str
    at: datetime
    slot: SlotView
    state: str
    refund: int
    charge: int
    lines: list[LineView]
    quote: str | None = None
    quote_until: datetime | None = None

    @classmethod
    def of(cls, moved: Moved) -> "RescheduledView":
        terms: Terms = moved.terms
        return cls(
            moved.contract_id,
            moved.appointment_id,
            moved.which,
            moved.at,
            SlotView.of(moved.slot),
            moved.state,
            terms.refund,
            terms.charge,
            [LineView(line.what, line.amount) for line in terms.lines],
            moved.quote,
            moved.quote_until,
        )


class AppointmentView(Struct, frozen=True):
    """Free to move until `free_until`, for `late_fee` until `change_until`; neither counts when we are late
    or the car does not open. `actions`: what its customer may do now."""

    appointment_id: str
    which: str
    state: str
    at: datetime
    slot: SlotView
    address: str | None
    free_until: datetime
    change_until: datetime
    late_fee: int
    actions: list[Literal["confirm", "reschedule"]]

    @classmethod
    def of(cls, seen: Seen) -> "AppointmentView":
        appointment = seen.appointment
        choices = appointment.choices(Role.CUSTOMER)
        names: dict[Event, Literal["confirm", "reschedule"]] = {
            Event.CUSTOMER_CONFIRM: "confirm",
            Event.RESCHEDULE: "reschedule",
        }
        return cls(
            appointment.appointment_id,
            appointment.which,
            appointment.state,
            appointment.at,
            SlotView.of(appointment.slot),
            seen.address,
            appointment.at - FREE_UNTIL,
            appointment.at - CHANGE_UNTIL,
            REDISPATCH_FEE,
            [name for event, name in names.items() if event in choices],
        )


class AppointmentsView(Struct, frozen=True):
    appointments: list[AppointmentView]

    @classmethod
    def of(cls, found: Iterable[Seen]) -> "AppointmentsView":
        return cls([AppointmentView.of(seen) for seen in found])


class ConfirmedView(Struct, frozen=True):
    appointment_id: str
    state: str

    @classmethod
    def of(cls, appointment: Appointment) -> "ConfirmedView":
        return cls(appointment.appointment_id, appointment.state)


class JobCarView(Struct, frozen=True):
    plate: str
    model: str


class JobView(Struct, frozen=True):
    """What a partner needs for the way, and nothing more. `note`: what to mind before leaving."""

    appointment_id: str
    contract_id: str
    which: str
    state: str
    at: datetime
    slot: SlotView
    address: str | None
    car: JobCarView | None
    actions: list[str]
    note: str | None

    @classmethod
    def of(cls, seen: Seen, roles: Iterable[Role], language: str) -> "JobView":
        appointment = seen.appointment
        choices = appointment.choices(*roles)
        gated = appointment.which is Which.HANDOVER and not appointment.departed and not seen.ready
        return cls(
            appointment.appointment_id,
            appointment.contract_id,
            appointment.which,
            appointment.state,
            appointment.at,
            SlotView.of(appointment.slot),
            seen.address,
            JobCarView(seen.plate, seen.model) if seen.plate and seen.model else None,
            [word for word, event in WORDS.items() if event in choices],
            NEXT_STEP[language] if gated else None,
        )


class JobsView(Struct, frozen=True):
    """`cursor`: where the next page begins; None when this is the last."""

    jobs: list[JobView]
    cursor: str | None

    @classmethod
    def of(
        cls, found: Iterable[Seen], cursor: str | None, groups: Iterable[str], language: str
    ) -> "JobsView":
        roles = [role for role in Role if role in groups]
        return cls([JobView.of(seen, roles, language) for seen in found], cursor)


class PositionBody(Struct, frozen=True):
    lat: Annotated[float, Meta(ge=-90, le=90)]
    lon: Annotated[float, Meta(ge=-180, le=180)]


class SaidRequest(Struct, frozen=True):
    """`occurred_at`: when it was said; without signal it is sent later. `position` and `tariff_per_hour`:
    where the car stands, and what an hour there costs."""

    event: Literal["depart", "arrived", "handover_ok", "access_failed", "missed_customer", "returned"]
    occurred_at: Moment
    position: PositionBody | None = None
    tariff_per_hour: Annotated[int, Meta(ge=0, le=999_999)] | None = None

    def said(self) -> Said:
        place = Position(self.position.lat, self.position.lon) if self.position else None
        return Said(self.event, _utc(self.occurred_at, "/occurred_at"), place, self.tariff_per_hour)


class SaidView(Struct, frozen=True):
    """Where the appointment stands now. `message`: when it is noted and does not count yet."""

    appointment_id: str
    state: str
    message: str | None = None

    @classmethod
    def of(cls, heard: Heard, language: str) -> "SaidView":
        message = None if heard.counted else KEPT[language]
        return cls(heard.appointment.appointment_id, heard.appointment.state, message)


class AppointmentMoved(Struct, frozen=True):
    """Published when an appointment is first proposed, and whenever its time or place changes."""

    appointment_id: str
    contract_id: str
    which: Which
    at: datetime
    state: State
    address_changed: bool
    refund: int
    charge: int
    lines: list[LineView]


class AppointmentConfirmed(Struct, frozen=True):
    """Published when it is agreed, and again when what had put it at risk is over."""

    appointment_id: str
    contract_id: str
    which: Which
    at: datetime


class AppointmentCancelled(Struct, frozen=True):
    """Published when the contract behind it is over."""

    appointment_id: str
    contract_id: str
    which: Which
    at: datetime


class AppointmentAtRisk(Struct, frozen=True):
    """Published: `why` is the event, the contract's gate or a partner who has not left."""

    appointment_id: str
    contract_id: str
    which: Which
    at: datetime
    why: Event


class AppointmentOverdue(Struct, frozen=True):
    """Published when a timer rang and its state stays: somebody must act."""

    appointment_id: str
    contract_id: str
    which: Which
    at: datetime
    state: State
    event: Event
    rung: int


class PartnerDeparted(Struct, frozen=True):
    """Published. `at`: the agreed time."""

    appointment_id: str
    contract_id: str
    which: Which
    at: datetime
    occurred_at: datetime


class CarArrived(Struct, frozen=True):
    """Published. `at`: the agreed time."""

    appointment_id: str
    contract_id: str
    which: Which
    at: datetime
    occurred_at: datetime


class AppointmentMissed(Struct, frozen=True):
    """Published: `by` whom."""

    appointment_id: str
    contract_id: str
    which: Which
    at: datetime
    by: Literal["partner", "customer"]


class CarLockedOut(Struct, frozen=True):
    """Published: a car is there and does not open."""

    appointment_id: str
    contract_id: str
    parked_at: datetime
    lat: float | None
    lon: float | None
    tariff_per_hour: int


class LockoutEnded(Struct, frozen=True):
    """Published when it opened or was taken away. Told again for the same `parked_at`, it corrects itself."""

    appointment_id: str
    contract_id: str
    parked_at: datetime
    ended_at: datetime
    minutes: int
    parking_cost: int


class HandoverCompleted(Struct, frozen=True):
    """Published. `at`: when it happened."""

    appointment_id: str
    contract_id: str
    at: datetime


class ReturnCompleted(Struct, frozen=True):
    """Published. `at`: when it happened."""

    appointment_id: str
    contract_id: str
    at: datetime


class ContractPaid(Struct, frozen=True):
    """Heard."""

    contract_id: str
    customer_id: str
    handover_at: datetime


class ContractTold(Struct, frozen=True):
    """Heard: what ContractAtRisk, ContractReady, ContractCancelled, ContractExpired and ContractTerminated
    have in common."""

    contract_id: str


class ReturnScheduled(Struct, frozen=True):
    """Heard."""

    contract_id: str
    return_at: datetime


class SmartKeyUnlocked(Struct, frozen=True):
    """Heard."""

    contract_id: str
    at: datetime
