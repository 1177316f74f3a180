"""Each behaviour is tested twice: on the memory store and on DynamoDB."""

import functools
import json
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.incidents.model import Work
from chalicelib.incidents.service import IncidentService
from chalicelib.incidents.store import IncidentStore
from chalicelib.kernel.facts import Fact, fact_of
from tests.conftest import Hands
from tests.incidents.examples import Contracts, Queue, SmartKeys
from tests.incidents.memory import MemoryIncidents


def stored_facts(client: Any) -> list[Fact]:
    rows = client.scan(TableName="test-incidents")["Items"]
    facts = [fact_of({"detail": json.loads(row["fact"]["S"])}) for row in rows if "fact" in row]
    return sorted(facts, key=lambda fact: fact.id)


@pytest.fixture
def smartkeys() -> SmartKeys:
    return SmartKeys()


@pytest.fixture
def contracts() -> Contracts:
    return Contracts()


@pytest.fixture
def queue(clock: Hands) -> Queue:
    return Queue(clock)


@pytest.fixture(params=["memory", "dynamodb"])
def service(
    request: pytest.FixtureRequest,
    smartkeys: SmartKeys,
    contracts: Contracts,
    queue: Queue,
    clock: Hands,
    new_id: Callable[[str], str],
) -> IncidentService:
    if request.param == "dynamodb":
        request.getfixturevalue("dynamodb")
    store: Any = IncidentStore() if request.param == "dynamodb" else MemoryIncidents()
    return IncidentService(store, smartkeys, contracts, queue, clock, new_id)


@pytest.fixture
def facts(service: IncidentService, request: pytest.FixtureRequest) -> Callable[[], list[Fact]]:
    """Every fact the service has written so far, oldest first, as the stream would carry them."""
    if isinstance(service.store, MemoryIncidents):
        return functools.partial(list, service.store.facts)
    return functools.partial(stored_facts, request.getfixturevalue("dynamodb"))


@pytest.fixture
def work(service: IncidentService, queue: Queue, facts: Callable[[], list[Fact]]) -> Callable[[], None]:
    """The bus tells of the work that was started last, and the queue hands it out to the end."""

    def go_on() -> None:
        started = [fact for fact in facts() if fact.type == "IncidentWorkStarted"][-1].data
        service.spread(started["incident_id"], Work(started["work"]), started["run"])
        queue.run(service)

    return go_on
