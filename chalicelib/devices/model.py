"""A car's unit: enrolled with a code that works once, and heard by one certificate at a time."""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from chalicelib.kernel.audit import Head, Line
from chalicelib.kernel.errors import Conflict, NotFound
from chalicelib.kernel.states import Table

CODE_LIVES = timedelta(hours=1)
CODE_BYTES = 16
CONNECTS_WITHIN = timedelta(hours=24)
"""What was made and does not connect for so long may be with somebody who waits for a better moment."""
KEPT_CERTIFICATES = 8
"""So many that have ended are shown; older ones are in the log only."""


class State(StrEnum):
    """Of a certificate: MADE and never seen, IN_FORCE, RETIRED by a newer one, or REVOKED by operations."""

    MADE = "made"
    IN_FORCE = "in_force"
    RETIRED = "retired"
    REVOKED = "revoked"


class Event(StrEnum):
    CONNECTED = "connected"
    TOO_LATE = "too_late"
    REPLACED = "replaced"
    WITHDRAWN = "withdrawn"


class Role(StrEnum):
    UNIT = "unit"
    SERVICE = "service"
    OPS = "ops"


LIFE = Table[State, Event](
    (State.MADE, Event.CONNECTED, State.IN_FORCE, {Role.UNIT}),
    (State.MADE, Event.TOO_LATE, State.RETIRED, {Role.SERVICE}),
    (State.MADE, Event.REPLACED, State.RETIRED, {Role.SERVICE}),
    (State.IN_FORCE, Event.REPLACED, State.RETIRED, {Role.SERVICE}),
    # Also one that had retired: a stolen unit's every certificate is revoked.
    *(
        (state, Event.WITHDRAWN, State.REVOKED, {Role.OPS})
        for state in (State.MADE, State.IN_FORCE, State.RETIRED)
    ),
)


class Why(StrEnum):
    """Why a certificate ended. REPLACED: a newer one has connected. UNUSED: it connected too late."""

    REPLACED = "replaced"
    UNUSED = "unused"
    STOLEN = "stolen"
    REMOVED = "removed"
    DEFECTIVE = "defective"


class Objection(StrEnum):
    """Why an enrolment was refused: for our record. Whoever tried hears only that access is denied.

    NOT_NEW: enrolling would bring a certificate back that has ended, or make one certificate two cars.
    """

    UNREADABLE = "unreadable"
    UNKNOWN_UNIT = "unknown_unit"
    NOT_ORDERED = "not_ordered"
    WRONG_CODE = "wrong_code"
    EXPIRED = "expired"
    USED = "used"
    NOT_NEW = "not_new"


class Verdict(StrEnum):
    """What a connection under a car's name turned out to be.

    FOREIGN: with a certificate that we never made, though the car has a unit. REFUSED: by the broker.
    """

    FIRST = "first"
    KNOWN = "known"
    TOO_LATE = "too_late"
    ENDED = "ended"
    FOREIGN = "foreign"
    NO_UNIT = "no_unit"
    REFUSED = "connect_failed"


SUSPICIOUS = (Verdict.TOO_LATE, Verdict.ENDED, Verdict.FOREIGN, Verdict.REFUSED)
"""These are put on record."""


class SerialTaken(Conflict):
    """This unit is enrolled in another car; take it out there first."""


class OrderTaken(Conflict):
    """This key already has its enrolment."""


class CertificateTaken(Conflict):
    """This certificate is another car's."""


class UnitMoved(Conflict):
    """Something else happened to this car's unit at the same moment."""


class NoUnit(NotFound):
    """No unit was ever ordered for this car."""


class Order(Struct, frozen=True):
    """That a unit of this serial may enrol as this car until `expires_at`. `code` is never stored."""

    order_id: str
    car_id: str
    serial: str
    expires_at: datetime

    def code(self, secret: str) -> str:
        """128 bits in base32; a repeated request derives the same."""
        said = f"enrolment|v1|{self.order_id}".encode()
        digest = hmac.new(secret.encode(), said, hashlib.sha256).digest()
        return base64.b32encode(digest[:CODE_BYTES]).decode().rstrip("=").lower()


def code_hash(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()


class Enrolment(Struct, frozen=True):
    """The latest order of a car. `certificate_id`: whose it became; for another its code is worth nothing."""

    order_id: str
    serial: str
    code_hash: str
    expires_at: datetime
    certificate_id: str | None = None


class Attempt(Struct, frozen=True):
    """A unit that asks to be enrolled; no serial and no code where what it said cannot be read.

    `certificate_id`: made for it, and not good for anything yet. `claim_id`: the certificate it came with.
    """

    serial: str
    code: str
    certificate_id: str
    claim_id: str
    at: datetime


class Connection(Struct, frozen=True):
    """Made under a client id, a car's name, with a certificate; `refused`: the broker did not allow it."""

    client_id: str
    certificate_id: str
    at: datetime
    refused: bool = False


class Refusal(Struct, frozen=True):
    """`under`: the certificate that tried, which nobody can choose freely. `name`: what it said of itself."""

    under: str
    what: str
    name: str
    at: datetime


class Certificate(Struct, frozen=True):
    """`closed_at`: when AWS IoT was told that it has ended."""

    certificate_id: str
    serial: str
    made_at: datetime
    state: State = State.MADE
    in_force_at: datetime | None = None
    ended_at: datetime | None = None
    why: Why | None = None
    closed_at: datetime | None = None

    def after(self, event: Event, at: datetime, why: Why | None = None) -> "Certificate":
        """IllegalMove where the table has no row."""
        state = LIFE.after(self.state, event)
        if state is State.IN_FORCE:
            return replace(self, state=state, in_force_at=at)
        return replace(self, state=state, ended_at=at, why=why, closed_at=None)


class Unit(Struct, frozen=True):
    """Of one car. `certificates`: oldest first. `head`: the end of its log, which grows with every change."""

    car_id: str
    serial: str | None = None
    enrolment: Enrolment | None = None
    certificates: tuple[Certificate, ...] = ()
    head: Head = Head()

    def certificate(self, certificate_id: str) -> Certificate | None:
        return next((each for each in self.certificates if each.certificate_id == certificate_id), None)

    def ordered(self, order: Order, code: str) -> "Unit":
        """A new order takes the place of an open one."""
        enrolment = Enrolment(order.order_id, order.serial, code_hash(code), order.expires_at)
        return replace(self, serial=order.serial, enrolment=enrolment)

    def objection(self, attempt: Attempt) -> Objection | None:
        """None: it may enrol, or has enrolled with this very certificate and did not hear of it."""
        open_ = self.enrolment
        if open_ is None or open_.serial != attempt.serial:
            return Objection.NOT_ORDERED
        if not hmac.compare_digest(open_.code_hash, code_hash(attempt.code)):
            return Objection.WRONG_CODE
        if attempt.at >= open_.expires_at:
            return Objection.EXPIRED
        if open_.certificate_id not in (None, attempt.certificate_id):
            return Objection.USED
        known = self.certificate(attempt.certificate_id)
        return Objection.NOT_NEW if known is not None and known.state is not State.MADE else None

    def enrolled(self, attempt: Attempt) -> "Unit":
        """Itself when it is so already."""
        open_ = self.enrolment
        if open_ is None or open_.certificate_id == attempt.certificate_id:
            return self
        made = Certificate(attempt.certificate_id, attempt.serial, attempt.at)
        others = tuple(each for each in self.certificates if each.certificate_id != made.certificate_id)
        used = replace(open_, certificate_id=attempt.certificate_id)
        return self._keeping((*others, made), enrolment=used)

    def connected(self, certificate_id: str, at: datetime) -> tuple["Unit", Verdict]:
        """The first connection of a certificate retires those made before it; later ones change nothing.

        One that comes too late ends itself instead.
        """
        known = self.certificate(certificate_id)
        if known is None:
            return self, Verdict.FOREIGN
        if not LIFE.allows(known.state, Event.CONNECTED):
            heard_late = known.ended_at is None or at <= known.ended_at
            return self, Verdict.KNOWN if heard_late else Verdict.ENDED
        place = self.certificates.index(known)
        before, behind = self.certificates[:place], self.certificates[place + 1 :]
        if at >= known.made_at + CONNECTS_WITHIN:
            ended = known.after(Event.TOO_LATE, at, Why.UNUSED)
            return self._keeping((*before, ended, *behind)), Verdict.TOO_LATE
        former = (self._ended(each, Event.REPLACED, at, Why.REPLACED) for each in before)
        return self._keeping((*former, known.after(Event.CONNECTED, at), *behind)), Verdict.FIRST

    def withdrawn(self, why: Why, at: datetime) -> "Unit":
        """Nothing that this unit holds opens anything any more: no certificate, no code."""
        ended = tuple(self._ended(each, Event.WITHDRAWN, at, why) for each in self.certificates)
        return self._keeping(ended, serial=None, enrolment=None)

    def closed(self, certificate_id: str, at: datetime) -> "Unit":
        """Itself when there is nothing to be closed."""
        known = self.certificate(certificate_id)
        if known is None or known.ended_at is None or known.closed_at is not None:
            return self
        place = self.certificates.index(known)
        before, behind = self.certificates[:place], self.certificates[place + 1 :]
        return self._keeping((*before, replace(known, closed_at=at), *behind))

    def _ended(self, one: Certificate, event: Event, at: datetime, why: Why) -> Certificate:
        return one.after(event, at, why) if LIFE.allows(one.state, event) else one

    def _keeping(self, certificates: tuple[Certificate, ...], **changes: object) -> "Unit":
        """What is closed and has been followed by many is forgotten: a unit is one row for ever."""
        closed = [each for each in certificates if each.closed_at is not None]
        forgotten = {each.certificate_id for each in closed[:-KEPT_CERTIFICATES]}
        kept = tuple(each for each in certificates if each.certificate_id not in forgotten)
        return replace(self, certificates=kept, **changes)


class Admission(Struct, frozen=True):
    """As which car a unit is enrolled, and the key that commands to it are signed with."""

    car_id: str
    command_key: str


class Ordered(Struct, frozen=True):
    order: Order
    code: str


class Shown(Struct, frozen=True):
    """`lines`: the latest of its log, oldest first."""

    unit: Unit
    lines: Sequence[Line]


def newly_ended(before: Unit, after: Unit) -> tuple[Certificate, ...]:
    """What AWS IoT has to be told."""
    known = {each.certificate_id: each.state for each in before.certificates}
    return tuple(
        each
        for each in after.certificates
        if each.ended_at is not None and known.get(each.certificate_id) is not each.state
    )
