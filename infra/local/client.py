"""A caller of the deployed HTTP interface, as a phone, a carrier or a console is one."""

import hashlib
import hmac
import json
import uuid
from dataclasses import dataclass, field
from typing import Any

import urllib3

POOL = urllib3.PoolManager(maxsize=32, retries=False, timeout=urllib3.Timeout(connect=5, read=30))


class Unexpected(Exception):
    """The deployed API answered with another status than the story counts on."""


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: Any

    def expect(self, *statuses: int) -> Any:
        """The body; Unexpected when the status is another one."""
        if self.status not in statuses:
            raise Unexpected(f"answered {self.status}: {json.dumps(self.body, ensure_ascii=False)[:400]}")
        return self.body


@dataclass(frozen=True)
class Api:
    """`token` is an id token of the user pool; `cookie` a smart-key session."""

    base: str
    token: str = ""
    cookie: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def send(self, method: str, path: str, body: Any = None, key: str | None = None) -> Reply:
        """A POST without `key` gets a fresh Idempotency-Key."""
        headers = {"Content-Type": "application/json", **self.headers}
        if method == "POST":
            headers["Idempotency-Key"] = key or uuid.uuid4().hex
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if self.cookie:
            headers["Cookie"] = self.cookie
        raw = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        answer = POOL.request(method, self.base + path, body=raw, headers=headers)
        return Reply(answer.status, dict(answer.headers), _read(answer.data))

    def get(self, path: str) -> Reply:
        return self.send("GET", path)

    def post(self, path: str, body: Any = None, key: str | None = None) -> Reply:
        return self.send("POST", path, body, key)

    def webhook(self, carrier: str, secret: str, raw: bytes) -> Reply:
        """One carrier event, signed as that carrier signs."""
        signature = "sha256=" + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
        signed = Api(self.base, headers={"X-Signature": signature})
        return signed.send("POST", f"/v1/webhooks/carriers/{carrier}", raw)


def _read(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return raw.decode("utf-8", "replace")
