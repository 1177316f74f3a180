"""A small piece of the road (tests/bench/road): everything goes wrong, and nothing that must not be is."""

import functools

import pytest

from tests.bench.road.crashes import die_everywhere
from tests.bench.road.guards import GUARDS, Guard, without_each
from tests.bench.road.travel import Days, day

WORLDS = 10
SEEN_IN_SCENES = [
    guard
    for guard in GUARDS
    if guard.name
    in (
        "a stop is part of the car's row",
        "the grant is looked at again before the publish",
        "the line is written before the publish",
        "a refused forgery settles nothing",
        "a key has one command",
    )
]


@functools.cache
def days() -> Days:
    found = Days()
    for seed in range(WORLDS):
        found += day(seed)
    return found


def never(*truths: str) -> bool:
    broken = days().broken
    assert set(truths) <= set(broken)
    assert days().counts["commands"] > 1_000
    return not any(broken[truth] for truth in truths)


def test_r01_what_ended_stays_ended_and_nobody_is_told_what_is_not_so() -> None:
    assert never("left_a_final_state", "told_wrong", "recorded_wrong", "refused_and_done")


def test_r01_every_command_has_ended_when_its_deadline_and_grace_are_over() -> None:
    assert never("left_open", "facts_wrong")


def test_r02_nothing_is_carried_out_late() -> None:
    assert never("executed_late", "executed_late_by_its_own_clock", "executed_late_by_a_wrong_clock")


def test_r04_one_command_holds_a_car_and_a_key_means_one_command() -> None:
    assert never("two_at_once", "published_twice", "key_meant_two_things")


def test_r04_a_death_at_any_boundary_of_any_run_breaks_nothing() -> None:
    deaths = die_everywhere(twice=False)
    assert deaths.boundaries > 200
    assert deaths.wrong == ()


def test_r05_nothing_is_carried_out_twice_or_out_of_order_or_that_we_never_sent() -> None:
    assert never("executed_twice", "executed_out_of_order", "executed_what_nobody_sent")


def test_r06_success_is_only_what_the_car_really_did() -> None:
    assert never("claimed_success")


def test_r11_nothing_leaves_after_a_revocation_or_a_stop() -> None:
    assert never("executed_after_revoke", "executed_after_stop", "looked_too_early")


def test_r14_every_press_has_its_line_before_it_has_its_effect() -> None:
    assert never("published_unrecorded", "log_broken", "log_untrue")
    assert never("log_incomplete", "log_of_refusals_incomplete")


def test_no_run_meets_an_error_that_nobody_named() -> None:
    assert never("broke")


@pytest.mark.parametrize("guard", SEEN_IN_SCENES, ids=lambda guard: guard.name)
def test_the_road_notices_a_guard_that_is_gone(guard: Guard) -> None:
    (missed,) = without_each((), [guard])
    assert missed.as_expected
