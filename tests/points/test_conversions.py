"""Points are with the partner or in the wallet, once, whatever breaks off where."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any

import pytest

from chalicelib.kernel.calendar import KST
from chalicelib.kernel.errors import Busy, Conflict, KeyReused
from chalicelib.points.model import (
    CONVERSIONS,
    NO_ANSWER,
    PARTNERS,
    ConversionState,
    MovedOn,
    NoCarYet,
    NotConvertible,
    NotEnoughPoints,
    TooManyConversions,
    UnknownConversion,
    UnknownPartner,
    expiry,
)
from tests.checkout.hook import Call, calls_go_through
from tests.conftest import Hands
from tests.points.conftest import KIM, World, stored_world

MAY = datetime(2026, 5, 20, tzinfo=KST)


@pytest.fixture
def rich(world: World) -> World:
    world.drove(KIM)
    world.give(1_500, MAY)
    world.give(1_500, datetime(2026, 8, 20, tzinfo=KST))
    return world


def test_who_never_had_a_car_converts_nothing(world: World) -> None:
    """Else a payment is cancelled, and the points it has earned are with the partner."""
    world.awards.captured("chk_1", KIM, 1_000_000)
    with pytest.raises(NoCarYet):
        world.convert(10_000)
    assert (world.balance(), world.office.asked) == (10_000, [])
    world.drove(KIM)
    assert world.convert(10_000).value.state is ConversionState.DONE


def test_points_the_partner_takes_are_gone_here_and_there_once(rich: World) -> None:
    done = rich.convert(2_000, partner="dure")
    assert done.value.state is ConversionState.DONE
    assert rich.office.has == 1_600
    again = rich.convert(2_000, partner="dure")
    assert (again.value, again.replayed) == (done.value, True)
    assert rich.office.asked == ["transfer"]
    assert rich.pots() == {"balance": 1_000, "converted": 2_000, "granted": -3_000}
    assert done.value.account == "******5678"  # whole only while it was needed
    assert rich.timers.sweep().found == 0


def test_points_the_partner_refuses_are_back_in_their_lots(rich: World) -> None:
    before = rich.lots()
    rich.office.mood = "refuses"
    refused = rich.convert(2_000).value
    assert (refused.state, refused.reason) == (ConversionState.REFUSED, "unknown_member")
    assert rich.lots() == before
    assert rich.pots() == {"balance": 3_000, "granted": -3_000, "converted": 0}


def test_a_partner_who_took_them_and_was_not_heard_is_asked_and_not_sent_again(rich: World) -> None:
    rich.office.mood = "mute"
    pending = rich.convert(2_000).value
    assert (pending.state, rich.balance(), rich.office.has) == (ConversionState.PENDING, 1_000, 2_000)
    assert rich.convert(2_000).value == pending
    assert rich.timers.sweep().found == 0
    rich.clock.move(minutes=1)
    assert rich.timers.sweep().claimed == 1
    assert rich.office.asked == ["transfer", "find"]
    assert rich.conversions.conversion(pending.conversion_id, KIM).state is ConversionState.DONE


def test_a_partner_who_never_heard_of_them_is_sent_them_again_and_then_given_up(rich: World) -> None:
    rich.office.mood = "deaf"
    conversion_id = rich.convert(2_000).value.conversion_id
    for _ in range(20):
        rich.clock.move(hours=1)
        rich.timers.sweep()
    ended = rich.conversions.conversion(conversion_id, KIM)
    assert (ended.state, ended.reason) == (ConversionState.REFUSED, NO_ANSWER)
    assert (rich.office.asked.count("transfer"), rich.office.asked.count("find")) == (6, 7)
    assert rich.balance() == 3_000
    assert rich.pots()["converted"] == 0


def test_a_partner_who_is_away_is_asked_for_as_long_as_it_takes(rich: World) -> None:
    rich.office.mood = "mute"
    conversion_id = rich.convert(2_000).value.conversion_id
    rich.office.mood = "silent"
    for _ in range(30):
        rich.clock.move(hours=1)
        rich.timers.sweep()
    assert rich.conversions.conversion(conversion_id, KIM).state is ConversionState.PENDING
    rich.office.mood = "accepts"
    rich.clock.move(hours=1)
    rich.timers.sweep()
    assert rich.conversions.conversion(conversion_id, KIM).state is ConversionState.DONE
    assert rich.office.has == 2_000


def test_points_that_expired_on_the_way_come_back_for_thirty_days(rich: World) -> None:
    rich.office.mood = "deaf"
    rich.convert(1_500)
    rich.clock.at = expiry("2605g")
    for _ in range(20):
        rich.clock.move(hours=1)
        rich.timers.sweep()
    assert rich.lots() == {"2607g": 1_500, "2608g": 1_500}


@pytest.mark.parametrize(
    ("points", "partner", "error"),
    [
        (999, "hanbit", NotConvertible),
        (1_001, "dure", NotConvertible),
        (1_000_001, "hanbit", NotConvertible),
        (3_001, "hanbit", NotEnoughPoints),
        (1_000, "nobody", UnknownPartner),
    ],
)
def test_what_cannot_be_converted_is_refused_and_nothing_is_sent(
    rich: World, points: int, partner: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        rich.convert(points, partner=partner)
    assert (rich.balance(), rich.office.asked) == (3_000, [])


def test_a_partners_members_cannot_be_tried_out(rich: World) -> None:
    rich.office.mood = "refuses"
    for number in range(10):
        assert rich.convert(key=f"try {number}", account=f"M-{number:08}").value.reason == "unknown_member"
    with pytest.raises(TooManyConversions):
        rich.convert(key="one more")
    assert rich.convert(key="try 9", account="M-00000009").replayed
    assert (rich.balance(), len(rich.office.asked)) == (3_000, 10)
    rich.clock.move(hours=1)
    assert rich.convert(key="one more").value.state is ConversionState.REFUSED


def test_a_key_stands_for_one_conversion_and_it_is_its_owners(rich: World) -> None:
    conversion_id = rich.convert().value.conversion_id
    with pytest.raises(KeyReused):
        rich.convert(1_001)
    for name, who in ((conversion_id, "lee"), ("cnv_nothing", KIM), ("x" * 200, KIM)):
        with pytest.raises(UnknownConversion):
            rich.conversions.conversion(name, who)


def test_what_has_ended_ends_no_second_time(rich: World) -> None:
    rich.office.mood = "mute"
    pending = rich.convert().value
    rich.clock.move(minutes=1)
    rich.timers.sweep()
    with pytest.raises(MovedOn):
        rich.store.mark(pending, pending.rung_at(rich.clock()))
    for after in (pending.done(), pending.refused("late")):
        write = rich.points.begin()
        rich.store.end(write, after)
        with pytest.raises(MovedOn):
            write.commit()
    write = rich.points.begin()
    rich.store.open(write, pending)
    with pytest.raises(Conflict):
        write.commit()


def test_every_conversion_can_end() -> None:
    assert CONVERSIONS.reachable(ConversionState.PENDING) == CONVERSIONS.states
    assert CONVERSIONS.ends == {ConversionState.DONE, ConversionState.REFUSED}
    assert all(each.takes > 0 < each.gives for each in PARTNERS.values())


# --- a crash at every call, one after the other ------------------------------------------------------------


class Died(Exception):
    """The process, at this very moment."""


class Breaking:
    """Everything outside the process: the call that is `at` breaks off, before or after it is made."""

    def __init__(self, at: int, after: bool) -> None:
        self.count, self.at, self.after = 0, at, after

    def call(self, make: Callable[[], Any]) -> Any:
        self.count += 1
        broken = self.count == self.at
        if broken and not self.after:
            raise Died
        answer = make()
        if broken:
            raise Died
        return answer

    def around(self, call: Call) -> Call:
        return lambda *given: self.call(lambda: call(*given))

    def office(self, world: World) -> None:
        transfer, find = world.office.transfer, world.office.find
        world.office.transfer = lambda *given: self.call(lambda: transfer(*given))  # type: ignore[method-assign]
        world.office.find = lambda *given: self.call(lambda: find(*given))  # type: ignore[method-assign]


@pytest.mark.parametrize("mood", ["accepts", "refuses", "mute"])
@pytest.mark.parametrize("after", [False, True])
def test_a_conversion_that_broke_off_at_any_call_is_settled_by_whoever_comes(
    dynamodb: Any, clock: Hands, new_id: Callable[[str], str], mood: str, after: bool
) -> None:
    """Each call of the request, and then each call of the sweep that follows it."""
    world = stored_world(dynamodb, clock, new_id)
    world.drove(KIM)
    for number in range(1, 10):
        world.give(1_000, datetime(2027, 5, 20, tzinfo=KST))
        world.office.mood, taken = mood, world.office.has
        with_breaks = stored_world(dynamodb, clock, new_id)
        with_breaks.office.transfers, with_breaks.office.mood = world.office.transfers, mood
        for attempt in (lambda: with_breaks.convert(key=f"k{number}"), with_breaks.timers.sweep):  # noqa: B023
            breaking = Breaking(number, after)
            breaking.office(with_breaks)
            with calls_go_through(breaking.around), suppress(Died, Busy):
                attempt()
            clock.move(minutes=5)
        world.office.mood = "accepts" if mood == "mute" else mood
        world.convert(key=f"k{number}")
        for _ in range(2):
            clock.move(hours=1)
            world.timers.sweep()
        ended = world.convert(key=f"k{number}").value
        wanted = ConversionState.REFUSED if mood == "refuses" else ConversionState.DONE
        assert ended.state is wanted, number
        assert world.office.has - taken == (0 if mood == "refuses" else 1_000)
        assert world.pots()["converted"] == world.office.has
        assert world.timers.sweep().found == 0


def test_a_conversion_is_that_many_calls(dynamodb: Any, clock: Hands, new_id: Callable[[str], str]) -> None:
    world = stored_world(dynamodb, clock, new_id)
    world.drove(KIM)
    world.give(1_000, MAY)
    breaking = Breaking(0, False)
    breaking.office(world)
    with calls_go_through(breaking.around):
        world.convert()
    assert breaking.count == 7  # conversion, a car, wallet, newest entries, open; transfer; end
