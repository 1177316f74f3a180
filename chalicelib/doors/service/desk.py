"""What operations may do about cars: stop remote functions, and read the logs."""

import functools
from collections.abc import Callable
from datetime import datetime

from msgspec import Struct

from chalicelib.doors.model import (
    FLEET,
    LOGS_KEPT,
    MAX_ID,
    Command,
    Control,
    Entry,
    NoSuchCommand,
    ReasonNeeded,
    Stop,
    What,
    denied_log,
)
from chalicelib.doors.service.ports import Cars, DeskStore
from chalicelib.kernel.audit import Head, salted
from chalicelib.kernel.clock import Clock
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.logs import NOWHERE, End, LogPage, page_of

COMMANDS, DENIED = "commands", "denied"
"""Which of a car's logs; a command's own is named by its id."""


class DoorDesk(Struct, frozen=True):
    """After a stop is answered no command but LOCK is looked at and published; one that has left before lives
    its seconds."""

    store: DeskStore
    cars: Cars
    now: Clock
    new_id: Callable[[str], str]

    def stop_car(self, car_id: str, reason: str, by: str) -> Stop:
        """Twice is once: the first stop is what stands."""
        self.cars.exists(car_id)
        stop = _stop(reason, by, self.now())
        entry = _entry(denied_log(car_id), What.STOPPED, stop)
        self.store.stop_car(car_id, stop, entry, self._fact("CarStopped", stop, car_id))
        return self.car_stop(car_id) or stop

    def resume_car(self, car_id: str, reason: str, by: str) -> None:
        self.cars.exists(car_id)
        end = _stop(reason, by, self.now())
        entry = _entry(denied_log(car_id), What.RESUMED, end)
        self.store.stop_car(car_id, None, entry, self._fact("CarResumed", end, car_id))

    def car_stop(self, car_id: str) -> Stop | None:
        self.cars.exists(car_id)
        return self.store.car(car_id).control.stopped

    def stop_fleet(self, reason: str, by: str) -> Stop:
        """As `stop_car`, of all cars, also those to come."""
        stop = _stop(reason, by, self.now())
        self.store.stop_fleet(stop, _entry(FLEET, What.STOPPED, stop), self._fact("FleetStopped", stop))
        return self.fleet_stop() or stop

    def resume_fleet(self, reason: str, by: str) -> None:
        end = _stop(reason, by, self.now())
        self.store.stop_fleet(None, _entry(FLEET, What.RESUMED, end), self._fact("FleetResumed", end))

    def fleet_stop(self) -> Stop | None:
        return self.store.fleet_stop()

    def _fact(self, name: str, stop: Stop, car_id: str | None = None) -> Fact:
        data = {"car_id": car_id, "by": stop.by} if car_id else {"by": stop.by}
        return Fact.of(name, "doors", car_id or "fleet", at=stop.at, id=self.new_id("evt"), data=data)

    def log(self, car_id: str, of: str, after: int, limit: int) -> LogPage:
        """Of a car: COMMANDS, DENIED, or the id of one of its commands. NoSuchCommand."""
        self.cars.exists(car_id)
        if of == COMMANDS:
            return self._page(car_id, lambda: _end(self.store.car(car_id).control), after, limit)
        if of == DENIED:
            return self._kept_apart(denied_log(car_id), after, limit)
        command = self._command(of, car_id)
        end = lambda: End(self._command(of, car_id).head)  # noqa: E731
        return self._page(of, end, after, limit, self._beginning(command))

    def fleet_log(self, after: int, limit: int) -> LogPage:
        return self._kept_apart(FLEET, after, limit)

    def _kept_apart(self, log: str, after: int, limit: int) -> LogPage:
        return self._page(log, lambda: _kept(*self.store.end_of(log)), after, limit)

    def _page(
        self, log: str, end: Callable[[], End], after: int, limit: int, beginning: Head = NOWHERE
    ) -> LogPage:
        return page_of(functools.partial(self.store.lines, log), end, after, limit, self.now(), beginning)

    def _command(self, command_id: str, car_id: str) -> Command:
        command = self.store.command(command_id) if len(command_id) <= MAX_ID else None
        if command is None or (command.command_id, command.car_id) != (command_id, car_id):
            raise NoSuchCommand()
        return command

    def _beginning(self, command: Command) -> Head:
        """The car's line that its log goes on from; one that was never given to the car has no log."""
        given = self.store.lines(command.car_id, command.counter - 1, 1) if command.counter else []
        return Head(0, given[0].mark) if given else Head()


def _end(control: Control) -> End:
    return _kept(control.head, control.lease_until)


def _kept(head: Head, last_at: datetime | None) -> End:
    return End(head, last_at + LOGS_KEPT if last_at is not None else None)


def _entry(log: str, what: What, stop: Stop) -> Entry:
    return Entry(log, stop.at, what.value, f"staff:{stop.by}", {}, salted({"reason": stop.reason}))


def _stop(reason: str, by: str, at: datetime) -> Stop:
    if not reason.strip():
        raise ReasonNeeded()
    return Stop(reason.strip(), by, at)
