"""The books for operations and sponsors, and what is booked and reconciled in the background."""

from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit

from chalicelib import wiring
from chalicelib.kernel.auth import Group
from chalicelib.kernel.aws import client
from chalicelib.kernel.bus import carry
from chalicelib.kernel.entry import METRICS, background, seconds_left
from chalicelib.kernel.facts import Fact, fact_of
from chalicelib.kernel.http import REPLAYED, Answer, Call, Routes, limit_of
from chalicelib.ledger.model import Statement
from chalicelib.ledger.schemas import (
    MOST_RUNS_IN_PAGE,
    RUNS_IN_PAGE,
    CampaignCreated,
    CheckoutReserved,
    LookupView,
    PeriodsView,
    PersonRequest,
    PersonView,
    ReconciliationRequest,
    ReconciliationRequested,
    ReconciliationsView,
    ReconciliationView,
    RepairRequest,
    RepairView,
    SettlementView,
    SpendView,
    SponsoredListView,
    SponsoredView,
    SponsorRequest,
    SponsorView,
)

routes = Routes(__name__)


@routes.get("/v1/ops/lookup", who=Group.OPS)
def lookup(call: Call) -> LookupView:
    """Every attempt of a code, coupon, customer, order or checkout, and what was refused and why."""
    return LookupView.of(wiring.ledger_lookup().look(call.query))


@routes.get("/v1/ops/campaigns/{campaign_id}/spend", who=Group.OPS)
def campaign_spend(campaign_id: str) -> SpendView:
    """What a campaign captured and refunded, day by day."""
    return SpendView.of(wiring.ledger_runs().spent(campaign_id))


@routes.post("/v1/ops/reconciliations", status=202, who=Group.OPS, keyed=True)
def request_reconciliation(request: ReconciliationRequest, call: Call) -> ReconciliationView | Answer:
    """Have the books reconciled with the checkouts and the counters."""
    done = wiring.ledger_runs().request(request.campaign_id, by=call.caller, key=call.key)
    return Answer(ReconciliationView.of(done.value), REPLAYED if done.replayed else {})


@routes.get("/v1/ops/reconciliations", who=Group.OPS)
def reconciliations(call: Call) -> ReconciliationsView:
    """The last reconciliations."""
    limit = limit_of(call.query, RUNS_IN_PAGE, MOST_RUNS_IN_PAGE)
    return ReconciliationsView([ReconciliationView.of(run) for run in wiring.ledger_runs().newest(limit)])


@routes.get("/v1/ops/reconciliations/{run_id}", who=Group.OPS)
def reconciliation(run_id: str) -> ReconciliationView:
    """How far a reconciliation is, and what it found."""
    return ReconciliationView.of(wiring.ledger_runs().run(run_id))


@routes.post("/v1/ops/repairs", status=201, who=Group.OPS, keyed=True)
def repair(request: RepairRequest, call: Call) -> RepairView | Answer:
    """Have a difference repaired; two people must ask for it, and who asked for the run is one."""
    done = wiring.ledger_runs().repair(request.run_id, request.difference, request.reason, by=call.caller)
    return Answer(RepairView.of(done.value), REPLAYED if done.replayed else {})


@routes.post("/v1/ops/sponsors", status=201, who=Group.OPS)
def add_sponsor(request: SponsorRequest) -> SponsorView | Answer:
    """A sponsor who pays campaigns; the same one may be added again."""
    done = wiring.ledger_settlements().add_sponsor(request.sponsor())
    return Answer(SponsorView.of(done.value), REPLAYED if done.replayed else {})


@routes.post("/v1/ops/sponsors/{sponsor_id}/people", status=201, who=Group.OPS)
def add_sponsor_person(sponsor_id: str, request: PersonRequest) -> PersonView:
    """Somebody who may see this sponsor's settlements, and no other's."""
    wiring.ledger_settlements().add_person(sponsor_id, request.subject)
    return PersonView(sponsor_id, request.subject)


@routes.get("/v1/ops/settlements/{sponsor_id}/{period}", who=Group.OPS)
def sponsors_settlement(sponsor_id: str, period: str, call: Call) -> SettlementView | Answer:
    """A sponsor's settlement of a month, as the sponsor sees it."""
    return _shown(wiring.ledger_settlements().of(sponsor_id, period), call.query, call.headers)


@routes.get("/v1/sponsor/campaigns", who=Group.SPONSOR)
def sponsored_campaigns(call: Call) -> SponsoredListView:
    """The campaigns that my company pays."""
    found = wiring.ledger_settlements().campaigns(call.caller)
    return SponsoredListView([SponsoredView.of(campaign) for campaign in found])


@routes.get("/v1/sponsor/settlements", who=Group.SPONSOR)
def settlements(call: Call) -> PeriodsView:
    """The months there are settlements of."""
    return PeriodsView.of(wiring.ledger_settlements().periods(call.caller))


@routes.get("/v1/sponsor/settlements/{period}", who=Group.SPONSOR)
def settlement(period: str, call: Call) -> SettlementView | Answer:
    """What my company pays for a month, by campaign and day; as CSV with Accept: text/csv or ?format=csv."""
    return _shown(wiring.ledger_settlements().mine(period, call.caller), call.query, call.headers)


def _shown(statement: Statement, query: dict[str, str], headers: dict[str, str]) -> SettlementView | Answer:
    if query.get("format") != "csv" and not headers.get("accept", "").startswith("text/csv"):
        return SettlementView.of(statement)
    name = f"settlement-{statement.sponsor_id}-{statement.period}.csv"
    named = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Answer(statement.csv, named, content_type="text/csv; charset=utf-8")


@routes.lambda_function(name="ledger_hear")
@background
def ledger_hear(event: dict[str, Any], _: Any) -> bool:
    """A reservation is booked, a new campaign is known; False when nothing was new."""
    return HEARD[event["detail-type"]](fact_of(event))


def _reserved(fact: Fact) -> bool:
    return wiring.ledger_books().reserve(fact.data_as(CheckoutReserved).reserved(fact.at))


def _created(fact: Fact) -> bool:
    wiring.ledger_settlements().hear_campaign(fact.data_as(CampaignCreated).campaign(fact.at))
    return True


HEARD: dict[str, Callable[[Fact], bool]] = {"CheckoutReserved": _reserved, "CampaignCreated": _created}


@routes.lambda_function(name="ledger_reconcile")
@background
def ledger_reconcile(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Every night a reconciliation is asked for; one that was asked for goes on, as far as the time goes."""
    runs = wiring.ledger_runs()
    if "detail" not in event or "data" not in event["detail"]:
        return {"run_id": runs.nightly().run_id}
    asked = fact_of(event).data_as(ReconciliationRequested)
    run = runs.go_on(asked.run_id, seconds_left(context))
    if not run.open:
        METRICS.add_metric("ledger_differences", MetricUnit.Count, run.wrong)
    return {"run_id": run.run_id, "state": run.state.value, "differences": run.wrong}


@routes.lambda_function(name="ledger_publish")
@background
def ledger_publish(event: dict[str, Any], _: Any) -> int:
    """This table's facts, from its stream to the bus."""
    return carry(event, client("events"))
