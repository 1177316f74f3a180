"""Each behaviour is tested twice: on the memory store and on DynamoDB."""

from datetime import timedelta
from typing import Any

import pytest

from chalicelib.journey.model import Event
from chalicelib.journey.service import JourneyService
from chalicelib.journey.store import JourneyStore
from chalicelib.kernel.auth import Caller, Group
from chalicelib.kernel.errors import NotFound
from chalicelib.kernel.facts import Fact
from tests.conftest import NOON
from tests.journey.memory import MemoryJourney

KIM = Caller("kim")
LEE = Caller("lee")
OLGA = Caller("olga", frozenset({Group.OPS}))


class Contracts:
    """con_kim is kim's and con_lee lee's; there is no other."""

    def owned(self, contract_id: str, customer_id: str) -> None:
        self.exists(contract_id)
        if contract_id != f"con_{customer_id}":
            raise NotFound()

    def exists(self, contract_id: str) -> None:
        if contract_id not in ("con_kim", "con_lee"):
            raise NotFound()


@pytest.fixture(params=["memory", "dynamodb"])
def journey(request: pytest.FixtureRequest) -> JourneyService:
    if request.param == "dynamodb":
        request.getfixturevalue("dynamodb")
        return JourneyService(JourneyStore(), Contracts())
    return JourneyService(MemoryJourney(), Contracts())


def fact(name: str, hours: float = 0, contract: Any = "con_kim", id: str | None = None, **data: Any) -> Fact:
    """One fact, so many hours after noon."""
    at = NOON + timedelta(hours=hours)
    return Fact.of(
        name,
        "contracts",
        "subject",
        at=at,
        id=id or f"evt_{name}_{hours}",
        data={"contract_id": contract, **data},
    )


def told(
    journey: JourneyService, by: Caller = KIM, contract: str = "con_kim", limit: int = 50
) -> list[Event]:
    return list(journey.timeline(contract, by, limit, None).events)


def types(events: list[Event]) -> list[str]:
    return [event.type for event in events]
