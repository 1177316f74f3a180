"""Virtual time. Processes take turns, one at a time, each moved on when its hour has come: nothing waits, and
the same seed gives the same day."""

import heapq
import itertools
from collections.abc import Callable
from typing import Any

from greenlet import getcurrent, greenlet


class Hours:
    """`now` in milliseconds of true time."""

    def __init__(self) -> None:
        self.now = 0
        self._ahead: list[tuple[int, int, Callable[[], Any]]] = []
        self._order = itertools.count()
        self._hub = getcurrent()

    def later(self, ms: int, do: Callable[[], Any]) -> None:
        heapq.heappush(self._ahead, (self.now + ms, next(self._order), do))

    def start(self, work: Callable[[], Any], ms: int = 0) -> None:
        """`work` becomes a process: it may pause."""
        self.later(ms, lambda: greenlet(work, self._hub).switch())

    def pause(self, ms: int) -> None:
        self.later(ms, getcurrent().switch)
        self._hub.switch()

    def run(self, until: int) -> None:
        self._hub = getcurrent()
        while self._ahead and self._ahead[0][0] <= until:
            self.now, _, do = heapq.heappop(self._ahead)
            do()
        self.now = until


class Promise:
    """The answer of another process. `answer` is None as long as there is none; `clean`: it met no fault."""

    def __init__(self, hours: Hours) -> None:
        self._hours = hours
        self._waiting: Callable[[], None] | None = None
        self.answer: Any = None
        self.clean = False

    def keep(self, answer: Any) -> None:
        self.answer = answer
        if self._waiting is not None:
            self._hours.later(0, self._waiting)

    def wait(self, ms: int) -> Any:
        """The answer; None when it takes longer."""
        if self.answer is None:
            me, over = getcurrent(), False

            def wake() -> None:
                nonlocal over
                if not over:
                    over = True
                    me.switch()

            self._waiting = wake
            self._hours.later(ms, wake)
            self._hours._hub.switch()
        return self.answer
