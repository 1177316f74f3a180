"""Each behaviour is tested twice: on the memory store and on DynamoDB."""

import functools
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from chalicelib.kernel.facts import Fact, fact_of
from chalicelib.smartkeys.service import SmartKeyService
from chalicelib.smartkeys.store import SmartKeyStore
from tests.conftest import Hands
from tests.smartkeys.examples import service_on
from tests.smartkeys.memory import MemorySmartKeys


def stored_facts(client: Any) -> list[Fact]:
    rows = client.scan(TableName="test-smartkeys")["Items"]
    facts = [fact_of({"detail": msgspec.json.decode(row["fact"]["S"])}) for row in rows if "fact" in row]
    return sorted(facts, key=lambda fact: fact.id)


@pytest.fixture(params=["memory", "dynamodb"])
def service(request: pytest.FixtureRequest, clock: Hands, new_id: Callable[[str], str]) -> SmartKeyService:
    if request.param == "dynamodb":
        request.getfixturevalue("dynamodb")
    store = SmartKeyStore() if request.param == "dynamodb" else MemorySmartKeys()
    return service_on(store, clock, new_id)


@pytest.fixture
def facts(service: SmartKeyService, request: pytest.FixtureRequest) -> Callable[[], list[Fact]]:
    """Every fact the service has written so far, oldest first, as the stream would carry them."""
    if isinstance(service.store, MemorySmartKeys):
        return functools.partial(list, service.store.facts)
    return functools.partial(stored_facts, request.getfixturevalue("dynamodb"))
