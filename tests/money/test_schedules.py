"""Money under any order of calls and faults: every schedule is judged after every committed call.

`make test` plays some hundred schedules, `make bench` more than ten thousand (`tests/bench/money.py`).
"""

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.money import machine
from tests.money.plays import found, play, plays
from tests.money.twins import TWINS, Twin
from tests.money.wire import both

QUICK = settings(
    max_examples=80,
    stateful_step_count=22,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


def test_c01_nothing_is_overspent_in_any_order_of_calls_conflicts_losses_and_deaths() -> None:
    """I1 to I9 after every committed call, on the real services; Hypothesis says whose call is next."""
    machine.HEARD.clear()
    run_state_machine_as_test(machine.MoneyMachine, settings=QUICK)
    assert all(machine.HEARD[what] for what in ("granted", "captured", "cancelled", "BudgetExhausted"))


def test_c01_and_neither_in_schedules_drawn_from_seeds() -> None:
    heard = plays(range(160), acts=14)
    assert heard["granted"] > 40


@pytest.mark.parametrize("seed", range(3))
def test_c01_moto_answers_every_call_of_a_schedule_as_the_rows_in_memory_do(dynamodb: Any, seed: int) -> None:
    heard = play(seed, acts=14, shards=8, ask=lambda rows: both(rows, dynamodb))
    assert heard["calls"]


@pytest.mark.parametrize("twin", [each for each in TWINS if each.within <= 20], ids=lambda each: each.name)
def test_a_twin_with_one_thing_wrong_is_found_out(twin: Twin) -> None:
    """The rest of them, and what takes more schedules, by `make bench`."""
    with twin.at_work():
        assert found(range(twin.within), acts=14)


def test_the_same_seed_is_the_same_schedule() -> None:
    assert play(11, acts=14) == play(11, acts=14)
