from typing import Any

import jsonschema
import pytest
import yaml

from infra import docs
from tests.conftest import ROOT

DOCUMENT = docs.facts()


def test_the_checked_in_document_is_what_the_code_says() -> None:
    assert (ROOT / "docs" / "facts.yaml").read_text() == docs.facts_yaml(), "run `make docs`"


@pytest.mark.parametrize("name", sorted(DOCUMENT["components"]["messages"]))
def test_every_sample_fits_its_schema(name: str) -> None:
    message: dict[str, Any] = DOCUMENT["components"]["messages"][name]
    schema = {**message["payload"], "components": DOCUMENT["components"]}
    for example in message["examples"]:
        jsonschema.validate(example["payload"], schema)


def test_the_device_document_points_at_the_facts() -> None:
    channels = yaml.safe_load((ROOT / "docs" / "asyncapi.yaml").read_text())["channels"]
    assert channels["facts"] == {"$ref": "./facts.yaml#/channels/facts"}
