"""Paying for a reservation."""

from collections.abc import Callable

from msgspec.structs import replace

from chalicelib.checkout.model import (
    BeingPaid,
    CardDeclined,
    Checkout,
    Payment,
    PaymentState,
    ReservationCancelled,
    ReservationExpired,
    State,
    UnknownCheckout,
    opened,
)
from chalicelib.checkout.service.desk import Desk
from chalicelib.checkout.service.payments import Add
from chalicelib.checkout.service.ports import Purse
from chalicelib.kernel.auth import Caller
from chalicelib.kernel.done import Done
from chalicelib.kernel.errors import Conflict, HandoverError, KeyReused, Malformed
from chalicelib.kernel.ids import keyed_id
from chalicelib.kernel.tables import Write

ON_STATEMENT = "차량 월 이용료"
"""What the customer reads on the card statement: a contract's fee is all that is sold."""


class Captures(Desk, frozen=True):
    def capture(self, checkout_id: str, card_token: str | None, by: Caller, key: str) -> Done[Checkout]:
        """CAPTURED, or CAPTURING while the gateway has not answered: the sweep settles that.

        One key stands for one card; no card is needed when nothing is left to pay. CardDeclined leaves the
        reservation as it was, for another card.
        """
        payment_id, request = keyed_id("pay", checkout_id, key), keyed_id("req", card_token or "")
        known = self.payments.find(payment_id)
        checkout = self._mine(checkout_id, by)  # read last: as new as its payment
        if known is None and checkout.state is State.RESERVED:
            for line in checkout.items:
                self.prices.payable(line.item.ref, checkout.customer_id)
            try:
                return Done(self._capture(checkout, payment_id, card_token, request))
            except BeingPaid:
                raise
            except Conflict:
                known, checkout = self.payments.find(payment_id), self._mine(checkout_id, by)
        if known is not None and known.request != request:
            raise KeyReused()
        return Done(self._resumed(checkout, known), replayed=True)

    def _mine(self, checkout_id: str, by: Caller) -> Checkout:
        """Nobody pays for another, not even operations."""
        checkout = self._written(checkout_id, by)
        if checkout.customer_id != by.id:
            raise UnknownCheckout()
        return checkout

    def _capture(self, checkout: Checkout, payment_id: str, card_token: str | None, request: str) -> Checkout:
        at = self.now()
        after = checkout.capturing(payment_id, at)
        if after.state is State.CAPTURED:
            self._with_purse(after, after.points_used, lambda purse: self._captured_free(after, purse))
            return after
        if not card_token:
            raise Malformed("a card is needed", (("/card_token", "something is left to pay"),))
        payment = replace(
            opened(payment_id, checkout.payable, card_token, ON_STATEMENT, at),
            checkout_id=checkout.checkout_id,
            request=request,
        )
        write = self.begin()
        self.payments.open(write, payment)
        self.store.claim(write, after, at)
        write.commit()
        return self._ended(after, self.payments.take(payment, self._follow))

    def _captured_free(self, after: Checkout, purse: Purse) -> None:
        write = self.begin()
        self.store.claim(write, after, after.settled_at or self.now())
        self._add_captured(write, after, purse)
        write.commit()

    def _resumed(self, checkout: Checkout, known: Payment | None) -> Checkout:
        """What became of this key's own payment, or else of the one that is under way."""
        if known is None and checkout.state is State.CAPTURING:
            known = self.payments.find(checkout.payment_id or "")
        if known is None and checkout.state in NOT_PAYABLE:
            raise NOT_PAYABLE[checkout.state]()
        return self._ended(checkout, self.payments.resume(known, self._follow)) if known else checkout

    def _ended(self, checkout: Checkout, payment: Payment) -> Checkout:
        """The record is read again: it may have been given up while the card paid."""
        if payment.state is PaymentState.DECLINED:
            raise CardDeclined(payment.reason or "")
        waits = checkout.waits_for(payment) and payment.state is PaymentState.PAID
        seen = self._record(checkout.checkout_id) if waits else checkout
        if seen.state is State.EXPIRED:
            raise ReservationExpired("what the card paid too late goes back to it by itself")
        return seen

    def _follow(self, payment: Payment, commit: Callable[[Add], None]) -> None:
        """A checkout ends in the transaction in which its payment ends. What is paid after the reservation
        was given up, nobody takes."""
        before = self.store.checkout(payment.checkout_id) if payment.checkout_id else None
        if before is None or not before.waits_for(payment):
            return commit(lambda _: before is None)
        after = before.settled(payment, self.now())
        paid = after.state is State.CAPTURED

        def with_purse(purse: Purse) -> None:
            def add(write: Write) -> bool:
                self.store.settle(write, before, after)
                if paid:
                    self._add_captured(write, after, purse)
                else:
                    self._add_declined(write, after)
                return True

            commit(add)

        return self._with_purse(after, after.points_used if paid else 0, with_purse)

    def _add_captured(self, write: Write, after: Checkout, purse: Purse) -> None:
        at = after.settled_at or self.now()
        if after.coupon_id:
            self.coupons.capture(
                write,
                coupon_id=after.coupon_id,
                customer_id=after.customer_id,
                checkout_id=after.checkout_id,
                split=after.split,
                amount=after.discount,
            )
        if after.points_used:
            self.points.capture(write, purse, after.drawn, after.checkout_id, at)
        data = {
            "checkout_id": after.checkout_id,
            "order_id": after.order_id,
            "customer_id": after.customer_id,
            "campaign_id": after.campaign_id,
            "items": [
                {"kind": line.kind, "ref": line.item.ref, "amount": line.amount, "plan": line.plan}
                for line in after.items
            ],
            "discount": after.discount,
            "points_used": after.points_used,
            "paid": after.payable,
            "payment_id": after.payment_id,
        }
        fact = self._said("CheckoutCaptured", after, data, at)
        self.ledger.post(write, self.accounts.captured(after), fact)

    def _add_declined(self, write: Write, after: Checkout) -> None:
        data = {"checkout_id": after.checkout_id, "reason": after.declined}
        self.store.publish(write, self._said("CheckoutDeclined", after, data, self.now()))


NOT_PAYABLE: dict[State, type[HandoverError]] = {
    State.RESERVED: BeingPaid,  # it came back from another card's refusal just now
    State.EXPIRED: ReservationExpired,
    State.CANCELLED: ReservationCancelled,
}
