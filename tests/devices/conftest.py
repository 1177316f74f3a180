"""Each behaviour is tested twice: on the memory store and on DynamoDB."""

from typing import Any

import msgspec
import pytest

from chalicelib.devices.service import DeviceService
from chalicelib.devices.store import DeviceStore
from chalicelib.kernel.facts import Fact, fact_of
from tests.conftest import Hands
from tests.devices.memory import MemoryDevices
from tests.devices.world import Cars, Registry, World


def rows(client: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.scan(TableName="test-devices")["Items"]
    return found


def stored_facts(client: Any) -> list[Fact]:
    found = [row for row in rows(client) if "fact" in row]
    found.sort(key=lambda row: (row["pk"]["S"], row["sk"]["S"]))
    return [fact_of({"detail": msgspec.json.decode(row["fact"]["S"])}) for row in found]


def stored_refusals(client: Any) -> list[tuple[str, str]]:
    refused = [row for row in rows(client) if row["pk"]["S"].startswith("REFUSED#")]
    return [
        (row["pk"]["S"].removeprefix("REFUSED#"), row["sk"]["S"].split("#")[1])
        for row in refused
        for _ in range(int(row["times"]["N"]))
    ]


@pytest.fixture(params=["memory", "dynamodb"])
def world(request: pytest.FixtureRequest, clock: Hands) -> World:
    store: Any
    if request.param == "dynamodb":
        client = request.getfixturevalue("dynamodb")
        store, facts, refusals = DeviceStore(), lambda: stored_facts(client), lambda: stored_refusals(client)
    else:
        memory = MemoryDevices()
        store, facts = memory, lambda: list(memory.facts)
        refusals = lambda: [(it.under, str(it.what)) for it in memory.refusals]  # noqa: E731
    registry = Registry()
    service = DeviceService(
        store, Cars(), registry, lambda: "code key", lambda car_id: f"key of {car_id}", clock
    )
    return World(service, store, registry, clock, facts, refusals)
