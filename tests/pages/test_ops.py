"""The ops page: who may see it, and figures that add up."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.pages.answers import GET_OVERVIEW, OVERVIEW, SIGN_IN, overview, signed_in
from tests.pages.conftest import DESK, PHONE
from tests.pages.site import LOST, Reply, Site, problem


@pytest.fixture
def desk(browser: Browser, site: Site) -> Any:
    site.says("GET /v1/config", Reply(body={"user_pool_client_id": "c1", "cognito_endpoint": site.origin}))
    site.says(SIGN_IN, signed_in())
    site.says(GET_OVERVIEW, overview())
    context = browser.new_context(viewport=DESK, locale="en-US")
    context.set_default_timeout(10_000)
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "console", lambda said: wrong.append(said.text) if "Content Security Policy" in said.text else None
    )
    page.goto(f"{site.url}/ops")
    page.wait_for_selector("#user:visible")
    yield page
    context.close()
    assert wrong == []


def sign_in(page: Page) -> None:
    page.get_by_label("User name").fill("mina")
    page.get_by_label("Password").fill("correct horse")
    page.get_by_role("button", name="Sign in").click()


def test_signing_in_asks_the_pool_itself_and_then_the_overview(desk: Page, site: Site) -> None:
    sign_in(desk)
    expect(desk.locator("#issued")).to_have_text("31")
    (asked,) = site.asked(SIGN_IN)
    assert asked.body == {
        "AuthFlow": "USER_PASSWORD_AUTH",
        "ClientId": "c1",
        "AuthParameters": {"USERNAME": "mina", "PASSWORD": "correct horse"},
    }
    assert site.asked(GET_OVERVIEW)[0].headers["authorization"] == "Bearer an.id.token"
    assert desk.evaluate("JSON.stringify(localStorage)").count("token") == 0


def test_the_funnel_adds_up_before_the_reader(desk: Page, site: Site) -> None:
    sign_in(desk)
    expect(desk.locator("#sum")).to_contain_text("31 = 27 + 1 + 2 + 1 + 0")
    expect(desk.locator("#stuck")).to_have_text("4")
    expect(desk.locator("#waiting tbody tr")).to_have_count(4)
    expect(desk.locator("#waiting tbody tr").nth(2)).to_contain_text("Link ended by wrong tries")


def test_a_funnel_that_does_not_add_up_is_called_so(desk: Page, site: Site) -> None:
    site.says(GET_OVERVIEW, overview(funnel={**OVERVIEW["funnel"], "issued": 32}))
    sign_in(desk)
    expect(desk.locator("#sum")).to_contain_text("does not add up: 32")


def test_shipments_in_trouble_are_named_in_both_languages(desk: Page, site: Site) -> None:
    sign_in(desk)
    rows = desk.locator("#troubles tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.nth(2)).to_contain_text("Key of another car")
    desk.get_by_role("button", name="한국어").click()
    expect(rows.nth(2)).to_contain_text("다른 차의 열쇠")


def test_handovers_in_trouble_name_what_a_locked_out_car_has_cost(desk: Page, site: Site) -> None:
    sign_in(desk)
    rows = desk.locator("#delayed tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.first).to_contain_text("Locked out")
    expect(rows.first).to_contain_text("KRW 4,000")
    desk.get_by_role("button", name="한국어").click()
    expect(rows.first).to_contain_text("4,000원")


def test_on_a_phone_nothing_scrolls_sideways_and_every_cell_says_what_it_is(desk: Page, site: Site) -> None:
    desk.set_viewport_size(PHONE)
    sign_in(desk)
    expect(desk.locator("#delayed tbody tr")).to_have_count(3)
    wide = (
        "[document.body, ...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth)"
    )
    assert desk.evaluate(f"{wide}.length") == 0
    assert desk.locator("#delayed td").nth(2).get_attribute("data-head") == "Since"
    bottoms = (
        "[...document.querySelectorAll('.numbers dd')].map(e => Math.round(e.getBoundingClientRect().bottom))"
    )
    assert len(set(desk.evaluate(bottoms))) == 1


def test_nothing_wrong_is_said_in_words(desk: Page, site: Site) -> None:
    quiet = dict.fromkeys(OVERVIEW["funnel"], 0)
    site.says(GET_OVERVIEW, overview(funnel=quiet, stuck=[], troubles=[], delayed=[], oldest_due=None))
    sign_in(desk)
    expect(desk.get_by_text("Everybody's car is open.")).to_be_visible()
    expect(desk.get_by_text("None right now.")).to_be_visible()
    expect(desk.get_by_text("All as agreed.")).to_be_visible()
    expect(desk.locator("#due")).to_have_text("None")


def test_figures_refresh_by_themselves_and_say_when_they_are_old(desk: Page, site: Site) -> None:
    desk.clock.install()
    sign_in(desk)
    expect(desk.locator("#issued")).to_have_text("31")
    site.says(GET_OVERVIEW, overview(funnel={**OVERVIEW["funnel"], "issued": 32, "unlocked": 28}), LOST)
    desk.reload()
    expect(desk.locator("#issued")).to_have_text("32")
    desk.clock.run_for(6000)
    expect(desk.locator("#stale")).to_contain_text("No new figures are arriving")
    expect(desk.locator("#issued")).to_have_text("32")


def test_a_wrong_password_is_refused_in_words(desk: Page, site: Site) -> None:
    site.says(SIGN_IN, Reply(400, {"__type": "NotAuthorizedException"}))
    sign_in(desk)
    expect(desk.locator("#sign-in-error")).to_have_text("The user name or the password is not right.")


def test_somebody_outside_operations_sees_no_figure(desk: Page, site: Site) -> None:
    site.says(GET_OVERVIEW, problem(403, "FORBIDDEN"))
    sign_in(desk)
    expect(desk.locator("#sign-in-error")).to_contain_text("not in the operations group")
    expect(desk.locator("#issued")).to_be_hidden()


def test_an_ended_sign_in_and_signing_out_both_forget_the_token(desk: Page, site: Site) -> None:
    sign_in(desk)
    desk.get_by_role("button", name="Sign out").click()
    expect(desk.get_by_label("User name")).to_be_visible()
    assert desk.evaluate("JSON.stringify(sessionStorage)") == "{}"
    site.says(GET_OVERVIEW, problem(401, "UNAUTHENTICATED"))
    sign_in(desk)
    expect(desk.locator("#sign-in-error")).to_contain_text("has ended")
    assert desk.evaluate("JSON.stringify(sessionStorage)") == "{}"


CONTRACT = "con_3rv0tq8m4yk2w12h7d1c5bn"
KEYS = f"GET /v1/ops/contracts/{CONTRACT}/smart-keys"
AGAIN = f"POST /v1/ops/contracts/{CONTRACT}/smart-keys/grt_1/link"
END = f"DELETE /v1/ops/contracts/{CONTRACT}/smart-keys/grt_1?reason=phone%20stolen"
STOP = "/v1/ops/cars/car-0012/stop"
GRANT: dict[str, Any] = {
    "grant_id": "grt_1",
    "contract_id": CONTRACT,
    "holder": "customer",
    "kind": "customer",
    "car_id": "car-0012",
    "state": "LIVE",
    "actions": ["unlock", "lock"],
    "reason": "KeyShipmentMismatched",
    "issuer": "handover",
    "incident_id": None,
    "given_by": None,
    "not_before": "2026-03-02T02:12:00Z",
    "not_after": "2026-03-09T02:12:00Z",
    "issued_at": "2026-03-02T02:12:00Z",
    "links": 2,
    "link_died": True,
    "max_uses": None,
    "uses_left": None,
    "sent_at": "2026-03-02T02:12:04Z",
    "opened_at": None,
    "unlocked_at": None,
    "revoked_at": None,
    "revoked_by": None,
    "revoked_for": None,
}
STOPPED = {"stopped": True, "reason": "reported stolen", "by": "mina", "at": "2026-03-02T03:00:00Z"}


def grants(*each: dict[str, Any]) -> Reply:
    return Reply(body={"smart_keys": list(each)})


@pytest.fixture
def looked_up(desk: Page, site: Site) -> Page:
    """The keys of a contract, its customer's and a driver's that has ended."""
    ended = {**GRANT, "grant_id": "grt_2", "holder": "2", "kind": "driver", "state": "REVOKED"}
    site.says(KEYS, grants(GRANT, ended))
    site.says(f"GET {STOP}", Reply(body={"stopped": False, "reason": None, "by": None, "at": None}))
    sign_in(desk)
    desk.get_by_label("Contract", exact=True).fill(CONTRACT)
    desk.get_by_role("button", name="Look up").click()
    desk.wait_for_selector("[data-grant=grt_2]")
    return desk


def give_reason(page: Page, text: str, button: str) -> None:
    page.get_by_role("dialog").get_by_label("Reason").fill(text)
    page.get_by_role("dialog").get_by_role("button", name=button, exact=True).click()


def test_a_key_is_found_sent_again_and_ended_with_a_reason(looked_up: Page, site: Site) -> None:
    row = looked_up.locator("[data-grant=grt_1]")
    expect(row).to_contain_text("Link ended by wrong tries")
    expect(row).to_contain_text("KeyShipmentMismatched · by handover")
    expect(looked_up.locator("[data-grant=grt_2]").get_by_role("button")).to_have_count(0)
    site.says(AGAIN, Reply(202), problem(429, "TOO_MANY_ASKS", Retry_After="90"))
    row.get_by_role("button", name="Send again").click()
    expect(looked_up.locator("#found-news")).to_contain_text("the earlier one no longer works")
    assert site.asked(AGAIN)[0].headers["idempotency-key"]
    row.get_by_role("button", name="Send again").click()
    expect(looked_up.locator("#find-error")).to_contain_text("90 seconds")
    row.get_by_role("button", name="End", exact=True).click()
    give_reason(looked_up, " ", "End")
    expect(looked_up.locator("#answer-error")).to_have_text("Please say why.")
    ended = {"grant_id": "grt_1", "revoked_at": "2026-03-02T03:00:00Z", "certain_at": "2026-03-02T03:00:15Z"}
    site.says(END, Reply(body=ended))
    give_reason(looked_up, "phone stolen", "End")
    expect(looked_up.locator("#found-news")).to_contain_text("12:00:15")
    assert len(site.asked(END)) == 1


def test_a_car_is_stopped_and_resumed_with_a_reason(looked_up: Page, site: Site) -> None:
    site.says(f"POST {STOP}", Reply(body=STOPPED))
    site.says(f"GET {STOP}", Reply(body=STOPPED))
    looked_up.get_by_role("button", name="Stop this car").click()
    give_reason(looked_up, "reported stolen", "Stop this car")
    expect(looked_up.locator("#found")).to_contain_text("Stopped: reported stolen · by mina")
    assert site.asked(f"POST {STOP}")[0].body == {"reason": "reported stolen"}
    site.says(f"DELETE {STOP}?reason=found", Reply(204))
    looked_up.get_by_role("button", name="Resume").click()
    give_reason(looked_up, "found", "Resume")
    expect(looked_up.locator("#found-news")).to_have_text("It works again.")


def test_looking_up_says_what_is_not_there(looked_up: Page, site: Site) -> None:
    site.says(KEYS, grants())
    looked_up.get_by_role("button", name="Look up").click()
    expect(looked_up.get_by_text("This contract has no smart key.")).to_be_visible()
    looked_up.get_by_label("Contract", exact=True).fill("con_of_nobody")
    looked_up.get_by_role("button", name="Look up").click()
    expect(looked_up.locator("#find-error")).to_have_text("There is no such contract.")
    looked_up.get_by_role("button", name="Sign out").click()
    assert "grt_" not in looked_up.content()
