"""Each behaviour is tested twice: on the memory stores and on DynamoDB."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from chalicelib.checkout.model import Checkout, Item, Kind, Order
from chalicelib.checkout.service import CheckoutService, PaymentService
from chalicelib.checkout.store import CheckoutStore, PaymentStore
from chalicelib.coupons.model import Campaign
from chalicelib.coupons.service import CouponService
from chalicelib.coupons.store import CouponStore
from chalicelib.kernel.auth import Caller
from chalicelib.kernel.done import Done
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.tables import AllOrNothing
from tests.checkout.bank import GOOD, Bank
from tests.checkout.memory import MemoryCheckouts, MemoryPayments, PriceList
from tests.conftest import Hands
from tests.coupons.conftest import coupon_service, stored_facts
from tests.coupons.examples import campaign_of, coupons_of
from tests.coupons.memory import MemoryCoupons
from tests.memory import MemoryWrite

FEE = 460_000


def order_of(coupon_id: str | None = None, order_id: str = "order-1", ref: str = "con_kim") -> Order:
    return Order(order_id, (Item(Kind.CONTRACT_FEE, ref),), coupon_id, 0, f"{order_id} {ref} {coupon_id}")


@dataclass(frozen=True)
class Shop:
    """Coupons and checkout at work together."""

    coupons: CouponService
    checkout: CheckoutService
    prices: PriceList
    facts: Callable[[], list[Fact]]
    bank: Bank

    @property
    def payments(self) -> PaymentService:
        return self.checkout.payments

    def reserved(self, by: Caller, key: str = "k1") -> str:
        return self.reserve(None, by, key).value.checkout_id

    def capture(
        self, checkout_id: str, by: Caller, card_token: str = GOOD, key: str = "c1"
    ) -> Done[Checkout]:
        return self.checkout.capture(checkout_id, card_token, by, key)

    def said(self) -> list[str]:
        return [fact.type for fact in self.facts()]

    def reserve(self, coupon_id: str | None, by: Caller, key: str) -> Done[Checkout]:
        return self.checkout.reserve(order_of(coupon_id, ref=f"con_{by.id}"), by, key)

    def with_coupons(self, by: Caller, count: int = 1, **campaign: Any) -> tuple[Campaign, list[str]]:
        """A campaign, and ids of coupons of it in the customer's box."""
        made = campaign_of(self.coupons, **campaign)
        return made, coupons_of(self.coupons, made.campaign_id, by, count)

    def sums(self, campaign_id: str) -> tuple[int, int]:
        """Available and reserved; the budget must be their sum at every moment."""
        seen = self.coupons.status(campaign_id)
        assert seen.available + seen.reserved == seen.campaign.budget
        return seen.available, seen.reserved


def memory_begin(attempts: int = 5) -> MemoryWrite:
    return MemoryWrite()


@pytest.fixture(params=["memory", "dynamodb"])
def shop(request: pytest.FixtureRequest, clock: Hands, new_id: Callable[[str], str]) -> Shop:
    prices, bank = PriceList({(f"con_{name}", name): FEE for name in ("kim", "lee")}), Bank()
    if request.param == "dynamodb":
        client = request.getfixturevalue("dynamodb")
        coupons = coupon_service(CouponStore(), clock, new_id)
        payments = PaymentService(PaymentStore(), bank, AllOrNothing, clock)
        checkout = CheckoutService(CheckoutStore(), coupons, prices, payments, AllOrNothing, clock, new_id)
        facts = functools.partial(stored_facts, client, "test-checkout")
        return Shop(coupons, checkout, prices, facts, bank)
    coupons = coupon_service(MemoryCoupons(), clock, new_id)
    store = MemoryCheckouts()
    payments = PaymentService(MemoryPayments(), bank, memory_begin, clock)
    checkout = CheckoutService(store, coupons, prices, payments, memory_begin, clock, new_id)
    return Shop(coupons, checkout, prices, lambda: list(store.facts), bank)
