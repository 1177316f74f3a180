"""Send a command once, believe the car's answer, and never claim more than is known."""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import Protocol

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from chalicelib.doors.model import (
    SETTLED,
    TTL,
    Ack,
    Action,
    ActionNotGranted,
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
    PerhapsAccepted,
    Presence,
    Reading,
    Refusal,
    Report,
    Sent,
    SweepReport,
    Verdict,
    car_key,
    judged,
)
from chalicelib.kernel.clock import Clock, stamp
from chalicelib.kernel.errors import Busy, HandoverError, KeyReused
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.ids import keyed_id

LOOKS = 4
"""How often a command that lost the car to another looks again before it answers CarBusy."""


class Holder(Protocol):
    """Who holds a smart key, for which contract and car, and what it may do."""

    @property
    def grant_id(self) -> str: ...
    @property
    def contract_id(self) -> str: ...
    @property
    def car_id(self) -> str: ...
    @property
    def actions(self) -> Collection[str]: ...


class Holders(Protocol):
    def holder(self, token: str | None, at: datetime) -> Holder:
        """Read strongly consistent; raises when the session or the grant is over."""


class Publisher(Protocol):
    def publish(self, car_id: str, payload: bytes, expires_in: int) -> None:
        """Tried exactly once. NotAccepted: it has certainly not left. PerhapsAccepted: nobody knows."""


class Store(Protocol):
    """Reads see every write that was answered; each write happens whole or not at all."""

    def car(self, car_id: str) -> Car: ...

    def command(self, command_id: str) -> Command | None:
        """The command of this key: its own, or the one it joined."""

    def open(self, command: Command, seen: Control, fact: Fact) -> None:
        """The command, the car's counter and lease, and the fact. KeyTaken, or CarTaken if `seen` is old."""

    def keep(self, command: Command, fact: Fact) -> None:
        """A command that never leaves. KeyTaken."""

    def join(self, command_id: str, running: Command, at: datetime) -> None:
        """KeyTaken."""

    def move(self, after: Command, event: Event, fact: Fact | None) -> None:
        """MovedOn unless the command still stands where `event` may leave from."""

    def due(self, at: datetime) -> Iterable[str]: ...

    def connected(self, presence: Presence) -> bool:
        """False, and nothing changed, when a newer connection event is known."""

    def report(self, reading: Reading, fact: Fact | None) -> bool:
        """False, and nothing changed, when a newer reading is known."""

    def record(self, refusal: Refusal) -> None:
        """Counted; the rows a car can cause in a day are bounded."""


class DoorService(Struct, frozen=True):
    """`master` gives the secret that every car's key is derived from."""

    store: Store
    holders: Holders
    publisher: Publisher
    master: Callable[[], str]
    now: Clock
    new_id: Callable[[str], str]
    new_nonce: Callable[[], str]

    def send(self, token: str | None, action: Action, key: str) -> Sent:
        """The same key always means the same command, and is published at most once."""
        at = self.now()
        holder = self.holders.holder(token, at)
        if action not in holder.actions:
            raise ActionNotGranted()
        command_id = keyed_id("cmd", holder.grant_id, key)
        wish = Command(
            command_id, holder.grant_id, holder.contract_id, holder.car_id, action, at, self.new_nonce()
        )
        for _ in range(LOOKS):
            try:
                return self._tried(wish)
            except CarTaken:
                continue
            except KeyTaken as taken:
                return self._replayed(wish, otherwise=taken)
        raise CarBusy()

    def _tried(self, wish: Command) -> Sent:
        car = self.store.car(wish.car_id)
        running = self._running(car, wish.requested_at)
        if running is not None and running.same_wish(wish):
            return self._joined(wish, running)
        if not car.online:
            return self._not_reached(wish, car)
        refusal = car.refusal(wish, running)
        if refusal is not None:
            return self._replayed(wish, otherwise=refusal)
        return self._sent(replace(wish, counter=car.control.counter + 1), car.control)

    def _running(self, car: Car, at: datetime) -> Command | None:
        """The command that holds the car: its lease still runs, and it has not settled."""
        if car.control.command_id is None or not car.control.leased_at(at):
            return None
        command = self.store.command(car.control.command_id)
        return None if command is None or command.settled else command

    def _joined(self, wish: Command, running: Command) -> Sent:
        if running.command_id == wish.command_id:
            raise KeyTaken()
        self.store.join(wish.command_id, running, wish.requested_at)
        return Sent(running)

    def _not_reached(self, wish: Command, car: Car) -> Sent:
        command = replace(wish, last_seen=car.last_seen).after(Event.OFFLINE, wish.requested_at)
        self.store.keep(command, self._settlement(command, wish.requested_at))
        return Sent(command)

    def _replayed(self, wish: Command, otherwise: HandoverError) -> Sent:
        """A retry hears what its command became, also where a new one would be refused."""
        known = self.store.command(wish.command_id)
        if known is None:
            raise otherwise
        if known.action is not wish.action:
            raise KeyReused()
        return Sent(self._settled(known, wish.requested_at), replayed=True)

    def _sent(self, command: Command, seen: Control) -> Sent:
        payload = msgspec.json.encode(command.envelope(car_key(self.master(), command.car_id)))
        self.store.open(command, seen, self._request(command))
        return Sent(self._moved(command, self._published(command.car_id, payload), self.now()))

    def _published(self, car_id: str, payload: bytes) -> Event:
        try:
            self.publisher.publish(car_id, payload, int(TTL.total_seconds()))
        except NotAccepted:
            return Event.PUBLISH_REFUSED
        except PerhapsAccepted:
            return Event.PUBLISH_UNSURE
        return Event.PUBLISHED

    def _moved(self, command: Command, event: Event, at: datetime) -> Command:
        """What the command is after `event`, or what somebody faster made of it."""
        after = command.after(event, at)
        try:
            self.store.move(after, event, self._settlement_of(after, at))
        except (MovedOn, Busy):
            return self.store.command(command.command_id) or command
        return after

    def command(self, token: str | None, command_id: str) -> Command:
        """NoSuchCommand for one of another contract."""
        at = self.now()
        holder = self.holders.holder(token, at)
        known = self.store.command(command_id)
        if known is None or known.contract_id != holder.contract_id:
            raise NoSuchCommand()
        return self._settled(known, at)

    def ack(self, ack: Ack) -> Verdict:
        """One write for an answer that counts; any other is recorded and changes nothing."""
        command = self.store.command(ack.command_id)
        verdict = judged(ack, command)
        if command is not None and ack.event is not None and verdict is Verdict.ACCEPTED:
            verdict = self._believed(ack, ack.event, command)
        if verdict is not Verdict.ACCEPTED:
            self.store.record(Refusal(ack.thing, ack.client, verdict, ack.command_id, ack.received_at))
        return verdict

    def _believed(self, ack: Ack, event: Event, command: Command) -> Verdict:
        after = command.after(event, ack.received_at, ack.reason)
        try:
            self.store.move(after, event, self._settlement_of(after, ack.received_at))
        except MovedOn:
            return Verdict.NOT_NOW
        return Verdict.ACCEPTED

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
        for _ in range(2):
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

    def _settlement_of(self, command: Command, at: datetime) -> Fact | None:
        return self._settlement(command, at) if command.state in SETTLED else None

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
