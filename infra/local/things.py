"""Cars as AWS IoT things: a certificate under the device policy, and the command key derived for that car.

This is what a workshop does when it builds a telematics unit in; infra/iot.yaml has the policy and the type.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chalicelib.doors.model import car_key
from infra.local.car import CERTIFICATE, COMMAND_KEY, PRIVATE_KEY
from infra.local.place import LOCAL, STAGE, client

THINGS = LOCAL / "things"


@dataclass(frozen=True)
class Workshop:
    """`key_of` derives a car's command key; `folder` gets one folder per car."""

    iot: Any
    key_of: Callable[[str], str]
    folder: Path = THINGS

    def provision(self, car_id: str) -> Path:
        """The car's folder. A car already provisioned keeps its certificate."""
        folder = self.folder / car_id
        if (folder / COMMAND_KEY).exists():
            return folder
        folder.mkdir(parents=True, exist_ok=True)
        self.iot.create_thing(thingName=car_id, thingTypeName=f"{STAGE}-car")
        made = self.iot.create_keys_and_certificate(setAsActive=True)
        self.iot.attach_policy(policyName=f"{STAGE}-car", target=made["certificateArn"])
        self.iot.attach_thing_principal(
            thingName=car_id, principal=made["certificateArn"], thingPrincipalType="EXCLUSIVE_THING"
        )
        _write(folder / CERTIFICATE, made["certificatePem"])
        _write(folder / PRIVATE_KEY, made["keyPair"]["PrivateKey"])
        _write(folder / COMMAND_KEY, self.key_of(car_id))
        return folder


def workshop() -> Workshop:
    """The one of the running local stack."""
    master = client("secretsmanager").get_secret_value(SecretId=f"{STAGE}/handover/command-key")
    return Workshop(client("iot"), lambda car_id: car_key(master["SecretString"], car_id))


def _write(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
