"""Slots, appointments and their changes; partners' jobs and what they say; facts, sweep and stream."""

from typing import Any

from chalicelib import wiring
from chalicelib.appointments.model import TOLD
from chalicelib.appointments.schemas import (
    JOBS_IN_PAGE,
    MOST_JOBS,
    AppointmentsView,
    ConfirmedView,
    ContractPaid,
    ContractTold,
    JobsView,
    RescheduledView,
    RescheduleRequest,
    ReturnScheduled,
    SaidRequest,
    SaidView,
    SlotsView,
    SmartKeyUnlocked,
    day_of,
    which_of,
)
from chalicelib.kernel.auth import Group
from chalicelib.kernel.aws import client
from chalicelib.kernel.bus import carry
from chalicelib.kernel.clock import utc_now
from chalicelib.kernel.deadlines import measured
from chalicelib.kernel.entry import background
from chalicelib.kernel.facts import Fact, fact_of
from chalicelib.kernel.http import PUBLIC, REPLAYED, SIGNED_IN, Answer, Call, Routes, limit_of

routes = Routes(__name__)
PARTNERS = frozenset({Group.AGENT, Group.COURIER})
HANDS = PARTNERS | {Group.OPS}


@routes.get("/v1/slots", who=PUBLIC)
def slots(call: Call) -> SlotsView:
    """The two-hour windows of one day in Seoul, and how many cars each still takes."""
    which, day = which_of(call.query.get("which", "handover")), day_of(call.query.get("day", ""))
    return SlotsView.of(day, wiring.appointments().slots(which, day))


@routes.get("/v1/contracts/{contract_id}/appointments", who=SIGNED_IN)
def appointments(contract_id: str, call: Call) -> AppointmentsView:
    """When and where a contract's car is handed over and given back, and what may be changed about it."""
    return AppointmentsView.of(wiring.appointments().of_contract(contract_id, by=call.caller))


@routes.post("/v1/contracts/{contract_id}/reschedule", who=SIGNED_IN, keyed=True)
def reschedule(contract_id: str, request: RescheduleRequest, call: Call) -> RescheduledView | Answer:
    """Another time or place for the handover or the return; with `preview=true` only what it would cost."""
    wish = request.wish(preview=call.query.get("preview", ""))
    done = wiring.appointments().reschedule(contract_id, wish, by=call.caller, key=call.key)
    return Answer(RescheduledView.of(done.value), REPLAYED if done.replayed else {})


@routes.post("/v1/contracts/{contract_id}/appointments/{appointment_id}/confirm", who=SIGNED_IN)
def confirm(contract_id: str, appointment_id: str, call: Call) -> ConfirmedView | Answer:
    """The customer agrees to a proposed time; to agree twice is to agree once."""
    done = wiring.appointments().confirm(contract_id, appointment_id, by=call.caller)
    return Answer(ConfirmedView.of(done.value), REPLAYED if done.replayed else {})


@routes.get("/v1/partner/jobs", who=HANDS)
def jobs(call: Call) -> JobsView:
    """Today's and tomorrow's hand-overs and returns, with what their partner needs for the way."""
    limit = limit_of(call.query, JOBS_IN_PAGE, MOST_JOBS)
    found, more = wiring.appointments().jobs(limit, call.query.get("cursor"))
    return JobsView.of(found, more, call.caller.groups, call.language)


@routes.post("/v1/appointments/{appointment_id}/events", who=PARTNERS)
def say(appointment_id: str, request: SaidRequest, call: Call) -> SaidView | Answer:
    """One step of a partner, told when there is signal; nobody departs before somebody can open the car."""
    heard = wiring.appointments().say(appointment_id, request.said(), by=call.caller, language=call.language)
    return Answer(SaidView.of(heard, call.language), REPLAYED if heard.replayed else {})


def _paid(fact: Fact) -> None:
    paid = fact.data_as(ContractPaid)
    wiring.appointments().paid(paid.contract_id, paid.customer_id, paid.handover_at, fact)


def _returning(fact: Fact) -> None:
    told = fact.data_as(ReturnScheduled)
    wiring.appointments().returning(told.contract_id, told.return_at)


def _unlocked(fact: Fact) -> None:
    told = fact.data_as(SmartKeyUnlocked)
    wiring.appointments().unlocked(told.contract_id, told.at, fact)


def _told(fact: Fact) -> None:
    wiring.appointments().told(fact.data_as(ContractTold).contract_id, fact)


HEARD = {
    "ContractPaid": _paid,
    "ReturnScheduled": _returning,
    "SmartKeyUnlocked": _unlocked,
    **dict.fromkeys(TOLD, _told),
}


@routes.lambda_function(name="appointments_hear")
@background
def appointments_hear(event: dict[str, Any], _: Any) -> None:
    """What happened to a contract or its smart key, and what that means for its appointments."""
    fact = fact_of(event)
    HEARD[fact.type](fact)


@routes.lambda_function(name="appointments_sweep")
@background
def appointments_sweep(event: dict[str, Any], _: Any) -> dict[str, int]:
    """Every minute: the timers that ran out, each rung once."""
    report = wiring.appointments().sweep()
    measured("appointments", report, utc_now())
    return {"found": report.found, "claimed": report.claimed, "queries": report.queries}


@routes.lambda_function(name="appointments_publish")
@background
def appointments_publish(event: dict[str, Any], _: Any) -> int:
    """This table's facts, from its stream to the bus."""
    return carry(event, client("events"))
