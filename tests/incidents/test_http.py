"""The routes of incidents."""

from collections.abc import Iterator
from typing import Any

import pytest
import time_machine

from chalicelib import wiring
from chalicelib.incidents.model import Piece, Work
from chalicelib.kernel import aws
from tests.api import Api, bearer, is_problem
from tests.conftest import NOON
from tests.incidents.examples import contracts_named

OLGA, OSCAR, KIM = bearer("olga", "ops"), bearer("oscar", "ops"), bearer("kim")
PATH = "/v1/ops/incidents"


@pytest.fixture(autouse=True)
def at_noon(api: Api) -> Iterator[None]:
    aws.client("sqs").create_queue(QueueName="test-incidents-work")
    with time_machine.travel(NOON, tick=False):
        yield


def body(count: int = 3, **changes: Any) -> dict[str, Any]:
    return {"name": "Key post", "cause": "wrong keys", "contracts": contracts_named(count), **changes}


def opened(api: Api, count: int = 3, key: str = "k1") -> str:
    return str(api.post(PATH, body(count), by=OLGA, key=key).json_body["incident_id"])


def test_an_incident_is_opened_and_looked_at(api: Api) -> None:
    answer = api.post(PATH, body(), by=OLGA, key="k1")
    assert (answer.status_code, answer.json_body["affected"]) == (201, 3)
    seen = api.get(f"{PATH}/{answer.json_body['incident_id']}", by=OSCAR).json_body
    assert seen["incident"]["funnel"]["queued"] == 3
    assert [(row["contract_id"], row["outcome"]) for row in seen["rows"]] == [
        (contract_id, "queued") for contract_id in contracts_named(3)
    ]
    assert (seen["incident"]["state"], seen["incident"]["dry_run"], seen["next_cursor"]) == (
        "draft",
        None,
        None,
    )


def test_the_same_key_opens_one_incident(api: Api) -> None:
    first, again = (api.post(PATH, body(), by=OLGA, key="k1") for _ in range(2))
    assert again.json_body == first.json_body
    assert again.headers["Idempotent-Replayed"] == "true"
    assert is_problem(api.post(PATH, body(4), by=OLGA, key="k1"), 422, "KEY_REUSED")
    assert is_problem(api.post(PATH, body(), by=OLGA), 400)


def test_what_does_not_fit_is_refused(api: Api) -> None:
    refused: tuple[dict[str, Any], ...] = (
        {"contracts": []},
        {"contracts": ["con kim"]},
        {"contracts": ["con_kim\n"]},
        {"contracts": [f"c{number}" for number in range(10_001)]},
        {"contracts": "con_kim"},
        {"name": ""},
        {"cause": "x" * 201},
        {"send": True},
    )
    for changes in refused:
        assert is_problem(api.post(PATH, body(**changes), by=OLGA, key="k1"), 400), changes


def test_ten_thousand_contracts_fit_into_one_request(api: Api) -> None:
    named = [f"con_{number:026d}" for number in range(10_000)]
    answer = api.post(PATH, body(contracts=named), by=OLGA, key="k1")
    assert (answer.status_code, answer.json_body["affected"]) == (201, 10_000)
    first = api.get(f"{PATH}/{answer.json_body['incident_id']}?limit=2", by=OLGA).json_body
    assert [row["contract_id"] for row in first["rows"]] == named[:2]


def test_rows_and_incidents_come_in_pages(api: Api) -> None:
    incident_id = opened(api, 5)
    path = f"{PATH}/{incident_id}?limit=3"
    page = api.get(path, by=OLGA).json_body
    rest = api.get(f"{path}&cursor={page['next_cursor']}", by=OLGA).json_body
    assert [len(each["rows"]) for each in (page, rest)] == [3, 2]
    assert rest["next_cursor"] is None
    with time_machine.travel(NOON.timestamp() + 60, tick=False):
        later = opened(api, key="k2")
    first = api.get(f"{PATH}?limit=1", by=OLGA).json_body
    second = api.get(f"{PATH}?limit=1&cursor={first['next_cursor']}", by=OLGA).json_body
    assert [each["incidents"][0]["incident_id"] for each in (first, second)] == [later, incident_id]


def test_operations_ask_for_those_who_stand_in_one_place(api: Api) -> None:
    incident_id = opened(api, 5)
    path = f"{PATH}/{incident_id}"
    api.post(f"{path}/smart-keys", {}, by=OLGA)
    wiring.incidents().work(Piece(incident_id, Work.ISSUE, 1, 0, 2, NOON))
    skipped = api.get(f"{path}?outcome=skipped&limit=3", by=OLGA).json_body
    assert [row["contract_id"] for row in skipped["rows"]] == contracts_named(2)
    assert skipped["next_cursor"]
    assert api.get(f"{path}?outcome=sent", by=OLGA).json_body["rows"] == []
    assert is_problem(api.get(f"{path}?outcome=lost", by=OLGA), 400)


def test_a_foreign_cursor_is_refused(api: Api) -> None:
    path = f"{PATH}/{opened(api)}"
    for cursor in ("x", "!!!", "LTE", "OTk5OTk5OTk5OTk5"):
        assert is_problem(api.get(f"{path}?cursor={cursor}", by=OLGA), 400), cursor


def test_r15_keys_are_given_approved_and_revoked_by_people_of_operations(api: Api) -> None:
    path = f"{PATH}/{opened(api, 101)}"
    asked = api.post(f"{path}/smart-keys", {}, by=OLGA)
    assert (asked.status_code, asked.json_body["state"]) == (202, "awaiting_approval")
    assert asked.json_body["not_after"] == "2026-03-09T03:00:00Z"
    assert is_problem(api.post(f"{path}/approve", by=OLGA), 403, "SECOND_PERSON_NEEDED")
    approved = api.post(f"{path}/approve", by=OSCAR)
    assert (approved.status_code, approved.json_body["state"]) == (202, "running")
    assert (approved.json_body["asked_by"], approved.json_body["approved_by"]) == ("olga", "oscar")
    assert api.post(f"{path}/approve", by=OSCAR).headers["Idempotent-Replayed"] == "true"
    assert is_problem(api.post(f"{path}/revoke", {"reason": "false alarm"}, by=OLGA), 400)
    assert is_problem(api.post(f"{path}/revoke", {}, by=OLGA, key="r1"), 400)
    revoked = api.post(f"{path}/revoke", {"reason": "false alarm"}, by=OLGA, key="r1")
    assert (revoked.status_code, revoked.json_body["state"]) == (202, "revoking")
    again = api.post(f"{path}/revoke", {"reason": "false alarm"}, by=OLGA, key="r1")
    assert again.headers["Idempotent-Replayed"] == "true"
    assert is_problem(api.post(f"{path}/smart-keys", {}, by=OLGA), 409, "ILLEGAL_MOVE")


def test_r15_a_dry_run_answers_at_once_and_fills_up(api: Api) -> None:
    incident_id = opened(api)
    asked = api.post(f"{PATH}/{incident_id}/smart-keys", {"dry_run": True}, by=OLGA)
    assert (asked.status_code, asked.json_body["dry_run"]) == (202, {"checked": 0, "outcomes": {}})
    wiring.incidents().work(Piece(incident_id, Work.TRY, 1, 0, 3, NOON))
    seen = api.get(f"{PATH}/{incident_id}", by=OLGA).json_body["incident"]
    assert seen["dry_run"] == {"checked": 3, "outcomes": {"UNKNOWN_CONTRACT": 3}}
    assert (seen["state"], seen["funnel"]["queued"]) == ("draft", 3)


def test_keys_end_in_the_future_and_within_a_year(api: Api) -> None:
    path = f"{PATH}/{opened(api)}/smart-keys"
    for ends in ("2026-03-02T11:59:00+09:00", "2027-03-05T12:00:00+09:00"):
        assert is_problem(api.post(path, {"not_after": ends}, by=OLGA), 422, "BAD_WINDOW")


def test_only_operations_may(api: Api) -> None:
    for method, path in (
        ("POST", PATH),
        ("GET", PATH),
        ("GET", f"{PATH}/inc_1"),
        ("POST", f"{PATH}/inc_1/smart-keys"),
        ("POST", f"{PATH}/inc_1/approve"),
        ("POST", f"{PATH}/inc_1/revoke"),
    ):
        assert is_problem(api.send(method, path, {}, key="k"), 401)
        assert is_problem(api.send(method, path, {}, by=KIM, key="k"), 403)


def test_an_incident_that_nobody_opened_is_not_there(api: Api) -> None:
    for answer in (
        api.get(f"{PATH}/inc_none", by=OLGA),
        api.post(f"{PATH}/inc_none/smart-keys", {}, by=OLGA),
        api.post(f"{PATH}/inc_none/approve", by=OLGA),
        api.post(f"{PATH}/inc_none/revoke", {"reason": "x"}, by=OLGA, key="k"),
    ):
        assert is_problem(answer, 404, "UNKNOWN_INCIDENT")
