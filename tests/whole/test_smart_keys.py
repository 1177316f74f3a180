"""Stories of a smart key that no context can tell alone: it ends with what it was given for."""

from datetime import timedelta
from typing import Any

import pytest

from tests.api import bearer, is_problem
from tests.whole.cars import BORN, Drive, assigned, on_the_wire
from tests.whole.conftest import HANDOVER, OPS, World

KIM = bearer("kim")
JUN = {
    "name": "Park Jun",
    "phone": "010-8765-4321",
    "birth_date": "1992-02-29",
    "licence_no": "12-98-765432-02",
}


@pytest.fixture
def kim(world: World) -> Drive:
    return assigned(world, "kim", 1)


def opens_nothing(drive: Drive, session: dict[str, str]) -> bool:
    """Neither the page nor a press, and nothing leaves for the car."""
    left = len(on_the_wire())
    shown = drive.world.api.get("/v1/smart-key", headers=session)
    pressed = [drive.press(action, session) for action in ("unlock", "lock")]
    assert {answer.status_code for answer in (shown, *pressed)} <= {401, 403}, shown.body
    return len(on_the_wire()) == left


def keys(drive: Drive) -> list[Any]:
    path = f"/v1/ops/contracts/{drive.contract_id}/smart-keys"
    return list(drive.world.sees(OPS, path)["smart_keys"])


def test_r11_a_cancelled_contract_leaves_no_usable_key(world: World, kim: Drive) -> None:
    kim.key()
    session = kim.opened()
    assert kim.press("unlock", session).json_body["state"] == "SENT"
    path = f"/v1/contracts/{kim.contract_id}/cancel"
    shown = world.says(kim.signed_in, path + "?preview=true")
    world.says(kim.signed_in, path, {"quote": shown["quote"]})
    assert [key["state"] for key in keys(kim)] == ["REVOKED"]
    assert opens_nothing(kim, session)
    assert is_problem(kim.press_as(kim.signed_in, "unlock"), 403)
    assert kim.unit.executed == ["unlock"]


@pytest.mark.parametrize("end", ["returned", "terminated"])
def test_r11_a_car_brought_back_or_taken_back_is_opened_by_no_old_key(world: World, end: str) -> None:
    contract_id = world.driven("kim", 1)
    path = f"/v1/contracts/{contract_id}"
    shown = world.says(KIM, f"{path}/cancel?preview=true")
    world.says(KIM, f"{path}/cancel", {"quote": shown["quote"]})
    world.goes_to(HANDOVER + timedelta(days=32))
    kim = Drive(world, "kim", 1, contract_id).on_the_air()
    kim.key()
    session = kim.opened()
    assert kim.press("lock", session).json_body["state"] == "SENT"
    if end == "returned":
        world.says(OPS, f"/v1/ops/contracts/{contract_id}/returned", {"at": world.now.isoformat()})
    else:
        for _ in range(3):
            world.goes_to(world.now + timedelta(days=7))
        assert world.contract(contract_id)["state"] == "terminated"
    assert [key["state"] for key in keys(kim)] == ["REVOKED"]
    assert opens_nothing(kim, session)


def test_r11_a_driver_who_is_named_no_longer_holds_no_key(world: World, kim: Drive) -> None:
    world.says(kim.signed_in, f"/v1/contracts/{kim.contract_id}/drivers", JUN)
    kim.key()
    own = kim.opened()
    shared = {"holder": "2", "not_after": (world.now + timedelta(days=3)).isoformat()}
    world.says(kim.signed_in, f"/v1/contracts/{kim.contract_id}/smart-keys", shared)
    theirs = kim.opened("+821087654321", JUN["birth_date"].replace("-", ""))
    assert kim.press("unlock", theirs).json_body["state"] == "SENT"
    removed = world.api.delete(f"/v1/contracts/{kim.contract_id}/drivers/2", by=kim.signed_in)
    assert removed.status_code == 204, removed.body
    world.bus.settle()
    assert opens_nothing(kim, theirs)
    assert kim.press("lock", own).json_body["state"] == "SENT"


def test_r11_a_stolen_car_takes_nothing_but_lock_until_it_is_resumed(world: World, kim: Drive) -> None:
    kim.key()
    session, stop = kim.opened(), f"/v1/ops/cars/{kim.car_id}/stop"
    world.says(OPS, stop, {"reason": "theft reported"})
    for refused in (
        kim.press("unlock", session),
        kim.press("horn", session),
        kim.press_as(kim.signed_in, "unlock"),
        kim.press_as(kim.staff, "unlock", reason="customer on the phone"),
    ):
        assert is_problem(refused, 403, "STOPPED")
    assert kim.press("lock", session).json_body["state"] == "SENT"
    assert world.api.delete(f"{stop}?reason=found", by=OPS).status_code == 204
    assert kim.press("unlock", session).json_body["state"] == "SENT"
    assert kim.unit.executed == ["lock", "unlock"]


def test_r09_after_a_day_a_session_opens_only_for_who_proves_it_again(world: World, kim: Drive) -> None:
    kim.key()
    session = kim.opened()
    world.clock.shift(timedelta(hours=25))
    assert is_problem(kim.press("unlock", session), 403, "STEP_UP_REQUIRED")
    assert kim.press("lock", session).json_body["state"] == "SENT"
    proven = world.api.post("/v1/smart-key/step-up", {"proof": BORN}, headers=session)
    assert proven.status_code == 204, proven.body
    assert kim.press("unlock", session).json_body["state"] == "SENT"
    assert kim.unit.executed == ["lock", "unlock"]


def test_r14_link_page_and_staff_leave_one_log_that_is_whole(world: World, kim: Drive) -> None:
    grant_id = kim.key()
    session, why = kim.opened(), "she stands at the car, 010-1234-5601"
    assert is_problem(kim.press_as(kim.staff, "unlock"), 422)
    for answer in (
        kim.press("unlock", session),
        kim.press_as(kim.signed_in, "lock"),
        kim.press_as(kim.staff, "unlock", reason=why),
    ):
        assert answer.json_body["state"] == "SENT", answer.body
    log = kim.log()
    given = [(line["what"], line["about"]["action"]) for line in log["lines"]]
    assert given == [("requested", "unlock"), ("requested", "lock"), ("requested", "unlock")]
    by_link, by_page, by_staff = (line["who"] for line in log["lines"])
    assert by_link == by_page != by_staff == "staff:ops"
    assert [line["about"]["grant_id"] for line in log["lines"]][:2] == [grant_id, grant_id]
    assert why not in str(log)
    parts = [log, kim.log("denied"), *(kim.log(line["about"]["command_id"]) for line in log["lines"])]
    path = f"/v1/ops/contracts/{kim.contract_id}/smart-keys"
    parts += [world.sees(OPS, f"{path}/{key['grant_id']}/log") for key in keys(kim)]
    assert all(part["whole"] for part in parts)
