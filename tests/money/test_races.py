"""Everybody at once, in orders drawn from seeds, with faults: what must come of it to the last won."""

import pytest

from chalicelib.checkout.model import State
from chalicelib.coupons.model import Switch
from tests.money.market import CUSTOMERS, SHARDS, STORMY, Day, Market, Weather

GUSTS = Weather(0.2, 0.03, 0.08, 0.08)
"""Nobody dies, so that everybody is answered."""


def race(of: Day, **market: object) -> Market:
    """Everybody asks until they are answered."""
    return Market(of, GUSTS, resting=True, **market)  # type: ignore[arg-type]


def reserves(market: Market, *contracts: int, points: int = 0) -> list:  # type: ignore[type-arg]
    return [lambda number=number: market.reserve(number, number, points, number) for number in contracts]


@pytest.mark.parametrize("shards", [1, 2, 16])
def test_c02_a_race_grants_exactly_as_many_as_the_budget_holds(shards: int) -> None:
    with race(Day(shards, shards, (1_000,) * 20, 13_500)) as market:
        market.together(*reserves(market, *range(20)))
        assert sum(each.discount for each in market.truths.mine) == 13_000
        assert market.heard["BudgetExhausted"] == 7


@pytest.mark.parametrize("shards", [8, 64])
def test_c02_of_won_that_are_given_one_by_one_none_is_left(shards: int) -> None:
    with race(Day(shards, shards, (1,) * 20, 17)) as market:
        market.together(*reserves(market, *range(20)))
        assert market.truths.total("available") == 0


@pytest.mark.parametrize("seed", range(4))
def test_c03_who_is_refused_was_refused_rightly_while_money_moves_about(seed: int) -> None:
    """I7, at the end of a budget that is cancelled, topped up, cut and moved together all the time."""
    with race(Day(seed, SHARDS[seed], (1_000, 700, 300, 2_000) * 4, 4_000)) as market:
        for number in range(3):
            acts = [*reserves(market, *range(16)), lambda number=number: market.top_up(number, 700)]
            acts += [lambda place=place: market.cancel(4 * place + 1) for place in range(3)]
            acts += [lambda number=number: market.cut(number, 600)]
            market.together(*acts)
        assert market.heard["BudgetExhausted"]
        market.come_to_rest()


def test_c03_what_comes_back_while_a_tail_is_moved_together_is_not_lost() -> None:
    """The budget was looked at to be moved into one shard, a refund came, then it is moved."""
    day = Day(1, 2, (4_000, 4_020), 4_000, percent=50, uses=9, points=0)
    with Market(day, resting=True) as market:
        stage = market.world.stage
        for act in (*reserves(market, 0), lambda: market.capture(1, "good"), lambda: market.refund(1, 0, 1)):
            market.alone(act)
        market.reserve(1, 1, 0, 1)
        (mover,) = stage.playing
        while not mover.waits.startswith("TransactWriteItems CAMPAIGN#"):
            stage.go(mover)
        market.refund(1, 1, 2)
        while len(stage.playing) > 1:
            stage.go(stage.playing[-1])
        market.together()
        assert market.truths.total("available") == 4_000 - 2_000 + 20 + 40 - 2_010
        market.come_to_rest()


@pytest.mark.parametrize("seed", range(2))
def test_c04_however_often_a_request_comes_it_is_granted_once_and_answered_alike(seed: int) -> None:
    """At once, after 11 minutes, when a request token is long forgotten, and after it was cancelled."""
    with race(Day(seed, 8, (4_000,) * 4, 30_000, percent=50)) as market:
        again = [lambda: market.reserve(0, 0, 300, 0)] * 5
        market.together(*again)
        (granted,) = market.truths.mine
        market.tick(11 * 60)
        market.together(*again)
        market.together(lambda: market.cancel(0))
        market.tick(11 * 60)
        market.together(*again, lambda: market.reserve(0, 0, 301, 0))
        assert market.heard["KeyReused"] == 1
        (found,) = market.truths.mine
        assert (found.state, found.split, found.lots) == (State.CANCELLED, granted.split, granted.lots)
        assert market.truths.total("available") == 30_000


@pytest.mark.parametrize("seed", range(3))
def test_c05_cancel_capture_refund_and_redeem_at_once_lose_and_make_nothing(seed: int) -> None:
    """I1, I3 and I6 after every call; who comes second hears what the first one did."""
    with race(
        Day(seed, SHARDS[seed], (4_000, 6_000, 300, 2_500), 9_000, percent=50, per_user=1, uses=3)
    ) as market:
        market.weather = STORMY
        for number in range(3):
            market.together(*reserves(market, 0, 1, 2, 3, points=200))
            acts = [lambda place=place: market.cancel(4 * place + 1) for place in (0, 0, 1)]
            acts += [lambda place=place: market.capture(4 * place + 1, "good") for place in (0, 1, 1)]
            market.together(*acts, *reserves(market, 0, 1, points=100))
            acts = [lambda name=name: market.refund(1, name, 60) for name in (number, number, number + 7)]
            market.together(*acts, lambda: market.refund(5, 1, 100), *reserves(market, 2, 3))
            market.tick(901)
            market.together(market.sweep, market.sweep)
        market.come_to_rest()


@pytest.mark.parametrize("shards", [1, 8])
def test_c09_different_codes_of_one_campaign_share_its_last_money_and_its_uses(shards: int) -> None:
    with race(Day(7, shards, (1_000,) * 12, 3_999)) as market:
        market.together(*reserves(market, *range(12)))
        assert len(market.truths.mine) == 3
    with race(Day(8, shards, (1_000,) * 12, 50_000, uses=5)) as market:
        market.together(*reserves(market, *range(12)))
        assert len(market.truths.mine) == 5
    with race(Day(9, shards, (1_000,) * 12, 50_000, per_user=2)) as market:
        market.together(*reserves(market, *range(12)))
        assert sorted(each.customer_id for each in market.truths.mine) == sorted(
            [each.id for each in CUSTOMERS] * 2
        )


def test_c10_after_the_end_a_refusal_is_one_read_and_the_coupon_is_out_of_sight_until_money_comes_back() -> (
    None
):
    with Market(Day(1, 8, (5_000,) * 8, 5_000, points=0)) as market:
        market.resting, till = True, market.world.tills[0]
        market.world.tills[:] = [till]
        market.together(*reserves(market, 0))
        market.together(*reserves(market, 1))
        market.calls.clear()
        for _ in range(100):
            market.alone(*reserves(market, 1))
        assert market.calls == {"GetItem": 100}

        def seen() -> set[str]:
            market.tick(1.01)
            return {each.coupon.coupon_id for each in till.coupons.mine(CUSTOMERS[1], 10, None)[0]}

        assert seen() == set()
        market.together(lambda: market.cancel(1))
        assert len(seen()) == 2
        market.together(*reserves(market, 0), *reserves(market, 4))
        market.together(lambda: market.top_up(0, 5_000))
        assert len(seen()) == 2


@pytest.mark.parametrize("seed", range(3))
def test_c15_nothing_is_granted_once_a_pause_or_the_end_has_been_answered(seed: int) -> None:
    """`Market` looks after every commit whether a grant came behind the answer."""
    with race(Day(seed, SHARDS[seed + 1], (1_000,) * 16, 16_000)) as market:
        market.together(*reserves(market, 0, 1, 2, 3), market.pause, *reserves(market, 4, 5, 6, 7))
        assert market.heard["CampaignPaused"] or len(market.truths.mine) == 8
        market.together(*reserves(market, 8, 9))
        assert len(market.truths.mine) <= 8
        market.together(market.resume)
        market.together(*reserves(market, 8, 9))
        market.together(market.close, market.close, *reserves(market, 10, 11, 12))
        market.together(*reserves(market, 13, 14))
        assert market.truths.campaign["state"]["S"] == Switch.CLOSED


def test_c15_a_top_up_happens_once_and_a_cut_leaves_what_is_spent() -> None:
    with race(Day(3, 8, (1_000,) * 12, 6_000)) as market:
        acts = [lambda: market.top_up(1, 4_000)] * 3 + [lambda: market.cut(1, 5_000)] * 2
        market.together(*acts, *reserves(market, *range(12)))
        spent = sum(each.discount for each in market.truths.mine)
        budget = int(market.truths.campaign["budget"]["N"])
        assert budget in (5_000, 10_000)
        assert budget - spent == market.truths.total("available") >= 0
        market.together(lambda: market.cut(2, budget - spent + 1))
        assert market.heard["CutTooDeep"]
        assert int(market.truths.campaign["budget"]["N"]) == budget
