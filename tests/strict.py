"""moto's DynamoDB, made strict: one call at a time, transactions atomic, request tokens remembered.

moto 5.2.5 runs calls of several threads into one another, copies whole tables for every transaction and
ignores ClientRequestToken. `strict()` leans on its internals, which is why moto is pinned.
"""

import contextlib
import copy
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from botocore.client import BaseClient
from botocore.exceptions import ClientError
from moto.dynamodb import models as moto_models
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType

LOCK = threading.RLock()


def _place(backend: Any, operation: dict[str, Any]) -> tuple[Any, DynamoType, DynamoType]:
    ((verb, request),) = operation.items()
    table = backend.get_table(request["TableName"])
    key = request["Item"] if verb == "Put" else request["Key"]
    return (
        table,
        DynamoType(key[table.hash_key_attr]),
        DynamoType(key[table.range_key_attr]),
    )


def _restore(saved: list[tuple[Any, DynamoType, DynamoType, Any]]) -> None:
    for table, hash_key, range_key, item in saved:
        if item is None:
            table.delete_item(hash_key, range_key)
        else:
            table.items[hash_key][range_key] = item


@contextlib.contextmanager
def strict() -> Iterator[None]:
    tokens: dict[str, str] = {}
    backend: Any = DynamoDBBackend
    clients: Any = BaseClient
    models: Any = moto_models
    slow_transaction, call, real_copy = backend.transact_write_items, clients._make_api_call, models.copy
    keep_tables = SimpleNamespace(
        deepcopy=lambda it: it if hasattr(it, "hash_key_attr") else copy.deepcopy(it)
    )

    def transaction(self: Any, transact_items: list[dict[str, Any]]) -> None:
        places = [_place(self, operation) for operation in transact_items]
        saved = [(t, h, r, copy.deepcopy(t.get_item(h, r))) for t, h, r in places]
        try:
            slow_transaction(self, transact_items)
        except Exception:
            _restore(saved)
            raise

    def serial(self: Any, operation: str, request: dict[str, Any]) -> Any:
        if self.meta.service_model.service_name != "dynamodb":
            return call(self, operation, request)
        with LOCK:
            token = request.get("ClientRequestToken")
            body = repr(request.get("TransactItems"))
            if token and token in tokens:
                if tokens[token] == body:
                    return {}
                raise ClientError(
                    {"Error": {"Code": "IdempotentParameterMismatchException"}},
                    operation,
                )
            answer = call(self, operation, request)
            if token:
                tokens[token] = body
            return answer

    models.copy = keep_tables
    backend.transact_write_items = transaction
    clients._make_api_call = serial
    try:
        yield
    finally:
        models.copy = real_copy
        backend.transact_write_items = slow_transaction
        clients._make_api_call = call
