"""The card and the history of payments; hearing, the sweep and the table's facts."""

from typing import Any

from chalicelib import wiring
from chalicelib.billing.schemas import (
    PaymentMethodRequest,
    PaymentMethodView,
    PaymentsView,
    RefundView,
    heard,
)
from chalicelib.kernel.auth import Group
from chalicelib.kernel.aws import client
from chalicelib.kernel.bus import carry
from chalicelib.kernel.clock import utc_now
from chalicelib.kernel.deadlines import measured, shards_of
from chalicelib.kernel.entry import background
from chalicelib.kernel.facts import fact_of
from chalicelib.kernel.http import REPLAYED, SIGNED_IN, Answer, Call, Routes
from chalicelib.kernel.ids import fingerprint

routes = Routes(__name__)


@routes.post("/v1/contracts/{contract_id}/payment-method", who=SIGNED_IN, keyed=True)
def change_payment_method(
    contract_id: str, request: PaymentMethodRequest, call: Call
) -> PaymentMethodView | Answer:
    """Another card pays from now on; the old one is kept until the new one is verified."""
    done = wiring.billing().change_card(
        contract_id, request.card_token, fingerprint(request), by=call.caller, key=call.key
    )
    return Answer(PaymentMethodView.of(done.value), REPLAYED if done.replayed else {})


@routes.get("/v1/contracts/{contract_id}/payments", who=SIGNED_IN)
def show_payments(contract_id: str, call: Call) -> PaymentsView:
    """What was charged, given back and not charged, and when the next charge is due."""
    return PaymentsView.of(wiring.billing().payments_of(contract_id, by=call.caller))


@routes.post("/v1/ops/contracts/{contract_id}/refunds/{refund_id}/transferred", who=Group.OPS, keyed=True)
def refund_transferred(contract_id: str, refund_id: str, call: Call) -> RefundView | Answer:
    """What no card takes back was transferred by hand; named by its own id, so that once is enough."""
    done = wiring.billing().transferred(contract_id, refund_id)
    return Answer(RefundView.of(done.value), REPLAYED if done.replayed else {})


@routes.lambda_function(name="billing_hear")
@background
def billing_hear(event: dict[str, Any], context: Any) -> str:
    """What happened to a contract, for its account; any order, any number of times."""
    return wiring.billing().hear(*heard(fact_of(event)))


@routes.lambda_function(name="billing_sweep")
@background
def billing_sweep(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Every minute: charges, retries and refunds whose time has come."""
    report = wiring.billing().sweep(shards_of(event))
    measured("billing", report, utc_now())
    return {"found": report.found, "claimed": report.claimed, "queries": report.queries}


@routes.lambda_function(name="billing_publish")
@background
def billing_publish(event: dict[str, Any], context: Any) -> int:
    """This table's facts, from its stream to the bus."""
    return carry(event, client("events"))
