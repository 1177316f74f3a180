"""The sample's car parks, in memory and imported into DynamoDB."""

import functools
from typing import Any

import pytest

from chalicelib.parking.model import Place
from chalicelib.parking.service import ParkingService
from chalicelib.parking.store import ParkingStore
from infra import parking
from tests.parking.memory import MemoryParking

CITY_HALL = (37.5663, 126.9779)


@functools.cache
def sample() -> tuple[Place, ...]:
    return tuple(parking.read(parking.SAMPLE.read_bytes()).places)


@pytest.fixture
def imported(dynamodb: Any) -> Any:
    parking.load(dynamodb, "test", parking.SAMPLE)
    return dynamodb


@pytest.fixture(params=["memory", "dynamodb"])
def service(request: pytest.FixtureRequest) -> ParkingService:
    if request.param == "dynamodb":
        request.getfixturevalue("imported")
        return ParkingService(ParkingStore())
    return ParkingService(MemoryParking(sample()))
