"""Draws what is made from the pages themselves: `python -m tests.pages.draw`.

The home-screen icon from icon.svg (phones that take no SVG), and the two pictures of README.md.
"""

import os
from pathlib import Path

os.environ.setdefault("STAGE", "test")

from playwright.sync_api import Browser, ViewportSize

from tests.pages.answers import (
    CODE,
    COMMAND,
    COMMANDS,
    EXCHANGE,
    GET_OVERVIEW,
    KEY,
    OPENED,
    OVERVIEW,
    PROOF,
    SIGN_IN,
    command,
    key,
    overview,
    signed_in,
)
from tests.pages.answers_my import ID, enter, knows
from tests.pages.answers_partner import SCANS, come_in, open_house, pack
from tests.pages.answers_plans import open_shop
from tests.pages.conftest import DESK, PHONE, chromium
from tests.pages.site import Reply, problem, serving

ROOT = Path(__file__).parent.parent.parent
STATIC = ROOT / "chalicelib" / "pages" / "static"
IMAGES = ROOT / "docs" / "images"


def touch_icon(browser: Browser) -> None:
    page = browser.new_page(viewport=ViewportSize(width=180, height=180))
    drawing = (STATIC / "icon.svg").read_text(encoding="utf-8")
    page.set_content(f"<style>body{{margin:0}}svg{{display:block}}</style>{drawing}")
    page.screenshot(path=STATIC / "touch-icon.png")
    page.close()


def smart_key_page(browser: Browser) -> None:
    with serving() as site:
        site.says(EXCHANGE, OPENED)
        site.says(KEY, key(locked=False, reported_at="2026-03-02T03:11:58Z"))
        site.says(COMMANDS, command("SENT"))
        site.says(COMMAND, command("SUCCEEDED"))
        page = browser.new_page(viewport=PHONE, locale="ko-KR")
        page.clock.set_fixed_time("2026-03-02T03:12:00Z")
        page.add_init_script("localStorage.setItem('handover.place', 'no')")
        page.goto(f"{site.url}/k#{CODE}")
        page.fill("#proof", PROOF)
        page.press("#proof", "Enter")
        page.click("[data-action=unlock]")
        page.wait_for_selector("[data-phase=done]")
        page.mouse.move(0, 0)
        page.screenshot(path=IMAGES / "smart-key.png", animations="disabled")
        page.close()


def ops_page(browser: Browser) -> None:
    with serving() as site:
        site.says(SIGN_IN, signed_in())
        site.says(GET_OVERVIEW, overview())
        site.says("GET /v1/config", Reply(body={"user_pool_client_id": "x", "cognito_endpoint": site.origin}))
        page = browser.new_page(viewport=DESK, locale="en-US", timezone_id="Asia/Seoul")
        page.clock.set_fixed_time(OVERVIEW["at"])
        page.goto(f"{site.url}/ops")
        page.fill("#user", "ops")
        page.fill("#password", "ops")
        page.press("#password", "Enter")
        page.wait_for_selector("#issued:visible")
        page.screenshot(path=IMAGES / "ops.png", animations="disabled")
        page.close()


def my_page(browser: Browser) -> None:
    with serving() as site:
        knows(site)
        page = browser.new_page(viewport=PHONE, locale="ko-KR")
        enter(page, site, f"#{ID}")
        page.wait_for_selector(".visit [type=submit]")
        page.screenshot(path=IMAGES / "my.png", animations="disabled")
        page.close()


def plans_page(browser: Browser) -> None:
    with serving() as site:
        open_shop(site)
        page = browser.new_page(viewport=DESK, locale="ko-KR")
        page.goto(f"{site.url}/plans")
        page.wait_for_selector("[data-plan]")
        page.screenshot(path=IMAGES / "plans.png", animations="disabled")
        page.close()


def partner_page(browser: Browser) -> None:
    with serving() as site:
        open_house(site)
        site.says(SCANS, problem(422, "LABEL_MISMATCH"))
        page = browser.new_page(viewport=PHONE, locale="ko-KR")
        come_in(page, site)
        pack(page)
        page.wait_for_selector("section[data-verdict=no]:visible")
        page.screenshot(path=IMAGES / "partner.png", animations="disabled")
        page.close()


def main() -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    with chromium() as browser:
        touch_icon(browser)
        smart_key_page(browser)
        ops_page(browser)
        my_page(browser)
        plans_page(browser)
        partner_page(browser)


if __name__ == "__main__":
    main()
