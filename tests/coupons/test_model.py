"""What a campaign promises, and how its budget is cut and moved."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from chalicelib.coupons.model import (
    MOST_SHARDS,
    BudgetExhausted,
    Campaign,
    CampaignClosed,
    CampaignNotOpen,
    Kind,
    Moves,
    NothingToDiscount,
    OrderTooSmall,
    Plan,
    Scope,
    Shard,
    Snapshot,
    Switch,
    Terms,
    entries,
    shard_budgets,
    split,
    spread,
)
from chalicelib.kernel.money import Entry, balances
from tests.conftest import NOON
from tests.coupons.examples import FIVE_THOUSAND_OFF, TEN_PERCENT_OFF, THREE_MILLION, Line, line

WON = st.integers(1, 10**9)


def fee(amount: int) -> list[Line]:
    return [line(amount)]


def test_a_fixed_coupon_takes_its_value_off() -> None:
    assert FIVE_THOUSAND_OFF.discount(fee(460_000)) == 5_000


def test_a_percentage_is_rounded_down_and_capped() -> None:
    assert TEN_PERCENT_OFF.discount(fee(123_459)) == 12_345
    assert TEN_PERCENT_OFF.discount(fee(460_000)) == 30_000


def test_an_order_below_the_minimum_is_refused() -> None:
    assert TEN_PERCENT_OFF.discount(fee(100_000)) == 10_000
    with pytest.raises(OrderTooSmall) as refusal:
        TEN_PERCENT_OFF.discount(fee(99_999))
    assert refusal.value.extra == {"min_order": 100_000}


def test_only_what_is_in_scope_is_discounted() -> None:
    services = replace(TEN_PERCENT_OFF, scope=Scope(kinds=frozenset({"service"})))
    assert services.discount([line(90_000), line(20_000, "service")]) == 2_000
    first_car = replace(TEN_PERCENT_OFF, scope=Scope(plans=frozenset({"first-car"})))
    assert first_car.discount([line(90_000, plan="first-car"), line(90_000, plan="van")]) == 9_000
    for terms in (services, first_car):
        assert terms.least == 1
        with pytest.raises(NothingToDiscount):
            terms.discount(fee(460_000))


def test_a_coupon_that_takes_nothing_off_is_not_used_up() -> None:
    with pytest.raises(NothingToDiscount):
        Terms("One percent", Kind.PERCENT, 1).discount(fee(99))


def terms_of(kind: Kind, value: int, cap: int | None, least: int) -> Terms:
    return Terms("Any", kind, value if kind is Kind.FIXED else value % 100 + 1, cap, least)


ANY_TERMS = st.builds(
    terms_of, st.sampled_from(Kind), WON, st.none() | st.integers(1, 10**6), st.integers(0, 10**6)
)


@given(ANY_TERMS, st.lists(st.integers(0, 10**8), min_size=1, max_size=4))
def test_a_discount_is_never_above_the_order_nor_its_bounds(terms: Terms, amounts: list[int]) -> None:
    try:
        discount = terms.discount([line(amount) for amount in amounts])
    except (NothingToDiscount, OrderTooSmall):
        return
    assert terms.least <= discount <= sum(amounts)
    assert terms.largest is None or discount <= terms.largest


def test_a_campaign_has_its_days() -> None:
    terms = replace(FIVE_THOUSAND_OFF, opens_at=NOON, closes_at=NOON + timedelta(days=1))
    terms.refuse_outside(NOON)
    with pytest.raises(CampaignNotOpen):
        terms.refuse_outside(NOON - timedelta(seconds=1))
    with pytest.raises(CampaignClosed):
        terms.refuse_outside(NOON + timedelta(days=1))


# --- budget ------------------------------------------------------------------------------------------------


@given(WON, st.none() | WON, st.none() | st.integers(1, 10**6))
def test_the_shards_hold_exactly_the_budget(budget: int, largest: int | None, uses: int | None) -> None:
    """A shard that got the whole budget is a bug others have had (kitcn #319)."""
    budgets = shard_budgets(budget, largest, uses)
    assert sum(budgets) == budget
    assert 1 <= len(budgets) <= MOST_SHARDS
    assert max(budgets) - min(budgets) <= 1
    assert len(budgets) == 1 or min(budgets) >= 10 * (largest or budget)
    if uses is not None:
        counts = spread(uses, len(budgets))
        assert sum(counts) == uses
        assert len(counts) == 1 or min(counts) >= 10


def test_three_million_for_five_thousand_is_cut_into_sixteen() -> None:
    assert len(shard_budgets(THREE_MILLION, 5_000)) == 16
    assert len(shard_budgets(THREE_MILLION, 100_000)) == 3


SHARDS = st.lists(st.tuples(st.integers(0, 1_000), st.integers(0, 3)), min_size=1, max_size=90)


@given(SHARDS, st.integers(1, 5_000), st.booleans())
def test_a_split_pays_exactly_or_the_budget_is_spent(
    shards: list[tuple[int, int]], amount: int, limited: bool
) -> None:
    """Of money and, where uses are limited, of one use: the first part's shard pays that."""
    available, uses = [money for money, _ in shards], [count for _, count in shards] if limited else None
    if sum(available) < amount or (uses and not any(uses)):
        with pytest.raises(BudgetExhausted):
            split(available, amount, min, uses)
        return
    parts = split(available, amount, min, uses)
    assert sum(part for _, part in parts) == amount
    assert len({shard for shard, _ in parts}) == len(parts)
    assert all(0 < part <= available[shard] for shard, part in parts[1:])
    assert 0 <= parts[0][1] <= available[parts[0][0]]
    assert uses is None or uses[parts[0][0]] > 0
    assert len(parts) == 1 or all(
        money < amount or not count for money, count in zip(available, uses or [1] * 90, strict=False)
    )


@settings(max_examples=50)
@given(SHARDS, st.data())
def test_whatever_is_moved_the_budget_stays_the_budget(
    shards: list[tuple[int, int]], data: st.DataObject
) -> None:
    """Held, paid or given back, whole or in parts, each in its own shard or in the first: no won is lost, and
    the books say the same."""
    amount = data.draw(st.integers(1, max(1, sum(money for money, _ in shards))))
    before = [Shard(money, uses_left=count) for money, count in shards]
    try:
        parts = split([s.available for s in before], amount, min, [s.uses_left or 0 for s in before])
    except BudgetExhausted:
        return
    into = data.draw(st.sampled_from([None, 0]))
    first = tuple((shard, data.draw(st.integers(0, part))) for shard, part in parts)
    rest = tuple((shard, part - back) for (shard, part), (_, back) in zip(parts, first, strict=True))

    def held(shards: list[Shard], pot: str) -> list[int]:
        return [getattr(shard, pot) for shard in shards]

    def after(shards: list[Shard], moves: Moves) -> list[Shard]:
        return [moves[n].applied(shard) if n in moves else shard for n, shard in enumerate(shards)]

    reserved = after(before, Plan(limited=True).held(parts))
    released = after(reserved, Plan(limited=True).released(parts, into))
    captured = after(reserved, Plan(limited=True).captured(parts))
    partly = after(captured, Plan(limited=True).refunded(first, into, whole=False))
    refunded = after(partly, Plan(limited=True).refunded(rest, into, whole=True))
    paths = {
        ("reserved",): reserved,
        ("reserved", "released"): released,
        ("reserved", "captured"): captured,
        ("reserved", "captured", "refunded", "refunded again"): refunded,
    }
    for path, shards_after in paths.items():
        snapshot = Snapshot(
            Campaign("cmp_1", FIVE_THOUSAND_OFF, 0, len(before), "fp", uses=0), tuple(shards_after)
        )
        moved = {
            "reserved": parts,
            "released": parts,
            "captured": parts,
            "refunded": first,
            "refunded again": rest,
        }
        spent = snapshot.reserved + snapshot.captured - snapshot.refunded
        assert snapshot.available + spent == sum(held(before, "available"))
        assert min(held(shards_after, "available") + held(shards_after, "reserved")) >= 0
        legs = [
            leg
            for what in path
            for leg in entries.legs("cmp_1", moved[what], amount, what.partition(" ")[0], into)
        ]
        booked = balances([Entry("chk_1", "all", "cmp_1", NOON, tuple(legs))])
        for number, (old, new) in enumerate(zip(before, shards_after, strict=True)):
            assert booked[f"campaign/cmp_1/{number}/available"] == new.available - old.available
            assert booked[f"campaign/cmp_1/{number}/captured"] == new.captured - new.refunded
    for back in (released, refunded):
        assert sum(held(back, "available")) == sum(held(before, "available"))
        assert sum(held(back, "uses_left")) == sum(held(before, "uses_left"))


def test_the_campaigns_word_is_the_first_that_fits() -> None:
    terms = replace(FIVE_THOUSAND_OFF, opens_at=NOON, closes_at=NOON + timedelta(days=1))

    def word(at: timedelta, left: int = 1, state: Switch = Switch.OPEN) -> str:
        campaign = Campaign("cmp_1", terms, 1, 1, "fp", state)
        return Snapshot(campaign, (Shard(left),)).standing(NOON + at)

    assert word(timedelta()) == "OPEN"
    assert word(timedelta(), left=0) == "EXHAUSTED"
    assert word(timedelta(days=-1)) == "SCHEDULED"
    assert word(timedelta(days=1)) == "CLOSED"
    assert word(timedelta(days=1), state=Switch.PAUSED) == "PAUSED"
    assert word(timedelta(days=-1), state=Switch.CLOSED) == "CLOSED"
