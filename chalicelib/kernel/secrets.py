"""Secrets from AWS Secrets Manager, named `<stage>/handover/<name>`, kept in the process for five minutes."""

import time
from collections.abc import Callable
from typing import Any

from chalicelib.kernel.settings import SETTINGS

KEEP_SECONDS = 300.0


class Secrets:
    """`client` is a boto3 secretsmanager client, made only when the first secret is read."""

    def __init__(self, client: Callable[[], Any], tick: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._tick = tick
        self._kept: dict[str, tuple[float, str]] = {}

    def text(self, name: str) -> str:
        kept = self._kept.get(name)
        if kept and kept[0] > self._tick():
            return kept[1]
        answer = self._client().get_secret_value(SecretId=f"{SETTINGS.stage}/handover/{name}")
        self._kept[name] = (self._tick() + KEEP_SECONDS, answer["SecretString"])
        return str(answer["SecretString"])
