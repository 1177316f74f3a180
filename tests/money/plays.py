"""Markets played from a seed: the machine's acts, drawn without Hypothesis, for the great numbers."""

import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from tests.money.market import CONTRACTS, SKIES, Day, Market, Weather

ACTS = 26


def reserve(market: Market, rng: random.Random) -> None:
    contract = rng.randrange(CONTRACTS)
    other = (contract + 4) % CONTRACTS
    coupon = rng.choice([None, *[contract] * 6, other, other, rng.randrange(CONTRACTS)])
    points = rng.choice([0, 0, 0, 100, 300, rng.randint(1, 3_000)])
    key = rng.choice([contract, contract, contract + 100 * rng.randrange(3)])
    market.reserve(contract, coupon, points, key, rng.choice([None, 1, 500]))


def capture(market: Market, rng: random.Random) -> None:
    card = rng.choice(["good", "good", "good", "other", "empty"])
    market.capture(rng.randrange(32), card, rng.choice("ab"))


def cancel(market: Market, rng: random.Random) -> None:
    market.cancel(rng.randrange(32), by_ops=rng.random() < 0.3)


def refund(market: Market, rng: random.Random) -> None:
    market.refund(rng.randrange(32), rng.randrange(3), rng.choice([100, 100, 50, 30, 1]))


def call_off(market: Market, rng: random.Random) -> None:
    market.call_off(rng.randrange(32), rng.choice([100, 90, 90, 0]))


CHANCES: dict[Callable[[Market, random.Random], None], int] = {
    reserve: 92,
    capture: 36,
    cancel: 16,
    refund: 20,
    lambda market, rng: market.sweep(): 12,
    lambda market, rng: market.sweep_points(): 2,
    lambda market, rng: market.tick(rng.choice([30, 660, 901, 2_800])): 4,
    lambda market, rng: market.top_up(rng.randrange(2), rng.choice([1_000, 4_000])): 6,
    lambda market, rng: market.cut(rng.randrange(2), rng.choice([500, 5_000])): 4,
    lambda market, rng: market.pause(): 3,
    lambda market, rng: market.resume(): 3,
    lambda market, rng: market.close(): 1,
    lambda market, rng: market.bank.hears_again(rng.randrange(32)): 1,
    call_off: 6,
}
"""Of what somebody begins, how often."""


def act(market: Market, rng: random.Random) -> None:
    (begin,) = rng.choices([*CHANCES], [*CHANCES.values()])
    begin(market, rng)


def play(
    seed: int, weather: Weather | None = None, acts: int = ACTS, shards: int | None = None, **market: Any
) -> Counter[str]:
    """One schedule, to its rest. Untrue is raised with the seed."""
    rng = random.Random(seed)
    sky = weather or rng.choice(SKIES)
    place = Day.drawn(seed)
    if shards is not None:
        place = replace(place, shards=shards)
    with Market(place, sky, **market) as here:
        try:
            for _ in range(acts):
                act(here, rng)
                here.go_on(rng.choice([0, 1, 3, 10, 40]), rng)
            here.go_on(60, rng)
            here.come_to_rest()
            if seed % 4 == 0:
                here.reconcile()
        except Exception as problem:
            problem.add_note(f"seed {seed}")
            raise
        here.heard["calls"] = here.world.stage.calls
        return here.heard


def plays(seeds: Iterable[int], **given: Any) -> Counter[str]:
    heard: Counter[str] = Counter()
    for seed in seeds:
        heard += play(seed, **given)
    return heard


def found(seeds: Iterable[int], **given: Any) -> tuple[int, str] | None:
    """How many schedules it takes until something is untrue, and what; None when nothing is."""
    for number, seed in enumerate(seeds, 1):
        try:
            play(seed, **given)
        except Exception as problem:
            return number, f"{type(problem).__name__}: {problem}"
    return None
