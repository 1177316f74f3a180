"""Each behaviour is tested twice: on the memory store and on DynamoDB."""

import functools
import json
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.json import decode as json_decode

from chalicelib.coupons.service import Budgets, CouponService
from chalicelib.coupons.store import CouponStore
from chalicelib.kernel.facts import Fact, fact_of
from chalicelib.kernel.money import Entry
from chalicelib.kernel.tables import AllOrNothing, Write
from chalicelib.ledger.store.books import Books
from tests.conftest import Hands
from tests.coupons.examples import SECRET
from tests.coupons.memory import MemoryCoupons
from tests.ledger.memory import MemoryBooks
from tests.memory import MemoryWrite


def coupon_service(
    store: Any,
    clock: Hands,
    new_id: Callable[[str], str],
    begin: Callable[..., Write] = AllOrNothing,
    books: Any = None,
) -> CouponService:
    budgets = Budgets(store, books or Books(), begin, clock, choose=min, pause=lambda _: None)
    return CouponService(store, budgets, lambda: SECRET, clock, new_id)


def memory_write(attempts: int = 5) -> MemoryWrite:
    return MemoryWrite()


def stored_facts(client: Any, table: str) -> list[Fact]:
    rows = client.scan(TableName=table)["Items"]
    facts = [fact_of({"detail": json.loads(row["fact"]["S"])}) for row in rows if "fact" in row]
    return sorted(facts, key=lambda fact: fact.id)


@pytest.fixture(params=["memory", "dynamodb"])
def service(request: pytest.FixtureRequest, clock: Hands, new_id: Callable[[str], str]) -> CouponService:
    if request.param == "dynamodb":
        request.getfixturevalue("dynamodb")
        return coupon_service(CouponStore(), clock, new_id)
    return coupon_service(MemoryCoupons(), clock, new_id, memory_write, MemoryBooks())


@pytest.fixture
def entries(service: CouponService, request: pytest.FixtureRequest) -> Callable[[], list[Entry]]:
    """Every entry that was posted."""

    def posted() -> list[Entry]:
        if isinstance(service.budgets.books, MemoryBooks):
            return service.budgets.books.entries
        rows = request.getfixturevalue("dynamodb").scan(TableName="test-ledger")["Items"]
        return [json_decode(row["entry"]["S"], type=Entry) for row in rows]

    return posted


@pytest.fixture
def facts(service: CouponService, request: pytest.FixtureRequest) -> Callable[[], list[Fact]]:
    """Every fact the service has written so far, oldest first, as the stream would carry them."""
    if isinstance(service.store, MemoryCoupons):
        return functools.partial(list, service.store.facts)
    return functools.partial(stored_facts, request.getfixturevalue("dynamodb"), "test-coupons")
