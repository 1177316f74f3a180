"""The offices every signing asks, on loopback: whoever they do not name may drive, and no car is recalled."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Offices:
    """`refused`: reasons by licence; `recalled`: campaigns by car; `away`: nobody answers. `seen`: request
    lines, to see what is not in them."""

    def __init__(self) -> None:
        self.refused: dict[str, str] = {}
        self.recalled: dict[str, str] = {}
        self.away = False
        self.seen: list[str] = []
        self.url = ""

    def reset(self) -> None:
        self.refused, self.recalled, self.away, self.seen = {}, {}, False, []

    def licence(self, body: dict[str, Any]) -> dict[str, Any]:
        reason = self.refused.get(body["licence_no"])
        return {"valid": reason is None, "reason": reason}

    def recall(self, car_id: str) -> dict[str, Any]:
        campaign = self.recalled.get(car_id)
        return {"open": campaign is not None, "campaign": campaign}


OFFICES = Offices()


class _Desk(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(OFFICES.recall(self.path.rpartition("/")[2]))

    def do_POST(self) -> None:
        self._answer(OFFICES.licence(json.loads(self.rfile.read(int(self.headers["Content-Length"])))))

    def _answer(self, said: dict[str, Any]) -> None:
        OFFICES.seen.append(self.requestline)
        body = b"closed" if OFFICES.away else json.dumps(said).encode()
        self.send_response(503 if OFFICES.away else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None: ...


def opened() -> str:
    """The address to ask at; opened once for a process."""
    if not OFFICES.url:
        server = ThreadingHTTPServer(("127.0.0.1", 0), _Desk)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        OFFICES.url = f"http://127.0.0.1:{server.server_address[1]}"
    return OFFICES.url
