"""Reserving an order at the server's price, with or without a coupon, and paying for it."""

from typing import Any

from chalicelib import wiring
from chalicelib.checkout.schemas import CaptureRequest, CheckoutView, ReserveRequest
from chalicelib.kernel.aws import client
from chalicelib.kernel.bus import carry
from chalicelib.kernel.clock import utc_now
from chalicelib.kernel.deadlines import measured
from chalicelib.kernel.entry import background
from chalicelib.kernel.http import REPLAYED, SIGNED_IN, Answer, Call, Routes

routes = Routes(__name__)


@routes.post("/v1/checkouts", status=201, who=SIGNED_IN, keyed=True)
def reserve(request: ReserveRequest, call: Call) -> CheckoutView | Answer:
    """Reserve an order for some minutes: priced by the server, its coupon held, nothing paid yet."""
    done = wiring.checkout().reserve(request.order(), by=call.caller, key=call.key)
    return Answer(CheckoutView.of(done.value), REPLAYED if done.replayed else {})


@routes.get("/v1/checkouts/{checkout_id}", who=SIGNED_IN)
def checkout(checkout_id: str, call: Call) -> CheckoutView:
    """One of my reservations."""
    return CheckoutView.of(wiring.checkout().checkout(checkout_id, by=call.caller))


@routes.post("/v1/checkouts/{checkout_id}/capture", who=SIGNED_IN, keyed=True)
def capture(checkout_id: str, request: CaptureRequest, call: Call) -> CheckoutView | Answer:
    """Pay for a reservation with a card; 202 CAPTURING while the payment gateway has not answered."""
    done = wiring.checkout().capture(checkout_id, request.card_token, by=call.caller, key=call.key)
    view = CheckoutView.of(done.value)
    return Answer(view, REPLAYED if done.replayed else {}, status=202 if view.waits else 200)


@routes.lambda_function(name="checkout_sweep")
@background
def checkout_sweep(event: dict[str, Any], _: Any) -> dict[str, int]:
    """Every minute: payments and refunds whose answer is overdue are asked for again."""
    report = wiring.checkout().sweep()
    measured("checkout", report, utc_now())
    return {"found": report.found, "claimed": report.claimed, "queries": report.queries}


@routes.lambda_function(name="checkout_publish")
@background
def checkout_publish(event: dict[str, Any], _: Any) -> int:
    """This table's facts, from its stream to the bus."""
    return carry(event, client("events"))
