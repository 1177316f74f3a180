"""The interface as scanners, carriers and customers hold on to it."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest
import time_machine

from chalicelib import wiring
from chalicelib.contracts.model import label_hash
from tests.api import Api, bearer, is_problem
from tests.conftest import NOON
from tests.contracts.examples import ADDRESS, car_body, sign_body
from tests.keys.examples import easypost, scan_body, secret, signature
from tests.keys.test_webhook import HOSTILE

KIM, LEE, OPS = bearer("kim"), bearer("lee"), bearer("olga", "ops")
PACKER, COURIER = bearer("paula", "packer"), bearer("carl", "courier")
WEBHOOK = "/v1/webhooks/carriers/easypost"
LABEL = label_hash(ADDRESS)


@pytest.fixture(autouse=True)
def noon() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON, tick=False) as clock:
        yield clock


@pytest.fixture
def contract_id(api: Api) -> str:
    """Kim's contract, assigned, and its key planned."""
    for carrier in ("easypost", "aftership", "delivery-tracker"):
        name = f"carrier-{carrier}"
        boto3.client("secretsmanager").create_secret(Name=f"test/handover/{name}", SecretString=secret(name))
    contract_id = str(api.post("/v1/contracts", sign_body(), by=KIM, key="k1").json_body["contract_id"])
    api.post("/v1/ops/cars", car_body(), by=OPS)
    given = {"car_id": "car-0001", "key_tag": "tag-0001-a"}
    assert api.post(f"/v1/ops/contracts/{contract_id}/assign", given, by=OPS).status_code == 200
    wiring.keys().plan(contract_id)
    return contract_id


def scanned(**changes: Any) -> dict[str, Any]:
    return scan_body(**{"key_tag": "tag-0001-a", "label_hash": LABEL, **changes})


def post_webhook(api: Api, raw: bytes, path: str = WEBHOOK, sign: str | None = None) -> Any:
    return api.post(path, raw, headers={"X-Signature": signature("easypost", raw) if sign is None else sign})


def rows(dynamodb: Any) -> list[str]:
    return sorted(json.dumps(row, sort_keys=True) for row in dynamodb.scan(TableName="test-keys")["Items"])


def test_a_key_from_the_packer_to_the_customer(
    api: Api, contract_id: str, noon: time_machine.Traveller
) -> None:
    packed = api.post("/v1/scans", scanned(), by=PACKER)
    assert (packed.status_code, packed.json_body["state"]) == (200, "packed")
    handed = api.post("/v1/scans", scanned(event="handoff"), by=COURIER)
    assert handed.json_body["state"] == "handed_to_carrier"
    noon.shift(timedelta(hours=30))
    told = post_webhook(api, easypost("EZ1000000001", (NOON + timedelta(hours=29), "delivered")))
    assert (told.status_code, told.json_body) == (200, {"known": True, "scans": 1, "new": 1})
    said = api.post(f"/v1/contracts/{contract_id}/key/receipt", {"key_tag": "tag-0001-a"}, by=KIM, key="k1")
    assert said.json_body == {"shipment_id": packed.json_body["shipment_id"], "state": "verified"}
    shown = api.get(f"/v1/contracts/{contract_id}", by=KIM).json_body["key"]
    assert (shown["state"], shown["tracking"]) == ("verified", "EZ1000000001")


def test_a_wrong_label_is_422_and_says_where_the_key_stands(api: Api, contract_id: str) -> None:
    answer = api.post("/v1/scans", scanned(label_hash="22" * 32), by=PACKER)
    assert is_problem(answer, 422, "LABEL_MISMATCH")
    assert answer.json_body["state"] == "planned"


@pytest.mark.usefixtures("contract_id")
@pytest.mark.parametrize(
    ("changes", "by", "status", "code"),
    [
        ({"key_tag": "tag-nobody"}, PACKER, 404, "UNKNOWN_KEY_TAG"),
        ({}, COURIER, 403, "NOT_YOUR_SCAN"),
        ({}, KIM, 403, "FORBIDDEN"),
        ({}, OPS, 403, "FORBIDDEN"),
        ({}, None, 401, "UNAUTHENTICATED"),
        ({"event": "fly"}, PACKER, 400, "MALFORMED"),
        ({"key_tag": "a b"}, PACKER, 400, "MALFORMED"),
        ({"key_tag": 5}, PACKER, 400, "MALFORMED"),
        ({"occurred_at": "2026-03-02T12:00:00"}, PACKER, 400, "MALFORMED"),
        ({"occurred_at": "0001-01-01T00:00:00+09:00"}, PACKER, 400, "MALFORMED"),
        ({"occurred_at": "2026-03-02T13:00:00+09:00"}, PACKER, 422, "CLOCK_WRONG"),
        ({"carrier": None}, PACKER, 400, "MALFORMED"),
        ({"carrier": "pigeon"}, PACKER, 400, "MALFORMED"),
        ({"tracking_number": "--"}, PACKER, 400, "MALFORMED"),
        ({"label_position": {"lat": 91, "lon": 0}}, PACKER, 400, "MALFORMED"),
    ],
)
def test_a_scan_that_cannot_be_is_refused_and_changes_nothing(
    api: Api, dynamodb: Any, changes: dict[str, Any], by: str | None, status: int, code: str
) -> None:
    before = rows(dynamodb)
    assert is_problem(api.post("/v1/scans", scanned(**changes), by=by), status, code)
    assert rows(dynamodb) == before


def test_a_repeated_scan_says_that_it_is_one(api: Api, contract_id: str) -> None:
    api.post("/v1/scans", scanned(), by=PACKER)
    again = api.post("/v1/scans", scanned(occurred_at="2026-03-02T03:00:00Z"), by=PACKER)
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (200, "true")


@pytest.mark.usefixtures("contract_id")
@pytest.mark.parametrize("sign", ["", "sha256=" + "0" * 64, "서명"])
def test_a_webhook_without_its_signature_is_401_and_writes_nothing(
    api: Api, dynamodb: Any, sign: str
) -> None:
    before = rows(dynamodb)
    raw = easypost("EZ1", (NOON, "delivered"))
    assert is_problem(post_webhook(api, raw, sign=sign.encode().decode("latin-1")), 401, "BAD_SIGNATURE")
    assert rows(dynamodb) == before


@pytest.mark.usefixtures("contract_id")
def test_an_unknown_carrier_is_404(api: Api) -> None:
    raw = easypost("EZ1")
    assert is_problem(post_webhook(api, raw, "/v1/webhooks/carriers/pigeon"), 404, "UNKNOWN_CARRIER")


@pytest.mark.usefixtures("contract_id")
def test_a_hostile_webhook_is_400_and_writes_nothing(api: Api, dynamodb: Any) -> None:
    before = rows(dynamodb)
    for name, raw in HOSTILE.items():
        assert is_problem(post_webhook(api, raw), 400, "MALFORMED"), name
    assert rows(dynamodb) == before


@pytest.mark.usefixtures("contract_id")
def test_a_huge_webhook_is_413(api: Api, dynamodb: Any) -> None:
    before = rows(dynamodb)
    raw = easypost("EZ1", *[(NOON, "in_transit")] * 10_000)
    assert is_problem(post_webhook(api, raw), 413, "TOO_LARGE")
    assert rows(dynamodb) == before


@pytest.mark.usefixtures("contract_id")
def test_a_webhook_of_a_number_nobody_knows_yet_is_acknowledged(api: Api) -> None:
    told = post_webhook(api, easypost("EZ1000000001", (NOON, "in_transit")))
    assert (told.status_code, told.json_body) == (200, {"known": False, "scans": 1, "new": 1})


def test_a_receipt_is_remembered_under_its_key(api: Api, contract_id: str) -> None:
    path = f"/v1/contracts/{contract_id}/key/receipt"
    first = api.post(path, {"key_tag": "tag-of-another"}, by=KIM, key="k1")
    assert (first.status_code, first.json_body["state"]) == (200, "wrong_key")
    again = api.post(path, {"key_tag": "tag-of-another"}, by=KIM, key="k1")
    assert (again.json_body, again.headers["Idempotent-Replayed"]) == (first.json_body, "true")
    assert is_problem(api.post(path, {"not_received": True}, by=KIM, key="k1"), 422, "KEY_REUSED")


@pytest.mark.parametrize(
    ("body", "by", "key", "status", "code"),
    [
        ({"key_tag": "tag-0001-a"}, KIM, None, 400, "MALFORMED"),
        ({}, KIM, "k1", 400, "MALFORMED"),
        ({"not_received": False}, KIM, "k1", 400, "MALFORMED"),
        ({"key_tag": "tag-0001-a", "not_received": True}, KIM, "k1", 400, "MALFORMED"),
        ({"key_tag": ""}, KIM, "k1", 400, "MALFORMED"),
        (b"{", KIM, "k1", 400, "MALFORMED"),
        ({"key_tag": "tag-0001-a"}, LEE, "k1", 404, "UNKNOWN_SHIPMENT"),
        ({"key_tag": "tag-0001-a"}, OPS, "k1", 404, "UNKNOWN_SHIPMENT"),
        ({"key_tag": "tag-0001-a"}, None, "k1", 401, "UNAUTHENTICATED"),
    ],
)
def test_a_receipt_that_cannot_be_is_refused_and_changes_nothing(
    api: Api,
    dynamodb: Any,
    contract_id: str,
    body: Any,
    by: str | None,
    key: str | None,
    status: int,
    code: str,
) -> None:
    before = rows(dynamodb)
    answer = api.post(f"/v1/contracts/{contract_id}/key/receipt", body, by=by, key=key)
    assert is_problem(answer, status, code)
    assert rows(dynamodb) == before


@pytest.mark.usefixtures("contract_id")
def test_a_receipt_for_a_contract_without_a_key_is_404(api: Api) -> None:
    answer = api.post("/v1/contracts/con_nobody/key/receipt", {"key_tag": "tag-0001-a"}, by=KIM, key="k1")
    assert is_problem(answer, 404, "UNKNOWN_SHIPMENT")
