"""Grants, links and sessions: what each may do, and for how long.

A grant is the permission; a link hands it to its holder's phone once; a session is the phone that opened it.
A contract's holder has at most one live grant. Codes and session tokens are derived from one secret with HMAC
and never stored, only their SHA-256: so a text can be sent again, and a lost answer given again.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import IntEnum, StrEnum

from msgspec import Struct
from msgspec.structs import replace

from chalicelib.kernel.errors import Conflict, Forbidden, NotFound, Refused, TooMany, Unauthenticated
from chalicelib.kernel.states import Table

ACTIONS = ("unlock", "lock", "hazard_on", "hazard_off", "horn")
CUSTOMER = "customer"
AUTOMATIC = "handover"
"""The issuer of a grant that no person asked for."""

RESCUE_WINDOW = timedelta(days=7)
LONGEST_WINDOW = timedelta(days=366)
LINK_LIFE = timedelta(hours=24)
LINK_TRIES = 5
ANSWER_AGAIN = timedelta(minutes=10)
"""How long the same code, proof and Idempotency-Key hear the same answer."""
SESSION_LIFE = timedelta(days=30)
ASKS = 3
ASKS_WINDOW = timedelta(minutes=10)
CODE_CHARS = 22
"""Of six bits each: 132 bits."""


class State(StrEnum):
    LIVE = "LIVE"
    REVOKED = "REVOKED"
    EXPIRED = "EXPIRED"


class Event(StrEnum):
    REVOKE = "revoke"
    T_NOT_AFTER = "T.not_after"


class Role(StrEnum):
    OPS = "ops"
    TIMER = "timer"


START = State.LIVE
LIFE = Table(
    (State.LIVE, Event.REVOKE, State.REVOKED, {Role.OPS}),
    (State.LIVE, Event.T_NOT_AFTER, State.EXPIRED, {Role.TIMER}),
)


class UnknownGrant(NotFound):
    """There is no such smart key."""


class BadWindow(Refused):
    """A smart key must end after it begins, in the future, and within a year."""


class Withheld(Refused):
    """A person ended this holder's smart key; only a person gives a new one."""


class LinkInvalid(Refused):
    """This link cannot be used."""


class ProofWrong(Refused):
    """That does not match the contract."""


class TooManyAsks(TooMany):
    """A few links were asked for already; wait a little."""


class SessionEnded(Unauthenticated):
    """Open the link in your message, or ask for a new one."""


class GrantRevoked(Forbidden):
    """This smart key was ended."""


class GrantExpired(Forbidden):
    """This smart key's time is over."""


class NotYetValid(Forbidden):
    """This smart key's time has not begun."""


class GrantMoved(Conflict):
    """This smart key has changed since it was read."""


class LinkTaken(Conflict):
    """Another exchange of this link was faster."""


class LinkGone(Conflict):
    """This link is no longer the one to send."""


class AlreadyIssued(Conflict):
    """This smart key was asked for before."""


class Stage(IntEnum):
    """How far a grant has come towards an open car."""

    ISSUED = 0
    SENT = 1
    OPENED = 2
    UNLOCKED = 3


class Order(Struct, frozen=True):
    """One wish for a smart key. `order_id` is its natural key, from a fact's id or an Idempotency-Key.

    `grant_id` is the grant it becomes, unless the holder has a live one. `not_before` None: at once.
    """

    order_id: str
    fingerprint: str
    grant_id: str
    contract_id: str
    holder: str
    reason: str
    issuer: str
    not_after: datetime
    not_before: datetime | None = None

    @property
    def automatic(self) -> bool:
        return self.issuer == AUTOMATIC


class Grant(Struct, frozen=True):
    """`send_no` counts its links: only the latest works, until `link_until`; `asked_by` marks its request."""

    grant_id: str
    contract_id: str
    holder: str
    car_id: str
    reason: str
    issuer: str
    not_before: datetime
    not_after: datetime
    issued_at: datetime
    link_until: datetime
    send_no: int = 1
    actions: tuple[str, ...] = ACTIONS
    state: State = START
    asked_by: str | None = None
    died_no: int | None = None
    """The latest link whose tries were used up."""
    sent_at: datetime | None = None
    opened_at: datetime | None = None
    unlocked_at: datetime | None = None
    revoked_at: datetime | None = None
    revoked_by: str | None = None

    def state_at(self, at: datetime) -> State:
        lapsed = self.state == State.LIVE and at >= self.not_after
        return LIFE.after(self.state, Event.T_NOT_AFTER) if lapsed else self.state

    def seen_at(self, at: datetime) -> "Grant":
        return replace(self, state=self.state_at(at))

    def is_live(self, at: datetime) -> bool:
        return self.state_at(at) == State.LIVE

    def require_usable(self, at: datetime) -> None:
        if self.state == State.REVOKED:
            raise GrantRevoked()
        if at >= self.not_after:
            raise GrantExpired()
        if at < self.not_before:
            raise NotYetValid()

    def with_new_link(self, at: datetime, asked_by: str | None) -> "Grant":
        return replace(
            self,
            send_no=self.send_no + 1,
            link_until=min(at + LINK_LIFE, self.not_after),
            asked_by=asked_by,
            died_no=None,
        )

    @property
    def stage(self) -> Stage:
        """The furthest proof there is: facts may arrive in any order."""
        if self.unlocked_at:
            return Stage.UNLOCKED
        if self.opened_at:
            return Stage.OPENED
        return Stage.SENT if self.sent_at else Stage.ISSUED


def decide(order: Order, current: Grant | None, car_id: str, at: datetime) -> Grant:
    """The grant as it shall stand after this order, given the holder's latest one.

    A second cause widens a live grant without another text. A person's order on a live grant sets its window
    and sends a new link. What a person revoked no fact brings back: Withheld.
    """
    begins = max(at, order.not_before or at)
    if not begins < order.not_after <= at + LONGEST_WINDOW:
        raise BadWindow()
    begins, ends = begins.astimezone(UTC), order.not_after.astimezone(UTC)
    if current is None or not current.is_live(at):
        if current and current.state == State.REVOKED and order.automatic:
            raise Withheld()
        return _new(order, car_id, begins, ends, at)
    if order.automatic:
        return replace(current, not_after=max(current.not_after, ends))
    not_before = begins if order.not_before else current.not_before
    window = replace(current, not_before=not_before, not_after=ends)
    return window.with_new_link(at, asked_by=None)


def _new(order: Order, car_id: str, begins: datetime, ends: datetime, at: datetime) -> Grant:
    return Grant(
        grant_id=order.grant_id,
        contract_id=order.contract_id,
        holder=order.holder,
        car_id=car_id,
        reason=order.reason,
        issuer=order.issuer,
        not_before=begins,
        not_after=ends,
        issued_at=at,
        link_until=min(at + LINK_LIFE, ends),
    )


class Link(Struct, frozen=True):
    """A link as its row knows it. `used`: its exchange has succeeded. `replaces` marks the one it kills."""

    mark: str
    grant_id: str
    contract_id: str
    holder: str
    send_no: int
    expires_at: datetime
    tries_left: int = LINK_TRIES
    used: bool = False
    replaces: str | None = None


class LinkToSend(Struct, frozen=True):
    """What the sender of the text needs; the code never shows in a log or a traceback."""

    contract_id: str
    holder: str
    code: str

    def __repr__(self) -> str:
        return f"LinkToSend({self.contract_id!r}, {self.holder!r})"


class Session(Struct, frozen=True):
    mark: str
    grant_id: str
    expires_at: datetime


class Holder(Struct, frozen=True):
    """What a session may do now."""

    grant_id: str
    contract_id: str
    car_id: str
    actions: tuple[str, ...]
    not_after: datetime


def proves_access(action: str, state: str) -> bool:
    """Whether a settled command shows that its holder got into the car."""
    return action == "unlock" and state in ("SUCCEEDED", "ALREADY_DONE")


def link_code(key: str, grant_id: str, send_no: int) -> str:
    return _derived(key, f"link|v1|{grant_id}|{send_no}")[:CODE_CHARS]


def session_token(key: str, grant_id: str, send_no: int) -> str:
    return _derived(key, f"session|v1|{grant_id}|{send_no}")


def phone_mark(key: str, phone: str) -> str:
    """Keyed, since eight digits can be guessed."""
    return _derived(key, f"phone|v1|{phone}")


def mark_of(secret: str) -> str:
    """What is stored in place of a code, a token or a caller's key."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _derived(key: str, text: str) -> str:
    digest = hmac.new(key.encode(), text.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def with_ask(asks: Sequence[datetime], at: datetime) -> tuple[datetime, ...]:
    """The asks that still count, and this one. TooManyAsks when it is one too many in any such window."""
    recent = tuple(asked for asked in asks if asked > at - ASKS_WINDOW)
    if len(recent) >= ASKS:
        raise TooManyAsks(retry_after=int((recent[-ASKS] + ASKS_WINDOW - at).total_seconds()) + 1)
    return (*recent, at)


HEARD_WITHIN = timedelta(minutes=15)
"""A car that was silent for longer may be where no command reaches it."""


class SelfTest(Struct, frozen=True):
    """Whether the customer's smart key would open the car now; `reasons` when not."""

    reasons: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return not self.reasons


NO_SMART_KEY = "no_smart_key"


def self_test(grant: Grant, online: bool, last_seen: datetime | None, at: datetime) -> SelfTest:
    faults = {
        NO_SMART_KEY: not grant.is_live(at) or at < grant.not_before,
        "car_offline": not online,
        "car_silent": last_seen is None or last_seen <= at - HEARD_WITHIN,
    }
    return SelfTest(tuple(reason for reason, wrong in faults.items() if wrong))


class StuckGrant(Struct, frozen=True):
    """A live grant whose car has not opened yet. `link_died`: its five tries were used up."""

    grant_id: str
    contract_id: str
    car_id: str
    stage: Stage
    link_died: bool
    issued_at: datetime


class Funnel(Struct, frozen=True):
    """One day's grants. issued = unlocked + revoked + expired + len(stuck); sent >= opened >= unlocked.

    `revoked` and `expired` count those that ended before the car ever opened.
    """

    issued: int
    sent: int
    opened: int
    unlocked: int
    revoked: int
    expired: int
    stuck: tuple[StuckGrant, ...]


def funnel_of(grants: Sequence[Grant], at: datetime) -> Funnel:
    waiting = [grant for grant in grants if grant.stage < Stage.UNLOCKED]
    return Funnel(
        issued=len(grants),
        sent=sum(grant.stage >= Stage.SENT for grant in grants),
        opened=sum(grant.stage >= Stage.OPENED for grant in grants),
        unlocked=len(grants) - len(waiting),
        revoked=sum(grant.state_at(at) == State.REVOKED for grant in waiting),
        expired=sum(grant.state_at(at) == State.EXPIRED for grant in waiting),
        stuck=tuple(_stuck(grant) for grant in waiting if grant.is_live(at)),
    )


def _stuck(grant: Grant) -> StuckGrant:
    died = grant.died_no == grant.send_no
    return StuckGrant(grant.grant_id, grant.contract_id, grant.car_id, grant.stage, died, grant.issued_at)
