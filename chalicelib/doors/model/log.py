"""What is written down before it happens: logs whose every line is chained to the one before.

`<car_id>`          one line for each command given to the car, before it is published; its number is the
                    command's counter
`<command_id>`      what became of it; begins where the car's log stood when the command was given
`<car_id>/denied`   every attempt that was not given to the car, and why; stops and resumes of the car
`fleet/stops`       stops and resumes of all cars

Who is an opaque id. What is personal is beside the line (`kernel.audit`), and so is what people wrote: the
reasons of staff.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from chalicelib.doors.model.command import Command
from chalicelib.doors.model.journey import SAID_BY, Action, Event, Role
from chalicelib.doors.model.policy import Origin, Sight
from chalicelib.kernel.audit import About, Head, Line, Private, line_after, salted

FLEET = "fleet/stops"
"""No car is called so."""
LOGS_KEPT = timedelta(days=365)
DENIALS_AN_HOUR = 60
"""So many have lines of their own in a car's log; whoever goes on pressing is only counted."""
MAX_ID = 64


class What(StrEnum):
    """Lines that are no move of a command."""

    REQUESTED = "requested"
    JOINED = "joined"
    NOT_SENT = "not_sent"
    DENIED = "denied"
    STOPPED = "stopped"
    RESUMED = "resumed"
    DEVICE_CHECK = "device_check"


def denied_log(car_id: str) -> str:
    return f"{car_id}/denied"


class Entry(Struct, frozen=True):
    """A line before it has its place in a log."""

    log: str
    at: datetime
    what: str
    who: str
    about: About
    private: Private | None = None

    def after(self, head: Head) -> Line:
        return line_after(
            head, self.log, at=self.at, what=self.what, who=self.who, about=self.about, private=self.private
        )


class Asked(Struct, frozen=True):
    """A press as it reached us. `reason`: why staff act for a customer."""

    action: Action
    reason: str | None = None
    position: Origin | None = None
    ip: str = ""
    agent: str = ""
    trace_id: str = ""


class Attempt(Struct, frozen=True):
    """A press with the command it would become."""

    wish: Command
    asked: Asked
    who: str
    reason: str | None
    proven_at: datetime | None

    def given(self, command: Command, sight: Sight) -> Entry:
        return self._entry(command.car_id, What.REQUESTED, sight, counter=command.counter)

    def denied(self, code: str, sight: Sight) -> Entry:
        return self._entry(denied_log(self.wish.car_id), What.DENIED, sight, code=code)

    def not_sent(self, code: str, sight: Sight) -> Entry:
        return self._entry(denied_log(self.wish.car_id), What.NOT_SENT, sight, code=code)

    def joined(self, running: Command, sight: Sight) -> Entry:
        return self._entry(denied_log(self.wish.car_id), What.JOINED, sight, joined=running.command_id)

    def _entry(self, log: str, what: What, sight: Sight, **more: str | int | None) -> Entry:
        wish, asked = self.wish, self.asked
        about: About = {
            "grant_id": wish.grant_id,
            "contract_id": wish.contract_id,
            "command_id": wish.command_id,
            "action": wish.action.value,
            "place": sight.place.value,
            "trace_id": asked.trace_id,
            **more,
        }
        private = salted(
            {"ip": asked.ip, "agent": asked.agent, "distance_m": sight.distance_m, "reason": self.reason}
        )
        return Entry(log, wish.requested_at, what.value, self.who, about, private)


def moved(before: Command, after: Command, event: Event, at: datetime) -> Line:
    """The next line of a command's own log."""
    role = SAID_BY[event]
    who = f"car:{after.car_id}" if role is Role.CAR else role.value
    about: About = {"state": after.state.value}
    if after.reason is not None:
        about["reason"] = after.reason.value
    if after.late:
        about["late"] = True
    return line_after(before.head, after.command_id, at=at, what=event.value, who=who, about=about)
