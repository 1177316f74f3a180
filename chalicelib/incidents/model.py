"""An incident's batch and its rows: one row for each contract, with one outcome at any time.

A batch is worked through in runs. A run is cut into pieces, each of which may be worked on twice, late, or by
two at once: what a row has become is decided by conditions on the row. A row that is `issuing` may or may not
have its key; its order is named by incident and contract, so asking again finds out and adds nothing.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from chalicelib.kernel.audit import Head
from chalicelib.kernel.errors import Busy, Conflict, Forbidden, NotFound, Refused
from chalicelib.kernel.states import Table

MOST_AFFECTED = 10_000
APPROVAL_SIZE = 100
"""Whoever gives keys to more contracts within a day, in one batch or several, needs a second person."""
RESCUE_WINDOW = timedelta(days=7)
LONGEST_WINDOW = timedelta(days=366)
PER_SECOND = 20
"""What an account of SNS takes by default: the pace at which the rows of all incidents take their turns."""
IN_WORK = timedelta(minutes=15)
"""So long a row counts as being worked on; its piece has come again several times by then."""

WITH_A_CAR = frozenset(
    {
        "preparing",
        "at_risk",
        "ready",
        "active",
        "swap_pending",
        "cancel_scheduled",
        "return_scheduled",
        "return_overdue",
    }
)
"""The states of a contract in which its customer may be in need of the car."""


class State(StrEnum):
    DRAFT = "draft"
    AWAITING_APPROVAL = "awaiting_approval"
    RUNNING = "running"
    DONE = "done"
    REVOKING = "revoking"
    REVOKED = "revoked"


class Event(StrEnum):
    START = "start"
    ASK_APPROVAL = "ask_approval"
    APPROVE = "approve"
    ALL_TRIED = "all_tried"
    REVOKE = "revoke"
    ALL_ENDED = "all_ended"


class Role(StrEnum):
    OPS = "ops"
    SECOND = "second person"
    WORKER = "worker"
    FACT = "fact"


START = State.DRAFT
BATCH = Table(
    (State.DRAFT, Event.START, State.RUNNING, {Role.OPS}),
    (State.DRAFT, Event.ASK_APPROVAL, State.AWAITING_APPROVAL, {Role.OPS}),
    (State.AWAITING_APPROVAL, Event.APPROVE, State.RUNNING, {Role.SECOND}),
    (State.RUNNING, Event.START, State.RUNNING, {Role.OPS}),
    (State.RUNNING, Event.ALL_TRIED, State.DONE, {Role.WORKER}),
    (State.DONE, Event.START, State.RUNNING, {Role.OPS}),
    (State.DRAFT, Event.REVOKE, State.REVOKING, {Role.OPS}),
    (State.AWAITING_APPROVAL, Event.REVOKE, State.REVOKING, {Role.OPS}),
    (State.RUNNING, Event.REVOKE, State.REVOKING, {Role.OPS}),
    (State.DONE, Event.REVOKE, State.REVOKING, {Role.OPS}),
    (State.REVOKING, Event.REVOKE, State.REVOKING, {Role.OPS}),
    (State.REVOKING, Event.ALL_ENDED, State.REVOKED, {Role.WORKER}),
)


class Outcome(StrEnum):
    """Where a row stands. `queued` and `issuing` are counted together: not yet known."""

    QUEUED = "queued"
    ISSUING = "issuing"
    ISSUED = "issued"
    SENT = "sent"
    OPENED = "opened"
    UNLOCKED = "unlocked"
    UNREACHABLE = "unreachable"
    SKIPPED = "skipped"
    FAILED = "failed"
    REVOKED = "revoked"
    KEPT = "kept"
    """Revoked with the others, but the customer's smart key is older than the incident and goes on."""


class Happened(StrEnum):
    CLAIMED = "claimed"
    LEFT_OUT = "left_out"
    KEY_ISSUED = "key_issued"
    REFUSED = "refused"
    TEXT_SENT = "text_sent"
    TEXT_REFUSED = "text_refused"
    LINK_OPENED = "link_opened"
    CAR_UNLOCKED = "car_unlocked"
    KEY_REVOKED = "key_revoked"
    KEY_KEPT = "key_kept"


_WORKER, _FACT, _EITHER = {Role.WORKER}, {Role.FACT}, {Role.WORKER, Role.FACT}
ROW = Table(
    (Outcome.QUEUED, Happened.CLAIMED, Outcome.ISSUING, _WORKER),
    (Outcome.QUEUED, Happened.LEFT_OUT, Outcome.SKIPPED, _WORKER),
    (Outcome.ISSUING, Happened.KEY_ISSUED, Outcome.ISSUED, _WORKER),
    (Outcome.ISSUING, Happened.REFUSED, Outcome.FAILED, _WORKER),
    (Outcome.SKIPPED, Happened.CLAIMED, Outcome.ISSUING, _WORKER),
    (Outcome.SKIPPED, Happened.LEFT_OUT, Outcome.SKIPPED, _WORKER),
    (Outcome.FAILED, Happened.CLAIMED, Outcome.ISSUING, _WORKER),
    (Outcome.FAILED, Happened.LEFT_OUT, Outcome.SKIPPED, _WORKER),
    (Outcome.ISSUED, Happened.TEXT_SENT, Outcome.SENT, _FACT),
    (Outcome.ISSUED, Happened.TEXT_REFUSED, Outcome.UNREACHABLE, _FACT),
    (Outcome.ISSUED, Happened.LINK_OPENED, Outcome.OPENED, _FACT),
    (Outcome.ISSUED, Happened.CAR_UNLOCKED, Outcome.UNLOCKED, _EITHER),
    (Outcome.ISSUED, Happened.KEY_REVOKED, Outcome.REVOKED, _EITHER),
    (Outcome.UNREACHABLE, Happened.TEXT_SENT, Outcome.SENT, _FACT),
    (Outcome.UNREACHABLE, Happened.LINK_OPENED, Outcome.OPENED, _FACT),
    (Outcome.UNREACHABLE, Happened.CAR_UNLOCKED, Outcome.UNLOCKED, _FACT),
    (Outcome.UNREACHABLE, Happened.KEY_REVOKED, Outcome.REVOKED, _EITHER),
    (Outcome.SENT, Happened.LINK_OPENED, Outcome.OPENED, _FACT),
    (Outcome.SENT, Happened.CAR_UNLOCKED, Outcome.UNLOCKED, _FACT),
    (Outcome.SENT, Happened.KEY_REVOKED, Outcome.REVOKED, _EITHER),
    (Outcome.OPENED, Happened.CAR_UNLOCKED, Outcome.UNLOCKED, _FACT),
    (Outcome.OPENED, Happened.KEY_REVOKED, Outcome.REVOKED, _EITHER),
    (Outcome.UNLOCKED, Happened.KEY_REVOKED, Outcome.REVOKED, _EITHER),
    (Outcome.ISSUED, Happened.KEY_KEPT, Outcome.KEPT, _WORKER),
    (Outcome.UNREACHABLE, Happened.KEY_KEPT, Outcome.KEPT, _WORKER),
    (Outcome.SENT, Happened.KEY_KEPT, Outcome.KEPT, _WORKER),
    (Outcome.OPENED, Happened.KEY_KEPT, Outcome.KEPT, _WORKER),
    (Outcome.UNLOCKED, Happened.KEY_KEPT, Outcome.KEPT, _WORKER),
    (Outcome.KEPT, Happened.KEY_REVOKED, Outcome.REVOKED, _FACT),
)
"""Facts come in any order: one that has no row here is older than what is known already."""

UNKNOWN = frozenset({Outcome.QUEUED, Outcome.ISSUING})
WITHOUT_A_KEY = frozenset({Outcome.SKIPPED, Outcome.FAILED})
"""Another run tries these again."""


class UnknownIncident(NotFound):
    """There is no such incident."""


class SecondPersonNeeded(Forbidden):
    """Whoever asked for a batch cannot approve it; ask a colleague."""


class BadWindow(Refused):
    """The smart keys must end in the future, and within a year."""


class OtherTerms(Refused):
    """This batch was started with another end of its smart keys; open a new incident."""


class IncidentMoved(Conflict):
    """This incident has changed since it was read."""


class RowMoved(Conflict):
    """This row has changed since it was read."""


class AlreadyOpened(Conflict):
    """This incident was opened before."""


class NotRunning(Conflict):
    """This batch was revoked meanwhile."""


class RowInWork(Busy):
    """This contract's key is just being issued; what is said of it is heard again later."""


class RowsLeft(Busy):
    """Some rows of this piece could not be done; it comes again."""


class Work(StrEnum):
    ISSUE = "issue"
    TRY = "try"
    """What would happen, with nothing changed."""
    REVOKE = "revoke"


SIZE = {Work.ISSUE: PER_SECOND, Work.TRY: 100, Work.REVOKE: 100}
"""Rows in a piece; a piece of issuing is the turn of one second."""
BELONGS_TO = {Work.ISSUE: {State.RUNNING}, Work.TRY: set(State), Work.REVOKE: {State.REVOKING}}
"""The states in which a piece of this work is still wanted."""


class Piece(Struct, frozen=True):
    """`count` rows of the cohort from number `first` on, not before `due`."""

    incident_id: str
    work: Work
    run: int
    first: int
    count: int
    due: datetime


class Incident(Struct, frozen=True):
    """`affected` contracts, frozen when it was opened. `run` counts the works that were started, the latest
    at `started_at`; `tries` the dry runs. `request` is the fingerprint of the body that opened it; `head` the
    end of its log."""

    incident_id: str
    name: str
    cause: str
    affected: int
    opened_by: str
    opened_at: datetime
    request: str
    state: State = START
    run: int = 0
    started_at: datetime | None = None
    tries: int = 0
    not_after: datetime | None = None
    asked_by: str | None = None
    asked_at: datetime | None = None
    approved_by: str | None = None
    approved_at: datetime | None = None
    revoked_by: str | None = None
    revoked_at: datetime | None = None
    revoke_reason: str | None = None
    head: Head = Head()

    def started_alone(self, before: "Incident") -> bool:
        """Whether one person has just started it, with nobody to approve it."""
        return (before.state, self.state) == (State.DRAFT, State.RUNNING)

    @property
    def issuer(self) -> str:
        """Whoever answers for the keys."""
        return self.approved_by or self.asked_by or self.opened_by

    def stalled(self, at: datetime) -> bool:
        """Whether its work should be over by now: some of it waits among what failed for good."""
        turns = timedelta(seconds=self.affected / PER_SECOND)
        return self.started_at is not None and at >= self.started_at + turns + IN_WORK

    def tried(self) -> "Incident":
        return replace(self, tries=self.tries + 1)

    def asked(self, by: str, not_after: datetime | None, alone: int, at: datetime) -> "Incident":
        """Running, or waiting for a second person. Asked again when it is done, or has stalled: another run.

        `alone`: so many contracts `by` has given keys today without one. BadWindow, OtherTerms.
        """
        if self.state == State.DRAFT:
            ends = not_after or at + RESCUE_WINDOW
            wanted = replace(self, not_after=ends, asked_by=by, asked_at=at)
            wanted.require_window(at)
            if alone + self.affected > APPROVAL_SIZE:
                return replace(wanted, state=BATCH.after(self.state, Event.ASK_APPROVAL))
            return wanted._started(Event.START, at)
        if not_after not in (None, self.not_after):
            raise OtherTerms()
        working = self.state == State.RUNNING and not self.stalled(at)
        if working or self.state == State.AWAITING_APPROVAL:
            return self
        self.require_window(at)
        return self._started(Event.START, at)

    def approved(self, by: str, at: datetime) -> "Incident":
        """SecondPersonNeeded, BadWindow when the keys' end has passed meanwhile."""
        started = self._started(Event.APPROVE, at)
        if by == self.asked_by:
            raise SecondPersonNeeded()
        self.require_window(at)
        return replace(started, approved_by=by, approved_at=at)

    def revoked(self, by: str, reason: str, at: datetime) -> "Incident":
        working = self.state == State.REVOKING and not self.stalled(at)
        if working or self.state == State.REVOKED:
            return self
        started = self._started(Event.REVOKE, at)
        return replace(started, revoked_by=by, revoked_at=at, revoke_reason=reason)

    def done(self, work: Work) -> "Incident":
        over = {Work.ISSUE: Event.ALL_TRIED, Work.REVOKE: Event.ALL_ENDED}
        return replace(self, state=BATCH.after(self.state, over[work]))

    def _started(self, event: Event, at: datetime) -> "Incident":
        return replace(self, state=BATCH.after(self.state, event), run=self.run + 1, started_at=at)

    def require_window(self, at: datetime) -> None:
        if self.not_after is None or not at < self.not_after <= at + LONGEST_WINDOW:
            raise BadWindow()

    def pieces(self, work: Work, run: int, start: datetime) -> Iterator[Piece]:
        """All rows; those of issuing one second after the other."""
        size = SIZE[work]
        for turn, first in enumerate(range(0, self.affected, size)):
            due = start + timedelta(seconds=turn) if work is Work.ISSUE else start
            count = min(size, self.affected - first)
            yield Piece(self.incident_id, work, run, first, count, due)

    def count_of_pieces(self, work: Work) -> int:
        return -(-self.affected // SIZE[work])


class Key(Struct, frozen=True):
    """What issuing gave. `older`: the customer had it before, and it goes on with a new link; `unlocked`: it
    has opened the car."""

    grant_id: str
    older: bool = False
    unlocked: bool = False


class Row(Struct, frozen=True):
    """`reason` says why it was skipped or failed; `run` which run touched it last; `at`: its latest move.
    `older`: its grant was not given by this incident, and is not taken back with it."""

    incident_id: str
    contract_id: str
    at: datetime
    outcome: Outcome = Outcome.QUEUED
    run: int = 0
    reason: str | None = None
    grant_id: str | None = None
    older: bool = False

    @property
    def keyless(self) -> bool:
        return self.outcome in UNKNOWN | WITHOUT_A_KEY

    def wants_work(self, run: int) -> bool:
        """Whether this run still has to do something about it."""
        return self.outcome in UNKNOWN or (self.outcome in WITHOUT_A_KEY and self.run < run)

    def in_work(self, at: datetime) -> bool:
        return self.outcome == Outcome.ISSUING and at < self.at + IN_WORK

    def after(self, event: Happened, at: datetime, reason: str | None = None) -> "Row":
        return replace(self, outcome=ROW.after(self.outcome, event), at=at, reason=reason)

    def touched(self, run: int, event: Happened, at: datetime, reason: str | None = None) -> "Row":
        return replace(self.after(event, at, reason), run=run)

    def with_key(self, key: Key, at: datetime) -> "Row":
        row = replace(self.after(Happened.KEY_ISSUED, at), grant_id=key.grant_id, older=key.older)
        return row.after(Happened.CAR_UNLOCKED, at) if key.unlocked else row

    def heard(self, event: Happened, at: datetime) -> "Row | None":
        """None when more is known already."""
        return self.after(event, at) if ROW.allows(self.outcome, event) else None


def left_out(state: str, car_id: str | None) -> str | None:
    """Why a contract in this state gets no smart key; None when it gets one."""
    if state not in WITH_A_CAR:
        return "CONTRACT_" + state.upper()
    return None if car_id else "NO_CAR"


class Funnel(Struct, frozen=True):
    """affected = the sum of all others. Each row is counted where it stands, so `sent` counts the texts that
    nobody has opened yet."""

    affected: int
    queued: int
    issued: int
    sent: int
    opened: int
    unlocked: int
    unreachable: int
    skipped: int
    failed: int
    revoked: int
    kept: int


def funnel_of(affected: int, counted: Mapping[Outcome, int]) -> Funnel:
    """`counted`: every row that has an outcome."""
    known = {outcome.value: counted.get(outcome, 0) for outcome in Outcome if outcome not in UNKNOWN}
    return Funnel(affected=affected, queued=affected - sum(known.values()), **known)


class DryRun(Struct, frozen=True):
    """`checked` of all contracts so far. `outcomes`: "issue", what a row is already, or why not."""

    checked: int
    outcomes: dict[str, int]


def dry_run_of(parts: list[dict[str, int]]) -> DryRun:
    total: Counter[str] = Counter()
    for part in parts:
        total.update(part)
    return DryRun(total.total(), dict(sorted(total.items())))


class Seen(Struct, frozen=True):
    incident: Incident
    funnel: Funnel
    dry_run: DryRun | None
