"""The sample files of this context's entry points, as gateway, bus, queue and stream hand them over."""

import json
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from msgspec import convert

from chalicelib import wiring
from chalicelib.handlers.incidents import incidents_hear, incidents_publish, incidents_work
from chalicelib.incidents import schemas
from chalicelib.incidents.gateway import NotQueued, WorkQueue
from chalicelib.incidents.model import APPROVAL_SIZE, Incident, Work
from chalicelib.incidents.service import IncidentService
from chalicelib.kernel import aws
from chalicelib.kernel.facts import Fact
from tests.conftest import NOON, ROOT
from tests.contracts.examples import assigned_by_samples
from tests.incidents.examples import OLGA, opened
from tests.smartkeys.examples import KEY
from tests.whole import bus

EVENTS = ROOT / "events"
NOBODY = SimpleNamespace()


def read(path: str) -> Any:
    return json.loads((EVENTS / path).read_text())


@pytest.fixture
def assigned(api: Any) -> Iterator[str]:
    aws.client("secretsmanager").create_secret(Name="test/handover/link-key", SecretString=KEY)
    aws.client("sqs").create_queue(QueueName="test-incidents-work")
    with time_machine.travel(NOON, tick=False):
        yield assigned_by_samples()


def ask(name: str) -> Any:
    from app import app

    answer = app(read(f"http/incidents-{name}.json"), NOBODY)
    assert answer["statusCode"] < 300, (name, answer["body"])
    return json.loads(answer["body"])


def queued() -> Iterator[dict[str, Any]]:
    """What the queue hands over now, as Lambda gets it."""
    sqs = aws.client("sqs")
    url = sqs.get_queue_url(QueueName="test-incidents-work")["QueueUrl"]
    for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
        yield {"Records": [{"messageId": message["MessageId"], "body": message["Body"]}]}


def test_the_sample_requests_tell_one_story_and_all_succeed(assigned: str) -> None:
    incident_id = ask("1-open")["incident_id"]
    assert ask("2-dry-run")["state"] == "draft"
    assert ask("3-give")["state"] == "running"
    started = read("queue/incidents_work.json")
    assert incidents_work(started, NOBODY) == [1]
    assert [incidents_work(event, NOBODY) for event in queued()] == [[2]]
    given, unknown = ask("4-look")["rows"]
    assert (given["contract_id"], given["outcome"]) == (assigned, "issued")
    assert (unknown["outcome"], unknown["reason"]) == ("skipped", "UNKNOWN_CONTRACT")
    (grant,) = wiring.smartkeys().of_contract(assigned)
    assert (grant.grant_id, grant.issuer) == (given["grant_id"], "olga")

    sent = read("bus/incidents_hear.json")
    sent["detail"]["data"] |= {"contract_id": assigned, "grant_id": grant.grant_id}
    incidents_hear(sent, NOBODY)
    assert ask("4-look")["incident"]["funnel"]["sent"] == 1

    assert ask("5-revoke")["state"] == "revoking"
    assert wiring.incidents().spread(incident_id, Work.REVOKE, 2) == 1
    assert [incidents_work(event, NOBODY) for event in queued()] == [[2]]
    assert ask("4-look")["incident"]["state"] == "revoked"
    (grant,) = wiring.smartkeys().of_contract(assigned)
    assert grant.state == "REVOKED"


@pytest.mark.usefixtures("assigned")
def test_the_sample_requests_of_a_large_batch_need_two_people() -> None:
    ask("6-open-many")
    assert ask("7-ask")["state"] == "awaiting_approval"
    assert ask("8-approve")["approved_by"] == "oscar"
    assert [each["state"] for each in ask("9-list")["incidents"]] == ["running"]


@pytest.mark.usefixtures("assigned")
def test_a_piece_is_worked_on_as_the_queue_hands_it_over() -> None:
    ask("1-open")
    ask("3-give")
    handed = [incidents_work(read("queue/incidents_work-piece.json"), NOBODY) for _ in range(2)]
    assert handed == [[2], [0]]
    assert ask("4-look")["incident"]["state"] == "done"


@pytest.mark.usefixtures("api")
def test_facts_about_contracts_without_an_incident_change_nothing() -> None:
    incidents_hear(read("bus/incidents_hear.json"), NOBODY)


def test_we_understand_what_others_publish() -> None:
    for name in schemas.HEARD:
        heard = convert(read(f"facts/{name}.json")["data"], schemas.GrantHeard)
        assert heard.contract_id
        assert heard.grant_id


def test_we_publish_exactly_the_sample_facts(
    service: IncidentService, facts: Callable[[], list[Fact]], work: Callable[[], None]
) -> None:
    service.give(opened(service).incident_id, OLGA, None)
    work()
    names = ("IncidentOpened", "IncidentWorkStarted", "IncidentWorkDone")
    assert [fact.envelope() for fact in facts()] == [read(f"facts/{name}.json") for name in names]
    for name in names:
        assert convert(read(f"facts/{name}.json")["data"], getattr(schemas, name))


def test_we_publish_exactly_the_sample_of_an_approval_that_is_asked_for(
    service: IncidentService, facts: Callable[[], list[Fact]]
) -> None:
    service.give(opened(service, APPROVAL_SIZE + 1).incident_id, OLGA, None)
    sample = read("facts/IncidentApprovalAsked.json")
    assert facts()[-1].envelope() == sample
    assert convert(sample["data"], schemas.IncidentApprovalAsked, strict=True)


def test_the_bus_brings_us_what_we_hear_and_nothing_else() -> None:
    def hearers_of(name: str) -> set[str]:
        fact = read(f"facts/{name}.json")
        event = {"source": fact["source"], "detail-type": name, "detail": fact}
        return {hearer for pattern, hearer in bus.hearers() if bus.fits(pattern, event)}

    every = {path.stem: hearers_of(path.stem) for path in (EVENTS / "facts").glob("*.json")}
    assert {name for name, hearers in every.items() if "IncidentsHear" in hearers} == set(schemas.HEARD)
    worked = {name for name, hearers in every.items() if "IncidentsWork" in hearers}
    assert worked == {"IncidentWorkStarted"}


def test_the_stream_carries_every_inserted_fact_to_the_bus(dynamodb: Any) -> None:
    aws.client("events").create_event_bus(Name="test-facts")
    sample = read("stream/incidents_publish.json")
    assert incidents_publish(sample, NOBODY) == 3
    images = [record["dynamodb"]["NewImage"] for record in sample["Records"]]
    facts = [json.loads(image["fact"]["S"]) for image in images if "fact" in image]
    names = ("IncidentOpened", "IncidentWorkStarted", "IncidentWorkDone")
    assert facts == [read(f"facts/{name}.json") for name in names]


def test_the_queue_takes_a_whole_batch_and_keeps_each_piece_until_its_turn() -> None:
    taken: list[dict[str, Any]] = []

    def send(QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - SQS's own
        assert len({entry["Id"] for entry in Entries}) == len(Entries) <= 10
        taken.extend(Entries)
        return {}

    sqs = SimpleNamespace(get_queue_url=lambda **_: {"QueueUrl": "url"}, send_message_batch=send)
    incident = Incident("inc_1", "Key post", "wrong keys", 20_000, OLGA, NOON, "fp")
    WorkQueue(lambda: sqs, "q").put(incident.pieces(Work.ISSUE, 1, NOON), NOON)
    assert [entry["DelaySeconds"] for entry in taken] == [min(turn, 900) for turn in range(1000)]
    assert json.loads(taken[1]["MessageBody"])["first"] == 20


def test_a_queue_that_did_not_take_everything_is_asked_again() -> None:
    half = SimpleNamespace(
        get_queue_url=lambda **_: {"QueueUrl": "url"},
        send_message_batch=lambda **_: {"Failed": [{"Id": "0"}]},
    )
    incident = Incident("inc_1", "Key post", "wrong keys", 30, OLGA, NOON, "fp")
    with pytest.raises(NotQueued):
        WorkQueue(lambda: half, "q").put(incident.pieces(Work.ISSUE, 1, NOON), NOON)
