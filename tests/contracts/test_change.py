"""What customers change by themselves, and what it costs: the preview is the commit."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from chalicelib.contracts.model import (
    PLANS,
    AccessNews,
    Application,
    CarTaken,
    CarUnderRecall,
    Cause,
    Check,
    ConsentTooEarly,
    DriverNamed,
    DriverTooYoung,
    FirstDriverStays,
    Line,
    NoCarOffered,
    NotYours,
    Outcome,
    Plan,
    SameCar,
    TooLate,
    TooManyDrivers,
    UnknownContract,
    UnknownHolder,
)
from chalicelib.contracts.service import ContractService
from chalicelib.kernel.calendar import DAY
from chalicelib.kernel.errors import KeyReused, Stale
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.previews import PreviewExpired
from chalicelib.kernel.states import IllegalMove
from tests.conftest import NOON, Hands
from tests.contracts.examples import (
    AGENT,
    CAR_1_KEY_A,
    CAR_2,
    CAR_2_KEY_A,
    FIRST_CAR,
    IN_TWO_WEEKS,
    KIM,
    KIM_MINJI,
    LEE,
    OPS,
    PARK_JUN,
    Story,
    asks,
    confirmed,
)
from tests.contracts.memory import Desk
from tests.contracts.test_life import World

Facts = Callable[[], list[Fact]]
HOUR = timedelta(hours=1)
THIRD = replace(PARK_JUN, licence_no="131234567899")


# ---- cancelling before the handover ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hours_before", "refund", "lines"),
    [
        (25, 460_000, (Line("first_month", 460_000),)),
        (23, 184_000, (Line("first_month", 460_000), Line("late_cancellation", -276_000))),
    ],
)
def test_cancelling_costs_nothing_until_a_day_before(
    service: ContractService,
    clock: Hands,
    facts: Facts,
    hours_before: int,
    refund: int,
    lines: tuple[Line, ...],
) -> None:
    story = Story(service).ready()
    clock.at = IN_TWO_WEEKS - hours_before * HOUR
    done = service.cancel(story.id, asks("cancel"))
    assert (done.value.state, done.value.refund, done.value.charge, done.value.lines) == (
        "cancelled",
        refund,
        0,
        lines,
    )
    assert facts()[-1].data["refund"] == refund
    assert service.car("car-0001").contract_id is None
    assert (story.now.due_at, story.now.why) == (None, "customer")


def test_a_freed_car_is_anothers(service: ContractService) -> None:
    story = Story(service).preparing()
    service.cancel(story.id, asks("cancel"))
    other = service.sign(FIRST_CAR, by=LEE, key="k1").value.contract_id
    confirmed(other, service=service)
    assert service.assign(other, CAR_1_KEY_A).value.state == "preparing"


def test_a_car_we_could_not_bring_is_refunded_with_a_tenth_on_top(
    service: ContractService, clock: Hands
) -> None:
    story = Story(service).preparing()
    clock.at = IN_TWO_WEEKS
    service.sweep()
    told = service.cancel(story.id, asks("cancel")).value
    assert (told.refund, told.lines[-1]) == (460_000 + 276_000, Line("compensation", 276_000))
    assert story.now.why == "company"


@pytest.mark.parametrize(
    ("chapter", "hours_before", "cause"),
    [
        ("confirmed", 25, "customer"),
        ("confirmed", 24, "company"),
        ("preparing", 3, "customer"),
        ("preparing", 2, "company"),
        ("ready", -1, "customer"),
    ],
)
def test_whose_fault_a_cancellation_is(chapter: str, hours_before: int, cause: str) -> None:
    world = World()
    getattr(world.story, chapter)()
    world.clock.at = IN_TWO_WEEKS - hours_before * HOUR
    world.service.sweep()
    world.cancel()
    assert world.story.now.why == cause


def test_operations_may_say_that_it_is_our_fault_and_customers_may_not(service: ContractService) -> None:
    story = Story(service).confirmed()
    with pytest.raises(NotYours):
        service.cancel(story.id, asks("cancel"), Cause.COMPANY)
    told = service.cancel(story.id, asks("cancel", by=OPS), Cause.COMPANY).value
    assert told.refund == 736_000


def test_what_was_not_paid_is_not_refunded(service: ContractService) -> None:
    story = Story(service)
    told = service.cancel(story.id, asks("cancel")).value
    assert (told.state, told.refund, told.charge, told.lines) == ("cancelled", 0, 0, ())


# ---- previews, retries, races ------------------------------------------------------------------------------


def test_a_preview_changes_nothing_and_holds_for_ten_minutes(
    service: ContractService, clock: Hands, facts: Facts
) -> None:
    story = Story(service).confirmed()
    clock.at = IN_TWO_WEEKS - DAY - timedelta(minutes=1)
    before, told = story.now, len(facts())
    shown = service.cancel(story.id, asks("cancel", preview=True)).value
    assert (story.now, len(facts())) == (before, told)
    assert shown.quote_until is not None
    assert abs(shown.quote_until - clock.at - timedelta(minutes=10)) < timedelta(milliseconds=1)
    clock.move(minutes=9)
    done = service.cancel(story.id, asks("cancel", quote=shown.quote)).value
    assert (done.refund, done.lines, done.effective_at) == (shown.refund, shown.lines, shown.effective_at)
    assert done.refund == 460_000


def test_a_preview_does_not_hold_for_ever_nor_for_anything_else(
    service: ContractService, clock: Hands
) -> None:
    story = Story(service).confirmed()
    shown = service.cancel(story.id, asks("cancel", preview=True)).value
    clock.move(minutes=11)
    with pytest.raises(PreviewExpired):
        service.cancel(story.id, asks("cancel", quote=shown.quote))
    fresh = service.cancel(story.id, asks("cancel", preview=True)).value
    service.add_driver(story.id, asks("driver"), THIRD)
    with pytest.raises(PreviewExpired):
        service.cancel(story.id, asks("cancel", quote=fresh.quote))
    with pytest.raises(PreviewExpired):
        service.cancel(story.id, asks("cancel", quote="1.x"))
    assert story.now.state == "confirmed"


def test_a_retry_hears_the_first_answer_and_moves_no_money_again(
    service: ContractService, clock: Hands, facts: Facts
) -> None:
    story = Story(service).confirmed()
    first = service.cancel(story.id, asks("cancel"))
    clock.move(days=13, hours=20)
    told = len(facts())
    again = service.cancel(story.id, asks("cancel"))
    assert (again.value, again.replayed) == (first.value, True)
    assert len(facts()) == told
    with pytest.raises(KeyReused):
        service.uncancel(story.id, asks("uncancel", key="cancel"))


def test_whoever_changes_an_old_version_is_told(service: ContractService) -> None:
    story = Story(service).confirmed()
    seen = story.now.version
    service.add_driver(story.id, asks("driver", seen=seen), THIRD)
    with pytest.raises(Stale):
        service.cancel(story.id, asks("cancel", seen=seen))
    assert service.cancel(story.id, asks("cancel", seen=seen + 1)).value.state == "cancelled"


def test_another_customers_contract_is_unknown(service: ContractService) -> None:
    story = Story(service).active()
    foreign = asks("foreign", by=LEE)
    asked: tuple[Callable[[], object], ...] = (
        lambda: service.cancel(story.id, foreign),
        lambda: service.uncancel(story.id, foreign),
        lambda: service.renew(story.id, foreign, 12),
        lambda: service.swap(story.id, foreign, "defect"),
        lambda: service.withdraw_swap(story.id, foreign),
        lambda: service.add_driver(story.id, foreign, THIRD),
        lambda: service.inspect(story.id, foreign, []),
        lambda: service.remove_driver(story.id, "2", LEE),
    )
    for ask in asked:
        with pytest.raises(UnknownContract):
            ask()


def test_an_agent_is_no_customer_and_no_operator(service: ContractService) -> None:
    story = Story(service).active()
    with pytest.raises(UnknownContract):
        service.cancel(story.id, asks("cancel", by=AGENT))


# ---- ending early, and thinking better of it ---------------------------------------------------------------


def test_after_the_handover_a_cancellation_ends_the_paid_month(
    service: ContractService, clock: Hands, facts: Facts
) -> None:
    story = Story(service).active()
    clock.at = IN_TWO_WEEKS + 10 * DAY
    told = service.cancel(story.id, asks("cancel")).value
    a_month_on = datetime(2026, 4, 16, 3, tzinfo=UTC)
    assert (told.state, told.effective_at, told.charge) == ("cancel_scheduled", a_month_on, 230_000)
    assert facts()[-1].data["why"] == "cancel"
    assert (story.now.end, story.now.due_at) == (a_month_on, a_month_on)
    clock.at = a_month_on
    service.sweep()
    assert (story.now.state, story.now.why) == ("return_scheduled", "cancel")
    assert facts()[-1].type == "ReturnScheduled"


def test_a_cancellation_can_be_taken_back_until_it_takes_effect(
    service: ContractService, clock: Hands, facts: Facts
) -> None:
    story = Story(service).active()
    ends_at = story.now.ends_at
    clock.at = IN_TWO_WEEKS + 10 * DAY
    service.cancel(story.id, asks("cancel"))
    service.uncancel(story.id, asks("uncancel"))
    assert (story.now.state, story.now.end, facts()[-1].type) == ("active", ends_at, "ContractUncancelled")
    service.cancel(story.id, asks("cancel", key="again"))
    clock.at = datetime(2026, 4, 16, 3, tzinfo=UTC)
    with pytest.raises(TooLate):
        service.uncancel(story.id, asks("uncancel", key="too late"))


def test_a_term_ends_by_itself(service: ContractService, clock: Hands, facts: Facts) -> None:
    story = Story(service).active()
    assert story.now.ends_at is not None
    clock.at = story.now.ends_at - 5 * DAY
    service.sweep()
    assert facts()[-1].data["timer"] == "T.renew_by"
    assert story.now.due_at == story.now.ends_at
    clock.at = story.now.ends_at
    service.sweep()
    assert (story.now.state, story.now.why) == ("return_scheduled", "term")
    assert [fact.type for fact in facts()[-2:]] == ["ContractEnding", "ReturnScheduled"]


# ---- renewal -----------------------------------------------------------------------------------------------


def test_a_renewal_adds_months_at_todays_price(service: ContractService, clock: Hands, facts: Facts) -> None:
    story = Story(service).active()
    shown = service.renew(story.id, asks("renew", preview=True), 12).value
    told = service.renew(story.id, asks("renew", quote=shown.quote), 12).value
    assert replace(told, quote=None) == replace(shown, quote=None, quote_until=None)
    assert (told.monthly_fee, told.ends_at) == (430_000, datetime(2027, 9, 16, 3, tzinfo=UTC))
    assert (story.now.months, story.now.ends_at) == (18, told.ends_at)
    assert story.now.due_at == datetime(2027, 9, 11, 3, tzinfo=UTC)
    assert facts()[-1].data == {
        "contract_id": story.id,
        "months": 12,
        "monthly_fee": 430_000,
        "ends_at": "2027-09-16T03:00:00.000000Z",
    }


def test_consent_to_a_higher_fee_is_no_older_than_thirty_days(service: ContractService, clock: Hands) -> None:
    story = Story(service).active()
    with pytest.raises(ConsentTooEarly):
        service.renew(story.id, asks("renew"), 3)
    assert story.now.ends_at is not None
    clock.at = story.now.ends_at - 30 * DAY
    assert service.renew(story.id, asks("renew"), 3).value.monthly_fee == 490_000


# ---- swap --------------------------------------------------------------------------------------------------


def test_a_swap_frees_one_car_and_keeps_the_other(service: ContractService, facts: Facts) -> None:
    story = Story(service).active()
    assert service.swap(story.id, asks("swap"), "defect").value.state == "swap_pending"
    assert facts()[-1].data == {"contract_id": story.id, "fault": "ours"}
    with pytest.raises(NoCarOffered):
        service.finish_swap(story.id, asks("done", by=AGENT))
    service.offer_swap(story.id, asks("offer", by=OPS), CAR_2_KEY_A)
    assert {service.car(car).contract_id for car in ("car-0001", "car-0002")} == {story.id}
    service.finish_swap(story.id, asks("done", by=AGENT))
    assert (story.now.state, story.now.assignment) == ("active", CAR_2_KEY_A)
    assert story.now.car == CAR_2.name
    assert (service.car("car-0001").contract_id, service.car("car-0002").contract_id) == (None, story.id)
    assert facts()[-1].data["former_car_id"] == "car-0001"
    assert service.delivery(story.id).key_tag == "tag-0002-a"


def test_a_withdrawn_swap_gives_the_other_car_back(service: ContractService) -> None:
    story = Story(service).swapping()
    service.offer_swap(story.id, asks("offer", by=OPS), CAR_2_KEY_A)
    service.withdraw_swap(story.id, asks("withdraw"))
    assert (story.now.state, story.now.swap_to) == ("active", None)
    assert service.car("car-0002").contract_id is None
    assert service.car("car-0001").contract_id == story.id


def test_another_car_ends_the_lockout_of_the_first(
    service: ContractService, clock: Hands, facts: Facts
) -> None:
    story = Story(service).active()
    clock.at = IN_TWO_WEEKS + HOUR
    service.access(story.id, asks("lost", by=OPS), AccessNews(True, clock.at, "ours", "flat_battery"))
    service.swap(story.id, asks("swap"), "defect")
    service.offer_swap(story.id, asks("offer", by=OPS), CAR_2_KEY_A)
    service.finish_swap(story.id, asks("done", by=AGENT))
    assert [fact.type for fact in facts()[-2:]] == ["SwapDone", "AccessRestored"]
    assert not story.now.locked_out


def test_what_is_offered_must_be_fit_and_free_and_another(service: ContractService, desk: Desk) -> None:
    story = Story(service).swapping()
    with pytest.raises(SameCar):
        service.offer_swap(story.id, asks("same", by=OPS), replace(CAR_1_KEY_A, key_tag="tag-0001-b"))
    desk.recalled["car-0002"] = "brakes"
    with pytest.raises(CarUnderRecall):
        service.offer_swap(story.id, asks("recalled", by=OPS), CAR_2_KEY_A)
    desk.recalled.clear()
    other = service.sign(FIRST_CAR, by=LEE, key="k1").value.contract_id
    confirmed(other, service=service)
    service.assign(other, CAR_2_KEY_A)
    with pytest.raises(CarTaken):
        service.offer_swap(story.id, asks("taken", by=OPS), CAR_2_KEY_A)
    assert story.now.swap_to is None


# ---- drivers -----------------------------------------------------------------------------------------------


def test_a_driver_named_later_proves_nothing_until_verified(
    service: ContractService, facts: Facts, desk: Desk
) -> None:
    story = Story(service).active()
    told = service.add_driver(story.id, asks("driver"), THIRD).value
    assert told.number == 3
    assert not service.proves(story.id, "3", "19920229")
    service.verify(story.id)
    assert service.proves(story.id, "3", "19920229")
    assert [fact.type for fact in facts()[-2:]] == ["DriverAdded", "DriverVerified"]
    assert desk.asked[-1] == THIRD.licence_no


def test_a_refused_driver_is_refused_alone(service: ContractService, facts: Facts, desk: Desk) -> None:
    story = Story(service).active()
    desk.refused[THIRD.licence_no] = "suspended"
    service.add_driver(story.id, asks("driver"), THIRD)
    service.verify(story.id)
    assert story.now.state == "active"
    assert story.now.driver("3").check is Check.REFUSED
    assert not service.proves(story.id, "3", "19920229")
    assert facts()[-1].data == {"contract_id": story.id, "number": 3, "reason": "suspended"}


def test_a_removed_drivers_number_is_never_given_again(service: ContractService, facts: Facts) -> None:
    story = Story(service).active()
    service.remove_driver(story.id, "2", KIM)
    told = len(facts())
    service.remove_driver(story.id, "2", KIM)
    assert len(facts()) == told
    assert not service.proves(story.id, "2", "19920229")
    assert service.add_driver(story.id, asks("driver"), THIRD).value.number == 3
    with pytest.raises(FirstDriverStays):
        service.remove_driver(story.id, "1", KIM)
    for nobody in ("0", "4", "x", "٣"):
        with pytest.raises(UnknownHolder):
            service.remove_driver(story.id, nobody, KIM)


def test_who_cannot_be_named(service: ContractService) -> None:
    story = Story(service).active()
    with pytest.raises(DriverNamed):
        service.add_driver(story.id, asks("same"), KIM_MINJI)
    young = replace(THIRD, birth_date=NOON.date().replace(year=2015))
    with pytest.raises(DriverTooYoung):
        service.add_driver(story.id, asks("young"), young)
    for number in range(3):
        service.add_driver(
            story.id, asks(f"driver {number}"), replace(THIRD, licence_no=f"1312345678{number}0")
        )
    with pytest.raises(TooManyDrivers):
        service.add_driver(story.id, asks("sixth"), THIRD)


def test_nobody_is_named_in_a_contract_that_is_not_paid_or_is_over(service: ContractService) -> None:
    story = Story(service)
    with pytest.raises(IllegalMove):
        service.add_driver(story.id, asks("driver"), THIRD)


# ---- for any contract --------------------------------------------------------------------------------------

moments = st.integers(min_value=0, max_value=200 * 24 * 60)


@settings(max_examples=25, deadline=None)
@given(plan=st.sampled_from(PLANS), term=st.integers(0, 2), minutes=moments, later=st.integers(0, 9))
def test_every_preview_equals_its_commit(plan: Plan, term: int, minutes: int, later: int) -> None:
    world = World()
    application = Application(
        plan.plan_id, plan.terms[term][0], FIRST_CAR.handover, "tok", (KIM_MINJI,), f"{plan} {term}"
    )
    service, fee = world.service, plan.terms[term][1]
    contract_id = service.sign(application, by=KIM, key="other").value.contract_id
    confirmed(contract_id, fee, service)
    service.assign(contract_id, CAR_1_KEY_A)
    begun = IN_TWO_WEEKS + timedelta(minutes=minutes) - 2 * DAY
    if begun >= IN_TWO_WEEKS:
        service.access_proven(contract_id, IN_TWO_WEEKS)
        service.handed_over(contract_id, IN_TWO_WEEKS)
    world.clock.at = begun
    shown = service.cancel(contract_id, asks("cancel", preview=True)).value
    world.clock.move(minutes=later)
    done = service.cancel(contract_id, asks("cancel", quote=shown.quote)).value
    assert money(done) == money(shown)
    assert sum(line.amount for line in done.lines) == done.refund - done.charge
    assert 0 <= done.refund <= fee + fee * plan.terms[term][0] // 10
    assert money(service.cancel(contract_id, asks("cancel", quote="anything")).value) == money(done)


def money(told: Outcome) -> tuple[object, ...]:
    return told.refund, told.charge, told.lines, told.effective_at, told.state
