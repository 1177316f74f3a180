"""A contract's timeline, and the facts it is made of."""

from typing import Any

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import wiring
from chalicelib.journey.schemas import EVENTS_IN_PAGE, MOST_EVENTS_IN_PAGE, TimelineView, after_of
from chalicelib.kernel.entry import LOG, background
from chalicelib.kernel.errors import HandoverError
from chalicelib.kernel.facts import fact_of
from chalicelib.kernel.http import SIGNED_IN, Call, Routes, limit_of

routes = Routes(__name__)


@routes.get("/v1/contracts/{contract_id}/timeline", who=SIGNED_IN)
def timeline(contract_id: str, call: Call) -> TimelineView:
    """Everything that happened to a contract, newest first; its customer sees what is theirs of it."""
    limit, after = limit_of(call.query, EVENTS_IN_PAGE, MOST_EVENTS_IN_PAGE), after_of(call.query)
    return TimelineView.of(wiring.journey().timeline(contract_id, call.caller, limit, after))


@routes.lambda_function(name="journey_record")
@background
def journey_record(event: dict[str, Any], _: Any) -> dict[str, Any]:
    """Facts that name a contract get their rows; one that cannot is handed over again, without the others."""
    failed = [record["messageId"] for record in event["Records"] if not _recorded(record)]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def _recorded(record: dict[str, Any]) -> bool:
    try:
        wiring.journey().record(fact_of(msgspec.json.decode(record["body"])))
    except (HandoverError, BotoCoreError, ClientError, KeyError, TypeError, ValueError) as problem:
        LOG.exception("not recorded", problem=type(problem).__name__)
        return False
    return True
