"""Scans, carriers' webhooks and customers' receipts; planning, the sweep and the table's facts."""

from typing import Any

from msgspec.structs import asdict

from chalicelib import wiring
from chalicelib.kernel.auth import Group
from chalicelib.kernel.aws import client
from chalicelib.kernel.bus import carry
from chalicelib.kernel.entry import background
from chalicelib.kernel.facts import fact_of
from chalicelib.kernel.http import PUBLIC, REPLAYED, SIGNED_IN, Answer, Call, Routes
from chalicelib.keys.schemas import (
    ContractAssigned,
    HeardView,
    ReceiptRequest,
    ScanRequest,
    StandingView,
)

routes = Routes(__name__)
HANDS = frozenset({Group.PACKER, Group.COURIER, Group.AGENT})


@routes.post("/v1/scans", who=HANDS)
def scan(request: ScanRequest, call: Call) -> StandingView | Answer:
    """One step of a key's way, scanned; a wrong label is refused and remembered."""
    told = wiring.keys().scan(request.scan(), by=call.caller)
    return Answer(StandingView.of(told), REPLAYED if told.replayed else {})


@routes.post("/v1/webhooks/carriers/{carrier}", who=PUBLIC)
def carrier_event(carrier: str, call: Call) -> HeardView:
    """What a carrier says of its parcels, signed over the raw body; repetitions are welcome."""
    signature = call.headers.get("x-signature", "")
    return HeardView.of(wiring.keys().carrier_event(carrier, call.raw, signature))


@routes.post("/v1/contracts/{contract_id}/key/receipt", who=SIGNED_IN, keyed=True)
def receipt(contract_id: str, request: ReceiptRequest, call: Call) -> StandingView | Answer:
    """The customer's word on the key: its tag, or that none came."""
    told = wiring.keys().receipt(contract_id, request.receipt(), by=call.caller, key=call.key)
    return Answer(StandingView.of(told), REPLAYED if told.replayed else {})


@routes.lambda_function(name="keys_plan")
@background
def keys_plan(event: dict[str, Any], context: Any) -> str:
    """A contract has its car and key: the key's shipment is planned."""
    return wiring.keys().plan(fact_of(event).data_as(ContractAssigned).contract_id)


@routes.lambda_function(name="keys_sweep")
@background
def keys_sweep(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Every minute: the timers that ran out, each rung once."""
    return asdict(wiring.keys().sweep())


@routes.lambda_function(name="keys_publish")
@background
def keys_publish(event: dict[str, Any], context: Any) -> int:
    """This table's facts, from its stream to the bus."""
    return carry(event, client("events"))
