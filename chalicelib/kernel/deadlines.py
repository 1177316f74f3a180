"""Deadlines: every open item has one due time in its own row, and a sweep takes what is due and nothing else.

An armed item has the attributes `due_shard` (a hash of its id over SHARDS), `due_at` and `rung`; an item
without a timer has none, so the index `due` holds open work only and costs nothing for history. A ring is one
write: the next `due_at` and `rung`, only if state and `due_at` are as they were seen, together with its fact.
So a stale index is harmless, every rung happens once, and an outage of any length loses nothing: there is no
watermark. Deletion by ttl is no timer, it lags by hours.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar
from zlib import crc32

import msgspec
from aws_lambda_powertools.metrics import MetricUnit, single_metric
from msgspec import Struct

from chalicelib.kernel.aws import client
from chalicelib.kernel.clock import stamp
from chalicelib.kernel.tables import Item, Raw

SHARDS = 16
"""Each is read by one query of a sweep; a shard takes 1,000 write units a second."""
MOST = 2000
"""So many rungs fit into one run of a Lambda; what is left is handed on."""
PAGE = 250
INDEX = "due"
METRIC = "oldest_due_seconds"


class Armed(Protocol):
    @property
    def due_at(self) -> datetime | None: ...


T = TypeVar("T", bound=Armed)


class Report(Struct, frozen=True):
    """`claimed` of what was `found` was rung here, the rest by somebody else. `oldest`: the earliest due time
    seen. `handed_on`: so many shards were left to others."""

    found: int = 0
    claimed: int = 0
    queries: int = 0
    handed_on: int = 0
    oldest: datetime | None = None

    def after(self, page: Sequence[T], claimed: int) -> "Report":
        oldest = min((each.due_at for each in page if each.due_at), default=None)
        return Report(
            self.found + len(page),
            self.claimed + claimed,
            self.queries + 1,
            self.handed_on,
            min(filter(None, (self.oldest, oldest)), default=None),
        )

    def age(self, at: datetime) -> float:
        """Seconds the oldest item had been waiting."""
        return max(0.0, (at - self.oldest).total_seconds()) if self.oldest else 0.0


def shard_of(id: str) -> str:
    return str(crc32(id.encode()) % SHARDS)


def sweep(
    pages: Callable[[int], Iterator[Sequence[T]]],
    ring: Callable[[T], bool],
    *,
    shards: Iterable[int] = range(SHARDS),
    most: int = MOST,
    hand_on: Callable[[int], None] | None = None,
) -> Report:
    """Rings what is due, one page at a time. `ring` says whether the item was still there to be taken.

    After `most` items the shards that are left go to `hand_on`, the one in hand too: what is rung is not due.
    """
    report, left = Report(), list(shards)
    for shard in left:
        if hand_on and report.found >= most:
            hand_on(shard)
            report = msgspec.structs.replace(report, handed_on=report.handed_on + 1)
            continue
        for page in pages(shard):
            report = report.after(page, sum(ring(each) for each in page))
            if hand_on and report.found >= most:
                hand_on(shard)
                report = msgspec.structs.replace(report, handed_on=report.handed_on + 1)
                break
    return report


def shards_of(event: dict[str, Any]) -> Iterable[int]:
    """All for a schedule; those that the records of a queue name."""
    if "Records" not in event:
        return range(SHARDS)
    return [int(msgspec.json.decode(record["body"])["shard"]) for record in event["Records"]]


def due_pages(table: type[Item], shard: int, until: datetime, page: int = PAGE) -> Iterator[list[Raw]]:
    """What is due by `until`, earliest first, one query for each page. The index may lag by a moment."""
    asked: dict[str, Any] = {
        "TableName": table.Meta.table_name,
        "IndexName": INDEX,
        "KeyConditionExpression": "due_shard = :shard AND due_at <= :until",
        "ExpressionAttributeValues": {":shard": {"S": str(shard)}, ":until": {"S": stamp(until)}},
        "Limit": page,
    }
    while True:
        answer = client("dynamodb").query(**asked)
        yield answer["Items"]
        if "LastEvaluatedKey" not in answer:
            return
        asked["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def measured(context: str, report: Report, at: datetime) -> None:
    """The age of the oldest item no sweep had taken: the deadline of the deadlines, with an alarm on it."""
    with single_metric(
        name=METRIC, unit=MetricUnit.Seconds, value=report.age(at), namespace="handover"
    ) as metric:
        metric.add_dimension(name="context", value=context)
