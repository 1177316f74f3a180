"""moto's DynamoDB, made strict: one call at a time, transactions atomic, request tokens remembered.

moto 5.2.5 runs calls of several threads into one another, copies whole tables for every transaction and
ignores ClientRequestToken. `strict()` leans on its internals, which is why moto is pinned.

The calls that tests make by the thousand reach moto without the wire between them: nothing is signed, sent to
nowhere and parsed again. Only JSON crosses over, as it would there: neither side holds the other's objects.
"""

import contextlib
import copy
import functools
import threading
from collections import defaultdict
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import msgspec
from botocore import xform_name
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from moto.core.base_backend import BackendDict
from moto.core.models import DEFAULT_ACCOUNT_ID, botocore_stubber
from moto.dynamodb import models as moto_models
from moto.dynamodb.exceptions import DynamodbException
from moto.dynamodb.models import DynamoDBBackend, dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.responses import DynamoHandler

from chalicelib.kernel import aws
from chalicelib.kernel.settings import SETTINGS

LOCK = threading.RLock()
WITHOUT_WIRE = {
    "GetItem",
    "PutItem",
    "UpdateItem",
    "DeleteItem",
    "Query",
    "Scan",
    "BatchGetItem",
    "BatchWriteItem",
    "TransactGetItems",
    "TransactWriteItems",
}


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


def _handed_over(client: Any, operation: str, request: dict[str, Any]) -> Any:
    """moto's answer, without the wire; who listens to the client's events hears of the call as ever."""
    body, model = msgspec.json.encode(request), client.meta.service_model.operation_model(operation)
    sent = {"body": body, "headers": {}, "context": {}, "url_path": "/", "query_string": {}}
    told: dict[str, Any] = {"model": model, "context": {}}
    client.meta.events.emit_until_response(f"before-call.dynamodb.{operation}", params=sent, **told)
    handler: Any = DynamoHandler()
    handler.current_account, handler.region = DEFAULT_ACCOUNT_ID, client.meta.region_name
    handler.body = handler.params = msgspec.json.decode(body)
    try:
        answer = _read(getattr(handler, xform_name(operation))().result, model)
    except DynamodbException as refused:
        answer = _refusal(refused)
    client.meta.events.emit(f"after-call.dynamodb.{operation}", http_response=None, parsed=answer, **told)
    if "Error" in answer:
        raise client.exceptions.from_code(answer["Error"]["Code"])(answer, operation)
    return answer


def _read(result: object, model: Any) -> dict[str, Any]:
    """What botocore reads off the wire: only what the operation may answer."""
    found = msgspec.json.decode(msgspec.json.encode(result))
    answer = {name: it for name, it in found.items() if it is not None and name in model.output_shape.members}
    return {**answer, "ResponseMetadata": {"HTTPStatusCode": 200, "HTTPHeaders": {}, "RetryAttempts": 0}}


def _refusal(refused: Any) -> dict[str, Any]:
    body = msgspec.json.decode(refused.description)
    code, message = body.pop("__type").rpartition("#")[2], body.pop("message", "")
    metadata = {"HTTPStatusCode": refused.code, "HTTPHeaders": {}, "RetryAttempts": 0}
    return {**body, "Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata}


@functools.cache
def _made(definition: bytes) -> Any:
    """A table as moto makes it, which takes longer than most tests; what they write to is a copy."""
    table = msgspec.json.decode(definition)
    aws.client("dynamodb").create_table(**table)
    return _tables().pop(table["TableName"])


def create(definitions: list[dict[str, Any]]) -> None:
    """These tables, empty."""
    for definition in definitions:
        table = copy.copy(_made(msgspec.json.encode(definition)))
        table.items = defaultdict(dict)
        _tables()[table.name] = table


def _tables() -> dict[str, Any]:
    backend: Any = dynamodb_backends[DEFAULT_ACCOUNT_ID][SETTINGS.region]
    tables: dict[str, Any] = backend.tables
    return tables


@contextlib.contextmanager
def _moto() -> Iterator[None]:
    """`mock_aws` for who speaks to AWS through botocore only: it patches more, and that takes 30 ms."""
    botocore_stubber.enabled = True
    BackendDict.reset()
    try:
        yield
    finally:
        botocore_stubber.enabled = False
        BackendDict.reset()


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
            made = _handed_over if operation in WITHOUT_WIRE else call
            answer = made(self, operation, request)
            if token:
                tokens[token] = body
            return answer

    models.copy = keep_tables
    backend.transact_write_items = transaction
    clients._make_api_call = serial
    try:
        with _moto():
            yield
    finally:
        models.copy = real_copy
        backend.transact_write_items = slow_transaction
        clients._make_api_call = call
