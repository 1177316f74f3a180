"""What docs/asyncapi.yaml says of enrolment is what the hook, the template and the policy do."""

import json
import re
from typing import Any

import jsonschema
import msgspec
import pytest

from chalicelib.devices.model import Admission
from chalicelib.devices.schemas import Said, UnitRequest, hook_answer
from infra import rules
from infra.device_policy import ANSWERS, REQUESTS
from infra.package import ROOT
from infra.protocol import document, misfit

FORMS = ("certificateRequest", "certificateAnswer", "enrolmentRequest", "enrolmentAnswer", "refusal")


def schema(name: str) -> Any:
    return document()["components"]["schemas"][name]


@pytest.mark.parametrize("name", FORMS)
def test_every_example_of_enrolment_fits(name: str) -> None:
    for example in document()["components"]["messages"][name]["examples"]:
        assert misfit(name, example["payload"]) is None


def test_every_schema_of_the_document_is_one() -> None:
    for name in document()["components"]["schemas"]:
        jsonschema.Draft202012Validator.check_schema(schema(name))


def test_a_unit_asks_for_what_the_hook_reads() -> None:
    parameters = schema("EnrolmentRequest")["properties"]["parameters"]
    assert set(parameters["required"]) == set(Said.__struct_encode_fields__)
    (reference,), shapes = msgspec.json.schema_components([UnitRequest])
    serial = shapes[reference["$ref"].rsplit("/", 1)[-1]]["properties"]["serial"]["pattern"]
    assert parameters["properties"]["Serial"]["pattern"] == serial.removesuffix(r"(?!\n)")


def test_a_unit_hears_what_the_template_hands_out() -> None:
    template = rules.load(ROOT / "infra" / "iot.yaml")["Resources"]["CarTemplate"]["Properties"]
    body = json.loads(template["TemplateBody"]["Fn::Sub"].replace("${Stage}", "prod"))
    overrides = hook_answer(Admission("car-0001", "ab" * 32))["parameterOverrides"]
    handed = {
        name: overrides[value["Ref"]] if isinstance(value, dict) else value
        for name, value in body["DeviceConfiguration"].items()
    }
    answer = {"thingName": overrides["CarId"], "deviceConfiguration": handed}
    assert misfit("enrolmentAnswer", answer) is None
    assert set(handed) == set(schema("EnrolmentAnswer")["properties"]["deviceConfiguration"]["required"])


def test_the_topics_of_enrolment_are_those_of_the_claim_policy() -> None:
    addresses = {it["address"] for it in document()["channels"].values() if "$aws" in it.get("address", "")}
    wanted = {re.sub(r"\$\{Stage\}_car", "{template}", topic) for topic in (*REQUESTS, *ANSWERS)}
    assert addresses == wanted


def test_what_does_not_fit_is_named() -> None:
    assert misfit("ack", {"v": 1}) == "'command_id' is a required property"
    assert misfit("ack", [1]) is not None
    wrong = {"v": 1, "command_id": "c", "nonce": "n", "status": "fine", "at": 1}
    assert str(misfit("ack", wrong)).startswith("status: 'fine' is not one of")
