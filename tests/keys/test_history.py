"""Whatever the order and however often it is told, the same things happened."""

import itertools
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.keys.model import Tracking
from tests.conftest import NOON, Hands
from tests.keys.conftest import World, dynamodb_world, memory_world
from tests.keys.examples import EASYPOST, handoff, label_of, pack

Telling = Callable[[World, str], object]


def carrier(hours: float, word: str) -> Telling:
    return lambda world, name: world.hear((NOON + timedelta(hours=hours), word), number=name)


START: tuple[Telling, ...] = (
    lambda world, name: world.scan(pack(NOON, f"tag-{name}", label_of(name), Tracking.of("easypost", name))),
    lambda world, name: world.scan(handoff(NOON + timedelta(hours=1), f"tag-{name}")),
    carrier(5, "in_transit"),
    carrier(20, "out_for_delivery"),
    carrier(23, "failure/delivery_exception"),
)
DELIVERED = (*START, carrier(30, "delivered"))
TRIED_AGAIN = (*START, carrier(30, "in_transit"))
EVENTS = ["pack_scan_ok", "carrier_accept", "scan_transit", "scan_ofd", "scan_attempt_failed"]
SIX = {
    "delivered": (DELIVERED, [*EVENTS, "scan_delivered"]),
    "in_transit": (TRIED_AGAIN, [*EVENTS, "scan_transit"]),
}
"""Two histories of six events, by the state they end in, thirty hours after noon."""


def ends_as_wanted(world: World, name: str, state: str) -> bool:
    shipment = world.history(name).shipment
    last = NOON + timedelta(hours=30)
    events = [each.event for each in world.in_order(name)]
    stands = (shipment.state, shipment.since, shipment.due_at)
    return (stands, events) == ((state, last, last + timedelta(hours=24)), SIX[state][1])


@pytest.mark.parametrize("state", SIX)
def test_every_order_of_six_events_told_twice_ends_the_same(state: str) -> None:
    six, _ = SIX[state]
    for number, order in enumerate(itertools.permutations(six)):
        world, name = memory_world(Hands(NOON + timedelta(hours=40))), f"p{number}"
        world.plan(name)
        for tell in (*order, *reversed(order)):
            tell(world, name)
        assert ends_as_wanted(world, name, state), [six.index(each) for each in order]
        assert len({fact.id for fact in world.facts()}) == len(world.facts())


@pytest.mark.parametrize("state", SIX)
def test_orders_drawn_at_random_end_the_same_on_dynamodb(dynamodb: Any, state: str) -> None:
    world = dynamodb_world(Hands(NOON + timedelta(hours=40)), dynamodb)
    drawn = random.Random(7)
    for number in range(3):
        name = f"d{number}"
        world.plan(name)
        telling = [*SIX[state][0]] * 2
        drawn.shuffle(telling)
        for tell in telling:
            tell(world, name)
        assert ends_as_wanted(world, name, state), number
    facts = world.facts()
    assert len({fact.id for fact in facts}) == len(facts)


def test_a_late_word_of_an_earlier_step_is_kept_and_changes_nothing(world: World) -> None:
    world.on_the_way()
    world.clock.move(hours=30)
    world.hear((NOON + timedelta(hours=20), "delivered"))
    before = world.history().shipment
    world.hear((NOON + timedelta(hours=5), "in_transit"))
    after = world.history()
    assert (after.shipment.state, after.shipment.since, after.shipment.due_at) == (
        before.state,
        before.since,
        before.due_at,
    )
    assert [each.event for each in world.in_order()][-2:] == ["scan_transit", "scan_delivered"]
    assert world.said().count("KeyShipmentMoved") == 3


def test_a_carrier_that_sends_local_times_as_utc_does_not_live_in_the_future(world: World) -> None:
    world.on_the_way()
    world.clock.move(hours=1)
    world.hear((world.clock() + timedelta(hours=9), "in_transit"))
    world.clock.move(minutes=30)
    world.hear((world.clock(), "out_for_delivery"))
    assert world.state() == "out_for_delivery"


def test_six_tellers_at_once_lose_nothing(world: World) -> None:
    world.plan()
    world.clock.move(hours=40)
    tellings = iter(TRIED_AGAIN)
    world.at_once(6, lambda: next(tellings)(world, "kim"))
    assert ends_as_wanted(world, "kim", "in_transit")


@pytest.mark.parametrize("word", ["pre_transit", "unknown", "cancelled", "error", "a_new_word"])
def test_words_that_say_nothing_of_the_parcel_change_nothing(world: World, word: str) -> None:
    world.on_the_way()
    heard = world.hear((NOON, word))
    assert (heard.scans, heard.new) == (0, 0)
    assert world.state() == "handed_to_carrier"


def test_only_a_lot_of_events_is_too_many(world: World) -> None:
    world.on_the_way()
    world.clock.move(hours=10)
    details = [(NOON + timedelta(minutes=number), "in_transit") for number in range(60)]
    heard = world.hear(*details)
    assert (heard.scans, heard.new) == (40, 40)
    assert world.history().shipment.since == NOON + timedelta(minutes=59)
    assert world.history().shipment.tracking == EASYPOST
