"""axe-core's rules (WCAG 2.2 A and AA, best practice) over every view, light and dark."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page

from tests.pages.answers import (
    CODE,
    COMMANDS,
    ENDED,
    EXCHANGE,
    GET_OVERVIEW,
    KEY,
    PROOF,
    SIGN_IN,
    command,
    key,
    overview,
    refusal,
    signed_in,
)
from tests.pages.conftest import DESK, PHONE
from tests.pages.site import Reply, Site, problem
from tests.pages.test_ops import CONTRACT, GRANT, KEYS, STOP, STOPPED, grants

RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]}}
PHASES = {
    "done": command("SUCCEEDED"),
    "unreachable": command("NOT_SENT", "VEHICLE_OFFLINE"),
    "refused": command("REJECTED", "DOOR_OPEN"),
    "prove": refusal(403, "STEP_UP_REQUIRED"),
    "wait": refusal(429, "RATE_LIMITED"),
    "notsure": command("FAILED", "DEVICE_FAULT", may_have_executed=True),
}


def violations(page: Page) -> list[tuple[str, list[str]]]:
    found = Axe().run(page, options=RULES).response["violations"]
    return [(each["id"], [str(node["target"]) for node in each["nodes"]]) for each in found]


@pytest.fixture(params=["light", "dark"])
def still(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    """Without movement, so that every colour is at its end."""
    context = browser.new_context(
        viewport=PHONE, locale="ko-KR", color_scheme=request.param, reduced_motion="reduce"
    )
    context.set_default_timeout(10_000)
    yield context.new_page()
    context.close()


def test_the_proof_and_its_refusal(still: Page, site: Site) -> None:
    site.says(EXCHANGE, problem(422, "PROOF_WRONG"))
    still.goto(f"{site.url}/k#{CODE}")
    still.wait_for_selector("#proof:visible")
    assert violations(still) == []
    still.fill("#proof", PROOF)
    still.press("#proof", "Enter")
    still.wait_for_selector(".error:not(:empty)")
    assert violations(still) == []


def test_the_car_and_every_end_of_a_command(still: Page, site: Site) -> None:
    site.says(KEY, key())
    for phase, answer in PHASES.items():
        site.says(COMMANDS, answer)
        still.goto(f"{site.url}/k")
        still.click("[data-action=unlock]")
        still.wait_for_selector(f"[data-phase={phase}]")
        assert violations(still) == [], phase


def test_a_new_link_and_trouble(still: Page, site: Site) -> None:
    site.says(KEY, ENDED)
    still.goto(f"{site.url}/k")
    still.wait_for_selector("#phone:visible")
    assert violations(still) == []
    site.says(KEY, problem(500, "INTERNAL"))
    still.reload()
    still.wait_for_selector("#again:visible")
    assert violations(still) == []


def test_operations(still: Page, site: Site) -> None:
    site.says("GET /v1/config", Reply(body={"user_pool_client_id": "c1", "cognito_endpoint": site.origin}))
    site.says(SIGN_IN, signed_in())
    site.says(GET_OVERVIEW, overview())
    still.set_viewport_size(DESK)
    still.goto(f"{site.url}/ops")
    still.wait_for_selector("#user:visible")
    assert violations(still) == []
    still.fill("#user", "mina")
    still.fill("#password", "correct horse")
    still.press("#password", "Enter")
    still.wait_for_selector("#issued:visible")
    assert violations(still) == []
    site.says(KEYS, grants(GRANT))
    site.says(f"GET {STOP}", Reply(body=STOPPED))
    still.fill("#contract", CONTRACT)
    still.press("#contract", "Enter")
    still.wait_for_selector("[data-grant]")
    assert violations(still) == []
    still.set_viewport_size(PHONE)
    assert violations(still) == []
