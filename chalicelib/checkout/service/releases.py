"""Giving a reservation back unpaid: by its owner, by operations, or by the timer."""

from msgspec.structs import replace

from chalicelib.checkout.model import AlreadyPaid, BeingPaid, Checkout, Event, State
from chalicelib.checkout.service.desk import TRIES, Desk
from chalicelib.checkout.service.ports import Purse
from chalicelib.kernel.auth import Caller
from chalicelib.kernel.done import Done
from chalicelib.kernel.errors import Busy, Conflict
from chalicelib.kernel.tables import Write

WHY = {Event.CANCEL: "cancelled", Event.EXPIRE: "expired"}


class Releases(Desk, frozen=True):
    def cancel(self, checkout_id: str, by: Caller) -> Done[Checkout]:
        """Coupon and points are back at once. Also when it had run out: either way nothing is held."""
        for _ in range(TRIES):
            before = self._written(checkout_id, by)
            if before.state in (State.CANCELLED, State.EXPIRED):
                return Done(before, replayed=True)
            if before.state is State.CAPTURING:
                raise BeingPaid()
            if before.state is not State.RESERVED:
                raise AlreadyPaid()
            try:
                return Done(self._release(before, Event.CANCEL))
            except Conflict:
                continue
        raise Busy()

    def expire(self, checkout_id: str) -> bool:
        """Whether its time had come, and it was ours to give back; one that waits for the gateway's word gets
        some more time, once."""
        before, now = self.store.checkout(checkout_id), self.now()
        if before is None or before.due_at is None or before.due_at > now:
            return False
        try:
            if before.given_up_at > now:
                self.store.rearm(before, replace(before, due_at=before.given_up_at))
            else:
                self._release(before, Event.EXPIRE)
        except Conflict:
            return False
        except Busy:
            pass  # it is still due
        return True

    def _release(self, before: Checkout, event: Event) -> Checkout:
        payment = self.payments.find(before.payment_id) if before.payment_id else None
        at = self.now()

        def attempt(purse: Purse, into: int | None, write: Write) -> Checkout:
            after = before.released(event, at, into)
            self.store.settle(write, before, after)
            if payment:
                self.payments.leave(write, payment)
            self._add_released(write, after, purse, WHY[event])
            write.commit()
            return after

        return self._giving_back(before, before.points_used, before.discount, attempt)

    def _add_released(self, write: Write, after: Checkout, purse: Purse, why: str) -> None:
        at = after.settled_at or self.now()
        if after.coupon_id:
            self.coupons.release(
                write,
                coupon_id=after.coupon_id,
                customer_id=after.customer_id,
                checkout_id=after.checkout_id,
                split=after.split,
                amount=after.discount,
                into=after.into,
                at=at,
            )
        if after.points_used:
            self.points.release(write, purse, after.drawn, after.checkout_id, at)
        data = {
            "checkout_id": after.checkout_id,
            "order_id": after.order_id,
            "campaign_id": after.campaign_id,
            "discount": after.discount,
            "points": after.points_used,
            "why": why,
        }
        fact = self._said("CheckoutReleased", after, data, at)
        self.ledger.post(write, self.accounts.released(after), fact)
