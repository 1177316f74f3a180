"""Everything that was tried: by a code, a coupon, a customer, an order, or a checkout."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Protocol

from msgspec import Struct

from chalicelib.kernel.clock import Clock
from chalicelib.kernel.errors import Malformed
from chalicelib.ledger.model import Balance, Found, Look, Record, Reference, Refusals
from chalicelib.ledger.service.books import BookService

MOST_CHECKOUTS = 50
LONGEST_NAME = 200
LOOKED_BACK = timedelta(days=7)
KINDS = ("code", "coupon_id", "customer_id", "order_id", "checkout_id")


class Checkouts(Protocol):
    def records(self, checkout_ids: Collection[str]) -> dict[str, Record]: ...


class Coupons(Protocol):
    def by_code(self, code: str) -> Found | None: ...

    def by_id(self, coupon_id: str) -> Found | None: ...


class Points(Protocol):
    def standing(self, customer_id: str) -> Balance: ...


class Log(Protocol):
    def refusals(self, name: str, value: str, since: datetime, until: datetime) -> Refusals:
        """Of requests whose `name` was that; bounded in what it reads."""


class LookService(Struct, frozen=True):
    books: BookService
    checkouts: Checkouts
    coupons: Coupons
    points: Points
    log: Log
    now: Clock

    def look(self, asked: dict[str, str]) -> Look:
        """Exactly one of KINDS."""
        given = [(kind, asked[kind]) for kind in KINDS if asked.get(kind)]
        if len(given) != 1 or len(given[0][1]) > LONGEST_NAME:
            wanted = f"exactly one of {', '.join(KINDS)}, of {LONGEST_NAME} characters at most"
            raise Malformed("say what to look up", (("/", wanted),))
        kind, name = given[0]
        coupon = self._coupon(kind, name)
        if kind == "code":
            kind, name = "coupon_id", coupon.coupon_id if coupon else ""
        attempts = self._attempts(kind, name)
        coupons = {coupon.coupon_id: coupon} if coupon else {}
        for record in attempts:
            if record.coupon_id and record.coupon_id not in coupons:
                found = self.coupons.by_id(record.coupon_id)
                coupons |= {found.coupon_id: found} if found else {}
        customers = {name} if kind == "customer_id" else {record.customer_id for record in attempts}
        points = self.points.standing(customers.pop()) if len(customers) == 1 else None
        return Look(tuple(coupons.values()), attempts, self._refused(kind, name), points)

    def _coupon(self, kind: str, name: str) -> Found | None:
        if kind == "code":
            return self.coupons.by_code(name)
        return self.coupons.by_id(name) if kind == "coupon_id" else None

    def _attempts(self, kind: str, name: str) -> tuple[Record, ...]:
        if not name:
            return ()
        if kind == "checkout_id":
            names = [name]
        else:
            reference: Reference = (kind.removesuffix("_id"), name)
            names = self.books.store.checkouts_of(reference, MOST_CHECKOUTS)
        found = self.checkouts.records(names) if names else {}
        return tuple(found[each] for each in names if each in found)

    def _refused(self, kind: str, name: str) -> Refusals:
        at = self.now()
        if not name:
            return Refusals((), at, complete=True)
        return self.log.refusals(kind, name, at - LOOKED_BACK, at)
