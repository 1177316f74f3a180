"""What a stay costs follows from the data's own numbers, and never falls when one stays longer."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.parking.model import Fee
from tests.parking.conftest import sample

AMOUNTS = st.none() | st.integers(0, 20_000)
MINUTES = st.none() | st.integers(0, 180)
FEES = st.builds(Fee, MINUTES, AMOUNTS, MINUTES, AMOUNTS, AMOUNTS)
HALF_HOUR_THEN_TENS = Fee(30, 1000, 10, 500, 15_000)


@pytest.mark.parametrize(
    ("minutes", "amount"),
    [
        (1, 1000),
        (30, 1000),
        (31, 1500),
        (40, 1500),
        (41, 2000),
        (60, 2500),
        (310, 15_000),
        (24 * 60, 15_000),
        (24 * 60 + 1, 16_000),
        (48 * 60, 30_000),
    ],
)
def test_the_first_half_hour_then_every_ten_minutes_and_a_day_at_most(minutes: int, amount: int) -> None:
    assert HALF_HOUR_THEN_TENS.of(minutes) == amount


def test_what_the_data_do_not_say_is_not_made_up() -> None:
    assert Fee().of(10) is None
    only_five_minutes = Fee(5, 250, 0, 0)
    assert (only_five_minutes.of(5), only_five_minutes.of(6)) == (250, None)
    assert Fee(0, 0, 0, 0).of(1) is None


def test_the_first_half_hour_may_be_free() -> None:
    assert [Fee(30, 0, 10, 400).of(minutes) for minutes in (30, 31, 41)] == [0, 400, 800]


@settings(max_examples=50, deadline=None)
@given(fee=FEES, one=st.integers(1, 10_080), other=st.integers(1, 10_080))
def test_a_longer_stay_never_costs_less(fee: Fee, one: int, other: int) -> None:
    shorter, longer = fee.of(min(one, other)), fee.of(max(one, other))
    assert longer is None or (shorter is not None and 0 <= shorter <= longer)


def test_a_free_place_is_free_whatever_else_it_says() -> None:
    assert {place.stay(600) for place in sample() if place.free_of_charge} == {0}
