"""Points for a checkout and their owner, and what the passing of time does to them."""

import random
import time
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from msgspec import Struct

from chalicelib.kernel.clock import Clock, stamp
from chalicelib.kernel.errors import Busy
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.money import Leg
from chalicelib.kernel.tables import Write
from chalicelib.points import model
from chalicelib.points.model import (
    Draw,
    Lots,
    Movement,
    Standing,
    Wallet,
    WalletMoved,
    Witness,
    expiry,
    first_car,
    total,
)
from chalicelib.points.service.ports import Drawn, WalletStore

T = TypeVar("T")
TRIES = 12
FIRST_PAUSE_SECONDS = 0.01
LONGEST_PAUSE_SECONDS = 0.2
PAGE = 200


class PointService(Struct, frozen=True):
    """`begin` opens a transaction. Whoever changes a wallet does it inside `changing` or `spending`."""

    store: WalletStore
    begin: Callable[..., Write]
    now: Clock
    new_id: Callable[[str], str]
    pause: Callable[[float], None] = time.sleep

    def wallet(self, customer_id: str) -> Wallet:
        return self.store.wallet(customer_id)

    def standing(self, customer_id: str) -> Standing:
        return self.store.wallet(customer_id).standing(self.now())

    def expiring(self, customer_id: str, end: datetime) -> tuple[int, int]:
        """How many earned, and how many given points will be gone then."""
        return self.store.wallet(customer_id).expiring(end, self.now())

    def entries(self, customer_id: str, limit: int, before: int | None = None) -> list[Movement]:
        """Newest first; those before that number."""
        return list(self.store.movements(customer_id, limit, before))

    def had_a_car(self, customer_id: str) -> bool:
        """Whether one was ever handed over to this customer. An account is a phone number, and anybody may
        have many: before that, points are worth nothing outside."""
        return self.store.booked(first_car(customer_id)) is not None

    def witness(self, customer_id: str) -> Witness:
        """Reads all entries there ever were: for reconciliation. What changed after the wallet was read does
        not count; but a wallet read after its entries is never behind them, unless its row was lost."""
        stored = self.store.wallet(customer_id)
        found: list[Movement] = []
        before = None
        while page := self.store.movements(customer_id, PAGE, before):
            found += page
            before = page[-1].no
        last = stored.entries
        if found and found[0].no > last:
            now = self.store.wallet(customer_id)
            if found[0].no > now.entries:
                stored, last = now, found[0].no
        return Witness.of(stored, reversed(found), last)

    def sweep_wallet(self, customer_id: str) -> bool:
        """Expired lots go, and the customer is told of those that are next. Whether there was any to do."""
        at = self.now()
        wallet = self.store.wallet(customer_id)
        if wallet.due_at is None or wallet.due_at > at:
            return False
        write = self.begin()
        self.store.change(write, wallet.swept(at))
        soon = wallet.unwarned(at)
        if soon:
            self.store.publish(write, self._expiring(wallet, soon))
        try:
            write.commit()
        except (WalletMoved, Busy):
            return False  # it is still due, or was swept
        return True

    def _expiring(self, wallet: Wallet, soon: Lots) -> Fact:
        data = {
            "customer_id": wallet.customer_id,
            "points": total(soon),
            "expires_at": stamp(expiry(soon[0][0])),
        }
        subject, at, new_id = wallet.customer_id, self.now(), self.new_id("evt")
        return Fact.of("PointsExpiring", "points", subject, at=at, id=new_id, data=data)

    def repair(self, write: Write, witness: Witness, account: str) -> None:
        """What a difference names, as the entries say it is; WalletMoved when it is not the wallet that was
        read."""
        self.store.change(write, witness.repair(account))

    # --- for the checkout ----------------------------------------------------------------------------------

    def changing(self, customer_id: str, attempt: Callable[[Wallet], T]) -> T:
        """Calls `attempt` with the wallet as it stands until what it commits meets that very wallet. What
        `attempt` raises but WalletMoved ends it; Busy when others were always faster."""
        for trial in range(TRIES):
            try:
                return attempt(self.store.wallet(customer_id))
            except WalletMoved:
                longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2**trial)
                self.pause(random.uniform(0.2, 1) * longest)
        raise Busy()

    def spending(self, customer_id: str, points: int, attempt: Callable[[Wallet, Draw], T]) -> T:
        """As `changing`, with the lots that these points come from. NotEnoughPoints."""
        return self.changing(customer_id, lambda wallet: attempt(wallet, wallet.draw(points, self.now())))

    def hold(self, write: Write, wallet: Wallet, draw: Drawn, checkout_id: str) -> None:
        """TooManyHolds when more checkouts are open than anybody needs."""
        self.store.change(write, wallet.holding(draw.lots, checkout_id))

    def capture(self, write: Write, wallet: Wallet, draw: Drawn, checkout_id: str, at: datetime) -> None:
        """NotHeld unless exactly these points are held for it."""
        self.store.change(write, wallet.captured(draw.lots, checkout_id, at))

    def release(self, write: Write, wallet: Wallet, draw: Drawn, checkout_id: str, at: datetime) -> None:
        """NotHeld unless exactly these points are held for it."""
        self.store.change(write, wallet.released(draw.lots, checkout_id, at))

    def refund(
        self, write: Write, wallet: Wallet, draw: Drawn, checkout_id: str, refund_id: str, at: datetime
    ) -> None:
        """Gives back these of the captured points, into their own lots, or for thirty days where those have
        expired. That it happens once is for the caller's record to see to."""
        cause = f"{checkout_id}/refund/{refund_id}"
        self.store.change(write, wallet.refunded(draw.lots, cause, at, {"checkout_id": checkout_id}))

    def legs(self, customer_id: str, points: int, what: str) -> tuple[Leg, ...]:
        """`what`: reserved, captured, released or refunded."""
        return model.legs(customer_id, points, what)
