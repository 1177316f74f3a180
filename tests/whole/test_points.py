"""Points that come and go with a contract, carried by the rules that are deployed."""

from datetime import timedelta

from chalicelib import wiring
from tests.api import bearer
from tests.whole.conftest import HANDOVER, OPS, World

KIM = bearer("kim")


def entries(world: World) -> dict[str, int]:
    """Of each kind the newest."""
    listed = world.sees(KIM, "/v1/me/points/entries")["entries"]
    return {entry["what"]: entry["points"] for entry in reversed(listed)}


def test_paying_driving_and_bringing_the_car_back_in_time_are_awarded(world: World) -> None:
    contract_id = world.driven("kim", 1)
    assert entries(world) == {"signed_up": 3_000, "earned": 4_600}
    path = f"/v1/contracts/{contract_id}/cancel"
    world.says(KIM, path, {"quote": world.says(KIM, path + "?preview=true")["quote"]})
    world.goes_to(HANDOVER + timedelta(days=31, hours=1))
    assert world.contract(contract_id)["state"] == "return_scheduled"
    world.says(OPS, f"/v1/ops/contracts/{contract_id}/returned", {"at": world.now.isoformat()})
    assert entries(world) == {"signed_up": 3_000, "earned": 4_600, "returned_in_time": 2_000}
    assert wiring.points().witness("kim").differences == ()


def test_a_cancelled_contract_takes_back_what_its_fee_has_earned(world: World) -> None:
    """In proportion to the card's money: nobody earns points by cancelling."""
    contract_id = world.prepared("kim", 1)
    world.goes_to(HANDOVER - timedelta(hours=20))
    path = f"/v1/contracts/{contract_id}/cancel"
    shown = world.says(KIM, path + "?preview=true")
    world.says(KIM, path, {"quote": shown["quote"]})
    world.goes_to(world.now + timedelta(hours=1))
    assert world.sees(KIM, "/v1/me/points")["balance"] == world.kept() // 100
    assert set(entries(world)) == {"earned", "clawed_back"}
