"""The routes of the books, on what a whole sale really wrote."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from infra import reconcile
from tests.api import Api, bearer, is_problem
from tests.conftest import NOON
from tests.ledger.story import KIM, OPS, SALLY, Story, reconciled, rows

OTTO, STRANGER = bearer("otto", "ops"), bearer("sam", "sponsor")
RUNS = "/v1/ops/reconciliations"


@pytest.fixture
def clock() -> Iterator[Any]:
    with time_machine.travel(NOON, tick=False) as clock:
        yield clock


@pytest.fixture
def story(clock: Any, api: Api) -> Story:
    return Story(api)


def test_what_was_really_sold_reconciles(story: Story, api: Api, clock: Any) -> None:
    asked = api.post(RUNS, {"campaign_id": story.campaign_id}, by=OPS, key="k1")
    assert (asked.status_code, asked.json_body["state"]) == (202, "REQUESTED")
    again = api.post(RUNS, {"campaign_id": story.campaign_id}, by=OPS, key="k1")
    assert again.headers["Idempotent-Replayed"] == "true"
    assert reconciled() == {"run_id": asked.json_body["run_id"], "state": "DONE", "differences": 0}
    run = api.get(f"{RUNS}/{asked.json_body['run_id']}", by=OPS).json_body
    assert (run["state"], run["differences"], run["by"]) == ("DONE", [], "olga")
    assert run["checked"] > 5
    assert [each["run_id"] for each in api.get(RUNS, by=OPS).json_body["reconciliations"]] == [run["run_id"]]
    assert is_problem(api.get(f"{RUNS}/rec_none", by=OPS), 404, "UNKNOWN_RUN")
    assert is_problem(api.post(RUNS, {"campaign_id": "cmp_none"}, by=OPS, key="k2"), 404, "UNKNOWN_CAMPAIGN")
    repair = {"run_id": run["run_id"], "difference": 0, "reason": "disk"}
    assert is_problem(api.post("/v1/ops/repairs", repair, by=OTTO, key="r"), 404, "UNKNOWN_DIFFERENCE")
    assert is_problem(api.post("/v1/ops/repairs", repair, by=OTTO), 400)


def test_the_command_reconciles_from_here(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    assert reconcile.reconciled(story.campaign_id) == 0
    assert capsys.readouterr().out.endswith("0 differences\n")
    assert reconcile.reconciled("cmp_none") == 1
    assert capsys.readouterr().err == "handover: There is no such campaign.\n"


def test_every_attempt_is_looked_up_by_whatever_is_known_of_it(story: Story, api: Api) -> None:
    captured = story.checkouts["captured"]
    for query in (
        f"code={story.codes[0]}",
        f"coupon_id={story.coupons[0]}",
        "order_id=order-0",
        f"checkout_id={captured}",
    ):
        found = api.get(f"/v1/ops/lookup?{query}", by=OPS).json_body
        assert [each["checkout_id"] for each in found["attempts"]] == [captured], query
        (attempt,) = found["attempts"]
        assert (attempt["state"], attempt["campaign_id"]) == ("CAPTURED", story.campaign_id)
        assert [each["what"] for each in attempt["entries"]] == ["reserved", "captured"]
        assert [each["state"] for each in found["coupons"]] == ["USED"]
    found = api.get("/v1/ops/lookup?customer_id=kim", by=OPS).json_body
    assert {each["checkout_id"] for each in found["attempts"]} == {*story.checkouts.values()}
    assert found["points"] == {"balance": 48_600, "held": 700, "debt": 0}
    assert (found["refusals"], found["looked"]["complete"]) == ([], True)


def test_c10_a_refusal_is_a_line_of_the_log_and_no_row(
    story: Story, api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    items = [{"kind": "contract_fee", "ref": "con_none"}]
    order = {"order_id": "order-9", "items": items, "coupon_id": story.coupons[0], "points": 0}
    before = [rows(context) for context in ("checkout", "coupons", "ledger", "points")]
    refused = api.post("/v1/checkouts", order, by=KIM, key="r9").json_body["code"]
    assert [rows(context) for context in ("checkout", "coupons", "ledger", "points")] == before
    (line,) = [vars(record) for record in caplog.records if record.message == "refusal"]
    named = {name: line[name] for name in ("code", "customer_id", "order_id", "coupon_id")}
    asked = {"customer_id": "kim", "order_id": "order-9", "coupon_id": story.coupons[0]}
    assert named == asked | {"code": refused}


def test_a_look_up_of_nothing_finds_nothing(story: Story, api: Api) -> None:
    for query in ("code=AAAAA-AAAAA-AAAAA", "coupon_id=x", "order_id=none", "checkout_id=chk_none"):
        found = api.get(f"/v1/ops/lookup?{query}", by=OPS).json_body
        assert (found["attempts"], found["coupons"]) == ([], []), query
    for query in ("", "?", "?order_id=1&code=2", f"?order_id={'x' * 300}"):
        assert is_problem(api.get(f"/v1/ops/lookup{query}", by=OPS), 400, "MALFORMED"), query


def test_a_campaign_s_spend_is_shown_by_day(story: Story, api: Api) -> None:
    path = f"/v1/ops/campaigns/{story.campaign_id}/spend"
    day = {"day": "2026-03-02", "captured": 5_000, "refunded": 0, "count": 1}
    assert api.get(path, by=OPS).json_body == {"days": [day]}
    assert is_problem(api.get("/v1/ops/campaigns/cmp_none/spend", by=OPS), 404, "UNKNOWN_CAMPAIGN")


def test_a_sponsor_sees_its_settlement_and_no_other_s(story: Story, api: Api, clock: Any) -> None:
    path = "/v1/sponsor/settlements"
    assert api.get(path, by=SALLY).json_body == {"periods": [{"period": "2026-03", "preliminary": True}]}
    settled = api.get(f"{path}/2026-03", by=SALLY).json_body
    assert settled["sums"] == {"captured": 5_000, "refunded": 0, "net": 5_000, "count": 1, "share": 2_500}
    assert settled["lines"][0]["campaign_id"] == story.campaign_id
    assert api.get("/v1/ops/settlements/acme/2026-03", by=OPS).json_body == settled
    clock.shift(timedelta(days=40))
    first = api.get(f"{path}/2026-03?format=csv", by=SALLY)
    assert first.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert first.headers["Content-Disposition"] == 'attachment; filename="settlement-acme-2026-03.csv"'
    again = api.get(f"{path}/2026-03", by=SALLY, headers={"Accept": "text/csv"})
    assert again.body == first.body
    api.post("/v1/ops/sponsors", {"sponsor_id": "other", "name": "Other"}, by=OPS)
    api.post("/v1/ops/sponsors/other/people", {"subject": "sam"}, by=OPS)
    for period in ("2026-03", "2026-02", "x"):
        assert is_problem(api.get(f"{path}/{period}", by=STRANGER), 404), period
    assert is_problem(api.get(f"{path}/2026-03", by=bearer("nobody", "sponsor")), 404, "UNKNOWN_SPONSOR")
    assert api.get("/v1/sponsor/campaigns", by=STRANGER).json_body == {"campaigns": []}
    (mine,) = api.get("/v1/sponsor/campaigns", by=SALLY).json_body["campaigns"]
    assert (mine["campaign_id"], mine["sponsor_percent"]) == (story.campaign_id, 50)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/ops/sponsors", {"sponsor_id": "a b", "name": "A"}),
        ("/v1/ops/sponsors", {"sponsor_id": "a"}),
        ("/v1/ops/sponsors/acme/people", {"subject": ""}),
        ("/v1/ops/repairs", {"run_id": "x", "difference": -1, "reason": "r"}),
        (RUNS, {"campaign": "x"}),
    ],
)
def test_what_does_not_fit_is_refused(api: Api, path: str, body: Any) -> None:
    assert is_problem(api.post(path, body, by=OPS, key="k"), 400, "MALFORMED")


def test_the_books_are_not_for_customers_nor_settlements_for_operations(api: Api) -> None:
    for path in ("/v1/ops/lookup?order_id=1", RUNS, "/v1/sponsor/settlements", "/v1/sponsor/campaigns"):
        assert is_problem(api.get(path, by=KIM), 403), path
        assert is_problem(api.get(path), 401), path
    assert is_problem(api.get("/v1/sponsor/settlements", by=OPS), 403)
    assert is_problem(api.get(RUNS, by=SALLY), 403)
    assert is_problem(api.get("/v1/ops/settlements/nobody/2026-03", by=OPS), 404, "UNKNOWN_SPONSOR")
