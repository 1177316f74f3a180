"""What a command is told to do, where it can stand, and who may say so."""

from enum import StrEnum

from chalicelib.kernel.states import Table


class Action(StrEnum):
    UNLOCK = "unlock"
    LOCK = "lock"
    HAZARD_ON = "hazard_on"
    HAZARD_OFF = "hazard_off"
    HORN = "horn"


class State(StrEnum):
    REQUESTED = "REQUESTED"
    SENT = "SENT"
    DELIVERED = "DELIVERED"
    SUCCEEDED = "SUCCEEDED"
    ALREADY_DONE = "ALREADY_DONE"
    REJECTED = "REJECTED"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"
    UNKNOWN_FINAL = "UNKNOWN_FINAL"
    NOT_SENT = "NOT_SENT"


class Event(StrEnum):
    """Those of the car are the statuses of its acks, word for word."""

    PUBLISHED = "published"
    PUBLISH_REFUSED = "publish_refused"
    PUBLISH_UNSURE = "publish_unsure"
    OFFLINE = "offline"
    WITHHELD = "withheld"
    RECEIVED = "received"
    SUCCEEDED = "succeeded"
    ALREADY_DONE = "already_done"
    REJECTED = "rejected"
    FAILED = "failed"
    SEEN_DONE = "seen_done"
    EXPIRED = "T.expires_at"
    GRACE_OVER = "T.grace"


class Role(StrEnum):
    SERVICE = "service"
    CAR = "car"
    CLOCK = "clock"


IN_FLIGHT = (State.REQUESTED, State.SENT, State.DELIVERED)
OPEN = (*IN_FLIGHT, State.UNKNOWN)
ANSWERS = {
    Event.SUCCEEDED: State.SUCCEEDED,
    Event.ALREADY_DONE: State.ALREADY_DONE,
    Event.REJECTED: State.REJECTED,
    Event.FAILED: State.FAILED,
}

JOURNEY = Table[State, Event](
    (State.REQUESTED, Event.OFFLINE, State.NOT_SENT, {Role.SERVICE}),
    # The last look before the publish: the smart key ended meanwhile, or the command's own life did.
    (State.REQUESTED, Event.WITHHELD, State.NOT_SENT, {Role.SERVICE}),
    (State.REQUESTED, Event.PUBLISHED, State.SENT, {Role.SERVICE}),
    (State.REQUESTED, Event.PUBLISH_REFUSED, State.NOT_SENT, {Role.SERVICE}),
    (State.REQUESTED, Event.PUBLISH_UNSURE, State.UNKNOWN, {Role.SERVICE}),
    # An ack may overtake our own note that the command was sent.
    (State.REQUESTED, Event.RECEIVED, State.DELIVERED, {Role.CAR}),
    (State.SENT, Event.RECEIVED, State.DELIVERED, {Role.CAR}),
    # The car's word counts from every open state, also when it comes late.
    *((state, event, end, {Role.CAR}) for state in OPEN for event, end in ANSWERS.items()),
    *((state, Event.SEEN_DONE, State.SUCCEEDED, {Role.CLOCK}) for state in OPEN),
    *((state, Event.EXPIRED, State.UNKNOWN, {Role.CLOCK}) for state in IN_FLIGHT),
    (State.UNKNOWN, Event.GRACE_OVER, State.UNKNOWN_FINAL, {Role.CLOCK}),
)
SETTLED = JOURNEY.ends | {State.UNKNOWN}
"""Where the world is told: the final states, and UNKNOWN, which may still be put right."""
KNOWN = JOURNEY.ends - {State.UNKNOWN_FINAL, State.NOT_SENT}
"""Where the car itself has told or shown the end."""
SAID_BY = {event: role for _, event, _, roles in JOURNEY.rows for role in roles}


def sources(event: Event) -> frozenset[State]:
    """The states an event may leave from. They share one target, so a single condition covers every race."""
    return frozenset(before for before, what, _, _ in JOURNEY.rows if what is event)
