"""What a whole run leaves behind for many to read, log lines and facts: no secret and no person in them."""

import io
import json
import logging
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from chalicelib.doors.model import car_key
from chalicelib.kernel.entry import LOG
from infra.local.car import now_ms
from tests import leaks
from tests.contracts.examples import driver_body
from tests.whole.bus import function
from tests.whole.cars import Drive, assigned, on_the_wire, texts_to
from tests.whole.conftest import OPS, SECRET, World

BORN = str(driver_body()["birth_date"])
SISTER, HER_NUMBER = "이서연", "+821077778888"
CALLED = f"{SISTER} called from 010-7777-8888"


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[io.StringIO]:
    """What the Lambdas' own logger writes, and every library beside it."""
    caplog.set_level(logging.INFO)
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(LOG.registered_formatter)
    for name in ("handover", ""):
        logging.getLogger(name).addHandler(handler)
    yield written
    for name in ("handover", ""):
        logging.getLogger(name).removeHandler(handler)


def code_in(text: str) -> str:
    return text.rpartition("/k#")[2].split()[0]


def opened(drive: Drive) -> dict[str, str]:
    """With the link of the newest text; one proof was wrong."""
    api, code = drive.world.api, code_in(texts_to(drive.phone)[-1])
    api.post("/v1/smart-key/exchange", {"code": code, "proof": "000000"})
    cookie = drive.opened()
    for proof in ("000000", BORN):
        api.post("/v1/smart-key/step-up", {"proof": proof}, headers=cookie)
    for phone in ("010-1234-5601", "02-123-4567"):
        api.post("/v1/smart-key/links", {"phone": phone, "proof": BORN})
    return cookie


def driven(drive: Drive, cookie: dict[str, str]) -> None:
    """By a car that answers, and says things nobody understands."""
    for action in ("unlock", "dance", "lock"):
        drive.press(action, cookie)
    drive.press_as(drive.staff, "unlock", reason=CALLED)
    noise = {"topic": f"cars/{drive.car_id}/acks", "client_id": drive.car_id, "received_at": now_ms()}
    function("DoorsAck")({"nonce": json.loads(on_the_wire()[-1])["nonce"], **noise}, None)
    function("DoorsSweep")({}, None)


def helped(drive: Drive) -> str:
    """What operations do, in words that name people. The code of a unit that they ordered."""
    world = drive.world
    sister = {"name": SISTER, "phone": HER_NUMBER, "birth_date": "1988-03-09"}
    grant_id = drive.key(holder=None, person=sister, reason=CALLED)
    path = f"/v1/ops/contracts/{drive.contract_id}/smart-keys/{grant_id}?reason=stolen"
    assert world.api.delete(path, by=OPS).status_code == 200
    world.says(OPS, "/v1/ops/incidents", {"name": "Snow", "cause": CALLED, "contracts": [drive.contract_id]})
    world.says(OPS, f"/v1/ops/cars/{drive.car_id}/stop", {"reason": CALLED})
    unit = world.says(OPS, f"/v1/ops/cars/{drive.car_id}/unit", {"serial": "SN-0001"})
    for code in ("guess", unit["enrolment_code"]):
        said = {"Serial": "SN-0001", "Code": code}
        function("DevicesHook")({"certificateId": "c" * 64, "parameters": said}, None)
    world.bus.settle()
    return str(unit["enrolment_code"])


def broken(drive: Drive, dynamodb: Any, cookie: dict[str, str], code: str) -> None:
    """What is said when nothing works: every table a secret passes through is gone."""
    api = drive.world.api
    for table in ("doors", "contracts", "smartkeys", "notices"):
        dynamodb.delete_table(TableName=f"test-{table}")
        api.post("/v1/smart-key/exchange", {"code": code, "proof": BORN})
        api.post("/v1/smart-key/links", {"phone": "010-1234-5601", "proof": BORN})
        api.post("/v1/smart-key/commands", {"action": "unlock"}, headers=cookie, key="broken")


def test_r08_nothing_a_whole_run_logs_or_publishes_is_a_secret_or_a_person(
    world: World, dynamodb: Any, log: io.StringIO
) -> None:
    drive = assigned(world, "kim", 1)
    drive.key(reason=CALLED)
    cookie = opened(drive)
    driven(drive, cookie)
    enrolment = helped(drive)
    texts = [*texts_to(drive.phone), *texts_to(HER_NUMBER)]
    codes = [code_in(text) for text in texts if "/k#" in text]
    assert len(codes) >= 3
    broken(drive, dynamodb, cookie, codes[0])

    secrets = {*codes, enrolment, SECRET, car_key(SECRET, drive.car_id), "tok_visa", "test_sk_1"}
    secrets |= {cookie["Cookie"].partition("=")[2].rpartition(".")[2], drive.signed_in.rpartition(" ")[2]}
    sent = [json.loads(payload) for payload in on_the_wire()]
    assert len(sent) == 3
    secrets |= {each[name] for each in sent for name in ("sig", "nonce")}
    written, told = log.getvalue(), json.dumps(list(world.bus.facts.values()), ensure_ascii=False)
    for word in ("PROOF_WRONG", "MALFORMED", "unexpected"):
        assert word in written
    for word in ("SmartKeyOpened", "SmartKeyRevoked", "CommandSettled", "IncidentOpened", "CarStopped"):
        assert word in told
    assert leaks.standing(written, secrets, persons()) == []
    assert leaks.standing(told, secrets, persons()) == []


def persons() -> set[str]:
    """Names, numbers, births and licence of Kim and of her sister, and where Kim lives."""
    said = {str(driver_body()["name"]), SISTER, "세종대로 110"}
    numbers = leaks.of_phone("010-1234-5601") | leaks.of_phone(HER_NUMBER)
    births = leaks.of_birth(date.fromisoformat(BORN)) | leaks.of_birth(date(1988, 3, 9))
    return said | numbers | births | leaks.of_licence("11-12-345671-01")


def test_a_piece_of_a_secret_is_found_wherever_it_stands() -> None:
    code, nonce = "AbCdEfGh-_0123456789xy", "00000000000000aa"
    for text in (f'{{"detail":"x{code[3:11]}y"}}', f"/k#{code}", f"nonce={nonce[4:]}", "call 010-1234-5601."):
        assert leaks.standing(text, [code, nonce], leaks.of_phone("+821012345601"))
    assert leaks.standing("cmd_01m81d86wzd6rgkzzekrfcmcnd 1201012345601", [code, nonce], persons()) == []
