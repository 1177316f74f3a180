"""The web floor: reads requests, knows the status codes, writes answers and problems (RFC 9457).

A view says what it needs in its signature: path parameters by name, one msgspec Struct for the body, and
`call: Call` for everything else. The error map wraps the view, since Chalice turns a view's exception into
a response before any middleware could see it (aws/chalice#2056).
"""

import functools
import inspect
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
from aws_lambda_powertools.metrics import MetricUnit
from chalice.app import Blueprint, Chalice, Request, Response
from msgspec import Struct

from chalicelib.kernel import errors
from chalicelib.kernel.auth import COGNITO, Caller, Group, caller_of
from chalicelib.kernel.entry import LOG, METRICS
from chalicelib.kernel.errors import HandoverError, Malformed

STATUS: dict[type[HandoverError], int] = {
    errors.Malformed: 400,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.WrongMethod: 405,
    errors.Conflict: 409,
    errors.Stale: 412,
    errors.TooLarge: 413,
    errors.Unsupported: 415,
    errors.Refused: 422,
    errors.TooMany: 429,
    errors.Busy: 503,
}
REPLAYED = {"Idempotent-Replayed": "true"}
PROBLEM_BASE = "https://handover.example/problems/"
MAX_BODY_BYTES = 512 * 1024
MAX_KEY_CHARS = 128
MAX_NAME_CHARS = 200
"""No id is longer, and DynamoDB's keys have a limit: a longer name in a path names nothing."""

PUBLIC: frozenset[Group] | None = None
SIGNED_IN: frozenset[Group] = frozenset()
Who = frozenset[Group] | Group | None


@dataclass(frozen=True)
class Call:
    """One request as a view may see it, read once: Chalice's `current_request` is not safe to keep."""

    method: str
    path: str
    raw: bytes
    headers: dict[str, str]
    query: dict[str, str]
    ip: str
    trace_id: str
    maybe_caller: Caller | None

    @property
    def caller(self) -> Caller:
        if self.maybe_caller is None:
            raise errors.Unauthenticated()
        return self.maybe_caller

    @property
    def maybe_key(self) -> str | None:
        return self.headers.get("idempotency-key") or None

    @property
    def key(self) -> str:
        """The Idempotency-Key (draft-ietf-httpapi-idempotency-key-header-07)."""
        key = self.maybe_key
        if key is None or len(key) > MAX_KEY_CHARS:
            problem = "missing" if key is None else f"longer than {MAX_KEY_CHARS} characters"
            raise Malformed("Idempotency-Key is needed", (("Idempotency-Key", problem),))
        return key

    @property
    def cookies(self) -> dict[str, str]:
        pairs = (part.split("=", 1) for part in self.headers.get("cookie", "").split(";") if "=" in part)
        return {name.strip(): value.strip() for name, value in pairs}

    @property
    def agent(self) -> str:
        return self.headers.get("user-agent", "")[:200]

    @property
    def language(self) -> Literal["ko", "en"]:
        """Korean unless the caller prefers English before Korean (RFC 9110, 12.5.4, first match)."""
        for entry in self.headers.get("accept-language", "").lower().split(","):
            if entry.strip().startswith("ko"):
                return "ko"
            if entry.strip().startswith("en"):
                return "en"
        return "ko"


@dataclass(frozen=True)
class Answer:
    """A body with headers of its own. `body` is a Struct for JSON, text or bytes for anything else."""

    body: Struct | str | bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    status: int | None = None
    content_type: str | None = None


class Declared(Struct, frozen=True):
    """One route as its decorator and signature declare it: what the OpenAPI document is built from."""

    path: str
    method: str
    status: int
    who: frozenset[Group] | None
    body: type[Struct] | None
    answer: Any
    keyed: bool
    summary: str
    view: str
    module: str


DECLARED: list[Declared] = []


def call_of(request: Request) -> Call:
    event = request.to_original_event()
    # Values can be None when a client sends a header twice or a query name without a value.
    headers = {name.lower(): value or "" for name, value in dict(request.headers).items()}
    query = {
        name: values[-1] or "" for name, values in (event["multiValueQueryStringParameters"] or {}).items()
    }
    context = event["requestContext"]
    return Call(
        method=request.method,
        path=request.path,
        raw=_raw_of(request),
        headers=headers,
        query=query,
        ip=str((context.get("identity") or {}).get("sourceIp") or ""),
        trace_id=str(context.get("requestId") or ""),
        maybe_caller=caller_of(event),
    )


def _raw_of(request: Request) -> bytes:
    try:
        raw = request.raw_body
        return raw.encode() if isinstance(raw, str) else raw
    except ValueError as problem:
        raise Malformed("the body is not base64") from problem


def _body(call: Call, shape: type[Struct]) -> Struct:
    media = call.headers.get("content-type", "application/json").split(";")[0].strip().lower()
    if media != "application/json":
        raise errors.Unsupported(f"send application/json, not {media}")
    try:
        return msgspec.json.decode(call.raw, type=shape)
    except msgspec.ValidationError as problem:
        raise Malformed("the body does not fit", (_field(str(problem)),)) from problem
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise Malformed("the body is not JSON") from problem


def _field(message: str) -> tuple[str, str]:
    """msgspec says "Expected `int`, got `str` - at `$.items[0].ref`"; the pointer is RFC 6901's."""
    text, _, where = message.partition(" - at `$")
    return where.rstrip("`").replace(".", "/").replace("[", "/").replace("]", "") or "/", text


def problem(error: HandoverError, trace_id: str) -> Response:
    status = next(STATUS[family] for family in type(error).__mro__ if family in STATUS)
    document: dict[str, Any] = {
        "type": PROBLEM_BASE + error.code.lower().replace("_", "-"),
        "title": error.title(),
        "status": status,
        "detail": str(error),
        "code": error.code,
        "trace_id": trace_id,
        **error.extra,
    }
    headers: dict[str, Any] = {
        "Content-Type": "application/problem+json",
        "Cache-Control": "no-store",
    }
    if isinstance(error, Malformed):
        document["errors"] = [{"pointer": where, "detail": what} for where, what in error.fields]
    if isinstance(error, errors.TooMany | errors.Busy):
        headers["Retry-After"] = str(error.retry_after)
    return Response(json.dumps(document, ensure_ascii=False), headers, status)


def refuse_methods(request: Request, get_response: Callable[[Request], Response]) -> Response:
    """Middleware: Chalice refuses a wrong method before any view, in words of its own."""
    answer = get_response(request)
    if answer.status_code != STATUS[errors.WrongMethod]:
        return answer
    refusal = problem(errors.WrongMethod(), str(request.context.get("requestId") or ""))
    refusal.headers["Allow"] = str(answer.headers["Allow"]).replace("GET", "GET, HEAD")
    return refusal


def _unexpected(trace_id: str) -> Response:
    document = {
        "type": "about:blank",
        "title": "Something broke on our side.",
        "status": 500,
        "detail": "It is recorded under the trace id; try again.",
        "code": "INTERNAL",
        "trace_id": trace_id,
    }
    headers: dict[str, Any] = {
        "Content-Type": "application/problem+json",
        "Cache-Control": "no-store",
    }
    return Response(json.dumps(document), headers, 500)


def limit_of(query: dict[str, str], usual: int, most: int) -> int:
    """The page size a list is asked for."""
    text = query.get("limit") or str(usual)
    if not (re.fullmatch(r"[0-9]{1,9}", text, re.ASCII) and 1 <= int(text) <= most):
        raise Malformed("the limit does not fit", (("/limit", f"a whole number from 1 to {most}"),))
    return int(text)


def _written(result: Any, status: int) -> Response:
    answer = result if isinstance(result, Answer) else Answer(result)
    headers: dict[str, Any] = {
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        **answer.headers,
    }
    if answer.body is None:
        return Response("", headers, answer.status or status)
    if isinstance(answer.body, str | bytes):
        headers["Content-Type"] = answer.content_type or "text/plain; charset=utf-8"
        return Response(answer.body, headers, answer.status or status)
    headers["Content-Type"] = "application/json"
    return Response(msgspec.json.encode(answer.body).decode(), headers, answer.status or status)


def _allowed(call: Call, who: frozenset[Group] | None) -> None:
    if who is PUBLIC:
        return
    groups = call.caller.groups
    if who and not who & groups:
        raise errors.Forbidden()


class App(Chalice):
    """Registers a context when the first of its paths is asked for, or when told to `open` it.

    A cold start then pays for one context and not for all of them. `rooms`: path -> context. HEAD, which
    Chalice does not know, is GET without its body (RFC 9110, 9.3.2).
    """

    def __init__(self, name: str, rooms: Mapping[str, str], routes_of: Callable[[str], Blueprint]) -> None:
        super().__init__(app_name=name, configure_logs=False)
        self._rooms, self._routes_of = rooms, routes_of
        self._opened: set[str] = set()

    def open(self, room: str) -> None:
        if room not in self._opened:
            self.register_blueprint(self._routes_of(room))
            self._opened.add(room)

    def __call__(self, event: Any, context: Any) -> dict[str, Any]:
        room = self._rooms.get(event["requestContext"]["resourcePath"])
        if room:
            self.open(room)
        if event["requestContext"]["httpMethod"] != "HEAD":
            return super().__call__(event, context)
        asked = {**event, "requestContext": {**event["requestContext"], "httpMethod": "GET"}}
        return {**super().__call__(asked, context), "body": "", "isBase64Encoded": False}


class Routes(Blueprint):
    """A blueprint whose views are plain functions of their request."""

    def get(self, path: str, *, who: Who, status: int = 200) -> Callable[..., Any]:
        return self._declare(path, "GET", status, who)

    def post(self, path: str, *, who: Who, status: int = 200, keyed: bool = False) -> Callable[..., Any]:
        """`keyed`: the view reads `call.key`; a missing Idempotency-Key is refused before anything else."""
        return self._declare(path, "POST", status, who, keyed)

    def put(self, path: str, *, who: Who, status: int = 200) -> Callable[..., Any]:
        return self._declare(path, "PUT", status, who)

    def delete(self, path: str, *, who: Who, status: int = 204) -> Callable[..., Any]:
        return self._declare(path, "DELETE", status, who)

    def _declare(
        self, path: str, method: str, status: int, who: Who, keyed: bool = False
    ) -> Callable[..., Any]:
        groups = frozenset({who}) if isinstance(who, Group) else who

        def register(view: Callable[..., Any]) -> Callable[..., Any]:
            needs = inspect.get_annotations(view)
            answer = needs.pop("return", None)
            body = next((kind for kind in needs.values() if _is_struct(kind)), None)
            summary = (view.__doc__ or view.__name__.replace("_", " ")).strip().splitlines()[0]
            DECLARED.append(
                Declared(
                    path,
                    method,
                    status,
                    groups,
                    body,
                    answer,
                    keyed,
                    summary,
                    view.__name__,
                    view.__module__,
                )
            )
            wrapped = self._wrapped(view, needs, groups, status, keyed)
            authorizer = None if groups is PUBLIC else COGNITO
            self.route(path, methods=[method], content_types=["*/*"], authorizer=authorizer)(wrapped)
            return view

        return register

    def _wrapped(
        self,
        view: Callable[..., Any],
        needs: dict[str, Any],
        who: frozenset[Group] | None,
        status: int,
        keyed: bool,
    ) -> Callable[..., Response]:
        @functools.wraps(view)
        def run(**path: str) -> Response:
            trace_id = ""
            try:
                trace_id = str(self.current_request.context.get("requestId") or "")
                call = call_of(self.current_request)
                LOG.append_keys(function=view.__name__, trace_id=call.trace_id)
                _allowed(call, who)
                if len(call.raw) > MAX_BODY_BYTES:
                    raise errors.TooLarge()
                if keyed:
                    _ = call.key
                return _written(view(**_arguments(needs, path, call)), status)
            except HandoverError as error:
                LOG.info("refused", code=error.code)
                return problem(error, trace_id)
            except Exception as error:
                LOG.exception("unexpected", problem=type(error).__name__)
                METRICS.add_metric("api_unexpected", MetricUnit.Count, 1)
                METRICS.flush_metrics()
                return _unexpected(trace_id)

        return run


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Struct)


def _arguments(needs: dict[str, Any], path: dict[str, str], call: Call) -> dict[str, Any]:
    if any(len(name) > MAX_NAME_CHARS for name in path.values()):
        raise errors.NotFound()
    given: dict[str, Any] = dict(path)
    for name, kind in needs.items():
        if kind is Call:
            given[name] = call
        elif _is_struct(kind):
            given[name] = _body(call, kind)
    return given
