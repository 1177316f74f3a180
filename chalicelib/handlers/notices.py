"""The facts that have a text sent, the sweep of texts that wait, consents, and what operations see of it."""

from typing import Any

from aws_lambda_powertools.metrics import MetricUnit

from chalicelib import wiring
from chalicelib.kernel.auth import Group
from chalicelib.kernel.aws import client
from chalicelib.kernel.bus import carry
from chalicelib.kernel.clock import utc_now
from chalicelib.kernel.deadlines import measured
from chalicelib.kernel.entry import METRICS, background
from chalicelib.kernel.facts import Fact, fact_of
from chalicelib.kernel.http import PUBLIC, SIGNED_IN, Call, Routes
from chalicelib.notices.model import State
from chalicelib.notices.schemas import (
    Cause,
    ConsentsRequest,
    ConsentsView,
    CouponGiven,
    PointsExpiring,
    SmartKeyLinkIssued,
    StruckOffView,
    TextsView,
)

routes = Routes(__name__)


@routes.get("/v1/ops/texts", who=Group.OPS)
def texts() -> TextsView:
    """What today's texts have cost and may cost, and which of them wait."""
    return TextsView.of(wiring.notices().spending())


@routes.get("/v1/me/consents", who=SIGNED_IN)
def consents(call: Call) -> ConsentsView:
    """Whether I agreed to advertising, and when I should say so again."""
    return ConsentsView.of(wiring.notices().consents(call.caller))


@routes.put("/v1/me/consents", who=SIGNED_IN)
def agree(request: ConsentsRequest, call: Call) -> ConsentsView:
    """Agree to advertising or no longer, at night too or not. The answer is the notice of it that the law
    asks for (decree, article 62-2)."""
    return ConsentsView.of(wiring.notices().agree(call.caller, request.marketing, request.night))


@routes.post("/v1/webhooks/opt-outs", who=PUBLIC)
def struck_off(call: Call) -> StruckOffView:
    """A number whose owner refuses advertising, signed over the raw body; repetitions are welcome."""
    wiring.notices().strike_off(call.raw, call.headers.get("x-signature", ""))
    return StruckOffView()


@routes.lambda_function(name="notices_send")
@background
def notices_send(event: dict[str, Any], _: Any) -> str | None:
    """The text with a smart key's link."""
    link = fact_of(event).data_as(SmartKeyLinkIssued)
    return _counted(wiring.notices().send_link(link.grant_id, link.send_no))


@routes.lambda_function(name="notices_tell")
@background
def notices_tell(event: dict[str, Any], _: Any) -> str | None:
    """What a customer should know of, with the way to put it right."""
    fact = fact_of(event)
    cause = fact.data_as(Cause)
    return _counted(wiring.notices().tell(cause.template(fact.type), cause.contract_id, fact.id))


@routes.lambda_function(name="notices_advertise")
@background
def notices_advertise(event: dict[str, Any], _: Any) -> str | None:
    """That somebody was given a coupon, or has points that expire soon: as far as they agreed to hear of it,
    and not at night."""
    fact = fact_of(event)
    return _counted(OF_CUSTOMERS[fact.type](fact))


def _given(fact: Fact) -> State | None:
    return wiring.notices().advertise(fact.data_as(CouponGiven).gift)


def _expiring(fact: Fact) -> State | None:
    return wiring.notices().remind(fact.data_as(PointsExpiring).expiring)


OF_CUSTOMERS = {"CouponGiven": _given, "PointsExpiring": _expiring}


def _counted(state: State | None) -> str | None:
    if state:
        METRICS.add_metric(f"texts_{state.lower()}", MetricUnit.Count, 1)
    return state


@routes.lambda_function(name="notices_sweep")
@background
def notices_sweep(event: dict[str, Any], _: Any) -> dict[str, int]:
    """Every minute: the texts whose turn it is, and those that a run has left behind."""
    report = wiring.notices().sweep()
    measured("notices", report, utc_now())
    return {"found": report.found, "claimed": report.claimed}


@routes.lambda_function(name="notices_publish")
@background
def notices_publish(event: dict[str, Any], _: Any) -> int:
    """This table's facts, from its stream to the bus."""
    return carry(event, client("events"))
