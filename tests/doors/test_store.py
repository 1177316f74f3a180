"""What the DynamoDB store costs, and what its rows look like."""

from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.doors.model import Event
from tests.bench.counted import write_units
from tests.bench.record import recorded
from tests.doors.conftest import rows
from tests.doors.world import CAR, HORN, UNLOCK, World

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


def test_a_command_costs_two_reads_and_two_writes_and_its_answer_one_read_and_one_write(
    lasting: World, calls: list[str]
) -> None:
    calls.clear()
    command = lasting.press(UNLOCK, "k1")
    assert calls == ["Query", "TransactWriteItems", "BatchGetItem", "TransactWriteItems"]
    calls.clear()
    lasting.answer(command, Event.SUCCEEDED)
    assert calls == ["GetItem", "TransactWriteItems"]


def test_a_command_costs_at_most_twelve_write_units_before_its_answer(lasting: World) -> None:
    with recorded() as made:
        command = lasting.press(UNLOCK, "k1")
        before = sum(write_units(call, {}) for call in made if call.operation in WRITES)
        lasting.answer(command, Event.SUCCEEDED)
    total = sum(write_units(call, {}) for call in made if call.operation in WRITES)
    assert (before <= 12, total - before) == (True, 4)


def test_an_offline_car_costs_one_write(lasting: World, calls: list[str]) -> None:
    lasting.connect(online=False)
    calls.clear()
    lasting.press(UNLOCK, "k1")
    assert [name for name in calls if name in WRITES] == ["TransactWriteItems"]


def test_joining_and_being_refused_cost_one_write_each(lasting: World, calls: list[str]) -> None:
    lasting.press(UNLOCK, "k1")
    calls.clear()
    lasting.press(UNLOCK, "k2")
    assert [name for name in calls if name in WRITES] == ["TransactWriteItems"]
    calls.clear()
    with pytest.raises(Exception, match="another command"):
        lasting.press(HORN, "k3")
    assert [name for name in calls if name in WRITES] == ["TransactWriteItems"]


def test_an_idle_sweep_is_one_query_per_shard(lasting: World, calls: list[str]) -> None:
    calls.clear()
    assert lasting.service.sweep().rows_read == 0
    assert calls == ["Query"] * 4


def test_a_flood_of_refused_messages_is_one_row_a_day(lasting: World, dynamodb: Any) -> None:
    command = lasting.press(UNLOCK, "k1")
    for number in range(50):
        lasting.answer(command, Event.SUCCEEDED, client=f"car-{number}", command_id="x" * 500)
    (refused,) = [row for row in rows(dynamodb) if row["pk"]["S"] == f"REFUSED#{CAR}"]
    assert (refused["times"]["N"], len(refused["command_id"]["S"])) == ("50", 128)
    assert refused["sk"]["S"] == "2026-03-02#not_its_own"


def test_a_settled_command_leaves_the_index_and_the_table_after_ninety_days(
    lasting: World, dynamodb: Any
) -> None:
    lasting.answer(lasting.press(UNLOCK, "k1"), Event.SUCCEEDED)
    (row,) = [row for row in rows(dynamodb) if row["sk"]["S"] == "COMMAND"]
    assert not {"due_at", "due_shard"} & set(row)
    assert int(row["ttl"]["N"]) == int(lasting.clock().timestamp()) + 90 * 24 * 3600
