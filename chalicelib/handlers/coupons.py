"""Campaigns and codes for operations, "my coupons" for customers, and the issuing of codes."""

from typing import Any

from chalicelib import wiring
from chalicelib.coupons.model import BatchNotDone, Switch
from chalicelib.coupons.schemas import (
    CODES_IN_PAGE,
    COUPONS_IN_PAGE,
    MOST_CODES_IN_PAGE,
    BatchView,
    CampaignRequest,
    CampaignView,
    CodeBatchRequested,
    CodesRequest,
    CodesView,
    CouponsView,
    CouponView,
    CreatedView,
    RegisterRequest,
    TopUpRequest,
    coupon_after,
    number_of_first,
)
from chalicelib.kernel.auth import Group
from chalicelib.kernel.aws import client
from chalicelib.kernel.bus import carry
from chalicelib.kernel.clock import utc_now
from chalicelib.kernel.entry import background
from chalicelib.kernel.facts import fact_of
from chalicelib.kernel.http import REPLAYED, SIGNED_IN, Answer, Call, Routes, limit_of
from chalicelib.kernel.ids import fingerprint

routes = Routes(__name__)


@routes.post("/v1/ops/campaigns", status=201, who=Group.OPS, keyed=True)
def create_campaign(request: CampaignRequest, call: Call) -> CreatedView | Answer:
    """Start a campaign with a budget that is never overspent."""
    done = wiring.coupons().create(
        request.terms(), request.budget, by=call.caller, key=call.key, request=fingerprint(request)
    )
    return Answer(CreatedView(done.value.campaign_id), REPLAYED if done.replayed else {})


@routes.get("/v1/ops/campaigns/{campaign_id}", who=Group.OPS)
def campaign(campaign_id: str) -> CampaignView:
    """What is left of the budget and where the rest is, at one instant."""
    return CampaignView.of(wiring.coupons().status(campaign_id), at=utc_now())


@routes.post("/v1/ops/campaigns/{campaign_id}/pause", who=Group.OPS)
def pause_campaign(campaign_id: str) -> CampaignView:
    """Grant nothing more from now on."""
    return CampaignView.of(wiring.coupons().switch(campaign_id, Switch.PAUSED), at=utc_now())


@routes.post("/v1/ops/campaigns/{campaign_id}/resume", who=Group.OPS)
def resume_campaign(campaign_id: str) -> CampaignView:
    """Grant again."""
    return CampaignView.of(wiring.coupons().switch(campaign_id, Switch.OPEN), at=utc_now())


@routes.post("/v1/ops/campaigns/{campaign_id}/top-up", who=Group.OPS, keyed=True)
def top_up_campaign(campaign_id: str, request: TopUpRequest, call: Call) -> CampaignView | Answer:
    """Add to the budget, once for each top_up_id."""
    done = wiring.coupons().top_up(
        campaign_id, request.top_up_id, request.amount, by=call.caller, key=call.key
    )
    return Answer(CampaignView.of(done.value, at=utc_now()), REPLAYED if done.replayed else {})


@routes.post("/v1/ops/campaigns/{campaign_id}/codes", status=202, who=Group.OPS, keyed=True)
def request_codes(campaign_id: str, request: CodesRequest, call: Call) -> BatchView | Answer:
    """Have a batch of codes issued, once for each batch_id."""
    done = wiring.coupons().request_codes(
        campaign_id, request.batch_id, request.count, by=call.caller, key=call.key
    )
    return Answer(BatchView.of(done.value), REPLAYED if done.replayed else {})


@routes.get("/v1/ops/campaigns/{campaign_id}/codes/{batch_id}", who=Group.OPS)
def codes(campaign_id: str, batch_id: str, call: Call) -> CodesView | Answer:
    """How far the batch is, and its codes when it is done; as CSV with Accept: text/csv or ?format=csv."""
    first, limit = number_of_first(call.query), limit_of(call.query, CODES_IN_PAGE, MOST_CODES_IN_PAGE)
    batch = wiring.coupons().batch(campaign_id, batch_id)
    view = CodesView.of(batch, first, wiring.coupons().codes(batch, first, limit))
    return _as_csv(view) if _wants_csv(call) else view


def _wants_csv(call: Call) -> bool:
    return call.query.get("format") == "csv" or call.headers.get("accept", "").startswith("text/csv")


def _as_csv(view: CodesView) -> Answer:
    if view.state != "DONE":
        raise BatchNotDone(issued=view.issued, count=view.count)
    headers = {"Content-Disposition": f'attachment; filename="{view.batch_id}.csv"'}
    more = {"X-Next-Cursor": view.next_cursor} if view.next_cursor else {}
    return Answer(view.csv(), headers | more, content_type="text/csv; charset=utf-8")


@routes.post("/v1/me/coupons", status=201, who=SIGNED_IN, keyed=True)
def register_coupon(request: RegisterRequest, call: Call) -> CouponView | Answer:
    """Put a code into my coupons; one answer for wrong, used and foreign codes."""
    done = wiring.coupons().register(request.code, by=call.caller, key=call.key)
    return Answer(CouponView.of(done.value), REPLAYED if done.replayed else {})


@routes.get("/v1/me/coupons", who=SIGNED_IN)
def my_coupons(call: Call) -> CouponsView:
    """My coupons, without the unused ones of exhausted campaigns."""
    limit = limit_of(call.query, COUPONS_IN_PAGE, COUPONS_IN_PAGE)
    return CouponsView.of(*wiring.coupons().mine(call.caller, limit, coupon_after(call.query)))


@routes.lambda_function(name="coupons_issue")
@background
def coupons_issue(event: dict[str, Any], _: Any) -> int:
    """Issues the batch asked for, from wherever an earlier run stopped."""
    asked = fact_of(event).data_as(CodeBatchRequested)
    return wiring.coupons().issue(asked.campaign_id, asked.batch_id).issued


@routes.lambda_function(name="coupons_publish")
@background
def coupons_publish(event: dict[str, Any], _: Any) -> int:
    """This table's facts, from its stream to the bus."""
    return carry(event, client("events"))
