"""Reservations, what becomes of them, and claims on what they pay for."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from chalicelib.checkout.model import (
    RESERVED_FOR,
    AlreadyReserved,
    BeingPaid,
    Checkout,
    Item,
    MovedOn,
    Payment,
    Refund,
    ReservationExpired,
    State,
)
from chalicelib.checkout.store.items import (
    CheckoutItem,
    ClaimItem,
    PaymentItem,
    checkout_of,
    checkout_row,
    claim_row,
    due_as_seen,
    due_of,
    standing,
    still,
    stored,
    stored_refunds,
    timer,
)
from chalicelib.kernel import deadlines
from chalicelib.kernel.clock import stamp
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.tables import AllOrNothing, Look, Raw


class CheckoutStore:
    """The store of `service.ports.Store` on DynamoDB."""

    def add(self, write: AllOrNothing, checkout: Checkout) -> None:
        write.put(stored(checkout), only_if=CheckoutItem.pk.does_not_exist(), otherwise=AlreadyReserved)

    def checkout(self, checkout_id: str) -> Checkout | None:
        key = checkout_row(checkout_id)
        row = CheckoutItem.load(key.pk, key.sk)
        return checkout_of(row) if row else None

    def records(self, checkout_ids: Iterable[str]) -> list[Checkout]:
        look = Look()
        keys = [checkout_row(checkout_id) for checkout_id in checkout_ids]
        found = [look.row(CheckoutItem, key.pk, key.sk) for key in keys]
        if found:
            look.fetch()
        rows = [row() for row in found]
        return [checkout_of(row) for row in rows if row]

    def claimed_by(self, item: Item) -> str | None:
        key = claim_row(item)
        row = ClaimItem.load(key.pk, key.sk)
        return row.checkout_id if row else None

    def claim(self, write: AllOrNothing, after: Checkout, at: datetime) -> None:
        write.update(
            checkout_row(after.checkout_id),
            *standing(after),
            only_if=(CheckoutItem.state == State.RESERVED)
            & (CheckoutItem.reserved_at > stamp(at - RESERVED_FOR)),
            otherwise=_why_not,
        )
        for line in after.items:
            claim = claim_row(line.item)
            claim.checkout_id = after.checkout_id
            write.put(claim, only_if=ClaimItem.pk.does_not_exist(), otherwise=BeingPaid)

    def settle(self, write: AllOrNothing, before: Checkout, after: Checkout) -> None:
        write.update(
            checkout_row(after.checkout_id),
            *standing(after),
            only_if=(CheckoutItem.state == before.state) & still(CheckoutItem.payment_id, before.payment_id),
            otherwise=MovedOn,
        )
        if before.state is State.CAPTURING and after.state is not State.CAPTURED:
            for line in after.items:
                mine = ClaimItem.checkout_id == after.checkout_id
                write.delete(claim_row(line.item), only_if=mine, otherwise=MovedOn)

    def refund(self, write: AllOrNothing, before: Checkout, after: Checkout) -> None:
        write.update(
            checkout_row(after.checkout_id),
            CheckoutItem.state.set(after.state.value),
            CheckoutItem.refunds.set(stored_refunds(after)),
            only_if=(CheckoutItem.state == before.state)
            & still(CheckoutItem.refunds, stored_refunds(before)),
            otherwise=MovedOn,
        )

    def rearm(self, before: Checkout, after: Checkout) -> None:
        write = AllOrNothing()
        write.update(
            checkout_row(after.checkout_id),
            *timer(CheckoutItem, after.checkout_id, after.due_at),
            only_if=(CheckoutItem.state == before.state) & due_as_seen(CheckoutItem, before.due_at),
            otherwise=MovedOn,
        )
        write.commit()

    def due(self, shard: int, until: datetime) -> Iterator[Sequence[Payment | Refund | Checkout]]:
        for page in deadlines.due_pages(PaymentItem, shard, until):
            yield [due_of(raw) for raw in page]

    def inserted(self, row: Raw) -> Checkout | None:
        """The reservation that the insertion of this row made."""
        return checkout_of(CheckoutItem.from_raw_data(row)) if row["sk"]["S"] == "CHECKOUT" else None

    def publish(self, write: AllOrNothing, fact: Fact) -> None:
        write.fact(CheckoutItem, fact)


def _why_not(row: Raw | None) -> Exception:
    """Of a checkout that could not be claimed, as it stood."""
    return ReservationExpired() if row and row["state"]["S"] == State.RESERVED else MovedOn()
