"""Memorable contracts, keys, scans and webhooks for the tests of this context."""

import json
from datetime import datetime, timedelta
from typing import Any

from chalicelib.kernel.auth import Caller, Group
from chalicelib.keys.gateway import signed
from chalicelib.keys.model import Delivery, Position, Scan, Tracking
from tests.conftest import NOON

KIM = Caller("kim")
LEE = Caller("lee")
PARK = Caller("park")
PACKER = Caller("paula", frozenset({Group.PACKER}))
COURIER = Caller("carl", frozenset({Group.COURIER}))
OPS = Caller("olga", frozenset({Group.OPS}))

LABELS = {"kim": "11" * 32, "lee": "22" * 32, "park": "33" * 32}
HOME = LABELS["kim"]
IN_TWO_WEEKS = NOON + timedelta(days=14)
EASYPOST = Tracking("easypost", "EZ1000000001")


def secret(name: str) -> str:
    return f"secret of {name}"


def label_of(name: str) -> str:
    return LABELS.get(name, "99" * 32)


class Contracts:
    """Everybody has a contract and a key: kim has con_kim, tag-kim and car-kim."""

    def __init__(self) -> None:
        self.changed: dict[str, Delivery] = {}

    def delivery(self, contract_id: str) -> Delivery:
        name = contract_id.removeprefix("con_")
        if contract_id in self.changed:
            return self.changed[contract_id]
        return Delivery(contract_id, name, f"car-{name}", f"tag-{name}", label_of(name), IN_TWO_WEEKS)


class Relief:
    """Remembers which shards were handed on."""

    def __init__(self) -> None:
        self.shards: list[int] = []

    def hand_on(self, shard: int) -> None:
        self.shards.append(shard)


def pack(
    at: datetime = NOON,
    tag: str = "tag-kim",
    label: str = HOME,
    tracking: Tracking | None = EASYPOST,
    place: Position | None = None,
) -> Scan:
    return Scan("pack", tag, label, at, tracking, place)


def handoff(at: datetime = NOON, tag: str = "tag-kim") -> Scan:
    return Scan("handoff", tag, "", at)


def easypost(number: str = EASYPOST.number, *details: tuple[datetime, str]) -> bytes:
    """A tracker's webhook with these scans: when, and `status` or `status/status_detail`."""
    history = []
    for at, word in details:
        status, _, detail = word.partition("/")
        history.append({"datetime": at.isoformat(), "status": status, "status_detail": detail or "unknown"})
    tracker = {"object": "Tracker", "tracking_code": number, "tracking_details": history}
    return json.dumps({"object": "Event", "description": "tracker.updated", "result": tracker}).encode()


def aftership(number: str, *points: tuple[datetime, str, Position | None]) -> bytes:
    """A tracking update with these checkpoints: when, tag, and where."""
    checkpoints = []
    for at, tag, place in points:
        coordinate = {"latitude": place.lat, "longitude": place.lon} if place else None
        checkpoints.append({"checkpoint_time": at.isoformat(), "tag": tag, "coordinate": coordinate})
    message = {"tracking_number": number, "checkpoints": checkpoints}
    return json.dumps({"event": "tracking_update", "msg": message}).encode()


def signature(carrier: str, raw: bytes) -> str:
    return signed(secret(f"carrier-{carrier}"), raw)


def scan_body(**changes: Any) -> dict[str, Any]:
    return {
        "event": "pack",
        "key_tag": "tag-kim",
        "label_hash": HOME,
        "occurred_at": "2026-03-02T12:00:00+09:00",
        "carrier": "easypost",
        "tracking_number": "EZ1000000001",
        **changes,
    }
