"""The yardstick of a cold start: Chalice, one boto3 client, one call, one request."""

from typing import Any

import boto3
from chalice.app import Chalice

from tests.bench.wire import answer_with, gateway_event

answer_with({"GetItem": {"Item": {"pk": {"S": "a"}}}})
app = Chalice("bare")


@app.route("/item")
def item() -> Any:
    return boto3.client("dynamodb").get_item(TableName="bench-contracts", Key={"pk": {"S": "a"}})["Item"]


assert app(gateway_event("GET", "/item", {}), None)["statusCode"] == 200
