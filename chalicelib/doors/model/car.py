"""A car as doors knows it: who holds it, whether it is connected, what it last said, a stop."""

from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from chalicelib.doors.model.command import GRACE, Command
from chalicelib.doors.model.journey import Action
from chalicelib.kernel.audit import GENESIS, Head, Line

HOUR = timedelta(hours=1)
"""So long a car's presses are remembered: the longest limit."""
CLOCK_SKEW = timedelta(seconds=60)
VERSIONS_RESET_AFTER = timedelta(minutes=50)
"""AWS IoT starts a client's versionNumber again after about an hour without a connection."""


class Given(Struct, frozen=True):
    """A command that was given to the car, for the limits to count."""

    at: datetime
    action: Action


class Stop(Struct, frozen=True):
    """A person has stopped remote functions: of one car, or of all."""

    reason: str
    by: str
    at: datetime


class Control(Struct, frozen=True):
    """The one row all commands to a car meet at: the counter, who holds the lease, the last hour, where the
    car's log ends, and whether the car is stopped."""

    counter: int = 0
    command_id: str | None = None
    lease_until: datetime | None = None
    recent: tuple[Given, ...] = ()
    mark: str = GENESIS
    stopped: Stop | None = None

    @property
    def head(self) -> Head:
        """Of the car's log, which has one line for each command given to it."""
        return Head(self.counter, self.mark)

    def taken_by(self, command: Command, line: Line) -> "Control":
        since = command.requested_at - HOUR
        kept = tuple(given for given in self.recent if given.at > since)
        given = Given(command.requested_at, command.action)
        return Control(
            line.no, command.command_id, command.expires_at, (*kept, given), line.mark, self.stopped
        )

    def leased_at(self, at: datetime) -> bool:
        return self.lease_until is not None and at < self.lease_until

    def last_may_be_unknown(self, at: datetime) -> bool:
        """Whether the last command could be waiting for its truth, so that a car's report is worth a look."""
        return self.lease_until is not None and self.lease_until <= at < self.lease_until + GRACE


class Presence(Struct, frozen=True):
    """One connection event. `order` grows with the client's versionNumber, a disconnect after its connect."""

    car_id: str
    online: bool
    order: int
    at: datetime

    @classmethod
    def of(cls, car_id: str, version: int, at: datetime, *, online: bool) -> "Presence":
        return cls(car_id, online, version * 2 + (not online), at)


class Reading(Struct, frozen=True):
    """What a car reported of itself, at its own time `at`; `heard_at` is ours.

    `position_at`: when we heard where it stands, which not every report says.
    """

    car_id: str
    at: datetime
    seq: int
    heard_at: datetime
    locked: bool
    doors_open: bool
    ignition_on: bool
    moving: bool
    battery_percent: int
    position: tuple[float, float] | None = None
    position_at: datetime | None = None

    def following(self, before: "Reading | None") -> "Reading":
        """With the last known position, where this report has none of its own."""
        if self.position is not None:
            return replace(self, position_at=self.heard_at)
        known = (before.position, before.position_at) if before else (None, None)
        return replace(self, position=known[0], position_at=known[1])

    def shows(self, command: Command) -> bool:
        """Whether the car, after the command was given, was as the command wanted it."""
        wanted = {Action.UNLOCK: False, Action.LOCK: True}.get(command.action)
        return wanted is self.locked and self.at >= command.requested_at

    @property
    def plausible(self) -> bool:
        """A car whose clock runs ahead would silence all its later reports."""
        return self.at <= self.heard_at + CLOCK_SKEW


class Car(Struct, frozen=True):
    """A car as far as doors knows it. One never heard of is offline."""

    car_id: str
    control: Control
    presence: Presence | None = None
    reading: Reading | None = None

    @property
    def online(self) -> bool:
        """A disconnect is believed at once: refusing for a moment is safe, and the person may press again."""
        return self.presence is not None and self.presence.online

    @property
    def last_seen(self) -> datetime | None:
        """The last connection event or report, by our clock."""
        heard = [self.presence.at] if self.presence is not None else []
        heard += [self.reading.heard_at] if self.reading is not None else []
        return max(heard, default=None)

    def opened_with_key(self, reading: Reading) -> bool:
        """Whether this report shows a door opened by hand: it was locked before, and that it said so is no
        older than the last moment at which a command of ours could still have opened it."""
        before, lease_until = self.reading, self.control.lease_until
        if before is None or not before.locked or reading.locked:
            return False
        return lease_until is None or lease_until + GRACE <= before.at


class CarState(Struct, frozen=True):
    """A car as others may know it; None where it never said.

    `reported_at`: when it last told of itself; `position_at`: when it told where it stands.
    """

    online: bool
    last_seen: datetime | None
    locked: bool | None = None
    doors_open: bool | None = None
    battery_percent: int | None = None
    position: tuple[float, float] | None = None
    position_at: datetime | None = None
    ignition_on: bool | None = None
    stopped: bool = False
    reported_at: datetime | None = None

    @classmethod
    def of(cls, car: Car) -> "CarState":
        stopped = car.control.stopped is not None
        if (it := car.reading) is None:
            return cls(car.online, car.last_seen, stopped=stopped)
        return cls(
            car.online,
            car.last_seen,
            it.locked,
            it.doors_open,
            it.battery_percent,
            it.position,
            it.position_at,
            it.ignition_on,
            stopped,
            it.heard_at,
        )
