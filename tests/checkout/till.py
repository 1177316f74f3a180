"""A till that breaks: customers who pay at once, sweeps between, and processes that may die at any call.

After every step: money is taken only for what is written down, and what is captured is paid. At rest: a fee
is paid once or not at all, nothing waits, and nobody's card is kept.
"""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from chalicelib.checkout.model import (
    CardDeclined,
    Item,
    Kind,
    Order,
    PaymentState,
    State,
    Unanswered,
)
from chalicelib.checkout.service import CheckoutService, PaymentService
from chalicelib.kernel.auth import Caller
from chalicelib.kernel.errors import HandoverError
from tests.checkout.bank import EMPTY, GOOD, OTHER, Bank
from tests.checkout.memory import MemoryCheckouts, MemoryPayments, PriceList
from tests.checkout.stage import Stage
from tests.conftest import Hands
from tests.memory import MemoryWrite

FEE = 460_000
CONTRACT = Item(Kind.CONTRACT_FEE, "con_kim")
KIM = Caller("kim")
ADDS_CLAUSES = {"add", "claim", "settle", "publish", "open", "promise"}


class Died(Exception):
    """The process ended here, before or after the call it was about to make."""


@dataclass
class Trouble:
    """How often, of 1, a process dies at a call, a bank does not answer, and the network tells it twice."""

    rng: random.Random
    dies: float
    silent: float
    twice: float

    def maybe(self, often: float) -> bool:
        return self.rng.random() < often


class _Stepping:
    """Every call of an actor is a step of the stage, at which its process may die."""

    def __init__(self, real: Any, stage: Stage, trouble: Trouble) -> None:
        self._real, self._stage, self._trouble = real, stage, trouble

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        if name in ADDS_CLAUSES or not callable(found):
            return found
        return lambda *given: self._stepped(lambda: found(*given))

    def _stepped(self, call: Callable[[], Any]) -> Any:
        acting = self._stage.step()
        if acting and self._trouble.maybe(self._trouble.dies / 2):
            raise Died
        answer = call()
        if acting and self._trouble.maybe(self._trouble.dies / 2):
            raise Died
        return answer


class _Write(MemoryWrite):
    def __init__(self, stepping: _Stepping) -> None:
        super().__init__()
        self._stepping = stepping

    def commit(self) -> None:
        self._stepping._stepped(super().commit)


class _FarBank(Bank):
    """Reached over a network: answers are lost, and requests arrive once more, however late."""

    trouble: Trouble

    def __init__(self, trouble: Trouble) -> None:
        super().__init__()
        self.trouble = trouble
        self.sent: list[tuple[str, int, str, str]] = []

    def charge(self, payment_id: str, amount: int, card_token: str, what: str) -> Any:
        self.sent.append((payment_id, amount, card_token, what))
        return self._lossy(lambda: super(_FarBank, self).charge(payment_id, amount, card_token, what))

    def find(self, payment_id: str) -> Any:
        return self._lossy(lambda: super(_FarBank, self).find(payment_id))

    def arrive_again(self) -> None:
        if self.sent:
            try:
                super().charge(*self.trouble.rng.choice(self.sent))
            except CardDeclined:
                return

    def _lossy(self, call: Callable[[], Any]) -> Any:
        if self.trouble.maybe(self.trouble.silent / 2):
            raise Unanswered()
        answer = call()
        if self.trouble.maybe(self.trouble.twice):
            self.arrive_again()
        if self.trouble.maybe(self.trouble.silent / 2):
            raise Unanswered()
        return answer


@dataclass
class Till:
    """One schedule: three reservations of one fee, pressed by impatient customers, swept meanwhile."""

    seed: int
    checkout_store: type[MemoryCheckouts] = MemoryCheckouts
    payment_store: type[MemoryPayments] = MemoryPayments
    dies: tuple[float, ...] = (0, 0.05, 0.15)
    clock: Hands = field(default_factory=Hands)
    heard: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        rng = self.rng = random.Random(self.seed)
        self.trouble = Trouble(rng, rng.choice(self.dies), rng.choice([0, 0.2, 0.5]), rng.choice([0, 0.3]))
        self.stage = Stage(rng, self.between)
        self.checkouts, self.rows = self.checkout_store(), self.payment_store()
        self.bank = _FarBank(self.trouble)
        self.ids = 0
        self.service = self._service()
        self.names = [self._reserve(number) for number in range(3)]
        self.captured: set[str] = set()

    def _service(self) -> CheckoutService:
        def stepping(real: Any) -> Any:
            return _Stepping(real, self.stage, self.trouble)

        def begin(attempts: int = 5) -> MemoryWrite:
            return _Write(stepping(None))

        prices: Any = PriceList({(CONTRACT.ref, KIM.id): FEE})
        payments = PaymentService(stepping(self.rows), stepping(self.bank), begin, self.clock)
        no_coupons: Any = None
        return CheckoutService(
            stepping(self.checkouts), no_coupons, prices, payments, begin, self.clock, self._new_id
        )

    def _new_id(self, prefix: str) -> str:
        self.ids += 1
        return f"{prefix}_{self.ids}"

    def _reserve(self, number: int) -> str:
        order = Order(f"o{number}", (CONTRACT,), None, 0, "request")
        return self.service.reserve(order, KIM, f"k{number}").value.checkout_id

    def run(self) -> Counter[str]:
        actors = [self._customer(self.rng.choice(self.names), key) for key in ("a", "b", "a", "c")]
        actors += [self._customer(self.names[0], "a"), self._sweeper(), self._sweeper()]
        self.stage.play(actors)
        self._come_to_rest()
        return self.heard

    # --- actors --------------------------------------------------------------------------------------------

    def _customer(self, checkout_id: str, key: str) -> Callable[[], None]:
        """Presses again and again, with the same key and card, until told something final."""
        card = {"a": GOOD, "b": EMPTY, "c": OTHER}[key]

        def act() -> None:
            for _ in range(4):
                answer = self._press(checkout_id, card, key)
                self.heard[answer] += 1
                if answer == "CAPTURED":
                    self.captured.add(checkout_id)
                if answer in ("CAPTURED", "CardDeclined", "BeingPaid"):
                    return

        return act

    def _press(self, checkout_id: str, card: str, key: str) -> str:
        try:
            return self.service.capture(checkout_id, card, KIM, key).value.state.value
        except (Died, HandoverError) as ended:
            return type(ended).__name__

    def _sweeper(self) -> Callable[[], None]:
        def act() -> None:
            for _ in range(3):
                self.clock.move(minutes=2)
                self._sweep()

        return act

    def _sweep(self) -> int:
        try:
            return self.service.sweep().found
        except Died:
            self.heard["Died"] += 1
            return 1

    # --- the oracle ----------------------------------------------------------------------------------------

    def between(self) -> None:
        seed = f"seed {self.seed}"
        for payment_id in self.bank.charges:
            assert payment_id in self.rows.payments, f"taken and not written down: {seed}"
        for checkout in self.checkouts.checkouts.values():
            if checkout.state is State.CAPTURED:
                assert self.bank.charges[str(checkout.payment_id)] == FEE, f"captured and not paid: {seed}"
        assert len(self.bank.charges) <= 1, f"paid twice: {seed}"

    def _come_to_rest(self) -> None:
        self.trouble.dies = self.trouble.silent = 0
        for _ in range(20):
            self.clock.move(hours=1)
            if self._sweep() == 0:
                break
        self.bank.arrive_again()
        self.between()
        seed = f"seed {self.seed}"
        paid = {name for name, it in self.checkouts.checkouts.items() if it.state is State.CAPTURED}
        assert self.captured <= paid, f"said to be captured, and is not: {seed}"
        assert len(paid) == len(self.bank.charges), f"paid for nothing: {seed}"
        assert set(self.checkouts.claims.values()) == paid, f"a claim without a payment: {seed}"
        for checkout in self.checkouts.checkouts.values():
            assert checkout.state in (State.RESERVED, State.CAPTURED), f"half captured: {seed}"
        for payment in self.rows.payments.values():
            assert payment.state in (PaymentState.PAID, PaymentState.DECLINED), seed
            assert (payment.card_token, payment.due_at) == (None, None), seed
        said = Counter(fact.type for fact in self.checkouts.facts)
        states = Counter(payment.state for payment in self.rows.payments.values())
        assert said["CheckoutCaptured"] == len(paid), seed
        assert said["CheckoutDeclined"] == states[PaymentState.DECLINED], seed
