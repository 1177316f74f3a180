"""Giving back what was paid: card, points and coupon in the proportion in which they paid; of a contract that
came to nothing, points and coupon whole.

Each refund id happens once, for ever, with the amount it was made with.
"""

from collections.abc import Callable
from contextlib import suppress

from msgspec.structs import replace

from chalicelib.checkout.model import (
    CardRefund,
    Checkout,
    GivenBack,
    Item,
    Kind,
    NothingPaid,
    NotRefundable,
    Parts,
    RefundByCancelling,
    RefundDiffers,
    Refunded,
    RefundOrder,
    RefundState,
    State,
    promised,
)
from chalicelib.checkout.service.desk import TRIES, Desk
from chalicelib.checkout.service.ports import Purse
from chalicelib.kernel.auth import Caller, Group
from chalicelib.kernel.done import Done
from chalicelib.kernel.errors import Busy, Conflict, KeyReused
from chalicelib.kernel.ids import keyed_id
from chalicelib.kernel.money import Won
from chalicelib.kernel.tables import Write


class Refunds(Desk, frozen=True):
    def refund(self, checkout_id: str, order: RefundOrder, by: Caller, key: str) -> Done[Refunded]:
        """NotRefundable when less is left."""
        checkout = self._written(checkout_id, by)
        if Group.OPS not in by.groups:
            raise RefundByCancelling()
        request = keyed_id("req", by.id, key)
        asked = GivenBack(order.refund_id, order.amount, NOTHING, self.now(), None, request, order.reason)
        return self._refund(checkout, asked, lambda left: left.of(order.amount))

    def refund_card(self, payment_id: str, refund_id: str, amount: Won) -> CardRefund:
        """`amount` of a card's money, for whoever bills; of a checkout's payment, points and coupon go with
        it. What operations gave back of it before counts: nobody gets more than was paid."""
        payment = self.payments.find(payment_id)
        if payment is None or payment.checkout_id is None:
            return CardRefund(self.payments.refund(payment_id, refund_id, amount).state, amount)
        asked = GivenBack(BILLED + refund_id, amount, NOTHING, self.now())
        checkout = self._record(payment.checkout_id)
        try:
            done = self._refund(checkout, asked, lambda left: left.with_card(min(amount, left.card)))
        except NotRefundable:
            return CardRefund(RefundState.DONE, 0)  # all of it was given back before
        return CardRefund(done.value.card or RefundState.DONE, done.value.back.parts.card)

    def came_to_nothing(self, contract_id: str, checkout_id: str | None = None) -> None:
        """A contract that ended before it began. What a card paid billing gives back, less what the terms
        deduct; nothing is deducted from points and coupon: they come back whole, whoever is faster. Where a
        card paid for several contracts together, they go back with its money instead."""
        found = checkout_id or self.store.claimed_by(Item(Kind.CONTRACT_FEE, contract_id))
        checkout = self.store.checkout(found) if found else None
        if checkout is None or checkout.state is not State.CAPTURED:
            return
        fee = sum(line.amount for line in checkout.items if line.item.ref == contract_id)
        if checkout.payable and len(checkout.items) > 1:
            return

        def part(left: Parts) -> Parts:
            back = replace(left, card=0) if checkout.payable else left.of(min(fee, left.total))
            if back == NOTHING:
                raise NotRefundable(left=left.total)
            return back

        asked = GivenBack(f"contract/{contract_id}", fee, NOTHING, self.now())
        with suppress(NotRefundable):  # somebody else gave it back
            self._refund(checkout, asked, part)

    def _refund(self, before: Checkout, asked: GivenBack, part: Callable[[Parts], Parts]) -> Done[Refunded]:
        for _ in range(TRIES):
            known = _known(before, asked)
            if known:
                return Done(self._refunded(before, known), replayed=True)
            _refuse_unpaid(before)
            try:
                after = self._give_back(before, replace(asked, parts=part(before.left)))
            except Conflict:
                before = self._record(before.checkout_id)
                continue
            return Done(self._refunded(after, after.refunds[-1]))
        raise Busy()

    def _refunded(self, checkout: Checkout, back: GivenBack) -> Refunded:
        """The gateway is asked unless it has answered."""
        if not (back.parts.card and checkout.payment_id):
            return Refunded(checkout, back, None)
        refund_id = _of_the_card(checkout, back.refund_id)
        return Refunded(checkout, back, self.payments.promised(checkout.payment_id, refund_id).state)

    def _give_back(self, before: Checkout, back: GivenBack) -> Checkout:
        def attempt(purse: Purse, into: int | None, write: Write) -> Checkout:
            after = before.refunded(replace(back, into=into))
            self.store.refund(write, before, after)
            self._add_given_back(write, after, purse)
            write.commit()
            return after

        return self._giving_back(before, back.parts.points, back.parts.coupon, attempt)

    def _add_given_back(self, write: Write, after: Checkout, purse: Purse) -> None:
        back = after.refunds[-1]
        whole, parts = after.state is State.REFUNDED, back.parts
        if parts.card and after.payment_id:
            refund_id = _of_the_card(after, back.refund_id)
            billed = back.refund_id.startswith(BILLED)
            promise = promised(after.payment_id, refund_id, parts.card, back.at, billed=billed)
            self.payments.promise(write, promise)
        if after.coupon_id and parts.coupon:
            self.coupons.refund(
                write,
                coupon_id=after.coupon_id,
                customer_id=after.customer_id,
                checkout_id=after.checkout_id,
                split=after.split_of(back.refund_id),
                back=parts.coupon,
                whole=not after.has_coupon,
                into=back.into,
                at=back.at,
            )
        if parts.points:
            drawn = after.draw_of(back.refund_id)
            self.points.refund(write, purse, drawn, after.checkout_id, back.refund_id, back.at)
        data = {
            "checkout_id": after.checkout_id,
            "order_id": after.order_id,
            "customer_id": after.customer_id,
            "campaign_id": after.campaign_id,
            "refund_id": back.refund_id,
            "card": parts.card,
            "points": parts.points,
            "coupon": parts.coupon,
            "whole": whole,
            "paid": after.payable,
        }
        fact = self._said("CheckoutRefunded", after, data, back.at)
        self.ledger.post(write, self.accounts.refunded(after, back), fact)


NOTHING = Parts(0, 0, 0)
BILLED = "billing/"
"""Begins the ids of the refunds that billing asked for."""


def _known(checkout: Checkout, asked: GivenBack) -> GivenBack | None:
    """The same refund, made before. Refused: another one of that name, or of that request."""
    known = checkout.refund(asked.refund_id)
    if known and known.asked != asked.asked:
        raise RefundDiffers()
    if not known and asked.request and any(each.request == asked.request for each in checkout.refunds):
        raise KeyReused()
    return known


def _refuse_unpaid(checkout: Checkout) -> None:
    if checkout.state is State.REFUNDED:
        raise NotRefundable(left=0)
    if checkout.state is not State.CAPTURED:
        raise NothingPaid()


def _of_the_card(checkout: Checkout, refund_id: str) -> str:
    """The gateway knows refunds by ids that happen once among all checkouts."""
    return keyed_id("rfd", checkout.checkout_id, refund_id)
