"""Car parks: where they are, when they are open, and what a stay costs.

The map is cut into cells of 0.02 by 0.025 degrees, in Korea at least 2.2 km by 2.1 km: more than the largest
radius, so that a circle never touches more than nine.
"""

from math import asin, ceil, cos, degrees, floor, radians, sin, sqrt

from msgspec import Struct

from chalicelib.kernel.money import Won

MOST_METRES = 2000
MOST_PLACES = 50
EARTH_METRES = 6_371_008.8
"""The mean radius (IUGG)."""
CELL_LAT, CELL_LON = 0.02, 0.025
DAY_MINUTES = 24 * 60


class Fee(Struct, frozen=True):
    """As the data say it: the first `basic_minutes` cost `basic_amount`, each further `step_minutes` begun
    `step_amount`, a day at most `day_amount`. None or 0 minutes: the data do not say."""

    basic_minutes: int | None = None
    basic_amount: Won | None = None
    step_minutes: int | None = None
    step_amount: Won | None = None
    day_amount: Won | None = None

    def of(self, minutes: int) -> Won | None:
        """What a stay of so many minutes costs, None where the data leave it open."""
        days, rest = divmod(minutes, DAY_MINUTES)
        if not self.day_amount:
            return self._metered(minutes)
        metered = self._metered(rest)
        last = self.day_amount if metered is None else min(metered, self.day_amount)
        return days * self.day_amount + last

    def _metered(self, minutes: int) -> Won | None:
        if minutes == 0:
            return 0
        if self.basic_amount is None or self.basic_minutes is None:
            return None
        beyond = minutes - self.basic_minutes
        if beyond <= 0:
            return self.basic_amount
        if not self.step_minutes or self.step_amount is None:
            return None
        return self.basic_amount + ceil(beyond / self.step_minutes) * self.step_amount


class Hours(Struct, frozen=True):
    """Like "09:00-18:00"; None on days on which it is closed or of which the data say nothing."""

    weekday: str | None = None
    saturday: str | None = None
    holiday: str | None = None


class Place(Struct, frozen=True):
    """`free_of_charge`: always and for everybody."""

    place_id: str
    name: str
    address: str
    lat: float
    lon: float
    spaces: int | None
    free_of_charge: bool
    fee: Fee
    hours: Hours
    phone: str | None

    def stay(self, minutes: int) -> Won | None:
        return 0 if self.free_of_charge else self.fee.of(minutes)


class Near(Struct, frozen=True):
    """A place, how far it is as the crow flies, and what the stay asked about costs."""

    place: Place
    metres: int
    stay_amount: Won | None


def in_korea(lat: float, lon: float) -> bool:
    """Where the data set has places: from Marado to the border, from Gageodo to Dokdo."""
    return 32.5 <= lat <= 39 and 124 <= lon <= 132.5


def cell_of(lat: float, lon: float) -> str:
    return f"{floor(lat / CELL_LAT)}:{floor(lon / CELL_LON)}"


def cells_around(lat: float, lon: float, metres: float) -> list[str]:
    """Every cell that a circle around a place in Korea touches."""
    angle = metres / EARTH_METRES
    north = degrees(angle)
    east = degrees(asin(sin(angle) / cos(radians(lat))))
    rows = range(floor((lat - north) / CELL_LAT), floor((lat + north) / CELL_LAT) + 1)
    columns = range(floor((lon - east) / CELL_LON), floor((lon + east) / CELL_LON) + 1)
    return [f"{row}:{column}" for row in rows for column in columns]


def metres_between(lat: float, lon: float, place: Place) -> float:
    """By the haversine formula (R. W. Sinnott, Sky and Telescope 68, 1984)."""
    half_lat = radians(place.lat - lat) / 2
    half_lon = radians(place.lon - lon) / 2
    part = sin(half_lat) ** 2 + cos(radians(lat)) * cos(radians(place.lat)) * sin(half_lon) ** 2
    return 2 * EARTH_METRES * asin(sqrt(part))
