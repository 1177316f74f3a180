"""The checkout and payment stores in memory, and prices from a list."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from chalicelib.checkout.model import (
    AlreadyReserved,
    BeingPaid,
    Checkout,
    Item,
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
from chalicelib.kernel.deadlines import shard_of
from chalicelib.kernel.errors import NotFound, Refused
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.money import Won
from tests.memory import MemoryWrite


class MemoryCheckouts:
    """`payments`: whose due times lie in the same index."""

    def __init__(self, payments: "MemoryPayments | None" = None) -> None:
        self.checkouts: dict[str, Checkout] = {}
        self.claims: dict[Item, str] = {}
        self.inserts: list[Checkout] = []
        self.facts: list[Fact] = []
        self.payments = payments

    def add(self, write: MemoryWrite, checkout: Checkout) -> None:
        write.clause(
            holds=lambda: checkout.checkout_id not in self.checkouts,
            then=lambda: self._insert(checkout),
            otherwise=AlreadyReserved,
        )

    def checkout(self, checkout_id: str) -> Checkout | None:
        return self.checkouts.get(checkout_id)

    def records(self, checkout_ids: Iterable[str]) -> list[Checkout]:
        return [self.checkouts[each] for each in checkout_ids if each in self.checkouts]

    def claimed_by(self, item: Item) -> str | None:
        return self.claims.get(item)

    def claim(self, write: MemoryWrite, after: Checkout, at: datetime) -> None:
        name = after.checkout_id

        def stands() -> bool:
            here = self.checkouts[name]
            return here.state is State.RESERVED and here.expires_at > at

        write.clause(
            holds=stands,
            then=lambda: self._stand(after),
            otherwise=lambda: (
                ReservationExpired() if self.checkouts[name].state is State.RESERVED else MovedOn()
            ),
        )
        for line in after.items:
            write.clause(
                holds=lambda item=line.item: item not in self.claims,  # type: ignore[misc]
                then=lambda item=line.item: self.claims.update({item: name}),  # type: ignore[misc]
                otherwise=BeingPaid,
            )

    def settle(self, write: MemoryWrite, before: Checkout, after: Checkout) -> None:
        name = after.checkout_id

        def as_seen() -> bool:
            here = self.checkouts[name]
            return (here.state, here.payment_id) == (before.state, before.payment_id)

        write.clause(holds=as_seen, then=lambda: self._stand(after), otherwise=MovedOn)
        lets_go = before.state is State.CAPTURING and after.state is not State.CAPTURED
        for line in after.items if lets_go else ():
            write.clause(
                holds=lambda item=line.item: self.claims.get(item) == name,  # type: ignore[misc]
                then=lambda item=line.item: self._release(item),  # type: ignore[misc]
                otherwise=MovedOn,
            )

    def refund(self, write: MemoryWrite, before: Checkout, after: Checkout) -> None:
        def as_seen() -> bool:
            here = self.checkouts[after.checkout_id]
            return (here.state, here.refunds) == (before.state, before.refunds)

        write.clause(holds=as_seen, then=lambda: self._stand(after), otherwise=MovedOn)

    def rearm(self, before: Checkout, after: Checkout) -> None:
        def as_seen() -> bool:
            here = self.checkouts[after.checkout_id]
            return (here.state, here.due_at) == (before.state, before.due_at)

        write = MemoryWrite()
        write.clause(holds=as_seen, then=lambda: self._stand(after), otherwise=MovedOn)
        write.commit()

    def due(self, shard: int, until: datetime) -> Iterator[Sequence[Payment | Refund | Checkout]]:
        of_payments = self.payments.armed() if self.payments else []
        every = [*of_payments, *((name, it) for name, it in self.checkouts.items())]
        yield [
            each
            for name, each in every
            if each.due_at and each.due_at <= until and shard_of(name) == str(shard)
        ]

    def publish(self, write: MemoryWrite, fact: Fact) -> None:
        write.fact(self.facts, fact)

    def inserted(self, row: Checkout) -> Checkout:
        return row

    def _insert(self, checkout: Checkout) -> None:
        self._stand(checkout)
        self.inserts.append(checkout)

    def _release(self, item: Item) -> None:
        del self.claims[item]

    def _stand(self, after: Checkout) -> None:
        self.checkouts[after.checkout_id] = after


class MemoryPayments:
    def __init__(self) -> None:
        self.payments: dict[str, Payment] = {}
        self.refunds: dict[tuple[str, str], Refund] = {}
        self.facts: list[Fact] = []

    def open(self, write: MemoryWrite, payment: Payment) -> None:
        write.clause(
            holds=lambda: payment.payment_id not in self.payments,
            then=lambda: self._put(payment),
            otherwise=PaymentKnown,
        )

    def payment(self, payment_id: str) -> Payment | None:
        return self.payments.get(payment_id)

    def settle(self, write: MemoryWrite, after: Payment) -> None:
        write.clause(
            holds=lambda: self.payments[after.payment_id].open,
            then=lambda: self._put(after),
            otherwise=MovedOn,
        )

    def mark(self, before: Payment, after: Payment) -> None:
        def as_seen() -> bool:
            here = self.payments[before.payment_id]
            return (here.state, here.due_at) == (before.state, before.due_at)

        write = MemoryWrite()
        write.clause(holds=as_seen, then=lambda: self._put(after), otherwise=MovedOn)
        write.commit()

    def promise(self, write: MemoryWrite, refund: Refund, *, drawn: bool) -> None:
        write.clause(
            holds=lambda: (refund.payment_id, refund.refund_id) not in self.refunds,
            then=lambda: self._put_refund(refund),
            otherwise=PaymentKnown,
        )
        if not drawn:
            write.clause(
                holds=lambda: self._refundable(refund),
                then=lambda: self._draw(refund.payment_id, refund.amount),
                otherwise=NotRefundable,
            )

    def refund(self, payment_id: str, refund_id: str) -> Refund | None:
        return self.refunds.get((payment_id, refund_id))

    def end(self, write: MemoryWrite, before: Refund, after: Refund) -> None:
        write.clause(
            holds=lambda: self.refunds[before.payment_id, before.refund_id].open,
            then=lambda: self._put_refund(after),
            otherwise=MovedOn,
        )
        if after.state is RefundState.REFUSED:
            write.clause(then=lambda: self._draw(before.payment_id, -before.amount))

    def publish(self, write: MemoryWrite, fact: Fact) -> None:
        write.fact(self.facts, fact)

    def mark_refund(self, before: Refund, after: Refund) -> None:
        def as_seen() -> bool:
            here = self.refunds[before.payment_id, before.refund_id]
            return (here.state, here.due_at) == (before.state, before.due_at)

        write = MemoryWrite()
        write.clause(holds=as_seen, then=lambda: self._put_refund(after), otherwise=MovedOn)
        write.commit()

    def leave(self, write: MemoryWrite, after: Payment) -> None:
        def forget() -> None:
            here = self.payments[after.payment_id]
            self._put(replace(here, rung=after.rung, due_at=after.due_at))

        write.clause(
            holds=lambda: self.payments[after.payment_id].open,
            then=forget,
            otherwise=MovedOn,
        )

    def armed(self) -> list[tuple[str, Payment | Refund]]:
        every: list[Payment | Refund] = [*self.payments.values(), *self.refunds.values()]
        return [(each.payment_id, each) for each in every]

    def _refundable(self, refund: Refund) -> bool:
        payment = self.payments.get(refund.payment_id)
        return payment is not None and payment.state is PaymentState.PAID and payment.left >= refund.amount

    def _draw(self, payment_id: str, amount: Won) -> None:
        payment = self.payments[payment_id]
        self._put(replace(payment, left=payment.left - amount))

    def _put(self, payment: Payment) -> None:
        self.payments[payment.payment_id] = payment

    def _put_refund(self, refund: Refund) -> None:
        self.refunds[refund.payment_id, refund.refund_id] = refund


class NotPayable(Refused):
    """This contract does not wait to be paid."""


class Price(Struct, frozen=True):
    amount: Won
    plan: str | None


class PriceList:
    """contracts, for a checkout: `fees` by (contract, customer); those `closed` cannot be paid any more."""

    def __init__(self, fees: dict[tuple[str, str], Won], plan: str = "kona") -> None:
        self.fees = fees
        self.plan = plan
        self.closed: set[str] = set()
        self.asked = 0

    def fee(self, contract_id: str, customer_id: str) -> Price:
        self.asked += 1
        if (contract_id, customer_id) not in self.fees:
            raise NotFound()
        return Price(self.fees[contract_id, customer_id], self.plan)

    def payable(self, contract_id: str, customer_id: str) -> None:
        self.fee(contract_id, customer_id)
        if contract_id in self.closed:
            raise NotPayable()
