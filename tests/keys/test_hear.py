"""What contracts, appointments and doors know of a key on its way."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from chalicelib.kernel.errors import KeyReused
from chalicelib.kernel.states import IllegalMove
from chalicelib.keys.model import Event, LabelMismatch, UnknownShipment
from chalicelib.keys.service import shipment_id_of
from tests.conftest import NOON
from tests.keys.conftest import World
from tests.keys.examples import KIM, OPS, PACKER, pack

NEW_HOME = "44" * 32


def moves_house(world: World, cause: str = "evt_1", **changes: object) -> None:
    """Kim's key is wanted at another address, or as `changes` say, and we hear of it now."""
    delivery = world.contracts.delivery("con_kim")
    world.contracts.changed["con_kim"] = replace(delivery, **{"label_hash": NEW_HOME, **changes})
    world.service.appointment_moved("con_kim", cause)


def test_a_stale_label_is_refused_once_the_address_has_changed(world: World) -> None:
    world.plan()
    moves_house(world)
    world.clock.move(minutes=5)
    with pytest.raises(LabelMismatch):
        world.scan(pack(NOON))
    assert world.scan(pack(world.clock(), label=NEW_HOME)).state == "packed"


def test_a_key_packed_for_the_old_address_is_packed_again(world: World) -> None:
    world.plan()
    world.scan(pack())
    world.clock.move(minutes=5)
    moves_house(world)
    assert (world.state(), world.history().shipment.place) == ("planned", None)
    moves_house(world)
    assert [each.event for each in world.in_order()] == ["pack_scan_ok", "address_changed"]
    world.clock.move(minutes=5)
    assert world.scan(pack(world.clock(), label=NEW_HOME)).state == "packed"


def test_a_parcel_on_its_way_is_intercepted_and_redirected(world: World) -> None:
    world.on_the_way()
    world.clock.move(hours=2)
    moves_house(world)
    assert world.state() == "intercepting"
    world.clock.move(hours=1)
    shipment_id = shipment_id_of("con_kim")
    told = world.service.order(shipment_id, Event.REDIRECTED, OPS, "k1")
    assert (told.state, told.replayed) == ("in_transit", False)
    assert world.service.order(shipment_id, Event.REDIRECTED, OPS, "k1").replayed
    with pytest.raises(KeyReused):
        world.service.order(shipment_id, Event.FOUND, OPS, "k1")
    with pytest.raises(IllegalMove):
        world.service.order(shipment_id, Event.REDIRECTED, OPS, "k2")
    with pytest.raises(UnknownShipment):
        world.service.order("shp_nobody", Event.REDIRECTED, OPS, "k3")


def test_an_intercepted_parcel_that_is_delivered_is_at_a_wrong_address(world: World) -> None:
    world.on_the_way()
    world.clock.move(hours=2)
    moves_house(world)
    world.clock.move(hours=1)
    world.hear((world.clock(), "delivered"))
    assert world.state() == "wrong_address"


def test_an_interception_nobody_confirms_is_found(world: World) -> None:
    world.on_the_way()
    world.clock.move(minutes=1)
    moves_house(world)
    world.clock.move(hours=12)
    world.service.sweep()
    assert world.state() == "stalled"


def test_a_handover_at_another_time_moves_what_waits_for_it(world: World) -> None:
    world.plan()
    handover = NOON + timedelta(days=21)
    moves_house(world, label_hash=world.contracts.delivery("con_kim").label_hash, handover_at=handover)
    assert (world.state(), world.history().log) == ("planned", ())
    assert world.history().shipment.due_at == NOON + timedelta(days=15)


def test_what_has_ended_and_what_was_never_planned_stays_as_it_is(world: World) -> None:
    world.on_the_way()
    world.says(KIM, "tag-kim")
    before = world.history()
    moves_house(world)
    world.service.appointment_moved("con_nobody", "evt_2")
    world.service.contract_cancelled("con_nobody", NOON, "evt_3")
    world.service.car_opened_with_key("car-nobody", NOON, "evt_4")
    assert world.history() == before


@pytest.mark.parametrize(
    ("sent", "then"), [(False, "cancelled"), (True, "intercepting")], ids=["in the house", "on its way"]
)
def test_the_key_of_a_cancelled_contract_stays_or_is_called_back(world: World, sent: bool, then: str) -> None:
    world.on_the_way() if sent else world.plan()
    world.clock.move(hours=1)
    for _ in range(2):
        world.service.contract_cancelled("con_kim", world.clock(), "evt_1")
    assert world.state() == then
    assert sum(each.event is Event.CANCEL for each in world.history().log) == 1
    world.clock.move(hours=9)
    world.hear((world.clock(), "return_to_sender"))
    if sent:
        world.clock.move(hours=9)
        world.scan_word("received", by=PACKER)
    assert world.service.outstanding("con_kim") == []


def test_a_key_that_reached_the_customer_of_a_cancelled_contract_is_outstanding(world: World) -> None:
    world.on_the_way()
    world.says(KIM, "tag-kim")
    world.clock.move(hours=1)
    world.service.contract_cancelled("con_kim", world.clock(), "evt_1")
    assert (world.state(), world.service.outstanding("con_kim")) == ("verified", ["tag-kim"])


@pytest.mark.parametrize("unconfirmed", [False, True])
def test_a_car_opened_with_its_key_proves_that_the_key_arrived(world: World, unconfirmed: bool) -> None:
    world.on_the_way()
    world.service.car_opened_with_key("car-kim", world.clock(), "evt_0")
    assert world.state() == "handed_to_carrier"
    world.clock.move(hours=8)
    world.hear((world.clock(), "delivered"))
    world.clock.move(hours=24)
    if unconfirmed:
        world.swept()
    world.clock.move(minutes=1)
    for _ in range(2):
        world.service.car_opened_with_key("car-kim", world.clock(), "evt_1")
    assert (world.state(), world.said().count("KeyShipmentVerified")) == ("verified", 1)
    assert not any(each.id == "fact#evt_0" for each in world.history().log)


def test_a_swapped_car_brings_its_own_key_which_is_proven_as_any_other(world: World) -> None:
    first = world.service.plan("con_kim")
    world.scan(pack())
    world.says(KIM, "tag-kim")
    world.clock.move(days=30)
    new = replace(world.contracts.delivery("con_kim"), key_tag="tag-new", car_id="car-new")
    world.contracts.changed["con_kim"] = new
    second = world.service.swapped("con_kim", world.clock(), "evt_1")
    assert second == world.service.swapped("con_kim", world.clock(), "evt_1") != first
    status = world.service.status("con_kim")
    assert status is not None
    assert (status.key_tag, status.state) == ("tag-new", "delivered")
    assert world.service.outstanding("con_kim") == ["tag-kim", "tag-new"]
    world.clock.move(hours=1)
    assert world.service.sweep().found == 0
    world.service.car_opened_with_key("car-new", world.clock(), "evt_2")
    status = world.service.status("con_kim")
    assert status is not None
    assert status.state == "verified"
    world.scan_word("received", by=PACKER)
    assert world.service.outstanding("con_kim") == ["tag-new"]
