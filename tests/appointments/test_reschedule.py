"""Another time or another place: what it costs, what is free, and that a preview keeps its word."""

from datetime import timedelta
from typing import Any

import pytest

from chalicelib.appointments.model import (
    CAPACITY,
    REDISPATCH_FEE,
    NotNow,
    OutOfReach,
    SlotFull,
    TooLate,
    UnknownAppointment,
    Which,
    Wish,
    slot_of,
)
from chalicelib.appointments.store import SlotItem
from chalicelib.kernel.clock import stamp
from chalicelib.kernel.errors import Busy, KeyReused, NotFound
from chalicelib.kernel.previews import PreviewExpired
from chalicelib.kernel.states import IllegalMove
from tests.appointments.conftest import World
from tests.appointments.examples import HOME, IN_TWO_WEEKS, KIM, LEE, OPS
from tests.appointments.memory import MemoryAppointments
from tests.conftest import NOON

A_DAY = timedelta(days=1)
LATER = IN_TWO_WEEKS + A_DAY
OFFICE = "서울시 강남구 테헤란로 1"


def fill(world: World) -> None:
    """The window of LATER has no place left."""
    store, slot = world.store, slot_of(LATER)
    if isinstance(store, MemoryAppointments):
        store.slots[Which.HANDOVER, slot.starts_at] = CAPACITY
    else:
        SlotItem(f"SLOTS#handover#{slot.day}", stamp(slot.starts_at), taken=CAPACITY).save()


def test_a_new_time_and_place_are_everybody_s_at_once(world: World) -> None:
    world.paid()
    moved = world.move_to(LATER, address=OFFICE).value
    assert (moved.at, moved.state, moved.terms.charge) == (LATER, "confirmed", 0)
    assert world.contracts.moves == [("con_kim", "handover", LATER, OFFICE)]
    assert (world.taken(IN_TWO_WEEKS), world.taken(LATER)) == (0, 1)
    told = world.facts("AppointmentMoved")[-1]
    assert (told.data["address_changed"], told.data["charge"], told.data["lines"]) == (True, 0, [])
    assert OFFICE not in told.json()


@pytest.mark.parametrize("address", [None, HOME])
def test_the_same_place_keeps_its_label(world: World, address: str | None) -> None:
    world.paid()
    world.move_to(LATER, address=address)
    assert world.facts("AppointmentMoved")[-1].data["address_changed"] is False


def test_a_move_within_its_window_takes_no_second_place(world: World) -> None:
    world.paid()
    world.move_to(IN_TWO_WEEKS + timedelta(minutes=30))
    assert world.taken(IN_TWO_WEEKS) == 1


def test_a_late_change_costs_what_its_preview_said(world: World) -> None:
    world.paid()
    world.until(IN_TWO_WEEKS - timedelta(hours=20))
    shown = world.move_to(LATER, preview=True).value
    assert (shown.terms.charge, world.here().at) == (REDISPATCH_FEE, IN_TWO_WEEKS)
    moved = world.move_to(LATER, quote=shown.quote).value
    assert moved.terms == shown.terms
    (told,) = world.facts("AppointmentMoved")[1:]
    assert told.data["charge"] == REDISPATCH_FEE
    assert told.data["lines"] == [{"what": "redispatch", "amount": -REDISPATCH_FEE}]


def test_a_quote_holds_across_the_hour_at_which_the_price_rises(world: World) -> None:
    world.paid()
    world.until(IN_TWO_WEEKS - timedelta(hours=24, minutes=2))
    shown = world.move_to(LATER, preview=True).value
    world.clock.move(minutes=5)
    assert world.move_to(LATER, preview=True).value.terms.charge == REDISPATCH_FEE
    assert world.move_to(LATER, quote=shown.quote).value.terms.charge == shown.terms.charge == 0


def test_a_quote_is_for_ten_minutes_and_for_one_wish(world: World) -> None:
    world.paid()
    quote = world.move_to(LATER, preview=True).value.quote
    with pytest.raises(PreviewExpired):
        world.move_to(LATER + A_DAY, quote=quote)
    world.clock.move(minutes=11)
    with pytest.raises(PreviewExpired):
        world.move_to(LATER, quote=quote)
    assert world.here().at == IN_TWO_WEEKS


@pytest.mark.parametrize("hours", [30, 20, 10, 4])
def test_a_preview_is_what_a_commit_without_it_costs_too(world: World, hours: int) -> None:
    world.paid()
    world.until(IN_TWO_WEEKS - timedelta(hours=hours))
    shown = world.move_to(LATER, preview=True).value
    assert world.move_to(LATER).value.terms == shown.terms


def test_three_hours_before_it_is_too_late(world: World) -> None:
    world.paid()
    world.until(IN_TWO_WEEKS - timedelta(hours=2))
    for preview in (True, False):
        with pytest.raises(TooLate):
            world.move_to(LATER, preview=preview)
    assert world.contracts.moves == []


def test_nothing_moves_once_somebody_has_left(world: World) -> None:
    world.at_the_door()
    with pytest.raises(IllegalMove):
        world.move_to(LATER)


@pytest.mark.parametrize("to", [NOON, NOON + timedelta(hours=2), NOON + timedelta(days=400)])
def test_a_time_nobody_can_keep_is_refused(world: World, to: Any) -> None:
    world.paid()
    with pytest.raises(OutOfReach):
        world.move_to(to)


def test_a_full_window_names_the_nearest_free_ones_and_gives_nothing_back(world: World) -> None:
    world.paid()
    fill(world)
    for preview in (True, False):
        with pytest.raises(SlotFull) as refused:
            world.move_to(LATER, preview=preview)
        starts = [slot["starts_at"] for slot in refused.value.extra["free"]]
        assert len(starts) == 3
        assert set(starts[:2]) == {"2026-03-17T00:00:00.000000Z", "2026-03-17T04:00:00.000000Z"}
    assert (world.here().at, world.taken(IN_TWO_WEEKS), world.taken(LATER)) == (IN_TWO_WEEKS, 1, CAPACITY)


def test_whoever_has_paid_keeps_the_time_they_signed_for(world: World) -> None:
    fill(world)
    world.paid(at=LATER)
    assert (world.state(), world.taken(LATER)) == ("confirmed", CAPACITY + 1)


def test_the_same_key_moves_once_and_charges_once(world: World) -> None:
    world.paid()
    world.until(IN_TWO_WEEKS - timedelta(hours=20))
    first = world.move_to(LATER)
    world.clock.move(hours=10)
    again = world.move_to(LATER)
    assert (first.replayed, again.replayed) == (False, True)
    assert again.value == first.value
    assert len(world.facts("AppointmentMoved")) == 2
    with pytest.raises(KeyReused):
        world.move_to(LATER + A_DAY)


def test_a_contract_that_moves_meanwhile_is_read_again(world: World) -> None:
    world.paid()
    world.contracts.racing = 2
    assert world.move_to(LATER).value.at == LATER
    world.contracts.racing = 99
    with pytest.raises(Busy):
        world.move_to(LATER + A_DAY, key="k2")
    assert world.here().at == LATER


@pytest.mark.parametrize("state", ["active", "cancelled", "applied"])
def test_a_contract_with_nothing_to_hand_over_has_no_handover_to_move(world: World, state: str) -> None:
    world.paid()
    world.contracts.becomes(state)
    with pytest.raises(NotNow):
        world.move_to(LATER)


def test_a_change_before_we_have_heard_of_the_payment_makes_the_appointment(world: World) -> None:
    world.contracts.becomes("confirmed")
    moved = world.move_to(LATER).value
    assert (moved.state, world.taken(LATER)) == ("confirmed", 1)
    world.paid()
    assert (world.here().at, world.state(), world.taken(IN_TWO_WEEKS)) == (LATER, "confirmed", 0)
    assert world.move_to(LATER).replayed


def test_what_operations_move_waits_for_the_customer(world: World) -> None:
    world.paid()
    world.until(IN_TWO_WEEKS + timedelta(hours=2))
    world.sweep()
    world.sweep()
    assert world.state() == "missed_partner"
    moved = world.move_to(LATER, by=OPS).value
    assert (moved.state, moved.terms.charge) == ("proposed", 0)
    first = world.service.confirm("con_kim", moved.appointment_id, by=KIM)
    again = world.service.confirm("con_kim", moved.appointment_id, by=KIM)
    assert (first.value.state, first.replayed, again.replayed) == ("confirmed", False, True)


def test_a_foreign_contract_is_unknown(world: World) -> None:
    world.paid()
    wish = Wish(Which.HANDOVER, LATER, None, None, "x")
    for act in (
        lambda: world.service.reschedule("con_kim", wish, LEE, "k1"),
        lambda: world.service.of_contract("con_kim", LEE),
        lambda: world.service.confirm("con_kim", world.here().appointment_id, LEE),
        lambda: world.service.of_contract("con_nobody", KIM),
    ):
        with pytest.raises(NotFound):
            act()
    with pytest.raises(UnknownAppointment):
        world.service.confirm("con_lee", world.here().appointment_id, LEE)


def test_a_return_is_proposed_and_chosen_and_done(world: World) -> None:
    world.returning()
    assert (world.state(Which.RETURN), world.taken(IN_TWO_WEEKS, Which.RETURN)) == ("proposed", 1)
    world.returning()
    assert world.taken(IN_TWO_WEEKS, Which.RETURN) == 1
    moved = world.move_to(LATER, which=Which.RETURN, address=OFFICE).value
    assert (moved.state, world.contracts.standing("con_kim").return_address) == ("confirmed", OFFICE)
    world.until(LATER - timedelta(hours=1))
    world.say("depart", which=Which.RETURN)
    world.until(LATER)
    world.say("arrived", which=Which.RETURN)
    assert world.say("returned", which=Which.RETURN).appointment.state == "returned"
    (told,) = world.facts("ReturnCompleted")
    assert told.data["at"] == "2026-03-17T03:00:00.000000Z"


def test_a_car_that_is_brought_back_is_back(world: World) -> None:
    world.returning()
    world.until(IN_TWO_WEEKS)
    assert world.say("returned", which=Which.RETURN).appointment.state == "returned"


def test_a_terminated_contract_has_no_return_to_wait_for(world: World) -> None:
    world.returning()
    world.clock.move(hours=1)
    world.told("ContractTerminated")
    assert world.state(Which.RETURN) == "cancelled"


def test_a_customer_sees_what_may_be_changed_and_where_it_is(world: World) -> None:
    world.paid()
    (seen,) = world.service.of_contract("con_kim", KIM)
    assert (seen.address, seen.appointment.at) == (HOME, IN_TWO_WEEKS)
    assert [each.appointment.which for each in world.service.of_contract("con_kim", OPS)] == ["handover"]


def test_a_day_s_windows_say_how_much_is_free(world: World) -> None:
    world.paid()
    slots = world.service.slots(Which.HANDOVER, IN_TWO_WEEKS.date())
    assert [free for _, free in slots] == [300, 299, 300, 300, 300, 300]
    assert sum(free for _, free in world.service.slots(Which.HANDOVER, NOON.date() - A_DAY)) == 0
