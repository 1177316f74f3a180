"""From a table's stream to the bus `<stage>-facts`: every inserted row with a `fact`, in batches of ten."""

from collections.abc import Iterator
from typing import Any

import msgspec

from chalicelib.kernel.settings import SETTINGS

BATCH = 10


class NotCarried(Exception):
    """The bus took some entries and not others. The stream repeats the batch; consumers are idempotent."""


def _entries(event: dict[str, Any]) -> Iterator[dict[str, str]]:
    for record in event["Records"]:
        fact = record.get("dynamodb", {}).get("NewImage", {}).get("fact", {}).get("S")
        if record.get("eventName") == "INSERT" and fact:
            head = msgspec.json.decode(fact)
            yield {
                "Source": head["source"],
                "DetailType": head["type"],
                "Detail": fact,
                "EventBusName": SETTINGS.bus_name,
            }


def carry(event: dict[str, Any], client: Any) -> int:
    """The number of facts the bus accepted. NotCarried when it refused any."""
    entries = list(_entries(event))
    for start in range(0, len(entries), BATCH):
        answer = client.put_events(Entries=entries[start : start + BATCH])
        if answer["FailedEntryCount"]:
            raise NotCarried(f"{answer['FailedEntryCount']} of {len(entries)}")
    return len(entries)
