"""What doors asks of others, in its own words."""

from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from typing import Protocol

from chalicelib.doors.model import Car, Command, Control, Entry, Event, Presence, Reading, Refusal, Stop
from chalicelib.kernel.audit import Head, Line, Private
from chalicelib.kernel.auth import Caller
from chalicelib.kernel.errors import HandoverError
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.tables import Rows


class Holder(Protocol):
    """Who holds a smart key, for which contract and car, and what it may do.

    `who`: an opaque word for the log, the same for every press of one person. `reason`: why staff act.
    `proven_at`: when they last showed that it is them. `refusal`: known, but may not now (revoked, over, not
    begun).
    """

    @property
    def grant_id(self) -> str: ...
    @property
    def contract_id(self) -> str: ...
    @property
    def car_id(self) -> str: ...
    @property
    def actions(self) -> Collection[str]: ...
    @property
    def who(self) -> str: ...
    @property
    def reason(self) -> str | None: ...
    @property
    def proven_at(self) -> datetime | None: ...
    @property
    def refusal(self) -> HandoverError | None: ...


class Holders(Protocol):
    """Read strongly consistent. Nobody known, or another's contract: raises."""

    def holder(self, token: str | None, at: datetime) -> Holder: ...

    def of_contract(self, contract_id: str, caller: Caller, reason: str | None, at: datetime) -> Holder:
        """The smart key this signed-in person uses a contract's car with; staff get one of their own."""

    def sees(self, contract_id: str, caller: Caller, at: datetime) -> None:
        """Returns when the caller may know what became of the contract's commands."""

    def still(self, look: Rows, command: Command) -> Callable[[datetime], HandoverError | None]:
        """Once `look` is fetched: why its grant cannot be used any more. Asked right before the publish;
        where uses are counted, this is one, and a CommandSettled that tells of none gives it back."""


class Cars(Protocol):
    def exists(self, car_id: str) -> None:
        """NotFound for a car that is not registered."""


class Publisher(Protocol):
    def publish(self, car_id: str, payload: bytes, expires_in: int) -> None:
        """Tried exactly once. NotAccepted: it has certainly not left; NotConnected: since the car is away.
        PerhapsAccepted: nobody knows."""


class Store(Protocol):
    """Reads see every write that was answered; each write happens whole or not at all, and never without its
    line in a log."""

    def car(self, car_id: str) -> Car: ...

    def fleet_stopped(self, look: Rows) -> Callable[[], Stop | None]:
        """Whether all cars are stopped, once `look` is fetched."""

    def command(self, command_id: str) -> Command | None:
        """The command of this key: its own, or the one it joined."""

    def open(self, command: Command, seen: Control, line: Line, private: Private | None, fact: Fact) -> None:
        """The command, the car's counter and lease, the car's log. KeyTaken, or CarTaken if `seen` is old."""

    def keep(self, command: Command, entry: Entry, fact: Fact) -> None:
        """A command that never leaves. KeyTaken."""

    def join(self, command_id: str, running: Command, entry: Entry) -> None:
        """KeyTaken."""

    def deny(self, car_id: str, entry: Entry) -> None:
        """A line; one of more than DENIALS_AN_HOUR is only counted."""

    def move(self, after: Command, event: Event, line: Line, fact: Fact | None) -> None:
        """MovedOn unless the command still stands where `event` may leave from; LogMoved if somebody else
        wrote its next line."""

    def due(self, at: datetime) -> Iterable[str]: ...

    def connected(self, presence: Presence) -> bool:
        """False, and nothing changed, when a newer connection event is known."""

    def report(self, reading: Reading, fact: Fact | None) -> bool:
        """False, and nothing changed, when a newer reading is known."""

    def record(self, refusal: Refusal) -> None:
        """Counted; the rows a car can cause in a day are bounded."""


class DeskStore(Protocol):
    """As Store. A stop or resume that is so already changes nothing: False."""

    def car(self, car_id: str) -> Car: ...
    def command(self, command_id: str) -> Command | None: ...
    def fleet_stop(self) -> Stop | None: ...
    def stop_car(self, car_id: str, stop: Stop | None, entry: Entry, fact: Fact) -> bool: ...
    def stop_fleet(self, stop: Stop | None, entry: Entry, fact: Fact) -> bool: ...

    def end_of(self, log: str) -> tuple[Head, datetime | None]:
        """Where a log of denials or of the fleet ends, and when that line was written."""

    def lines(self, log: str, after: int, limit: int) -> list[Line]: ...
