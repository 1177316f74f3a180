"""What a phone is given: little, locked down, there without network, and at home under any path."""

import json
import re
import struct
import zlib

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from chalicelib.pages.store import HERE, PageFiles, version
from tests.pages.answers import CODE, COMMANDS, KEY, command, key
from tests.pages.site import BASE, Site

FIRST_VIEW_BYTES = 40 * 1024
KEPT = """async () => {
  const kept = [];
  for (const name of await caches.keys())
    for (const entry of await (await caches.open(name)).keys()) kept.push(entry.url);
  return kept;
}"""


def test_the_first_view_is_small_on_the_wire(page: Page, site: Site) -> None:
    """All a phone loads until the car can be opened, headers too, compressed as the gateway does it."""
    site.says(KEY, key())
    loaded: list[int] = []
    devtools = page.context.new_cdp_session(page)
    devtools.send("Network.enable")
    devtools.on("Network.loadingFinished", lambda done: loaded.append(done["encodedDataLength"]))
    page.goto(f"{site.url}/k")
    page.wait_for_selector("#plate:visible")
    page.wait_for_timeout(300)
    assert len(loaded) >= 14
    assert sum(loaded) < FIRST_VIEW_BYTES


def test_the_browser_has_nothing_to_complain_about(page: Page, site: Site) -> None:
    """What Lighthouse asks of best practice and its own rules see at once: no error, no zoom forbidden."""
    said: list[str] = []
    page.on("console", lambda line: said.append(f"{line.type}: {line.text}"))
    page.on("requestfailed", lambda request: said.append(request.url))
    page.on("response", lambda answer: said.append(answer.url) if answer.status >= 400 else None)
    site.says(KEY, key())
    site.says(COMMANDS, command("SUCCEEDED"))
    page.goto(f"{site.url}/k")
    page.click("[data-action=unlock]")
    page.wait_for_selector("[data-phase=done]")
    assert said == []
    assert page.evaluate("document.compatMode") == "CSS1Compat"
    viewport = page.get_attribute("meta[name=viewport]", "content") or ""
    assert not re.search("maximum-scale|user-scalable", viewport)
    assert page.get_attribute("meta[name=description]", "content")


def test_nothing_in_the_page_is_inline_or_at_the_root() -> None:
    for name in ("smart-key.html", "ops.html"):
        html = str(PageFiles().template(name).body)
        assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", html), name
        assert not re.search(r"<script(?![^>]*\ssrc=)", html), name
        assert not re.search(r'(?:href|src)="(?:/|https?:)', html), name


def test_every_address_stays_below_the_page(page: Page, site: Site) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    site.says(KEY, key())
    page.goto(f"{site.url}/k")
    page.wait_for_selector("#plate:visible")
    assert all(url.startswith(site.url + "/") for url in asked)


def wait_for_worker(page: Page) -> None:
    page.evaluate("() => navigator.serviceWorker.ready.then(() => true)")


def test_without_network_the_page_still_opens_and_says_what_is_missing(
    phone: BrowserContext, site: Site
) -> None:
    site.says(KEY, key())
    page = phone.new_page()
    page.goto(f"{site.url}/k#{CODE}")
    page.wait_for_selector("#proof:visible")
    wait_for_worker(page)
    page.evaluate("sessionStorage.clear()")
    phone.set_offline(True)
    page.goto(f"{site.url}/k")
    expect(page.get_by_role("heading", name="인터넷에 연결해 주세요")).to_be_visible()
    phone.set_offline(False)
    page.wait_for_selector("#plate:visible")


def test_the_worker_keeps_files_of_the_page_and_nothing_else(at_the_car: Page, site: Site) -> None:
    wait_for_worker(at_the_car)
    at_the_car.reload()
    at_the_car.wait_for_selector("#plate:visible")
    kept = at_the_car.evaluate(KEPT)
    assert f"{site.url}/k" in kept
    assert [url for url in kept if "/v1/" in url or "#" in url] == []
    html = str(PageFiles().template("smart-key.html").body)
    loaded = {f"{site.url}/{path}" for path in re.findall(r"assets/[^\"]+\.(?:js|css|svg)", html)}
    assert len(loaded) >= 8
    assert loaded <= set(kept)


def test_it_can_be_put_on_the_home_screen(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/k")
    wait_for_worker(page)
    devtools = page.context.new_cdp_session(page)
    manifest = json.loads(devtools.send("Page.getAppManifest")["data"])
    assert manifest["start_url"] == manifest["scope"] == "../../k"
    assert {icon["purpose"] for icon in manifest["icons"] if icon["sizes"] == "any"} == {"any", "maskable"}
    problems = devtools.send("Page.getInstallabilityErrors")["installabilityErrors"]
    assert {problem["errorId"] for problem in problems} <= {"in-incognito"}


def test_the_home_screen_icon_for_phones_without_svg_is_a_full_picture() -> None:
    raw = PageFiles().asset(version(), "touch-icon.png").body
    assert isinstance(raw, bytes)
    assert raw.startswith(b"\x89PNG")
    assert struct.unpack(">II", raw[16:24]) == (180, 180)
    assert zlib.crc32(raw[12:29]) == struct.unpack(">I", raw[29:33])[0]


@pytest.mark.parametrize("address", ["app.webmanifest", "icon.svg", "touch-icon.png", "smart-key.js"])
def test_files_are_kept_for_ever_under_the_version_of_their_release(address: str) -> None:
    assert "immutable" in PageFiles().asset(version(), address).cache
    assert PageFiles().asset("an-older-one", address).cache == "no-store"


def test_the_files_of_the_worker_exist() -> None:
    worker = str(PageFiles().template("k-worker.js").body)
    for name in re.findall(r'"([\w-]+\.(?:js|css|svg|webmanifest))"', worker):
        assert (HERE / "static" / name).is_file(), name
    assert BASE not in worker
