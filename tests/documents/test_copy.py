"""The copy of a contract says what was signed, and stays as it was."""

import hashlib
import re
from html.parser import HTMLParser

from msgspec.structs import replace

from chalicelib.documents.model import Document, Kind, NamedDriver, contract_copy
from tests.documents.conftest import World, kept
from tests.documents.examples import KIM, KIMS


class Page(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(body.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_it_says_what_was_signed_in_both_languages() -> None:
    text = Page(contract_copy(KIMS)).text
    for word in (
        "con_kim",
        "첫 차",
        "First car",
        "6개월",
        "690,000원",
        "4,140,000원",
        "김민지",
        "세종대로 110",
    ):
        assert word in text
    assert "2026-03-16 12:00 (KST)" in text
    assert "24시간 이내에 취소하면 예정 요금의 10%" in text
    assert "10% of the remaining fee" in text


def test_nothing_a_customer_typed_becomes_part_of_the_page() -> None:
    name = '<script>alert(1)</script>"&{rows}{0}'
    signed = replace(KIMS, address="<img src=x onerror=alert(1)>", drivers=(NamedDriver(name, "1"),))
    page = Page(contract_copy(signed))
    assert not {"script", "img"} & set(page.tags)
    assert name in page.text


def test_it_loads_nothing_and_runs_nothing() -> None:
    body = contract_copy(KIMS).decode()
    assert not re.search(r"<script|src=|href=|url\(|@import|\son\w+=", body)
    assert "default-src 'none'" in body


def test_a_paid_contract_s_copy_is_kept_with_its_digest(world: World) -> None:
    document = world.service.keep_copy("con_kim")
    body = kept(document, world)
    assert body == contract_copy(KIMS)
    assert document.sha256 == hashlib.sha256(body).hexdigest()
    assert (document.size, document.content_type) == (len(body), "text/html; charset=utf-8")


def test_the_copy_is_of_what_was_signed_whatever_changes_later(world: World) -> None:
    first = world.service.keep_copy("con_kim")
    world.contracts.signed = replace(KIMS, address="elsewhere")
    world.clock.move(days=3)
    assert world.service.keep_copy("con_kim") == first


def test_of_two_runs_at_once_one_copy_counts(world: World) -> None:
    """The other was stored between this run's look and its write."""
    other = Document.of(Kind.CONTRACT_COPY, "con_kim", b"first", "text/html; charset=utf-8", world.clock())

    class Contracts(type(world.contracts)):  # type: ignore[misc]
        def copy(self, contract_id: str) -> object:
            world.store.keep_first(other)
            return super().copy(contract_id)

    assert replace(world.service, contracts=Contracts()).keep_copy("con_kim") == other


def test_before_payment_there_is_no_copy(world: World) -> None:
    assert world.service.listed("con_kim", KIM) == {
        Kind.CONTRACT_COPY: False,
        Kind.REGISTRATION_CERTIFICATE: False,
    }
