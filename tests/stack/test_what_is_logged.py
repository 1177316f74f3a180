"""After everything else of this folder: what the processes of the stack have written about it.

The secrets of the run are looked up where they are kept; this test is root.
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from chalicelib.devices.model import Order
from chalicelib.doors.model import car_key
from chalicelib.smartkeys.model import link_code, session_token
from infra.local import place
from tests import leaks
from tests.stack.cars import BIRTH_DATE, STAGE, Garage

SECRETS = ("command-key", "link-key", "code-key", "enrolment-key", "preview-key", "payments-key")
PERSONAL = {"name", "phone", "birth_date", "licence_no", "address"}
TOKEN = r"eyJ[\w-]{20,}\.eyJ"
"""How every signed token begins."""


def rows(context: str, begins: str) -> Iterator[dict[str, Any]]:
    read = TypeDeserializer().deserialize
    pages = place.client("dynamodb").get_paginator("scan").paginate(TableName=f"{STAGE}-{context}")
    for page in pages:
        for row in page["Items"]:
            if row["pk"]["S"].startswith(begins):
                yield {name: read(value) for name, value in row.items()}


def secrets_of(garage: Garage, stack: dict[str, Any]) -> Iterator[str]:
    known = {name: garage.secret(name) for name in SECRETS}
    link_key, master, enrolment_key = known["link-key"], known["command-key"], known["enrolment-key"]
    yield from known.values()
    yield from (user["password"] for user in stack["users"].values())
    yield from (car_key(master, car_id) for car_id in stack["things"])
    for command in rows("doors", "CMD#"):
        if "nonce" in command:
            yield command["nonce"]
            yield car_key(master, command["car_id"])
    for ordered in rows("devices", "CAR#"):
        if ordered["sk"].startswith("ORDER#"):
            at, order_id = datetime.now(UTC), ordered["sk"].removeprefix("ORDER#")
            yield Order(order_id, "", "", at).code(enrolment_key)
    for grant in rows("smartkeys", "GRANT#"):
        for send_no in range(1, int(grant["send_no"]) + 1):
            yield link_code(link_key, grant["grant_id"], send_no)
            yield session_token(link_key, grant["grant_id"], send_no)


def persons() -> set[str]:
    """Everybody who signed a contract, in every way their data are written."""
    found: set[str] = set()
    for contract in rows("contracts", "CONTRACT#"):
        for name, value in _leaves(contract.get("personal", {})):
            if name in PERSONAL:
                found |= _written(name, str(value))
    return found - {""}


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, name)
    else:
        yield name, value


def _written(name: str, value: str) -> set[str]:
    if name == "birth_date":
        return leaks.of_birth(date.fromisoformat(value))
    readings = {"phone": leaks.of_phone, "licence_no": leaks.of_licence}
    return readings[name](value) if name in readings else {value}


def written() -> str:
    """Every log of a process, and every log group of a Lambda."""
    text = [path.read_text(errors="replace") for path in place.LOCAL.glob("*.log")]
    logs = place.client("logs")
    for page in logs.get_paginator("describe_log_groups").paginate():
        for group in page["logGroups"]:
            events = logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"])
            text += [event["message"] for some in events for event in some["events"]]
    return "\n".join(text)


def test_r08_nothing_the_stack_has_logged_is_a_secret_or_a_person(
    stack: dict[str, Any], tmp_path: Path
) -> None:
    garage = Garage(stack, tmp_path)
    drive = garage.make()
    with drive.on_air():
        drive.settled(drive.press("unlock"))
    garage.ops.post(f"/v1/ops/cars/{drive.car_id}/unit", {"serial": f"SN-{drive.car_id}"}).expect(201)
    garage.public.post("/v1/smart-key/links", {"phone": "010-1234-5678", "proof": "000000"}).expect(202)
    garage.public.post("/v1/smart-key/exchange", {"code": "x" * 22, "proof": "000000"}).expect(422)
    secrets, people = set(secrets_of(garage, stack)), persons()
    assert leaks.of_birth(date.fromisoformat(BIRTH_DATE)) <= people
    text = written()
    assert "doors_ack" in text
    assert "SNS SMS" in text
    assert leaks.standing(text, secrets, people) == []
    assert re.search(TOKEN, text) is None
