"""The log of the API's function, where refusals stand: looking them up is rare, and a refusal writes no row.

CloudWatch Logs, FilterLogEvents (docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference) gives the
oldest first and pages that may be empty, so days are looked through one by one, from the newest back.
"""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.kernel.entry import LOG
from chalicelib.ledger.model import Refusal, Refusals

DAY = timedelta(days=1)
MOST_PAGES = 20
MOST_SECONDS = 8.0
"""Well inside the API function's twenty, with the slowest page still to come."""
MOST_REFUSALS = 200
NAMES = ("customer_id", "order_id", "coupon_id", "campaign_id", "checkout_id")


class ApiLog:
    """`group` is the log group's name. The client comes when it is needed. `seconds` is a running clock."""

    def __init__(
        self, client: Callable[[], Any], group: str, seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self._client, self._group, self._seconds = client, group, seconds

    def refusals(self, name: str, value: str, since: datetime, until: datetime) -> Refusals:
        """A log that cannot be read hides nothing else that was asked for."""
        try:
            return self._refusals(name, value, since, until)
        except (BotoCoreError, ClientError) as problem:
            LOG.exception("log not read", problem=type(problem).__name__)
            return Refusals((), until, complete=False)

    def _refusals(self, name: str, value: str, since: datetime, until: datetime) -> Refusals:
        found: list[Refusal] = []
        pages, late = MOST_PAGES, self._seconds() + MOST_SECONDS
        while until > since:
            start = max(since, until - DAY)
            of_day: list[Refusal] = []
            token: str | None = ""
            while token is not None:
                enough = len(found) + len(of_day) >= MOST_REFUSALS
                if enough or pages == 0 or self._seconds() > late:
                    return Refusals((*found, *_newest_first(of_day)), until, complete=False)
                pages -= 1
                events, token = self._page(name, value, start, until, token)
                of_day += _refusals(events, name, value)
            found += _newest_first(of_day)
            until = start
        return Refusals(tuple(found), since, complete=True)

    def _page(
        self, name: str, value: str, start: datetime, until: datetime, token: str
    ) -> tuple[list[dict[str, Any]], str | None]:
        asked = {
            "logGroupName": self._group,
            "startTime": _milliseconds(start),
            "endTime": _milliseconds(until) - 1,
            "filterPattern": f'{{ $.message = "refusal" && $.{name} = {json.dumps(value)} }}',
        }
        answer = self._client().filter_log_events(**asked, **({"nextToken": token} if token else {}))
        return answer["events"], answer.get("nextToken")


def _refusals(events: list[dict[str, Any]], name: str, value: str) -> Iterator[Refusal]:
    """Looked at once more: not everybody who stands in for CloudWatch knows such patterns."""
    for event in events:
        try:
            line = json.loads(event["message"])
        except ValueError:
            continue
        if isinstance(line, dict) and line.get("message") == "refusal" and line.get(name) == value:
            at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
            told = {each: line.get(each) for each in NAMES}
            campaign_id, dot, _ = str(told["coupon_id"] or "").partition(".")  # a coupon's id begins with it
            told["campaign_id"] = told["campaign_id"] or (campaign_id if dot else None)
            yield Refusal(at, str(line.get("code")), **told)


def _newest_first(refusals: list[Refusal]) -> list[Refusal]:
    return sorted(refusals, key=lambda refusal: refusal.at, reverse=True)


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)
