"""A day announced late moves open deadlines, and nothing that is past."""

from datetime import date, timedelta

import pytest
from msgspec.structs import replace

from chalicelib.kernel.done import Done
from chalicelib.kernel.errors import KeyReused
from chalicelib.keys.model import SLA, DayIsOver, LabelMismatch, Override, planned
from tests.conftest import NOON
from tests.keys.conftest import World
from tests.keys.examples import OPS, label_of, pack

THURSDAY = date(2026, 3, 5)


def announce(world: World, day: date, *, is_open: bool, note: str, key: str = "") -> Done[Override]:
    key = key or f"{day} {note}"
    return world.service.announce(day, is_open=is_open, note=note, by=OPS, key=key)


def misdelivered(world: World, name: str = "kim") -> None:
    """A key its customer says went somewhere else, on Tuesday at noon."""
    world.clock.at = NOON
    world.plan(name)
    world.scan(pack(NOON, f"tag-{name}", label_of(name), None))
    world.scan_word("handoff", name)
    world.scan_word("delivered", name)
    world.clock.at = NOON + timedelta(days=1)
    world.says_by_name(name, None)


def test_a_day_announced_late_gives_open_items_another_day(world: World) -> None:
    misdelivered(world)
    world.swept()
    friday = NOON + timedelta(days=4)
    assert world.history().shipment.timer_at(world.service.calendar()) == friday
    announce(world, THURSDAY, is_open=False, note="an election")
    world.service.calendar_changed()
    world.clock.at = friday
    world.swept()
    assert world.state() == "wrong_address"
    world.clock.move(days=3)
    world.swept()
    assert world.state() == "lost"


def test_the_job_changes_only_what_is_due_at_another_time(world: World) -> None:
    misdelivered(world)
    world.swept()
    world.plan("lee")
    before = world.history().shipment
    announce(world, date(2026, 3, 4), is_open=False, note="an election")
    assert [world.service.calendar_changed() for _ in range(2)] == [1, 0]
    after = world.history().shipment
    assert (after.state, after.since, after.rungs) == (before.state, before.since, before.rungs)
    assert (before.due_at, after.due_at) == (NOON + timedelta(days=2), NOON + timedelta(days=3))
    announce(world, date(2026, 3, 4), is_open=True, note="no election after all")
    assert world.service.calendar_changed() == 1
    assert world.history().shipment.due_at == before.due_at


def test_what_rang_before_a_day_was_announced_has_rung(world: World) -> None:
    misdelivered(world)
    world.clock.at = NOON + timedelta(days=4)
    world.swept()
    assert world.state() == "lost"
    world.clock.move(minutes=1)
    announce(world, date(2026, 3, 6), is_open=False, note="announced on the day itself")
    world.service.calendar_changed()
    world.clock.move(minutes=1)
    with pytest.raises(LabelMismatch):
        world.scan(pack(world.clock(), label="22" * 32))
    assert world.state() == "lost"


def test_a_sweep_that_comes_before_the_job_rings_nothing_too_early(world: World) -> None:
    misdelivered(world)
    world.swept()
    announce(world, THURSDAY, is_open=False, note="an election")
    world.clock.at = NOON + timedelta(days=4)
    report = world.service.sweep()
    assert (world.state(), report.claimed <= report.found) == ("wrong_address", True)


def test_yesterday_is_not_announced(world: World) -> None:
    with pytest.raises(DayIsOver):
        announce(world, date(2026, 3, 1), is_open=False, note="too late")
    announce(world, date(2026, 3, 2), is_open=True, note="today, in Seoul")


def test_a_day_announced_twice_under_one_key_is_announced_once(world: World) -> None:
    first = announce(world, THURSDAY, is_open=False, note="an election", key="k1")
    world.clock.move(days=9)
    again = announce(world, THURSDAY, is_open=False, note="an election", key="k1")
    assert (again.value, again.replayed) == (first.value, True)
    with pytest.raises(KeyReused):
        announce(world, THURSDAY, is_open=True, note="an election", key="k1")
    assert len(world.facts_named("CalendarChanged")) == 1


def test_a_change_of_calendar_is_told(world: World) -> None:
    announce(world, THURSDAY, is_open=False, note="an election")
    (fact,) = world.facts_named("CalendarChanged")
    assert (fact.subject, fact.data) == ("2026-03-05", {"date": "2026-03-05", "open": False})


def test_a_new_promise_changes_nothing_that_is_open(world: World) -> None:
    """Planned under the first version, in plain hours; heard of while the second is current."""
    delivery = world.contracts.delivery("con_kim")
    world.store.plan(planned("shp_old", delivery, NOON, sla=1))
    world.scan(pack())
    shipment = world.store.shipment("shp_old")
    assert shipment is not None
    assert (shipment.sla, shipment.due_at) == (1, NOON + timedelta(hours=4))
    assert replace(shipment, sla=2).timer_at(world.service.calendar()) == NOON + timedelta(hours=25)
    assert set(SLA) == {1, 2}
