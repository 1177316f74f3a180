"""What the passing of time does: points expire, and partners are asked again."""

import random
from collections.abc import Callable, Iterator, Sequence
from math import inf

from msgspec import Struct

from chalicelib.kernel import deadlines
from chalicelib.kernel.deadlines import Report
from chalicelib.points.model import Due
from chalicelib.points.service.conversions import ConversionService
from chalicelib.points.service.wallets import PointService

ENOUGH_SECONDS = 25.0
"""Nothing is begun with less of a run's time left: a partner may be asked twice, for ten seconds each."""


class PointTimers(Struct, frozen=True):
    points: PointService
    conversions: ConversionService

    def sweep(self, seconds_left: Callable[[], float] = lambda: inf) -> Report:
        """May be late by any time: expired points are no one's to spend, whether or not they are swept. The
        shards take turns: a month's end, or a partner who does not answer, may use up a run."""
        now = self.points.now()

        def pages(shard: int) -> Iterator[Sequence[Due]]:
            for page in self.points.store.due(shard, now):
                yield page
                if seconds_left() < ENOUGH_SECONDS:
                    return

        return deadlines.sweep(
            pages,
            lambda due: seconds_left() >= ENOUGH_SECONDS and self._ring(due),
            shards=random.sample(range(deadlines.SHARDS), deadlines.SHARDS),
        )

    def _ring(self, due: Due) -> bool:
        return self.conversions.ring(due.id) if due.conversion else self.points.sweep_wallet(due.id)
