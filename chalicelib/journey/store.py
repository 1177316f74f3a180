"""The table `<stage>-journey`.

| pk                     | sk          | row                                             |
|------------------------|-------------|-------------------------------------------------|
| CONTRACT#<contract_id> | <time>#<id> | a fact about this contract, with the fact's id  |

A fact's time and id never change, so hearing it again finds the row it wrote. Contracts are kept five years
after their end; a row goes by TTL six years after its fact, since no term is longer than one.
"""

from collections.abc import Iterator
from datetime import timedelta
from itertools import chain

import msgspec
from pynamodb.attributes import NumberAttribute, UnicodeAttribute

from chalicelib.journey.model import Event
from chalicelib.kernel.clock import moment, stamp
from chalicelib.kernel.errors import Conflict
from chalicelib.kernel.tables import AllOrNothing, Item, table_name

KEPT = timedelta(days=6 * 365 + 2)
PAGE = 100


class AlreadyRecorded(Conflict):
    """This was heard before."""


class EventItem(Item):
    class Meta:
        table_name = table_name("journey")

    fact_id = UnicodeAttribute()
    contract_id = UnicodeAttribute()
    type = UnicodeAttribute()
    at = UnicodeAttribute()
    data = UnicodeAttribute()
    ttl = NumberAttribute()


class JourneyStore:
    def record(self, event: Event) -> bool:
        write = AllOrNothing()
        write.put(_item(event), only_if=EventItem.pk.does_not_exist(), otherwise=AlreadyRecorded)
        try:
            write.commit()
        except AlreadyRecorded:
            return False
        return True

    def newest_first(self, contract_id: str, after: str | None) -> Iterator[tuple[str, Event]]:
        pages = EventItem.query(
            f"CONTRACT#{contract_id}",
            EventItem.sk < after if after else None,
            scan_index_forward=False,
            page_size=PAGE,
        ).page_iter
        for raw in chain.from_iterable(page["Items"] for page in pages):
            item = EventItem.from_raw_data(raw)
            yield item.sk, _event(item)


def _item(event: Event) -> EventItem:
    return EventItem(
        f"CONTRACT#{event.contract_id}",
        f"{stamp(event.at)}#{event.id}",
        fact_id=event.id,
        contract_id=event.contract_id,
        type=event.type,
        at=stamp(event.at),
        data=msgspec.json.encode(event.data).decode(),
        ttl=int((event.at + KEPT).timestamp()),
    )


def _event(item: EventItem) -> Event:
    return Event(
        id=item.fact_id,
        contract_id=item.contract_id,
        type=item.type,
        at=moment(item.at),
        data=msgspec.json.decode(item.data),
    )
