"""An order reserved for a while, paid for with a card, points and a coupon together, and given back."""

from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from chalicelib.checkout.model.errors import (
    NoCatalogue,
    NotRefundable,
    SameItemTwice,
    TooLittleForACard,
    TooManyPoints,
    TooManyRefunds,
)
from chalicelib.checkout.model.payments import LEAST_BY_CARD, Payment, PaymentState, RefundState
from chalicelib.kernel.money import Won, shares
from chalicelib.kernel.states import Table

RESERVED_FOR = timedelta(minutes=15)
ANSWERED_WITHIN = timedelta(minutes=30)
"""So long after its time a reservation still waits for the payment gateway's word; then it is given up."""
MOST_REFUNDS = 20
"""The last of them must be all that is left: a record does not grow for ever."""

Split = tuple[tuple[int, Won], ...]
"""How much of a discount each shard of the campaign's budget pays. The first also pays the count."""
Lots = tuple[tuple[str, int], ...]


class Kind(StrEnum):
    CONTRACT_FEE = "contract_fee"
    SERVICE = "service"


class Item(Struct, frozen=True):
    """`ref` names what is bought: the contract whose fee is due, or a service."""

    kind: Kind
    ref: str


class Line(Struct, frozen=True):
    """An item at the server's price. `plan`: of the contract whose fee it is."""

    item: Item
    amount: Won
    plan: str | None = None

    @property
    def kind(self) -> str:
        return self.item.kind.value


class Order(Struct, frozen=True):
    """As asked for, without a price. `request` is the fingerprint of the body. `least_discount`: what the
    customer is content with when the coupon's campaign has less left than the coupon is worth."""

    order_id: str
    items: tuple[Item, ...]
    coupon_id: str | None
    points: int
    request: str
    least_discount: Won | None = None

    def refuse_impossible(self) -> None:
        """What no price can make possible."""
        if len(set(self.items)) < len(self.items):
            raise SameItemTwice()
        if any(item.kind is Kind.SERVICE for item in self.items):
            raise NoCatalogue()


class Who(StrEnum):
    CUSTOMER = "customer"
    OPS = "ops"
    GATEWAY = "gateway"
    TIMER = "timer"
    BILLING = "billing"


class State(StrEnum):
    RESERVED = "RESERVED"
    CAPTURING = "CAPTURING"
    CAPTURED = "CAPTURED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    REFUNDED = "REFUNDED"


class Event(StrEnum):
    CAPTURE = "capture"
    NOTHING_TO_PAY = "nothing_to_pay"
    PAID = "paid"
    DECLINED = "declined"
    CANCEL = "cancel"
    EXPIRE = "expire"
    REFUND_PART = "refund_part"
    REFUND_ALL = "refund_all"


CHECKOUTS = Table(
    # where it stands    what happens            where it then stands  who may say so
    (State.RESERVED, Event.CAPTURE, State.CAPTURING, {Who.CUSTOMER}),
    (State.RESERVED, Event.NOTHING_TO_PAY, State.CAPTURED, {Who.CUSTOMER}),
    (State.RESERVED, Event.CANCEL, State.CANCELLED, {Who.CUSTOMER, Who.OPS}),
    (State.RESERVED, Event.EXPIRE, State.EXPIRED, {Who.TIMER}),
    (State.CAPTURING, Event.PAID, State.CAPTURED, {Who.GATEWAY}),
    (State.CAPTURING, Event.DECLINED, State.RESERVED, {Who.GATEWAY}),
    (State.CAPTURING, Event.EXPIRE, State.EXPIRED, {Who.TIMER}),
    (State.CAPTURED, Event.REFUND_PART, State.CAPTURED, {Who.OPS, Who.BILLING}),
    (State.CAPTURED, Event.REFUND_ALL, State.REFUNDED, {Who.OPS, Who.BILLING}),
)


class Draw(Struct, frozen=True):
    """Points, and which lots of the wallet they are."""

    points: int = 0
    lots: Lots = ()


class Parts(Struct, frozen=True):
    """What a sum is made of: of the card's money, of points, of the coupon's budget."""

    card: Won
    points: int
    coupon: Won

    @property
    def total(self) -> Won:
        return self.card + self.points + self.coupon

    def less(self, other: "Parts") -> "Parts":
        return Parts(self.card - other.card, self.points - other.points, self.coupon - other.coupon)

    def of(self, amount: Won) -> "Parts":
        """So much of it, each part in proportion; NotRefundable when there is less."""
        if amount > self.total:
            raise NotRefundable(left=self.total)
        return Parts(*shares(amount, (self.card, self.points, self.coupon)))

    def with_card(self, card: Won) -> "Parts":
        """So much of the card's money and as large a part of the rest, rounded down; with the last won of the
        card, all of it."""
        if card > self.card:
            raise NotRefundable(left=self.card)
        if card == self.card:
            return self
        return Parts(card, self.points * card // self.card, self.coupon * card // self.card)


class RefundOrder(Struct, frozen=True):
    """`amount` of what the order cost, card, points and coupon together."""

    refund_id: str
    amount: Won
    reason: str = ""


class GivenBack(Struct, frozen=True):
    """One refund, never changed. `asked`: the amount its id stands for, of the card's money alone when it was
    asked for in that. `into`: the shard that got the coupon's part, None for each part's own. `request`: the
    keyed request that made it."""

    refund_id: str
    asked: Won
    parts: Parts
    at: datetime
    into: int | None = None
    request: str = ""
    reason: str = ""


class Checkout(Struct, frozen=True):
    """`split` and `lots` say where discount and points came from, so that they can go back there.

    Its id comes from its owner's Idempotency-Key: this record is what makes a retry harmless, for ever.
    `payment_id` is the payment it waits for, or was paid with; `declined`: why the last card could not pay.
    `settled_at`: when it was paid, or given back unpaid; then `into` is as in a refund. `due_at`: its timer.
    """

    checkout_id: str
    customer_id: str
    order_id: str
    items: tuple[Line, ...]
    coupon_id: str | None
    discount: Won
    split: Split
    request: str
    reserved_at: datetime
    due_at: datetime | None
    points_used: int = 0
    lots: Lots = ()
    state: State = State.RESERVED
    payment_id: str | None = None
    declined: str | None = None
    settled_at: datetime | None = None
    into: int | None = None
    refunds: tuple[GivenBack, ...] = ()

    @property
    def total(self) -> Won:
        return sum(line.amount for line in self.items)

    @property
    def payable(self) -> Won:
        return self.total - self.discount - self.points_used

    @property
    def expires_at(self) -> datetime:
        return self.reserved_at + RESERVED_FOR

    @property
    def campaign_id(self) -> str | None:
        return self.coupon_id and self.coupon_id.partition(".")[0]

    @property
    def drawn(self) -> Draw:
        return Draw(self.points_used, self.lots)

    @property
    def parts(self) -> Parts:
        return Parts(self.payable, self.points_used, self.discount)

    @property
    def keeps_until(self) -> datetime | None:
        """When coupon and points go back unless they are paid with before; None without either, since nothing
        is then kept from anybody."""
        return self.expires_at if self.discount or self.points_used else None

    def seen(self, at: datetime) -> "Checkout":
        """As it stands at that moment: what keeps nothing is over at its time without a timer."""
        if self.state is not State.RESERVED or self.keeps_until or at < self.expires_at:
            return self
        return self.released(Event.EXPIRE, self.expires_at, None)

    def refuse_too_little(self) -> None:
        if 0 < self.payable < LEAST_BY_CARD:
            raise TooLittleForACard(self.payable, LEAST_BY_CARD)

    # --- on the way to be paid -----------------------------------------------------------------------------

    def capturing(self, payment_id: str, at: datetime) -> "Checkout":
        """On its way to be paid; captured at once when there is nothing to pay."""
        if self.payable == 0:
            after = CHECKOUTS.after(self.state, Event.NOTHING_TO_PAY)
            return replace(self, state=after, declined=None, settled_at=at, due_at=None)
        after = CHECKOUTS.after(self.state, Event.CAPTURE)
        taken = replace(self, state=after, payment_id=payment_id, declined=None)
        return replace(taken, due_at=self.due_at or taken.given_up_at)

    def settled(self, payment: Payment, at: datetime) -> "Checkout":
        """As its payment ended: paid for, or free for another card."""
        if payment.state is PaymentState.PAID:
            after = CHECKOUTS.after(self.state, Event.PAID)
            return replace(self, state=after, settled_at=at, due_at=None)
        after = CHECKOUTS.after(self.state, Event.DECLINED)
        return replace(self, state=after, payment_id=None, declined=payment.reason, due_at=self.keeps_until)

    def waits_for(self, payment: Payment) -> bool:
        return self.state is State.CAPTURING and self.payment_id == payment.payment_id

    # --- given back unpaid ---------------------------------------------------------------------------------

    @property
    def given_up_at(self) -> datetime:
        """When it is given back at the latest, if nobody pays it."""
        return self.expires_at + (ANSWERED_WITHIN if self.state is State.CAPTURING else timedelta(0))

    def released(self, event: Event, at: datetime, into: int | None) -> "Checkout":
        after = CHECKOUTS.after(self.state, event)
        return replace(self, state=after, due_at=None, settled_at=at, into=into)

    # --- given back ----------------------------------------------------------------------------------------

    @property
    def left(self) -> Parts:
        """What was not given back yet."""
        left = self.parts
        for refund in self.refunds:
            left = left.less(refund.parts)
        return left

    @property
    def has_coupon(self) -> bool:
        """Until it is given back unpaid, or with the last won of its discount: the two never part."""
        if self.state in (State.RESERVED, State.CAPTURING):
            return self.coupon_id is not None
        return self.state is State.CAPTURED and self.left.coupon > 0

    def refund(self, refund_id: str) -> GivenBack | None:
        return next((each for each in self.refunds if each.refund_id == refund_id), None)

    def refunded(self, back: GivenBack) -> "Checkout":
        whole = back.parts == self.left
        if len(self.refunds) + 1 >= MOST_REFUNDS and not whole:
            raise TooManyRefunds(left=self.left.total)
        after = CHECKOUTS.after(self.state, Event.REFUND_ALL if whole else Event.REFUND_PART)
        return replace(self, state=after, refunds=(*self.refunds, back))

    def split_of(self, refund_id: str) -> Split:
        """What each shard's part of the discount loses by this refund; every shard of `split` is in it."""
        left = [won for _, won in self.split]
        for refund in self.refunds:
            parts = shares(refund.parts.coupon, left)
            if refund.refund_id == refund_id:
                return tuple((shard, won) for (shard, _), won in zip(self.split, parts, strict=True))
            left = [has - gives for has, gives in zip(left, parts, strict=True)]
        raise KeyError(refund_id)

    def draw_of(self, refund_id: str) -> Draw:
        """The lots this refund fills again: those that end last before those that end first."""
        before = 0
        for refund in self.refunds:
            if refund.refund_id == refund_id:
                return Draw(refund.parts.points, _cut(self.lots[::-1], before, refund.parts.points))
            before += refund.parts.points
        raise KeyError(refund_id)


class Refunded(Struct, frozen=True):
    """`card`: how far its part of it has come; None when no card paid any of it."""

    checkout: Checkout
    back: GivenBack
    card: RefundState | None


def refuse_too_many(points: int, total: Won, discount: Won) -> None:
    """Discount and points together never exceed the total."""
    if points > total - discount:
        raise TooManyPoints(total - discount)


def _cut(lots: Lots, skip: int, points: int) -> Lots:
    """`points` of these lots, after the first `skip`."""
    parts = []
    for lot, holds in lots:
        part = min(max(holds - skip, 0), points)
        skip = max(skip - holds, 0)
        points -= part
        if part:
            parts.append((lot, part))
    return tuple(parts)
