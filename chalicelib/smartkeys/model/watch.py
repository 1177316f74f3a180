"""Whether a smart key would work, and how far the keys of a day have come."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from chalicelib.smartkeys.model.grants import Grant, Stage, State

HEARD_WITHIN = timedelta(minutes=15)
"""A car that was silent for longer may be where no command reaches it."""


class SelfTest(Struct, frozen=True):
    """Whether the customer's smart key would open the car now; `reasons` when not."""

    reasons: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return not self.reasons


NO_SMART_KEY = "no_smart_key"


def self_test(grant: Grant, online: bool, last_seen: datetime | None, at: datetime) -> SelfTest:
    faults = {
        NO_SMART_KEY: not grant.is_live(at) or at < grant.not_before,
        "car_offline": not online,
        "car_silent": last_seen is None or last_seen <= at - HEARD_WITHIN,
    }
    return SelfTest(tuple(reason for reason, wrong in faults.items() if wrong))


class StuckGrant(Struct, frozen=True):
    """A live grant whose car has not opened yet. `link_died`: its five tries were used up."""

    grant_id: str
    contract_id: str
    car_id: str
    stage: Stage
    link_died: bool
    issued_at: datetime


class Funnel(Struct, frozen=True):
    """One day's grants. issued = unlocked + revoked + expired + len(stuck); sent >= opened >= unlocked.

    `revoked` and `expired` count those that ended before the car ever opened.
    """

    issued: int
    sent: int
    opened: int
    unlocked: int
    revoked: int
    expired: int
    stuck: tuple[StuckGrant, ...]


def funnel_of(grants: Sequence[Grant], at: datetime) -> Funnel:
    waiting = [grant for grant in grants if grant.stage < Stage.UNLOCKED]
    return Funnel(
        issued=len(grants),
        sent=sum(grant.stage >= Stage.SENT for grant in grants),
        opened=sum(grant.stage >= Stage.OPENED for grant in grants),
        unlocked=len(grants) - len(waiting),
        revoked=sum(grant.state_at(at) == State.REVOKED for grant in waiting),
        expired=sum(grant.state_at(at) == State.EXPIRED for grant in waiting),
        stuck=tuple(_stuck(grant) for grant in waiting if grant.is_live(at)),
    )


def _stuck(grant: Grant) -> StuckGrant:
    who = grant.grant_id, grant.contract_id, grant.car_id
    return StuckGrant(*who, grant.stage, grant.link_died, grant.issued_at)
