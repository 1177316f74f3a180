"""Whatever people, cars and the clock do, in whatever order: what ended stays ended, and the books agree."""

import contextlib
import itertools
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.doors.model import JOURNEY, Action, Command, Event, PerhapsAccepted, Role, State
from chalicelib.kernel.errors import HandoverError
from tests.conftest import Hands
from tests.doors.memory import MemoryDoors
from tests.doors.world import World, world_of

SAID = sorted({event for _, event, _, roles in JOURNEY.rows if Role.CAR in roles})

steps = st.lists(
    st.one_of(
        st.tuples(st.just("press"), st.sampled_from(Action)),
        st.tuples(st.just("answer"), st.tuples(st.integers(0, 3), st.sampled_from(SAID))),
        st.tuples(st.just("hear"), st.booleans()),
        st.tuples(st.just("wait"), st.sampled_from([0.1, 5.0, 14.9, 15.0, 60.0, 75.0])),
        st.tuples(st.just("sweep"), st.none()),
        st.tuples(st.just("look"), st.integers(0, 3)),
        st.tuples(st.just("connect"), st.booleans()),
        st.tuples(st.just("fail"), st.booleans()),
    ),
    max_size=25,
)


def world() -> tuple[World, MemoryDoors]:
    store, ids = MemoryDoors(), itertools.count()
    made = world_of(store, Hands(), lambda it: f"{it}_{next(ids)}", lambda: list(store.facts))
    return made, store


class Days:
    """Carries out the steps of a history; refusals are part of it."""

    def __init__(self) -> None:
        self.world, self.store = world()
        self._keys = itertools.count()

    def press(self, action: Action) -> None:
        self.world.press(action, f"k{next(self._keys)}")

    def answer(self, what: tuple[int, Event]) -> None:
        for command in self._recent(what[0]):
            self.world.answer(command, what[1])

    def look(self, back: int) -> None:
        for command in self._recent(back):
            self.world.look(command)

    def _recent(self, back: int) -> list[Command]:
        known = list(self.store.commands.values())
        return known[-1 - back :][:1]

    def hear(self, locked: bool) -> None:
        self.world.hear(locked=locked)

    def wait(self, seconds: float) -> None:
        self.world.clock.move(seconds=seconds)

    def sweep(self, _: None) -> None:
        self.world.service.sweep()

    def connect(self, online: bool) -> None:
        self.world.connect(online=online)

    def fail(self, broken: bool) -> None:
        self.world.air.breaks = PerhapsAccepted() if broken else None

    def ends(self) -> dict[str, State]:
        return {it.command_id: it.state for it in self.store.commands.values() if it.settled}


@given(steps)
@settings(max_examples=60, deadline=None)
def test_r01_what_ended_stays_ended_and_every_end_is_told_once(history: list[tuple[str, Any]]) -> None:
    days = Days()
    ended: dict[str, State] = {}
    for name, value in history:
        with contextlib.suppress(HandoverError):
            getattr(days, name)(value)
        assert ended.items() <= days.ends().items()
        ended = days.ends()
    told = [fact.subject for fact in days.store.facts if fact.data.get("state") in JOURNEY.ends]
    assert sorted(told) == sorted(ended)
    counters = [command.counter for command in days.store.commands.values() if command.counter]
    assert sorted(counters) == list(range(1, len(counters) + 1))
    assert days.world.requested() == len(counters)
