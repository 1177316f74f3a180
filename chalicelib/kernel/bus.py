"""From a table's stream to the bus `<stage>-facts`: every inserted row with a `fact`, in batches of ten."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from chalicelib.kernel.facts import Fact
from chalicelib.kernel.settings import SETTINGS

BATCH = 10


class NotCarried(Exception):
    """The bus took some entries and not others. The stream repeats the batch; consumers are idempotent."""


Told = Callable[[dict[str, Any]], Fact | None]
"""The fact that an inserted row is, though it holds none."""


def _untold(_: dict[str, Any]) -> None:
    return None


def _entries(event: dict[str, Any], told: Told) -> Iterator[dict[str, str]]:
    inserted = (record for record in event["Records"] if record.get("eventName") == "INSERT")
    for record in inserted:
        image = record.get("dynamodb", {}).get("NewImage", {})
        said = None if "fact" in image else told(image)
        fact = said.json() if said else image.get("fact", {}).get("S")
        if fact:
            head = msgspec.json.decode(fact)
            yield {
                "Source": head["source"],
                "DetailType": head["type"],
                "Detail": fact,
                "EventBusName": SETTINGS.bus_name,
            }


def carry(event: dict[str, Any], client: Any, told: Told = _untold) -> int:
    """The number of facts the bus accepted. NotCarried when it refused any."""
    entries = list(_entries(event, told))
    for start in range(0, len(entries), BATCH):
        answer = client.put_events(Entries=entries[start : start + BATCH])
        if answer["FailedEntryCount"]:
            raise NotCarried(f"{answer['FailedEntryCount']} of {len(entries)}")
    return len(entries)
