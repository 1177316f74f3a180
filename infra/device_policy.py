"""What a device's certificate may be allowed: its own car and nothing else.

    python -m infra.device_policy policy.json

says of any AWS IoT policy what in it reaches beyond the thing that uses it, and ends with 1 when something
does. A policy is judged by what it grants, so that its spelling cannot hide anything: every action, and every
resource of it, must be one of those that the protocol needs.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Document = dict[str, Any]

THING = "${iot:Connection.Thing.ThingName}"
ATTACHED = "iot:Connection.Thing.IsAttached"
CAR: dict[str, list[str]] = {
    "iot:Connect": [f"client/{THING}"],
    "iot:Subscribe": [f"topicfilter/cars/{THING}/commands"],
    "iot:Receive": [f"topic/cars/{THING}/commands"],
    "iot:Publish": [
        f"topic/{ingest}cars/{THING}/{said}"
        for said in ("acks", "state")
        for ingest in ("", f"$aws/rules/${{Stage}}_{said}/")
    ],
}
REQUESTS = ("$aws/certificates/create/json", "$aws/provisioning-templates/${Stage}_car/provision/json")
ANSWERS = [f"{request}/{answer}" for request in REQUESTS for answer in ("accepted", "rejected")]
CLAIM: dict[str, list[str]] = {
    "iot:Connect": ["client/claim:*"],
    "iot:Publish": [f"topic/{request}" for request in REQUESTS],
    "iot:Subscribe": [f"topicfilter/{answer}" for answer in ANSWERS],
    "iot:Receive": [f"topic/{answer}" for answer in ANSWERS],
}
"""To ask to become a car. No car's name has a colon, so nobody can be pushed off the broker with it."""


def beyond_a_car(policy: Document) -> Iterator[str]:
    """A sentence for everything that a car's certificate must not be allowed."""
    for statement in _granting(policy):
        yield from _beyond(statement, CAR)
        if "iot:Connect" in _list(statement.get("Action", [])) and not _only_attached(statement):
            yield "iot:Connect without a thing attached to the certificate"


def beyond_a_claim(policy: Document) -> Iterator[str]:
    """The same for a claim certificate, which many units share."""
    for statement in _granting(policy):
        yield from _beyond(statement, CLAIM)


def _granting(policy: Document) -> Iterator[Document]:
    for statement in _list(policy.get("Statement", [])):
        if statement.get("Effect") != "Deny":
            yield statement


def _beyond(statement: Document, needed: dict[str, list[str]]) -> Iterator[str]:
    for name in ("Action", "Resource"):
        if name not in statement:
            yield f"a statement without {name} allows everything it does not name"
    for action in _list(statement.get("Action", [])):
        for resource in map(_arn, _list(statement.get("Resource", []))):
            match = re.fullmatch(r"arn:aws:iot:[^:*?]+:[^:*?]+:(.+)", resource)
            if match is None or match.group(1) not in needed.get(str(action), []):
                yield f"{action} on {resource} reaches beyond the thing itself"


def _arn(resource: Any) -> str:
    """As it is deployed: the stage stays open, AWS's own parts of the name do not matter."""
    text = str(resource.get("Fn::Sub", resource) if isinstance(resource, dict) else resource)
    return re.sub(r"\$\{AWS::(\w+)\}", r"\1", text).replace("${!", "${")


def _only_attached(statement: Document) -> bool:
    return bool(statement.get("Condition", {}).get("Bool", {}).get(ATTACHED) == "true")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def main() -> int:
    found = list(beyond_a_car(json.loads(Path(sys.argv[1]).read_text())))
    print("\n".join(found) if found else "it reaches its own car and nothing else")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
