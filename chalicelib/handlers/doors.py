"""Commands to a car for the holder of a smart key, and what the cars say back."""

from typing import Any

from aws_lambda_powertools.metrics import MetricUnit

from chalicelib import wiring
from chalicelib.doors.model import Sent, Verdict
from chalicelib.doors.schemas import (
    CommandRequest,
    CommandView,
    ContractCommandRequest,
    StopRequest,
    StopView,
    read_ack,
    read_presence,
    read_report,
)
from chalicelib.kernel.auth import SMART_KEY_COOKIE, Group
from chalicelib.kernel.aws import client
from chalicelib.kernel.bus import carry
from chalicelib.kernel.entry import METRICS, background
from chalicelib.kernel.http import PUBLIC, REPLAYED, SIGNED_IN, Answer, Call, Routes, limit_of
from chalicelib.kernel.logs import LogView, line_asked

routes = Routes(__name__)


def _sent(sent: Sent, call: Call) -> CommandView | Answer:
    return Answer(CommandView.of(sent.command, call.language), REPLAYED if sent.replayed else {})


@routes.post("/v1/smart-key/commands", status=202, who=PUBLIC, keyed=True)
def send_command(request: CommandRequest, call: Call) -> CommandView | Answer:
    """Send a command to the car of this smart key; a car out of reach is 202 with state NOT_SENT."""
    asked = request.asked(call.ip, call.agent, call.trace_id)
    return _sent(wiring.doors().send(call.cookies.get(SMART_KEY_COOKIE), asked, call.key), call)


@routes.get("/v1/smart-key/commands/{command_id}", who=PUBLIC)
def command(command_id: str, call: Call) -> CommandView:
    """What became of a command, as far as anybody knows."""
    return CommandView.of(
        wiring.doors().command(call.cookies.get(SMART_KEY_COOKIE), command_id), call.language
    )


@routes.post("/v1/contracts/{contract_id}/commands", status=202, who=SIGNED_IN, keyed=True)
def send_for_contract(contract_id: str, request: ContractCommandRequest, call: Call) -> CommandView | Answer:
    """Send a command to the contract's car, signed in: its customer, a driver, or staff with a reason."""
    asked = request.asked(call.ip, call.agent, call.trace_id)
    return _sent(wiring.doors().send_for(contract_id, call.caller, asked, call.key), call)


@routes.get("/v1/contracts/{contract_id}/commands/{command_id}", who=SIGNED_IN)
def command_of_contract(contract_id: str, command_id: str, call: Call) -> CommandView:
    """What became of a command to the contract's car."""
    found = wiring.doors().command_for(contract_id, call.caller, command_id)
    return CommandView.of(found, call.language)


@routes.post("/v1/ops/cars/{car_id}/stop", who=Group.OPS)
def stop_car(car_id: str, request: StopRequest, call: Call) -> StopView:
    """Refuse everything but LOCK for a car, until it is resumed. Twice is once."""
    return StopView.of(wiring.door_desk().stop_car(car_id, request.reason, call.caller.id))


@routes.get("/v1/ops/cars/{car_id}/stop", who=Group.OPS)
def car_stop(car_id: str) -> StopView:
    """Whether remote functions of a car are stopped, by whom and why."""
    return StopView.of(wiring.door_desk().car_stop(car_id))


@routes.delete("/v1/ops/cars/{car_id}/stop", who=Group.OPS)
def resume_car(car_id: str, call: Call) -> None:
    """Let commands through to a car again."""
    wiring.door_desk().resume_car(car_id, call.query.get("reason", ""), call.caller.id)


@routes.post("/v1/ops/fleet/stop", who=Group.OPS)
def stop_fleet(request: StopRequest, call: Call) -> StopView:
    """Refuse everything but LOCK for every car, until they are resumed. Twice is once."""
    return StopView.of(wiring.door_desk().stop_fleet(request.reason, call.caller.id))


@routes.get("/v1/ops/fleet/stop", who=Group.OPS)
def fleet_stop() -> StopView:
    """Whether remote functions of all cars are stopped, by whom and why."""
    return StopView.of(wiring.door_desk().fleet_stop())


@routes.delete("/v1/ops/fleet/stop", who=Group.OPS)
def resume_fleet(call: Call) -> None:
    """Let commands through again."""
    wiring.door_desk().resume_fleet(call.query.get("reason", ""), call.caller.id)


@routes.get("/v1/ops/cars/{car_id}/log", who=Group.OPS)
def car_log(car_id: str, call: Call) -> LogView:
    """A log: commands given to a car, what was refused, or what became of one command; is it whole."""
    after, limit = line_asked(call.query), limit_of(call.query, 50, 100)
    return LogView.of(wiring.door_desk().log(car_id, call.query.get("of", "commands"), after, limit))


@routes.get("/v1/ops/fleet/log", who=Group.OPS)
def fleet_log(call: Call) -> LogView:
    """Stops and resumes of all cars, and whether their log is whole."""
    return LogView.of(wiring.door_desk().fleet_log(line_asked(call.query), limit_of(call.query, 50, 100)))


def _count(what: str, verdict: Verdict) -> None:
    """Each verdict by its name, and what nobody should ever hear in one sum, with an alarm on it."""
    METRICS.add_metric(f"{what}_{verdict}", MetricUnit.Count, 1)
    METRICS.add_metric("forged_messages", MetricUnit.Count, int(verdict.forged))


@routes.lambda_function(name="doors_ack")
@background
def doors_ack(event: dict[str, Any], _: Any) -> str:
    """A car's answer to a command."""
    verdict = wiring.doors().ack(read_ack(event))
    _count("ack", verdict)
    return verdict


@routes.lambda_function(name="doors_state")
@background
def doors_state(event: dict[str, Any], _: Any) -> str:
    """What a car reports of itself."""
    verdict = wiring.doors().report(read_report(event))
    _count("state", verdict)
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
