"""The table `<stage>-checkout`.

| pk                     | sk                 | row                                                     |
|------------------------|--------------------|---------------------------------------------------------|
| CHECKOUT#<checkout_id> | CHECKOUT           | one reservation and what became of it, kept for ever    |
| CLAIM#<kind>#<ref>     | CLAIM              | by which one checkout this is paid, or is being paid    |
| PAYMENT#<payment_id>   | PAYMENT            | one charge; `card_token` is there only while it is open |
| PAYMENT#<payment_id>   | REFUND#<refund_id> | a part of it that goes back                             |
| FACT#<checkout_id>     | <time>#<id>        | a published fact                                        |

Index `due` (due_shard, due_at) holds payments and refunds only while the gateway's last word is missing.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from pynamodb.attributes import BooleanAttribute, JSONAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.expressions.update import Action

from chalicelib.checkout.model import (
    RESERVED_FOR,
    AlreadyReserved,
    BeingPaid,
    Checkout,
    Item,
    Kind,
    MovedOn,
    NotRefundable,
    Payment,
    PaymentKnown,
    PaymentState,
    Refund,
    RefundState,
    ReservationExpired,
    State,
)
from chalicelib.kernel import deadlines, tables
from chalicelib.kernel.clock import moment, stamp
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.tables import AllOrNothing, Raw

OPEN_PAYMENT = (PaymentState.PENDING, PaymentState.UNKNOWN)


class CheckoutItem(tables.Item):
    """`items` is a list of [kind, ref, amount], `split` of [shard, amount]."""

    class Meta:
        table_name = tables.table_name("checkout")

    customer_id = UnicodeAttribute()
    order_id = UnicodeAttribute()
    items = JSONAttribute()
    coupon_id = UnicodeAttribute(null=True)
    discount = NumberAttribute()
    points_used = NumberAttribute()
    split = JSONAttribute()
    request = UnicodeAttribute()
    reserved_at = UnicodeAttribute()
    state = UnicodeAttribute()
    payment_id = UnicodeAttribute(null=True)
    declined = UnicodeAttribute(null=True)


class ClaimItem(tables.Item):
    class Meta:
        table_name = tables.table_name("checkout")

    checkout_id = UnicodeAttribute()


class PaymentItem(tables.Item):
    class Meta:
        table_name = tables.table_name("checkout")

    payment_id = UnicodeAttribute()
    amount = NumberAttribute()
    what = UnicodeAttribute()
    card_token = UnicodeAttribute(null=True)
    state = UnicodeAttribute()
    rung = NumberAttribute()
    reference = UnicodeAttribute(null=True)
    reason = UnicodeAttribute(null=True)
    left = NumberAttribute()
    checkout_id = UnicodeAttribute(null=True)
    request = UnicodeAttribute(null=True)
    check = BooleanAttribute()
    due_shard = UnicodeAttribute(null=True)
    due_at = UnicodeAttribute(null=True)


class RefundItem(tables.Item):
    class Meta:
        table_name = tables.table_name("checkout")

    payment_id = UnicodeAttribute()
    refund_id = UnicodeAttribute()
    amount = NumberAttribute()
    state = UnicodeAttribute()
    rung = NumberAttribute()
    reason = UnicodeAttribute(null=True)
    due_shard = UnicodeAttribute(null=True)
    due_at = UnicodeAttribute(null=True)


class CheckoutStore:
    """The store of `service.Store` on DynamoDB."""

    def add(self, write: AllOrNothing, checkout: Checkout, fact: Fact) -> None:
        new = CheckoutItem.pk.does_not_exist()
        write.put(_stored(checkout), only_if=new, otherwise=AlreadyReserved)
        write.fact(CheckoutItem, fact)

    def checkout(self, checkout_id: str) -> Checkout | None:
        key = _row(checkout_id)
        row = CheckoutItem.load(key.pk, key.sk)
        return _checkout(row) if row else None

    def claim(self, write: AllOrNothing, after: Checkout, at: datetime) -> None:
        write.update(
            _row(after.checkout_id),
            *_standing(after),
            only_if=(CheckoutItem.state == State.RESERVED)
            & (CheckoutItem.reserved_at > stamp(at - RESERVED_FOR)),
            otherwise=_why_not,
        )
        for item, _ in after.items:
            claim = _claim(item)
            claim.checkout_id = after.checkout_id
            write.put(claim, only_if=ClaimItem.pk.does_not_exist(), otherwise=BeingPaid)

    def settle(self, write: AllOrNothing, before: Checkout, after: Checkout) -> None:
        write.update(
            _row(after.checkout_id),
            *_standing(after),
            only_if=(CheckoutItem.state == before.state) & (CheckoutItem.payment_id == before.payment_id),
            otherwise=MovedOn,
        )
        if after.state is State.RESERVED:
            for item, _ in after.items:
                mine = ClaimItem.checkout_id == after.checkout_id
                write.delete(_claim(item), only_if=mine, otherwise=MovedOn)

    def publish(self, write: AllOrNothing, fact: Fact) -> None:
        write.fact(CheckoutItem, fact)


class PaymentStore:
    """The store of `service.PaymentStore` on DynamoDB."""

    def open(self, write: AllOrNothing, payment: Payment) -> None:
        new = PaymentItem.pk.does_not_exist()
        write.put(_payment_item(payment), only_if=new, otherwise=PaymentKnown)

    def payment(self, payment_id: str) -> Payment | None:
        key = _paid(payment_id)
        row = PaymentItem.load(key.pk, key.sk)
        return _payment(row) if row else None

    def settle(self, write: AllOrNothing, after: Payment) -> None:
        write.update(
            _paid(after.payment_id),
            PaymentItem.state.set(after.state),
            PaymentItem.left.set(after.left),
            _set(PaymentItem.reference, after.reference),
            _set(PaymentItem.reason, after.reason),
            PaymentItem.card_token.remove(),
            *_timer(PaymentItem, after),
            only_if=PaymentItem.state.is_in(*OPEN_PAYMENT),
            otherwise=MovedOn,
        )

    def mark(self, before: Payment, after: Payment) -> None:
        write = AllOrNothing()
        write.update(
            _paid(before.payment_id),
            PaymentItem.state.set(after.state),
            *_timer(PaymentItem, after),
            only_if=_as_seen(PaymentItem, before),
            otherwise=MovedOn,
        )
        write.commit()

    def promise(self, write: AllOrNothing, refund: Refund, *, drawn: bool) -> None:
        new = RefundItem.pk.does_not_exist()
        write.put(_refund_item(refund), only_if=new, otherwise=PaymentKnown)
        if not drawn:
            write.update(
                _paid(refund.payment_id),
                PaymentItem.left.add(-refund.amount),
                only_if=(PaymentItem.state == PaymentState.PAID) & (PaymentItem.left >= refund.amount),
                otherwise=NotRefundable,
            )

    def refund(self, payment_id: str, refund_id: str) -> Refund | None:
        key = _back(payment_id, refund_id)
        row = RefundItem.load(key.pk, key.sk)
        return _refund(row) if row else None

    def end(self, before: Refund, after: Refund) -> None:
        write = AllOrNothing()
        write.update(
            _back(before.payment_id, before.refund_id),
            RefundItem.state.set(after.state),
            _set(RefundItem.reason, after.reason),
            *_timer(RefundItem, after),
            only_if=RefundItem.state == RefundState.PENDING,
            otherwise=MovedOn,
        )
        if after.state is RefundState.REFUSED:
            write.update(_paid(before.payment_id), PaymentItem.left.add(before.amount))
        write.commit()

    def mark_refund(self, before: Refund, after: Refund) -> None:
        write = AllOrNothing()
        write.update(
            _back(before.payment_id, before.refund_id),
            *_timer(RefundItem, after),
            only_if=_as_seen(RefundItem, before),
            otherwise=MovedOn,
        )
        write.commit()

    def due(self, shard: int, until: datetime) -> Iterator[Sequence[Payment | Refund]]:
        for page in deadlines.due_pages(PaymentItem, shard, until):
            yield [_armed(raw) for raw in page]


def _why_not(row: Raw | None) -> Exception:
    """Of a checkout that could not be claimed, as it stood."""
    return ReservationExpired() if row and row["state"]["S"] == State.RESERVED else MovedOn()


def _row(checkout_id: str) -> CheckoutItem:
    return CheckoutItem(f"CHECKOUT#{checkout_id}", "CHECKOUT")


def _claim(item: Item) -> ClaimItem:
    return ClaimItem(f"CLAIM#{item.kind.value}#{item.ref}", "CLAIM")


def _paid(payment_id: str) -> PaymentItem:
    return PaymentItem(f"PAYMENT#{payment_id}", "PAYMENT")


def _back(payment_id: str, refund_id: str) -> RefundItem:
    return RefundItem(f"PAYMENT#{payment_id}", f"REFUND#{refund_id}")


def _standing(after: Checkout) -> list[Action]:
    return [
        CheckoutItem.state.set(after.state),
        _set(CheckoutItem.payment_id, after.payment_id),
        _set(CheckoutItem.declined, after.declined),
    ]


def _timer(table: Any, after: Payment | Refund) -> list[Action]:
    armed = after.due_at and deadlines.shard_of(after.payment_id)
    return [
        _set(table.due_shard, armed),
        _set(table.due_at, after.due_at and stamp(after.due_at)),
        table.rung.set(after.rung),
    ]


def _as_seen(table: Any, before: Payment | Refund) -> Any:
    return (table.state == before.state) & (table.due_at == (before.due_at and stamp(before.due_at)))


def _set(attribute: Any, value: Any) -> Action:
    action: Action = attribute.remove() if value is None else attribute.set(value)
    return action


def _stored(checkout: Checkout) -> CheckoutItem:
    row = _row(checkout.checkout_id)
    row.customer_id, row.order_id = checkout.customer_id, checkout.order_id
    row.items = [[item.kind.value, item.ref, amount] for item, amount in checkout.items]
    row.coupon_id, row.discount = checkout.coupon_id, checkout.discount
    row.points_used, row.split = checkout.points_used, checkout.split
    row.request, row.reserved_at = checkout.request, stamp(checkout.reserved_at)
    row.state = checkout.state.value
    return row


def _checkout(row: CheckoutItem) -> Checkout:
    return Checkout(
        checkout_id=row.pk.removeprefix("CHECKOUT#"),
        customer_id=row.customer_id,
        order_id=row.order_id,
        items=tuple((Item(Kind(kind), ref), amount) for kind, ref, amount in row.items),
        coupon_id=row.coupon_id,
        discount=int(row.discount),
        split=tuple((shard, amount) for shard, amount in row.split),
        request=row.request,
        reserved_at=moment(row.reserved_at),
        state=State(row.state),
        points_used=int(row.points_used),
        payment_id=row.payment_id,
        declined=row.declined,
    )


def _payment_item(payment: Payment) -> PaymentItem:
    return PaymentItem(
        _paid(payment.payment_id).pk,
        "PAYMENT",
        payment_id=payment.payment_id,
        amount=payment.amount,
        what=payment.what,
        card_token=payment.card_token,
        state=payment.state,
        rung=payment.rung,
        left=payment.left,
        checkout_id=payment.checkout_id,
        request=payment.request or None,
        check=payment.check,
        due_shard=deadlines.shard_of(payment.payment_id),
        due_at=payment.due_at and stamp(payment.due_at),
    )


def _payment(row: PaymentItem) -> Payment:
    return Payment(
        payment_id=row.payment_id,
        amount=int(row.amount),
        what=row.what,
        card_token=row.card_token,
        due_at=moment(row.due_at) if row.due_at else None,
        state=PaymentState(row.state),
        rung=int(row.rung),
        reference=row.reference,
        reason=row.reason,
        left=int(row.left),
        checkout_id=row.checkout_id,
        request=row.request or "",
        check=row.check,
    )


def _refund_item(refund: Refund) -> RefundItem:
    return RefundItem(
        f"PAYMENT#{refund.payment_id}",
        f"REFUND#{refund.refund_id}",
        payment_id=refund.payment_id,
        refund_id=refund.refund_id,
        amount=refund.amount,
        state=refund.state,
        rung=refund.rung,
        due_shard=deadlines.shard_of(refund.payment_id),
        due_at=refund.due_at and stamp(refund.due_at),
    )


def _refund(row: RefundItem) -> Refund:
    return Refund(
        payment_id=row.payment_id,
        refund_id=row.refund_id,
        amount=int(row.amount),
        due_at=moment(row.due_at) if row.due_at else None,
        state=RefundState(row.state),
        rung=int(row.rung),
        reason=row.reason,
    )


def _armed(raw: Raw) -> Payment | Refund:
    if raw["sk"]["S"] == "PAYMENT":
        return _payment(PaymentItem.from_raw_data(raw))
    return _refund(RefundItem.from_raw_data(raw))
