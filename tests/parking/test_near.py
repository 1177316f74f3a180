"""What is near is found, nothing else is, and only nearby cells are read for it."""

from math import acos, cos, radians, sin
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.parking.model import (
    EARTH_METRES,
    MOST_METRES,
    Fee,
    Hours,
    Place,
    cell_of,
    cells_around,
    metres_between,
)
from chalicelib.parking.service import ParkingService
from chalicelib.parking.store import ParkingStore
from tests.parking.conftest import CITY_HALL, sample
from tests.parking.memory import MemoryParking

SEOUL = st.tuples(st.floats(37.45, 37.62), st.floats(126.88, 127.08))
KOREA = st.tuples(st.floats(32.5, 39), st.floats(124, 132.5))
RADIUS = st.integers(1, MOST_METRES)
FEW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def by_brute_force(places: tuple[Place, ...], lat: float, lon: float, metres: int) -> list[str]:
    """Every place measured, by the spherical law of cosines."""
    found = []
    for place in places:
        part = sin(radians(lat)) * sin(radians(place.lat)) + cos(radians(lat)) * cos(
            radians(place.lat)
        ) * cos(radians(place.lon - lon))
        away = EARTH_METRES * acos(min(1.0, part))
        if away <= metres:
            found.append((away, place.place_id))
    return [place_id for _, place_id in sorted(found)][:50]


@FEW
@given(at=SEOUL, metres=RADIUS)
def test_what_is_found_is_what_measuring_every_place_would_find(
    service: ParkingService, at: tuple[float, float], metres: int
) -> None:
    found = [near.place.place_id for near in service.near(*at, metres, 60)]
    assert found == by_brute_force(sample(), *at, metres)


@FEW
@given(at=KOREA, metres=RADIUS, data=st.data())
def test_whatever_lies_in_the_circle_lies_in_the_cells(
    at: tuple[float, float], metres: int, data: st.DataObject
) -> None:
    lat = data.draw(st.floats(at[0] - 0.019, at[0] + 0.019))
    lon = data.draw(st.floats(at[1] - 0.025, at[1] + 0.025))
    place = Place("p", "p", "", lat, lon, None, True, Fee(), Hours(), None)
    cells = cells_around(*at, metres)
    assert len(cells) == len(set(cells)) <= 9
    assert metres_between(*at, place) > metres or cell_of(lat, lon) in cells


@FEW
@given(at=SEOUL, metres=RADIUS)
def test_no_row_is_read_that_is_not_in_these_cells(at: tuple[float, float], metres: int) -> None:
    store = MemoryParking(sample())
    ParkingService(store).near(*at, metres, 60)
    assert store.queried == cells_around(*at, metres)
    assert store.read == sum(len(store.cells.get(cell, ())) for cell in store.queried)
    assert len(store.queried) <= 9


def test_dynamodb_is_asked_for_these_cells_and_for_nothing_else(imported: Any) -> None:
    called: list[tuple[str, int]] = []

    def note(parsed: Any, model: Any, **_: Any) -> None:
        called.append((model.name, parsed["ScannedCount"]))

    imported.meta.events.register("after-call.dynamodb", note)
    try:
        ParkingService(ParkingStore()).near(*CITY_HALL, MOST_METRES, 60)
    finally:
        imported.meta.events.unregister("after-call.dynamodb", note)
    cells = cells_around(*CITY_HALL, MOST_METRES)
    assert [name for name, _ in called] == ["Query"] * len(cells)
    assert sum(read for _, read in called) == sum(cell_of(p.lat, p.lon) in cells for p in sample())


def test_the_nearest_is_first_with_its_distance_and_what_an_hour_costs(service: ParkingService) -> None:
    found = service.near(*CITY_HALL, 2000, 60)
    assert len(found) > 5
    assert [near.metres for near in found] == sorted(near.metres for near in found)
    assert all(near.stay_amount == near.place.stay(60) for near in found)


def test_a_crowd_is_cut_to_the_nearest_fifty() -> None:
    crowd = [
        Place(f"p{n:03d}", "p", "", 37.5 + n / 10**5, 127.0, None, True, Fee(), Hours(), None)
        for n in range(90)
    ]
    found = ParkingService(MemoryParking(crowd)).near(37.5, 127.0, 2000, 60)
    assert [near.place.place_id for near in found] == [f"p{n:03d}" for n in range(50)]


@pytest.mark.parametrize("at", [(90.0, 127.0), (-37.5, 127.0), (37.5, -180.0), (48.85, 2.35), (0.0, 0.0)])
def test_outside_korea_nothing_is_read(at: tuple[float, float]) -> None:
    store = MemoryParking(sample())
    assert ParkingService(store).near(*at, 2000, 60) == []
    assert store.queried == []
