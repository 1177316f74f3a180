"""Documents over HTTP: lists, links that open, certificates of cars, and who may not."""

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from msgspec import convert

from chalicelib.documents.schemas import ContractPaid
from chalicelib.handlers.documents import documents_copy
from tests.api import Api, bearer, is_problem
from tests.conftest import NOON, ROOT
from tests.contracts.examples import ADDRESS, assigned_by_samples, car_body
from tests.documents.conftest import BUCKET, make_bucket, stored_accesses
from tests.documents.examples import JPEG, PDF

KIM, LEE, OLGA = bearer("kim"), bearer("lee"), bearer("olga", "ops")
NOBODY = SimpleNamespace()
CERTIFICATE = "/v1/ops/cars/car-0001/registration"


def sample(path: str) -> Any:
    return json.loads((ROOT / "events" / path).read_text())


@pytest.fixture(autouse=True)
def noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def s3(api: Api) -> Any:
    return make_bucket()


@pytest.fixture
def contract_id(s3: Any) -> str:
    """Kim's contract, paid, with car-0001; its copy is kept."""
    contract_id = assigned_by_samples()
    event = sample("bus/documents_copy.json")
    assert event["detail"]["data"]["contract_id"] == contract_id
    for _ in range(2):
        documents_copy(event, NOBODY)
    return contract_id


def opened(s3: Any, url: str) -> bytes:
    """What is behind a link; moto does not serve it, so its parts are looked at."""
    parts = urlsplit(url)
    asked = parse_qs(parts.query)
    assert (parts.scheme, parts.netloc) == ("https", f"{BUCKET}.s3.ap-northeast-2.amazonaws.com")
    assert asked["X-Amz-Expires"] == ["300"]
    assert asked["response-content-disposition"][0].startswith("inline; filename=")
    return bytes(s3.get_object(Bucket=BUCKET, Key=parts.path[1:])["Body"].read())


def test_the_customer_lists_and_opens_what_there_is(api: Api, s3: Any, contract_id: str) -> None:
    listed = api.get(f"/v1/contracts/{contract_id}/documents", by=KIM)
    assert (listed.status_code, listed.json_body) == (
        200,
        {
            "documents": [
                {"kind": "contract_copy", "available": True},
                {"kind": "registration_certificate", "available": False},
            ]
        },
    )
    link = api.post(f"/v1/contracts/{contract_id}/documents/contract_copy/link", by=KIM)
    assert link.status_code == 201
    assert link.json_body["expires_at"] == "2026-03-02T03:05:00Z"
    page = opened(s3, link.json_body["url"]).decode()
    for word in (contract_id, "김민지", "첫 차", ADDRESS, "460,000원", "11**********"):
        assert word in page
    assert "111234567801" not in page


def test_the_car_s_certificate_is_there_when_operations_have_sent_it(
    api: Api, s3: Any, contract_id: str
) -> None:
    sent = api.post(CERTIFICATE, PDF, by=OLGA, headers={"Content-Type": "application/pdf"})
    assert (sent.status_code, sent.json_body["content_type"]) == (201, "application/pdf")
    assert (sent.json_body["car_id"], sent.json_body["size"]) == ("car-0001", len(PDF))
    again = api.post(CERTIFICATE, PDF, by=OLGA, headers={"Content-Type": "application/octet-stream"})
    assert (again.json_body, again.headers["Idempotent-Replayed"]) == (sent.json_body, "true")
    link = api.post(f"/v1/contracts/{contract_id}/documents/registration_certificate/link", by=KIM)
    assert opened(s3, link.json_body["url"]) == PDF


def test_every_link_leaves_a_row_and_a_refusal_none(api: Api, dynamodb: Any, contract_id: str) -> None:
    path = f"/v1/contracts/{contract_id}/documents/contract_copy/link"
    api.post(path, by=KIM, headers={"User-Agent": "Phone/1.0"})
    api.post(path, by=LEE)
    (access,) = stored_accesses(dynamodb)
    assert (access.contract_id, access.customer_id, access.agent) == (contract_id, "kim", "Phone/1.0")
    rows = dynamodb.scan(TableName="test-documents")["Items"]
    assert {row["sk"]["S"].partition("#")[0]: "ttl" in row for row in rows} == {
        "ACCESS": True,
        "contract_copy": True,
    }


def test_another_s_documents_are_not_there(api: Api, contract_id: str) -> None:
    for who in (LEE, OLGA):
        assert is_problem(api.get(f"/v1/contracts/{contract_id}/documents", by=who), 404)
        path = f"/v1/contracts/{contract_id}/documents/contract_copy/link"
        assert is_problem(api.post(path, by=who), 404)
    path = f"/v1/contracts/{contract_id}/documents"
    assert is_problem(api.get(path), 401)
    assert is_problem(api.post(f"{path}/contract_copy/link"), 401)
    for kind in ("passport", "contract_copy%00", "k" * 300):
        assert is_problem(api.post(f"{path}/{kind}/link", by=KIM), 404)
    assert is_problem(api.post(f"{path}/registration_certificate/link", by=KIM), 404, "NO_DOCUMENT")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "EMPTY_PAPER"),
        (b"<html>", 415, "UNKNOWN_PAPER"),
        (JPEG.ljust(200_001), 413, "PAPER_TOO_LARGE"),
        (JPEG.ljust(600_000), 413, "TOO_LARGE"),
    ],
)
@pytest.mark.usefixtures("s3")
def test_what_is_no_certificate_is_refused(api: Api, body: bytes, status: int, code: str) -> None:
    api.post("/v1/ops/cars", car_body(), by=OLGA)
    assert is_problem(api.post(CERTIFICATE, body, by=OLGA), status, code)


@pytest.mark.usefixtures("s3")
def test_only_operations_send_certificates_and_only_of_known_cars(api: Api) -> None:
    assert is_problem(api.post(CERTIFICATE, PDF), 401)
    assert is_problem(api.post(CERTIFICATE, PDF, by=KIM), 403)
    assert is_problem(api.post(CERTIFICATE, PDF, by=OLGA), 404, "UNKNOWN_CAR")
    assert is_problem(api.post("/v1/ops/cars/%00/registration", PDF, by=OLGA), 404)


def test_the_sample_requests_all_succeed(s3: Any, contract_id: str) -> None:
    from app import app

    for each in sorted((ROOT / "events" / "http").glob("documents-*.json")):
        answer = app(json.loads(each.read_text()), NOBODY)
        assert answer["statusCode"] in (200, 201), (each.name, answer["body"])
    stored = s3.list_objects_v2(Bucket=BUCKET)["Contents"]
    assert sorted(file["Key"].partition("/")[0] for file in stored) == [
        "contract_copy",
        "registration_certificate",
    ]


def test_a_contract_that_gave_its_car_back_has_its_certificate_no_more(api: Api, contract_id: str) -> None:
    api.post(CERTIFICATE, PDF, by=OLGA)
    path = f"/v1/contracts/{contract_id}/documents"
    assert api.post(f"{path}/registration_certificate/link", by=KIM).status_code == 201
    assert api.post(f"/v1/contracts/{contract_id}/cancel", {}, by=KIM, key="c1").status_code == 200
    assert is_problem(api.post(f"{path}/registration_certificate/link", by=KIM), 404, "NO_DOCUMENT")
    assert api.post(f"{path}/contract_copy/link", by=KIM).status_code == 201


def test_the_bus_brings_the_fact_that_contracts_publish() -> None:
    detail = sample("bus/documents_copy.json")["detail"]
    assert detail == sample("facts/ContractPaid.json")
    assert convert(detail["data"], ContractPaid).contract_id == detail["data"]["contract_id"]
