"""Puts what failed for good back to where it failed: `python -m infra.replay <context> <stage> [--dry-run]`.

The queue `<stage>-<context>-failed` holds four kinds of messages, each as AWS writes it:

- what a function gave up on, with the event itself (Lambda's on-failure destination): it gets it again
- what EventBridge could not deliver, the event, with its target in the message's attributes: the target gets
  it, and nobody else who heard the event
- a batch of a table's stream, of which only the place is named: it is read from the stream again and given to
  the function. A stream forgets after a day; then the table itself is asked for the facts of that time
- what was taken off another queue too often (its redrive policy): it goes back into that queue

A message is deleted when its function has succeeded, and stays when it has not. Every consumer knows what it
has done before, so that repeating all of this is harmless.
"""

import argparse
import base64
import functools
import json
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from infra.local import place

HELD_SECONDS = 900
"""Longer than any function runs: meanwhile nobody else gets the message."""
INVOKE = Config(read_timeout=330, retries={"total_max_attempts": 1})
SLACK = timedelta(minutes=5)
"""How much older a fact may be than its arrival in the stream."""
MOST_READS = 100
BATCH = 100
"""Records a function gets at once, as from the stream itself."""
FORGOTTEN = {"TrimmedDataAccessException", "ExpiredIteratorException", "ResourceNotFoundException"}

Event = dict[str, Any]
Say = Callable[[str], None]


class StillFails(Exception):
    """It cannot be put back; the sentence says why."""


@dataclass(frozen=True)
class Aws:
    """Clients of the services this command calls."""

    sqs: Any
    functions: Any
    streams: Any
    dynamodb: Any


@dataclass(frozen=True)
class Outcome:
    put_back: int
    waiting: int


@dataclass(frozen=True)
class Failed:
    """One message. `what`, `id` and `time` as far as it says; `again` puts it back, or raises StillFails."""

    receipt: str
    what: str
    id: str
    time: str
    where: str
    reason: str
    again: Callable[[], None]

    def __str__(self) -> str:
        return f"{self.what} {self.id} {self.time} in {self.where}: {self.reason}"


class Replay:
    """The failure queue of one context in one stage. With a wait SQS asks all of the queue's servers."""

    def __init__(self, aws: Aws, stage: str, context: str, wait_seconds: int = 1) -> None:
        self._aws = aws
        self._wait_seconds = wait_seconds
        self._stage = stage
        self._queue = f"{stage}-{context}-failed"
        self._url = aws.sqs.get_queue_url(QueueName=self._queue)["QueueUrl"]

    def run(self, say: Say, dry_run: bool = False) -> Outcome:
        put_back, waiting = 0, []
        try:
            for failed in self._messages():
                waiting.append(failed)
                say(str(failed))
                if dry_run:
                    continue
                try:
                    failed.again()
                except (StillFails, BotoCoreError, ClientError, KeyError, ValueError) as problem:
                    say(f"  still fails: {problem}")
                    continue
                self._aws.sqs.delete_message(QueueUrl=self._url, ReceiptHandle=failed.receipt)
                waiting.pop()
                put_back += 1
                say("  put back")
        finally:
            for failed in waiting:
                self._let_go(failed)
        return Outcome(put_back, len(waiting))

    def _messages(self) -> Iterator[Failed]:
        """Each once, also when the first are free again before the last is done."""
        seen: set[str] = set()
        while True:
            answer = self._aws.sqs.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=10,
                VisibilityTimeout=HELD_SECONDS,
                WaitTimeSeconds=self._wait_seconds,
                AttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
            fresh = [each for each in answer.get("Messages", []) if each["MessageId"] not in seen]
            if not fresh:
                return
            seen |= {each["MessageId"] for each in fresh}
            yield from map(self._read, fresh)

    def _let_go(self, failed: Failed) -> None:
        self._aws.sqs.change_message_visibility(
            QueueUrl=self._url, ReceiptHandle=failed.receipt, VisibilityTimeout=0
        )

    def _read(self, message: Event) -> Failed:
        told = message.get("MessageAttributes", {})
        attributes = {name: each["StringValue"] for name, each in told.items() if "StringValue" in each}
        source = message["Attributes"].get("DeadLetterQueueSourceArn", "").rpartition(":")[2]
        sent = _sent_at(message)
        made = functools.partial(Failed, message["ReceiptHandle"])
        if source:
            back = functools.partial(self._requeue, source, message["Body"])
            return made("message", message["MessageId"], sent, source, "taken off its queue too often", back)
        try:
            return made(*self._understood(json.loads(message["Body"]), attributes, sent))
        except (KeyError, TypeError, ValueError, AttributeError):
            return made(
                "message", message["MessageId"], sent, "?", _undelivered(message["Body"]), self._never
            )

    def _understood(self, body: Event, attributes: dict[str, str], sent: str) -> tuple[Any, ...]:
        """The fields of Failed behind the receipt. KeyError for what is none of the kinds."""
        if "DDBStreamBatchInfo" in body:
            batch, function = body["DDBStreamBatchInfo"], _function_of(body["requestContext"]["functionArn"])
            back = functools.partial(self._read_again, function, batch)
            numbers = f"{batch['startSequenceNumber']}..{batch['endSequenceNumber']}"
            first = batch["approximateArrivalOfFirstRecord"]
            return "stream batch", numbers, first, function, _reason(body), back
        if "requestPayload" in body:
            event, function = body["requestPayload"], _function_of(body["requestContext"]["functionArn"])
            back = functools.partial(self._invoke, function, event)
            return *_told(event, sent), function, _reason(body), back
        function = _function_of(attributes["TARGET_ARN"])
        reason = f"{attributes.get('ERROR_CODE', '?')} {attributes.get('ERROR_MESSAGE', '')}".strip()
        return *_told(body, sent), function, reason, functools.partial(self._invoke, function, body)

    def _never(self) -> None:
        raise StillFails("nothing says where it belongs")

    def _invoke(self, function: str, event: Any) -> None:
        """Waits for the end of it: only what succeeded may be deleted."""
        if not re.fullmatch(rf"{self._stage}-\w+", function):
            raise StillFails(f"{function} is no function of {self._stage}")
        answer = self._aws.functions.invoke(FunctionName=function, Payload=json.dumps(event).encode())
        if "FunctionError" in answer:
            raise StillFails(_error(json.loads(answer["Payload"].read() or "null")))

    def _requeue(self, queue: str, body: str) -> None:
        if not queue.startswith(f"{self._stage}-"):
            raise StillFails(f"{queue} is no queue of {self._stage}")
        url = self._aws.sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        self._aws.sqs.send_message(QueueUrl=url, MessageBody=body)

    def _read_again(self, function: str, batch: Event) -> None:
        try:
            records = self._of_stream(batch)
        except ClientError as problem:
            if problem.response["Error"]["Code"] not in FORGOTTEN:
                raise
            records = self._of_table(batch)
        if not records:
            raise StillFails("neither the stream nor the table has it any more")
        for start in range(0, len(records), BATCH):
            self._invoke(function, {"Records": records[start : start + BATCH]})

    def _of_stream(self, batch: Event) -> list[Event]:
        """The facts among the records: what the stream's mapping lets through. All of them, or StillFails."""
        found, last = [], int(batch["endSequenceNumber"])
        iterator = self._aws.streams.get_shard_iterator(
            StreamArn=batch["streamArn"],
            ShardId=batch["shardId"],
            ShardIteratorType="AT_SEQUENCE_NUMBER",
            SequenceNumber=batch["startSequenceNumber"],
        )["ShardIterator"]
        for _ in range(MOST_READS):
            page = self._aws.streams.get_records(ShardIterator=iterator)
            for record in page["Records"]:
                number = int(record["dynamodb"]["SequenceNumber"])
                if number <= last and _is_fact(record):
                    found.append(_as_lambda_gets_it(record, batch["streamArn"]))
                if number >= last:
                    return found
            iterator = page.get("NextShardIterator")
            if not iterator:
                break
        raise StillFails("the stream ends before the batch does")

    def _of_table(self, batch: Event) -> list[Event]:
        """Some more than were in the batch: facts of the same minutes, which their hearers know already."""
        table = batch["streamArn"].partition("table/")[2].partition("/")[0]
        first = _iso(batch["approximateArrivalOfFirstRecord"]) - SLACK
        last = _iso(batch["approximateArrivalOfLastRecord"]) + SLACK
        pages = self._aws.dynamodb.get_paginator("scan").paginate(
            TableName=table,
            FilterExpression="attribute_exists(fact) OR sk = :reservation",
            ExpressionAttributeValues={":reservation": RESERVATION},
        )
        rows = (item for page in pages for item in page["Items"])
        return [
            {"eventName": "INSERT", "dynamodb": {"NewImage": _image(row)}}
            for row in rows
            if first <= _said_at(row) <= last
        ]


RESERVATION = {"S": "CHECKOUT"}
"""The sort key of rows that are facts themselves, with none in them: what such a fact says never changes."""


def _is_fact(record: Event) -> bool:
    image = record["dynamodb"].get("NewImage", {})
    return record["eventName"] == "INSERT" and ("fact" in image or image.get("sk") == RESERVATION)


def _image(row: Event) -> Event:
    return {"fact": row["fact"]} if "fact" in row else row


def _said_at(row: Event) -> datetime:
    return _iso(json.loads(row["fact"]["S"])["time"] if "fact" in row else row["reserved_at"]["S"])


def _function_of(arn: str) -> str:
    """Its name: arn:aws:lambda:<region>:<account>:function:<name>[:<version>]."""
    return (arn.split(":") + [""] * 7)[6]


def _told(event: Any, sent: str) -> tuple[str, str, str]:
    """What happened, under which id, and when."""
    if not isinstance(event, dict):
        return "event", "?", sent
    inner = event.get("detail")
    detail = inner if isinstance(inner, dict) else {}
    what = str(event.get("detail-type", "event"))
    return (
        what,
        str(detail.get("id") or event.get("id", "?")),
        str(detail.get("time") or event.get("time", sent)),
    )


def _reason(body: Event) -> str:
    condition = str(body["requestContext"].get("condition", "?"))
    return f"{condition}, {_error(body['responsePayload'])}" if body.get("responsePayload") else condition


def _error(payload: Any) -> str:
    if not isinstance(payload, dict):
        return "no reason given"
    return f"{payload.get('errorType', 'error')}: {payload.get('errorMessage', '')}"


def _undelivered(text: str) -> str:
    """IoT's error action names the rule; of anything else the beginning is shown."""
    found = re.search(r'"ruleName"\s*:\s*"(\w+)"', text)
    return f"what IoT rule {found[1]} could not deliver" if found else f"not one of ours: {text[:80]!r}"


def _as_lambda_gets_it(record: Event, stream_arn: str) -> Event:
    """As an event source mapping hands it over: times in seconds, bytes in base64."""
    text = json.dumps({**record, "eventSourceARN": stream_arn}, default=_plain)
    return dict(json.loads(text))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(type(value).__name__)


def _iso(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _sent_at(message: Event) -> str:
    return datetime.fromtimestamp(int(message["Attributes"]["SentTimestamp"]) / 1000, UTC).isoformat()


def clients(stage: str) -> Aws:
    session = place.session() if stage == place.STAGE else boto3.Session()
    endpoint = place.ENDPOINT if stage == place.STAGE else None
    make = functools.partial(session.client, endpoint_url=endpoint)
    return Aws(
        sqs=make("sqs"),
        functions=make("lambda", config=INVOKE),
        streams=make("dynamodbstreams"),
        dynamodb=make("dynamodb"),
    )


def main() -> int:
    """0 when nothing is left."""
    options = argparse.ArgumentParser(description="put what failed for good back to where it failed")
    options.add_argument("context")
    options.add_argument("stage")
    options.add_argument("--dry-run", action="store_true", help="only show what is there")
    given = options.parse_args()
    try:
        outcome = Replay(clients(given.stage), given.stage, given.context).run(print, given.dry_run)
    except (BotoCoreError, ClientError) as problem:
        print(f"handover: {given.stage}-{given.context}-failed: {problem}", file=sys.stderr)
        return 1
    print(f"{outcome.put_back} put back, {outcome.waiting} waiting in {given.stage}-{given.context}-failed")
    return int(outcome.waiting > 0 and not given.dry_run)


if __name__ == "__main__":
    sys.exit(main())
