"""From the text message to the car."""

from playwright.sync_api import BrowserContext, Page, expect

from tests.pages.answers import CODE, ENDED, EXCHANGE, KEY, OPENED, PROOF, key
from tests.pages.conftest import open_link
from tests.pages.site import LOST, Site, problem

EVERYTHING_KEPT = """async () => {
  const caught = [];
  for (const name of await caches.keys())
    for (const entry of await (await caches.open(name)).keys()) caught.push(entry.url);
  return JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, caught, location.href]);
}"""


def prove(page: Page, proof: str = PROOF) -> None:
    page.fill("#proof", proof)
    page.press("#proof", "Enter")


def test_the_code_leaves_the_address_bar_and_nobody_is_asked_about_it(page: Page, site: Site) -> None:
    open_link(page, site)
    assert page.url == f"{site.url}/k"
    assert [seen.path for seen in site.seen if "/v1/" in seen.path] == []
    assert all(CODE not in f"{seen.path} {seen.headers}" for seen in site.seen)


def test_a_proof_turns_the_code_into_a_session(page: Page, site: Site) -> None:
    site.says(EXCHANGE, OPENED)
    site.says(KEY, key())
    open_link(page, site)
    prove(page, "99-01-31")
    expect(page.locator("#plate")).to_have_text("12가 3456")
    (asked,) = site.asked(EXCHANGE)
    assert asked.body == {"code": CODE, "proof": PROOF}
    assert asked.headers["idempotency-key"]


def test_after_the_exchange_the_code_is_nowhere_in_the_phone(at_the_car: Page) -> None:
    at_the_car.wait_for_timeout(500)
    kept = at_the_car.evaluate(EVERYTHING_KEPT)
    assert CODE not in kept
    assert PROOF not in kept


def test_a_lost_answer_is_asked_for_again_with_the_same_key(page: Page, site: Site) -> None:
    site.says(EXCHANGE, LOST, OPENED)
    site.says(KEY, key())
    open_link(page, site)
    prove(page)
    expect(page.locator("#proof-error")).to_contain_text("응답을 받지 못했어요")
    page.reload()
    prove(page)
    page.wait_for_selector("#plate:visible")
    assert len({asked.headers["idempotency-key"] for asked in site.asked(EXCHANGE)}) == 1


def test_other_digits_are_another_request(page: Page, site: Site) -> None:
    site.says(EXCHANGE, problem(422, "PROOF_WRONG"), OPENED)
    site.says(KEY, key())
    open_link(page, site)
    prove(page, "000000")
    expect(page.locator("#proof-error")).to_contain_text("숫자가 계약과 맞지 않아요")
    expect(page.locator("#proof")).to_be_focused()
    expect(page.locator("#proof")).to_have_attribute("aria-invalid", "true")
    prove(page)
    page.wait_for_selector("#plate:visible")
    first, second = site.asked(EXCHANGE)
    assert first.headers["idempotency-key"] != second.headers["idempotency-key"]


def test_digits_that_cannot_be_right_are_not_sent(page: Page, site: Site) -> None:
    open_link(page, site)
    prove(page, "123")
    expect(page.locator("#proof-error")).to_contain_text("숫자 6자리")
    assert site.asked(EXCHANGE) == []


def test_too_many_tries_say_how_long_to_wait(page: Page, site: Site) -> None:
    site.says(EXCHANGE, problem(429, "TOO_MANY", Retry_After="42"))
    open_link(page, site)
    prove(page)
    expect(page.locator("#proof-error")).to_contain_text("42초")


def test_a_dead_link_leads_to_a_new_one(page: Page, site: Site) -> None:
    site.says(EXCHANGE, problem(422, "LINK_INVALID"))
    open_link(page, site)
    prove(page)
    expect(page.locator("#renew-why")).to_contain_text("더 이상 쓸 수 없어요")


def test_the_same_text_tapped_again_opens_the_car_without_a_question(at_the_car: Page, site: Site) -> None:
    at_the_car.goto("about:blank")
    at_the_car.goto(f"{site.url}/k#{CODE}")
    at_the_car.wait_for_selector("#plate:visible")
    assert len(site.asked(EXCHANGE)) == 1
    assert at_the_car.url == f"{site.url}/k"


def test_a_used_link_whose_session_is_over_says_so(at_the_car: Page, site: Site) -> None:
    site.says(KEY, ENDED)
    at_the_car.goto("about:blank")
    at_the_car.goto(f"{site.url}/k#{CODE}")
    expect(at_the_car.locator("#renew-why")).to_contain_text("이미 사용했어요")


def test_a_new_link_opened_over_the_page_is_taken(at_the_car: Page, site: Site) -> None:
    at_the_car.evaluate("code => { location.hash = code; }", "Another0Code0Of0132bits")
    at_the_car.wait_for_selector("#proof:visible")
    assert at_the_car.url == f"{site.url}/k"


def test_a_link_cut_in_half_is_called_incomplete(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/k#Zk3v")
    expect(page.locator("#renew-why")).to_contain_text("링크가 중간에 잘렸어요")


def test_from_the_home_screen_a_session_shows_the_car(phone: BrowserContext, site: Site) -> None:
    site.says(KEY, key())
    page = phone.new_page()
    page.goto(f"{site.url}/k")
    page.wait_for_selector("#plate:visible")


def test_a_key_that_a_person_ended_offers_no_form(page: Page, site: Site) -> None:
    site.says(KEY, problem(403, "GRANT_REVOKED"))
    page.goto(f"{site.url}/k")
    expect(page.get_by_role("heading", name="이 스마트키는 해지됐어요")).to_be_visible()


def test_a_key_whose_time_has_not_begun_says_so(page: Page, site: Site) -> None:
    site.says(KEY, problem(403, "NOT_YET_VALID"))
    page.goto(f"{site.url}/k")
    expect(page.get_by_role("heading", name="아직 사용할 시간이 아니에요")).to_be_visible()


def test_where_storage_is_forbidden_a_lost_answer_is_still_asked_for_with_the_same_key(
    page: Page, site: Site
) -> None:
    page.add_init_script(
        "Object.defineProperty(window, 'sessionStorage', {get() { throw new DOMException('no'); }})"
    )
    site.says(EXCHANGE, LOST, OPENED)
    site.says(KEY, key())
    open_link(page, site)
    prove(page)
    expect(page.locator("#proof-error")).to_contain_text("응답을 받지 못했어요")
    prove(page)
    page.wait_for_selector("#plate:visible")
    assert len({asked.headers["idempotency-key"] for asked in site.asked(EXCHANGE)}) == 1
