"""DynamoDB calls counted, and write units by the public formulas: moto reports a constant.

A write costs one unit for every started KB of the larger of old and new row, twice that in a transaction; an
index whose projection holds the row costs one more for a change (AWS Developer Guide, "Read/write capacity").
"""

import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.checkout.hook import Call, calls_go_through

KB = 1024
TRANSACTION = 2
INDEX_KEYS = {"test-coupons": "owner", "test-checkout": "due_shard"}


@dataclass
class Meter:
    calls: Counter[str] = field(default_factory=Counter)
    items: int = 0
    tables: Counter[str] = field(default_factory=Counter)
    write_units: int = 0
    index_units: int = 0

    @property
    def reads(self) -> int:
        return sum(self.calls[name] for name in ("BatchGetItem", "GetItem", "Query", "TransactGetItems"))

    @property
    def writes(self) -> int:
        return sum(self.calls.values()) - self.reads


def size(row: dict[str, Any]) -> int:
    return sum(len(name.encode()) + _value_size(value) for name, value in row.items())


def _value_size(value: dict[str, Any]) -> int:
    ((kind, held),) = value.items()
    if kind == "SS":
        return 3 + sum(1 + len(text.encode()) for text in held)
    if kind == "BOOL":
        return 1
    return len(held) // 2 + 2 if kind == "N" else len(held.encode())


def _rows(operation: str, request: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Table and key of every row the call writes."""
    actions = [request] if operation in ("PutItem", "UpdateItem", "DeleteItem") else []
    if operation == "TransactWriteItems":
        actions = [action for item in request["TransactItems"] for action in item.values()]
    named = [(action["TableName"], action.get("Item") or action["Key"]) for action in actions]
    return [(table, {"pk": row["pk"], "sk": row["sk"]}) for table, row in named]


@contextlib.contextmanager
def metered() -> Iterator[Meter]:
    """Everything any client asks of DynamoDB inside the block. Refused writes cost like granted ones."""
    meter = Meter()

    def counting(call: Call) -> Call:
        def counted(client: Any, operation: str, request: dict[str, Any]) -> Any:
            meter.calls[operation] += 1
            try:
                return call(client, operation, request)
            finally:
                for table, key in _rows(operation, request):
                    row = call(client, "GetItem", {"TableName": table, "Key": key}).get("Item", {})
                    meter.items += 1
                    meter.tables[table] += 1
                    times = TRANSACTION if operation == "TransactWriteItems" else 1
                    meter.write_units += times * max(1, -(-size(row) // KB))
                    meter.index_units += INDEX_KEYS.get(table) in row

        return counted

    with calls_go_through(counting):
        yield meter
