"""What went wrong elsewhere, and does not here. Where the mistake can be made, the scene also runs on a twin
that makes it: so it is a scene in which the mistake shows.

Their reports: Medusa #16012, #16595, #13760; Saleor `get_voucher_for_checkout`; eventyay #1398; pretix #6067;
django-oscar #2101; Shopware #18716; Vendure #1466, #5278; WooCommerce #27673; Open Loyalty `buyCampaign`;
macrozheng/mall #1003; shopperlabs #510; Sylius #18960; udecode/kitcn #319; Voucherify's changelog, July 2026.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from chalicelib.checkout.model import State
from chalicelib.coupons.model import CodeRefused, hash_of, spell
from chalicelib.coupons.store import CouponStore
from chalicelib.coupons.store.items import ShardItem
from chalicelib.kernel.errors import HandoverError
from tests.money.market import CUSTOMERS, Day, Market
from tests.money.test_races import race, reserves
from tests.money.twins import CAMPAIGNS, HOLDS, Change, instead, without
from tests.money.twins import TWINS as EVERY
from tests.money.world import SECRET

BOXES = "chalicelib/coupons/store/box.py"
TWINS = {twin.name: twin.changes for twin in EVERY}
Scene = Callable[[], None]


def holds(scene: Scene, *mistake: Change) -> None:
    """It holds, and it would not with that mistake."""
    scene()
    if mistake:
        with ExitStack() as all_of_them:
            for change in mistake:
                all_of_them.enter_context(change())
            with pytest.raises((AssertionError, HandoverError)):
                scene()


@contextmanager
def at_rest(market: Market) -> Iterator[Market]:
    with market:
        yield market
        market.come_to_rest()


# --- spending: (a) checked before the lock, (b) the wrong lock, (d) no rows, (e) skipped -------------------


def test_not_like_saleor_checking_before_the_lock() -> None:
    """Nor eventyay, pretix, django-oscar: the last use of many is checked where it is taken."""

    def scene() -> None:
        with race(Day(1, 4, (1_000,) * 12, 50_000, uses=3)) as market:
            market.together(*reserves(market, *range(12)))
            assert len(market.truths.mine) == 3

    holds(scene, *TWINS["no limit of uses"])


def test_not_like_saleor_uses_burnt_for_orders_that_were_never_made() -> None:
    with race(Day(1, 1, (5_000, 1_000), 1_000, uses=1)) as market:
        market.together(*reserves(market, 0))
        assert market.heard["BudgetExhausted"] == 1
        market.together(*reserves(market, 1))
        assert len(market.truths.mine) == 1


def test_not_like_shopware_a_lock_for_each_code_under_a_cap_for_all() -> None:
    def scene() -> None:
        with race(Day(2, 8, (1_000,) * 12, 3_999)) as market:
            market.together(*reserves(market, *range(12)))
            assert len(market.truths.mine) == 3

    holds(scene, *TWINS["a shard pays what it does not have"])


def test_not_like_mall_one_coupon_for_five_orders() -> None:
    def scene() -> None:
        with race(Day(3, 2, (4_000,) * 12, 30_000, percent=50)) as market:
            acts = [lambda key=key: market.reserve(4 * (key % 3), 0, 0, 100 + key) for key in range(5)]
            market.together(*acts)
            assert len(market.truths.mine) == 1

    holds(scene, *TWINS["a coupon is used from any state"])


def test_not_like_shopperlabs_an_update_that_met_no_row() -> None:
    """A coupon that is not there is not used, and nothing is granted for it."""

    def scene() -> None:
        with race(Day(4, 2, (4_000,) * 4, 30_000)) as market:
            del market.rows.tables["test-coupons"]["COUPON#h0", "COUPON"], market.truths.coupons["h0"]
            market.together(*reserves(market, 0))
            assert not market.truths.mine
            assert ("COUPON#h0", "COUPON") not in market.rows.tables["test-coupons"]

    holds(scene, without(HOLDS, ".hold"))


def test_not_like_medusa_2024_an_order_goes_through_when_the_budget_refuses() -> None:
    with race(Day(5, 4, (5_000,) * 4, 4_999)) as market:
        market.together(*reserves(market, *range(4)))
        assert market.heard["BudgetExhausted"] == 4
        assert not market.truths.checkouts


def test_not_like_kitcn_each_shard_with_the_whole_budget() -> None:
    def scene() -> None:
        with race(Day(6, 16, (1_000,) * 4, 16_001)) as market:
            assert market.truths.total("available") == 16_001
            market.together(lambda: market.top_up(0, 4_001))
            assert market.truths.total("available") == 20_002

    holds(scene, *TWINS["each shard has the whole budget"])


def test_not_like_sylius_one_row_in_every_redemption() -> None:
    """Where all write one row, all wait for one another."""
    written: Counter[str] = Counter()
    with Market(Day(7, 16, (1_000,) * 32, 320_000, points=0), resting=True) as market:
        look, usual = market.truths, market.rows.written

        def counted(table: str, key: Any, row: Any) -> None:
            written[key[0]] += 1
            usual(table, key, row)

        market.rows.written = counted
        market.together(*reserves(market, *range(32)))
        assert len(look.mine) == 32
    assert max(written.values()) < 32 / 3


def test_not_like_open_loyalty_one_coupon_for_two_buyers() -> None:
    def scene() -> None:
        with race(Day(8, 1, (1_000,) * 4, 5_000)) as market:
            code = spell(SECRET, market.campaign_id, "b", 0)
            name = hash_of(SECRET, code)
            texts = {"campaign_id": market.campaign_id, "code_hash": name, "state": "ISSUED"}
            keys = {"pk": f"COUPON#{name}", "sk": "COUPON"}
            row = {key: {"S": text} for key, text in (keys | texts).items()}
            market.world.ask("PutItem", {"TableName": "test-coupons", "Item": row})
            got: list[str] = []
            stage = market.world.stage

            def buy(number: int) -> None:
                till = market.world.tills[number % 2]
                try:
                    till.coupons.register(code, CUSTOMERS[number], f"k{number}")
                    got.append(CUSTOMERS[number].id)
                except CodeRefused:
                    return

            for number in range(4):
                stage.enter("register", lambda number=number: buy(number))  # type: ignore[misc]
            while stage.playing:
                stage.go(stage.playing[market.rng.randrange(len(stage.playing))])
            assert len(got) == 1
            assert market.truths.coupons[name]["owner"]["S"] == got[0]

    holds(scene, without(BOXES, ".register", "state"))


# --- giving back: (c) weaker than spending, (f) never, (i) not at all --------------------------------------


def _lost_update(usual: Any, store: Any, write: Any, row: Any, move: Any) -> None:
    """Reads, adds, and writes the sum, as `revertUsage` did."""
    seen: Any = ShardItem.load(row.pk, row.sk)
    write.update(
        row,
        ShardItem.available.set(int(seen.available) + move.available),
        ShardItem.reserved.add(move.reserved),
        ShardItem.refunded.add(move.refunded),
    )


def test_not_like_medusa_a_restore_that_loses_what_others_do_meanwhile() -> None:
    def scene() -> None:
        with at_rest(race(Day(9, 1, (1_000,) * 16, 16_000))) as market:
            market.together(*reserves(market, *range(8)))
            cancels = [lambda place=place: market.cancel(4 * place + 1) for place in range(8)]
            market.together(*cancels, *reserves(market, *range(8, 16)))
            budget = market.truths.total("available") + sum(
                each.discount for each in market.truths.mine if each.state is State.RESERVED
            )
            assert budget == 16_000

    holds(scene, instead(CouponStore, "_add_credit", _lost_update))


def test_not_like_voucherify_two_rollbacks_of_one_redemption() -> None:
    with at_rest(race(Day(10, 2, (4_000,) * 4, 8_000, percent=50))) as market:
        market.together(*reserves(market, 0, points=200))
        market.together(*[lambda: market.cancel(0)] * 4)
        assert market.truths.total("available") == 8_000
        market.together(*reserves(market, 1, points=200))
        market.together(lambda: market.capture(4, "good"))
        market.together(*[lambda: market.refund(5, 0, 100)] * 4, *[lambda: market.cancel(4)] * 2)
        assert market.truths.total("available") == 8_000
        assert market.truths.total("refunded") == 2_000


def test_not_like_woocommerce_a_hold_that_a_failed_payment_keeps() -> None:
    def scene() -> None:
        with at_rest(race(Day(11, 2, (4_000,) * 4, 2_000, percent=50))) as market:
            market.together(*reserves(market, 0))
            market.together(lambda: market.capture(0, "empty"))
            assert market.heard["CardDeclined"] == 1
            market.tick(901)
            market.together(market.sweep)
            assert market.truths.total("available") == 2_000
            assert market.truths.coupons["h0"]["state"]["S"] == "REGISTERED"

    holds(scene, *TWINS["a reservation never runs out"])


def test_not_like_vendure_a_cancelled_order_keeps_its_coupon() -> None:
    """Nor commercetools and Square, whose rewards never come back by design."""
    with at_rest(race(Day(12, 2, (4_000,) * 4, 4_000, percent=50, per_user=1, uses=1))) as market:
        market.together(*reserves(market, 0))
        market.together(lambda: market.cancel(0))
        market.together(lambda: market.reserve(0, 0, 0, 9))
        market.together(lambda: market.capture(1, "good"))
        market.together(lambda: market.refund(1, 0, 100))
        assert market.truths.coupons["h0"]["state"]["S"] == "REGISTERED"
        market.together(lambda: market.reserve(0, 0, 0, 10))
        assert [each.state for each in market.truths.mine] == [
            State.CANCELLED,
            State.REFUNDED,
            State.RESERVED,
        ]


def test_not_like_vendure_an_order_settled_twice() -> None:
    with at_rest(race(Day(13, 2, (4_000,) * 4, 8_000, percent=50))) as market:
        market.together(*reserves(market, 0))
        market.together(
            *[lambda card=card: market.capture(0, card) for card in ("good", "good", "other", "other")]
        )
        assert list(market.bank.charges.values()) == [2_000]
        facts = [row for row in market.rows.tables["test-ledger"].values() if "CheckoutCaptured" in str(row)]
        assert len(facts) == 1


def test_not_like_medusa_a_limit_set_below_what_is_used() -> None:
    """The budget was looked at, then everybody spent it, then it is cut."""

    def scene() -> None:
        with Market(Day(14, 4, (1_000,) * 8, 8_000, points=0), resting=True) as market:
            stage = market.world.stage
            market.cut(0, 2_000)
            (cutter,) = stage.playing
            while not cutter.waits.startswith("TransactWriteItems"):
                stage.go(cutter)
            for act in reserves(market, *range(8)):
                act()
                while stage.playing[-1] is not cutter:
                    stage.go(stage.playing[-1])
            market.together()
            assert market.truths.campaign["budget"]["N"] == "8000"
            assert (market.heard["granted"], market.heard["CutTooDeep"]) == (8, 1)

    holds(scene, without(CAMPAIGNS, ".cut", "available"))
