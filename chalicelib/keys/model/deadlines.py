"""How long each silence may last and who is then told: versioned tables, and the calendar they count in.

A shipment keeps the version it was planned under: what is promised later changes nothing that is open, and no
statistics of what is past.
"""

from datetime import date, datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from chalicelib.kernel.calendar import BUSINESS_DAY, KOREA, Calendar
from chalicelib.keys.model.journey import STAYING, Event, State

AGAIN = timedelta(hours=24)
"""A timer that leaves the state as it is rings again after this."""
BEFORE_HANDOVER = timedelta(hours=2)


class Action(StrEnum):
    """What a rung asks for."""

    OPS = "ops"
    SMART_KEY = "smart_key"
    REPLAN = "replan"


class Span(Struct, frozen=True):
    """So much time, of the clock or of business hours."""

    time: timedelta
    business: bool = False

    def after(self, start: datetime, calendar: Calendar) -> datetime:
        return calendar.after(start, self.time) if self.business else start + self.time

    def before(self, end: datetime, calendar: Calendar) -> datetime:
        return calendar.before(end, self.time) if self.business else end - self.time


def hours(count: int) -> Span:
    return Span(timedelta(hours=count))


def business_hours(count: int) -> Span:
    return Span(timedelta(hours=count), business=True)


def business_days(count: int) -> Span:
    return Span(count * BUSINESS_DAY, business=True)


class Timer(Struct, frozen=True):
    event: Event
    after: Span


class Rung(Struct, frozen=True):
    after: Span
    action: Action


class Sla(Struct, frozen=True):
    """`ladder`: by state, its rungs in order. They count from the moment a silence is a finding: where the
    timer leaves the state as it is from its first ring, elsewhere from the state's beginning."""

    timers: dict[State, Timer]
    ladder: dict[State, tuple[Rung, ...]]

    def timer_at(
        self, state: State, since: datetime, handover_at: datetime, rings: int, calendar: Calendar
    ) -> datetime | None:
        """When silence in this state rings, having rung `rings` times; None in an end."""
        timer = self.timers.get(state)
        if timer is None:
            return None
        if state is State.PLANNED:
            first = max(since, timer.after.before(handover_at, calendar))
        elif state is State.DELIVERED and since < handover_at:
            first = min(timer.after.after(since, calendar), handover_at - BEFORE_HANDOVER)
            first = max(since, first)
        else:
            first = timer.after.after(since, calendar)
        return first + rings * AGAIN

    def rung_at(
        self, state: State, since: datetime, handover_at: datetime, rungs: int, calendar: Calendar
    ) -> datetime | None:
        """When its next rung is due, having taken `rungs` of them; None after the last."""
        ladder = self.ladder.get(state, ())
        if rungs >= len(ladder):
            return None
        found = since if state not in STAYING else self.timer_at(state, since, handover_at, 0, calendar)
        return ladder[rungs].after.after(found, calendar) if found else None


IN_HOURS = {
    State.PLANNED: Timer(Event.T_PACK_BY, hours(4 * 24)),
    State.PACKED: Timer(Event.T_HANDOFF_BY, hours(4)),
    State.HANDED_TO_CARRIER: Timer(Event.T_FIRST_SCAN_BY, hours(24)),
    State.IN_TRANSIT: Timer(Event.T_SCAN_GAP, hours(24)),
    State.OUT_FOR_DELIVERY: Timer(Event.T_SCAN_GAP, hours(12)),
    State.ATTEMPT_FAILED: Timer(Event.T_REDELIVER_BY, hours(24)),
    State.INTERCEPTING: Timer(Event.T_INTERCEPT_BY, hours(12)),
    State.EXCEPTION: Timer(Event.T_DECLARE_LOST, hours(48)),
    State.STALLED: Timer(Event.T_DECLARE_LOST, hours(48)),
    State.DELIVERED: Timer(Event.T_VERIFY_BY, hours(24)),
    State.UNCONFIRMED: Timer(Event.T_DECLARE_LOST, hours(48)),
    State.WRONG_KEY: Timer(Event.T_RECOVER_BY, hours(3 * 24)),
    State.WRONG_ADDRESS: Timer(Event.T_RECOVER_BY, hours(3 * 24)),
    State.RETURNING: Timer(Event.T_SCAN_GAP, hours(24)),
    State.RETURNED: Timer(Event.T_AUDIT_BY, hours(24)),
    State.LOST: Timer(Event.T_REKEY_BY, hours(24)),
}
IN_BUSINESS_TIME = IN_HOURS | {
    State.PLANNED: Timer(Event.T_PACK_BY, business_days(4)),
    State.PACKED: Timer(Event.T_HANDOFF_BY, business_hours(4)),
    State.ATTEMPT_FAILED: Timer(Event.T_REDELIVER_BY, business_days(1)),
    State.WRONG_KEY: Timer(Event.T_RECOVER_BY, business_days(3)),
    State.WRONG_ADDRESS: Timer(Event.T_RECOVER_BY, business_days(3)),
    State.RETURNED: Timer(Event.T_AUDIT_BY, business_days(1)),
    State.LOST: Timer(Event.T_REKEY_BY, business_days(1)),
}
_SILENT = (Rung(hours(0), Action.OPS), Rung(hours(2), Action.SMART_KEY), Rung(hours(24), Action.REPLAN))
_MISLED = (Rung(hours(0), Action.OPS), Rung(business_days(1), Action.REPLAN))
_IN_HOUSE = (Rung(hours(0), Action.OPS), Rung(business_days(1), Action.REPLAN))
LADDER = {
    State.PLANNED: _IN_HOUSE,
    State.PACKED: _IN_HOUSE,
    State.STALLED: _SILENT,
    State.EXCEPTION: _SILENT,
    # A customer who has not scanned may well hold the key: the link comes when a day more has passed.
    State.UNCONFIRMED: (Rung(hours(0), Action.OPS), Rung(hours(24), Action.SMART_KEY)),
    # Their own facts, KeyShipmentMismatched and KeyShipmentMisdelivered, have brought the smart key before.
    State.WRONG_KEY: _MISLED,
    State.WRONG_ADDRESS: _MISLED,
    State.RETURNED: (Rung(hours(0), Action.OPS),),
    State.LOST: (Rung(hours(0), Action.OPS), Rung(hours(0), Action.SMART_KEY), Rung(hours(4), Action.REPLAN)),
}
SLA = {1: Sla(IN_HOURS, LADDER), 2: Sla(IN_BUSINESS_TIME, LADDER)}
"""By version. A version that items were planned under is never changed: write a new one below it."""
CURRENT = max(SLA)

TIMER_EVENTS = frozenset(timer.event for timer in IN_HOURS.values())


class Override(Struct, frozen=True):
    """A day announced late: `open` to business, or closed."""

    day: date
    open: bool
    note: str
    announced_at: datetime


class Calendars(Struct, frozen=True):
    """The calendar as it was known at any moment: a ring is judged by what was known when it rang."""

    overrides: tuple[Override, ...] = ()

    def known(self, at: datetime) -> Calendar:
        return self._with([each for each in self.overrides if each.announced_at <= at])

    @property
    def latest(self) -> Calendar:
        return self._with(self.overrides)

    def _with(self, overrides: "tuple[Override, ...] | list[Override]") -> Calendar:
        """The last word on a day counts."""
        if not overrides:
            return KOREA
        said = {each.day: each.open for each in sorted(overrides, key=lambda each: each.announced_at)}
        opened = frozenset(day for day, is_open in said.items() if is_open)
        return KOREA.with_overrides(closed=frozenset(said) - opened, opened=opened)
