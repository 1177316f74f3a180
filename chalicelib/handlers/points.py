"""A customer's points: what there is, what became of them, birthdays, partners; grants by operations."""

from typing import Any

from chalicelib import wiring
from chalicelib.kernel.auth import Group
from chalicelib.kernel.aws import client
from chalicelib.kernel.bus import carry
from chalicelib.kernel.clock import utc_now
from chalicelib.kernel.deadlines import measured
from chalicelib.kernel.entry import background, seconds_left
from chalicelib.kernel.facts import Fact, fact_of
from chalicelib.kernel.http import REPLAYED, SIGNED_IN, Answer, Call, Routes, limit_of
from chalicelib.points.schemas import (
    ENTRIES_IN_PAGE,
    MOST_ENTRIES_IN_PAGE,
    ApproveRequest,
    BirthdayRequest,
    BirthdayView,
    CheckoutCaptured,
    CheckoutRefunded,
    ContractHappened,
    ConversionRequest,
    ConversionView,
    EntriesView,
    GrantRequest,
    GrantView,
    OpsPointsView,
    PartnersView,
    PointsView,
    entries_before,
)

routes = Routes(__name__)


@routes.get("/v1/me/points", who=SIGNED_IN)
def my_points(call: Call) -> PointsView:
    """What I can spend, what is reserved, and what expires when."""
    standing = wiring.points().standing(call.caller.id)
    return PointsView.of(standing, wiring.point_awards().birthday(call.caller.id))


@routes.get("/v1/me/points/entries", who=SIGNED_IN)
def my_entries(call: Call) -> EntriesView:
    """Every movement of my points, newest first."""
    limit, before = _page(call.query)
    return EntriesView.of(wiring.points().entries(call.caller.id, limit, before))


@routes.put("/v1/me/birthday", who=SIGNED_IN)
def declare_birthday(request: BirthdayRequest, call: Call) -> BirthdayView:
    """Say when my birthday is; it can be changed once a year."""
    return BirthdayView.of(wiring.point_awards().declare(call.caller.id, request.month, request.day))


@routes.get("/v1/me/points/partners", who=SIGNED_IN)
def partners(call: Call) -> PartnersView:
    """Whose points mine can become, and at what rate."""
    return PartnersView.of()


@routes.post("/v1/me/points/conversions", status=201, who=SIGNED_IN, keyed=True)
def convert(request: ConversionRequest, call: Call) -> ConversionView | Answer:
    """Turn points into a partner's; 202 PENDING while the partner has not answered."""
    done = wiring.point_conversions().convert(request.wish(), call.caller.id, call.key)
    view = ConversionView.of(done.value)
    return Answer(view, REPLAYED if done.replayed else {}, status=202 if view.waits else 201)


@routes.get("/v1/me/points/conversions/{conversion_id}", who=SIGNED_IN)
def conversion(conversion_id: str, call: Call) -> ConversionView:
    """What became of a conversion of mine."""
    return ConversionView.of(wiring.point_conversions().conversion(conversion_id, call.caller.id))


@routes.post("/v1/ops/points/grants", status=201, who=Group.OPS, keyed=True)
def grant(request: GrantRequest, call: Call) -> GrantView | Answer:
    """Give a customer points by hand, and say why; 202 when that many need a second person."""
    done = wiring.point_awards().grant(request.grant(), call.caller.id, call.key)
    view = GrantView.of(request.grant(), done.value)
    return Answer(view, REPLAYED if done.replayed else {}, status=202 if view.waits else 201)


@routes.post("/v1/ops/points/grants/{grant_id}/approve", who=Group.OPS)
def approve_grant(grant_id: str, request: ApproveRequest, call: Call) -> GrantView | Answer:
    """Approve, as a second person, what a colleague does not give alone."""
    done = wiring.point_awards().approve(grant_id, request.customer_id, request.points, call.caller.id)
    return Answer(GrantView.of(*done.value), REPLAYED if done.replayed else {})


@routes.get("/v1/ops/points/{customer_id}", who=Group.OPS)
def customers_points(customer_id: str, call: Call) -> OpsPointsView:
    """A customer's lots and holds, and every movement with its cause, newest first."""
    limit, before = _page(call.query)
    wallet = wiring.points().wallet(customer_id)
    return OpsPointsView.of(wallet, utc_now(), wiring.points().entries(customer_id, limit, before))


def _page(query: dict[str, str]) -> tuple[int, int | None]:
    return limit_of(query, ENTRIES_IN_PAGE, MOST_ENTRIES_IN_PAGE), entries_before(query)


@routes.lambda_function(name="points_hear")
@background
def points_hear(event: dict[str, Any], _: Any) -> None:
    """Cars handed over and returned, checkouts paid and refunded: points come and go with them."""
    fact = fact_of(event)
    HEARD[fact.type](fact)


def _activated(fact: Fact) -> None:
    wiring.point_awards().activated(fact.data_as(ContractHappened).contract_id)


def _returned(fact: Fact) -> None:
    heard = fact.data_as(ContractHappened)
    wiring.point_awards().returned(heard.contract_id, heard.at or fact.at)


def _captured(fact: Fact) -> None:
    heard = fact.data_as(CheckoutCaptured)
    wiring.point_awards().captured(heard.checkout_id, heard.customer_id, heard.paid)


def _refunded(fact: Fact) -> None:
    heard = fact.data_as(CheckoutRefunded)
    wiring.point_awards().refunded(heard.checkout_id, heard.customer_id, heard.refund_id, heard.card)


HEARD = {
    "ContractActivated": _activated,
    "ContractReturned": _returned,
    "CheckoutCaptured": _captured,
    "CheckoutRefunded": _refunded,
}


@routes.lambda_function(name="points_celebrate")
@background
def points_celebrate(event: dict[str, Any], _: Any) -> int:
    """Every morning at nine in Seoul: today's birthdays, and those of days that were missed."""
    return wiring.point_awards().celebrate()


@routes.lambda_function(name="points_sweep")
@background
def points_sweep(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Every minute: points that expire or soon will, and partners who have not answered."""
    report = wiring.point_timers().sweep(seconds_left(context))
    measured("points", report, utc_now())
    return {"found": report.found, "claimed": report.claimed, "queries": report.queries}


@routes.lambda_function(name="points_publish")
@background
def points_publish(event: dict[str, Any], _: Any) -> int:
    """This table's facts, from its stream to the bus."""
    return carry(event, client("events"))
