"""What goes in and out: HTTP answers, the three MQTT messages (docs/asyncapi.yaml), published facts."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from chalicelib.doors.model import (
    ADVICE,
    Ack,
    Action,
    Asked,
    Command,
    Event,
    Origin,
    Presence,
    Reading,
    Reason,
    Report,
    State,
    Stop,
    reason_of,
)

Id = Annotated[str, Meta(min_length=1, max_length=64)]
Millis = Annotated[int, Meta(ge=0, le=9_999_999_999_999, description="epoch milliseconds, UTC")]


class Whereabouts(Struct, frozen=True):
    """Where the browser says it is. A signal for the policy and the log, never needed."""

    lat: Annotated[float, Meta(ge=-90, le=90)]
    lon: Annotated[float, Meta(ge=-180, le=180)]
    accuracy_m: Annotated[float, Meta(ge=0, le=1_000_000)] = 0


class CommandRequest(Struct, frozen=True):
    action: Action
    position: Whereabouts | None = None

    def asked(self, ip: str, agent: str, trace_id: str) -> Asked:
        it = self.position
        origin = Origin(it.lat, it.lon, it.accuracy_m) if it else None
        return Asked(self.action, None, origin, ip, agent, trace_id)


class ContractCommandRequest(CommandRequest, frozen=True):
    """`reason`: why staff act for the customer; nobody else needs one."""

    reason: Annotated[str, Meta(max_length=200)] | None = None

    def asked(self, ip: str, agent: str, trace_id: str) -> Asked:
        asked = super().asked(ip, agent, trace_id)
        return replace(asked, reason=(self.reason or "").strip() or None)


class StopRequest(Struct, frozen=True):
    """Staff say why; nothing personal belongs there."""

    reason: Annotated[str, Meta(max_length=200)]


class StopView(Struct, frozen=True):
    """While it is stopped, everything but LOCK is refused."""

    stopped: bool
    reason: str | None = None
    by: str | None = None
    at: datetime | None = None

    @classmethod
    def of(cls, stop: Stop | None) -> "StopView":
        return cls(True, stop.reason, stop.by, stop.at) if stop else cls(False)


class Messages(Struct, frozen=True):
    ko: str
    en: str


class CommandView(Struct, frozen=True):
    """A command and what its holder may believe and do. `message` is in the caller's language.

    `retry_after`: seconds until another press is sensible. `late`: the car answered after the command's life.
    """

    command_id: str
    action: Action
    state: State
    reason: Reason | None
    message: str
    messages: Messages
    may_have_executed: bool
    retryable: bool
    retry_after: int | None
    late: bool
    requested_at: datetime
    expires_at: datetime
    settled_at: datetime | None
    last_seen: datetime | None

    @classmethod
    def of(cls, command: Command, language: Literal["ko", "en"]) -> "CommandView":
        return cls(
            command.command_id,
            command.action,
            command.state,
            command.reason,
            message(command, language),
            Messages(message(command, "ko"), message(command, "en")),
            command.may_have_executed,
            command.retry_after is not None,
            command.retry_after,
            command.late,
            command.requested_at,
            command.expires_at,
            command.settled_at,
            command.last_seen,
        )


IN_OTHER_WORDS: dict[State | Action, dict[Literal["ko", "en"], str]] = {
    State.REQUESTED: {"ko": "차로 보내고 있어요.", "en": "Sending to the car."},
    State.SENT: {"ko": "차로 보냈어요. 답을 기다리고 있어요.", "en": "Sent. Waiting for the car to answer."},
    State.DELIVERED: {"ko": "차가 명령을 받았어요.", "en": "The car has the command."},
    Action.UNLOCK: {"ko": "문이 열렸어요.", "en": "The car is unlocked."},
    Action.LOCK: {"ko": "문이 잠겼어요.", "en": "The car is locked."},
    Action.HAZARD_ON: {"ko": "비상등이 켜졌어요.", "en": "The hazard lights are on."},
    Action.HAZARD_OFF: {"ko": "비상등이 꺼졌어요.", "en": "The hazard lights are off."},
    Action.HORN: {"ko": "경적이 울렸어요.", "en": "The horn has sounded."},
}


def message(command: Command, language: Literal["ko", "en"]) -> str:
    """A reason explains itself; without one the command is on its way, or has succeeded."""
    if command.reason is not None:
        advice = ADVICE[command.reason]
        return advice.ko if language == "ko" else advice.en
    return IN_OTHER_WORDS[command.action if command.settled else command.state][language]


class CommandMessage(Struct, frozen=True):
    """To the car, on cars/{car_id}/commands."""

    v: Literal[1]
    command_id: Id
    grant_id: Id
    action: Action
    counter: Annotated[int, Meta(ge=1)]
    issued_at: Millis
    expires_at: Millis
    nonce: Annotated[str, Meta(pattern="^[0-9a-f]{16}$")]
    sig: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class AckMessage(Struct, frozen=True):
    """From the car, on cars/{car_id}/acks. `received` may precede the others when the work takes a while."""

    v: Literal[1]
    command_id: Id
    nonce: Annotated[str, Meta(max_length=64, description="the command's, echoed")]
    status: Literal["received", "succeeded", "already_done", "rejected", "failed"]
    at: Millis
    reason: Annotated[str, Meta(pattern="^[A-Z0-9_-]{1,64}$")] | None = None
    state: Annotated[Any, Meta(description="how the car then stood, for the record; nobody acts on it")] = (
        None
    )


class Position(Struct, frozen=True):
    lat: Annotated[float, Meta(ge=-90, le=90)]
    lon: Annotated[float, Meta(ge=-180, le=180)]


class StateMessage(Struct, frozen=True):
    """From the car, on cars/{car_id}/state: at connect, after every change, and from time to time."""

    v: Literal[1]
    at: Millis
    seq: Annotated[int, Meta(ge=0)]
    locked: bool
    doors_open: bool
    ignition_on: bool
    moving: bool
    battery_percent: Annotated[int, Meta(ge=0, le=100)]
    position: Position | None = None


class Carried(Struct, frozen=True):
    """What the topic rule adds (infra/iot.yaml): where it was said, by whom, and when the broker heard it."""

    topic: str
    client_id: str
    received_at: Millis

    @property
    def thing(self) -> str:
        """The car whose topic it is: cars/{car_id}/..."""
        return self.topic.split("/")[1]

    @property
    def heard_at(self) -> datetime:
        return _moment(self.received_at)


class PresenceEvent(Struct, frozen=True):
    """AWS IoT's lifecycle event (docs.aws.amazon.com/iot/latest/developerguide/life-cycle-events.html)."""

    client_id: str
    event: Literal["connected", "disconnected"]
    at: Millis
    version: int = 0


def read_presence(event: dict[str, Any]) -> Presence:
    it = msgspec.convert(event, PresenceEvent)
    return Presence.of(it.client_id, it.version, _moment(it.at), online=it.event == "connected")


def read_ack(event: dict[str, Any]) -> Ack:
    """Never refuses: a message that does not fit becomes an Ack without an event, to be recorded as such."""
    by = msgspec.convert(event, Carried)
    try:
        it = msgspec.convert(event, AckMessage)
    except msgspec.ValidationError:
        return Ack(by.thing, by.client_id, "", "", None, None, by.heard_at)
    said, reason = Event(it.status), reason_of(it.reason)
    return Ack(by.thing, by.client_id, it.command_id, it.nonce, said, reason, by.heard_at)


def read_report(event: dict[str, Any]) -> Report:
    """As `read_ack`: a report without a reading."""
    by = msgspec.convert(event, Carried)
    try:
        it = msgspec.convert(event, StateMessage)
    except msgspec.ValidationError:
        return Report(by.thing, by.client_id, by.heard_at)
    reading = Reading(
        by.thing,
        _moment(it.at),
        it.seq,
        by.heard_at,
        it.locked,
        it.doors_open,
        it.ignition_on,
        it.moving,
        it.battery_percent,
        (it.position.lat, it.position.lon) if it.position else None,
    )
    return Report(by.thing, by.client_id, by.heard_at, reading)


def _moment(epoch_millis: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=epoch_millis)


class CommandRequested(Struct, frozen=True):
    command_id: str
    grant_id: str
    car_id: str
    action: Action
    counter: int


class CommandSettled(Struct, frozen=True):
    command_id: str
    grant_id: str
    car_id: str
    action: Action
    state: State
    reason: Reason | None
    late: bool


class CarOpenedWithKey(Struct, frozen=True):
    """A locked car reports that it is open, and no command of ours has opened it."""

    car_id: str
    at: datetime


class CarStopped(Struct, frozen=True):
    """Staff stopped remote functions of a car; it can still be locked."""

    car_id: str
    by: str


class CarResumed(Struct, frozen=True):
    car_id: str
    by: str


class FleetStopped(Struct, frozen=True):
    by: str


class FleetResumed(Struct, frozen=True):
    by: str
