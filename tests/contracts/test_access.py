"""Ready when access is proven, active when the car is handed over too, whatever is heard first."""

import itertools
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.contracts.model import AccessNews, Contract, Event
from chalicelib.contracts.service import ContractService
from chalicelib.kernel.calendar import DAY
from chalicelib.kernel.errors import Conflict
from chalicelib.kernel.facts import Fact
from tests.conftest import Hands
from tests.contracts.examples import IN_TWO_WEEKS, OPS, Story, asks
from tests.contracts.test_life import World

Facts = Callable[[], list[Fact]]
HOUR = timedelta(hours=1)
OPENED, HANDED_OVER = IN_TWO_WEEKS + HOUR, IN_TWO_WEEKS


def kinds(facts: Iterable[Fact]) -> list[str]:
    return [fact.type for fact in facts]


def test_a_delivered_key_is_not_a_proof_and_a_proven_one_is(service: ContractService, facts: Facts) -> None:
    story = Story(service).preparing()
    assert story.now.state == "preparing"
    service.access_proven(story.id, OPENED, "car-0001")
    assert (story.now.state, kinds(facts())[-1]) == ("ready", "ContractReady")


def test_the_key_of_another_car_proves_nothing(service: ContractService) -> None:
    story = Story(service).preparing()
    service.access_proven(story.id, OPENED, "car-0002")
    assert story.now.state == "preparing"


@pytest.mark.parametrize("first", ["handover", "access"])
def test_billing_starts_at_the_later_of_handover_and_first_access(
    service: ContractService, facts: Facts, first: str
) -> None:
    story = Story(service).preparing()
    hear: list[Callable[[], None]] = [
        lambda: service.handed_over(story.id, HANDED_OVER),
        lambda: service.access_proven(story.id, OPENED),
    ]
    for each in hear if first == "handover" else reversed(hear):
        each()
    assert story.now.state == "active"
    assert kinds(facts())[-2:] == ["ContractReady", "ContractActivated"]
    activated = facts()[-1].data
    assert activated["starts_at"] == activated["access_proven_at"] > activated["handed_over_at"]
    assert (story.now.starts_at, story.now.ends_at) == (
        OPENED,
        datetime(2026, 9, 16, 4, tzinfo=OPENED.tzinfo),
    )


def test_a_car_brought_without_access_is_not_active(service: ContractService) -> None:
    story = Story(service).preparing()
    service.handed_over(story.id, HANDED_OVER)
    assert (story.now.state, story.now.starts_at) == ("preparing", None)


def test_the_gate_two_hours_before(service: ContractService, facts: Facts, clock: Hands) -> None:
    story = Story(service).preparing()
    clock.at = IN_TWO_WEEKS - 2 * HOUR - timedelta(seconds=1)
    assert service.sweep().claimed == 0
    clock.move(seconds=1)
    assert [service.sweep().claimed for _ in range(3)] == [1, 0, 0]
    assert (story.now.state, story.now.why) == ("at_risk", "access_gate")
    assert facts()[-1].data == {
        "contract_id": story.id,
        "car_id": "car-0001",
        "handover_at": "2026-03-16T03:00:00.000000Z",
        "why": "access_gate",
    }
    service.access_proven(story.id, IN_TWO_WEEKS)
    assert (story.now.state, story.now.why) == ("ready", None)


def test_access_lost_before_the_handover_needs_a_new_proof(
    service: ContractService, facts: Facts, clock: Hands
) -> None:
    story = Story(service).ready()
    clock.at = OPENED
    service.access(story.id, asks("lost", by=OPS), AccessNews(True, OPENED, "ours", "flat_battery"))
    assert story.now.state == "at_risk"
    assert kinds(facts())[-2:] == ["AccessLost", "ContractAtRisk"]
    service.access_proven(story.id, OPENED - HOUR)
    assert story.now.state == "at_risk"
    service.access_proven(story.id, OPENED + HOUR)
    assert story.now.state == "ready"


def test_access_lost_in_use_is_a_gap_until_the_car_opens_again(
    service: ContractService, facts: Facts, clock: Hands
) -> None:
    story = Story(service).active()
    clock.at = OPENED
    news = AccessNews(True, OPENED, "ours", "flat_battery")
    service.access(story.id, asks("lost", by=OPS), news)
    with pytest.raises(Conflict):
        service.access(story.id, asks("lost again", by=OPS), news)
    service.access_proven(story.id, OPENED - HOUR)
    service.access_proven(story.id, OPENED + HOUR)
    service.access_proven(story.id, OPENED + HOUR)
    assert kinds(facts())[-2:] == ["AccessLost", "AccessRestored"]
    assert facts()[-2].data == {
        "contract_id": story.id,
        "at": "2026-03-16T04:00:00.000000Z",
        "fault": "ours",
        "cause": "flat_battery",
    }
    assert story.now.state == "active"


# ---- any order ---------------------------------------------------------------------------------------------

FACTS: dict[str, Callable[[World], object]] = {
    "key": lambda world: world.service.access_proven(world.story.id, OPENED, "car-0001"),
    "handover": lambda world: world.service.handed_over(world.story.id, HANDED_OVER),
    "returned": lambda world: world.service.received(world.story.id, OPENED),
    "settled": lambda world: world.service.settled(world.story.id, OPENED),
    "paid": lambda world: world.story.confirmed(),
    "verified": lambda world: world.service.verify(world.story.id),
}


def prepared() -> World:
    world = World()
    world.story.preparing()
    return world


def gate(world: World) -> None:
    world.clock.at = max(world.clock.at, IN_TWO_WEEKS - HOUR)
    world.service.sweep()


def told(world: World) -> tuple[Contract, set[str]]:
    from msgspec.structs import replace

    contract = replace(world.story.now, version=0, since=OPENED)
    return contract, set(kinds(world.facts)) - {"ContractAtRisk"}


@pytest.mark.parametrize("order", list(itertools.permutations(["key", "handover", "gate"])))
def test_every_order_of_key_handover_and_gate_ends_the_same(order: tuple[str, ...]) -> None:
    world = prepared()
    for name in order:
        gate(world) if name == "gate" else FACTS[name](world)
    contract, facts = told(world)
    assert (contract.state, contract.starts_at, contract.timer) == ("active", OPENED, Event.T_RENEW_BY)
    assert {"ContractReady", "ContractActivated"} <= facts


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_duplicates_and_late_facts_change_nothing(data: st.DataObject) -> None:
    heard = data.draw(st.permutations(["key", "handover"]))
    extra = data.draw(st.lists(st.sampled_from([*FACTS, "gate"]), max_size=6))
    plain, noisy = prepared(), prepared()
    for name in heard:
        FACTS[name](plain)
    for position, name in enumerate(heard):
        FACTS[name](noisy)
        for again in extra[position::2]:
            if again in ("paid", "verified", *heard[: position + 1]):
                FACTS[again](noisy)
    assert told(noisy) == told(plain)
    count = len(noisy.facts)
    for again in extra:
        gate(noisy) if again == "gate" else FACTS[again](noisy)
    assert told(noisy)[0].state == "active"
    assert len(noisy.facts) == count


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(["key", "handover", "gate", "cancel"]), min_size=1, max_size=8))
def test_cancelled_is_cancelled_whatever_comes_later(order: list[str]) -> None:
    world = prepared()
    for name in order:
        if name == "cancel" and not world.story.now.starts_at and world.state != "cancelled":
            world.cancel()
        elif name == "gate":
            gate(world)
        elif name != "cancel":
            FACTS[name](world)
    activated = "ContractActivated" in kinds(world.facts)
    cancelled = "ContractCancelled" in kinds(world.facts)
    assert not (activated and cancelled)
    assert (world.service.car("car-0001").contract_id is None) == cancelled
    assert (world.story.now.starts_at is not None) == activated


def test_the_window_of_a_handover_that_did_not_happen(service: ContractService, clock: Hands) -> None:
    story = Story(service).ready()
    clock.at = IN_TWO_WEEKS + 2 * HOUR
    service.sweep()
    assert (story.now.state, story.now.why) == ("at_risk", "handover_window")
    service.access_proven(story.id, IN_TWO_WEEKS - DAY)
    assert story.now.state == "at_risk"
    service.handed_over(story.id, IN_TWO_WEEKS + 3 * HOUR)
    assert story.now.state == "active"
