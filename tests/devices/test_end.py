"""A certificate ends when a newer one has connected, or when operations say so; and AWS IoT hears of it."""

import pytest

from chalicelib.devices.model import Connection, Verdict, Why
from chalicelib.kernel.errors import HandoverError
from tests.devices.world import CAR, CLAIM, OTHER_CAR, SERIAL, STAFF, World, certificate

FIRST, SECOND, THIRD = certificate(1), certificate(2), certificate(3)


def test_r07_the_old_certificate_works_until_the_new_one_has_connected(world: World) -> None:
    world.enrolled(FIRST)
    assert world.admit(world.order(key="k2"), SECOND)
    assert world.states() == {"1": "in_force", "2": "made"}
    assert world.connect(SECOND) is Verdict.FIRST
    assert world.states() == {"1": "retired", "2": "in_force"}
    world.close_all()
    assert world.registry.ended == [(FIRST, CAR, False)]


def test_r07_a_certificate_that_waits_for_a_better_moment_ends_when_it_shows_itself(world: World) -> None:
    """Whoever used a stolen code in silence must not be able to push the real unit off a month later."""
    world.enrolled(FIRST)
    assert world.admit(world.order(key="k2"), SECOND)
    world.clock.move(hours=24)
    assert world.connect(SECOND) is Verdict.TOO_LATE
    assert world.states() == {"1": "in_force", "2": "retired"}
    world.close_all()
    assert world.registry.ended == [(SECOND, CAR, True)]
    assert world.refusals() == [(SECOND, "too_late")]
    assert world.connect(FIRST) is Verdict.KNOWN


def test_a_thief_who_was_faster_with_the_code_is_thrown_out_by_the_next_order(world: World) -> None:
    stolen = world.order()
    assert world.admit(stolen, certificate(9))
    assert world.connect(certificate(9)) is Verdict.FIRST
    assert world.admit(stolen, FIRST) is None  # the real unit: this is how operations hear of it
    world.enrolled(SECOND, key="k2")
    assert world.states() == {"9": "retired", "2": "in_force"}


def test_r07_a_stolen_units_certificates_are_all_revoked(world: World) -> None:
    world.enrolled(FIRST)
    world.enrolled(SECOND, key="k2")
    assert world.admit(world.order(key="k3"), THIRD)
    world.service.withdraw(CAR, Why.STOLEN, STAFF)
    assert world.states() == {"1": "revoked", "2": "revoked", "3": "revoked"}
    world.close_all()
    assert set(world.registry.ended) == {(FIRST, CAR, True), (SECOND, CAR, True), (THIRD, CAR, True)}
    assert all(each.closed_at for each in world.unit.certificates)
    world.clock.move(seconds=1)
    assert world.connect(SECOND) is Verdict.ENDED


def test_a_code_still_open_dies_with_the_unit(world: World) -> None:
    code = world.order()
    world.service.withdraw(CAR, Why.STOLEN, STAFF)
    assert world.admit(code, FIRST) is None
    assert world.refusals() == [(CLAIM, "unknown_unit")]


def test_a_unit_that_was_taken_out_can_go_into_another_car(world: World) -> None:
    world.enrolled(FIRST)
    world.service.withdraw(CAR, Why.REMOVED, STAFF)
    assert world.admit(world.order(SERIAL, OTHER_CAR, key="k2"), SECOND)
    assert world.connect(SECOND, client_id=OTHER_CAR) is Verdict.FIRST
    assert world.states() == {"1": "revoked"}


def test_taking_it_out_twice_is_taking_it_out_once(world: World) -> None:
    world.enrolled(FIRST)
    world.service.withdraw(CAR, Why.STOLEN, STAFF)
    number = world.unit.head.no
    world.service.withdraw(CAR, Why.STOLEN, STAFF)
    assert (world.unit.head.no, len(world.facts())) == (number, 1)


def test_while_aws_iot_does_not_answer_nothing_counts_as_closed(world: World) -> None:
    world.enrolled(FIRST)
    world.service.withdraw(CAR, Why.STOLEN, STAFF)
    world.registry.down = True
    with pytest.raises(ConnectionError):
        world.close_all()
    assert world.unit.certificates[0].closed_at is None
    world.registry.down = False
    world.close_all()
    world.close_all()
    assert world.unit.certificates[0].closed_at == world.clock()
    assert len([line for line in world.service.shown(CAR).lines if line.what == "closed"]) == 1


def test_r07_a_certificate_we_never_made_is_on_record(world: World) -> None:
    """Only somebody inside can make one; it changes nothing here, and operations hear of it."""
    world.enrolled(FIRST)
    before = world.unit
    assert world.connect(certificate(7)) is Verdict.FOREIGN
    assert world.connect(FIRST, client_id="car-0404") is Verdict.NO_UNIT
    assert (world.unit, world.refusals()) == (before, [(certificate(7), "foreign")])


def test_r07_an_ended_certificate_that_still_connects_is_on_record(world: World) -> None:
    world.enrolled(FIRST)
    world.service.withdraw(CAR, Why.STOLEN, STAFF)
    assert world.connect(FIRST) is Verdict.KNOWN  # it had connected before, and we hear of it late
    world.clock.move(seconds=1)
    assert world.connect(FIRST) is Verdict.ENDED
    assert world.refusals() == [(FIRST, "ended")]


def test_r06_a_refused_connection_is_recorded_under_the_certificate_that_tried(world: World) -> None:
    """A client id is chosen by whoever tries: rows by that name could be made without end."""
    for number in range(3):
        refused = Connection(f"car-{number:04d}", FIRST, world.clock(), refused=True)
        assert world.service.heard(refused) is Verdict.REFUSED
    assert world.refusals() == [(FIRST, "connect_failed")] * 3


def test_the_fact_is_the_line_that_ended_the_certificate(world: World) -> None:
    world.enrolled(FIRST)
    world.enrolled(SECOND, key="k2")
    (fact,) = world.facts()
    assert (fact.type, fact.subject) == ("CertificateEnded", CAR)
    assert fact.data == {
        "car_id": CAR,
        "serial": SERIAL,
        "certificate_id": FIRST,
        "reason": "replaced",
    }


@pytest.mark.parametrize("error", [HandoverError])
def test_nothing_is_left_half_done_when_two_change_one_unit(world: World, error: type[Exception]) -> None:
    """The hook and operations at once: whoever is second looks again."""
    code = world.order()
    seen = world.unit
    world.service.withdraw(CAR, Why.REMOVED, STAFF)
    with pytest.raises(error):
        world.store.save(seen, seen, ())
    assert world.admit(code, FIRST) is None
