"""The permission: who may act on which car, from when until when, and what ends it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import IntEnum, StrEnum

from msgspec import Struct
from msgspec.structs import replace

from chalicelib.kernel.audit import About, Head, Line, Private, line_after
from chalicelib.kernel.states import Table
from chalicelib.smartkeys.model.errors import (
    BadWindow,
    GrantExpired,
    GrantRevoked,
    MoreThanOwn,
    NotYetValid,
    Refusal,
    Withheld,
)
from chalicelib.smartkeys.model.people import Kind, Person, kind_of

UNLOCK = "unlock"
ACTIONS = (UNLOCK, "lock", "hazard_on", "hazard_off", "horn")
AUTOMATIC = "handover"
"""The issuer of a grant that no person asked for."""

RESCUE_WINDOW = timedelta(days=7)
STAFF_WINDOW = timedelta(minutes=15)
LONGEST_WINDOW = timedelta(days=366)
LINK_LIFE = timedelta(hours=24)
COMMAND_LIFE = timedelta(seconds=15)
"""Of a command that was on its way when its grant was revoked, as doors signs it."""
MOST_USES = 50


class State(StrEnum):
    LIVE = "LIVE"
    REVOKED = "REVOKED"
    EXPIRED = "EXPIRED"


class Event(StrEnum):
    REVOKE = "revoke"
    T_NOT_AFTER = "T.not_after"


class Role(StrEnum):
    CUSTOMER = "customer"
    """Of the contract, about the keys they gave away."""
    OPS = "ops"
    SYSTEM = "system"
    """Facts: the contract is over, or the driver is no longer named."""
    TIMER = "timer"


START = State.LIVE
LIFE = Table(
    (State.LIVE, Event.REVOKE, State.REVOKED, {Role.CUSTOMER, Role.OPS, Role.SYSTEM}),
    (State.LIVE, Event.T_NOT_AFTER, State.EXPIRED, {Role.TIMER}),
)


class Told(StrEnum):
    """What a grant's log can say."""

    ISSUED = "issued"
    WINDOW_CHANGED = "window_changed"
    CAR_CHANGED = "car_changed"
    LINK_MADE = "link_made"
    OPENED = "opened"
    PROOF_WRONG = "proof_wrong"
    LINK_DIED = "link_died"
    ASKS_STOPPED = "asks_stopped"
    STEPPED_UP = "stepped_up"
    SESSION_ENDED = "session_ended"
    REVOKED = "revoked"


class Stage(IntEnum):
    """How far a grant has come towards an open car."""

    ISSUED = 0
    SENT = 1
    OPENED = 2
    UNLOCKED = 3


class Entry(Struct, frozen=True):
    """A line of a grant's log, and what is personal in it."""

    line: Line
    private: Private | None = None


class Order(Struct, frozen=True):
    """One wish for a smart key. `order_id` is its natural key, from a fact's id or an Idempotency-Key.

    `grant_id` is the grant it becomes, unless the holder has a live one. `not_before` None: at once.
    `person`: whom operations name as the holder. `shared`: the contract's customer gives it away.
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
    actions: tuple[str, ...] | None = None
    max_uses: int | None = None
    person: Person | None = None
    incident_id: str | None = None
    shared: bool = False

    @property
    def automatic(self) -> bool:
        return self.issuer == AUTOMATIC

    @property
    def kind(self) -> Kind:
        return kind_of(self.holder)

    @property
    def by_link(self) -> bool:
        """Staff act where they are signed in; everybody else is sent a link."""
        return self.kind is not Kind.STAFF


class Grant(Struct, frozen=True):
    """`send_no` counts its links: only the latest works, until `link_until`. `head`: where its log ends.

    `uses`: the commands that have opened its car or still may, for a grant with `max_uses`.
    """

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
    max_uses: int | None = None
    incident_id: str | None = None
    given_by: str | None = None
    """The grant of the customer who gave it away; it ends with that one."""
    state: State = START
    head: Head = Head()
    uses: tuple[str, ...] = ()
    died_no: int | None = None
    """The latest link whose tries were used up, or whose session ended so."""
    sent_at: datetime | None = None
    opened_at: datetime | None = None
    unlocked_at: datetime | None = None
    revoked_at: datetime | None = None
    revoked_by: str | None = None
    revoked_for: str | None = None

    @property
    def kind(self) -> Kind:
        return kind_of(self.holder)

    @property
    def who(self) -> str:
        """Its holder in logs and facts: opaque."""
        return self.holder if self.kind is Kind.STAFF else f"{self.kind}:{self.grant_id}"

    @property
    def uses_left(self) -> int | None:
        return None if self.max_uses is None else max(0, self.max_uses - len(self.uses))

    def state_at(self, at: datetime) -> State:
        lapsed = self.state == State.LIVE and at >= self.not_after
        return LIFE.after(self.state, Event.T_NOT_AFTER) if lapsed else self.state

    def seen_at(self, at: datetime) -> "Grant":
        return replace(self, state=self.state_at(at))

    def is_live(self, at: datetime) -> bool:
        return self.state_at(at) == State.LIVE

    def refusal(self, at: datetime) -> Refusal | None:
        """Why it cannot be used now, if it cannot."""
        if self.state == State.REVOKED:
            return GrantRevoked()
        if at >= self.not_after:
            return GrantExpired()
        return NotYetValid() if at < self.not_before else None

    def withheld_from(self, order: Order) -> bool:
        """What operations ended, neither a fact nor the customer brings back."""
        if self.state != State.REVOKED:
            return False
        ended_by_others = self.revoked_by not in (order.issuer, AUTOMATIC)
        return order.automatic or (order.shared and ended_by_others)

    @property
    def link_died(self) -> bool:
        return self.died_no is not None and self.died_no == self.send_no

    def with_new_link(self, at: datetime) -> "Grant":
        until = min(at + LINK_LIFE, self.not_after)
        return replace(self, send_no=self.send_no + 1, link_until=until, died_no=None)

    def told(
        self, what: Told, who: str, at: datetime, about: About | None = None, private: Private | None = None
    ) -> tuple["Grant", Entry]:
        """The grant with its log's new head, and the line. `private`: salted."""
        words = {"contract_id": self.contract_id, "car_id": self.car_id, **(about or {})}
        line = line_after(self.head, self.grant_id, at=at, what=what, who=who, about=words, private=private)
        return replace(self, head=line.head), Entry(line, private)

    @property
    def terms(self) -> About:
        """What it allows, for its log."""
        return {
            "holder": self.kind.value,
            "not_before": self.not_before.isoformat(),
            "not_after": self.not_after.isoformat(),
            "actions": ",".join(self.actions),
            "max_uses": self.max_uses,
            "send_no": self.send_no,
            "incident_id": self.incident_id,
        }

    @property
    def stage(self) -> Stage:
        """The furthest proof there is: facts may arrive in any order."""
        if self.unlocked_at:
            return Stage.UNLOCKED
        if self.opened_at:
            return Stage.OPENED
        return Stage.SENT if self.sent_at else Stage.ISSUED


def capped(order: Order, ends_at: datetime, giver: Grant | None) -> Order:
    """The order within what may be given: a driver's key ends with the contract at the latest, and nobody
    gives away more than their own (`giver`) allows. MoreThanOwn for actions beyond it, and for a key that is
    good for so many uses: given away it would be good for more."""
    if order.kind is not Kind.DRIVER:
        return order
    order = replace(order, not_after=min(order.not_after, ends_at))
    if giver is None:
        return order
    if giver.max_uses is not None or not set(order.actions or ()) <= set(giver.actions):
        raise MoreThanOwn()
    begins = (
        order.not_before if order.not_before and order.not_before > giver.not_before else giver.not_before
    )
    return replace(
        order,
        not_before=begins,
        not_after=min(order.not_after, giver.not_after),
        actions=order.actions or giver.actions,
    )


def decide(
    order: Order, current: Grant | None, car_id: str, at: datetime, given_by: str | None = None
) -> Grant:
    """The grant as it shall stand after this order, given the holder's latest one.

    A second cause widens a live grant without another text. A person's order on a live grant sets its terms
    and sends a new link; an incident's never shortens it. What a person ended no fact brings back: Withheld.
    """
    begins = max(at, order.not_before or at)
    if not begins < order.not_after <= at + LONGEST_WINDOW:
        raise BadWindow()
    begins, ends = begins.astimezone(UTC), order.not_after.astimezone(UTC)
    if current is None or not current.is_live(at):
        if current and current.withheld_from(order):
            raise Withheld()
        return replace(_new(order, car_id, begins, ends, at), given_by=given_by)
    widest = max(current.not_after, ends)
    if order.automatic:
        return replace(current, car_id=car_id, not_after=widest)
    renewed = replace(
        current,
        car_id=car_id,
        not_before=begins if order.not_before else current.not_before,
        not_after=widest if order.incident_id else ends,
        actions=order.actions or current.actions,
        max_uses=order.max_uses or current.max_uses,
        uses=() if order.max_uses else current.uses,
        incident_id=order.incident_id or current.incident_id,
        given_by=given_by,
    )
    return renewed.with_new_link(at) if order.by_link else renewed


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
        link_until=min(at + LINK_LIFE, ends) if order.by_link else at,
        send_no=1 if order.by_link else 0,
        actions=order.actions or ACTIONS,
        max_uses=order.max_uses,
        incident_id=order.incident_id,
    )


def latest_first(grants: Sequence[Grant], at: datetime) -> list[Grant]:
    seen = [grant.seen_at(at) for grant in grants]
    return sorted(seen, key=lambda grant: grant.issued_at, reverse=True)
