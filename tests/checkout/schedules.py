"""Random schedules of customers, retries, an operator and faults, each step checked against the invariants.

I1  available + granted = budget, at every committed state (and reserved = granted, shard by shard)
I2  no shard is ever below zero
I3  a coupon is used by one checkout at most
I4  a customer's count is the number of coupons they use, within the limit
I7  a refusal for want of budget is right for some instant between a second before the request and its answer
I8  at rest, whatever is left can be granted to the last won
"""

import contextlib
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

from chalicelib.checkout.model import Checkout, Item, Kind, Order
from chalicelib.checkout.service import CheckoutService
from chalicelib.coupons.model import (
    BudgetExhausted,
    Campaign,
    CampaignPaused,
    Coupon,
    CouponUsed,
    Shard,
    State,
    Switch,
    Terms,
    UserLimitReached,
    spread,
)
from chalicelib.coupons.model import Kind as CouponKind
from chalicelib.coupons.service import CACHE_AGE, Budgets, CouponService
from chalicelib.kernel.auth import Caller
from chalicelib.kernel.errors import Busy
from chalicelib.kernel.facts import Fact
from tests.checkout.memory import PriceList
from tests.checkout.stage import Stage
from tests.conftest import Hands
from tests.coupons.examples import OLGA, SECRET

WHOLE_PRICE = Terms("All of it", CouponKind.PERCENT, 100)
"""The discount is the fee, so that a schedule can ask for any amount."""
CAMPAIGN = "cmp_race"


class LostAnswer(Exception):
    """The call was made, and nobody heard what came of it."""


@dataclass
class Faults:
    """How often, of 1, a commit meets another transaction, and how often its answer is lost."""

    rng: random.Random
    conflict: float = 0.0
    lost: float = 0.0

    def conflicts(self) -> bool:
        return self.rng.random() < self.conflict

    def loses(self) -> bool:
        return self.rng.random() < self.lost


class World(Protocol):
    """Stores whose every call from an actor is a step of the stage, and a view of their rows that is none."""

    coupons: Any
    checkouts: Any

    def begin(self, attempts: int = 5) -> Any: ...

    def shards(self) -> list[Shard]: ...

    def granted(self) -> list[Checkout]: ...

    def coupon_states(self) -> dict[str, Coupon]: ...

    def uses(self, customer_id: str) -> int: ...

    def seed_coupon(self, coupon: Coupon) -> None: ...


WorldMaker = Callable[[Stage, Faults], World]


@dataclass
class Play:
    """One schedule: what is given, who acts, and what was seen."""

    seed: int
    make_world: WorldMaker
    processes: int = 2
    rng: random.Random = field(init=False)
    clock: Hands = field(default_factory=Hands)
    answers: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        rng = self.rng
        self.shard_count = rng.choice([1, 2, 3, 8, 16])
        self.amounts = [rng.choice([1_000, 3_000, 5_000, rng.randint(1, 9_000)]) for _ in range(8)]
        self.budget = rng.randint(1, sum(self.amounts) * 2)
        self.per_user = rng.choice([None, 1, 2])
        self.terms = Terms("All", CouponKind.PERCENT, 100, per_user_limit=self.per_user)
        self.faults = Faults(rng, rng.choice([0, 0.1, 0.3]), rng.choice([0, 0.1, 0.25]))
        self.stage = Stage(rng, self.between)
        self.world = self.make_world(self.stage, self.faults)
        self.history: list[tuple[Any, int]] = []
        self.paused_at_rest = False
        self.granted_when_paused: int | None = None
        self._set_up()

    def _set_up(self) -> None:
        campaign = Campaign(CAMPAIGN, self.terms, self.budget, self.shard_count, "fp")
        fact = Fact("evt_0", "CampaignCreated", "coupons", CAMPAIGN, "2026-03-02T03:00:00.000000Z", {})
        self.world.coupons.create(campaign, spread(self.budget, self.shard_count), fact)
        self.customers = [Caller(f"customer-{number % 5}") for number in range(8)]
        fees = {}
        for number, (amount, by) in enumerate(zip(self.amounts, self.customers, strict=True)):
            fees[f"con_{number}", by.id] = amount
            self.world.seed_coupon(Coupon(CAMPAIGN, f"h{number}", State.REGISTERED, by.id))
        self.prices = PriceList(fees)
        self.services = [self._service() for _ in range(self.processes)]
        self.history.append((self.clock.at, self.budget))

    def _service(self) -> CheckoutService:
        """A process of its own: it shares the stores, not the caches."""
        budgets = Budgets(self.world.coupons, self.clock, choose=self.rng.choice, pause=self._pause)
        coupons = CouponService(self.world.coupons, budgets, lambda: SECRET, self.clock, self._new_id)
        return CheckoutService(
            self.world.checkouts, coupons, self.prices, self.world.begin, self.clock, self._new_id
        )

    def _new_id(self, prefix: str) -> str:
        self.answers["ids"] += 1
        return f"{prefix}_{self.answers['ids']}"

    def _pause(self, seconds: float) -> None:
        self.stage.step()

    # --- actors --------------------------------------------------------------------------------------------

    def run(self) -> Counter[str]:
        actors = [self._customer(number) for number in range(8)]
        actors += [self._customer(self.rng.randrange(8)) for _ in range(4)]  # the same request once more
        actors += [self._customer(self.rng.randrange(8), key="other") for _ in range(2)]
        actors.append(self._operator())
        self.stage.play(actors)
        self._at_rest()
        return self.answers

    def _customer(self, number: int, key: str = "key") -> Callable[[], None]:
        """Asks until the answer is final, and hears the same when asking again."""

        def act() -> None:
            order = Order(f"o{number}", (Item(Kind.CONTRACT_FEE, f"con_{number}"),), f"{CAMPAIGN}.h{number}", 0, key)
            first = self._ask(order, number, f"{key}{number}")
            if isinstance(first, Checkout):
                assert self._ask(order, number, f"{key}{number}") == first

        return act

    def _ask(self, order: Order, number: int, key: str) -> Checkout | None:
        while True:
            since = self.clock.at
            service = self.rng.choice(self.services)
            try:
                done = service.reserve(order, self.customers[number], key)
            except (LostAnswer, Busy) as retry:
                self.answers[type(retry).__name__] += 1
                continue
            except BudgetExhausted:
                self._refused_rightly(self.amounts[number], since)
                self.answers["exhausted"] += 1
                return None
            except (CouponUsed, UserLimitReached, CampaignPaused) as refusal:
                self.answers[type(refusal).__name__] += 1
                return None
            self.answers["granted"] += 1
            return done.value

    def _refused_rightly(self, amount: int, since: Any) -> None:
        start = since - CACHE_AGE
        before = [left for at, left in self.history if at <= start]
        within = [left for at, left in self.history if at > start]
        assert min(before[-1:] + within) < amount, f"I7: seed {self.seed} refused {amount} falsely"

    def _operator(self) -> Callable[[], None]:
        """Tops up, pauses, looks that nothing is granted meanwhile, resumes."""

        def act() -> None:
            service = self.services[0].coupons
            assert isinstance(service, CouponService)
            for _ in range(self.rng.randrange(3)):
                name = f"t{self.rng.randrange(2)}"
                self._persist(lambda name=name: service.top_up(CAMPAIGN, name, 4_000, by=OLGA, key=name))  # type: ignore[misc]
            if self.rng.random() < 0.4:
                self._persist(lambda: service.switch(CAMPAIGN, Switch.PAUSED))
                self.granted_when_paused = len(self.world.granted())
                for _ in range(5):
                    self.stage.step()
                self.granted_when_paused = None
                self._persist(lambda: service.switch(CAMPAIGN, Switch.OPEN))

        return act

    def _persist(self, use: Callable[[], object]) -> None:
        while True:
            with contextlib.suppress(LostAnswer, Busy):
                use()
                return

    # --- what must hold ------------------------------------------------------------------------------------

    def between(self) -> None:
        self.clock.move(seconds=self.rng.choice([0, 0, 0.01, 0.4]))
        self._check()

    def _check(self) -> None:
        shards, granted = self.world.shards(), self.world.granted()
        available = sum(shard.available for shard in shards)
        spent = sum(checkout.discount for checkout in granted)
        budget = self.world.coupons.campaign(CAMPAIGN).budget
        assert available + spent == budget, f"I1: seed {self.seed}: {available} + {spent} != {budget}"
        assert min(shard.available for shard in shards) >= 0, f"I2: seed {self.seed}"
        reserved: Counter[int] = Counter()
        for checkout in granted:
            reserved.update(dict(checkout.split))
        assert [shard.reserved for shard in shards] == [reserved[n] for n in range(len(shards))], "I1"
        used = Counter(checkout.coupon_id for checkout in granted)
        assert max(used.values(), default=0) <= 1, f"I3: seed {self.seed}"
        for checkout in granted:
            assert self.world.coupon_states()[str(checkout.coupon_id)].used_by == checkout.checkout_id, "I3"
        for by in set(self.customers):
            count = sum(checkout.customer_id == by.id for checkout in granted)
            assert self.per_user is None or self.world.uses(by.id) == count <= self.per_user, "I4"
        if self.granted_when_paused is not None:
            assert len(granted) == self.granted_when_paused, f"granted while paused: seed {self.seed}"
        if self.history[-1][1] != available or self.history[-1][0] != self.clock.at:
            self.history.append((self.clock.at, available))

    def _at_rest(self) -> None:
        """One more customer asks for all that is left, and for one won more."""
        self.faults.conflict = self.faults.lost = 0
        self.clock.move(seconds=2)
        left = sum(shard.available for shard in self.world.shards())
        last = Caller("last")
        for number, amount in enumerate((left + 1, left)):
            self.prices.fees[f"con_last{number}", last.id] = amount
            self.world.seed_coupon(Coupon(CAMPAIGN, f"last{number}", State.REGISTERED, last.id))
        orders = [
            Order("last", (Item(Kind.CONTRACT_FEE, f"con_last{n}"),), f"{CAMPAIGN}.last{n}", 0, "last")
            for n in range(2)
        ]
        with refused(BudgetExhausted):
            self.services[0].reserve(orders[0], last, "too much")
        if left:
            assert self.services[-1].reserve(orders[1], last, "all").value.discount == left, "I8"
            assert sum(shard.available for shard in self.world.shards()) == 0, "I8"


@contextlib.contextmanager
def refused(kind: type[Exception]) -> Iterator[None]:
    try:
        yield
    except kind:
        return
    raise AssertionError(f"{kind.__name__} was due")


WORLD_TIME = timedelta(seconds=1)
