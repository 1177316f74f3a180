"""Every published fact is its sample file, and fits the schema its readers are shown."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.contracts import schemas
from chalicelib.contracts.model import Cause, Driver, Line
from chalicelib.kernel.calendar import DAY
from chalicelib.kernel.clock import stamp
from chalicelib.kernel.facts import Fact
from tests.conftest import ROOT
from tests.contracts.examples import (
    ADDRESS,
    AGENT,
    CAR_2_KEY_A,
    IN_TWO_WEEKS,
    KIM,
    KIM_MINJI,
    OPS,
    PARK_JUN,
    paid_checkout,
)
from tests.contracts.test_life import END, World

SAMPLES = ROOT / "events" / "facts"
SOON = IN_TWO_WEEKS + DAY


def long_and_happy(world: World) -> None:
    story, service = world.story.ready(), world.service
    service.handed_over(story.id, IN_TWO_WEEKS)
    world.clock.at = SOON
    world.lose()
    world.restore()
    number = str(service.add_driver(story.id, world.said(KIM), THIRD).value.number)
    service.verify(story.id)
    service.remove_driver(story.id, number, KIM)
    world.desk.refused[THIRD.licence_no] = "suspended"
    service.add_driver(story.id, world.said(KIM), THIRD)
    service.verify(story.id)
    service.swap(story.id, world.said(KIM), "preference")
    service.withdraw_swap(story.id, world.said(KIM))
    service.swap(story.id, world.said(KIM), "defect")
    service.offer_swap(story.id, world.said(OPS), CAR_2_KEY_A)
    service.finish_swap(story.id, world.said(AGENT))
    world.cancel()
    service.uncancel(story.id, world.said(KIM))
    service.renew(story.id, world.said(KIM), 12)
    world.clock.at = END
    world.ring()
    world.ring()
    world.clock.at = END + 370 * DAY
    service.received(story.id, world.clock.at)
    service.inspect(story.id, world.said(AGENT), [Line("scratch", 80_000)])
    service.settled(story.id, END + 371 * DAY)


def never_recovered(world: World) -> None:
    world.story.due_back()
    world.ring()
    world.ring()


def at_risk_and_cancelled(world: World) -> None:
    world.story.preparing()
    world.ring()
    world.service.cancel(world.story.id, world.said(OPS), Cause.CUSTOMER)


def paid_too_late(world: World) -> None:
    world.ring()
    world.service.verify(world.story.id)
    world.ring()
    world.service.captured(paid_checkout(world.story.id))


def refused(world: World) -> None:
    world.desk.refused[KIM_MINJI.licence_no] = "suspended"
    world.service.verify(world.story.id)


THIRD = Driver("Lee", "+821055556666", PARK_JUN.birth_date, "131234567899", "en")
STORIES: tuple[Callable[[World], None], ...] = (
    long_and_happy,
    never_recovered,
    at_risk_and_cancelled,
    paid_too_late,
    refused,
)


def told() -> dict[str, Fact]:
    """One of each kind, the first that is told."""
    found: dict[str, Fact] = {}
    for story in STORIES:
        world = World()
        story(world)
        for fact in world.facts:
            found.setdefault(fact.type, fact)
    return found


TOLD = told()


def sample(kind: str) -> Any:
    return json.loads((SAMPLES / f"{kind}.json").read_text())


@pytest.mark.parametrize("kind", sorted(TOLD))
def test_a_published_fact_is_its_sample(kind: str) -> None:
    assert TOLD[kind].envelope() | {"id": "evt"} == sample(kind) | {"id": "evt"}
    assert TOLD[kind].data_as(getattr(schemas, kind))
    assert TOLD[kind].data.keys() == set(getattr(schemas, kind).__struct_fields__)


def test_every_sample_of_this_context_is_told() -> None:
    ours = {
        path.stem for path in SAMPLES.glob("*.json") if sample(path.stem)["source"] == "handover.contracts"
    }
    assert ours == TOLD.keys()


def test_no_fact_names_anybody() -> None:
    everything = "".join(fact.json() for fact in TOLD.values())
    personal = (*vars_of(KIM_MINJI), *vars_of(PARK_JUN), *vars_of(THIRD), ADDRESS, "tok_visa")
    assert not [each for each in personal if each in everything]


def vars_of(driver: Driver) -> tuple[str, ...]:
    return (driver.name, driver.phone, driver.licence_no, str(driver.birth_date))


def test_money_in_facts_adds_up() -> None:
    for kind in ("ContractCancelled", "ContractEnding"):
        data = TOLD[kind].data
        assert sum(line["amount"] for line in data["lines"]) == data.get("refund", 0) - data["charge"]


def test_times_are_written_one_way() -> None:
    assert TOLD["ContractReady"].time == stamp(TOLD["ContractReady"].at)
    assert TOLD["ContractActivated"].data["starts_at"] == stamp(IN_TWO_WEEKS)
