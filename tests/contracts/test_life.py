"""Every row of the contract's table happens through a door of the service, and nothing else does."""

import itertools
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from chalicelib.contracts.model import (
    LIFE,
    START,
    TIMERS,
    AccessNews,
    Action,
    Event,
    Handover,
    MovedOn,
    NotYours,
    Role,
    State,
    actions,
    signed,
)
from chalicelib.contracts.service import ContractService, Wish
from chalicelib.kernel.auth import Caller
from chalicelib.kernel.errors import HandoverError
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.states import IllegalMove
from tests.conftest import NOON, Hands
from tests.contracts.conftest import service_of
from tests.contracts.examples import (
    AGENT,
    CAR_2_KEY_A,
    FIRST_CAR,
    IN_TWO_WEEKS,
    KIM,
    KIM_MINJI,
    OPS,
    Story,
    asks,
)
from tests.contracts.memory import Desk, HouseKeys, MemoryContracts

STATES, EVENTS = set(State), set(Event)


class TestTheTable:
    def test_every_state_and_event_is_used(self) -> None:
        assert LIFE.states == STATES
        assert {event for _, event, _, _ in LIFE.rows} == EVENTS

    def test_every_state_is_reachable_and_can_end(self) -> None:
        assert LIFE.reachable(START) == STATES
        assert all(LIFE.reachable(state) & LIFE.ends for state in State)

    def test_every_open_state_has_a_timer_and_no_end_has_one(self) -> None:
        timed = {state for state, event, _, _ in LIFE.rows if event.startswith("T.")}
        assert timed == STATES - LIFE.ends == TIMERS.keys()

    def test_every_timer_of_the_table_is_armed_somewhere(self) -> None:
        armed = {(state, timer.event) for state, timers in TIMERS.items() for timer in timers}
        rows = {(state, event) for state, event, _, _ in LIFE.rows if event.startswith("T.")}
        assert rows <= armed
        assert all(LIFE.allows(state, event) for state, event in armed)

    def test_a_contract_ends_in_one_of_five_ways(self) -> None:
        assert LIFE.ends == {
            State.CANCELLED,
            State.CLOSED,
            State.EXPIRED,
            State.REJECTED,
            State.TERMINATED,
        }

    def test_there_is_no_way_to_a_car_that_is_not_paid(self) -> None:
        before = {state for state, _, then, _ in LIFE.rows if then is State.CONFIRMED and state is not then}
        assert before == {State.AWAITING_PAYMENT}
        into = {state for state, _, then, _ in LIFE.rows if then is State.PREPARING}
        assert into == {State.CONFIRMED}

    def test_cancelling_takes_one_step_until_the_handover(self) -> None:
        customers = {state: set(LIFE.choices(state, Role.CUSTOMER)) for state in State}
        until = {state for state in State if Event.CANCEL in customers[state]}
        assert until == LIFE.reachable(START) & {
            State.APPLIED,
            State.AWAITING_PAYMENT,
            State.CONFIRMED,
            State.PREPARING,
            State.AT_RISK,
            State.READY,
        }
        assert customers[State.CANCEL_SCHEDULED] == {Event.UNCANCEL}

    def test_operations_alone_assign_cars(self) -> None:
        assert {role for _, event, _, roles in LIFE.rows for role in roles if "slot_assigned" in event} == {
            Role.OPS
        }


@pytest.mark.parametrize("state", State)
def test_state_by_event_by_role_whatever_is_no_row_is_refused(state: State) -> None:
    rows = {(before, event): (after, roles) for before, event, after, roles in LIFE.rows}
    here = replace(signed("con_1", "kim", FIRST_CAR, NOON), state=state)
    for event, role in itertools.product(Event, Role):
        after, roles = rows.get((state, event), (None, frozenset()))
        if after is None:
            with pytest.raises(IllegalMove):
                here.moved(event, role, NOON)
        elif role not in roles:
            with pytest.raises(NotYours):
                here.moved(event, role, NOON)
        else:
            assert here.moved(event, role, NOON).state is after


def test_buttons_come_from_the_table() -> None:
    assert actions(State.APPLIED) == (Action.CANCEL,)
    assert actions(State.AWAITING_PAYMENT) == (Action.PAY, Action.CANCEL)
    assert set(actions(State.ACTIVE)) == {
        Action.CANCEL,
        Action.RENEW,
        Action.SWAP,
        Action.ADD_DRIVER,
        Action.REMOVE_DRIVER,
        Action.PAYMENT_METHOD,
    }
    assert Action.UNCANCEL in actions(State.CANCEL_SCHEDULED)
    assert actions(State.CLOSED) == ()


# ---- every row through its own door ------------------------------------------------------------------------

DAY = timedelta(days=1)
END = IN_TWO_WEEKS + 184 * DAY
"""Six months after the sixteenth of March."""


class World:
    """A story on the memory store, whose desk and clock the doors may touch."""

    def __init__(self) -> None:
        self.clock, self.desk, self.house = Hands(), Desk(), HouseKeys()
        self.count = itertools.count()
        self.store = MemoryContracts()
        new_id = lambda prefix: f"{prefix}_{next(self.count):04d}"  # noqa: E731
        self.service: ContractService = service_of(self.store, self.desk, self.house, self.clock, new_id)
        self.desk.away = True
        self.story = Story(self.service)
        self.desk.away = False

    @property
    def state(self) -> State:
        return self.story.now.state

    @property
    def facts(self) -> list[Fact]:
        return self.store.facts

    def ring(self, at: datetime | None = None) -> None:
        """The sweep that runs when the timer is due."""
        self.clock.at = at or self.story.now.due_at or self.clock.at
        self.service.sweep()

    def said(self, by: Caller, words: str = "said") -> Wish:
        return asks(words, by=by, key=f"{words} {next(self.count)}")

    def lose(self, at: datetime = IN_TWO_WEEKS) -> None:
        self.clock.at = max(self.clock.at, at)
        self.service.access(self.story.id, self.said(OPS), AccessNews(True, at, "ours", "flat_battery"))

    def restore(self) -> None:
        self.clock.at = max(self.clock.at, IN_TWO_WEEKS + DAY)
        news = AccessNews(False, IN_TWO_WEEKS + DAY, "ours", "charged")
        self.service.access(self.story.id, self.said(OPS), news)

    def cancel(self) -> None:
        self.service.cancel(self.story.id, self.said(KIM))


def at_risk(world: World) -> None:
    world.story.preparing()
    world.ring()


def cancel_scheduled(world: World) -> None:
    world.story.active()
    world.clock.at = IN_TWO_WEEKS + DAY
    world.cancel()


def overdue(world: World) -> None:
    world.story.due_back()
    world.ring()


def offered(world: World) -> None:
    world.story.swapping()
    world.service.offer_swap(world.story.id, world.said(OPS), CAR_2_KEY_A)


def refuse(world: World) -> None:
    world.desk.refused[KIM_MINJI.licence_no] = "suspended"
    world.service.verify(world.story.id)


def asked_for_renewal(world: World) -> None:
    world.story.active()
    world.ring()


def proven(world: World) -> None:
    world.service.access_proven(world.story.id, IN_TWO_WEEKS)


Set = Callable[[World], object]
BEGIN: dict[State, Set] = {
    State.APPLIED: lambda world: None,
    State.AWAITING_PAYMENT: lambda world: world.service.verify(world.story.id),
    State.CONFIRMED: lambda world: world.story.confirmed(),
    State.PREPARING: lambda world: world.story.preparing(),
    State.AT_RISK: at_risk,
    State.READY: lambda world: world.story.ready(),
    State.ACTIVE: lambda world: world.story.active(),
    State.SWAP_PENDING: offered,
    State.CANCEL_SCHEDULED: cancel_scheduled,
    State.RETURN_SCHEDULED: lambda world: world.story.due_back(),
    State.RETURN_OVERDUE: overdue,
    State.INSPECTION: lambda world: world.story.inspection(),
    State.SETTLING: lambda world: world.story.settling(),
}
HAPPENS: dict[Event, Set] = {
    Event.DRIVERS_VERIFIED: lambda world: world.service.verify(world.story.id),
    Event.VERIFICATION_FAILED: refuse,
    Event.PAID: lambda world: world.story.confirmed(),
    Event.VEHICLE_KEY_SLOT_ASSIGNED: lambda world: world.story.service.assign(world.story.id, CAR_2_KEY_A),
    Event.CAR_AND_ACCESS_READY: proven,
    Event.ACCESS_LOST: lambda world: world.lose(),
    Event.ACCESS_RESTORED: lambda world: world.restore(),
    Event.HANDOVER_CONFIRMED: lambda world: world.service.handed_over(world.story.id, IN_TWO_WEEKS),
    Event.CANCEL: lambda world: world.cancel(),
    Event.RENEWED: lambda world: world.service.renew(world.story.id, world.said(KIM), 12),
    Event.CANCEL_REQUESTED: lambda world: world.cancel(),
    Event.UNCANCEL: lambda world: world.service.uncancel(world.story.id, world.said(KIM)),
    Event.SWAP_REQUESTED: lambda world: world.service.swap(world.story.id, world.said(KIM), "defect"),
    Event.SWAP_DONE: lambda world: world.service.finish_swap(world.story.id, world.said(AGENT)),
    Event.SWAP_WITHDRAWN: lambda world: world.service.withdraw_swap(world.story.id, world.said(KIM)),
    Event.TERM_END_NO_RENEW: lambda world: world.ring(END),
    Event.BREACH_TERMINATE: lambda world: world.service.breach(world.story.id, world.said(OPS)),
    Event.VEHICLE_AND_KEYS_RECEIVED: lambda world: world.service.received(world.story.id, IN_TWO_WEEKS),
    Event.INSPECTED: lambda world: world.service.inspect(world.story.id, world.said(AGENT), []),
    Event.SETTLED: lambda world: world.service.settled(world.story.id, IN_TWO_WEEKS),
}


@pytest.mark.parametrize(
    ("before", "event", "after"), [(a, e, b) for a, e, b, _ in LIFE.rows], ids=lambda each: str(each)
)
def test_every_row_has_a_door(before: State, event: Event, after: State) -> None:
    world = World()
    BEGIN[before](world)
    if event is Event.ACCESS_RESTORED:
        world.lose()
    if event is Event.TERM_END_NO_RENEW:
        world.ring()
    if event is Event.T_VERIFY_BY:
        world.clock.move(hours=23, minutes=50)
        world.service.sweep()
    assert world.state is before
    seen = world.story.now
    if event.startswith("T."):
        assert seen.timer is event
        world.ring()
    else:
        HAPPENS[event](world)
    assert world.state is (State.ACTIVE if event is Event.HANDOVER_CONFIRMED else after)
    assert world.story.now.version > seen.version


def test_a_timer_that_is_not_due_does_not_ring() -> None:
    contract = signed("con_1", "kim", FIRST_CAR, NOON)
    assert contract.due_at is not None
    with pytest.raises(MovedOn):
        contract.rings(contract.due_at - timedelta(microseconds=1))
    assert contract.rings(contract.due_at).after.rung == 1


def test_a_handover_that_moves_takes_its_deadlines_along() -> None:
    world = World()
    world.story.preparing()
    later = IN_TWO_WEEKS + 3 * DAY
    assert world.story.now.due_at == IN_TWO_WEEKS - timedelta(hours=2)
    moved = world.story.now.rescheduled("handover", later, "여기", NOON).after
    assert (moved.handover, moved.due_at) == (Handover(later, "여기"), later - timedelta(hours=2))
    with pytest.raises(HandoverError):
        moved.rescheduled("return", later, None, NOON)
