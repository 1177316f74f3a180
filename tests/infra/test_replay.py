"""What failed for good goes back to where it failed, and leaves the queue only when it has succeeded."""

import functools
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto import mock_aws

from infra.replay import Aws, Outcome, Replay

ACCOUNT = "123456789012"
EVENTS = Path(__file__).parent.parent.parent / "events"
ASSIGNED = json.loads((EVENTS / "bus" / "keys_plan.json").read_text())
TICK = json.loads((EVENTS / "schedule" / "keys_sweep.json").read_text())


def arn_of(function: str) -> str:
    return f"arn:aws:lambda:ap-northeast-2:{ACCOUNT}:function:{function}"


class Functions:
    """Lambda, as far as this command calls it. What `broken` says of an event is raised by its function."""

    def __init__(self) -> None:
        self.done: list[tuple[str, Any]] = []
        self.broken: Callable[[Any], str | None] = lambda event: None

    def invoke(self, **asked: Any) -> dict[str, Any]:
        event = json.loads(asked["Payload"])
        problem = self.broken(event)
        if problem:
            body = json.dumps({"errorType": "UnknownContract", "errorMessage": problem})
            return {"StatusCode": 200, "FunctionError": "Unhandled", "Payload": io.BytesIO(body.encode())}
        self.done.append((asked["FunctionName"], event))
        return {"StatusCode": 200, "Payload": io.BytesIO(b"null")}


@functools.cache
def client(service: str) -> Any:
    """Made once: moto empties what stands behind it. It knows no endpoints that carry an account's number."""
    make: Any = boto3.client
    return make(service, config=Config(account_id_endpoint_mode="disabled"))


class World:
    """The failure queue of keys in the stage test, and what stands around it."""

    def __init__(self) -> None:
        self.sqs: Any = client("sqs")
        self.streams: Any = client("dynamodbstreams")
        self.dynamodb: Any = client("dynamodb")
        self.functions = Functions()
        self.url = self.sqs.create_queue(QueueName="test-keys-failed")["QueueUrl"]
        self.said: list[str] = []

    def put(self, body: Any, **attributes: str) -> None:
        text = body if isinstance(body, str) else json.dumps(body)
        told = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}
        self.sqs.send_message(QueueUrl=self.url, MessageBody=text, MessageAttributes=told)

    def replay(self, dry_run: bool = False) -> Outcome:
        aws = Aws(self.sqs, self.functions, self.streams, self.dynamodb)
        self.said.clear()
        return Replay(aws, "test", "keys", wait_seconds=0).run(self.said.append, dry_run)

    @property
    def waiting(self) -> int:
        """Also nothing is left hidden: who looks next sees all of it."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        counts = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        assert counts["ApproximateNumberOfMessagesNotVisible"] == "0"
        return int(counts["ApproximateNumberOfMessages"])


@pytest.fixture
def world() -> Iterator[World]:
    with mock_aws():
        yield World()


def given_up(event: Any, function: str = "test-keys_plan", problem: str = "no such contract") -> Any:
    """What Lambda writes to an on-failure destination (docs.aws.amazon.com/lambda, Retaining records)."""
    return {
        "version": "1.0",
        "timestamp": "2026-03-02T03:05:00.000Z",
        "requestContext": {
            "requestId": "6f1c1d1e-0000-4000-8000-000000000001",
            "functionArn": f"{arn_of(function)}:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": event,
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": {"errorType": "UnknownContract", "errorMessage": problem},
    }


def undelivered(function: str = "test-keys_plan") -> dict[str, str]:
    """What EventBridge adds to an event in a dead-letter queue (docs.aws.amazon.com/eventbridge)."""
    return {
        "RULE_ARN": f"arn:aws:events:ap-northeast-2:{ACCOUNT}:rule/test-facts/test-keys_plan",
        "TARGET_ARN": arn_of(function),
        "ERROR_CODE": "NO_PERMISSIONS",
        "ERROR_MESSAGE": "no permission to invoke",
    }


def test_a_function_gets_again_what_it_gave_up_on(world: World) -> None:
    world.put(given_up(ASSIGNED))
    assert world.replay() == Outcome(put_back=1, waiting=0)
    assert world.functions.done == [("test-keys_plan", ASSIGNED)]
    assert world.waiting == 0
    assert world.said[0] == (
        "ContractAssigned evt_0002 2026-03-02T03:00:00.000000Z in test-keys_plan: "
        "RetriesExhausted, UnknownContract: no such contract"
    )


def test_an_undelivered_event_goes_to_its_target_and_to_nobody_else(world: World) -> None:
    world.put(ASSIGNED, **undelivered())
    world.put(TICK, **undelivered("test-keys_sweep"))
    assert world.replay() == Outcome(put_back=2, waiting=0)
    assert sorted(name for name, _ in world.functions.done) == ["test-keys_plan", "test-keys_sweep"]
    assert any("NO_PERMISSIONS no permission to invoke" in line for line in world.said)


def facts_table(world: World, count: int) -> str:
    """A table whose stream has so many facts; the ARN of the stream."""
    made = world.dynamodb.create_table(
        TableName="test-keys",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )
    for number in range(count):
        put_fact(world, number, f"2026-03-02T03:0{number}:00.000000Z")
    return str(made["TableDescription"]["LatestStreamArn"])


def test_a_batch_that_the_stream_has_only_in_part_stays(world: World) -> None:
    body = batch_of(world, facts_table(world, 3), 1, 2)
    body["DDBStreamBatchInfo"]["endSequenceNumber"] = "9" * 30
    world.put(body)
    assert world.replay() == Outcome(put_back=0, waiting=1)
    assert world.functions.done == []


def put_fact(world: World, number: int, time: str) -> None:
    row = {"pk": f"FACT#{number}", "sk": time, "fact": json.dumps({"id": f"evt_{number}", "time": time})}
    world.dynamodb.put_item(TableName="test-keys", Item={name: {"S": text} for name, text in row.items()})


def batch_of(world: World, stream_arn: str, first: int, last: int) -> Any:
    """What a stream's mapping writes to its on-failure destination: where the batch is, not what is in it."""
    stream = world.streams.describe_stream(StreamArn=stream_arn)["StreamDescription"]
    shard = stream["Shards"][0]["ShardId"]
    iterator = world.streams.get_shard_iterator(
        StreamArn=stream_arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    records = world.streams.get_records(ShardIterator=iterator)["Records"]
    body = given_up(None, "test-keys_publish")
    del body["requestPayload"], body["responsePayload"]
    body["DDBStreamBatchInfo"] = {
        "shardId": shard,
        "startSequenceNumber": records[first]["dynamodb"]["SequenceNumber"],
        "endSequenceNumber": records[last]["dynamodb"]["SequenceNumber"],
        "approximateArrivalOfFirstRecord": "2026-03-02T03:01:00Z",
        "approximateArrivalOfLastRecord": "2026-03-02T03:02:00Z",
        "batchSize": last - first + 1,
        "streamArn": stream_arn,
    }
    return body


def facts_given(world: World) -> list[str]:
    """To the one function that was called."""
    ((name, event),) = world.functions.done
    assert name == "test-keys_publish"
    return [json.loads(record["dynamodb"]["NewImage"]["fact"]["S"])["id"] for record in event["Records"]]


def test_a_stream_s_batch_is_read_again_and_no_record_more(world: World) -> None:
    world.put(batch_of(world, facts_table(world, 5), 1, 3))
    assert world.replay() == Outcome(put_back=1, waiting=0)
    assert facts_given(world) == ["evt_1", "evt_2", "evt_3"]
    (_, event) = world.functions.done[0]
    assert {record["eventName"] for record in event["Records"]} == {"INSERT"}
    assert world.waiting == 0


def put_reservation(world: World, checkout_id: str, time: str) -> None:
    """Its row is the fact that it was made (checkout)."""
    row = {"pk": f"CHECKOUT#{checkout_id}", "sk": "CHECKOUT", "reserved_at": time}
    world.dynamodb.put_item(TableName="test-keys", Item={name: {"S": text} for name, text in row.items()})


@pytest.mark.parametrize("remembers", ["stream", "table"])
def test_a_reservation_without_a_fact_in_its_row_goes_back_too(world: World, remembers: str) -> None:
    stream = facts_table(world, 1)
    put_reservation(world, "chk_1", "2026-03-02T03:01:00.000000Z")
    put_reservation(world, "chk_late", "2026-03-02T09:00:00.000000Z")
    world.put(batch_of(world, stream, 0, 1))
    if remembers == "table":
        world.streams = Forgetful()
    assert world.replay() == Outcome(put_back=1, waiting=0)
    ((_, event),) = world.functions.done
    images = [record["dynamodb"]["NewImage"] for record in event["Records"]]
    assert [image["pk"]["S"] for image in images if "fact" not in image] == ["CHECKOUT#chk_1"]
    assert len(images) == 2


class Forgetful:
    """A stream after a day."""

    def get_shard_iterator(self, **_: Any) -> Any:
        error: Any = {"Error": {"Code": "TrimmedDataAccessException", "Message": "beyond the trim horizon"}}
        raise ClientError(error, "GetShardIterator")


def test_what_the_stream_has_forgotten_the_table_remembers(world: World) -> None:
    body = batch_of(world, facts_table(world, 3), 1, 2)
    put_fact(world, 8, "2026-03-02T02:00:00.000000Z")
    put_fact(world, 9, "2026-03-02T09:00:00.000000Z")
    world.streams = Forgetful()
    world.put(body)
    assert world.replay() == Outcome(put_back=1, waiting=0)
    assert sorted(facts_given(world)) == ["evt_0", "evt_1", "evt_2"]


class Redriven:
    """SQS, which moved every message here from the queue test-keys-due; moto does not say so itself."""

    def __init__(self, sqs: Any) -> None:
        self._sqs = sqs

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sqs, name)

    def receive_message(self, **asked: Any) -> Any:
        answer = self._sqs.receive_message(**asked)
        for message in answer.get("Messages", []):
            source = f"arn:aws:sqs:ap-northeast-2:{ACCOUNT}:test-keys-due"
            message.setdefault("Attributes", {})["DeadLetterQueueSourceArn"] = source
        return answer


def test_what_came_off_another_queue_goes_back_into_it(world: World) -> None:
    due = world.sqs.create_queue(QueueName="test-keys-due")["QueueUrl"]
    world.put('{"shard": 3}')
    world.sqs = Redriven(world.sqs)
    assert world.replay() == Outcome(put_back=1, waiting=0)
    assert world.sqs.receive_message(QueueUrl=due)["Messages"][0]["Body"] == '{"shard": 3}'


def test_what_fails_again_stays_and_does_not_hold_up_the_others(world: World) -> None:
    poison = {**ASSIGNED, "id": "poison"}
    world.functions.broken = lambda event: "still no such contract" if event.get("id") == "poison" else None
    world.put(given_up(poison))
    for number in range(12):
        world.put(given_up({**ASSIGNED, "id": str(number)}))
    assert world.replay() == Outcome(put_back=12, waiting=1)
    assert "  still fails: UnknownContract: still no such contract" in world.said
    assert world.waiting == 1

    world.functions.broken = lambda event: None
    assert world.replay() == Outcome(put_back=1, waiting=0)
    assert world.replay() == Outcome(put_back=0, waiting=0)


@pytest.mark.parametrize(
    "body",
    [
        "no json",
        "[]",
        "7",
        {"requestPayload": {}},
        {"requestPayload": {}, "requestContext": {"functionArn": arn_of("prod-keys_plan")}},
        {"requestPayload": {}, "requestContext": {"functionArn": "nonsense"}},
        {"DDBStreamBatchInfo": {}},
        {
            "requestContext": {"functionArn": arn_of("test-keys_publish")},
            "DDBStreamBatchInfo": {
                "startSequenceNumber": "x",
                "endSequenceNumber": "y",
                "approximateArrivalOfFirstRecord": "z",
            },
        },
        {"ruleName": "test_acks", "failures": [{"errorMessage": "throttled"}]},
    ],
)
def test_a_message_that_belongs_nowhere_stays_and_is_named(world: World, body: Any) -> None:
    world.put(body)
    assert world.replay() == Outcome(put_back=0, waiting=1)
    assert world.functions.done == []
    assert len(world.said) == 2
    assert world.waiting == 1


def test_a_dry_run_only_shows(world: World) -> None:
    world.put(given_up(ASSIGNED))
    world.put(ASSIGNED, **undelivered())
    for _ in range(2):
        assert world.replay(dry_run=True) == Outcome(put_back=0, waiting=2)
    assert (len(world.said), world.functions.done, world.waiting) == (2, [], 2)
