"""Each behaviour is tested twice: on the memory stores and on DynamoDB."""

import functools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from hashlib import md5
from typing import Any

import pytest
from msgspec import json

from chalicelib.checkout.model import Checkout, Item, Kind, Order, Refunded, RefundOrder, State
from chalicelib.checkout.service import CheckoutService, PaymentService
from chalicelib.checkout.store import CheckoutStore, PaymentStore
from chalicelib.coupons.model import Campaign
from chalicelib.coupons.service import CouponService
from chalicelib.coupons.store import CouponStore
from chalicelib.kernel.auth import Caller
from chalicelib.kernel.done import Done
from chalicelib.kernel.facts import Fact, fact_of
from chalicelib.kernel.money import Entry, balances
from chalicelib.kernel.tables import AllOrNothing
from chalicelib.ledger.store import Books
from chalicelib.points.model import Wallet, What, lot_until
from chalicelib.points.service import PointService
from chalicelib.points.store import PointStore
from tests.checkout.bank import GOOD, Bank
from tests.checkout.memory import MemoryCheckouts, MemoryPayments, PriceList
from tests.conftest import Hands
from tests.coupons.conftest import coupon_service
from tests.coupons.examples import OLGA, campaign_of, given
from tests.coupons.memory import MemoryCoupons
from tests.ledger.memory import MemoryBooks
from tests.memory import MemoryWrite
from tests.points.memory import MemoryPoints

FEE = 460_000
NewId = Callable[[str], str]


def order_of(
    coupon_id: str | None = None,
    order_id: str = "order-1",
    ref: str = "con_kim",
    points: int = 0,
    least: int | None = None,
) -> Order:
    request = f"{order_id} {ref} {coupon_id} {points} {least}"
    return Order(order_id, (Item(Kind.CONTRACT_FEE, ref),), coupon_id, points, request, least)


@dataclass(frozen=True)
class Shop:
    """Coupons, points, books and checkout at work together."""

    coupons: CouponService
    points: PointService
    checkout: CheckoutService
    prices: PriceList
    facts: Callable[[], list[Fact]]
    entries: Callable[[], list[Entry]]
    bank: Bank
    clock: Hands

    @property
    def payments(self) -> PaymentService:
        return self.checkout.payments

    def reserved(self, by: Caller, key: str = "k1") -> str:
        return self.reserve(None, by, key).value.checkout_id

    def capture(
        self, checkout_id: str, by: Caller, card_token: str | None = GOOD, key: str = "c1"
    ) -> Done[Checkout]:
        return self.checkout.capture(checkout_id, card_token, by, key)

    def refund(self, checkout_id: str, refund_id: str, amount: int) -> Done[Refunded]:
        return self.checkout.refund(checkout_id, RefundOrder(refund_id, amount), OLGA, f"key {refund_id}")

    def said(self) -> list[str]:
        return [fact.type for fact in self.facts()]

    def reserve(
        self, coupon_id: str | None, by: Caller, key: str, points: int = 0, least: int | None = None
    ) -> Done[Checkout]:
        order = order_of(coupon_id, ref=f"con_{by.id}", points=points, least=least)
        return self.checkout.reserve(order, by, key)

    def with_coupons(self, by: Caller, count: int = 1, **campaign: Any) -> tuple[Campaign, list[str]]:
        """A campaign, and ids of coupons of it in the customer's box."""
        made = campaign_of(self.coupons, **campaign)
        names = [md5(f"{made.campaign_id} {by.id} {each}".encode()).hexdigest() for each in range(count)]
        return made, [given(self.coupons, made.campaign_id, by, name) for name in names]

    def give_points(self, by: Caller, points: int, days: int = 200) -> None:
        grant(self.points, by, points, days)

    def balance(self, by: Caller) -> int:
        return self.points.wallet(by.id).balance(self.clock())

    def look(self, checkout_id: str) -> Checkout:
        (found,) = self.checkout.records([checkout_id])
        return found

    def sweep_until_rest(self) -> None:
        for _ in range(30):
            self.clock.move(minutes=90)
            if self.checkout.sweep().found == 0:
                return
        raise AssertionError("it never comes to rest")

    def sums(self, campaign_id: str) -> tuple[int, int]:
        """Available and reserved; the budget must be their sum while nothing is captured."""
        available, reserved, captured = self.pots(campaign_id)
        assert captured == 0
        return available, reserved

    def pots(self, campaign_id: str) -> tuple[int, int, int]:
        """Available, reserved, and captured less refunded; the budget is their sum at every moment."""
        seen = self.coupons.status(campaign_id)
        captured = seen.captured - seen.refunded
        assert seen.available + seen.reserved + captured == seen.campaign.budget
        assert min(seen.available, seen.reserved, captured) >= 0
        return seen.available, seen.reserved, captured

    def books_agree(self, *checkout_ids: str) -> Counter[str]:
        """What each account holds by the records alone; what was posted with them is the same."""
        records = self.checkout.records(checkout_ids)
        ours = [entry for record in records for entry in self.checkout.entries_of(record)]
        posted = {entry.cause: entry for entry in self.entries()}
        for entry in ours:
            if entry.what != "reserved":
                assert posted[entry.cause] == entry
        wanted = {entry.cause for entry in ours}
        for cause in posted:
            assert cause.partition("/")[0] not in checkout_ids or cause in wanted
        assert all(sum(leg.amount for leg in entry.legs) == 0 for entry in ours)
        return balances(ours)

    def nothing_is_held(self) -> None:
        """At rest: no reservation waits, nothing is on its way."""
        assert [page for page in self.checkout.unfinished() if page] == []
        for record in self.checkout.records([fact.subject for fact in self.facts()]):
            assert record.state not in (State.RESERVED, State.CAPTURING)


def grant(service: PointService, by: Caller, points: int, days: int = 200) -> None:
    """Into a lot that lasts some days at least."""

    def attempt(wallet: Wallet) -> None:
        at = service.now()
        lot = lot_until(at + timedelta(days=days), at)
        write = service.begin()
        cause = f"test/{wallet.entries}"
        service.store.change(write, wallet.granted(points, lot, cause, What.GRANTED, at, {}))
        write.commit()

    service.changing(by.id, attempt)


def memory_begin(attempts: int = 5) -> MemoryWrite:
    return MemoryWrite()


def no_pause(seconds: float) -> None:
    pass


def in_order(facts: list[Fact]) -> list[Fact]:
    """As they were said: of one moment the reservation first, the others by their counted ids."""
    return sorted(facts, key=lambda fact: (fact.time, fact.type != "CheckoutReserved", fact.id))


def stored_facts(client: Any, checkout: CheckoutService) -> list[Fact]:
    rows = client.scan(TableName="test-checkout")["Items"]
    told = [checkout.told(row) for row in rows if "fact" not in row]
    rows += client.scan(TableName="test-ledger")["Items"]
    said = [fact_of({"detail": json.decode(row["fact"]["S"])}) for row in rows if "fact" in row]
    mine = [fact for fact in said if fact.source == "checkout"]
    return in_order([*filter(None, told), *mine])


def stored_entries(client: Any) -> list[Entry]:
    rows = client.scan(TableName="test-ledger")["Items"]
    return [json.decode(row["entry"]["S"], type=Entry) for row in rows if "entry" in row]


def dynamodb_shop(client: Any, clock: Hands, new_id: NewId, bank: Bank | None = None) -> Shop:
    bank = bank or Bank()
    coupons = coupon_service(CouponStore(), clock, new_id, books=Books())
    points = PointService(PointStore(), AllOrNothing, clock, new_id, no_pause)
    payments = PaymentService(PaymentStore(), bank, AllOrNothing, clock)
    prices = price_list()
    checkout = CheckoutService(
        CheckoutStore(), coupons, points, Books(), prices, payments, AllOrNothing, clock, new_id
    )
    facts = functools.partial(stored_facts, client, checkout)
    return Shop(
        coupons, points, checkout, prices, facts, functools.partial(stored_entries, client), bank, clock
    )


def memory_shop(clock: Hands, new_id: NewId, bank: Bank | None = None) -> Shop:
    bank = bank or Bank()
    rows, books = MemoryPayments(), MemoryBooks()
    coupons = coupon_service(MemoryCoupons(), clock, new_id, begin=memory_begin, books=books)
    points = PointService(MemoryPoints(), memory_begin, clock, new_id, no_pause)
    store = MemoryCheckouts(rows)
    payments = PaymentService(rows, bank, memory_begin, clock)
    prices = price_list()
    checkout = CheckoutService(store, coupons, points, books, prices, payments, memory_begin, clock, new_id)

    def facts() -> list[Fact]:
        told = [fact for fact in map(checkout.told, store.inserts) if fact]
        mine = [fact for fact in books.facts if fact.source == "checkout"]
        return in_order([*told, *store.facts, *rows.facts, *mine])

    return Shop(coupons, points, checkout, prices, facts, lambda: list(books.entries), bank, clock)


def price_list() -> PriceList:
    return PriceList({(f"con_{name}", name): FEE for name in ("kim", "lee")})


@pytest.fixture(params=["memory", "dynamodb"])
def shop(request: pytest.FixtureRequest, clock: Hands, new_id: NewId) -> Shop:
    if request.param == "dynamodb":
        return dynamodb_shop(request.getfixturevalue("dynamodb"), clock, new_id)
    return memory_shop(clock, new_id)
