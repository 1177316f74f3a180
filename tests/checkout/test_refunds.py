"""Giving back what was paid: in the proportion in which it was paid, once, and never more than that."""

import functools
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import convert
from msgspec.structs import replace

from chalicelib.checkout.model import (
    ANSWERED_WITHIN,
    MOST_REFUNDS,
    CardRefund,
    Checkout,
    GivenBack,
    Item,
    Kind,
    Line,
    NothingPaid,
    NotRefundable,
    Order,
    Parts,
    RefundByCancelling,
    RefundDiffers,
    RefundOrder,
    RefundState,
    State,
    TooManyRefunds,
    UnknownCheckout,
)
from chalicelib.checkout.schemas import CheckoutRefunded, RefundRefused
from chalicelib.coupons.model import ReserveAt
from chalicelib.kernel.errors import Busy, KeyReused
from tests.checkout.bank import GOOD
from tests.checkout.conftest import FEE, Shop
from tests.conftest import NOON, ROOT, Hands
from tests.coupons.examples import (
    FIVE_THOUSAND_OFF,
    KIM,
    LEE,
    OLGA,
    TEN_PERCENT_OFF,
    campaign_of,
    coupons_of,
    with_limit,
)


def paid(shop: Shop, points: int = 92_000) -> tuple[str, Checkout]:
    """Of Kim: 46,000 of a campaign, 92,000 of 100,000 points in two lots, 322,000 by card."""
    terms = with_limit(replace(TEN_PERCENT_OFF, max_discount=None), 1)
    campaign, (coupon,) = shop.with_coupons(KIM, terms=terms)
    shop.give_points(KIM, 40_000, days=60)
    shop.give_points(KIM, 60_000, days=200)
    held = shop.reserve(coupon, KIM, "k1", points=points).value
    return campaign.campaign_id, shop.capture(held.checkout_id, KIM).value


def test_c07_card_points_and_coupon_pay_in_one_transaction_and_come_back_in_one(shop: Shop) -> None:
    campaign_id, checkout = paid(shop)
    assert (checkout.discount, checkout.points_used, checkout.payable) == (46_000, 92_000, 322_000)
    assert shop.pots(campaign_id)[1:] == (0, 46_000)
    done = shop.refund(checkout.checkout_id, "r1", 46_000).value
    assert done.back.parts == Parts(32_200, 9_200, 4_600)
    assert (done.card, done.checkout.state) == (RefundState.DONE, State.CAPTURED)
    assert shop.pots(campaign_id)[1:] == (0, 41_400)
    assert (shop.balance(KIM), shop.bank.kept) == (17_200, 289_800)
    rest = shop.refund(checkout.checkout_id, "r2", FEE - 46_000).value
    assert (rest.checkout.state, rest.checkout.left.total) == (State.REFUNDED, 0)
    assert shop.pots(campaign_id)[1:] == (0, 0)
    assert (shop.balance(KIM), shop.bank.kept) == (100_000, 0)
    assert not any(shop.books_agree(checkout.checkout_id).values())


def test_c05_the_coupon_comes_back_only_with_the_last_won_it_took_off(shop: Shop) -> None:
    _, checkout = paid(shop)
    shop.refund(checkout.checkout_id, "r1", FEE - 10)
    with pytest.raises(Exception, match="used"):
        shop.reserve(checkout.coupon_id, KIM, "k2")
    shop.refund(checkout.checkout_id, "r2", 10)
    assert shop.reserve(checkout.coupon_id, KIM, "k3").value.discount == 46_000


def test_a_coupon_that_came_back_with_its_money_is_not_given_back_again_with_the_card(shop: Shop) -> None:
    """Of the last won but one, rounding gives the campaign its last and the card not yet."""
    campaign_id, checkout = paid(shop)
    back = shop.refund(checkout.checkout_id, "r1", FEE - 1).value.checkout
    assert (back.state, back.left) == (State.CAPTURED, Parts(1, 0, 0))
    again = shop.reserve(checkout.coupon_id, KIM, "k2").value
    shop.refund(checkout.checkout_id, "r2", 1)
    assert shop.look(checkout.checkout_id).state is State.REFUNDED
    assert shop.pots(campaign_id)[1:] == (46_000, 0)
    shop.checkout.cancel(again.checkout_id, KIM)
    assert shop.pots(campaign_id)[1:] == (0, 0)


def test_c08_points_go_back_to_the_lots_they_came_from(shop: Shop) -> None:
    """First into those that end last: they are worth more."""
    _, checkout = paid(shop)
    (first, forty), (second, fifty_two) = checkout.lots
    assert (forty, fifty_two) == (40_000, 52_000)
    shop.refund(checkout.checkout_id, "r1", 230_000)
    lots = dict(shop.points.wallet("kim").lots)
    assert lots == {second: 8_000 + 46_000}
    shop.refund(checkout.checkout_id, "r2", 230_000)
    assert dict(shop.points.wallet("kim").lots) == {first: 40_000, second: 60_000}


def test_c04_a_refund_happens_once_for_ever_with_the_amount_it_was_made_with(
    shop: Shop, clock: Hands
) -> None:
    _, checkout = paid(shop)
    first = shop.refund(checkout.checkout_id, "r1", 100_000)
    clock.move(minutes=11)
    again = shop.refund(checkout.checkout_id, "r1", 100_000)
    assert (again.value.back, again.replayed) == (first.value.back, True)
    with pytest.raises(RefundDiffers):
        shop.refund(checkout.checkout_id, "r1", 100_001)
    shop.refund(checkout.checkout_id, "r2", FEE - 100_000)
    clock.move(days=400)
    assert shop.refund(checkout.checkout_id, "r1", 100_000).value.back == first.value.back
    assert shop.bank.kept == 0
    assert shop.said().count("CheckoutRefunded") == 2


def test_a_key_stands_for_one_refund(shop: Shop) -> None:
    _, checkout = paid(shop)
    shop.checkout.refund(checkout.checkout_id, RefundOrder("r1", 1_000), OLGA, "same")
    with pytest.raises(KeyReused):
        shop.checkout.refund(checkout.checkout_id, RefundOrder("r2", 1_000), OLGA, "same")


def test_never_more_than_was_paid_goes_back(shop: Shop) -> None:
    _, checkout = paid(shop)
    shop.refund(checkout.checkout_id, "r1", 300_000)
    with pytest.raises(NotRefundable) as refusal:
        shop.refund(checkout.checkout_id, "r2", 160_001)
    assert refusal.value.extra == {"left": 160_000}
    shop.refund(checkout.checkout_id, "r2", 160_000)
    with pytest.raises(NotRefundable):
        shop.refund(checkout.checkout_id, "r3", 1)


def test_not_like_hyperswitch_refunds_at_once_never_exceed_what_was_paid(shop: Shop) -> None:
    """Two refunds of 60 % each, asked for together, were both granted there (#13182)."""
    campaign_id, checkout = paid(shop)

    def refund(number: int) -> bool:
        try:
            return not shop.refund(checkout.checkout_id, f"r{number % 4}", 276_000).replayed
        except (NotRefundable, Busy):
            return False

    with ThreadPoolExecutor(6) as hands:
        made = sum(hands.map(refund, range(8)))
    assert made == 1
    assert (shop.bank.kept, shop.balance(KIM)) == (322_000 - 193_200, 8_000 + 55_200)
    assert shop.pots(campaign_id)[1:] == (0, 46_000 - 27_600)


def test_only_what_was_paid_can_go_back(shop: Shop) -> None:
    checkout_id = shop.reserved(KIM)
    with pytest.raises(NothingPaid):
        shop.refund(checkout_id, "r1", 1)
    shop.checkout.cancel(checkout_id, KIM)
    with pytest.raises(NothingPaid):
        shop.refund(checkout_id, "r1", 1)


def test_a_customer_is_told_the_way_and_a_stranger_nothing(shop: Shop) -> None:
    _, checkout = paid(shop)
    with pytest.raises(RefundByCancelling, match="Cancel the contract"):
        shop.checkout.refund(checkout.checkout_id, RefundOrder("r1", 1), KIM, "k")
    with pytest.raises(UnknownCheckout):
        shop.checkout.refund(checkout.checkout_id, RefundOrder("r1", 1), LEE, "k")


def test_a_record_does_not_grow_for_ever(shop: Shop) -> None:
    checkout_id = shop.reserved(KIM)
    shop.capture(checkout_id, KIM)
    for number in range(MOST_REFUNDS - 1):
        shop.refund(checkout_id, f"r{number}", 1)
    with pytest.raises(TooManyRefunds) as refusal:
        shop.refund(checkout_id, "last", 1)
    shop.refund(checkout_id, "last", refusal.value.extra["left"])
    assert shop.look(checkout_id).state is State.REFUNDED
    assert shop.bank.kept == 0


def test_without_the_banks_answer_the_refund_is_on_its_way_until_there_is_one(
    shop: Shop, clock: Hands
) -> None:
    _, checkout = paid(shop)
    shop.bank.deaf = True
    assert shop.refund(checkout.checkout_id, "r1", FEE).value.card is RefundState.PENDING
    assert shop.balance(KIM) == 100_000, "points do not wait for a bank"
    shop.bank.deaf = False
    clock.move(minutes=1)
    assert shop.checkout.sweep().claimed == 1
    assert shop.refund(checkout.checkout_id, "r1", FEE).value.card is RefundState.DONE
    assert shop.bank.kept == 0


def test_what_the_bank_will_not_give_back_is_said_once(shop: Shop) -> None:
    _, checkout = paid(shop)
    shop.bank.gives_nothing_back = True
    for _ in range(2):
        assert shop.refund(checkout.checkout_id, "r1", 10_000).value.card is RefundState.REFUSED
    (told,) = [fact.data_as(RefundRefused) for fact in shop.facts() if fact.type == "RefundRefused"]
    assert (told.payment_id, told.checkout_id) == (checkout.payment_id, checkout.checkout_id)
    assert (told.amount, told.reason) == (7_000, "REFUND_REJECTED")


def test_what_the_bank_will_not_give_back_to_billing_is_billings_to_say(shop: Shop) -> None:
    _, checkout = paid(shop)
    shop.payments.charge("chg_1", FEE, GOOD, "monthly fee")
    shop.bank.deaf = True
    for payment_id in (str(checkout.payment_id), "chg_1"):
        assert shop.checkout.refund_card(payment_id, "con-refund-1", 1_000).state is RefundState.PENDING
    shop.bank.deaf, shop.bank.gives_nothing_back = False, True
    shop.sweep_until_rest()
    for payment_id in (str(checkout.payment_id), "chg_1"):
        assert shop.checkout.refund_card(payment_id, "con-refund-1", 1_000).state is RefundState.REFUSED
    assert "RefundRefused" not in shop.said()


def test_what_was_paid_too_late_and_is_not_given_back_is_told(shop: Shop, clock: Hands) -> None:
    held = shop.reserve(None, KIM, "k1").value
    shop.bank.mute = True
    shop.capture(held.checkout_id, KIM)
    clock.at = held.expires_at + ANSWERED_WITHIN
    shop.checkout.sweep()
    shop.bank.mute, shop.bank.gives_nothing_back = False, True
    shop.sweep_until_rest()
    (fact,) = [each for each in shop.facts() if each.type == "RefundRefused"]
    assert fact.envelope() == json.loads((ROOT / "events/facts/RefundRefused.json").read_text())
    assert convert(fact.data, RefundRefused, strict=True)


# --- for whoever bills -------------------------------------------------------------------------------------


def test_a_refund_of_the_card_takes_points_and_coupon_with_it(shop: Shop) -> None:
    campaign_id, checkout = paid(shop)
    payment_id = str(checkout.payment_id)
    for _ in range(2):
        assert shop.checkout.refund_card(payment_id, "con-refund-1", 128_800).state is RefundState.DONE
    assert (shop.bank.kept, shop.balance(KIM)) == (193_200, 8_000 + 36_800)
    assert shop.pots(campaign_id)[2] == 46_000 - 18_400
    assert shop.checkout.refund_card(payment_id, "con-refund-2", 193_200).state is RefundState.DONE
    assert (shop.bank.kept, shop.balance(KIM), shop.pots(campaign_id)[2]) == (0, 100_000, 0)
    assert shop.look(checkout.checkout_id).state is State.REFUNDED


def test_what_operations_gave_back_before_counts_when_billing_gives_back(shop: Shop) -> None:
    _, checkout = paid(shop)
    shop.refund(checkout.checkout_id, "r1", 230_000)
    for _ in range(2):
        back = shop.checkout.refund_card(str(checkout.payment_id), "b1", 322_000)
        assert back == CardRefund(RefundState.DONE, 322_000 - 161_000)
    assert (shop.bank.kept, shop.balance(KIM)) == (0, 100_000)
    back = shop.checkout.refund_card(str(checkout.payment_id), "b2", 1)
    assert back == CardRefund(RefundState.DONE, 0)
    assert shop.bank.kept == 0


def test_a_payment_of_no_checkout_goes_back_alone(shop: Shop) -> None:
    shop.payments.charge("chg_1", FEE, "tok_good", "monthly fee")
    assert shop.checkout.refund_card("chg_1", "ref_1", 60_000).state is RefundState.DONE
    with pytest.raises(NotRefundable):
        shop.checkout.refund_card("chg_1", "ref_2", 400_001)
    assert shop.bank.refunds == {"ref_1": 60_000}


def test_a_contract_paid_without_a_card_that_came_to_nothing_gives_all_of_it_back(shop: Shop) -> None:
    campaign_id, held = _free(shop)
    for _ in range(2):
        shop.checkout.came_to_nothing("con_kim")
    shop.checkout.came_to_nothing("con_kim", held.checkout_id)
    assert shop.look(held.checkout_id).state is State.REFUNDED
    assert (shop.balance(KIM), shop.pots(campaign_id)[1:]) == (FEE, (0, 0))
    assert shop.bank.asked == []
    assert shop.reserve(held.coupon_id, KIM, "k2").value.discount == 5_000


def _free(shop: Shop) -> tuple[str, Checkout]:
    campaign, (coupon,) = shop.with_coupons(KIM, terms=FIVE_THOUSAND_OFF)
    shop.give_points(KIM, FEE)
    held = shop.reserve(coupon, KIM, "k1", points=FEE - 5_000).value
    assert held.payable == 0
    captured = shop.capture(held.checkout_id, KIM, None).value
    assert (captured.state, captured.payment_id) == (State.CAPTURED, None)
    return campaign.campaign_id, captured


@pytest.mark.parametrize("by_card", [0, 225_400, 322_000])
@pytest.mark.parametrize("billing_is_faster", [True, False])
def test_c07_a_late_cancellation_costs_what_is_deducted_of_the_card_and_no_point(
    shop: Shop, by_card: int, billing_is_faster: bool
) -> None:
    campaign_id, checkout = paid(shop)

    def bill() -> None:
        if by_card:
            shop.checkout.refund_card(str(checkout.payment_id), "con-refund-1", by_card)

    def hear() -> None:
        for _ in range(2):
            shop.checkout.came_to_nothing("con_kim")

    for act in (bill, hear) if billing_is_faster else (hear, bill):
        act()
    assert (shop.bank.kept, shop.balance(KIM)) == (322_000 - by_card, 100_000)
    assert shop.pots(campaign_id)[1:] == (0, 0)
    after = shop.look(checkout.checkout_id)
    assert after.state is (State.CAPTURED if after.left.card else State.REFUNDED)
    shop.books_agree(checkout.checkout_id)
    assert shop.reserve(checkout.coupon_id, KIM, "k2").value.discount == 46_000


def test_what_was_bound_for_a_coupon_is_not_stranded_when_the_card_keeps_a_deduction(
    shop: Shop, clock: Hands
) -> None:
    bound = replace(FIVE_THOUSAND_OFF, reserve_at=ReserveAt.ISSUE, closes_at=NOON + timedelta(days=30))
    campaign = campaign_of(shop.coupons, bound, 5_000, uses=1)
    (coupon,) = coupons_of(shop.coupons, campaign.campaign_id, KIM)
    checkout = shop.capture(shop.reserve(coupon, KIM, "k1").value.checkout_id, KIM).value
    shop.checkout.refund_card(str(checkout.payment_id), "con-refund-1", 400_000)
    shop.checkout.came_to_nothing("con_kim")
    again = shop.reserve(coupon, KIM, "k2").value
    assert (again.discount, shop.pots(campaign.campaign_id)) == (5_000, (0, 5_000, 0))
    shop.checkout.cancel(again.checkout_id, KIM)
    clock.at = NOON + timedelta(days=31)
    assert shop.coupons.reclaim_due() == 5_000
    assert shop.pots(campaign.campaign_id) == (5_000, 0, 0)
    assert shop.coupons.status(campaign.campaign_id).uses_left == 1
    assert shop.coupons.store.reclaimable(clock.at + timedelta(days=9), 9) == []


def test_c05_a_cancelled_contract_billing_and_operations_at_once_give_each_part_back_once(shop: Shop) -> None:
    campaign_id, checkout = paid(shop)
    asked: list[Callable[[], object]] = [
        lambda: shop.checkout.came_to_nothing("con_kim"),
        lambda: shop.checkout.refund_card(str(checkout.payment_id), "con-refund-1", 289_800),
        lambda: shop.refund(checkout.checkout_id, "r1", 100_000),
    ]

    def ask(number: int) -> bool:
        try:
            asked[number % 3]()
        except (Busy, NotRefundable):
            return False
        return True

    with ThreadPoolExecutor(6) as hands:
        assert any(hands.map(ask, range(9)))
    shop.checkout.came_to_nothing("con_kim")
    after = shop.look(checkout.checkout_id)
    assert (after.left.points, after.left.coupon, after.has_coupon) == (0, 0, False)
    assert (shop.bank.kept, shop.balance(KIM)) == (after.left.card, 100_000)
    assert shop.pots(campaign_id)[1:] == (0, 0)
    shop.books_agree(checkout.checkout_id)
    assert shop.reserve(checkout.coupon_id, KIM, "k2").value.discount == 46_000


class Overtaken:
    """A store in which somebody else is faster, once."""

    def __init__(self, store: Any, faster: Callable[[], object]) -> None:
        self.store, self.faster = store, [faster]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def refund(self, *clauses: Any) -> None:
        if self.faster:
            self.faster.pop()()
        self.store.refund(*clauses)


@pytest.mark.parametrize("left", [0, 1])
def test_a_contract_that_came_to_nothing_hears_of_what_was_given_back_meanwhile(
    shop: Shop, left: int
) -> None:
    """And has nothing to add to it, nor to complain of."""
    _, checkout = paid(shop)
    faster = functools.partial(shop.refund, checkout.checkout_id, "r1", FEE - left)
    slow = replace(shop.checkout, store=Overtaken(shop.checkout.store, faster))
    slow.came_to_nothing("con_kim")
    after = shop.look(checkout.checkout_id)
    assert (after.left, shop.balance(KIM)) == (Parts(left, 0, 0), 100_000)
    assert all(back.parts.total for back in after.refunds)


def test_what_a_card_paid_is_left_to_billing(shop: Shop) -> None:
    checkout = shop.capture(shop.reserved(KIM), KIM).value
    shop.checkout.came_to_nothing("con_kim")
    shop.checkout.came_to_nothing("con_nobody")
    assert shop.look(checkout.checkout_id) == checkout


def test_points_for_two_contracts_that_a_card_paid_together_go_with_its_money(shop: Shop) -> None:
    shop.prices.fees["con_second", "kim"] = 100_000
    shop.give_points(KIM, 10_000)
    items = tuple(Item(Kind.CONTRACT_FEE, ref) for ref in ("con_kim", "con_second"))
    checkout_id = shop.checkout.reserve(
        Order("o1", items, None, 10_000, "request"), KIM, "k1"
    ).value.checkout_id
    checkout = shop.capture(checkout_id, KIM).value
    shop.checkout.came_to_nothing("con_second")
    assert shop.look(checkout_id) == checkout


def test_one_of_two_contracts_paid_together_gives_its_share_back(shop: Shop) -> None:
    shop.prices.fees["con_second", "kim"] = 100_000
    shop.give_points(KIM, FEE + 100_000)
    items = tuple(Item(Kind.CONTRACT_FEE, ref) for ref in ("con_kim", "con_second"))
    order = Order("o1", items, None, FEE + 100_000, "request")
    checkout_id = shop.checkout.reserve(order, KIM, "k1").value.checkout_id
    shop.capture(checkout_id, KIM, None)
    shop.checkout.came_to_nothing("con_second")
    assert (shop.balance(KIM), shop.look(checkout_id).state) == (100_000, State.CAPTURED)
    shop.checkout.came_to_nothing("con_kim")
    assert (shop.balance(KIM), shop.look(checkout_id).state) == (FEE + 100_000, State.REFUNDED)


def test_the_published_fact_is_the_sample(shop: Shop) -> None:
    _, checkout = paid(shop)
    shop.refund(checkout.checkout_id, "r1", 46_000)
    fact = shop.facts()[-1]
    sample = json.loads((ROOT / "events/facts/CheckoutRefunded.json").read_text())
    assert replace(fact, id=sample["id"]).envelope() == sample
    assert fact.data_as(CheckoutRefunded) == CheckoutRefunded(
        checkout.checkout_id,
        "order-1",
        "kim",
        checkout.campaign_id,
        "r1",
        32_200,
        9_200,
        4_600,
        False,
        322_000,
    )


# --- the arithmetic: no won is lost or made ----------------------------------------------------------------

WON = st.integers(0, 10**7)


@settings(max_examples=50)
@given(st.data(), WON, st.lists(st.integers(1, 10**6), max_size=4), st.lists(WON, min_size=1, max_size=4))
def test_c05_refunds_in_any_parts_add_up_to_exactly_what_was_paid(
    data: st.DataObject, card: int, lots: list[int], split: list[int]
) -> None:
    coupon, points = sum(split), sum(lots)
    checkout = Checkout(
        checkout_id="chk",
        customer_id="kim",
        order_id="o",
        items=(Line(Item(Kind.CONTRACT_FEE, "con"), card + points + coupon),),
        coupon_id="cmp.c",
        discount=coupon,
        split=tuple(enumerate(split)),
        request="",
        reserved_at=NOON,
        due_at=None,
        points_used=points,
        lots=tuple((f"lot{n}", points) for n, points in enumerate(lots)),
        state=State.CAPTURED,
    )
    shards, wallet = dict(enumerate(split)), dict(checkout.lots)
    while checkout.left.total:
        left, number = checkout.left, len(checkout.refunds)
        if number == MOST_REFUNDS - 1:
            parts = left
        elif data.draw(st.booleans()):
            parts = left.of(data.draw(st.integers(1, left.total)))
        else:
            parts = left.with_card(data.draw(st.integers(0, left.card)))
        if parts.total == 0:
            parts = left
        name = f"r{number}"
        checkout = checkout.refunded(GivenBack(name, parts.total, parts, NOON))
        assert min(parts.card, parts.points, parts.coupon) >= 0
        assert min(checkout.left.card, checkout.left.points, checkout.left.coupon) >= 0
        back, drawn = checkout.split_of(name), checkout.draw_of(name)
        assert [shard for shard, _ in back] == list(shards)
        assert sum(won for _, won in back) == parts.coupon
        assert sum(points for _, points in drawn.lots) == drawn.points == parts.points
        for shard, won in back:
            shards[shard] -= won
        for lot, given_back in drawn.lots:
            wallet[lot] -= given_back
        assert min([*shards.values(), *wallet.values(), 0]) >= 0
    assert not any([*shards.values(), *wallet.values()])
    assert checkout.state is State.REFUNDED or card + points + coupon == 0
    assert sum((refund.parts.total for refund in checkout.refunds), 0) == card + points + coupon


@given(WON, WON, WON, st.data())
@settings(max_examples=50)
def test_a_part_is_within_a_won_of_its_share(
    card: int, points: int, coupon: int, data: st.DataObject
) -> None:
    whole = Parts(card, points, coupon)
    amount = data.draw(st.integers(0, whole.total))
    part = whole.of(amount)
    assert part.total == amount
    for got, had in zip((part.card, part.points, part.coupon), (card, points, coupon), strict=True):
        assert 0 <= got <= had
        assert whole.total == 0 or abs(got - had * amount / whole.total) < 1
