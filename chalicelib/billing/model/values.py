"""What an account is made of: what was heard, charges, refunds, cards, and where it stands."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from msgspec import Struct

from chalicelib.billing.model.states import BILLING_START, Billing
from chalicelib.billing.model.terms import Line, Span, Term, What
from chalicelib.kernel.errors import Conflict, NotFound, Refused
from chalicelib.kernel.money import Won


class CardDeclined(Refused):
    """This card was declined; the old one is kept."""


class NoAccount(Conflict):
    """This contract has no open account."""


class UnknownRefund(NotFound):
    """There is no such refund."""


class NotByHand(Conflict):
    """This refund is on its way to the card."""


class MovedOn(Conflict):
    """The account changed while we looked."""


class News(StrEnum):
    PAID = "paid"
    PAYMENT_REFUSED = "payment_refused"
    CANCELLED = "cancelled"
    ACTIVATED = "activated"
    ACCESS_LOST = "access_lost"
    ACCESS_RESTORED = "access_restored"
    SWAP_BEGUN = "swap_begun"
    SWAP_OVER = "swap_over"
    RENEWED = "renewed"
    ENDING = "ending"
    UNCANCELLED = "uncancelled"
    RETURNED = "returned"
    INSPECTED = "inspected"
    TERMINATED = "terminated"
    PARKING = "parking"
    EXTRA = "extra"


class Heard(Struct, frozen=True):
    """One fact as billing understood it. `id` is the fact's, `at` when it counts from, `told_at` its time.

    `until`: the agreed handover of PAID, the first proven access of ACTIVATED, the end of ENDING. `cause` of
    PARKING names the lockout, whose last amount counts.
    """

    id: str
    news: News
    at: datetime
    told_at: datetime
    customer_id: str = ""
    payment_id: str = ""
    amount: Won = 0
    term: Term | None = None
    until: datetime | None = None
    ours: bool = False
    cause: str = ""
    lines: tuple[Line, ...] = ()


class Gap(Struct, frozen=True):
    """Time without access through our fault; open while `to_at` is None."""

    from_at: datetime
    to_at: datetime | None
    cause: str


class ChargeState(StrEnum):
    ASKING = "asking"
    """The gateway has been asked, or is about to be, and we do not know its answer."""
    PAID = "paid"
    DECLINED = "declined"
    COVERED = "covered"
    """Credits were worth as much: nothing was taken from the card."""
    WRITTEN_OFF = "written_off"


class Charge(Struct, frozen=True):
    """One month's, or the settlement's. `payment_id`: of the present attempt, known to the gateway.

    A declined attempt is never repeated but followed by another; an unanswered one is only repeated.
    """

    charge_id: str
    what: What
    amount: Won
    state: ChargeState
    at: datetime
    payment_id: str
    number: int | None = None
    span: Span | None = None
    attempt: int = 1
    ask_at: datetime | None = None
    declined_at: datetime | None = None
    rung: int = 0
    reason: str = ""


class RefundState(StrEnum):
    ASKING = "asking"
    BY_HAND = "by_hand"
    """No card takes it: operations transfer it and say so."""
    PAID = "paid"


class Refund(Struct, frozen=True):
    """Owed until it is confirmed. `ask_at`: when the gateway is asked, or operations are told, again.
    `before`: so much of it operations had given back already."""

    refund_id: str
    payment_id: str
    amount: Won
    state: RefundState
    at: datetime
    ask_at: datetime | None
    before: Won = 0

    @property
    def rest(self) -> Won:
        return self.amount - self.before


class PaymentState(StrEnum):
    PAID = "PAID"
    DECLINED = "DECLINED"
    UNKNOWN = "UNKNOWN"


class Payment(Struct, frozen=True):
    """A gateway's answer. `amount`: what it is about, when that is not what was asked."""

    state: PaymentState
    reason: str = ""
    amount: Won | None = None


class Card(Struct, frozen=True):
    """`token` stands for the card at the gateway and is never shown, logged or published."""

    token: str
    brand: str = ""
    last4: str = ""


class CardChange(Struct, frozen=True):
    """A change of the card that was granted, under its request's id."""

    request_id: str
    fingerprint: str
    brand: str
    last4: str


class CardChanged(Struct, frozen=True):
    """The card that is charged from now on, and where billing then stands."""

    brand: str
    last4: str
    state: Billing


class Said(Struct, frozen=True):
    """A fact to be published."""

    name: str
    data: dict[str, Any]


class Due(Struct, frozen=True):
    """An account whose timer ran out."""

    contract_id: str
    due_at: datetime | None


class Account(Struct, frozen=True):
    """`heard_at`: when something was last heard. `again_at`: when to look again, after a look that had to let
    things be. `settled`: ContractSettled was said. `version` grows with every change."""

    contract_id: str
    customer_id: str = ""
    state: Billing = BILLING_START
    card: Card | None = None
    due_at: datetime | None = None
    rung: int = 0
    heard_at: datetime | None = None
    again_at: datetime | None = None
    settled: bool = False
    version: int = 0
