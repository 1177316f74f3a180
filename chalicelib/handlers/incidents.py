"""Incidents for operations: smart keys for many at once; the pieces of that work, and what came of them."""

from typing import Any

import msgspec

from chalicelib import wiring
from chalicelib.incidents.model import Piece, Seen
from chalicelib.incidents.schemas import (
    HEARD,
    INCIDENTS_IN_PAGE,
    MOST_ROWS_IN_PAGE,
    ROWS_IN_PAGE,
    GiveRequest,
    GrantHeard,
    IncidentList,
    IncidentRows,
    IncidentView,
    IncidentWorkStarted,
    OpenedView,
    OpenRequest,
    RevokeRequest,
    first_row,
    listed_after,
    outcome_wanted,
)
from chalicelib.kernel.auth import Group
from chalicelib.kernel.aws import client
from chalicelib.kernel.bus import carry
from chalicelib.kernel.done import Done
from chalicelib.kernel.entry import background
from chalicelib.kernel.facts import fact_of
from chalicelib.kernel.http import REPLAYED, Answer, Call, Routes, limit_of
from chalicelib.kernel.ids import fingerprint

routes = Routes(__name__)


@routes.post("/v1/ops/incidents", status=201, who=Group.OPS, keyed=True)
def open_incident(request: OpenRequest, call: Call) -> OpenedView | Answer:
    """Say what happened, and to which contracts; nothing is sent yet."""
    done = wiring.incidents().open(
        request.name,
        request.cause,
        request.contracts,
        by=call.caller.id,
        key=call.key,
        request=fingerprint(request),
    )
    opened = OpenedView(done.value.incident_id, done.value.affected)
    return Answer(opened, REPLAYED if done.replayed else {})


@routes.get("/v1/ops/incidents", who=Group.OPS)
def list_incidents(call: Call) -> IncidentList:
    """All incidents, newest first."""
    limit = limit_of(call.query, INCIDENTS_IN_PAGE, INCIDENTS_IN_PAGE)
    return IncidentList.of(*wiring.incidents().latest(limit, listed_after(call.query)))


@routes.get("/v1/ops/incidents/{incident_id}", who=Group.OPS)
def incident(incident_id: str, call: Call) -> IncidentRows:
    """How many have come how far, and what became of each contract."""
    first, limit = first_row(call.query), limit_of(call.query, ROWS_IN_PAGE, MOST_ROWS_IN_PAGE)
    wanted = outcome_wanted(call.query)
    seen = wiring.incidents().see(incident_id)
    return IncidentRows.of(seen, wiring.incidents().rows(seen.incident, first, limit), first, wanted)


@routes.post("/v1/ops/incidents/{incident_id}/smart-keys", status=202, who=Group.OPS)
def give_smart_keys(incident_id: str, request: GiveRequest, call: Call) -> IncidentView | Answer:
    """A smart key and one text for each; or, as a dry run, what would happen."""
    if request.dry_run:
        return IncidentView.of(wiring.incidents().dry_run(incident_id, call.caller.id))
    return _view(wiring.incidents().give(incident_id, call.caller.id, request.not_after))


@routes.post("/v1/ops/incidents/{incident_id}/approve", status=202, who=Group.OPS)
def approve(incident_id: str, call: Call) -> IncidentView | Answer:
    """The second person's word for a large batch."""
    return _view(wiring.incidents().approve(incident_id, call.caller.id))


@routes.post("/v1/ops/incidents/{incident_id}/revoke", status=202, who=Group.OPS, keyed=True)
def revoke(incident_id: str, request: RevokeRequest, call: Call) -> IncidentView | Answer:
    """End every smart key this incident gave, and give no more."""
    return _view(wiring.incidents().revoke(incident_id, call.caller.id, request.reason))


def _view(done: Done[Seen]) -> Answer:
    return Answer(IncidentView.of(done.value), REPLAYED if done.replayed else {})


@routes.lambda_function(name="incidents_work")
@background
def incidents_work(event: dict[str, Any], _: Any) -> list[int]:
    """A run that has started is cut into pieces; a piece is worked on."""
    return [_worked(record["body"]) for record in event["Records"]]


def _worked(body: str) -> int:
    if "detail" not in msgspec.json.decode(body):
        return wiring.incidents().work(msgspec.json.decode(body, type=Piece))
    started = fact_of(msgspec.json.decode(body)).data_as(IncidentWorkStarted)
    return wiring.incidents().spread(started.incident_id, started.work, started.run)


@routes.lambda_function(name="incidents_hear")
@background
def incidents_hear(event: dict[str, Any], _: Any) -> None:
    """How far a smart key has come."""
    fact = fact_of(event)
    heard = fact.data_as(GrantHeard)
    if heard.grant_id:
        wiring.incidents().heard(heard.contract_id, heard.grant_id, HEARD[fact.type])


@routes.lambda_function(name="incidents_publish")
@background
def incidents_publish(event: dict[str, Any], _: Any) -> int:
    """This table's facts, from its stream to the bus."""
    return carry(event, client("events"))
