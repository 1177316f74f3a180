"""A car of the local stack on the bench: who plays the service there, and which counters it may use.

A car in service keeps its highest counter. Were it sent others than the service's own, it would refuse the
service from then on; so the run takes its counters from the service's row, and leaves a line for each.
"""

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from infra.device_check.checks import COUNTERS
from infra.identity import CERTIFICATE, PRIVATE_KEY, keep_secret
from infra.local.car import COMMAND_KEY, Broker
from infra.local.place import ENDPOINT, KEY_ID, REGION, SECRET_KEY, STACK_FILE, STAGE, client

WHO = "device-check"
Place = tuple[Path, Broker, Path, int]


class NoStack(Exception):
    """There is no such car here; the sentence says why."""


@contextlib.contextmanager
def at_home(thing: str) -> Iterator[Place]:
    """`thing`: a car_id, or the folder of a unit that is connected to the local stack."""
    if not STACK_FILE.exists():
        raise NoStack("the local stack is not up: make up, or say --host")
    stack = json.loads(STACK_FILE.read_text())
    folder = Path(stack["things"][thing]["dir"] if thing in stack["things"] else thing)
    if not (folder / COMMAND_KEY).exists():
        raise NoStack(f"{thing} is no car with a unit in {STACK_FILE}, and no folder with a {COMMAND_KEY}")
    car_id, mqtt = folder.resolve().name, stack["mqtt"]
    with _service_for(car_id) as service:
        broker = Broker(mqtt["host"], mqtt["port"], mqtt["ca_file"])
        yield folder, broker, service, _reserved(car_id)


@contextlib.contextmanager
def _service_for(car_id: str) -> Iterator[Path]:
    """A certificate that may play the service towards this one car, as long as the run lasts."""
    iot = client("iot")
    made = iot.create_keys_and_certificate(setAsActive=True)
    name, arn = f"{STAGE}-device-check-{made['certificateId'][:12]}", made["certificateArn"]
    iot.create_policy(policyName=name, policyDocument=json.dumps(_policy(car_id, arn.split(":")[4])))
    iot.attach_policy(policyName=name, target=arn)
    try:
        with tempfile.TemporaryDirectory() as place:
            keep_secret(Path(place) / PRIVATE_KEY, made["keyPair"]["PrivateKey"])
            keep_secret(Path(place) / CERTIFICATE, made["certificatePem"])
            yield Path(place)
    finally:
        iot.detach_policy(policyName=name, target=arn)
        iot.delete_policy(policyName=name)
        iot.update_certificate(certificateId=made["certificateId"], newStatus="INACTIVE")
        iot.delete_certificate(certificateId=made["certificateId"])


def _policy(car_id: str, account: str) -> dict[str, Any]:
    start = f"arn:aws:iot:{REGION}:{account}"
    allowed = {
        "iot:Connect": f"{start}:client/device-check-*",
        "iot:Publish": f"{start}:topic/cars/{car_id}/commands",
        "iot:Subscribe": f"{start}:topicfilter/cars/{car_id}/#",
        "iot:Receive": f"{start}:topic/cars/{car_id}/*",
    }
    statements = [
        {"Effect": "Allow", "Action": action, "Resource": resource} for action, resource in allowed.items()
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def _reserved(car_id: str) -> int:
    """The first of so many counters that the service will not use; each has its line in the car's log."""
    os.environ.update(
        STAGE=STAGE,
        AWS_REGION=REGION,
        AWS_ENDPOINT_URL=ENDPOINT,
        AWS_ACCESS_KEY_ID=KEY_ID,
        AWS_SECRET_ACCESS_KEY=SECRET_KEY,
    )
    from chalicelib.doors.store import DoorStore  # noqa: PLC0415 - a table's name is read when it is imported

    return DoorStore().reserve(car_id, COUNTERS, WHO, datetime.now(UTC))
