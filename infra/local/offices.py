"""The outside services of the local stack, simulated: `python -m infra.local.offices --port N`.

The payment gateway is bank.py. POST /v1/card-tokens {number, expiry, birth_or_business_no} -> {card_token,
brand, last4} is for browsers; GET /payments lists what was taken and what is left of it.

The partners who take points are partners.py: POST /partners/{partner}/transfers, GET .../transfers/{id}.

The licence office: POST /licences {licence_no, name, birth_date} -> {valid, reason}; numbers that end in 0000
are no licence, in 9999 suspended. The recall office: GET /recalls/{car_id} -> {car_id, open, campaign}; a car
with "recall" in its id has one.
"""

import argparse
import base64
import json
import re
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from infra.local.bank import Answer, Bank, Json, No
from infra.local.partners import TWICE, Partners
from infra.local.place import HOST


def licence(asked: Json) -> Json:
    number = re.sub(r"\D", "", str(asked.get("licence_no", "")))
    if not number or not asked.get("name") or not asked.get("birth_date"):
        raise No(400, "INVALID_REQUEST", "licence_no, name and birth_date are needed")
    reasons = {"0000": "no_licence", "9999": "suspended"}
    reason = reasons.get(number[-4:])
    return {"valid": reason is None, "reason": reason}


def recall(car_id: str) -> Json:
    found = "recall" in car_id
    return {"car_id": car_id, "open": found, "campaign": "brakes" if found else None}


class Desk(BaseHTTPRequestHandler):
    """One request; connections are kept open, as the real ones are."""

    protocol_version = "HTTP/1.1"
    server: "Offices"

    def do_GET(self) -> None:
        self._send(*self._tried(self._looked_up))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, answer = self._tried(lambda: self._done(body))
        self._send(status, answer)
        if "/tok_twice" in self.path or ("/partners/" in self.path and f'{TWICE}"'.encode() in body):
            self._send(status, answer)

    def do_OPTIONS(self) -> None:
        self._send(204, None)

    def _looked_up(self) -> Answer:
        bank, path = self.server.bank, unquote(self.path)
        if path == "/payments":
            return 200, bank.listing()
        if path.startswith("/recalls/"):
            return 200, recall(path.removeprefix("/recalls/"))
        if found := re.fullmatch(r"/partners/[^/]+/transfers/([^/]+)", path):
            self.server.partners.must_be_signed(self.path.encode(), self.headers.get("X-Signature", ""))
            return self.server.partners.find(found[1])
        if path.startswith("/v1/payments/orders/"):
            self._must_be_let_in()
            return 200, bank.find(path.removeprefix("/v1/payments/orders/"))
        raise No(404, "NOT_FOUND")

    def _done(self, body: bytes) -> Answer:
        bank, path, asked = self.server.bank, unquote(self.path), read(body)
        if path == "/v1/card-tokens":
            return 200, bank.token(asked)
        if path == "/licences":
            return 200, licence(asked)
        if found := re.fullmatch(r"/partners/([^/]+)/transfers", path):
            self.server.partners.must_be_signed(body, self.headers.get("X-Signature", ""))
            return self.server.partners.take(found[1], asked)
        self._must_be_let_in()
        key = self.headers.get("Idempotency-Key", "")
        if found := re.fullmatch(r"/v1/billing/([^/]+)", path):
            token = found[1]
            return bank.once(key, path, lambda: bank.charge(token, asked))
        if found := re.fullmatch(r"/v1/payments/([^/]+)/cancel", path):
            payment_key = found[1]
            return bank.once(key, path, lambda: bank.cancel(payment_key, asked))
        raise No(404, "NOT_FOUND")

    def _must_be_let_in(self) -> None:
        """Which secret key is right, only the gateway knows; here everybody's is."""
        if self.server.bank.away:
            raise No(500, "FAILED_INTERNAL_SYSTEM_PROCESSING", "내부 시스템 처리 작업이 실패했습니다.")
        scheme, _, given = self.headers.get("Authorization", "").partition(" ")
        try:
            user, colon, _ = base64.b64decode(given, validate=True).decode().partition(":")
        except ValueError:
            user, colon = "", ""
        if scheme != "Basic" or not user or not colon:
            raise No(401, "UNAUTHORIZED_KEY", "인증되지 않은 시크릿 키 혹은 클라이언트 키 입니다.")

    def _tried(self, act: Callable[[], Answer]) -> Answer:
        try:
            return act()
        except No as no:
            return no.answer

    def _send(self, status: int, answer: Json | None) -> None:
        raw = b"" if answer is None else json.dumps(answer, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.send_header("Access-Control-Allow-Origin", "*")
        self.send_header("Access-Control-Allow-Headers", "*")
        self.send_header("Access-Control-Allow-Methods", "POST")
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: Any) -> None:
        """Paths carry card tokens: nothing is logged."""


def read(body: bytes) -> Json:
    try:
        asked = json.loads(body or b"{}")
    except ValueError:
        raise No(400, "INVALID_REQUEST", "not JSON") from None
    if not isinstance(asked, dict):
        raise No(400, "INVALID_REQUEST", "not an object")
    return asked


class Offices(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, bank: Bank) -> None:
        super().__init__((HOST, port), Desk)
        self.bank = bank
        self.partners = Partners(late=bank.late)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever hung up does not want to hear of it."""


def main() -> None:
    options = argparse.ArgumentParser(description="payment gateway, licence and recall office, simulated")
    options.add_argument("--port", type=int, required=True)
    offices = Offices(options.parse_args().port, Bank())
    print("ready:", offices.server_address, flush=True)
    offices.serve_forever()


if __name__ == "__main__":
    main()
