"""Whatever customers, operators and time do in whatever order: budget, uses, coupons and books agree."""

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.json import decode
from msgspec.structs import replace

from chalicelib.coupons.model import Coupon, Edge, Kind, ReserveAt, State, Switch, Terms
from chalicelib.coupons.store import CouponItem, CouponStore
from chalicelib.coupons.store.items import coupon_of
from chalicelib.kernel.errors import HandoverError
from chalicelib.kernel.money import Entry, balances
from chalicelib.kernel.tables import AllOrNothing
from chalicelib.ledger.store import Books
from tests.conftest import NOON, Hands
from tests.coupons.conftest import coupon_service, memory_write
from tests.coupons.examples import KIM, LEE, OLGA
from tests.coupons.examples import given as given_coupon
from tests.coupons.memory import MemoryCoupons
from tests.coupons.till import Till, stands
from tests.ledger.memory import MemoryBooks

BOUND = Terms("Bound", Kind.FIXED, 5_000, reserve_at=ReserveAt.ISSUE)
TERMS = (
    Terms("Fixed", Kind.FIXED, 5_000, per_user_limit=9),
    Terms("Fixed, in parts", Kind.FIXED, 5_000, at_the_edge=Edge.PARTIAL),
    Terms("Percent", Kind.PERCENT, 50, max_discount=3_000, at_the_edge=Edge.PARTIAL),
    BOUND,
)


@dataclass
class Rows:
    """Where it all is kept: in memory, or on DynamoDB."""

    store: Any
    books: Any
    begin: Any
    coupons: Callable[[], list[Coupon]]
    entries: Callable[[], list[Entry]]


def in_memory() -> Rows:
    store, books = MemoryCoupons(), MemoryBooks()
    return Rows(store, books, memory_write, lambda: list(store.coupons.values()), lambda: list(books.entries))


def on_dynamodb(client: Any) -> Rows:
    def rows(table: str, word: str) -> list[Any]:
        return [row for row in client.scan(TableName=table)["Items"] if word in row]

    def coupons() -> list[Coupon]:
        found = map(CouponItem.from_raw_data, rows("test-coupons", "code_hash"))
        return sorted(map(coupon_of, found), key=lambda coupon: coupon.code_hash)

    def entries() -> list[Entry]:
        return [decode(row["entry"]["S"], type=Entry) for row in rows("test-ledger", "entry")]

    return Rows(CouponStore(), Books(), AllOrNothing, coupons, entries)


@dataclass
class Life:
    """One campaign, its coupons, and two processes that remember it each in their own way."""

    rng: random.Random
    rows: Rows
    clock: Hands = field(default_factory=Hands)
    paid: dict[str, list[list[int]]] = field(default_factory=dict)
    """checkout -> what is left of each part"""
    open: set[str] = field(default_factory=set)
    names: int = 0

    def __post_init__(self) -> None:
        rng = self.rng
        self.terms = replace(rng.choice(TERMS), closes_at=NOON + timedelta(minutes=rng.choice([4, 120])))
        self.uses = rng.choice([None, 25, 60])
        self.service = self._service()
        budget = rng.choice([20_000, 160_000, 400_003, 400_003])
        self.name = self.service.create(self.terms, budget, OLGA, "c", "c", self.uses).value.campaign_id
        if budget > 160_000 and not self.terms.bound:
            self.service.cut(self.name, "to the tail", budget - 19_000, OLGA, "tail")
        self.tills = [Till(self.service), Till(self._service())]
        self.tills[1].held, self.tills[1].legs = self.tills[0].held, self.tills[0].legs

    def _service(self) -> Any:
        made = coupon_service(self.rows.store, self.clock, self._id, self.rows.begin, self.rows.books)
        return replace(made, budgets=replace(made.budgets, choose=self.rng.choice))

    def _id(self, prefix: str) -> str:
        self.names += 1
        return f"{prefix}_{self.names}"

    @property
    def till(self) -> Till:
        return self.rng.choice(self.tills)

    # --- what may happen -----------------------------------------------------------------------------------

    def reserve(self) -> None:
        till, free = self.till, [c for c in self.rows.coupons() if c.state is State.REGISTERED]
        coupon_id = self.rng.choice(free).coupon_id if free and self.rng.random() < 0.5 else self.new_coupon()
        amount = self.rng.choice([1, 3_000, self.rng.randint(1, 5_000), 5_000, 5_000])
        amount = min(amount, self.terms.largest or amount)
        till.service.offer(coupon_id)
        checkout = self._id("chk")
        grant = till.reserve(checkout, coupon_id, amount, least=self.rng.choice([None, 1, amount]))
        assert grant.amount == amount or self.terms.at_the_edge is Edge.PARTIAL
        self.open.add(checkout)

    def new_coupon(self) -> str:
        name = self._id("h")
        if self.terms.bound:
            write = self.rows.begin()
            self.service.budgets.bind(write, self.service.budgets.current(self.name), 1, name)
            write.commit()
        return given_coupon(self.service, self.name, KIM, name)

    def release(self) -> None:
        if self.open:
            checkout = self.rng.choice(sorted(self.open))
            self.till.release(checkout)
            self.open.remove(checkout)

    def capture(self) -> None:
        if self.open:
            checkout = self.rng.choice(sorted(self.open))
            self.till.capture(checkout)
            self.open.remove(checkout)
            grant = self.till.held[checkout][2]
            self.paid[checkout] = [list(part) for part in grant.split] or [[-1, grant.amount]]

    def refund(self) -> None:
        if self.paid:
            checkout = self.rng.choice(sorted(self.paid))
            left = self.paid[checkout]
            whole = self.rng.random() < 0.6
            back = [part if whole else self.rng.randint(0, part) for _, part in left]
            whole = back == [part for _, part in left]
            if not sum(back) and not whole:
                return
            split = tuple((shard, part) for (shard, _), part in zip(left, back, strict=True) if shard >= 0)
            self.till.refund(checkout, split, sum(back), whole=whole)
            for part, gone in zip(left, back, strict=True):
                part[1] -= gone
            if whole:
                del self.paid[checkout]

    def top_up(self) -> None:
        uses = self.rng.choice([0, 2]) if self.uses is not None else 0
        name = self._id("t")
        self.till.service.top_up(self.name, name, self.rng.choice([1, 7_000]), OLGA, name, uses)

    def cut(self) -> None:
        name = self._id("c")
        self.till.service.cut(self.name, name, self.rng.choice([1, 9_999, 150_000]), OLGA, name)

    def switch(self) -> None:
        self.till.service.switch(self.name, Switch.PAUSED if self.rng.random() < 0.15 else Switch.OPEN)

    def close(self) -> None:
        if self.rng.random() < 0.03:
            self.till.service.close(self.name, "enough", OLGA)

    def wait(self) -> None:
        self.clock.move(seconds=self.rng.choice([0.4, 2, 100]))

    def reclaim(self) -> None:
        self.till.service.reclaim(self.name)

    # --- what must hold ------------------------------------------------------------------------------------

    def check(self) -> None:
        seen = self.service.status(self.name)
        stands(seen)
        held = balances(self.rows.entries())
        for leg in self.tills[0].legs:
            held[leg.account] += leg.amount
        assert held[f"campaign/{self.name}/budget"] == -seen.campaign.budget
        for number, shard in enumerate(seen.shards):
            pots = (shard.available, shard.reserved, shard.captured - shard.refunded)
            for pot, amount in zip(("available", "reserved", "captured"), pots, strict=True):
                assert held[f"campaign/{self.name}/{number}/{pot}"] == amount, (number, pot)
        coupons = self.rows.coupons()
        used = sum(coupon.state is State.USED for coupon in coupons)
        assert used == len(self.open) + len(self.paid)
        counted = sum(shard.uses_captured - shard.uses_refunded for shard in seen.shards)
        assert counted == len(self.paid)
        if self.terms.per_user_limit:
            assert self.service.used(self.name, ["kim"]).get("kim", 0) == used
        waiting = sum(shard.uses_reserved for shard in seen.shards)
        if self.terms.bound:
            assert waiting == sum(coupon.worth == self.terms.value for coupon in coupons)
            assert seen.reserved == sum(coupon.worth or 0 for coupon in coupons)
        else:
            assert waiting == len(self.open)

    def at_rest(self) -> None:
        """Whatever is left can be had to the last won, and is seen to be there."""
        self.clock.move(seconds=61)
        seen = self.service.status(self.name)
        if seen.campaign.state is not Switch.OPEN or seen.campaign.over(self.clock.at):
            return
        most = min(seen.grantable, 5_000 if self.terms.bound else seen.available)
        for till in self.tills:
            hidden = till.service.budgets.campaign(self.name).seems_exhausted
            assert not hidden or seen.grantable < 5_000
        if most and not self.terms.bound:
            last = given_coupon(self.service, self.name, LEE, "last")
            self.tills[0].reserve("last", last, most, LEE)


def play(seed: int, rows: Rows) -> None:
    life = Life(random.Random(seed), rows)
    acts = [life.reserve] * 8 + [life.release, life.capture, life.refund] * 2
    acts += [life.top_up, life.cut, life.switch, life.close, life.wait, life.wait, life.reclaim]
    for _ in range(life.rng.randint(10, 120)):
        with suppress(HandoverError):
            life.rng.choice(acts)()
        life.check()
    life.at_rest()


@settings(max_examples=15, derandomize=True)
@given(st.integers(0, 2**32))
def test_budget_uses_coupons_and_books_agree_after_every_step(seed: int) -> None:
    play(seed, in_memory())


@pytest.mark.parametrize("seed", [8])
def test_they_agree_on_dynamodb(dynamodb: Any, seed: int) -> None:
    play(seed, on_dynamodb(dynamodb))
