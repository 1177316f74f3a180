"""Rows of the table `<stage>-checkout`: CHECKOUT#<checkout> holds one reservation, kept for ever."""

from pynamodb.attributes import JSONAttribute, NumberAttribute, UnicodeAttribute

from chalicelib.checkout.model import AlreadyReserved, Checkout, Item, Kind, State
from chalicelib.kernel import tables
from chalicelib.kernel.clock import moment, stamp
from chalicelib.kernel.facts import Fact


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


def _row(checkout_id: str) -> CheckoutItem:
    return CheckoutItem(f"CHECKOUT#{checkout_id}", "CHECKOUT")


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
    )


class CheckoutStore:
    """The store of `service.Store` on DynamoDB."""

    def add(self, write: tables.AllOrNothing, checkout: Checkout, fact: Fact) -> None:
        new = CheckoutItem.pk.does_not_exist()
        write.put(_stored(checkout), only_if=new, otherwise=AlreadyReserved)
        write.fact(CheckoutItem, fact)

    def checkout(self, checkout_id: str) -> Checkout | None:
        key = _row(checkout_id)
        row = CheckoutItem.load(key.pk, key.sk)
        return _checkout(row) if row else None
