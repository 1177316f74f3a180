"""The smart key on /my: the car opened by who is signed in, and the keys of the drivers."""

import base64
import json
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from chalicelib.pages.store import HERE
from tests.pages.answers import CAR, SIGN_IN, command, refusal, signed_in
from tests.pages.answers_my import ACTIVE, AT, ID, NOW, enter, knows
from tests.pages.site import Reply, Site, problem
from tests.pages.test_car import says

KEYS = f"GET {AT}/smart-keys"
SHARE = f"POST {AT}/smart-keys"
COMMANDS = f"POST {AT}/commands"
COMMAND = f"GET {AT}/commands/cmd_1"
UNTIL = "2026-11-27T03:00:00Z"
ENDED = {"grant_id": "grt_2", "revoked_at": NOW, "certain_at": "2026-11-20T03:00:15Z"}


def smart_key(holder: str = "customer", **changed: Any) -> dict[str, Any]:
    own = holder == "customer"
    return {
        "grant_id": f"grt_{holder}",
        "holder": holder,
        "kind": "customer" if own else "driver",
        "name": "김하나" if own else "Sam Lee",
        "mine": own,
        "state": "LIVE",
        "actions": ["unlock", "lock", "hazard_on", "hazard_off", "horn"],
        "not_before": NOW,
        "not_after": UNTIL,
        "issued_at": NOW,
        "uses_left": None,
        "sent_at": NOW,
        "opened_at": None,
        "unlocked_at": None,
        "revoked_at": None,
        **changed,
    }


DRIVERS = [
    {"number": "2", "name": "Sam Lee", "verified": True},
    {"number": "3", "name": "이두리", "verified": False},
]


def keys(*each: dict[str, Any], car: Any = CAR, drivers: Any = DRIVERS) -> Reply:
    return Reply(body={"car": car, "smart_keys": list(each), "drivers": drivers})


def open_key(page: Page, site: Site, *each: dict[str, Any], **rest: Any) -> None:
    knows(site, **ACTIVE)
    site.says(KEYS, keys(*each, **rest))
    enter(page, site, f"#{ID}")
    page.get_by_role("link", name="스마트키로 차 열기").click()
    page.wait_for_selector("#smart-keys h2")


def test_the_signed_in_customer_opens_the_car_from_the_contract(page: Page, site: Site) -> None:
    open_key(page, site, smart_key())
    expect(page.get_by_role("heading", name="Avante 12가 3456")).to_be_visible()
    expect(page.locator("#seen")).to_have_text("차와 연결됨")
    site.says(COMMANDS, command("SENT"))
    site.says(COMMAND, command("SUCCEEDED"))
    page.get_by_role("button", name="문 열기").click()
    says(page, "문이 열렸어요")
    (sent,) = site.asked(COMMANDS)
    assert (sent.body, sent.headers["authorization"]) == ({"action": "unlock"}, "Bearer an.id.token")
    assert site.asked(COMMAND)[0].headers["authorization"] == "Bearer an.id.token"


def test_a_sign_in_that_is_too_old_is_proved_by_the_password(page: Page, site: Site) -> None:
    claims = base64.urlsafe_b64encode(json.dumps({"cognito:username": "hana"}).encode()).decode().rstrip("=")
    page.add_init_script(f"sessionStorage.setItem('handover.token', 'an.{claims}.token')")
    open_key(page, site, smart_key())
    page.evaluate("token => sessionStorage.setItem('handover.token', token)", f"an.{claims}.token")
    site.says(COMMANDS, refusal(403, "STEP_UP_REQUIRED"), command("SUCCEEDED"))
    site.says(SIGN_IN, Reply(400, {"__type": "NotAuthorizedException"}), signed_in())
    page.get_by_role("button", name="문 열기").click()
    page.fill("#answer", "wrong")
    page.press("#answer", "Enter")
    expect(page.locator("#answer-error")).to_contain_text("비밀번호가 맞지 않아요")
    page.fill("#answer", "correct horse")
    page.press("#answer", "Enter")
    says(page, "확인했어요")
    assert site.asked(SIGN_IN)[-1].body["AuthParameters"] == {"USERNAME": "hana", "PASSWORD": "correct horse"}
    page.get_by_role("button", name="문 열기").click()
    says(page, "문이 열렸어요")
    assert site.asked(COMMANDS)[-1].headers["authorization"] == "Bearer an.id.token"


def test_without_a_key_it_says_when_there_is_one(page: Page, site: Site) -> None:
    open_key(page, site, smart_key(state="REVOKED"))
    expect(page.locator("#task .lead")).to_contain_text("지금 쓸 수 있는 스마트키가 없어요")
    expect(page.get_by_role("link", name="문자로 받은 링크가 있어요")).to_have_attribute("href", "k")
    expect(page.get_by_text("끝난 스마트키 1개")).to_be_visible()
    site.says(KEYS, keys(car=None))
    page.reload()
    expect(page.locator("#task .lead")).to_contain_text("차가 정해지면")


def test_a_key_is_shared_with_a_driver_whose_licence_is_checked(page: Page, site: Site) -> None:
    open_key(page, site, smart_key())
    expect(page.get_by_label("이두리면허 확인 중")).to_be_disabled()
    site.says(SHARE, Reply(201, {"grant_id": "grt_2", "not_after": UNTIL}))
    site.says(KEYS, keys(smart_key(), smart_key("2")))
    page.get_by_label("내 스마트키와 같이").check()
    page.get_by_role("button", name="링크 보내기").click()
    expect(page.get_by_role("status").filter(has_text="Sam Lee 님에게 링크를 보냈어요")).to_be_visible()
    (sent,) = site.asked(SHARE)
    assert sent.body == {"holder": "2", "not_after": "2026-11-27T03:00:00.000Z"}
    assert sent.headers["idempotency-key"]
    expect(page.locator("[data-grant=grt_2]")).to_contain_text("링크를 문자로 보냈음")
    expect(page.get_by_text("Sam Lee · 이미 있음")).to_be_visible()


@pytest.mark.parametrize("code", ["BILL_OVERDUE", "WITHHELD", "CONTRACT_OVER"])
def test_a_refusal_to_share_says_why(page: Page, site: Site, code: str) -> None:
    open_key(page, site, smart_key())
    site.says(SHARE, problem(422, code))
    page.get_by_role("button", name="링크 보내기").click()
    words = (HERE / "static" / "words-my-smartkey.js").read_text(encoding="utf-8")
    expect(page.locator("#share .whole")).not_to_be_empty()
    assert page.locator("#share .whole").inner_text() in words


def test_a_drivers_link_is_sent_again_and_their_key_ended(page: Page, site: Site) -> None:
    open_key(page, site, smart_key(), smart_key("2"))
    own = page.locator("[data-grant=grt_customer]")
    expect(own.get_by_role("button", name="스마트키 끝내기")).to_have_count(0)
    site.says(f"{SHARE}/grt_customer/link", Reply(202))
    own.get_by_role("button", name="내 휴대폰으로 링크 받기").click()
    expect(page.locator("#smart-keys .news")).to_contain_text("로그인하지 않고도")
    row = page.locator("[data-grant=grt_2]")
    site.says(f"{SHARE}/grt_2/link", Reply(202))
    row.get_by_role("button", name="링크 다시 보내기").click()
    expect(page.locator("#smart-keys .news")).to_contain_text("전에 보낸 링크는 이제 쓸 수 없어요")
    site.says(f"DELETE {AT}/smart-keys/grt_2", problem(403, "ONLY_OPERATIONS"), Reply(body=ENDED))
    row.get_by_role("button", name="스마트키 끝내기").click()
    page.get_by_role("dialog").get_by_role("button", name="닫기").click()
    assert site.asked(f"DELETE {AT}/smart-keys/grt_2") == []
    for said in (row.locator(".whole").last, page.locator("#smart-keys .news")):
        row.get_by_role("button", name="스마트키 끝내기").click()
        page.get_by_role("dialog").get_by_role("button", name="스마트키 끝내기").click()
        expect(said).to_contain_text("끝")
    expect(page.locator("#smart-keys .news")).to_contain_text("늦어도 오후 12:00:15부터는")


def test_a_driver_sees_their_own_key_and_shares_nothing(page: Page, site: Site) -> None:
    open_key(page, site, smart_key("2", mine=True), drivers=[])
    expect(page.get_by_role("button", name="문 열기")).to_be_visible()
    expect(page.locator("#share")).to_have_count(0)
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("button", name="Unlock", exact=True)).to_be_visible()
    expect(page.get_by_role("heading", name="Who can open this car")).to_be_visible()
