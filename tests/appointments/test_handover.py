"""From the payment to the car in its customer's hands: the gate, the door, the lock-out."""

from datetime import timedelta
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.appointments.model import (
    AccessNotReady,
    ClockWrong,
    NotYours,
    UnknownAppointment,
    Which,
)
from chalicelib.kernel.auth import Caller
from chalicelib.kernel.states import IllegalMove
from tests.appointments.conftest import World, memory_world
from tests.appointments.examples import (
    AGENT,
    COURIER,
    GARAGE,
    HOME,
    IN_TWO_WEEKS,
    KIM,
    OPS,
    PACKER,
    TARIFF,
    fact,
    said,
)
from tests.conftest import NOON, Hands


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def test_a_paid_contract_has_its_handover_agreed(world: World) -> None:
    world.paid()
    assert (world.state(), world.here().at) == ("confirmed", IN_TWO_WEEKS)
    assert world.taken(IN_TWO_WEEKS) == 1
    assert sorted(world.said()) == ["AppointmentConfirmed", "AppointmentMoved"]


def test_a_payment_heard_twice_books_once(world: World) -> None:
    world.paid()
    before = world.here()
    world.clock.move(seconds=-1)
    world.paid()
    assert (world.here(), world.taken(IN_TWO_WEEKS), len(world.facts())) == (before, 1, 2)


def test_a_promotion_s_slot_is_kept_for_everybody_who_paid(world: World) -> None:
    for number in range(3):
        world.paid(f"con_{number}")
    assert world.taken(IN_TWO_WEEKS) == 3


def test_a_car_nobody_can_open_does_not_leave(world: World) -> None:
    world.paid()
    before = world.here()
    with pytest.raises(AccessNotReady) as refused:
        world.say("depart")
    assert refused.value.extra["reasons"] == ["key_not_proven", "no_smart_key"]
    assert "출발" in refused.value.extra["next_step"]
    assert world.here() == before


@pytest.mark.parametrize("by", [AGENT, COURIER])
def test_it_leaves_when_access_is_proven(world: World, by: Caller) -> None:
    world.paid()
    world.contracts.becomes("ready")
    assert world.say("depart", by=by).appointment.state == "en_route"
    assert world.said()[-1] == "PartnerDeparted"


def test_it_leaves_at_risk_when_the_smart_key_passes_its_test(world: World) -> None:
    world.paid()
    world.clock.move(hours=1)
    world.told("ContractAtRisk")
    assert world.state() == "at_risk"
    world.smartkeys.reasons = ()
    assert world.say("depart").appointment.state == "en_route"


def test_a_repeated_departure_is_the_same_one(world: World) -> None:
    world.paid()
    world.contracts.becomes("ready")
    first = world.say("depart")
    world.contracts.becomes("at_risk")
    again = world.say("depart")
    assert (first.replayed, again.replayed, again.appointment.state) == (False, True, "en_route")


def test_nobody_departs_for_what_is_not_agreed(world: World) -> None:
    world.returning()
    with pytest.raises(IllegalMove):
        world.say("depart", which=Which.RETURN)


def test_the_gate_shuts_and_opens_with_the_contract(world: World) -> None:
    world.paid()
    world.clock.move(hours=1)
    world.told("ContractAtRisk")
    world.clock.move(hours=1)
    world.told("ContractReady")
    assert world.state() == "confirmed"
    assert world.said()[-2:] == ["AppointmentAtRisk", "AppointmentConfirmed"]


def test_a_hand_over_ends_it(world: World) -> None:
    world.at_the_door()
    world.clock.move(minutes=10)
    assert world.say("handover_ok").appointment.state == "handed_over"
    (told,) = world.facts("HandoverCompleted")
    assert told.data["at"] == "2026-03-16T03:10:00.000000Z"
    assert world.here().due_at is None
    assert world.facts("LockoutEnded") == []


def test_a_car_that_does_not_open_is_news_with_its_place_and_tariff(world: World) -> None:
    world.locked_out()
    (told,) = world.facts("CarLockedOut")
    assert world.state() == "locked_out"
    assert (told.data["lat"], told.data["lon"], told.data["tariff_per_hour"]) == (
        GARAGE.lat,
        GARAGE.lon,
        TARIFF,
    )
    assert told.data["parked_at"] == "2026-03-16T03:00:00.000000Z"


def test_the_smart_key_that_opens_it_ends_the_lock_out(world: World) -> None:
    world.locked_out()
    world.clock.move(minutes=20)
    world.unlocked()
    (ended,) = world.facts("LockoutEnded")
    assert (ended.data["minutes"], ended.data["parking_cost"]) == (25, TARIFF)
    assert world.state() == "handed_over"
    assert len(world.facts("HandoverCompleted")) == 1


def test_a_key_that_turns_up_ends_it_too(world: World) -> None:
    world.locked_out()
    world.clock.move(minutes=90)
    world.say("handover_ok")
    (ended,) = world.facts("LockoutEnded")
    assert (ended.data["minutes"], ended.data["parking_cost"]) == (95, 2 * TARIFF)


def test_a_lock_out_that_ends_with_another_day_has_cost_as_well(world: World) -> None:
    world.locked_out()
    world.clock.move(minutes=30)
    moved = world.move_to(world.clock() + timedelta(days=2)).value
    assert (moved.state, moved.terms.charge) == ("confirmed", 0)
    (ended,) = world.facts("LockoutEnded")
    assert (ended.data["minutes"], ended.data["parking_cost"]) == (35, TARIFF)
    assert (world.here().departed, world.here().parking) == (False, None)


def test_a_cancelled_contract_calls_everybody_back(world: World) -> None:
    world.paid()
    world.clock.move(hours=1)
    world.told("ContractCancelled")
    assert (world.state(), world.taken(IN_TWO_WEEKS)) == ("cancelled", 0)
    assert world.said()[-1] == "AppointmentCancelled"


def test_a_customer_who_is_late_still_gets_the_car(world: World) -> None:
    world.at_the_door()
    world.clock.move(minutes=30)
    world.sweep()
    assert world.state() == "missed_customer"
    world.clock.move(minutes=5)
    assert world.say("handover_ok").appointment.state == "handed_over"


def test_an_agent_says_that_nobody_came(world: World) -> None:
    world.at_the_door()
    world.say("missed_customer", world.clock() + minutes(0))
    assert world.facts("AppointmentMissed")[0].data["by"] == "customer"


def test_a_partner_who_is_late_is_missed_and_may_still_arrive(world: World) -> None:
    world.paid()
    world.contracts.becomes("ready")
    world.until(IN_TWO_WEEKS)
    world.say("depart")
    world.clock.move(hours=1)
    world.sweep()
    assert (world.state(), world.facts("AppointmentMissed")[0].data["by"]) == ("missed_partner", "partner")
    world.clock.move(minutes=10)
    assert world.say("arrived").appointment.state == "waiting"


# ---- without signal ----------------------------------------------------------------------------------------

MORNING = (("depart", -60), ("arrived", 0), ("access_failed", 5), ("handover_ok", 75))


def morning(order: tuple[tuple[str, int], ...], sweeps: bool, unlock_at: int | None = None) -> World:
    """Everything happened as in MORNING, and is told in that order, hours later or (sweeps) as we watch."""
    world = memory_world(Hands())
    world.paid()
    world.contracts.becomes("ready")
    world.until(IN_TWO_WEEKS + timedelta(hours=4))
    for word, minute in order:
        if sweeps:
            world.sweep()
        at = IN_TWO_WEEKS + minutes(minute)
        if word == "unlocked":
            world.unlocked(at)
        else:
            place = GARAGE if word == "arrived" else None
            world.say(word, at, place=place, tariff=TARIFF if word == "access_failed" else None)
        world.clock.move(minutes=1)
    return world


def cost(world: World) -> list[tuple[str, int, int]]:
    """What each lock-out cost in the end: of several tellings of one the last counts."""
    facts = world.facts("LockoutEnded")
    last = {each.data["parked_at"]: (each.data["minutes"], each.data["parking_cost"]) for each in facts}
    return [(parked, *each) for parked, each in last.items()]


@pytest.mark.parametrize("sweeps", [False, True])
@pytest.mark.parametrize("order", list(permutations(MORNING)))
def test_parking_costs_the_same_in_whatever_order_it_is_told(
    order: tuple[tuple[str, int], ...], sweeps: bool
) -> None:
    world = morning(order, sweeps)
    assert world.state() == "handed_over"
    assert cost(world) == [("2026-03-16T03:00:00.000000Z", 75, 2 * TARIFF)]
    assert len(world.facts("HandoverCompleted")) == 1


@settings(max_examples=30, deadline=None)
@given(
    order=st.permutations((*MORNING, ("unlocked", 30), ("missed_customer", 4))),
    sweeps=st.booleans(),
)
def test_parking_costs_the_same_when_the_smart_key_opened_it(
    order: list[tuple[str, int]], sweeps: bool
) -> None:
    assert cost(morning(tuple(order), sweeps)) == [("2026-03-16T03:00:00.000000Z", 30, TARIFF)]


STEPS = st.lists(
    st.sampled_from(
        (
            *("ready", "lost", "test ok", "test fails", "depart", "arrived", "access_failed", "handover_ok"),
            *("missed_customer", "unlocked", "ContractAtRisk", "ContractReady", "sweep", "move", "a day"),
        )
    ),
    max_size=25,
)


@settings(max_examples=50, deadline=None)
@given(STEPS)
def test_nobody_ever_departs_for_a_car_that_nobody_can_open(steps: list[str]) -> None:
    world = memory_world(Hands())
    world.paid()
    on_the_way = {"en_route", "waiting", "locked_out"}
    for number, step in enumerate(steps):
        world.clock.move(minutes=7)
        before = world.here()
        could = world.contracts.ready("con_kim") or world.smartkeys.passed
        try:
            take(world, step, number)
        except (AccessNotReady, IllegalMove):
            assert world.here() == before
        here = world.here()
        assert not (here.departed and not before.departed) or (step == "depart" and could)
        assert here.departed or here.state.value not in on_the_way


def take(world: World, step: str, number: int) -> None:
    if step in ("ready", "lost"):
        world.contracts.becomes("ready" if step == "ready" else "at_risk")
    elif step in ("test ok", "test fails"):
        world.smartkeys.reasons = () if step == "test ok" else ("car_offline",)
    elif step.startswith("Contract"):
        world.told(step, number)
    elif step == "unlocked":
        world.unlocked()
    elif step == "sweep":
        world.sweep()
    elif step == "a day":
        world.clock.move(hours=24)
    elif step == "move":
        world.contracts.becomes("preparing")
        world.move_to(world.clock() + timedelta(days=1), by=OPS, key=str(number))
        world.service.confirm("con_kim", world.here().appointment_id, by=KIM)
    else:
        world.say(step)


def test_what_is_said_too_early_is_noted_and_counts_later(world: World) -> None:
    world.paid()
    world.contracts.becomes("ready")
    world.until(IN_TWO_WEEKS)
    early = world.say("arrived", world.clock() - minutes(1))
    assert (early.counted, early.appointment.state) == (False, "confirmed")
    assert world.say("depart", world.clock() - minutes(30)).appointment.state == "waiting"


def test_words_of_others_wrong_clocks_and_unknown_appointments_are_refused(world: World) -> None:
    world.paid()
    before = world.here()
    for by in (PACKER, OPS):
        with pytest.raises(NotYours):
            world.say("depart", by=by)
    with pytest.raises(ClockWrong):
        world.say("depart", world.clock() + timedelta(hours=1))
    with pytest.raises(UnknownAppointment):
        world.service.say("apt_nobody", said("depart", NOON), AGENT, "ko")
    assert world.here() == before


# ---- other contexts' facts, in any order -------------------------------------------------------------------


def test_a_risk_heard_before_the_payment_is_not_lost(world: World) -> None:
    world.contracts.becomes("at_risk")
    world.clock.move(hours=1)
    world.told("ContractAtRisk")
    assert world.state() == "proposed"
    world.clock.move(hours=-1)
    world.service.paid("con_kim", "kim", IN_TWO_WEEKS, fact("ContractPaid", world.clock()))
    assert world.state() == "at_risk"
    assert world.taken(IN_TWO_WEEKS) == 1


def test_a_cancellation_heard_before_the_payment_wins(world: World) -> None:
    world.contracts.becomes("cancelled")
    world.told("ContractCancelled")
    world.paid()
    assert (world.state(), world.taken(IN_TWO_WEEKS), world.facts()) == ("cancelled", 0, [])


def test_an_unlock_of_a_contract_without_an_appointment_changes_nothing(world: World) -> None:
    world.unlocked()
    assert world.facts() == []


def test_partners_see_today_s_and_tomorrow_s_jobs_and_no_others(world: World) -> None:
    for name, days in (("kim", 0), ("lee", 1), ("park", 2)):
        world.paid(f"con_{name}", NOON + timedelta(days=days, hours=5))
    found, more = world.service.jobs(10, None)
    assert [seen.appointment.contract_id for seen in found] == ["con_kim", "con_lee"]
    assert (found[0].address, found[0].plate, more) == (HOME, "12가 3456", None)
    world.told("ContractCancelled")
    assert [seen.appointment.contract_id for seen in world.service.jobs(10, None)[0]] == ["con_lee"]


def test_jobs_come_in_pages(world: World) -> None:
    names = [f"con_n{number}" for number in range(5)]
    for number, name in enumerate(names):
        world.paid(name, NOON + timedelta(hours=6 * number, minutes=1))
    seen, token = [], None
    while True:
        found, token = world.service.jobs(2, token)
        seen += [each.appointment.contract_id for each in found]
        assert len(found) <= 2
        if token is None:
            break
    assert seen == names
