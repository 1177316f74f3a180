"""What no context can promise alone: stories through all of them, carried by the rules that are deployed."""

from datetime import timedelta

from chalicelib import wiring
from chalicelib.kernel.auth import Caller
from tests.api import bearer, is_problem
from tests.checkout.conftest import grant
from tests.conftest import NOON
from tests.whole.conftest import AGENT, HANDOVER, OPS, PACKER, World

KIM, LEE, PARK = bearer("kim"), bearer("lee"), bearer("park")
FEE = 460_000


def test_a_contract_from_signature_to_first_drive(world: World) -> None:
    contract_id = world.driven("kim", 1)
    contract = world.contract(contract_id)
    assert (contract["state"], contract["billing"], contract["key"]["state"]) == (
        "active",
        "current",
        "verified",
    )
    assert contract["starts_at"] == HANDOVER.isoformat().replace("+00:00", "Z")
    assert world.kept() == FEE
    documents = world.sees(KIM, f"/v1/contracts/{contract_id}/documents")["documents"]
    assert {each["kind"]: each["available"] for each in documents}["contract_copy"]
    told = [event["type"] for event in world.sees(KIM, f"/v1/contracts/{contract_id}/timeline")["events"]]
    for kind in (
        "ContractPaid",
        "ContractAssigned",
        "KeyShipmentVerified",
        "HandoverCompleted",
        "BillingStarted",
    ):
        assert kind in told


def test_a_month_later_the_next_is_charged_once(world: World) -> None:
    contract_id = world.driven("kim", 1)
    for _ in range(3):
        world.goes_to(HANDOVER + timedelta(days=32))
    assert (world.kept(), world.taken().count(FEE)) == (2 * FEE, 2)
    assert world.contract(contract_id)["billing"] == "current"


def test_an_early_end_is_inspected_settled_and_closed(world: World) -> None:
    contract_id = world.driven("kim", 1)
    world.goes_to(HANDOVER + timedelta(days=3))
    path = f"/v1/contracts/{contract_id}/cancel"
    shown = world.says(KIM, path + "?preview=true")
    done = world.says(KIM, path, {"quote": shown["quote"]})
    assert (done["refund"], done["charge"], done["lines"]) == (
        shown["refund"],
        shown["charge"],
        shown["lines"],
    )
    world.goes_to(HANDOVER + timedelta(days=32))
    assert world.contract(contract_id)["state"] in ("return_scheduled", "return_overdue")
    world.says(OPS, f"/v1/ops/contracts/{contract_id}/returned", {"at": world.now.isoformat()})
    world.says(
        OPS, f"/v1/ops/contracts/{contract_id}/inspect", {"charges": [{"what": "scratch", "amount": 80_000}]}
    )
    world.goes_to(world.now + timedelta(minutes=30))
    assert "ContractSettled" in world.bus.types(contract_id)
    assert world.contract(contract_id)["state"] == "settling", "its key is not home"
    world.scan(PACKER, "received", "tag-0001")
    world.goes_to(world.now + timedelta(days=4))
    assert (world.contract(contract_id)["state"], world.contract(contract_id)["billing"]) == (
        "closed",
        "closed",
    )


def test_two_swapped_keys_open_both_cases_and_both_smart_keys_and_touch_no_third(world: World) -> None:
    kim, lee, park = (world.prepared(name, n) for n, name in enumerate(("kim", "lee", "park"), start=1))
    courier = bearer("courier", "courier")
    for tag in ("tag-0001", "tag-0002", "tag-0003"):
        world.scan(courier, "delivered", tag)
    world.says(KIM, f"/v1/contracts/{kim}/key/receipt", {"key_tag": "tag-0002"})
    states = [world.contract(contract_id)["key"]["state"] for contract_id in (kim, lee, park)]
    assert states == ["wrong_key", "wrong_key", "delivered"]
    grants = [
        world.sees(OPS, f"/v1/ops/contracts/{contract_id}/smart-keys")["smart_keys"]
        for contract_id in (kim, lee, park)
    ]
    assert [len(each) for each in grants] == [1, 1, 0]


def test_the_agent_does_not_leave_before_somebody_can_open_the_car(world: World) -> None:
    contract_id = world.prepared("kim", 1)
    world.goes_to(HANDOVER - timedelta(hours=1))
    assert world.contract(contract_id)["state"] == "at_risk"
    assert len(world.sees(OPS, f"/v1/ops/contracts/{contract_id}/smart-keys")["smart_keys"]) == 1
    (appointment,) = world.sees(KIM, f"/v1/contracts/{contract_id}/appointments")["appointments"]
    body = {"event": "depart", "occurred_at": world.now.isoformat()}
    refused = world.api.post(f"/v1/appointments/{appointment['appointment_id']}/events", body, by=AGENT)
    assert is_problem(refused, 422, "ACCESS_NOT_READY")
    assert [each["contract_id"] for each in world.sees(OPS, "/v1/ops/overview")["delayed"]] == [contract_id]


def test_a_key_that_falls_silent_brings_a_smart_key_and_then_a_new_plan(world: World) -> None:
    contract_id = world.prepared("kim", 1)
    world.goes_to(NOON + timedelta(hours=16))
    assert world.contract(contract_id)["key"]["state"] == "stalled"
    assert len(world.sees(OPS, f"/v1/ops/contracts/{contract_id}/smart-keys")["smart_keys"]) == 1
    assert world.sees(OPS, "/v1/ops/overview")["delayed"] == []
    world.goes_to(NOON + timedelta(hours=40))
    assert [each["contract_id"] for each in world.sees(OPS, "/v1/ops/overview")["delayed"]] == [contract_id]
    path = f"/v1/contracts/{contract_id}/reschedule?preview=true"
    later = {"which": "handover", "at": (HANDOVER + timedelta(days=1)).isoformat()}
    assert world.says(KIM, path, later)["charge"] == 0


def test_a_cancelled_contract_gives_back_what_its_preview_said(world: World) -> None:
    contract_id = world.prepared("kim", 1)
    world.goes_to(HANDOVER - timedelta(hours=20))
    path = f"/v1/contracts/{contract_id}/cancel"
    shown = world.says(KIM, path + "?preview=true")
    world.goes_to(HANDOVER - timedelta(hours=20) + timedelta(minutes=5))
    done = world.says(KIM, path, {"quote": shown["quote"]})
    assert done["refund"] == shown["refund"] > 0
    world.goes_to(world.now + timedelta(hours=1))
    assert world.kept() == FEE - shown["refund"]
    assert world.contract(contract_id)["state"] == "cancelled"


def test_a_late_cancellation_costs_what_is_deducted_of_the_card_and_no_point(world: World) -> None:
    grant(wiring.points(), Caller("kim"), 46_000)
    contract_id = world.prepared("kim", 1, points=46_000)
    world.goes_to(HANDOVER - timedelta(hours=20))
    path = f"/v1/contracts/{contract_id}/cancel"
    shown = world.says(KIM, path + "?preview=true")
    world.says(KIM, path, {"quote": shown["quote"]})
    world.goes_to(world.now + timedelta(hours=1))
    assert 0 < shown["refund"] < FEE - 46_000
    assert world.kept() == FEE - 46_000 - shown["refund"]
    given_back = [fact["data"] for fact in world.bus.facts.values() if fact["type"] == "CheckoutRefunded"]
    assert sum(back["card"] for back in given_back) == shown["refund"]
    assert sum(back["points"] for back in given_back) == 46_000
    assert not any(back["whole"] for back in given_back)


def test_a_cancelled_contract_that_points_paid_for_gives_them_all_back(world: World) -> None:
    grant(wiring.points(), Caller("kim"), FEE)
    contract_id = world.signed("kim", 1, points=FEE)
    assert wiring.points().wallet("kim").balance(world.now) == 0
    world.goes_to(HANDOVER - timedelta(hours=20))
    path = f"/v1/contracts/{contract_id}/cancel"
    world.says(KIM, path, {"quote": world.says(KIM, path + "?preview=true")["quote"]})
    assert wiring.points().wallet("kim").balance(world.now) == FEE
    assert world.kept() == 0


def test_a_moved_handover_needs_a_new_label(world: World) -> None:
    contract_id = world.signed("kim", 1)
    moved = {
        "which": "handover",
        "at": (HANDOVER + timedelta(days=1)).isoformat(),
        "address": "서울특별시 마포구 월드컵로 1",
    }
    shown = world.says(KIM, f"/v1/contracts/{contract_id}/reschedule?preview=true", moved)
    world.says(KIM, f"/v1/contracts/{contract_id}/reschedule", {**moved, "quote": shown["quote"]})
    contract = world.contract(contract_id)
    assert contract["handover"]["address"] == moved["address"]
