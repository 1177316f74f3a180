"""The adapter of the payment gateway against the simulated one, over HTTP."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
import urllib3
from msgspec.structs import replace

from chalicelib.checkout.gateway import DECLINES, TossPayments, once
from chalicelib.checkout.model import (
    Card,
    CardDeclined,
    PaymentState,
    RefundRefused,
    RefundState,
    Unanswered,
)
from chalicelib.checkout.service import PaymentService
from infra.local.bank import Bank
from infra.local.offices import Offices
from tests.checkout.conftest import memory_begin
from tests.checkout.memory import MemoryPayments
from tests.conftest import Hands

SOON, LATE = 0.3, 1.5
"""Seconds an impatient caller waits, and that a late answer takes."""


@pytest.fixture(scope="module")
def offices() -> Iterator[Offices]:
    server = Offices(0, Bank(late=LATE))
    threading.Thread(target=server.serve_forever, args=[0.02], daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def url(offices: Offices) -> str:
    return f"http://127.0.0.1:{offices.server_port}"


@pytest.fixture
def gateway(url: str) -> TossPayments:
    return TossPayments(once, url, lambda: "test_sk_1")


@pytest.fixture
def impatient(url: str) -> TossPayments:
    return TossPayments(partial(once, SOON), url, lambda: "test_sk_1")


@pytest.fixture
def order(request: pytest.FixtureRequest) -> str:
    return f"pay_{request.node.name[:50].replace('[', '-').replace(']', '')}"


def test_a_charge_is_taken_and_found_again(gateway: TossPayments, order: str) -> None:
    taken = gateway.charge(order, 460_000, "tok_ok", "monthly fee")
    assert taken.card == Card("Visa", "4242")
    assert gateway.find(order) == taken
    assert gateway.charge(order, 460_000, "tok_ok", "monthly fee") == taken


def test_what_was_never_heard_of_is_not_found(gateway: TossPayments) -> None:
    assert gateway.find("pay_nobody") is None


def test_a_declined_card_is_declined_for_a_reason_and_for_good(gateway: TossPayments, order: str) -> None:
    with pytest.raises(CardDeclined) as refusal:
        gateway.charge(order, 1_000, "tok_declined", "fee")
    assert refusal.value.reason == "limit"
    with pytest.raises(CardDeclined) as refusal:
        gateway.find(order)
    assert refusal.value.reason == "limit"
    with pytest.raises(CardDeclined, match="cannot pay"):
        gateway.charge(order + "2", 1_000, "not a token", "fee")


def test_an_answer_that_comes_too_late_is_no_answer_but_money_taken(
    impatient: TossPayments, gateway: TossPayments, order: str
) -> None:
    with pytest.raises(Unanswered):
        impatient.charge(order, 460_000, "tok_timeout", "fee")
    assert gateway.find(order)
    with pytest.raises(Unanswered):  # the first is still under way: 409 of the gateway
        gateway.charge(order, 460_000, "tok_timeout", "fee")


def test_an_answer_sent_twice_answers_no_other_question(gateway: TossPayments, order: str) -> None:
    first = [gateway.charge(f"{order}{number}", 1_000 + number, "tok_twice", "fee") for number in range(3)]
    assert len({taken.reference for taken in first}) == 3
    assert gateway.find(f"{order}1") == first[1]
    assert gateway.find("pay_nobody") is None


def test_parts_go_back_once_and_no_more_than_all(gateway: TossPayments, offices: Offices, order: str) -> None:
    reference = gateway.charge(order, 1_000, "tok_ok", "fee").reference
    for refund_id in ("ref_1", "ref_1", "ref_2"):
        gateway.refund(reference, refund_id, 400)
    with pytest.raises(RefundRefused):
        gateway.refund(reference, "ref_3", 400)
    gateway.refund(reference, "ref_4", 200)
    gateway.refund(reference, "ref_5", 200)  # nothing is left: it is all back
    (mine,) = [it for it in offices.bank.listing()["payments"] if it["order_id"] == order]
    assert mine == {"order_id": order, "amount": 1_000, "left": 0}


def test_nobody_there_is_no_answer() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{unused.getsockname()[1]}"
        gateway = TossPayments(once, nowhere, lambda: "test_sk_1")
        with pytest.raises(Unanswered):
            gateway.charge("pay_nowhere", 1_000, "tok_ok", "fee")


def test_a_wrong_address_is_no_answer() -> None:
    with pytest.raises(Unanswered):
        TossPayments(once, "ftp://127.0.0.1", lambda: "k").charge("pay_nowhere", 1_000, "tok_ok", "fee")


def test_the_whole_of_a_late_answer(
    impatient: TossPayments, gateway: TossPayments, offices: Offices, order: str
) -> None:
    """UNKNOWN, and then PAID with what the gateway already has; given back in the end."""
    hasty = PaymentService(MemoryPayments(), impatient, memory_begin, Hands())
    assert hasty.charge(order, 5_000, "tok_timeout", "fee").state is PaymentState.UNKNOWN
    payments = replace(hasty, gateway=gateway)
    states = [payments.charge(order, 5_000, "tok_timeout", "fee").state for _ in range(2)]
    assert states == [PaymentState.PAID, PaymentState.PAID]
    assert payments.refund(order, "all", 5_000).state is RefundState.DONE
    (mine,) = [it for it in offices.bank.listing()["payments"] if it["order_id"] == order]
    assert (mine["amount"], mine["left"]) == (5_000, 0)
    assert payments.verify("tok_ok") == Card("Visa", "4242")


# --- what the real one may answer --------------------------------------------------------------------------


DONE = {"paymentKey": "pk", "orderId": "pay_1", "status": "DONE", "totalAmount": 1_000}


class Parrot(BaseHTTPRequestHandler):
    server: "Repeating"

    def do_POST(self) -> None:
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.raw)))
        self.end_headers()
        self.wfile.write(self.server.raw)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Repeating(HTTPServer):
    status, raw = 200, b""


@pytest.fixture(scope="module")
def parrot() -> Iterator[Repeating]:
    server = Repeating(("127.0.0.1", 0), Parrot)
    threading.Thread(target=server.serve_forever, args=[0.02], daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def says(parrot: Repeating) -> Callable[[int, Any], TossPayments]:
    """A gateway that gives one answer to everything."""

    def answering(status: int, body: Any) -> TossPayments:
        parrot.status, parrot.raw = status, body if isinstance(body, bytes) else json.dumps(body).encode()
        return TossPayments(once, f"http://127.0.0.1:{parrot.server_port}", lambda: "k")

    return answering


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, {"code": "FAILED_INTERNAL_SYSTEM_PROCESSING"}),
        (400, {"code": "PROVIDER_ERROR"}),
        (400, {"code": "DUPLICATED_ORDER_ID"}),
        (409, {"code": "IDEMPOTENT_REQUEST_PROCESSING"}),
        (401, {"code": "UNAUTHORIZED_KEY"}),
        (429, {"code": "A_WORD_OF_NEXT_YEAR"}),
        (200, DONE | {"status": "IN_PROGRESS"}),
        (200, DONE | {"totalAmount": 999}),
        (200, DONE | {"orderId": "pay_2"}),
        (200, {"status": 7}),
        (200, []),
        (502, b"<html>bad gateway</html>"),
        (200, b""),
    ],
)
def test_what_does_not_speak_of_the_card_says_nothing_about_the_money(
    says: Callable[[int, Any], TossPayments], status: int, body: Any
) -> None:
    gateway = says(status, body)
    with pytest.raises(Unanswered):
        gateway.charge("pay_1", 1_000, "tok_ok", "fee")
    with pytest.raises(Unanswered):
        says(500, {}).refund("pk", "ref_1", 1)


@pytest.mark.parametrize("code", sorted(DECLINES))
def test_what_the_gateway_says_of_a_card_is_told_in_our_words(
    says: Callable[[int, Any], TossPayments], code: str
) -> None:
    with pytest.raises(CardDeclined):
        says(403, {"code": code}).charge("pay_1", 1_000, "tok_ok", "fee")


# --- the browser's side ------------------------------------------------------------------------------------


def test_a_browser_turns_a_card_into_a_token_that_pays(url: str, gateway: TossPayments, order: str) -> None:
    asked = {"number": "5555 5555 5555 4444", "expiry": "12/39", "birth_or_business_no": "910715"}
    ready = urllib3.request("OPTIONS", f"{url}/v1/card-tokens")
    assert (
        ready.headers["Access-Control-Allow-Origin"] == ready.headers["Access-Control-Allow-Headers"] == "*"
    )
    made = urllib3.request("POST", f"{url}/v1/card-tokens", json=asked)
    assert made.headers["Access-Control-Allow-Origin"] == "*"
    card = made.json()
    assert (card["brand"], card["last4"]) == ("Mastercard", "4444")
    assert gateway.charge(order, 1_000, card["card_token"], "fee").card == Card("Mastercard", "4444")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"number": "4242424242424241"}, "INVALID_CARD_NUMBER"),
        ({"expiry": "01/20"}, "INVALID_CARD_EXPIRATION"),
        ({"expiry": "13/39"}, "INVALID_CARD_EXPIRATION"),
        ({"birth_or_business_no": "1"}, "INVALID_BIRTH_DAY_FORMAT"),
    ],
)
def test_a_card_that_cannot_be_is_refused(url: str, change: dict[str, str], code: str) -> None:
    asked = {"number": "4242424242424242", "expiry": "12/39", "birth_or_business_no": "910715", **change}
    refused = urllib3.request("POST", f"{url}/v1/card-tokens", json=asked)
    assert (refused.status, refused.json()["code"]) == (400, code)


@pytest.mark.parametrize(
    ("number", "valid", "reason"),
    [
        ("11-12-345678-01", True, None),
        ("11-12-340000", False, "no_licence"),
        ("11-12-34-9999", False, "suspended"),
    ],
)
def test_the_licence_office_knows_who_may_drive(
    url: str, number: str, valid: bool, reason: str | None
) -> None:
    asked = {"licence_no": number, "name": "Kim", "birth_date": "1991-07-15"}
    assert urllib3.request("POST", f"{url}/licences", json=asked).json() == {"valid": valid, "reason": reason}


def test_the_recall_office_knows_which_cars_must_wait(url: str) -> None:
    found = [
        urllib3.request("GET", f"{url}/recalls/{car}").json()["open"] for car in ("car-1", "car-recall-1")
    ]
    assert found == [False, True]
