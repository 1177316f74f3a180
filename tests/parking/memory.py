"""The parking store in memory, which counts what it reads."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from chalicelib.parking.model import Place, cell_of


class MemoryParking:
    def __init__(self, places: Iterable[Place]) -> None:
        self.cells: dict[str, list[Place]] = defaultdict(list)
        self.queried: list[str] = []
        self.read = 0
        for place in places:
            self.cells[cell_of(place.lat, place.lon)].append(place)

    def places(self, cells: Iterable[str]) -> Iterator[Place]:
        for cell in cells:
            self.queried.append(cell)
            self.read += len(self.cells.get(cell, ()))
            yield from self.cells.get(cell, ())
