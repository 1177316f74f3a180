"""The sample files of this context's entry points, as gateway, bus and stream would hand them over."""

import json
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from msgspec import Struct, convert

from chalicelib import wiring
from chalicelib.handlers.smartkeys import (
    CHANGES,
    smartkeys_end,
    smartkeys_issue,
    smartkeys_publish,
    smartkeys_track,
)
from chalicelib.kernel import aws
from chalicelib.kernel.errors import HandoverError
from chalicelib.kernel.facts import Fact
from chalicelib.smartkeys import schemas
from chalicelib.smartkeys.model import ProofWrong
from chalicelib.smartkeys.schemas import CommandSettled, Ended, NoticeSent, Stranded
from chalicelib.smartkeys.service import SmartKeyService
from tests.conftest import NOON, ROOT, Hands
from tests.contracts.examples import assigned_by_samples
from tests.smartkeys.examples import BORN, KEY, KIM, OLGA, PHONE, code_of, rescued
from tests.smartkeys.test_exchange import guess

EVENTS = ROOT / "events"
PUBLISHED = (
    "SmartKeyAsksStopped",
    "SmartKeyLinkIssued",
    "SmartKeyOpened",
    "SmartKeyRevoked",
    "SmartKeyLinkDied",
    "SmartKeySessionEnded",
    "SmartKeyStaffIssued",
    "SmartKeyUnlocked",
)
STATUS = {
    "issue": 201,
    "list": 200,
    "log": 200,
    "mine": 200,
    "exchange": 204,
    "show": 200,
    "step-up": 204,
    "ask-for-link": 202,
    "send-link": 202,
    "sign-out": 204,
    "revoke": 200,
}


def read(path: str) -> Any:
    return json.loads((EVENTS / path).read_text())


def on_the_bus(fact: str) -> dict[str, Any]:
    return {"detail-type": fact, "detail": read(f"facts/{fact}.json")}


@pytest.fixture(autouse=True)
def noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def contract_id(api: Any) -> str:
    """The contract of the contracts' own samples, with its car."""
    aws.client("secretsmanager").create_secret(Name="test/handover/link-key", SecretString=KEY)
    return assigned_by_samples()


@pytest.mark.usefixtures("contract_id")
def test_the_sample_requests_tell_one_story_and_all_succeed() -> None:
    from app import app

    for sample in sorted((EVENTS / "http").glob("smartkeys-*.json")):
        answer = app(json.loads(sample.read_text()), SimpleNamespace())
        assert answer["statusCode"] == STATUS[sample.stem[12:]], (sample.name, answer["body"])


def test_a_stranding_that_the_bus_brings_becomes_a_grant(contract_id: str) -> None:
    for _ in range(2):
        smartkeys_issue(read("bus/smartkeys_issue.json"), SimpleNamespace())
    (grant,) = wiring.smartkeys().of_contract(contract_id)
    assert (grant.reason, grant.car_id, grant.send_no) == ("KeyShipmentEscalated", "car-0001", 1)


def test_what_the_bus_says_of_a_grant_is_kept(contract_id: str) -> None:
    event = read("bus/smartkeys_issue.json")
    smartkeys_issue(event, SimpleNamespace())
    (grant,) = wiring.smartkeys().of_contract(contract_id)
    for fact in ("NoticeSent", "CommandSettled"):
        heard = on_the_bus(fact)
        heard["detail"]["data"]["grant_id"] = grant.grant_id
        smartkeys_track(heard, SimpleNamespace())
    (tracked,) = wiring.smartkeys().of_contract(contract_id)
    assert tracked.sent_at == tracked.unlocked_at == NOON


def test_the_end_of_a_contract_that_the_bus_brings_ends_its_keys(contract_id: str) -> None:
    smartkeys_issue(read("bus/smartkeys_issue.json"), SimpleNamespace())
    ended = [smartkeys_end(read("bus/smartkeys_end.json"), SimpleNamespace()) for _ in range(2)]
    (grant,) = wiring.smartkeys().of_contract(contract_id)
    assert (ended, grant.state, grant.revoked_for) == ([1, 0], "REVOKED", "ContractClosed")
    smartkeys_issue(read("bus/smartkeys_issue.json"), SimpleNamespace())
    assert [each.state for each in wiring.smartkeys().of_contract(contract_id)] == ["REVOKED"]


@pytest.mark.parametrize("fact", ["DriverRemoved", "SwapDone", "BillingBlocked"])
def test_what_else_changes_keys_finds_its_way(contract_id: str, fact: str) -> None:
    heard = on_the_bus(fact)
    heard["detail"]["data"]["contract_id"] = contract_id
    assert smartkeys_end(heard, SimpleNamespace()) == 0


@pytest.mark.usefixtures("dynamodb")
def test_a_fact_about_an_unknown_grant_passes_by() -> None:
    smartkeys_track(read("bus/smartkeys_track.json"), SimpleNamespace())


@pytest.mark.parametrize(
    ("fact", "shape"),
    [
        ("KeyShipmentEscalated", Stranded),
        ("KeyShipmentMisdelivered", Stranded),
        ("KeyShipmentMismatched", Stranded),
        ("ContractAtRisk", Stranded),
        ("CarLockedOut", Stranded),
        ("NoticeSent", NoticeSent),
        ("CommandSettled", CommandSettled),
        *((fact, Ended) for fact in CHANGES),
    ],
)
def test_we_understand_what_others_publish(fact: str, shape: type[Struct]) -> None:
    assert convert(read(f"facts/{fact}.json")["data"], shape)


def test_we_publish_exactly_the_sample_facts(
    service: SmartKeyService, facts: Callable[[], list[Fact]]
) -> None:
    grant = rescued(service)
    service.exchange(code_of(service, grant), BORN, None)
    service.revoke(KIM, grant.grant_id, by="olga")
    assert [fact.envelope() for fact in facts()] == [read(f"facts/{name}.json") for name in PUBLISHED[1:4]]


def test_we_publish_exactly_the_sample_of_a_dead_link(
    service: SmartKeyService, facts: Callable[[], list[Fact]]
) -> None:
    guess(service, code_of(service, rescued(service)), 5)
    assert facts()[-1].envelope() == read("facts/SmartKeyLinkDied.json")


def test_we_publish_exactly_the_sample_of_an_opened_car(
    service: SmartKeyService, facts: Callable[[], list[Fact]]
) -> None:
    grant = rescued(service)
    for _ in range(2):
        service.settled(grant.grant_id, "unlock", "SUCCEEDED", NOON)
    assert [fact.envelope() for fact in facts()[1:]] == [read("facts/SmartKeyUnlocked.json")]


def test_we_publish_exactly_the_sample_of_too_many_wrong_asks(
    service: SmartKeyService, facts: Callable[[], list[Fact]], clock: Hands
) -> None:
    rescued(service)
    for _ in range(5):
        service.resend(PHONE, "000000", None)
        clock.move(minutes=4)
    told = read("facts/SmartKeyAsksStopped.json") | {"time": "2026-03-02T03:16:00.000000Z"}
    assert [fact.envelope() for fact in facts()[1:]] == [told]


def test_we_publish_exactly_the_sample_of_an_ended_session(
    service: SmartKeyService, facts: Callable[[], list[Fact]]
) -> None:
    token = service.exchange(code_of(service, rescued(service)), BORN, None)
    for _ in range(5):
        with pytest.raises(ProofWrong):
            service.step_up(token, "000000")
    assert facts()[-1].envelope() == read("facts/SmartKeySessionEnded.json")


def test_we_publish_exactly_the_sample_of_a_key_of_our_staff(
    service: SmartKeyService, facts: Callable[[], list[Fact]]
) -> None:
    for _ in range(2):
        service.holder_of(KIM, OLGA, "customer called: bag in the boot", NOON)
    assert [fact.envelope() for fact in facts()] == [read("facts/SmartKeyStaffIssued.json")]


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_facts_are_as_the_schemas_say(name: str) -> None:
    data = read(f"facts/{name}.json")["data"]
    assert convert(data, getattr(schemas, name), strict=True)
    assert set(data) == set(getattr(schemas, name).__struct_fields__)


def test_the_stream_carries_every_inserted_fact_to_the_bus(dynamodb: Any) -> None:
    aws.client("events").create_event_bus(Name="test-facts")
    sample = read("stream/smartkeys_publish.json")
    assert smartkeys_publish(sample, SimpleNamespace()) == len(PUBLISHED)
    images = [record["dynamodb"]["NewImage"] for record in sample["Records"]]
    carried = [json.loads(image["fact"]["S"]) for image in images if "fact" in image]
    assert carried == [read(f"facts/{name}.json") for name in PUBLISHED]


@pytest.mark.usefixtures("contract_id")
def test_a_contract_nobody_knows_is_tried_again_and_then_kept_aside() -> None:
    event = read("bus/smartkeys_issue.json")
    event["detail"]["data"]["contract_id"] = "con_nobody"
    with pytest.raises(HandoverError):
        smartkeys_issue(event, SimpleNamespace())
