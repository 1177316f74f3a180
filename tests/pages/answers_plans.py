"""What the API says to somebody who signs up, in the contexts' shapes; and the sign-up itself."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from playwright.sync_api import Page

from chalicelib.kernel.clock import KST
from tests.pages.answers import SIGN_IN, signed_in
from tests.pages.site import Reply, Site

PLANS = "GET /v1/plans"
QUOTES = "POST /v1/quotes"
SIGN_UP = "POST AWSCognitoIdentityProviderService.SignUp"
CONFIRM = "POST AWSCognitoIdentityProviderService.ConfirmSignUp"
CARD_TOKENS = "POST /pay/v1/card-tokens"
CONTRACTS = "POST /v1/contracts"
CONTRACT = "GET /v1/contracts/con_1"
CHECKOUTS = "POST /v1/checkouts"
CHECKOUT = "GET /v1/checkouts/chk_1"
CAPTURE = "POST /v1/checkouts/chk_1/capture"

CARD = "4111 1111 1111 1111"
EMAIL = "jiwoo@example.com"
PASSWORD = "Correct-horse-9"
DRIVER = {
    "name": "김지우",
    "phone": "010-1234-5678",
    "birth_date": "19990131",
    "licence_no": "11-12-345678-90",
}
ADDRESS = "서울 마포구 월드컵북로 21, 302호"

OFFERS: list[dict[str, Any]] = [
    {
        "plan_id": "first-car",
        "name": "첫 차",
        "car_class": "소형",
        "seats": 5,
        "luggage": "여행 가방 2개",
        "fuel": "휘발유",
        "example": "아반떼",
        "good_for": "처음 운전하는 분께. 작아서 세우기 쉽고 기름을 적게 먹어요.",
        "terms": [{"months": 3, "monthly_fee": 490_000}, {"months": 6, "monthly_fee": 460_000}],
    },
    {
        "plan_id": "family",
        "name": "패밀리",
        "car_class": "중형 SUV",
        "seats": 7,
        "luggage": "여행 가방 4개",
        "fuel": "하이브리드",
        "example": "싼타페",
        "good_for": "아이와 짐이 많은 집에. 카시트 두 개가 넉넉히 들어가요.",
        "terms": [{"months": 3, "monthly_fee": 790_000}, {"months": 6, "monthly_fee": 750_000}],
    },
    {
        "plan_id": "electric",
        "name": "전기차",
        "car_class": "준중형",
        "seats": 5,
        "luggage": "여행 가방 3개",
        "fuel": "전기",
        "example": "아이오닉 5",
        "good_for": "집이나 회사에서 충전할 수 있는 분께. 조용하고 달리는 값이 싸요.",
        "terms": [{"months": 3, "monthly_fee": 690_000}, {"months": 6, "monthly_fee": 650_000}],
    },
]
for offer in OFFERS:
    offer["terms"].append({"months": 12, "monthly_fee": offer["terms"][-1]["monthly_fee"] - 30_000})


def quote(months: int = 6, fee: int = 460_000, plan_id: str = "first-car") -> Reply:
    cancel = {"free_until_hours": 24, "late_percent": 10, "early_end_percent": 10}
    return Reply(
        body={
            "plan_id": plan_id,
            "months": months,
            "monthly_fee": fee,
            "first_payment": fee,
            "total": fee * months,
            "cancel": cancel,
        }
    )


def slots(day: str, full: int = 1) -> Reply:
    hours = (10, 12, 14, 16)
    return Reply(
        body={
            "day": day,
            "slots": [
                {
                    "starts_at": f"{day}T{hour:02}:00:00+09:00",
                    "ends_at": f"{day}T{hour + 2:02}:00:00+09:00",
                    "free": 0 if n == full else 3,
                }
                for n, hour in enumerate(hours)
            ],
        }
    )


def contract(state: str, **more: Any) -> Reply:
    return Reply(body={"contract_id": "con_1", "state": state, "monthly_fee": 460_000, **more})


def checkout(state: str, payable: int = 460_000, status: int = 200) -> Reply:
    later = datetime.now(UTC) + timedelta(minutes=15)
    return Reply(
        status,
        {
            "checkout_id": "chk_1",
            "order_id": "con_1",
            "state": state,
            "total": payable,
            "discount": 0,
            "points_used": 0,
            "payable": payable,
            "expires_at": later.isoformat(),
            "declined": None,
            "refunds": [],
            "actions": ["capture", "cancel"],
        },
    )


def days(count: int = 14) -> list[str]:
    """From tomorrow on, in Seoul."""
    today = datetime.now(KST).date()
    return [(today + timedelta(days=n + 1)).isoformat() for n in range(count)]


def open_shop(site: Site) -> None:
    """Everything works."""
    config = {"user_pool_client_id": "c1", "cognito_endpoint": site.origin, "payments_url": f"{site.url}/pay"}
    site.says("GET /v1/config", Reply(body=config))
    site.says(PLANS, Reply(body={"plans": OFFERS}))
    site.says(QUOTES, quote())
    site.says(SIGN_UP, Reply(body={"UserConfirmed": False, "UserSub": "u1"}))
    site.says(CONFIRM, Reply(body={}))
    site.says(SIGN_IN, signed_in())
    for day in days():
        site.says(f"GET /v1/slots?which=handover&day={day}", slots(day))
    site.says(CARD_TOKENS, Reply(201, {"card_token": "tok_1", "brand": "VISA", "last4": "1111"}))
    site.says(CONTRACTS, Reply(201, {"contract_id": "con_1", "state": "applied", "monthly_fee": 460_000}))
    site.says(CONTRACT, contract("awaiting_payment"))
    site.says(CHECKOUTS, checkout("RESERVED", status=201))
    site.says(CHECKOUT, checkout("RESERVED"))
    site.says(CAPTURE, checkout("CAPTURED"))


def begin(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/plans")
    page.locator("[data-plan=first-car] button").click()
    page.wait_for_selector("#start:enabled")
    page.click("#start")
    page.wait_for_selector("#email:visible")


def make_account(page: Page) -> None:
    page.fill("#email", EMAIL)
    page.fill("#password", PASSWORD)
    page.press("#password", "Enter")
    page.fill("#code", "123456")
    page.press("#code", "Enter")
    page.wait_for_selector("#driver-0-name:visible")


def name_drivers(page: Page) -> None:
    for field, text in DRIVER.items():
        page.fill(f"#driver-0-{field}", text)
    page.press("#driver-0-licence_no", "Enter")
    page.wait_for_selector("#slots input:enabled")


def choose_handover(page: Page) -> None:
    page.check(f"#day-{days()[2]}")
    page.wait_for_selector(f"#slots input[value^='{days()[2]}']")
    page.check(f"#slots input[value='{days()[2]}T14:00:00+09:00']")
    page.fill("#address", ADDRESS)
    page.press("#address", "Enter")
    page.wait_for_selector("#agree:visible")


def agree(page: Page) -> None:
    page.check("#agree")
    page.press("#agree", "Enter")
    page.wait_for_selector("#number:visible")


def pay(page: Page, number: str = CARD) -> None:
    page.fill("#number", number)
    page.fill("#expiry", "08/39")
    page.fill("#holder", "990131")
    page.press("#holder", "Enter")


def up_to_card(page: Page, site: Site) -> None:
    begin(page, site)
    make_account(page)
    name_drivers(page)
    choose_handover(page)
    agree(page)


def come_back_to_card(page: Page, site: Site) -> None:
    """As after a reload of somebody who had got that far."""
    slot = slots(days()[2]).body["slots"][2]
    draft = {
        "plan": "first-car",
        "months": 6,
        "email": EMAIL,
        "drivers": [DRIVER],
        "day": days()[2],
        "slot": slot,
        "address": ADDRESS,
        "agreed": True,
        "keys": {},
    }
    page.goto(f"{site.url}/plans")
    page.evaluate(
        """draft => {
          sessionStorage["handover.plans"] = draft;
          sessionStorage["handover.token"] = "an.id.token";
        }""",
        json.dumps(draft),
    )
    page.goto(f"{site.url}/plans#card")
    page.reload()
    page.wait_for_selector("#number:visible")
