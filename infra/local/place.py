"""Where the local stack lives: its folder, its ports, and the account it plays."""

import functools
import os
from typing import Any

import boto3

from infra.package import ROOT

LOCAL = ROOT / ".local"
STACK_FILE = LOCAL / "stack.json"
STAGE = "local"
REGION = "ap-northeast-2"
HOST = "127.0.0.1"


def _port(variable: str, default: int) -> int:
    text = os.environ.get(variable) or str(default)
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65536:
        raise SystemExit(f"handover: {variable} is a port from 1 to 65535, not {text}")
    return int(text)


PORT = _port("HANDOVER_PORT", 4566)
MQTT_PORT = _port("HANDOVER_MQTT_PORT", 8883)
OFFICES_PORT = _port("HANDOVER_OFFICES_PORT", 4580)
ENDPOINT = f"http://{HOST}:{PORT}"
OFFICES_URL = f"http://{HOST}:{OFFICES_PORT}"
KEY_ID = SECRET_KEY = "test"
"""The emulator's account root."""


class StackProblem(Exception):
    """Why the local stack cannot be had, in one sentence for whoever typed the command."""


def session() -> boto3.Session:
    """Never the caller's own AWS account."""
    return boto3.Session(aws_access_key_id=KEY_ID, aws_secret_access_key=SECRET_KEY, region_name=REGION)


@functools.cache
def client(service: str) -> Any:
    return session().client(service, endpoint_url=ENDPOINT)  # type: ignore[call-overload]
