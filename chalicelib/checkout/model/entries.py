"""The bookkeeping entries of a checkout: a pure function of its record, at any time.

Whose accounts the coupon's and the points' legs stand on is their own contexts' to say.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from chalicelib.checkout.model.checkout import Checkout, GivenBack, Split, State
from chalicelib.kernel.money import About, Entry, Leg, Won

NO_BOOK = "-"
"""Of what no campaign pays for."""
TAKEN, SALES = "card/taken", "sales"


class CouponLegs(Protocol):
    def __call__(
        self, coupon_id: str, split: Split, amount: Won, what: str, into: int | None = None
    ) -> tuple[Leg, ...]:
        """Of a movement of `split`, which adds up to `amount`."""


class PointLegs(Protocol):
    def __call__(self, customer_id: str, points: int, what: str) -> tuple[Leg, ...]: ...


class Accounts(Struct, frozen=True):
    coupons: CouponLegs
    points: PointLegs

    def reserved(self, of: Checkout) -> Entry | None:
        """None when only the card will pay: nothing has moved."""
        legs = self._coupon(of, of.split, of.discount, "reserved") + self._points(
            of, of.points_used, "reserved"
        )
        return _entry(of, "reserved", "reserved", of.reserved_at, legs) if legs else None

    def captured(self, of: Checkout) -> Entry:
        legs = self._coupon(of, of.split, of.discount, "captured")
        legs += self._points(of, of.points_used, "captured") + _card(of.payable)
        return _entry(of, "captured", "captured", _settled(of), legs)

    def released(self, of: Checkout) -> Entry:
        legs = self._coupon(of, of.split, of.discount, "released", of.into)
        legs += self._points(of, of.points_used, "released")
        return _entry(of, "released", "released", _settled(of), legs)

    def refunded(self, of: Checkout, back: GivenBack) -> Entry:
        parts = back.parts
        legs = self._coupon(of, of.split_of(back.refund_id), parts.coupon, "refunded", back.into)
        legs += self._points(of, parts.points, "refunded") + _card(-parts.card)
        cause = f"refund/{back.refund_id}"
        return _entry(of, cause, "refunded", back.at, legs, refund_id=back.refund_id)

    def entries_of(self, checkout: Checkout) -> list[Entry]:
        """All of them so far, oldest first."""
        return list(self._entries(checkout))

    def _entries(self, checkout: Checkout) -> Iterator[Entry]:
        reserved = self.reserved(checkout)
        if reserved:
            yield reserved
        if checkout.state in (State.CANCELLED, State.EXPIRED):
            yield self.released(checkout)
        if checkout.state in (State.CAPTURED, State.REFUNDED):
            yield self.captured(checkout)
        for back in checkout.refunds:
            yield self.refunded(checkout, back)

    def _coupon(
        self, of: Checkout, split: Split, amount: Won, what: str, into: int | None = None
    ) -> tuple[Leg, ...]:
        return self.coupons(of.coupon_id, split, amount, what, into) if of.coupon_id and amount else ()

    def _points(self, of: Checkout, points: int, what: str) -> tuple[Leg, ...]:
        return self.points(of.customer_id, points, what) if points else ()


def _card(taken: Won) -> tuple[Leg, ...]:
    return (Leg(TAKEN, taken), Leg(SALES, -taken)) if taken else ()


def _settled(checkout: Checkout) -> datetime:
    assert checkout.settled_at is not None
    return checkout.settled_at


def _entry(of: Checkout, cause: str, what: str, at: datetime, legs: tuple[Leg, ...], **more: str) -> Entry:
    about: About = {"customer_id": of.customer_id, "order_id": of.order_id, "coupon_id": of.coupon_id}
    return Entry(f"{of.checkout_id}/{cause}", what, of.campaign_id or NO_BOOK, at, legs, {**about, **more})
