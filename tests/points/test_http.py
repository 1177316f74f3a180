"""The routes of points."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from chalicelib import wiring
from chalicelib.kernel import aws
from chalicelib.points.model import What
from tests import bank
from tests.api import Api, bearer, is_problem
from tests.conftest import NOON
from tests.points.conftest import drove

OLGA, OTTO, KIM, LEE = bearer("olga", "ops"), bearer("otto", "ops"), bearer("kim"), bearer("lee")
GRANTS = "/v1/ops/points/grants"
CONVERSIONS = "/v1/me/points/conversions"


@pytest.fixture(autouse=True)
def noon() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def rich(api: Api) -> Api:
    bank.partners()
    for name in ("partner-hanbit", "partner-dure"):
        aws.client("secretsmanager").create_secret(Name=f"test/handover/{name}", SecretString="x")
    assert granted(api).status_code == 201
    drove()
    return api


def granted(api: Api, key: str = "k1", **changes: Any) -> Any:
    return api.post(
        GRANTS, {"customer_id": "kim", "points": 5_000, "reason": "sorry", **changes}, by=OLGA, key=key
    )


def converted(api: Api, key: str = "c1", by: str = KIM, **changes: Any) -> Any:
    body = {"partner": "dure", "account": "D-12345678", "points": 2_000, **changes}
    return api.post(CONVERSIONS, body, by=by, key=key)


def test_a_customer_sees_what_there_is_and_what_goes_when(rich: Api) -> None:
    granted(rich, "k2", points=70, expires_at="2026-03-20T00:00:00+09:00")
    seen = rich.get("/v1/me/points", by=KIM)
    assert seen.json_body == {
        "balance": 5_070,
        "held": 0,
        "debt": 0,
        "expiring": [
            {"points": 70, "expires_at": "2026-03-31T15:00:00Z"},
            {"points": 5_000, "expires_at": "2027-03-31T15:00:00Z"},
        ],
        "birthday": None,
    }
    assert seen.headers["Cache-Control"] == "no-store"
    assert rich.get("/v1/me/points", by=LEE).json_body["balance"] == 0
    assert is_problem(rich.get("/v1/me/points"), 401, "UNAUTHENTICATED")


def test_entries_come_page_by_page_and_without_who_gave_them(rich: Api) -> None:
    for number in range(2, 5):
        granted(rich, f"k{number}", points=number)
    first = rich.get("/v1/me/points/entries?limit=3", by=KIM).json_body
    rest = rich.get(f"/v1/me/points/entries?cursor={first['next_cursor']}", by=KIM).json_body
    assert [entry["points"] for entry in first["entries"] + rest["entries"]] == [4, 3, 2, 5_000]
    assert rest["next_cursor"] is None
    assert rest["entries"][0] == {
        "at": "2026-03-02T03:00:00Z",
        "what": "granted",
        "points": 5_000,
        "balance_after": 5_000,
        "expires_at": "2027-03-31T15:00:00Z",
    }
    for wrong in ("limit=0", "limit=101", "cursor=nonsense", "cursor=LTE", "cursor=MA"):
        assert is_problem(rich.get(f"/v1/me/points/entries?{wrong}", by=KIM), 400, "MALFORMED")


def test_a_grant_is_made_once_and_only_by_operations(rich: Api) -> None:
    again = granted(rich)
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (201, "true")
    assert again.json_body["points"] == 5_000
    assert again.json_body["expires_at"] == "2027-03-31T15:00:00Z"
    assert is_problem(granted(rich, points=5_001), 422, "KEY_REUSED")
    assert is_problem(granted(rich, "k9", expires_at="2030-01-01T00:00:00Z"), 422, "LASTS_TOO_LONG")
    body = {"customer_id": "lee", "points": 1, "reason": "mine"}
    assert is_problem(rich.post(GRANTS, body, by=LEE, key="k1"), 403, "FORBIDDEN")
    assert is_problem(rich.post(GRANTS, body, by=OLGA), 400, "MALFORMED")
    assert rich.get("/v1/me/points", by=LEE).json_body["balance"] == 0


def test_a_large_grant_waits_for_a_second_person(rich: Api) -> None:
    asked = granted(rich, "k2", points=300_000)
    assert (asked.status_code, asked.json_body["state"], asked.json_body["expires_at"]) == (
        202,
        "ASKED",
        None,
    )
    path = f"{GRANTS}/{asked.json_body['grant_id']}/approve"
    said = {"customer_id": "kim", "points": 300_000}
    assert is_problem(rich.post(path, said, by=OLGA), 422, "OWN_GRANT")
    assert is_problem(rich.post(path, said, by=KIM), 403, "FORBIDDEN")
    assert is_problem(rich.post(f"{GRANTS}/pgr_x/approve", said, by=OTTO), 404, "UNKNOWN_GRANT")
    done = rich.post(path, said, by=OTTO)
    assert (done.status_code, done.json_body["state"]) == (200, "GIVEN")
    assert rich.post(path, said, by=OTTO).headers["Idempotent-Replayed"] == "true"
    newest = rich.get("/v1/ops/points/kim", by=OLGA).json_body["entries"][0]
    assert (newest["points"], newest["staff"], newest["approved_by"]) == (300_000, "olga", "otto")


@pytest.mark.parametrize(
    "change",
    [
        {"points": 0},
        {"points": 1_000_001},
        {"points": 1.5},
        {"reason": " "},
        {"customer_id": "a b"},
        {"customer_id": "x" * 129},
        {"customer_id": "kim\n"},
        {"expires_at": "2026-05-01T00:00:00"},
        {"expires_at": "9999-12-31T23:59:59Z"},
    ],
)
def test_a_grant_that_cannot_be_read_is_refused(api: Api, change: dict[str, Any]) -> None:
    assert is_problem(granted(api, **change), 400, "MALFORMED")


def test_operations_see_lots_holds_and_reasons(rich: Api) -> None:
    points = wiring.points()

    def hold(wallet: Any, draw: Any) -> None:
        write = points.begin()
        points.hold(write, wallet, draw, "chk_1")
        write.commit()

    points.spending("kim", 1_000, hold)
    seen = rich.get("/v1/ops/points/kim", by=OLGA).json_body
    assert (seen["balance"], seen["lots"]) == (4_000, {"2703g": 4_000})
    assert seen["held"] == [{"checkout_id": "chk_1", "points": 1_000}]
    (entry,) = seen["entries"]
    assert (entry["staff"], entry["reason"], entry["lots"]) == ("olga", "sorry", {"2703g": 5_000})
    assert entry["cause"].startswith("grant/pgr_")
    assert is_problem(rich.get("/v1/ops/points/kim", by=KIM), 403, "FORBIDDEN")
    assert rich.get("/v1/ops/points/nobody", by=OLGA).json_body["entries"] == []


def test_a_birthday_is_told_without_a_year_and_changed_once_a_year(
    api: Api, noon: time_machine.Traveller
) -> None:
    def tell(month: Any, day: Any) -> Any:
        return api.send("PUT", "/v1/me/birthday", {"month": month, "day": day}, by=KIM)

    for _ in range(2):
        assert tell(2, 29).json_body == {"month": 2, "day": 29}
    assert api.get("/v1/me/points", by=KIM).json_body["birthday"] == {"month": 2, "day": 29}
    assert is_problem(tell(3, 1), 422, "BIRTHDAY_FIXED")
    noon.shift(timedelta(days=366))
    assert tell(3, 1).status_code == 200
    for month, day in ((2, 30), (0, 1), (13, 1), (4, 31), ("4", 1)):
        assert is_problem(tell(month, day), 400, "MALFORMED")
    assert is_problem(api.send("PUT", "/v1/me/birthday", {"month": 1, "day": 1}), 401)


def test_points_become_a_partner_s_and_are_its_owner_s_business(rich: Api) -> None:
    done = converted(rich)
    assert (done.status_code, done.json_body["state"], done.json_body["gives"]) == (201, "DONE", 1_600)
    assert done.json_body["account"] == "******5678"
    again = converted(rich)
    assert (again.json_body, again.headers["Idempotent-Replayed"]) == (done.json_body, "true")
    path = f"{CONVERSIONS}/{done.json_body['conversion_id']}"
    assert rich.get(path, by=KIM).json_body == done.json_body
    assert is_problem(rich.get(path, by=LEE), 404, "UNKNOWN_CONVERSION")
    assert is_problem(converted(rich, points=1_000), 422, "KEY_REUSED")
    assert rich.get("/v1/me/points", by=KIM).json_body["balance"] == 3_000


def test_a_partner_s_refusal_is_told_and_costs_nothing(rich: Api) -> None:
    refused = converted(rich, partner="hanbit", account="H-0002").json_body
    assert (refused["state"], refused["reason"]) == ("REFUSED", "unknown_member")
    assert rich.get("/v1/me/points", by=KIM).json_body["balance"] == 5_000
    whats = [it["what"] for it in rich.get("/v1/me/points/entries", by=KIM).json_body["entries"]]
    assert whats == [What.NOT_CONVERTED, What.CONVERTED, What.GRANTED]


def test_a_conversion_nobody_can_make_is_refused(rich: Api) -> None:
    assert is_problem(converted(rich, partner="nobody"), 404, "UNKNOWN_PARTNER")
    assert is_problem(converted(rich, points=6_000), 422, "NOT_ENOUGH_POINTS")
    too_few = converted(rich, points=900)
    assert is_problem(too_few, 422, "NOT_CONVERTIBLE")
    assert (too_few.json_body["takes"], too_few.json_body["least"]) == (100, 1_000)
    for change in ({"account": "a b c d"}, {"account": "abc"}, {"points": 0}, {"partner": ""}):
        assert is_problem(converted(rich, "c2", **change), 400, "MALFORMED")
    assert is_problem(rich.post(CONVERSIONS, {}, by=KIM), 400, "MALFORMED")
    granted(rich, "k9", customer_id="lee")
    assert is_problem(converted(rich, by=LEE), 422, "NO_CAR_YET")


def test_a_partner_who_is_away_leaves_it_waiting(rich: Api) -> None:
    bank.partners().away = True
    waiting = converted(rich)
    assert (waiting.status_code, waiting.json_body["state"]) == (202, "PENDING")
    assert rich.get("/v1/me/points", by=KIM).json_body["balance"] == 3_000


def test_partners_are_shown_with_their_rate(api: Api) -> None:
    shown = api.get("/v1/me/points/partners", by=KIM).json_body["partners"]
    assert {each["partner"]: (each["takes"], each["gives"]) for each in shown} == {
        "hanbit": (1, 1),
        "sora": (20, 1),
        "dure": (100, 80),
    }
    assert shown[0]["name_ko"] == "한빛멤버십"
