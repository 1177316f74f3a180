"""The pages' routes, through the application."""

import json
import re
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
import time_machine

from chalicelib import wiring
from chalicelib.kernel.settings import SETTINGS
from chalicelib.pages.store import PageFiles, version
from tests.api import bearer, is_problem
from tests.conftest import NOON, ROOT
from tests.contracts.examples import car_body, confirmed, sign_body

OPS = bearer("mina", "ops")
SAMPLES = sorted((ROOT / "events" / "http").glob("pages-*.json"))
STRICT = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def test_the_smart_key_page_is_locked_down_and_never_kept(api: Any) -> None:
    answer = api.get("/k")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Content-Security-Policy"] == STRICT
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["X-Robots-Tag"] == "noindex, nofollow"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert answer.headers["Permissions-Policy"] == "camera=(), microphone=(), geolocation=(self)"
    assert "Set-Cookie" not in answer.headers


PREVIEWS = {
    "KakaoTalk": "facebookexternalhit/1.1; kakaotalk-scrap/1.0; +https://devtalk.kakao.com/t/scrap/33984",
    "Telegram": "TelegramBot (like TwitterBot)",
    "WhatsApp": "WhatsApp/2.23.20.0 A",
    "iMessage": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_1) AppleWebKit/601.2.4 (KHTML, like Gecko) "
    "Version/9.0.1 Safari/601.2.4 facebookexternalhit/1.1 Facebot Twitterbot/1.0",
}
FOREIGN_CODE = "Zk3vQm8sT1uXyA9bC2dEfG"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("agent", PREVIEWS.values(), ids=PREVIEWS)
def test_r08_a_preview_looks_nothing_up_and_gets_no_session(
    api: Any, dynamodb: Any, agent: str, method: str
) -> None:
    """A code in the fragment never arrives, and one in a query means nothing."""
    asked: list[str] = []
    dynamodb.meta.events.register("before-call.*", lambda **said: asked.append(str(said["model"].name)))
    for path in ("/k", f"/k?{FOREIGN_CODE}", "/k?code=" + FOREIGN_CODE):
        answer = api.send(method, path, headers={"User-Agent": agent})
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "no-store"
        assert not [name for name in answer.headers if name.lower() == "set-cookie"]
        body = PageFiles().template("smart-key.html").body if method == "GET" else ""
        assert answer.body.decode() == body
    assert asked == []


def test_r08_what_a_preview_shows_is_about_nobody(api: Any) -> None:
    html = api.get("/k").body.decode()
    shown = dict(re.findall(r'<meta (?:property|name)="(og:[a-z_]+|description)" content="([^"]*)">', html))
    assert shown["og:title"] == "handover 스마트키"
    assert "다른 사람에게 보내지 마세요" in shown["og:description"]
    assert "og:image" not in shown
    assert "og:url" not in shown
    assert not re.search(r"\d{4,}", "".join(shown.values()))


def test_head_of_every_page_is_its_get_without_the_page(api: Any) -> None:
    for path in ("/k", "/my", "/ops", "/plans", "/partner", "/k-worker.js", f"/assets/{version()}/kit.js"):
        full, bare = api.get(path), api.send("HEAD", path)
        assert (bare.status_code, bare.headers, bare.body) == (200, full.headers, b""), path


@pytest.mark.usefixtures("api")
def test_head_asks_who_calls_as_get_does() -> None:
    event = json.loads((ROOT / "events" / "http" / "pages-6-overview.json").read_text())
    event["httpMethod"] = event["requestContext"]["httpMethod"] = "HEAD"
    from app import app

    answer = app(event, SimpleNamespace())
    assert (answer["statusCode"], answer["body"]) == (200, "")
    del event["requestContext"]["authorizer"]
    assert app(event, SimpleNamespace())["statusCode"] == 401


@pytest.mark.parametrize("page", ["/ops", "/sponsor"])
def test_a_page_for_staff_may_call_the_sign_in_and_nobody_else(api: Any, page: str) -> None:
    policy = api.get(page).headers["Content-Security-Policy"]
    assert f"connect-src 'self' {SETTINGS.cognito_endpoint};" in policy
    assert policy.replace(f" {SETTINGS.cognito_endpoint}", "") == STRICT


def test_scripts_and_pictures_arrive_as_what_they_are(api: Any) -> None:
    script = api.get(f"/assets/{version()}/smart-key.js")
    assert script.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert "immutable" in script.headers["Cache-Control"]
    accepts = {"Accept": "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"}
    picture = api.get(f"/assets/{version()}/touch-icon.png", headers=accepts)
    assert picture.headers["Content-Type"] == "image/png"
    assert picture.body.startswith(b"\x89PNG")


def test_the_worker_is_never_kept_by_the_browsers_cache(api: Any) -> None:
    answer = api.get("/k-worker.js")
    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("name", ["nothing.js", "..", "store.py", "smart-key.html"])
def test_only_the_files_of_the_pages_are_served(api: Any, name: str) -> None:
    assert is_problem(api.get(f"/assets/{version()}/{name}"), 404)


def test_the_settings_of_the_sign_in_are_public(api: Any) -> None:
    assert api.get("/v1/config").json_body == {
        "region": SETTINGS.region,
        "user_pool_client_id": SETTINGS.user_pool_client_id,
        "cognito_endpoint": SETTINGS.cognito_endpoint,
        "payments_url": SETTINGS.payments_url,
    }


def test_the_overview_is_for_operations_only(api: Any) -> None:
    assert is_problem(api.get("/v1/ops/overview"), 401)
    assert is_problem(api.get("/v1/ops/overview", by=bearer("kim")), 403)
    assert is_problem(api.get("/v1/ops/overview", by=bearer("jun", "courier")), 403)


def test_a_quiet_day_is_all_zeros(api: Any) -> None:
    answer = api.get("/v1/ops/overview", by=OPS)
    assert answer.status_code == 200
    assert set(answer.json_body["funnel"].values()) == {0}
    assert answer.json_body["stuck"] == answer.json_body["troubles"] == []
    assert answer.json_body["oldest_due"] is None


def test_a_stranded_contract_shows_up_with_its_key_and_its_smart_key(api: Any) -> None:
    boto3.client("secretsmanager").create_secret(Name="test/handover/link-key", SecretString="k" * 32)
    kim = bearer("kim")
    with time_machine.travel(NOON, tick=False):
        api.post("/v1/ops/cars", car_body(), by=OPS)
        contract_id = api.post("/v1/contracts", sign_body(), by=kim, key="k1").json_body["contract_id"]
        confirmed(contract_id)
        at = f"/v1/ops/contracts/{contract_id}"
        api.post(f"{at}/assign", {"car_id": "car-0001", "key_tag": "tag-0001-a"}, by=OPS)
        wiring.keys().plan(contract_id)
        told = {"key_tag": "tag-of-another-car"}
        assert api.post(f"/v1/contracts/{contract_id}/key/receipt", told, by=kim, key="r1").status_code == 200
        wish = {"holder": "customer", "reason": "wrong key", "not_after": "2026-03-09T12:00:00+09:00"}
        assert api.post(f"{at}/smart-keys", wish, by=OPS, key="w1").status_code == 201
        shown = api.get("/v1/ops/overview", by=OPS).json_body
    assert (shown["funnel"]["issued"], shown["funnel"]["waiting"], shown["funnel"]["stuck"]) == (1, 1, 1)
    assert [(each["contract_id"], each["step"]) for each in shown["stuck"]] == [(contract_id, "waiting")]
    assert [(each["contract_id"], each["kind"]) for each in shown["troubles"]] == [(contract_id, "wrong_key")]


def test_overdue_work_that_no_sweep_has_taken_is_shown(api: Any) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        api.post("/v1/ops/cars", car_body(), by=OPS)
        contract_id = api.post("/v1/contracts", sign_body(), by=bearer("kim"), key="k1").json_body[
            "contract_id"
        ]
        confirmed(contract_id)
        wish = {"car_id": "car-0001", "key_tag": "tag-0001-a"}
        api.post(f"/v1/ops/contracts/{contract_id}/assign", wish, by=OPS)
        wiring.keys().plan(contract_id)
        clock.shift(timedelta(days=10, hours=1))
        assert api.get("/v1/ops/overview", by=OPS).json_body["oldest_due"] is not None
        while wiring.keys().sweep().claimed:
            pass  # after ten days of silence there is more than one rung to ring
        assert api.get("/v1/ops/overview", by=OPS).json_body["oldest_due"] is None


@pytest.mark.usefixtures("api")
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.stem)
def test_every_sample_request_succeeds(sample: Path) -> None:
    from app import app

    assert app(json.loads(sample.read_text()), SimpleNamespace())["statusCode"] == 200


def test_every_route_of_the_pages_has_a_sample() -> None:
    asked = {json.loads(sample.read_text())["resource"] for sample in SAMPLES}
    assert asked == {
        "/k",
        "/k-worker.js",
        "/ops",
        "/my",
        "/plans",
        "/partner",
        "/p-worker.js",
        "/assets/{version}/{name}",
        "/v1/config",
        "/v1/ops/overview",
        "/v1/me/wallet",
        "/sponsor",
    }
