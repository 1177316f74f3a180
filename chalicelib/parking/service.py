"""Car parks near a place."""

from collections.abc import Iterable
from typing import Protocol

from msgspec import Struct

from chalicelib.parking.model import MOST_PLACES, Near, Place, cells_around, in_korea, metres_between


class Store(Protocol):
    def places(self, cells: Iterable[str]) -> Iterable[Place]:
        """All places in these cells; nothing else is read."""


class ParkingService(Struct, frozen=True):
    store: Store

    def near(self, lat: float, lon: float, metres: int, minutes: int) -> list[Near]:
        """Nearest first, the nearest 50; each with what a stay of so many minutes costs."""
        if not in_korea(lat, lon):
            return []
        found = (
            (metres_between(lat, lon, place), place)
            for place in self.store.places(cells_around(lat, lon, metres))
        )
        within = sorted(
            ((away, place) for away, place in found if away <= metres),
            key=lambda each: (each[0], each[1].place_id),
        )
        return [Near(place, round(away), place.stay(minutes)) for away, place in within[:MOST_PLACES]]
