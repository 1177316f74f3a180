"""What can be looked up on /my: papers, payments, parking, and everything that happened."""

import re

from playwright.sync_api import BrowserContext, Geolocation, Page, expect

from chalicelib.journey.model import VISIBLE
from chalicelib.pages.store import HERE
from tests.pages.answers_my import (
    EVENTS,
    ID,
    LINK,
    PAID,
    PAYMENTS,
    PLACES,
    TIMELINE,
    enter,
    events,
    knows,
)
from tests.pages.site import Reply, Site, problem

PARKING = "GET /v1/parking?lat=37.56630&lon=126.97790&radius={}"
PAPER_LINK = {"url": "", "expires_at": "2026-11-20T03:05:00Z"}
NOON = "2026-12-27T03:00:00Z"
SEOUL = Geolocation(latitude=37.5663, longitude=126.9779)


def test_a_paper_opens_in_a_new_tab_by_a_link_made_for_it(page: Page, site: Site) -> None:
    knows(site)
    site.says("GET /paper.pdf", Reply(body={"the": "paper"}))
    link = {**PAPER_LINK, "url": f"{site.origin}/paper.pdf"}
    site.says(LINK, Reply(201, link))
    enter(page, site, f"#{ID}/documents")
    expect(page.get_by_text("아직 없어요. 준비되면 여기에 생겨요.")).to_be_visible()
    with page.context.expect_page() as opened:
        page.get_by_role("button", name="열기").click()
    opened.value.wait_for_url(link["url"])
    assert opened.value.evaluate("window.opener") is None
    expect(page.locator(".made")).to_contain_text("새 탭에서 열었어요. 링크는 12:05까지 써요.")
    expect(page.get_by_role("link", name="여기를 눌러 열기")).to_have_attribute("href", link["url"])


def test_a_paper_that_is_not_there_leaves_no_empty_tab(page: Page, site: Site) -> None:
    knows(site)
    site.says(LINK, problem(404, "NO_DOCUMENT"))
    enter(page, site, f"#{ID}/documents")
    page.get_by_role("button", name="열기").click()
    expect(page.locator(".whole")).to_contain_text("아직 서류가 없어요")
    for tab in page.context.pages[1:]:
        if not tab.is_closed():
            tab.wait_for_event("close")
    assert len(page.context.pages) == 1


def test_payments_newest_first_with_the_time_that_was_not_charged(page: Page, site: Site) -> None:
    knows(site)
    back = {"charge_id": "ref_1", "what": "refund", "at": NOON, "amount": -13_600, "state": "by_hand"}
    charges = [*PAID["charges"], back]
    site.says(PAYMENTS, Reply(body={**PAID, "balance": -5000, "charges": charges}))
    enter(page, site, f"#{ID}/payments")
    rows = page.locator(".money li")
    expect(rows.nth(0)).to_contain_text("13,600원 돌려받음")
    expect(rows.nth(1)).to_contain_text("398,400원")
    expect(page.locator(".facts")).to_contain_text("낼 돈5,000원")
    expect(page.get_by_role("heading", name="요금을 받지 않은 시간")).to_be_visible()
    expect(page.get_by_text("12월 3일 목요일 09:00부터 12월 4일 금요일 09:00까지")).to_be_visible()


def test_parking_asks_for_the_position_only_when_pressed(
    phone: BrowserContext, page: Page, site: Site
) -> None:
    knows(site)
    phone.grant_permissions(["geolocation"])
    phone.set_geolocation(SEOUL)
    page.add_init_script(
        "const real = navigator.geolocation.getCurrentPosition.bind(navigator.geolocation); window.asked = 0;"
        "navigator.geolocation.getCurrentPosition = (...all) => { window.asked += 1; real(...all); };"
    )
    site.says(PARKING.format(1000), Reply(body={"places": []}))
    site.says(PARKING.format(2000), Reply(body={"places": PLACES}))
    enter(page, site, f"#{ID}/parking")
    expect(page.get_by_text("차 받는 주소로는 아직 찾을 수 없어요")).to_be_visible()
    assert page.evaluate("window.asked") == 0
    page.get_by_role("button", name="내 주변에서 찾기").click()
    expect(page.get_by_role("heading", name="1km 안에는 없어요")).to_be_focused()
    page.get_by_role("button", name="더 넓게 찾기").click()
    first = page.locator("#task li").first
    expect(first).to_contain_text("312m 거리 · 1260면")
    expect(first).to_contain_text("처음 5분 430원 · 이후 5분마다 430원 · 하루 최대 30,900원")
    expect(first).to_contain_text("평일 00:00-24:00")
    map_ = first.get_by_role("link", name="지도 보기")
    assert re.match(r"https://map\.kakao\.com/.*,37\.5726,126\.9769$", map_.get_attribute("href") or "")
    expect(page.locator("#task li").nth(1)).to_contain_text("무료")


def test_without_the_position_it_says_what_to_do(page: Page, site: Site) -> None:
    knows(site)
    page.add_init_script(
        "navigator.geolocation.getCurrentPosition = (found, lost) => setTimeout(() => lost({ code: 1 }), 0);"
    )
    enter(page, site, f"#{ID}/parking")
    page.get_by_role("button", name="내 주변에서 찾기").click()
    expect(page.locator(".whole")).to_contain_text("브라우저 설정에서 위치를 허용")


def test_the_timeline_is_in_plain_words_and_skips_what_has_none(page: Page, site: Site) -> None:
    knows(site)
    site.says(TIMELINE, events(*EVENTS[:3], cursor="older"))
    site.says(f"{TIMELINE}?cursor=older", events(*EVENTS[3:]))
    enter(page, site, f"#{ID}/timeline")
    rows = page.locator("#events li")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_have_text("09:10 열쇠 배송이 출발했어요.")
    expect(rows.nth(1)).to_contain_text("차 받는 약속과 주소가 바뀌었어요: 11월 26일 목요일 10:00")
    page.get_by_role("button", name="더 보기").click()
    expect(rows).to_have_count(4)
    expect(rows.nth(2)).to_be_focused()
    expect(rows.nth(2)).to_contain_text("412,000원을 결제했어요")
    expect(page.get_by_role("button", name="더 보기")).to_have_count(0)
    page.get_by_role("button", name="English").click()
    expect(rows.nth(3)).to_have_text("12:00 You signed for 6 months.")


def test_every_fact_a_customer_may_see_has_words() -> None:
    words = (HERE / "static" / "words-my-timeline.js").read_text(encoding="utf-8")
    named = {name for name, _ in re.findall(r'"t\.(\w+)(\.[\w.]+)?"', words)}
    assert set(VISIBLE) - named == set()


def test_no_word_of_the_timeline_names_what_its_fact_does_not_carry() -> None:
    words = (HERE / "static" / "words-my-timeline.js").read_text(encoding="utf-8")
    for name, texts in re.findall(r'"t\.(\w+)[\w.]*": \[(.*)\],', words):
        asked = set(re.findall(r"\{(\w+)\}", texts))
        assert asked <= set(VISIBLE[name]), name
