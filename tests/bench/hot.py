"""A campaign that everybody wants at once: how the rate of redemptions grows with the shards of its budget.

The real `Budgets` with its cache, choice of shards, proofs and pauses, one for each Lambda, in virtual time.
Modelled is what DynamoDB does to the rows they meet on: a transaction keeps others off its rows from
prepare to commit, who meets it is refused (TransactionConflict) and has paid for the try, and a partition
takes 1,000 write units a second. It shows the shape, and promises no rate.

Three loads, all in proportion to the shards: buyers who come by chance, as many as the shards of a campaign
are made for (about one attempt in ten meets another); four times as many; and a crowd, Lambdas that take the
next buyer without a pause. Growth is granted redemptions a second at K shards, divided by K times those at
one shard: 1 is linear.
"""

import heapq
import itertools
import json
import math
import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from greenlet import getcurrent, greenlet
from msgspec.structs import replace

from chalicelib.coupons.model import (
    BudgetExhausted,
    Campaign,
    CampaignMoved,
    Grant,
    Mode,
    Shard,
    ShardShort,
    Snapshot,
    Switch,
    Terms,
)
from chalicelib.coupons.model import Kind as CouponKind
from chalicelib.coupons.model.budget import HOLD_SECONDS, spread
from chalicelib.coupons.service import Budgets
from chalicelib.kernel.errors import Busy, Conflicted, HandoverError
from tests.conftest import NOON

SHARDS = (1, 2, 4, 8, 16, 32, 64)
GET_SECONDS, TRANSACTION_SECONDS, CLIENT_SECONDS = 0.0012, 0.0157, 0.0045
"""Seen on AWS by others: within DynamoDB, and what boto3 adds to every call."""
PARTITION_UNITS = 1000.0
UNITS = 2.0
"""A row of a transaction, also of one that is cancelled."""
AMOUNT = 5_000
DESIGNED = 0.1 / HOLD_SECONDS
"""Buyers a second for each shard."""
CROWD = 8
"""Lambdas for each shard that never rest."""
SPREAD = (0.5, 1.5)
"""Between these times as long everything takes."""
SECONDS, ENOUGH = 10.0, 10_000
ENDLESS = 10**12


class World:
    """Virtual time, in which many wait at once."""

    def __init__(self, seed: int) -> None:
        self.at = 0.0
        self.random = random.Random(seed)
        self._waiting: list[tuple[float, int, Any]] = []
        self._number = itertools.count()
        self._hub = getcurrent()

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.at)

    def works(self, seconds: float) -> None:
        self.sleep(seconds * self.random.uniform(*SPREAD))

    def sleep(self, seconds: float) -> None:
        heapq.heappush(self._waiting, (self.at + seconds, next(self._number), getcurrent()))
        self._hub.switch()

    def begin(self, act: Callable[[], None]) -> None:
        heapq.heappush(self._waiting, (self.at, next(self._number), greenlet(act, parent=self._hub)))

    def run(self, until: float) -> None:
        while self._waiting and self._waiting[0][0] <= until:
            self.at, _, who = heapq.heappop(self._waiting)
            who.switch()


@dataclass
class Row:
    """A shard of the budget on a partition of its own; `room` is what it takes at once."""

    available: int
    state: Switch = Switch.OPEN
    held: bool = False
    tries: int = 0
    room: float = PARTITION_UNITS
    since: float = 0.0

    def takes(self, units: float, at: float) -> bool:
        self.room = min(PARTITION_UNITS, self.room + (at - self.since) * PARTITION_UNITS)
        self.since = at
        if self.room < units:
            return False
        self.room -= units
        return True


@dataclass
class Table:
    """As much of the store as `Budgets` asks for, and the transaction of a redemption. Of other rows each is
    one buyer's own, so nobody is met there."""

    world: World
    seen: Campaign
    rows: list[Row]
    met: Counter[str] = field(default_factory=Counter)

    def campaign(self, campaign_id: str) -> Campaign:
        self.world.works(GET_SECONDS + CLIENT_SECONDS)
        return self.seen

    def snapshot(self, campaign: Campaign) -> Snapshot:
        self.world.works((TRANSACTION_SECONDS + CLIENT_SECONDS) / 2)
        self.met["proofs"] += 1
        found = Snapshot(self.seen, tuple(Shard(row.available, state=row.state) for row in self.rows))
        conflict = any(row.held for row in self.rows)
        self.world.works((TRANSACTION_SECONDS + CLIENT_SECONDS) / 2)
        if conflict:
            self.met["proofs that met a writer"] += 1
            raise Conflicted()
        return found

    def note_left(self, campaign: Campaign, left: int) -> bool:
        self.world.works(GET_SECONDS + CLIENT_SECONDS)
        news = self.seen.left is None or self.seen.left > left
        self.seen = replace(self.seen, left=left) if news else self.seen
        return news

    def forget_left(self, campaign_id: str) -> None:
        self.world.works(GET_SECONDS + CLIENT_SECONDS)
        self.seen = replace(self.seen, left=None)

    def debit(self, grant: Grant) -> None:
        def take() -> None:
            for shard, part in grant.split:
                self.rows[shard].available -= part

        short = ShardShort()
        self._transaction(
            [shard for shard, _ in grant.split],
            lambda: all(self._pays(shard, part) for shard, part in grant.split) or short,
            take,
        )

    def merge(self, write: "Writing", seen: Snapshot) -> None:
        write.merging = seen

    def merged(self, seen: Snapshot) -> None:
        def move() -> None:
            self.met["tails moved together"] += 1
            self.rows[0].available = seen.available
            for row in self.rows[1:]:
                row.available, row.state = 0, Switch.MERGED
            self.seen = replace(self.seen, mode=Mode.SINGLE, moves=self.seen.moves + 1)

        moved = CampaignMoved()
        before = [shard.available for shard in seen.shards]
        self._transaction(
            range(len(self.rows)), lambda: [row.available for row in self.rows] == before or moved, move
        )

    def _pays(self, shard: int, part: int) -> bool:
        return self.rows[shard].state is Switch.OPEN and self.rows[shard].available >= part

    def _transaction(
        self, shards: Iterable[int], good: Callable[[], bool | HandoverError], act: Callable[[], None]
    ) -> None:
        around, rows = (
            (TRANSACTION_SECONDS - HOLD_SECONDS + CLIENT_SECONDS) / 2,
            [self.rows[n] for n in shards],
        )
        self.world.works(around)
        problem = self._prepared(rows, good)
        if problem is None:
            self.world.works(HOLD_SECONDS)
            act()
            for row in rows:
                row.held = False
        self.world.works(around)
        if problem:
            raise problem

    def _prepared(self, rows: list[Row], good: Callable[[], bool | HandoverError]) -> HandoverError | None:
        for row in rows:
            row.tries += 1
        if not all(row.takes(UNITS, self.world.at) for row in rows):
            self.met["throttled"] += 1
            return Conflicted()
        if any(row.held for row in rows):
            self.met["conflicts"] += 1
            return Conflicted()
        answer = good()
        if isinstance(answer, HandoverError):
            self.met["refused by a row"] += 1
            return answer
        for row in rows:
            row.held = True
        return None


@dataclass
class Writing:
    """The transaction that moves a tail together; its entry in the books is a row that nobody else has."""

    table: Table
    merging: Snapshot | None = None

    def commit(self) -> None:
        if self.merging:
            self.table.merged(self.merging)


class Unread:
    """The books."""

    def post(self, write: Any, entry: Any, fact: Any = None) -> None: ...


@dataclass
class Hot:
    """What came of it. `heard`: granted, refused or busy; `waits`: seconds until a grant."""

    shards: int
    seconds: float
    heard: Counter[str]
    waits: list[float]
    table: Table
    last_grant: float

    @property
    def per_second(self) -> float:
        return self.heard["granted"] / self.seconds

    @property
    def tries_each(self) -> float:
        return sum(row.tries for row in self.table.rows) / max(1, self.heard["granted"])

    @property
    def farthest(self) -> float:
        """By how many standard deviations the tries on a shard are off their mean, at the most."""
        tries = [row.tries for row in self.table.rows]
        mean, parts = sum(tries) / len(tries), len(tries)
        deviation = math.sqrt(mean * (1 - 1 / parts))
        return max(abs(each - mean) for each in tries) / deviation if deviation else 0.0

    @property
    def unevenness(self) -> float:
        """Chi-squared of the tries over the shards, in its own standard deviations above what chance does."""
        tries = [row.tries for row in self.table.rows]
        mean, freedom = sum(tries) / len(tries), len(tries) - 1
        if freedom == 0:
            return 0.0
        chi = sum((each - mean) ** 2 for each in tries) / mean
        return (chi - freedom) / math.sqrt(2 * freedom)

    def wait(self, share: float) -> float:
        """Milliseconds that so many of the granted had waited at the most."""
        return sorted(self.waits)[int(len(self.waits) * share)] * 1000


class Crowd:
    """Buyers of one campaign, each served by a Lambda that remembers the campaign as ours do."""

    def __init__(self, shards: int, budget: int, seed: int) -> None:
        self.world = World(seed)
        terms = Terms("Hot", CouponKind.FIXED, AMOUNT)
        campaign = Campaign("cmp_hot", terms, budget, shards, "")
        self.table = Table(self.world, campaign, [Row(part) for part in spread(budget, shards)])
        self.heard: Counter[str] = Counter()
        self.waits: list[float] = []
        self.last_grant = 0.0
        self._free: list[Budgets] = []

    def steady(self, per_second: float, seconds: float) -> None:
        """Buyers come by chance, so many a second, whatever became of those before."""

        def arrive() -> None:
            while self.world.at < seconds:
                self.world.begin(self._served)
                self.world.sleep(self.world.random.expovariate(per_second))

        self.world.begin(arrive)
        self.world.run(seconds)

    def crowded(self, lambdas: int, seconds: float) -> None:
        """As many Lambdas, each taking the next buyer at once."""

        def busy() -> None:
            budgets = self._lambda()
            self.world.sleep(self.world.random.uniform(0, TRANSACTION_SECONDS))
            while True:
                self._buy(budgets)

        for _ in range(lambdas):
            self.world.begin(busy)
        self.world.run(seconds)

    def outcome(self, seconds: float) -> Hot:
        shards = len(self.table.rows)
        return Hot(shards, seconds, self.heard, self.waits, self.table, self.last_grant)

    def _served(self) -> None:
        budgets = self._free.pop() if self._free else self._lambda()
        self._buy(budgets)
        self._free.append(budgets)

    def _lambda(self) -> Budgets:
        store: Any = self.table
        return Budgets(
            store,
            Unread(),
            lambda attempts: Writing(self.table),
            self.world.now,
            choose=self.world.random.choice,
            pause=self.world.sleep,
        )

    def _buy(self, budgets: Budgets) -> None:
        """The price is read first, as the checkout does."""
        began = self.world.at
        self.world.works(GET_SECONDS + CLIENT_SECONDS)
        try:
            budgets.spend(budgets.campaign("cmp_hot"), AMOUNT, self.table.debit)
        except BudgetExhausted:
            self.heard["refused"] += 1
        except Busy:
            self.heard["busy"] += 1
        else:
            self.heard["granted"] += 1
            self.waits.append(self.world.at - began)
            self.last_grant = self.world.at


def steady(shards: int, each: float, seed: int = 1) -> Hot:
    """So many buyers a second for each shard, and as long as it takes for enough of them."""
    crowd, seconds = Crowd(shards, ENDLESS, seed), max(SECONDS, ENOUGH / each / shards)
    crowd.steady(each * shards, seconds)
    return crowd.outcome(seconds)


def crowded(shards: int, each: int = CROWD, seed: int = 1) -> Hot:
    crowd = Crowd(shards, ENDLESS, seed)
    crowd.crowded(each * shards, SECONDS)
    return crowd.outcome(SECONDS)


def sold_out(shards: int, coupons: int, per_second: float, seed: int = 1) -> Hot:
    """A budget for so many coupons, and buyers who come on long after it is spent."""
    crowd = Crowd(shards, coupons * AMOUNT, seed)
    crowd.steady(per_second, SECONDS)
    return crowd.outcome(SECONDS)


LOADS: dict[str, Callable[[int], Hot]] = {
    "as many as designed": lambda shards: steady(shards, DESIGNED),
    "four times as many": lambda shards: steady(shards, 4 * DESIGNED),
    f"{CROWD} Lambdas a shard without a pause": crowded,
}
LAST = {(16, 600): (1_000, 4_000), (64, 6_400): (4_000,)}
"""(shards, coupons) -> buyers a second."""


def grown(name: str, load: Callable[[int], Hot]) -> None:
    hots = [load(shards) for shards in SHARDS]
    growth = [hot.per_second / hot.shards / hots[0].per_second for hot in hots]
    print(f"{name}:")
    for hot, it in zip(hots, growth, strict=True):
        busy, at_once, late = hot.heard["busy"], hot.wait(0.5), hot.wait(0.99)
        print(
            f"  K={hot.shards:<3}{hot.per_second:>8,.1f}/s, growth {it:.3f}, {hot.tries_each:.2f} tries, "
            f"{busy} told to come again, p50 {at_once:.0f} ms, p99 {late:.0f} ms, "
            f"tries a shard: farthest {hot.farthest:.1f} sigma, all {hot.unevenness:+.1f}, {met(hot)}"
        )
    told(f"hot campaign, {name}: growth to K=64, the least", min(growth), "x linear", 0.9, at_most=False)
    told("  granted at K=64", hots[-1].per_second, "/s (modelled)", None)
    told("  tries for a grant, the most", max(hot.tries_each for hot in hots), "tries", None)
    told("  tries beside chance, the least even", max(hot.unevenness for hot in hots), "sigma", 3)


def spent(shards: int, coupons: int, per_second: int) -> None:
    hot = sold_out(shards, coupons, per_second)
    wrong = abs(hot.heard["granted"] - coupons) + sum(row.available for row in hot.table.rows) // AMOUNT
    name = f"{coupons:,} coupons, {per_second:,} buyers a second, K={shards}"
    print(f"{name}: the last granted after {hot.last_grant:.2f} s, {dict(hot.heard)}, {met(hot)}")
    told(f"hot campaign, {name}: too many, too few or left over", wrong, "grants", 0)
    told("  its last grant", hot.last_grant, f"s (buyers need {coupons / per_second:.2f})", None)


def met(hot: Hot) -> str:
    return ", ".join(f"{number} {name}" for name, number in sorted(hot.table.met.items()))


def told(what: str, ours: float, unit: str, goal: float | None, at_most: bool = True) -> None:
    line = {"what": what, "ours": round(ours, 3), "yardstick": None, "unit": unit, "goal": goal}
    print(json.dumps({**line, "at_most": at_most}), flush=True)


def main() -> None:
    random.seed(1)  # the pauses of Budgets
    for name, load in LOADS.items():
        grown(name, load)
    for (shards, coupons), rates in LAST.items():
        for per_second in rates:
            spent(shards, coupons, per_second)


if __name__ == "__main__":
    main()
