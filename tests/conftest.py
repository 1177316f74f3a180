"""What every test may lean on: a stage of its own, and DynamoDB with the tables of `infra/tables.yaml`."""

import functools
import os

from tests import bank, offices

os.environ.update(
    STAGE="test",
    OFFICES_URL=offices.opened(),
    PAYMENTS_URL=bank.opened(),
    PARTNERS_URL=bank.opened(),
    DOCUMENTS_BUCKET="test-handover-documents",
    OPT_OUT_NUMBER="080-000-0000",
    AWS_DEFAULT_REGION="ap-northeast-2",
    AWS_ACCESS_KEY_ID="testing",
    AWS_SECRET_ACCESS_KEY="testing",
    POWERTOOLS_DEV="false",
    POWERTOOLS_METRICS_NAMESPACE="handover",
    POWERTOOLS_METRICS_DISABLED="true",
)
os.environ.pop("AWS_ENDPOINT_URL", None)

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import yaml

from chalicelib.kernel import aws
from tests.strict import create, strict

hypothesis.settings.register_profile("house", deadline=None)  # a busy machine proves nothing wrong
hypothesis.settings.load_profile("house")

ROOT = Path(__file__).parent.parent
NOON = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
"""Twelve o'clock in Seoul, on a Monday."""


class Cfn(yaml.SafeLoader):
    """YAML with CloudFormation's short forms kept as (tag, value)."""


Cfn.add_multi_constructor("!", lambda loader, tag, node: (tag, getattr(node, "value", None)))


@functools.cache
def table_definitions() -> list[dict[str, Any]]:
    """The tables of the template as CreateTable takes them."""
    template = yaml.load((ROOT / "infra" / "tables.yaml").read_text(), Loader=Cfn)
    kept = (
        "TableName",
        "BillingMode",
        "AttributeDefinitions",
        "KeySchema",
        "GlobalSecondaryIndexes",
    )
    tables = []
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::DynamoDB::Table":
            table = {name: value for name, value in resource["Properties"].items() if name in kept}
            table["TableName"] = table["TableName"][1].replace("${Stage}", "test")
            tables.append(table)
    return tables


@pytest.fixture
def dynamodb() -> Iterator[Any]:
    """A fresh, strict DynamoDB with every table of the stage `test`; also SNS, events and secrets on moto."""
    with strict():
        client = aws.client("dynamodb")  # made once: moto empties what stands behind it, not the client
        create(table_definitions())
        yield client


class Hands:
    """A clock that stands still until it is moved."""

    def __init__(self, at: datetime = NOON) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def move(self, **by: float) -> None:
        self.at += timedelta(**by)


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture
def new_id() -> Callable[[str], str]:
    counted: dict[str, int] = {}

    def make(prefix: str) -> str:
        counted[prefix] = counted.get(prefix, 0) + 1
        return f"{prefix}_{counted[prefix]:04d}"

    return make


@pytest.fixture
def api(dynamodb: Any) -> Iterator[Any]:
    """The whole application on the strict DynamoDB, its cached services made anew."""
    from chalicelib import wiring
    from tests.api import Api

    for built in vars(wiring).values():
        if hasattr(built, "cache_clear") and built is not aws.client:
            built.cache_clear()
    offices.OFFICES.reset()
    caller = Api()
    with caller.stack:
        yield caller
