"""/my on the application itself: the page and the services mean the same."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from playwright.sync_api import Page, expect

from tests.api import Api, bearer
from tests.contracts.examples import confirmed, sign_body
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
                headers={"Accept-Language": seen.headers.get("accept-language", "")},
            )
        return Reply(answer.status_code, json.loads(answer.body) if answer.body else None)


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
