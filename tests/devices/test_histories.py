"""Whatever happens to a car's unit, and in whatever order, what must hold does."""

from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.devices.model import CONNECTS_WITHIN, LIFE, State, Why, newly_ended
from chalicelib.devices.service import DeviceService
from chalicelib.kernel.audit import broken_at
from tests.conftest import Hands
from tests.devices.memory import MemoryDevices
from tests.devices.world import CAR, OTHER_SERIAL, SERIAL, STAFF, Cars, Registry, World, certificate

SERIALS = (SERIAL, OTHER_SERIAL)
STEPS = st.one_of(
    st.tuples(st.just("order"), st.sampled_from(SERIALS), st.integers(0, 3)),
    st.tuples(st.just("admit"), st.integers(0, 3), st.integers(1, 6)),
    st.tuples(st.just("connect"), st.integers(1, 6), st.just(0)),
    st.tuples(st.just("withdraw"), st.just(0), st.just(0)),
    st.tuples(st.just("close"), st.just(0), st.just(0)),
    st.tuples(st.just("wait"), st.sampled_from((1, 3_600, int(CONNECTS_WITHIN.total_seconds()))), st.just(0)),
)


class Play:
    def __init__(self) -> None:
        store, registry, clock = MemoryDevices(), Registry(), Hands()
        service = DeviceService(
            store, Cars(), registry, lambda: "code key", lambda car_id: f"key of {car_id}", clock
        )
        self.store = store
        self.world = World(service, store, registry, clock, lambda: list(store.facts), list)
        self.codes: list[tuple[str, str]] = []
        self.opened_by: dict[str, set[str]] = {}

    def step(self, what: str, first: object, second: int) -> None:
        world = self.world
        if what == "order":
            key = f"{first} {second} {len(self.codes)}"
            self.codes.append((str(first), world.order(str(first), key=key)))
        elif what == "admit" and self.codes:
            serial, code = self.codes[int(str(first)) % len(self.codes)]
            if world.admit(code, certificate(second), serial):
                self.opened_by.setdefault(code, set()).add(certificate(second))
        elif what == "connect":
            world.connect(certificate(int(str(first))))
        elif what == "withdraw" and world.unit.head.no:
            world.service.withdraw(CAR, Why.STOLEN, STAFF)
            assert all(each.state is State.REVOKED for each in world.unit.certificates)
        elif what == "close":
            world.close_all()
        elif what == "wait":
            world.clock.move(seconds=int(str(first)))


@settings(max_examples=50, deadline=None)
@given(st.lists(STEPS, max_size=30))
def test_r07_one_certificate_at_most_is_in_force_and_none_comes_back(
    steps: list[tuple[str, object, int]],
) -> None:
    play = Play()
    for step in steps:
        before = play.world.unit
        play.step(*step)
        after = play.world.unit
        in_force = [each for each in after.certificates if each.state is State.IN_FORCE]
        assert len(in_force) <= 1
        for each in before.certificates:
            now = after.certificate(each.certificate_id)
            assert now is None or now.state is each.state or now.state in _reached_from(each.state)
        assert {fact.data["certificate_id"] for fact in play.store.facts} >= {
            each.certificate_id for each in newly_ended(before, after)
        }
    assert all(len(certificates) == 1 for certificates in play.opened_by.values())
    log = play.store.logs[CAR]
    assert broken_at(log) is None
    assert (log[-1].head if log else play.world.unit.head) == play.world.unit.head


@settings(max_examples=25, deadline=None)
@given(st.lists(STEPS, max_size=30))
def test_r07_once_every_fact_was_heard_aws_iot_knows_of_every_end(
    steps: list[tuple[str, object, int]],
) -> None:
    play = Play()
    for step in steps:
        play.step(*step)
    play.world.close_all()
    for each in play.world.unit.certificates:
        ended = each.state in (State.RETIRED, State.REVOKED)
        assert (each.closed_at is not None) is ended
        told = [revoked for id_, _, revoked in play.world.registry.ended if id_ == each.certificate_id]
        assert bool(told) is ended
        assert each.state is not State.REVOKED or told[-1]


def _reached_from(state: State) -> set[State]:
    return set(LIFE.reachable(state)) - {state}
