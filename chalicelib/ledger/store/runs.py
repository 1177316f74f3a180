"""Reconciliations, their checkpoints and repairs."""

from collections.abc import Sequence
from datetime import date, datetime

import msgspec
from pynamodb.attributes import NumberAttribute, UnicodeAttribute

from chalicelib.kernel import tables
from chalicelib.kernel.clock import moment, stamp
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.tables import AllOrNothing
from chalicelib.ledger.model import (
    AlreadyRepaired,
    Checkpoint,
    NoLongerSo,
    Repair,
    RepairState,
    Run,
    RunKnown,
    RunMoved,
    Spent,
)

DAYS_AT_ONCE = 90


class RunItem(tables.Item):
    class Meta:
        table_name = tables.table_name("ledger")

    run = UnicodeAttribute()
    steps = NumberAttribute()
    fact = UnicodeAttribute(null=True)


class RunsItem(tables.Item):
    class Meta:
        table_name = tables.table_name("ledger")

    run_id = UnicodeAttribute()


class CheckpointItem(tables.Item):
    class Meta:
        table_name = tables.table_name("ledger")

    sums = UnicodeAttribute()
    digest = UnicodeAttribute()


class DayItem(tables.Item):
    class Meta:
        table_name = tables.table_name("ledger")

    captured = NumberAttribute()
    refunded = NumberAttribute()
    captures = NumberAttribute()


class RepairItem(tables.Item):
    class Meta:
        table_name = tables.table_name("ledger")

    repair = UnicodeAttribute()
    state = UnicodeAttribute()


class RepairedItem(tables.Item):
    class Meta:
        table_name = tables.table_name("ledger")

    at = UnicodeAttribute()


class RunStore:
    """The store of `service.runs.Store` on DynamoDB."""

    def add(self, run: Run, fact: Fact) -> None:
        write = AllOrNothing()
        row = RunItem(f"RUN#{run.run_id}", "RUN", run=_text(run), steps=run.steps, fact=fact.json())
        write.put(row, only_if=RunItem.pk.does_not_exist(), otherwise=RunKnown)
        write.put(RunsItem("RUNS", f"{stamp(run.at)}#{run.run_id}", run_id=run.run_id))
        write.commit()

    def run(self, run_id: str) -> Run | None:
        row = RunItem.load(f"RUN#{run_id}", "RUN")
        return msgspec.json.decode(row.run, type=Run) if row else None

    def newest(self, limit: int) -> list[Run]:
        names = RunsItem.query("RUNS", limit=limit, page_size=limit, scan_index_forward=False)
        found = (self.run(item.run_id) for item in names)
        return [run for run in found if run]

    def go_on(self, before: Run, after: Run, fact: Fact | None = None) -> None:
        write = AllOrNothing()
        write.update(
            RunItem(f"RUN#{after.run_id}", "RUN"),
            RunItem.run.set(_text(after)),
            RunItem.steps.set(after.steps),
            only_if=RunItem.steps == before.steps,
            otherwise=RunMoved,
        )
        if fact:
            write.fact(RunItem, fact)
        write.commit()

    # --- checkpoints ---------------------------------------------------------------------------------------

    def checkpoint(self, book: str) -> Checkpoint | None:
        newest = CheckpointItem.query(
            f"CHECKPOINT#{book}", limit=1, page_size=1, scan_index_forward=False, consistent_read=True
        )
        for item in newest:
            found = Checkpoint(book, moment(item.sk), msgspec.json.decode(item.sums))
            return found if found.digest == item.digest else None
        return None

    def keep(self, checkpoint: Checkpoint, days: Sequence[Spent]) -> None:
        for start in range(0, len(days), DAYS_AT_ONCE):
            write = AllOrNothing()
            for spent in days[start : start + DAYS_AT_ONCE]:
                write.put(_day_item(checkpoint.book, spent))
            write.commit()
        item = CheckpointItem(
            f"CHECKPOINT#{checkpoint.book}",
            stamp(checkpoint.until),
            sums=msgspec.json.encode(checkpoint.sums).decode(),
            digest=checkpoint.digest,
        )
        write = AllOrNothing()
        write.put(item)
        write.commit()

    def days(self, book: str, first: date, last: date) -> list[Spent]:
        between = DayItem.sk.between(first.isoformat(), last.isoformat())
        found = DayItem.query(f"DAY#{book}", between, consistent_read=True)
        return [
            Spent(date.fromisoformat(item.sk), int(item.captured), int(item.refunded), int(item.captures))
            for item in found
        ]

    # --- repairs -------------------------------------------------------------------------------------------

    def propose(self, repair: Repair) -> None:
        write = AllOrNothing()
        new = RepairItem.pk.does_not_exist()
        write.put(_repair_item(repair), only_if=new, otherwise=AlreadyRepaired)
        write.commit()

    def approve(self, write: AllOrNothing, repair: Repair, account: str, seen_at: datetime) -> None:
        free = RepairItem.pk.does_not_exist() | (RepairItem.state == RepairState.PROPOSED.value)
        write.put(_repair_item(repair), only_if=free, otherwise=AlreadyRepaired)
        write.put(
            RepairedItem(f"REPAIRED#{account}", "REPAIRED", at=stamp(repair.at)),
            only_if=RepairedItem.pk.does_not_exist() | (RepairedItem.at < stamp(seen_at)),
            otherwise=NoLongerSo,
        )

    def repair(self, run_id: str, number: int) -> Repair | None:
        item = RepairItem.load(f"REPAIR#{run_id}", f"{number:06d}")
        return msgspec.json.decode(item.repair, type=Repair) if item else None


def _text(run: Run) -> str:
    return msgspec.json.encode(run).decode()


def _repair_item(repair: Repair) -> RepairItem:
    return RepairItem(
        f"REPAIR#{repair.run_id}",
        f"{repair.number:06d}",
        repair=msgspec.json.encode(repair).decode(),
        state=repair.state.value,
    )


def _day_item(book: str, spent: Spent) -> DayItem:
    return DayItem(
        f"DAY#{book}",
        spent.day.isoformat(),
        captured=spent.captured,
        refunded=spent.refunded,
        captures=spent.count,
    )
