"""What operations see of everything that was tried."""

from datetime import datetime

from msgspec import Struct

from chalicelib.ledger.model.witnesses import Record


class Found(Struct, frozen=True):
    """A coupon as it stands."""

    coupon_id: str
    state: str
    customer_id: str | None
    used_by: str | None


class Refusal(Struct, frozen=True):
    """What was refused, as the log tells it; nothing was written for it."""

    at: datetime
    code: str
    customer_id: str | None = None
    order_id: str | None = None
    coupon_id: str | None = None
    campaign_id: str | None = None
    checkout_id: str | None = None


class Refusals(Struct, frozen=True):
    """Newest first. `complete`: all of the time from `since` on was looked through."""

    refusals: tuple[Refusal, ...]
    since: datetime
    complete: bool


class Balance(Struct, frozen=True):
    balance: int
    held: int
    debt: int


class Look(Struct, frozen=True):
    coupons: tuple[Found, ...]
    attempts: tuple[Record, ...]
    refused: Refusals
    points: Balance | None
