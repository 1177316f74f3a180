"""The units in our cars: ordered and taken out by operations, enrolled and heard by AWS IoT."""

from typing import Any

from aws_lambda_powertools.metrics import MetricUnit

from chalicelib import wiring
from chalicelib.devices.schemas import (
    CertificateEnded,
    OrderView,
    UnitRequest,
    UnitView,
    hook_answer,
    read_attempt,
    read_connection,
    reason_of,
)
from chalicelib.kernel.auth import Group
from chalicelib.kernel.aws import client
from chalicelib.kernel.bus import carry
from chalicelib.kernel.clock import utc_now
from chalicelib.kernel.entry import METRICS, background
from chalicelib.kernel.facts import fact_of
from chalicelib.kernel.http import REPLAYED, Answer, Call, Routes

routes = Routes(__name__)


@routes.post("/v1/ops/cars/{car_id}/unit", status=201, who=Group.OPS, keyed=True)
def order_unit(car_id: str, request: UnitRequest, call: Call) -> OrderView | Answer:
    """Let a unit of this serial enrol as this car, within the hour: a new one, or its next certificate."""
    done = wiring.devices().order(car_id, request.serial, call.caller.id, call.key)
    return Answer(OrderView.of(done.value), REPLAYED if done.replayed else {})


@routes.get("/v1/ops/cars/{car_id}/unit", who=Group.OPS)
def unit(car_id: str) -> UnitView:
    """A car's unit, its certificates, and what became of them."""
    return UnitView.of(wiring.devices().shown(car_id))


@routes.delete("/v1/ops/cars/{car_id}/unit", who=Group.OPS)
def take_out_unit(car_id: str, call: Call) -> None:
    """A unit is stolen, removed or defective: its certificates are revoked."""
    wiring.devices().withdraw(car_id, reason_of(call.query), call.caller.id)


@routes.lambda_function(name="devices_hook")
@background
def devices_hook(event: dict[str, Any], _: Any) -> dict[str, Any]:
    """AWS IoT asks whether it may enrol a unit. A failure here is a refusal."""
    admission = wiring.devices().admit(read_attempt(event, utc_now()))
    METRICS.add_metric(f"enrolment_{'admitted' if admission else 'refused'}", MetricUnit.Count, 1)
    return hook_answer(admission)


@routes.lambda_function(name="devices_connect")
@background
def devices_connect(event: dict[str, Any], _: Any) -> str:
    """A certificate has connected under a car's name, or was not allowed to."""
    verdict = wiring.devices().heard(read_connection(event))
    METRICS.add_metric(f"connection_{verdict}", MetricUnit.Count, 1)
    return verdict


@routes.lambda_function(name="devices_retire")
@background
def devices_retire(event: dict[str, Any], _: Any) -> None:
    """A certificate has ended: AWS IoT is told."""
    ended = fact_of(event).data_as(CertificateEnded)
    wiring.devices().close(ended.car_id, ended.certificate_id, ended.reason)


@routes.lambda_function(name="devices_publish")
@background
def devices_publish(event: dict[str, Any], _: Any) -> int:
    """This table's facts, from its stream to the bus."""
    return carry(event, client("events"))
