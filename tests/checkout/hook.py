"""botocore's last common point: every call of every client passes here."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from botocore.client import BaseClient

Call = Callable[[Any, str, dict[str, Any]], Any]
"""Client, operation, request."""


@contextlib.contextmanager
def calls_go_through(wrapped: Callable[[Call], Call]) -> Iterator[None]:
    """`wrapped` takes the real call and gives the one to make instead."""
    clients: Any = BaseClient
    real = clients._make_api_call

    def call(client: Any, operation: str, request: dict[str, Any]) -> Any:
        return through(client, operation, request)

    through = wrapped(real)
    clients._make_api_call = call
    try:
        yield
    finally:
        clients._make_api_call = real
