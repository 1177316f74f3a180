"""Health, plans and contracts; cars and assignments for operations; what contracts hear and wait for."""

from collections.abc import Callable
from typing import Any

from chalicelib import wiring
from chalicelib.contracts.schemas import (
    MOST_LIMIT,
    USUAL_LIMIT,
    AccessRequest,
    AssignedView,
    AssignRequest,
    BreachRequest,
    CancelRequest,
    CancelView,
    CarRequest,
    CarView,
    CheckoutCaptured,
    ContractList,
    ContractView,
    DriverAddedView,
    DriverBody,
    Happened,
    HealthView,
    InspectRequest,
    KeyShipmentVerified,
    OfContract,
    OfKey,
    PlansView,
    QuoteRequest,
    QuoteView,
    RenewRequest,
    RenewView,
    ReturnedRequest,
    SignedView,
    SignRequest,
    StandingView,
    SwapRequest,
    position_of,
    version_of,
)
from chalicelib.contracts.service import Wish
from chalicelib.kernel.auth import Group
from chalicelib.kernel.aws import client
from chalicelib.kernel.bus import carry
from chalicelib.kernel.clock import utc_now
from chalicelib.kernel.deadlines import measured
from chalicelib.kernel.done import Done
from chalicelib.kernel.entry import background
from chalicelib.kernel.facts import Fact, fact_of
from chalicelib.kernel.http import PUBLIC, REPLAYED, SIGNED_IN, Answer, Call, Routes, limit_of
from chalicelib.kernel.ids import fingerprint
from chalicelib.kernel.settings import SETTINGS

routes = Routes(__name__)
FIELD = frozenset({Group.AGENT, Group.OPS})


def _wish(call: Call, words: str, quote: str | None = None, query: dict[str, str] | None = None) -> Wish:
    """`query`: of the routes that can be previewed."""
    preview = (query or {}).get("preview") == "true"
    return Wish(call.caller, call.key, words, version_of(call.headers.get("if-match")), quote, preview)


def _replayed(done: Done[Any]) -> dict[str, str]:
    return REPLAYED if done.replayed else {}


@routes.get("/v1/health", who=PUBLIC)
def health() -> HealthView:
    """Is the service up, and in which version?"""
    return HealthView("ok", SETTINGS.version)


@routes.get("/v1/plans", who=PUBLIC)
def plans(call: Call) -> PlansView:
    """What can be rented, for how long, at which monthly fee, and what it is good for."""
    return PlansView.of(wiring.contracts().plans(), call.language)


@routes.post("/v1/quotes", who=PUBLIC)
def quote(request: QuoteRequest) -> QuoteView:
    """What a plan costs, and what changing one's mind would."""
    return QuoteView.of(request, wiring.contracts().money_rules())


@routes.post("/v1/contracts", status=201, who=SIGNED_IN, keyed=True)
def sign(request: SignRequest, call: Call) -> SignedView | Answer:
    """Sign a contract; the service prices it from the plan, and licences are checked next."""
    done = wiring.contracts().sign(request.application(), by=call.caller, key=call.key)
    return Answer(SignedView.of(done.value), _replayed(done))


@routes.get("/v1/contracts", who=SIGNED_IN)
def mine(call: Call) -> ContractList:
    """The caller's contracts, newest first."""
    limit = limit_of(call.query, USUAL_LIMIT, MOST_LIMIT)
    found = wiring.contracts().mine(call.caller, limit, position_of(call.query))
    return ContractList.of(found, limit)


@routes.get("/v1/contracts/{contract_id}", who=SIGNED_IN)
def contract(contract_id: str, call: Call) -> ContractView | Answer:
    """A contract with its drivers, handover, key and car: for its customer and for operations."""
    found, billing, key = wiring.contracts().get(contract_id, by=call.caller)
    return Answer(ContractView.of(found, billing, key), {"ETag": f'"{found.version}"'})


@routes.post("/v1/contracts/{contract_id}/cancel", who=SIGNED_IN, keyed=True)
def cancel(contract_id: str, request: CancelRequest, call: Call) -> CancelView | Answer:
    """Cancel: at once before the handover, at the end of the paid month after it; or preview the price."""
    wish = _wish(call, request.words, request.quote, call.query)
    done = wiring.contracts().cancel(contract_id, wish, request.whose())
    return Answer(CancelView.of(done.value), _replayed(done))


@routes.post("/v1/contracts/{contract_id}/uncancel", who=SIGNED_IN, keyed=True)
def uncancel(contract_id: str, call: Call) -> StandingView | Answer:
    """Take a scheduled cancellation back before it takes effect."""
    done = wiring.contracts().uncancel(contract_id, _wish(call, "uncancel"))
    return Answer(StandingView.of(done.value), _replayed(done))


@routes.post("/v1/contracts/{contract_id}/renew", who=SIGNED_IN, keyed=True)
def renew(contract_id: str, request: RenewRequest, call: Call) -> RenewView | Answer:
    """Add months at today's price of the plan; or preview it."""
    wish = _wish(call, request.words, request.quote, call.query)
    done = wiring.contracts().renew(contract_id, wish, request.months)
    return Answer(RenewView.of(done.value), _replayed(done))


@routes.post("/v1/contracts/{contract_id}/swap", who=SIGNED_IN, keyed=True)
def swap(contract_id: str, request: SwapRequest, call: Call) -> StandingView | Answer:
    """Ask for another car."""
    done = wiring.contracts().swap(contract_id, _wish(call, request.words), request.reason)
    return Answer(StandingView.of(done.value), _replayed(done))


@routes.post("/v1/contracts/{contract_id}/swap/withdraw", who=SIGNED_IN, keyed=True)
def withdraw_swap(contract_id: str, call: Call) -> StandingView | Answer:
    """Keep the car after all."""
    done = wiring.contracts().withdraw_swap(contract_id, _wish(call, "withdraw swap"))
    return Answer(StandingView.of(done.value), _replayed(done))


@routes.post("/v1/contracts/{contract_id}/drivers", status=201, who=SIGNED_IN, keyed=True)
def add_driver(contract_id: str, request: DriverBody, call: Call) -> DriverAddedView | Answer:
    """Name one more driver, whose licence is then checked; or preview it."""
    wish = _wish(call, f"driver {fingerprint(request)}", query=call.query)
    done = wiring.contracts().add_driver(contract_id, wish, request.named())
    return Answer(DriverAddedView.of(done.value), _replayed(done))


@routes.delete("/v1/contracts/{contract_id}/drivers/{driver_number}", who=SIGNED_IN)
def remove_driver(contract_id: str, driver_number: str, call: Call) -> None:
    """Name a driver no longer; the same again changes nothing."""
    wiring.contracts().remove_driver(contract_id, driver_number, by=call.caller)


@routes.post("/v1/ops/contracts/{contract_id}/assign", who=Group.OPS)
def assign(contract_id: str, request: AssignRequest) -> AssignedView | Answer:
    """Give a contract its car and the key that will be sent; the same again changes nothing."""
    done = wiring.contracts().assign(contract_id, request.assignment())
    return Answer(AssignedView.of(done.value, request.assignment()), _replayed(done))


@routes.post("/v1/ops/contracts/{contract_id}/swap", who=Group.OPS, keyed=True)
def offer_swap(contract_id: str, request: AssignRequest, call: Call) -> StandingView | Answer:
    """Keep another car for a contract whose swap is pending."""
    done = wiring.contracts().offer_swap(contract_id, _wish(call, request.words), request.assignment())
    return Answer(StandingView.of(done.value), _replayed(done))


@routes.post("/v1/ops/contracts/{contract_id}/swap/done", who=FIELD, keyed=True)
def finish_swap(contract_id: str, call: Call) -> StandingView | Answer:
    """The other car is handed over, the former one taken back."""
    done = wiring.contracts().finish_swap(contract_id, _wish(call, "swap done"))
    return Answer(StandingView.of(done.value), _replayed(done))


@routes.post("/v1/ops/contracts/{contract_id}/access", who=Group.OPS, keyed=True)
def access(contract_id: str, request: AccessRequest, call: Call) -> StandingView | Answer:
    """The customer cannot open the car any more, or can again."""
    done = wiring.contracts().access(contract_id, _wish(call, request.words), request.news())
    return Answer(StandingView.of(done.value), _replayed(done))


@routes.post("/v1/ops/contracts/{contract_id}/breach", who=Group.OPS, keyed=True)
def breach(contract_id: str, request: BreachRequest, call: Call) -> CancelView | Answer:
    """End a running contract that was broken; or preview what that costs."""
    wish = _wish(call, request.words, request.quote, call.query)
    done = wiring.contracts().breach(contract_id, wish)
    return Answer(CancelView.of(done.value), _replayed(done))


@routes.post("/v1/ops/contracts/{contract_id}/returned", who=Group.OPS, keyed=True)
def returned(contract_id: str, request: ReturnedRequest, call: Call) -> StandingView | Answer:
    """Car and keys are back, when no appointment could say so."""
    done = wiring.contracts().take_back(contract_id, _wish(call, request.words), request.when)
    return Answer(StandingView.of(done.value), _replayed(done))


@routes.post("/v1/ops/contracts/{contract_id}/inspect", who=FIELD, keyed=True)
def inspect(contract_id: str, request: InspectRequest, call: Call) -> StandingView | Answer:
    """The returned car was looked over; damage has its price."""
    done = wiring.contracts().inspect(contract_id, _wish(call, request.words), request.lines())
    return Answer(StandingView.of(done.value), _replayed(done))


@routes.post("/v1/ops/cars", status=201, who=Group.OPS)
def register_car(request: CarRequest) -> CarView | Answer:
    """Register a car and the tags on its keys; the same again changes nothing."""
    done = wiring.contracts().register_car(request.car())
    return Answer(CarView.of(done.value), _replayed(done))


def _captured(fact: Fact) -> None:
    wiring.contracts().captured(fact.data_as(CheckoutCaptured).captured())


def _key_verified(fact: Fact) -> None:
    proof = fact.data_as(KeyShipmentVerified)
    wiring.contracts().access_proven(proof.contract_id, proof.occurred_at, proof.car_id)


def _unlocked(fact: Fact) -> None:
    opened = fact.data_as(Happened)
    wiring.contracts().access_proven(opened.contract_id, opened.at)


def _handed_over(fact: Fact) -> None:
    handover = fact.data_as(Happened)
    wiring.contracts().handed_over(handover.contract_id, handover.at)


def _received(fact: Fact) -> None:
    back = fact.data_as(Happened)
    wiring.contracts().received(back.contract_id, back.at)


def _settled(fact: Fact) -> None:
    wiring.contracts().settled(fact.data_as(OfContract).contract_id, fact.at)


def _key_news(fact: Fact) -> None:
    key = fact.data_as(OfKey)
    wiring.contracts().key_heard(key.car_id, key.news(lost=fact.type == "KeyLost", at=fact.at))


HEARD: dict[str, Callable[[Fact], None]] = {
    "CheckoutCaptured": _captured,
    "KeyShipmentVerified": _key_verified,
    "SmartKeyUnlocked": _unlocked,
    "HandoverCompleted": _handed_over,
    "ReturnCompleted": _received,
    "ContractSettled": _settled,
    "KeyLost": _key_news,
    "KeyFound": _key_news,
    "KeyRekeyed": _key_news,
}


@routes.lambda_function(name="contracts_hear")
@background
def contracts_hear(event: dict[str, Any], context: Any) -> None:
    """What other contexts say: paid, opened, handed over, returned, settled, a key lost or harmless again."""
    fact = fact_of(event)
    HEARD[fact.type](fact)


@routes.lambda_function(name="contracts_verify")
@background
def contracts_verify(event: dict[str, Any], context: Any) -> None:
    """Drivers were named, or the office did not answer before: their licences are checked."""
    wiring.contracts().verify(fact_of(event).data_as(OfContract).contract_id)


@routes.lambda_function(name="contracts_sweep")
@background
def contracts_sweep(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Every minute: the timers that ran out, each rung once."""
    report = wiring.contracts().sweep()
    measured("contracts", report, utc_now())
    return {"found": report.found, "claimed": report.claimed}


@routes.lambda_function(name="contracts_publish")
@background
def contracts_publish(event: dict[str, Any], _: Any) -> int:
    """This table's facts, from its stream to the bus."""
    return carry(event, client("events"))
