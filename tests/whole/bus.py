"""The bus of a test: every fact that any table holds goes to whom the rules of `infra/app.yaml` name.

The real handlers on the strict DynamoDB, in one process; what the deployed stack does with streams, rules and
queues, without their delays. A fact whose hearer is not ready yet is brought again, as the bus does.
"""

import importlib
import re
from collections.abc import Iterator
from functools import cache
from types import SimpleNamespace
from typing import Any

import msgspec

from chalicelib import wiring
from chalicelib.kernel import aws
from chalicelib.kernel.errors import HandoverError
from infra import rules
from infra.package import ROOT
from tests.conftest import table_definitions

Json = dict[str, Any]
ROUNDS = 40
BEHIND_A_QUEUE = {"JourneyRecord", "IncidentsWork"}


@cache
def template() -> Json:
    return dict(rules.load(ROOT / "infra" / "app.yaml")["Resources"])


@cache
def hearers() -> tuple[tuple[Json, str], ...]:
    """Each pattern, and the function its target is; behind a queue, the function that reads it."""
    readers = {
        resource["Properties"]["EventSourceArn"]["Fn::GetAtt"][0]: resource["Properties"]["FunctionName"][
            "Ref"
        ]
        for resource in template().values()
        if "Fn::GetAtt" in resource.get("Properties", {}).get("EventSourceArn", {})
    }
    found = []
    for resource in template().values():
        if "EventPattern" in resource.get("Properties", {}):
            for target in resource["Properties"]["Targets"]:
                name = target["Arn"]["Fn::GetAtt"][0]
                found.append((resource["Properties"]["EventPattern"], readers.get(name, name)))
    return tuple(found)


def function(logical: str) -> Any:
    """The handler of a function, by its name in the template: KeysPlan is keys_plan."""
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", logical).lower()
    module = importlib.import_module(f"chalicelib.handlers.{name.partition('_')[0]}")
    return getattr(module, name)


def fits(pattern: Any, event: Any) -> bool:
    """EventBridge's event patterns, as far as our rules use them."""
    return all(
        fits(wanted, (event or {}).get(name)) if isinstance(wanted, dict) else _any(wanted, event or {}, name)
        for name, wanted in pattern.items()
    )


def _any(wanted: list[Any], event: Json, name: str) -> bool:
    value = event.get(name)
    for each in wanted:
        if not isinstance(each, dict):
            hit = value == each
        elif "exists" in each:
            hit = (name in event) is each["exists"]
        else:
            hit = str(value).startswith(each["prefix"])
        if hit:
            return True
    return False


class Bus:
    def __init__(self) -> None:
        self.told: set[tuple[str, str]] = set()
        self.facts: dict[str, Json] = {}

    def settle(self) -> None:
        """Until nobody has anything more to say."""
        for _ in range(ROUNDS):
            fresh = [fact for fact in self._stored() if fact["id"] not in self.facts]
            self.facts |= {fact["id"]: fact for fact in fresh}
            if not self._carry():
                return
        raise AssertionError("the bus never falls silent")

    def types(self, contract_id: str | None = None) -> list[str]:
        """Of the facts so far, in the order of their time."""
        ours = (
            each for each in self.facts.values() if contract_id in (None, each["data"].get("contract_id"))
        )
        return [each["type"] for each in sorted(ours, key=lambda each: each["time"])]

    def _stored(self) -> Iterator[Json]:
        client = aws.client("dynamodb")
        for table in table_definitions():
            for page in client.get_paginator("scan").paginate(TableName=table["TableName"]):
                for row in page["Items"]:
                    if "fact" in row:
                        yield msgspec.json.decode(row["fact"]["S"])
                    elif row["sk"]["S"] == "CHECKOUT":
                        told = wiring.checkout().told(row)  # its insertion is the fact
                        yield from [told.envelope()] if told else []

    def _carry(self) -> int:
        """How many hearers took a fact; who was not ready hears it in the next round."""
        taken = 0
        for fact in sorted(self.facts.values(), key=lambda each: (each["time"], each["id"])):
            event = {"source": fact["source"], "detail-type": fact["type"], "detail": fact}
            for pattern, hearer in hearers():
                if (fact["id"], hearer) not in self.told and fits(pattern, event):
                    taken += self._deliver(hearer, event, fact["id"])
        return taken

    def _deliver(self, hearer: str, event: Json, fact_id: str) -> int:
        brought = _queued(event) if hearer in BEHIND_A_QUEUE else event
        try:
            function(hearer)(brought, SimpleNamespace())
        except HandoverError:
            return 0
        self.told.add((fact_id, hearer))
        return 1


def _queued(event: Json) -> Json:
    return {"Records": [{"messageId": "m1", "body": msgspec.json.encode(event).decode()}]}
