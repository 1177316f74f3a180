"""What all use cases of a checkout share."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from msgspec import Struct

from chalicelib.checkout.model import Accounts, Checkout, UnknownCheckout
from chalicelib.checkout.service.payments import PaymentService
from chalicelib.checkout.service.ports import Coupons, Data, Ledger, Points, Prices, Purse, Store
from chalicelib.kernel.auth import Caller, Group
from chalicelib.kernel.clock import Clock
from chalicelib.kernel.deadlines import SHARDS
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.money import Entry, Won
from chalicelib.kernel.tables import Write

T = TypeVar("T")
LONGEST_ID = 64
TRIES = 5
"""So often a record is read and thought over again when somebody else was faster."""


class Desk(Struct, frozen=True):
    """`begin(attempts=...)` opens a transaction that tries so often when others hold its rows."""

    store: Store
    coupons: Coupons
    points: Points
    ledger: Ledger
    prices: Prices
    payments: PaymentService
    begin: Callable[..., Write]
    now: Clock
    new_id: Callable[[str], str]

    def checkout(self, checkout_id: str, by: Caller) -> Checkout:
        """Its owner's, and operations', as it stands now."""
        return self._written(checkout_id, by).seen(self.now())

    def _written(self, checkout_id: str, by: Caller) -> Checkout:
        checkout = self.store.checkout(checkout_id) if len(checkout_id) <= LONGEST_ID else None
        if checkout is None or (checkout.customer_id != by.id and Group.OPS not in by.groups):
            raise UnknownCheckout()
        return checkout

    def _record(self, checkout_id: str) -> Checkout:
        """Of an id that a row of ours names."""
        checkout = self.store.checkout(checkout_id)
        assert checkout is not None
        return checkout

    def records(self, checkout_ids: Iterable[str]) -> list[Checkout]:
        """Those there are, as they stand now; strongly consistent, in one call for at most a hundred."""
        at = self.now()
        return [each.seen(at) for each in self.store.records(checkout_ids)]

    def unfinished(self) -> Iterator[Sequence[Checkout]]:
        """All that keep a coupon or points, or are being paid, page by page; may lag a moment behind."""
        ever = self.now() + timedelta(days=1)
        for shard in range(SHARDS):
            for page in self.store.due(shard, ever):
                yield [each for each in page if isinstance(each, Checkout)]

    def entries_of(self, checkout: Checkout) -> list[Entry]:
        """All its bookkeeping so far, oldest first, from the record alone."""
        return self.accounts.entries_of(checkout)

    @property
    def accounts(self) -> Accounts:
        return Accounts(self.coupons.legs, self.points.legs)

    def _said(self, name: str, checkout: Checkout, data: Data, at: datetime) -> Fact:
        return Fact.of(name, "checkout", checkout.checkout_id, at=at, id=self.new_id("evt"), data=data)

    def _with_purse(self, checkout: Checkout, points: int, attempt: Callable[[Purse], T]) -> T:
        return self.points.changing(checkout.customer_id, attempt) if points else attempt(None)

    def _giving_back(
        self, checkout: Checkout, points: int, coupon: Won, attempt: Callable[[Purse, int | None, Write], T]
    ) -> T:
        """Where a shard is waited for there are others: the coupons' own tries come instead of ours."""

        def with_purse(purse: Purse) -> T:
            if not (coupon and checkout.coupon_id):
                return attempt(purse, None, self.begin())
            return self.coupons.giving_back(
                checkout.coupon_id, lambda into: attempt(purse, into, self.begin(attempts=1))
            )

        return self._with_purse(checkout, points, with_purse)
