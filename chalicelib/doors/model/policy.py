"""When a command may be given: how often, how fresh a proof it needs, and from how far away."""

from datetime import datetime, timedelta
from enum import StrEnum
from math import asin, cos, radians, sin, sqrt

from msgspec import Struct

from chalicelib.doors.model.car import HOUR, Car, Control, Reading, Stop
from chalicelib.doors.model.command import Command
from chalicelib.doors.model.journey import Action
from chalicelib.doors.model.reasons import CarBusy, RateLimited, StepUpRequired, Stopped, TooFar
from chalicelib.kernel.errors import HandoverError

EARTH_METRES = 6_371_000
JUST_PROVEN = timedelta(minutes=10)
"""A proof so young stands for being near: the browser's position is a signal, never the only control."""
POSITION_KEPT = timedelta(hours=24)
"""A car's position older than this says nothing about where its driver should be."""
MINUTE = timedelta(minutes=1)


class WhenFar(StrEnum):
    LOG = "log"
    STEP_UP = "step_up"
    REFUSE = "refuse"


class Policy(Struct, frozen=True):
    """`prove_again_after`: the oldest proof that counts. `farthest_m`: from where on `when_far` applies."""

    prove_again_after: timedelta | None = None
    farthest_m: int | None = None
    when_far: WhenFar = WhenFar.LOG


DAY = timedelta(hours=24)
POLICY = {
    # action                     oldest proof  farthest  and then
    Action.UNLOCK: Policy(DAY, 500, WhenFar.STEP_UP),
    Action.LOCK: Policy(None, None, WhenFar.LOG),
    Action.HAZARD_ON: Policy(None, 2_000, WhenFar.LOG),
    Action.HAZARD_OFF: Policy(None, 2_000, WhenFar.LOG),
    Action.HORN: Policy(DAY, 2_000, WhenFar.REFUSE),
}


class Limit(Struct, frozen=True):
    """At most so many commands given to a car within so long.

    `reserve`: so many more for LOCK: an open car must never be left open by a limit. `only`: the one action
    that it counts.
    """

    most: int
    within: timedelta
    reserve: int = 0
    only: Action | None = None

    def wait(self, action: Action, recent: tuple[tuple[datetime, Action], ...], at: datetime) -> int | None:
        """Seconds until this action fits; None when it does."""
        if self.only not in (None, action):
            return None
        counted = [
            given
            for given, what in recent
            if given > at - self.within and (self.only is None or what is self.only)
        ]
        most = self.most + (self.reserve if action is Action.LOCK else 0)
        return None if len(counted) < most else seconds_until(counted[-most] + self.within, at)


LIMITS = (
    Limit(10, MINUTE, reserve=5),
    Limit(60, HOUR, reserve=20),
    Limit(3, MINUTE, only=Action.HORN),
)


class Place(StrEnum):
    """Where the press came from, as the log tells it; the distance itself is personal."""

    NOT_GIVEN = "not_given"
    NOT_COMPARABLE = "not_comparable"
    NEAR = "near"
    FAR = "far"


class Origin(Struct, frozen=True):
    """Where a browser says it is; the true place lies within `accuracy_m`, which may say nothing at all."""

    lat: float
    lon: float
    accuracy_m: float = 0


class Sight(Struct, frozen=True):
    place: Place
    distance_m: int | None = None


def metres(a: tuple[float, float], b: tuple[float, float]) -> int:
    """The great circle between two points in degrees."""
    (lat1, lon1), (lat2, lon2) = ((radians(lat), radians(lon)) for lat, lon in (a, b))
    half = sin((lat2 - lat1) / 2) ** 2 + cos(lat1) * cos(lat2) * sin((lon2 - lon1) / 2) ** 2
    return round(2 * EARTH_METRES * asin(min(1.0, sqrt(half))))


def sight(action: Action, position: Origin | None, reading: Reading | None, at: datetime) -> Sight:
    """How far from the car a press came, compared with what its action asks for."""
    if position is None:
        return Sight(Place.NOT_GIVEN)
    if reading is None or reading.position is None or reading.position_at is None:
        return Sight(Place.NOT_COMPARABLE)
    if at - reading.position_at > POSITION_KEPT:
        return Sight(Place.NOT_COMPARABLE)
    distance, farthest = metres((position.lat, position.lon), reading.position), POLICY[action].farthest_m
    if farthest is not None and distance - position.accuracy_m > farthest:
        return Sight(Place.FAR, distance)
    vague = farthest is not None and position.accuracy_m > farthest
    return Sight(Place.NOT_COMPARABLE if vague else Place.NEAR, distance)


def objection(action: Action, proven_at: datetime | None, place: Place, at: datetime) -> HandoverError | None:
    """What the policy has against a press from there, by somebody who proved themselves then."""
    policy = POLICY[action]
    age = at - proven_at if proven_at is not None else None
    if policy.prove_again_after is not None and (age is None or age > policy.prove_again_after):
        return StepUpRequired()
    if place is not Place.FAR or policy.when_far is WhenFar.LOG:
        return None
    if policy.when_far is WhenFar.REFUSE:
        return TooFar()
    return None if age is not None and age <= JUST_PROVEN else StepUpRequired()


def halted(action: Action, stop: Stop | None) -> HandoverError | None:
    """A stop of the car or of the fleet leaves LOCK, and nothing else."""
    return Stopped() if stop is not None and action is not Action.LOCK else None


def crowded(car: Car, wish: Command, running: Command | None) -> HandoverError | None:
    """What stands against sending it now. `running` holds the car."""
    at = wish.requested_at
    if running is not None and not outranks(wish.action, running.action):
        return CarBusy(seconds_until(running.expires_at, at))
    wait = waiting(wish.action, car.control, at)
    return RateLimited(wait) if wait is not None else None


def waiting(action: Action, control: Control, at: datetime) -> int | None:
    """Seconds until every limit lets this action through; None when they do."""
    recent = tuple((given.at, given.action) for given in control.recent)
    return max(filter(None, (limit.wait(action, recent, at) for limit in LIMITS)), default=None)


def outranks(action: Action, running: Action) -> bool:
    """LOCK goes ahead of anything else: its higher counter makes the car refuse what it overtook."""
    return action is Action.LOCK and running is not Action.LOCK


def seconds_until(then: datetime, at: datetime) -> int:
    return max(1, -((at - then) // timedelta(seconds=1)))
