"""Scans, webhooks, receipts and corrections; planning, what is heard, the sweep and the table's facts."""

from typing import Any

from chalicelib import wiring
from chalicelib.kernel.auth import Group
from chalicelib.kernel.aws import client
from chalicelib.kernel.bus import carry
from chalicelib.kernel.clock import utc_now
from chalicelib.kernel.deadlines import measured, shards_of
from chalicelib.kernel.entry import background
from chalicelib.kernel.facts import Fact, fact_of
from chalicelib.kernel.http import PUBLIC, REPLAYED, SIGNED_IN, Answer, Call, Routes
from chalicelib.keys.model import Event
from chalicelib.keys.schemas import (
    CalendarRequest,
    CalendarView,
    CarOpenedWithKey,
    ContractHeard,
    CorrectionRequest,
    HeardView,
    KeyView,
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


@routes.get("/v1/ops/keys/{key_tag}", who=Group.OPS)
def key(key_tag: str) -> KeyView:
    """Who has a key, how it came there, and what happened on its latest way."""
    found = wiring.keys().key(key_tag)
    return KeyView.of(found.held, found.state, found.ledger, found.log)


@routes.post("/v1/ops/keys/{key_tag}/rekeyed", who=Group.OPS, keyed=True)
def rekeyed(key_tag: str, call: Call) -> StandingView | Answer:
    """A lost key opens nothing any more: its car may be rented again."""
    told = wiring.keys().order_by_tag(key_tag, Event.REKEYED, by=call.caller, key=call.key)
    return Answer(StandingView.of(told), REPLAYED if told.replayed else {})


@routes.post("/v1/ops/keys/{key_tag}/found", who=Group.OPS, keyed=True)
def found(key_tag: str, call: Call) -> StandingView | Answer:
    """A lost key is in the hands of one of ours."""
    told = wiring.keys().order_by_tag(key_tag, Event.FOUND, by=call.caller, key=call.key)
    return Answer(StandingView.of(told), REPLAYED if told.replayed else {})


@routes.post("/v1/ops/shipments/{shipment_id}/redirected", who=Group.OPS, keyed=True)
def redirected(shipment_id: str, call: Call) -> StandingView | Answer:
    """The carrier has taken the new address of an intercepted parcel."""
    told = wiring.keys().order(shipment_id, Event.REDIRECTED, by=call.caller, key=call.key)
    return Answer(StandingView.of(told), REPLAYED if told.replayed else {})


@routes.post("/v1/ops/shipments/{shipment_id}/corrections", who=Group.OPS, keyed=True)
def correct(shipment_id: str, request: CorrectionRequest, call: Call) -> StandingView | Answer:
    """An event is declared an error: it stays written and counts no more."""
    told = wiring.keys().correct(shipment_id, request.correction(), by=call.caller)
    return Answer(StandingView.of(told), REPLAYED if told.replayed else {})


@routes.post("/v1/ops/calendar", who=Group.OPS, keyed=True)
def announce(request: CalendarRequest, call: Call) -> CalendarView | Answer:
    """A day announced late is open or closed to business; every open deadline is counted anew."""
    done = wiring.keys().announce(
        request.date, is_open=request.open, note=request.note, by=call.caller, key=call.key
    )
    return Answer(CalendarView.of(done.value), REPLAYED if done.replayed else {})


def _assigned(fact: Fact) -> str:
    return wiring.keys().plan(fact.data_as(ContractHeard).contract_id)


def _swapped(fact: Fact) -> str:
    return wiring.keys().swapped(fact.data_as(ContractHeard).contract_id, fact.at, cause=fact.id)


PLANNED = {"ContractAssigned": _assigned, "SwapDone": _swapped}


@routes.lambda_function(name="keys_plan")
@background
def keys_plan(event: dict[str, Any], context: Any) -> str:
    """A contract has its car and key: the key's shipment is planned."""
    fact = fact_of(event)
    return PLANNED[fact.type](fact)


def _appointment_moved(fact: Fact) -> None:
    wiring.keys().appointment_moved(fact.data_as(ContractHeard).contract_id, cause=fact.id)


def _contract_cancelled(fact: Fact) -> None:
    wiring.keys().contract_cancelled(fact.data_as(ContractHeard).contract_id, fact.at, cause=fact.id)


def _car_opened_with_key(fact: Fact) -> None:
    opened = fact.data_as(CarOpenedWithKey)
    wiring.keys().car_opened_with_key(opened.car_id, opened.at, cause=fact.id)


HEARD = {
    "AppointmentMoved": _appointment_moved,
    "ContractCancelled": _contract_cancelled,
    "CarOpenedWithKey": _car_opened_with_key,
}


@routes.lambda_function(name="keys_hear")
@background
def keys_hear(event: dict[str, Any], context: Any) -> None:
    """What appointments, contracts and doors know of a key on its way."""
    fact = fact_of(event)
    HEARD[fact.type](fact)


@routes.lambda_function(name="keys_calendar")
@background
def keys_calendar(event: dict[str, Any], context: Any) -> int:
    """The calendar has changed: every open deadline is counted anew."""
    return wiring.keys().calendar_changed()


@routes.lambda_function(name="keys_sweep")
@background
def keys_sweep(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Every minute, and for each shard handed on: the timers that ran out, each rung once."""
    report = wiring.keys().sweep(shards_of(event))
    measured("keys", report, utc_now())
    return {"found": report.found, "claimed": report.claimed, "handed_on": report.handed_on}


@routes.lambda_function(name="keys_publish")
@background
def keys_publish(event: dict[str, Any], context: Any) -> int:
    """This table's facts, from its stream to the bus."""
    return carry(event, client("events"))
