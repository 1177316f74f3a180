"""Silence is a finding: every timer rings once, whoever sweeps and however often it breaks off."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from chalicelib.appointments.model import Appointment, Change, Which
from tests.appointments.conftest import World, dynamodb_world
from tests.appointments.examples import IN_TWO_WEEKS

AN_HOUR = timedelta(hours=1)


def test_a_partner_who_does_not_leave_is_seen_before_the_window_ends(world: World) -> None:
    world.paid()
    world.until(IN_TWO_WEEKS - AN_HOUR - timedelta(seconds=1))
    assert world.sweep() == 0
    world.clock.move(seconds=1)
    assert (world.sweep(), world.sweep()) == (1, 0)
    assert world.facts("AppointmentAtRisk")[0].data["why"] == "T.depart_by"
    world.until(IN_TWO_WEEKS + AN_HOUR)
    assert (world.sweep(), world.state()) == (1, "missed_partner")


def test_a_lock_out_is_told_again_every_quarter_of_an_hour(world: World) -> None:
    world.locked_out()
    for number in (1, 2, 3):
        world.clock.move(minutes=15)
        assert (world.sweep(), world.sweep()) == (1, 0)
        told = world.facts("AppointmentOverdue")[-1]
        assert (told.data["event"], told.data["rung"]) == ("T.lockout_escalate", number)
    assert world.here().since == IN_TWO_WEEKS + timedelta(minutes=5)


def test_an_unconfirmed_proposal_and_a_missed_one_are_asked_about_every_day(world: World) -> None:
    world.returning()
    for _ in range(3):
        world.clock.move(hours=24)
        assert world.sweep() == 1
    assert [each.data["event"] for each in world.facts("AppointmentOverdue")] == ["T.confirm_by"] * 3
    assert world.state(Which.RETURN) == "proposed"


def test_a_customer_who_does_not_come_is_missed_after_half_an_hour(world: World) -> None:
    world.at_the_door()
    world.clock.move(minutes=30)
    assert (world.sweep(), world.state()) == (1, "missed_customer")


def test_a_sweep_after_three_days_of_outage_loses_nothing(world: World) -> None:
    world.paid()
    world.until(IN_TWO_WEEKS + timedelta(days=3))
    for _ in range(5):
        world.sweep()
    assert (world.state(), world.sweep()) == ("missed_partner", 0)
    assert len(world.facts("AppointmentAtRisk")) == len(world.facts("AppointmentMissed")) == 1


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

    def due(self, shard: int, until: datetime) -> Iterator[Sequence[Appointment]]:
        yield from self._store.due(shard, until)


def test_a_sweep_that_breaks_off_anywhere_is_finished_by_the_next(world: World) -> None:
    names = [f"con_n{number}" for number in range(12)]
    for name in names:
        world.paid(name)
    world.until(IN_TWO_WEEKS - AN_HOUR)
    breaking: Any = Breaking(world.store)
    service = replace(world.service, store=breaking)
    for _ in range(40):
        try:
            if service.sweep().found == 0:
                break
        except ConnectionError:
            continue
    late = [told.subject for told in world.facts("AppointmentAtRisk")]
    assert len(late) == len(set(late)) == len(names)


def test_a_stale_reading_rings_nothing(world: World) -> None:
    world.paid()
    stale = world.here()
    world.move_to(IN_TWO_WEEKS + timedelta(days=1))
    world.until(IN_TWO_WEEKS)

    class Stale(Breaking):
        def ring(self, change: Change) -> None:
            self._store.ring(change)

        def due(self, shard: int, until: datetime) -> Iterator[Sequence[Appointment]]:
            yield [stale] if shard == 0 else []

    older: Any = Stale(world.store)
    report = replace(world.service, store=older).sweep()
    assert (report.found, report.claimed, world.state()) == (1, 0, "confirmed")


def test_operations_see_cars_nobody_can_open_first(world: World) -> None:
    world.paid("con_lee", IN_TWO_WEEKS - timedelta(hours=6))
    world.until(IN_TWO_WEEKS - timedelta(hours=6))
    world.sweep()
    world.until(IN_TWO_WEEKS - timedelta(hours=3))
    world.locked_out()
    troubles = world.service.troubles(10)
    assert [(each.contract_id, each.kind) for each in troubles] == [
        ("con_kim", "locked_out"),
        ("con_lee", "at_risk"),
    ]
    assert [each.parking_cost for each in troubles] == [4_000, None]
    assert len(world.service.troubles(1)) == 1


def test_the_indexes_hold_open_work_and_nothing_else(dynamodb: Any, clock: Any) -> None:
    def indexed(name: str) -> int:
        return int(dynamodb.scan(TableName="test-appointments", IndexName=name)["Count"])

    world = dynamodb_world(clock, dynamodb)
    world.locked_out()
    assert [indexed(name) for name in ("due", "trouble", "day")] == [1, 1, 1]
    world.say("handover_ok")
    assert [indexed(name) for name in ("due", "trouble", "day")] == [0, 0, 0]
    world.contracts.becomes("confirmed", "con_lee")
    world.told("ContractCancelled", contract_id="con_lee")
    assert [indexed(name) for name in ("due", "trouble", "day")] == [0, 0, 0]


def test_a_moved_appointment_rings_for_its_new_time(world: World) -> None:
    world.paid()
    world.move_to(IN_TWO_WEEKS + timedelta(days=1))
    world.until(IN_TWO_WEEKS)
    assert world.sweep() == 0
    world.until(IN_TWO_WEEKS + timedelta(days=1))
    assert world.sweep() == 1
