"""What each use case asks of DynamoDB: calls, write units, rows read.

`python -m tests.bench.counted <folder>`. Write units by the public formula (the developer guide of DynamoDB,
"read/write capacity"): one per started KB and row, two in a transaction; index entries not counted.
"""

import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.bench.record import Call, Case, record, unplain
from tests.conftest import NOON

WRITES = ("PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems")
WRITE_UNIT, REQUEST = 0.625, 3.5
"""Dollars for a million on-demand write units and for a million REST requests, us-east-1."""
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
    """One for each entry of an index `due` that is made or taken away."""
    requests = [call.arguments for call in calls]
    requests += [next(iter(item.values())) for each in requests for item in each.get("TransactItems", [])]
    made = sum("due_shard" in request.get("Item", {}) for request in requests)
    return made + sum(_takes_away(request) for request in requests)


def _takes_away(request: dict[str, Any]) -> bool:
    removed = request.get("UpdateExpression", "").partition("REMOVE")[2].partition("SET")[0]
    names = request.get("ExpressionAttributeNames", {})
    return any(names.get(name.strip()) == "due_shard" for name in removed.split(","))


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


def main() -> None:
    by_name = {case.name: case for case in record(Path(sys.argv[1]))}
    redemption, command = by_name["redemption"], by_name["command"]
    items = len(redemption.calls[-1].arguments["TransactItems"])
    units = use_case(redemption, 1)
    told("redemption: rows in its transaction", items, "rows", 5)
    told("a million redemptions and their requests", units * WRITE_UNIT + REQUEST, "$", 9)
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
