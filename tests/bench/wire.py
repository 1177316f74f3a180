"""AWS answered from memory, below botocore's last hook: everything up to the socket is really executed.

Both sides of a ratio run on this wire, so what is compared is our code and not a server.
"""

import json
from collections.abc import Callable
from io import BytesIO
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse

Answers = dict[str, Any | Callable[[dict[str, Any]], Any]]


class _Raw(BytesIO):
    def stream(self, amount: int = 1 << 16, **_: Any) -> Any:
        while chunk := self.read(amount):
            yield chunk


def answer_with(answers: Answers) -> list[str]:
    """Answers each operation (`GetItem`, `Publish`...) of every client made from now on.

    The list returned grows by the name of each operation called.
    """
    called: list[str] = []

    def before_send(request: Any, event_name: str = "", **_: Any) -> AWSResponse:
        operation = event_name.rsplit(".", 1)[-1]
        called.append(operation)
        found = answers[operation]
        body = json.loads(request.body) if callable(found) and request.body else {}
        raw = json.dumps(found(body) if callable(found) else found).encode()
        headers: Any = {"Content-Type": "application/x-amz-json-1.0", "Content-Length": str(len(raw))}
        return AWSResponse(request.url, 200, headers, _Raw(raw))

    boto3.setup_default_session()
    session: Any = boto3.DEFAULT_SESSION
    session.events.register("before-send", before_send)
    return called


def gateway_event(
    method: str,
    resource: str,
    path: dict[str, str],
    body: Any = None,
    headers: dict[str, str] | None = None,
    claims: dict[str, str] | None = None,
) -> dict[str, Any]:
    """An API Gateway REST proxy event (docs.aws.amazon.com/apigateway, "Lambda proxy integrations")."""
    return {
        "resource": resource,
        "path": resource,
        "httpMethod": method,
        "headers": {"Content-Type": "application/json", **(headers or {})},
        "multiValueHeaders": {},
        "multiValueQueryStringParameters": None,
        "pathParameters": path or None,
        "stageVariables": None,
        "body": None if body is None else json.dumps(body),
        "isBase64Encoded": False,
        "requestContext": {
            "httpMethod": method,
            "resourcePath": resource,
            "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
            "identity": {"sourceIp": "203.0.113.77"},
            "authorizer": {"claims": {"token_use": "id", **(claims or {})}} if claims else None,
        },
    }
