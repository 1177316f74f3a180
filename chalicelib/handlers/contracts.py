"""Health, plans and contracts; cars and their assignment for operations."""

from typing import Any

from chalicelib import wiring
from chalicelib.contracts.schemas import (
    AssignedView,
    AssignRequest,
    CarRequest,
    CarView,
    ContractView,
    HealthView,
    PlansView,
    SignedView,
    SignRequest,
)
from chalicelib.kernel.auth import Group
from chalicelib.kernel.aws import client
from chalicelib.kernel.bus import carry
from chalicelib.kernel.entry import background
from chalicelib.kernel.http import PUBLIC, REPLAYED, SIGNED_IN, Answer, Call, Routes
from chalicelib.kernel.settings import SETTINGS

routes = Routes(__name__)


@routes.get("/v1/health", who=PUBLIC)
def health() -> HealthView:
    """Is the service up, and in which version?"""
    return HealthView("ok", SETTINGS.version)


@routes.get("/v1/plans", who=PUBLIC)
def plans(call: Call) -> PlansView:
    """What can be rented, for how long, at which monthly fee."""
    return PlansView.of(wiring.contracts().plans(), call.language)


@routes.post("/v1/contracts", status=201, who=SIGNED_IN, keyed=True)
def sign(request: SignRequest, call: Call) -> SignedView | Answer:
    """Sign a contract; the service prices it from the plan."""
    done = wiring.contracts().sign(request.application(), by=call.caller, key=call.key)
    return Answer(SignedView.of(done.value), REPLAYED if done.replayed else {})


@routes.get("/v1/contracts/{contract_id}", who=SIGNED_IN)
def contract(contract_id: str, call: Call) -> ContractView:
    """A contract with its drivers, handover, key and car: for its customer and for operations."""
    return ContractView.of(*wiring.contracts().get(contract_id, by=call.caller))


@routes.post("/v1/ops/contracts/{contract_id}/assign", who=Group.OPS)
def assign(contract_id: str, request: AssignRequest) -> AssignedView | Answer:
    """Give a contract its car and the key that will be sent; the same again changes nothing."""
    done = wiring.contracts().assign(contract_id, request.assignment())
    return Answer(AssignedView.of(done.value, request.assignment()), REPLAYED if done.replayed else {})


@routes.post("/v1/ops/cars", status=201, who=Group.OPS)
def register_car(request: CarRequest) -> CarView | Answer:
    """Register a car and the tags on its keys; the same again changes nothing."""
    done = wiring.contracts().register_car(request.car())
    return Answer(CarView.of(done.value), REPLAYED if done.replayed else {})


@routes.lambda_function(name="contracts_publish")
@background
def contracts_publish(event: dict[str, Any], _: Any) -> int:
    """This table's facts, from its stream to the bus."""
    return carry(event, client("events"))
