"""A DynamoDB to race on: the stack's emulator once more, with our tables and nothing that hears of them.

On free ports and in a folder of its own, so that a stack that is up is left alone. No Lambda runs here: what
is timed is the redemption, and not who carries its fact on, with whom it would share the processors.
"""

import os
import secrets
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3

from infra.deploy import Deployer
from infra.local import place
from infra.local.place import LOCAL, StackProblem
from infra.local.processes import Process
from infra.package import ROOT

FOLDER = LOCAL / "bench" / "dynamodb"
EMULATOR = Process("emulator", FOLDER)
START_SECONDS = 60.0


@contextmanager
def running() -> Iterator[dict[str, Any]]:
    """What `.local/stack.json` would say of it."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    port = _start()
    try:
        endpoint = f"http://{place.HOST}:{port}"
        Deployer(place.session(), place.STAGE, endpoint).tables()
        _client(endpoint, "secretsmanager").create_secret(
            Name=f"{place.STAGE}/handover/code-key", SecretString=secrets.token_hex(32)
        )
        yield {
            "aws": {
                "endpoint_url": endpoint,
                "region": place.REGION,
                "access_key_id": place.KEY_ID,
                "secret_access_key": place.SECRET_KEY,
            },
            "outside": {"payments_url": place.OFFICES_URL, "offices_url": place.OFFICES_URL},
        }
    finally:
        EMULATOR.stop()
        shutil.rmtree(FOLDER, ignore_errors=True)


def _client(endpoint: str, service: str) -> Any:
    session: Any = boto3.Session(
        aws_access_key_id=place.KEY_ID, aws_secret_access_key=place.SECRET_KEY, region_name=place.REGION
    )
    return session.client(service, endpoint_url=endpoint)


def _start() -> int:
    python = ROOT / ".venv-emulator" / "bin" / "python"
    if not python.exists():
        raise StackProblem("the emulator is not installed; run make setup")
    port, mqtt = _free_port(), _free_port()
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(FOLDER),
        "TMPDIR": str(FOLDER),
        "AUTH": "false",
        "BIND_HOST": place.HOST,
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_PORT": str(mqtt),
        "MINISTACK_REGION": place.REGION,
    }
    EMULATOR.start([str(python), str(ROOT / "infra" / "local" / "emulator.py")], environment, FOLDER)
    EMULATOR.wait_for("Running on", START_SECONDS)
    return port


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((place.HOST, 0))
        return int(probe.getsockname()[1])
