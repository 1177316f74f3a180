"""A carrier's word: verified, read, counted, and kept once."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.kernel.errors import Malformed
from chalicelib.keys.gateway import AFTERSHIP, DELIVERY_TRACKER, EASYPOST, SignedCarriers, signed
from chalicelib.keys.model import BadSignature, Tracking, UnknownCarrier
from tests.conftest import NOON, Hands
from tests.keys.conftest import World, dynamodb_world
from tests.keys.examples import easypost, secret, signature

CARRIERS = SignedCarriers(secret)
TRACKED = easypost("EZ1", (NOON, "in_transit"))


def scans(carrier: str, payload: dict[str, Any]) -> list[tuple[str, datetime, str]]:
    raw = json.dumps(payload).encode()
    report = CARRIERS.report(carrier, raw, signature(carrier, raw))
    return [(scan.event.value, scan.at, scan.code) for scan in report.scans]


def test_a_signature_is_the_hmac_of_the_raw_body() -> None:
    known = "sha256=f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8"
    assert signed("key", b"The quick brown fox jumps over the lazy dog") == known


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "sha256=",
        "sha256=" + "0" * 64,
        signature("aftership", TRACKED),
        signature("easypost", TRACKED + b" "),
        signature("easypost", TRACKED).removeprefix("sha256="),
        "서명",
    ],
)
def test_without_the_right_signature_nothing_is_read_or_written(world: World, wrong: str) -> None:
    world.on_the_way()
    before = world.history()
    with pytest.raises(BadSignature):
        world.service.carrier_event("easypost", TRACKED, wrong)
    with pytest.raises(BadSignature):
        world.service.carrier_event("easypost", b"{", wrong)
    assert world.history() == before


def test_an_unknown_carrier_has_no_secret_to_ask_for() -> None:
    with pytest.raises(UnknownCarrier):
        SignedCarriers(lambda name: pytest.fail(name)).report("pigeon", b"{}", "")


HOSTILE = {
    "nothing": b"",
    "not JSON": b"key: value",
    "not UTF-8": b'{"description": "tracker.updated\xff", "result": {}}',
    "half a document": TRACKED[:-2],
    "two documents": TRACKED + b"{}",
    "a list": b"[]",
    "a number": b"1e999",
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "deep, in a field": b'{"description":"tracker.updated","result":'
    + b'{"a":' * 30_000
    + b"1"
    + b"}" * 30_001,
    "wrong types": b'{"description": 1, "result": {"tracking_code": {}, "tracking_details": 5}}',
    "details of wrong types": easypost("EZ1").replace(b"[]", b'[{"datetime": 5, "status": []}]'),
    "no number": easypost(""),
    "a long number": easypost("9" * 65),
    "no time": easypost("EZ1").replace(b"[]", b'[{"datetime": "soon", "status": "delivered"}]'),
    "before our time": easypost("EZ1", (datetime(1, 1, 1, tzinfo=UTC), "delivered")),
    "a word too long": easypost("EZ1", (NOON, "x" * 65)),
}


def test_what_cannot_be_read_is_refused_and_changes_nothing(world: World) -> None:
    world.on_the_way()
    before = world.history()
    for name, raw in HOSTILE.items():
        with pytest.raises(Malformed):
            pytest.fail(f"{name}: {world.service.carrier_event('easypost', raw, signature('easypost', raw))}")
    assert world.history() == before


def test_the_other_carriers_are_read_as_strictly() -> None:
    point = {
        "checkpoint_time": "2026-03-02T12:00:00",
        "tag": "Delivered",
        "coordinate": {"latitude": 91, "longitude": 0},
    }
    for carrier, payload in (
        ("aftership", {}),
        ("aftership", {"msg": {"tracking_number": "A1", "checkpoints": None}}),
        ("aftership", {"msg": {"tracking_number": "A1", "checkpoints": [point]}}),
        ("delivery-tracker", {"carrierId": "kr.cjlogistics", "trackingNumber": "1"}),
        ("delivery-tracker", {"carrierId": "kr.cjlogistics", "trackingNumber": "1", "track": {"events": {}}}),
    ):
        with pytest.raises(Malformed):
            scans(carrier, payload)


def test_a_repetition_is_welcome_and_changes_nothing(world: World) -> None:
    world.on_the_way()
    first = world.hear((NOON, "in_transit"))
    before = world.history()
    again = world.hear((NOON, "in_transit"))
    assert (first.known, first.new, again.known, again.scans, again.new) == (True, 1, True, 1, 0)
    assert world.history() == before


def test_the_same_moment_may_have_two_words_but_not_one_word_twice(world: World) -> None:
    world.on_the_way()
    world.clock.move(hours=1)
    heard = world.hear(
        (world.clock(), "in_transit/arrived_at_facility"),
        (world.clock(), "in_transit/departed_facility"),
        (world.clock(), "in_transit/departed_facility"),
    )
    assert (heard.scans, heard.new) == (3, 2)


def test_one_word_said_twice_is_kept_once_for_a_number_nobody_knows_yet(world: World) -> None:
    twice = easypost("EZ-EARLY", (NOON, "in_transit"), (NOON, "in_transit"))
    heard = world.service.carrier_event("easypost", twice, signature("easypost", twice))
    assert (heard.known, heard.scans, heard.new) == (False, 2, 1)


def test_news_of_something_else_is_acknowledged() -> None:
    assert scans("easypost", {"description": "batch.updated", "result": {"object": "Batch"}}) == []


@pytest.mark.parametrize(("said", "meant"), EASYPOST.items())
def test_easyposts_words(said: str, meant: str) -> None:
    status, _, detail = said.partition("/")
    told = {"datetime": "2026-03-02T03:00:00Z", "status": status, "status_detail": detail or "status_update"}
    tracker = {"tracking_code": "EZ1", "tracking_details": [told]}
    found = scans("easypost", {"description": "tracker.updated", "result": tracker})
    assert found == [(meant, NOON, f"{status}/{detail or 'status_update'}")]


@pytest.mark.parametrize(("said", "meant"), AFTERSHIP.items())
@pytest.mark.parametrize("time", ["2026-03-02T12:00:00", "2026-03-02T12:00:00+09:00", "2026-03-02T03:00:00Z"])
def test_afterships_words_and_the_couriers_own_times(said: str, meant: str, time: str) -> None:
    tag, _, sub = said.partition("_")
    point = {"checkpoint_time": time, "tag": tag, "subtag": said if sub else f"{tag}_001"}
    found = scans("aftership", {"msg": {"tracking_number": "A1", "checkpoints": [point]}})
    assert found == [(meant, NOON, point["subtag"])]


@pytest.mark.parametrize(("said", "meant"), DELIVERY_TRACKER.items())
def test_delivery_trackers_words(said: str, meant: str) -> None:
    nodes = [
        {"status": {"code": said, "name": "이름"}, "time": "2026-03-02T12:00:00.000+09:00"},
        {"status": {"code": said, "name": None}, "time": None},
    ]
    track = {"events": {"edges": [{"node": node, "cursor": ""} for node in nodes]}}
    payload = {"carrierId": "kr.cjlogistics", "trackingNumber": "6123-4567-8901", "track": track}
    assert scans("delivery-tracker", payload) == [(meant, NOON, said)]
    raw = json.dumps(payload).encode()
    report = CARRIERS.report("delivery-tracker", raw, signature("delivery-tracker", raw))
    assert report.tracking == Tracking("delivery-tracker", "612345678901")


@contextmanager
def counted(client: Any) -> Iterator[list[str]]:
    """The DynamoDB operations called meanwhile."""
    calls: list[str] = []

    def note(model: Any, **rest: Any) -> None:
        calls.append(model.name)

    client.meta.events.register("before-call.dynamodb", note)
    yield calls
    client.meta.events.unregister("before-call.dynamodb", note)


def test_a_webhook_costs_a_bounded_number_of_calls(dynamodb: Any) -> None:
    world = dynamodb_world(Hands(), dynamodb)
    world.on_the_way()
    world.clock.move(hours=12)
    history = [(NOON + timedelta(minutes=number), "in_transit") for number in range(30)]
    world.service.calendar()  # read once a minute
    with counted(dynamodb) as calls:
        world.hear(*history[:29])
    assert calls == ["GetItem", *["Query", "TransactWriteItems"] * 2]
    with counted(dynamodb) as calls:
        world.hear(*history)
    assert calls == ["GetItem", "Query", "TransactWriteItems"]
    with counted(dynamodb) as calls:
        world.hear(*history)
    assert calls == ["GetItem", "Query"]
    with counted(dynamodb) as calls:
        world.hear(*history, number="nobody's")
    assert calls == ["GetItem", "TransactWriteItems"]


def test_a_sweep_costs_sixteen_queries_and_one_transaction_for_each_ring(dynamodb: Any) -> None:
    world = dynamodb_world(Hands(), dynamodb)
    world.on_the_way()
    with counted(dynamodb) as calls:
        world.service.sweep()
    assert calls == ["Query"] * 16
    world.clock.move(hours=24)
    with counted(dynamodb) as calls:
        world.service.sweep()
    calendar = 1
    assert sorted(calls) == ["Query"] * (16 + calendar) + ["TransactWriteItems"]
