"""What CloudWatch Logs is asked and how its answers are read: its contract, by botocore's own model."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from chalicelib.ledger.gateway import MOST_PAGES, ApiLog
from tests.conftest import NOON

GROUP = "/aws/lambda/test-api"
PATTERN = '{ $.message = "refusal" && $.order_id = "order-1" }'


def milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def event(code: str, at: datetime = NOON, **more: Any) -> dict[str, Any]:
    line = {"message": "refusal", "code": code, "order_id": "order-1", "customer_id": "kim", **more}
    return {"timestamp": milliseconds(at), "message": json.dumps(line)}


@pytest.fixture
def logs() -> Iterator[tuple[ApiLog, Stubber]]:
    client = boto3.client("logs", region_name="ap-northeast-2")
    with Stubber(client) as stub:
        yield ApiLog(lambda: client, GROUP), stub


def asked(start: datetime, end: datetime, **more: Any) -> dict[str, Any]:
    window = {"startTime": milliseconds(start), "endTime": milliseconds(end) - 1}
    return {"logGroupName": GROUP, "filterPattern": PATTERN, **window, **more}


def test_days_are_looked_through_from_the_newest_back(logs: tuple[ApiLog, Stubber]) -> None:
    log, stub = logs
    day = timedelta(days=1)
    stub.add_response("filter_log_events", {"events": [], "nextToken": "t"}, asked(NOON - day, NOON))
    later, earlier = NOON - timedelta(hours=1), NOON - timedelta(hours=2)
    stub.add_response(
        "filter_log_events",
        {"events": [event("COUPON_USED", earlier), event("BUDGET_EXHAUSTED", later)]},
        asked(NOON - day, NOON, nextToken="t"),
    )
    stub.add_response("filter_log_events", {"events": []}, asked(NOON - 2 * day, NOON - day))
    found = log.refusals("order_id", "order-1", NOON - 2 * day, NOON)
    stub.assert_no_pending_responses()
    assert [(each.code, each.at) for each in found.refusals] == [
        ("BUDGET_EXHAUSTED", later),
        ("COUPON_USED", earlier),
    ]
    assert (found.since, found.complete) == (NOON - 2 * day, True)


def test_what_is_no_refusal_of_that_name_is_left_out(logs: tuple[ApiLog, Stubber]) -> None:
    """Not everybody who stands in for CloudWatch knows its patterns."""
    log, stub = logs
    strangers = [
        {"timestamp": 0, "message": "START RequestId: 1"},
        {"timestamp": 0, "message": "[1]"},
        event("COUPON_USED", order_id="order-2"),
        event("COUPON_USED", message="refused"),
    ]
    stub.add_response("filter_log_events", {"events": [*strangers, event("COUPON_USED")]})
    found = log.refusals("order_id", "order-1", NOON - timedelta(hours=1), NOON)
    assert [(each.code, each.customer_id, each.at) for each in found.refusals] == [
        ("COUPON_USED", "kim", datetime.fromtimestamp(NOON.timestamp(), UTC))
    ]


def test_a_look_is_bounded_and_says_how_far_it_came(logs: tuple[ApiLog, Stubber]) -> None:
    log, stub = logs
    for _ in range(MOST_PAGES):
        stub.add_response("filter_log_events", {"events": [], "nextToken": "more"})
    found = log.refusals("order_id", "order-1", NOON - timedelta(days=7), NOON)
    assert (found.since, found.complete) == (NOON, False)


def test_a_slow_log_costs_nobody_what_was_found_so_far(logs: tuple[ApiLog, Stubber]) -> None:
    _, stub = logs
    log = ApiLog(lambda: stub.client, GROUP, seconds=iter([0, 1, 7, 9]).__next__)
    stub.add_response("filter_log_events", {"events": [event("COUPON_USED")], "nextToken": "more"})
    stub.add_response("filter_log_events", {"events": [], "nextToken": "more"})
    found = log.refusals("order_id", "order-1", NOON - timedelta(days=7), NOON)
    stub.assert_no_pending_responses()
    assert ([each.code for each in found.refusals], found.complete) == (["COUPON_USED"], False)


def test_a_log_that_cannot_be_read_is_said_and_hides_nothing_else(logs: tuple[ApiLog, Stubber]) -> None:
    log, stub = logs
    stub.add_client_error("filter_log_events", "AccessDeniedException")
    found = log.refusals("order_id", "order-1", NOON - timedelta(days=7), NOON)
    assert (found.refusals, found.since, found.complete) == ((), NOON, False)


def test_nobody_asks_for_more_by_a_strange_name(logs: tuple[ApiLog, Stubber]) -> None:
    log, stub = logs
    hostile = '" || $.code = "*'
    pattern = '{ $.message = "refusal" && $.order_id = "\\" || $.code = \\"*" }'
    stub.add_response(
        "filter_log_events",
        {"events": []},
        {"logGroupName": GROUP, "filterPattern": pattern, "startTime": ANY, "endTime": ANY},
    )
    assert log.refusals("order_id", hostile, NOON - timedelta(hours=1), NOON).refusals == ()
