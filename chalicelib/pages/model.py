"""What the overview and the foot of a customer's page show, and what a browser may do with our pages."""

from datetime import date, datetime
from enum import StrEnum

from msgspec import Struct

MOST_ROWS = 100
"""A list on the one screen is for acting on, not for reading to its end."""

LOCKED_DOWN = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "connect-src": "'self'",
    "img-src": "'self'",
    "manifest-src": "'self'",
    "worker-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}


def safety_headers(*connect: str, uses: tuple[str, ...] = ()) -> dict[str, str]:
    """`connect`: the other origins the page may call. `uses`: camera, geolocation; both ask the person."""
    policy = LOCKED_DOWN | {"connect-src": " ".join(("'self'", *filter(None, connect)))}
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Referrer-Policy": "no-referrer",
        "X-Robots-Tag": "noindex, nofollow",
        "X-Content-Type-Options": "nosniff",
        "Permissions-Policy": ", ".join(
            f"{name}=({'self' if name in uses else ''})" for name in ("camera", "microphone", "geolocation")
        ),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Strict-Transport-Security": "max-age=31536000",
    }


class Step(StrEnum):
    """How far a smart key has come that has not opened its car."""

    WAITING = "waiting"
    SENT = "sent"
    OPENED = "opened"


class Stuck(Struct, frozen=True):
    """Somebody who cannot get into their car. `link_died`: its tries were used up."""

    contract_id: str
    car_id: str
    step: Step
    link_died: bool
    since: datetime


class Funnel(Struct, frozen=True):
    """One day's smart keys, each counted once: issued = unlocked + ended + len(stuck).

    `ended`: revoked or run out before the car ever opened.
    """

    issued: int
    unlocked: int
    ended: int
    stuck: tuple[Stuck, ...]

    def at(self, step: Step) -> int:
        return sum(each.step == step for each in self.stuck)


class Trouble(Struct, frozen=True):
    """A key shipment that went wrong and is not repaired."""

    shipment_id: str
    contract_id: str
    kind: str
    since: datetime


class Delayed(Struct, frozen=True):
    """A handover or return that is in trouble. `parking_cost`: so far, of a car that stands locked out."""

    appointment_id: str
    contract_id: str
    kind: str
    since: datetime
    parking_cost: int | None


class Overview(Struct, frozen=True):
    """`oldest_due`: when the oldest timer that no sweep has taken ran out; None when none has."""

    at: datetime
    day: date
    funnel: Funnel
    troubles: tuple[Trouble, ...]
    more_troubles: bool
    delayed: tuple[Delayed, ...]
    more_delayed: bool
    oldest_due: datetime | None


class Expiring(Struct, frozen=True):
    """Points that will be gone at `at` unless they are used."""

    points: int
    at: datetime


class Wallet(Struct, frozen=True):
    """What a customer could pay with today: points, and so many coupons."""

    points: int
    coupons: int
    expiring_soon: Expiring | None
