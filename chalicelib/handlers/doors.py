"""Commands to a car for the holder of a smart key, and what the cars say back."""

from typing import Any

from aws_lambda_powertools.metrics import MetricUnit

from chalicelib import wiring
from chalicelib.doors.schemas import (
    CommandRequest,
    CommandView,
    read_ack,
    read_presence,
    read_report,
)
from chalicelib.kernel.aws import client
from chalicelib.kernel.bus import carry
from chalicelib.kernel.entry import METRICS, background
from chalicelib.kernel.http import PUBLIC, REPLAYED, Answer, Call, Routes

routes = Routes(__name__)

COOKIE = "__Host-smartkey"
"""Set by POST /v1/smart-key/exchange."""


@routes.post("/v1/smart-key/commands", status=202, who=PUBLIC, keyed=True)
def send_command(request: CommandRequest, call: Call) -> CommandView | Answer:
    """Send a command to the car of this smart key; a car out of reach is 202 with state NOT_SENT."""
    sent = wiring.doors().send(call.cookies.get(COOKIE), request.action, call.key)
    return Answer(CommandView.of(sent.command, call.language), REPLAYED if sent.replayed else {})


@routes.get("/v1/smart-key/commands/{command_id}", who=PUBLIC)
def command(command_id: str, call: Call) -> CommandView:
    """What became of a command, as far as anybody knows."""
    return CommandView.of(wiring.doors().command(call.cookies.get(COOKIE), command_id), call.language)


@routes.lambda_function(name="doors_ack")
@background
def doors_ack(event: dict[str, Any], _: Any) -> str:
    """A car's answer to a command."""
    verdict = wiring.doors().ack(read_ack(event))
    METRICS.add_metric(f"ack_{verdict}", MetricUnit.Count, 1)
    return verdict


@routes.lambda_function(name="doors_state")
@background
def doors_state(event: dict[str, Any], _: Any) -> str:
    """What a car reports of itself."""
    verdict = wiring.doors().report(read_report(event))
    METRICS.add_metric(f"state_{verdict}", MetricUnit.Count, 1)
    return verdict


@routes.lambda_function(name="doors_presence")
@background
def doors_presence(event: dict[str, Any], _: Any) -> bool:
    """A car connected, or its connection ended."""
    return wiring.doors().presence(read_presence(event))


@routes.lambda_function(name="doors_sweep")
@background
def doors_sweep(_event: dict[str, Any], _: Any) -> dict[str, int]:
    """Once a minute: commands whose time is over."""
    report = wiring.doors().sweep()
    METRICS.add_metric("commands_due", MetricUnit.Count, report.rows_read)
    return {"rows_read": report.rows_read, "settled": report.settled}


@routes.lambda_function(name="doors_publish")
@background
def doors_publish(event: dict[str, Any], _: Any) -> int:
    """This table's facts, from its stream to the bus."""
    return carry(event, client("events"))
