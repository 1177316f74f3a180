"""What a checkout takes from a budget, and what comes back: on the shards, in the books, on the coupon."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from chalicelib.coupons.model import (
    BudgetExhausted,
    BudgetShort,
    Campaign,
    CampaignClosed,
    CampaignPaused,
    CouponVoid,
    Edge,
    Grant,
    Mode,
    NotBound,
    NotHeld,
    Scope,
    State,
    Switch,
    Terms,
    UserLimitReached,
)
from chalicelib.coupons.service import CouponService
from chalicelib.kernel.errors import Busy
from chalicelib.kernel.money import Entry, balances
from tests.conftest import NOON, Hands
from tests.coupons.examples import (
    FIVE_THOUSAND_OFF,
    KIM,
    LEE,
    OLGA,
    TEN_PERCENT_OFF,
    campaign_of,
    given,
    line,
    with_limit,
)
from tests.coupons.till import Till, stands, tries

ALL_OFF = replace(TEN_PERCENT_OFF, value=100, max_discount=None, min_order=0)


@pytest.fixture
def till(service: CouponService) -> Till:
    return Till(service)


def coupon(service: CouponService, coupon_id: str) -> tuple[State, str | None]:
    found = service.store.coupon(coupon_id.rpartition(".")[2])
    assert found is not None
    return found.state, found.used_by


def many(service: CouponService, campaign: Campaign, count: int) -> list[str]:
    return [given(service, campaign.campaign_id, KIM, f"h{number}") for number in range(count)]


def test_c05_what_is_given_back_is_there_to_be_given_again(service: CouponService, till: Till) -> None:
    """Restore is as strong as spend: money, use, count and coupon (Medusa, Voucherify: weaker)."""
    campaign = campaign_of(service, with_limit(FIVE_THOUSAND_OFF, 1), 50_000, uses=10)
    coupon_id, name = given(service, campaign.campaign_id, KIM), campaign.campaign_id
    for checkout in ("chk_1", "chk_2"):
        till.reserve(checkout, coupon_id, 5_000)
        assert stands(service.status(name)) == (45_000, 5_000, 0, 0)
        assert service.status(name).uses_left == 9
        till.release(checkout)
        assert stands(service.status(name)) == (50_000, 0, 0, 0)
        assert (service.status(name).uses_left, coupon(service, coupon_id)) == (10, (State.REGISTERED, None))
        assert service.store.uses_of(name, ["kim", "lee"]) == {"kim": 0}


def test_a_second_release_finds_nothing_to_do(service: CouponService, till: Till) -> None:
    campaign = campaign_of(service, with_limit(FIVE_THOUSAND_OFF, 2), 50_000)
    first, _ = many(service, campaign, 2)
    till.reserve("chk_1", first, 5_000)
    till.release("chk_1")
    till.reserve("chk_2", first, 5_000)
    for late in (till.release, till.refund):
        with pytest.raises(NotHeld):
            late("chk_1")
    assert stands(service.status(campaign.campaign_id)) == (45_000, 5_000, 0, 0)
    assert coupon(service, first) == (State.USED, "chk_2")


def test_a_discount_is_paid_and_comes_back_in_parts(service: CouponService, till: Till) -> None:
    campaign = campaign_of(service, with_limit(FIVE_THOUSAND_OFF, 1), 50_000, uses=10)
    name, coupon_id = campaign.campaign_id, given(service, campaign.campaign_id, KIM)
    ((shard, _),) = till.reserve("chk_1", coupon_id, 5_000).split
    till.capture("chk_1")
    assert stands(service.status(name)) == (45_000, 0, 5_000, 0)
    till.refund("chk_1", ((shard, 2_000),), whole=False)
    assert stands(service.status(name)) == (47_000, 0, 5_000, 2_000)
    assert (service.status(name).uses_left, coupon(service, coupon_id)) == (9, (State.USED, "chk_1"))
    till.refund("chk_1", ((shard, 3_000),))
    assert stands(service.status(name)) == (50_000, 0, 5_000, 5_000)
    assert (service.status(name).uses_left, coupon(service, coupon_id)) == (10, (State.REGISTERED, None))
    till.reserve("chk_2", coupon_id, 5_000)


def test_a_part_may_come_back_to_some_of_its_shards_only(service: CouponService, till: Till) -> None:
    """A shard that gets nothing now is not touched, or is one that gets the use back."""
    campaign = sharded(service, uses=40)
    name, coupon_id = campaign.campaign_id, given(service, campaign.campaign_id, KIM)
    split = ((1, 0), (0, 2_000), (2, 3_000))
    till.held["chk_1"] = (coupon_id, "kim", Grant(5_000, split))
    write = service.budgets.begin()
    service.hold(
        write, coupon_id=coupon_id, customer_id="kim", checkout_id="chk_1", split=split, amount=5_000
    )
    write.commit()
    till.capture("chk_1")
    till.refund("chk_1", ((1, 0), (0, 0), (2, 500)), whole=False)
    till.refund("chk_1", ((1, 0), (0, 2_000), (2, 0)), whole=False)
    seen = service.status(name)
    assert [shard.refunded for shard in seen.shards] == [2_000, 0, 500]
    assert (stands(seen), seen.uses_left) == ((147_500, 0, 5_000, 2_500), 39)
    till.refund("chk_1", ((1, 0), (0, 0), (2, 2_500)))
    assert service.status(name).shards[1].uses_refunded == 1
    assert service.status(name).uses_left == 40


def test_nothing_is_captured_that_is_not_reserved(service: CouponService, till: Till) -> None:
    campaign = campaign_of(service, FIVE_THOUSAND_OFF, 50_000)
    till.reserve("chk_1", given(service, campaign.campaign_id, KIM), 5_000)
    till.release("chk_1")
    with pytest.raises(NotBound):
        till.capture("chk_1")


def test_after_the_campaigns_end_a_coupon_comes_back_void(
    service: CouponService, till: Till, clock: Hands
) -> None:
    terms = replace(FIVE_THOUSAND_OFF, closes_at=NOON + timedelta(days=1))
    campaign = campaign_of(service, terms, 50_000)
    released, refunded = many(service, campaign, 2)
    till.reserve("chk_1", released, 5_000)
    till.reserve("chk_2", refunded, 5_000)
    till.capture("chk_2")
    clock.move(days=2)
    till.release("chk_1")
    till.refund("chk_2")
    assert coupon(service, released) == coupon(service, refunded) == (State.VOID, None)
    assert stands(service.status(campaign.campaign_id)) == (50_000, 0, 5_000, 5_000)


def test_a_campaign_closed_by_hand_grants_nothing_and_takes_back(service: CouponService, till: Till) -> None:
    campaign = campaign_of(service, FIVE_THOUSAND_OFF, 50_000)
    held, other = many(service, campaign, 2)
    till.reserve("chk_1", held, 5_000)
    service.close(campaign.campaign_id, "the sponsor withdrew", by=OLGA)
    with pytest.raises(CampaignClosed):
        till.reserve("chk_2", other, 5_000)
    with pytest.raises(CampaignClosed):
        service.offer(other)
    till.release("chk_1")
    assert coupon(service, held)[0] is State.VOID
    with pytest.raises(CouponVoid):
        till.reserve("chk_3", held, 5_000)
    assert stands(service.status(campaign.campaign_id)) == (50_000, 0, 0, 0)


# --- the end of a budget -----------------------------------------------------------------------------------


def test_c02_money_is_granted_to_the_last_won(service: CouponService, till: Till) -> None:
    campaign = campaign_of(service, ALL_OFF, 160_003)
    assert campaign.shards == 1
    coupons = many(service, campaign, 20)
    granted = [till.reserve(f"chk_{n}", each, 8_421) for n, each in enumerate(coupons[:19])]
    assert sum(grant.amount for grant in granted) == 19 * 8_421
    with pytest.raises(BudgetExhausted):
        till.reserve("chk_20", coupons[19], 5)
    till.reserve("chk_21", coupons[19], 4)
    assert service.status(campaign.campaign_id).available == 0


def sharded(service: CouponService, terms: Terms = FIVE_THOUSAND_OFF, uses: int | None = None) -> Campaign:
    """Three shards of 50,000."""
    campaign = campaign_of(service, terms, 150_000, uses=uses)
    assert campaign.shards == 3
    return campaign


def test_c02_uses_are_granted_to_the_last_one(service: CouponService, till: Till) -> None:
    campaign = campaign_of(service, FIVE_THOUSAND_OFF, 1_000_000, uses=21)
    assert campaign.shards == 2
    coupons = many(service, campaign, 22)

    def taken(number: int) -> bool:
        return tries(lambda: till.reserve(f"chk_{number}", coupons[number], 5_000), BudgetExhausted)

    assert sum(map(taken, range(22))) == 21
    seen = service.status(campaign.campaign_id)
    assert (seen.uses_left, seen.available) == (0, 1_000_000 - 21 * 5_000)
    till.release("chk_7")
    till.reserve("chk_99", coupons[21], 5_000)
    stands(service.status(campaign.campaign_id))


def test_c03_a_budget_moved_together_refuses_nobody_falsely(service: CouponService, till: Till) -> None:
    """The tail of three shards ends in the first one; every won of it can still be had, and no more."""
    campaign = sharded(service, replace(ALL_OFF, max_discount=5_000))
    service.cut(campaign.campaign_id, "c1", 132_000, by=OLGA, key="c1")
    for number, (each, amount) in enumerate(
        zip(many(service, campaign, 6), [3_333] * 5 + [1_335], strict=True)
    ):
        till.reserve(f"chk_{number}", each, amount)
    seen = service.status(campaign.campaign_id)
    assert (seen.available, seen.campaign.mode) == (0, Mode.SINGLE)
    assert [shard.state for shard in seen.shards] == [Switch.OPEN, Switch.MERGED, Switch.MERGED]
    assert len({shard for _, _, grant in till.held.values() for shard, _ in grant.split}) > 1
    stands(seen)


def test_a_shard_merged_in_between_sends_what_comes_back_to_the_first(
    service: CouponService, till: Till
) -> None:
    campaign = sharded(service)
    first, second = many(service, campaign, 2)
    till.service = replace(service, budgets=replace(service.budgets, choose=max))
    assert till.reserve("chk_1", first, 5_000).split == ((2, 5_000),)
    seen = service.status(campaign.campaign_id)
    write = service.budgets.begin()
    service.store.merge(write, seen)
    write.commit()
    till.release("chk_1")
    after = service.status(campaign.campaign_id)
    assert [shard.available for shard in after.shards] == [150_000, 0, 0]
    stands(after)
    till.reserve("chk_2", second, 5_000)
    stands(service.status(campaign.campaign_id))


def test_at_the_edge_a_customer_may_agree_to_less(service: CouponService, till: Till) -> None:
    campaign = campaign_of(service, replace(FIVE_THOUSAND_OFF, at_the_edge=Edge.PARTIAL), 8_000)
    first, second, third = many(service, campaign, 3)
    till.reserve("chk_1", first, 5_000)
    for least in (None, 3_001):
        with pytest.raises(BudgetShort) as short:
            till.reserve("chk_2", second, 5_000, least=least)
        assert short.value.extra == {"offered": 3_000}
    assert till.reserve("chk_2", second, 5_000, least=3_000).amount == 3_000
    with pytest.raises(BudgetExhausted):
        till.reserve("chk_3", third, 5_000, least=1)
    assert stands(service.status(campaign.campaign_id)) == (0, 8_000, 0, 0)


def test_without_that_policy_less_is_not_offered(service: CouponService, till: Till) -> None:
    campaign = campaign_of(service, FIVE_THOUSAND_OFF, 8_000)
    first, second = many(service, campaign, 2)
    till.reserve("chk_1", first, 5_000)
    with pytest.raises(BudgetExhausted):
        till.reserve("chk_2", second, 5_000, least=1)


def test_c09_different_coupons_race_for_one_budget_and_one_limit(service: CouponService, till: Till) -> None:
    """The cap is the campaign's, not the code's (Shopware #18716)."""
    campaign = campaign_of(service, with_limit(FIVE_THOUSAND_OFF, 2), 10_000)
    coupons = many(service, campaign, 3)
    for number in (0, 1):
        till.reserve(f"chk_{number}", coupons[number], 5_000)
    with pytest.raises(UserLimitReached):
        till.reserve("chk_2", coupons[2], 5_000)
    with pytest.raises(BudgetExhausted):
        till.reserve("chk_3", given(service, campaign.campaign_id, LEE, "lees"), 5_000, LEE)


def test_not_like_vendure_a_discount_of_nothing_uses_nothing_up(service: CouponService) -> None:
    """Vendure #5278. What takes nothing off is refused before anything is asked of a store."""
    terms = replace(FIVE_THOUSAND_OFF, scope=Scope(kinds=frozenset({"service"})))
    campaign = campaign_of(service, terms, 10_000, uses=1)
    offer = service.offer(given(service, campaign.campaign_id, KIM))
    assert not tries(lambda: offer.discount([line(460_000)]), Exception)
    assert service.status(campaign.campaign_id).uses_left == 1


# --- exhausted, and again not ------------------------------------------------------------------------------


def exhausted(service: CouponService, till: Till) -> tuple[Campaign, str]:
    """And a coupon that wanted more of it."""
    campaign = campaign_of(service, FIVE_THOUSAND_OFF, 5_000)
    first, second = many(service, campaign, 2)
    till.reserve("chk_1", first, 5_000)
    with pytest.raises(BudgetExhausted):
        till.reserve("chk_2", second, 5_000)
    assert service.store.campaign(campaign.campaign_id).left == 0  # type: ignore[union-attr]
    return campaign, second


def test_c10_an_exhausted_campaign_comes_back_when_money_does(
    service: CouponService, till: Till, clock: Hands
) -> None:
    campaign, second = exhausted(service, till)
    assert service.budgets.campaign(campaign.campaign_id).seems_exhausted
    with pytest.raises(BudgetExhausted):
        service.offer(second)
    till.release("chk_1")
    assert not service.budgets.campaign(campaign.campaign_id).seems_exhausted
    till.reserve("chk_2", second, 5_000)


class Counted:
    """A store that counts its calls."""

    def __init__(self, store: Any) -> None:
        self.store, self.calls = store, Counter[str]()

    def __getattr__(self, name: str) -> Any:
        self.calls[name] += 1
        return getattr(self.store, name)


def test_c10_refusing_the_many_costs_one_proof_a_second(
    service: CouponService, till: Till, clock: Hands
) -> None:
    _, second = exhausted(service, till)
    counted = Counted(service.store)
    budgets = replace(service.budgets, store=counted, campaigns={}, proofs={})
    process = Till(replace(service, store=counted, budgets=budgets))

    def asked() -> None:
        process.service.offer(second)
        process.reserve("chk_2", second, 5_000)

    def refused() -> None:
        assert not tries(asked, BudgetExhausted)

    for _ in range(300):
        refused()
    assert counted.calls == {"campaign": 1, "snapshot": 1}
    for _ in range(5):
        clock.move(seconds=1.1)
        for _ in range(50):
            refused()
    assert counted.calls == {"campaign": 6, "snapshot": 6}


def test_a_campaign_comes_back_though_whoever_gave_back_died_before_saying_so(
    service: CouponService, till: Till, clock: Hands
) -> None:
    campaign, _ = exhausted(service, till)
    coupon_id, customer, grant = till.held["chk_1"]
    write = service.budgets.begin()
    service.release(
        write,
        coupon_id=coupon_id,
        customer_id=customer,
        checkout_id="chk_1",
        split=grant.split,
        amount=5_000,
        into=None,
        at=NOON,
    )
    write.commit()
    clock.move(seconds=30)
    assert service.budgets.campaign(campaign.campaign_id).seems_exhausted
    clock.move(seconds=31)
    assert not service.budgets.campaign(campaign.campaign_id).seems_exhausted
    assert service.store.campaign(campaign.campaign_id).left is None  # type: ignore[union-attr]


def test_a_note_of_what_is_left_never_outlives_what_came_back_meanwhile(
    service: CouponService, till: Till
) -> None:
    """Whoever proves the end and whoever gives back may overlap in any order."""
    campaign = campaign_of(service, FIVE_THOUSAND_OFF, 5_000)
    first, second = many(service, campaign, 2)
    till.reserve("chk_1", first, 5_000)
    store, note = service.store, service.store.note_left

    class Overtaken:
        def __getattr__(self, name: str) -> object:
            return getattr(store, name)

        def note_left(self, seen: Campaign, left: int) -> bool:
            till.release("chk_1")  # sees no note to take away
            return note(seen, left)

    slow = replace(service, budgets=replace(service.budgets, store=Overtaken(), campaigns={}, proofs={}))
    with pytest.raises(BudgetExhausted):
        Till(slow).reserve("chk_2", second, 5_000)
    assert store.campaign(campaign.campaign_id).left is None  # type: ignore[union-attr]
    till.reserve("chk_3", second, 5_000)


def test_paused_and_resumed_in_the_tail(service: CouponService, till: Till) -> None:
    campaign = sharded(service)
    coupon_id, *_ = many(service, campaign, 1)
    write = service.budgets.begin()
    service.store.merge(write, service.status(campaign.campaign_id))
    write.commit()
    service.switch(campaign.campaign_id, Switch.PAUSED)
    with pytest.raises(CampaignPaused):
        till.reserve("chk_1", coupon_id, 5_000)
    seen = service.switch(campaign.campaign_id, Switch.OPEN)
    assert [shard.state for shard in seen.shards] == [Switch.OPEN, Switch.MERGED, Switch.MERGED]
    till.reserve("chk_1", coupon_id, 5_000)


def test_c15_after_a_pause_nothing_more_is_granted(service: CouponService, till: Till) -> None:
    """Not even to those who were already on their way; nor after a close."""
    campaign = sharded(service)
    coupons = many(service, campaign, 24)
    taken, ask = [], threading.Event()

    def customer(number: int) -> None:
        ask.wait()
        refusals = (CampaignPaused, CampaignClosed, Busy)
        taken.append(tries(lambda: till.reserve(f"chk_{number}", coupons[number], 5_000), *refusals))

    with ThreadPoolExecutor(8) as people:
        waiting = [people.submit(customer, number) for number in range(24)]
        ask.set()
        while not taken:
            time.sleep(0.001)
        paused = service.switch(campaign.campaign_id, Switch.PAUSED)
        for each in waiting:
            each.result()
    assert service.status(campaign.campaign_id) == paused
    assert sum(taken) * 5_000 == paused.reserved
    closed = service.close(campaign.campaign_id, "the sponsor withdrew", by=OLGA)
    with pytest.raises(CampaignClosed):
        till.reserve("chk_99", given(service, campaign.campaign_id, LEE, "lees"), 5_000, LEE)
    assert service.status(campaign.campaign_id) == closed


# --- the books ---------------------------------------------------------------------------------------------


def test_c14_the_books_of_campaign_and_checkouts_say_what_the_shards_hold(
    service: CouponService, till: Till, entries: Callable[[], list[Entry]]
) -> None:
    campaign = sharded(service, replace(FIVE_THOUSAND_OFF, per_user_limit=99), uses=40)
    name, coupons = campaign.campaign_id, many(service, campaign, 8)
    service.cut(name, "c1", 110_000, by=OLGA, key="c1")
    for number, each in enumerate(coupons):
        till.reserve(f"chk_{number}", each, 4_990)
    for number in (0, 1, 2, 3):
        till.capture(f"chk_{number}")
    till.refund("chk_0")
    half = tuple((shard, part // 2) for shard, part in till.held["chk_1"][2].split)
    till.refund("chk_1", half, whole=False)
    till.release("chk_6")
    service.top_up(name, "t1", 7_000, by=OLGA, key="t1", uses=3)
    service.cut(name, "c2", 9_001, by=OLGA, key="c2")
    assert {entry.what for entry in entries()} == {"created", "cut", "moved", "topped_up"}
    held = balances(entries())
    for leg in till.legs:
        held[leg.account] += leg.amount
    seen = service.status(name)
    stands(seen)
    assert held[f"campaign/{name}/budget"] == -seen.campaign.budget
    for number, shard in enumerate(seen.shards):
        pots = {"available": shard.available, "reserved": shard.reserved}
        for pot, amount in (pots | {"captured": shard.captured - shard.refunded}).items():
            assert held[f"campaign/{name}/{number}/{pot}"] == amount, (number, pot)
