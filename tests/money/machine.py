"""The market as a state machine of Hypothesis: its rules begin acts, and say whose call is next and what goes
wrong with it. So it also shrinks: a schedule that breaks a truth is told in as few calls as possible."""

import random
from collections import Counter

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.money.market import CONTRACTS, SKIES, Day, Market
from tests.money.stage import Fault

PLACES = st.integers(0, 31)
CONTRACT = st.integers(0, CONTRACTS - 1)
POINTS = st.sampled_from([0, 0, 100, 700])
CALLS = st.sampled_from([0, 1, 3, 8, 20])
"""Made by anybody, before the next act begins."""
SEEDS = st.integers(0, 2**32 - 1)
HEARD: Counter[str] = Counter()


class MoneyMachine(RuleBasedStateMachine):
    market: Market

    @initialize(seed=SEEDS, sky=st.sampled_from(SKIES))
    def opens(self, seed: int, sky: object) -> None:
        self.market = Market(Day.drawn(seed), sky)  # type: ignore[arg-type]
        self.market.__enter__()
        self.rng = random.Random(seed)

    def goes_on(self, calls: int, seed: int) -> None:
        self.market.go_on(calls, random.Random(seed))

    @rule(
        contract=CONTRACT,
        coupon=st.none() | CONTRACT,
        points=POINTS,
        key=st.integers(0, 2),
        least=st.sampled_from([None, 1, 500]),
        calls=CALLS,
    )
    def reserve(
        self, contract: int, coupon: int | None, points: int, key: int, least: int | None, calls: int
    ) -> None:
        self.market.reserve(contract, coupon, points, key, least)
        self.goes_on(calls, contract)

    @rule(contract=CONTRACT, points=POINTS, calls=CALLS)
    def reserve_with_the_own_coupon(self, contract: int, points: int, calls: int) -> None:
        self.market.reserve(contract, contract, points, contract, None)
        self.goes_on(calls, contract)

    @rule(contracts=st.sets(CONTRACT, min_size=2), calls=CALLS)
    def many_reserve_at_once(self, contracts: set[int], calls: int) -> None:
        for contract in sorted(contracts):
            self.market.reserve(contract, contract, 0, contract, None)
        self.goes_on(4 * calls, calls)

    @precondition(lambda self: self.market.truths.checkouts)
    @rule(place=PLACES, card=st.sampled_from(["good", "good", "other", "empty"]), calls=CALLS)
    def capture(self, place: int, card: str, calls: int) -> None:
        self.market.capture(place, card)
        self.goes_on(calls, place)

    @precondition(lambda self: self.market.truths.checkouts)
    @rule(places=st.sets(PLACES, min_size=1, max_size=4), calls=CALLS)
    def many_pay_at_once(self, places: set[int], calls: int) -> None:
        for place in sorted(places):
            self.market.capture(place, "good")
        self.goes_on(4 * calls, calls)

    @precondition(lambda self: self.market.truths.checkouts)
    @rule(place=PLACES, by_ops=st.booleans(), calls=CALLS)
    def cancel(self, place: int, by_ops: bool, calls: int) -> None:
        self.market.cancel(place, by_ops)
        self.goes_on(calls, place)

    @precondition(lambda self: self.market.truths.paid_since)
    @rule(place=PLACES, name=st.integers(0, 2), percent=st.sampled_from([100, 50, 30, 1]), calls=CALLS)
    def refund(self, place: int, name: int, percent: int, calls: int) -> None:
        self.market.refund(place, name, percent)
        self.goes_on(calls, place)

    @rule(seconds=st.sampled_from([0.5, 660, 901, 2_800]), calls=CALLS)
    def time_passes(self, seconds: float, calls: int) -> None:
        self.market.tick(seconds)
        self.market.sweep()
        self.goes_on(calls, 1)

    @rule(
        what=st.sampled_from(["top-up", "cut", "pause", "resume", "resume"]),
        name=st.integers(0, 1),
        calls=CALLS,
    )
    def operate(self, what: str, name: int, calls: int) -> None:
        acts = {
            "top-up": lambda: self.market.top_up(name, 4_000),
            "cut": lambda: self.market.cut(name, 500),
            "pause": self.market.pause,
            "resume": self.market.resume,
        }
        acts[what]()
        self.goes_on(calls, name)

    @rule(place=PLACES)
    def the_bank_hears_it_again(self, place: int) -> None:
        self.market.bank.hears_again(place)

    @precondition(lambda self: self.market.world.stage.playing)
    @rule(place=PLACES, fault=st.sampled_from(Fault))
    def one_call(self, place: int, fault: Fault) -> None:
        self.market.one_call(place, fault)

    @precondition(lambda self: self.market.world.stage.playing)
    @rule(calls=st.sampled_from([10, 40]), seed=st.integers(0, 255))
    def some_calls(self, calls: int, seed: int) -> None:
        self.goes_on(calls, seed)

    def teardown(self) -> None:
        if hasattr(self, "market"):
            try:
                self.market.come_to_rest()
            finally:
                self.market.__exit__()
                HEARD.update(self.market.heard)
