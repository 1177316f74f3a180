"""Whatever happens, in whatever order it is heard, however often, with whatever the gateway does.

An oracle replays each history hour by hour: it knows only who had access when, and divides.
"""

from datetime import datetime, timedelta
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from chalicelib.billing.model import ChargeState, Ledger, What
from chalicelib.kernel.calendar import months_after
from chalicelib.kernel.facts import Fact
from tests.billing.conftest import World, memory_world
from tests.billing.examples import FEE, START, activated, inspected, lost, paid, restored, returned, told
from tests.conftest import Hands

HOUR = timedelta(hours=1)
MONTHS = 3
HOURS = round((months_after(START, MONTHS) - START) / HOUR)
ODD_FEE = FEE + 777
HAPPENINGS = (
    *("lost", "lost by customer", "restored"),
    *("swap", "swap for taste", "swap over"),
    *("moved", "parked"),
)


SEARCH = (Phase.explicit, Phase.reuse, Phase.generate)
"""A history takes too long to be made smaller; the one that failed is printed as it is."""


def at(hour: int) -> datetime:
    return START + hour * HOUR


def fact(what: str, hour: int) -> Fact:
    facts: dict[str, Any] = {
        "lost": lambda: lost(at(hour)),
        "lost by customer": lambda: lost(at(hour), "customer"),
        "restored": lambda: restored(at(hour)),
        "swap": lambda: told("SwapRequested", at(hour), fault="ours"),
        "swap for taste": lambda: told("SwapRequested", at(hour), fault="customer"),
        "swap over": lambda: told("SwapDone", at(hour)),
        "moved": lambda: told(
            "AppointmentMoved", at(hour), lines=[{"what": "redispatch", "amount": -30_000}]
        ),
        "parked": lambda: told(
            "LockoutEnded", at(hour), parking_cost=7_000, appointment_id="apt_1", parked_at=str(hour)
        ),
    }
    made: Fact = facts[what]()
    return made


hours = st.integers(1, HOURS - 1)
happenings = st.lists(
    st.tuples(hours, st.sampled_from(HAPPENINGS)), max_size=8, unique_by=lambda each: each[0]
)


def without_access(events: list[tuple[int, str]], proven: int, start: int) -> set[int]:
    """The hours after the start in which the customer could not use the car, through our fault."""
    by_hour = dict(events)
    dark, locked, broken = set(), False, False
    for hour in range(HOURS + 24 * 31):
        what = by_hour.get(hour)
        locked = hour != proven and (what == "lost" or (locked and what != "restored"))
        broken = what == "swap" or (broken and what != "swap over")
        if hour >= start and (locked or broken):
            dark.add(hour)
    return dark


def owed_for(dark: set[int], start: int, back: int) -> int:
    """The months' shares, each rounded down."""
    total = 0
    for month in range(MONTHS):
        begin = round((months_after(at(start), month) - START) / HOUR)
        end = round((months_after(at(start), month + 1) - START) / HOUR)
        driven = sum(1 for hour in range(begin, min(end, back)) if hour not in dark)
        total += ODD_FEE * driven // (end - begin)
    return total


def play(world: World, facts: list[tuple[int, Fact]], until: int) -> None:
    """Each fact is heard in its hour; what is due is rung once a day and after every fact."""
    days = [(hour, None) for hour in range(0, until, 24)]
    for hour, said in sorted([*facts, *days], key=lambda each: each[0]):
        world.clock.at = at(hour)
        if said:
            world.hear(said)
        world.tick()


def silences(world: World, pattern: list[bool]) -> None:
    """Every so often an answer of the gateway is lost: now after the money moved, now before."""
    charge, left = world.gateway.charge, list(pattern)

    def unreliable(*args: Any) -> Any:
        if left:
            world.gateway.after = left.pop()
            world.gateway.silent = 1
        return charge(*args)

    world.gateway.charge = unreliable  # type: ignore[assignment, method-assign]


@given(
    events=happenings,
    proven=st.integers(0, 48),
    handed_over=st.integers(0, 48),
    back=st.integers(24 * 5, HOURS),
    delays=st.lists(st.integers(0, 24 * 40), min_size=13, max_size=13),
    twice=st.lists(st.booleans(), min_size=13, max_size=13),
    lost_answers=st.lists(st.booleans(), max_size=4),
)
@settings(max_examples=50, deadline=None, phases=SEARCH)
def test_billed_time_without_access_through_our_fault_is_zero(
    events: list[tuple[int, str]],
    proven: int,
    handed_over: int,
    back: int,
    delays: list[int],
    twice: list[bool],
    lost_answers: list[bool],
) -> None:
    world = memory_world(Hands())
    silences(world, lost_answers)
    start = max(proven, handed_over)
    facts = [(hour, fact(what, hour)) for hour, what in events]
    both: Any = {"handed_over_at": at(handed_over), "access_proven_at": at(proven)}
    facts += [(0, paid(fee=ODD_FEE)), (start, told("ContractActivated", at(start), **both))]
    facts += [(back, returned(at(back))), (back + 1, inspected(at(back + 1), scratch=5_000))]
    heard = [(hour + delay, said) for (hour, said), delay in zip(facts, delays, strict=False)]
    again = [(hour + 7, said) for (hour, said), also in zip(heard, twice, strict=False) if also]
    play(world, [*heard, *again], until=HOURS + 24 * 90)
    by_hand = [each for each in world.book.refunds if not each.payment_id]
    for refund in by_hand:
        world.service.transferred("con_kim", refund.refund_id)
    world.days(3)

    book = world.book
    dark = without_access(events, proven, start)
    billed = [span for month in book.months for span in book.billed(month)]
    assert not any(span.from_at <= at(hour) < span.to_at for hour in dark for span in billed)
    assert all(span.from_at >= at(start) for span in billed)

    extras = sum({"moved": 30_000, "parked": -7_000}.get(what, 0) for _, what in events)
    owed = owed_for(dark, start, back) + extras + 5_000
    let_go = book.on(Ledger.BAD_DEBT)
    given_back = world.gateway.given_back + sum(each.amount for each in by_hand)
    assert book.on(Ledger.CASH) == ODD_FEE + world.gateway.taken - given_back
    assert book.on(Ledger.CASH) + let_go == owed
    assert sum(book.on(account) for account in Ledger) == 0
    nobody_owes = (Ledger.RECEIVABLE, Ledger.DEFERRED, Ledger.REFUNDS_DUE)
    assert [book.on(each) for each in nobody_owes] == [0, 0, 0]
    assert book.account.settled
    numbers = [each.number for each in book.charges if each.what is not What.SETTLEMENT]
    assert len(numbers) == len(set(numbers))
    paid_ids = {each.payment_id for each in book.charges if each.state is ChargeState.PAID} - {"pay_1"}
    assert paid_ids == set(world.gateway.charged)


@given(events=happenings, order=st.permutations(range(12)), twice=st.booleans())
@settings(max_examples=40, deadline=None, phases=SEARCH)
def test_the_order_in_which_it_is_heard_changes_nothing(
    events: list[tuple[int, str]], order: list[int], twice: bool
) -> None:
    facts = [fact(what, hour) for hour, what in events]
    facts += [paid(fee=ODD_FEE), activated(), returned(at(900)), inspected(at(901), scratch=5_000)]

    def told_so(said: list[Fact]) -> World:
        world = memory_world(Hands(at(HOURS)))
        world.hear(*said, *(said if twice else []))
        world.tick(hours=1)
        world.days(3)
        return world

    straight, mixed = told_so(facts), told_so([facts[place] for place in order if place < len(facts)])
    assert [straight.balance(each) for each in Ledger] == [mixed.balance(each) for each in Ledger]
    assert straight.gateway.charged == mixed.gateway.charged
    assert straight.gateway.refunded == mixed.gateway.refunded
