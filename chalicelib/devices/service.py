"""Order a unit, let it enrol once, listen to which certificate speaks, and end those that should not."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from chalicelib.devices.model import (
    CODE_LIVES,
    SUSPICIOUS,
    Admission,
    Attempt,
    Certificate,
    CertificateTaken,
    Connection,
    NoUnit,
    Objection,
    Order,
    Ordered,
    OrderTaken,
    Refusal,
    Shown,
    Unit,
    UnitMoved,
    Verdict,
    Why,
    newly_ended,
)
from chalicelib.kernel.audit import About, Line, line_after
from chalicelib.kernel.clock import Clock, stamp
from chalicelib.kernel.done import Done
from chalicelib.kernel.errors import Busy, KeyReused
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.ids import keyed_id

LOOKS = 4
"""How often a change that lost its unit to another looks again before it answers Busy."""
LINES_SHOWN = 50

Told = Sequence[tuple[Line, Fact | None]]
"""Lines of a unit's log, each with the fact that it is too."""
Said = tuple[str, str, About]
"""What happened, who did it, and what is to be known about it."""


class Store(Protocol):
    """Reads see every write that was answered; each write happens whole or not at all."""

    def unit(self, car_id: str) -> Unit:
        """An empty one where none was ever ordered."""

    def car_of(self, serial: str) -> str | None: ...

    def order(self, car_id: str, order_id: str) -> Order | None: ...

    def save(self, before: Unit, after: Unit, told: Told, order: Order | None = None) -> None:
        """OrderTaken, SerialTaken, CertificateTaken, or UnitMoved when the unit is not as it was seen."""

    def record(self, refusal: Refusal) -> None:
        """Counted by day: the rows that one certificate can cause are bounded."""

    def log(self, car_id: str, after: int, limit: int) -> Sequence[Line]: ...


class Cars(Protocol):
    def exists(self, car_id: str) -> None:
        """NotFound for a car nobody registered."""


class Registry(Protocol):
    def end(self, certificate_id: str, car_id: str, *, revoked: bool) -> bool:
        """From then on nobody connects with it; True: and whoever was connected no longer is. Repeatable."""


class DeviceService(Struct, frozen=True):
    """`code_key` gives the secret of the codes; `command_key` derives that of a car."""

    store: Store
    cars: Cars
    registry: Registry
    code_key: Callable[[], str]
    command_key: Callable[[str], str]
    now: Clock

    def order(self, car_id: str, serial: str, staff: str, key: str) -> Done[Ordered]:
        """The same key always means the same order; a later one takes the place of an open one."""
        self.cars.exists(car_id)
        at = self.now()
        order = Order(keyed_id("enr", car_id, key), car_id, serial, at + CODE_LIVES)
        code = order.code(self.code_key())
        said: Said = ("ordered", f"staff:{staff}", {"order_id": order.order_id, "serial": serial})
        try:
            for before in self._looks(car_id):
                if self._moved(before, before.ordered(order, code), at, said, order):
                    break
        except OrderTaken as taken:
            return self._replayed(order, taken)
        return Done(Ordered(order, code))

    def _replayed(self, order: Order, otherwise: OrderTaken) -> Done[Ordered]:
        known = self.store.order(order.car_id, order.order_id)
        if known is None:
            raise otherwise
        if known.serial != order.serial:
            raise KeyReused()
        return Done(Ordered(known, known.code(self.code_key())), replayed=True)

    def shown(self, car_id: str) -> Shown:
        """NoUnit where none was ever ordered."""
        self.cars.exists(car_id)
        unit = self._known(car_id)
        return Shown(unit, self.store.log(car_id, max(0, unit.head.no - LINES_SHOWN), LINES_SHOWN))

    def admit(self, attempt: Attempt) -> Admission | None:
        """None, and a refusal on record, unless this unit was ordered and brings the code."""
        if not attempt.serial:
            return self._refused(Objection.UNREADABLE, attempt)
        car_id = self.store.car_of(attempt.serial)
        if car_id is None:
            return self._refused(Objection.UNKNOWN_UNIT, attempt)
        about: About = {"certificate_id": attempt.certificate_id, "claim_id": attempt.claim_id}
        for before in self._looks(car_id):
            objection = before.objection(attempt)
            if objection is not None:
                return self._refused(objection, attempt)
            said: Said = ("enrolled", f"unit:{attempt.serial}", about)
            try:
                if self._moved(before, before.enrolled(attempt), attempt.at, said):
                    break
            except CertificateTaken:
                return self._refused(Objection.NOT_NEW, attempt)
        return Admission(car_id, self.command_key(car_id))

    def _refused(self, why: Objection, attempt: Attempt) -> Admission | None:
        self.store.record(Refusal(attempt.claim_id, why.value, attempt.serial, attempt.at))
        return None

    def heard(self, connection: Connection) -> Verdict:
        """Its first connection proves that a unit has its new certificate, so the former ones may go."""
        verdict = Verdict.REFUSED if connection.refused else self._judged(connection)
        if verdict in SUSPICIOUS:
            self.store.record(
                Refusal(connection.certificate_id, verdict.value, connection.client_id, connection.at)
            )
        return verdict

    def _judged(self, connection: Connection) -> Verdict:
        certificate_id, verdict = connection.certificate_id, Verdict.NO_UNIT
        for before in self._looks(connection.client_id):
            if before.head.no == 0:
                break
            after, verdict = before.connected(certificate_id, connection.at)
            what = "in_force" if verdict is Verdict.FIRST else verdict.value
            said: Said = (what, f"unit:{before.serial}", {"certificate_id": certificate_id})
            if self._moved(before, after, connection.at, said):
                break
        return verdict

    def withdraw(self, car_id: str, why: Why, staff: str) -> None:
        """The unit is out of the car: its certificates are revoked, its code is void, its serial is free."""
        self.cars.exists(car_id)
        self._known(car_id)
        at = self.now()
        for before in self._looks(car_id):
            said: Said = ("withdrawn", f"staff:{staff}", {"reason": why.value, "serial": before.serial})
            if self._moved(before, before.withdrawn(why, at), at, said):
                break

    def close(self, car_id: str, certificate_id: str, why: Why) -> None:
        """AWS IoT is told first and the note made second: what dies in between is told again.

        Facts come in any order: the one that it was replaced must not soften that it was stolen since.
        """
        known = self.store.unit(car_id).certificate(certificate_id)
        why = known.why if known is not None and known.why is not None else why
        cut = self.registry.end(certificate_id, car_id, revoked=why is not Why.REPLACED)
        at = self.now()
        about: About = {"certificate_id": certificate_id, "reason": why.value, "connection_cut": cut}
        said: Said = ("closed", "service", about)
        for before in self._looks(car_id):
            if self._moved(before, before.closed(certificate_id, at), at, said):
                break

    def _known(self, car_id: str) -> Unit:
        unit = self.store.unit(car_id)
        if unit.head.no == 0:
            raise NoUnit()
        return unit

    def _looks(self, car_id: str) -> Iterator[Unit]:
        """The unit as it stands, again and again for whoever loses a race; Busy in the end."""
        for _ in range(LOOKS):
            yield self.store.unit(car_id)
        raise Busy()

    def _moved(self, before: Unit, after: Unit, at: datetime, said: Said, order: Order | None = None) -> bool:
        """False when somebody else was faster. Nothing is written where nothing changes; an order is new."""
        if after == before and order is None:
            return True
        told = self._told(before, after, at, said)
        try:
            self.store.save(before, replace(after, head=told[-1][0].head), told, order)
        except UnitMoved:
            return False
        return True

    def _told(self, before: Unit, after: Unit, at: datetime, said: Said) -> Told:
        """One line for what happened, and one, which is the fact too, for each certificate it ended."""
        what, who, about = said
        first = line_after(before.head, before.car_id, at=at, what=what, who=who, about=about)
        lines: list[tuple[Line, Fact | None]] = [(first, None)]
        for ended in newly_ended(before, after):
            about = {"certificate_id": ended.certificate_id, "reason": ended.why, "state": ended.state}
            line = line_after(lines[-1][0].head, before.car_id, at=at, what="ended", who=who, about=about)
            lines.append((line, self._fact(after.car_id, ended, at)))
        return lines

    def _fact(self, car_id: str, ended: Certificate, at: datetime) -> Fact:
        data = {
            "car_id": car_id,
            "serial": ended.serial,
            "certificate_id": ended.certificate_id,
            "reason": ended.why,
        }
        id_ = keyed_id("evt", "certificate-ended", ended.certificate_id, stamp(at))
        return Fact.of("CertificateEnded", "devices", car_id, at=at, id=id_, data=data)
