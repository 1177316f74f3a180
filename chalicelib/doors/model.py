"""What may truthfully be said about a command to a car, and when one may be sent."""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from chalicelib.kernel.errors import Busy, Conflict, Forbidden, HandoverError, NotFound, TooMany
from chalicelib.kernel.states import Table

PROTOCOL_VERSION = 1
TTL = timedelta(seconds=15)
"""The life of a command: what the envelope claims, how long the broker keeps it, and the lease on the car."""
GRACE = timedelta(seconds=60)
"""How long after its life a command may still be answered by the car."""
WINDOW = timedelta(minutes=1)
PER_WINDOW = 10
LOCK_RESERVE = 5
"""LOCK still passes this often when the window is full: an open car must never be left open by a limit."""
CLOCK_SKEW = timedelta(seconds=60)
VERSIONS_RESET_AFTER = timedelta(minutes=50)
"""AWS IoT starts a client's versionNumber again after about an hour without a connection."""


class Action(StrEnum):
    UNLOCK = "unlock"
    LOCK = "lock"
    HAZARD_ON = "hazard_on"
    HAZARD_OFF = "hazard_off"
    HORN = "horn"


class State(StrEnum):
    REQUESTED = "REQUESTED"
    SENT = "SENT"
    DELIVERED = "DELIVERED"
    SUCCEEDED = "SUCCEEDED"
    ALREADY_DONE = "ALREADY_DONE"
    REJECTED = "REJECTED"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"
    UNKNOWN_FINAL = "UNKNOWN_FINAL"
    NOT_SENT = "NOT_SENT"


class Event(StrEnum):
    """Those of the car are the statuses of its acks, word for word."""

    PUBLISHED = "published"
    PUBLISH_REFUSED = "publish_refused"
    PUBLISH_UNSURE = "publish_unsure"
    OFFLINE = "offline"
    RECEIVED = "received"
    SUCCEEDED = "succeeded"
    ALREADY_DONE = "already_done"
    REJECTED = "rejected"
    FAILED = "failed"
    SEEN_DONE = "seen_done"
    EXPIRED = "T.expires_at"
    GRACE_OVER = "T.grace"


class Role(StrEnum):
    SERVICE = "service"
    CAR = "car"
    CLOCK = "clock"


IN_FLIGHT = (State.REQUESTED, State.SENT, State.DELIVERED)
OPEN = (*IN_FLIGHT, State.UNKNOWN)
ANSWERS = {
    Event.SUCCEEDED: State.SUCCEEDED,
    Event.ALREADY_DONE: State.ALREADY_DONE,
    Event.REJECTED: State.REJECTED,
    Event.FAILED: State.FAILED,
}

JOURNEY = Table[State, Event](
    (State.REQUESTED, Event.OFFLINE, State.NOT_SENT, {Role.SERVICE}),
    (State.REQUESTED, Event.PUBLISHED, State.SENT, {Role.SERVICE}),
    (State.REQUESTED, Event.PUBLISH_REFUSED, State.NOT_SENT, {Role.SERVICE}),
    (State.REQUESTED, Event.PUBLISH_UNSURE, State.UNKNOWN, {Role.SERVICE}),
    # An ack may overtake our own note that the command was sent.
    (State.REQUESTED, Event.RECEIVED, State.DELIVERED, {Role.CAR}),
    (State.SENT, Event.RECEIVED, State.DELIVERED, {Role.CAR}),
    # The car's word counts from every open state, also when it comes late.
    *((state, event, end, {Role.CAR}) for state in OPEN for event, end in ANSWERS.items()),
    *((state, Event.SEEN_DONE, State.SUCCEEDED, {Role.CLOCK}) for state in OPEN),
    *((state, Event.EXPIRED, State.UNKNOWN, {Role.CLOCK}) for state in IN_FLIGHT),
    (State.UNKNOWN, Event.GRACE_OVER, State.UNKNOWN_FINAL, {Role.CLOCK}),
)
SETTLED = JOURNEY.ends | {State.UNKNOWN}
"""Where the world is told: the final states, and UNKNOWN, which may still be put right."""
KNOWN = JOURNEY.ends - {State.UNKNOWN_FINAL}


def sources(event: Event) -> frozenset[State]:
    """The states an event may leave from. They share one target, so a single condition covers every race."""
    return frozenset(before for before, what, _, _ in JOURNEY.rows if what is event)


class Reason(StrEnum):
    """Why a command is where it is: the codes that people, pages and cars share."""

    VEHICLE_OFFLINE = "VEHICLE_OFFLINE"
    VEHICLE_ASLEEP = "VEHICLE_ASLEEP"
    IN_MOTION = "IN_MOTION"
    DOOR_OPEN = "DOOR_OPEN"
    KEY_INSIDE = "KEY_INSIDE"
    ALREADY_DONE = "ALREADY_DONE"
    BUSY = "BUSY"
    EXPIRED = "EXPIRED"
    LIFE_TOO_LONG = "LIFE_TOO_LONG"
    NOT_YET_VALID = "NOT_YET_VALID"
    REPLAYED = "REPLAYED"
    OUT_OF_ORDER = "OUT_OF_ORDER"
    OLD_COUNTER = "OLD_COUNTER"
    BAD_SIGNATURE = "BAD_SIGNATURE"
    NOT_SUPPORTED = "NOT_SUPPORTED"
    GRANT_EXPIRED = "GRANT_EXPIRED"
    GRANT_REVOKED = "GRANT_REVOKED"
    TOO_FAR = "TOO_FAR"
    STEP_UP_REQUIRED = "STEP_UP_REQUIRED"
    RATE_LIMITED = "RATE_LIMITED"
    DEVICE_TIMEOUT = "DEVICE_TIMEOUT"
    DEVICE_FAULT = "DEVICE_FAULT"
    CHANNEL_DOWN = "CHANNEL_DOWN"
    SEEN_IN_STATE = "SEEN_IN_STATE"


class Advice(Struct, frozen=True):
    """What a reason means for a person: when another press is sensible, and what to do now.

    `retry_after` in seconds; NEVER where the first may have happened, or a second would end the same way.
    """

    retry_after: int | None
    may_have_executed: bool
    ko: str
    en: str

    @property
    def retryable(self) -> bool:
        return self.retry_after is not None


YES, NO, NEVER = True, False, None
# fmt: off
ADVICE: dict[Reason, Advice] = {
    # reason: press again after, may have happened, what the person reads
    Reason.VEHICLE_OFFLINE: Advice(60, NO,
        "차와 연결되어 있지 않아 아무것도 보내지 않았어요. 1분 뒤에 다시 눌러 주세요.",
        "The car is not connected and nothing was sent. Press again in a minute."),
    Reason.VEHICLE_ASLEEP: Advice(30, NO,
        "차가 절전 상태예요. 30초 뒤에 다시 눌러 주세요.",
        "The car is asleep. Press again in 30 seconds."),
    Reason.IN_MOTION: Advice(10, NO,
        "차가 움직이고 있어요. 차가 멈춘 뒤에 다시 눌러 주세요.",
        "The car is moving. Press again once it stands still."),
    Reason.DOOR_OPEN: Advice(0, NO,
        "문이 열려 있어요. 모든 문을 닫고 다시 눌러 주세요.",
        "A door is open. Close every door and press again."),
    Reason.KEY_INSIDE: Advice(0, NO,
        "차 안에 키가 있어요. 키를 꺼내고 다시 눌러 주세요.",
        "The key is inside the car. Take it out and press again."),
    Reason.ALREADY_DONE: Advice(NEVER, YES,
        "이미 그 상태예요. 더 누르지 않아도 돼요.",
        "The car was already so. There is nothing more to press."),
    Reason.BUSY: Advice(15, NO,
        "차가 앞의 명령을 처리하고 있어요. 끝난 뒤에 다시 눌러 주세요.",
        "The car is working on another command. Press again when that one is finished."),
    Reason.EXPIRED: Advice(0, NO,
        "명령이 너무 늦게 도착해 차가 실행하지 않았어요. 다시 눌러 주세요.",
        "The command reached the car too late, so it did nothing. Press again."),
    Reason.LIFE_TOO_LONG: Advice(NEVER, NO,
        "안전을 위해 차가 명령을 거절했어요. 고객센터에 알려 주세요.",
        "The car refused the command for safety. Please tell customer service."),
    Reason.NOT_YET_VALID: Advice(60, NO,
        "차의 시계가 맞지 않아 거절했어요. 1분 뒤에 다시 눌러 주세요.",
        "The car's clock disagrees with ours, so it refused. Press again in a minute."),
    Reason.REPLAYED: Advice(NEVER, YES,
        "차가 이미 받은 명령이에요. 차를 직접 확인해 주세요.",
        "The car had this command before. Look at the car before you press again."),
    Reason.OUT_OF_ORDER: Advice(0, NO,
        "나중에 누른 명령이 먼저 도착해 이 명령은 실행하지 않았어요. 필요하면 다시 눌러 주세요.",
        "A newer command reached the car first, so this one was dropped. Press again if you still need it."),
    Reason.OLD_COUNTER: Advice(NEVER, NO,
        "안전을 위해 차가 오래된 명령을 거절했어요. 고객센터에 알려 주세요.",
        "The car refused an outdated command for safety. Please tell customer service."),
    Reason.BAD_SIGNATURE: Advice(NEVER, NO,
        "차가 명령을 확인하지 못해 거절했어요. 고객센터에 알려 주세요.",
        "The car could not verify the command and refused it. Please tell customer service."),
    Reason.NOT_SUPPORTED: Advice(NEVER, NO,
        "이 차에서는 쓸 수 없는 기능이에요. 다른 기능을 이용해 주세요.",
        "This car cannot do that. Please use another function."),
    Reason.GRANT_EXPIRED: Advice(NEVER, NO,
        "스마트키의 기간이 끝났어요. 새 링크를 받아 주세요.",
        "This smart key has expired. Ask for a new link."),
    Reason.GRANT_REVOKED: Advice(NEVER, NO,
        "스마트키가 해지됐어요. 도움이 필요하면 고객센터에 알려 주세요.",
        "This smart key was revoked. Please tell customer service if you need help."),
    Reason.TOO_FAR: Advice(0, NO,
        "차에서 너무 멀리 있어요. 차 옆에서 다시 눌러 주세요.",
        "You are too far from the car. Press again next to it."),
    Reason.STEP_UP_REQUIRED: Advice(0, NO,
        "본인 확인이 한 번 더 필요해요. 확인한 뒤 다시 눌러 주세요.",
        "We need to check once more that it is you. Confirm, then press again."),
    Reason.RATE_LIMITED: Advice(60, NO,
        "너무 자주 눌렀어요. 잠시 기다렸다가 다시 눌러 주세요.",
        "That was too often. Wait a moment and press again."),
    Reason.DEVICE_TIMEOUT: Advice(NEVER, YES,
        "차가 답하지 않았어요. 실행됐을 수도 있으니 차를 먼저 확인해 주세요.",
        "The car has not answered. It may have happened: look at the car before you press again."),
    Reason.DEVICE_FAULT: Advice(NEVER, YES,
        "차가 명령을 끝내지 못했어요. 다시 누르기 전에 차를 확인해 주세요.",
        "The car could not finish the command. Look at the car before you press again."),
    Reason.CHANNEL_DOWN: Advice(10, NO,
        "차로 보내는 길이 잠시 막혀 아무것도 보내지 않았어요. 잠시 뒤에 다시 눌러 주세요.",
        "The way to the cars is closed for the moment and nothing was sent. Press again shortly."),
    Reason.SEEN_IN_STATE: Advice(NEVER, YES,
        "차가 알려 온 상태로 확인했어요. 더 누르지 않아도 돼요.",
        "The car's own report shows that it is done. There is nothing more to press."),
}
# fmt: on
STANDING = {
    Event.OFFLINE: Reason.VEHICLE_OFFLINE,
    Event.PUBLISH_REFUSED: Reason.CHANNEL_DOWN,
    Event.PUBLISH_UNSURE: Reason.DEVICE_TIMEOUT,
    Event.ALREADY_DONE: Reason.ALREADY_DONE,
    Event.REJECTED: Reason.DEVICE_FAULT,
    Event.FAILED: Reason.DEVICE_FAULT,
    Event.SEEN_DONE: Reason.SEEN_IN_STATE,
    Event.EXPIRED: Reason.DEVICE_TIMEOUT,
    Event.GRACE_OVER: Reason.DEVICE_TIMEOUT,
}
"""The reason an event brings with it when nobody gives a better one."""


def _contract(reason: Reason) -> dict[str, Any]:
    """What a refusal tells beside its code, in both languages: errors do not know the caller's."""
    advice = ADVICE[reason]
    return {
        "retryable": advice.retryable,
        "may_have_executed": advice.may_have_executed,
        "messages": {"ko": advice.ko, "en": advice.en},
    }


class ActionNotGranted(Forbidden):
    """This smart key does not allow that."""


class NoSuchCommand(NotFound):
    """There is no such command for this smart key."""


class CarBusy(Busy):
    """The car is working on another command."""

    code = Reason.BUSY.value

    def __init__(self, retry_after: int = 1) -> None:
        super().__init__("", retry_after, **_contract(Reason.BUSY))


class RateLimited(TooMany):
    """Too many commands to this car within a minute."""

    code = Reason.RATE_LIMITED.value

    def __init__(self, retry_after: int) -> None:
        super().__init__("", retry_after, **_contract(Reason.RATE_LIMITED))


class KeyTaken(Conflict):
    """This key already has its command."""


class CarTaken(Conflict):
    """Another command was given to the car between our look and our write."""


class MovedOn(Conflict):
    """The command has left the state this event starts from."""


class NotAccepted(Exception):
    """The transport refused the command: it has certainly not left."""


class PerhapsAccepted(Exception):
    """The transport did not say whether it took the command."""


class Command(Struct, frozen=True):
    """`counter` 0: never offered to the car. `late`: settled after its life had ended.

    `last_seen`: of a car that was out of reach, when it was last heard.
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

    def after(self, event: Event, at: datetime, reason: Reason | None = None) -> "Command":
        """IllegalMove where the table has no row."""
        state = JOURNEY.after(self.state, event)
        told = reason if event in (Event.REJECTED, Event.FAILED) else None
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


class Control(Struct, frozen=True):
    """The one row all commands to a car meet at: the counter, who holds the lease, and the last minute."""

    counter: int = 0
    command_id: str | None = None
    lease_until: datetime | None = None
    recent: tuple[datetime, ...] = ()

    def taken_by(self, command: Command) -> "Control":
        recent = (*self.within_window(command.requested_at), command.requested_at)
        return Control(self.counter + 1, command.command_id, command.expires_at, recent)

    def within_window(self, at: datetime) -> tuple[datetime, ...]:
        return tuple(sent for sent in self.recent if sent > at - WINDOW)

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
    """What a car reported of itself, at its own time `at`; `heard_at` is ours."""

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

    def refusal(self, wish: Command, running: Command | None) -> HandoverError | None:
        """What stands against sending it now. `running` holds the car."""
        at = wish.requested_at
        if running is not None and not outranks(wish.action, running.action):
            return CarBusy(seconds_until(running.expires_at, at))
        recent = self.control.within_window(at)
        limit = PER_WINDOW + (LOCK_RESERVE if wish.action is Action.LOCK else 0)
        if len(recent) < limit:
            return None
        return RateLimited(seconds_until(recent[-limit] + WINDOW, at))


def outranks(action: Action, running: Action) -> bool:
    """LOCK goes ahead of anything else: its higher counter makes the car refuse what it overtook."""
    return action is Action.LOCK and running is not Action.LOCK


def seconds_until(then: datetime, at: datetime) -> int:
    return max(1, -((at - then) // timedelta(seconds=1)))


class Verdict(StrEnum):
    """What became of a message from a car."""

    ACCEPTED = "accepted"
    UNREADABLE = "unreadable"
    NOT_ITS_OWN = "not_its_own"
    UNKNOWN_COMMAND = "unknown_command"
    OTHER_CAR = "other_car"
    WRONG_NONCE = "wrong_nonce"
    NOT_NOW = "not_now"
    CLOCK_AHEAD = "clock_ahead"


class Ack(Struct, frozen=True):
    """An answer as the rule hands it over: `thing` from the topic, `client` from the connection."""

    thing: str
    client: str
    command_id: str
    nonce: str
    event: Event | None
    reason: Reason | None
    received_at: datetime


def judged(ack: Ack, command: Command | None) -> Verdict:
    """Who may say what about which command, and when. Everything but ACCEPTED changes nothing."""
    if ack.event is None:
        return Verdict.UNREADABLE
    if ack.thing != ack.client:
        return Verdict.NOT_ITS_OWN
    if command is None:
        return Verdict.UNKNOWN_COMMAND
    if command.car_id != ack.thing:
        return Verdict.OTHER_CAR
    if not hmac.compare_digest(command.nonce.encode(), ack.nonce.encode()):
        return Verdict.WRONG_NONCE
    if ack.event not in JOURNEY.choices(command.state, Role.CAR):
        return Verdict.NOT_NOW
    return Verdict.ACCEPTED


class Report(Struct, frozen=True):
    """A car's word on itself as the rule hands it over; without a reading when it did not fit."""

    thing: str
    client: str
    received_at: datetime
    reading: Reading | None = None

    @property
    def verdict(self) -> Verdict:
        if self.reading is None:
            return Verdict.UNREADABLE
        if self.thing != self.client:
            return Verdict.NOT_ITS_OWN
        return Verdict.ACCEPTED if self.reading.plausible else Verdict.CLOCK_AHEAD


class Refusal(Struct, frozen=True):
    """A message from a car that changed nothing, for the record."""

    thing: str
    client: str
    verdict: Verdict
    command_id: str
    at: datetime


class Sent(Struct, frozen=True):
    """`replayed`: the Idempotency-Key had its command before."""

    command: Command
    replayed: bool = False


class SweepReport(Struct, frozen=True):
    rows_read: int
    settled: int


class CarState(Struct, frozen=True):
    """A car as others may know it; None where it never said."""

    online: bool
    last_seen: datetime | None
    locked: bool | None = None
    doors_open: bool | None = None
    battery_percent: int | None = None
    position: tuple[float, float] | None = None

    @classmethod
    def of(cls, car: Car) -> "CarState":
        if (it := car.reading) is None:
            return cls(car.online, car.last_seen)
        return cls(car.online, car.last_seen, it.locked, it.doors_open, it.battery_percent, it.position)
