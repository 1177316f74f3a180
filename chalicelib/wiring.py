"""Builds each service once with its real store, gateway and clock; the only importer of all contexts.

Imports stand inside the builders, so that a Lambda loads only the contexts it uses.
"""

# ruff: noqa: PLC0415

import functools

from chalicelib.kernel.aws import client
from chalicelib.kernel.secrets import Secrets


@functools.cache
def secrets() -> Secrets:
    return Secrets(lambda: client("secretsmanager"))
