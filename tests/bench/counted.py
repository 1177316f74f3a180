"""What each use case asks of DynamoDB: calls, write units, rows read.

`python -m tests.bench.counted <folder>`. Write units by the public formula (the developer guide of DynamoDB,
"read/write capacity"): one per started KB and row, two in a transaction. What the indexes add is a line of
its own: one for an entry that is made, changed or taken away, two for one that moves.
"""

import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.bench.record import WRITES, Call, Case, Row, record, unplain
from tests.conftest import NOON, table_definitions

WRITE_UNIT, READ_UNIT, REQUEST = 0.625, 0.125, 3.5
"""Dollars for a million on-demand write units, read units and REST requests, us-east-1."""
CLOSED = (1_000, 10_000)
DUE = 96
MODELLED = (1_000, 10_000, 100_000, 1_000_000)
STORM, SQUALL = 5_000, 200


def size(row: dict[str, Any]) -> int:
    """Bytes of an item: names and values in UTF-8; numbers about a byte per two digits, and one."""
    return sum(len(name.encode()) + _size_of(value) for name, value in row.items())


def _size_of(value: dict[str, Any]) -> int:
    ((kind, held),) = value.items()
    if kind == "N":
        return len(held) // 2 + 2
    if kind == "M":
        return 3 + size(held)
    if kind == "L":
        return 3 + len(held) + sum(_size_of(each) for each in held)
    return len(held.encode()) if isinstance(held, str) else 1


def write_units(call: Call, rows: dict[str, dict[str, Any]]) -> int:
    """`rows`: as they stood after the case, for updates, whose size is the row's."""
    if call.operation != "TransactWriteItems":
        return _units(call.arguments, rows)
    return sum(2 * _units(next(iter(item.values())), rows) for item in call.arguments["TransactItems"])


def _units(request: dict[str, Any], rows: dict[str, dict[str, Any]]) -> int:
    row = request.get("Item") or rows.get(json.dumps(request["Key"], sort_keys=True), {})
    return max(1, -(-size(row) // 1024))


def index_units(calls: list[Call]) -> int:
    return sum(_entry_units(*image) for call in calls for image in call.images)


def _entry_units(table: str, before: Row | None, after: Row | None) -> int:
    units = 0
    for keys, whole in _indexes(table):
        old, new = (_entry(row, keys, whole) for row in (before, after))
        if old != new:
            moved = bool(old and new and any(old[key] != new[key] for key in keys))
            largest = max(size(old or {}), size(new or {}))
            units += (2 if moved else 1) * max(1, -(-largest // 1024))
    return units


def _indexes(table: str) -> list[tuple[list[str], bool]]:
    """Of each index its keys, and whether it has the whole row."""
    (definition,) = (each for each in table_definitions() if each["TableName"] == table)
    return [
        ([key["AttributeName"] for key in index["KeySchema"]], index["Projection"]["ProjectionType"] == "ALL")
        for index in definition.get("GlobalSecondaryIndexes", [])
    ]


def _entry(row: Row | None, keys: list[str], whole: bool) -> Row | None:
    """None for a row that is not in the index."""
    if row is None or not all(key in row for key in keys):
        return None
    return row if whole else {name: row[name] for name in (*keys, "pk", "sk")}


def read_units(call: Call) -> float:
    """Strongly consistent, rows of at most 4 KB: one each."""
    if call.operation == "BatchGetItem":
        return sum(len(each["Keys"]) for each in call.arguments["RequestItems"].values())
    return {"GetItem": 1, "Query": 1, "TransactGetItems": 2}.get(call.operation, 0) * max(
        1, len(call.arguments.get("TransactItems", []))
    )


def told(what: str, ours: float, unit: str, goal: float | None) -> None:
    print(json.dumps({"what": what, "ours": ours, "yardstick": None, "unit": unit, "goal": goal}), flush=True)


def use_case(case: Case, goal_writes: int | None, goal_units: int | None = None) -> int:
    """Its write units, without those of the indexes."""
    writes = [call for call in case.calls if call.operation in WRITES]
    reads = [call for call in case.calls if call.service == "dynamodb" and call not in writes]
    units = sum(write_units(call, case.rows) for call in writes)
    told(f"{case.name}: DynamoDB reads", len(reads), "calls", None)
    told(f"{case.name}: DynamoDB writes", len(writes), "calls", goal_writes)
    told(f"{case.name}: write units", units, "WCU", goal_units)
    return units


def money_case(case: Case, goal_units: int | None = None) -> None:
    """In two lines; a goal is for the write units without those of the indexes."""
    writes = [call for call in case.calls if call.operation in WRITES]
    reads = [call for call in case.calls if call.service == "dynamodb" and call not in writes]
    units, entries = sum(write_units(call, case.rows) for call in writes), index_units(writes)
    rows = sum(len(call.images) for call in writes)
    told(f"{case.name}: {len(reads)} reads, {len(writes)} writes of {rows} rows", units, "WCU", goal_units)
    dollars = (units + entries) * WRITE_UNIT + sum(map(read_units, reads)) * READ_UNIT + REQUEST
    told(f"  a million, with requests, reads and {entries} index units each", dollars, "$", None)


def sweep(closed: int) -> None:
    """`closed` shipments proven home, 96 overdue, one sweep, on DynamoDB."""
    from chalicelib.kernel.deadlines import SHARDS
    from tests.bench.sweeping import swept

    report = swept(closed, DUE, NOON + timedelta(days=30))
    told(f"sweep beside {closed:,} closed shipments, {DUE} due", report.found, "rows read", DUE + SHARDS)
    told("  its queries", report.queries, "queries", None)


def modelled_sweep(shipments: int) -> None:
    """The same among so many shipments, a tenth of them on their way, on a modelled table."""
    from chalicelib.kernel.deadlines import SHARDS
    from tests.bench.sweeping import modelled

    counted = modelled(shipments, DUE, NOON + timedelta(days=30))
    name = f"sweep among {shipments:,} shipments (modelled), {DUE} due"
    told(name, counted.rows, "rows read", DUE + SHARDS)
    told("  its calls: queries, rings and the calendar", counted.calls, "calls", DUE + SHARDS + 1)


def webhooks() -> None:
    """A storm of carriers' webhooks, a tenth of them told twice."""
    from tests.bench.storm import squall, storm

    for name, outcome in (("storm", storm(STORM, NOON)), ("squall on DynamoDB", squall(SQUALL, NOON))):
        wrong = outcome.lost + outcome.doubled + outcome.astray
        told(f"{name}: {outcome.webhooks:,} webhooks, lost, doubled or astray", wrong, "scans", 0)
        told(f"{name}: calls for each", outcome.calls / outcome.webhooks, "calls", None)
    told(f"{name}: write units for each", outcome.units / outcome.webhooks, "WCU", None)


MONEY = (
    "redemption with points",
    "refusal",
    "capture",
    "cancel",
    "cancel with points",
    "refund of a part",
    "refund of all",
    "register",
    "download",
)
MONEY_UNITS = {"redemption with points": 10, "refusal": 0}


def main() -> None:
    by_name = {case.name: case for case in record(Path(sys.argv[1]))}
    redemption, command = by_name["redemption"], by_name["command"]
    items = len(redemption.calls[-1].arguments["TransactItems"])
    units = use_case(redemption, 1, 8)
    told("redemption: rows in its transaction", items, "rows", 5)
    told("redemption: index entries", index_units(redemption.calls), "WCU", None)
    told("a million redemptions and their requests", units * WRITE_UNIT + REQUEST, "$", 9)
    for name in MONEY:
        money_case(by_name[name], MONEY_UNITS.get(name))
    told("refusal: calls, of them none writes", len(by_name["refusal"].calls), "reads", 1)
    units, answer = use_case(command, 2, 12), by_name["ack"]
    told("a million door commands and their requests", units * WRITE_UNIT + REQUEST, "$", 11)
    later = use_case(answer, 1) + index_units(command.calls) + index_units(answer.calls)
    told("  what the cars' answers and the indexes add", later * WRITE_UNIT, "$", None)
    published = [call for call in command.calls if call.service == "iot-data"]
    told("command: publishes", len(published), "calls", 1)
    told("command: payload", len(unplain(published[0].arguments["payload"])), "bytes", 512)
    for closed in CLOSED:
        sweep(closed)
    for shipments in MODELLED:
        modelled_sweep(shipments)
    webhooks()


if __name__ == "__main__":
    main()
