"""One charge of one card, what becomes of it, and the parts of it that go back."""

from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from chalicelib.kernel.money import Won
from chalicelib.kernel.states import Table

FIRST_ASK = timedelta(minutes=1)
"""Longer than the request that opened a payment can live."""
RAREST_ASK = timedelta(hours=1)
LAST_SENT = 5
"""The last rung on which a charge the gateway never heard of is sent again. What it has not heard of after
the next rung, an hour later, came to nothing: nothing can be under way any more."""

NO_ANSWER = "no_answer"
LEAST_BY_CARD: Won = 100
"""The least a card pays; also what it is charged, and given back at once, to see whether it can."""


class Source(StrEnum):
    GATEWAY = "gateway"


class PaymentState(StrEnum):
    """UNKNOWN: the gateway was asked, and nobody heard what came of it."""

    PENDING = "PENDING"
    UNKNOWN = "UNKNOWN"
    PAID = "PAID"
    DECLINED = "DECLINED"


class PaymentEvent(StrEnum):
    PAID = "paid"
    DECLINED = "declined"
    SILENCE = "silence"


PAYMENTS = Table(
    # where it stands    what happens             where it then stands   who may say so
    (PaymentState.PENDING, PaymentEvent.PAID, PaymentState.PAID, {Source.GATEWAY}),
    (PaymentState.PENDING, PaymentEvent.DECLINED, PaymentState.DECLINED, {Source.GATEWAY}),
    (PaymentState.PENDING, PaymentEvent.SILENCE, PaymentState.UNKNOWN, {Source.GATEWAY}),
    (PaymentState.UNKNOWN, PaymentEvent.PAID, PaymentState.PAID, {Source.GATEWAY}),
    (PaymentState.UNKNOWN, PaymentEvent.DECLINED, PaymentState.DECLINED, {Source.GATEWAY}),
    (PaymentState.UNKNOWN, PaymentEvent.SILENCE, PaymentState.UNKNOWN, {Source.GATEWAY}),
)


def _next_ask(rung: int, at: datetime) -> datetime:
    return at + min(FIRST_ASK * (1 << min(rung, 10)), RAREST_ASK)


class Card(Struct, frozen=True):
    """What may be shown of a card."""

    brand: str
    last4: str


class Payment(Struct, frozen=True):
    """One charge of one card; its id is the gateway's idempotency key and order id, so it is taken once.

    `card_token` is kept only while the payment is open. `reference` is the gateway's own name for it, `left`
    what of it can still be given back. `checkout_id`: the checkout that ends with it. `request` tells a retry
    from another request. `check`: taken to see whether the card can pay, and given back at once.
    """

    payment_id: str
    amount: Won
    what: str
    card_token: str | None
    due_at: datetime | None
    state: PaymentState = PaymentState.PENDING
    rung: int = 0
    reference: str | None = None
    reason: str | None = None
    left: Won = 0
    checkout_id: str | None = None
    request: str = ""
    check: bool = False

    @property
    def open(self) -> bool:
        return self.due_at is not None

    @property
    def may_be_sent(self) -> bool:
        return self.rung <= LAST_SENT

    @property
    def lost(self) -> bool:
        """If the gateway has not heard of it by now."""
        return self.rung > LAST_SENT + 1

    def paid(self, reference: str) -> "Payment":
        left = 0 if self.check else self.amount
        return replace(self._ended(PaymentEvent.PAID), reference=reference, left=left)

    def declined(self, reason: str) -> "Payment":
        return replace(self._ended(PaymentEvent.DECLINED), reason=reason)

    def silent(self) -> "Payment":
        return replace(self, state=PAYMENTS.after(self.state, PaymentEvent.SILENCE))

    def rung_at(self, at: datetime) -> "Payment":
        return replace(self, rung=self.rung + 1, due_at=_next_ask(self.rung + 1, at))

    def unwanted(self, at: datetime) -> "Payment":
        """Nobody waits for it any more: it is asked for, and never sent again."""
        return replace(self, rung=max(self.rung, LAST_SENT + 1), due_at=at + RAREST_ASK)

    def _ended(self, event: PaymentEvent) -> "Payment":
        return replace(self, state=PAYMENTS.after(self.state, event), card_token=None, due_at=None)


class RefundState(StrEnum):
    PENDING = "PENDING"
    DONE = "DONE"
    REFUSED = "REFUSED"


class RefundEvent(StrEnum):
    DONE = "done"
    REFUSED = "refused"


REFUNDS = Table(
    # where it stands    what happens          where it then stands  who may say so
    (RefundState.PENDING, RefundEvent.DONE, RefundState.DONE, {Source.GATEWAY}),
    (RefundState.PENDING, RefundEvent.REFUSED, RefundState.REFUSED, {Source.GATEWAY}),
)


class Refund(Struct, frozen=True):
    """Part of a payment on its way back; its id is the gateway's idempotency key. `billed`: billing asked for
    it, and asks until it has ended."""

    payment_id: str
    refund_id: str
    amount: Won
    due_at: datetime | None
    state: RefundState = RefundState.PENDING
    rung: int = 0
    reason: str | None = None
    billed: bool = False

    @property
    def open(self) -> bool:
        return self.due_at is not None

    def done(self) -> "Refund":
        return replace(self, state=REFUNDS.after(self.state, RefundEvent.DONE), due_at=None)

    def refused(self, reason: str) -> "Refund":
        after = REFUNDS.after(self.state, RefundEvent.REFUSED)
        return replace(self, state=after, due_at=None, reason=reason)

    def rung_at(self, at: datetime) -> "Refund":
        return replace(self, rung=self.rung + 1, due_at=_next_ask(self.rung + 1, at))


class CardRefund(Struct, frozen=True):
    """For whoever bills. `amount`: what of the sum asked for had not gone back before."""

    state: RefundState
    amount: Won


def opened(payment_id: str, amount: Won, card_token: str, what: str, at: datetime) -> Payment:
    return Payment(payment_id, amount, what, card_token, due_at=at + FIRST_ASK)


def promised(payment_id: str, refund_id: str, amount: Won, at: datetime, *, billed: bool = False) -> Refund:
    return Refund(payment_id, refund_id, amount, due_at=at + FIRST_ASK, billed=billed)
