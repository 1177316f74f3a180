"""What the API says to /my in these tests, in the shapes of the contexts' schemas."""

from copy import deepcopy
from typing import Any

from playwright.sync_api import Page

from tests.pages.answers import SIGN_IN, signed_in
from tests.pages.site import Reply, Site, problem

ID = "con_1"
AT = f"/v1/contracts/{ID}"
NOW = "2026-11-20T03:00:00Z"
"""Friday noon in Seoul: six days before the handover."""

GET_CONTRACTS = "GET /v1/contracts"
GET_CONTRACT = f"GET {AT}"
GET_VISITS = f"GET {AT}/appointments"
RECEIPT = f"POST {AT}/key/receipt"
MOVE = f"POST {AT}/reschedule"
MOVE_PREVIEW = f"{MOVE}?preview=true"
CANCEL = f"POST {AT}/cancel"
CANCEL_PREVIEW = f"{CANCEL}?preview=true"
RENEW = f"POST {AT}/renew"
RENEW_PREVIEW = f"{RENEW}?preview=true"
CARD = f"POST {AT}/payment-method"
CARD_TOKENS = "POST /payments/v1/card-tokens"
PAYMENTS = f"GET {AT}/payments"
DRIVERS = f"POST {AT}/drivers"
DRIVERS_PREVIEW = f"{DRIVERS}?preview=true"
TIMELINE = f"GET {AT}/timeline"
DOCUMENTS = f"GET {AT}/documents"
LINK = f"POST {AT}/documents/contract_copy/link"

CAR = {"plate": "12가 3456", "model": "Avante"}
SLOT = {"starts_at": "2026-11-26T01:00:00Z", "ends_at": "2026-11-26T03:00:00Z"}
LATER = {"starts_at": "2026-11-27T05:00:00Z", "ends_at": "2026-11-27T07:00:00Z"}
ADDRESS = "서울시 중구 세종대로 110, 3층"
QUOTE = {"quote": "q-1", "quote_until": "2026-11-20T03:10:00Z"}

CONTRACT: dict[str, Any] = {
    "contract_id": ID,
    "state": "preparing",
    "billing": "not_started",
    "plan_id": "compact",
    "months": 6,
    "monthly_fee": 412_000,
    "signed_at": "2026-11-16T03:00:00Z",
    "handover": {"at": SLOT["starts_at"], "address": ADDRESS, "label_hash": "ab12"},
    "return": None,
    "drivers": [
        {
            "number": 1,
            "name": "김하나",
            "phone": "+821012345678",
            "licence_no": "11**********",
            "verified": True,
        },
        {
            "number": 2,
            "name": "Sam Lee",
            "phone": "+821087654321",
            "licence_no": "12**********",
            "verified": False,
        },
    ],
    "car_id": "car-0001",
    "car": CAR,
    "key": {
        "shipment_id": "shp_1",
        "key_tag": "tag-0001-a",
        "state": "out_for_delivery",
        "tracking": "6892 1234 5678",
    },
    "starts_at": None,
    "ends_at": None,
    "actions": ["cancel", "add_driver", "remove_driver", "reschedule_handover", "payment_method"],
    "why": None,
}
ACTIVE: dict[str, Any] = {
    "state": "active",
    "billing": "current",
    "key": {**CONTRACT["key"], "state": "verified"},
    "starts_at": "2026-11-26T03:00:00Z",
    "ends_at": "2027-05-26T03:00:00Z",
    "actions": ["cancel", "renew", "swap", "add_driver", "remove_driver", "payment_method"],
}
VISIT: dict[str, Any] = {
    "appointment_id": "apt_1",
    "which": "handover",
    "state": "proposed",
    "at": SLOT["starts_at"],
    "slot": SLOT,
    "address": ADDRESS,
    "change_until": "2026-11-25T22:00:00Z",
    "free_until": "2026-11-25T01:00:00Z",
    "late_fee": 30_000,
    "actions": ["confirm", "reschedule"],
}
LINES = [{"what": "first_month", "amount": 412_000}, {"what": "late_cancellation", "amount": -247_200}]
CANCELLED: dict[str, Any] = {
    "contract_id": ID,
    "state": "cancelled",
    "effective_at": NOW,
    "refund": 164_800,
    "charge": 0,
    "lines": LINES,
}
MOVED: dict[str, Any] = {
    "contract_id": ID,
    "appointment_id": "apt_1",
    "which": "handover",
    "at": LATER["starts_at"],
    "slot": LATER,
    "state": "proposed",
    "refund": 0,
    "charge": 30_000,
    "lines": [{"what": "redispatch", "amount": -30_000}],
}
PLANS = {
    "plans": [
        {
            "plan_id": "compact",
            "name": "Compact",
            "car_class": "compact",
            "seats": 5,
            "luggage": "two small cases",
            "fuel": "petrol",
            "example": "Avante",
            "good_for": "a first car",
            "terms": [
                {"months": 3, "monthly_fee": 452_000},
                {"months": 6, "monthly_fee": 412_000},
                {"months": 12, "monthly_fee": 372_000},
            ],
        }
    ]
}
PAID: dict[str, Any] = {
    "billing": "current",
    "card": {"brand": "Visa", "last4": "4242"},
    "next_charge_at": "2026-12-26T03:00:00Z",
    "balance": 0,
    "charges": [
        {
            "charge_id": "chg_1",
            "what": "first_month",
            "at": "2026-11-17T03:00:00Z",
            "amount": 412_000,
            "state": "paid",
        },
        {
            "charge_id": "chg_2",
            "what": "monthly_fee",
            "at": "2026-12-26T03:00:00Z",
            "amount": 398_400,
            "state": "paid",
        },
    ],
    "gaps": [{"from_at": "2026-12-03T00:00:00Z", "to_at": "2026-12-04T00:00:00Z", "cause": "car_offline"}],
}
CONFIG = {
    "region": "ap-northeast-2",
    "user_pool_client_id": "c1",
    "cognito_endpoint": "",
    "payments_url": "",
}
PAPERS = {
    "documents": [
        {"kind": "contract_copy", "available": True},
        {"kind": "registration_certificate", "available": False},
    ]
}
PLACES = [
    {
        "place_id": "p1",
        "name": "세종로 공영주차장",
        "address": "서울시 종로구 세종대로 지하189",
        "lat": 37.5726,
        "lon": 126.9769,
        "metres": 312,
        "spaces": 1260,
        "free_of_charge": False,
        "fee": {
            "basic_minutes": 5,
            "basic_amount": 430,
            "step_minutes": 5,
            "step_amount": 430,
            "day_amount": 30_900,
        },
        "stay_amount": 5160,
        "hours": {"weekday": "00:00-24:00", "saturday": "00:00-24:00", "holiday": None},
        "phone": "02-2290-6566",
    },
    {
        "place_id": "p2",
        "name": "다동 공원주차장",
        "address": "서울시 중구 다동 10",
        "lat": 37.5678,
        "lon": 126.9812,
        "metres": 540,
        "spaces": None,
        "free_of_charge": True,
        "fee": {
            "basic_minutes": None,
            "basic_amount": None,
            "step_minutes": None,
            "step_amount": None,
            "day_amount": None,
        },
        "stay_amount": 0,
        "hours": {"weekday": None, "saturday": None, "holiday": None},
        "phone": None,
    },
]
EVENTS: list[tuple[str, str, dict[str, Any]]] = [
    ("KeyShipmentMoved", "2026-11-20T00:10:00Z", {"to_state": "out_for_delivery"}),
    ("SomethingNobodyHasWordsFor", "2026-11-20T00:05:00Z", {}),
    (
        "AppointmentMoved",
        "2026-11-19T05:00:00Z",
        {"which": "handover", "at": SLOT["starts_at"], "address_changed": True},
    ),
    (
        "ContractPaid",
        "2026-11-17T03:00:00Z",
        {"amount": 412_000, "monthly_fee": 412_000, "months": 6, "handover_at": SLOT["starts_at"]},
    ),
    ("ContractSigned", "2026-11-16T03:00:00Z", {"plan_id": "compact", "months": 6}),
]


def contract(**changed: Any) -> Reply:
    return Reply(body={**deepcopy(CONTRACT), **changed})


def visits(*each: dict[str, Any]) -> Reply:
    return Reply(body={"appointments": list(each)})


def slots(day: str, *, taken: int = 1) -> Reply:
    """Five slots of two hours from 09:00 in Seoul, so many of them taken."""
    hours = range(0, 10, 2)
    return Reply(
        body={
            "day": day,
            "slots": [
                {
                    "starts_at": f"{day}T{hour:02}:00:00Z",
                    "ends_at": f"{day}T{hour + 2:02}:00:00Z",
                    "free": 3 if hour >= 2 * taken else 0,
                }
                for hour in hours
            ],
        }
    )


def events(*rows: tuple[str, str, dict[str, Any]], cursor: str | None = None) -> Reply:
    found = [
        {"id": f"e{number}", "type": kind, "at": at, "data": data}
        for number, (kind, at, data) in enumerate(rows)
    ]
    return Reply(body={"events": found, "cursor": cursor})


def malformed(*pointers: str) -> Reply:
    answer = problem(400, "MALFORMED")
    answer.body["errors"] = [{"pointer": pointer, "detail": "does not fit"} for pointer in pointers]
    return answer


def knows(site: Site, **changed: Any) -> None:
    """A customer with one contract and its appointment."""
    site.says(
        "GET /v1/config",
        Reply(body={**CONFIG, "cognito_endpoint": site.origin, "payments_url": f"{site.origin}/payments"}),
    )
    site.says(SIGN_IN, signed_in())
    site.says(GET_CONTRACTS, Reply(body={"contracts": [summary(ID)], "cursor": None}))
    site.says(GET_CONTRACT, contract(**changed))
    site.says(GET_VISITS, visits(VISIT))
    site.says("GET /v1/plans", Reply(body=PLANS))
    site.says(PAYMENTS, Reply(body=PAID))
    site.says(DOCUMENTS, Reply(body=PAPERS))
    site.says(TIMELINE, events(*EVENTS))
    site.says(MOVE_PREVIEW, Reply(body={**MOVED, **QUOTE}))
    site.says(CANCEL_PREVIEW, Reply(body={**CANCELLED, **QUOTE}))
    for day in range(21, 29):
        site.says(f"GET /v1/slots?which=handover&day=2026-11-{day}", slots(f"2026-11-{day}"))


def summary(contract_id: str, state: str = "preparing", **changed: Any) -> dict[str, Any]:
    return {
        "contract_id": contract_id,
        "state": state,
        "billing": "not_started",
        "plan_id": "compact",
        "months": 6,
        "handover_at": SLOT["starts_at"],
        "car": CAR,
        **changed,
    }


def enter(page: Page, site: Site, where: str = "") -> None:
    """Signed in already, as after a reload."""
    page.clock.set_fixed_time(NOW)
    page.add_init_script("sessionStorage.setItem('handover.token', 'an.id.token')")
    page.goto(f"{site.url}/my{where}")
    page.wait_for_selector("[data-view=boot]", state="hidden")
