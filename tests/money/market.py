"""A campaign, its customers with coupons, points and cards, an operator and a sweep: everybody's calls run
into one another in whatever order they are told, and every call may go wrong.

What is done is said from outside, by `machine` (Hypothesis) or by `plays` (a seed). The market judges: each
commit by the truths, each refusal by what was true at some moment between the question and the answer, and in
the end whether all has come to rest.
"""

import contextlib
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from botocore.exceptions import ClientError, HTTPClientError
from greenlet import getcurrent
from msgspec.structs import force_setattr, replace
from pynamodb.exceptions import PynamoDBException

from chalicelib import wiring
from chalicelib.checkout.model import Checkout, Item, Kind, Order, RefundOrder, Unanswered
from chalicelib.checkout.model import State as Standing
from chalicelib.coupons.model import BudgetExhausted, BudgetShort, Edge, ReserveAt, Switch, Terms, spread
from chalicelib.coupons.model import Kind as CouponKind
from chalicelib.coupons.service import campaigns
from chalicelib.coupons.service.budgets import CACHE_AGE
from chalicelib.kernel.auth import Caller
from chalicelib.kernel.errors import Busy, HandoverError
from chalicelib.kernel.money import Entry, balances
from chalicelib.kernel.tables import AllOrNothing
from chalicelib.ledger.model import NO_CAMPAIGN
from chalicelib.ledger.schemas import CheckoutReserved
from chalicelib.points.model import Kind as PointKind
from chalicelib.points.model import What, expiry, lot_for
from tests.checkout.bank import EMPTY, GOOD, OTHER, Bank
from tests.conftest import table_definitions
from tests.money.rows import READS, Rows
from tests.money.stage import Died, Fault, Process
from tests.money.truths import ENDS, OPEN, PAID, Moment, Truths, Untrue
from tests.money.wire import Ask
from tests.money.world import OLGA, Till, World, composed

CUSTOMERS = tuple(Caller(f"customer-{number}") for number in range(4))
CONTRACTS = 8
"""As many coupons: contract n is customer n % 4's, and so is coupon n."""
SHARDS = (1, 2, 8, 16, 64)
UNDER_WAY = timedelta(minutes=10)
PATIENCE = 6
"""So often an impatient person asks."""
MOST_CALLS = 30_000
FAR_AWAY = datetime(2030, 1, 1, tzinfo=UTC)
CARDS = {"good": GOOD, "empty": EMPTY, "other": OTHER}


@dataclass(frozen=True)
class Weather:
    """How often, of 1, each thing happens to a call."""

    conflict: float = 0.0
    throttle: float = 0.0
    lost: float = 0.0
    twice: float = 0.0
    death: float = 0.0

    def fault(self, rng: random.Random) -> Fault:
        drawn = rng.random()
        for fault, chance in (
            (Fault.CONFLICT, self.conflict),
            (Fault.THROTTLE, self.throttle),
            (Fault.LOST, self.lost),
            (Fault.TWICE, self.twice),
            (Fault.DEATH_BEFORE, self.death / 2),
            (Fault.DEATH_AFTER, self.death / 2),
        ):
            if drawn < chance:
                return fault
            drawn -= chance
        return Fault.NONE


CLEAR = Weather()
ROUGH = Weather(0.1, 0.03, 0.06, 0.06, 0.03)
STORMY = Weather(0.35, 0.03, 0.1, 0.1, 0.06)
SKIES = (CLEAR, ROUGH, ROUGH, STORMY)


@dataclass(frozen=True)
class Day:
    """What a market is like."""

    seed: int
    shards: int
    fees: tuple[int, ...]
    budget: int
    percent: int = 100
    per_user: int | None = None
    uses: int | None = None
    edge: Edge = Edge.REJECT
    points: int = 5_000
    worth: int | None = None
    """Bound for each coupon as it is issued, for as many as the budget covers; None: bound as it is used."""

    @classmethod
    def drawn(cls, seed: int) -> "Day":
        rng = random.Random(seed)
        fees = tuple(rng.choice([1_000, 3_000, 5_000, rng.randint(200, 9_000)]) for _ in range(CONTRACTS))
        percent = rng.choice([100, 50, 33])
        return cls(
            seed,
            rng.choice(SHARDS),
            fees,
            rng.randint(100, max(101, sum(fees) * percent // 90)),
            percent,
            rng.choice([None, None, 1, 2]),
            rng.choice([None, None, None, rng.randint(1, 6)]),
            rng.choice([Edge.REJECT, Edge.PARTIAL]),
            rng.choice([0, 700, 4_000]),
            rng.choice([None] * 7 + [1_000]),
        )

    def discount(self, fee: int) -> int:
        return fee * self.percent // 100 if self.worth is None else min(self.worth, fee)


class FarBank(Bank):
    """Reached over a network: each call is a turn, answers are lost, and requests arrive once more."""

    market: "Market"

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[tuple[datetime, tuple[Any, ...]]] = []

    def charge(self, *request: Any) -> Any:
        self.sent.append((self.market.clock(), request))
        return self._far("bank charge", lambda: super(FarBank, self).charge(*request))

    def find(self, payment_id: str) -> Any:
        return self._far("bank find", lambda: super(FarBank, self).find(payment_id))

    def refund(self, *request: Any) -> Any:
        return self._far("bank refund", lambda: super(FarBank, self).refund(*request))

    def hears_again(self, place: int) -> None:
        """What it has heard before, or what was on its way for some minutes."""
        since = self.market.clock() - UNDER_WAY
        heard = [request for at, request in self.sent if at > since or request[0] in self.tokens]
        if heard:
            with contextlib.suppress(HandoverError):
                super().charge(*heard[place % len(heard)])

    def _far(self, what: str, call: Callable[[], Any]) -> Any:
        fault = self.market.world.stage.turn(what)
        if fault is Fault.DEATH_BEFORE:
            raise Died
        if fault in (Fault.CONFLICT, Fault.THROTTLE):
            raise Unanswered()
        if fault is Fault.TWICE:
            with contextlib.suppress(HandoverError):
                call()
        answer = call()
        if fault is Fault.DEATH_AFTER:
            raise Died
        if fault is Fault.LOST:
            raise Unanswered()
        return answer


@dataclass
class Asked:
    """A question under way: from when on its refusal may be true, and what it was about."""

    since: datetime
    first: int
    what: dict[str, Any]


@dataclass
class Market:
    """`ask` replaces the DynamoDB in memory by another one that keeps `rows` in step."""

    day: Day
    weather: Weather = CLEAR
    ask: Callable[[Rows], Ask] | None = None
    heard: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    granted: dict[str, Checkout] = field(default_factory=dict)
    paid: set[str] = field(default_factory=set)
    orders: dict[tuple[str, int], set[str]] = field(default_factory=dict)
    resting: bool = False
    resumed: int = 0
    resuming: int = 0
    still: int | None = None
    """So many checkouts there were when a pause was answered, and nobody has asked to resume since."""
    closed_at: int | None = None

    def __post_init__(self) -> None:
        self.rng = random.Random(self.day.seed)
        self.rows, self.bank = Rows(table_definitions()), FarBank()
        self.bank.market = self
        real = self.ask(self.rows) if self.ask else self.rows.call
        self.world = World(lambda operation, request: self._judged(real, operation, request), self.bank)
        self.clock = self.world.clock
        self.truths = Truths(self.rows, "", self.day.budget, self.day.per_user, self.bank, self.clock)
        self.rows.written = self.truths.written
        self._open = contextlib.ExitStack()

    def __enter__(self) -> "Market":
        self._open.enter_context(composed(self.world, 2, self.day.seed))
        self._set_up()
        return self

    def __exit__(self, *problem: Any) -> None:
        self._open.close()

    def _judged(self, real: Ask, operation: str, request: dict[str, Any]) -> Any:
        self.calls[operation] += 1
        answer = real(operation, request)
        if operation not in READS and self.truths.campaign:
            self.truths.look()
            for grants in (self.still, self.closed_at):
                if grants is not None and len(self.truths.mine) > grants and self.day.worth is None:
                    raise Untrue("I15: granted after a pause, or the end, was answered")
        return answer

    # --- who is there --------------------------------------------------------------------------------------

    def _set_up(self) -> None:
        till, it = self.world.tills[0], self.day
        self.campaign_id = make_campaign(till, it)
        self._give_coupons(till)
        self.truths.campaign_id = self.campaign_id
        self._read_campaign()
        for number, fee in enumerate(it.fees):
            self.world.prices.fees[f"con_{number}", CUSTOMERS[number % 4].id] = fee
        if it.points:
            for customer in CUSTOMERS:
                grant_points(till, customer.id, it.points, self.clock())
        self.truths.look()

    def _give_coupons(self, till: Till) -> None:
        worth, names = self.day.worth, [f"h{number}" for number in range(len(self.day.fees))]
        if worth is not None:
            uses = len(names) if self.day.uses is None else self.day.uses
            names = names[: min(self.day.budget // worth, uses)]
            if names:
                write = AllOrNothing()
                campaign = till.coupons.budgets.current(self.campaign_id)
                till.coupons.budgets.bind(write, campaign, len(names), "batch")
                write.commit()
        for name in names:
            self.give_coupon(name, CUSTOMERS[int(name[1:]) % 4].id)

    def _read_campaign(self) -> None:
        for (pk, sk), row in self.rows.tables["test-coupons"].items():
            self.truths.written("test-coupons", (pk, sk), row)

    def give_coupon(self, code_hash: str, owner: str) -> None:
        row = {
            "pk": f"COUPON#{code_hash}",
            "sk": "COUPON",
            "campaign_id": self.campaign_id,
            "code_hash": code_hash,
            "state": "REGISTERED",
            "owner": owner,
            "coupon_id": f"{self.campaign_id}.{code_hash}",
        }
        item = {name: {"S": text} for name, text in row.items()}
        if self.day.worth is not None:
            item["worth"] = {"N": str(self.day.worth)}
        self.world.ask("PutItem", {"TableName": "test-coupons", "Item": item})

    # --- what they do --------------------------------------------------------------------------------------

    def reserve(
        self, contract: int, coupon: int | None, points: int, key: int, least: int | None = None
    ) -> None:
        by, fee = CUSTOMERS[contract % 4], self.day.fees[contract]
        points = min(points, fee)
        coupon_id = None if coupon is None else f"{self.campaign_id}.h{coupon}"
        request = f"{contract} {coupon_id} {points} {least}"
        order = Order(
            "order", (Item(Kind.CONTRACT_FEE, f"con_{contract}"),), coupon_id, points, request, least
        )
        amount = self.day.discount(fee)
        about = {"amount": amount, "coupon": f"h{coupon}", "points": points, "least": least, "key": key}

        def act() -> None:
            self.orders.setdefault((by.id, key), set()).add(request)
            done = self._persist(lambda till: till.checkout.reserve(order, by, f"k{key}"), by, about)
            if done is None:
                return
            self._remember(done.value)
            again = self._persist(lambda till: till.checkout.reserve(order, by, f"k{key}"), by, about)
            if again is not None and not _same(again.value, done.value):
                raise Untrue(f"asked again, it was {again.value}, not {done.value}")

        self._enter("reserve", act)

    def capture(self, place: int, card: str, key: str = "c") -> None:
        checkout_id = self._name(place, Standing.RESERVED)
        if checkout_id is None:
            return
        by = Caller(self.truths.checkouts[checkout_id].customer_id)
        token = CARDS[card]

        def act() -> None:
            use = lambda till: till.checkout.capture(checkout_id, token, by, key + card)  # noqa: E731
            done = self._persist(use, by, {"checkout": checkout_id, "card": card})
            if done is not None and done.value.state in PAID:
                self.heard["captured"] += 1
                self.paid.add(checkout_id)

        self._enter("capture", act)

    def cancel(self, place: int, by_ops: bool = False) -> None:
        checkout_id = self._name(place, Standing.RESERVED)
        if checkout_id is None:
            return
        by = OLGA if by_ops else Caller(self.truths.checkouts[checkout_id].customer_id)

        def act() -> None:
            about = {"checkout": checkout_id}
            done = self._persist(lambda till: till.checkout.cancel(checkout_id, by), by, about)
            if done is not None:
                self.heard["cancelled"] += 1
                if done.value.state not in ENDS:
                    raise Untrue(f"cancelled, and it is {done.value.state}")

        self._enter("cancel", act)

    def refund(self, place: int, name: int, percent: int) -> None:
        checkout_id = self._name(place, Standing.CAPTURED)
        if checkout_id is None:
            return
        amount = max(1, self.truths.checkouts[checkout_id].total * percent // 100)

        def act() -> None:
            order, key = RefundOrder(f"r{name}", amount), f"{checkout_id} {name} {amount}"
            use = lambda till: till.checkout.refund(checkout_id, order, OLGA, key)  # noqa: E731
            about = {"checkout": checkout_id, "amount": amount}
            done = self._persist(use, OLGA, about)
            if done is None:
                return
            self.heard["refunded"] += 1
            back = done.value.back
            if (back.asked, back.parts.total) != (amount, amount):
                raise Untrue(f"{amount} was to go back, and {back} did")

        self._enter("refund", act)

    def call_off(self, place: int, percent: int) -> None:
        """A contract ends before it begins: billing gives back so much of what the card paid, and points and
        coupon come back whole."""
        checkout_id = self._name(place, Standing.CAPTURED)
        checkout = self.truths.checkouts.get(checkout_id or "")
        if checkout is None or checkout.state is not Standing.CAPTURED:
            return
        amount, paid_by = checkout.payable * percent // 100, str(checkout.payment_id)
        about = {"checkout": checkout.checkout_id, "amount": amount}

        def act() -> None:
            if amount:
                name = f"off {percent}"
                self._persist(lambda till: till.checkout.refund_card(paid_by, name, amount), OLGA, about)
            ended = checkout.items[0].item.ref
            self._persist(lambda till: till.checkout.came_to_nothing(ended), OLGA, about)
            self.heard["called off"] += 1

        self._enter("call off", act)

    def sweep(self) -> None:
        self._enter("sweep", lambda: self._persist(lambda till: till.checkout.sweep(), OLGA, {}))

    def sweep_points(self) -> None:
        self._enter("sweep points", lambda: self._persist(sweep_points, OLGA, {}))

    def top_up(self, name: int, amount: int) -> None:
        named, key = f"t{name}", f"t{name} {amount}"
        use = lambda till: till.coupons.top_up(self.campaign_id, named, amount, by=OLGA, key=key)  # noqa: E731
        self._enter("top-up", lambda: self._persist(use, OLGA, {"top_up": name}))

    def cut(self, name: int, amount: int) -> None:
        use = lambda till: cut(till, self.campaign_id, f"x{name}", amount)  # noqa: E731
        self._enter("cut", lambda: self._persist(use, OLGA, {"cut": amount}))

    def pause(self) -> None:
        """Once it has been answered, nothing is granted until somebody asks to resume."""

        def act() -> None:
            begun, quiet = self.resumed, not self.resuming
            if self._persist(lambda till: till.coupons.switch(self.campaign_id, Switch.PAUSED), OLGA, {}):
                self.heard["paused"] += 1
                if quiet and begun == self.resumed and self.still is None:
                    self.still = len(self.truths.mine)

        self._enter("pause", act)

    def resume(self) -> None:
        def act() -> None:
            self.resumed += 1
            self.resuming += 1
            self.still = None
            try:
                self._persist(lambda till: till.coupons.switch(self.campaign_id, Switch.OPEN), OLGA, {})
            finally:
                self.resuming -= 1

        self._enter("resume", act)

    def close(self) -> None:
        def act() -> None:
            if self._persist(lambda till: close(till, self.campaign_id), OLGA, {}):
                self.heard["closed"] += 1
                self.closed_at = len(self.truths.mine) if self.closed_at is None else self.closed_at

        self._enter("close", act)

    def tick(self, seconds: float) -> None:
        self.clock.move(seconds=seconds)

    # --- turns ---------------------------------------------------------------------------------------------

    def go_on(self, calls: int, rng: random.Random) -> None:
        """So many calls, of whoever's turn it is."""
        stage = self.world.stage
        for _ in range(calls):
            if not stage.playing:
                return
            process = rng.choice(stage.playing)
            stage.go(process, self.weather.fault(rng))
            if rng.random() < 0.2:
                self.clock.move(seconds=rng.choice([0.01, 0.4]))

    def alone(self, act: Callable[[], None], faults: Mapping[int, Fault] | None = None) -> int:
        """One act, with nobody else about: how many calls it made. `faults` by the number of the call."""
        stage, calls = self.world.stage, 0
        act()
        while stage.playing:
            calls += 1
            stage.go(stage.playing[0], (faults or {}).get(calls, Fault.NONE))
        return calls

    def together(self, *acts: Callable[[], None]) -> None:
        """All at once, in an order of the seed's."""
        for act in acts:
            act()
        while self.world.stage.playing:
            self.go_on(1, self.rng)

    def one_call(self, place: int, fault: Fault) -> None:
        stage = self.world.stage
        if stage.playing:
            stage.go(stage.playing[place % len(stage.playing)], fault)

    def _enter(self, name: str, act: Callable[[], None]) -> None:
        self.world.stage.enter(name, act)

    def _name(self, place: int, *likely: Standing) -> str | None:
        """Mostly one that stands where the act makes sense."""
        names = list(self.truths.checkouts)
        if place % 4:
            names = [name for name in names if self.truths.checkouts[name].state in likely] or names
        return names[place // 4 % len(names)] if names else None

    def _remember(self, checkout: Checkout) -> None:
        self.heard["granted"] += 1
        self.granted[checkout.checkout_id] = checkout

    def _persist(self, use: Callable[[Till], Any], by: Caller, about: dict[str, Any]) -> Any:
        """The answer; None when it was refused, rightly, or patience ended."""
        process = getcurrent()
        first = len(self.truths.moments) - 1
        asked = Asked(self.clock.at, first, {**about, "first": first})
        tries = 0
        while self.resting or tries < PATIENCE:
            tries += 1
            troubled = process.troubled if isinstance(process, Process) else 0
            till = self.world.tills[self.rng.randrange(len(self.world.tills))]
            try:
                return use(till)
            except Busy:
                self.heard["Busy"] += 1
                if isinstance(process, Process) and process.troubled == troubled and tries > 50:
                    raise Untrue(f"nobody is in the way of {process.name}, and it is busy") from None
            except HandoverError as refusal:
                self.heard[type(refusal).__name__] += 1
                self._judge(refusal, by, asked)
                return None
            except (ClientError, HTTPClientError, PynamoDBException):
                if isinstance(process, Process) and process.troubled == troubled:
                    raise
                self.heard["troubled"] += 1
        return None

    # --- refusals ------------------------------------------------------------------------------------------

    def _judge(self, refusal: HandoverError, by: Caller, asked: Asked) -> None:
        name = type(refusal).__name__
        if name in ALWAYS:
            return
        rule = RULES.get(name)
        if rule is None:
            raise Untrue(f"{name} was not to be heard here: {refusal!r} {asked.what}") from refusal
        if not rule(self, list(self._moments(asked)), by, asked.what, refusal):
            raise Untrue(f"I7: {name} was not true at any moment: {refusal!r} {asked.what}") from refusal

    def _moments(self, asked: Asked) -> Iterator[Moment]:
        """From a second before the question on: what was true then, and what became true since."""
        start, first = asked.since - CACHE_AGE, max(asked.first, 0)
        while first > 0 and self.truths.moments[first].at >= start:
            first -= 1
        return iter(self.truths.moments[first:])

    # --- the end -------------------------------------------------------------------------------------------

    def come_to_rest(self) -> None:
        """Everybody is answered, time passes, sweeps run: then nothing is left half done."""
        self.resting, stage = True, self.world.stage
        calls = 0
        while stage.playing:
            stage.go(stage.playing[calls % len(stage.playing)])
            if calls % 7 == 0:
                self.clock.move(seconds=0.3)
            calls += 1
            if calls > MOST_CALLS:
                raise Untrue(f"they never end: {[each.waits for each in stage.playing]}")
        till = self.world.tills[0]
        for _ in range(14):
            self.clock.move(minutes=61)
            if till.checkout.sweep().found == 0:
                break
        self.bank.hears_again(0)
        self.truths.look()
        for problem in (*self._left_open(), *self._money(), *self._forgotten(), *self._books(till)):
            raise Untrue(problem)
        self._nothing_stranded(till)

    def _left_open(self) -> Iterator[str]:
        for name, checkout in self.truths.checkouts.items():
            if checkout.seen(self.clock()).state in OPEN:
                yield f"I9: {name} is still {checkout.state}"
        for name, row in self.truths.payments.items():
            if row["state"]["S"] not in ("PAID", "DECLINED") or "card_token" in row:
                yield f"payment {name} is still open: {row}"
        for back, row in self.truths.refunds.items():
            if row["state"]["S"] == "PENDING":
                yield f"refund {back} is still open"

    def _money(self) -> Iterator[str]:
        """Every won the bank has taken is a captured checkout's, or went back."""
        for payment_id, amount in self.bank.charges.items():
            checkout = next(
                (
                    it
                    for it in self.truths.checkouts.values()
                    if it.payment_id == payment_id and it.state in PAID
                ),
                None,
            )
            kept = amount - sum(
                won for name, won in self.bank.refunds.items() if self._refund_of(payment_id, name)
            )
            due = checkout.left.card if checkout else 0
            if kept != due:
                yield f"the bank keeps {kept} of {payment_id}, and {due} are its due"

    def _books(self, till: Till) -> Iterator[str]:
        """What was booked adds up to what stands in every row. A reservation is booked by who hears of it."""
        rows = self.rows.tables["test-ledger"].values()
        entries = [msgspec.json.decode(row["entry"]["S"], type=Entry) for row in rows if "entry" in row]
        for record in self.truths.checkouts.values():
            entries += [each for each in till.checkout.entries_of(record) if each.what == "reserved"]
        if len({each.cause for each in entries}) < len(entries):
            yield "one cause was booked twice"
        booked = balances(entries)
        for account, stands in self._accounts():
            if booked[account] != stands:
                yield f"I1: {account} has {stands}, and {booked[account]} are booked"

    def _accounts(self) -> Iterator[tuple[str, int]]:
        """Each account, and what the rows say that it holds."""
        for number, shard in self.truths.shards.items():
            account = f"campaign/{self.campaign_id}/{number}"
            yield f"{account}/available", shard["available"]
            yield f"{account}/reserved", shard["reserved"]
            yield f"{account}/captured", shard["captured"] - shard["refunded"]
        due = sum(each.left.card for each in self.truths.checkouts.values() if each.state in PAID)
        yield "card/taken", due
        yield "sales", -due
        for name, pots in self.truths.moved.items():
            yield f"points/{name}/spent", pots["spent"]
            yield f"points/{name}/held", 0

    def reconcile(self) -> None:
        """What is published is heard, twice; then the books are reconciled, and nothing differs."""
        books, runs = wiring.ledger_books(), wiring.ledger_runs()
        force_setattr(runs, "pause", lambda seconds: None)
        for (pk, _), row in list(self.rows.tables["test-checkout"].items()) * 2:
            fact = wiring.checkout().told(row) if pk.startswith("CHECKOUT#") else None
            if fact is not None:
                books.reserve(fact.data_as(CheckoutReserved).reserved(fact.at))
        for book in (self.campaign_id, NO_CAMPAIGN):
            for difference in runs.look(book, runs.checkouts.unfinished(), full=True).found:
                raise Untrue(f"the reconciler finds {difference}")

    def _refund_of(self, payment_id: str, refund_id: str) -> bool:
        return (payment_id, refund_id) in self.truths.refunds

    def _forgotten(self) -> Iterator[str]:
        for name, checkout in self.granted.items():
            if not _same(self.truths.checkouts[name], checkout):
                yield f"{name} was granted otherwise"
        for name in self.paid:
            if self.truths.checkouts[name].state not in PAID:
                yield f"{name} was said to be paid, and is {self.truths.checkouts[name].state}"
        captured = [each for each in self.truths.checkouts.values() if each.state is Standing.CAPTURED]
        claims = Counter(line.item.ref for each in captured for line in each.items)
        if any(count > 1 for count in claims.values()):
            yield f"paid twice: {claims}"

    def _nothing_stranded(self, till: Till) -> None:
        """I8: one more customer asks for all that is left, and for one won more."""
        left, uses = self.truths.total("available"), self.truths.moments[-1].uses
        closed = self.truths.campaign["state"]["S"] == "CLOSED"
        if closed or self.day.worth is not None or (self.day.percent < 100 and left < 100):
            return  # a card cannot pay so small a rest
        self.still = None
        till.coupons.switch(self.campaign_id, Switch.OPEN)
        self.clock.move(seconds=2)
        more = self._given(till, "last0", left + 1)
        if more is not None:
            raise Untrue(f"I2: {more} of {left} were granted")
        given = self._given(self.world.tills[-1], "last1", left) if left and uses != 0 else left
        if given != left or (uses != 0 and self.truths.total("available")):
            raise Untrue(f"I8: of {left}, {given} were granted")

    def _given(self, till: Till, name: str, amount: int) -> int | None:
        """The discount of a new customer who asks for so much; None when there is too little."""
        last, fee = Caller("last"), -(-amount * 100 // self.day.percent)
        self.world.prices.fees[f"con_{name}", last.id] = fee
        self.give_coupon(name, last.id)
        item = Item(Kind.CONTRACT_FEE, f"con_{name}")
        order = Order("last", (item,), f"{self.campaign_id}.{name}", 0, "last")
        try:
            return till.checkout.reserve(order, last, name).value.discount
        except (BudgetExhausted, BudgetShort):
            return None


def _same(one: Checkout, other: Checkout) -> bool:
    kept = ("checkout_id", "customer_id", "items", "discount", "split", "points_used", "lots", "request")
    return all(getattr(one, name) == getattr(other, name) for name in kept)


# --- when a refusal is true --------------------------------------------------------------------------------

Rule = Callable[[Market, list[Moment], Caller, dict[str, Any], HandoverError], bool]
ALWAYS = {
    "TooManyPoints",
    "TooLittleForACard",
    "NothingToDiscount",
    "Malformed",
    "TopUpDiffers",
    "CutDiffers",
    "RefundDiffers",
    "TooManyRefunds",
}
"""Pure functions of what was asked: others test them."""


def _lasting(moment: Moment, lots: Any) -> int:
    return sum(won for lot, won in lots if expiry(lot) > moment.at)


def _standing(market: Market, about: dict[str, Any]) -> Checkout:
    return market.truths.checkouts[about["checkout"]]


RULES: dict[str, Rule] = {
    "BudgetExhausted": lambda market, moments, by, about, it: any(
        each.uses == 0
        or each.available
        < (about["amount"] if market.day.edge is Edge.REJECT or about["least"] is None else about["least"])
        for each in moments
    ),
    "BudgetShort": lambda market, moments, by, about, it: any(
        each.available < about["amount"] and each.available == it.extra.get("offered") for each in moments
    ),
    "CouponUsed": lambda market, moments, by, about, it: any(
        about["coupon"] not in each.free for each in moments
    ),
    "CouponVoid": lambda market, moments, by, about, it: market.truths.void(about["coupon"]),
    "UnknownCoupon": lambda market, moments, by, about, it: (
        about["coupon"] not in market.truths.coupons or CUSTOMERS[int(about["coupon"][1:]) % 4].id != by.id
    ),
    "UserLimitReached": lambda market, moments, by, about, it: any(
        each.used.get(by.id, 0) >= (market.day.per_user or 0) for each in moments
    ),
    "CampaignPaused": lambda market, moments, by, about, it: any(each.switch == "PAUSED" for each in moments),
    "CampaignClosed": lambda market, moments, by, about, it: any(each.switch == "CLOSED" for each in moments),
    "NotEnoughPoints": lambda market, moments, by, about, it: any(
        _lasting(each, each.lots.get(by.id, ())) < about["points"] for each in moments
    ),
    "KeyReused": lambda market, moments, by, about, it: (
        "key" in about and len(market.orders[by.id, about["key"]]) > 1
    ),
    "ReservationExpired": lambda market, moments, by, about, it: (
        _standing(market, about).expires_at <= market.clock()
    ),
    "ReservationCancelled": lambda market, moments, by, about, it: (
        _standing(market, about).state is Standing.CANCELLED
    ),
    "BeingPaid": lambda market, moments, by, about, it: _claimed(market, about),
    "AlreadyPaid": lambda market, moments, by, about, it: about["checkout"] in market.truths.paid_since,
    "CardDeclined": lambda market, moments, by, about, it: any(
        row["state"]["S"] == "DECLINED" and row["checkout_id"]["S"] == about["checkout"]
        for row in market.truths.payments.values()
    ),
    "NothingPaid": lambda market, moments, by, about, it: (
        market.truths.paid_since.get(about["checkout"], MOST_CALLS) > about["first"]
    ),
    "NotRefundable": lambda market, moments, by, about, it: (
        _standing(market, about).left.total < about["amount"]
    ),
    "CutTooDeep": lambda market, moments, by, about, it: any(
        each.available < about["cut"] for each in moments
    ),
}


def _claimed(market: Market, about: dict[str, Any]) -> bool:
    """By another checkout, now or before; or a card of its own was asked."""
    mine, truths = about["checkout"], market.truths
    others = (truths.claimers.get(line.item.ref, set()) - {mine} for line in truths.checkouts[mine].items)
    asked = any(row["checkout_id"]["S"] == mine for row in truths.payments.values())
    return asked or any(others)


# --- how the services of the day are told ------------------------------------------------------------------


def make_campaign(till: Till, it: Day) -> str:
    """With just so many shards."""
    terms = Terms("All", CouponKind.PERCENT, it.percent, per_user_limit=it.per_user, at_the_edge=it.edge)
    if it.worth is not None:
        terms = Terms(
            "Five", CouponKind.FIXED, it.worth, per_user_limit=it.per_user, reserve_at=ReserveAt.ISSUE
        )
        terms = replace(terms, closes_at=FAR_AWAY)
    building = vars(campaigns)
    usual = building["shard_budgets"]
    building["shard_budgets"] = lambda budget, *_: spread(budget, it.shards)
    try:
        return till.coupons.create(
            terms, it.budget, by=OLGA, key="c", request="c", uses=it.uses
        ).value.campaign_id
    finally:
        building["shard_budgets"] = usual


def grant_points(till: Till, customer_id: str, points: int, at: datetime) -> None:
    """One half for a month, the other for a year."""
    wallet = till.points.wallet(customer_id)
    halves = ((1, points // 2), (12, points - points // 2))
    for months, part in halves:
        lot, cause = lot_for(months, PointKind.GIVEN, at), f"grant/{customer_id}/{months}"
        change = wallet.granted(part, lot, cause, What.GRANTED, at, {})
        write = AllOrNothing()
        till.points.store.change(write, change)
        write.commit()
        wallet = change.after


def sweep_points(till: Till) -> Any:
    return [till.points.sweep_wallet(each.id) for each in CUSTOMERS]


def cut(till: Till, campaign_id: str, name: str, amount: int) -> Any:
    return till.coupons.cut(campaign_id, name, amount, by=OLGA, key=f"{name} {amount}")


def close(till: Till, campaign_id: str) -> Any:
    return till.coupons.close(campaign_id, "enough", by=OLGA)
