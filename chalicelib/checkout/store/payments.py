"""Payments and their refunds."""

from typing import Any

from pynamodb.expressions.update import Action

from chalicelib.checkout.model import (
    MovedOn,
    NotRefundable,
    Payment,
    PaymentKnown,
    PaymentState,
    Refund,
    RefundState,
)
from chalicelib.checkout.store.items import (
    PaymentItem,
    RefundItem,
    changed,
    due_as_seen,
    payment_of,
    payment_row,
    refund_of,
    refund_row,
    stored_payment,
    stored_refund,
    timer,
)
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.tables import AllOrNothing

OPEN_PAYMENT = (PaymentState.PENDING, PaymentState.UNKNOWN)


class PaymentStore:
    """The store of `service.PaymentStore` on DynamoDB."""

    def open(self, write: AllOrNothing, payment: Payment) -> None:
        new = PaymentItem.pk.does_not_exist()
        write.put(stored_payment(payment), only_if=new, otherwise=PaymentKnown)

    def payment(self, payment_id: str) -> Payment | None:
        key = payment_row(payment_id)
        row = PaymentItem.load(key.pk, key.sk)
        return payment_of(row) if row else None

    def settle(self, write: AllOrNothing, after: Payment) -> None:
        write.update(
            payment_row(after.payment_id),
            PaymentItem.state.set(after.state),
            PaymentItem.left.set(after.left),
            changed(PaymentItem.reference, after.reference),
            changed(PaymentItem.reason, after.reason),
            PaymentItem.card_token.remove(),
            *_timer(PaymentItem, after),
            only_if=PaymentItem.state.is_in(*OPEN_PAYMENT),
            otherwise=MovedOn,
        )

    def mark(self, before: Payment, after: Payment) -> None:
        write = AllOrNothing()
        write.update(
            payment_row(before.payment_id),
            PaymentItem.state.set(after.state),
            *_timer(PaymentItem, after),
            only_if=_as_seen(PaymentItem, before),
            otherwise=MovedOn,
        )
        write.commit()

    def promise(self, write: AllOrNothing, refund: Refund, *, drawn: bool) -> None:
        new = RefundItem.pk.does_not_exist()
        write.put(stored_refund(refund), only_if=new, otherwise=PaymentKnown)
        if not drawn:
            write.update(
                payment_row(refund.payment_id),
                PaymentItem.left.add(-refund.amount),
                only_if=(PaymentItem.state == PaymentState.PAID) & (PaymentItem.left >= refund.amount),
                otherwise=NotRefundable,
            )

    def refund(self, payment_id: str, refund_id: str) -> Refund | None:
        key = refund_row(payment_id, refund_id)
        row = RefundItem.load(key.pk, key.sk)
        return refund_of(row) if row else None

    def end(self, write: AllOrNothing, before: Refund, after: Refund) -> None:
        write.update(
            refund_row(before.payment_id, before.refund_id),
            RefundItem.state.set(after.state),
            changed(RefundItem.reason, after.reason),
            *_timer(RefundItem, after),
            only_if=RefundItem.state == RefundState.PENDING,
            otherwise=MovedOn,
        )
        if after.state is RefundState.REFUSED:
            write.update(payment_row(before.payment_id), PaymentItem.left.add(before.amount))

    def mark_refund(self, before: Refund, after: Refund) -> None:
        write = AllOrNothing()
        write.update(
            refund_row(before.payment_id, before.refund_id),
            *_timer(RefundItem, after),
            only_if=_as_seen(RefundItem, before),
            otherwise=MovedOn,
        )
        write.commit()

    def leave(self, write: AllOrNothing, after: Payment) -> None:
        write.update(
            payment_row(after.payment_id),
            *_timer(PaymentItem, after),
            only_if=PaymentItem.state.is_in(*OPEN_PAYMENT),
            otherwise=MovedOn,
        )

    def publish(self, write: AllOrNothing, fact: Fact) -> None:
        write.fact(PaymentItem, fact)


def _timer(table: Any, after: Payment | Refund) -> list[Action]:
    return [*timer(table, after.payment_id, after.due_at), table.rung.set(after.rung)]


def _as_seen(table: Any, before: Payment | Refund) -> Any:
    return (table.state == before.state) & due_as_seen(table, before.due_at)
