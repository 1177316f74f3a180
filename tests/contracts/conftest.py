"""Each behaviour is tested twice: on the memory store and on DynamoDB."""

import functools
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from chalicelib.contracts.service import ContractService
from chalicelib.contracts.store import ContractStore
from chalicelib.kernel.facts import Fact, fact_of
from tests.conftest import Hands
from tests.contracts.memory import MemoryContracts, NoKeys


def stored_facts(client: Any) -> list[Fact]:
    rows = client.scan(TableName="test-contracts")["Items"]
    facts = [fact_of({"detail": msgspec.json.decode(row["fact"]["S"])}) for row in rows if "fact" in row]
    return sorted(facts, key=lambda fact: fact.id)


@pytest.fixture(params=["memory", "dynamodb"])
def service(request: pytest.FixtureRequest, clock: Hands, new_id: Callable[[str], str]) -> ContractService:
    if request.param == "dynamodb":
        request.getfixturevalue("dynamodb")
        return ContractService(ContractStore(), NoKeys(), clock, new_id)
    return ContractService(MemoryContracts(), NoKeys(), clock, new_id)


@pytest.fixture
def facts(service: ContractService, request: pytest.FixtureRequest) -> Callable[[], list[Fact]]:
    """Every fact the service has written so far, oldest first, as the stream would carry them."""
    if isinstance(service.store, MemoryContracts):
        return functools.partial(list, service.store.facts)
    return functools.partial(stored_facts, request.getfixturevalue("dynamodb"))
