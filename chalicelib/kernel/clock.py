"""Time: stored in UTC, business rules in Asia/Seoul, handed in by the caller and never read in a model."""

from collections.abc import Callable
from datetime import UTC, datetime

from chalicelib.kernel import calendar

KST = calendar.KST
Clock = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


def stamp(at: datetime) -> str:
    """UTC with microseconds and a Z: fixed width, so that strings sort as times do."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def moment(text: str) -> datetime:
    """The time an RFC 3339 string names, in UTC. ValueError without an offset."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("a time needs an offset")
    return at.astimezone(UTC)
