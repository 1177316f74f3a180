"""The rows of the table, and what of the model they are."""

from datetime import datetime
from typing import Any

from pynamodb.attributes import BooleanAttribute, JSONAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from chalicelib.checkout.model import (
    Checkout,
    GivenBack,
    Item,
    Kind,
    Line,
    Parts,
    Payment,
    PaymentState,
    Refund,
    RefundState,
    State,
)
from chalicelib.kernel import deadlines, tables
from chalicelib.kernel.clock import moment, stamp
from chalicelib.kernel.tables import Raw


class CheckoutItem(tables.Item):
    """`items` is a list of [kind, ref, amount, plan], `split` of [shard, amount], `lots` of [lot, points],
    `refunds` of [refund_id, asked, card, points, coupon, at, into, request, reason]."""

    class Meta:
        table_name = tables.table_name("checkout")

    customer_id = UnicodeAttribute()
    order_id = UnicodeAttribute()
    items = JSONAttribute()
    coupon_id = UnicodeAttribute(null=True)
    discount = NumberAttribute()
    points_used = NumberAttribute()
    split = JSONAttribute()
    lots = JSONAttribute(null=True)
    request = UnicodeAttribute()
    reserved_at = UnicodeAttribute()
    state = UnicodeAttribute()
    payment_id = UnicodeAttribute(null=True)
    declined = UnicodeAttribute(null=True)
    settled_at = UnicodeAttribute(null=True)
    into = NumberAttribute(null=True)
    refunds = JSONAttribute(null=True)
    due_shard = UnicodeAttribute(null=True)
    due_at = UnicodeAttribute(null=True)


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
    billed = BooleanAttribute(null=True)
    due_shard = UnicodeAttribute(null=True)
    due_at = UnicodeAttribute(null=True)


def checkout_row(checkout_id: str) -> CheckoutItem:
    return CheckoutItem(f"CHECKOUT#{checkout_id}", "CHECKOUT")


def claim_row(item: Item) -> ClaimItem:
    return ClaimItem(f"CLAIM#{item.kind.value}#{item.ref}", "CLAIM")


def payment_row(payment_id: str) -> PaymentItem:
    return PaymentItem(f"PAYMENT#{payment_id}", "PAYMENT")


def refund_row(payment_id: str, refund_id: str) -> RefundItem:
    return RefundItem(f"PAYMENT#{payment_id}", f"REFUND#{refund_id}")


def changed(attribute: Any, value: Any) -> Action:
    """Set, or gone."""
    action: Action = attribute.remove() if value is None else attribute.set(value)
    return action


def still(attribute: Any, value: Any) -> Condition:
    """As it was seen, also when there was none."""
    condition: Condition = attribute.does_not_exist() if value is None else attribute == value
    return condition


def _stamp(at: datetime | None) -> str | None:
    return None if at is None else stamp(at)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else moment(text)


def timer(table: Any, of: str, due_at: datetime | None) -> list[Action]:
    """`of`: the id whose hash says in which shard of the index it lies."""
    armed = due_at and deadlines.shard_of(of)
    return [changed(table.due_shard, armed), changed(table.due_at, _stamp(due_at))]


def due_as_seen(table: Any, due_at: datetime | None) -> Condition:
    return still(table.due_at, _stamp(due_at))


def stored(checkout: Checkout) -> CheckoutItem:
    """A new reservation."""
    row = checkout_row(checkout.checkout_id)
    row.customer_id, row.order_id = checkout.customer_id, checkout.order_id
    row.items = [[line.kind, line.item.ref, line.amount, line.plan] for line in checkout.items]
    row.coupon_id, row.discount, row.split = checkout.coupon_id, checkout.discount, checkout.split
    row.points_used, row.lots = checkout.points_used, checkout.lots or None
    row.request, row.reserved_at = checkout.request, stamp(checkout.reserved_at)
    row.state = checkout.state.value
    if checkout.due_at is not None:
        row.due_shard, row.due_at = deadlines.shard_of(checkout.checkout_id), stamp(checkout.due_at)
    return row


def standing(after: Checkout) -> list[Action]:
    """All that may change but refunds."""
    return [
        CheckoutItem.state.set(after.state.value),
        changed(CheckoutItem.payment_id, after.payment_id),
        changed(CheckoutItem.declined, after.declined),
        changed(CheckoutItem.settled_at, _stamp(after.settled_at)),
        changed(CheckoutItem.into, after.into),
        *timer(CheckoutItem, after.checkout_id, after.due_at),
    ]


def stored_refunds(checkout: Checkout) -> list[list[Any]] | None:
    return [
        [it.refund_id, it.asked, *_numbers(it.parts), stamp(it.at), it.into, it.request, it.reason]
        for it in checkout.refunds
    ] or None


def checkout_of(row: CheckoutItem) -> Checkout:
    return Checkout(
        checkout_id=row.pk.removeprefix("CHECKOUT#"),
        customer_id=row.customer_id,
        order_id=row.order_id,
        items=tuple(Line(Item(Kind(kind), ref), amount, plan) for kind, ref, amount, plan in row.items),
        coupon_id=row.coupon_id,
        discount=int(row.discount),
        split=tuple((shard, amount) for shard, amount in row.split),
        request=row.request,
        reserved_at=moment(row.reserved_at),
        due_at=_moment(row.due_at),
        points_used=int(row.points_used),
        lots=tuple((lot, points) for lot, points in row.lots or ()),
        state=State(row.state),
        payment_id=row.payment_id,
        declined=row.declined,
        settled_at=_moment(row.settled_at),
        into=None if row.into is None else int(row.into),
        refunds=tuple(_given_back(*each) for each in row.refunds or ()),
    )


def _numbers(parts: Parts) -> tuple[int, int, int]:
    return parts.card, parts.points, parts.coupon


def _given_back(
    refund_id: str, asked: int, card: int, points: int, coupon: int, at: str, *rest: Any
) -> GivenBack:
    return GivenBack(refund_id, asked, Parts(card, points, coupon), moment(at), *rest)


def stored_payment(payment: Payment) -> PaymentItem:
    return PaymentItem(
        payment_row(payment.payment_id).pk,
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


def payment_of(row: PaymentItem) -> Payment:
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


def stored_refund(refund: Refund) -> RefundItem:
    return RefundItem(
        f"PAYMENT#{refund.payment_id}",
        f"REFUND#{refund.refund_id}",
        payment_id=refund.payment_id,
        refund_id=refund.refund_id,
        amount=refund.amount,
        state=refund.state,
        rung=refund.rung,
        billed=refund.billed,
        due_shard=deadlines.shard_of(refund.payment_id),
        due_at=refund.due_at and stamp(refund.due_at),
    )


def refund_of(row: RefundItem) -> Refund:
    return Refund(
        payment_id=row.payment_id,
        refund_id=row.refund_id,
        amount=int(row.amount),
        due_at=moment(row.due_at) if row.due_at else None,
        state=RefundState(row.state),
        rung=int(row.rung),
        reason=row.reason,
        billed=bool(row.billed),
    )


def due_of(raw: Raw) -> Payment | Refund | Checkout:
    """What an armed row is."""
    if raw["sk"]["S"] == "CHECKOUT":
        return checkout_of(CheckoutItem.from_raw_data(raw))
    if raw["sk"]["S"] == "PAYMENT":
        return payment_of(PaymentItem.from_raw_data(raw))
    return refund_of(RefundItem.from_raw_data(raw))
