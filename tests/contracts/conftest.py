"""Each behaviour is tested twice: on the memory store and on DynamoDB."""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from chalicelib import wiring
from chalicelib.contracts.service import ContractService
from chalicelib.contracts.store import ContractStore
from chalicelib.kernel import aws
from chalicelib.kernel.facts import Fact, fact_of
from chalicelib.kernel.previews import Previews
from chalicelib.kernel.tables import AllOrNothing
from tests.conftest import Hands, table_definitions
from tests.contracts.memory import Desk, HouseKeys, MemoryContracts, Prices
from tests.memory import MemoryWrite
from tests.strict import create, strict


def stored_facts(client: Any) -> list[Fact]:
    rows = client.scan(TableName="test-contracts")["Items"]
    facts = [fact_of({"detail": msgspec.json.decode(row["fact"]["S"])}) for row in rows if "fact" in row]
    return sorted(facts, key=lambda fact: fact.id)


@contextlib.contextmanager
def with_tables(*names: str) -> Iterator[Any]:
    """DynamoDB with these tables alone: to make all of them takes longer than most tests."""
    with strict():
        create([each for each in table_definitions() if each["TableName"] in names])
        yield aws.client("dynamodb")


@pytest.fixture
def table() -> Iterator[Any]:
    with with_tables("test-contracts") as client:
        yield client


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def house() -> HouseKeys:
    return HouseKeys()


def service_of(
    store: Any, desk: Desk, house: HouseKeys, clock: Hands, new_id: Callable[[str], str]
) -> ContractService:
    return ContractService(
        store,
        house,
        Prices(wiring.billing),
        desk,
        desk,
        Previews(lambda: "a secret"),
        now=clock,
        new_id=new_id,
    )


@pytest.fixture(params=["memory", "dynamodb"])
def service(
    request: pytest.FixtureRequest, desk: Desk, house: HouseKeys, clock: Hands, new_id: Callable[[str], str]
) -> ContractService:
    if request.param == "dynamodb":
        request.getfixturevalue("table")
        return service_of(ContractStore(), desk, house, clock, new_id)
    return service_of(MemoryContracts(), desk, house, clock, new_id)


@pytest.fixture
def facts(service: ContractService, request: pytest.FixtureRequest) -> Callable[[], list[Fact]]:
    """Every fact the service has written so far, oldest first, as the stream would carry them."""
    if isinstance(service.store, MemoryContracts):
        return functools.partial(list, service.store.facts)
    return functools.partial(stored_facts, request.getfixturevalue("table"))


@pytest.fixture
def begin(service: ContractService) -> Callable[[], Any]:
    """Opens a transaction, as a context does that changes together with contracts."""
    return MemoryWrite if isinstance(service.store, MemoryContracts) else AllOrNothing
