"""Entries, and the rows by which a checkout is found."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from pynamodb.attributes import UnicodeAttribute

from chalicelib.kernel import tables
from chalicelib.kernel.clock import stamp
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.money import Entry
from chalicelib.kernel.tables import AllOrNothing
from chalicelib.ledger.model import AlreadyBooked, Booked, Reference, Reserved, booked, page_of

ROWS_IN_PAGE = 500


class EntryItem(tables.Item):
    class Meta:
        table_name = tables.table_name("ledger")

    entry = UnicodeAttribute()
    mark = UnicodeAttribute()
    fact = UnicodeAttribute(null=True)


class ReferenceItem(tables.Item):
    class Meta:
        table_name = tables.table_name("ledger")

    checkout_id = UnicodeAttribute()


class Books:
    """The books as everybody who moves money sees them."""

    def post(self, write: AllOrNothing, entry: Entry, fact: Fact | None = None) -> None:
        """Adds one row to the caller's transaction; with `fact` it is the published fact too.

        AlreadyBooked when there is an entry of this time and cause.
        """
        row = booked(entry)
        item = EntryItem(row.pk, row.sk, entry=row.text, mark=row.mark, fact=fact.json() if fact else None)
        write.put(item, only_if=EntryItem.pk.does_not_exist(), otherwise=AlreadyBooked)


class BookStore(Books):
    """The store of `service.books.Store` on DynamoDB."""

    def reserve(self, reserved: Reserved) -> bool:
        """Row by row, the entry last: each is the same however often, and alone it costs half."""
        for kind, name in reserved.references:
            place = f"{stamp(reserved.at)}#{reserved.checkout_id}"
            write = AllOrNothing()
            write.put(ReferenceItem(f"OF#{kind}#{name}", place, checkout_id=reserved.checkout_id))
            write.commit()
        if not reserved.entry:
            return True
        write = AllOrNothing()
        self.post(write, reserved.entry)
        try:
            write.commit()
        except AlreadyBooked:
            return False
        return True

    def rows(
        self, book: str, month: str, lane: int, since: datetime | None = None
    ) -> Iterator[Sequence[Booked]]:
        pages = EntryItem.query(
            page_of(book, month, lane),
            EntryItem.sk >= stamp(since) if since else None,
            consistent_read=True,
            page_size=ROWS_IN_PAGE,
        ).page_iter
        for page in pages:
            items = (EntryItem.from_raw_data(raw) for raw in page["Items"])
            yield [Booked(item.pk, item.sk, item.entry, item.mark) for item in items]

    def checkouts_of(self, reference: Reference, limit: int) -> list[str]:
        kind, name = reference
        found = ReferenceItem.query(
            f"OF#{kind}#{name}", limit=limit, page_size=limit, scan_index_forward=False, consistent_read=True
        )
        return [item.checkout_id for item in found]
