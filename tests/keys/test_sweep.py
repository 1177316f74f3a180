from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from chalicelib.kernel.clock import stamp
from chalicelib.keys.gateway import SignedCarriers
from chalicelib.keys.model import Change, Shipment, Tracking
from chalicelib.keys.service import KeyService
from chalicelib.keys.store import KeyStore
from tests.conftest import NOON, Hands
from tests.keys.conftest import World, dynamodb_world, memory_world
from tests.keys.examples import Contracts, label_of, pack, secret

FROZEN = {
    "handed_to_carrier": ((), 24),
    "in_transit": (("in_transit",), 24),
    "out_for_delivery": (("in_transit", "out_for_delivery"), 12),
    "attempt_failed": (("in_transit", "failure/delivery_exception"), 24),
    "returning": (("in_transit", "return_to_sender"), 24),
}


def sent(world: World, *names: str) -> None:
    """Packed and taken by the carrier now, each under its own name as its number."""
    for name in names:
        world.plan(name)
        world.scan(pack(world.clock(), f"tag-{name}", label_of(name), Tracking.of("easypost", name)))
        world.hear((world.clock(), "in_transit"), number=name)


@pytest.mark.parametrize("state", FROZEN)
def test_a_key_frozen_anywhere_on_its_way_is_found(world: World, state: str) -> None:
    words, hours = FROZEN[state]
    world.on_the_way()
    for word in words:
        world.clock.move(minutes=10)
        world.hear((world.clock(), word))
    assert world.state() == state
    world.clock.move(hours=hours, seconds=-1)
    assert world.service.sweep().claimed == 0
    world.clock.move(seconds=1)
    report = world.service.sweep()
    assert (report.found, report.claimed, report.rows_read, world.state()) == (1, 1, 1, "stalled")
    fact = world.facts()[-1]
    assert (fact.type, fact.data["from_state"]) == ("KeyShipmentLate", state)
    assert fact.data["occurred_at"] == stamp(world.clock())


def test_a_key_that_moved_in_time_is_not_alarmed(world: World) -> None:
    sent(world, "kim")
    world.clock.move(hours=23)
    world.hear((world.clock(), "in_transit"), number="kim")
    world.clock.move(hours=2)
    assert world.service.sweep().found == 0
    assert world.state() == "in_transit"


def test_an_idle_sweep_is_sixteen_queries(world: World) -> None:
    sent(world, "kim")
    report = world.service.sweep()
    assert (report.found, report.claimed, report.rows_read, report.queries) == (0, 0, 0, 16)


def test_each_rung_rings_once_and_the_next_one_in_its_time(world: World) -> None:
    sent(world, "kim")
    world.clock.move(hours=24)
    assert [world.service.sweep().claimed for _ in range(3)] == [1, 0, 0]
    world.clock.move(hours=48)
    assert [world.service.sweep().claimed for _ in range(3)] == [1, 0, 0]
    assert (world.state(), world.history().shipment.rung) == ("lost", 2)
    world.clock.move(hours=24)
    assert [world.service.sweep().claimed for _ in range(3)] == [1, 0, 0]
    assert [fact.data["event"] for fact in world.facts()][-3:] == [
        "T.scan_gap",
        "T.declare_lost",
        "T.rekey_by",
    ]


def test_after_an_outage_every_overdue_rung_is_made_up_for(world: World) -> None:
    sent(world, "kim")
    world.clock.move(days=10)
    assert [world.service.sweep().claimed for _ in range(9)] == [1] * 9
    assert world.service.sweep().claimed == 0
    assert world.history().shipment.rung == 9


def test_a_scan_that_was_only_late_in_coming_takes_the_alarm_back(world: World) -> None:
    sent(world, "kim")
    world.clock.move(hours=25)
    world.service.sweep()
    assert world.state() == "stalled"
    world.hear((NOON + timedelta(hours=20), "in_transit"), number="kim")
    shipment = world.history().shipment
    assert (shipment.state, shipment.due_at) == ("in_transit", NOON + timedelta(hours=44))
    world.clock.move(hours=19)
    assert world.service.sweep().claimed == 1
    assert (world.state(), world.history().shipment.rung) == ("stalled", 2)


def test_a_scan_after_the_silence_ends_it(world: World) -> None:
    sent(world, "kim")
    world.clock.move(hours=25)
    world.service.sweep()
    world.hear((world.clock(), "out_for_delivery"), number="kim")
    assert (world.state(), world.said()[-1]) == ("out_for_delivery", "KeyShipmentMoved")


def test_a_key_nobody_packs_is_heard_of_every_day(world: World) -> None:
    world.plan()
    world.clock.move(days=10)
    assert world.service.sweep().claimed == 1
    world.clock.move(days=1)
    assert world.service.sweep().claimed == 1
    assert [fact.data["event"] for fact in world.facts()] == ["T.pack_by", "T.pack_by"]
    assert world.state() == "planned"


def test_sweeps_at_once_ring_each_timer_once(world: World) -> None:
    names = [f"n{number:02d}" for number in range(20)]
    sent(world, *names)
    world.clock.move(hours=24)
    claimed: list[int] = []
    world.at_once(4, lambda: claimed.append(world.service.sweep().claimed))
    assert sum(claimed) == len(names)
    late = [fact.subject for fact in world.facts() if fact.type == "KeyShipmentLate"]
    assert len(late) == len(set(late)) == len(names)


class Breaking:
    """A store whose rings break off: every third before it is stored, every fourth after."""

    def __init__(self, store: Any) -> None:
        self._store, self._rings = store, 0

    def ring(self, change: Change) -> None:
        self._rings += 1
        if self._rings % 3 == 0:
            raise ConnectionError
        self._store.ring(change)
        if self._rings % 4 == 0:
            raise ConnectionError

    def due(self, shard: int, until: datetime) -> Iterator[Sequence[Shipment]]:
        yield from self._store.due(shard, until)


def test_a_sweep_that_breaks_off_anywhere_is_finished_by_the_next(world: World) -> None:
    names = [f"n{number:02d}" for number in range(20)]
    sent(world, *names)
    world.clock.move(hours=24)
    breaking: Any = Breaking(world.store)
    service = KeyService(breaking, Contracts(), SignedCarriers(secret), world.clock)
    for _ in range(40):
        try:
            if service.sweep().found == 0:
                break
        except ConnectionError:
            continue
    late = [fact.subject for fact in world.facts() if fact.type == "KeyShipmentLate"]
    assert len(late) == len(set(late)) == len(names)


def test_a_stale_reading_of_the_index_rings_nothing(world: World) -> None:
    sent(world, "kim")
    world.clock.move(hours=24)
    pages = [page for shard in range(16) for page in world.store.due(shard, world.clock()) if page]
    world.hear((world.clock(), "out_for_delivery"), number="kim")

    class Stale(Breaking):
        def ring(self, change: Change) -> None:
            self._store.ring(change)

        def due(self, shard: int, until: datetime) -> Iterator[Sequence[Shipment]]:
            yield from pages if shard == 0 else []

    stale: Any = Stale(world.store)
    report = KeyService(stale, Contracts(), SignedCarriers(secret), world.clock).sweep()
    assert (report.found, report.claimed, world.state()) == (1, 0, "out_for_delivery")


def test_all_that_is_due_is_found_page_by_page(dynamodb: Any) -> None:
    world = dynamodb_world(Hands(), dynamodb)
    names = [f"n{number:02d}" for number in range(40)]
    sent(world, *names)
    world.clock.move(hours=24)
    small_pages = KeyService(KeyStore(due_page=2), Contracts(), SignedCarriers(secret), world.clock)
    report = small_pages.sweep()
    assert (report.found, report.claimed, report.rows_read) == (40, 40, 40)
    assert report.queries <= 40 + 16


def test_the_indexes_hold_what_is_due_and_what_is_in_trouble_and_nothing_else(dynamodb: Any) -> None:
    def indexed(name: str) -> list[str]:
        rows = dynamodb.scan(TableName="test-keys", IndexName=name)["Items"]
        return sorted(row["contract_id"]["S"] for row in rows)

    world = dynamodb_world(Hands(), dynamodb)
    sent(world, "kim", "lee")
    assert (indexed("due"), indexed("trouble")) == (["con_kim", "con_lee"], [])
    world.clock.move(hours=23)
    world.hear((world.clock(), "in_transit"), number="lee")
    world.clock.move(hours=1)
    world.service.sweep()
    assert (indexed("due"), indexed("trouble")) == (["con_kim", "con_lee"], ["con_kim"])
    world.says_by_name("kim", "tag-kim")
    assert (indexed("due"), indexed("trouble")) == (["con_lee"], [])


@pytest.mark.parametrize("open_shipments", [10, 60])
def test_a_sweep_reads_what_is_due_and_nothing_else(open_shipments: int) -> None:
    world = memory_world(Hands())
    sent(world, "late")
    world.clock.move(hours=24)
    sent(world, *(f"n{number:02d}" for number in range(open_shipments)))
    report = world.service.sweep()
    assert (report.found, report.rows_read, report.queries) == (1, 1, 16)


def test_operations_see_who_has_been_in_trouble_longest(world: World) -> None:
    sent(world, "kim")
    world.clock.move(hours=1)
    sent(world, "lee", "park")
    world.hear((world.clock(), "delivered"), number="park")
    world.clock.move(hours=24)
    assert world.service.oldest_due(world.clock()) == NOON + timedelta(hours=24)
    world.service.sweep()
    world.says_by_name("park", None)
    assert world.service.oldest_due(world.clock()) is None
    troubles = world.service.troubles(2)
    assert [(each.contract_id, each.kind) for each in troubles] == [
        ("con_kim", "stalled"),
        ("con_lee", "stalled"),
    ]
    world.says_by_name("kim", "tag-kim")
    assert [each.kind for each in world.service.troubles(10)] == ["stalled", "wrong_address"]
