"""Writes docs/openapi.yaml, docs/states.md, docs/facts.yaml and the tables of tests in docs/security.md and
docs/money.md: `make docs`.

What a route is comes from its decorator and signature (`chalicelib.kernel.http.DECLARED`); what it reads
of a call beyond its body is seen in its code; only what a query may say stands here.
"""

import importlib
import json
import os
import pkgutil
import re
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("STAGE", "docs")

import msgspec
import yaml

import chalicelib
from chalicelib.kernel.errors import HandoverError
from chalicelib.kernel.http import DECLARED, MAX_KEY_CHARS, STATUS, Declared
from chalicelib.kernel.states import Table
from infra import promises

DOCS = Path(__file__).parent.parent / "docs"
SAMPLES = DOCS.parent / "events" / "facts"
NOTE = "Written by `make docs` from the code; edit the code instead."

SCHEMAS = "#/components/schemas/"
KEY_RULE = (
    "One key for one request: a retry with the same body hears the first answer, with "
    "`Idempotent-Replayed: true`; the same key with another body is refused with 422."
)
Json = dict[str, Any]


def _query(name: str, description: str, **schema: Any) -> Json:
    return {"name": name, "in": "query", "description": description, "schema": schema}


PAGE = [
    _query("limit", "How many at most.", type="integer", minimum=1),
    _query("cursor", "Where the page before ended: its `next_cursor`.", type="string"),
]
PREVIEW = [_query("preview", "`true`: what it would cost; nothing changes.", type="string", enum=["true"])]
CSV = _query("format", "As with `Accept: text/csv`.", type="string", enum=["csv"])
REASON = {**_query("reason", "Why, in words.", type="string"), "required": True}
UNIT_REASONS = ("stolen", "removed", "defective")
QUERY = {
    "GET /v1/ops/campaigns": PAGE,
    "GET /v1/ops/campaigns/{campaign_id}/codes/{batch_id}": [*PAGE, CSV],
    "GET /v1/me/coupons": PAGE,
    "GET /v1/ops/lookup": [
        _query("code", "A coupon's code; exactly one of these is given.", type="string"),
        *(
            _query(name, "Exactly one of these is given.", type="string")
            for name in ("coupon_id", "customer_id", "order_id", "checkout_id")
        ),
    ],
    "GET /v1/ops/reconciliations": PAGE[:1],
    "GET /v1/ops/settlements/{sponsor_id}/{period}": [CSV],
    "GET /v1/sponsor/settlements/{period}": [CSV],
    "GET /v1/ops/campaigns/{campaign_id}/batches": PAGE,
    "GET /v1/me/points/entries": PAGE,
    "GET /v1/ops/points/{customer_id}": PAGE,
    "GET /v1/ops/incidents": PAGE,
    "GET /v1/ops/incidents/{incident_id}": [
        *PAGE,
        _query("outcome", "Only rows that stand there; a page may then hold fewer.", type="string"),
    ],
    "POST /v1/contracts/{contract_id}/reschedule": PREVIEW,
    "GET /v1/contracts": PAGE,
    "POST /v1/contracts/{contract_id}/cancel": PREVIEW,
    "POST /v1/contracts/{contract_id}/renew": PREVIEW,
    "POST /v1/contracts/{contract_id}/drivers": PREVIEW,
    "POST /v1/ops/contracts/{contract_id}/breach": PREVIEW,
    "GET /v1/slots": [
        _query("which", "The handover when not given.", type="string", enum=["handover", "return"]),
        _query("day", "A day in Seoul.", type="string", format="date"),
    ],
    "GET /v1/partner/jobs": PAGE,
    "GET /v1/contracts/{contract_id}/timeline": PAGE,
    "GET /v1/ops/cars/{car_id}/log": [
        *PAGE,
        _query("of", "`commands` when not given, `denied`, or the id of a command.", type="string"),
    ],
    "GET /v1/ops/fleet/log": PAGE,
    "GET /v1/ops/contracts/{contract_id}/smart-keys/{grant_id}/log": PAGE,
    "DELETE /v1/ops/contracts/{contract_id}/smart-keys/{grant_id}": [{**REASON, "required": False}],
    "DELETE /v1/ops/cars/{car_id}/stop": [REASON],
    "DELETE /v1/ops/fleet/stop": [REASON],
    "DELETE /v1/ops/cars/{car_id}/unit": [
        {
            **_query("reason", "Why it is out of the car.", type="string", enum=[*UNIT_REASONS]),
            "required": True,
        }
    ],
    "GET /v1/parking": [
        _query("lat", "Degrees north.", type="number", minimum=-90, maximum=90),
        _query("lon", "Degrees east.", type="number", minimum=-180, maximum=180),
        _query("radius", "In metres; 1000 when not given.", type="integer", minimum=1, maximum=2000),
        _query("minutes", "The stay to price; 60 when not given.", type="integer", minimum=1, maximum=10080),
    ],
}
"""Per route that reads the query: what it may say."""
ALSO = {
    "GET /v1/ops/campaigns/{campaign_id}/codes/{batch_id}": "text/csv",
    "GET /v1/ops/settlements/{sponsor_id}/{period}": "text/csv",
    "GET /v1/sponsor/settlements/{period}": "text/csv",
}
"""Routes that answer in a second media type."""


@dataclass(frozen=True)
class Route:
    """A route as it is registered, and as it was declared."""

    declared: Declared
    view: Callable[..., Any]

    @property
    def name(self) -> str:
        return f"{self.declared.method} {self.declared.path}"

    @property
    def context(self) -> str:
        return self.view.__module__.rpartition(".")[2]

    def reads(self, what: str) -> bool:
        """Whether the view's own code looks at `call.<what>`."""
        return what in self.view.__code__.co_names


def routes() -> list[Route]:
    """Every registered route, in the order of registration. KeyError for one that nobody declared."""
    app = importlib.import_module("app").app
    declared = {(each.path, each.method): each for each in DECLARED}
    return [
        Route(declared[path, method], entry.view_function.__wrapped__)
        for path, methods in app.routes.items()
        for method, entry in methods.items()
    ]


def openapi() -> Json:
    """The whole document, OpenAPI 3.1."""
    every = routes()
    shapes = [shape for route in every for shape in _shapes(route.declared)]
    schemas, components = msgspec.json.schema_components(shapes, ref_template=SCHEMAS + "{name}")
    named = dict(zip(shapes, schemas, strict=True))
    paths: dict[str, Json] = {}
    for route in every:
        operation = _operation(route, named)
        paths.setdefault(route.declared.path, {})[route.declared.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "handover",
            "version": "1",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "description": "JSON in UTF-8; times RFC 3339 with offset; money in whole won; ids are opaque. "
            "What is another's answers 404. Errors are problem documents (RFC 9457).",
        },
        "servers": [{"url": "/", "description": "api_url in .local/stack.json, or the deployed stack's"}],
        "paths": paths,
        "components": {
            "securitySchemes": _security_schemes(),
            "parameters": {
                "IdempotencyKey": _key_parameter(True),
                "MaybeIdempotencyKey": _key_parameter(False),
            },
            "headers": {"IdempotentReplayed": _replayed_header()},
            "responses": _problems(),
            "schemas": {"Problem": _problem_schema(), **dict(sorted(components.items()))},
        },
    }


def _shapes(declared: Declared) -> list[Any]:
    """The Structs a route reads and answers."""
    answers = typing.get_args(declared.answer) or (declared.answer,)
    kinds = [declared.body, *answers]
    return [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, msgspec.Struct)]


def _operation(route: Route, named: dict[Any, Json]) -> Json:
    declared = route.declared
    operation: Json = {
        "operationId": f"{route.context}_{declared.view}",
        "tags": [route.context],
        "summary": declared.summary,
        "security": _security(route),
    }
    if declared.who:
        operation["description"] = "For " + ", ".join(sorted(declared.who)) + "."
    if parameters := list(_parameters(route)):
        operation["parameters"] = parameters
    if declared.body:
        operation["requestBody"] = {"required": True, "content": _json(named[declared.body])}
    elif route.reads("raw"):
        operation["requestBody"] = {"required": True, "content": {"*/*": {}}}
    operation["responses"] = _responses(route, named)
    return operation


def _security(route: Route) -> list[dict[str, list[str]]]:
    if route.declared.who is not None:
        return [{"signedIn": []}]
    if route.reads("cookies"):
        return [{"smartKey": []}]
    return [{"signature": []}] if route.reads("raw") else []


def _parameters(route: Route) -> Iterator[Json]:
    for name in re.findall(r"{(\w+)}", route.declared.path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
    if route.declared.keyed:
        yield {"$ref": "#/components/parameters/IdempotencyKey"}
    elif route.reads("maybe_key"):
        yield {"$ref": "#/components/parameters/MaybeIdempotencyKey"}
    yield from QUERY.get(route.name, [])


def _responses(route: Route, named: dict[Any, Json]) -> Json:
    declared = route.declared
    success: Json = {"description": "As asked."}
    if content := _content(route, named):
        success["content"] = content
    if declared.keyed or route.reads("REPLAYED"):
        success["headers"] = {"Idempotent-Replayed": {"$ref": "#/components/headers/IdempotentReplayed"}}
    problems = {
        str(STATUS[family]): {"$ref": f"#/components/responses/{family.__name__}"}
        for family in STATUS
        if STATUS[family] in _possible(route)
    }
    return {str(declared.status): success, **problems}


def _content(route: Route, named: dict[Any, Json]) -> Json:
    """Nothing with 204; pages and files are whatever they are."""
    declared = route.declared
    answers = [shape for shape in _shapes(declared) if shape is not declared.body]
    if not answers:
        return {} if declared.answer is None or declared.status == 204 else {"*/*": {}}
    also = {ALSO[route.name]: {"schema": {"type": "string"}}} if route.name in ALSO else {}
    return _json(named[answers[0]]) | also


def _possible(route: Route) -> set[int]:
    """The statuses this kind of route can be refused with."""
    declared = route.declared
    reads_body = declared.body is not None or route.reads("raw")
    kinds = {
        400: reads_body or declared.keyed or route.reads("query"),
        401: bool(_security(route)),
        403: bool(declared.who),
        404: declared.body is not None or "{" in declared.path,
        409: declared.method != "GET",
        413: reads_body,
        415: declared.body is not None or (route.reads("raw") and bool(declared.who)),
        422: declared.method != "GET",
        429: declared.method != "GET",
        503: True,
    }
    return {status for status, so in kinds.items() if so}


def _json(schema: dict[str, Any]) -> Json:
    return {"application/json": {"schema": schema}}


def _security_schemes() -> Json:
    return {
        "signedIn": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "An id token of the user pool; its groups decide what is allowed.",
        },
        "smartKey": {
            "type": "apiKey",
            "in": "cookie",
            "name": "__Host-smartkey",
            "description": "The session that the exchange of a smart-key link opens.",
        },
        "signature": {
            "type": "apiKey",
            "in": "header",
            "name": "X-Signature",
            "description": "`sha256=` and the hex HMAC-SHA256 of the raw body under the sender's secret.",
        },
    }


def _key_parameter(required: bool) -> Json:
    return {
        "name": "Idempotency-Key",
        "in": "header",
        "required": required,
        "description": KEY_RULE,
        "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY_CHARS},
    }


def _replayed_header() -> Json:
    return {
        "description": "Present when this request changed nothing because an earlier one already had.",
        "schema": {"type": "string", "const": "true"},
    }


def _problems() -> Json:
    """One response per family of errors, with the codes of its members."""
    return {
        family.__name__: {
            "description": "\n".join(_codes(family)),
            "content": {"application/problem+json": {"schema": {"$ref": SCHEMAS + "Problem"}}},
            **({"headers": {"Retry-After": {"schema": {"type": "integer"}}}} if status in {429, 503} else {}),
        }
        for family, status in STATUS.items()
    }


def _codes(family: type[HandoverError]) -> list[str]:
    """`CODE`: what it means, for a family and whatever of ours derives from it."""
    every_module()
    mine = {
        kind
        for kind in _descendants(family)
        if kind.__module__.startswith("chalicelib.") and (kind is family or kind not in STATUS)
    }
    return sorted({f"- `{kind.code}`: {kind.title()}" for kind in mine})


def _descendants(kind: type[HandoverError]) -> Iterator[type[HandoverError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _descendants(child)


def every_module() -> list[Any]:
    names = (found.name for found in pkgutil.walk_packages(chalicelib.__path__, "chalicelib."))
    return [importlib.import_module(name) for name in sorted(names)]


def _problem_schema() -> Json:
    text = {"type": "string"}
    field = {
        "type": "object",
        "required": ["pointer", "detail"],
        "properties": {"pointer": text, "detail": text},
    }
    return {
        "description": "RFC 9457. `code` is stable; some codes bring members of their own.",
        "type": "object",
        "required": ["type", "title", "status", "detail", "code", "trace_id"],
        "properties": {
            "type": text,
            "title": text,
            "status": {"type": "integer"},
            "detail": text,
            "code": text,
            "trace_id": text,
            "errors": {
                "type": "array",
                "items": field,
                "description": "The fields that are wrong, with 400.",
            },
        },
    }


def tables() -> dict[str, Table[Any, Any]]:
    """Every context's state tables, as "context: name". The first row of each starts where things start."""
    return {
        f"{module.__name__.split('.')[1]}: {name.lower()}": value
        for module in every_module()
        if module.__name__.endswith(".model")
        for name, value in vars(module).items()
        if isinstance(value, Table)
    }


def states() -> str:
    """The state diagrams of all contexts, as Mermaid in Markdown."""
    parts = ["# States", NOTE + " A role may say what its row says; `T.` marks a timer."]
    for title, table in tables().items():
        parts += [f"## {title}", f"```mermaid\n{table.mermaid(table.rows[0][0])}\n```"]
    return "\n\n".join(parts) + "\n"


KIN = {
    "KeyFound": "KeyLost",
    "KeyRekeyed": "KeyLost",
    "KeyShipmentLate": "KeyShipmentMoved",
    "KeyShipmentMisdelivered": "KeyShipmentMoved",
    "KeyShipmentMismatched": "KeyShipmentMoved",
    "KeyShipmentVerified": "KeyShipmentMoved",
}
"""Facts that share the data of another one."""


def facts() -> Json:
    """AsyncAPI 3: the bus, and every fact on it: a sample in events/facts, data as its publisher says."""
    samples = {path.stem: json.loads(path.read_text()) for path in sorted(SAMPLES.glob("*.json"))}
    shapes = {name: _published(KIN.get(name, name), sample) for name, sample in samples.items()}
    data, schemas = msgspec.json.schema_components(list(shapes.values()), ref_template=SCHEMAS + "{name}")
    messages = {
        name: {
            "contentType": "application/cloudevents+json",
            "summary": re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).capitalize() + ".",
            "payload": _envelope(name, sample["source"], shape),
            "examples": [{"payload": sample}],
        }
        for (name, sample), shape in zip(samples.items(), data, strict=True)
    }
    channel = {
        "address": "{stage}-facts",
        "description": "An EventBridge bus: detail is the CloudEvent, detail-type its type.",
        "parameters": {"stage": {"description": "The stage's name."}},
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
    }
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "handover's published facts", "version": "1.0.0"},
        "channels": {"facts": channel},
        "components": {"messages": messages, "schemas": schemas},
    }


def _published(name: str, sample: Json) -> type[msgspec.Struct]:
    """The publishing context's own schema of that name."""
    context = sample["source"].removeprefix("handover.")
    shape: type[msgspec.Struct] = vars(importlib.import_module(f"chalicelib.{context}.schemas"))[name]
    return shape


def _envelope(name: str, source: str, data: Json) -> Json:
    """CloudEvents 1.0."""
    text = {"type": "string"}
    return {
        "type": "object",
        "required": ["specversion", "id", "type", "source", "subject", "time", "datacontenttype", "data"],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": text,
            "type": {"const": name},
            "source": {"const": source},
            "subject": text,
            "time": {"type": "string", "format": "date-time"},
            "datacontenttype": {"const": "application/json"},
            "data": data,
        },
    }


def facts_yaml() -> str:
    return f"# {NOTE}\n" + yaml.safe_dump(facts(), sort_keys=False, allow_unicode=True, width=110)


def openapi_yaml() -> str:
    document = yaml.safe_dump(openapi(), sort_keys=False, allow_unicode=True, width=110)
    return f"# {NOTE}\n{document}"


if __name__ == "__main__":
    (DOCS / "openapi.yaml").write_text(openapi_yaml())
    (DOCS / "states.md").write_text(states())
    (DOCS / "facts.yaml").write_text(facts_yaml())
    for each in promises.EVERY:
        each.document.write_text(each.written())
