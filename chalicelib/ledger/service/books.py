"""What is booked when it is heard, and the books read by days."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Protocol

from msgspec import Struct

from chalicelib.kernel.facts import Fact
from chalicelib.kernel.money import Entry
from chalicelib.kernel.tables import Write
from chalicelib.ledger.model import (
    LANES,
    Booked,
    Checkpoint,
    Reference,
    Reserved,
    Spent,
    by_day,
    day_of,
    months,
    spent_by,
)

INSTANT = timedelta(microseconds=1)


class Store(Protocol):
    """Reads are strongly consistent."""

    def post(self, write: Write, entry: Entry, fact: Fact | None = None) -> None:
        """Adds a row; AlreadyBooked when there is one of this time and cause."""

    def reserve(self, reserved: Reserved) -> bool:
        """The references, then the entry. False when that was booked before."""

    def rows(
        self, book: str, month: str, lane: int, since: datetime | None = None
    ) -> Iterator[Sequence[Booked]]:
        """Page by page, oldest first."""

    def checkouts_of(self, reference: Reference, limit: int) -> list[str]:
        """Newest first."""


class Kept(Protocol):
    """What is known of the days before a book's checkpoint."""

    def checkpoint(self, book: str) -> Checkpoint | None: ...

    def days(self, book: str, first: date, last: date) -> list[Spent]:
        """Both included; those with anything spent, oldest first."""


class BookService(Struct, frozen=True):
    store: Store
    kept: Kept

    def reserve(self, reserved: Reserved) -> bool:
        """False when nothing was new."""
        return self.store.reserve(reserved)

    def spent(self, book: str, since: datetime, until: datetime) -> tuple[Spent, ...]:
        """By booking day, of what was booked from the day of `since` on and before `until`: the days before
        the checkpoint are kept, only the others are read in the books."""
        kept = self.kept.checkpoint(book)
        if kept is None or kept.until <= since:
            return by_day(self._parts(book, since, until))
        last = day_of(min(kept.until, until) - INSTANT)
        newer = self._parts(book, kept.until, until) if kept.until < until else ()
        return by_day((*self.kept.days(book, day_of(since), last), *newer))

    def _parts(self, book: str, since: datetime, until: datetime) -> Iterator[Spent]:
        for row in self.rows(book, since, until):
            part = spent_by(row.entry, day_of(row.at)) if row.entry and since <= row.at < until else None
            if part:
                yield part

    def rows(self, book: str, since: datetime, until: datetime) -> Iterator[Booked]:
        for lane in range(LANES):
            yield from self.lane(book, lane, since, until)

    def lane(self, book: str, lane: int, since: datetime, until: datetime) -> Iterator[Booked]:
        """All rows from `since` on, in the months up to that of the last moment before `until`."""
        for month in months(since, until - INSTANT):
            for page in self.store.rows(book, month, lane, since):
                yield from page
