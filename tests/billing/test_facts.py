"""Every published fact is its sample file and fits its schema; every fact that is heard is understood."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from chalicelib.billing import schemas
from chalicelib.kernel.auth import Caller
from chalicelib.kernel.facts import Fact, fact_of
from tests.billing.conftest import World, memory_world
from tests.billing.examples import (
    FEE,
    START,
    activated,
    cancelled,
    inspected,
    lost,
    paid,
    restored,
    returned,
)
from tests.conftest import ROOT, Hands

SAMPLES = ROOT / "events" / "facts"
DAY = timedelta(days=1)


def settled_after_a_gap(world: World) -> None:
    world.hear(paid(months=2), activated(), lost(START + 3 * DAY), restored(START + 5 * DAY))
    world.service.change_card("con_kim", "tok_new", "body", by=Caller("kim"), key="k1")
    world.days(31)
    world.hear(returned(START + 40 * DAY), inspected(START + 41 * DAY))
    world.days(1)


def never_paid_again(world: World) -> None:
    world.hear(paid(), activated())
    world.gateway.declining.add("tok_good")
    world.days(31 + 14)


def never_started_and_cancelled_by_us(world: World) -> None:
    world.hear(paid())
    world.days(10)
    world.hear(cancelled(world.clock(), first_month=FEE, compensation=93_000))
    world.days(1)


STORIES: tuple[Callable[[World], None], ...] = (
    settled_after_a_gap,
    never_paid_again,
    never_started_and_cancelled_by_us,
)


def told() -> dict[str, Fact]:
    """One of each kind, the first that is told."""
    found: dict[str, Fact] = {}
    for story in STORIES:
        world = memory_world(Hands())
        story(world)
        for fact in world.facts():
            found.setdefault(fact.type, fact)
    return found


TOLD = told()


def sample(kind: str) -> Any:
    return json.loads((SAMPLES / f"{kind}.json").read_text())


@pytest.mark.parametrize("kind", sorted(TOLD))
def test_a_published_fact_is_its_sample(kind: str) -> None:
    assert TOLD[kind].envelope() == sample(kind)
    assert TOLD[kind].data_as(getattr(schemas, kind))
    assert TOLD[kind].data.keys() == set(getattr(schemas, kind).__struct_fields__)


def test_every_sample_of_this_context_is_told() -> None:
    ours = {path.stem for path in SAMPLES.glob("*.json") if sample(path.stem)["source"] == "handover.billing"}
    assert ours == TOLD.keys()


@pytest.mark.parametrize("kind", sorted(schemas.CONSUMED))
def test_a_fact_of_another_context_is_understood_as_its_sample_says_it(kind: str) -> None:
    fact = fact_of({"detail": sample(kind)})
    contract_id, heard = schemas.heard(fact)
    assert (contract_id, heard.id, heard.told_at) == (fact.data["contract_id"], fact.id, fact.at)
    assert msgspec.json.decode(msgspec.json.encode(heard), type=type(heard)) == heard


def test_all_samples_together_settle_a_contract(clock: Hands) -> None:
    """Whatever contracts and appointments say of one contract is digested."""
    world = memory_world(clock)
    clock.move(days=600)
    for kind in schemas.CONSUMED:
        said = sample(kind)
        world.hear(fact_of({"detail": said | {"data": said["data"] | {"contract_id": "con_kim"}}}))
    world.days(10)
    assert world.said("ContractSettled") == ["ContractSettled"]
