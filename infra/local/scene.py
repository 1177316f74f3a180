"""Sets the scene of the recovery story through the deployed API: people, cars, contracts, packed keys, coupons."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3

from infra.local import people
from infra.local.cast import Part, Stage, cast, each, pack, sign
from infra.local.client import POOL, Api

PLANNED_WITHIN_SECONDS = 60.0
WARM_CALLS = 24


class NotSet(Exception):
    """The scene could not be set; the sentence says what is missing."""


@dataclass(frozen=True)
class Scene:
    """What the story plays with."""

    stack: dict[str, Any]
    stage: Stage
    parts: list[Part]
    aws: Callable[[str], Any]

    @property
    def secrets(self) -> dict[str, str]:
        return {name: each["webhook_secret"] for name, each in self.stack["carriers"].items()}

    @property
    def name(self) -> str:
        return str(self.stack["stage"])

    def outbox(self) -> dict[str, str]:
        """Phone -> the latest text sent to it, of this story's phones."""
        sent = json.loads(POOL.request("GET", self.stack["sms_outbox_url"]).data)["sms_messages"]
        ours = {part.phone for part in self.parts}
        return {phone: texts[-1]["Message"] for phone, texts in sent.items() if phone in ours and texts}

    def texts(self) -> int:
        """How many texts went to this story's phones."""
        sent = json.loads(POOL.request("GET", self.stack["sms_outbox_url"]).data)["sms_messages"]
        ours = {part.phone for part in self.parts}
        return sum(len(texts) for phone, texts in sent.items() if phone in ours)

    def rows(self, context: str) -> list[dict[str, Any]]:
        """Every row of a context's table: bookkeeping after the play, never a serving path."""
        table = self.aws("dynamodb").get_paginator("scan")
        pages = table.paginate(TableName=f"{self.name}-{context}", ConsistentRead=True)
        return [row for page in pages for row in page["Items"]]


def aws_of(stack: dict[str, Any]) -> Callable[[str], Any]:
    where = stack["aws"]
    session = boto3.Session(
        aws_access_key_id=where["access_key_id"],
        aws_secret_access_key=where["secret_access_key"],
        region_name=where["region"],
    )
    made: dict[str, Any] = {}

    def client(service: str) -> Any:
        if service not in made:
            make: Any = session.client
            made[service] = make(service, endpoint_url=where["endpoint_url"])
        return made[service]

    return client
