"""Car parks near a place, for everybody."""

from chalicelib import wiring
from chalicelib.kernel.http import PUBLIC, Call, Routes
from chalicelib.parking.schemas import ParkingView, search_of

routes = Routes(__name__)


@routes.get("/v1/parking", who=PUBLIC)
def parking(call: Call) -> ParkingView:
    """Public car parks around a place, nearest first, with hours, fees and what a stay costs."""
    asked = search_of(call.query)
    return ParkingView.of(wiring.parking().near(asked.lat, asked.lon, asked.metres, asked.minutes))
