"""Who gets through which door, asked of every route there is, so that a new one is asked too."""

import re
from collections.abc import Iterator
from datetime import timedelta

from chalicelib.kernel.auth import Group
from chalicelib.kernel.clock import utc_now
from infra import docs
from infra.docs import Route
from tests.api import Api, bearer, is_problem
from tests.contracts.examples import sign_body

OPEN_TO_ALL = {
    "GET /k",
    "GET /k-worker.js",
    "GET /ops",
    "GET /my",
    "GET /plans",
    "GET /partner",
    "GET /sponsor",
    "GET /p-worker.js",
    "GET /assets/{version}/{name}",
    "GET /v1/config",
    "GET /v1/health",
    "GET /v1/plans",
    "GET /v1/parking",
    "GET /v1/slots",
    "POST /v1/quotes",
}
"""Pages and what everybody may know: nothing here reads a row of a person or of a car."""
PROVEN_OTHERWISE = {
    "POST /v1/smart-key/exchange": "a code and a proof",
    "POST /v1/smart-key/links": "a number and a proof",
    "POST /v1/smart-key/step-up": "a session and a proof",
    "GET /v1/smart-key": "a session",
    "POST /v1/smart-key/sign-out": "a session",
    "POST /v1/smart-key/commands": "a session",
    "GET /v1/smart-key/commands/{command_id}": "a session",
    "POST /v1/webhooks/carriers/{carrier}": "a signature",
    "POST /v1/webhooks/opt-outs": "a signature",
}
EVERY = {route.name: route for route in docs.routes()}
SIGNED_IN = [route for route in EVERY.values() if route.declared.who is not None]
PERSONS = {group: bearer("somebody", group.value) for group in Group} | {None: bearer("somebody")}


def ask(api: Api, route: Route, by: str | None) -> object:
    path = re.sub(r"{\w+}", "somebody-elses", route.declared.path)
    return api.send(route.declared.method, path, {}, by=by, key="a-key")


def test_what_needs_no_sign_in_is_written_down_here() -> None:
    free = {name for name, route in EVERY.items() if route.declared.who is None}
    assert free == OPEN_TO_ALL | set(PROVEN_OTHERWISE)


def test_nobody_gets_in_anywhere_else_and_a_group_through_its_own_doors_only(api: Api) -> None:
    for route in SIGNED_IN:
        assert is_problem(ask(api, route, None), 401, "UNAUTHENTICATED"), route.name
        for group, person in PERSONS.items():
            if route.declared.who and group not in route.declared.who:
                assert is_problem(ask(api, route, person), 403, "FORBIDDEN"), (route.name, group)


def of_a_contract() -> Iterator[Route]:
    for route in SIGNED_IN:
        if "{contract_id}" in route.declared.path and not route.declared.who and not route.declared.body:
            yield route


def test_a_contract_is_not_there_for_anybody_but_its_own(api: Api) -> None:
    soon = {"at": (utc_now() + timedelta(days=9)).isoformat(), "address": "서울특별시 중구 세종대로 110"}
    signed = api.post("/v1/contracts", sign_body(handover=soon), by=bearer("kim"), key="k1").json_body
    routes = list(of_a_contract())
    assert len(routes) > 5
    for route in routes:
        path = route.declared.path.replace("{contract_id}", signed["contract_id"])
        path = re.sub(r"{\w+}", "somebody-elses", path)
        for stranger in (
            PERSONS[None],
            PERSONS[Group.PACKER],
            PERSONS[Group.COURIER],
            PERSONS[Group.SPONSOR],
        ):
            answer = api.send(route.declared.method, path, by=stranger, key="a-key")
            assert answer.status_code == 404, (route.name, answer.body)
