"""Whole won: shares that lose none, entries whose legs add up to nothing."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.kernel.money import Entry, Leg, Unbalanced, balances, percent_of, shares

NOON = datetime(2026, 3, 2, 3, tzinfo=UTC)
WEIGHTS = st.lists(st.integers(0, 10**9), min_size=1, max_size=4)


@settings(max_examples=100, deadline=None)
@given(WEIGHTS, st.data())
def test_shares_neither_make_nor_lose_a_won_and_none_is_above_its_weight(
    weights: list[int], data: st.DataObject
) -> None:
    amount = data.draw(st.integers(0, sum(weights)))
    parts = shares(amount, weights)
    assert sum(parts) == amount
    assert all(0 <= part <= weight for part, weight in zip(parts, weights, strict=True))


@settings(max_examples=50, deadline=None)
@given(WEIGHTS, st.lists(st.integers(1, 10**9), max_size=5))
def test_shares_of_what_is_left_time_after_time_end_exactly_at_the_weights(
    weights: list[int], amounts: list[int]
) -> None:
    left = list(weights)
    for amount in [*amounts, sum(weights)]:
        parts = shares(min(amount, sum(left)), left)
        left = [each - part for each, part in zip(left, parts, strict=True)]
        assert min(left) >= 0
    assert not any(left)


def test_the_largest_remainder_is_rounded_up() -> None:
    assert shares(10, [1, 1, 1]) == (4, 3, 3)
    assert shares(0, [5, 5]) == (0, 0)
    assert shares(0, [0, 0]) == (0, 0)


def test_a_percentage_is_rounded_down() -> None:
    assert percent_of(999, 10) == 99


def test_an_entry_whose_legs_do_not_add_up_cannot_be_made() -> None:
    with pytest.raises(Unbalanced, match="c1"):
        Entry("c1", "reserve", "cmp_1", NOON, (Leg("a", 5), Leg("b", -4)))


def test_balances_of_all_accounts_add_up_to_nothing() -> None:
    moved = [
        Entry("c1", "reserve", "cmp_1", NOON, (Leg("reserved", 5), Leg("available", -5))),
        Entry("c2", "capture", "cmp_1", NOON, (Leg("captured", 5), Leg("reserved", -5))),
    ]
    found = balances(moved)
    assert (found["available"], found["reserved"], found["captured"]) == (-5, 0, 5)
    assert sum(found.values()) == 0
