"""How long each silence may last, who is told of it, and in which calendar it counts."""

from datetime import UTC, date, datetime, timedelta

import pytest
from msgspec.structs import replace

from chalicelib.kernel.calendar import BUSINESS_DAY, KOREA, KST
from chalicelib.keys.model import (
    CURRENT,
    JOURNEY,
    SLA,
    STAYING,
    TROUBLES,
    Action,
    Calendars,
    Event,
    Override,
    Shipment,
    State,
    planned,
)
from tests.conftest import NOON
from tests.keys.examples import IN_TWO_WEEKS, Contracts

KIM = Contracts().delivery("con_kim")
TUESDAY = NOON + timedelta(days=1)
"""Twelve o'clock in Seoul on 3 March, the day after a public holiday."""


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


def seoul(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=KST).astimezone(UTC)


def standing(
    state: State, since: datetime, handover: datetime = IN_TWO_WEEKS, sla: int = CURRENT
) -> Shipment:
    fresh = planned("shp_1", replace(KIM, handover_at=handover), since, sla=sla)
    return replace(fresh, state=state, since=since)


@pytest.mark.parametrize("version", SLA)
@pytest.mark.parametrize("state", sorted(JOURNEY.states - JOURNEY.ends))
def test_every_open_state_has_a_timer_and_knows_what_it_means(state: State, version: int) -> None:
    assert JOURNEY.allows(state, SLA[version].timers[state].event)
    assert standing(state, NOON, sla=version).timer_at(KOREA) is not None


@pytest.mark.parametrize("state", sorted(JOURNEY.ends))
def test_nothing_is_due_in_an_end(state: State) -> None:
    assert standing(state, NOON).armed(KOREA).due_at is None


@pytest.mark.parametrize("version", SLA)
def test_every_finding_has_a_ladder_that_begins_with_operations(version: int) -> None:
    ladder = SLA[version].ladder
    assert set(ladder) == {*STAYING, *TROUBLES}
    assert {state for state in State if JOURNEY.allows(state, Event.T_ESCALATE)} == set(ladder)
    assert {rungs[0].action for rungs in ladder.values()} == {Action.OPS}


@pytest.mark.parametrize(
    ("state", "since", "handover", "rings"),
    [
        (State.PLANNED, NOON, seoul("2026-03-16 12:00"), seoul("2026-03-10 12:00")),
        (State.PLANNED, NOON, seoul("2026-03-15 12:00"), seoul("2026-03-10 09:00")),
        (State.PLANNED, NOON, seoul("2026-03-04 12:00"), NOON),
        (State.PACKED, seoul("2026-02-13 17:30"), IN_TWO_WEEKS, seoul("2026-02-19 12:30")),
        (State.HANDED_TO_CARRIER, NOON, IN_TWO_WEEKS, NOON + hours(24)),
        (State.IN_TRANSIT, NOON, IN_TWO_WEEKS, NOON + hours(24)),
        (State.OUT_FOR_DELIVERY, NOON, IN_TWO_WEEKS, NOON + hours(12)),
        (State.ATTEMPT_FAILED, TUESDAY, IN_TWO_WEEKS, TUESDAY + hours(24)),
        (State.ATTEMPT_FAILED, NOON, IN_TWO_WEEKS, seoul("2026-03-03 18:00")),
        (State.INTERCEPTING, NOON, IN_TWO_WEEKS, NOON + hours(12)),
        (State.STALLED, NOON, IN_TWO_WEEKS, NOON + hours(48)),
        (State.EXCEPTION, NOON, IN_TWO_WEEKS, NOON + hours(48)),
        (State.DELIVERED, NOON, IN_TWO_WEEKS, NOON + hours(24)),
        (State.DELIVERED, NOON, NOON + hours(20), NOON + hours(18)),
        (State.DELIVERED, NOON, NOON + hours(1), NOON),
        (State.DELIVERED, NOON, NOON - hours(1), NOON + hours(24)),
        (State.UNCONFIRMED, NOON, IN_TWO_WEEKS, NOON + hours(48)),
        (State.WRONG_KEY, TUESDAY, IN_TWO_WEEKS, seoul("2026-03-06 12:00")),
        (State.WRONG_ADDRESS, seoul("2026-03-05 12:00"), IN_TWO_WEEKS, seoul("2026-03-10 12:00")),
        (State.RETURNING, NOON, IN_TWO_WEEKS, NOON + hours(24)),
        (State.RETURNED, seoul("2026-03-06 12:00"), IN_TWO_WEEKS, seoul("2026-03-09 12:00")),
        (State.LOST, seoul("2026-03-06 12:00"), IN_TWO_WEEKS, seoul("2026-03-09 12:00")),
    ],
)
def test_a_timer_counts_as_promised_and_never_passes_the_handover(
    state: State, since: datetime, handover: datetime, rings: datetime
) -> None:
    assert standing(state, since, handover).timer_at(KOREA) == rings


def test_a_timer_that_changes_nothing_rings_again_a_day_later() -> None:
    lost = standing(State.LOST, TUESDAY)
    assert replace(lost, rings=2).timer_at(KOREA) == TUESDAY + hours(24 + 48)


def test_business_time_counted_back_is_business_time_counted_forward() -> None:
    end = seoul("2026-02-23 11:00")
    for work in (hours(1), hours(4), BUSINESS_DAY, 4 * BUSINESS_DAY):
        assert KOREA.after(KOREA.before(end, work), work) == end
    assert KOREA.before(seoul("2026-02-20 10:00"), BUSINESS_DAY) == seoul("2026-02-19 10:00")
    assert KOREA.before(seoul("2026-02-19 10:00"), hours(2)) == seoul("2026-02-13 17:00")
    assert KOREA.before(seoul("2026-02-22 10:00"), hours(1)) == seoul("2026-02-20 17:00")


def test_a_planned_shipment_waits_to_be_packed_under_the_latest_promise() -> None:
    shipment = planned("shp_1", KIM, NOON)
    assert (shipment.state, shipment.due_at) == (State.PLANNED, seoul("2026-03-10 12:00"))
    assert (shipment.sla, shipment.rung) == (CURRENT, 0)


def test_what_was_promised_in_hours_stays_in_hours() -> None:
    friday = seoul("2026-03-06 12:00")
    assert standing(State.WRONG_KEY, friday, sla=1).timer_at(KOREA) == friday + hours(72)
    assert standing(State.WRONG_KEY, friday, sla=2).timer_at(KOREA) == seoul("2026-03-11 12:00")


@pytest.mark.parametrize(
    ("state", "found"), [(State.STALLED, NOON), (State.PLANNED, seoul("2026-03-10 12:00"))]
)
def test_a_ladder_counts_from_the_moment_a_silence_is_a_finding(state: State, found: datetime) -> None:
    assert standing(state, NOON).rung_at(KOREA) == found


def test_the_last_word_on_a_day_counts_and_only_from_when_it_was_said() -> None:
    day = date(2026, 3, 6)
    closed = Override(day, False, "an election", NOON)
    opened = Override(day, True, "no election after all", NOON + hours(1))
    calendars = Calendars((opened, closed))
    assert KOREA.is_business(day)
    assert not calendars.known(NOON).is_business(day)
    assert calendars.known(NOON + hours(1)).is_business(day)
    assert calendars.latest.is_business(day)
    assert Calendars().latest is KOREA
