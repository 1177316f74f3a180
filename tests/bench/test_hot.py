"""A hot campaign in small: the figures are in `make bench`."""

import random

import pytest

from tests.bench.hot import AMOUNT, DESIGNED, ENDLESS, Crowd, Hot


@pytest.fixture(autouse=True)
def the_same_pauses_every_time() -> None:
    random.seed(1)


def crowd(shards: int, budget: int, per_second: float, seconds: float) -> Hot:
    it = Crowd(shards, budget, seed=1)
    it.steady(per_second, seconds)
    return it.outcome(seconds)


def test_c11_tries_are_spread_evenly_over_the_shards() -> None:
    hot = crowd(16, ENDLESS, 4 * 16 * DESIGNED, 1.5)
    assert hot.heard["granted"] > 1_000
    assert hot.unevenness < 3


def test_c11_eight_times_the_shards_grant_eight_times_as_much() -> None:
    one, eight = (crowd(shards, ENDLESS, 4 * shards * DESIGNED, 8 / shards * 2) for shards in (1, 8))
    assert eight.per_second >= 0.9 * 8 * one.per_second


def test_c02_a_crowd_gets_every_last_coupon_of_a_hot_campaign() -> None:
    hot = crowd(16, 200 * AMOUNT, 1_000, 1.5)
    assert hot.heard["granted"] == 200
    assert sum(row.available for row in hot.table.rows) == 0
    assert hot.heard["refused"] > 1_000
