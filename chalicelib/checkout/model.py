"""What a checkout is: priced lines, reserved for a while and then paid; what a payment is, and a refund."""

from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from chalicelib.kernel.errors import Busy, Conflict, NotFound, Refused
from chalicelib.kernel.money import Won
from chalicelib.kernel.states import Table

RESERVED_FOR = timedelta(minutes=15)
FIRST_ASK = timedelta(minutes=1)
"""Longer than the request that opened a payment can live."""
RAREST_ASK = timedelta(hours=1)
LAST_SENT = 5
"""The last rung on which a charge the gateway never heard of is sent again. What it has not heard of after
the next rung, an hour later, came to nothing: nothing can be under way any more."""

NO_ANSWER = "no_answer"
CHECKED_WITH: Won = 100
"""What a card is charged, and given back at once, to see whether it can pay: the least a card pays."""


class UnknownCheckout(NotFound):
    """There is no such checkout."""


class NoCatalogue(Refused):
    """Services are not sold yet."""


class NoPoints(Refused):
    """Points cannot be used yet."""


class SameItemTwice(Refused):
    """An order names each item once."""


class AlreadyReserved(Conflict):
    """This request was granted before."""


class ReservationExpired(Refused):
    """This reservation has run out; start again."""


class BeingPaid(Conflict):
    """This is paid already, or is being paid right now."""


class CardDeclined(Refused):
    """The card cannot pay; try another one."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason=reason)
        self.reason = reason


class Unanswered(Busy):
    """The payment gateway did not answer; try again."""


class PaymentKnown(Conflict):
    """This payment was asked for before."""


class PaymentDiffers(Refused):
    """A payment of that name was asked for with another amount."""


class NotRefundable(Refused):
    """More than is left of this payment cannot be given back."""


class RefundRefused(Refused):
    """The payment gateway will not give this back."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason=reason)
        self.reason = reason


class MovedOn(Conflict):
    """It is no longer where it was seen."""


class Kind(StrEnum):
    CONTRACT_FEE = "contract_fee"
    SERVICE = "service"


class Item(Struct, frozen=True):
    """`ref` names what is bought: the contract whose fee is due, or a service."""

    kind: Kind
    ref: str


class Order(Struct, frozen=True):
    """As asked for, without a price. `request` is the fingerprint of the body."""

    order_id: str
    items: tuple[Item, ...]
    coupon_id: str | None
    points: int
    request: str

    def refuse_impossible(self) -> None:
        """What no price can make possible."""
        if self.points:
            raise NoPoints()
        if len(set(self.items)) < len(self.items):
            raise SameItemTwice()
        if any(item.kind is Kind.SERVICE for item in self.items):
            raise NoCatalogue()


class Who(StrEnum):
    CUSTOMER = "customer"
    GATEWAY = "gateway"


# --- the checkout ------------------------------------------------------------------------------------------


class State(StrEnum):
    RESERVED = "RESERVED"
    CAPTURING = "CAPTURING"
    CAPTURED = "CAPTURED"


class Event(StrEnum):
    CAPTURE = "capture"
    NOTHING_TO_PAY = "nothing_to_pay"
    PAID = "paid"
    DECLINED = "declined"


CHECKOUTS = Table(
    # where it stands    what happens            where it then stands  who may say so
    (State.RESERVED, Event.CAPTURE, State.CAPTURING, {Who.CUSTOMER}),
    (State.RESERVED, Event.NOTHING_TO_PAY, State.CAPTURED, {Who.CUSTOMER}),
    (State.CAPTURING, Event.PAID, State.CAPTURED, {Who.GATEWAY}),
    (State.CAPTURING, Event.DECLINED, State.RESERVED, {Who.GATEWAY}),
)


class Checkout(Struct, frozen=True):
    """`split` says how much of the discount each shard of the campaign's budget paid, so that it can go back.

    Its id comes from its owner's Idempotency-Key: this record is what makes a retry harmless, for ever.
    `payment_id` is the payment it waits for, or was paid with; `declined`: why the last card could not pay.
    """

    checkout_id: str
    customer_id: str
    order_id: str
    items: tuple[tuple[Item, Won], ...]
    coupon_id: str | None
    discount: Won
    split: tuple[tuple[int, Won], ...]
    request: str
    reserved_at: datetime
    state: State = State.RESERVED
    points_used: int = 0
    payment_id: str | None = None
    declined: str | None = None

    @property
    def total(self) -> Won:
        return sum(amount for _, amount in self.items)

    @property
    def payable(self) -> Won:
        return self.total - self.discount

    @property
    def expires_at(self) -> datetime:
        return self.reserved_at + RESERVED_FOR

    @property
    def campaign_id(self) -> str | None:
        return self.coupon_id and self.coupon_id.partition(".")[0]

    def capturing(self, payment_id: str) -> "Checkout":
        """On its way to be paid; captured at once when there is nothing to pay."""
        if self.payable == 0:
            return replace(self, state=CHECKOUTS.after(self.state, Event.NOTHING_TO_PAY), declined=None)
        after = CHECKOUTS.after(self.state, Event.CAPTURE)
        return replace(self, state=after, payment_id=payment_id, declined=None)

    def settled(self, payment: "Payment") -> "Checkout":
        """As its payment ended: paid for, or free for another card."""
        if payment.state is PaymentState.PAID:
            return replace(self, state=CHECKOUTS.after(self.state, Event.PAID))
        after = CHECKOUTS.after(self.state, Event.DECLINED)
        return replace(self, state=after, payment_id=None, declined=payment.reason)


# --- payments ----------------------------------------------------------------------------------------------


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
    (PaymentState.PENDING, PaymentEvent.PAID, PaymentState.PAID, {Who.GATEWAY}),
    (PaymentState.PENDING, PaymentEvent.DECLINED, PaymentState.DECLINED, {Who.GATEWAY}),
    (PaymentState.PENDING, PaymentEvent.SILENCE, PaymentState.UNKNOWN, {Who.GATEWAY}),
    (PaymentState.UNKNOWN, PaymentEvent.PAID, PaymentState.PAID, {Who.GATEWAY}),
    (PaymentState.UNKNOWN, PaymentEvent.DECLINED, PaymentState.DECLINED, {Who.GATEWAY}),
    (PaymentState.UNKNOWN, PaymentEvent.SILENCE, PaymentState.UNKNOWN, {Who.GATEWAY}),
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
    (RefundState.PENDING, RefundEvent.DONE, RefundState.DONE, {Who.GATEWAY}),
    (RefundState.PENDING, RefundEvent.REFUSED, RefundState.REFUSED, {Who.GATEWAY}),
)


class Refund(Struct, frozen=True):
    """Part of a payment on its way back; its id is the gateway's idempotency key."""

    payment_id: str
    refund_id: str
    amount: Won
    due_at: datetime | None
    state: RefundState = RefundState.PENDING
    rung: int = 0
    reason: str | None = None

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


def opened(payment_id: str, amount: Won, card_token: str, what: str, at: datetime) -> Payment:
    return Payment(payment_id, amount, what, card_token, due_at=at + FIRST_ASK)


def promised(payment_id: str, refund_id: str, amount: Won, at: datetime) -> Refund:
    return Refund(payment_id, refund_id, amount, due_at=at + FIRST_ASK)
