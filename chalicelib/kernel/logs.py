"""Logs as people read them: a page at a time, and whether anything was changed, taken out or cut off."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime

from msgspec import Struct

from chalicelib.kernel.audit import About, Head, Line, broken_at
from chalicelib.kernel.errors import Malformed
from chalicelib.kernel.tables import cursor, position

NOWHERE = Head()
"""Where a log begins that goes on from no other."""


class End(Struct, frozen=True):
    """Where a log ends, by what is kept apart from it. `kept_until`: from then on all its lines may be gone
    by their time to live; None where nobody knows when."""

    head: Head
    kept_until: datetime | None = None


class LogPage(Struct, frozen=True):
    """`next`: the line to go on behind; None at the end."""

    lines: list[Line]
    whole: bool
    next: int | None


def page_of(
    read: Callable[[int, int], list[Line]],
    end: Callable[[], End],
    after: int,
    limit: int,
    at: datetime,
    beginning: Head = NOWHERE,
) -> LogPage:
    """The lines behind number `after`. `read(after, limit)` gives lines of the log, oldest first.

    Read with the line before them, which they must follow, and one behind them, to know whether the log ends
    there; `end` is asked before and after, since a log may grow meanwhile.
    """
    ending = end()
    found = read(max(0, after - 1), limit + 1 + (after > 0))
    before = [line for line in found if line.no <= after]
    lines = [line for line in found if line.no > after]
    start = before[-1].head if before else _start(lines, beginning)
    complete = len(lines) <= limit
    page = lines[:limit]
    next_ = None if complete else page[-1].no
    return LogPage(page, _whole(page, start, (ending, end()), complete, at), next_)


def _start(lines: list[Line], beginning: Head) -> Head | None:
    """None where the first lines are gone by their time to live."""
    return beginning if not lines or lines[0].no == beginning.no + 1 else None


def _whole(
    lines: list[Line], start: Head | None, ends: tuple[End, End], complete: bool, at: datetime
) -> bool:
    """Whether these lines follow one another from `start` and, when `complete`, reach the end of their log.

    That the first lines have outlived their time cannot be told from their being taken out.
    """
    before, after = ends
    if broken_at(lines, start) is not None or any(line.no > after.head.no for line in lines):
        return False
    heads = (before.head, after.head)
    if any(line.head != head for line in lines for head in heads if line.no == head.no):
        return False
    if not complete or before.head.no <= (start.no if start else 0):
        return True
    if not lines:
        return before.kept_until is not None and before.kept_until <= at
    return lines[-1].no >= before.head.no


class LogLineView(Struct, frozen=True):
    """`mark` chains a line to the one before it; what is personal is not shown."""

    no: int
    at: datetime
    what: str
    who: str
    about: About
    mark: str

    @classmethod
    def of(cls, line: Line) -> "LogLineView":
        return cls(line.no, line.at, line.what, line.who, line.about, line.mark)


class LogView(Struct, frozen=True):
    """`whole`: nothing on this page was changed, taken out or cut off."""

    lines: list[LogLineView]
    whole: bool
    next_cursor: str | None

    @classmethod
    def of(cls, page: LogPage) -> "LogView":
        following = cursor(str(page.next)) if page.next is not None else None
        return cls([LogLineView.of(line) for line in page.lines], page.whole, following)


def line_asked(query: Mapping[str, str]) -> int:
    """The number of the line that the page asked for goes on behind."""
    given = query.get("cursor")
    number = position(given) if given else "0"
    if not re.fullmatch("[0-9]{1,10}", number, re.ASCII):
        raise Malformed("unknown cursor", (("/cursor", "not a cursor of this list"),))
    return int(number)
