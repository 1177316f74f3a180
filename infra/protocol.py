"""The device protocol as its own document describes it (docs/asyncapi.yaml), for whoever speaks it.

The reference car checks what it says, and the conformance run what it hears, against the same schemas; the
service's are compared with them by a test.
"""

import functools
import hashlib
import hmac
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

DOCUMENT = Path(__file__).parent.parent / "docs" / "asyncapi.yaml"
SIGNED = ("command_id", "grant_id", "action", "counter", "issued_at", "expires_at", "nonce")
LONGEST_LIFE_MS = 30_000
SKEW_MS = 5_000
REMEMBERED = 32

Message = dict[str, Any]


@functools.cache
def document() -> dict[str, Any]:
    found: dict[str, Any] = yaml.load(DOCUMENT.read_text(), Loader=yaml.CSafeLoader)
    return found


@functools.cache
def _validator(message: str) -> Draft202012Validator:
    components = document()["components"]
    schema = {**components["messages"][message]["payload"], "components": components}
    return Draft202012Validator(schema)


def misfit(message: str, payload: Any) -> str | None:
    """What the document has against this `command`, `ack`, `state` ...; None when nothing."""
    problem = next(_validator(message).iter_errors(payload), None)
    if problem is None:
        return None
    where = "/".join(map(str, problem.absolute_path))
    return f"{where}: {problem.message}" if where else problem.message


def signature(key: str, car_id: str, command: Message) -> str:
    """Of the canonical string: version, the car's own id, and the signed fields in their order."""
    parts = (command["v"], car_id, *(command[name] for name in SIGNED))
    canonical = "\n".join(str(part) for part in parts)
    return hmac.new(bytes.fromhex(key), canonical.encode(), hashlib.sha256).hexdigest()
