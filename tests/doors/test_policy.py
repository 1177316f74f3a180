"""Who must show again that it is them, and from how far a car may be asked."""

from datetime import timedelta

import pytest

from chalicelib.doors.model import (
    POLICY,
    Action,
    Event,
    Origin,
    Place,
    State,
    StepUpRequired,
    TooFar,
    metres,
    objection,
    sight,
)
from chalicelib.kernel.errors import HandoverError
from tests.conftest import NOON
from tests.doors.world import HORN, LOCK, UNLOCK, World

CITY_HALL, NAMSAN = (37.5663, 126.9779), (37.5512, 126.9882)
HERE, NEXT_DOOR, FAR_OFF = Origin(*CITY_HALL), Origin(37.5668, 126.9785), Origin(*NAMSAN)
PROOFS = {"never": None, "a day ago": 24 * 60 + 1, "today": 23 * 60, "just now": 10}
"""Minutes since somebody proved themselves."""
OK, STEP_UP, FAR = None, StepUpRequired, TooFar

TABLE: list[tuple[Action, Place, dict[str, type[HandoverError] | None]]] = [
    (Action.UNLOCK, Place.NEAR, {"never": STEP_UP, "a day ago": STEP_UP, "today": OK, "just now": OK}),
    (Action.UNLOCK, Place.FAR, {"never": STEP_UP, "a day ago": STEP_UP, "today": STEP_UP, "just now": OK}),
    (Action.UNLOCK, Place.NOT_GIVEN, {"never": STEP_UP, "a day ago": STEP_UP, "today": OK, "just now": OK}),
    (Action.LOCK, Place.FAR, {"never": OK, "a day ago": OK, "today": OK, "just now": OK}),
    (Action.HAZARD_ON, Place.FAR, {"never": OK, "a day ago": OK, "today": OK, "just now": OK}),
    (Action.HAZARD_OFF, Place.FAR, {"never": OK, "a day ago": OK, "today": OK, "just now": OK}),
    (Action.HORN, Place.NEAR, {"never": STEP_UP, "a day ago": STEP_UP, "today": OK, "just now": OK}),
    (Action.HORN, Place.FAR, {"never": STEP_UP, "a day ago": STEP_UP, "today": FAR, "just now": FAR}),
    (Action.HORN, Place.NOT_COMPARABLE, {"never": STEP_UP, "today": OK, "just now": OK}),
]


@pytest.mark.parametrize(("action", "place", "answers"), TABLE)
def test_r09_what_each_action_asks_of_a_proof_and_a_place(
    action: Action, place: Place, answers: dict[str, type[HandoverError] | None]
) -> None:
    for proof, expected in answers.items():
        minutes = PROOFS[proof]
        proven_at = NOON - timedelta(minutes=minutes) if minutes is not None else None
        found = objection(action, proven_at, place, NOON)
        assert (type(found) if found else None) is expected, (action, place, proof)


def test_every_action_has_its_policy() -> None:
    assert set(POLICY) == set(Action)
    assert POLICY[Action.LOCK].prove_again_after is None


def test_two_places_in_a_city_are_so_far_apart() -> None:
    assert metres(CITY_HALL, CITY_HALL) == 0
    assert 1800 < metres(CITY_HALL, NAMSAN) < 2000
    assert metres((0, 0), (0, 180)) == pytest.approx(20_015_000, rel=0.001)


@pytest.mark.parametrize(
    ("origin", "place"),
    [
        (None, Place.NOT_GIVEN),
        (NEXT_DOOR, Place.NEAR),
        (FAR_OFF, Place.FAR),
        (Origin(*NAMSAN, accuracy_m=3000), Place.NOT_COMPARABLE),
        (Origin(*NAMSAN, accuracy_m=400), Place.FAR),
        (Origin(*CITY_HALL, accuracy_m=400), Place.NEAR),
    ],
)
def test_r09_a_place_is_compared_with_the_cars_own(world: World, origin: Origin | None, place: Place) -> None:
    assert sight(UNLOCK, origin, world.store.car("car-0001").reading, world.clock()).place in (
        Place.NOT_GIVEN,
        Place.NOT_COMPARABLE,
    )
    world.hear(locked=True, position=CITY_HALL)
    world.hear(locked=True)  # a report that says nothing of the place leaves the last one known
    assert sight(UNLOCK, origin, world.store.car("car-0001").reading, world.clock()).place is place
    world.clock.move(hours=25)
    old = sight(UNLOCK, origin, world.store.car("car-0001").reading, world.clock())
    assert old.place is (Place.NOT_COMPARABLE if origin else Place.NOT_GIVEN)


def test_r09_an_unlock_from_far_away_needs_a_fresh_proof_and_a_lock_never_does(world: World) -> None:
    world.hear(locked=False, position=CITY_HALL)
    world.clock.move(hours=1)
    with pytest.raises(StepUpRequired):
        world.press(UNLOCK, "k1", at=FAR_OFF)
    assert world.air.published == []
    locked = world.press(LOCK, "k2", at=FAR_OFF)
    assert locked.state == State.SENT
    world.answer(locked, Event.SUCCEEDED)
    world.holders.proven = world.clock()
    assert world.press(UNLOCK, "k1", at=FAR_OFF).state == State.SENT


def test_r09_an_old_session_cannot_join_what_somebody_else_has_pressed(world: World) -> None:
    world.press(UNLOCK, "k1")
    world.holders.proven = None
    with pytest.raises(StepUpRequired):
        world.press(UNLOCK, "k2", by="partner")


def test_r09_a_horn_from_another_part_of_town_is_refused_however_fresh_the_proof(world: World) -> None:
    world.hear(locked=True, position=(35.1796, 129.0756))
    with pytest.raises(TooFar):
        world.press(HORN, "k1", at=HERE)


def test_r09_a_distance_is_a_signal_in_the_log_and_never_public(world: World) -> None:
    world.hear(locked=True, position=CITY_HALL)
    world.press(UNLOCK, "k1", at=NEXT_DOOR)
    (line,) = world.log()
    assert line.about["place"] == "near"
    assert "distance_m" not in line.about
    assert line.private_mark is not None
