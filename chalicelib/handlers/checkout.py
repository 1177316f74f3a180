"""Reserving an order at the server's price with coupon and points, paying for it, and giving it back."""

from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from msgspec import to_builtins

from chalicelib import wiring
from chalicelib.checkout.schemas import (
    CAME_TO_NOTHING,
    CaptureRequest,
    CheckoutView,
    RefundRefused,
    RefundRequest,
    RefundView,
    ReserveRequest,
)
from chalicelib.kernel.aws import client
from chalicelib.kernel.bus import carry
from chalicelib.kernel.clock import utc_now
from chalicelib.kernel.deadlines import measured
from chalicelib.kernel.entry import LOG, METRICS, background, refusals, seconds_left
from chalicelib.kernel.facts import fact_of
from chalicelib.kernel.http import REPLAYED, SIGNED_IN, Answer, Call, Routes

routes = Routes(__name__)


@routes.post("/v1/checkouts", status=201, who=SIGNED_IN, keyed=True)
def reserve(request: ReserveRequest, call: Call) -> CheckoutView | Answer:
    """Reserve an order for some minutes: priced by the server, coupon and points held, nothing paid yet."""
    with refusals(customer_id=call.caller.id, order_id=request.order_id, coupon_id=request.coupon_id):
        done = wiring.checkout().reserve(request.order(), by=call.caller, key=call.key)
    return Answer(CheckoutView.of(done.value), REPLAYED if done.replayed else {})


@routes.get("/v1/checkouts/{checkout_id}", who=SIGNED_IN)
def checkout(checkout_id: str, call: Call) -> CheckoutView:
    """One of my reservations, and what became of it."""
    return CheckoutView.of(wiring.checkout().checkout(checkout_id, by=call.caller))


@routes.post("/v1/checkouts/{checkout_id}/capture", who=SIGNED_IN, keyed=True)
def capture(checkout_id: str, request: CaptureRequest, call: Call) -> CheckoutView | Answer:
    """Pay for a reservation, with a card unless nothing is left to pay; 202 CAPTURING while the payment
    gateway has not answered."""
    with refusals(customer_id=call.caller.id, checkout_id=checkout_id):
        done = wiring.checkout().capture(checkout_id, request.card_token, by=call.caller, key=call.key)
    view = CheckoutView.of(done.value)
    return Answer(view, REPLAYED if done.replayed else {}, status=202 if view.waits else 200)


@routes.post("/v1/checkouts/{checkout_id}/cancel", who=SIGNED_IN, keyed=True)
def cancel_checkout(checkout_id: str, call: Call) -> CheckoutView | Answer:
    """Give a reservation back before it is paid: its coupon and its points can be used again at once."""
    done = wiring.checkout().cancel(checkout_id, by=call.caller)
    return Answer(CheckoutView.of(done.value), REPLAYED if done.replayed else {})


@routes.post("/v1/checkouts/{checkout_id}/refunds", who=SIGNED_IN, keyed=True)
def refund_checkout(checkout_id: str, request: RefundRequest, call: Call) -> RefundView | Answer:
    """Operations give back a part of what was paid, or the rest; whoever paid cancels the contract."""
    done = wiring.checkout().refund(checkout_id, request.order(), by=call.caller, key=call.key)
    return Answer(RefundView.of(done.value), REPLAYED if done.replayed else {})


@routes.lambda_function(name="checkout_sweep")
@background
def checkout_sweep(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Every minute: what was not paid in time is given back, what was not answered is asked for again."""
    report = wiring.checkout().sweep(seconds_left(context))
    measured("checkout", report, utc_now())
    return {"found": report.found, "claimed": report.claimed, "queries": report.queries}


@routes.lambda_function(name="checkout_publish")
@background
def checkout_publish(event: dict[str, Any], _: Any) -> int:
    """This table's facts, from its stream to the bus; a new reservation's row is one itself."""
    return carry(event, client("events"), lambda row: wiring.checkout().told(row))


@routes.lambda_function(name="checkout_hear")
@background
def checkout_hear(event: dict[str, Any], _: Any) -> None:
    """A contract that ended before it began: what was paid for it without a card comes back. What the
    gateway does not give back, operations transfer: an alarm tells them."""
    fact = fact_of(event)
    if fact.type == "RefundRefused":
        _refund_refused(fact.data_as(RefundRefused))
    else:
        heard = fact.data_as(CAME_TO_NOTHING[fact.type])
        wiring.checkout().came_to_nothing(heard.contract_id, heard.checkout_id)


def _refund_refused(heard: RefundRefused) -> None:
    LOG.error("refund refused", **to_builtins(heard))
    METRICS.add_metric("refunds_refused", MetricUnit.Count, 1)
