"""Logs that are only ever added to, each line chained to the one before by SHA-256.

Whoever changes, removes or slips in a line breaks every mark after it. The newest mark (the head) is kept
apart from the log, in the row whose change the line tells of, and is written in the same transaction: so no
change goes without its line, and a log cannot lose its end unnoticed. What is personal (an address, a
browser, a distance) is kept beside a line, and only its salted hash is in the chain: erasing it breaks
nothing.
"""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any

import msgspec
from msgspec import Struct

GENESIS = "0" * 64
About = dict[str, str | int | bool | None]
Private = dict[str, Any]


class Head(Struct, frozen=True):
    """Where a log ends: the number and mark of its last line."""

    no: int = 0
    mark: str = GENESIS


class Line(Struct, frozen=True):
    """`what` happened, `who` did it (an opaque id), `about` what (ids, states and reasons; nothing personal).

    `private_mark` commits to the personal part, which may have been erased since.
    """

    log: str
    no: int
    at: datetime
    what: str
    who: str
    about: About
    private_mark: str | None
    prev: str
    mark: str

    @property
    def head(self) -> Head:
        return Head(self.no, self.mark)

    @property
    def whole(self) -> bool:
        return self.mark == _mark(self)


def salted(private: Private) -> Private:
    """Few addresses and browsers exist: without a salt a hash of them could be guessed."""
    return {**private, "salt": token_hex(16)}


def line_after(
    head: Head,
    log: str,
    *,
    at: datetime,
    what: str,
    who: str,
    about: About,
    private: Private | None = None,
) -> Line:
    """The line that follows `head`. `private`: already `salted`, and stored beside the line as it is."""
    private_mark = _hash(private) if private is not None else None
    line = Line(log, head.no + 1, at.astimezone(UTC), what, who, about, private_mark, head.mark, "")
    return msgspec.structs.replace(line, mark=_mark(line))


def broken_at(lines: Iterable[Line], start: Head | None = None) -> int | None:
    """The number of the first line that does not follow the one before it; None when all do.

    `start`: the head before the first line; None where the beginning is gone by its time to live.
    """
    for line in lines:
        follows = start is None or (line.no, line.prev) == (start.no + 1, start.mark)
        if not (follows and line.whole):
            return line.no
        start = line.head
    return None


def proves(line: Line, private: Private) -> bool:
    """Whether this personal part is the one that the line was written with."""
    return line.private_mark == _hash(private)


def _mark(line: Line) -> str:
    return _hash([line.log, line.no, line.at, line.what, line.who, line.about, line.private_mark, line.prev])


def _hash(value: Any) -> str:
    """Of JSON with sorted names: the same values always give the same bytes."""
    return hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()
