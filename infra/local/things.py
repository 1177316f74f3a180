"""Cars as AWS IoT things: what a workshop does when it builds a telematics unit in.

`enrol` is the way of a single unit, over MQTT with a claim certificate and a code. `provision` is that of a
factory which registers many at once: the same policy and type, and no enrolment of its own.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chalicelib.doors.model import car_key
from infra.claim import new_certificate
from infra.identity import CERTIFICATE, keep_secret
from infra.local.car import COMMAND_KEY, Broker
from infra.local.client import Api
from infra.local.enrolment import Identity, enrol
from infra.local.place import LOCAL, STAGE, client

THINGS, CLAIM = LOCAL / "things", LOCAL / "claim"


@dataclass(frozen=True)
class Workshop:
    """`key_of` derives a car's command key; `folder` gets one folder per car, `claims` that certificate."""

    iot: Any
    key_of: Callable[[str], str]
    folder: Path = THINGS
    claims: Path = CLAIM

    def provision(self, car_id: str) -> Path:
        """The car's folder. A car already provisioned keeps its certificate."""
        folder = self.folder / car_id
        if (folder / COMMAND_KEY).exists():
            return folder
        self.iot.create_thing(thingName=car_id, thingTypeName=f"{STAGE}-car")
        arn = new_certificate(self.iot, f"{STAGE}-car", folder)
        self.iot.attach_thing_principal(thingName=car_id, principal=arn, thingPrincipalType="EXCLUSIVE_THING")
        keep_secret(folder / COMMAND_KEY, self.key_of(car_id))
        return folder

    def claim(self) -> Path:
        """The folder of a claim certificate, as a manufacturer gets one for a batch of units."""
        if not (self.claims / CERTIFICATE).exists():
            new_certificate(self.iot, f"{STAGE}-claim", self.claims)
        return self.claims

    def build_in(self, ops: Api, broker: Broker, car_id: str) -> Path:
        """The folder of a car whose new unit enrolled itself. One that is there keeps its certificate."""
        folder = self.folder / car_id
        if (folder / COMMAND_KEY).exists():
            return folder
        return self.enrol(ops, broker, car_id, f"TCU-{car_id}").keep(self.folder)

    def enrol(self, ops: Api, broker: Broker, car_id: str, serial: str) -> Identity:
        """Orders the unit and lets it enrol; the identity is not kept yet."""
        ordered = ops.post(f"/v1/ops/cars/{car_id}/unit", {"serial": serial}).expect(201)
        return self.enrol_with(broker, {"Serial": serial, "Code": ordered["enrolment_code"]})

    def enrol_with(self, broker: Broker, parameters: dict[str, str]) -> Identity:
        return asyncio.run(enrol(self.claim(), broker, f"{STAGE}_car", parameters))


def workshop() -> Workshop:
    """The one of the running local stack."""
    master = client("secretsmanager").get_secret_value(SecretId=f"{STAGE}/handover/command-key")
    return Workshop(client("iot"), lambda car_id: car_key(master["SecretString"], car_id))
