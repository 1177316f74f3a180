"""What is published is what the sample files say, and nobody is named in it; what is heard is understood."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from msgspec import convert

from chalicelib.appointments import schemas
from chalicelib.appointments.model import NAMES, TOLD, Which
from chalicelib.handlers.appointments import HEARD
from chalicelib.kernel.facts import Fact
from tests.appointments.conftest import World, memory_world
from tests.appointments.examples import HOME, IN_TWO_WEEKS
from tests.conftest import ROOT, Hands

LATER = IN_TWO_WEEKS + timedelta(days=1)


def moved(world: World) -> None:
    world.paid()
    world.until(IN_TWO_WEEKS - timedelta(hours=20))
    world.move_to(LATER, address="서울시 강남구 테헤란로 1")


def late(world: World) -> None:
    world.paid()
    world.until(IN_TWO_WEEKS)
    world.sweep()
    world.clock.move(hours=1)
    world.sweep()


def opened(world: World) -> None:
    world.locked_out()
    world.clock.move(minutes=15)
    world.sweep()
    world.clock.move(minutes=45)
    world.unlocked()


def returned(world: World) -> None:
    world.returning()
    world.until(IN_TWO_WEEKS)
    world.say("returned", which=Which.RETURN)


def cancelled(world: World) -> None:
    world.paid()
    world.told("ContractCancelled")


PUBLISHED: dict[str, Callable[[World], None]] = {
    "AppointmentMoved": moved,
    "AppointmentConfirmed": World.paid,
    "AppointmentAtRisk": late,
    "AppointmentMissed": late,
    "AppointmentOverdue": opened,
    "AppointmentCancelled": cancelled,
    "PartnerDeparted": opened,
    "CarArrived": opened,
    "CarLockedOut": opened,
    "LockoutEnded": opened,
    "HandoverCompleted": opened,
    "ReturnCompleted": returned,
}


def published(name: str) -> Fact:
    world = memory_world(Hands())
    PUBLISHED[name](world)
    return world.facts(name)[-1]


def sample(name: str) -> Any:
    return json.loads((ROOT / f"events/facts/{name}.json").read_text())


def test_every_fact_has_its_sample() -> None:
    assert {*NAMES.values(), "AppointmentMoved", "AppointmentOverdue", "LockoutEnded"} == set(PUBLISHED)


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_fact_is_the_sample_and_as_its_schema_says(name: str) -> None:
    told = published(name)
    assert told.envelope() == sample(name)
    shape = getattr(schemas, name)
    assert convert(told.data, shape, strict=True)
    assert set(told.data) == set(shape.__struct_fields__)


@pytest.mark.parametrize("name", PUBLISHED)
def test_nobody_is_named_in_a_fact(name: str) -> None:
    text = published(name).json()
    assert not any(word in text for word in (HOME, "테헤란로", '"kim"', "anna", "olga"))


@pytest.mark.parametrize("name", HEARD)
def test_we_understand_what_others_publish(name: str) -> None:
    shape = schemas.ContractTold if name in TOLD else getattr(schemas, name)
    assert convert(sample(name)["data"], shape)
