"""/my on the application itself: the page and the services mean the same."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from playwright.sync_api import Page, expect

from chalicelib import wiring
from chalicelib.smartkeys.model import link_code
from tests.api import Api, bearer
from tests.contracts.examples import car_body, confirmed, sign_body
from tests.pages.site import Reply, Seen, Server, Site

KIM = bearer("kim")


class Real(Site):
    """Every answer is the application's own, except for the settings."""

    def __init__(self, api: Api) -> None:
        super().__init__()
        self._api = api
        self._one_at_a_time = threading.Lock()

    def reply(self, seen: Seen) -> Reply:
        if f"{seen.method} {seen.path}" in self._answers:
            return super().reply(seen)
        self.seen.append(seen)
        with self._one_at_a_time:
            answer = self._api.send(
                seen.method,
                seen.path,
                seen.body,
                by=seen.headers.get("authorization"),
                key=seen.headers.get("idempotency-key"),
                headers={name: seen.headers.get(name.lower(), "") for name in ("Accept-Language", "Cookie")},
            )
        kept = {
            name: answer.headers[name] for name in ("Set-Cookie", "Retry-After") if name in answer.headers
        }
        return Reply(answer.status_code, json.loads(answer.body) if answer.body else None, kept)


@pytest.fixture
def real(api: Api) -> Iterator[Real]:
    site = Real(api)
    server = Server(site)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield site
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def contract_id(api: Api) -> str:
    """Signed, verified, paid, and with its appointment in two weeks."""
    at = (datetime.now(UTC) + timedelta(days=14)).replace(hour=1, minute=0, second=0, microsecond=0)
    body = sign_body(handover={"at": at.isoformat(), "address": "서울시 중구 세종대로 110"})
    boto3.client("secretsmanager").create_secret(Name="test/handover/preview-key", SecretString="p" * 32)
    found: str = api.post("/v1/contracts", body, by=KIM, key="k1").json_body["contract_id"]
    confirmed(found)
    return found


def test_a_customer_looks_at_everything_moves_the_handover_and_cancels(
    page: Page, real: Real, api: Api, contract_id: str
) -> None:
    page.add_init_script(f"sessionStorage.setItem('handover.token', '{KIM.removeprefix('Bearer ')}')")
    page.goto(f"{real.url}/my")
    expect(page.locator("#glance")).to_contain_text("차가 도착해요")
    for task in ("drivers", "documents", "payments", "timeline"):
        page.goto(f"{real.url}/my#{contract_id}/{task}")
        page.wait_for_selector("#task > *:visible")
        page.get_by_role("link", name="내 계약").click()
        page.wait_for_selector("#glance:visible")

    page.goto(f"{real.url}/my#{contract_id}/move/handover")
    page.locator("[name=day]").nth(4).check()
    page.locator("[name=slot]:enabled").nth(1).check()
    page.get_by_role("button", name="바뀌는 내용 보기").click()
    expect(page.locator(".offer .bill")).to_have_text("지금 낼 돈은 없어요.")
    page.get_by_role("button", name="이대로 바꾸기").click()
    expect(page.locator("#news")).to_contain_text("11:00~13:00에 도착해요")
    expect(page.locator(".visit")).to_contain_text("확정된 약속이에요")

    page.get_by_role("link", name="해지하기").click()
    shown = page.locator(".offer .total dd").inner_text()
    page.locator(".offer").get_by_role("button").click()
    expect(page.locator("#glance")).to_have_text("취소된 계약이에요")
    told = [seen for seen in real.seen if seen.path.endswith("/cancel")]
    done = api.post(told[0].path, told[0].body, by=KIM, key=told[0].headers["idempotency-key"]).json_body
    assert (done["state"], f"{done['refund']:,}원") == ("cancelled", shown)


def test_a_coupon_and_points_are_held_for_a_payment_and_come_back(page: Page, real: Real, api: Api) -> None:
    for name in ("code-key", "preview-key"):
        boto3.client("secretsmanager").create_secret(Name=f"test/handover/{name}", SecretString="s" * 32)
    mina = bearer("mina", "ops")
    offer = {"name": "첫 달 축하", "kind": "fixed", "value": 5_000, "budget": 3_000_000, "download": True}
    campaign = api.post("/v1/ops/campaigns", offer, by=mina, key="c1").json_body["campaign_id"]
    grant = {"customer_id": "kim", "points": 7_000, "reason": "sorry"}
    api.post("/v1/ops/points/grants", grant, by=mina, key="g1")
    at = (datetime.now(UTC) + timedelta(days=14)).replace(hour=1, minute=0, second=0, microsecond=0)
    body = sign_body(handover={"at": at.isoformat(), "address": "서울시 중구 세종대로 110"})
    contract: str = api.post("/v1/contracts", body, by=KIM, key="k1").json_body["contract_id"]
    wiring.contracts().verify(contract)

    page.add_init_script(f"sessionStorage.setItem('handover.token', '{KIM.removeprefix('Bearer ')}')")
    page.goto(f"{real.url}/my#coupons")
    page.get_by_role("form", name="첫 달 축하 쿠폰 받기").get_by_role("button").click()
    expect(page.locator("#wallet")).to_contain_text("1장")
    page.goto(f"{real.url}/my#{contract}/pay")
    for _ in range(2):
        page.get_by_label("첫 달 축하").check(force=True)
        page.get_by_label("쓸 포인트").fill("3000")
        page.get_by_role("button", name="결제 금액 확인하기").click()
        expect(page.locator("#price .total")).to_contain_text("452,000원")
        held = api.get(f"/v1/ops/campaigns/{campaign}", by=mina).json_body
        assert (held["reserved"], held["available"]) == (5_000, 2_995_000)
        page.get_by_role("button", name="쿠폰·포인트 다시 고르기").click()
        page.wait_for_selector("#means")
    back = api.get("/v1/me/wallet", by=KIM).json_body
    assert (back["points"], back["coupons"]) == (7_000, 1)


LINK_KEY = "k" * 32
BORN = "900115"


@pytest.fixture
def grant_id(api: Api, contract_id: str) -> str:
    """Operations give the customer of a contract with a car a smart key."""
    boto3.client("secretsmanager").create_secret(Name="test/handover/link-key", SecretString=LINK_KEY)
    boto3.client("secretsmanager").create_secret(Name="test/handover/command-key", SecretString="c" * 32)
    mina = bearer("mina", "ops")
    api.post("/v1/ops/cars", car_body(), by=mina)
    at = f"/v1/ops/contracts/{contract_id}"
    api.post(f"{at}/assign", {"car_id": "car-0001", "key_tag": "tag-0001-a"}, by=mina)
    until = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    wish = {"holder": "customer", "reason": "wrong key", "not_after": until}
    found: str = api.post(f"{at}/smart-keys", wish, by=mina, key="w1").json_body["grant_id"]
    return found


def test_a_link_leads_to_the_car_and_the_truth_about_it(page: Page, real: Real, grant_id: str) -> None:
    page.goto(f"{real.url}/k#{link_code(LINK_KEY, grant_id, 1)}")
    page.fill("#proof", "000000")
    page.press("#proof", "Enter")
    expect(page.locator("#proof-error")).to_contain_text("숫자가 계약과 맞지 않아요")
    page.fill("#proof", BORN)
    page.press("#proof", "Enter")
    expect(page.locator("#plate")).to_be_visible()
    expect(page.locator("#seen")).to_have_text("차와 연결되지 않음 · 아직 받은 신호가 없어요")
    page.locator("[data-action=unlock]").click()
    expect(page.locator("#say")).to_have_text("차와 연결할 수 없어요")
    page.get_by_role("button", name="이 휴대폰에서 지우기").click()
    page.get_by_role("dialog").get_by_role("button", name="지우기").click()
    expect(page.locator("#renew-why")).to_contain_text("지웠어요")
    page.reload()
    expect(page.locator("#phone")).to_be_visible()


def test_the_signed_in_customer_has_the_same_key(
    page: Page, real: Real, contract_id: str, grant_id: str
) -> None:
    page.add_init_script(f"sessionStorage.setItem('handover.token', '{KIM.removeprefix('Bearer ')}')")
    page.goto(f"{real.url}/my#{contract_id}/smartkey")
    expect(page.locator(f"[data-grant={grant_id}]")).to_contain_text("나")
    page.locator("[data-action=lock]").click()
    expect(page.locator("#say")).to_have_text("차와 연결할 수 없어요")
