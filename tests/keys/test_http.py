"""The interface as scanners, carriers and customers hold on to it."""

import json
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import boto3
import pytest
import time_machine

from chalicelib import wiring
from chalicelib.contracts.model import label_hash
from tests.api import Api, bearer, is_problem
from tests.conftest import NOON
from tests.contracts.examples import ADDRESS, car_body, confirmed, sign_body
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
    confirmed(contract_id)
    given = {"car_id": "car-0001", "key_tag": "tag-0001-a"}
    confirmed(contract_id)
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


SCANS_REFUSED: list[tuple[dict[str, Any], str | None, int, str]] = [
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
]


@pytest.mark.usefixtures("contract_id")
def test_a_scan_that_cannot_be_is_refused_and_changes_nothing(api: Api, dynamodb: Any) -> None:
    before = rows(dynamodb)
    for changes, by, status, code in SCANS_REFUSED:
        assert is_problem(api.post("/v1/scans", scanned(**changes), by=by), status, code), changes
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


RECEIPTS_REFUSED: list[tuple[Any, str | None, str | None, int, str]] = [
    ({"key_tag": "tag-0001-a"}, KIM, None, 400, "MALFORMED"),
    ({}, KIM, "k1", 400, "MALFORMED"),
    ({"not_received": False}, KIM, "k1", 400, "MALFORMED"),
    ({"key_tag": "tag-0001-a", "not_received": True}, KIM, "k1", 400, "MALFORMED"),
    ({"key_tag": ""}, KIM, "k1", 400, "MALFORMED"),
    (b"{", KIM, "k1", 400, "MALFORMED"),
    ({"key_tag": "tag-0001-a"}, LEE, "k1", 404, "UNKNOWN_SHIPMENT"),
    ({"key_tag": "tag-0001-a"}, OPS, "k1", 404, "UNKNOWN_SHIPMENT"),
    ({"key_tag": "tag-0001-a"}, None, "k1", 401, "UNAUTHENTICATED"),
]


def test_a_receipt_that_cannot_be_is_refused_and_changes_nothing(
    api: Api, dynamodb: Any, contract_id: str
) -> None:
    before, path = rows(dynamodb), f"/v1/contracts/{contract_id}/key/receipt"
    for body, by, key, status, code in RECEIPTS_REFUSED:
        assert is_problem(api.post(path, body, by=by, key=key), status, code), body
    assert rows(dynamodb) == before


@pytest.mark.usefixtures("contract_id")
def test_a_receipt_for_a_contract_without_a_key_is_404(api: Api) -> None:
    answer = api.post("/v1/contracts/con_nobody/key/receipt", {"key_tag": "tag-0001-a"}, by=KIM, key="k1")
    assert is_problem(answer, 404, "UNKNOWN_SHIPMENT")


@pytest.fixture
def handed_over(api: Api, contract_id: str) -> str:
    """The shipment's id, with the carrier since noon."""
    api.post("/v1/scans", scanned(), by=PACKER)
    told = api.post("/v1/scans", scanned(event="handoff"), by=COURIER)
    return str(told.json_body["shipment_id"])


def lost(noon: time_machine.Traveller) -> None:
    """Nobody has heard of any key for so long that all are given up."""
    noon.shift(timedelta(days=4))
    while wiring.keys().sweep().found:
        pass
    noon.shift(timedelta(minutes=1))


def test_operations_see_who_has_a_key_and_how_it_came_there(api: Api, handed_over: str) -> None:
    shown = api.get("/v1/ops/keys/tag-0001-a", by=OPS).json_body
    assert (shown["holder"], shown["state"], shown["shipment_id"]) == (
        "carrier",
        "handed_to_carrier",
        handed_over,
    )
    (move,) = shown["history"]
    assert (move["seq"], move["from_kind"], move["holder_kind"]) == (1, "depot", "carrier")
    assert [event["event"] for event in shown["events"]] == ["carrier_accept", "pack_scan_ok"]


@pytest.mark.usefixtures("handed_over")
def test_a_lost_key_is_found_or_its_car_gets_new_locks(api: Api, noon: time_machine.Traveller) -> None:
    early = api.post("/v1/ops/keys/tag-0001-a/rekeyed", by=OPS, key="k1")
    assert is_problem(early, 409, "ILLEGAL_MOVE")
    lost(noon)
    found = api.post("/v1/ops/keys/tag-0001-a/found", by=OPS, key="k2")
    assert (found.status_code, found.json_body["state"]) == (200, "returning")
    again = api.post("/v1/ops/keys/tag-0001-a/found", by=OPS, key="k2")
    assert (again.json_body, again.headers["Idempotent-Replayed"]) == (found.json_body, "true")
    assert is_problem(api.post("/v1/ops/keys/tag-0001-a/rekeyed", by=OPS, key="k2"), 422, "KEY_REUSED")
    lost(noon)
    rekeyed = api.post("/v1/ops/keys/tag-0001-a/rekeyed", by=OPS, key="k3")
    assert rekeyed.json_body["state"] == "written_off"
    assert api.get("/v1/ops/keys/tag-0001-a", by=OPS).json_body["holder"] == "written_off"


def test_a_scan_made_in_error_is_taken_back_and_stays_written(
    api: Api, handed_over: str, noon: time_machine.Traveller
) -> None:
    noon.shift(timedelta(hours=1))
    api.post("/v1/scans", scanned(event="delivered", occurred_at=NOON.isoformat()), by=COURIER)
    shown = api.get("/v1/ops/keys/tag-0001-a", by=OPS).json_body
    wrong = next(event["id"] for event in shown["events"] if event["event"] == "scan_delivered")
    path = f"/v1/ops/shipments/{handed_over}/corrections"
    body = {
        "event_id": wrong,
        "reason": "incorrect_data",
        "event": "scan_attempt_failed",
        "occurred_at": "2026-03-02T12:10:00+09:00",
    }
    told = api.post(path, body, by=OPS, key="k1")
    assert (told.status_code, told.json_body["state"]) == (200, "attempt_failed")
    again = api.post(path, body, by=OPS, key="k1")
    assert (again.json_body, again.headers["Idempotent-Replayed"]) == (told.json_body, "true")
    shown = api.get("/v1/ops/keys/tag-0001-a", by=OPS).json_body
    assert wrong in [event["id"] for event in shown["events"]]
    assert [move["holder_kind"] for move in shown["history"]] == ["carrier", "customer", "carrier"]


def test_an_intercepted_parcel_takes_its_new_address(
    api: Api, handed_over: str, contract_id: str, noon: time_machine.Traveller
) -> None:
    path = f"/v1/ops/shipments/{handed_over}/redirected"
    assert is_problem(api.post(path, by=OPS, key="k1"), 409, "ILLEGAL_MOVE")
    noon.shift(timedelta(hours=1))
    wiring.keys().contract_cancelled(contract_id, NOON + timedelta(hours=1), "evt_1")
    noon.shift(timedelta(hours=1))
    assert api.post(path, by=OPS, key="k2").json_body["state"] == "in_transit"


def test_a_day_announced_late_is_heard(api: Api) -> None:
    body = {"date": "2026-03-06", "open": False, "note": "an election"}
    told = api.post("/v1/ops/calendar", body, by=OPS, key="k1")
    assert (told.status_code, told.json_body["open"], told.json_body["date"]) == (200, False, "2026-03-06")
    again = api.post("/v1/ops/calendar", body, by=OPS, key="k1")
    assert (again.json_body, again.headers["Idempotent-Replayed"]) == (told.json_body, "true")
    over = api.post("/v1/ops/calendar", {**body, "date": "2026-03-01"}, by=OPS, key="k2")
    assert is_problem(over, 422, "DAY_IS_OVER")


FOR_OPS = {
    "/v1/ops/keys/tag-0001-a": None,
    "/v1/ops/keys/tag-0001-a/rekeyed": {},
    "/v1/ops/keys/tag-0001-a/found": {},
    "/v1/ops/shipments/shp_1/redirected": {},
    "/v1/ops/shipments/shp_1/corrections": {"event_id": "e1", "reason": "did_not_occur"},
    "/v1/ops/calendar": {"date": "2026-03-06", "open": False, "note": ""},
}
"""Paths, and what is posted to them."""


def test_only_operations_may(api: Api) -> None:
    for path, body in FOR_OPS.items():
        method = "GET" if body is None else "POST"
        ask = partial(api.send, method, path, body)
        assert is_problem(ask(by=PACKER, key="k1"), 403, "FORBIDDEN"), path
        assert is_problem(ask(by=KIM, key="k1"), 403, "FORBIDDEN"), path
        assert is_problem(ask(key="k1"), 401, "UNAUTHENTICATED"), path
        assert body is None or is_problem(ask(by=OPS), 400, "MALFORMED"), path
        assert path == "/v1/ops/calendar" or ask(by=OPS, key="k1").status_code == 404, path


CORRECTIONS_REFUSED: list[dict[str, Any]] = [
    {},
    {"event_id": "", "reason": "did_not_occur"},
    {"event_id": "e1", "reason": "because"},
    {"event_id": "e1", "reason": "incorrect_data", "event": "scan_delivered"},
    {"event_id": "e1", "reason": "incorrect_data", "occurred_at": "2026-03-02T12:00:00Z"},
    {
        "event_id": "e1",
        "reason": "incorrect_data",
        "event": "T.verify_by",
        "occurred_at": "2026-03-02T12:00:00Z",
    },
]


def test_a_correction_that_cannot_be_is_malformed(api: Api) -> None:
    for body in CORRECTIONS_REFUSED:
        answer = api.post("/v1/ops/shipments/shp_1/corrections", body, by=OPS, key="k1")
        assert is_problem(answer, 400, "MALFORMED"), body


def test_an_event_nobody_told_is_no_error(api: Api, handed_over: str) -> None:
    body = {"event_id": "nothing", "reason": "did_not_occur"}
    answer = api.post(f"/v1/ops/shipments/{handed_over}/corrections", body, by=OPS, key="k1")
    assert is_problem(answer, 404, "UNKNOWN_EVENT")
