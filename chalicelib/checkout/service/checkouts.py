"""Reservations, with or without a coupon, and what they are paid with."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Protocol, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from chalicelib.checkout.model import (
    BeingPaid,
    CardDeclined,
    Checkout,
    Item,
    MovedOn,
    Order,
    Payment,
    PaymentKnown,
    PaymentState,
    State,
    UnknownCheckout,
    opened,
)
from chalicelib.checkout.service.payments import PaymentService
from chalicelib.kernel import deadlines
from chalicelib.kernel.auth import Caller
from chalicelib.kernel.clock import Clock
from chalicelib.kernel.deadlines import Report
from chalicelib.kernel.done import Done
from chalicelib.kernel.errors import HandoverError, KeyReused
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.ids import keyed_id
from chalicelib.kernel.money import Won
from chalicelib.kernel.tables import Write

T = TypeVar("T")
LONGEST_ID = 64
ON_STATEMENT = "차량 월 이용료"
"""What the customer reads on the card statement: a contract's fee is all that is sold."""

Split = tuple[tuple[int, Won], ...]


class Store(Protocol):
    """Methods with `write` only add clauses to a transaction; reads are strongly consistent."""

    def add(self, write: Write, checkout: Checkout, fact: Fact) -> None:
        """Adds the record and the fact; AlreadyReserved when there is a record of that id."""

    def checkout(self, checkout_id: str) -> Checkout | None: ...

    def claim(self, write: Write, after: Checkout, at: datetime) -> None:
        """On its way to be paid, and whatever it pays for claimed, so that it is paid by one checkout only.

        BeingPaid when another has a claim; MovedOn unless it is reserved; ReservationExpired at `at`.
        """

    def settle(self, write: Write, before: Checkout, after: Checkout) -> None:
        """MovedOn unless it still waits for that payment. Claims go when it is not paid."""

    def publish(self, write: Write, fact: Fact) -> None: ...


class Prices(Protocol):
    def fee(self, contract_id: str, customer_id: str) -> Won:
        """What this customer's contract costs first; NotFound for an unknown or foreign one."""

    def payable(self, contract_id: str, customer_id: str) -> object:
        """Refuses when the contract does not wait to be paid. A courtesy: what is paid too late goes back."""


class Offer(Protocol):
    def discount(self, lines: Iterable[tuple[str, Won]]) -> Won:
        """For lines of (kind, amount): above 0, never above their sum; refuses what does not qualify."""


class Coupons(Protocol):
    def offer(self, coupon_id: str) -> Offer:
        """Refuses at once, unread, what is known to be closed or spent. A courtesy: `hold` is the rule."""

    def spend(self, coupon_id: str, amount: Won, attempt: Callable[[Split], T]) -> T:
        """What `attempt` returned for the split that committed; else refuses for good, or is Busy."""

    def hold(self, write: Write, *, coupon_id: str, customer_id: str, checkout_id: str, split: Split) -> None:
        """Adds the coupon, its owner's count and the budget's shards to the transaction."""


class CheckoutService(Struct, frozen=True):
    """`begin(attempts=...)` opens a transaction that tries so often when others hold its rows."""

    store: Store
    coupons: Coupons
    prices: Prices
    payments: PaymentService
    begin: Callable[..., Write]
    now: Clock
    new_id: Callable[[str], str]

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
        return Done(granted, replayed=True)

    def checkout(self, checkout_id: str, by: Caller) -> Checkout:
        checkout = self.store.checkout(checkout_id) if len(checkout_id) <= LONGEST_ID else None
        if checkout is None or checkout.customer_id != by.id:
            raise UnknownCheckout()
        return checkout

    def capture(self, checkout_id: str, card_token: str, by: Caller, key: str) -> Done[Checkout]:
        """CAPTURED, or CAPTURING while the gateway has not answered: the sweep settles that.

        One key stands for one card. CardDeclined leaves the reservation as it was, for another card.
        """
        payment_id, request = keyed_id("pay", checkout_id, key), keyed_id("req", card_token)
        known = self.payments.find(payment_id)
        checkout = self.checkout(checkout_id, by)  # read last: as new as its payment
        if known is None and checkout.state is State.RESERVED:
            try:
                return Done(self._capture(checkout, payment_id, card_token, request))
            except (PaymentKnown, MovedOn):
                known, checkout = self.payments.find(payment_id), self.checkout(checkout_id, by)
        if known is not None and known.request != request:
            raise KeyReused()
        return Done(self._resumed(checkout, known), replayed=True)

    def sweep(self, shards: Iterable[int] = range(deadlines.SHARDS)) -> Report:
        """Settles every payment and refund whose answer is overdue, and the checkouts that wait for them."""
        now = self.now()
        return deadlines.sweep(
            lambda shard: self.payments.store.due(shard, now),
            lambda each: self.payments.ring(each, self._follow),
            shards=shards,
        )

    def _capture(self, checkout: Checkout, payment_id: str, card_token: str, request: str) -> Checkout:
        for item, _ in checkout.items:
            self.prices.payable(item.ref, checkout.customer_id)
        at = self.now()
        after = checkout.capturing(payment_id)
        write = self.begin()
        if after.state is State.CAPTURED:
            self.store.claim(write, after, at)
            self.store.publish(write, self._captured_fact(after))
            write.commit()
            return after
        payment = replace(
            opened(payment_id, checkout.payable, card_token, ON_STATEMENT, at),
            checkout_id=checkout.checkout_id,
            request=request,
        )
        self.payments.open(write, payment)
        self.store.claim(write, after, at)
        write.commit()
        return self._ended(after, self.payments.take(payment, self._follow))

    def _resumed(self, checkout: Checkout, known: Payment | None) -> Checkout:
        """What became of this key's own payment, or else of the one that is under way."""
        if known is None and checkout.state is State.CAPTURING:
            known = self.payments.find(checkout.payment_id or "")
        if known is None and checkout.state is State.RESERVED:
            raise BeingPaid()  # it came back from another card's refusal just now
        return self._ended(checkout, self.payments.resume(known, self._follow)) if known else checkout

    def _ended(self, checkout: Checkout, payment: Payment) -> Checkout:
        if payment.state is PaymentState.DECLINED:
            raise CardDeclined(payment.reason or "")
        waits = checkout.state is State.CAPTURING and payment.state is PaymentState.PAID
        return checkout.settled(payment) if waits else checkout

    def _follow(self, write: Write, payment: Payment) -> None:
        """A checkout ends in the transaction in which its payment ends."""
        if payment.checkout_id is None:
            return
        before = self.store.checkout(payment.checkout_id)
        if before is None or before.state is not State.CAPTURING:
            raise MovedOn()
        after = before.settled(payment)
        self.store.settle(write, before, after)
        paid = after.state is State.CAPTURED
        self.store.publish(write, self._captured_fact(after) if paid else self._declined_fact(after))

    def _captured_fact(self, checkout: Checkout) -> Fact:
        data = {
            "checkout_id": checkout.checkout_id,
            "order_id": checkout.order_id,
            "customer_id": checkout.customer_id,
            "items": [
                {"kind": item.kind.value, "ref": item.ref, "amount": amount}
                for item, amount in checkout.items
            ],
            "discount": checkout.discount,
            "paid": checkout.payable,
            "payment_id": checkout.payment_id,
        }
        return self._said("CheckoutCaptured", checkout, data)

    def _declined_fact(self, checkout: Checkout) -> Fact:
        data = {"checkout_id": checkout.checkout_id, "reason": checkout.declined}
        return self._said("CheckoutDeclined", checkout, data)

    def _said(self, name: str, checkout: Checkout, data: Mapping[str, object]) -> Fact:
        at, new_id = self.now(), self.new_id("evt")
        return Fact.of(name, "checkout", checkout.checkout_id, at=at, id=new_id, data=data)

    def _reserve(self, checkout_id: str, order: Order, by: Caller) -> Checkout:
        order.refuse_impossible()
        at = self.now()
        offer = self.coupons.offer(order.coupon_id) if order.coupon_id else None
        items = tuple((item, self._price(item, by)) for item in order.items)
        plain = Checkout(checkout_id, by.id, order.order_id, items, None, 0, (), order.request, at)
        if offer is None or order.coupon_id is None:
            self._commit(plain, self.begin())
            return plain
        discount = offer.discount((item.kind.value, amount) for item, amount in items)
        return self._spend(replace(plain, coupon_id=order.coupon_id, discount=discount), order.coupon_id)

    def _price(self, item: Item, by: Caller) -> Won:
        return self.prices.fee(item.ref, by.id)

    def _spend(self, checkout: Checkout, coupon_id: str) -> Checkout:
        def attempt(split: Split) -> Checkout:
            """Gives up at the first conflict: another shard is likely free."""
            paid = replace(checkout, split=split)
            self._commit(paid, self.begin(attempts=1))
            return paid

        return self.coupons.spend(coupon_id, checkout.discount, attempt)

    def _commit(self, checkout: Checkout, write: Write) -> None:
        self.store.add(write, checkout, self._fact(checkout))
        if checkout.coupon_id:
            self.coupons.hold(
                write,
                coupon_id=checkout.coupon_id,
                customer_id=checkout.customer_id,
                checkout_id=checkout.checkout_id,
                split=checkout.split,
            )
        write.commit()

    def _fact(self, checkout: Checkout) -> Fact:
        data = {
            "checkout_id": checkout.checkout_id,
            "order_id": checkout.order_id,
            "campaign_id": checkout.campaign_id,
            "discount": checkout.discount,
        }
        at, new_id = checkout.reserved_at, self.new_id("evt")
        return Fact.of("CheckoutReserved", "checkout", checkout.checkout_id, at=at, id=new_id, data=data)
