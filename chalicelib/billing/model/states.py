"""Where the billing of a contract stands, and the ladder an unpaid charge climbs."""

from datetime import timedelta
from enum import StrEnum

from msgspec import Struct

from chalicelib.kernel.states import Table


class Role(StrEnum):
    FACTS = "facts"
    """What other contexts say."""
    GATEWAY = "gateway"
    """The answer to a charge."""
    CLOCK = "clock"


class Billing(StrEnum):
    NOT_STARTED = "not_started"
    CURRENT = "current"
    PAST_DUE = "past_due"
    BLOCKED = "blocked"
    CLOSED = "closed"


class BillingEvent(StrEnum):
    ACCESS_PROVEN = "access_proven"
    """The handover has happened and the car was opened, whichever came later."""
    CHARGED = "charged"
    CHARGE_FAILED = "charge_failed"
    ENDED = "ended"
    """The contract reached one of its ends and nobody owes anybody anything."""
    T_NEXT_CHARGE = "T.next_charge"
    """A month begins, or a declined charge is tried again."""
    T_DUNNING_BY = "T.dunning_by"
    T_START_BY = "T.start_by"
    T_WRITE_OFF = "T.write_off"


FACTS = {Role.FACTS}
GATEWAY = {Role.GATEWAY}
CLOCK = {Role.CLOCK}

BILLING_START = Billing.NOT_STARTED
BILLING = Table[Billing, BillingEvent](
    (Billing.NOT_STARTED, BillingEvent.ACCESS_PROVEN, Billing.CURRENT, FACTS),
    (Billing.NOT_STARTED, BillingEvent.ENDED, Billing.CLOSED, FACTS | GATEWAY),
    (Billing.NOT_STARTED, BillingEvent.T_START_BY, Billing.NOT_STARTED, CLOCK),
    (Billing.CURRENT, BillingEvent.T_NEXT_CHARGE, Billing.CURRENT, CLOCK),
    (Billing.CURRENT, BillingEvent.CHARGED, Billing.CURRENT, GATEWAY),
    (Billing.CURRENT, BillingEvent.CHARGE_FAILED, Billing.PAST_DUE, GATEWAY),
    (Billing.CURRENT, BillingEvent.ENDED, Billing.CLOSED, FACTS | GATEWAY),
    (Billing.PAST_DUE, BillingEvent.T_NEXT_CHARGE, Billing.PAST_DUE, CLOCK),
    (Billing.PAST_DUE, BillingEvent.CHARGED, Billing.CURRENT, GATEWAY | FACTS),
    (Billing.PAST_DUE, BillingEvent.CHARGE_FAILED, Billing.PAST_DUE, GATEWAY),
    (Billing.PAST_DUE, BillingEvent.T_DUNNING_BY, Billing.BLOCKED, CLOCK),
    (Billing.BLOCKED, BillingEvent.CHARGED, Billing.CURRENT, GATEWAY | FACTS),
    (Billing.BLOCKED, BillingEvent.CHARGE_FAILED, Billing.BLOCKED, GATEWAY),
    (Billing.BLOCKED, BillingEvent.T_WRITE_OFF, Billing.CLOSED, CLOCK),
)


class Rung(Struct, frozen=True):
    """`after`: since the charge was first declined."""

    after: timedelta
    event: BillingEvent


DUNNING = (
    Rung(timedelta(days=1), BillingEvent.T_NEXT_CHARGE),
    Rung(timedelta(days=3), BillingEvent.T_NEXT_CHARGE),
    Rung(timedelta(days=7), BillingEvent.T_NEXT_CHARGE),
    Rung(timedelta(days=14), BillingEvent.T_DUNNING_BY),
    Rung(timedelta(days=44), BillingEvent.T_WRITE_OFF),
)
START_BY = timedelta(days=7)
"""After the agreed handover; a paid contract that has not started by then is somebody's to look at."""
DAY = timedelta(days=1)
QUIET = timedelta(minutes=10)
"""So long nothing must have been heard before a contract is settled: facts overtake each other."""
LEAST = 100
"""Won; less than this no card is charged. It waits for the next charge, and is let go in the end."""
ASK_AGAIN = timedelta(minutes=5)
"""A payment whose answer we never got is asked for again, under the same id."""
