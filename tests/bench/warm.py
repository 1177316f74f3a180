"""One warm request again and again: `python -m tests.bench.warm <folder> <case> ours|bare <times>`.

`ours` is the application; `bare` is a Chalice route that makes the same boto3 calls with the same
arguments. Both on the same wire.
"""

import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.bench.record import Call, Case, load, unplain
from tests.bench.wire import answer_with


def wire(case: Case) -> None:
    """Answers each call as it was answered when recorded: by operation, and by key for reads."""
    calls = case.before + case.calls
    known = {_key(call.operation, call.arguments): call.answer for call in calls}

    def answered(operation: str) -> Callable[[dict[str, Any]], Any]:
        return lambda body: known[_key(operation, body)]

    answer_with({call.operation: answered(call.operation) for call in calls})


def _key(operation: str, arguments: dict[str, Any]) -> str:
    if operation not in ("GetItem", "BatchGetItem", "Query"):
        return operation
    told = ("Key", "RequestItems", "ExpressionAttributeValues")
    what = next(arguments[name] for name in told if name in arguments)
    return f"{operation} {arguments.get('TableName')} {sorted(str(what))}"


def bare(calls: list[Call]) -> Any:
    import boto3
    from botocore import xform_name
    from chalice.app import Chalice

    app, clients = Chalice("bare"), {}
    ready = [(call.service, xform_name(call.operation), unplain(call.arguments)) for call in calls]

    @app.route("/case", methods=["GET", "POST"])
    def case() -> Any:
        for service, method, arguments in ready:
            if service not in clients:
                make: Any = boto3.client
                clients[service] = make(service)
            getattr(clients[service], method)(**arguments)
        return {"state": "done"}

    return app


def ours(case: Case) -> Any:
    from app import app

    if case.name == "redemption":
        from chalicelib.coupons.service import budgets as service

        service.CACHE_AGE = timedelta(days=1)
    return app


def main() -> None:
    folder, name, side, times = sys.argv[1:]
    case = load(Path(folder), name)
    wire(case)
    app = ours(case) if side == "ours" else bare(case.calls)
    event = case.event
    if side == "bare":
        event = {**event, "resource": "/case", "path": "/case", "pathParameters": None}
        event["requestContext"] = {**event["requestContext"], "resourcePath": "/case"}
    for _ in range(int(times)):
        answer = app(event, None)
        assert answer["statusCode"] < 300, answer


if __name__ == "__main__":
    main()
