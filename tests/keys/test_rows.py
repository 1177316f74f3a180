"""Every row of the table, told to a shipment that stands there; every other event told changes nothing."""

from datetime import timedelta
from enum import StrEnum

import pytest
from msgspec.structs import replace

from chalicelib.kernel.auth import Group
from chalicelib.kernel.calendar import KOREA
from chalicelib.keys.gateway import AFTERSHIP, DELIVERY_TRACKER, EASYPOST
from chalicelib.keys.model import (
    JOURNEY,
    SCANS,
    TIMER_EVENTS,
    Calendars,
    Event,
    Happened,
    NotYourScan,
    Role,
    Scan,
    Shipment,
    State,
    planned,
)
from tests.conftest import NOON
from tests.keys.examples import Contracts

ROWS = {(before, event): then for before, event, then, _ in JOURNEY.rows}
LATER = NOON + timedelta(days=60)
SAID_OTHERWISE = {
    Event.CANCEL: {Role.OPS},  # ContractCancelled
    Event.ADDRESS_CHANGED: {Role.OPS},  # AppointmentMoved
    Event.REDIRECTED: {Role.OPS},
    Event.FOUND: {Role.OPS},
    Event.HANDED_IN_PERSON: {Role.AGENT},  # SwapDone
    Event.REKEYED: {Role.OPS},
    Event.PACK_SCAN_MISMATCH: {Role.PACKER},
    Event.POD_FAR_FROM_ADDRESS: {Role.CARRIER, Role.COURIER, Role.AGENT},
    Event.CUSTOMER_NOT_RECEIVED: {Role.CUSTOMER},
    Event.CUSTOMER_SCAN_MATCH: {Role.CUSTOMER},
    Event.CUSTOMER_SCAN_MISMATCH: {Role.CUSTOMER},
    Event.HELD_BY_ANOTHER: {Role.CUSTOMER},
    Event.PHYSICAL_UNLOCK_OK: {Role.CAR},  # CarOpenedWithKey
}
"""Events that are no scan, and who says them."""


def standing(state: State) -> Shipment:
    fresh = planned("shp_1", Contracts().delivery("con_kim"), NOON)
    return replace(fresh, state=state).armed(KOREA)


@pytest.mark.parametrize("state", State)
def test_every_row_is_a_move_and_nothing_else_is(state: State) -> None:
    here = standing(state)
    for event in Event:
        code = here.next_rung if event is Event.T_ESCALATE else ""
        then = here.after(Happened("e1", event, LATER, LATER, "anybody", code), Calendars())
        row = ROWS.get((state, event))
        assert then.state is (row or state), event
        if row is None:
            assert then == here, event


@pytest.mark.parametrize("state", sorted(JOURNEY.states - JOURNEY.ends))
def test_no_timer_rings_before_its_time(state: State) -> None:
    here = standing(state)
    due_at = here.timer_at(KOREA)
    assert due_at is not None
    early = due_at - timedelta(microseconds=1)
    event = here.promised.timers[state].event
    assert here.after(Happened("clock#1", event, early, early, "clock"), Calendars()) == here


def test_every_row_has_somebody_who_can_say_it() -> None:
    carriers = {*EASYPOST.values(), *AFTERSHIP.values(), *DELIVERY_TRACKER.values()}
    said: dict[Event, set[StrEnum]] = {event: {Role.CARRIER} for event in carriers}
    for event in SCANS.values():
        said.setdefault(event, set()).update(
            role for _, what, _, roles in JOURNEY.rows if what is event for role in roles
        )
    for event, roles in SAID_OTHERWISE.items():
        said.setdefault(event, set()).update(roles)
    for state, event, _, may in JOURNEY.rows:
        if event not in TIMER_EVENTS | {Event.T_ESCALATE}:
            assert may & said[event], (state, event)


@pytest.mark.parametrize("word", SCANS)
@pytest.mark.parametrize("group", Group)
def test_who_may_not_scan_it_anywhere_may_not_scan_it(word: str, group: Group) -> None:
    may = {role.value for _, event, _, roles in JOURNEY.rows if event is SCANS[word] for role in roles}
    scan = Scan(word, "tag-kim", "", NOON)
    if group.value in may:
        return scan.allowed([group.value], NOON)
    with pytest.raises(NotYourScan):
        scan.allowed([group.value], NOON)
    return None
