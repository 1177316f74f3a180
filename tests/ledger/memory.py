"""The books in memory: the same promises as `chalicelib.ledger.store`."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime

from chalicelib.kernel.clock import stamp
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.money import Entry
from chalicelib.ledger.model import (
    AlreadyBooked,
    AlreadyRepaired,
    Booked,
    Checkpoint,
    NoLongerSo,
    OthersPerson,
    Reference,
    Repair,
    RepairState,
    Reserved,
    Run,
    RunKnown,
    RunMoved,
    Spent,
    Sponsor,
    Sponsored,
    SponsorKnown,
    Statement,
    StatementChanged,
    booked,
    page_of,
)
from tests.memory import MemoryWrite


class MemoryBooks:
    """`facts`: what was published with the entries."""

    def __init__(self) -> None:
        self.table: dict[tuple[str, str], Booked] = {}
        self.references: dict[Reference, dict[str, str]] = {}
        self.facts: list[Fact] = []

    def post(self, write: MemoryWrite, entry: Entry, fact: Fact | None = None) -> None:
        row = booked(entry)
        place = (row.pk, row.sk)
        write.clause(
            holds=lambda: place not in self.table,
            then=lambda: self.table.update({place: row}),
            otherwise=AlreadyBooked,
        )
        if fact:
            write.fact(self.facts, fact)

    @property
    def entries(self) -> list[Entry]:
        return [row.entry for row in self.table.values() if row.entry]

    def reserve(self, reserved: Reserved) -> bool:
        write = MemoryWrite()
        if reserved.entry:
            self.post(write, reserved.entry)
        try:
            write.commit()
        except AlreadyBooked:
            return False
        for reference in reserved.references:
            found = self.references.setdefault(reference, {})
            found[f"{stamp(reserved.at)}#{reserved.checkout_id}"] = reserved.checkout_id
        return True

    def rows(
        self, book: str, month: str, lane: int, since: datetime | None = None
    ) -> Iterator[Sequence[Booked]]:
        first = stamp(since) if since else ""
        here = sorted(sk for pk, sk in self.table if pk == page_of(book, month, lane) and sk >= first)
        yield [self.table[page_of(book, month, lane), sk] for sk in here]

    def checkouts_of(self, reference: Reference, limit: int) -> list[str]:
        found = self.references.get(reference, {})
        return [found[name] for name in sorted(found, reverse=True)][:limit]


class MemoryRuns:
    def __init__(self) -> None:
        self.runs: dict[str, Run] = {}
        self.checkpoints: dict[str, Checkpoint] = {}
        self.spent: dict[str, dict[str, Spent]] = {}
        self.repairs: dict[tuple[str, int], Repair] = {}
        self.repaired: dict[str, datetime] = {}
        self.facts: list[Fact] = []

    def add(self, run: Run, fact: Fact) -> None:
        write = MemoryWrite()
        write.clause(
            holds=lambda: run.run_id not in self.runs,
            then=lambda: self.runs.update({run.run_id: run}),
            otherwise=RunKnown,
        )
        write.fact(self.facts, fact)
        write.commit()

    def run(self, run_id: str) -> Run | None:
        return self.runs.get(run_id)

    def newest(self, limit: int) -> list[Run]:
        return sorted(self.runs.values(), key=lambda run: run.at, reverse=True)[:limit]

    def go_on(self, before: Run, after: Run, fact: Fact | None = None) -> None:
        write = MemoryWrite()
        write.clause(
            holds=lambda: self.runs[before.run_id].steps == before.steps,
            then=lambda: self.runs.update({after.run_id: after}),
            otherwise=RunMoved,
        )
        if fact:
            write.fact(self.facts, fact)
        write.commit()

    def checkpoint(self, book: str) -> Checkpoint | None:
        return self.checkpoints.get(book)

    def keep(self, checkpoint: Checkpoint, days: Sequence[Spent]) -> None:
        self.checkpoints[checkpoint.book] = checkpoint
        self.spent.setdefault(checkpoint.book, {}).update({each.day.isoformat(): each for each in days})

    def days(self, book: str, first: date, last: date) -> list[Spent]:
        found = self.spent.get(book, {})
        return [found[day] for day in sorted(found) if first.isoformat() <= day <= last.isoformat()]

    def propose(self, repair: Repair) -> None:
        write = MemoryWrite()
        place = (repair.run_id, repair.number)
        write.clause(
            holds=lambda: place not in self.repairs,
            then=lambda: self.repairs.update({place: repair}),
            otherwise=AlreadyRepaired,
        )
        write.commit()

    def approve(self, write: MemoryWrite, repair: Repair, account: str, seen_at: datetime) -> None:
        place = (repair.run_id, repair.number)

        def free() -> bool:
            known = self.repairs.get(place)
            return known is None or known.state is RepairState.PROPOSED

        write.clause(
            holds=free,
            then=lambda: self.repairs.update({place: repair}),
            otherwise=AlreadyRepaired,
        )
        write.clause(
            holds=lambda: account not in self.repaired or self.repaired[account] < seen_at,
            then=lambda: self.repaired.update({account: repair.at}),
            otherwise=NoLongerSo,
        )

    def repair(self, run_id: str, number: int) -> Repair | None:
        return self.repairs.get((run_id, number))


class MemorySponsors:
    def __init__(self) -> None:
        self.sponsors: dict[str, Sponsor] = {}
        self.people: dict[str, str] = {}
        self.known: dict[str, Sponsored] = {}
        self.statements: dict[tuple[str, str], str] = {}

    def add_sponsor(self, sponsor: Sponsor) -> None:
        if sponsor.sponsor_id in self.sponsors:
            raise SponsorKnown()
        self.sponsors[sponsor.sponsor_id] = sponsor

    def sponsor(self, sponsor_id: str) -> Sponsor | None:
        return self.sponsors.get(sponsor_id)

    def add_person(self, subject: str, sponsor_id: str) -> None:
        if self.people.setdefault(subject, sponsor_id) != sponsor_id:
            raise OthersPerson()

    def sponsor_of(self, subject: str) -> str | None:
        return self.people.get(subject)

    def add_campaign(self, campaign: Sponsored) -> None:
        self.known[campaign.campaign_id] = campaign

    def campaign(self, campaign_id: str) -> Sponsored | None:
        return self.known.get(campaign_id)

    def campaigns(self, sponsor_id: str) -> list[Sponsored]:
        return [each for _, each in sorted(self.known.items()) if each.sponsor_id == sponsor_id]

    def campaigns_behind(self, campaign_id: str | None) -> Iterator[Sequence[Sponsored]]:
        yield [each for name, each in sorted(self.known.items()) if name > (campaign_id or "")]

    def close(self, statement: Statement) -> None:
        place = (statement.sponsor_id, statement.period)
        if self.statements.setdefault(place, statement.digest) != statement.digest:
            raise StatementChanged()
