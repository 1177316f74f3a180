"""A command from the press to its end, and what cars say on the way."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from chalicelib.doors.model import (
    SETTLED,
    Ack,
    ActionNotGranted,
    Asked,
    Attempt,
    Car,
    CarBusy,
    CarState,
    CarTaken,
    Command,
    Control,
    Event,
    KeyTaken,
    MovedOn,
    NoSuchCommand,
    NotAccepted,
    NotConnected,
    PerhapsAccepted,
    Presence,
    Reading,
    Reason,
    ReasonNeeded,
    Refusal,
    Report,
    Sent,
    Sight,
    SweepReport,
    Verdict,
    car_key,
    crowded,
    halted,
    judged,
    moved,
    objection,
    reason_of,
    sight,
)
from chalicelib.doors.service.ports import Holder, Holders, Publisher, Store
from chalicelib.kernel.audit import Head
from chalicelib.kernel.auth import Caller, Group
from chalicelib.kernel.clock import Clock, stamp
from chalicelib.kernel.errors import Busy, HandoverError, KeyReused
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.ids import keyed_id
from chalicelib.kernel.tables import LogMoved, Rows

LOOKS = 4
"""How often somebody who lost a race looks again before giving up."""


class DoorService(Struct, frozen=True):
    """`master` gives the secret that every car's key is derived from."""

    store: Store
    holders: Holders
    publisher: Publisher
    master: Callable[[], str]
    now: Clock
    new_id: Callable[[str], str]
    new_nonce: Callable[[], str]
    new_look: Callable[[], Rows]

    def send(self, token: str | None, asked: Asked, key: str) -> Sent:
        """The same key always means the same command, and is published at most once."""
        at = self.now()
        return self._send(self.holders.holder(token, at), asked, key, at)

    def send_for(self, contract_id: str, caller: Caller, asked: Asked, key: str) -> Sent:
        """As `send`, for somebody signed in: the customer, a driver, or staff with a reason."""
        if Group.OPS in caller.groups and not asked.reason:
            raise ReasonNeeded()
        at = self.now()
        return self._send(self.holders.of_contract(contract_id, caller, asked.reason, at), asked, key, at)

    def _send(self, holder: Holder, asked: Asked, key: str, at: datetime) -> Sent:
        command_id = keyed_id("cmd", holder.contract_id, holder.who, key)
        wish = Command(
            command_id, holder.grant_id, holder.contract_id, holder.car_id, asked.action, at, self.new_nonce()
        )
        attempt = Attempt(wish, asked, holder.who, holder.reason, holder.proven_at)
        if refusal := holder.refusal or _not_granted(holder, asked.action):
            raise self._denied(attempt, self._honest(refusal, command_id))
        for _ in range(LOOKS):
            try:
                return self._tried(attempt)
            except CarTaken:
                continue
            except KeyTaken as taken:
                return self._replayed(wish, otherwise=taken)
        raise self._denied(attempt, CarBusy())

    def _honest(self, refusal: HandoverError, command_id: str) -> HandoverError:
        """Who lost their smart key hears nothing more of a command than that this press may have acted."""
        known = self.store.command(command_id)
        if known is not None and known.may_have_executed:
            refusal.extra |= {"may_have_executed": True, "retryable": False, "retry_after": None}
        return refusal

    def _tried(self, attempt: Attempt) -> Sent:
        wish = attempt.wish
        car = self.store.car(wish.car_id)
        seen = sight(wish.action, attempt.asked.position, car.reading, wish.requested_at)
        running = self._running(car, wish.requested_at)
        refusal = self._forbidden(attempt, car, seen)
        if refusal is None and running is not None and running.same_wish(wish):
            return self._joined(attempt, running, seen)
        if refusal is None and not car.online:
            return self._not_reached(attempt, car, seen)
        if refusal := refusal or crowded(car, wish, running):
            return self._refused(attempt, refusal, seen)
        return self._sent(attempt, replace(wish, counter=car.control.counter + 1), car.control, seen)

    def _running(self, car: Car, at: datetime) -> Command | None:
        """The command that holds the car: its lease still runs, and it has not settled."""
        if car.control.command_id is None or not car.control.leased_at(at):
            return None
        command = self.store.command(car.control.command_id)
        return None if command is None or command.settled else command

    def _forbidden(self, attempt: Attempt, car: Car, seen: Sight) -> HandoverError | None:
        wish = attempt.wish
        refusal = objection(wish.action, attempt.proven_at, seen.place, wish.requested_at)
        return refusal or halted(wish.action, car.control.stopped)

    def _joined(self, attempt: Attempt, running: Command, seen: Sight) -> Sent:
        if running.command_id == attempt.wish.command_id:
            raise KeyTaken()
        self.store.join(attempt.wish.command_id, running, attempt.joined(running, seen))
        return Sent(running)

    def _not_reached(self, attempt: Attempt, car: Car, seen: Sight) -> Sent:
        wish = attempt.wish
        command = replace(wish, last_seen=car.last_seen).after(Event.OFFLINE, wish.requested_at)
        entry = attempt.not_sent(str(command.reason), seen)
        self.store.keep(command, entry, self._settlement(command, wish.requested_at))
        return Sent(command)

    def _refused(self, attempt: Attempt, refusal: HandoverError, seen: Sight) -> Sent:
        known = self.store.command(attempt.wish.command_id)
        if known is None:
            raise self._denied(attempt, refusal, seen)
        return self._retold(attempt.wish, known)

    def _denied(self, attempt: Attempt, refusal: HandoverError, seen: Sight | None = None) -> HandoverError:
        """The refusal, once it is written down."""
        seen = seen or sight(attempt.wish.action, attempt.asked.position, None, attempt.wish.requested_at)
        with suppress(Busy):  # nothing happens either way, and a crowd at the log must not hide why
            self.store.deny(attempt.wish.car_id, attempt.denied(refusal.code, seen))
        return refusal

    def _replayed(self, wish: Command, otherwise: HandoverError) -> Sent:
        known = self.store.command(wish.command_id)
        if known is None:
            raise otherwise
        return self._retold(wish, known)

    def _retold(self, wish: Command, known: Command) -> Sent:
        """A retry hears what its command became, also where a new one would be refused."""
        if known.action is not wish.action:
            raise KeyReused()
        return Sent(self._settled(known, wish.requested_at), replayed=True)

    def _sent(self, attempt: Attempt, command: Command, seen: Control, place: Sight) -> Sent:
        """Written down first, then published: whoever dies in between leaves a line and no command."""
        payload = msgspec.json.encode(command.envelope(car_key(self.master(), command.car_id)))
        entry = attempt.given(command, place)
        line = entry.after(seen.head)
        command = replace(command, head=Head(0, line.mark))
        self.store.open(command, seen, line, entry.private, self._request(command))
        event, reason = self._published(command, payload)
        return Sent(self._moved(command, event, self.now(), reason))

    def _published(self, command: Command, payload: bytes) -> tuple[Event, Reason | None]:
        """Fleet and grant are asked for at the last moment, and nothing goes out without life left."""
        look = self.new_look()
        stop, still = self.store.fleet_stopped(look), self.holders.still(look, command)
        look.fetch()
        if ended := halted(command.action, stop()) or still(self.now()):
            return Event.WITHHELD, reason_of(ended.code)
        seconds = command.seconds_left(self.now())
        if seconds == 0:
            return Event.WITHHELD, Reason.EXPIRED
        try:
            self.publisher.publish(command.car_id, payload, seconds)
        except NotConnected:
            return Event.OFFLINE, None
        except NotAccepted:
            return Event.PUBLISH_REFUSED, None
        except PerhapsAccepted:
            return Event.PUBLISH_UNSURE, None
        return Event.PUBLISHED, None

    def _moved(self, command: Command, event: Event, at: datetime, reason: Reason | None = None) -> Command:
        """What the command is after `event`, or what somebody faster made of it."""
        try:
            return self._move(command, event, at, reason)
        except (MovedOn, LogMoved, Busy):
            return self.store.command(command.command_id) or command

    def _move(self, command: Command, event: Event, at: datetime, reason: Reason | None) -> Command:
        after = command.after(event, at, reason)
        line = moved(command, after, event, at)
        after = replace(after, head=line.head)
        fact = self._settlement(after, at) if after.state in SETTLED else None
        self.store.move(after, event, line, fact)
        return after

    def command(self, token: str | None, command_id: str) -> Command:
        """NoSuchCommand for one of another contract."""
        at = self.now()
        holder = self.holders.holder(token, at)
        if holder.refusal is not None:
            raise holder.refusal
        return self._shown(command_id, holder.contract_id, at)

    def command_for(self, contract_id: str, caller: Caller, command_id: str) -> Command:
        at = self.now()
        self.holders.sees(contract_id, caller, at)
        return self._shown(command_id, contract_id, at)

    def _shown(self, command_id: str, contract_id: str, at: datetime) -> Command:
        known = self.store.command(command_id)
        if known is None or known.contract_id != contract_id:
            raise NoSuchCommand()
        return self._settled(known, at)

    def ack(self, ack: Ack) -> Verdict:
        """One write for an answer that counts; any other is recorded and changes nothing."""
        verdict = self._heard(ack)
        if verdict is not Verdict.ACCEPTED:
            self.store.record(Refusal(ack.thing, ack.client, verdict, ack.command_id, ack.received_at))
        return verdict

    def _heard(self, ack: Ack) -> Verdict:
        """Looks again when another line of the command's log was faster; LogMoved when it always was."""
        for _ in range(LOOKS):
            command = self.store.command(ack.command_id)
            verdict = judged(ack, command)
            if command is None or ack.event is None or verdict is not Verdict.ACCEPTED:
                return verdict
            try:
                self._move(command, ack.event, ack.received_at, ack.reason)
                return verdict
            except MovedOn:
                return Verdict.NOT_NOW
            except LogMoved:
                continue
        raise LogMoved()

    def presence(self, presence: Presence) -> bool:
        """Duplicates and late arrivals change nothing: False."""
        return self.store.connected(presence)

    def report(self, report: Report) -> Verdict:
        """What the car says of itself may also settle what it never answered."""
        reading, verdict = report.reading, report.verdict
        if reading is None or verdict is not Verdict.ACCEPTED:
            self.store.record(Refusal(report.thing, report.client, verdict, "", report.received_at))
            return verdict
        car = self.store.car(reading.car_id)
        reading = reading.following(car.reading)
        if self.store.report(reading, self._opened(car, reading)):
            self._put_right(replace(car, reading=reading))
        return verdict

    def _opened(self, car: Car, reading: Reading) -> Fact | None:
        if not car.opened_with_key(reading):
            return None
        id_ = keyed_id("evt", "opened", car.car_id, stamp(reading.at))
        data = {"car_id": car.car_id, "at": stamp(reading.at)}
        return Fact.of("CarOpenedWithKey", "doors", car.car_id, at=reading.heard_at, id=id_, data=data)

    def _put_right(self, car: Car) -> None:
        at = self.now()
        if car.control.command_id is None or not car.control.last_may_be_unknown(at):
            return
        command = self.store.command(car.control.command_id)
        if command is not None:
            self._settled(command, at)

    def _settled(self, command: Command, at: datetime) -> Command:
        """The command as the clock leaves it: at most to UNKNOWN, and from there to its end."""
        for _ in range(LOOKS):
            if command.settled or at < command.expires_at:
                break
            event = command.next_event(self.store.car(command.car_id).reading, at)
            if event is None:
                break
            command = self._moved(command, event, at)
        return command

    def sweep(self) -> SweepReport:
        """Everything due, and nothing else, is read."""
        at = self.now()
        read = settled = 0
        for command_id in self.store.due(at):
            read += 1
            command = self.store.command(command_id)
            settled += command is not None and self._settled(command, at) != command
        return SweepReport(read, settled)

    def car_state(self, car_id: str) -> CarState:
        return CarState.of(self.store.car(car_id))

    def _request(self, command: Command) -> Fact:
        data = {
            "command_id": command.command_id,
            "grant_id": command.grant_id,
            "car_id": command.car_id,
            "action": command.action,
            "counter": command.counter,
        }
        return self._fact("CommandRequested", command, command.requested_at, data)

    def _settlement(self, command: Command, at: datetime) -> Fact:
        data = {
            "command_id": command.command_id,
            "grant_id": command.grant_id,
            "car_id": command.car_id,
            "action": command.action,
            "state": command.state,
            "reason": command.reason,
            "late": command.late,
        }
        return self._fact("CommandSettled", command, at, data)

    def _fact(self, name: str, command: Command, at: datetime, data: Mapping[str, object]) -> Fact:
        return Fact.of(name, "doors", command.command_id, at=at, id=self.new_id("evt"), data=data)


def _not_granted(holder: Holder, action: str) -> HandoverError | None:
    return None if action in holder.actions else ActionNotGranted()
