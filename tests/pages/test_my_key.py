"""Where my key is, and what I tell about it."""

from typing import Any

from playwright.sync_api import Page, expect

from tests.pages.answers_my import CONTRACT, GET_CONTRACT, ID, RECEIPT, contract, enter, knows
from tests.pages.site import LOST, Reply, Site, problem

KEY: dict[str, Any] = CONTRACT["key"]
TAG = "tag-0001-a"
WORDS = {
    "planned": "포장하고 있어요",
    "stalled": "늦어지고 있어요",
    "delivered": "받았나요?",
    "wrong_key": "다른 차의 열쇠가 갔어요",
    "wrong_address": "다른 곳에 갔어요",
    "unconfirmed": "알려 주세요",
    "lost": "잃어버렸어요",
    "verified": "열쇠를 가지고 있어요",
}
CAMERA = """
  window.BarcodeDetector = class {
    static async getSupportedFormats() { return ["qr_code"]; }
    async detect() { return [{ rawValue: "https://site.example/partner#t=tag-0001-a" }]; }
  };
  navigator.mediaDevices.getUserMedia = async () => {
    const canvas = document.createElement("canvas");
    canvas.getContext("2d").fillRect(0, 0, 9, 9);
    window.film = canvas.captureStream(5);
    return window.film;
  };
"""


def told(state: str) -> Reply:
    return Reply(body={"shipment_id": "shp_1", "state": state})


def tell(page: Page, tag: str) -> None:
    page.get_by_label("열쇠 이름표").fill(tag)
    page.get_by_role("button", name="이 열쇠를 받았어요").click()


def test_its_way_is_a_line_of_steps_with_the_tracking_number(page: Page, site: Site) -> None:
    knows(site)
    enter(page, site, f"#{ID}")
    steps = page.locator(".way li")
    expect(steps).to_have_count(5)
    expect(page.locator(".way [data-done]")).to_have_count(3)
    expect(steps.nth(0)).to_contain_text("완료")
    expect(page.locator(".way [aria-current=step]")).to_have_text("도착")
    expect(page.get_by_text("6892 1234 5678")).to_be_visible()
    assert KEY["key_tag"] not in page.content()


def test_wherever_it_is_it_is_said_in_plain_words(page: Page, site: Site) -> None:
    knows(site)
    site.says(GET_CONTRACT, *[contract(key={**KEY, "state": state}) for state in WORDS])
    enter(page, site, f"#{ID}")
    for state, text in WORDS.items():
        expect(page.get_by_role("region", name="내 열쇠"), state).to_contain_text(text)
        asked = state in ("delivered", "unconfirmed")
        expect(page.get_by_role("link", name="열쇠가 오지 않았어요")).to_have_count(int(asked))
        page.reload()


def test_its_tag_is_typed_in_any_of_its_forms(page: Page, site: Site) -> None:
    knows(site)
    site.says(RECEIPT, told("verified"))
    for typed in (TAG, f"  {TAG} ", f"https://site.example/api/partner#t={TAG}"):
        enter(page, site, f"#{ID}/key")
        tell(page, typed)
        expect(page.locator("#news")).to_have_text("고마워요. 내 차의 열쇠가 맞아요.")
        assert site.asked(RECEIPT)[-1].body == {"key_tag": TAG}
    assert len({asked.headers["idempotency-key"] for asked in site.asked(RECEIPT)}) == 3


def test_the_camera_reads_it_where_the_browser_can(page: Page, site: Site) -> None:
    knows(site)
    page.add_init_script(CAMERA)
    enter(page, site, f"#{ID}/key")
    page.get_by_role("button", name="카메라로 읽기").click()
    expect(page.get_by_label("열쇠 이름표")).to_have_value(TAG)
    expect(page.get_by_label("열쇠 이름표")).to_be_focused()
    assert page.evaluate("window.film.getTracks().every((track) => track.readyState === 'ended')")


def test_the_camera_goes_out_when_somebody_goes_elsewhere(page: Page, site: Site) -> None:
    knows(site)
    page.add_init_script(CAMERA.replace("return [{ rawValue", "return []; return [{ rawValue"))
    enter(page, site, f"#{ID}/key")
    page.get_by_role("button", name="카메라로 읽기").click()
    page.wait_for_function("() => window.film?.active")
    page.get_by_role("link", name="내 계약").click()
    page.wait_for_function("() => !window.film.active")


def test_another_cars_key_is_explained_kindly_with_what_happens_next(page: Page, site: Site) -> None:
    knows(site)
    site.says(RECEIPT, told("wrong_key"))
    enter(page, site, f"#{ID}/key")
    tell(page, "tag-of-another-car")
    expect(page.get_by_role("heading", name="다른 차의 열쇠예요")).to_be_focused()
    expect(page.locator("#task ol li")).to_have_count(3)
    expect(page.get_by_role("link", name="스마트키 열기")).to_have_attribute("href", "k")
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", name="This is the key of another car")).to_be_visible()


def test_a_key_that_did_not_come_is_looked_for(page: Page, site: Site) -> None:
    knows(site, key={**KEY, "state": "delivered"})
    site.says(RECEIPT, told("wrong_address"))
    enter(page, site, f"#{ID}")
    page.get_by_role("link", name="열쇠가 오지 않았어요").click()
    page.get_by_role("button", name="받지 못했어요").click()
    expect(page.get_by_role("heading", name="바로 찾고 있어요")).to_be_visible()
    assert site.asked(RECEIPT)[0].body == {"not_received": True}


def test_what_cannot_be_a_tag_is_not_sent(page: Page, site: Site) -> None:
    knows(site)
    enter(page, site, f"#{ID}/key")
    tell(page, "열쇠")
    expect(page.locator("#key_tag-error")).to_contain_text("영문과 숫자")
    expect(page.get_by_label("열쇠 이름표")).to_be_focused()
    assert site.asked(RECEIPT) == []


def test_a_lost_answer_is_asked_again_under_the_same_key(page: Page, site: Site) -> None:
    knows(site)
    site.says(RECEIPT, LOST, problem(503, "BUSY"), told("verified"))
    enter(page, site, f"#{ID}/key")
    tell(page, TAG)
    expect(page.locator("#news")).to_have_text("고마워요. 내 차의 열쇠가 맞아요.", timeout=15_000)
    assert len(site.asked(RECEIPT)) == 3
    assert len({asked.headers["idempotency-key"] for asked in site.asked(RECEIPT)}) == 1
