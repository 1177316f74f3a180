"""A death, or a lost answer, at every boundary of every kind of run: none is left to chance.

Each scene plays once unharmed, to count the boundaries of the run it is about; then once more for each of
them and each fault that can happen there; for runs a person repeats, with a second death in the repetition.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from chalicelib.doors.model import Action
from tests.bench.road.air import STEADY, Nature
from tests.bench.road.keys import Grant
from tests.bench.road.lambdas import CALM, PUBLISH, Fault, Plan, Side
from tests.bench.road.truths import TRUTHS
from tests.bench.road.world import CARS, SWEEP_MS, Kit, World
from tests.conftest import NOON

CAR = CARS[0]
KIM, PARTNER = f"kim-{CAR}", f"partner-{CAR}"
UNLOCK, LOCK, HORN = Action.UNLOCK, Action.LOCK, Action.HORN
MUTE = Nature(lossy=1, cut=0)
"""It hears and does everything, and nobody hears it."""
Scene = Callable[[World, tuple[Plan, ...]], None]
"""Sets out what went before and starts the run that is to die, with its plans."""


def unlock(world: World, plans: tuple[Plan, ...]) -> None:
    world.hours.start(lambda: world.press(KIM, UNLOCK, "k", *plans), 5_000)


def unlock_a_mute_car(world: World, plans: tuple[Plan, ...]) -> None:
    mute(world)
    unlock(world, plans)


def lock_goes_ahead(world: World, plans: tuple[Plan, ...]) -> None:
    mute(world)
    world.hours.start(lambda: world.press(PARTNER, UNLOCK, "first"), 5_000)
    world.hours.start(lambda: world.press(KIM, LOCK, "k", *plans), 6_000)


def join(world: World, plans: tuple[Plan, ...]) -> None:
    mute(world)
    world.hours.start(lambda: world.press(PARTNER, UNLOCK, "first"), 5_000)
    world.hours.start(lambda: world.press(KIM, UNLOCK, "k", *plans), 6_000)


def busy(world: World, plans: tuple[Plan, ...]) -> None:
    mute(world)
    world.hours.start(lambda: world.press(PARTNER, LOCK, "first"), 5_000)
    world.hours.start(lambda: world.press(KIM, UNLOCK, "k", *plans), 6_000)


def offline(world: World, plans: tuple[Plan, ...]) -> None:
    world.hours.later(3_000, world.cars[CAR].disconnect)
    world.hours.start(lambda: world.press(KIM, UNLOCK, "k", *plans), 60_000)


def back_in_time(world: World, plans: tuple[Plan, ...], back_at: int = 12_000) -> None:
    """The car sleeps and nobody has noticed: the broker keeps the command until it is back."""
    world.hours.later(4_000, lambda: setattr(world.cars[CAR], "connected", False))
    world.hours.start(lambda: world.press(KIM, UNLOCK, "k", *plans), 5_000)
    world.hours.later(back_at, world.cars[CAR].connect)


def back_too_late(world: World, plans: tuple[Plan, ...]) -> None:
    back_in_time(world, plans, 22_000)


def too_often(world: World, plans: tuple[Plan, ...]) -> None:
    for number in range(3):
        world.hours.start(partial(world.press, PARTNER, HORN, f"{number}"), 3_000 + 10_000 * number)
    world.hours.start(lambda: world.press(KIM, HORN, "k", *plans), 33_000)


def again_when_done(world: World, plans: tuple[Plan, ...]) -> None:
    """The same key once more, when all is over."""
    world.hours.start(lambda: world.press(KIM, UNLOCK, "k"), 5_000)
    world.hours.start(lambda: world.press(KIM, UNLOCK, "k", *plans), 60_000)


def revoked_before(world: World, plans: tuple[Plan, ...]) -> None:
    world.hours.start(lambda: world.revoke(KIM), 3_000)
    world.hours.start(lambda: world.press(KIM, UNLOCK, "k", *plans), 5_000)


def revoked_meanwhile(world: World, plans: tuple[Plan, ...]) -> None:
    """Between the record and the last look at the grant."""

    watched = [meanwhile(plan, world, "store.open", lambda: world.revoke(KIM)) for plan in plans]
    world.hours.start(lambda: world.press(KIM, UNLOCK, "k", *watched), 5_000)


def meanwhile(plan: Plan, world: World, after: str, other: Callable[[], None]) -> Plan:
    """`other` happens, and is answered, as soon as the run has done its call `after`."""

    def and_then(number: int, call: str, side: Side) -> Fault | None:
        if call == after and side is Side.AFTER:
            world.hours.start(other)
            world.hours.pause(500)
        return plan(number, call, side)

    return and_then


def stopped_before(world: World, plans: tuple[Plan, ...]) -> None:
    world.hours.start(lambda: world.stop(CAR, 60_000), 3_000)
    world.hours.start(lambda: world.press(KIM, UNLOCK, "k", *plans), 5_000)
    world.hours.start(lambda: world.press(PARTNER, LOCK, "k"), 20_000)


def stopped_meanwhile(world: World, plans: tuple[Plan, ...]) -> None:
    """Between the look at the car and the record."""
    watched = [meanwhile(plan, world, "store.car", lambda: world.stop(CAR, 60_000)) for plan in plans]
    world.hours.start(lambda: world.press(KIM, UNLOCK, "k", *watched), 5_000)


def all_stopped_before(world: World, plans: tuple[Plan, ...]) -> None:
    world.hours.start(lambda: world.stop(None, 60_000), 3_000)
    world.hours.start(lambda: world.press(KIM, UNLOCK, "k", *plans), 5_000)


def stop(world: World, plans: tuple[Plan, ...]) -> None:
    world.hours.start(lambda: world.press(KIM, UNLOCK, "k"), 5_000)
    world.hours.start(lambda: world.stop(CAR, 60_000, *plans), 5_020)


def stop_all(world: World, plans: tuple[Plan, ...]) -> None:
    world.hours.start(lambda: world.press(KIM, UNLOCK, "k"), 5_000)
    world.hours.start(lambda: world.stop(None, 60_000, *plans), 5_020)


def not_proven(world: World, plans: tuple[Plan, ...]) -> None:
    world.keys.admit(KIM, Grant("grt_old", f"con_{CAR}", CAR, NOON - timedelta(days=2)))
    world.hours.start(lambda: world.press(KIM, UNLOCK, "k", *plans), 5_000)


def forged_copy(world: World, plans: tuple[Plan, ...]) -> None:
    """Somebody sends the car a changed copy, which it refuses; its answer comes before the true one."""
    mute(world)
    world.hours.start(lambda: world.press(KIM, UNLOCK, "k"), 5_000)

    def forge() -> None:
        envelope = {**json.loads(world.broker.captured[-1][1]), "grant_id": "grt_other"}
        answer = world.cars[CAR].unit.receive(json.dumps(envelope).encode(), world.cars[CAR].own)
        plan_the_next(world, "ack", plans)
        world.hear(CAR, "acks", answer or {})

    world.hours.later(6_000, forge)


def revoke(world: World, plans: tuple[Plan, ...]) -> None:
    world.hours.start(lambda: world.press(KIM, UNLOCK, "k"), 5_000)
    world.hours.start(lambda: world.revoke(KIM, *plans), 5_050)


def ack(world: World, plans: tuple[Plan, ...]) -> None:
    plan_the_next(world, "ack", plans)
    world.hours.start(lambda: world.press(KIM, UNLOCK, "k"), 5_000)


def late_ack(world: World, plans: tuple[Plan, ...]) -> None:
    """When the clock has spoken."""
    mute(world)
    world.hours.start(lambda: world.press(KIM, UNLOCK, "k"), 5_000)

    def say() -> None:
        for answer in world.cars[CAR].unit.memory.answers.values():
            world.hear(CAR, "acks", answer)

    plan_the_next(world, "ack", plans)
    world.hours.later(70_000, say)


def report_settles(world: World, plans: tuple[Plan, ...]) -> None:
    """The car's own word on itself settles what it never answered."""
    mute(world)
    world.hours.start(lambda: world.press(KIM, UNLOCK, "k"), 5_000)
    world.hours.later(25_000, partial(plan_the_next, world, "report", plans))
    world.hours.later(
        25_000, lambda: world.hear(CAR, "state", world.cars[CAR].unit.state(world.cars[CAR].own))
    )


def opened_with_the_key(world: World, plans: tuple[Plan, ...]) -> None:
    car = world.cars[CAR]

    def turn() -> None:
        plan_the_next(world, "report", plans)
        car.unit.body.locked = False
        world.hear(CAR, "state", car.unit.state(car.own))

    world.hours.later(30_000, turn)


def gone_offline(world: World, plans: tuple[Plan, ...]) -> None:
    world.hours.later(5_000, partial(plan_the_next, world, "presence", plans))
    world.hours.later(6_000, world.cars[CAR].disconnect)
    world.hours.later(60_000, world.cars[CAR].connect)


def sweep(world: World, plans: tuple[Plan, ...]) -> None:
    """One command at its deadline, one at the end of its grace."""
    for car in world.cars.values():
        car.nature = MUTE
    world.hours.start(lambda: world.press(KIM, UNLOCK, "k"), 5_000)
    world.hours.start(lambda: world.press(f"kim-{CARS[1]}", UNLOCK, "k"), 70_000)
    world.hours.later(86_000, lambda: world.sweep(*plans))


def look(world: World, plans: tuple[Plan, ...]) -> None:
    """Reading a command settles it when its time is over."""
    mute(world)
    world.hours.start(lambda: world.press(KIM, UNLOCK, "k"), 5_000)

    def ask() -> None:
        command_id = next(iter(world.store.commands))
        world.lambdas.ask("look", lambda: world.service.command(KIM, command_id), *plans)

    world.hours.start(ask, 100_000)


def mute(world: World) -> None:
    world.hours.later(2_500, lambda: setattr(world.cars[CAR], "nature", MUTE))


def plan_the_next(world: World, kind: str, plans: tuple[Plan, ...]) -> None:
    """Its next events of that kind have these plans."""
    world.lambdas.planned[kind] = list(plans)


SCENES: tuple[Scene, ...] = (
    unlock,
    unlock_a_mute_car,
    lock_goes_ahead,
    join,
    busy,
    offline,
    back_in_time,
    back_too_late,
    too_often,
    again_when_done,
    revoked_before,
    revoked_meanwhile,
    revoke,
    stopped_before,
    stopped_meanwhile,
    all_stopped_before,
    stop,
    stop_all,
    not_proven,
    forged_copy,
    ack,
    late_ack,
    report_settles,
    opened_with_the_key,
    gone_offline,
    sweep,
    look,
)
REPEATED = (unlock, lock_goes_ahead, join, again_when_done, revoked_meanwhile)
"""Those a person repeats: they die twice."""


@dataclass(frozen=True)
class Deaths:
    """`boundaries` of all scenes together, each with every fault it can have; `wrong`: what was untrue."""

    boundaries: int
    faults: int
    wrong: tuple[str, ...]


def at(number: int, fault: Fault) -> Plan:
    return lambda crossed, _call, _side: fault if crossed == number else None


def unharmed(_number: int, _call: str, _side: Side) -> None:
    return None


def play(scene: Scene, kit: Kit, *plans: Plan) -> World:
    world = World(1, replace(kit, nature=lambda _: STEADY, stale=0), CALM)
    for car in world.cars.values():
        world.hours.later(0, car.connect)
    scene(world, plans)
    for minute in range(1, 7):
        world.hours.later(minute * SWEEP_MS + 100, world.sweep)
    world.hours.run(7 * SWEEP_MS)
    return world


def boundaries(scene: Scene, kit: Kit) -> list[tuple[str, Side]]:
    """What the run under test crosses when nothing goes wrong."""
    crossed: list[tuple[str, Side]] = []

    def watch(_number: int, call: str, side: Side) -> None:
        crossed.append((call, side))

    play(scene, kit, watch)
    return crossed


def faults_at(call: str, side: Side) -> Iterator[Fault]:
    yield Fault.CRASH
    yield Fault.LOST
    if call == PUBLISH and side is Side.BEFORE:
        yield Fault.REFUSED


def die_everywhere(
    kit: Kit | None = None, *, twice: bool = True, scenes: tuple[Scene, ...] = SCENES
) -> Deaths:
    kit = kit or Kit()
    crossed = tried = 0
    wrong: list[str] = []
    for scene in scenes:
        found = boundaries(scene, kit)
        assert found, f"{scene.__name__} never comes to the run it is about"
        crossed += len(found)
        once = [at(number, fault) for number, it in enumerate(found, 1) for fault in faults_at(*it)]
        plans: list[tuple[Plan, ...]] = [(), *((plan,) for plan in once)]
        if twice and scene in REPEATED:
            again = [at(number, Fault.CRASH) for number in range(1, len(found) + 1)]
            plans += [(first, second) for first in again for second in again]
        for plan in plans:
            tried += len(plan)
            world = play(scene, kit, *plan)
            for truth in TRUTHS:
                wrong += [f"{scene.__name__}: {truth.__name__}: {case}" for case in truth(world)]
    return Deaths(crossed, tried, tuple(wrong))
