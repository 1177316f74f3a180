"""The least a door command can be: one Lambda that only publishes, one that only records; and one that makes
our calls and nothing else. Deployed by bare.py."""

import json
import time
from typing import Any

import boto3

IOT: Any = boto3.client("iot-data")
DYNAMODB: Any = boto3.client("dynamodb")
TABLE = "local-bench"
READS_BEFORE, READS_AFTER = 2, 1


def publish(event: dict[str, Any], _: Any) -> dict[str, Any]:
    """Behind the gateway: the body goes to the car's topic."""
    body = json.loads(event["body"])
    IOT.publish(
        topic=f"bench/{body['car_id']}/commands", qos=1, messageExpiry=15, payload=event["body"].encode()
    )
    return {"statusCode": 202, "headers": {"Content-Type": "application/json"}, "body": '{"state": "SENT"}'}


def publish_with_our_calls(event: dict[str, Any], _: Any) -> dict[str, Any]:
    """As `publish`, among as many DynamoDB calls as a press of ours makes (tests/bench/record.py)."""
    id_ = json.loads(event["body"])["command_id"]
    for _ignored in range(READS_BEFORE):
        DYNAMODB.get_item(TableName=TABLE, Key=row("x", "y"), ConsistentRead=True)
    DYNAMODB.transact_write_items(TransactItems=[put(id_, str(number)) for number in range(3)])
    for _ignored in range(READS_AFTER):
        DYNAMODB.get_item(TableName=TABLE, Key=row("x", "y"), ConsistentRead=True)
    answer = publish(event, _)
    DYNAMODB.transact_write_items(TransactItems=[put(id_, str(number)) for number in range(3, 5)])
    return answer


def put(pk: str, sk: str) -> dict[str, Any]:
    return {"Put": {"TableName": TABLE, "Item": row(pk, sk, mark="x" * 400)}}


def row(pk: str, sk: str, **more: str) -> dict[str, Any]:
    return {name: {"S": text} for name, text in {"pk": pk, "sk": sk, **more}.items()}


def record(event: dict[str, Any], _: Any) -> None:
    """Behind the topic rule: the answer becomes a row."""
    DYNAMODB.put_item(TableName=TABLE, Item=row(event["command_id"], "ACK", at=str(time.time())))
