from datetime import timedelta

import pytest

from chalicelib.keys.model import (
    KeyTagTaken,
    LabelMismatch,
    NotYourScan,
    Position,
    Tracking,
    TrackingNumberTaken,
    UnknownKeyTag,
)
from tests.conftest import NOON
from tests.keys.conftest import World
from tests.keys.examples import COURIER, EASYPOST, PACKER, handoff, pack


def test_a_contract_planned_twice_has_one_shipment(world: World) -> None:
    first, again = world.service.plan("con_kim"), world.service.plan("con_kim")
    assert first == again
    assert world.state() == "planned"


def test_a_key_can_only_be_on_one_way(world: World) -> None:
    world.plan("kim")
    world.take_tag("lee", "tag-kim")
    with pytest.raises(KeyTagTaken):
        world.plan("lee")
    assert world.service.status("con_lee") is None


def test_a_key_that_arrived_may_be_sent_again(world: World) -> None:
    world.on_the_way()
    world.says_by_name("kim", "tag-kim")
    world.take_tag("lee", "tag-kim")
    world.plan("lee")
    assert world.state("lee") == "planned"
    assert world.scan(pack(tag="tag-kim", label="22" * 32, tracking=None)).state == "packed"
    assert (world.state("kim"), world.state("lee")) == ("verified", "packed")


def test_packing_needs_the_tag_and_the_label_to_agree(world: World) -> None:
    world.plan()
    told = world.scan(pack())
    assert (told.state, told.replayed) == ("packed", False)
    status = world.service.status("con_kim")
    assert status is not None
    assert (status.key_tag, status.state, status.tracking) == ("tag-kim", "packed", "EZ1000000001")


def test_a_wrong_label_is_refused_remembered_and_published(world: World) -> None:
    world.plan()
    with pytest.raises(LabelMismatch) as refusal:
        world.scan(pack(label="22" * 32))
    assert refusal.value.extra["state"] == "planned"
    assert [each.event for each in world.history().log] == ["pack_scan_mismatch"]
    (fact,) = world.facts()
    assert (fact.type, fact.data["event"]) == ("KeyShipmentMoved", "pack_scan_mismatch")
    assert (fact.data["from_state"], fact.data["to_state"]) == ("planned", "planned")
    status = world.service.status("con_kim")
    assert status is not None
    assert status.tracking is None


def test_a_wrong_label_does_not_move_the_deadline(world: World) -> None:
    world.plan()
    before = world.history().shipment.due_at
    with pytest.raises(LabelMismatch):
        world.scan(pack(label="22" * 32))
    assert world.history().shipment.due_at == before


def test_the_same_scan_twice_is_one_scan(world: World) -> None:
    world.plan()
    world.scan(pack())
    again = world.scan(pack())
    assert (again.state, again.replayed) == ("packed", True)
    assert len(world.history().log) == len(world.facts()) == 1


def test_the_same_wrong_label_twice_is_refused_twice_and_stored_once(world: World) -> None:
    world.plan()
    for _ in range(2):
        with pytest.raises(LabelMismatch):
            world.scan(pack(label="22" * 32))
    assert len(world.history().log) == len(world.facts()) == 1


def test_a_corrected_label_counts_even_at_the_same_second(world: World) -> None:
    world.plan()
    with pytest.raises(LabelMismatch):
        world.scan(pack(label="22" * 32))
    told = world.scan(pack())
    assert (told.state, told.replayed) == ("packed", False)


def test_scans_count_from_when_they_were_made_not_from_when_they_came(world: World) -> None:
    world.plan()
    world.clock.move(hours=3)
    assert world.scan(handoff(NOON + timedelta(minutes=1))).state == "planned"
    assert world.scan(pack(NOON)).state == "handed_to_carrier"
    assert world.history().shipment.since == NOON + timedelta(minutes=1)


def test_a_tag_nobody_knows_is_said_so(world: World) -> None:
    with pytest.raises(UnknownKeyTag):
        world.scan(pack(tag="tag-nobody"))


def test_a_courier_does_not_pack(world: World) -> None:
    world.plan()
    with pytest.raises(NotYourScan):
        world.scan(pack(), by=COURIER)
    assert world.history().log == ()


def test_a_tracking_number_belongs_to_one_key(world: World) -> None:
    world.plan("kim", "lee")
    world.scan(pack())
    with pytest.raises(TrackingNumberTaken):
        world.scan(pack(tag="tag-lee", label="22" * 32))
    assert (world.state("lee"), world.history("lee").log) == ("planned", ())


def test_a_recycled_tracking_number_belongs_to_its_new_key(world: World) -> None:
    world.plan("kim", "lee")
    world.scan(pack())
    world.clock.move(days=91)
    world.scan(pack(world.clock(), tag="tag-lee", label="22" * 32))
    world.hear((world.clock(), "in_transit"))
    assert (world.state("kim"), world.state("lee")) == ("packed", "in_transit")


def test_a_parcel_may_get_a_new_number_and_is_found_under_both(world: World) -> None:
    world.on_the_way()
    world.scan(pack(NOON - timedelta(hours=1), tracking=Tracking("easypost", "EZ2")))
    world.hear((NOON, "in_transit"), number="ez-2")
    world.clock.move(hours=1)
    world.hear((world.clock(), "out_for_delivery"))
    assert world.state() == "out_for_delivery"


def test_what_a_carrier_says_before_the_number_is_scanned_is_not_lost(world: World) -> None:
    world.plan()
    heard = world.hear((NOON - timedelta(hours=1), "in_transit"), (NOON, "out_for_delivery"))
    assert (heard.known, heard.new) == (False, 2)
    assert world.scan(pack(NOON - timedelta(hours=2))).state == "out_for_delivery"
    assert world.scan(pack(NOON - timedelta(hours=2))).state == "out_for_delivery"
    assert [each.event for each in world.in_order()] == ["pack_scan_ok", "scan_transit", "scan_ofd"]


def test_what_came_back_is_audited_and_goes_into_stock(world: World) -> None:
    world.on_the_way()
    world.hear((NOON + timedelta(seconds=-1), "in_transit"), (NOON, "return_to_sender"))
    for word in ("received", "audited"):
        world.clock.move(hours=1)
        told = world.scan_word(word, by=PACKER)
    assert told.state == "restocked"
    assert world.history().shipment.due_at is None


def test_an_end_is_final_whatever_is_told_later(world: World) -> None:
    world.on_the_way()
    world.says_by_name("kim", "tag-kim")
    world.clock.move(hours=1)
    world.hear((NOON - timedelta(seconds=1), "return_to_sender"), (world.clock(), "failure/lost"))
    assert world.state() == "verified"
    assert len(world.history().log) == 5


def test_proof_of_delivery_far_from_the_label_is_none(world: World) -> None:
    home = Position(37.5663, 126.9779)
    world.plan()
    world.scan(pack(tracking=Tracking("aftership", "A1"), place=home))
    near = Position(home.lat + 0.0017, home.lon)
    far = Position(home.lat + 0.0019, home.lon)
    assert home.metres_to(near) < 200 < home.metres_to(far)
    world.hear_aftership("A1", (NOON, "Delivered", near))
    assert world.state() == "delivered"
    world.clock.move(hours=1)
    world.plan("lee")
    world.scan(pack(tag="tag-lee", label="22" * 32, tracking=Tracking("aftership", "A2"), place=home))
    world.hear_aftership("A2", (world.clock(), "Delivered", far))
    assert world.state("lee") == "wrong_address"
    assert world.said()[-2:] == ["KeyShipmentMoved", "KeyShipmentMisdelivered"]


def test_two_packers_at_once_pack_once(world: World) -> None:
    world.plan()
    world.at_once(4, lambda: world.scan(pack()))
    assert len(world.history().log) == len(world.facts()) == 1
    assert world.history().shipment.tracking == EASYPOST
