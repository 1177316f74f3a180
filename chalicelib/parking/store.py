"""The table `<stage>-parking`.

| pk                   | sk               | row                                                            |
|----------------------|------------------|----------------------------------------------------------------|
| CELL#<row>:<column>  | PLACE#<place_id> | a place in this cell of the map, whole, as JSON in `place`     |
"""

from collections.abc import Iterable, Iterator

import msgspec
from pynamodb.attributes import UnicodeAttribute

from chalicelib.kernel.tables import Item, table_name
from chalicelib.parking.model import Place, cell_of


class PlaceItem(Item):
    class Meta:
        table_name = table_name("parking")

    place = UnicodeAttribute()


class ParkingStore:
    def places(self, cells: Iterable[str]) -> Iterator[Place]:
        """Not strongly consistent: an import is seen a moment later, at half the price."""
        for cell in cells:
            for item in PlaceItem.query(f"CELL#{cell}"):
                yield msgspec.json.decode(item.place, type=Place)


def item_of(place: Place) -> PlaceItem:
    return PlaceItem(
        f"CELL#{cell_of(place.lat, place.lon)}",
        f"PLACE#{place.place_id}",
        place=msgspec.json.encode(place).decode(),
    )
