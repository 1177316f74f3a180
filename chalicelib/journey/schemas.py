"""What this context reads and answers over HTTP. Of facts it knows the envelope only."""

import re
from datetime import datetime
from typing import Any

from msgspec import Struct

from chalicelib.journey.model import Event, Page
from chalicelib.kernel.errors import Malformed
from chalicelib.kernel.tables import cursor, position

EVENTS_IN_PAGE = 20
MOST_EVENTS_IN_PAGE = 100
POSITION = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z#[\w-]{1,128}", re.ASCII)


def after_of(query: dict[str, str]) -> str | None:
    """The position on which the page before ended."""
    token = query.get("cursor")
    last = position(token) if token else None
    if last is not None and not POSITION.fullmatch(last):
        raise Malformed("unknown cursor", (("cursor", "not a cursor of this list"),))
    return last


class EventView(Struct, frozen=True):
    """`type` and `data` as in the fact of that name (docs/facts.yaml); a customer sees some of the data."""

    id: str
    type: str
    at: datetime
    data: dict[str, Any]

    @classmethod
    def of(cls, event: Event) -> "EventView":
        return cls(event.id, event.type, event.at, event.data)


class TimelineView(Struct, frozen=True):
    """Newest first. A page may hold fewer than `limit`; the list ends where `cursor` is null."""

    events: list[EventView]
    cursor: str | None

    @classmethod
    def of(cls, page: Page) -> "TimelineView":
        return cls([EventView.of(event) for event in page.events], cursor(page.last) if page.last else None)
