"""What is published is what the sample files say, and nobody is named in it."""

import json
from datetime import date, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from chalicelib.handlers.keys import HEARD, PLANNED
from chalicelib.kernel.facts import Fact, fact_of
from chalicelib.keys.model import Delivery, Event, Tracking
from chalicelib.keys.schemas import (
    CalendarChanged,
    ContractHeard,
    KeyCustodyChanged,
    KeyLost,
    KeyShipmentEscalated,
    KeyShipmentMoved,
)
from chalicelib.keys.service import shipment_id_of
from tests.conftest import NOON, ROOT, Hands
from tests.keys.conftest import World, memory_world
from tests.keys.examples import HOME, IN_TWO_WEEKS, KIM, OPS, pack

CONTRACT = "con_30tmyxbq4sj2sfc1m7018mhayt"
PARCEL = Tracking("easypost", "EZ1")
NAMES = (
    "KeyShipmentMoved",
    "KeyShipmentLate",
    "KeyShipmentMisdelivered",
    "KeyShipmentMismatched",
    "KeyShipmentVerified",
)
SHAPES: dict[str, Any] = {
    "KeyShipmentEscalated": KeyShipmentEscalated,
    "KeyCustodyChanged": KeyCustodyChanged,
    "KeyLost": KeyLost,
    "KeyFound": KeyLost,
    "KeyRekeyed": KeyLost,
    "CalendarChanged": CalendarChanged,
}


def packed() -> World:
    """The key of the contract of the ContractAssigned sample."""
    world = memory_world(Hands())
    world.contracts.changed[CONTRACT] = Delivery(
        CONTRACT, "kim", "car-0001", "tag-0001-a", HOME, IN_TWO_WEEKS
    )
    world.service.plan(CONTRACT)
    world.scan(pack(tag="tag-0001-a", tracking=PARCEL))
    return world


def published(name: str) -> Fact:
    """The fact of that name, a day after packing."""
    world = packed()
    if name != "KeyShipmentMoved":
        _happens(world, name)
    return next(fact for fact in reversed(world.facts()) if fact.type == name)


def also_published(name: str) -> Fact:
    world = packed()
    if name == "CalendarChanged":
        world.clock.at = NOON
        world.service.announce(date(2026, 3, 6), is_open=False, note="", by=OPS, key="k1")
    elif name == "KeyCustodyChanged":
        world.hear((NOON, "in_transit"), number="EZ1")
    else:
        _silence(world, name)
    return next(fact for fact in reversed(world.facts_of_store()) if fact.type == name)


def _silence(world: World, name: str) -> None:
    world.hear((NOON, "in_transit"), number="EZ1")
    world.clock.move(hours=26)
    for _ in range(3):
        world.service.sweep()
    if name == "KeyShipmentEscalated":
        return
    world.clock.move(hours=46)
    world.swept()
    world.clock.move(minutes=30)
    event = {"KeyFound": Event.FOUND, "KeyRekeyed": Event.REKEYED}.get(name)
    if event:
        world.service.order_by_tag("tag-0001-a", event, OPS, "k1")


def _happens(world: World, name: str) -> None:
    world.hear((NOON, "in_transit"), number="EZ1")
    world.clock.move(hours=24)
    if name == "KeyShipmentLate":
        world.service.sweep()
        return
    world.hear((NOON + timedelta(hours=20), "delivered"), number="EZ1")
    tag = {"KeyShipmentMismatched": "tag-0002-a", "KeyShipmentVerified": "tag-0001-a"}.get(name)
    world.says(KIM, tag, contract_id=CONTRACT)


@pytest.mark.parametrize("name", NAMES)
def test_the_published_fact_is_the_sample(name: str) -> None:
    fact = published(name)
    assert fact.envelope() == json.loads((ROOT / f"events/facts/{name}.json").read_text())
    told = fact.data_as(KeyShipmentMoved)
    assert (told.contract_id, told.shipment_id) == (CONTRACT, fact.subject)
    assert set(fact.data) == set(KeyShipmentMoved.__struct_fields__)


@pytest.mark.parametrize("name", NAMES)
def test_nobody_is_named_in_a_fact(name: str) -> None:
    text = published(name).json()
    assert not any(word in text for word in ("kim", HOME, "paula", "tag-"))


@pytest.mark.parametrize("name", SHAPES)
def test_the_other_published_facts_are_their_samples(name: str) -> None:
    fact = also_published(name)
    assert fact.envelope() == json.loads((ROOT / f"events/facts/{name}.json").read_text())
    assert set(fact.data) == set(SHAPES[name].__struct_fields__)
    assert fact.data_as(SHAPES[name])
    assert not any(word in fact.json() for word in ("kim", HOME, "paula", "olga"))


def test_the_sample_of_an_assignment_plans_a_key() -> None:
    sample = json.loads((ROOT / "events/facts/ContractAssigned.json").read_text())
    heard = fact_of({"detail": sample}).data_as(ContractHeard)
    world = memory_world(Hands())
    delivery = world.contracts.delivery("con_kim")
    world.contracts.changed[heard.contract_id] = replace(delivery, contract_id=heard.contract_id)
    assert world.service.plan(heard.contract_id) == shipment_id_of(CONTRACT)
    assert world.store.shipment(shipment_id_of(CONTRACT)) is not None


@pytest.mark.parametrize("name", ["AppointmentMoved", "ContractCancelled", "SwapDone"])
def test_what_others_publish_is_understood(name: str) -> None:
    fact = fact_of({"detail": json.loads((ROOT / f"events/facts/{name}.json").read_text())})
    assert fact.type in {**HEARD, **PLANNED}
    assert fact.data_as(ContractHeard).contract_id.startswith("con_")
