"""How often a car may be asked, and the reserve that LOCK keeps."""

from datetime import timedelta
from typing import Any

import pytest

from chalicelib.doors.model import (
    LIMITS,
    Action,
    Command,
    Control,
    Event,
    Given,
    RateLimited,
    State,
    waiting,
)
from chalicelib.doors.store.items import hour_of, hour_text
from chalicelib.kernel.audit import Head, line_after
from chalicelib.kernel.facts import Fact
from tests.bench.counted import size
from tests.conftest import NOON
from tests.doors.conftest import rows
from tests.doors.world import CAR, HORN, LOCK, UNLOCK, World

HAZARD = Action.HAZARD_ON
SECOND = timedelta(seconds=1)


def pressed(world: World, action: Action, times: int, seconds: float = 1) -> None:
    for number in range(times):
        command = world.press(action, f"{action}{world.clock()}{number}")
        world.answer(command, Event.SUCCEEDED)
        world.clock.move(seconds=seconds)


def refused(world: World, action: Action) -> int:
    """Seconds to wait."""
    with pytest.raises(RateLimited) as limited:
        world.press(action, "one too many")
    assert limited.value.extra["retry_after"] == limited.value.retry_after
    return limited.value.retry_after


def test_r13_ten_a_minute_and_lock_keeps_a_reserve_of_five(world: World) -> None:
    pressed(world, HAZARD, 10)
    assert refused(world, UNLOCK) == 50
    pressed(world, LOCK, 5, seconds=0)
    assert refused(world, LOCK) == 50
    world.clock.move(seconds=50)
    refused(world, UNLOCK)  # fourteen are still within the minute
    world.clock.move(seconds=10)
    assert world.press(UNLOCK, "again").state == State.SENT


def test_r13_sixty_an_hour_and_lock_keeps_a_reserve_of_twenty() -> None:
    def after(times: int) -> Control:
        return Control(recent=tuple(Given(NOON + 10 * n * SECOND, HAZARD) for n in range(times)))

    at = NOON + 600 * SECOND
    assert waiting(UNLOCK, after(59), at) is None
    assert waiting(UNLOCK, after(60), at) == 3600 - 600
    assert waiting(LOCK, after(79), NOON + 790 * SECOND) is None
    assert waiting(LOCK, after(80), NOON + 800 * SECOND) == 3600 - 800
    assert waiting(UNLOCK, after(60), NOON + 3601 * SECOND) is None


def test_r13_the_horn_sounds_three_times_a_minute_and_leaves_the_rest_alone(world: World) -> None:
    pressed(world, HORN, 3)
    assert refused(world, HORN) == 57
    pressed(world, UNLOCK, 1)
    world.clock.move(seconds=56)
    assert world.press(HORN, "again").state == State.SENT


def test_r13_a_retry_is_no_actuation(world: World) -> None:
    first = world.press(HORN, "k1")
    world.answer(first, Event.SUCCEEDED)
    pressed(world, HORN, 2)
    assert world.sent(HORN, "k1").replayed
    refused(world, HORN)


def test_r13_lock_passes_in_any_minute_that_unlock_has_used_up() -> None:
    for limit in LIMITS:
        if limit.only is None:
            recent = tuple((NOON, UNLOCK) for _ in range(limit.most))
            assert limit.wait(UNLOCK, recent, NOON)
            assert limit.wait(LOCK, recent, NOON) is None


def test_an_hour_of_presses_is_read_as_it_was_written() -> None:
    given = tuple(Given(NOON + 7.003 * n * SECOND, action) for n, action in enumerate(Action))
    assert hour_of(hour_text(given)) == given
    assert hour_of(None) == ()


def test_the_busiest_cars_row_stays_below_one_kilobyte(lasting: World, dynamodb: Any) -> None:
    recent = tuple(Given(NOON + 45 * n * SECOND, UNLOCK) for n in range(-79, 0))
    command = Command("cmd_" + "0" * 26, "grt", "con", CAR, LOCK, NOON, "0" * 16, counter=1)
    line = line_after(Head(), CAR, at=NOON, what="requested", who="kim", about={})
    fact = Fact.of("CommandRequested", "doors", CAR, at=NOON, id="evt_1", data={})
    lasting.store.open(command, Control(recent=recent), line, None, fact)
    (control,) = [row for row in rows(dynamodb) if row["sk"]["S"] == "CONTROL"]
    assert size(control) < 1024
    assert len(lasting.store.car(CAR).control.recent) == 80


def test_the_car_row_forgets_what_no_limit_counts(world: World) -> None:
    pressed(world, LOCK, 8, seconds=600)
    control = world.store.car(CAR).control
    assert (control.counter, len(control.recent)) == (8, 6)
