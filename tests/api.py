"""A caller of the HTTP interface, through `chalice.test.Client`."""

import base64
import json
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from chalice.test import Client


def bearer(sub: str, *groups: str, **more: Any) -> str:
    """An unsigned id token: the real gateway verifies, the test client only reads the claims."""
    claims = {
        **more,
        "sub": sub,
        "cognito:username": sub,
        "token_use": "id",
        "cognito:groups": list(groups),
    }

    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"Bearer {part({'alg': 'none'})}.{part(claims)}.nosignature"


@dataclass
class Api:
    """`api.post(path, body, by=bearer("kim"), key="k1")` answers .status_code, .headers and .json_body."""

    stack: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        from app import app

        self.client = self.stack.enter_context(Client(app))

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        by: str | None = None,
        key: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Any:
        """`body`: a JSON value, or bytes sent as they are."""
        sent = {"Content-Type": "application/json", **(headers or {})}
        if by:
            sent["Authorization"] = by
        if key:
            sent["Idempotency-Key"] = key
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        return self.client.http.request(method, path, headers=sent, body=raw)

    def get(self, path: str, **rest: Any) -> Any:
        return self.send("GET", path, **rest)

    def post(self, path: str, body: Any = None, **rest: Any) -> Any:
        return self.send("POST", path, body, **rest)

    def delete(self, path: str, **rest: Any) -> Any:
        return self.send("DELETE", path, **rest)


def is_problem(answer: Any, status: int, code: str | None = None) -> bool:
    """A problem document with every member that RFC 9457 and api.md ask for."""
    document = answer.json_body
    assert answer.headers["Content-Type"] == "application/problem+json", answer.body
    assert {"type", "title", "status", "detail", "code", "trace_id"} <= set(document), document
    assert (answer.status_code, document["status"]) == (status, status), document
    assert code is None or document["code"] == code, document
    return True
