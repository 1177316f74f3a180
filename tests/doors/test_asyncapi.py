"""docs/asyncapi.yaml says what the code does: its schemas, its reasons, its examples and its test vector."""

import hashlib
import hmac
import json
import re
from typing import Any

import jsonschema
import msgspec
import pytest
import yaml

from chalicelib.doors.model import Reason
from chalicelib.doors.schemas import AckMessage, CommandMessage, StateMessage
from infra.local.car import Unit
from tests.conftest import ROOT
from tests.doors.test_model import COMMAND

DOCUMENT: dict[str, Any] = yaml.safe_load((ROOT / "docs/asyncapi.yaml").read_text())
MESSAGES: dict[str, type[msgspec.Struct]] = {
    "command": CommandMessage,
    "ack": AckMessage,
    "state": StateMessage,
}
PROSE = {"description", "title", "default"}


def bare(schema: Any, schemas: dict[str, Any]) -> Any:
    """Without prose and references."""
    if isinstance(schema, list):
        return [bare(part, schemas) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return bare(schemas[schema["$ref"].split("/")[-1]], schemas)
    return {name: bare(part, schemas) for name, part in schema.items() if name not in PROSE}


def described(name: str) -> Any:
    return bare(DOCUMENT["components"]["messages"][name]["payload"], DOCUMENT["components"]["schemas"])


@pytest.mark.parametrize("name", MESSAGES)
def test_a_schema_is_the_codes_own(name: str) -> None:
    (reference,), schemas = msgspec.json.schema_components(
        [MESSAGES[name]], ref_template="#/components/schemas/{name}"
    )
    assert described(name) == bare(reference, schemas)


@pytest.mark.parametrize("name", MESSAGES)
def test_every_example_fits_and_is_read(name: str) -> None:
    for example in DOCUMENT["components"]["messages"][name]["examples"]:
        jsonschema.validate(example["payload"], described(name))
        msgspec.convert(example["payload"], MESSAGES[name])


def test_what_the_reference_car_says_is_what_the_document_describes() -> None:
    vector = DOCUMENT["info"]["x-test-vector"]
    car = Unit(vector["car_id"], vector["command_key"])
    (example,) = DOCUMENT["components"]["messages"]["command"]["examples"]
    at = example["payload"]["issued_at"]
    jsonschema.validate(car.receive(json.dumps(example["payload"]).encode(), at), described("ack"))
    jsonschema.validate(car.state(at), described("state"))
    assert car.executed == ["unlock"]


def test_the_test_vector_is_what_the_service_signs() -> None:
    vector = DOCUMENT["info"]["x-test-vector"]
    key = bytes.fromhex(vector["command_key"])
    assert hmac.new(key, vector["canonical"].encode(), hashlib.sha256).hexdigest() == vector["sig"]
    (example,) = DOCUMENT["components"]["messages"]["command"]["examples"]
    assert COMMAND.envelope(vector["command_key"]) == example["payload"]


def test_every_reason_named_in_the_document_exists() -> None:
    text = json.dumps(DOCUMENT)
    named = set(re.findall(r"`?\b([A-Z]{3,}(?:_[A-Z]+)+)\b", text))
    assert named - set(Reason) == set()


def test_the_topics_are_those_of_the_device_policy_and_the_rules() -> None:
    template = (ROOT / "infra/iot.yaml").read_text()
    topics = (it for it in DOCUMENT["channels"].values() if it.get("address", "").startswith("cars/"))
    assert [topic["address"] for topic in topics] == [
        "cars/{car_id}/commands",
        "cars/{car_id}/acks",
        "cars/{car_id}/state",
    ]
    for topic in ("commands", "acks", "state"):
        assert f"cars/${{!iot:Connection.Thing.ThingName}}/{topic}" in template


@pytest.mark.parametrize(("rule", "topic"), [("ack", "acks"), ("state", "state")])
def test_r06_the_rule_hands_over_every_field_of_the_message_and_who_said_it(rule: str, topic: str) -> None:
    """SELECT names each field: `SELECT *` would let a payload say who is speaking."""
    template = " ".join((ROOT / "infra/iot.yaml").read_text().split())
    statements = re.findall(r"SELECT (.*?) FROM '(.*?)'", template)
    (fields,) = [fields for fields, source in statements if source == f"cars/+/{topic}"]
    selected = {part.split(" AS ")[-1].strip() for part in fields.split(",")}
    carried = {"topic", "client_id", "received_at"}
    assert selected == set(MESSAGES[rule].__struct_fields__) | carried
