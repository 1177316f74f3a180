"""The composite as `chalicelib.wiring` builds it, on a DynamoDB whose every call is a turn of the stage."""

import contextlib
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from msgspec.structs import force_setattr

from chalicelib import wiring
from chalicelib.checkout.service import CheckoutService
from chalicelib.coupons.service import CouponService
from chalicelib.kernel import tables
from chalicelib.kernel.auth import Caller, Group
from chalicelib.kernel.errors import NotFound
from tests.checkout.bank import Bank
from tests.conftest import Hands
from tests.money.stage import Stage
from tests.money.wire import Ask, broken, dynamodb_is

OLGA = Caller("olga", frozenset({Group.OPS}))
SECRET = "a code key for tests"


@dataclass(frozen=True)
class Price:
    amount: int
    plan: str | None = "basic"


@dataclass
class Prices:
    """What contracts cost, by (contract, customer)."""

    fees: dict[tuple[str, str], int] = field(default_factory=dict)

    def fee(self, contract_id: str, customer_id: str) -> Price:
        if (contract_id, customer_id) not in self.fees:
            raise NotFound()
        return Price(self.fees[contract_id, customer_id])

    def payable(self, contract_id: str, customer_id: str) -> None:
        self.fee(contract_id, customer_id)


@dataclass
class Till:
    """A process: services of its own, with caches of their own."""

    coupons: CouponService
    checkout: CheckoutService
    points: Any


@dataclass
class World:
    """`ask` is DynamoDB, `seed` what the services draw from when they choose a shard."""

    ask: Ask
    bank: Bank
    clock: Hands = field(default_factory=Hands)
    prices: Prices = field(default_factory=Prices)
    stage: Stage = field(default_factory=Stage)
    tills: list[Till] = field(default_factory=list)
    ids: int = 0

    def new_id(self, prefix: str) -> str:
        self.ids += 1
        return f"{prefix}_{self.ids:06d}"

    def till(self) -> Till:
        """A new process."""
        for built in vars(wiring).values():
            if hasattr(built, "cache_clear"):
                built.cache_clear()
        coupons, checkout, points = wiring.coupons(), wiring.checkout(), wiring.points()
        force_setattr(coupons, "secret", lambda: SECRET)
        force_setattr(coupons.budgets, "pause", self._pause)
        force_setattr(points, "pause", self._pause)
        force_setattr(checkout, "prices", self.prices)
        force_setattr(checkout.payments, "gateway", self.bank)
        till = Till(coupons, checkout, points)
        self.tills.append(till)
        return till

    def _pause(self, seconds: float) -> None:
        self.stage.turn("waits")


@contextlib.contextmanager
def composed(world: World, processes: int = 1, seed: int = 0) -> Iterator[World]:
    """`world` at work: clock, ids, randomness and every call to DynamoDB are its own."""
    building, commits, kept = vars(wiring), vars(tables), random.getstate()
    usual = building["utc_now"], building["new_id"], commits["time"]
    building["utc_now"], building["new_id"] = world.clock, world.new_id
    commits["time"] = SimpleNamespace(sleep=world._pause)
    random.seed(seed)
    try:
        with dynamodb_is(broken(world.stage, world.ask)):
            for _ in range(processes):
                world.till()
            yield world
    finally:
        world.stage.clear()
        building["utc_now"], building["new_id"], commits["time"] = usual
        random.setstate(kept)
        for built in vars(wiring).values():
            if hasattr(built, "cache_clear"):
                built.cache_clear()
