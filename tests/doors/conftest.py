"""Each behaviour is tested twice: on the memory store and on DynamoDB."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from chalicelib.doors.store import DoorStore
from chalicelib.kernel.facts import Fact, fact_of
from tests.conftest import Hands
from tests.doors.memory import MemoryDoors
from tests.doors.world import World, world_of


def rows(client: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.scan(TableName="test-doors")["Items"]
    return found


def stored_facts(client: Any) -> list[Fact]:
    facts = [
        fact_of({"detail": msgspec.json.decode(row["fact"]["S"])}) for row in rows(client) if "fact" in row
    ]
    return sorted(facts, key=lambda fact: fact.id)


def stored_refusals(client: Any) -> list[str]:
    refused = [row for row in rows(client) if row["pk"]["S"].startswith("REFUSED#")]
    return [row["sk"]["S"].split("#")[1] for row in refused for _ in range(int(row["times"]["N"]))]


@pytest.fixture(params=["memory", "dynamodb"])
def world(request: pytest.FixtureRequest, clock: Hands, new_id: Callable[[str], str]) -> World:
    """A car that is connected, and everybody who may use it."""
    if request.param == "dynamodb":
        client = request.getfixturevalue("dynamodb")
        return world_of(
            DoorStore(), clock, new_id, lambda: stored_facts(client), lambda: stored_refusals(client)
        )
    memory = MemoryDoors()
    refusals = lambda: [str(it.verdict) for it in memory.refusals]  # noqa: E731
    return world_of(memory, clock, new_id, lambda: list(memory.facts), refusals)


@pytest.fixture
def lasting(dynamodb: Any, clock: Hands, new_id: Callable[[str], str]) -> World:
    """As `world`, for what only DynamoDB can show."""
    return world_of(DoorStore(), clock, new_id)
