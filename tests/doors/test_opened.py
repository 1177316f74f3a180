"""A car opened by hand says so; one opened by us does not."""

import json
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.doors.model import Event
from chalicelib.doors.schemas import CarOpenedWithKey
from chalicelib.kernel.facts import Fact
from tests.conftest import ROOT
from tests.doors.world import CAR, UNLOCK, World


def opened(world: World) -> list[Fact]:
    return [fact for fact in world.facts() if fact.type == "CarOpenedWithKey"]


def test_a_locked_car_that_is_open_without_a_command_was_opened_with_its_key(world: World) -> None:
    world.hear(locked=True)
    world.clock.move(minutes=5)
    world.hear(locked=False)
    (fact,) = opened(world)
    assert (fact.subject, fact.data_as(CarOpenedWithKey)) == (CAR, CarOpenedWithKey(CAR, world.clock()))
    world.clock.move(minutes=5)
    world.hear(locked=False)
    assert len(opened(world)) == 1


def test_the_fact_is_the_sample(world: World) -> None:
    world.hear(locked=True, at=world.clock() - timedelta(minutes=5))
    world.hear(locked=False)
    (fact,) = opened(world)
    sample: dict[str, Any] = json.loads((ROOT / "events/facts/CarOpenedWithKey.json").read_text())
    assert fact.envelope() == sample


def test_a_car_never_heard_of_before_says_nothing(world: World) -> None:
    world.hear(locked=False)
    assert opened(world) == []


@pytest.mark.parametrize("answered", [True, False])
def test_a_car_opened_by_a_command_was_not_opened_with_its_key(world: World, answered: bool) -> None:
    world.connect()
    world.hear(locked=True)
    command = world.press(UNLOCK, "k1")
    if answered:
        world.answer(command, Event.SUCCEEDED)
    world.clock.move(minutes=10)
    world.hear(locked=False)
    assert opened(world) == []


def test_a_car_locked_again_since_the_last_command_tells_of_its_key(world: World) -> None:
    world.connect()
    world.press(UNLOCK, "k1")
    world.clock.move(seconds=74)
    world.hear(locked=True)
    world.clock.move(minutes=1)
    world.hear(locked=False)
    assert opened(world) == []
    world.clock.move(seconds=1)
    world.hear(locked=True)
    world.clock.move(minutes=1)
    world.hear(locked=False)
    assert len(opened(world)) == 1


def test_a_late_report_tells_nothing(world: World) -> None:
    world.hear(locked=True)
    world.clock.move(minutes=5)
    world.hear(locked=True)
    world.hear(locked=False, at=world.clock() - timedelta(minutes=1))
    assert opened(world) == []
