"""The carriers' histories in `events/carriers`, told again: for another parcel, at another time."""

import functools
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "events" / "carriers"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
UNIX_TIME = re.compile(r'(?<="ts": )\d{10}')
ID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class History:
    """`ends`: the state once all is told, also `receipt`: what its customer says. `swept`: after a sweep at
    `now`."""

    carrier: str
    kind: str
    file: str
    tracking_number: str
    label_position: dict[str, float] | None
    receipt: dict[str, Any] | None
    ends: str
    swept: str


@functools.cache
def _index() -> dict[str, Any]:
    index: dict[str, Any] = json.loads((FOLDER / "index.json").read_text())
    return index


def moment(name: str) -> datetime:
    """What all histories share: `packed_at`, `handed_at`, and `now`, when all of it is looked at."""
    return datetime.fromisoformat(_index()[name])


def delta(now: datetime) -> timedelta:
    """By so much everything moves for `now` to be the moment of looking; whole seconds, as carriers count."""
    return timedelta(seconds=int((now - moment("now")).total_seconds()))


def histories() -> list[History]:
    return [History(**each) for each in _index()["histories"]]


def history(carrier: str, kind: str) -> History:
    return next(each for each in histories() if (each.carrier, each.kind) == (carrier, kind))


def webhooks(carrier: str, kind: str, number: str, delta: timedelta) -> Iterator[bytes]:
    """The raw bodies, in the order in which they were sent."""
    told = history(carrier, kind)
    for webhook in json.loads((FOLDER / told.file).read_text()):
        text = json.dumps(webhook, ensure_ascii=False).replace(told.tracking_number, number)
        text = TIME.sub(lambda found: _later(found[0], delta), text)
        text = UNIX_TIME.sub(lambda found: str(int(found[0]) + int(delta.total_seconds())), text)
        yield ID.sub(lambda found: _renamed(found[0], number), text).encode()


def _later(time: str, delta: timedelta) -> str:
    """The wall clock moves; an offset, if there is one, stays as it is."""
    return (datetime.fromisoformat(time) + delta).isoformat()


def _renamed(id_: str, number: str) -> str:
    """Another id of the same form; the same for the same parcel."""
    digits = iter(hashlib.sha256(f"{number} {id_}".encode()).hexdigest())
    return re.sub("[0-9a-f]", lambda _: next(digits), id_)
