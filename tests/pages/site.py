"""A small site for the browser: our real pages and headers, and an API that answers as each test says."""

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from chalicelib.kernel.errors import NotFound
from chalicelib.pages.model import safety_headers
from chalicelib.pages.store import File, PageFiles
from tests.conftest import ROOT

COMPRESSED_FROM = json.loads((ROOT / ".chalice" / "config.json").read_text())["minimum_compression_size"]
"""Bytes; the gateway leaves less as it is."""

BASE = "/restapis/abc123/api/_user_request_"
"""As deep as a page can stand: nothing in it may think it is at the root."""

PAGES = {"/k": "smart-key.html", "/k-worker.js": "k-worker.js", "/ops": "ops.html", "/my": "my.html"}
PAGES |= {
    "/plans": "plans.html",
    "/partner": "partner.html",
    "/p-worker.js": "p-worker.js",
    "/sponsor": "sponsor.html",
}
SIGNS_IN = ("/ops", "/my", "/plans", "/partner", "/sponsor")
USES = {"/k": ("geolocation",), "/my": ("camera", "geolocation"), "/partner": ("camera", "geolocation")}


@dataclass(frozen=True)
class Reply:
    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


LOST = Reply(status=0)
"""The request arrives and its answer does not."""


@dataclass(frozen=True)
class Seen:
    method: str
    path: str
    headers: dict[str, str]
    body: Any


def problem(status: int, code: str, detail: str = "", **headers: str) -> Reply:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, {"code": code, "detail": detail, "status": status}, sent)


class Site:
    """`says("GET /v1/smart-key", reply, reply...)`: answers in turn, and the last one from then on."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.origin = ""
        self._answers: dict[str, list[Reply]] = {}
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return self.origin + BASE

    def says(self, what: str, *replies: Reply) -> None:
        with self._lock:
            self._answers[what] = list(replies)

    def asked(self, what: str) -> list[Seen]:
        return [seen for seen in self.seen if f"{seen.method} {seen.path}" == what]

    def reply(self, seen: Seen) -> Reply:
        with self._lock:
            self.seen.append(seen)
            answers = self._answers.get(f"{seen.method} {seen.path}")
            if not answers:
                return problem(404, "NOT_FOUND")
            return answers.pop(0) if len(answers) > 1 else answers[0]

    def file(self, path: str) -> File | None:
        try:
            if path in PAGES:
                return PageFiles().template(PAGES[path])
            _, folder, version, name = path.split("/")
            return PageFiles().asset(version, name) if folder == "assets" else None
        except (NotFound, ValueError):
            return None


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, site: Site) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.site = site
        site.origin = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        site, path = self.server.site, self.path.removeprefix(BASE)
        file = site.file(path)
        if file is None:
            return self._answer(path, None)
        site.seen.append(Seen("GET", self.path, dict(self.headers), None))
        headers = {
            **safety_headers(
                site.origin if path in SIGNS_IN else "",
                uses=USES.get(path, ()),
            ),
            "Content-Type": file.content_type,
            "Cache-Control": file.cache,
        }
        return self._write(200, headers, file.body.encode() if isinstance(file.body, str) else file.body)

    def do_DELETE(self) -> None:
        self._answer(self.path.removeprefix(BASE), None)

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        # Cognito is spoken to at the root, by its operation's name.
        path = self.headers.get("X-Amz-Target") or self.path.removeprefix(BASE)
        self._answer(path, json.loads(raw) if raw else None)

    def do_PUT(self) -> None:
        self.do_POST()

    def _answer(self, path: str, body: Any) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.server.site.reply(Seen(self.command, path, headers, body))
        if reply.status == 0:
            # Broken off in the middle: what breaks off before any byte a browser sends again by itself.
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
            self.close_connection = True
            return
        kind = "application/json" if reply.status < 400 else "application/problem+json"
        text = b"" if reply.body is None else json.dumps(reply.body).encode()
        self._write(reply.status, {"Content-Type": kind, "Cache-Control": "no-store", **reply.headers}, text)

    def _write(self, status: int, headers: dict[str, str], body: bytes) -> None:
        if len(body) >= COMPRESSED_FROM and "gzip" in self.headers.get("Accept-Encoding", ""):
            headers, body = {**headers, "Content-Encoding": "gzip"}, gzip.compress(body, 6)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@contextmanager
def serving() -> Iterator[Site]:
    site = Site()
    server = Server(site)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
