"""Memorable contracts, keys, scans and webhooks for the tests of this context."""

import json
from datetime import datetime, timedelta
from typing import Any

from chalicelib.contracts.model import NotAssigned
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

HOME = "11" * 32
"""The hash on Kim's label; Lee's and Park's are other ones."""
IN_TWO_WEEKS = NOON + timedelta(days=14)
EASYPOST = Tracking("easypost", "EZ1000000001")


def secret(name: str) -> str:
    return f"secret of {name}"


class Contracts:
    """Three contracts with their keys: con_kim, con_lee and con_park with tag-kim, tag-lee and tag-park."""

    def __init__(self) -> None:
        self.known = {
            f"con_{name}": Delivery(f"con_{name}", name, f"car-{name}", f"tag-{name}", label, IN_TWO_WEEKS)
            for name, label in (("kim", HOME), ("lee", "22" * 32), ("park", "33" * 32))
        }

    def delivery(self, contract_id: str) -> Delivery:
        if contract_id not in self.known:
            raise NotAssigned()
        return self.known[contract_id]


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
