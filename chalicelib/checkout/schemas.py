"""Requests and answers of the checkout, and the facts it publishes."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from chalicelib.checkout.model import (
    CHECKOUTS,
    Checkout,
    Event,
    GivenBack,
    Item,
    Kind,
    Order,
    Refunded,
    RefundOrder,
    State,
    Who,
)
from chalicelib.kernel.ids import fingerprint

Name = Annotated[str, Meta(min_length=1, max_length=128)]
MOST_ITEMS = 20
RefundId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._:-]{1,64}$(?!\n)")]
"""Without the slash that ids of refunds nobody asked for by hand have in them."""


class ItemRequest(Struct, frozen=True):
    kind: Kind
    ref: Name


class ReserveRequest(Struct, frozen=True):
    order_id: Name
    items: Annotated[list[ItemRequest], Meta(min_length=1, max_length=MOST_ITEMS)]
    coupon_id: Name | None = None
    points: Annotated[int, Meta(ge=0)] = 0
    least_discount: Annotated[int, Meta(ge=1)] | None = None

    def order(self) -> Order:
        items = tuple(Item(item.kind, item.ref) for item in self.items)
        return Order(
            self.order_id, items, self.coupon_id, self.points, fingerprint(self), self.least_discount
        )


class CaptureRequest(Struct, frozen=True):
    """`card_token`: what the payment gateway's card form answered; none when nothing is left to pay."""

    card_token: Annotated[str, Meta(min_length=1, max_length=300)] | None = None


class RefundRequest(Struct, frozen=True):
    """`amount` of what the order cost: card, points and coupon get it in the proportion in which they paid.
    `reason` is kept with the record and nowhere else."""

    refund_id: RefundId
    amount: Annotated[int, Meta(ge=1)]
    reason: Annotated[str, Meta(max_length=200)] = ""

    def order(self) -> RefundOrder:
        return RefundOrder(self.refund_id, self.amount, self.reason)


class PartsView(Struct, frozen=True):
    """One refund: to the card, to the wallet, to the campaign's budget."""

    at: datetime
    card: int
    points: int
    coupon: int

    @classmethod
    def of(cls, back: GivenBack) -> "PartsView":
        return cls(back.at, back.parts.card, back.parts.points, back.parts.coupon)


WORDS: dict[Event, Literal["capture", "cancel"]] = {
    Event.CAPTURE: "capture",
    Event.CANCEL: "cancel",
}


class CheckoutView(Struct, frozen=True):
    """`declined`: why the last card could not pay: limit, expired, stopped, refused, unsupported or
    unknown_card; or no_answer, when nothing came of asking. `actions`: what its owner may do now. `refunds`:
    what came back so far, oldest first."""

    checkout_id: str
    order_id: str
    state: str
    total: int
    discount: int
    points_used: int
    payable: int
    expires_at: datetime
    declined: str | None
    refunds: list[PartsView]
    actions: list[Literal["capture", "cancel"]]

    @property
    def waits(self) -> bool:
        """For the payment gateway's answer."""
        return self.state == State.CAPTURING

    @classmethod
    def of(cls, checkout: Checkout) -> "CheckoutView":
        return cls(
            checkout_id=checkout.checkout_id,
            order_id=checkout.order_id,
            state=checkout.state.value,
            total=checkout.total,
            discount=checkout.discount,
            points_used=checkout.points_used,
            payable=checkout.payable,
            expires_at=checkout.expires_at,
            declined=checkout.declined,
            refunds=[PartsView.of(back) for back in checkout.refunds],
            actions=[WORDS[it] for it in CHECKOUTS.choices(checkout.state, Who.CUSTOMER) if it in WORDS],
        )


class RefundView(Struct, frozen=True):
    """`card_state`: DONE, PENDING (it is asked for until the gateway answers), REFUSED (transfer it by hand);
    null when no card is concerned. `left`: what of the order can still be given back."""

    checkout_id: str
    refund_id: str
    amount: int
    card: int
    points: int
    coupon: int
    card_state: str | None
    state: str
    left: int

    @classmethod
    def of(cls, refunded: Refunded) -> "RefundView":
        checkout, back = refunded.checkout, refunded.back
        return cls(
            checkout.checkout_id,
            back.refund_id,
            back.asked,
            back.parts.card,
            back.parts.points,
            back.parts.coupon,
            refunded.card,
            checkout.state,
            checkout.left.total,
        )


class CheckoutReserved(Struct, frozen=True):
    """Published. `split`: how much of the discount each shard of the campaign's budget set aside."""

    checkout_id: str
    order_id: str
    customer_id: str
    coupon_id: str | None
    campaign_id: str | None
    discount: int
    split: list[tuple[int, int]]
    points_used: int


class CapturedItem(Struct, frozen=True):
    """`plan`: of the contract whose fee it is."""

    kind: str
    ref: str
    amount: int
    plan: str | None


class CheckoutCaptured(Struct, frozen=True):
    """Published: paid for. `paid`, by the card, is the sum of the items less discount and points; no payment
    when that is 0."""

    checkout_id: str
    order_id: str
    customer_id: str
    campaign_id: str | None
    items: list[CapturedItem]
    discount: int
    points_used: int
    paid: int
    payment_id: str | None


class CheckoutReleased(Struct, frozen=True):
    """Published: given back unpaid, because its owner or operations cancelled it, or nobody paid in time; the
    last is not said of one that held neither coupon nor points."""

    checkout_id: str
    order_id: str
    campaign_id: str | None
    discount: int
    points: int
    why: Literal["cancelled", "expired"]


class CheckoutRefunded(Struct, frozen=True):
    """Published: a part of what was paid goes back, `whole` when nothing is left. `paid`: by the card, before
    any refund."""

    checkout_id: str
    order_id: str
    customer_id: str
    campaign_id: str | None
    refund_id: str
    card: int
    points: int
    coupon: int
    whole: bool
    paid: int


class RefundRefused(Struct, frozen=True):
    """Published, and heard: the gateway does not give this back, so operations must transfer it. Not when
    billing asked for it, which then says TransferDue. `checkout_id`: whose payment it was, if any."""

    payment_id: str
    refund_id: str
    amount: int
    reason: str
    checkout_id: str | None


class CheckoutDeclined(Struct, frozen=True):
    """Published: the card could not pay, and the reservation stands."""

    checkout_id: str
    reason: str


class ContractCancelled(Struct, frozen=True):
    """Heard from contracts."""

    contract_id: str

    @property
    def checkout_id(self) -> None:
        return None


class ContractPaymentRefused(Struct, frozen=True):
    """Heard from contracts: paid when nothing was for sale any more."""

    contract_id: str
    checkout_id: str


CAME_TO_NOTHING: dict[str, type[ContractCancelled | ContractPaymentRefused]] = {
    "ContractCancelled": ContractCancelled,
    "ContractPaymentRefused": ContractPaymentRefused,
}
