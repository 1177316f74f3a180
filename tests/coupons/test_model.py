"""What a campaign promises, how its budget is cut, how codes are spelt."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from chalicelib.coupons.model import (
    LIFE,
    MOST_SHARDS,
    SYMBOLS,
    Batch,
    BudgetExhausted,
    Campaign,
    CampaignClosed,
    CampaignNotOpen,
    CodeRefused,
    Coupon,
    Event,
    Kind,
    NothingToDiscount,
    OrderTooSmall,
    Shard,
    Snapshot,
    State,
    Switch,
    Terms,
    UnknownCoupon,
    hash_of,
    parts_of,
    read_code,
    shard_budgets,
    spell,
    split,
)
from chalicelib.kernel.states import IllegalMove
from tests.conftest import NOON
from tests.coupons.examples import FIVE_THOUSAND_OFF, SECRET, TEN_PERCENT_OFF, THREE_MILLION

WON = st.integers(1, 10**9)


def fee(amount: int) -> list[tuple[str, int]]:
    return [("contract_fee", amount)]


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
    terms = replace(TEN_PERCENT_OFF, scope=frozenset({"service"}))
    assert terms.discount([("contract_fee", 90_000), ("service", 20_000)]) == 2_000
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
        discount = terms.discount([("contract_fee", amount) for amount in amounts])
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


@given(WON, st.none() | WON)
def test_the_shards_hold_exactly_the_budget(budget: int, largest: int | None) -> None:
    """A shard that got the whole budget is a bug others have had (kitcn #319)."""
    budgets = shard_budgets(budget, largest)
    assert sum(budgets) == budget
    assert 1 <= len(budgets) <= MOST_SHARDS
    assert max(budgets) - min(budgets) <= 1
    assert len(budgets) == 1 or min(budgets) >= 10 * (largest or budget)


def test_three_million_for_five_thousand_is_cut_into_sixteen() -> None:
    assert len(shard_budgets(THREE_MILLION, 5_000)) == 16
    assert len(shard_budgets(THREE_MILLION, 100_000)) == 3


@given(st.lists(st.integers(0, 1_000), min_size=1, max_size=90), st.integers(1, 5_000))
def test_a_split_pays_exactly_or_the_budget_is_spent(available: list[int], amount: int) -> None:
    if sum(available) < amount:
        with pytest.raises(BudgetExhausted):
            split(available, amount, min)
        return
    parts = split(available, amount, min)
    assert sum(part for _, part in parts) == amount
    assert len({shard for shard, _ in parts}) == len(parts)
    assert all(0 < part <= available[shard] for shard, part in parts)
    assert len(parts) == 1 or max(available) < amount


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


# --- codes -------------------------------------------------------------------------------------------------


def letters_of(number: int) -> str:
    return spell(SECRET, "cmp_1", "b1", number).replace("-", "")


def refused(code: str) -> bool:
    try:
        read_code(code)
    except CodeRefused:
        return True
    return False


def test_every_single_wrong_symbol_is_noticed() -> None:
    """Exhaustive over places and symbols. The check is linear: an error passes in one code if in all."""
    for code in map(letters_of, range(3)):
        for place, symbol in ((p, s) for p in range(15) for s in SYMBOLS if s != code[p]):
            assert refused(code[:place] + symbol + code[place + 1 :])


def test_every_swap_of_two_neighbours_is_noticed() -> None:
    """Exhaustive over places and pairs of symbols, in codes made to hold that pair there."""
    swaps = 0
    for code in map(letters_of, range(2_000)):
        for place in range(14):
            swapped = code[:place] + code[place + 1] + code[place] + code[place + 2 :]
            assert code == swapped or refused(swapped)
            swaps += code != swapped
    assert swaps > 25_000


def test_every_pair_of_wrong_symbols_is_noticed_too() -> None:
    """The distance of the code is three; swaps of any two places are pairs of wrong symbols."""
    code = letters_of(0)
    for first in range(15):
        for second in range(first + 1, 15):
            for a, b in ((a, b) for a in SYMBOLS[::3] for b in SYMBOLS[::3]):
                if (a, b) != (code[first], code[second]):
                    wrong = list(code)
                    wrong[first], wrong[second] = a, b
                    assert refused("".join(wrong))


def test_guesses_pass_the_check_one_time_in_a_thousand() -> None:
    good = sum(not refused(letters_of(n)[:13] + SYMBOLS[n % 32] + SYMBOLS[n // 32]) for n in range(1024))
    assert good <= 12


def test_a_code_is_read_as_people_type_it() -> None:
    code = next(code for code in map(letters_of, range(99)) if "0" in code and "1" in code)
    typed = f" {code[:5].lower()}-{code[5:]} ".replace("0", "o").replace("1", "l")
    assert read_code(typed) == code


@pytest.mark.parametrize(
    "typed", ["", "-", "A" * 14, "A" * 16, "U" * 15, "한" * 15, "\x00" * 15, "A" * 10_000]
)
def test_what_cannot_be_a_code_is_refused(typed: str) -> None:
    assert refused(typed)


def test_codes_are_derived_and_differ() -> None:
    codes = Batch("cmp_1", "b1", 5_000).codes(SECRET, 0, 5_000)
    assert len(set(codes)) == 5_000
    assert codes[4_000:] == Batch("cmp_1", "b1", 5_000, issued=9).codes(SECRET, 4_000, 9_999)
    assert not set(codes) & set(Batch("cmp_1", "b2", 5_000).codes(SECRET, 0, 5_000))
    assert not set(codes) & set(Batch("cmp_2", "b1", 5_000).codes(SECRET, 0, 5_000))
    assert not set(codes) & set(Batch("cmp_1", "b1", 5_000).codes("another key", 0, 5_000))


def test_the_random_part_has_65_bits_of_no_pattern() -> None:
    codes = [letters_of(number)[:13] for number in range(4_000)]
    for place in range(13):
        assert {code[place] for code in codes} == set(SYMBOLS)


def test_a_stored_hash_tells_nothing_without_the_key() -> None:
    code = letters_of(1)
    assert hash_of(SECRET, code) == hash_of(SECRET, f"{code[:5]}-{code[5:]}")
    assert hash_of(SECRET, code) != hash_of("another key", code)


# --- coupons -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("event", Event)
def test_a_coupon_moves_only_along_its_rows(state: State, event: Event) -> None:
    moves = {(State.ISSUED, Event.REGISTER): State.REGISTERED, (State.REGISTERED, Event.REDEEM): State.USED}
    if (state, event) in moves:
        assert LIFE.after(state, event) is moves[state, event]
    else:
        with pytest.raises(IllegalMove):
            LIFE.after(state, event)
    assert LIFE.reachable(State.ISSUED) == set(State)
    assert LIFE.ends == {State.USED}


def test_used_and_foreign_coupons_are_refused_alike() -> None:
    mine = Coupon("cmp_1", "h").registered("kim")
    assert mine.registered("kim") == mine
    for taken in (mine, replace(mine, state=State.USED), replace(mine, state=State.USED, owner="lee")):
        with pytest.raises(CodeRefused):
            taken.registered("lee")
    with pytest.raises(CodeRefused):
        replace(mine, state=State.USED, used_by="chk_1").registered("kim")


def test_a_coupons_id_carries_its_campaigns() -> None:
    assert parts_of(Coupon("cmp_1", "abc").coupon_id) == ("cmp_1", "abc")
    with pytest.raises(UnknownCoupon):
        parts_of("cmp_1")
