"""A sweep beside many shipments that are long home: what it reads and what it asks.

Ten thousand on the strict DynamoDB; up to a million on `Modelled`, a stand-in for the table: the Store as the
service knows it, in plain Python, with its sparse index `due` as DynamoDB keeps it (in order, an entry only
while a timer runs), counting queries, rows read and writes. What the index holds is decided by the shipments
themselves, as in the real store; how DynamoDB finds a query's first row is not measured.
"""

import bisect
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from moto import mock_aws
from msgspec.structs import replace

from chalicelib.kernel import aws
from chalicelib.kernel.auth import Caller
from chalicelib.kernel.deadlines import PAGE, Report, shard_of
from chalicelib.keys.gateway import SignedCarriers
from chalicelib.keys.model import Change, MovedOn, Override, Receipt, Shipment, State, Tracking, planned
from chalicelib.keys.service import KeyService, shipment_id_of
from chalicelib.keys.store import KeyStore
from tests.conftest import Hands, table_definitions
from tests.keys.examples import COURIER, PACKER, Contracts, Relief, handoff, label_of, pack, secret
from tests.strict import strict

BATCH = 25


def swept(closed: int, due: int, now: datetime) -> Report:
    """What one sweep does when `due` parcels have been silent for a day and `closed` keys were received."""
    with mock_aws(), strict():
        aws.client.cache_clear()
        for table in table_definitions():
            aws.client("dynamodb").create_table(**table)
        clock = Hands(now - timedelta(days=1, hours=1))
        service = service_on(KeyStore(), clock)
        for name in ("home", "silent"):
            service.plan(f"con_{name}")
        service.receipt("con_home", Receipt("tag-home"), Caller("home"), "k1")
        parcel = Tracking.of("easypost", "silent")
        service.scan(pack(clock(), "tag-silent", label_of("silent"), parcel), PACKER)
        service.scan(handoff(clock(), "tag-silent"), COURIER)
        repeat("con_home", closed - 1)
        repeat("con_silent", due - 1)
        clock.at = now
        return service.sweep()


def repeat(contract_id: str, times: int) -> None:
    """The row of this contract's shipment so many times more, each as a shipment of its own."""
    client, id_ = aws.client("dynamodb"), shipment_id_of(contract_id)
    key = {"pk": {"S": f"SHIPMENT#{id_}"}, "sk": {"S": "SHIPMENT"}}
    row = client.get_item(TableName="test-keys", Key=key)["Item"]
    for start in range(0, times, BATCH):
        names = [f"{id_}-{number}" for number in range(start, min(start + BATCH, times))]
        puts = [{"PutRequest": {"Item": named(row, name)}} for name in names]
        client.batch_write_item(RequestItems={"test-keys": puts})


def named(row: dict[str, Any], shipment_id: str) -> dict[str, Any]:
    shard = {"due_shard": {"S": shard_of(shipment_id)}} if "due_shard" in row else {}
    return {**row, **shard, "pk": {"S": f"SHIPMENT#{shipment_id}"}, "shipment_id": {"S": shipment_id}}


def service_on(store: Any, clock: Hands) -> KeyService:
    return KeyService(store, Contracts(), SignedCarriers(secret), Relief(), clock, most=10**9)


@dataclass
class Modelled:
    """A table of shipments and its index; `rows` are those its queries read."""

    table: dict[str, Shipment] = field(default_factory=dict)
    index: dict[str, list[tuple[datetime, str]]] = field(default_factory=lambda: defaultdict(list))
    queries: int = 0
    rows: int = 0
    writes: int = 0

    def fill(self, shipment: Shipment) -> None:
        self.table[shipment.shipment_id] = shipment
        if shipment.due_at:
            entry = (shipment.due_at, shipment.shipment_id)
            bisect.insort(self.index[shard_of(shipment.shipment_id)], entry)

    def due(self, shard: int, until: datetime) -> Iterator[Sequence[Shipment]]:
        entries = self.index[str(shard)]
        found = entries[: bisect.bisect_right(entries, (until, "\uffff"))]
        for start in range(0, max(len(found), 1), PAGE):
            page = [self.table[id_] for _, id_ in found[start : start + PAGE]]
            self.queries += 1
            self.rows += len(page)
            yield page

    def ring(self, change: Change) -> None:
        before, id_ = change.before, change.before.shipment_id
        now = self.table[id_]
        if before.due_at is None or (now.version, now.due_at) != (before.version, before.due_at):
            raise MovedOn()
        self.writes += 1
        entries = self.index[shard_of(id_)]
        del entries[bisect.bisect_left(entries, (before.due_at, id_))]
        self.fill(change.after)

    def overrides(self, since: date) -> Sequence[Override]:
        return ()


@dataclass(frozen=True)
class Counted:
    """Of one sweep: what it rang, and the DynamoDB calls a store would have made for it."""

    claimed: int
    rows: int
    queries: int
    calls: int


def modelled(shipments: int, due: int, now: datetime) -> Counted:
    """One sweep over so many shipments: `due` silent for a day, a tenth still in time, the others home."""
    store = Modelled()
    fresh = planned("shp", Contracts().delivery("con_kim"), now - timedelta(days=3))
    silent = replace(
        fresh, state=State.IN_TRANSIT, since=now - timedelta(hours=25), due_at=now - timedelta(hours=1)
    )
    in_time = replace(silent, since=now, due_at=now + timedelta(hours=24))
    home = replace(fresh, state=State.VERIFIED, due_at=None)
    for number in range(shipments):
        kind = silent if number < due else in_time if number % 10 == 0 else home
        store.fill(replace(kind, shipment_id=f"shp_{number}"))
    calendar = 1
    report = service_on(store, Hands(now)).sweep()
    return Counted(report.claimed, store.rows, report.queries, store.queries + store.writes + calendar)
