"""A state machine is a table of rows: where it stands, what happens, where it then stands, who may say so."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Generic, TypeVar

from chalicelib.kernel.errors import Conflict

S = TypeVar("S", bound=StrEnum)
E = TypeVar("E", bound=StrEnum)
Row = tuple[S, E, S, frozenset[StrEnum]]


class IllegalMove(Conflict):
    """That cannot happen from where things stand."""


class Table(Generic[S, E]):
    """Deterministic: two rows for one state and event raise ValueError when the table is written."""

    def __init__(self, *rows: tuple[S, E, S, Iterable[StrEnum]]) -> None:
        self.rows: tuple[Row[S, E], ...] = tuple((a, e, b, frozenset(roles)) for a, e, b, roles in rows)
        self._next = {(a, e): (b, roles) for a, e, b, roles in self.rows}
        if len(self._next) != len(self.rows):
            raise ValueError("two rows share a state and an event")
        sources = frozenset(a for a, *_ in self.rows)
        self.states = sources | frozenset(b for _, _, b, _ in self.rows)
        self.ends = self.states - sources

    def after(self, state: S, event: E) -> S:
        """The new state; IllegalMove when the table has no such row."""
        if (state, event) not in self._next:
            raise IllegalMove(f"{event.value} is not possible in state {state.value}")
        return self._next[state, event][0]

    def allows(self, state: S, event: E) -> bool:
        return (state, event) in self._next

    def choices(self, state: S, role: StrEnum) -> tuple[E, ...]:
        """What this role may do now: the pages take their buttons from here."""
        return tuple(e for a, e, _, roles in self.rows if a == state and role in roles)

    def reachable(self, start: S) -> frozenset[S]:
        seen, ahead = {start}, [start]
        while ahead:
            here = ahead.pop()
            fresh = {b for a, _, b, _ in self.rows if a == here} - seen
            seen |= fresh
            ahead.extend(fresh)
        return frozenset(seen)

    def mermaid(self, start: S) -> str:
        """A Mermaid state diagram (mermaid.js.org/syntax/stateDiagram.html) of exactly these rows."""
        lines = ["stateDiagram-v2", f"    [*] --> {start.value}"]
        lines += [f"    {a.value} --> {b.value}: {e.value}" for a, e, b, _ in self.rows]
        lines += [f"    {end.value} --> [*]" for end in sorted(self.ends)]
        return "\n".join(lines)
