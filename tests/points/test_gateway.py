"""The adapter of the partners against the simulated ones, over HTTP."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from msgspec.structs import replace

from chalicelib.points.gateway import SignedPartners, once
from chalicelib.points.model import ConversionState, PartnerRefused, Unanswered
from chalicelib.points.service import ConversionService
from infra.local.bank import Bank
from infra.local.offices import Offices
from tests.conftest import NOON, Hands
from tests.points.conftest import KIM, memory_world

SOON, LATE = 0.2, 0.8
"""Seconds an impatient caller waits, and that a late answer takes."""
SECRETS = {"partner-hanbit": "secret one", "partner-sora": "secret two"}


@pytest.fixture(scope="module")
def offices() -> Iterator[Offices]:
    server = Offices(0, Bank(late=LATE))
    server.partners.secret = SECRETS["partner-hanbit"]
    threading.Thread(target=server.serve_forever, args=[0.02], daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def partners(offices: Offices) -> SignedPartners:
    return SignedPartners(once, f"http://127.0.0.1:{offices.server_port}", SECRETS.__getitem__)


@pytest.fixture
def impatient(partners: SignedPartners) -> SignedPartners:
    return replace(partners, connect=partial(once, SOON))


def test_points_are_taken_once_and_found_again(partners: SignedPartners, offices: Offices) -> None:
    for _ in range(2):
        partners.transfer("hanbit", "cnv_1", "M-1", 800)
    assert partners.find("hanbit", "cnv_1") is True
    assert partners.find("hanbit", "cnv_never") is False
    assert offices.partners.given("M-1") == 800


def test_while_no_partner_has_an_address_points_stay_where_they_are(partners: SignedPartners) -> None:
    with pytest.raises(PartnerRefused):
        replace(partners, url="").transfer("hanbit", "cnv_1", "M-1", 800)
    with pytest.raises(Unanswered):
        replace(partners, url="").find("hanbit", "cnv_1")


def test_a_refusal_is_for_a_reason_and_for_good(partners: SignedPartners) -> None:
    for ask in (
        partial(partners.transfer, "hanbit", "cnv_2", "M-0002", 800),
        partial(partners.find, "hanbit", "cnv_2"),
    ):
        with pytest.raises(PartnerRefused) as refusal:
            ask()
        assert refusal.value.reason == "unknown_member"


def test_an_answer_that_comes_too_late_is_no_answer_but_points_taken(
    impatient: SignedPartners, partners: SignedPartners, offices: Offices
) -> None:
    with pytest.raises(Unanswered):
        impatient.transfer("hanbit", "cnv_3", "M-0341", 800)
    assert partners.find("hanbit", "cnv_3") is True
    assert offices.partners.given("M-0341") == 800


def test_an_answer_sent_twice_answers_no_other_question(partners: SignedPartners) -> None:
    for number in range(3):
        partners.transfer("hanbit", f"cnv_4{number}", "M-0259", 800 + number)
    assert partners.find("hanbit", "cnv_41") is True
    assert partners.find("hanbit", "cnv_never") is False


def test_nobody_else_can_send_points_in_our_name(partners: SignedPartners, offices: Offices) -> None:
    for ask in (
        partial(partners.transfer, "sora", "cnv_5", "M-5", 800),
        partial(partners.find, "sora", "cnv_1"),
    ):
        with pytest.raises(Unanswered):
            ask()
    assert offices.partners.given("M-5") == 0


def test_nobody_there_is_no_answer(partners: SignedPartners) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        for nowhere in (f"http://127.0.0.1:{unused.getsockname()[1]}", "ftp://127.0.0.1"):
            with pytest.raises(Unanswered):
                replace(partners, url=nowhere).transfer("hanbit", "cnv_6", "M-6", 800)


def test_the_whole_of_a_late_answer(
    impatient: SignedPartners, partners: SignedPartners, new_id: Callable[[str], str]
) -> None:
    """PENDING, and then DONE with what the partner already has."""
    world = memory_world(Hands(), new_id)
    world.give(1_000, NOON.replace(month=8))
    world.conversions = replace(world.conversions, office=impatient)
    world.drove(KIM)
    pending = world.convert(account="M-70341").value
    assert (pending.state, world.balance()) == (ConversionState.PENDING, 0)
    patient: ConversionService = replace(world.conversions, office=partners)
    world.clock.move(minutes=1)
    assert patient.ring(pending.conversion_id) is True
    assert patient.conversion(pending.conversion_id, "kim").state is ConversionState.DONE


# --- what a real one may answer ----------------------------------------------------------------------------


class Parrot(BaseHTTPRequestHandler):
    server: "Repeating"

    def do_POST(self) -> None:
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.raw)))
        self.end_headers()
        self.wfile.write(self.server.raw)

    def do_GET(self) -> None:
        self.do_POST()

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


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, {"code": "ANYTHING"}),
        (404, {"code": "NOT_FOUND"}),
        (404, b"<html>nothing here</html>"),
        (401, {"code": "BAD_SIGNATURE"}),
        (200, {"transfer_id": "cnv_8", "state": "accepted"}),
        (200, {"transfer_id": "cnv_7", "state": "working"}),
        (200, {"transfer_id": "cnv_8", "state": "refused"}),
        (200, {"transfer_id": 7}),
        (200, []),
        (200, b""),
    ],
)
def test_what_is_no_word_about_this_transfer_says_nothing(parrot: Repeating, status: int, body: Any) -> None:
    parrot.status, parrot.raw = status, body if isinstance(body, bytes) else json.dumps(body).encode()
    partners = SignedPartners(once, f"http://127.0.0.1:{parrot.server_port}", SECRETS.__getitem__)
    with pytest.raises(Unanswered):
        partners.transfer("hanbit", "cnv_7", "M-1", 1)
    with pytest.raises(Unanswered):
        partners.find("hanbit", "cnv_7")
