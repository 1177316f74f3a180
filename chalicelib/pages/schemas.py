"""What the pages read."""

from datetime import date, datetime

import msgspec

from chalicelib.pages.model import MOST_ROWS, Expiring, Funnel, Overview, Step, Wallet


class ConfigView(msgspec.Struct, frozen=True):
    """What a page needs to sign somebody in, and to turn a card into a token; nothing here is secret."""

    region: str
    user_pool_client_id: str
    cognito_endpoint: str
    payments_url: str


class FunnelView(msgspec.Struct, frozen=True):
    """issued = unlocked + opened + sent + waiting + ended; stuck = opened + sent + waiting."""

    issued: int
    unlocked: int
    opened: int
    sent: int
    waiting: int
    ended: int
    stuck: int

    @classmethod
    def of(cls, funnel: Funnel) -> "FunnelView":
        return cls(
            issued=funnel.issued,
            unlocked=funnel.unlocked,
            opened=funnel.at(Step.OPENED),
            sent=funnel.at(Step.SENT),
            waiting=funnel.at(Step.WAITING),
            ended=funnel.ended,
            stuck=len(funnel.stuck),
        )


class StuckView(msgspec.Struct, frozen=True):
    contract_id: str
    car_id: str
    step: Step
    link_died: bool
    since: datetime


class TroubleView(msgspec.Struct, frozen=True):
    shipment_id: str
    contract_id: str
    kind: str
    since: datetime


class DelayedView(msgspec.Struct, frozen=True):
    """`parking_cost`: so far, of a car that stands locked out."""

    appointment_id: str
    contract_id: str
    kind: str
    since: datetime
    parking_cost: int | None


class OverviewView(msgspec.Struct, frozen=True):
    """`stuck` and `troubles` name the longest waiting, `delayed` the cars that nobody can open first;
    `more_troubles`, `more_delayed`: there are others."""

    at: datetime
    day: date
    funnel: FunnelView
    stuck: list[StuckView]
    troubles: list[TroubleView]
    more_troubles: bool
    delayed: list[DelayedView]
    more_delayed: bool
    oldest_due: datetime | None

    @classmethod
    def of(cls, overview: Overview) -> "OverviewView":
        waiting = sorted(overview.funnel.stuck, key=lambda each: each.since)
        return cls(
            at=overview.at,
            day=overview.day,
            funnel=FunnelView.of(overview.funnel),
            stuck=[
                StuckView(each.contract_id, each.car_id, each.step, each.link_died, each.since)
                for each in waiting[:MOST_ROWS]
            ],
            troubles=[
                TroubleView(each.shipment_id, each.contract_id, each.kind, each.since)
                for each in overview.troubles
            ],
            more_troubles=overview.more_troubles,
            delayed=[
                DelayedView(each.appointment_id, each.contract_id, each.kind, each.since, each.parking_cost)
                for each in overview.delayed
            ],
            more_delayed=overview.more_delayed,
            oldest_due=overview.oldest_due,
        )


class WalletView(msgspec.Struct, frozen=True):
    """`expiring_soon`: the points that are gone first, when that is soon."""

    points: int
    coupons: int
    expiring_soon: Expiring | None

    @classmethod
    def of(cls, wallet: Wallet) -> "WalletView":
        return cls(wallet.points, wallet.coupons, wallet.expiring_soon)
