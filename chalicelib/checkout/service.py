"""Reserving what a customer is about to pay: the server's price, less a discount held with the record."""

from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from chalicelib.checkout.model import Checkout, Item, Order, UnknownCheckout
from chalicelib.kernel.auth import Caller
from chalicelib.kernel.clock import Clock
from chalicelib.kernel.done import Done
from chalicelib.kernel.errors import HandoverError, KeyReused
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.ids import keyed_id
from chalicelib.kernel.money import Won
from chalicelib.kernel.tables import Write

T = TypeVar("T")
LONGEST_ID = 64
Split = tuple[tuple[int, Won], ...]


class Store(Protocol):
    def add(self, write: Write, checkout: Checkout, fact: Fact) -> None:
        """Adds the record and the fact; AlreadyReserved when there is a record of that id."""

    def checkout(self, checkout_id: str) -> Checkout | None:
        """Strongly consistent."""


class Prices(Protocol):
    def fee(self, contract_id: str, customer_id: str) -> Won:
        """What this customer's contract costs first; NotFound for an unknown or foreign one."""


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
