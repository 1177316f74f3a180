"""The one screen of operations and the foot of a customer's page, asked from the contexts that know."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Protocol

from chalicelib.kernel.clock import KST, Clock
from chalicelib.pages.model import MOST_ROWS, Delayed, Expiring, Funnel, Overview, Trouble, Wallet

SOON = timedelta(days=30)


class Grants(Protocol):
    def funnel(self, day: date) -> Funnel:
        """The smart keys issued on a day in Seoul. Never a Scan."""


class Shipments(Protocol):
    def troubles(self, limit: int) -> Sequence[Trouble]:
        """Longest in trouble first."""

    def oldest_due(self, at: datetime) -> datetime | None:
        """The earliest timer that ran out before `at` and that no sweep has taken."""


class Appointments(Protocol):
    def troubles(self, limit: int) -> Sequence[Delayed]:
        """Cars that nobody can open first, then longest in trouble."""


class OverviewService:
    def __init__(self, grants: Grants, shipments: Shipments, appointments: Appointments, now: Clock) -> None:
        self._grants = grants
        self._shipments = shipments
        self._appointments = appointments
        self._now = now

    def overview(self) -> Overview:
        at = self._now()
        day = at.astimezone(KST).date()
        troubles = self._shipments.troubles(MOST_ROWS + 1)
        delayed = self._appointments.troubles(MOST_ROWS + 1)
        return Overview(
            at=at,
            day=day,
            funnel=self._grants.funnel(day),
            troubles=tuple(troubles[:MOST_ROWS]),
            more_troubles=len(troubles) > MOST_ROWS,
            delayed=tuple(delayed[:MOST_ROWS]),
            more_delayed=len(delayed) > MOST_ROWS,
            oldest_due=self._shipments.oldest_due(at),
        )


class Points(Protocol):
    def balance(self, customer_id: str) -> tuple[int, Expiring | None]:
        """What can be used now, and what of it is gone first."""


class Coupons(Protocol):
    def usable(self, customer_id: str) -> int:
        """How many coupons could pay for something now. Never more than one page of the box is read."""


class WalletService:
    def __init__(self, points: Points, coupons: Coupons, now: Clock) -> None:
        self._points = points
        self._coupons = coupons
        self._now = now

    def wallet(self, customer_id: str) -> Wallet:
        points, first = self._points.balance(customer_id)
        soon = first if first and first.at <= self._now() + SOON else None
        return Wallet(points, self._coupons.usable(customer_id), soon)
