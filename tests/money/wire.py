"""Between our code and DynamoDB: each call is a turn of the stage, and may meet what a network does."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from botocore.client import BaseClient
from botocore.exceptions import ClientError, ReadTimeoutError

from tests.checkout.hook import Call, calls_go_through
from tests.money.rows import READS, Rows, refusal
from tests.money.stage import Died, Fault, Stage

Ask = Callable[[str, dict[str, Any]], Any]
"""DynamoDB: an operation and its request."""
WRITES_ALONE = {"PutItem", "UpdateItem", "DeleteItem"}


class NotDynamo(Exception):
    """The code under test spoke to something that is not there."""


def broken(stage: Stage, ask: Ask) -> Ask:
    """What an actor's call may meet on its way."""

    def call(operation: str, request: dict[str, Any]) -> Any:
        fault = stage.turn(said(operation, request))
        if fault is Fault.DEATH_BEFORE:
            raise Died
        if fault is Fault.THROTTLE:
            raise refusal(operation, "ThrottlingException")
        if fault is Fault.CONFLICT and operation not in READS - {"TransactGetItems"}:
            raise conflict(operation, request)
        if fault is Fault.TWICE and operation not in READS:
            with contextlib.suppress(ClientError):
                ask(operation, request)
        answer = ask(operation, request)
        if fault is Fault.DEATH_AFTER:
            raise Died
        if fault is Fault.LOST:
            raise ReadTimeoutError(endpoint_url="dynamodb")
        return answer

    return call


def conflict(operation: str, request: dict[str, Any]) -> ClientError:
    if operation in WRITES_ALONE:
        return refusal(operation, "TransactionConflictException")
    reasons = [{"Code": "None"} for _ in request["TransactItems"]]
    reasons[0] = {"Code": "TransactionConflict"}
    return refusal(operation, "TransactionCanceledException", CancellationReasons=reasons)


def said(operation: str, request: dict[str, Any]) -> str:
    """The call in a few words, for a trace."""
    if operation == "BatchGetItem":
        return operation
    actions = [each for item in request.get("TransactItems", ()) for each in item.values()] or [request]
    rows = [(action.get("Item") or action.get("Key") or {}).get("pk", {}).get("S", "?") for action in actions]
    return f"{operation} {' '.join(rows)}"


@contextlib.contextmanager
def dynamodb_is(ask: Ask) -> Iterator[None]:
    """Every DynamoDB call of any client goes to `ask`; any other service is not there."""

    def instead(real: Call) -> Call:
        def call(client: Any, operation: str, request: dict[str, Any]) -> Any:
            if client.meta.service_model.service_name != "dynamodb":
                raise NotDynamo(f"{client.meta.service_model.service_name} {operation}")
            return ask(operation, request)

        return call

    with calls_go_through(instead):
        yield


def both(rows: Rows, moto: Any) -> Ask:
    """Each call to the one and to the other, on strict moto; they must agree in every answer."""
    real: Any = BaseClient._make_api_call  # type: ignore[attr-defined]

    def call(operation: str, request: dict[str, Any]) -> Any:
        answers: list[Any] = []
        each: tuple[Callable[[], Any], ...] = (
            lambda: rows.call(operation, request),
            lambda: real(moto, operation, request),
        )
        for ask in each:
            try:
                answers.append(ask())
            except ClientError as problem:
                answers.append(problem)
        mine, its = answers
        assert _essence(operation, mine) == _essence(operation, its), (operation, request, mine, its)
        if isinstance(mine, ClientError):
            raise mine
        return mine

    return call


def _essence(operation: str, answer: Any) -> Any:
    """What our code can see of it; moto keeps sets and lists of rows in an order of its own."""
    if isinstance(answer, ClientError):
        response: Any = answer.response
        reasons = [(each.get("Code"), each.get("Item")) for each in response.get("CancellationReasons", ())]
        return response["Error"]["Code"], response.get("Item"), reasons
    if operation in READS:
        return {name: it for name, it in answer.items() if name in ("Item", "Items", "Responses") and it}
    return None
