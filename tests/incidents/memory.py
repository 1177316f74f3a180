"""The incidents store in memory: the same promises as `chalicelib.incidents.store`, in dictionaries."""

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, timedelta

from chalicelib.incidents.model import (
    APPROVAL_SIZE,
    UNKNOWN,
    WITHOUT_A_KEY,
    AlreadyOpened,
    Incident,
    IncidentMoved,
    NotRunning,
    Outcome,
    Piece,
    Row,
    RowMoved,
    State,
    Work,
)
from chalicelib.kernel.audit import Line, Private
from chalicelib.kernel.clock import KST, stamp
from chalicelib.kernel.facts import Fact
from tests.memory import LOCK, MemoryLogs, MemoryWrite

Told = tuple[Line, Private, Fact]


class MemoryIncidents:
    def __init__(self) -> None:
        self.incidents: dict[str, Incident] = {}
        self.cohorts: dict[str, list[str]] = {}
        self.places: dict[tuple[str, str], Row] = {}
        self.counts: dict[str, Counter[Outcome]] = {}
        self.pieces: dict[tuple[str, Work, int], dict[int, dict[str, int]]] = {}
        self.by_one: Counter[tuple[str, date]] = Counter()
        self.next_turn: datetime | None = None
        self.logs = MemoryLogs()
        self.facts: list[Fact] = []

    # ---- incidents ----------------------------------------------------------------------------------------

    def open(self, incident: Incident, contracts: Sequence[str], told: Told) -> None:
        name = incident.incident_id

        def make() -> None:
            self.incidents[name], self.cohorts[name] = incident, list(contracts)

        write = MemoryWrite()
        write.clause(holds=lambda: name not in self.incidents, then=make, otherwise=AlreadyOpened)
        self._tell(write, told)
        write.commit()

    def incident(self, incident_id: str) -> Incident | None:
        return self.incidents.get(incident_id)

    def latest(self, limit: int, after: str | None) -> tuple[list[Incident], str | None]:
        listed = {f"{stamp(each.opened_at)}#{each.incident_id}": each for each in self.incidents.values()}
        places = sorted((place for place in listed if after is None or place < after), reverse=True)
        page = places[:limit]
        return [listed[place] for place in page], page[-1] if len(places) > limit else None

    def save(self, before: Incident, after: Incident, told: Told) -> None:
        name = before.incident_id
        write = MemoryWrite()
        write.clause(
            holds=lambda: _version(self.incidents[name]) == _version(before),
            then=lambda: self.incidents.update({name: after}),
            otherwise=IncidentMoved,
        )
        if after.started_alone(before) and after.started_at:
            mine = (str(after.asked_by), after.started_at.astimezone(KST).date())
            write.clause(
                holds=lambda: self.by_one[mine] + after.affected <= APPROVAL_SIZE,
                then=lambda: self.by_one.update({mine: after.affected}),
                otherwise=IncidentMoved,
            )
        self._tell(write, told)
        write.commit()

    def alone(self, by: str, at: datetime) -> int:
        return self.by_one[by, at.astimezone(KST).date()]

    def _tell(self, write: MemoryWrite, told: Told) -> None:
        line, _, fact = told
        write.line(self.logs, line)
        write.fact(self.facts, fact)

    def cohort(self, incident: Incident, first: int, count: int) -> list[str]:
        return self.cohorts[incident.incident_id][first : first + count]

    # ---- rows ---------------------------------------------------------------------------------------------

    def rows(self, incident_id: str, contracts: Sequence[str]) -> dict[str, Row]:
        found = {each: self.places.get((each, incident_id)) for each in contracts}
        return {contract_id: row for contract_id, row in found.items() if row}

    def rows_of_contract(self, contract_id: str) -> list[Row]:
        return [row for (contract, _), row in self.places.items() if contract == contract_id]

    def move(self, before: Row, after: Row) -> None:
        place, counts = (
            (after.contract_id, after.incident_id),
            self.counts.setdefault(after.incident_id, Counter()),
        )

        def unmoved() -> bool:
            now = self.places.get(place)
            if before.outcome == Outcome.QUEUED:
                return now is None
            return now is not None and (now.outcome, now.run) == (before.outcome, before.run)

        def count() -> None:
            for outcome, by in ((before.outcome, -1), (after.outcome, 1)):
                if outcome not in UNKNOWN:
                    counts[outcome] += by

        write = MemoryWrite()
        write.clause(holds=unmoved, then=lambda: self.places.update({place: after}), otherwise=RowMoved)
        write.clause(then=count)
        if before.outcome in WITHOUT_A_KEY:
            write.clause(
                holds=lambda: self.incidents[after.incident_id].state == State.RUNNING, otherwise=NotRunning
            )
        write.commit()

    def counted(self, incident_id: str) -> Counter[Outcome]:
        with LOCK:
            return Counter(self.counts.get(incident_id, Counter()))

    # ---- runs ---------------------------------------------------------------------------------------------

    def finish(self, piece: Piece, outcomes: dict[str, int], at: datetime) -> None:
        done = self.pieces.setdefault((piece.incident_id, piece.work, piece.run), {})
        done[piece.first] = outcomes

    def finished(self, incident_id: str, work: Work, run: int) -> list[dict[str, int]]:
        return list(self.pieces.get((incident_id, work, run), {}).values())

    def take_turns(self, seconds: int, at: datetime) -> datetime:
        with LOCK:
            start = max(at, self.next_turn or at)
            self.next_turn = start + timedelta(seconds=seconds)
            return start


def _version(incident: Incident) -> tuple[str, int, int]:
    return incident.state, incident.run, incident.tries
