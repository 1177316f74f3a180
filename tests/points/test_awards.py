"""Each award once by its cause, however often and in whatever order its facts come."""

import itertools
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from chalicelib.kernel.calendar import KST
from chalicelib.kernel.errors import Busy, KeyReused
from chalicelib.points.model import (
    AWARDS,
    MOST_ALONE,
    AlreadyBooked,
    BirthdayFixed,
    Earning,
    Given,
    Grant,
    LastsTooLong,
    MovedOn,
    OwnGrant,
    Proposal,
    Rental,
    UnknownGrant,
    Wallet,
    WalletMoved,
    What,
    born_on,
    days_to_celebrate,
    expiry,
)
from tests.conftest import NOON
from tests.points.conftest import KIM, World

LEE = "lee"


def test_a_first_car_is_awarded_once_in_a_life(world: World) -> None:
    for contract_id, who in (("con_1", KIM), ("con_2", KIM), ("con_3", LEE)):
        world.contracts.rentals[contract_id] = Rental(who, None)
    for contract_id in ("con_1", "con_1", "con_2", "con_3"):
        world.awards.activated(contract_id)
        world.clock.move(days=30)
    assert world.balance(KIM) == world.balance(LEE) == AWARDS[What.SIGNED_UP].points
    (entry,) = world.entries()
    assert (entry.entry.cause, entry.entry.what) == (f"signup/{KIM}", "signed_up")
    assert world.pots() == {"balance": 3_000, "granted": -3_000}


def test_a_car_returned_in_time_is_awarded_once_and_a_late_one_is_not(world: World) -> None:
    for contract_id in ("con_1", "con_2"):
        world.contracts.rentals[contract_id] = Rental(KIM, NOON)
    world.contracts.rentals["con_3"] = Rental(KIM, None)
    world.awards.returned("con_2", NOON + timedelta(seconds=1))
    world.awards.returned("con_3", NOON)
    for _ in range(2):
        world.awards.returned("con_1", NOON)
    assert [it.entry.cause for it in world.entries()] == ["returned/con_1"]


def test_an_award_given_by_many_at_once_is_given_once(world: World) -> None:
    world.contracts.rentals["con_1"] = Rental(KIM, NOON)
    gate = threading.Barrier(6)

    def hear() -> None:
        gate.wait()
        world.awards.activated("con_1")
        world.awards.captured("chk_1", KIM, 500_000)

    threads = [threading.Thread(target=hear) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(it.entry.cause for it in world.entries()) == ["earn/chk_1", f"signup/{KIM}"]
    assert world.pots() == {"balance": 8_000, "granted": -8_000}


# --- earned by paying, and clawed back ---------------------------------------------------------------------


def test_one_percent_of_what_a_card_paid_is_earned(world: World) -> None:
    for _ in range(2):
        world.awards.captured("chk_1", KIM, 459_950)
    world.awards.captured("chk_2", KIM, 99)
    world.awards.captured("chk_3", KIM, 0)
    assert world.balance() == 4_599
    assert world.entries()[0].expires_at == datetime(2028, 4, 1, tzinfo=KST)


def test_c08_earned_points_are_clawed_back_in_proportion_and_to_the_last(world: World) -> None:
    world.awards.captured("chk_1", KIM, 1_000)
    seen = []
    for refund_id, card in (("a", 333), ("a", 333), ("b", 333), ("c", 334), ("c", 334)):
        world.awards.refunded("chk_1", KIM, refund_id, card)
        seen.append(world.balance())
    assert seen == [6, 6, 3, 0, 0]
    assert world.pots() == {"balance": 0, "granted": 0}


def test_clawed_back_points_are_taken_where_they_came_to_before_any_others(world: World) -> None:
    world.give(50, datetime(2026, 5, 20, tzinfo=KST))
    world.awards.captured("chk_1", KIM, 10_000)
    world.spend("chk_2", 80)  # all that was given, and some of what was earned
    world.give(50, datetime(2026, 6, 20, tzinfo=KST))
    world.awards.refunded("chk_1", KIM, "a", 5_000)
    assert world.lots() == {"2606g": 50, "2803e": 20}
    world.awards.refunded("chk_1", KIM, "b", 5_000)
    assert world.lots() == {"2606g": 20}


def test_whatever_order_payment_and_refunds_are_heard_in_the_end_is_the_same(
    clock: Callable[[], datetime], world: World
) -> None:
    def paid(name: str, who: str) -> None:
        world.awards.captured(name, who, 10_000)

    def back(refund_id: str, card: int) -> Callable[[str, str], None]:
        return lambda name, who: world.awards.refunded(name, who, refund_id, card)

    for number, order in enumerate(itertools.permutations([paid, back("a", 2_500), back("b", 2_550)])):
        who = f"customer-{number}"
        for hear in (*order, order[0]):
            hear(f"chk_{number}", who)
            assert world.points.wallet(who).debt == 0
        assert world.balance(who) == 49
        assert world.pots(who)["granted"] == -49


def test_two_who_read_the_same_earning_do_not_both_write_it(world: World) -> None:
    """Two small refunds may change no point and still must both be counted."""

    def write(seen: Earning | None, refund_id: str) -> None:
        write = world.points.begin()
        after = (seen or Earning("chk_1", KIM)).refunded(refund_id, 50)
        world.store.earn(write, seen, after)
        write.commit()

    for seen, refund_ids in ((None, "ab"), (Earning("chk_1", KIM).refunded("a", 50), "cd")):
        write(seen, refund_ids[0])
        with pytest.raises(WalletMoved):
            write(seen, refund_ids[1])
    assert world.store.earning("chk_1").refunds == {"a": 50, "c": 50}
    for refund_id in ("b", "d"):
        world.awards.refunded("chk_1", KIM, refund_id, 50)
    world.awards.captured("chk_1", KIM, 10_000)
    assert world.balance() == 98


def test_not_like_odoo_points_that_a_refunded_purchase_earned_are_not_kept(world: World) -> None:
    """odoo #257854: buy, spend what it earned, give it back. What is spent by then is owed."""
    world.awards.captured("chk_1", KIM, 500_000)
    world.spend("chk_2", 4_000)
    world.awards.refunded("chk_1", KIM, "ref_1", 500_000)
    assert (world.balance(), world.points.wallet(KIM).debt) == (0, 4_000)
    assert world.pots() == {"spent": 4_000, "debt": -4_000, "granted": 0, "balance": 0}


def test_what_is_owed_is_paid_by_the_next_points_whatever_they_are(world: World) -> None:
    world.awards.captured("chk_1", KIM, 500_000)
    held = world.hold("chk_2", 1_000)
    draw = world.spend("chk_3", 4_000)
    world.awards.refunded("chk_1", KIM, "ref_1", 500_000)
    assert world.points.wallet(KIM).debt == 5_000
    world.step("release", held, "chk_2")
    assert (world.balance(), world.points.wallet(KIM).debt) == (0, 4_000)
    world.contracts.rentals["con_1"] = Rental(KIM, None)
    world.awards.activated("con_1")
    assert (world.balance(), world.points.wallet(KIM).debt) == (0, 1_000)
    assert (world.entries()[0].points, world.entries()[0].debt) == (0, -3_000)
    world.step("refund", draw, "chk_3", "ref_2")
    assert (world.balance(), world.points.wallet(KIM).debt) == (3_000, 0)
    assert world.pots() == {"balance": 3_000, "granted": -3_000, "debt": 0, "spent": 0}


def test_points_that_expired_pay_nothing_back(world: World) -> None:
    """Neither those that come back from a hold, nor those that nobody has swept out yet."""
    world.give(150, NOON + timedelta(days=20))
    world.awards.captured("chk_1", KIM, 10_000)
    held = world.hold("chk_2", 100)
    world.spend("chk_3", 100)
    world.give(50, NOON + timedelta(days=20))
    world.clock.at = expiry("2603g")
    world.awards.refunded("chk_1", KIM, "ref_1", 10_000)
    world.step("release", held, "chk_2")
    assert world.points.wallet(KIM).debt == 50
    assert world.balance() == 0
    world.points.sweep_wallet(KIM)
    assert world.pots() == {"balance": 0, "spent": 100, "expired": 150, "debt": -50, "granted": -200}


# --- by hand -----------------------------------------------------------------------------------------------


GRANT = Grant(KIM, 700, "late handover", None, "body 1")


def test_operations_give_points_once_for_a_key_and_say_why(world: World) -> None:
    first = world.awards.grant(GRANT, "ops-1", "k1")
    world.clock.move(days=90)
    again = world.awards.grant(GRANT, "ops-1", "k1")
    assert (again.value, again.replayed, first.replayed) == (first.value, True, False)
    with pytest.raises(KeyReused):
        world.awards.grant(replace(GRANT, request="body 2"), "ops-1", "k1")
    assert world.awards.grant(GRANT, "ops-2", "k1").replayed is False
    assert [it.entry.about for it in world.entries()] == [
        {"reason": "late handover", "staff": staff} for staff in ("ops-2", "ops-1")
    ]
    assert world.balance() == 1_400


def test_operations_may_say_how_long_points_last_but_not_for_ever(world: World) -> None:
    until = datetime(2026, 5, 31, 12, tzinfo=KST)
    world.awards.grant(replace(GRANT, until=until), "ops-1", "k1")
    assert world.lots() == {"2605g": 700}
    for wrong in (NOON, datetime(2030, 1, 1, tzinfo=KST)):
        with pytest.raises(LastsTooLong):
            world.awards.grant(replace(GRANT, until=wrong), "ops-1", "k2")


def asked(world: World, key: str, points: int, who: str = "ops-1") -> Given:
    return world.awards.grant(replace(GRANT, points=points), who, key).value


def test_nobody_gives_a_customer_more_in_a_day_without_asking(world: World) -> None:
    """Neither in parts, nor by taking turns."""
    assert asked(world, "k1", MOST_ALONE - 1).lot
    assert not asked(world, "k2", 2).lot
    assert not asked(world, "k3", 2, "ops-2").lot
    assert asked(world, "k4", 1).lot
    assert world.balance() == MOST_ALONE
    world.clock.move(days=1, seconds=1)
    assert asked(world, "k5", MOST_ALONE).lot
    assert not asked(world, "k6", 1).lot


def test_a_second_person_approves_what_they_say_they_approve_and_once(world: World) -> None:
    waits = world.awards.grant(replace(GRANT, points=300_000), "ops-1", "k1")
    assert (waits.value.lot, waits.replayed, world.balance()) == ("", False, 0)
    assert world.awards.grant(replace(GRANT, points=300_000), "ops-1", "k1").replayed
    grant_id = waits.value.grant_id
    with pytest.raises(OwnGrant):
        world.awards.approve(grant_id, KIM, 300_000, "ops-1")
    for customer_id, points in ((LEE, 300_000), (KIM, 30_000)):
        with pytest.raises(UnknownGrant):
            world.awards.approve(grant_id, customer_id, points, "ops-2")
    first, again = (world.awards.approve(grant_id, KIM, 300_000, "ops-2") for _ in range(2))
    assert (first.replayed, again.replayed, again.value) == (False, True, first.value)
    assert world.awards.grant(replace(GRANT, points=300_000), "ops-1", "k1").value.lot == "2703g"
    (entry,) = world.entries()
    people = {"reason": "late handover", "staff": "ops-1", "approved_by": "ops-2"}
    assert (entry.points, entry.entry.about) == (300_000, people)
    assert asked(world, "k2", MOST_ALONE).lot  # what two gave is not one person's


def test_a_grant_waits_for_a_week(world: World) -> None:
    grant_id = asked(world, "k1", 300_000).grant_id
    with pytest.raises(UnknownGrant):
        world.awards.approve("pgr_none", KIM, 300_000, "ops-2")
    world.clock.move(days=7, seconds=1)
    with pytest.raises(UnknownGrant):
        world.awards.approve(grant_id, KIM, 300_000, "ops-2")
    assert world.balance() == 0


def test_what_a_lost_first_try_gave_is_no_reason_to_ask_a_second_person(world: World) -> None:
    grant = replace(GRANT, points=60_000)

    class Late:
        """The first try is through, right before the second looks at the wallet."""

        def __getattr__(self, name: str) -> Any:
            return getattr(world.points, name)

        def changing(self, customer_id: str, attempt: Callable[[Wallet], Any]) -> Any:
            world.awards.grant(grant, "ops-1", "k1")
            return world.points.changing(customer_id, attempt)

    late = replace(world.awards, points=Late())
    done = late.grant(grant, "ops-1", "k1").value
    assert (done.lot, world.balance(), world.store.proposal(done.grant_id)) == ("2703g", 60_000, None)


def test_two_do_not_both_ask_under_one_name(world: World) -> None:
    proposal = Proposal("pgr_1", GRANT, "ops-1", NOON)
    world.store.propose(proposal)
    with pytest.raises(AlreadyBooked):
        world.store.propose(replace(proposal, by="ops-2"))
    assert world.store.proposal("pgr_1") == proposal


# --- birthdays ---------------------------------------------------------------------------------------------


def nine(day: str) -> datetime:
    return datetime.fromisoformat(f"{day}T09:00:00+09:00")


def test_a_birthday_is_no_award_for_who_never_had_a_car(world: World) -> None:
    """An account is a phone number: points for birthdays alone could be had with as many as one likes."""
    for who in (KIM, LEE):
        world.awards.declare(who, 3, 2)
    world.contracts.rentals["con_1"] = Rental(LEE, None)
    world.awards.activated("con_1")
    assert world.awards.celebrate() == 1
    assert (world.balance(KIM), world.balance(LEE)) == (0, 8_000)


def test_a_birthday_is_awarded_once_in_a_calendar_year(world: World) -> None:
    world.drove(KIM)
    world.awards.declare(KIM, 5, 8)
    for day in ("2026-05-07", "2026-05-08", "2026-05-08", "2026-05-09", "2027-05-08"):
        world.clock.at = nine(day)
        world.awards.celebrate()
    assert [it.entry.cause for it in world.entries()] == [f"birthday/{KIM}/2027", f"birthday/{KIM}/2026"]


def test_birthdays_that_were_missed_are_made_up_for(world: World) -> None:
    world.drove(KIM, LEE)
    world.awards.declare(KIM, 12, 31)
    world.awards.declare(LEE, 1, 2)
    world.clock.at = nine("2026-12-29")
    world.awards.celebrate()
    world.clock.at = nine("2027-01-04")
    world.awards.celebrate()
    assert [it.entry.cause for it in world.entries(KIM)] == [f"birthday/{KIM}/2026"]
    assert [it.entry.cause for it in world.entries(LEE)] == [f"birthday/{LEE}/2027"]


def test_a_wallet_that_others_hold_keeps_nobody_elses_birthday_waiting(world: World) -> None:
    world.drove(KIM, LEE)
    for who in (KIM, LEE):
        world.awards.declare(who, 3, 2)
    held, read = {KIM, LEE}, world.store.wallet

    def wallet(customer_id: str) -> Wallet:
        if customer_id in held:
            raise Busy()
        found: Wallet = read(customer_id)
        return found

    world.store.wallet = wallet
    for who in (LEE, KIM):
        held.discard(who)
        with suppress(Busy):
            world.awards.celebrate()
        assert (world.balance(who), world.store.celebrated() is None) == (5_000, bool(held))
    assert len(world.entries(LEE)) == 1


def test_who_moves_the_birthday_on_has_still_only_one_in_a_year(world: World) -> None:
    world.drove(KIM)
    world.awards.declare(KIM, 3, 2)
    world.awards.celebrate()
    world.clock.at = nine("2027-03-01")
    with pytest.raises(BirthdayFixed):
        world.awards.declare(KIM, 3, 10)
    assert world.awards.declare(KIM, 3, 2) == world.awards.birthday(KIM)
    world.clock.at = nine("2027-03-02")
    world.awards.celebrate()
    world.clock.at = nine("2027-03-03")
    world.awards.declare(KIM, 3, 10)
    world.clock.at = nine("2027-03-10")
    world.awards.celebrate()
    assert world.balance() == AWARDS[What.BIRTHDAY].points  # last year's are gone by now
    assert len(world.entries()) == 2


def test_a_birthday_told_twice_at_once_is_one_birthday(world: World) -> None:
    first = world.awards.declare(KIM, 3, 2)
    world.clock.move(days=400)
    world.awards.declare(KIM, 4, 1)
    for before in (None, first):
        with pytest.raises(MovedOn):
            world.store.declare(before, replace(first, month=6))
    assert [list(world.store.born(name)) for name in ("03-02", "04-01", "06-02")] == [[], [KIM], []]


def test_two_runs_of_a_day_do_not_both_close_it(world: World) -> None:
    world.store.celebrate(None, date(2026, 3, 2))
    for before in (None, date(2026, 3, 1)):
        with pytest.raises(MovedOn):
            world.store.celebrate(before, date(2026, 3, 3))
    assert world.store.celebrated() == date(2026, 3, 2)


@pytest.mark.parametrize(
    ("day", "names"),
    [
        (date(2027, 2, 28), ("02-28", "02-29")),
        (date(2028, 2, 28), ("02-28",)),
        (date(2028, 2, 29), ("02-29",)),
        (date(2027, 3, 1), ("03-01",)),
    ],
)
def test_who_was_born_on_29_february_celebrates_every_year(day: date, names: tuple[str, ...]) -> None:
    assert born_on(day) == names


def test_no_outage_makes_two_birthdays_of_one() -> None:
    today = date(2027, 6, 1)
    assert days_to_celebrate(None, today) == (today,)
    assert days_to_celebrate(today, today) == ()
    assert len(days_to_celebrate(date(2020, 1, 1), today)) == 366


# --- time --------------------------------------------------------------------------------------------------


def test_a_run_begins_nothing_it_has_no_time_for(world: World) -> None:
    for who in (KIM, LEE):
        world.give(100, NOON + timedelta(days=1), who=who)
    world.clock.move(days=60)
    swept = world.timers.sweep(lambda: 60 if world.lots(KIM) and world.lots(LEE) else 20)
    assert (swept.claimed, world.timers.sweep().claimed) == (1, 1)


def test_a_month_before_points_expire_it_is_said_once(world: World) -> None:
    world.give(500, datetime(2026, 5, 20, tzinfo=KST))
    world.give(300, datetime(2026, 7, 20, tzinfo=KST))
    for days in (0, 59, 1, 1, 1):
        world.clock.move(days=days)
        world.timers.sweep()
    (fact,) = world.facts()
    assert (fact.type, fact.subject) == ("PointsExpiring", KIM)
    assert fact.data == {
        "customer_id": KIM,
        "points": 500,
        "expires_at": "2026-05-31T15:00:00.000000Z",
    }
    world.clock.at = expiry("2607g")
    assert [world.timers.sweep().claimed for _ in range(2)] == [1, 0]
    assert [it.entry.about["lot"] for it in world.entries()[:2]] == ["2607g", "2605g"]
    assert world.pots() == {"expired": 800, "granted": -800, "balance": 0}
    assert len(world.facts()) == 1


def test_of_two_months_that_end_soon_each_is_told_of_by_itself(world: World) -> None:
    world.clock.at = datetime(2027, 1, 30, 12, tzinfo=KST)
    world.give(500, datetime(2027, 2, 20, tzinfo=KST))
    world.give(300, datetime(2027, 1, 31, tzinfo=KST))
    for _ in range(3):
        world.timers.sweep()
    world.clock.at = expiry("2701g")
    assert world.timers.sweep().claimed == 1
    assert [fact.data["points"] for fact in world.facts()] == [300, 500]


def test_a_wallet_swept_by_another_meanwhile_is_left_alone(world: World) -> None:
    world.give(500, datetime(2026, 3, 20, tzinfo=KST))
    world.clock.at = expiry("2603g")
    due = [each for shard in range(16) for page in world.store.due(shard, world.clock()) for each in page]
    assert [each.id for each in due] == [KIM]
    assert world.points.sweep_wallet(KIM) is True
    assert world.points.sweep_wallet(KIM) is False
