"""Opening incidents, giving all who are affected a smart key, and taking them back; each row once."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from chalicelib.incidents.model import (
    BELONGS_TO,
    AlreadyOpened,
    DryRun,
    Happened,
    Incident,
    IncidentMoved,
    Key,
    Outcome,
    Piece,
    Row,
    RowInWork,
    RowMoved,
    RowsLeft,
    Seen,
    UnknownIncident,
    Work,
    dry_run_of,
    funnel_of,
    left_out,
)
from chalicelib.kernel.audit import About, Line, Private, line_after, salted
from chalicelib.kernel.clock import Clock
from chalicelib.kernel.done import Done
from chalicelib.kernel.errors import Forbidden, HandoverError, KeyReused, NotFound, Refused
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.ids import keyed_id

ATTEMPTS = 5
EARLY = timedelta(seconds=1)
"""A queue delays by whole seconds."""
NO_MATTER_WHOSE = (Forbidden, NotFound, Refused)
"""Families of refusals that trying again would not change."""


class Order(Struct, frozen=True):
    """A smart key for a contract's customer, once for each incident and contract.

    `grant_id` is the grant it becomes, unless the customer has a live one.
    """

    order_id: str
    grant_id: str
    contract_id: str
    incident_id: str
    reason: str
    issuer: str
    not_after: datetime


class SmartKeys(Protocol):
    """Forbidden, NotFound and Refused are final; whatever else is raised leaves open whether it happened."""

    def issue(self, order: Order) -> Key:
        """The same order always gives the same key, whatever has become of it, and one text."""

    def revoke(self, contract_id: str, grant_id: str, by: str, reason: str) -> None:
        """Twice is once; a key that is over already is nothing to revoke."""


class Standing(Protocol):
    @property
    def state(self) -> str: ...
    @property
    def car_id(self) -> str | None: ...


class Contracts(Protocol):
    def standing(self, contract_id: str) -> Standing:
        """NotFound."""


Told = tuple[Line, Private, Fact]
"""A line of the incident's log, what of it may be erased, and the fact that is published with it."""


class Queue(Protocol):
    def put(self, pieces: Iterable[Piece], at: datetime) -> None:
        """Each comes at least once, about when it is due; one due very much later comes early."""


class Store(Protocol):
    """Every write is one transaction; reads are strongly consistent but `latest`."""

    def open(self, incident: Incident, contracts: Sequence[str], told: Told) -> None:
        """AlreadyOpened when an incident of that id exists."""

    def incident(self, incident_id: str) -> Incident | None: ...
    def latest(self, limit: int, after: str | None) -> tuple[list[Incident], str | None]:
        """The newest first, behind that position; and the position to go on from, None at the end."""

    def save(self, before: Incident, after: Incident, told: Told) -> None:
        """IncidentMoved when it is not as `before`. What was started alone counts for the one who asked:
        IncidentMoved too when that would be more than APPROVAL_SIZE in a day."""

    def alone(self, by: str, at: datetime) -> int:
        """How many contracts this person has given keys that day without a second one."""

    def cohort(self, incident: Incident, first: int, count: int) -> list[str]: ...
    def rows(self, incident_id: str, contracts: Sequence[str]) -> dict[str, Row]:
        """Those that were worked on, by contract."""

    def rows_of_contract(self, contract_id: str) -> list[Row]: ...
    def move(self, before: Row, after: Row) -> None:
        """With the count of its outcome. RowMoved when it is not as `before`; NotRunning when it leaves an
        outcome to be tried again and its incident is not running."""

    def counted(self, incident_id: str) -> Counter[Outcome]: ...
    def finish(self, piece: Piece, outcomes: dict[str, int], at: datetime) -> None:
        """This piece of its run is done; again is no harm."""

    def finished(self, incident_id: str, work: Work, run: int) -> list[dict[str, int]]:
        """The outcomes of the pieces that are done."""

    def take_turns(self, seconds: int, at: datetime) -> datetime:
        """When the first of so many turns begins; turns of all incidents follow one another."""


class IncidentService(Struct, frozen=True):
    store: Store
    smartkeys: SmartKeys
    contracts: Contracts
    queue: Queue
    now: Clock
    new_id: Callable[[str], str]

    # ---- for operations -----------------------------------------------------------------------------------

    def open(
        self, name: str, cause: str, contracts: Iterable[str], by: str, key: str, request: str
    ) -> Done[Incident]:
        """Each contract counts once, however often it is named. `request` is the fingerprint of the body."""
        cohort = list(dict.fromkeys(contracts))
        incident = Incident(
            incident_id=keyed_id("inc", by, key),
            name=name,
            cause=cause,
            affected=len(cohort),
            opened_by=by,
            opened_at=self.now(),
            request=request,
        )
        opened, told = self._told(incident, "IncidentOpened", by, {"affected": incident.affected})
        with suppress(AlreadyOpened):
            self.store.open(opened, cohort, told)
            return Done(opened)
        known = self._incident(incident.incident_id)
        if known.request != request:
            raise KeyReused()
        return Done(known, replayed=True)

    def see(self, incident_id: str) -> Seen:
        incident = self._incident(incident_id)
        counted = self.store.counted(incident_id)
        return Seen(incident, funnel_of(incident.affected, counted), self._dry_run(incident))

    def _dry_run(self, incident: Incident) -> DryRun | None:
        if not incident.tries:
            return None
        return dry_run_of(self.store.finished(incident.incident_id, Work.TRY, incident.tries))

    def rows(self, incident: Incident, first: int, limit: int) -> list[Row]:
        """As the cohort was named; a row nobody has worked on is queued."""
        contracts = self.store.cohort(incident, first, limit)
        known = self.store.rows(incident.incident_id, contracts)
        return [known.get(each) or self._queued(incident, each) for each in contracts]

    def latest(self, limit: int, after: str | None) -> tuple[list[Seen], str | None]:
        incidents, last = self.store.latest(limit, after)
        return [self.see(each.incident_id) for each in incidents], last

    def dry_run(self, incident_id: str, by: str) -> Seen:
        return self._change(incident_id, by, lambda incident, _: incident.tried(), Work.TRY).value

    def give(self, incident_id: str, by: str, not_after: datetime | None) -> Done[Seen]:
        """Smart keys for all, at once or when a second person has approved. Again: for those that have none.

        Nothing changes when all have theirs, or approval is still awaited.
        """

        def think(incident: Incident, at: datetime) -> Incident:
            asked = incident.asked(by, not_after, self.store.alone(by, at), at)
            return asked if self._wanting(incident) else incident

        return self._change(incident_id, by, think, Work.ISSUE)

    def _wanting(self, incident: Incident) -> bool:
        funnel = funnel_of(incident.affected, self.store.counted(incident.incident_id))
        return bool(funnel.queued + funnel.skipped + funnel.failed)

    def approve(self, incident_id: str, by: str) -> Done[Seen]:
        """Approved twice by the same person is approved once."""

        def think(incident: Incident, at: datetime) -> Incident:
            return incident if incident.approved_by == by else incident.approved(by, at)

        return self._change(incident_id, by, think, Work.ISSUE)

    def revoke(self, incident_id: str, by: str, reason: str) -> Done[Seen]:
        """Ends every smart key this incident gave, and gives no more. Twice is once.

        Who had a smart key before keeps it; its window may have grown.
        """

        def think(incident: Incident, at: datetime) -> Incident:
            return incident.revoked(by, reason, at)

        return self._change(incident_id, by, think, Work.REVOKE)

    def _change(
        self, incident_id: str, by: str, think: Callable[[Incident, datetime], Incident], work: Work
    ) -> Done[Seen]:
        """Thought again as long as somebody else was faster. The queue hears of it by the fact."""
        for _ in range(ATTEMPTS):
            before = self._incident(incident_id)
            after = think(before, self.now())
            if after == before:
                return Done(self.see(incident_id), replayed=True)
            with suppress(IncidentMoved):
                self.store.save(before, *self._asked(before, after, by, work))
                return Done(self.see(incident_id))
        raise IncidentMoved()

    def _asked(self, before: Incident, after: Incident, by: str, work: Work) -> tuple[Incident, Told]:
        run = after.tries if work is Work.TRY else after.run
        if run == (before.tries if work is Work.TRY else before.run):
            return self._told(after, "IncidentApprovalAsked", by, {"affected": after.affected})
        about: About = {"work": work.value, "run": run}
        reason = after.revoke_reason if work is Work.REVOKE else after.cause
        return self._told(after, "IncidentWorkStarted", by, about, reason)

    # ---- for the queue ------------------------------------------------------------------------------------

    def spread(self, incident_id: str, work: Work, run: int) -> int:
        """Puts a run's pieces into the queue; twice is no harm. Returns how many."""
        incident, at = self._incident(incident_id), self.now()
        number = incident.count_of_pieces(work)
        start = self.store.take_turns(number, at) if work is Work.ISSUE else at
        self.queue.put(incident.pieces(work, run, start), at)
        return number

    def work(self, piece: Piece) -> int:
        """Does what is left of a piece; how many rows it has. RowsLeft when it must come again."""
        at = self.now()
        if piece.due > at + EARLY:
            self.queue.put([piece], at)
            return 0
        incident = self._incident(piece.incident_id)
        if incident.state not in BELONGS_TO[piece.work]:
            return 0
        return self._work(incident, piece)

    def _work(self, incident: Incident, piece: Piece) -> int:
        rows = self.rows(incident, piece.first, piece.count)
        outcomes, left = Counter[str](), Counter[str]()
        for row in rows:
            try:
                outcomes[self._done(incident, piece, row)] += 1
            except HandoverError as problem:  # the others shall not wait for this one
                left[problem.code] += 1
        if left:
            raise RowsLeft(str(dict(left)))
        self.store.finish(piece, dict(outcomes), self.now())
        self._finish(piece)
        return len(rows)

    def _finish(self, piece: Piece) -> None:
        """Whoever has done the last piece of the latest run says so."""
        incident = self._incident(piece.incident_id)
        if (
            piece.work is Work.TRY
            or incident.state not in BELONGS_TO[piece.work]
            or piece.run != incident.run
        ):
            return
        finished = self.store.finished(piece.incident_id, piece.work, piece.run)
        if len(finished) < incident.count_of_pieces(piece.work):
            return
        about: About = {"work": piece.work.value, "run": piece.run}
        with suppress(IncidentMoved):
            done = incident.done(piece.work)
            self.store.save(incident, *self._told(done, "IncidentWorkDone", "worker", about))

    def _done(self, incident: Incident, piece: Piece, row: Row) -> str:
        """Looks again when a fact, or another worker, has moved the row meanwhile."""
        for _ in range(ATTEMPTS):
            with suppress(RowMoved):
                return self._do(incident, piece, row)
            row = self._again(row)
        raise RowMoved()

    def _again(self, row: Row) -> Row:
        return self.store.rows(row.incident_id, [row.contract_id])[row.contract_id]

    def _do(self, incident: Incident, piece: Piece, row: Row) -> str:
        if piece.work is Work.TRY:
            return self._try(row)
        return (self._issue if piece.work is Work.ISSUE else self._revoke)(incident, piece, row)

    def _try(self, row: Row) -> str:
        return (self._left_out(row.contract_id) or "issue") if row.keyless else row.outcome.value

    def _issue(self, incident: Incident, piece: Piece, row: Row) -> str:
        if not row.wants_work(piece.run):
            return row.outcome.value
        if row.outcome != Outcome.ISSUING:
            if reason := self._left_out(row.contract_id):
                return self._moved(row, row.touched(piece.run, Happened.LEFT_OUT, self.now(), reason))
            claimed = row.touched(piece.run, Happened.CLAIMED, self.now())
            self.store.move(row, claimed)
            row = claimed
        return self._with_key(incident, row)

    def _left_out(self, contract_id: str) -> str | None:
        try:
            standing = self.contracts.standing(contract_id)
        except NotFound as problem:
            return problem.code
        return left_out(standing.state, standing.car_id)

    def _with_key(self, incident: Incident, row: Row) -> str:
        try:
            key = self.smartkeys.issue(_order(incident, row.contract_id))
        except NO_MATTER_WHOSE as problem:
            return self._moved(row, row.after(Happened.REFUSED, self.now(), problem.code))
        return self._moved(row, row.with_key(key, self.now()))

    def _revoke(self, incident: Incident, piece: Piece, row: Row) -> str:
        """A row whose key may be on its way is given it first: then it is certain what there is to end."""
        if row.outcome == Outcome.QUEUED:
            return self._moved(row, row.touched(piece.run, Happened.LEFT_OUT, self.now(), "WITHDRAWN"))
        if row.outcome == Outcome.ISSUING:
            self._with_key(incident, row)
            row = self._again(row)
        event = Happened.KEY_KEPT if row.older else Happened.KEY_REVOKED
        ended = row.heard(event, self.now())
        if ended is None or row.grant_id is None:
            return row.outcome.value
        if not row.older:
            by, reason = incident.revoked_by or "", incident.revoke_reason or ""
            self.smartkeys.revoke(row.contract_id, row.grant_id, by, reason)
        return self._moved(row, replace(ended, run=piece.run))

    def _moved(self, before: Row, after: Row) -> str:
        self.store.move(before, after)
        return after.outcome.value

    # ---- what others tell ---------------------------------------------------------------------------------

    def heard(self, contract_id: str, grant_id: str, event: Happened) -> None:
        """How far a smart key has come. RowInWork when it may be one whose row does not know it yet."""
        for row in self.store.rows_of_contract(contract_id):
            self._heard(row, grant_id, event)

    def _heard(self, row: Row, grant_id: str, event: Happened) -> None:
        for _ in range(ATTEMPTS):
            at = self.now()
            if row.in_work(at):
                raise RowInWork()
            moved = row.heard(event, at) if row.grant_id == grant_id else None
            if moved is None:
                return
            with suppress(RowMoved):
                self.store.move(row, moved)
                return
            row = self._again(row)
        raise RowMoved()

    # ---- small things -------------------------------------------------------------------------------------

    def _incident(self, incident_id: str) -> Incident:
        if incident := self.store.incident(incident_id):
            return incident
        raise UnknownIncident()

    def _queued(self, incident: Incident, contract_id: str) -> Row:
        return Row(incident.incident_id, contract_id, incident.opened_at)

    def _told(
        self, incident: Incident, what: str, by: str, about: About, reason: str | None = None
    ) -> tuple[Incident, Told]:
        """The incident with its log's new end, and what is told of it. Free text may name people."""
        at, data = self.now(), {"incident_id": incident.incident_id, **about}
        said: About = {**data, "state": incident.state.value}
        private = salted({"reason": reason or incident.cause})
        log = incident.incident_id
        line = line_after(incident.head, log, at=at, what=what, who=by, about=said, private=private)
        fact = Fact.of(what, "incidents", log, at=at, id=self.new_id("evt"), data=data)
        return replace(incident, head=line.head), (line, private, fact)


def _order(incident: Incident, contract_id: str) -> Order:
    if incident.not_after is None:
        raise ValueError("a batch was started without an end of its keys")
    return Order(
        order_id=keyed_id("ord", "incident", incident.incident_id, contract_id),
        grant_id=keyed_id("grt", "incident", incident.incident_id, contract_id),
        contract_id=contract_id,
        incident_id=incident.incident_id,
        reason=f"incident {incident.incident_id}",
        issuer=incident.issuer,
        not_after=incident.not_after,
    )
