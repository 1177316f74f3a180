"""What cars say, and which of it counts."""

import hmac
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from chalicelib.doors.model.car import Reading
from chalicelib.doors.model.command import Command
from chalicelib.doors.model.journey import JOURNEY, Event, Role
from chalicelib.doors.model.reasons import Reason


class Verdict(StrEnum):
    """What became of a message from a car; DENIED: of a person's press, when there were too many to list."""

    ACCEPTED = "accepted"
    UNREADABLE = "unreadable"
    NOT_ITS_OWN = "not_its_own"
    UNKNOWN_COMMAND = "unknown_command"
    OTHER_CAR = "other_car"
    WRONG_NONCE = "wrong_nonce"
    NOT_NOW = "not_now"
    CLOCK_AHEAD = "clock_ahead"
    FORGED_COMMAND = "forged_command"
    DENIED = "denied"

    @property
    def forged(self) -> bool:
        """What no car says by mistake, unlike an answer that comes twice or a clock that runs ahead."""
        return self in FORGED


FORGED = {
    Verdict.NOT_ITS_OWN,
    Verdict.UNKNOWN_COMMAND,
    Verdict.OTHER_CAR,
    Verdict.WRONG_NONCE,
    Verdict.FORGED_COMMAND,
}


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
    """Who may say what about which command, and when. Everything but ACCEPTED changes nothing.

    A car that refuses a bad signature speaks of somebody else's copy: what we send is signed, and the true
    one may have been carried out.
    """
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
    if ack.reason is Reason.BAD_SIGNATURE:
        return Verdict.FORGED_COMMAND
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
    """A message that changed nothing, for the record."""

    thing: str
    client: str
    verdict: Verdict
    command_id: str
    at: datetime
