"""The books are reconciled book by book, and counters are put right by two people."""

from contextlib import nullcontext
from datetime import timedelta

import pytest
from msgspec.structs import replace

from chalicelib.kernel.errors import KeyReused
from chalicelib.ledger.model import (
    AlreadyRepaired,
    Difference,
    NoLongerSo,
    NotRepairable,
    Pot,
    Purse,
    Repair,
    RunMoved,
    RunState,
    SamePerson,
    UnknownCampaign,
    UnknownDifference,
    UnknownRun,
    Wallet,
    booked,
    lane_of,
)
from tests.conftest import NOON
from tests.ledger.conftest import OLGA, OTTO, Office, told
from tests.ledger.world import CAMPAIGN, world_of

AVAILABLE = f"campaign/{CAMPAIGN}/0/available"


def test_books_that_agree_are_clean_and_nobody_is_told(office: Office) -> None:
    office.live(told(0), told(1, "reserved"), told(2, "released"), told(3, "refunded"))
    run = office.run()
    assert (run.state, run.differences, office.pauses) == (RunState.DONE, (), [])
    assert run.checked > 10
    assert "ReconciliationFailed" not in [fact.type for fact in office.facts()]
    assert office.runs.newest(5) == [run]


def test_what_is_wrong_is_named_looked_at_twice_and_published(office: Office) -> None:
    office.live(told(0), told(1))
    item = office.town.spoil(AVAILABLE, -700)
    run = office.run()
    expected = Difference(item, AVAILABLE, 328_334, 327_634, -700)
    assert run.differences == (expected,)
    assert len(office.pauses) == 1
    failed = [fact.data for fact in office.facts() if fact.type == "ReconciliationFailed"]
    assert failed == [{"run_id": run.run_id, "campaign_id": CAMPAIGN, "differences": 1}]


def test_money_under_way_is_no_difference(office: Office) -> None:
    """A debit is seen before its booking: the next look has both."""
    world = office.live(told(0))
    agreeing = list(world.counters)
    office.town.spoil(AVAILABLE, -700)
    office.town.passing, world.counters = [list(world.counters)], agreeing
    assert office.run().differences == ()
    assert len(office.pauses) == 1


def test_a_reservation_of_the_last_minutes_may_not_be_booked_yet(office: Office) -> None:
    office.live(told(0))
    late = told(1, "reserved", minute=24 * 60 - 5)
    office.town.world = world_of([*office.town.world.told, late])
    office.town.open = [(CAMPAIGN, late.checkout_id)]
    assert office.run().differences == ()
    office.clock.move(minutes=20)
    found = office.run(key="k2").differences
    entry = late.record().entries[0]
    assert {each.item for each in found} == {f"ledger {booked(entry).name}"}
    assert {each.amount for each in found} >= {-5_000, 5_000}


def test_a_wallet_that_holds_what_no_checkout_holds_is_named(office: Office) -> None:
    office.live(told(0, "reserved"))
    office.town.purses["kim"] = Purse("kim", {"chk_0": 900})
    assert office.run().differences == (Difference("wallet kim", "held/chk_0", 1_000, 900, -100),)


def test_a_hold_of_no_checkout_is_named_and_nothing_follows_from_it(office: Office) -> None:
    """Lots follow from holds: put right by a wrong one, a customer would lose points."""
    office.live(told(0, "reserved"))
    lots = Difference("wallet kim WALLET", "lots/2612g", 500, 1_000, 500)
    office.town.purses["kim"] = Purse("kim", {"chk_0": 1_000, "chk_x": 500}, (lots,))
    assert office.run().differences == (Difference("wallet kim", "held/chk_x", 0, 500, 500),)


def test_a_run_whose_time_is_short_goes_on_in_the_next(office: Office) -> None:
    office.live(told(0))
    for name in ("cmp_2", "cmp_3"):
        office.campaign(name)
    run = office.runs.request(None, OLGA, "all").value
    left = iter([900, 900, 5])
    half = office.runs.go_on(run.run_id, lambda: next(left))
    assert (half.state, half.behind) == (RunState.RUNNING, CAMPAIGN)
    asked = [fact for fact in office.facts() if fact.type == "ReconciliationRequested"]
    assert [fact.data for fact in asked] == [{"run_id": run.run_id}] * 2
    done = office.runs.go_on(run.run_id, lambda: 900)
    assert (done.state, done.behind) == (RunState.DONE, "cmp_3")
    assert office.runs.go_on(run.run_id, lambda: 900) == done


def test_a_run_s_cost_is_what_moved_since_the_last_one(office: Office) -> None:
    """The days before have their checkpoint; a full run is asked for with the campaign's name."""
    office.live(*(told(n) for n in range(6)))
    first = office.runs.request(None, OLGA, "n1").value
    assert office.runs.go_on(first.run_id, lambda: 900).checked >= 18
    office.clock.move(days=1)
    second = office.runs.request(None, OLGA, "n2").value
    done = office.runs.go_on(second.run_id, lambda: 900)
    assert (done.differences, done.checked) == ((), 4)  # the campaign and three shards
    item = office.town.spoil(AVAILABLE, 1)
    third = office.runs.request(None, OLGA, "n3").value
    assert [each.item for each in office.runs.go_on(third.run_id, lambda: 900).differences] == [item]
    assert office.runs.spent(CAMPAIGN)[0].captured == 30_000


def test_a_checkpoint_is_only_made_where_nothing_is_wrong(office: Office) -> None:
    office.live(told(0))
    office.town.spoil(AVAILABLE, 1)
    office.run()
    assert office.runs.store.checkpoint(CAMPAIGN) is None


def test_the_nightly_run_is_asked_for_once_a_night(office: Office) -> None:
    first = office.runs.nightly()
    assert office.runs.nightly() == first
    office.clock.move(days=1)
    assert office.runs.nightly().run_id != first.run_id


def test_a_key_stands_for_one_run(office: Office) -> None:
    office.campaign()
    run = office.runs.request(None, OLGA, "k").value
    assert office.runs.request(None, OLGA, "k").replayed
    with pytest.raises(KeyReused):
        office.runs.request(CAMPAIGN, OLGA, "k")
    with pytest.raises(UnknownCampaign):
        office.runs.request("cmp_none", OLGA, "k3")
    with pytest.raises(UnknownRun):
        office.runs.run("rec_none")
    assert run.open


def test_days_are_spent_as_they_were_booked(office: Office) -> None:
    office.live(told(0), told(1, refunded=2_000), told(2, "reserved"))
    days = office.runs.spent(CAMPAIGN)
    assert [(each.captured, each.refunded, each.count) for each in days] == [(10_000, 2_000, 2)]
    office.run()
    assert office.runs.spent(CAMPAIGN) == days  # from the checkpoint now
    with pytest.raises(UnknownCampaign):
        office.runs.spent("cmp_none")


# --- repairs -----------------------------------------------------------------------------------------------


def wrong(office: Office) -> str:
    office.live(told(0))
    office.town.spoil(AVAILABLE, -700)
    return str(office.run().run_id)


def test_a_counter_is_put_right_by_a_booked_movement_and_a_second_person(office: Office) -> None:
    run_id = wrong(office)
    with pytest.raises(SamePerson):
        office.runs.repair(run_id, 0, "disk", OLGA)
    done = office.runs.repair(run_id, 0, "disk", OTTO)
    ((counter, difference),) = office.town.corrected
    assert (counter, difference.found, difference.amount) == (Pot(CAMPAIGN, 0, "available"), 327_634, -700)
    cause = f"{CAMPAIGN}/repaired/{done.value.repair_id}"
    rows = office.books.rows(CAMPAIGN, NOON, office.clock() + timedelta(days=1))
    booked_ = [row.entry for row in rows if row.cause == cause]
    assert [(leg.account, leg.amount) for leg in booked_[0].legs] == [  # type: ignore[union-attr]
        (f"derived/{AVAILABLE}", 700),
        ("repairs", -700),
    ]
    assert booked_[0].about["proposed_by"] == "olga"  # type: ignore[union-attr]


def test_a_repair_happens_once(office: Office) -> None:
    run_id = wrong(office)
    first = office.runs.repair(run_id, 0, "disk", OTTO)
    again = office.runs.repair(run_id, 0, "disk", OTTO)
    assert (again.value, again.replayed, len(office.town.corrected)) == (first.value, True, 1)


def test_what_two_runs_found_is_repaired_once(office: Office) -> None:
    """What was put right may by chance be spent down to the same wrong figure; a newer run may repair."""
    first = wrong(office)
    second = office.run(key="k2").run_id
    office.clock.move(minutes=1)
    office.runs.repair(first, 0, "disk", OTTO)
    with pytest.raises(NoLongerSo):
        office.runs.repair(second, 0, "disk", OTTO)
    assert office.runs.store.repair(second, 0) is None
    office.clock.move(minutes=1)
    third = office.run(key="k3").run_id
    office.runs.repair(third, 0, "disk", OTTO)


def test_after_a_nightly_run_one_proposes_and_another_approves(office: Office) -> None:
    office.live(told(0))
    office.town.spoil(AVAILABLE, -700)
    run = office.runs.go_on(office.runs.nightly().run_id, lambda: 900)
    assert office.runs.repair(run.run_id, 0, "disk", OTTO).value.state == "PROPOSED"
    assert office.runs.repair(run.run_id, 0, "disk", OTTO).value.state == "PROPOSED"
    assert not office.town.corrected
    done = office.runs.repair(run.run_id, 0, "disk", OLGA).value
    assert (done.state, done.proposed_by, done.approved_by) == ("DONE", "otto", "olga")


def test_what_is_no_longer_as_found_is_not_repaired(office: Office) -> None:
    run_id = wrong(office)
    office.town.spoil(AVAILABLE, -1)
    with pytest.raises(NoLongerSo):
        office.runs.repair(run_id, 0, "disk", OTTO)
    assert office.runs.store.repair(run_id, 0) is None


def test_a_wallet_is_put_right_too(office: Office) -> None:
    office.live(told(0))
    wrong = Difference("wallet kim WALLET", "debt", 0, 90, 90)
    office.town.purses["kim"] = Purse("kim", {}, (wrong,))
    run = office.run()
    assert run.differences == (wrong,)
    repair = office.runs.repair(run.run_id, 0, "disk", OTTO).value
    assert office.town.corrected == [(Wallet("kim"), wrong)]
    legs = [(leg.account, leg.amount) for leg in repair.entry(wrong).legs]
    assert legs == [("derived/points/kim/debt", -90), ("repairs", 90)]
    office.town.purses.clear()
    assert office.runs.look("-", full=True).found == []


def test_two_who_work_on_one_run_or_one_repair_do_not_both_win(office: Office) -> None:
    run_id = wrong(office)
    store = office.runs.store
    run = office.runs.run(run_id)
    with pytest.raises(RunMoved):
        store.go_on(replace(run, steps=0), run)
    repair = Repair("rep_1", run_id, 0, "olga", "disk", office.clock())
    store.propose(repair)
    with pytest.raises(AlreadyRepaired):
        store.propose(repair)
    for outcome in (nullcontext(), pytest.raises(AlreadyRepaired)):
        write = office.begin()
        store.approve(write, repair.approved("otto", office.clock()), AVAILABLE, office.clock())
        with outcome:
            write.commit()


def test_only_counters_are_repaired(office: Office) -> None:
    world = office.live(told(0), told(1))
    world.told[0] = replace(world.told[0], discount=4_000)
    run = office.run()
    assert {each.item for each in run.differences} == {"checkout CHECKOUT#chk_0"}
    with pytest.raises(NotRepairable):
        office.runs.repair(run.run_id, 0, "no", OTTO)
    with pytest.raises(UnknownDifference):
        office.runs.repair(run.run_id, 99, "no", OTTO)


def test_a_checkout_s_entries_lie_in_one_lane() -> None:
    entries = told(0).record().entries
    assert {booked(entry).pk[-1] for entry in entries} == {str(lane_of("chk_0"))}
