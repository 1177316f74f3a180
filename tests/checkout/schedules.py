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
from datetime import datetime
from typing import Any, Protocol

from chalicelib.checkout.model import Checkout, Item, Kind, Order
from chalicelib.checkout.service import CheckoutService, PaymentService
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
from tests.checkout.bank import Bank
from tests.checkout.memory import MemoryPayments, PriceList
from tests.checkout.stage import Stage
from tests.conftest import Hands
from tests.coupons.examples import OLGA, SECRET

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


@dataclass(frozen=True)
class View:
    """All rows that matter, as they stand between two calls."""

    budget: int
    shards: list[Shard]
    granted: list[Checkout]
    used_by: dict[str, str | None]
    uses: dict[str, int]

    @property
    def available(self) -> int:
        return sum(shard.available for shard in self.shards)


class World(Protocol):
    """Stores whose every call from an actor is a step of the stage."""

    coupons: Any
    checkouts: Any

    def begin(self, attempts: int = 5) -> Any: ...

    def view(self) -> View | None:
        """None when nothing was written since the last one."""

    def give(self, coupon: Coupon) -> None:
        """Into its owner's box."""


WorldMaker = Callable[[Stage, Faults], World]


@dataclass
class Play:
    """One schedule: what is given, who acts, and what was seen."""

    seed: int
    make_world: WorldMaker
    conflicts: tuple[float, ...] = (0, 0.1, 0.3, 0.8)
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
        # The discount is the whole fee, so that a schedule can ask for any amount.
        self.terms = Terms("All of it", CouponKind.PERCENT, 100, per_user_limit=rng.choice([None, 1, 2]))
        self.faults = Faults(rng, rng.choice(self.conflicts), rng.choice([0, 0.1, 0.25]))
        self.stage = Stage(rng, self.between)
        self.world = self.make_world(self.stage, self.faults)
        self.history: list[tuple[datetime, int]] = []
        self.seen = View(0, [], [], {}, {})
        self.paused = False
        self.granted_when_paused: list[int] = []
        self._set_up()

    def _set_up(self) -> None:
        campaign = Campaign(CAMPAIGN, self.terms, self.budget, self.shard_count, "fp")
        fact = Fact("evt_0", "CampaignCreated", "coupons", CAMPAIGN, "2026-03-02T03:00:00.000000Z", {})
        self.world.coupons.create(campaign, spread(self.budget, self.shard_count), fact)
        self.customers = [Caller(f"customer-{number % 5}") for number in range(8)]
        fees = {}
        for number, (amount, by) in enumerate(zip(self.amounts, self.customers, strict=True)):
            fees[f"con_{number}", by.id] = amount
            self.world.give(Coupon(CAMPAIGN, f"h{number}", State.REGISTERED, by.id))
        self.prices = PriceList(fees)
        self.services = [self._service() for _ in range(self.processes)]
        self._check()

    def _service(self) -> CheckoutService:
        """A process of its own: it shares the stores, not the caches."""
        budgets = Budgets(self.world.coupons, self.clock, choose=self.rng.choice, pause=self._pause)
        coupons = CouponService(self.world.coupons, budgets, lambda: SECRET, self.clock, self._new_id)
        payments = PaymentService(MemoryPayments(), Bank(), self.world.begin, self.clock)
        return CheckoutService(
            self.world.checkouts, coupons, self.prices, payments, self.world.begin, self.clock, self._new_id
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
            order = Order(
                f"o{number}", (Item(Kind.CONTRACT_FEE, f"con_{number}"),), f"{CAMPAIGN}.h{number}", 0, key
            )
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

    def _refused_rightly(self, amount: int, since: datetime) -> None:
        start = since - CACHE_AGE
        before = [left for at, left in self.history if at < start]
        within = [left for at, left in self.history if at >= start]
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
                self.paused = True
                for _ in range(5):
                    self.stage.step()
                self.paused = False
                self._persist(lambda: service.switch(CAMPAIGN, Switch.OPEN))

        return act

    def _persist(self, use: Callable[[], object]) -> None:
        while True:
            with contextlib.suppress(LostAnswer, Busy):
                use()
                return

    # --- what must hold ------------------------------------------------------------------------------------

    def between(self) -> None:
        self._check()
        self.clock.move(seconds=self.rng.choice([0, 0, 0.01, 0.4]))

    def _check(self) -> None:
        self.seen = view = self.world.view() or self.seen
        spent = sum(checkout.discount for checkout in view.granted)
        assert view.available + spent == view.budget, f"I1: seed {self.seed}"
        assert min(shard.available for shard in view.shards) >= 0, f"I2: seed {self.seed}"
        reserved: Counter[int] = Counter()
        for checkout in view.granted:
            reserved.update(dict(checkout.split))
            assert view.used_by[str(checkout.coupon_id)] == checkout.checkout_id, f"I3: seed {self.seed}"
        assert [shard.reserved for shard in view.shards] == [
            reserved[number] for number in range(len(view.shards))
        ], f"I1: seed {self.seed}"
        counts = Counter(checkout.customer_id for checkout in view.granted)
        if self.terms.per_user_limit is not None:
            assert counts == Counter(view.uses), f"I4: seed {self.seed}"
            assert max(counts.values(), default=0) <= self.terms.per_user_limit, f"I4: seed {self.seed}"
        if self.paused:
            self.granted_when_paused = self.granted_when_paused or [len(view.granted)]
            assert [len(view.granted)] == self.granted_when_paused, f"granted while paused: seed {self.seed}"
        self.history.append((self.clock.at, view.available))

    def _at_rest(self) -> None:
        """One more customer asks for all that is left, and for one won more."""
        self.faults.conflict = self.faults.lost = 0
        self.clock.move(seconds=2)
        left = self.seen.available
        last = Caller("last")
        for number, amount in enumerate((left + 1, left)):
            self.prices.fees[f"con_last{number}", last.id] = amount
            self.world.give(Coupon(CAMPAIGN, f"last{number}", State.REGISTERED, last.id))
        orders = [
            Order("last", (Item(Kind.CONTRACT_FEE, f"con_last{n}"),), f"{CAMPAIGN}.last{n}", 0, "last")
            for n in range(2)
        ]
        with refused(BudgetExhausted):
            self.services[0].reserve(orders[0], last, "too much")
        if left:
            assert self.services[-1].reserve(orders[1], last, "all").value.discount == left
            self._check()
            assert self.seen.available == 0, f"I8: seed {self.seed}"


@contextlib.contextmanager
def refused(kind: type[Exception]) -> Iterator[None]:
    try:
        yield
    except kind:
        return
    raise AssertionError(f"{kind.__name__} was due")
