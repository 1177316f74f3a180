"""What the API says to packers, couriers and agents, in the contexts' shapes; and how they come in."""

from typing import Any

from playwright.sync_api import Page

from tests.api import bearer
from tests.pages.answers import SIGN_IN
from tests.pages.site import Reply, Site

JOBS = "GET /v1/partner/jobs"
SCANS = "POST /v1/scans"
EVENTS = "POST /v1/appointments/apt_1/events"

TAG = "tag-0001-a"
LABEL = "0f" * 32
PACKED = Reply(body={"shipment_id": "shp_1", "state": "packed"})


def job(**more: Any) -> dict[str, Any]:
    return {
        "appointment_id": "apt_1",
        "contract_id": "con_1",
        "which": "handover",
        "state": "confirmed",
        "slot": {"starts_at": "2026-03-02T14:00:00+09:00", "ends_at": "2026-03-02T16:00:00+09:00"},
        "address": "서울 마포구 월드컵북로 21, 302호",
        "car": {"plate": "12가 3456", "model": "아반떼"},
        "actions": ["depart"],
        "note": "공동현관 앞에서 전화",
        **more,
    }


def jobs(*found: dict[str, Any]) -> Reply:
    return Reply(body={"jobs": list(found)})


def visit(state: str, **more: Any) -> Reply:
    return Reply(body={"appointment_id": "apt_1", "state": state, **more})


def stands(state: str) -> Reply:
    return Reply(body={"shipment_id": "shp_1", "state": state})


def signed_in_as(name: str, *groups: str) -> Reply:
    token = bearer(name, *groups).removeprefix("Bearer ")
    return Reply(body={"AuthenticationResult": {"IdToken": token}})


def open_house(site: Site, name: str = "sora", *groups: str) -> None:
    config = {"user_pool_client_id": "c1", "cognito_endpoint": site.origin, "payments_url": ""}
    site.says("GET /v1/config", Reply(body=config))
    site.says(SIGN_IN, signed_in_as(name, *(groups or ("packer",))))
    site.says(JOBS, jobs(job()))
    site.says(SCANS, PACKED)
    site.says(EVENTS, visit("en_route"))


def come_in(page: Page, site: Site, where: str = "") -> None:
    page.goto(f"{site.url}/partner{where}")
    page.fill("#user", "sora")
    page.fill("#password", "correct horse")
    page.press("#password", "Enter")
    page.wait_for_selector("#scan-title:visible, #jobs-title:visible")


def pack(page: Page, tag: str = TAG, label: str = LABEL) -> None:
    page.fill("#tag", tag)
    page.fill("#label", label)
    page.press("#label", "Enter")
