"""The journey store in memory: the same promises as `chalicelib.journey.store`."""

from collections.abc import Iterator

from chalicelib.journey.model import Event
from chalicelib.kernel.clock import stamp


class MemoryJourney:
    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], Event] = {}

    def record(self, event: Event) -> bool:
        place = (event.contract_id, f"{stamp(event.at)}#{event.id}")
        return self.rows.setdefault(place, event) is event

    def newest_first(self, contract_id: str, after: str | None) -> Iterator[tuple[str, Event]]:
        places = sorted((place for place in self.rows if place[0] == contract_id), reverse=True)
        for place in places:
            if after is None or place[1] < after:
                yield place[1], self.rows[place]
