"""What the checkout asks of others, in its own words."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar

from chalicelib.checkout.model import Checkout, Draw, Item, Line, Lots, Payment, Refund, Split
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.money import Entry, Leg, Won
from chalicelib.kernel.tables import Write

T = TypeVar("T")
Due = Payment | Refund | Checkout
Purse = Any
"""A wallet as points read it; only points look inside."""


class Store(Protocol):
    """Methods with `write` only add clauses to a transaction; reads are strongly consistent."""

    def add(self, write: Write, checkout: Checkout) -> None:
        """AlreadyReserved when there is a record of that id. Its row is the fact that it was reserved."""

    def checkout(self, checkout_id: str) -> Checkout | None: ...

    def records(self, checkout_ids: Iterable[str]) -> list[Checkout]:
        """Those there are; at most a hundred may be asked for."""

    def claimed_by(self, item: Item) -> str | None:
        """The checkout by which it is paid, or is being paid."""

    def claim(self, write: Write, after: Checkout, at: datetime) -> None:
        """On its way to be paid, and whatever it pays for claimed, so that it is paid by one checkout only.

        BeingPaid when another has a claim; MovedOn unless it is reserved; ReservationExpired at `at`.
        """

    def settle(self, write: Write, before: Checkout, after: Checkout) -> None:
        """MovedOn unless state and payment are as `before` says. Claims go when it is not paid."""

    def refund(self, write: Write, before: Checkout, after: Checkout) -> None:
        """MovedOn unless state and refunds are as `before` says."""

    def rearm(self, before: Checkout, after: Checkout) -> None:
        """The due time; MovedOn unless state and due time are as `before` says."""

    def publish(self, write: Write, fact: Fact) -> None: ...

    def inserted(self, row: Any) -> Checkout | None:
        """The reservation that the insertion of this row made, as the table's stream shows it."""

    def due(self, shard: int, until: datetime) -> Iterator[Sequence[Due]]:
        """Reservations nobody paid, payments and refunds nobody settled, page by page; may lag a moment."""


class Price(Protocol):
    @property
    def amount(self) -> Won: ...

    @property
    def plan(self) -> str | None: ...


class Prices(Protocol):
    def fee(self, contract_id: str, customer_id: str) -> Price:
        """What this customer's contract costs first; NotFound for an unknown or foreign one."""

    def payable(self, contract_id: str, customer_id: str) -> object:
        """Refuses when the contract does not wait to be paid. A courtesy: what is paid too late goes back."""


class Offer(Protocol):
    def discount(self, lines: Iterable[Line]) -> Won:
        """Above 0, never above the sum of the lines; refuses what does not qualify."""


class Grant(Protocol):
    @property
    def amount(self) -> Won: ...

    @property
    def split(self) -> Split: ...


class Coupons(Protocol):
    """`split` says which shards pay: all of the amount, or nothing where it was set aside as the coupon was
    issued. Its first shard also holds the count."""

    def offer(self, coupon_id: str) -> Offer:
        """Refuses at once, unread, what is known to be closed or spent. A courtesy: `hold` is the rule."""

    def spend(
        self, coupon_id: str, amount: Won, attempt: Callable[[Grant], T], least: Won | None = None
    ) -> T:
        """What `attempt` returned for the grant that committed; else refuses for good, or is Busy. Less than
        `amount` is granted only where the campaign allows it, and never less than `least`."""

    def hold(
        self, write: Write, *, coupon_id: str, customer_id: str, checkout_id: str, split: Split, amount: Won
    ) -> None:
        """Adds the coupon, its owner's count and the budget's shards to the transaction."""

    def capture(
        self, write: Write, *, coupon_id: str, customer_id: str, checkout_id: str, split: Split, amount: Won
    ) -> None: ...

    def release(
        self,
        write: Write,
        *,
        coupon_id: str,
        customer_id: str,
        checkout_id: str,
        split: Split,
        amount: Won,
        into: int | None,
        at: datetime,
    ) -> None:
        """The coupon lies in its owner's box again."""

    def refund(
        self,
        write: Write,
        *,
        coupon_id: str,
        customer_id: str,
        checkout_id: str,
        split: Split,
        back: Won,
        whole: bool,
        into: int | None,
        at: datetime,
    ) -> None:
        """`back` of the discount; the coupon itself only when `whole`."""

    def giving_back(self, coupon_id: str, attempt: Callable[[int | None], T]) -> T:
        """What `attempt` returned for the shard that could take it: None stands for each part's own."""

    def legs(
        self, coupon_id: str, split: Split, amount: Won, what: str, into: int | None = None
    ) -> tuple[Leg, ...]: ...


class Drawn(Protocol):
    @property
    def points(self) -> int: ...

    @property
    def lots(self) -> Lots: ...


class Points(Protocol):
    """What is held is captured, released and refunded inside `changing`. A Conflict when the wallet knows it
    otherwise: then the record has moved on."""

    def spending(self, customer_id: str, points: int, attempt: Callable[[Purse, Drawn], T]) -> T:
        """What `attempt` returned for the lots that committed; else refuses for good, or is Busy."""

    def changing(self, customer_id: str, attempt: Callable[[Purse], T]) -> T: ...

    def hold(self, write: Write, purse: Purse, draw: Draw, checkout_id: str) -> None: ...

    def capture(self, write: Write, purse: Purse, draw: Draw, checkout_id: str, at: datetime) -> None: ...

    def release(self, write: Write, purse: Purse, draw: Draw, checkout_id: str, at: datetime) -> None: ...

    def refund(
        self,
        write: Write,
        purse: Purse,
        draw: Draw,
        checkout_id: str,
        refund_id: str,
        at: datetime,
    ) -> None:
        """`draw`: the lots that are filled again by this refund."""

    def legs(self, customer_id: str, points: int, what: str) -> tuple[Leg, ...]: ...


class Ledger(Protocol):
    def post(self, write: Write, entry: Entry, fact: Fact | None = None) -> None:
        """Adds one row: the entry, and the fact it publishes."""


Data = Mapping[str, object]
