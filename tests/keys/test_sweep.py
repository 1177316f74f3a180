"""Silence is found in its time, told once for each rung, and nothing else is read."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest

from chalicelib.kernel.clock import stamp
from chalicelib.kernel.facts import Fact
from chalicelib.keys.gateway import SignedCarriers
from chalicelib.keys.model import Change, Shipment, Tracking
from chalicelib.keys.service import KeyService
from chalicelib.keys.store import KeyStore
from tests.conftest import NOON, Hands
from tests.keys.conftest import World, dynamodb_world, memory_world
from tests.keys.examples import Contracts, Relief, label_of, pack, secret

FROZEN = {
    "handed_to_carrier": ((), 24),
    "in_transit": (("in_transit",), 24),
    "out_for_delivery": (("in_transit", "out_for_delivery"), 12),
    "attempt_failed": (("in_transit", "failure/delivery_exception"), 24),
    "returning": (("in_transit", "return_to_sender"), 24),
}
STALL = ["T.scan_gap", "stalled#1 ops", "stalled#2 smart_key", "stalled#3 replan", "T.declare_lost"]
LOSS = ["lost#1 ops", "lost#2 smart_key", "lost#3 replan"]


def sent(world: World, *names: str) -> None:
    """Packed and taken by the carrier now, each under its own name as its number."""
    for name in names:
        world.plan(name)
        world.scan(pack(world.clock(), f"tag-{name}", label_of(name), Tracking.of("easypost", name)))
        world.hear((world.clock(), "in_transit"), number=name)


def word(fact: Fact) -> str:
    """What the clock said: a timer's name, or state, rung and action."""
    data = fact.data
    escalated = fact.type == "KeyShipmentEscalated"
    return f"{data['state']}#{data['rung']} {data['action']}" if escalated else str(data["event"])


def rung(world: World) -> list[tuple[str, str, str]]:
    """Shipment, what rang, and when it was due."""
    told = [(fact.subject, word(fact), fact.data["occurred_at"]) for fact in world.facts()]
    return [each for each in told if each[1].startswith("T.") or "#" in each[1]]


def words(world: World) -> list[str]:
    return [what for _, what, _ in rung(world)]


@pytest.mark.parametrize("state", FROZEN)
def test_a_key_frozen_anywhere_on_its_way_is_found(world: World, state: str) -> None:
    said, hours = FROZEN[state]
    world.clock.move(days=1)
    world.on_the_way()
    for each in said:
        world.clock.move(minutes=10)
        world.hear((world.clock(), each))
    assert world.state() == state
    world.clock.move(hours=hours, seconds=-1)
    assert world.service.sweep().claimed == 0
    world.clock.move(seconds=1)
    report = world.service.sweep()
    assert (report.found, report.claimed, world.state()) == (1, 1, "stalled")
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
    assert (report.found, report.claimed, report.queries, report.oldest) == (0, 0, 16, None)


def test_each_rung_rings_once_and_the_next_one_in_its_time(world: World) -> None:
    sent(world, "kim")
    world.clock.move(hours=24)
    assert world.swept() == [1, 1]
    assert words(world) == STALL[:2]
    for hours, rings in ((2, 1), (22, 1), (24, 3)):
        world.clock.move(hours=hours, seconds=-1)
        assert world.swept() == []
        world.clock.move(seconds=1)
        assert world.swept() == [1] * rings
    assert (world.state(), words(world)) == ("lost", STALL + LOSS[:2])
    world.clock.move(hours=4)
    assert world.swept() == [1]
    assert words(world) == STALL + LOSS


def test_a_rung_says_what_it_asks_for_and_since_when(world: World) -> None:
    sent(world, "kim")
    world.clock.move(hours=26)
    assert world.swept() == [1, 1, 1]
    ops, key = world.facts()[-2:]
    assert (ops.type, ops.data["action"], ops.data["rung"]) == ("KeyShipmentEscalated", "ops", 1)
    assert (key.data["action"], key.data["rung"], key.data["state"]) == ("smart_key", 2, "stalled")
    stalled = NOON + timedelta(hours=24)
    assert (key.data["since"], key.data["occurred_at"]) == (stamp(stalled), stamp(world.clock()))


def test_a_key_that_moves_again_takes_no_further_rung(world: World) -> None:
    sent(world, "kim")
    world.clock.move(hours=25)
    assert world.swept() == [1, 1]
    world.hear((world.clock(), "in_transit"), number="kim")
    world.clock.move(hours=23)
    assert world.swept() == []
    world.clock.move(hours=1)
    assert world.swept() == [1, 1]
    assert words(world) == STALL[:2] * 2


def test_after_an_outage_of_days_nothing_is_lost_or_told_twice(world: World) -> None:
    """What is told, of what and as due when, is the same as if somebody had swept every hour."""
    swept = memory_world(Hands())
    for each in (world, swept):
        for state, (said, _) in FROZEN.items():
            sent(each, state)
            for number, step in enumerate(said):
                each.hear((NOON + timedelta(minutes=10 * number), step), number=state)
        each.plan("never-packed")
    for _ in range(15 * 24):
        swept.clock.move(hours=1)
        swept.swept()
    world.clock.move(days=3)
    world.swept()
    world.clock.move(days=12)
    world.swept()
    assert sorted(rung(world)) == sorted(rung(swept))
    assert len(rung(world)) == len(set(rung(world))) > 40


def test_a_scan_that_was_only_late_in_coming_takes_the_alarm_back(world: World) -> None:
    sent(world, "kim")
    world.clock.move(hours=25)
    world.swept()
    assert world.state() == "stalled"
    world.hear((NOON + timedelta(hours=20), "in_transit"), number="kim")
    shipment = world.history().shipment
    assert (shipment.state, shipment.due_at) == ("in_transit", NOON + timedelta(hours=44))
    world.clock.move(hours=19)
    assert world.swept() == [1, 1]
    assert (world.state(), words(world)) == ("stalled", STALL[:2] * 2)


def test_a_scan_after_the_silence_ends_it(world: World) -> None:
    sent(world, "kim")
    world.clock.move(hours=25)
    world.service.sweep()
    world.hear((world.clock(), "out_for_delivery"), number="kim")
    assert (world.state(), world.said()[-1]) == ("out_for_delivery", "KeyShipmentMoved")


def test_a_key_nobody_packs_is_heard_of_every_day(world: World) -> None:
    world.plan()
    world.clock.move(days=8)
    assert world.swept() == [1, 1]
    world.clock.move(days=1)
    assert world.swept() == [1, 1]
    world.clock.move(days=1)
    assert world.swept() == [1]
    assert sorted(words(world)) == ["T.pack_by"] * 3 + ["planned#1 ops", "planned#2 replan"]
    assert world.state() == "planned"


def test_sweeps_at_once_ring_each_timer_once(world: World) -> None:
    names = [f"n{number:02d}" for number in range(8)]
    sent(world, *names)
    world.clock.move(hours=26)
    world.at_once(4, world.swept)
    assert sorted(what for _, what, _ in rung(world)) == sorted(STALL[:3] * len(names))
    assert len(set(rung(world))) == len(rung(world))


class Crash(Exception):
    """The Lambda died here."""


class Dying:
    """A store in which the Lambda dies at its so manieth call: before it is sent, or with the answer lost."""

    def __init__(self, store: Any, call: int, *, answered: bool) -> None:
        self._store, self._left, self._answered = store, call, answered

    def _called(self, act: Callable[[], Any]) -> Any:
        self._left -= 1
        if self._left == 0 and not self._answered:
            raise Crash
        answer = act()
        if self._left == 0:
            raise Crash
        return answer

    def ring(self, change: Change) -> None:
        self._called(lambda: self._store.ring(change))

    def overrides(self, since: Any) -> Any:
        return self._called(lambda: self._store.overrides(since))

    def due(self, shard: int, until: datetime) -> Iterator[Sequence[Shipment]]:
        for page in self._store.due(shard, until):
            yield self._called(partial(list, page))


def sweeper(world: World, store: Any) -> KeyService:
    return KeyService(store, Contracts(), SignedCarriers(secret), Relief(), world.clock)


@pytest.mark.parametrize("answered", [True, False], ids=["after", "before"])
def test_sweepers_that_die_after_any_call_leave_each_rung_told_once(answered: bool) -> None:
    names = [f"n{number}" for number in range(4)]
    calls = 16 + 1 + len(names)
    for call in range(1, calls + 1):
        world = memory_world(Hands())
        sent(world, *names)
        world.clock.move(hours=26)
        for _ in STALL[:3]:
            for sweep in [sweeper(world, Dying(world.store, call, answered=answered)).sweep] * 3:
                try:
                    sweep()
                except Crash:
                    continue
        world.swept()
        told = rung(world)
        assert sorted(what for _, what, _ in told) == sorted(STALL[:3] * len(names)), call
        assert len(set(told)) == len(told), call


def test_a_stale_reading_of_the_index_rings_nothing(world: World) -> None:
    sent(world, "kim")
    world.clock.move(hours=24)
    pages = [page for shard in range(16) for page in world.store.due(shard, world.clock()) if page]
    world.hear((world.clock(), "out_for_delivery"), number="kim")

    class Stale:
        ring, overrides = world.store.ring, world.store.overrides

        def due(self, shard: int, until: datetime) -> Iterator[Sequence[Shipment]]:
            yield from pages if shard == 0 else []

    report = sweeper(world, Stale()).sweep()
    assert (report.found, report.claimed, world.state()) == (1, 0, "out_for_delivery")


def test_all_that_is_due_is_found_page_by_page(dynamodb: Any) -> None:
    world = dynamodb_world(Hands(), dynamodb)
    names = [f"n{number:02d}" for number in range(16)]
    sent(world, *names)
    world.clock.move(hours=24)
    report = sweeper(world, KeyStore(due_page=1)).sweep()
    assert (report.found, report.claimed) == (16, 16)
    assert report.queries <= 16 + 16


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
    assert (report.found, report.queries) == (1, 16)


def test_what_one_run_cannot_do_is_handed_on_shard_by_shard(world: World) -> None:
    sent(world, *(f"n{number:02d}" for number in range(20)))
    world.clock.move(hours=24)
    carriers = SignedCarriers(secret)
    service = KeyService(world.store, Contracts(), carriers, world.relief, world.clock, most=10)
    report = service.sweep()
    left = world.relief.shards.copy()
    assert (10 <= report.found < 20, report.handed_on) == (True, len(left))
    assert all(service.sweep([shard]).found for shard in left)
    assert sum(what == "T.scan_gap" for what in words(world)) == 20


def test_operations_see_who_has_been_in_trouble_longest(world: World) -> None:
    sent(world, "kim")
    world.clock.move(hours=1)
    sent(world, "lee", "park")
    world.hear((world.clock(), "delivered"), number="park")
    world.clock.move(hours=24)
    assert world.service.oldest_due(world.clock()) == NOON + timedelta(hours=24)
    world.says_by_name("park", None)
    world.swept()
    assert world.service.oldest_due(world.clock()) is None
    troubles = world.service.troubles(2)
    assert [(each.contract_id, each.kind) for each in troubles] == [
        ("con_kim", "stalled"),
        ("con_lee", "stalled"),
    ]
    world.says_by_name("kim", "tag-kim")
    assert [each.kind for each in world.service.troubles(10)] == ["stalled", "wrong_address"]
