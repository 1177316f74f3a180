"""Connection events come twice, late and in the wrong order (AWS IoT lifecycle events)."""

import itertools
from datetime import timedelta

import pytest

from chalicelib.doors.model import Presence
from tests.conftest import NOON
from tests.doors.world import World

OTHER = "car-0002"


def event(version: int, seconds: float, *, online: bool) -> Presence:
    return Presence.of(OTHER, version, NOON + timedelta(seconds=seconds), online=online)


STORY = (
    event(0, 0, online=True),
    event(0, 10, online=False),
    event(1, 11, online=True),
)
"""As AWS numbers them: a connection and its end share a number."""


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_r03_the_last_thing_that_happened_wins_in_whatever_order_it_is_heard(
    world: World, order: tuple[int, ...]
) -> None:
    for index in (*order, *order):
        world.service.presence(STORY[index])
    assert world.service.car_state(OTHER).online


@pytest.mark.parametrize("order", list(itertools.permutations(range(2))))
def test_a_disconnect_comes_after_its_own_connect(world: World, order: tuple[int, ...]) -> None:
    for index in order:
        world.service.presence(STORY[index])
    assert not world.service.car_state(OTHER).online


def test_a_duplicate_is_told_to_change_nothing(world: World) -> None:
    assert world.service.presence(STORY[0])
    assert not world.service.presence(STORY[0])


def test_numbers_start_again_after_an_hour_without_a_connection(world: World) -> None:
    world.service.presence(event(40, 0, online=True))
    world.service.presence(event(40, 60, online=False))
    assert not world.service.presence(event(0, 120, online=True))
    assert world.service.presence(event(0, 60 + 3600, online=True))
    assert world.service.car_state(OTHER).online


def test_last_seen_is_the_last_connection_event(world: World) -> None:
    world.service.presence(STORY[0])
    world.service.presence(STORY[1])
    assert world.service.car_state(OTHER).last_seen == STORY[1].at
