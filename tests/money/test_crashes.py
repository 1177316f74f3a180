"""A death, a lost answer, a call made twice: at every call of every act, one by one, none by chance."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from chalicelib.checkout.model import State
from tests.money.market import CLEAR, Day, Market
from tests.money.stage import Fault

HALF = Day(1, 2, (4_000, 6_000, 4_000, 4_000), 30_000, percent=50, per_user=3, uses=9, points=4_000)
WHOLE = Day(1, 2, (4_000, 6_000, 4_000, 4_000), 30_000, percent=100, points=4_000)
Step = Callable[[Market], None]


def reserve(market: Market) -> None:
    market.reserve(0, 0, 600, 0)


def reserve_for_nothing(market: Market) -> None:
    market.reserve(0, 0, 0, 0)


def capture(market: Market) -> None:
    market.capture(0, "good")


def cancel(market: Market) -> None:
    market.cancel(0)


def run_out(market: Market) -> None:
    market.tick(16 * 60)


def sweep(market: Market) -> None:
    market.sweep()


def refund(percent: int) -> Step:
    return lambda market: market.refund(0, 0, percent)


def unheard(market: Market) -> None:
    """The bank takes the money, and nobody hears of it."""
    stage = market.world.stage
    market.capture(0, "good")
    while stage.playing:
        took = stage.playing[0].waits == "bank charge"
        stage.go(stage.playing[0], Fault.DEATH_AFTER if took else Fault.NONE)


def late(market: Market) -> None:
    market.tick(50 * 60)


@dataclass(frozen=True)
class Scene:
    """`again`: where the checkout stands when somebody repeats the act that broke off; `swept`: when nobody
    does, and the timers go on with it."""

    name: str
    before: tuple[Step, ...]
    act: Step
    again: frozenset[State]
    swept: frozenset[State]
    market: Day = field(default=HALF)


def _of(*states: State) -> frozenset[State]:
    return frozenset(states)


EXPIRED, CAPTURED = _of(State.EXPIRED), _of(State.CAPTURED)
REFUNDED = _of(State.REFUNDED)
EITHER = EXPIRED | CAPTURED
SCENES = (
    Scene("reserve", (), reserve, EXPIRED, EXPIRED),
    Scene("capture", (reserve,), capture, CAPTURED, EITHER),
    Scene("capture for nothing", (reserve_for_nothing,), capture, CAPTURED, EITHER, WHOLE),
    Scene("cancel", (reserve,), cancel, _of(State.CANCELLED), _of(State.CANCELLED, State.EXPIRED)),
    Scene("expire", (reserve, run_out), sweep, EXPIRED, EXPIRED),
    Scene("give up", (reserve, unheard, late), sweep, EITHER, EITHER),
    Scene("refund a part", (reserve, capture), refund(30), CAPTURED, CAPTURED),
    Scene("refund all", (reserve, capture), refund(100), REFUNDED, REFUNDED | CAPTURED),
)
EVERY = (Fault.DEATH_AFTER, Fault.LOST, Fault.TWICE, Fault.CONFLICT, Fault.THROTTLE)


def played(
    scene: Scene, faults: dict[int, Fault], again: bool, faults_again: dict[int, Fault] | None = None
) -> int:
    """Judged after every commit, and at rest. How many calls the act made."""
    with Market(scene.market, CLEAR) as market:
        for step in scene.before:
            market.alone(lambda step=step: step(market))  # type: ignore[misc]
        calls = market.alone(lambda: scene.act(market), faults)
        if again:
            market.alone(lambda: scene.act(market), faults_again)
            market.alone(lambda: scene.act(market))
        market.come_to_rest()
        states = {each.state for each in market.truths.mine if each.customer_id != "last"}
        wanted = scene.again if again else scene.swept
        if faults or again:
            assert states <= wanted, (scene.name, faults, states)
        return calls


@pytest.mark.parametrize("scene", SCENES, ids=lambda each: each.name)
def test_c06_a_death_at_any_call_loses_nothing_and_leaves_no_reservation(scene: Scene) -> None:
    """I9: whoever comes next finishes it, a retry or the sweep; a payment that came too late goes back."""
    for number in range(1, played(scene, {}, again=False) + 1):
        played(scene, {number: Fault.DEATH_AFTER}, again=number % 2 == 0)
