"""What this context reads and answers over HTTP."""

import re

from msgspec import Struct

from chalicelib.kernel.errors import Malformed
from chalicelib.parking.model import MOST_METRES, Fee, Hours, Near

USUAL_METRES = 1000
USUAL_MINUTES = 60
MOST_MINUTES = 7 * 24 * 60
DECIMAL = re.compile(r"-?\d{1,3}(\.\d{1,20})?", re.ASCII)
WHOLE = re.compile(r"\d{1,6}", re.ASCII)


class Search(Struct, frozen=True):
    lat: float
    lon: float
    metres: int
    minutes: int


def search_of(query: dict[str, str]) -> Search:
    """Malformed names every number that is missing, unreadable or out of range."""
    wrong: list[tuple[str, str]] = []

    def number(name: str, shape: re.Pattern[str], least: int, most: int, usual: int | None = None) -> float:
        text = query.get(name, "" if usual is None else str(usual))
        if not shape.fullmatch(text) or not least <= float(text) <= most:
            wrong.append((name, f"a number from {least} to {most}"))
            return 0
        return float(text)

    lat, lon = number("lat", DECIMAL, -90, 90), number("lon", DECIMAL, -180, 180)
    metres = number("radius", WHOLE, 1, MOST_METRES, USUAL_METRES)
    minutes = number("minutes", WHOLE, 1, MOST_MINUTES, USUAL_MINUTES)
    if wrong:
        raise Malformed("the query does not fit", tuple(wrong))
    return Search(lat, lon, int(metres), int(minutes))


class PlaceView(Struct, frozen=True):
    """`metres`: as the crow flies. `stay_amount`: what the minutes asked about cost there; null where the
    data do not say."""

    place_id: str
    name: str
    address: str
    lat: float
    lon: float
    metres: int
    spaces: int | None
    free_of_charge: bool
    fee: Fee
    stay_amount: int | None
    hours: Hours
    phone: str | None

    @classmethod
    def of(cls, near: Near) -> "PlaceView":
        place = near.place
        return cls(
            place_id=place.place_id,
            name=place.name,
            address=place.address,
            lat=place.lat,
            lon=place.lon,
            metres=near.metres,
            spaces=place.spaces,
            free_of_charge=place.free_of_charge,
            fee=place.fee,
            stay_amount=near.stay_amount,
            hours=place.hours,
            phone=place.phone,
        )


class ParkingView(Struct, frozen=True):
    """Nearest first, at most 50."""

    places: list[PlaceView]

    @classmethod
    def of(cls, found: list[Near]) -> "ParkingView":
        return cls([PlaceView.of(near) for near in found])
