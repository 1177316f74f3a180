"""Operations and money: campaigns, codes, look-up, reconciliation; and the sponsor who pays for one."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page, expect

from chalicelib.pages.store import HERE, version
from tests.pages.answers import GET_OVERVIEW, SIGN_IN, overview, signed_in
from tests.pages.answers_campaigns import (
    APPROVE,
    AT,
    BATCHES,
    CAMPAIGN,
    CLEAN,
    CMP,
    CODES,
    CREATE,
    DAYS,
    DONE,
    FILE,
    GIVEN,
    GRANTS,
    GROWING,
    LOOK,
    LOOKUP,
    MEMBERS,
    PEOPLE,
    REPAIRS,
    RICHER,
    RUNNING,
    RUNS,
    SETTLEMENTS,
    SPEND,
    SPONSOR,
    SPONSORED,
    TARGETS,
    TOLD,
    VOID,
    batches,
    runs_campaigns,
    sponsors,
)
from tests.pages.answers_my import NOW
from tests.pages.conftest import DESK, PHONE
from tests.pages.site import LOST, Reply, Site, problem
from tests.pages.test_axe import violations
from tests.pages.test_my_axe import COLOURS

ASKED: dict[str, Any] = {
    "name": "첫 달 축하",
    "kind": "percent",
    "value": 10,
    "max_discount": 20_000,
    "budget": 3_000_000,
    "count_limit": 600,
    "min_order": 30_000,
    "per_user_limit": 1,
    "opens_at": "2026-11-20T12:00:00+09:00",
    "closes_at": "2026-12-20T23:59:00+09:00",
    "scope": {"kinds": ["contract_fee"], "plans": ["first-car"], "groups": []},
    "at_the_edge": "partial",
    "reserve_at": "redeem",
    "download": True,
    "sponsor_id": "sky-air",
    "sponsor_percent": 50,
    "description": "겨울에 만나요",
}
TARGETED = {"batch_id": "20261120-3", "customers": ["sub-jiwoo", "sub-mina"], "send": True}
REPAIRED = {
    "repair_id": "rep_1",
    "run_id": "run_1",
    "difference": 0,
    "state": "DONE",
    "proposed_by": "mina",
    "approved_by": "joon",
    "at": "2026-11-20T03:00:00Z",
}


@pytest.fixture
def desk(browser: Browser, site: Site) -> Iterator[Page]:
    """Signed in already, in English, as after a reload."""
    site.says("GET /v1/config", Reply(body={"user_pool_client_id": "c1", "cognito_endpoint": site.origin}))
    site.says(SIGN_IN, signed_in())
    site.says(GET_OVERVIEW, overview())
    runs_campaigns(site)
    sponsors(site)
    context = browser.new_context(viewport=DESK, locale="en-US", reduced_motion="reduce")
    context.set_default_timeout(10_000)
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "console", lambda said: wrong.append(said.text) if "Content Security Policy" in said.text else None
    )
    page.clock.set_fixed_time(NOW)
    page.add_init_script("sessionStorage.setItem('handover.token', 'an.id.token')")
    yield page
    context.close()
    assert wrong == []


def enter(page: Page, site: Site, where: str) -> None:
    page.goto(f"{site.url}/{where}")
    page.wait_for_selector("[data-view=boot]", state="hidden")


def answer(page: Page, text: str, button: str) -> None:
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox").fill(text)
    dialog.get_by_role("button", name=button, exact=True).click()


def test_the_rooms_are_found_from_the_overview_and_figures_add_up_before_the_reader(
    desk: Page, site: Site
) -> None:
    enter(desk, site, "ops")
    desk.wait_for_selector("#issued:visible")
    rooms = desk.get_by_role("navigation", name="Operations")
    rooms.get_by_role("link", name="Campaigns").click()
    expect(desk.get_by_role("heading", name="Campaigns", level=1)).to_be_focused()
    row = desk.locator("#room tbody tr").first
    expect(row).to_contain_text("KRW 1,100,000 (37%)")
    row.get_by_role("link").click()
    said = (
        "KRW 3,000,000 = left KRW 1,890,000 + reserved KRW 10,000 + "
        "(captured KRW 1,150,000 − refunded KRW 50,000)"
    )
    expect(desk.locator("#budget-sum")).to_have_text(said)
    drawing = desk.get_by_role("img", name=re.compile("KRW 1,100,000 of KRW 3,000,000 spent over 8 days"))
    expect(drawing).to_be_visible()
    desk.get_by_text("Day by day, as a table").click()
    rows = desk.locator(".chart tbody tr")
    expect(rows).to_have_count(8)
    expect(rows.first).to_contain_text("KRW 1,100,000")
    rooms.get_by_role("link", name="Now").click()
    expect(desk.locator("#issued")).to_be_visible()
    site.says(CAMPAIGN, LOST, LOST, LOST, Reply(body={**RUNNING, "available": 1_890_001}))
    desk.evaluate("id => { location.hash = `campaigns/${id}`; }", CMP)
    desk.get_by_role("button", name="Try again").click(timeout=15_000)
    expect(desk.locator("#budget-sum.error")).to_contain_text("does not add up")
    desk.get_by_role("button", name="Sign out").click()
    assert "첫 달" not in desk.content()


def test_a_campaign_is_checked_and_its_worth_seen_before_it_is_made(desk: Page, site: Site) -> None:
    enter(desk, site, "ops#campaigns/new")
    fill = {"Name": "첫 달 축하", "Minimum order": "30,000", "Uses in all": "600", "Sponsor": "sky-air"}
    fill |= {"Their share": "50", "Only plans": "first-car", "Description": "겨울에 만나요"}
    for label, text in fill.items():
        desk.locator("#new-campaign").get_by_label(label).first.fill(text)
    for chip in ("Percentage", "Contract fees", "Offer what is left"):
        desk.get_by_label(chip).check(force=True)
    desk.get_by_label("Customers can take it themselves").check()
    value = desk.get_by_label("Amount, or percent")
    value.fill("110")
    make = desk.get_by_role("button", name="Create the campaign")
    make.click()
    expect(value).to_be_focused()
    expect(desk.locator("#value-error")).to_contain_text("from 1 to 100")
    assert site.asked(CREATE) == []
    value.fill("10")
    desk.get_by_label("At most").fill("20,000")
    expect(desk.locator("#worth")).to_contain_text("An order of KRW 400,000 gets KRW 20,000 off")
    expect(desk.locator("#worth")).to_contain_text("lasts for 150 such orders")
    desk.get_by_label("Example order").fill("20,000")
    expect(desk.locator("#worth")).to_contain_text("does not apply to an order of KRW 20,000")
    site.says(CREATE, Reply(201, {"campaign_id": CMP}))
    make.click()
    desk.wait_for_url(f"**/ops#campaigns/{CMP}")
    asked = {**ASKED, "scope": {"kinds": ["contract_fee"], "plans": ["first-car"]}}
    assert site.asked(CREATE)[0].body == asked


def test_a_campaign_is_paused_resized_and_closed_with_a_way_back_where_there_is_one(
    desk: Page, site: Site
) -> None:
    paused, more = {**RUNNING, "state": "PAUSED"}, {**RUNNING, "budget": 3_500_000, "available": 2_390_000}
    site.says(f"POST {AT}/pause", Reply(body=paused))
    site.says(f"POST {AT}/resume", Reply(body=RUNNING))
    site.says(f"POST {AT}/top-up", LOST, LOST, LOST, Reply(body=more))
    deep = problem(422, "CUT_TOO_DEEP")
    deep.body["most"] = 2_390_000
    site.says(f"POST {AT}/cut", deep, Reply(body=RUNNING))
    site.says(f"POST {AT}/close", Reply(body={**RUNNING, "state": "CLOSED"}))
    enter(desk, site, f"ops#campaigns/{CMP}")
    desk.get_by_role("button", name="Pause").click()
    expect(desk.locator("#room-news")).to_contain_text("nothing is granted")
    expect(desk.get_by_role("button", name="Undo")).to_be_focused()
    desk.keyboard.press("Enter")
    expect(desk.locator("#state")).to_have_text("Open")
    desk.get_by_role("button", name="Top up").click()
    answer(desk, "half a million", "Add it")
    expect(desk.get_by_role("dialog").get_by_role("alert")).to_contain_text("an amount above 0")
    answer(desk, "500,000", "Add it")
    expect(desk.get_by_role("dialog").get_by_role("alert")).to_contain_text("No answer", timeout=15_000)
    answer(desk, "500,000", "Add it")
    expect(desk.locator("#room-news")).to_have_text("The budget is KRW 3,500,000 now.")
    sent = site.asked(f"POST {AT}/top-up")
    assert len({each.body["top_up_id"] for each in sent}) == 1
    desk.get_by_role("button", name="Cut").click()
    answer(desk, "3000000", "Take it off")
    expect(desk.get_by_role("dialog").get_by_role("alert")).to_contain_text("now is KRW 2,390,000.")
    desk.keyboard.press("Escape")
    desk.get_by_role("button", name="Undo").click()
    expect(desk.locator("#room-news")).to_have_text("The budget is KRW 3,000,000 now.")
    desk.get_by_role("button", name="Close early").click()
    answer(desk, "the partner left", "Close it")
    expect(desk.locator("#state")).to_have_text("Closed")
    expect(desk.get_by_role("button", name="Pause")).to_have_count(0)
    assert site.asked(f"POST {AT}/close")[0].body == {"reason": "the partner left"}


def test_codes_are_watched_as_they_grow_taken_as_a_file_given_and_voided(desk: Page, site: Site) -> None:
    site.says(CODES, Reply(202, GROWING))
    half, whole = {**GROWING, "issued": 90_000}, {**GROWING, "state": "DONE", "issued": 100_000}
    site.says(BATCHES, batches(DONE), batches(GROWING, DONE), batches(half, DONE), batches(whole, DONE))
    enter(desk, site, f"ops#campaigns/{CMP}")
    expect(desk.get_by_label("Batch").first).to_have_value("20261120-2")
    desk.get_by_label("How many").fill("100,000")
    desk.get_by_role("button", name="Issue", exact=True).click()
    expect(desk.get_by_role("progressbar", name="Progress of 20261120-2")).to_be_visible()
    expect(desk.locator("#room-news")).to_have_text("Done.")
    assert site.asked(CODES)[0].body == {"batch_id": "20261120-2", "count": 100_000}
    site.says(FILE, Reply(body="code\r\nA\r\n", headers={"X-Next-Cursor": "n"}))
    site.says(f"{FILE}&cursor=n", Reply(body="code\r\nB\r\n"))
    with desk.expect_download() as taken:
        desk.get_by_role("button", name="Codes of 20261120-1 as CSV").click()
    assert taken.value.suggested_filename == "20261120-1.csv"
    assert site.asked(FILE)[0].headers["authorization"] == "Bearer an.id.token"
    expect(desk.locator("#room-news")).to_contain_text("Codes are money")

    site.says(TARGETS, Reply(202, TOLD))
    named = {**DONE, "batch_id": "20261120-3", "kind": "targets"}
    site.says(BATCHES, batches(whole, DONE, named))
    site.says(f"GET {AT}/targets/20261120-3", Reply(body=TOLD))
    desk.get_by_text("Choose the customers").click()
    desk.get_by_label("Customer ids").fill("sub-jiwoo\nsub-mina, sub-jiwoo")
    desk.get_by_role("button", name="Put them in").click()
    expect(desk.locator("#room-news")).to_have_text("Going into 2 boxes.")
    assert site.asked(TARGETS)[0].body == TARGETED
    desk.get_by_role("button", name="Result of 20261120-3").click()
    expect(desk.locator("#room-news")).to_contain_text("1 texts sent, 0 waiting · 1 not in the group")

    site.says(VOID, Reply(202, {**DONE, "state": "VOIDING", "voided": 0}))
    site.says(BATCHES, batches({**DONE, "state": "VOID", "voided": 1_000}))
    desk.get_by_role("button", name="Void the batch 20261120-1").click()
    answer(desk, "the file was lost", "Void it")
    expect(desk.locator("#batches tbody")).to_contain_text("void")
    expect(desk.get_by_role("button", name="Codes of 20261120-1 as CSV")).to_have_count(0)
    assert site.asked(VOID)[0].body == {"reason": "the file was lost"}


def test_what_is_focused_or_typed_stays_when_the_room_is_drawn_anew(desk: Page, site: Site) -> None:
    grown = {**GROWING, "state": "DONE", "issued": 100_000}
    site.says(BATCHES, batches(GROWING), batches(GROWING), batches(grown))
    enter(desk, site, f"ops#campaigns/{CMP}")
    end = desk.get_by_role("button", name="Void the batch 20261120-2")
    end.focus()
    expect(desk.get_by_role("button", name="Codes of 20261120-2 as CSV")).to_be_visible()
    expect(end).to_be_focused()
    desk.evaluate("() => { location.hash = 'campaigns/new'; }")
    desk.get_by_label("Name (customers see it)").fill("Winter")
    desk.get_by_label("Amount, or percent").fill("5,000")
    desk.get_by_label("Offer what is left").check(force=True)
    desk.get_by_role("button", name="한국어").click()
    expect(desk.get_by_label("캠페인 이름")).to_have_value("Winter")
    expect(desk.get_by_label("남은 만큼 할인")).to_be_checked()
    expect(desk.locator("#worth")).to_contain_text("5,000원을 깎아")


def test_a_room_that_was_left_draws_nothing_into_the_next(desk: Page, site: Site) -> None:
    desk.add_init_script("const slow = setInterval; setInterval = (deed, ms) => slow(deed, ms / 20);")
    other = {**RUNNING, "campaign_id": "cmp_old", "name": "Summer", "budget": 700_000, "available": 690_000}
    site.says("GET /v1/ops/campaigns/cmp_old", Reply(body={**other, "captured": 0, "refunded": 0}))
    site.says("GET /v1/ops/campaigns/cmp_old/spend", Reply(body={"days": []}))
    site.says("GET /v1/ops/campaigns/cmp_old/batches", batches())
    site.says(BATCHES, batches(GROWING))
    enter(desk, site, f"ops#campaigns/{CMP}")
    desk.wait_for_selector("#batches progress")
    desk.evaluate("() => { location.hash = 'campaigns/cmp_old'; }")
    expect(desk.locator("#figures")).to_contain_text("KRW 700,000")
    before = len(site.asked(CAMPAIGN))
    desk.wait_for_timeout(2_500)
    expect(desk.locator("#figures")).to_contain_text("KRW 700,000")
    expect(desk.locator("#batches progress")).to_have_count(0)
    assert len(site.asked(CAMPAIGN)) == before


def test_a_day_without_any_spending_has_its_place_and_a_closed_campaign_issues_nothing(
    desk: Page, site: Site
) -> None:
    site.says(SPEND, Reply(body={"days": [DAYS[0], DAYS[-1]]}))
    site.says(CAMPAIGN, Reply(body={**RUNNING, "state": "CLOSED"}))
    enter(desk, site, f"ops#campaigns/{CMP}")
    expect(desk.get_by_role("img", name=re.compile("over 8 days"))).to_be_visible()
    expect(desk.locator(".chart tbody tr")).to_have_count(2)
    expect(desk.get_by_role("button", name="Codes of 20261120-1 as CSV")).to_be_visible()
    expect(desk.get_by_role("button", name="Issue", exact=True)).to_have_count(0)
    expect(desk.get_by_text("Choose the customers")).to_have_count(0)


def test_a_room_or_a_month_that_is_refused_says_why(desk: Page, site: Site) -> None:
    site.says(CAMPAIGN, problem(404, "UNKNOWN_CAMPAIGN"))
    enter(desk, site, f"ops#campaigns/{CMP}")
    expect(desk.locator("#room .lead")).to_have_text("There is no such campaign.")
    expect(desk.get_by_role("button", name="Try again")).to_be_visible()
    site.says(f"{SETTLEMENTS}/2026-11", problem(409, "STATEMENT_CHANGED"))
    enter(desk, site, "sponsor")
    expect(desk.locator("#trouble-lead")).to_contain_text("no longer agrees with the books")
    desk.get_by_role("button", name="한국어").click()
    expect(desk.locator("#trouble-lead")).to_contain_text("원장과 맞지 않아")


def test_every_attempt_and_refusal_is_looked_up_and_no_code_is_in_an_address(desk: Page, site: Site) -> None:
    site.says(f"{LOOKUP}?code=K7QM2X9D", Reply(body=LOOK))
    enter(desk, site, "ops#lookup")
    desk.get_by_label("Which one").fill("K7QM2X9D")
    desk.get_by_role("button", name="Look up").click()
    expect(desk.get_by_role("heading", name="Coupons")).to_be_focused()
    desk.get_by_text("2 ledger lines").click()
    expect(desk.locator(".attempts tbody tr")).to_have_count(4)
    expect(desk.locator(".attempts")).to_contain_text("Paid · ")
    expect(desk.get_by_role("group", name="Refusals")).to_contain_text("ORDER_TOO_SMALL")
    assert "K7QM2X9D" not in desk.url


def test_sponsors_their_people_and_groups_of_customers_are_looked_after(desk: Page, site: Site) -> None:
    site.says(SPONSOR, problem(422, "SPONSOR_DIFFERS"), Reply(201, {"sponsor_id": "sky-air", "name": "Sky"}))
    site.says(PEOPLE, Reply(201, {"sponsor_id": "sky-air", "subject": "sub-joon"}))
    odd = problem(400, "MALFORMED")
    odd.body["errors"] = [{"pointer": "/remove/0", "detail": "does not fit"}]
    site.says(MEMBERS, odd, Reply(body={"group": "vip", "added": 2, "removed": 1}))
    enter(desk, site, "ops#campaigns")
    desk.get_by_role("link", name="Sponsors and groups").click()
    expect(desk.get_by_role("heading", name="Sponsors and groups", level=1)).to_be_focused()
    desk.get_by_role("button", name="Add", exact=True).click()
    expect(desk.get_by_label("Sponsor id")).to_be_focused()
    desk.get_by_label("Sponsor id").fill("sky-air")
    desk.get_by_label("Company").fill("Sky")
    desk.get_by_role("button", name="Add", exact=True).click()
    expect(desk.get_by_role("alert").filter(has_text="another name")).to_be_visible()
    desk.get_by_role("button", name="Add", exact=True).click()
    expect(desk.locator("#room-news")).to_have_text("Sponsor added: Sky (sky-air)")
    desk.get_by_label("Of which sponsor").fill("sky-air")
    desk.get_by_label("Their account").fill("sub-joon")
    desk.get_by_role("button", name="Add this person").click()
    expect(desk.locator("#room-news")).to_have_text("sub-joon can see the settlements of sky-air now.")
    assert site.asked(PEOPLE)[0].body == {"subject": "sub-joon"}
    change = desk.get_by_role("button", name="Change the group")
    desk.get_by_label("Group", exact=True).fill("vip")
    change.click()
    expect(desk.get_by_label("Customers to put in")).to_be_focused()
    desk.get_by_label("Customers to put in").fill("sub-jiwoo, sub-mina\nsub-jiwoo")
    out = desk.get_by_label("Customers to take out")
    out.fill("sub-mina")
    change.click()
    expect(desk.locator("#remove-error")).to_contain_text("none of them also to be put in")
    out.fill("sub-old")
    change.click()
    expect(out).to_have_attribute("aria-invalid", "true")
    change.click()
    expect(desk.locator("#room-news")).to_have_text("vip: 2 put in, 1 taken out.")
    assert site.asked(MEMBERS)[1].body == {"add": ["sub-jiwoo", "sub-mina"], "remove": ["sub-old"]}


def test_points_are_given_by_hand_after_one_more_look(desk: Page, site: Site) -> None:
    site.says(f"{LOOKUP}?customer_id=sub-jiwoo", Reply(body=LOOK), Reply(body={**LOOK, "points": RICHER}))
    site.says(GRANTS, problem(422, "LASTS_TOO_LONG"), LOST, LOST, LOST, Reply(201, GIVEN))
    enter(desk, site, "ops#lookup")
    desk.get_by_label("Customer").check(force=True)
    desk.get_by_label("Which one").fill("sub-jiwoo")
    desk.get_by_role("button", name="Look up").click()
    desk.get_by_text("Give points").click()
    give = desk.get_by_role("button", name="Give these points")
    desk.get_by_label("Points to give").fill("1,000,001")
    give.click()
    expect(desk.locator("#points-error")).to_contain_text("1,000,000")
    desk.get_by_label("Points to give").fill("5,000")
    desk.get_by_label("Why").fill("a late key")
    give.click()
    dialog = desk.get_by_role("dialog")
    expect(dialog).to_contain_text("5,000 points to sub-jiwoo. This cannot be undone.")
    assert site.asked(GRANTS) == []
    sure = dialog.get_by_role("button", name="Give them")
    sure.click()
    expect(dialog.get_by_role("alert")).to_contain_text("two years from now")
    sure.click()
    expect(dialog.get_by_role("alert")).to_contain_text("No answer", timeout=15_000)
    sure.click()
    expect(desk.locator("#room-news")).to_have_text("5,000 points were given to sub-jiwoo.")
    expect(desk.get_by_role("heading", name="Points")).to_be_focused()
    expect(desk.get_by_text("17,300 to use")).to_be_visible()
    sent = site.asked(GRANTS)
    assert sent[0].body == {"customer_id": "sub-jiwoo", "points": 5_000, "reason": "a late key"}
    assert len({each.headers["idempotency-key"] for each in sent[1:]}) == 1


def test_many_points_are_given_by_two_people(desk: Page, site: Site) -> None:
    site.says(f"{LOOKUP}?customer_id=sub-jiwoo", Reply(body=LOOK))
    asked = {**GIVEN, "points": 200_000, "state": "ASKED", "expires_at": None}
    site.says(GRANTS, Reply(202, asked))
    site.says(APPROVE, problem(422, "OWN_GRANT"), Reply(200, {**asked, "state": "GIVEN"}))
    enter(desk, site, "ops#lookup")
    desk.get_by_label("Customer").check(force=True)
    desk.get_by_label("Which one").fill("sub-jiwoo")
    desk.get_by_role("button", name="Look up").click()
    desk.get_by_text("Give points").click()
    desk.get_by_label("Points to give").fill("200,000")
    desk.get_by_label("Why").fill("a car that never came")
    desk.get_by_role("button", name="Give these points").click()
    desk.get_by_role("dialog").get_by_role("button", name="Give them").click()
    expect(desk.locator("#room-news")).to_contain_text("Not given yet")
    expect(desk.locator("#room-news")).to_contain_text("pgr_1")
    desk.get_by_text("Give points").click()
    desk.get_by_label("Number").fill("pgr_1")
    desk.get_by_role("textbox", name="Points", exact=True).fill("200,000")
    approve = desk.get_by_role("button", name="Approve")
    approve.click()
    expect(desk.get_by_role("alert").filter(has_text="Please ask a colleague")).to_be_visible()
    approve.click()
    expect(desk.locator("#room-news")).to_have_text("200,000 points were given to sub-jiwoo.")
    assert site.asked(APPROVE)[0].body == {"customer_id": "sub-jiwoo", "points": 200_000}


def test_a_difference_is_repaired_by_a_second_person(desk: Page, site: Site) -> None:
    begun = {**CLEAN, "run_id": "run_2", "state": "REQUESTED", "ended_at": None, "checked": 0}
    site.says(f"POST {RUNS}", Reply(202, begun))
    site.says(f"GET {RUNS}/run_2", Reply(body=begun), Reply(body={**CLEAN, "run_id": "run_2"}))
    enter(desk, site, "ops#books")
    expect(desk.locator("#room tbody tr").first).to_contain_text("1")
    desk.get_by_role("button", name="Reconcile everything now").click()
    expect(desk.locator("#run")).to_have_text("All 8,412 figures agree.")
    expect(desk.locator("#room-news")).to_have_text("All 8,412 figures agree.")
    desk.evaluate("() => { location.hash = 'books/run_1'; }")
    expect(desk.locator("#run tbody tr")).to_contain_text("KRW -5,000")
    site.says(REPAIRS, problem(422, "SAME_PERSON"), Reply(201, REPAIRED))
    desk.get_by_role("button", name="Repair").click()
    answer(desk, "lost write", "Repair")
    expect(desk.get_by_role("dialog").get_by_role("alert")).to_contain_text("Please ask a colleague")
    answer(desk, "lost write", "Repair")
    expect(desk.locator("#room-news")).to_have_text("Repaired.")
    assert site.asked(REPAIRS)[1].body == {"run_id": "run_1", "difference": 0, "reason": "lost write"}


def test_a_sponsor_sees_the_months_and_takes_one_as_a_file(desk: Page, site: Site) -> None:
    enter(desk, site, "sponsor")
    expect(desk.locator("#sponsor .banner")).to_contain_text("not over")
    total = desk.locator("#sponsor table").last.locator("tbody tr").last
    expect(total).to_contain_text("KRW 105,000")
    expect(desk.locator("[aria-labelledby=lines-title] .numbers")).to_contain_text("To settleKRW 105,000")
    site.says(f"{SETTLEMENTS}/2026-11?format=csv", Reply(body="campaign,day\r\n"))
    with desk.expect_download() as taken:
        desk.get_by_role("button", name="Download CSV").click()
    assert taken.value.suggested_filename == "settlement-2026-11.csv"
    desk.get_by_role("link", name="2026-10").click()
    expect(desk.get_by_role("heading", name="Settlement 2026-10")).to_be_focused()
    expect(desk.get_by_text("Final.")).to_be_visible()
    site.says(SPONSORED, problem(403, "FORBIDDEN"))
    desk.reload()
    expect(desk.locator("#sign-in-error")).to_have_text("This account belongs to no sponsor.")
    assert "settlement" not in desk.locator("#sponsor").inner_text().lower()


def test_axe_finds_nothing_in_the_rooms_and_nothing_sticks_out_on_a_phone(desk: Page, site: Site) -> None:
    site.says(BATCHES, batches(GROWING, DONE))
    site.says(f"{LOOKUP}?code=A", Reply(body=LOOK))
    sign_of = {
        "ops#campaigns/new": "#worth",
        "ops#campaigns/people": "#group-form",
        f"ops#campaigns/{CMP}": "#batches table",
        "ops#lookup": "#lookup",
        "sponsor": "#lines-title",
    }
    for room, sign in sign_of.items():
        desk.set_viewport_size(DESK)
        enter(desk, site, room)
        desk.wait_for_selector(sign)
        if room.endswith("new"):
            desk.get_by_role("button", name="Create the campaign").click()
        if room.endswith("people"):
            desk.get_by_role("button", name="Change the group").click()
        if room.endswith("lookup"):
            desk.get_by_label("Which one").fill("A")
            desk.keyboard.press("Enter")
            desk.wait_for_selector("#found-title")
        for closed in desk.locator("details").all():
            closed.evaluate("each => { each.open = true; }")
        assert violations(desk) == [], room
        desk.set_viewport_size(PHONE)
        assert desk.evaluate("document.documentElement.scrollWidth <= innerWidth"), room
        if room.startswith("ops#campaigns/cmp"):
            desk.emulate_media(color_scheme="dark")
            dark = Axe().run(desk, options=COLOURS).response["violations"]
            assert [each["nodes"][0]["html"] for each in dark] == [], room
            desk.emulate_media(color_scheme="light")


STATIC = HERE / "static"
WORDS = ["words-ops", *(f"words-ops-{part}" for part in ("campaigns", "books", "refusals"))]
WORDS += ["words-coupons", "words-my-form"]
ROOMS = [
    "ops-kit",
    "ops-campaigns",
    "ops-campaign",
    "ops-campaign-new",
    "ops-chart",
    "ops-codes",
    "ops-lookup",
    "ops-people",
]
CATALOGUES = {
    "ops": (WORDS, [*ROOMS, "ops-lookup", "ops-books", "csv"]),
    "sponsor": (["words-sponsor", "words-my-form"], ["sponsor", "csv"]),
    "foot": (["words-wallet"], ["wallet"]),
    "means": (["words-pay-with", "words-coupons"], ["pay-with", "coupons"]),
}


def test_every_text_is_there_in_both_languages(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/sponsor")
    for name in CATALOGUES:
        complete(page, site, name)


def complete(page: Page, site: Site, name: str) -> None:
    parts, scripts = CATALOGUES[name]
    found: dict[str, Any] = {"won": ["{amount}원", "₩{amount}"]}
    for part in parts:
        address = f"{site.url}/assets/{version()}/{part}.js"
        found |= page.evaluate("async address => (await import(address)).words", address)
    for entry, (korean, english) in found.items():
        assert korean.strip(), entry
        assert english.strip(), entry
        assert sorted(re.findall(r"\{\w+\}", korean)) == sorted(re.findall(r"\{\w+\}", english)), entry
        assert not re.search("[가-힣]", english), entry
    code = "".join((STATIC / f"{each}.js").read_text(encoding="utf-8") for each in scripts)
    asked = set(re.findall(r'word\("([^"]+)"', code))
    asked |= {f"field.{field}" for field in re.findall(r'(?:field|area)\("(\w+)"', code)}
    if name == "sponsor":
        html = Path(HERE / "templates" / "sponsor.html").read_text(encoding="utf-8")
        asked |= set(re.findall(r'data-t(?:-label)?="([^"]+)"', html))
    assert asked - set(found) == set()


def test_nothing_in_the_sponsors_page_is_inline_at_the_root_or_twice() -> None:
    html = Path(HERE / "templates" / "sponsor.html").read_text(encoding="utf-8")
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|<script(?![^>]*\ssrc=)", html)
    assert not re.search(r'(?:href|src)="(?:/|https?:)', html)
    ids = re.findall(r'\sid="([^"]+)"', html)
    assert all(one != other for one, other in pairwise(sorted(ids)))
