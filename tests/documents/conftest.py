"""Each behaviour is tested twice: on memory, and on DynamoDB and S3."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from chalicelib.documents.gateway import S3Files
from chalicelib.documents.model import Access, Document, Kind
from chalicelib.documents.service import DocumentService, Store
from chalicelib.documents.store import DocumentStore
from chalicelib.kernel.aws import client
from chalicelib.kernel.clock import moment
from chalicelib.kernel.settings import SETTINGS
from tests.conftest import Hands
from tests.documents.examples import Contracts
from tests.documents.memory import MemoryDocuments, MemoryFiles

BUCKET = SETTINGS.documents_bucket


@dataclass
class World:
    """A documents service, what it asks of contracts, and what is to be seen from outside."""

    service: DocumentService
    store: Store
    clock: Hands
    contracts: Contracts
    accesses: Callable[[], list[Access]]
    body: Callable[[str], bytes | None]


def memory_world(clock: Hands, new_id: Callable[[str], str]) -> World:
    store, files, contracts = MemoryDocuments(), MemoryFiles(), Contracts()
    service = DocumentService(store, files, contracts, clock, new_id)
    return World(service, store, clock, contracts, lambda: list(store.accesses), files.bodies.get)


def make_bucket() -> Any:
    s3 = client("s3")
    place: Any = {"LocationConstraint": SETTINGS.region}
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=place)
    return s3


def body_of(s3: Any, key: str) -> bytes | None:
    try:
        return bytes(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
    except ClientError:
        return None


def stored_accesses(dynamodb: Any) -> list[Access]:
    rows = dynamodb.scan(TableName="test-documents")["Items"]
    return [_access(row) for row in rows if row["sk"]["S"].startswith("ACCESS#")]


def _access(row: Any) -> Access:
    return Access(
        access_id=row["sk"]["S"].rpartition("#")[2],
        contract_id=row["pk"]["S"].removeprefix("CONTRACT#"),
        kind=Kind(row["kind"]["S"]),
        sha256=row["sha256"]["S"],
        customer_id=row["customer_id"]["S"],
        at=moment(row["at"]["S"]),
        ip=row["ip"]["S"],
        agent=row["agent"]["S"],
    )


def aws_world(clock: Hands, new_id: Callable[[str], str], dynamodb: Any) -> World:
    s3, contracts = make_bucket(), Contracts()
    files = S3Files(functools.partial(client, "s3"), BUCKET)
    service = DocumentService(DocumentStore(), files, contracts, clock, new_id)
    accesses = functools.partial(stored_accesses, dynamodb)
    return World(service, service.store, clock, contracts, accesses, functools.partial(body_of, s3))


@pytest.fixture(params=["memory", "dynamodb"])
def world(request: pytest.FixtureRequest, clock: Hands, new_id: Callable[[str], str]) -> World:
    if request.param == "dynamodb":
        return aws_world(clock, new_id, request.getfixturevalue("dynamodb"))
    return memory_world(clock, new_id)


def kept(document: Document, world: World) -> bytes:
    body = world.body(document.key)
    assert body is not None
    return body
