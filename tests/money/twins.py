"""Faulty twins: the real code with one thing wrong, as others got it wrong. The judges have to find each.

`without` takes conditions out of the running stores; the other twins put a worse function in place of one.
"""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from chalicelib.checkout.service import CheckoutService
from chalicelib.coupons.model import Snapshot, Switch
from chalicelib.coupons.service import Budgets, campaigns
from chalicelib.coupons.store import CouponStore
from chalicelib.coupons.store.items import (
    CampaignItem,
    ShardItem,
    campaign_of,
    campaign_row,
    shard_of,
    shard_row,
)
from tests.bench.conditions import running, spots
from tests.bench.conditions import without as tree_without

HOLDS = "chalicelib/coupons/store/holds.py"
CAMPAIGNS = "chalicelib/coupons/store/campaigns.py"
CHECKOUTS = "chalicelib/checkout/store/checkouts.py"
PAYMENTS = "chalicelib/checkout/store/payments.py"
WALLETS = "chalicelib/points/store.py"
Change = Callable[[], AbstractContextManager[Any]]


def without(file: str, function: str, *texts: str) -> Change:
    """The conditions of this function that contain one of these words; all of them without any."""

    def changed() -> AbstractContextManager[Any]:
        every = [spot for spot in spots(file) if spot.function.endswith(function)]
        gone = [spot for spot in every if not texts or any(text in spot.text for text in texts)]
        assert gone, f"{file} {function} has no such condition: {[spot.text for spot in every]}"
        return running(file, tree_without(file, gone))

    return changed


def instead(owner: Any, name: str, worse: Callable[..., Any]) -> Change:
    """`worse` is given the usual function first."""

    @contextlib.contextmanager
    def changed() -> Iterator[None]:
        usual = getattr(owner, name)
        setattr(owner, name, lambda *given, **named: worse(usual, *given, **named))
        try:
            yield
        finally:
            setattr(owner, name, usual)

    return changed


def _first_two(usual: Any, store: Any, campaign: Any) -> Snapshot:
    seen = usual(store, campaign)
    blind = tuple(replace(shard, available=0) for shard in seen.shards[2:])
    return Snapshot(seen.campaign, seen.shards[:2] + blind)


def _one_by_one(usual: Any, store: Any, campaign: Any) -> Snapshot:
    rows = [shard_row(campaign.campaign_id, shard) for shard in range(campaign.shards)]
    key = campaign_row(campaign.campaign_id)
    first: Any = CampaignItem.load(key.pk, key.sk)
    found: list[Any] = [ShardItem.load(row.pk, row.sk) for row in rows]
    return Snapshot(campaign_of(first), tuple(map(shard_of, found)))


def _whole_for_each(usual: Any, amount: int, shards: int) -> tuple[int, ...]:
    return (amount,) * shards


def _flag_only(usual: Any, store: Any, write: Any, campaign: Any, state: Switch) -> None:
    usual(store, write, replace(campaign, shards=0) if state is Switch.PAUSED else campaign, state)


def _never(usual: Any, *given: Any) -> bool:
    return False


def _unread(usual: Any, service: Any, order: Any, by: Any, key: str) -> Any:
    """Believes a refusal without reading the record first."""
    from chalicelib.kernel.done import Done
    from chalicelib.kernel.ids import keyed_id

    return Done(service._reserve(keyed_id("chk", by.id, key), order, by))


def _hasty(usual: Any, budgets: Any, campaign: Any, amount: int, least: Any, short: Any) -> Any:
    """Takes one short shard for the whole budget."""
    from chalicelib.coupons.model import BudgetExhausted

    if short:
        raise BudgetExhausted()
    return usual(budgets, campaign, amount, least, short)


@dataclass(frozen=True)
class Twin:
    """`like`: who is, or was, made that way. `within`: schedules at most until it is found out."""

    name: str
    like: str
    changes: tuple[Change, ...]
    within: int = 20

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        with ExitStack() as all_of_them:
            for change in self.changes:
                all_of_them.enter_context(change())
            yield


TWINS = (
    Twin("a shard pays what it does not have", "", (without(HOLDS, "_add_debit", "available"),)),
    Twin("a coupon is used from any state", "ACIDRain", (without(HOLDS, ".hold", "state"),)),
    Twin("a record is written over", "", (without(CHECKOUTS, ".add"),)),
    Twin("no limit for a customer", "Open Loyalty", (without(HOLDS, ".hold", "below"),), 150),
    Twin("no limit of uses", "Saleor", (without(HOLDS, "_add_debit", "uses_left"),), 150),
    Twin("only two shards are looked at", "", (instead(CouponStore, "snapshot", _first_two),)),
    Twin("shards are read one by one", "", (instead(CouponStore, "snapshot", _one_by_one),), 1_000),
    Twin("one short shard is believed", "", (instead(Budgets, "_granted", _hasty),)),
    Twin(
        "each shard has the whole budget",
        "udecode/kitcn #319",
        (instead(campaigns, "spread", _whole_for_each),),
    ),
    Twin("a pause is only a flag", "", (instead(CouponStore, "switch", _flag_only),), 300),
    Twin(
        "a payment takes a reservation from any state",
        "",
        (without(CHECKOUTS, ".claim", "state", "reserved_at"),),
        100,
    ),
    Twin(
        "a reservation is given back from any state",
        "Medusa #16595",
        (
            without(CHECKOUTS, ".settle", "state", "payment_id"),
            without(HOLDS, "_by_checkout"),
            without(HOLDS, "_give_back"),
            without(HOLDS, "_add_credit"),
        ),
        1_000,
    ),
    Twin(
        "a refund does not look at the others",
        "hyperswitch #13182",
        (without(CHECKOUTS, ".refund"), without(PAYMENTS, ".promise"), without(HOLDS, "_add_credit")),
        300,
    ),
    Twin("a wallet is written over", "", (without(WALLETS, ".change"),), 150),
    Twin("a reservation never runs out", "WooCommerce #27673", (instead(CheckoutService, "expire", _never),)),
    Twin("a refusal before the record is read", "", (instead(CheckoutService, "reserve", _unread),)),
    Twin(
        "a budget is cut below what is spent",
        "Medusa #13760",
        (without(CAMPAIGNS, ".cut", "available"),),
        2_000,
    ),
    Twin(
        "a top-up is made twice",
        "",
        (without(CAMPAIGNS, "_add_change"), without("chalicelib/coupons/store/items.py", "add_asked")),
        300,
    ),
    Twin(
        "a merge does not look at what it moves",
        "",
        (without(CAMPAIGNS, "_holds"), without(CAMPAIGNS, ".merge")),
        300,
    ),
    Twin("a payment is settled from any state", "", (without(PAYMENTS, ".settle"),), 300),
)
