"""A new link for somebody whose link or session is over."""

import pytest
from playwright.sync_api import Page, expect

from tests.pages.answers import ENDED, KEY, LINKS, PROOF
from tests.pages.site import LOST, Reply, Site, problem


@pytest.fixture
def ended(page: Page, site: Site) -> Page:
    site.says(KEY, ENDED)
    page.goto(f"{site.url}/k")
    page.wait_for_selector("#phone:visible")
    return page


def ask(page: Page, phone: str = "010-1234-5678", proof: str = PROOF) -> None:
    page.fill("#phone", phone)
    page.fill("#renew-proof", proof)
    page.get_by_role("button", name="문자로 받기").click()


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("010-1234-5678", "+821012345678"),
        ("01012345678", "+821012345678"),
        ("+82 10 1234 5678", "+821012345678"),
        ("+1 202 555 0123", "+12025550123"),
    ],
)
def test_a_number_is_sent_as_contracts_hold_it(ended: Page, site: Site, typed: str, sent: str) -> None:
    site.says(LINKS, Reply(204))
    ask(ended, typed)
    expect(ended.get_by_role("heading", name="문자를 확인해 주세요")).to_be_visible()
    (asked,) = site.asked(LINKS)
    assert asked.body == {"phone": sent, "proof": PROOF}
    assert asked.headers["idempotency-key"]


def test_a_refusal_reads_the_same_as_a_success(ended: Page, site: Site) -> None:
    site.says(LINKS, problem(422, "PROOF_WRONG"))
    ask(ended)
    expect(ended.get_by_role("heading", name="문자를 확인해 주세요")).to_be_visible()


def test_a_number_that_cannot_be_right_is_not_sent(ended: Page, site: Site) -> None:
    ask(ended, "02-123-4567")
    expect(ended.locator("#renew-error")).to_contain_text("휴대폰 번호를 확인해 주세요")
    expect(ended.locator("#phone")).to_be_focused()
    assert site.asked(LINKS) == []


def test_too_many_asks_say_how_long_to_wait(ended: Page, site: Site) -> None:
    site.says(LINKS, problem(429, "TOO_MANY_ASKS", Retry_After="540"))
    ask(ended)
    expect(ended.locator("#renew-error")).to_contain_text("540초")


def test_a_lost_answer_does_not_cost_a_second_text(ended: Page, site: Site) -> None:
    site.says(LINKS, LOST, Reply(204))
    ask(ended)
    expect(ended.locator("#renew-error")).to_contain_text("응답을 받지 못했어요")
    ask(ended)
    ended.wait_for_selector("#asked-title:visible")
    assert len({asked.headers["idempotency-key"] for asked in site.asked(LINKS)}) == 1
