"""The partner page: a clear yes or no per scan, also without signal, and the jobs of the day."""

import re
from itertools import pairwise
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from chalicelib.kernel.auth import Group
from chalicelib.keys.model import JOURNEY, Role, State
from chalicelib.keys.model import SCANS as WORDS_OF_SCANS
from chalicelib.pages.store import HERE, PageFiles, version
from tests.pages.answers import SIGN_IN
from tests.pages.answers_partner import (
    EVENTS,
    JOBS,
    LABEL,
    PACKED,
    SCANS,
    TAG,
    come_in,
    job,
    jobs,
    open_house,
    pack,
    signed_in_as,
    stands,
    visit,
)
from tests.pages.conftest import PHONE
from tests.pages.site import LOST, Site, problem
from tests.pages.test_axe import violations
from tests.pages.test_plans import unreadable, words

FIRST_VIEW_BYTES = 40 * 1024
YES, NO, KEPT = (f"section[data-verdict={each}]:visible" for each in ("yes", "no", "kept"))
MISMATCH = problem(422, "LABEL_MISMATCH")
CAMERA = """
  window.inView = [];
  window.BarcodeDetector = class {
    static async getSupportedFormats() { return ["code_128", "qr_code"]; }
    async detect() { return window.inView.map((rawValue) => ({ rawValue })); }
  };
  const picture = document.createElement("canvas");
  navigator.mediaDevices.getUserMedia = async () => picture.captureStream();
"""
"""The browser's own API, with what it sees in `inView`: headless Chromium has neither camera nor detector."""


@pytest.fixture
def house(page: Page, site: Site) -> Page:
    open_house(site)
    return page


def bodies(site: Site, what: str = SCANS) -> list[dict[str, Any]]:
    return [seen.body for seen in site.asked(what)]


def test_only_this_page_of_ours_may_use_the_camera(api: Any) -> None:
    assert "camera=(self)" in api.get("/partner").headers["Permissions-Policy"]
    assert "microphone=()" in api.get("/partner").headers["Permissions-Policy"]
    for other in ("/k", "/ops", "/plans"):
        assert "camera=()" in api.get(other).headers["Permissions-Policy"]
    assert api.get("/p-worker.js").headers["Cache-Control"] == "no-store"


def test_the_first_view_is_small_even_uncompressed(house: Page, site: Site) -> None:
    loaded: dict[str, int] = {}
    house.on("response", lambda answer: loaded.update({answer.url: len(answer.body())}))
    house.goto(f"{site.url}/partner")
    house.wait_for_selector("#user:visible")
    house.wait_for_timeout(300)
    assert len(loaded) >= 8
    assert sum(loaded.values()) < FIRST_VIEW_BYTES


def test_the_right_key_in_the_right_parcel_is_a_big_yes(house: Page, site: Site) -> None:
    come_in(house, site)
    pack(house)
    house.wait_for_selector(YES)
    expect(house.get_by_role("heading", level=1)).to_have_text("네, 맞아요")
    expect(house.get_by_role("heading", level=1)).to_be_focused()
    (sent,) = bodies(site)
    assert {"event": "pack", "key_tag": TAG, "label_hash": LABEL}.items() <= sent.items()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", sent["occurred_at"])
    house.keyboard.press("Tab")
    house.keyboard.press("Enter")
    expect(house.locator("#tag")).to_be_focused()
    expect(house.locator("#tag")).to_have_value("")
    expect(house.locator("#last li")).to_have_text(re.compile(f"✓ 맞음 포장 · {TAG}"))


def test_a_wrong_key_is_a_no_that_says_what_to_do_and_stays(house: Page, site: Site) -> None:
    site.says(SCANS, MISMATCH, PACKED)
    come_in(house, site)
    pack(house)
    house.wait_for_selector(NO)
    expect(house.get_by_role("heading", level=1)).to_have_text("아니요, 멈추세요")
    expect(house.get_by_text("이 상자에 넣지 마세요")).to_be_visible()
    size = house.evaluate("parseFloat(getComputedStyle(document.getElementById('verdict-title')).fontSize)")
    assert size >= 40
    sign = house.locator("#verdict-sign").bounding_box()
    assert sign is not None
    assert sign["width"] >= 120
    assert house.locator("[data-view=verdict]").bounding_box() == {"x": 0, "y": 0, **PHONE}
    house.reload()
    expect(house.locator("#refused")).to_contain_text("이 열쇠를 따로 두세요")
    house.get_by_role("button", name="따로 두었어요").click()
    expect(house.locator("#refused")).to_be_empty()
    pack(house)
    house.wait_for_selector(YES)


NOES = (
    (problem(404, "UNKNOWN_KEY_TAG"), "모르는 태그예요"),
    (problem(403, "NOT_YOUR_SCAN"), "다른 담당자가 해요"),
    (problem(422, "CLOCK_WRONG"), "시계가 틀려요"),
    (stands("cancelled"), "(취소됨)"),
    (stands("verified"), "(고객이 받음)"),
    (problem(422, "SOMETHING_NEW"), "SOMETHING_NEW"),
)


def test_every_other_no_says_what_to_do(house: Page, site: Site) -> None:
    come_in(house, site)
    for answer, said in NOES:
        site.says(SCANS, answer)
        pack(house)
        house.wait_for_selector(NO)
        expect(house.locator("#verdict-do")).to_contain_text(said)
        house.click("#verdict-go")


def test_without_signal_scans_are_kept_and_sent_later_in_order(
    house: Page, phone: BrowserContext, site: Site
) -> None:
    come_in(house, site)
    phone.set_offline(True)
    for tag in ("tag-1", "tag-2", "tag-3"):
        pack(house, tag)
        house.wait_for_selector(KEPT)
        expect(house.locator("#verdict-title")).to_have_text("저장했어요. 아직 확인 전이에요")
        house.click("#verdict-go")
    expect(house.locator("#waiting-say")).to_have_text("3건이 보내기를 기다리고 있어요.")
    assert bodies(site) == []
    site.says(SCANS, PACKED, MISMATCH, PACKED)
    phone.set_offline(False)
    expect(house.locator("#refused")).to_contain_text("포장 · tag-2")
    expect(house.locator("#waiting")).to_be_hidden()
    sent = bodies(site)
    assert [each["key_tag"] for each in sent] == ["tag-1", "tag-2", "tag-3"]
    assert [each["occurred_at"] for each in sent] == sorted({each["occurred_at"] for each in sent})
    house.reload()
    house.get_by_role("button", name="따로 두었어요").click()
    expect(house.locator("#refused")).to_be_empty()
    house.reload()
    house.wait_for_selector("#tag:visible")
    expect(house.locator("#refused")).to_be_empty()
    assert len(bodies(site)) == 3


def test_a_lost_answer_is_asked_for_again_with_the_same_time(house: Page, site: Site) -> None:
    site.says(SCANS, LOST, PACKED)
    come_in(house, site)
    pack(house)
    house.wait_for_selector(KEPT)
    house.click("#verdict-go")
    house.get_by_role("button", name="지금 보내기").click()
    expect(house.locator("#waiting")).to_be_hidden()
    first, again = bodies(site)
    assert first == again
    expect(house.locator("#last li")).to_have_count(1)
    expect(house.locator("#last li")).to_contain_text("✓ 맞음")


def test_a_sign_in_that_ended_asks_again_and_keeps_the_scans(house: Page, site: Site) -> None:
    come_in(house, site)
    site.says(SCANS, problem(401, "UNAUTHENTICATED"))
    pack(house)
    house.wait_for_selector(KEPT)
    house.click("#verdict-go")
    expect(house.locator("#waiting-say")).to_contain_text("1건이 보내기를 기다리고 있어요. 로그인하면 보내요")
    pack(house, "tag-2")
    house.wait_for_selector(KEPT)
    house.click("#verdict-go")
    house.locator("#send-now").click()
    expect(house.locator("#sign-in-error")).to_contain_text("그대로 있어요")
    expect(house.locator("#user")).to_have_value("sora")
    site.says(SCANS, PACKED)
    house.fill("#password", "correct horse")
    house.press("#password", "Enter")
    expect(house.locator("#scan-title")).to_be_visible()
    expect(house.locator("#waiting")).to_be_hidden()
    assert [each["key_tag"] for each in bodies(site)][-2:] == [TAG, "tag-2"]


def test_scans_are_sent_in_the_name_of_whoever_made_them(
    house: Page, phone: BrowserContext, site: Site
) -> None:
    come_in(house, site)
    phone.set_offline(True)
    pack(house)
    house.wait_for_selector(KEPT)
    house.click("#verdict-go")
    house.get_by_role("button", name="로그아웃").click()
    phone.set_offline(False)
    site.says(SIGN_IN, signed_in_as("jun", "packer"))
    house.fill("#user", "jun")
    house.fill("#password", "correct horse")
    house.press("#password", "Enter")
    expect(house.locator("#waiting-say")).to_contain_text("다른 분(sora)의 것")
    assert bodies(site) == []


def test_without_signal_the_page_opens_and_scans_are_kept(
    house: Page, phone: BrowserContext, site: Site
) -> None:
    come_in(house, site)
    house.evaluate("() => navigator.serviceWorker.ready.then(() => true)")
    phone.set_offline(True)
    house.goto(f"{site.url}/partner")
    pack(house)
    house.wait_for_selector(KEPT)
    house.reload()
    expect(house.locator("#waiting-say")).to_contain_text("1건이")
    phone.set_offline(False)
    expect(house.locator("#waiting")).to_be_hidden()
    assert len(bodies(site)) == 1


def test_the_worker_keeps_files_of_the_page_and_nothing_else() -> None:
    worker = str(PageFiles().template("p-worker.js").body)
    kept = set(re.findall(r'"([\w-]+\.(?:js|css|svg))"', worker))
    code = "".join((HERE / "static" / name).read_text(encoding="utf-8") for name in kept)
    loaded = set(re.findall(r'assets/[^/"]+/([^"]+)"', str(PageFiles().template("partner.html").body)))
    assert loaded | set(re.findall(r'"\./([\w-]+\.js)"', code)) == kept
    assert all((HERE / "static" / name).is_file() for name in kept)


def test_the_camera_reads_tag_and_label_and_the_next_scan_follows(house: Page, site: Site) -> None:
    house.add_init_script(CAMERA)
    come_in(house, site)
    house.get_by_role("button", name="카메라 켜기").click()
    expect(house.locator("#finder-say")).to_have_text("열쇠의 태그를 비춰 주세요")
    house.evaluate("address => { inView = [address] }", f"{site.url}/partner#t={TAG}")
    expect(house.locator("#finder-say")).to_have_text("이제 주소 라벨을 비춰 주세요")
    house.evaluate("label => { inView = [label] }", LABEL)
    house.wait_for_selector(YES)
    house.evaluate("inView = ['tag-2']")
    expect(house.locator("#tag")).to_have_value("tag-2")
    house.evaluate("label => { inView = ['tag-2', label] }", "#l=" + LABEL)
    house.wait_for_selector(YES)
    expect(house.locator("#scan-title")).to_be_visible()
    assert [each["key_tag"] for each in bodies(site)] == [TAG, "tag-2"]
    assert {each["label_hash"] for each in bodies(site)} == {LABEL}


def test_where_no_browser_reads_codes_the_camera_app_opens_the_page(
    house: Page, phone: BrowserContext, site: Site
) -> None:
    come_in(house, site)
    expect(house.get_by_text("카메라 앱으로 QR 코드를 찍으면")).to_be_visible()
    expect(house.locator("#camera")).to_be_hidden()
    tab = phone.new_page()
    tab.goto(f"{site.url}/partner#t={TAG}")
    expect(tab.locator("#tag")).to_have_value(TAG)
    assert "#" not in tab.url
    another = phone.new_page()
    another.goto(f"{site.url}/partner#l={LABEL}")
    expect(another.locator("#tag")).to_have_value(TAG)
    expect(another.locator("#label")).to_have_value(LABEL)
    assert bodies(site) == []
    another.get_by_role("button", name="확인").click()
    another.wait_for_selector(YES)


def test_a_code_can_be_typed_in_any_form_and_is_told_when_it_is_the_wrong_one(
    house: Page, site: Site
) -> None:
    come_in(house, site)
    pack(house, LABEL, TAG)
    expect(house.locator("#tag-error")).to_contain_text("이건 주소 라벨이에요")
    expect(house.locator("#tag")).to_be_focused()
    pack(house, TAG, TAG)
    expect(house.locator("#label-error")).to_contain_text("이건 열쇠 태그예요")
    pack(house, "two words", LABEL)
    expect(house.locator("#tag-error")).to_contain_text("다시 찍거나")
    pack(house, f"https://handover.example/partner#t={TAG}", f"https://handover.example/partner#l={LABEL}")
    house.wait_for_selector(YES)
    (sent,) = bodies(site)
    assert (sent["key_tag"], sent["label_hash"]) == (TAG, LABEL)


def test_a_courier_scans_the_tag_alone(house: Page, site: Site) -> None:
    open_house(site, "jun", "courier")
    site.says(SCANS, stands("handed_to_carrier"))
    come_in(house, site, f"#t={TAG}")
    house.get_by_text("운송장 번호도 적기").click()
    house.fill("#tracking", "6865-4321-0987")
    house.press("#tag", "Enter")
    house.wait_for_selector(YES)
    (sent,) = bodies(site)
    assert (sent["event"], sent["label_hash"]) == ("handoff", "")
    assert (sent["carrier"], sent["tracking_number"]) == ("delivery-tracker", "6865-4321-0987")


def test_the_keyboard_alone_packs_a_key(house: Page, site: Site) -> None:
    house.goto(f"{site.url}/partner")
    expect(house.get_by_role("heading", level=1)).to_be_focused()
    house.keyboard.press("Tab")
    house.keyboard.type("sora")
    house.keyboard.press("Tab")
    house.keyboard.type("correct horse")
    house.keyboard.press("Enter")
    expect(house.locator("#scan-title")).to_be_focused()
    house.keyboard.press("Tab")
    assert house.evaluate("document.activeElement.value") == "pack"
    house.keyboard.press("Tab")
    house.keyboard.type(TAG)
    house.keyboard.press("Tab")
    house.keyboard.type(LABEL)
    house.keyboard.press("Enter")
    expect(house.locator("#verdict-title")).to_be_focused()
    house.wait_for_selector(YES)
    house.keyboard.press("Tab")
    house.keyboard.press("Space")
    expect(house.locator("#tag")).to_be_focused()


def test_each_scan_is_offered_to_those_who_may_make_it(house: Page, site: Site) -> None:
    house.goto(f"{site.url}/partner")
    address = f"{site.url}/assets/{version()}/scan.js"
    steps = house.evaluate("async address => (await import(address)).STEPS", address)
    hands = {Role.PACKER, Role.COURIER, Role.AGENT}
    for step, event in WORDS_OF_SCANS.items():
        may = {role for _, what, _, roles in JOURNEY.rows if what is event for role in roles}
        assert set(steps[step]["who"]) == may & hands, step
    assert set(steps) == set(WORDS_OF_SCANS)
    assert {stop for step in steps.values() for stop in step["stops"]} <= set(State)
    assert hands <= set(Group)


def test_the_jobs_of_the_day_and_what_may_be_done_now(house: Page, site: Site) -> None:
    open_house(site, "ara", "agent")
    come_in(house, site)
    expect(house.locator(".job h2")).to_contain_text("14:00–16:00")
    expect(house.locator(".job")).to_contain_text("12가 3456 · 아반떼")
    site.says(JOBS, jobs(job(state="en_route", actions=["arrived"])))
    house.get_by_role("button", name="출발해요").click()
    house.wait_for_selector(YES)
    house.get_by_role("button", name="계속").click()
    expect(house.get_by_role("button", name="도착했어요")).to_be_visible()
    (sent,) = bodies(site, EVENTS)
    assert sent["event"] == "depart"
    assert set(sent) == {"event", "occurred_at"}


def test_a_departure_without_access_is_refused_loudly(house: Page, site: Site) -> None:
    open_house(site, "ara", "agent")
    site.says(EVENTS, problem(422, "ACCESS_NOT_READY"))
    come_in(house, site)
    house.get_by_role("button", name="출발해요").click()
    house.wait_for_selector(NO)
    expect(house.locator("#verdict-do")).to_contain_text("출발하지 마세요")
    house.get_by_role("button", name="알겠어요").click()
    expect(house.locator("#jobs-title")).to_be_visible()
    expect(house.locator("#refused")).to_be_empty()


def test_a_car_that_does_not_open_notes_the_place_and_the_parking_fee(
    house: Page, phone: BrowserContext, site: Site
) -> None:
    open_house(site, "ara", "agent")
    phone.grant_permissions(["geolocation"], origin=site.origin)
    phone.set_geolocation({"latitude": 37.5665, "longitude": 126.978})
    waiting = job(state="waiting", actions=["handover_ok", "access_failed", "missed_customer"])
    site.says(JOBS, jobs(waiting))
    site.says(EVENTS, visit("locked_out", message="고객에게 스마트키를 보냈어요."))
    come_in(house, site)
    house.get_by_role("button", name="차를 넘겼어요").click()
    house.get_by_role("button", name="아니요").click()
    expect(house.get_by_role("button", name="차를 넘겼어요")).to_be_focused()
    house.get_by_role("button", name="차가 안 열려요").click()
    house.get_by_role("button", name="네, 차가 안 열려요").click()
    expect(house.locator(".sure .error")).to_contain_text("숫자로")
    house.get_by_label("한 시간 주차비").fill("6,000")
    house.get_by_role("button", name="네, 차가 안 열려요").click()
    house.wait_for_selector(YES)
    expect(house.locator("#verdict-what")).to_contain_text("스마트키를 보냈어요")
    (sent,) = bodies(site, EVENTS)
    assert (sent["event"], sent["tariff_per_hour"]) == ("access_failed", 6000)
    assert sent["position"] == {"lat": 37.5665, "lon": 126.978}


def test_an_arrival_in_a_garage_without_signal_is_sent_later_with_its_time(
    house: Page, phone: BrowserContext, site: Site
) -> None:
    open_house(site, "ara", "agent")
    come_in(house, site)
    phone.set_offline(True)
    house.get_by_role("button", name="출발해요").click()
    house.wait_for_selector(KEPT)
    house.click("#verdict-go")
    expect(house.locator(".kept")).to_have_text("보내기를 기다려요: 출발해요")
    expect(house.locator("#jobs-say")).to_contain_text("연결이 안 돼요")
    phone.set_offline(False)
    expect(house.locator("#waiting")).to_be_hidden()
    assert len(bodies(site, EVENTS)) == 1


def test_somebody_who_is_no_partner_is_not_let_in(house: Page, site: Site) -> None:
    site.says(SIGN_IN, signed_in_as("kim"))
    house.goto(f"{site.url}/partner")
    house.fill("#user", "kim")
    house.fill("#password", "correct horse")
    house.press("#password", "Enter")
    expect(house.locator("#sign-in-error")).to_contain_text("파트너 그룹에 없어요")
    assert "handover.token" not in house.evaluate("JSON.stringify(localStorage)")


def test_english_is_there_too(browser: Browser, site: Site) -> None:
    open_house(site, "sora", "packer", "agent")
    site.says(SCANS, MISMATCH)
    context = browser.new_context(viewport=PHONE, locale="en-GB", has_touch=True, is_mobile=True)
    page = context.new_page()
    come_in(page, site)
    page.get_by_role("button", name="Scan").click()
    pack(page)
    page.wait_for_selector(NO)
    expect(page.get_by_text("Put this key aside. Do not pack it.")).to_be_visible()
    context.close()


def test_axe_finds_nothing_in_light_and_dark(browser: Browser, site: Site) -> None:
    open_house(site, "sora", "packer", "agent")
    waiting = job(appointment_id="apt_2", state="waiting", actions=["access_failed"])
    site.says(JOBS, jobs(job(), waiting, job(appointment_id="apt_3", state="at_risk", car=None, actions=[])))
    context = browser.new_context(viewport=PHONE, locale="ko-KR", reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(10_000)

    def clean() -> None:
        page.emulate_media(color_scheme="light")
        assert violations(page) == []
        page.emulate_media(color_scheme="dark")
        assert unreadable(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    page.goto(f"{site.url}/partner")
    page.wait_for_selector("#user:visible")
    clean()
    come_in(page, site)
    page.get_by_role("button", name="차가 안 열려요").click()
    clean()
    page.get_by_role("button", name="열쇠 스캔").click()
    pack(page, "two words")
    clean()
    for answer, verdict in ((PACKED, YES), (MISMATCH, NO), (problem(503, "BUSY"), KEPT)):
        site.says(SCANS, answer)
        pack(page)
        page.wait_for_selector(verdict)
        clean()
        page.click("#verdict-go")
    pack(page)
    page.wait_for_selector(KEPT)
    page.click("#verdict-go")
    site.says(SCANS, MISMATCH)
    page.click("#send-now")
    page.wait_for_selector("#refused button >> nth=1")
    clean()
    context.close()


def test_nothing_in_the_page_is_inline_or_twice() -> None:
    html = str(PageFiles().template("partner.html").body)
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", html)
    assert not re.search(r"<script(?![^>]*\ssrc=)", html)
    assert not re.search(r'(?:href|src)="(?:/|https?:)', html)
    ids = re.findall(r'\sid="([^"]+)"', html)
    assert all(one != other for one, other in pairwise(sorted(ids)))
    named = re.findall(r'\s(?:for|aria-labelledby|aria-describedby)="([^"]+)"', html)
    assert {each for names in named for each in names.split()} <= set(ids)


def test_every_text_is_there_in_both_languages(page: Page, site: Site) -> None:
    texts = words(page, site, "words-partner", "partner-words")
    for entry, (korean, english) in texts.items():
        assert sorted(re.findall(r"\{\w+\}", korean)) == sorted(re.findall(r"\{\w+\}", english)), entry
        assert re.search("[가-힣]", korean), entry
        assert english.strip(), entry
        assert not re.search("[가-힣]", english), entry
    names = ("partner", "partner-house", "partner-jobs", "scan", "scan-verdict", "scan-camera")
    code = "".join((HERE / "static" / f"{name}.js").read_text(encoding="utf-8") for name in names)
    html = str(PageFiles().template("partner.html").body)
    asked = set(re.findall(r'data-t(?:-label)?="([^"]+)"', html))
    asked |= set(re.findall(r'word\("([^"]+)"', code)) | set(re.findall(r'fail\([^"]+, "([^"]+)"', code))
    asked |= {f"step.{step}" for step in WORDS_OF_SCANS}
    assert asked - set(texts) == set()
