"""Incidents on DynamoDB, table `<stage>-incidents`.

`pk = INCIDENT#<incident_id>`, `sk = INCIDENT`: the incident.
`pk = INCIDENT#<incident_id>`, `sk = COHORT#<no>`: five hundred of its contracts, as they were named.
`pk = INCIDENT#<incident_id>`, `sk = COUNT#<shard>`: how many of a shard's rows have which outcome.
`pk = INCIDENT#<incident_id>`, `sk = PIECE#<work>#<run>#<first>`: a piece of a run that is done.
`pk = CONTRACT#<contract_id>`, `sk = INCIDENT#<incident_id>`: a row; facts about the contract find it here.
`pk = INCIDENTS`, `sk = <opened_at>#<incident_id>`: the list.
`pk = STAFF#<sub>`, `sk = ALONE#<day>`: how many contracts a person has given keys without a second one.
`pk = TURNS`, `sk = TURNS`: until when the turns of the texts are taken.

A row and the count of its outcome change in one transaction, so that the counts always add up to the rows;
what has no row yet is queued. Everything goes by TTL three years after the incident, as complaints do.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zlib import crc32

import msgspec
from msgspec.structs import asdict
from pynamodb.attributes import BooleanAttribute, ListAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.expressions.update import Action

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
from chalicelib.kernel.clock import KST, moment, stamp
from chalicelib.kernel.errors import Busy
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.tables import AllOrNothing, Item, table_name

TABLE = table_name("incidents")
KEPT = timedelta(days=3 * 366)
IN_PAGE = 500
SHARDS = 8
TRIES = 8


class IncidentItem(Item):
    """`body`: the incident as JSON; state, run and tries stand beside it for conditions."""

    class Meta:
        table_name = TABLE

    body = UnicodeAttribute()
    state = UnicodeAttribute()
    run = NumberAttribute()
    tries = NumberAttribute()
    ttl = NumberAttribute()


class ListedItem(Item):
    class Meta:
        table_name = TABLE

    incident_id = UnicodeAttribute()
    ttl = NumberAttribute()


class CohortItem(Item):
    class Meta:
        table_name = TABLE

    contracts: ListAttribute[Any] = ListAttribute()
    ttl = NumberAttribute()


class CountItem(Item):
    class Meta:
        table_name = TABLE

    issued = NumberAttribute(null=True)
    sent = NumberAttribute(null=True)
    opened = NumberAttribute(null=True)
    unlocked = NumberAttribute(null=True)
    unreachable = NumberAttribute(null=True)
    skipped = NumberAttribute(null=True)
    failed = NumberAttribute(null=True)
    revoked = NumberAttribute(null=True)
    kept = NumberAttribute(null=True)
    ttl = NumberAttribute(null=True)


class PieceItem(Item):
    class Meta:
        table_name = TABLE

    outcomes = UnicodeAttribute()
    ttl = NumberAttribute()


class RowItem(Item):
    class Meta:
        table_name = TABLE

    incident_id = UnicodeAttribute()
    contract_id = UnicodeAttribute()
    at = UnicodeAttribute()
    outcome = UnicodeAttribute()
    run = NumberAttribute()
    reason = UnicodeAttribute(null=True)
    grant_id = UnicodeAttribute(null=True)
    older = BooleanAttribute()
    ttl = NumberAttribute()


class AloneItem(Item):
    class Meta:
        table_name = TABLE

    contracts = NumberAttribute()
    ttl = NumberAttribute()


class TurnsItem(Item):
    class Meta:
        table_name = TABLE

    next_at = NumberAttribute()


Told = tuple[Line, Private, Fact]


def _tell(write: AllOrNothing, told: Told) -> None:
    line, private, fact = told
    write.line(IncidentItem, line, private=private, fact=fact)


def _alone_key(by: str, at: datetime) -> tuple[str, str]:
    return f"STAFF#{by}", f"ALONE#{at.astimezone(KST).date().isoformat()}"


def _key(incident_id: str) -> IncidentItem:
    return IncidentItem(f"INCIDENT#{incident_id}", "INCIDENT")


def _gone_by(at: datetime) -> int:
    return int((at + KEPT).timestamp())


class IncidentStore:
    # ---- incidents ----------------------------------------------------------------------------------------

    def open(self, incident: Incident, contracts: Sequence[str], told: Told) -> None:
        ttl = _gone_by(incident.opened_at)
        write = AllOrNothing()
        write.put(_item(incident), only_if=IncidentItem.pk.does_not_exist(), otherwise=AlreadyOpened)
        listed = f"{stamp(incident.opened_at)}#{incident.incident_id}"
        write.put(ListedItem("INCIDENTS", listed, incident_id=incident.incident_id, ttl=ttl))
        for no, start in enumerate(range(0, len(contracts), IN_PAGE)):
            page = list(contracts[start : start + IN_PAGE])
            write.put(CohortItem(*_cohort_key(incident.incident_id, no), contracts=page, ttl=ttl))
        _tell(write, told)
        write.commit()

    def incident(self, incident_id: str) -> Incident | None:
        item = IncidentItem.load(*_place(_key(incident_id)))
        return msgspec.json.decode(item.body, type=Incident) if item else None

    def latest(self, limit: int, after: str | None) -> tuple[list[Incident], str | None]:
        start = {"pk": {"S": "INCIDENTS"}, "sk": {"S": after}} if after else None
        found = ListedItem.query(
            "INCIDENTS", limit=limit, page_size=limit, scan_index_forward=False, last_evaluated_key=start
        )
        listed = [self.incident(item.incident_id) for item in found]
        last = found.last_evaluated_key
        return [each for each in listed if each], last["sk"]["S"] if last else None

    def save(self, before: Incident, after: Incident, told: Told) -> None:
        as_read = (
            (IncidentItem.state == before.state)
            & (IncidentItem.run == before.run)
            & (IncidentItem.tries == before.tries)
        )
        write = AllOrNothing()
        write.put(_item(after), only_if=as_read, otherwise=IncidentMoved)
        if after.started_alone(before) and after.asked_by and after.started_at:
            few = AloneItem.contracts <= APPROVAL_SIZE - after.affected
            write.update(
                AloneItem(*_alone_key(after.asked_by, after.started_at)),
                AloneItem.contracts.add(after.affected),
                AloneItem.ttl.set(_gone_by(after.started_at)),
                only_if=few | AloneItem.pk.does_not_exist(),
                otherwise=IncidentMoved,
            )
        _tell(write, told)
        write.commit()

    def alone(self, by: str, at: datetime) -> int:
        item = AloneItem.load(*_alone_key(by, at))
        return int(item.contracts) if item else 0

    def cohort(self, incident: Incident, first: int, count: int) -> list[str]:
        last = min(first + count, incident.affected)
        found: list[str] = []
        for no in range(first // IN_PAGE, -(-last // IN_PAGE)):
            page = CohortItem.load(*_cohort_key(incident.incident_id, no))
            found += page.contracts if page else []
        skipped = first - first % IN_PAGE
        return found[first - skipped : last - skipped]

    # ---- rows ---------------------------------------------------------------------------------------------

    def rows(self, incident_id: str, contracts: Sequence[str]) -> dict[str, Row]:
        keys = [(f"CONTRACT#{contract_id}", f"INCIDENT#{incident_id}") for contract_id in contracts]
        return {row.contract_id: row for row in map(_row, RowItem.batch_get(keys, consistent_read=True))}

    def rows_of_contract(self, contract_id: str) -> list[Row]:
        found = RowItem.query(
            f"CONTRACT#{contract_id}", RowItem.sk.startswith("INCIDENT#"), consistent_read=True
        )
        return [_row(item) for item in found]

    def move(self, before: Row, after: Row) -> None:
        new = before.outcome == Outcome.QUEUED
        as_read = (RowItem.outcome == before.outcome) & (RowItem.run == before.run)
        write = AllOrNothing()
        write.put(
            _row_item(after), only_if=RowItem.pk.does_not_exist() if new else as_read, otherwise=RowMoved
        )
        if counts := _counts(before, after):
            shard = crc32(after.contract_id.encode()) % SHARDS
            write.update(
                CountItem(f"INCIDENT#{after.incident_id}", f"COUNT#{shard}"),
                *counts,
                CountItem.ttl.set(_gone_by(after.at)),
            )
        if before.outcome in WITHOUT_A_KEY:
            running = IncidentItem.state == State.RUNNING
            write.check(_key(after.incident_id), only_if=running, otherwise=NotRunning)
        write.commit()

    def counted(self, incident_id: str) -> Counter[Outcome]:
        total: Counter[Outcome] = Counter()
        found = CountItem.query(
            f"INCIDENT#{incident_id}", CountItem.sk.startswith("COUNT#"), consistent_read=True
        )
        for item in found:
            for outcome in COUNTED:
                total[outcome] += int(getattr(item, outcome.value) or 0)
        return total

    # ---- runs ---------------------------------------------------------------------------------------------

    def finish(self, piece: Piece, outcomes: dict[str, int], at: datetime) -> None:
        said = msgspec.json.encode(outcomes).decode()
        key = f"{_run_prefix(piece.work, piece.run)}{piece.first:06d}"
        write = AllOrNothing()
        write.put(PieceItem(f"INCIDENT#{piece.incident_id}", key, outcomes=said, ttl=_gone_by(at)))
        write.commit()

    def finished(self, incident_id: str, work: Work, run: int) -> list[dict[str, int]]:
        found = PieceItem.query(
            f"INCIDENT#{incident_id}", PieceItem.sk.startswith(_run_prefix(work, run)), consistent_read=True
        )
        return [msgspec.json.decode(item.outcomes, type=dict[str, int]) for item in found]

    def take_turns(self, seconds: int, at: datetime) -> datetime:
        now = int(at.timestamp() * 1000)
        for _ in range(TRIES):
            seen = TurnsItem.load("TURNS", "TURNS")
            start = max(now, int(seen.next_at) if seen else 0)
            as_read = TurnsItem.next_at == seen.next_at if seen else TurnsItem.pk.does_not_exist()
            write = AllOrNothing()
            write.put(
                TurnsItem("TURNS", "TURNS", next_at=start + seconds * 1000), only_if=as_read, otherwise=Busy
            )
            try:
                write.commit()
            except Busy:
                continue
            return datetime.fromtimestamp(start / 1000, UTC)
        raise Busy()


COUNTED = tuple(outcome for outcome in Outcome if outcome not in UNKNOWN)


def _counts(before: Row, after: Row) -> list[Action]:
    """One less here, one more there; nothing for what is counted as queued, or stays."""
    if before.outcome == after.outcome:
        return []
    changes = ((before.outcome, -1), (after.outcome, 1))
    return [getattr(CountItem, outcome.value).add(by) for outcome, by in changes if outcome in COUNTED]


def _run_prefix(work: Work, run: int) -> str:
    return f"PIECE#{work.value}#{run:06d}#"


def _cohort_key(incident_id: str, no: int) -> tuple[str, str]:
    return f"INCIDENT#{incident_id}", f"COHORT#{no:04d}"


def _place(item: Item) -> tuple[str, str]:
    return item.pk, item.sk


def _item(incident: Incident) -> IncidentItem:
    item = _key(incident.incident_id)
    item.body = msgspec.json.encode(incident).decode()
    item.state, item.run, item.tries = incident.state, incident.run, incident.tries
    item.ttl = _gone_by(incident.opened_at)
    return item


def _row_item(row: Row) -> RowItem:
    values = {**asdict(row), "at": stamp(row.at), "outcome": row.outcome.value, "ttl": _gone_by(row.at)}
    return RowItem(f"CONTRACT#{row.contract_id}", f"INCIDENT#{row.incident_id}", **values)


def _row(item: RowItem) -> Row:
    return Row(
        incident_id=item.incident_id,
        contract_id=item.contract_id,
        at=moment(item.at),
        outcome=Outcome(item.outcome),
        run=int(item.run),
        reason=item.reason,
        grant_id=item.grant_id,
        older=item.older,
    )
