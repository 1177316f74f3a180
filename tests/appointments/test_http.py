"""The interface as customers, partners and operations hold on to it."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest
import time_machine

from chalicelib import wiring
from chalicelib.appointments.model import Which
from chalicelib.appointments.service import appointment_id_of
from chalicelib.kernel.facts import Fact
from tests.api import Api, bearer, is_problem
from tests.conftest import NOON
from tests.contracts.examples import ADDRESS, IN_TWO_WEEKS, car_body, confirmed, sign_body

KIM, LEE, OPS = bearer("kim"), bearer("lee"), bearer("olga", "ops")
AGENT, COURIER, PACKER = bearer("anna", "agent"), bearer("carl", "courier"), bearer("paula", "packer")
LATER = "2026-03-17T12:00:00+09:00"


@pytest.fixture(autouse=True)
def noon() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON, tick=False) as clock:
        yield clock


@pytest.fixture
def contract_id(api: Api) -> str:
    """Kim's contract, paid and assigned, its handover agreed."""
    for name in ("preview-key", "link-key"):
        boto3.client("secretsmanager").create_secret(
            Name=f"test/handover/{name}", SecretString="of the tests"
        )
    contract_id = str(api.post("/v1/contracts", sign_body(), by=KIM, key="k1").json_body["contract_id"])
    confirmed(contract_id)
    api.post("/v1/ops/cars", car_body(), by=OPS)
    given = {"car_id": "car-0001", "key_tag": "tag-0001-a"}
    assert api.post(f"/v1/ops/contracts/{contract_id}/assign", given, by=OPS).status_code == 200
    paid = Fact.of("ContractPaid", "contracts", contract_id, at=NOON, id="evt_paid", data={})
    wiring.appointments().paid(contract_id, "kim", IN_TWO_WEEKS, paid)
    return contract_id


def move(
    api: Api, contract_id: str, query: str = "", by: str | None = KIM, key: str | None = "k1", **body: Any
) -> Any:
    wish = {"which": "handover", "at": LATER, **body}
    return api.post(f"/v1/contracts/{contract_id}/reschedule{query}", wish, by=by, key=key)


def rows(dynamodb: Any) -> list[str]:
    return sorted(
        json.dumps(row, sort_keys=True) for row in dynamodb.scan(TableName="test-appointments")["Items"]
    )


def say(api: Api, contract_id: str, event: str, by: str | None = AGENT, **body: Any) -> Any:
    words = {"event": event, "occurred_at": "2026-03-02T12:00:00+09:00", **body}
    path = f"/v1/appointments/{appointment_id_of(contract_id, Which.HANDOVER)}/events"
    return api.post(path, words, by=by)


def test_a_customer_looks_previews_and_moves_their_handover(
    api: Api, contract_id: str, noon: time_machine.Traveller
) -> None:
    (shown,) = api.get(f"/v1/contracts/{contract_id}/appointments", by=KIM).json_body["appointments"]
    assert (shown["state"], shown["address"], shown["actions"]) == ("confirmed", ADDRESS, ["reschedule"])
    assert shown["slot"] == {"starts_at": "2026-03-16T02:00:00Z", "ends_at": "2026-03-16T04:00:00Z"}
    noon.move_to(IN_TWO_WEEKS - timedelta(hours=20))
    preview = move(api, contract_id, "?preview=true", key="k0").json_body
    assert (preview["charge"], preview["lines"]) == (30_000, [{"what": "redispatch", "amount": -30_000}])
    moved = move(api, contract_id, quote=preview["quote"], address="서울시 강남구 테헤란로 1")
    assert moved.status_code == 200
    same = ("contract_id", "appointment_id", "which", "at", "slot", "state", "refund", "charge", "lines")
    assert {name: moved.json_body[name] for name in same} == {name: preview[name] for name in same}
    contract = api.get(f"/v1/contracts/{contract_id}", by=KIM).json_body
    assert contract["handover"]["address"] == "서울시 강남구 테헤란로 1"
    again = move(api, contract_id, quote=preview["quote"], address="서울시 강남구 테헤란로 1")
    assert (again.json_body, again.headers["Idempotent-Replayed"]) == (moved.json_body, "true")


MOVES: list[tuple[dict[str, Any], str | None, str | None, int, str]] = [
    ({}, LEE, "k1", 404, "UNKNOWN_CONTRACT"),
    ({}, None, "k1", 401, "UNAUTHENTICATED"),
    ({}, KIM, None, 400, "MALFORMED"),
    ({"which": "party"}, KIM, "k1", 400, "MALFORMED"),
    ({"at": "2026-03-17T12:00:00"}, KIM, "k1", 400, "MALFORMED"),
    ({"at": "0001-01-01T00:00:00+09:00"}, KIM, "k1", 400, "MALFORMED"),
    ({"address": "  "}, KIM, "k1", 400, "MALFORMED"),
    ({"at": "2026-03-02T13:00:00+09:00"}, KIM, "k1", 422, "OUT_OF_REACH"),
    ({"which": "return"}, KIM, "k1", 422, "NOT_NOW"),
    ({"quote": "1.2"}, KIM, "k1", 422, "PREVIEW_EXPIRED"),
]


def test_a_move_that_cannot_be_is_refused_and_changes_nothing(
    api: Api, dynamodb: Any, contract_id: str
) -> None:
    before = rows(dynamodb)
    for changes, by, key, status, code in MOVES:
        assert is_problem(move(api, contract_id, by=by, key=key, **changes), status, code), changes
    assert rows(dynamodb) == before


def test_the_same_key_with_another_wish_is_refused(api: Api, contract_id: str) -> None:
    assert move(api, contract_id).status_code == 200
    assert is_problem(move(api, contract_id, at="2026-03-18T12:00:00+09:00"), 422, "KEY_REUSED")


def test_others_appointments_are_unknown(api: Api, contract_id: str) -> None:
    appointment_id = appointment_id_of(contract_id, Which.HANDOVER)
    assert is_problem(api.get(f"/v1/contracts/{contract_id}/appointments", by=LEE), 404)
    assert api.get(f"/v1/contracts/{contract_id}/appointments", by=OPS).status_code == 200
    path = f"/v1/contracts/{contract_id}/appointments/{appointment_id}/confirm"
    assert is_problem(api.post(path, by=LEE), 404)
    assert is_problem(api.post(path.replace("apt_", "apt_x"), by=KIM), 404, "UNKNOWN_APPOINTMENT")
    confirmed_before = api.post(path, by=KIM)
    assert (confirmed_before.status_code, confirmed_before.headers["Idempotent-Replayed"]) == (200, "true")


def test_what_operations_propose_the_customer_confirms(
    api: Api, contract_id: str, noon: time_machine.Traveller
) -> None:
    noon.shift(timedelta(minutes=1))
    proposed = move(api, contract_id, by=OPS)
    assert (proposed.json_body["state"], proposed.json_body["charge"]) == ("proposed", 0)
    (shown,) = api.get(f"/v1/contracts/{contract_id}/appointments", by=KIM).json_body["appointments"]
    assert shown["actions"] == ["confirm", "reschedule"]
    path = f"/v1/contracts/{contract_id}/appointments/{shown['appointment_id']}/confirm"
    assert api.post(path, by=KIM).json_body["state"] == "confirmed"


def test_slots_are_for_everybody(api: Api, contract_id: str) -> None:
    day = api.get("/v1/slots?which=handover&day=2026-03-16").json_body
    assert [slot["free"] for slot in day["slots"]] == [300, 299, 300, 300, 300, 300]
    for query in ("?which=party&day=2026-03-16", "?which=return&day=soon", ""):
        assert is_problem(api.get(f"/v1/slots{query}"), 400, "MALFORMED")


def test_a_partner_sees_jobs_and_cannot_leave_for_a_car_nobody_opens(
    api: Api, dynamodb: Any, contract_id: str, noon: time_machine.Traveller
) -> None:
    noon.move_to(IN_TWO_WEEKS - timedelta(hours=1, minutes=30))
    english = {"Accept-Language": "en"}
    (job,) = api.get("/v1/partner/jobs", by=AGENT, headers=english).json_body["jobs"]
    assert (job["address"], job["car"]) == (ADDRESS, {"plate": "12가 3456", "model": "Casper"})
    assert (job["actions"], job["note"][:16]) == (["depart"], "Do not leave yet")
    before = rows(dynamodb)
    at = "2026-03-16T10:30:00+09:00"
    refused = say(api, contract_id, "depart", occurred_at=at)
    assert is_problem(refused, 422, "ACCESS_NOT_READY")
    assert refused.json_body["reasons"] == ["key_not_proven", "no_smart_key"]
    assert "출발하지" in refused.json_body["next_step"]
    assert rows(dynamodb) == before
    wiring.contracts().access_proven(contract_id, IN_TWO_WEEKS)
    left = say(api, contract_id, "depart", occurred_at=at)
    assert (left.status_code, left.json_body["state"]) == (200, "en_route")
    again = say(api, contract_id, "depart", occurred_at="2026-03-16T01:30:00Z")
    assert (again.headers["Idempotent-Replayed"], again.json_body["state"]) == ("true", "en_route")
    early = say(api, contract_id, "handover_ok", occurred_at=at)
    assert (early.json_body["state"], early.json_body["message"][:4]) == ("en_route", "기록했어")


def test_a_locked_out_car_is_the_first_thing_operations_see(
    api: Api, contract_id: str, noon: time_machine.Traveller
) -> None:
    noon.move_to(IN_TWO_WEEKS)
    wiring.contracts().access_proven(contract_id, IN_TWO_WEEKS)
    for event, minute in (("depart", "10:30"), ("arrived", "11:55"), ("access_failed", "11:58")):
        at, where = f"2026-03-16T{minute}:00+09:00", {"lat": 37.56635, "lon": 126.97796}
        told = say(api, contract_id, event, occurred_at=at, position=where, tariff_per_hour=4_000)
        assert told.status_code == 200, told.body
    (shown,) = api.get("/v1/ops/overview", by=OPS).json_body["delayed"]
    assert (shown["contract_id"], shown["kind"], shown["parking_cost"]) == (contract_id, "locked_out", 4_000)
    noon.shift(timedelta(minutes=56))
    (shown,) = api.get("/v1/ops/overview", by=OPS).json_body["delayed"]
    assert shown["parking_cost"] == 8_000


WORDS: list[tuple[dict[str, Any], str | None, int, str]] = [
    ({}, KIM, 403, "FORBIDDEN"),
    ({}, OPS, 403, "FORBIDDEN"),
    ({}, PACKER, 403, "FORBIDDEN"),
    ({}, None, 401, "UNAUTHENTICATED"),
    ({"event": "fly"}, AGENT, 400, "MALFORMED"),
    ({"occurred_at": "2026-03-02T13:00:00+09:00"}, AGENT, 422, "CLOCK_WRONG"),
    ({"event": "returned"}, AGENT, 403, "NOT_YOURS"),
    ({"position": {"lat": 91, "lon": 0}}, COURIER, 400, "MALFORMED"),
    ({"tariff_per_hour": -1}, AGENT, 400, "MALFORMED"),
]


def test_words_that_cannot_be_are_refused_and_change_nothing(
    api: Api, dynamodb: Any, contract_id: str
) -> None:
    before = rows(dynamodb)
    for changes, by, status, code in WORDS:
        said = say(api, contract_id, **{"event": "arrived", **changes}, by=by)
        assert is_problem(said, status, code), changes
    assert rows(dynamodb) == before


def test_jobs_are_for_hands_only_and_come_in_pages(api: Api, contract_id: str) -> None:
    assert is_problem(api.get("/v1/partner/jobs", by=KIM), 403)
    assert is_problem(api.get("/v1/partner/jobs", by=PACKER), 403)
    for query in ("?limit=0", "?limit=x", "?cursor=%25", "?cursor=eHh4"):
        assert is_problem(api.get(f"/v1/partner/jobs{query}", by=AGENT), 400, "MALFORMED")
    assert api.get("/v1/partner/jobs?limit=5", by=OPS).json_body == {"jobs": [], "cursor": None}
    unknown = api.post("/v1/appointments/apt_x/events", {"event": "arrived", "occurred_at": LATER}, by=AGENT)
    assert is_problem(unknown, 404, "UNKNOWN_APPOINTMENT")
