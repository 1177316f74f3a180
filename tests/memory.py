"""The memory twin of `kernel.tables.AllOrNothing`: clauses of what must hold and what then happens."""

import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar, cast

from chalicelib.kernel.audit import Line
from chalicelib.kernel.errors import HandoverError
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.tables import LogMoved

LOCK = threading.RLock()
T = TypeVar("T")


class MemoryLogs(defaultdict[str, list[Line]]):
    """log -> its lines, oldest first."""

    def __init__(self) -> None:
        super().__init__(list)

    def first(self, line: Line) -> int:
        """The number of the log's first line; a log may begin where another has come to."""
        return self[line.log][0].no if self[line.log] else line.no


@dataclass(frozen=True)
class _Clause:
    holds: Callable[[], bool]
    then: Callable[[], None]
    otherwise: type[HandoverError] | Callable[[], Exception]


class MemoryWrite:
    """The first clause that does not hold, in the caller's order, decides what is raised."""

    def __init__(self) -> None:
        self._clauses: list[_Clause] = []

    def clause(
        self,
        *,
        holds: Callable[[], bool] = lambda: True,
        then: Callable[[], None] = lambda: None,
        otherwise: type[HandoverError] | Callable[[], Exception] = HandoverError,
    ) -> None:
        self._clauses.append(_Clause(holds, then, otherwise))

    def fact(self, facts: list[Fact], fact: Fact) -> None:
        self.clause(then=lambda: facts.append(fact))

    def line(self, logs: "MemoryLogs", line: Line) -> None:
        self.clause(
            holds=lambda: len(logs[line.log]) == line.no - logs.first(line),
            then=lambda: logs[line.log].append(line),
            otherwise=LogMoved,
        )

    def commit(self) -> None:
        with LOCK:
            for clause in self._clauses:
                if not clause.holds():
                    raise clause.otherwise()
            for clause in self._clauses:
                clause.then()


class MemoryLook:
    """The memory twin of `kernel.tables.Look`: everything is looked at when it is fetched."""

    def __init__(self) -> None:
        self._rows: list[Callable[[], object]] = []
        self._found: list[object] = []

    def row(self, find: Callable[[], T]) -> Callable[[], T]:
        place = len(self._rows)
        self._rows.append(find)
        return lambda: cast(T, self._found[place])

    def fetch(self) -> None:
        with LOCK:
            self._found = [find() for find in self._rows]
