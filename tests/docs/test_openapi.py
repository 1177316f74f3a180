import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
import yaml
from jsonschema import Draft202012Validator

from infra import docs
from tests.conftest import NOON, ROOT
from tests.contracts.examples import samples_played


@pytest.fixture(scope="module")
def document() -> Any:
    return yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_text())


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for each in part.values():
            yield from references(each)
    elif isinstance(part, list):
        for each in part:
            yield from references(each)


def test_the_document_describes_exactly_the_routes_that_exist(document: Any) -> None:
    from app import app

    described = {(path, method.upper()) for path, methods in document["paths"].items() for method in methods}
    assert described == {(path, method) for path, methods in app.routes.items() for method in methods}


def test_the_checked_in_document_is_what_the_code_says(document: Any) -> None:
    assert document == yaml.safe_load(docs.openapi_yaml()), "run `make docs`"


def test_every_reference_resolves(document: Any) -> None:
    for reference in references(document):
        part = document
        for name in reference.removeprefix("#/").split("/"):
            part = part[name]


def test_every_schema_is_one(document: Any) -> None:
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_operations_have_names_of_their_own(document: Any) -> None:
    names = [each["operationId"] for methods in document["paths"].values() for each in methods.values()]
    assert len(names) == len(set(names))


def test_every_position_of_a_path_has_one_variable_name(document: Any) -> None:
    """API Gateway refuses siblings such as {id} and {contract_id}."""
    names: dict[str, set[str]] = {}
    for path in document["paths"]:
        for variable in re.finditer(r"{(\w+)}", path):
            names.setdefault(re.sub(r"{\w+}", "{}", path[: variable.start()]), set()).add(variable[1])
    assert [before for before, many in names.items() if len(many) > 1] == []


def test_whatever_a_view_reads_beyond_its_body_is_described() -> None:
    every = docs.routes()
    assert {route.name for route in every if route.reads("query")} == set(docs.QUERY)
    read = [route for route in every if route.reads("headers")]
    assert all(route.reads("raw") or route.name in docs.ALSO for route in read), (
        "a signature, or what to answer in"
    )


def test_problems_list_their_codes(document: Any) -> None:
    assert "`CAR_TAKEN`" in document["components"]["responses"]["Conflict"]["description"]
    assert "SHOP_CLOSED" not in json.dumps(document)


@pytest.mark.usefixtures("api")
def test_requests_and_answers_are_as_described(document: Any) -> None:
    with time_machine.travel(NOON, tick=False):
        for event, answer in samples_played():
            operation = document["paths"][event["resource"]][event["httpMethod"].lower()]
            success = operation["responses"][str(answer["statusCode"])]
            if "content" in success:
                fits(document, success, json.loads(answer["body"]))
            if "requestBody" in operation:
                fits(document, operation["requestBody"], json.loads(event["body"]))


def fits(document: Any, described: Any, value: Any) -> None:
    schema = described["content"]["application/json"]["schema"]
    Draft202012Validator({**schema, "components": document["components"]}).validate(value)
