"""A unit is enrolled when operations ordered it and it brings the code, once; and otherwise never."""

import threading

import pytest

from chalicelib.devices.model import Admission, NoUnit, SerialTaken, Verdict, Why
from chalicelib.devices.service import LOOKS
from chalicelib.kernel.audit import broken_at
from chalicelib.kernel.errors import KeyReused, NotFound
from tests.devices.world import CAR, CLAIM, OTHER_CAR, OTHER_SERIAL, SERIAL, STAFF, World, certificate

FIRST, SECOND, THIRD = certificate(1), certificate(2), certificate(3)


def test_a_unit_that_was_ordered_becomes_its_car_and_gets_that_cars_key(world: World) -> None:
    assert world.admit(world.order(), FIRST) == Admission(CAR, f"key of {CAR}")
    assert world.states() == {"1": "made"}
    assert world.refusals() == []


def test_r07_a_code_works_for_one_certificate_only(world: World) -> None:
    """Whoever reads it over somebody's shoulder comes too late, and their try is on record."""
    code = world.order()
    assert world.admit(code, FIRST)
    assert world.admit(code, SECOND, claim_id="another") is None
    assert world.states() == {"1": "made"}
    assert world.refusals() == [("another", "used")]


def test_a_unit_that_did_not_hear_the_answer_asks_again_and_hears_the_same(world: World) -> None:
    code = world.order()
    assert world.admit(code, FIRST) == world.admit(code, FIRST)
    assert world.unit.head.no == 2


@pytest.mark.parametrize(
    ("serial", "code", "why"),
    [
        ("TCU-9999", None, "unknown_unit"),
        (OTHER_SERIAL, None, "wrong_code"),
        (SERIAL, "", "wrong_code"),
        (SERIAL, "a" * 26, "wrong_code"),
        ("", "", "unreadable"),
    ],
)
def test_r07_without_serial_and_code_of_one_order_nothing_is_enrolled(
    world: World, serial: str, code: str | None, why: str
) -> None:
    right = world.order()
    world.order(OTHER_SERIAL, OTHER_CAR)
    assert world.admit(right if code is None else code, FIRST, serial) is None
    assert (world.states(), world.refusals()) == ({}, [(CLAIM, why)])


def test_r07_a_certificate_that_has_ended_is_not_brought_back(world: World) -> None:
    """Enrolling makes a certificate active: a revoked one with a fresh code would live again."""
    world.enrolled(FIRST)
    world.service.withdraw(CAR, Why.STOLEN, STAFF)
    assert world.admit(world.order(key="k2"), FIRST) is None
    assert (world.states(), world.refusals()) == ({"1": "revoked"}, [(CLAIM, "not_new")])


def test_r07_one_certificate_is_one_car(world: World) -> None:
    world.enrolled(FIRST)
    assert world.admit(world.order(OTHER_SERIAL, OTHER_CAR), FIRST, OTHER_SERIAL) is None
    assert world.refusals() == [(CLAIM, "not_new")]
    assert world.store.unit(OTHER_CAR).certificates == ()


def test_a_unit_that_was_admitted_in_vain_may_use_its_certificate_with_a_new_code(world: World) -> None:
    assert world.admit(world.order(), FIRST)
    assert world.admit(world.order(key="k2"), FIRST)
    assert world.states() == {"1": "made"}
    assert len(world.unit.certificates) == 1
    assert world.connect(FIRST) is Verdict.FIRST


def test_a_code_dies_after_an_hour(world: World) -> None:
    code = world.order()
    world.clock.move(minutes=59, seconds=59)
    assert world.admit(code, FIRST)
    world.clock.move(seconds=1)
    assert world.admit(code, FIRST) is None
    assert world.refusals() == [(CLAIM, "expired")]


def test_a_later_order_voids_the_code_of_the_earlier_one(world: World) -> None:
    early, late = world.order(key="k1"), world.order(key="k2")
    assert world.admit(early, FIRST) is None
    assert world.admit(late, FIRST)


def test_the_same_request_hears_the_same_code_again(world: World) -> None:
    first = world.service.order(CAR, SERIAL, STAFF, "k1")
    world.clock.move(minutes=5)
    again = world.service.order(CAR, SERIAL, STAFF, "k1")
    assert (again.value, again.replayed) == (first.value, True)
    with pytest.raises(KeyReused):
        world.service.order(CAR, OTHER_SERIAL, STAFF, "k1")
    assert world.unit.head.no == 1


def test_a_unit_is_in_one_car_at_a_time(world: World) -> None:
    world.enrolled(FIRST)
    with pytest.raises(SerialTaken):
        world.order(SERIAL, OTHER_CAR, key="k2")
    assert world.store.unit(OTHER_CAR).head.no == 0


def test_a_car_that_gets_another_unit_gives_the_former_one_free(world: World) -> None:
    world.enrolled(FIRST)
    world.enrolled(SECOND, key="k2", serial=OTHER_SERIAL)
    assert world.states() == {"1": "retired", "2": "in_force"}
    assert world.order(SERIAL, OTHER_CAR, key="k3")


def test_a_car_nobody_registered_gets_no_unit(world: World) -> None:
    with pytest.raises(NotFound):
        world.order(car_id="car-9999")
    with pytest.raises(NoUnit):
        world.service.shown(CAR)


def test_twenty_certificates_race_for_one_code_and_one_wins(world: World) -> None:
    code = world.order()
    admitted: list[Admission] = []

    def run(number: int) -> None:
        admission = world.admit(code, certificate(number))
        if admission is not None:
            admitted.append(admission)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(admitted) == len(world.unit.certificates) == 1
    assert len(world.refusals()) == 19


def test_no_code_is_stored_anywhere(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    code = world.order()
    world.admit(code, FIRST)
    seen = world.service.shown(CAR)
    assert code not in repr(seen)
    assert code not in repr(world.store.order(CAR, seen.unit.enrolment.order_id))  # type: ignore[union-attr]
    assert code not in capsys.readouterr().out


def test_the_log_tells_who_did_what_and_cannot_be_changed_unnoticed(world: World) -> None:
    world.enrolled(FIRST)
    world.enrolled(SECOND, key="k2")
    shown = world.service.shown(CAR)
    assert [(line.what, line.who) for line in shown.lines] == [
        ("ordered", "staff:olga"),
        ("enrolled", "unit:TCU-0001"),
        ("in_force", "unit:TCU-0001"),
        ("ordered", "staff:olga"),
        ("enrolled", "unit:TCU-0001"),
        ("in_force", "unit:TCU-0001"),
        ("ended", "unit:TCU-0001"),
    ]
    assert broken_at(shown.lines) is None
    assert shown.lines[-1].head == world.unit.head
    assert broken_at([*shown.lines[:2], *shown.lines[3:]]) is not None


def test_a_first_connection_heard_many_times_counts_once(world: World) -> None:
    world.enrolled(FIRST)
    assert [world.connect(FIRST) for _ in range(LOOKS)] == [Verdict.KNOWN] * LOOKS
    assert world.unit.head.no == 3
