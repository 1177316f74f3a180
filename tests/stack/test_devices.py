"""Units on the deployed stack: enrolled, renewed, stolen, and put to the conformance run, over real MQTT."""

import hashlib
import secrets
import socket
import ssl
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra.identity import CERTIFICATE, PRIVATE_KEY
from infra.local.car import Broker
from infra.local.client import Api
from infra.local.enrolment import EnrolmentRefused
from infra.local.things import Workshop
from infra.package import ROOT
from tests.stack.cars import STAGE, Drive, Garage, until

ACCEPTED, NOT_AUTHORIZED = 0x00, 0x87


@dataclass(frozen=True)
class Enrolling(Workshop):
    """Every car it builds enrols itself."""

    ops: Api | None = None
    broker: Broker | None = None

    def provision(self, car_id: str) -> Path:
        assert self.ops is not None
        assert self.broker is not None
        return self.build_in(self.ops, self.broker, car_id)


@pytest.fixture(scope="module")
def garage(stack: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Garage:
    garage = Garage(stack, Path(tmp_path_factory.mktemp("enrolled")))
    shop = garage.workshop
    garage.workshop = Enrolling(
        shop.iot, shop.key_of, shop.folder, shop.claims, ops=garage.ops, broker=garage.broker
    )
    return garage


@pytest.fixture(scope="module")
def drive(garage: Garage) -> Drive:
    return garage.make()


def unit(garage: Garage, car_id: str) -> dict[str, Any]:
    return dict(garage.ops.get(f"/v1/ops/cars/{car_id}/unit").expect(200))


def states(garage: Garage, car_id: str) -> list[tuple[str, bool]]:
    """Of its certificates, oldest first; and whether AWS IoT knows of their end."""
    return [(it["state"], it["closed_at"] is not None) for it in unit(garage, car_id)["certificates"]]


def order(garage: Garage, car_id: str, serial: str) -> dict[str, str]:
    """What a unit must say to be enrolled."""
    ordered = garage.ops.post(f"/v1/ops/cars/{car_id}/unit", {"serial": serial}).expect(201)
    return {"Serial": serial, "Code": ordered["enrolment_code"]}


def refused(garage: Garage, identity: Path) -> dict[str, int]:
    """What is on record about this certificate."""
    der = ssl.PEM_cert_to_DER_cert((identity / CERTIFICATE).read_text())
    answer = garage.aws("dynamodb").query(
        TableName=f"{STAGE}-devices",
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": f"REFUSED#{hashlib.sha256(der).hexdigest()}"}},
    )
    return {row["sk"]["S"].split("#")[1]: int(row["times"]["N"]) for row in answer["Items"]}


class Broken(Exception):
    """The broker hung up without an answer."""


class Wire:
    """MQTT 5 by hand: what the broker answers to each packet, which a client library would hide."""

    def __init__(self, broker: Broker, identity: Path, client_id: str) -> None:
        context = ssl.create_default_context(cafile=broker.ca_file)
        context.load_cert_chain(identity / CERTIFICATE, identity / PRIVATE_KEY)
        raw = socket.create_connection((broker.host, broker.port), timeout=30)
        self.wire = context.wrap_socket(raw, server_hostname=broker.host)
        flags = b"\x00\x04MQTT\x05\x02\x00\x1e\x00"
        self.connected = self._ask(0x10, flags + _text(client_id))

    def publish(self, topic: str) -> int:
        return self._ask(0x32, _text(topic) + b"\x00\x07\x00{}")

    def subscribe(self, topic: str) -> int:
        return self._ask(0x82, b"\x00\x08\x00" + _text(topic) + b"\x01")

    def _ask(self, kind: int, body: bytes) -> int:
        """The reason code of the answer: the last byte for a SUBACK, behind two others else."""
        try:
            self.wire.sendall(bytes([kind, len(body)]) + body)
            answer = self.wire.recv(256)
        except ConnectionError:
            answer = b""
        if not answer:
            raise Broken
        return answer[3] if kind == 0x10 else answer[-1] if kind == 0x82 else answer[4]


def _text(text: str) -> bytes:
    return len(text.encode()).to_bytes(2, "big") + text.encode()


def connack(broker: Broker, identity: Path, client_id: str) -> int | None:
    """The broker's answer to a connection; None when it hangs up without one."""
    try:
        wire = Wire(broker, identity, client_id)
    except Broken:
        return None
    wire.wire.close()
    return wire.connected


def test_a_unit_enrols_itself_and_the_customer_opens_the_car(garage: Garage, drive: Drive) -> None:
    with drive.on_air() as car:
        assert drive.settled(drive.press("unlock"))["state"] == "SUCCEEDED"
        assert drive.settled(drive.press("lock"))["state"] == "SUCCEEDED"
        assert car.unit.executed == ["unlock", "lock"]
    until(lambda: states(garage, drive.car_id) == [("in_force", False)])
    thing = garage.aws("iot").describe_thing(thingName=drive.car_id)
    assert thing["attributes"] == {"serial": f"TCU-{drive.car_id}"}
    assert thing["thingTypeName"] == f"{STAGE}-car"


def test_a_unit_that_speaks_by_basic_ingest_is_heard_as_well(garage: Garage, drive: Drive) -> None:
    ingesting = Drive(garage, drive.car_id, drive.thing, type(drive.behaviour)(ingest=True), drive.holder)
    with ingesting.on_air():
        assert ingesting.settled(ingesting.press("hazard_on"))["state"] == "SUCCEEDED"


def test_the_reference_car_passes_the_conformance_run_and_still_obeys_the_service(drive: Drive) -> None:
    command = [sys.executable, "-m", "infra.device_check", str(drive.thing)]
    with drive.on_air():
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert " 0 broken, 0 not looked at" in done.stdout.splitlines()[-1]
        assert drive.settled(drive.press("lock"))["state"] in ("SUCCEEDED", "ALREADY_DONE")


def test_r07_only_a_unit_that_was_ordered_and_has_the_code_is_enrolled(garage: Garage, drive: Drive) -> None:
    known = order(garage, drive.car_id, f"TCU-{drive.car_id}")
    before = refused(garage, garage.workshop.claim())
    for wrong in (
        {"Serial": "TCU-nobody-ordered", "Code": known["Code"]},
        {**known, "Code": "a" * 26},
        {**known, "Code": "a" * 26, "CarId": drive.car_id, "CommandKey": "00" * 32},
    ):
        with pytest.raises(EnrolmentRefused, match="AccessDenied"):
            garage.workshop.enrol_with(garage.broker, wrong)
    assert [it["state"] for it in unit(garage, drive.car_id)["certificates"]] == ["in_force"]
    now = refused(garage, garage.workshop.claim())
    grown = {name: times - before.get(name, 0) for name, times in now.items()}
    assert (grown["unknown_unit"], grown["wrong_code"]) == (1, 2)


@pytest.fixture(scope="module")
def renewed(garage: Garage, drive: Drive, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The folder of the unit's first certificate, and that of its second."""
    parameters = order(garage, drive.car_id, f"TCU-{drive.car_id}")
    identity = garage.workshop.enrol_with(garage.broker, parameters)
    with pytest.raises(EnrolmentRefused, match="AccessDenied"):  # the code is used
        garage.workshop.enrol_with(garage.broker, parameters)
    return drive.thing, identity.keep(Path(tmp_path_factory.mktemp("renewed")))


def test_r07_the_old_certificate_works_until_the_new_one_connects_and_never_after(
    garage: Garage, drive: Drive, renewed: tuple[Path, Path]
) -> None:
    old, new = renewed
    assert connack(garage.broker, old, drive.car_id) == ACCEPTED
    assert connack(garage.broker, new, drive.car_id) == ACCEPTED
    until(lambda: states(garage, drive.car_id) == [("retired", True), ("in_force", False)])
    assert connack(garage.broker, old, drive.car_id) is None
    assert connack(garage.broker, new, drive.car_id) == ACCEPTED


def test_r07_a_stolen_certificate_is_worthless_once_it_is_revoked(
    garage: Garage, drive: Drive, renewed: tuple[Path, Path]
) -> None:
    _, stolen = renewed
    assert connack(garage.broker, stolen, "car-0001") == NOT_AUTHORIZED
    until(lambda: refused(garage, stolen).get("connect_failed") == 1)
    garage.ops.send("DELETE", f"/v1/ops/cars/{drive.car_id}/unit?reason=stolen").expect(204)
    until(lambda: states(garage, drive.car_id) == [("revoked", True), ("revoked", True)])
    for client_id in (drive.car_id, "car-0001", f"claim:{secrets.token_hex(4)}"):
        assert connack(garage.broker, stolen, client_id) is None
    told = [line["what"] for line in unit(garage, drive.car_id)["log"]]
    assert told[-5:] == ["withdrawn", "ended", "ended", "closed", "closed"]


def test_r07_a_claim_certificate_can_be_no_car(garage: Garage) -> None:
    """Nor push one off the broker: one client id has one connection."""
    claim = garage.workshop.claim()
    before = refused(garage, claim).get("connect_failed", 0)
    assert connack(garage.broker, claim, "car-0001") == NOT_AUTHORIZED
    until(lambda: refused(garage, claim).get("connect_failed") == before + 1)


def test_r07_a_claim_certificate_hears_and_says_nothing_of_cars(garage: Garage) -> None:
    wire = Wire(garage.broker, garage.workshop.claim(), f"claim:{secrets.token_hex(4)}")
    assert wire.connected == ACCEPTED
    for topic in ("cars/car-0001/commands", "cars/+/acks", "#", "$aws/events/presence/+/+"):
        assert wire.subscribe(topic) == NOT_AUTHORIZED
    for topic in (
        "cars/car-0001/commands",
        "cars/car-0001/state",
        f"$aws/rules/{STAGE}_acks/cars/car-0001/acks",
    ):
        assert wire.publish(topic) == NOT_AUTHORIZED
    wire.wire.close()
