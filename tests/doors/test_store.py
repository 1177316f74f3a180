"""What the DynamoDB store costs, and what its rows look like."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chalicelib.doors.model import Event
from chalicelib.doors.service import DoorService
from chalicelib.doors.store import DoorStore
from tests.conftest import Hands
from tests.doors.conftest import rows
from tests.doors.world import CAR, HORN, MASTER, UNLOCK, Air, Holders, World

WRITES = {"PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems"}


@pytest.fixture
def calls(dynamodb: Any) -> Iterator[list[str]]:
    """The names of the DynamoDB calls, as they are made."""
    made: list[str] = []

    def note(model: Any, **_: Any) -> None:
        made.append(model.name)

    dynamodb.meta.events.register("before-call.dynamodb", note)
    yield made
    dynamodb.meta.events.unregister("before-call.dynamodb", note)


@pytest.fixture
def world(dynamodb: Any, clock: Hands, new_id: Callable[[str], str]) -> World:
    air, nonces = Air(), itertools.count(1)
    service = DoorService(
        DoorStore(), Holders(), air, lambda: MASTER, clock, new_id, lambda: f"{next(nonces):016x}"
    )
    world = World(service, service.store, air, clock, list, list)
    world.connect()
    return world


def test_a_command_costs_one_query_and_two_writes_and_its_answer_one_read_and_one_write(
    world: World, calls: list[str]
) -> None:
    calls.clear()
    command = world.press(UNLOCK, "k1")
    assert calls == ["Query", "TransactWriteItems", "UpdateItem"]
    calls.clear()
    world.answer(command, Event.SUCCEEDED)
    assert calls == ["GetItem", "TransactWriteItems"]


def test_an_offline_car_costs_one_write(world: World, calls: list[str]) -> None:
    world.connect(online=False)
    calls.clear()
    world.press(UNLOCK, "k1")
    assert calls == ["Query", "TransactWriteItems"]


def test_joining_costs_one_put_and_a_busy_car_none(world: World, calls: list[str]) -> None:
    world.press(UNLOCK, "k1")
    calls.clear()
    world.press(UNLOCK, "k2")
    assert calls == ["Query", "GetItem", "PutItem"]
    calls.clear()
    with pytest.raises(Exception, match="another command"):
        world.press(HORN, "k3")
    assert not WRITES & set(calls)


def test_an_idle_sweep_is_one_query_per_shard(world: World, calls: list[str]) -> None:
    calls.clear()
    assert world.service.sweep().rows_read == 0
    assert calls == ["Query"] * 4


def test_a_flood_of_refused_messages_is_one_row_a_day(world: World, dynamodb: Any) -> None:
    command = world.press(UNLOCK, "k1")
    for number in range(50):
        world.answer(command, Event.SUCCEEDED, client=f"car-{number}", command_id="x" * 500)
    (refused,) = [row for row in rows(dynamodb) if row["pk"]["S"] == f"REFUSED#{CAR}"]
    assert (refused["times"]["N"], len(refused["command_id"]["S"])) == ("50", 128)
    assert refused["sk"]["S"] == "2026-03-02#not_its_own"


def test_a_settled_command_leaves_the_index_and_the_table_after_ninety_days(
    world: World, dynamodb: Any
) -> None:
    world.answer(world.press(UNLOCK, "k1"), Event.SUCCEEDED)
    (row,) = [row for row in rows(dynamodb) if row["sk"]["S"] == "COMMAND"]
    assert not {"due_at", "due_shard"} & set(row)
    assert int(row["ttl"]["N"]) == int(world.clock().timestamp()) + 90 * 24 * 3600
