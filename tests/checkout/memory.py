"""The checkout store in memory, and prices from a list."""

from chalicelib.checkout.model import AlreadyReserved, Checkout
from chalicelib.kernel.errors import NotFound
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.money import Won
from tests.memory import MemoryWrite


class MemoryCheckouts:
    def __init__(self) -> None:
        self.checkouts: dict[str, Checkout] = {}
        self.facts: list[Fact] = []

    def add(self, write: MemoryWrite, checkout: Checkout, fact: Fact) -> None:
        write.clause(
            holds=lambda: checkout.checkout_id not in self.checkouts,
            then=lambda: self.checkouts.update({checkout.checkout_id: checkout}),
            otherwise=AlreadyReserved,
        )
        write.fact(self.facts, fact)

    def checkout(self, checkout_id: str) -> Checkout | None:
        return self.checkouts.get(checkout_id)


class PriceList:
    """contracts, for a checkout: `fees` by (contract, customer)."""

    def __init__(self, fees: dict[tuple[str, str], Won]) -> None:
        self.fees = fees
        self.asked = 0

    def fee(self, contract_id: str, customer_id: str) -> Won:
        self.asked += 1
        if (contract_id, customer_id) not in self.fees:
            raise NotFound()
        return self.fees[contract_id, customer_id]
