"""What the API says about coupons and points in these tests, in the shapes of the contexts' schemas."""

from typing import Any

from tests.pages.answers_my import ID
from tests.pages.site import Reply, Site

WALLET = "GET /v1/me/wallet"
COUPONS = "GET /v1/me/coupons"
REGISTER = "POST /v1/me/coupons"
OFFERS = "GET /v1/me/campaigns"
TAKE = "POST /v1/me/campaigns/cmp_2/coupon"
POINTS = "GET /v1/me/points"
ENTRIES = "GET /v1/me/points/entries"
BIRTHDAY = "PUT /v1/me/birthday"
CONSENTS = "/v1/me/consents"
PARTNERS = "GET /v1/me/points/partners"
CONVERT = "POST /v1/me/points/conversions"
CONVERSION = "GET /v1/me/points/conversions/cnv_1"
CHECKOUTS = "POST /v1/checkouts"
CHECKOUT_1 = "GET /v1/checkouts/chk_1"
CAPTURE = "POST /v1/checkouts/chk_1/capture"
CANCEL = "POST /v1/checkouts/chk_1/cancel"

WALLET_NOW: dict[str, Any] = {
    "points": 12_300,
    "coupons": 2,
    "expiring_soon": {"points": 300, "at": "2026-12-03T15:00:00Z"},
}
COUPON: dict[str, Any] = {
    "coupon_id": "cmp_1.AAAA",
    "campaign_id": "cmp_1",
    "name": "첫 달 축하",
    "kind": "fixed",
    "value": 5_000,
    "max_discount": None,
    "min_order": 30_000,
    "closes_at": "2026-12-31T14:59:00Z",
    "state": "REGISTERED",
    "description": "",
    "opens_at": "2026-11-01T00:00:00Z",
    "kinds": [],
    "plans": [],
    "why_not": None,
    "used_by": None,
}
PERCENT: dict[str, Any] = {
    **COUPON,
    "coupon_id": "cmp_3.BBBB",
    "campaign_id": "cmp_3",
    "name": "겨울 맞이",
    "kind": "percent",
    "value": 10,
    "max_discount": 20_000,
    "min_order": 0,
}
USED = {**COUPON, "coupon_id": "cmp_1.CCCC", "state": "USED", "why_not": "used", "used_by": "chk_0"}
EXPIRED = {**COUPON, "coupon_id": "cmp_4.DDDD", "name": "가을 행사", "why_not": "expired"}
LATER = {
    **COUPON,
    "coupon_id": "cmp_5.EEEE",
    "name": "새해 선물",
    "opens_at": "2026-12-01T00:00:00Z",
    "why_not": "not_yet",
}
FOR_OTHERS = {**COUPON, "coupon_id": "cmp_6.GGGG", "name": "패밀리만", "plans": ["family"]}
OFFER: dict[str, Any] = {
    "campaign_id": "cmp_2",
    "name": "친구와 함께",
    "kind": "fixed",
    "value": 10_000,
    "max_discount": None,
    "min_order": 300_000,
    "closes_at": "2026-12-31T14:59:00Z",
    "description": "친구와 함께 계약하면 드려요.",
    "mine": False,
}
TAKEN = {**COUPON, "coupon_id": "cmp_2.FFFF", "campaign_id": "cmp_2", "name": "친구와 함께", "value": 10_000}
PURSE: dict[str, Any] = {
    "balance": 12_300,
    "held": 500,
    "debt": 0,
    "expiring": [
        {"points": 300, "expires_at": "2026-12-03T15:00:00Z"},
        {"points": 12_000, "expires_at": "2027-10-31T15:00:00Z"},
    ],
    "birthday": None,
}
MOVES: list[dict[str, Any]] = [
    {
        "at": at,
        "what": what,
        "points": points,
        "balance_after": left,
        **({"checkout_id": checkout} if checkout else {}),
    }
    for at, what, points, left, checkout in (
        ("2026-11-19T03:00:00Z", "granted", 10_000, 12_300, None),
        ("2026-11-10T05:20:00Z", "refunded", 1_000, 2_300, "chk_0"),
        ("2026-11-08T05:20:00Z", "spent", -1_000, 1_300, "chk_0"),
        ("2026-10-01T15:00:00Z", "expired", -700, 2_300, None),
    )
]
NO_CONSENT: dict[str, Any] = {
    "marketing": False,
    "night": False,
    "given_at": None,
    "confirm_by": None,
    "night_given_at": None,
}
CONSENT: dict[str, Any] = {
    **NO_CONSENT,
    "marketing": True,
    "given_at": "2026-11-20T03:00:00Z",
    "confirm_by": "2028-11-20T03:00:00Z",
}
CONVERTING: dict[str, Any] = {
    "conversion_id": "cnv_1",
    "partner": "sora",
    "account": "••••5678",
    "points": 2_000,
    "gives": 100,
    "state": "PENDING",
    "asked_at": "2026-11-20T03:00:00Z",
    "reason": None,
}
SHOPS: list[dict[str, Any]] = [
    {"partner": "hanbit", "name_ko": "한빛멤버십", "name_en": "Hanbit Membership", "takes": 1, "gives": 1},
    {"partner": "sora", "name_ko": "소라마일", "name_en": "Sora Miles", "takes": 20, "gives": 1},
]


def priced(discount: int = 0, points: int = 0, **changed: Any) -> dict[str, Any]:
    return {
        "checkout_id": "chk_1",
        "order_id": ID,
        "state": "RESERVED",
        "total": 412_000,
        "discount": discount,
        "points_used": points,
        "payable": 412_000 - discount - points,
        "expires_at": "2026-11-20T03:15:00Z",
        "declined": None,
        "refunds": [],
        "actions": ["capture", "cancel"],
        **changed,
    }


def box(*coupons: dict[str, Any], cursor: str | None = None) -> Reply:
    return Reply(body={"coupons": list(coupons), "next_cursor": cursor})


def moves(*rows: dict[str, Any], cursor: str | None = None) -> Reply:
    return Reply(body={"entries": list(rows), "next_cursor": cursor})


def has_means(site: Site) -> None:
    """A customer with two coupons to use, points, and something to be had."""
    site.says(WALLET, Reply(body=WALLET_NOW))
    site.says(COUPONS, box(COUPON, PERCENT, FOR_OTHERS, LATER, USED, EXPIRED))
    site.says(OFFERS, Reply(body={"campaigns": [OFFER, {**OFFER, "campaign_id": "cmp_3", "mine": True}]}))
    site.says(POINTS, Reply(body=PURSE))
    site.says(ENTRIES, moves(*MOVES, cursor="older"))
    site.says(f"{ENTRIES}?cursor=older", moves({**MOVES[0], "what": "signed_up", "points": 3_000}))
    site.says(f"GET {CONSENTS}", Reply(body=NO_CONSENT))
    site.says(PARTNERS, Reply(body={"partners": SHOPS}))
