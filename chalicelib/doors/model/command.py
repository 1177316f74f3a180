"""A command: its life, its signed envelope, and what may truthfully be said about it."""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from chalicelib.doors.model.journey import IN_FLIGHT, JOURNEY, KNOWN, SETTLED, Action, Event, State
from chalicelib.doors.model.reasons import ADVICE, STANDING, Reason
from chalicelib.kernel.audit import Head

if TYPE_CHECKING:
    from chalicelib.doors.model.car import Reading

PROTOCOL_VERSION = 1
TTL = timedelta(seconds=15)
"""The life of a command: what the envelope claims, how long the broker keeps it, and the lease on the car."""
GRACE = timedelta(seconds=60)
"""How long after its life a command may still be answered by the car."""
GIVES_ITS_OWN_REASON = (Event.REJECTED, Event.FAILED, Event.WITHHELD)


class Command(Struct, frozen=True):
    """`counter` 0: never offered to the car. `late`: settled after its life had ended.

    `last_seen`: of a car that was out of reach, when it was last heard. `head`: where its own log ends; that
    begins where the car's log stood when the command was given.
    """

    command_id: str
    grant_id: str
    contract_id: str
    car_id: str
    action: Action
    requested_at: datetime
    nonce: str
    counter: int = 0
    state: State = State.REQUESTED
    reason: Reason | None = None
    late: bool = False
    settled_at: datetime | None = None
    last_seen: datetime | None = None
    head: Head = Head()

    @property
    def expires_at(self) -> datetime:
        return self.requested_at + TTL

    @property
    def final_at(self) -> datetime:
        return self.expires_at + GRACE

    @property
    def due_at(self) -> datetime | None:
        """When the clock has something to say about it; None once nothing can change."""
        if self.state in IN_FLIGHT:
            return self.expires_at
        return self.final_at if self.state is State.UNKNOWN else None

    @property
    def settled(self) -> bool:
        return self.state in JOURNEY.ends

    def same_wish(self, other: "Command") -> bool:
        """Two holders of one contract who press the same button mean the same thing."""
        return (self.contract_id, self.car_id, self.action) == (other.contract_id, other.car_id, other.action)

    @property
    def retry_after(self) -> int | None:
        """Seconds; None when pressing again is not for now."""
        return ADVICE[self.reason].retry_after if self.reason is not None else None

    @property
    def may_have_executed(self) -> bool:
        return self.reason is None or ADVICE[self.reason].may_have_executed

    def seconds_left(self, at: datetime) -> int:
        """Whole seconds of its life, which is all that a transport may keep it for."""
        return max(0, (self.expires_at - at) // timedelta(seconds=1))

    def after(self, event: Event, at: datetime, reason: Reason | None = None) -> "Command":
        """IllegalMove where the table has no row."""
        state = JOURNEY.after(self.state, event)
        told = reason if event in GIVES_ITS_OWN_REASON else None
        return replace(
            self,
            state=state,
            reason=told or STANDING.get(event),
            late=state in KNOWN and at >= self.expires_at,
            settled_at=at if state in SETTLED else None,
        )

    def next_event(self, reading: "Reading | None", at: datetime) -> Event | None:
        """What the clock says by now, after asking what the car last reported of itself."""
        if self.settled or at < self.expires_at:
            return None
        if reading is not None and reading.shows(self):
            return Event.SEEN_DONE
        if self.state in IN_FLIGHT:
            return Event.EXPIRED
        return Event.GRACE_OVER if at >= self.final_at else None

    def envelope(self, key: str) -> dict[str, int | str]:
        """The command as the car receives it; times in epoch milliseconds. `key` as from `car_key`."""
        signed: dict[str, int | str] = {
            "v": PROTOCOL_VERSION,
            "command_id": self.command_id,
            "grant_id": self.grant_id,
            "action": self.action.value,
            "counter": self.counter,
            "issued_at": millis(self.requested_at),
            "expires_at": millis(self.expires_at),
            "nonce": self.nonce,
        }
        return {**signed, "sig": signature(key, self.car_id, signed)}


def millis(at: datetime) -> int:
    return (at - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)


def car_key(master: str, car_id: str) -> str:
    """The secret one car shares with us, in hex."""
    return hmac.new(master.encode(), f"car|v1|{car_id}".encode(), hashlib.sha256).hexdigest()


SIGNED = ("command_id", "grant_id", "action", "counter", "issued_at", "expires_at", "nonce")


def signature(key: str, car_id: str, signed: dict[str, int | str]) -> str:
    """Hex HMAC-SHA256 with the bytes that `key` spells, over version, car and SIGNED, a newline between."""
    canonical = "\n".join(str(part) for part in (signed["v"], car_id, *(signed[name] for name in SIGNED)))
    return hmac.new(bytes.fromhex(key), canonical.encode(), hashlib.sha256).hexdigest()


class Sent(Struct, frozen=True):
    """`replayed`: the Idempotency-Key had its command before."""

    command: Command
    replayed: bool = False


class SweepReport(Struct, frozen=True):
    rows_read: int
    settled: int
