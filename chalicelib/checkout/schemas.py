"""Requests and answers of the checkout, and the facts it publishes."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from chalicelib.checkout.model import Checkout, Item, Kind, Order
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


class CheckoutView(Struct, frozen=True):
    checkout_id: str
    order_id: str
    state: str
    total: int
    discount: int
    points_used: int
    payable: int
    expires_at: datetime

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
        )


class CheckoutReserved(Struct, frozen=True):
    """Published. `campaign_id` is null when no coupon was used."""

    checkout_id: str
    order_id: str
    campaign_id: str | None
    discount: int
