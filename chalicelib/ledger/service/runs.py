"""Reconciling the books with the checkouts and the counters, book by book, and repairing counters.

Money moves while it is looked at. What differs is therefore looked at a second time, and only what is wrong
in the same way again is told. A run that must stop for its time goes on in the next one.
"""

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

from msgspec import MsgspecError, Struct

from chalicelib.kernel.auth import Caller
from chalicelib.kernel.clock import Clock
from chalicelib.kernel.done import Done
from chalicelib.kernel.entry import LOG
from chalicelib.kernel.errors import Conflict, KeyReused
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.ids import keyed_id
from chalicelib.kernel.tables import Write
from chalicelib.ledger.model import (
    CLOSES_AFTER,
    LANES,
    NO_CAMPAIGN,
    RECORD,
    AlreadyRepaired,
    Booked,
    Checkpoint,
    Counted,
    Counts,
    Difference,
    Held,
    NoLongerSo,
    Purse,
    Record,
    Repair,
    Repairable,
    RepairState,
    Run,
    RunKnown,
    RunMoved,
    Spent,
    Sponsored,
    Tally,
    UnknownCampaign,
    UnknownRun,
    by_day,
    collapsed,
    counter_of,
    day_of,
    lane_of,
    lasting,
    lost,
    spent_by,
    starts,
    trusted,
    unreadable,
    wrong_counts,
    wrong_holdings,
    wrong_purse,
)
from chalicelib.ledger.service.books import BookService

FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)
"""Nothing was booked before."""
RECORDS_AT_ONCE = 100
CHECKOUTS_OF_ONE = 1000
"""Of one customer in one look; who has more is not counted."""
SLACK = timedelta(minutes=15)
"""No function holds a clock for longer: nobody's is further ahead."""
LOOK_AGAIN_SECONDS = 2.0
ENOUGH_SECONDS = 120
"""No further book is begun with less of a function's time left."""
UNREADABLE = (AssertionError, LookupError, TypeError, ValueError, MsgspecError)
"""What becomes of a row that is gone, or holds what it cannot."""
NIGHTLY, COMMAND = "schedule", "command"
NOBODY = {NIGHTLY, COMMAND}
"""Who asks for a run without being a person: two others are needed for its repairs."""


Unfinished = tuple[str, str]
"""A book, and the id of a checkout whose end will be booked in it."""


class Store(Protocol):
    """Reads are strongly consistent, but `newest`."""

    def add(self, run: Run, fact: Fact) -> None:
        """RunKnown when there is one of that id."""

    def run(self, run_id: str) -> Run | None: ...

    def newest(self, limit: int) -> list[Run]: ...

    def go_on(self, before: Run, after: Run, fact: Fact | None = None) -> None:
        """RunMoved unless it is where `before` says."""

    def checkpoint(self, book: str) -> Checkpoint | None:
        """The newest one, unless it was changed."""

    def keep(self, checkpoint: Checkpoint, days: Sequence[Spent]) -> None: ...

    def propose(self, repair: Repair) -> None:
        """AlreadyRepaired when this difference has a repair."""

    def approve(self, write: Write, repair: Repair, account: str, seen_at: datetime) -> None:
        """AlreadyRepaired when this difference was repaired; NoLongerSo when the account (by its row) was,
        since it was seen: another run named the same, and what it holds now may be right."""

    def repair(self, run_id: str, number: int) -> Repair | None: ...


class Campaigns(Protocol):
    def campaign(self, campaign_id: str) -> Sponsored | None: ...

    def campaigns_behind(self, campaign_id: str | None) -> Iterable[Sequence[Sponsored]]:
        """By their ids."""


class Checkouts(Protocol):
    """Their records, strongly consistent."""

    def records(self, checkout_ids: Collection[str]) -> dict[str, Record]:
        """Those there are; at most a hundred at once."""

    def unfinished(self) -> list[Unfinished]:
        """All that are reserved and not paid; may lag a moment."""


class Counters(Protocol):
    """Rows that others keep, and that follow from the movements."""

    def budget(self, campaign_id: str) -> list[Counted]:
        """The campaign's and all its shards' at one instant; none when there is no such campaign."""

    def counts(self, campaign_id: str) -> Counts:
        """At one instant; of a campaign that does not count by shards, the switches only."""

    def coupons(self, coupon_ids: Collection[str]) -> dict[str, Held]: ...

    def uses(self, campaign_id: str, customer_ids: Collection[str]) -> dict[str, int]:
        """Of those whose uses are counted."""

    def purse(self, customer_id: str) -> Purse:
        """A wallet beside its own entries."""

    def correct(self, write: Write, counter: Repairable, difference: Difference) -> None:
        """What is expected instead of what was found, if it is as it was found. A Conflict if not."""


class Looked(Struct):
    """One look at one book."""

    checked: int
    found: list[Difference]
    closed: Counter[str]
    spent: list[Spent]


class RunService(Struct, frozen=True):
    store: Store
    books: BookService
    campaigns: Campaigns
    checkouts: Checkouts
    counters: Counters
    begin: Callable[[], Write]
    now: Clock
    new_id: Callable[[str], str]
    pause: Callable[[float], None] = time.sleep

    # --- runs ----------------------------------------------------------------------------------------------

    def request(self, campaign_id: str | None, by: Caller, key: str) -> Done[Run]:
        """All books from their checkpoints, or one from its beginning."""
        if campaign_id and not self.campaigns.campaign(campaign_id):
            raise UnknownCampaign()
        run = Run(keyed_id("rec", by.id, key), by.id, self.now(), campaign_id)
        try:
            self.store.add(run, self._requested(run))
            return Done(run)
        except RunKnown:
            known = self.run(run.run_id)
        if known.campaign_id != campaign_id:
            raise KeyReused()
        return Done(known, replayed=True)

    def nightly(self) -> Run:
        """Asked for, and carried out where it is heard; once a day."""
        at = self.now()
        run = Run(keyed_id("rec", NIGHTLY, day_of(at).isoformat()), NIGHTLY, at)
        try:
            self.store.add(run, self._requested(run))
        except RunKnown:
            return self.run(run.run_id)
        return run

    def run(self, run_id: str) -> Run:
        run = self.store.run(run_id)
        if run is None:
            raise UnknownRun()
        return run

    def newest(self, limit: int) -> list[Run]:
        return self.store.newest(limit)

    def go_on(self, run_id: str, seconds_left: Callable[[], float]) -> Run:
        """Book by book from where it stands; asks to be heard again when its time is short."""
        run = self.run(run_id)
        unfinished = self.checkouts.unfinished() if run.open else []
        try:
            for book in self._books(run) if run.open else ():
                if seconds_left() < ENOUGH_SECONDS:
                    self.store.go_on(run, run.and_book(run.behind or "", 0, []), self._requested(run))
                    return run
                looked = self._looked(book, unfinished, full=run.campaign_id is not None)
                before, run = run, run.and_book(book, looked.checked, looked.found)
                self.store.go_on(before, run)
            return self._end(run) if run.open else run
        except RunMoved:
            return self.run(run_id)

    def _books(self, run: Run) -> Iterable[str]:
        if run.campaign_id:
            yield from () if run.behind else (run.campaign_id,)
            return
        if not run.behind:
            yield NO_CAMPAIGN
        after = None if run.behind in (None, "", NO_CAMPAIGN) else run.behind
        for page in self.campaigns.campaigns_behind(after):
            yield from (campaign.campaign_id for campaign in page)

    def _end(self, run: Run) -> Run:
        at = self.now()
        after = run.ended(at)
        data = {"run_id": run.run_id, "campaign_id": run.campaign_id, "differences": run.wrong}
        failed = Fact.of(
            "ReconciliationFailed", "ledger", run.run_id, at=at, id=self.new_id("evt"), data=data
        )
        self.store.go_on(run, after, failed if run.wrong else None)
        return after

    def _requested(self, run: Run) -> Fact:
        at, new_id = self.now(), self.new_id("evt")
        data = {"run_id": run.run_id}
        return Fact.of("ReconciliationRequested", "ledger", run.run_id, at=at, id=new_id, data=data)

    # --- one book ------------------------------------------------------------------------------------------

    def _looked(self, book: str, unfinished: Sequence[Unfinished], *, full: bool) -> Looked:
        """A row that is gone or cannot be read is a difference too: all other books do not wait for it."""
        try:
            return self.look(book, unfinished, full=full)
        except UNREADABLE as problem:
            LOG.exception("book not read", book=book, problem=type(problem).__name__)
            return Looked(0, [unreadable(book, problem)], Counter(), [])

    def look(
        self, book: str, unfinished: Sequence[Unfinished] | None = None, *, full: bool = False
    ) -> Looked:
        """What is wrong in two looks alike. If nothing is, a checkpoint is kept for the days before.

        `unfinished` as it was seen a moment ago, for several books at once; the second look asks anew.
        """
        if unfinished is None:
            unfinished = self.checkouts.unfinished()
        at = self.now()
        kept = None if full else self.store.checkpoint(book)
        since = kept.until if kept else self._beginning(book)
        until = starts(day_of(at - CLOSES_AFTER)).astimezone(UTC)
        looked = self._look(book, unfinished, kept, since, until)
        if looked.found:
            self.pause(LOOK_AGAIN_SECONDS)
            first, looked = looked, self._look(book, self.checkouts.unfinished(), kept, since, until)
            looked.found = lasting(first.found, looked.found)
        if not looked.found and since < until:
            sums = dict(collapsed(looked.closed))
            self.store.keep(Checkpoint(book, until, sums), by_day(looked.spent))
        return looked

    def _beginning(self, book: str) -> datetime:
        campaign = self.campaigns.campaign(book)
        return starts(day_of(campaign.created_at - timedelta(days=1))) if campaign else FIRST_DAY

    def _look(
        self,
        book: str,
        unfinished: Sequence[Unfinished],
        kept: Checkpoint | None,
        since: datetime,
        until: datetime,
    ) -> Looked:
        at = self.now()
        tally = Tally(sums=Counter(kept.sums if kept else {}))
        looked = Looked(0, [], Counter(tally.sums), [])
        here = [name for its, name in unfinished if its == book]
        known: dict[str, Record] = {}
        for lane in range(LANES):
            rows = list(self.books.lane(book, lane, since, at + SLACK))
            names = {row.subject for row in rows} | {each for each in here if lane_of(each) == lane}
            records = self._records(names - {book})
            tally.read(rows, {name: each for name, each in records.items() if each.book == book}, since, at)
            known |= records
            self._close(looked, rows, until)
        counters = self.counters.budget(book) if book != NO_CAMPAIGN else []
        looked.found = tally.against(counters)
        if book != NO_CAMPAIGN and not counters:
            looked.found.append(lost(book, tally.sums))
        looked.found += self._holdings(book, known, looked.found)
        if kept is None and counters and not any(each.of_a_record for each in looked.found):
            mine = [record for record in known.values() if record.book == book]
            looked.found += wrong_counts(self.counters.counts(book), mine)
        looked.checked = tally.checked + len(counters)
        return looked

    def _records(self, names: Iterable[str]) -> dict[str, Record]:
        found: dict[str, Record] = {}
        ordered = sorted(names)
        for start in range(0, len(ordered), RECORDS_AT_ONCE):
            found |= self.checkouts.records(ordered[start : start + RECORDS_AT_ONCE])
        return found

    def _close(self, looked: Looked, rows: Iterable[Booked], until: datetime) -> None:
        for row in rows:
            if row.at < until:
                looked.closed.update(row.holds)
                spent = spent_by(row.entry, day_of(row.at)) if row.entry else None
                looked.spent += [spent] if spent else []

    def _holdings(
        self, book: str, records: Mapping[str, Record], found: Sequence[Difference]
    ) -> list[Difference]:
        """Of the customers and coupons that moved."""
        everybody = {record.customer_id for record in records.values()}
        borne_out = trusted(records.values(), found)
        purses = [self.counters.purse(who) for who in sorted(everybody)]
        wrong = [
            each
            for purse in purses
            for each in wrong_purse(purse, borne_out, self._unknown(purse, records, found))
        ]
        if book == NO_CAMPAIGN:
            return wrong
        uses = self.counters.uses(book, everybody)
        theirs = dict(records)
        for who in sorted(uses):
            theirs |= self._records(set(self.books.store.checkouts_of(("customer", who), CHECKOUTS_OF_ONE)))
        mine = [record for record in theirs.values() if record.book == book]
        held = self.counters.coupons({record.coupon_id for record in mine if record.coupon_id})
        return [*wrong, *wrong_holdings(book, mine, held, uses, found)]

    def _unknown(self, purse: Purse, records: Mapping[str, Record], found: Sequence[Difference]) -> set[str]:
        """Checkouts that hold points, and of which nobody else knows: neither a record nor the books."""
        others = purse.held.keys() - records.keys()
        named = {each.item for each in found}
        return {each for each in others - self._records(others).keys() if RECORD + each not in named}

    # --- repairs -------------------------------------------------------------------------------------------

    def repair(self, run_id: str, number: int, reason: str, by: Caller) -> Done[Repair]:
        """A counter is put right by a booked movement, if it still is as it was found. Two people are needed:
        the first asked for the reconciliation or, if that was no person, for the repair."""
        run = self.run(run_id)
        difference = run.difference(number)
        counter_of(difference)
        known = self.store.repair(run_id, number) or self._proposed(run, number, reason, by)
        if known.state is RepairState.DONE:
            return Done(known, replayed=True)
        if known.proposed_by == by.id and run.by in NOBODY:
            return Done(known)
        return self._approved(known.approved(by.id, self.now()), difference, run.at)

    def _proposed(self, run: Run, number: int, reason: str, by: Caller) -> Repair:
        first = by.id if run.by in NOBODY else run.by
        repair_id = keyed_id("rep", run.run_id, str(number))
        repair = Repair(repair_id, run.run_id, number, first, reason, self.now())
        if run.by not in NOBODY:
            return repair
        try:
            self.store.propose(repair)
            return repair
        except AlreadyRepaired:
            return self._repair(run.run_id, number)

    def _approved(self, repair: Repair, difference: Difference, seen_at: datetime) -> Done[Repair]:
        write = self.begin()
        self.store.approve(write, repair, f"{difference.item} {difference.account}", seen_at)
        try:
            self.counters.correct(write, counter_of(difference), difference)
            self.books.store.post(write, repair.entry(difference))
            write.commit()
            return Done(repair)
        except AlreadyRepaired:
            return Done(self._repair(repair.run_id, repair.number), replayed=True)
        except Conflict as problem:
            raise NoLongerSo() from problem

    def _repair(self, run_id: str, number: int) -> Repair:
        repair = self.store.repair(run_id, number)
        assert repair is not None
        return repair

    # --- days ----------------------------------------------------------------------------------------------

    def spent(self, campaign_id: str) -> tuple[Spent, ...]:
        """Day by day, from its beginning."""
        if self.campaigns.campaign(campaign_id) is None:
            raise UnknownCampaign()
        until = starts(day_of(self.now()) + timedelta(days=1))
        return self.books.spent(campaign_id, self._beginning(campaign_id), until)
