"""Campaigns for the people who run them, and what comes back when one has ended."""

from datetime import timedelta
from typing import Any

from chalicelib import wiring
from chalicelib.coupons.model import Switch
from chalicelib.coupons.schemas import (
    CAMPAIGNS_IN_PAGE,
    CampaignRequest,
    CampaignsView,
    CampaignView,
    CloseRequest,
    CreatedView,
    CutRequest,
    TopUpRequest,
    campaigns_after,
)
from chalicelib.kernel.auth import Group
from chalicelib.kernel.clock import utc_now
from chalicelib.kernel.entry import background
from chalicelib.kernel.http import REPLAYED, Answer, Call, Routes, limit_of
from chalicelib.kernel.ids import fingerprint

routes = Routes(__name__)
RUN = timedelta(minutes=4)
"""The Lambda has five."""


@routes.post("/v1/ops/campaigns", status=201, who=Group.OPS, keyed=True)
def create_campaign(request: CampaignRequest, call: Call) -> CreatedView | Answer:
    """Start a campaign with a budget that is never overspent."""
    done = wiring.coupons().create(
        request.terms(),
        request.budget,
        by=call.caller,
        key=call.key,
        request=fingerprint(request),
        uses=request.count_limit,
    )
    return Answer(CreatedView(done.value.campaign_id), REPLAYED if done.replayed else {})


@routes.get("/v1/ops/campaigns", who=Group.OPS)
def campaigns(call: Call) -> CampaignsView:
    """All campaigns, newest first."""
    limit = limit_of(call.query, CAMPAIGNS_IN_PAGE, CAMPAIGNS_IN_PAGE)
    seen, last = wiring.coupons().campaigns(limit, campaigns_after(call.query))
    return CampaignsView.of(seen, last, at=utc_now())


@routes.get("/v1/ops/campaigns/{campaign_id}", who=Group.OPS)
def campaign(campaign_id: str) -> CampaignView:
    """What is left of the budget and where the rest is, at one instant."""
    seen = wiring.coupons().status(campaign_id)
    return CampaignView.of(seen, at=utc_now(), tally=wiring.coupons().tally(campaign_id))


@routes.post("/v1/ops/campaigns/{campaign_id}/pause", who=Group.OPS)
def pause_campaign(campaign_id: str) -> CampaignView:
    """Grant nothing more from now on."""
    return CampaignView.of(wiring.coupons().switch(campaign_id, Switch.PAUSED), at=utc_now())


@routes.post("/v1/ops/campaigns/{campaign_id}/resume", who=Group.OPS)
def resume_campaign(campaign_id: str) -> CampaignView:
    """Grant again."""
    return CampaignView.of(wiring.coupons().switch(campaign_id, Switch.OPEN), at=utc_now())


@routes.post("/v1/ops/campaigns/{campaign_id}/close", who=Group.OPS)
def close_campaign(campaign_id: str, request: CloseRequest, call: Call) -> CampaignView:
    """End it before its time, for good: nothing is granted any more."""
    seen = wiring.coupons().close(campaign_id, request.reason, by=call.caller)
    return CampaignView.of(seen, at=utc_now())


@routes.post("/v1/ops/campaigns/{campaign_id}/top-up", who=Group.OPS, keyed=True)
def top_up_campaign(campaign_id: str, request: TopUpRequest, call: Call) -> CampaignView | Answer:
    """Add to the budget, once for each top_up_id."""
    done = wiring.coupons().top_up(
        campaign_id,
        request.top_up_id,
        request.amount,
        by=call.caller,
        key=call.key,
        uses=request.count or 0,
    )
    return Answer(CampaignView.of(done.value, at=utc_now()), REPLAYED if done.replayed else {})


@routes.post("/v1/ops/campaigns/{campaign_id}/cut", who=Group.OPS, keyed=True)
def cut_campaign(campaign_id: str, request: CutRequest, call: Call) -> CampaignView | Answer:
    """Take from the budget what is neither spent nor reserved, once for each cut_id."""
    done = wiring.coupons().cut(campaign_id, request.cut_id, request.amount, by=call.caller, key=call.key)
    return Answer(CampaignView.of(done.value, at=utc_now()), REPLAYED if done.replayed else {})


@routes.lambda_function(name="coupons_reclaim")
@background
def coupons_reclaim(event: dict[str, Any], _: Any) -> int:
    """Takes back what is bound for coupons that nobody can use any more."""
    return wiring.coupons().reclaim_due(until=utc_now() + RUN)
