"""Reserving an order, with a coupon, with points, with both or neither, in one transaction."""

from typing import Any

from msgspec.structs import replace

from chalicelib.checkout.model import (
    Checkout,
    Item,
    Line,
    Order,
    refuse_too_many,
)
from chalicelib.checkout.service.ports import Drawn, Grant, Purse
from chalicelib.checkout.service.refunds import Refunds
from chalicelib.checkout.service.sweep import Sweep
from chalicelib.kernel.auth import Caller
from chalicelib.kernel.done import Done
from chalicelib.kernel.errors import HandoverError, KeyReused
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.ids import keyed_id
from chalicelib.kernel.tables import Write


class CheckoutService(Sweep, Refunds, frozen=True):
    def reserve(self, order: Order, by: Caller, key: str) -> Done[Checkout]:
        """Before any refusal the record is read: who was granted hears the grant, whatever happened since."""
        checkout_id = keyed_id("chk", by.id, key)
        try:
            return Done(self._reserve(checkout_id, order, by))
        except HandoverError:
            granted = self.store.checkout(checkout_id)
            if granted is None:
                raise
        if granted.request != order.request:
            raise KeyReused()
        return Done(granted.seen(self.now()), replayed=True)

    def told(self, row: Any) -> Fact | None:
        """The fact that the insertion of this row is: a reservation's record is no larger for it."""
        checkout = self.store.inserted(row)
        if checkout is None:
            return None
        data = {
            "checkout_id": checkout.checkout_id,
            "order_id": checkout.order_id,
            "customer_id": checkout.customer_id,
            "coupon_id": checkout.coupon_id,
            "campaign_id": checkout.campaign_id,
            "discount": checkout.discount,
            "split": [list(part) for part in checkout.split],
            "points_used": checkout.points_used,
        }
        about, at = checkout.checkout_id, checkout.reserved_at
        return Fact.of("CheckoutReserved", "checkout", about, at=at, id=keyed_id("evt", about), data=data)

    def _reserve(self, checkout_id: str, order: Order, by: Caller) -> Checkout:
        """The wallet is read before the budget is drawn on: of both, it is the one that seldom moves."""
        order.refuse_impossible()
        offer = self.coupons.offer(order.coupon_id) if order.coupon_id else None
        plain = self._priced(checkout_id, order, by)
        discount = offer.discount(plain.items) if offer else 0
        refuse_too_many(order.points, plain.total, discount)
        discounted = replace(plain, coupon_id=order.coupon_id, discount=discount)
        if not order.points:
            return self._spend(discounted, order, None)

        def with_points(purse: Purse, drawn: Drawn) -> Checkout:
            lots = tuple(drawn.lots)
            return self._spend(replace(discounted, points_used=drawn.points, lots=lots), order, purse)

        return self.points.spending(by.id, order.points, with_points)

    def _priced(self, checkout_id: str, order: Order, by: Caller) -> Checkout:
        at = self.now()
        return Checkout(
            checkout_id=checkout_id,
            customer_id=by.id,
            order_id=order.order_id,
            items=tuple(self._line(item, by) for item in order.items),
            coupon_id=None,
            discount=0,
            split=(),
            request=order.request,
            reserved_at=at,
            due_at=None,
        )

    def _line(self, item: Item, by: Caller) -> Line:
        price = self.prices.fee(item.ref, by.id)
        return Line(item, price.amount, price.plan)

    def _spend(self, checkout: Checkout, order: Order, purse: Purse) -> Checkout:
        if checkout.coupon_id is None:
            return self._commit(checkout, purse, self.begin())

        def attempt(grant: Grant) -> Checkout:
            """Gives up at the first conflict: another shard is likely free."""
            granted = replace(checkout, discount=grant.amount, split=tuple(grant.split))
            return self._commit(granted, purse, self.begin(attempts=1))

        return self.coupons.spend(checkout.coupon_id, checkout.discount, attempt, least=order.least_discount)

    def _commit(self, checkout: Checkout, purse: Purse, write: Write) -> Checkout:
        checkout.refuse_too_little()
        checkout = replace(checkout, due_at=checkout.keeps_until)
        self.store.add(write, checkout)
        if checkout.coupon_id:
            self.coupons.hold(
                write,
                coupon_id=checkout.coupon_id,
                customer_id=checkout.customer_id,
                checkout_id=checkout.checkout_id,
                split=checkout.split,
                amount=checkout.discount,
            )
        if checkout.points_used:
            self.points.hold(write, purse, checkout.drawn, checkout.checkout_id)
        write.commit()
        return checkout
