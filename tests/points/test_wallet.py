"""Lots: first to expire first spent, back where they came from, and never less than nothing."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.kernel.calendar import KST
from chalicelib.kernel.errors import Busy
from chalicelib.kernel.money import Entry, balances
from chalicelib.points.model import (
    GRACE,
    MOST_HOLDS,
    AlreadyBooked,
    Draw,
    Kind,
    LastsTooLong,
    NotEnoughPoints,
    NotHeld,
    TooManyHolds,
    Wallet,
    WalletMoved,
    What,
    expiry,
    legs,
    lot_lasting,
    lot_until,
)
from tests.conftest import NOON
from tests.points.conftest import KIM, World

MARCH = datetime(2026, 3, 20, tzinfo=KST)
APRIL = datetime(2026, 4, 20, tzinfo=KST)
MAY = datetime(2026, 5, 20, tzinfo=KST)


@pytest.mark.parametrize(
    ("until", "lot", "ends"),
    [
        (datetime(2027, 3, 31, 23, 59, tzinfo=KST), "2703g", datetime(2027, 4, 1, tzinfo=KST)),
        (datetime(2027, 4, 1, tzinfo=KST), "2703g", datetime(2027, 4, 1, tzinfo=KST)),
        (datetime(2027, 4, 1, 0, 0, 1, tzinfo=KST), "2704g", datetime(2027, 5, 1, tzinfo=KST)),
        (datetime(2026, 12, 31, 14, tzinfo=UTC), "2612g", datetime(2027, 1, 1, tzinfo=KST)),
        (datetime(2026, 12, 31, 16, tzinfo=UTC), "2701g", datetime(2027, 2, 1, tzinfo=KST)),
    ],
)
def test_points_last_to_the_end_of_a_month_in_seoul(until: datetime, lot: str, ends: datetime) -> None:
    assert lot_lasting(until, Kind.GIVEN) == lot
    assert until <= expiry(lot) == ends


def test_points_last_two_years_at_most(world: World) -> None:
    for until in (NOON, NOON - timedelta(days=1), datetime(2028, 3, 3, tzinfo=KST)):
        with pytest.raises(LastsTooLong):
            lot_until(until, NOON)


def test_c08_what_expires_first_is_spent_first_and_written_down_by_lot(world: World) -> None:
    world.give(300, MAY)
    world.give(100, MARCH)
    world.give(200, APRIL, Kind.EARNED)
    draw = world.spend("chk_1", 250)
    assert draw == Draw(250, (("2603g", 100), ("2604e", 150)))
    assert world.entries()[0].lots == (("2603g", -100), ("2604e", -150))
    assert world.lots() == {"2604e": 50, "2605g": 300}
    assert world.pots() == {"balance": 350, "spent": 250, "granted": -600}


def test_c08_an_expiry_takes_no_more_than_is_unspent_of_its_lot(world: World) -> None:
    """Also what is held lies in no lot, and does not expire until it comes back."""
    world.give(100, MARCH)
    world.give(500, MAY)
    world.spend("chk_1", 70)
    held = world.hold("chk_2", 20)
    world.clock.at = expiry("2603g")
    assert world.balance() == 500
    world.points.sweep_wallet(KIM)
    assert world.lots() == {"2605g": 500}
    assert world.pots()["expired"] == 10
    world.step("capture", held, "chk_2")
    assert world.pots() == {"balance": 500, "spent": 90, "expired": 10, "granted": -600}


def test_not_like_flocafe_points_spent_are_not_expired_again(world: World) -> None:
    """FloCafe #78: a balance fell to nothing, since a lot expired that had long been spent."""
    world.give(1_000, MARCH)
    world.spend("chk_1", 1_000)
    world.give(300, MAY)
    world.clock.at = expiry("2603g")
    assert world.points.sweep_wallet(KIM) is False
    assert world.balance() == 300


def test_c08_a_refund_restores_the_lots_and_their_expiry(world: World) -> None:
    world.give(100, MARCH)
    world.give(500, APRIL)
    draw = world.spend("chk_1", 300)
    world.step("refund", Draw(150, (("2604g", 150),)), "chk_1", "ref_1")
    assert world.lots() == {"2604g": 450}
    world.step("refund", Draw(150, (("2603g", 100), ("2604g", 50))), "chk_1", "ref_2")
    assert world.lots() == {"2603g": 100, "2604g": 500}
    assert draw.points == 300
    assert world.pots() == {"balance": 600, "granted": -600, "spent": 0}
    assert [it.entry.cause for it in world.entries()[:2]] == ["chk_1/refund/ref_2", "chk_1/refund/ref_1"]


def test_c08_what_comes_back_after_its_lot_expired_lasts_for_thirty_days_more(world: World) -> None:
    world.give(100, MARCH)
    draw = world.spend("chk_1", 100)
    world.clock.at = expiry("2603g") + timedelta(days=10)
    world.step("refund", draw, "chk_1", "ref_1")
    (lot,) = world.lots()
    assert world.balance() == 100
    assert expiry(lot) >= world.clock() + GRACE
    assert world.entries()[0].expires_at == expiry(lot)


def test_a_hold_never_makes_points_last_longer(world: World) -> None:
    world.give(100, MARCH)
    draw = world.hold("chk_1", 60)
    world.clock.at = expiry("2603g")
    world.step("release", draw, "chk_1")
    assert world.balance() == 0
    world.points.sweep_wallet(KIM)
    assert world.pots() == {"expired": 100, "granted": -100, "balance": 0}


def test_expired_points_cannot_be_spent_though_nobody_swept_them_out(world: World) -> None:
    world.give(100, MARCH)
    world.give(50, MAY)
    world.clock.at = expiry("2603g")
    assert world.balance() == 50
    with pytest.raises(NotEnoughPoints):
        world.hold("chk_1", 51)
    assert world.hold("chk_2", 50).lots == (("2605g", 50),)


def test_held_points_are_held_once_and_go_back_or_are_spent(world: World) -> None:
    world.give(100, MAY)
    draw = world.hold("chk_1", 60)
    assert (world.balance(), world.points.wallet(KIM).on_hold) == (40, 60)
    with pytest.raises(NotEnoughPoints):
        world.hold("chk_2", 41)
    for wrong in (Draw(60, (("2604g", 60),)), Draw(59, (("2605g", 59),))):
        with pytest.raises(NotHeld):
            world.step("capture", wrong, "chk_1")
    world.step("release", draw, "chk_1")
    for again in ("release", "capture"):
        with pytest.raises(NotHeld):
            world.step(again, draw, "chk_1")
    assert world.balance() == 100
    assert [movement.entry.what for movement in world.entries()] == [What.GRANTED]


def test_a_checkout_holds_points_once_and_only_those_that_are_there(world: World) -> None:
    world.give(100, MAY)
    world.hold("chk_1", 10)
    wallet = world.points.wallet(KIM)
    with pytest.raises(AlreadyBooked):
        wallet.holding(wallet.draw(10, NOON).lots, "chk_1")
    for lots in ((("2605g", 91),), (("2604g", 1),)):
        with pytest.raises(NotEnoughPoints):
            wallet.holding(lots, "chk_2")
    for points in (0, -1):
        with pytest.raises(NotEnoughPoints):
            wallet.draw(points, NOON)


def test_only_so_many_checkouts_hold_points_at_once(world: World) -> None:
    world.give(100, MAY)
    for number in range(MOST_HOLDS):
        world.hold(f"chk_{number}", 1)
    with pytest.raises(TooManyHolds):
        world.hold("chk_more", 1)


def test_two_who_read_the_same_wallet_do_not_both_write_it(world: World) -> None:
    world.give(100, MAY)
    seen = world.points.wallet(KIM)
    draw = seen.draw(60, NOON)
    world.commit(seen.holding(draw.lots, "chk_1"))
    with pytest.raises(WalletMoved):
        world.commit(seen.holding(draw.lots, "chk_2"))
    with pytest.raises(WalletMoved):  # and nobody makes a second first wallet
        world.commit(Wallet(KIM).granted(5, "2605g", "c", What.GRANTED, NOON, {}))
    assert world.balance() == 40


def test_however_many_spend_at_once_nothing_is_spent_twice(world: World) -> None:
    world.give(500, MAY)
    gate, heard = threading.Barrier(8), []

    def spend(number: int) -> None:
        gate.wait()
        try:
            world.spend(f"chk_{number}", 100)
            heard.append("spent")
        except (NotEnoughPoints, Busy):
            heard.append("refused")

    threads = [threading.Thread(target=spend, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spent = heard.count("spent")
    assert 0 < spent <= 5
    assert world.pots() == {"balance": 500 - 100 * spent, "spent": 100 * spent, "granted": -500}


def test_who_always_finds_the_wallet_moved_is_told_to_come_back(world: World) -> None:
    def attempt(wallet: Wallet) -> None:
        raise WalletMoved

    with pytest.raises(Busy):
        world.points.changing(KIM, attempt)


def test_the_legs_of_a_checkout_add_up_to_nothing() -> None:
    steps = ["reserved", "captured", "refunded"]
    entries = [Entry(what, what, "-", NOON, legs(KIM, 70, what)) for what in steps]
    assert not any(balances(entries).values())
    assert legs(KIM, 0, "released") == ()


def test_entries_are_listed_newest_first_page_by_page(world: World) -> None:
    for number in range(5):
        world.give(10 + number, MAY)
    first = world.points.entries(KIM, 2)
    rest = world.points.entries(KIM, 10, first[-1].no)
    assert [it.points for it in first + rest] == [14, 13, 12, 11, 10]
    assert [it.owned for it in first] == [60, 46]


def test_a_wallet_of_a_year_of_points_is_small(dynamodb: object) -> None:
    from chalicelib.points.store import _wallet_item

    lots = tuple((f"27{month:02d}{kind}", 99_999) for month in range(1, 7) for kind in "eg")
    held = {"chk_30tmyxbq4sj2sfc1m7018mhayt": lots[:2]}
    wallet = Wallet("2b4b0f4e-3f0e-4b34-9d4c-1c1df0c3a111", lots, held, 0, 99_999, 99_999, "2701g")
    row = _wallet_item(wallet).serialize()
    assert sum(len(name) + len(next(iter(value.values()))) for name, value in row.items()) < 1_024


def test_what_will_be_gone_is_told_apart_by_where_it_came_from(world: World) -> None:
    """What was given may only be advertised."""
    may, june = datetime(2026, 5, 20, tzinfo=KST), datetime(2026, 6, 20, tzinfo=KST)
    for points, until, kind in ((500, may, Kind.GIVEN), (70, may, Kind.EARNED), (9, june, Kind.EARNED)):
        lot = world.give(points, until, kind)
    world.hold("chk_1", 100)
    assert world.points.expiring(KIM, datetime(2026, 6, 1, tzinfo=KST)) == (0, 470)
    assert world.points.expiring(KIM, expiry(lot)) == (9, 0)
    world.clock.at = june
    assert world.points.expiring(KIM, datetime(2026, 6, 1, tzinfo=KST)) == (0, 0)
