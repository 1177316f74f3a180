"""When each open state must have been left, or rings again."""

from collections.abc import Callable
from datetime import datetime, timedelta

from msgspec import Struct

from chalicelib.contracts.model.life import LIFE, Event, State
from chalicelib.kernel.calendar import BUSINESS_DAY, DAY, KOREA

HOUR = timedelta(hours=1)
ACCESS_GATE = 2 * HOUR
"""Before the handover: without proven access by then, the contract is at risk."""
HANDOVER_WINDOW = 2 * HOUR
PAY_WITHIN = 48 * HOUR
RENEWAL_ASKED = 5 * DAY


class Times(Struct, frozen=True):
    """What the deadlines of one contract are counted from. `since`: when its state was entered."""

    since: datetime
    handover_at: datetime
    ends_at: datetime | None = None
    cancel_at: datetime | None = None
    return_at: datetime | None = None

    @property
    def end(self) -> datetime:
        return self.cancel_at or self.ends_at or self.since

    @property
    def back_at(self) -> datetime:
        return self.return_at or self.since


class Timer(Struct, frozen=True):
    """Rings at `first`, then, while its row leads nowhere else, every `again`; without it, once."""

    event: Event
    first: Callable[[Times], datetime]
    again: timedelta | None = None

    def due(self, times: Times, rung: int, at: datetime, *, stays: bool) -> datetime | None:
        """`at`: when it rang last. `stays`: whether the state is the same after its ring."""
        if rung == 0 or not stays:
            return self.first(times)
        return at + self.again if self.again else None


TIMERS: dict[State, tuple[Timer, ...]] = {
    State.APPLIED: (
        Timer(Event.T_VERIFY_AGAIN, lambda of: of.since + HOUR / 2, again=HOUR / 2),
        Timer(Event.T_VERIFY_BY, lambda of: of.since + DAY),
    ),
    State.AWAITING_PAYMENT: (
        Timer(Event.T_PAY_BY, lambda of: min(of.since + PAY_WITHIN, max(of.since, of.handover_at))),
    ),
    State.CONFIRMED: (
        Timer(Event.T_ASSIGN_BY, lambda of: KOREA.before(of.handover_at, 5 * BUSINESS_DAY), again=DAY),
    ),
    State.PREPARING: (Timer(Event.T_ACCESS_GATE, lambda of: of.handover_at - ACCESS_GATE),),
    State.AT_RISK: (Timer(Event.T_HANDOVER_AT, lambda of: max(of.since, of.handover_at), again=4 * HOUR),),
    State.READY: (
        Timer(Event.T_HANDOVER_WINDOW, lambda of: max(of.since, of.handover_at) + HANDOVER_WINDOW),
    ),
    State.ACTIVE: (
        Timer(Event.T_RENEW_BY, lambda of: of.end - RENEWAL_ASKED),
        Timer(Event.TERM_END_NO_RENEW, lambda of: of.end),
    ),
    State.SWAP_PENDING: (
        Timer(Event.T_SWAP_BY, lambda of: KOREA.after(of.since, 2 * BUSINESS_DAY), again=DAY),
    ),
    State.CANCEL_SCHEDULED: (Timer(Event.T_TERM_END, lambda of: of.end),),
    State.RETURN_SCHEDULED: (Timer(Event.T_RETURN_BY, lambda of: of.back_at + DAY),),
    State.RETURN_OVERDUE: (Timer(Event.T_RECOVER_BY, lambda of: of.since + 14 * DAY),),
    State.INSPECTION: (
        Timer(Event.T_INSPECT_BY, lambda of: KOREA.after(of.since, 2 * BUSINESS_DAY), again=DAY),
    ),
    State.SETTLING: (Timer(Event.T_SETTLE_BY, lambda of: of.since + DAY, again=DAY),),
}
"""An end has none. `ACTIVE` is asked for a renewal once; its term ends by itself, and that row has a name
without `T.` because it is no deadline anybody missed."""


def next_ring(state: State, times: Times, rung: int, at: datetime) -> tuple[Event, datetime] | None:
    """The earliest timer that runs in this state; None at an end."""
    running = (
        (timer.event, timer.due(times, rung, at, stays=LIFE.after(state, timer.event) is state))
        for timer in TIMERS.get(state, ())
    )
    armed = [(event, due_at) for event, due_at in running if due_at is not None]
    return min(armed, key=lambda each: each[1], default=None)
