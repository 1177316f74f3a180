"""Requests and answers of the checkout, and the facts it publishes."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from chalicelib.checkout.model import Checkout, Item, Kind, Order, State
from chalicelib.kernel.ids import fingerprint

Name = Annotated[str, Meta(min_length=1, max_length=128)]
MOST_ITEMS = 20


class ItemRequest(Struct, frozen=True):
    kind: Kind
    ref: Name


class ReserveRequest(Struct, frozen=True):
    order_id: Name
    items: Annotated[list[ItemRequest], Meta(min_length=1, max_length=MOST_ITEMS)]
    coupon_id: Name | None = None
    points: Annotated[int, Meta(ge=0)] = 0

    def order(self) -> Order:
        items = tuple(Item(item.kind, item.ref) for item in self.items)
        return Order(self.order_id, items, self.coupon_id, self.points, fingerprint(self))


class CaptureRequest(Struct, frozen=True):
    """`card_token`: what the payment gateway's card form answered."""

    card_token: Annotated[str, Meta(min_length=1, max_length=300)]


class CheckoutView(Struct, frozen=True):
    """`declined`: why the last card could not pay: limit, expired, stopped, refused, unsupported or
    unknown_card; or no_answer, when nothing came of asking."""

    checkout_id: str
    order_id: str
    state: str
    total: int
    discount: int
    points_used: int
    payable: int
    expires_at: datetime
    declined: str | None

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
        )


class CheckoutReserved(Struct, frozen=True):
    """Published. `campaign_id` is null when no coupon was used."""

    checkout_id: str
    order_id: str
    campaign_id: str | None
    discount: int


class CapturedItem(Struct, frozen=True):
    kind: str
    ref: str
    amount: int


class CheckoutCaptured(Struct, frozen=True):
    """Published: paid for. `paid` is the sum of the items less the discount; no payment when that is 0."""

    checkout_id: str
    order_id: str
    customer_id: str
    items: list[CapturedItem]
    discount: int
    paid: int
    payment_id: str | None


class CheckoutDeclined(Struct, frozen=True):
    """Published: the card could not pay, and the reservation stands."""

    checkout_id: str
    reason: str
