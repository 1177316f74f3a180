"""A storm of webhooks: every carrier tells everything at once, in any order, some of it twice.

The services in process, several threads at a time. The storm itself on the store in memory, which keeps the
same promises, each of its methods being one call of the real one; a squall on the strict DynamoDB, where what
leaves for it is counted in calls and write units.
"""

import json
import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from moto import mock_aws

from chalicelib.kernel import aws
from chalicelib.keys.model import State, Tracking
from chalicelib.keys.service import KeyService, shipment_id_of
from chalicelib.keys.store import KeyStore
from tests.bench.counted import write_units
from tests.bench.record import WRITES, Call
from tests.bench.sweeping import service_on
from tests.conftest import Hands, table_definitions
from tests.keys.examples import PACKER, easypost, label_of, pack, signature
from tests.keys.memory import MemoryKeys
from tests.strict import strict

THREADS = 4
SCANS = ("in_transit",) * 7 + ("out_for_delivery", "failure/delivery_exception", "delivered")
TWICE = 0.1
"""So much of it is told twice."""


@dataclass(frozen=True)
class Storm:
    """`lost`: scans in no history; `doubled`: in one twice; `astray`: parcels that are not delivered."""

    webhooks: int
    lost: int
    doubled: int
    astray: int
    calls: int
    units: int = 0


class Asked:
    """A store that counts how often it is asked."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.calls: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        self.calls[name] += 1
        return getattr(self._store, name)


def storm(events: int, now: datetime) -> Storm:
    """So many events of parcels with ten scans each, on the store in memory."""
    store = Asked(MemoryKeys())
    names, raws, service = set_out(store, events, now)
    store.calls.clear()
    weather(service, raws)
    calls = store.calls.total()
    return Storm(len(raws), *outcome(store, names), calls)


def squall(events: int, now: datetime) -> Storm:
    """The same on DynamoDB."""
    with mock_aws(), strict():
        aws.client.cache_clear()
        for table in table_definitions():
            aws.client("dynamodb").create_table(**table)
        names, raws, service = set_out(KeyStore(), events, now)
        with counted() as calls:
            weather(service, raws)
        return Storm(len(raws), *outcome(KeyStore(), names), len(calls), units(calls))


def set_out(store: Any, events: int, now: datetime) -> tuple[list[str], list[bytes], KeyService]:
    """Every parcel packed, and what will be told of it."""
    clock, names = Hands(now), [f"s{number}" for number in range(events // len(SCANS))]
    service = service_on(store, clock)
    for name in names:
        service.plan(f"con_{name}")
        service.scan(pack(now, f"tag-{name}", label_of(name), Tracking.of("easypost", name)), PACKER)
    clock.move(hours=len(SCANS) + 1)
    return names, list(told(names, now)), service


def told(names: list[str], now: datetime) -> Iterator[bytes]:
    drawn = random.Random(7)
    steps = [(name, hour) for name in names for hour in range(len(SCANS))]
    steps += drawn.sample(steps, int(len(steps) * TWICE))
    drawn.shuffle(steps)
    for name, hour in steps:
        yield easypost(name, (now + timedelta(hours=hour + 1), SCANS[hour]))


def weather(service: KeyService, raws: list[bytes]) -> None:
    def hear(raw: bytes) -> bool:
        return service.carrier_event("easypost", raw, signature("easypost", raw)).known

    with ThreadPoolExecutor(THREADS) as threads:
        assert all(threads.map(hear, raws))


@contextmanager
def counted() -> Iterator[list[Call]]:
    calls: list[Call] = []

    def note(params: dict[str, Any], model: Any, **_: Any) -> None:
        calls.append(Call("dynamodb", model.name, json.loads(params["body"]), {}))

    events = aws.client("dynamodb").meta.events
    events.register("before-call.dynamodb", note)
    yield calls
    events.unregister("before-call.dynamodb", note)


def outcome(store: Any, names: list[str]) -> tuple[int, int, int]:
    """Lost, doubled, astray."""
    lost = doubled = astray = 0
    for name in names:
        history = store.history(shipment_id_of(f"con_{name}"))
        scans = Counter(each.at for each in history.log if each.by == "carrier:easypost")
        lost += len(SCANS) - len(scans)
        doubled += scans.total() - len(scans)
        astray += history.shipment.state is not State.DELIVERED
    return lost, doubled, astray


def units(calls: list[Call]) -> int:
    """The write units of these calls, by the rows as they stand at the end."""
    pages = aws.client("dynamodb").get_paginator("scan").paginate(TableName="test-keys")
    rows = {
        json.dumps({"pk": row["pk"], "sk": row["sk"]}, sort_keys=True): row
        for page in pages
        for row in page["Items"]
    }
    written = (call for call in calls if call.operation in WRITES)
    return sum(write_units(call, rows) for call in written)
