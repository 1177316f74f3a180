"""Every history in `events/carriers`, posted as its carrier would post it, ends where the index says."""

import json
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from msgspec.structs import replace

from chalicelib.keys.model import Position, Receipt, Scan, Tracking
from infra.local import histories
from infra.local.histories import History
from tests.conftest import ROOT, Hands
from tests.keys.conftest import World, dynamodb_world, memory_world
from tests.keys.examples import HOME, KIM, handoff, pack, signature

FOLDER = ROOT / "events" / "carriers"
ALL = histories.histories()
SHIFTS = [timedelta(0), timedelta(days=200, hours=5, minutes=7)]


def played(world: World, history: History, shift: timedelta) -> None:
    """Packed, handed over, told, and the customer has spoken."""
    place = Position(**history.label_position) if history.label_position else None
    handover_at = histories.moment("now") + shift + timedelta(days=9)
    delivery = replace(world.contracts.delivery("con_kim"), handover_at=handover_at)
    world.contracts.changed["con_kim"] = delivery
    world.plan()
    world.clock.at = histories.moment("now") + shift
    tracking = Tracking.of(history.carrier, "story-0001")
    world.scan(pack(histories.moment("packed_at") + shift, tracking=tracking, place=place))
    world.scan(handoff(histories.moment("handed_at") + shift))
    for raw in histories.webhooks(history.carrier, history.kind, "story-0001", shift):
        world.service.carrier_event(history.carrier, raw, signature(history.carrier, raw))
    if history.receipt:
        world.service.receipt("con_kim", Receipt(None), KIM, "k1")


def fresh() -> World:
    return memory_world(Hands(histories.moment("packed_at") - timedelta(days=1)))


@pytest.mark.parametrize("history", ALL, ids=lambda each: f"{each.carrier}-{each.kind}")
@pytest.mark.parametrize("shift", SHIFTS, ids=["anchored", "shifted"])
def test_a_history_ends_where_the_index_says(history: History, shift: timedelta) -> None:
    world = fresh()
    played(world, history, shift)
    assert world.state() == history.ends
    world.swept()
    assert world.state() == history.swept
    links = [fact for fact in world.facts() if fact.data.get("action") == "smart_key"]
    assert len(links) == (history.swept == "stalled")


@pytest.mark.parametrize("carrier", ["easypost", "aftership", "delivery-tracker"])
def test_a_history_ends_the_same_on_dynamodb(dynamodb: Any, carrier: str) -> None:
    world = dynamodb_world(Hands(histories.moment("packed_at") - timedelta(days=1)), dynamodb)
    history = histories.history(carrier, "late")
    played(world, history, timedelta(0))
    world.service.sweep()
    assert world.state() == history.swept


def test_every_file_is_in_the_index_and_every_carrier_is_late_and_wrong_somewhere() -> None:
    files = {str(path.relative_to(FOLDER)) for path in FOLDER.glob("*/*.json")}
    assert files == {history.file for history in ALL}
    for carrier in ("easypost", "aftership", "delivery-tracker"):
        kinds = {history.kind for history in ALL if history.carrier == carrier}
        assert {"delivered", "late", "wrong_address"} <= kinds


def test_each_webhook_carries_the_history_so_far() -> None:
    for raws in (list(histories.webhooks(each.carrier, each.kind, "n1", timedelta(0))) for each in ALL):
        assert all(len(later) > len(earlier) for earlier, later in pairwise(raws))


def test_a_history_told_again_has_its_own_number_ids_and_times() -> None:
    shift = timedelta(days=1)
    for history in ALL:
        told = [
            json.loads(raw) for raw in histories.webhooks(history.carrier, history.kind, "n1", timedelta(0))
        ]
        again = [json.loads(raw) for raw in histories.webhooks(history.carrier, history.kind, "n2", shift)]
        text = json.dumps(again)
        assert history.tracking_number not in text
        assert "2026-03-01T" not in text
        if history.carrier == "easypost":
            assert {each["id"] for each in told}.isdisjoint(each["id"] for each in again)
            assert len({each["result"]["id"] for each in again}) == 1
        if history.carrier == "aftership":
            assert {each["event_id"] for each in told}.isdisjoint(each["event_id"] for each in again)
            assert [each["ts"] + 86_400 for each in told] == [each["ts"] for each in again]


def test_the_moment_of_looking_can_be_any() -> None:
    now = histories.moment("now")
    assert histories.delta(now + timedelta(days=3, microseconds=5)) == timedelta(days=3)


def test_a_pack_scan_uses_the_moments_of_the_index() -> None:
    scan = pack(histories.moment("packed_at"))
    assert scan == Scan("pack", "tag-kim", HOME, histories.moment("packed_at"), scan.tracking)
