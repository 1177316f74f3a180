"""Codes, targets and groups for operations, "my coupons" for customers, and the issuing of codes."""

from datetime import timedelta
from typing import Any

from chalicelib import wiring
from chalicelib.coupons.model import BatchKind, BatchNotDone, BatchVoid
from chalicelib.coupons.schemas import (
    BATCHES_IN_PAGE,
    CODES_IN_PAGE,
    COUPONS_IN_PAGE,
    MOST_CODES_IN_BATCH,
    BatchesView,
    BatchView,
    CodeBatchRequested,
    CodesRequest,
    CodesView,
    CouponsView,
    CouponView,
    MembersRequest,
    MembersView,
    OffersView,
    RegisterRequest,
    TargetsRequest,
    TargetsView,
    VoidedView,
    VoidRequest,
    batch_after,
    coupon_after,
    number_of_first,
)
from chalicelib.kernel.auth import Group
from chalicelib.kernel.aws import client
from chalicelib.kernel.bus import carry
from chalicelib.kernel.clock import utc_now
from chalicelib.kernel.entry import background, refusals
from chalicelib.kernel.facts import fact_of
from chalicelib.kernel.http import REPLAYED, SIGNED_IN, Answer, Call, Routes, limit_of

routes = Routes(__name__)
RUN = timedelta(minutes=4)
"""The Lambda that issues has five; what is left after so long is another run's."""


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
    usual = MOST_CODES_IN_BATCH if _wants_csv(call) else CODES_IN_PAGE
    first, limit = number_of_first(call.query), limit_of(call.query, usual, MOST_CODES_IN_BATCH)
    batch = wiring.coupons().batch(campaign_id, batch_id, BatchKind.CODES)
    view = CodesView.of(batch, first, wiring.coupons().codes(batch, first, limit))
    return _as_csv(view) if _wants_csv(call) else view


def _wants_csv(call: Call) -> bool:
    return call.query.get("format") == "csv" or call.headers.get("accept", "").startswith("text/csv")


def _as_csv(view: CodesView) -> Answer:
    if view.state in ("VOID", "VOIDING"):
        raise BatchVoid()
    if view.state != "DONE":
        raise BatchNotDone(issued=view.issued, count=view.count)
    headers = {"Content-Disposition": f'attachment; filename="{view.batch_id}.csv"'}
    more = {"X-Next-Cursor": view.next_cursor} if view.next_cursor else {}
    return Answer(view.csv(), headers | more, content_type="text/csv; charset=utf-8")


@routes.get("/v1/ops/campaigns/{campaign_id}/batches", who=Group.OPS)
def batches(campaign_id: str, call: Call) -> BatchesView:
    """A campaign's batches of codes and of coupons for targets, by name, and how far each is."""
    limit = limit_of(call.query, BATCHES_IN_PAGE, BATCHES_IN_PAGE)
    return BatchesView.of(*wiring.coupons().batches(campaign_id, limit, batch_after(call.query)))


@routes.post("/v1/ops/campaigns/{campaign_id}/targets", status=202, who=Group.OPS, keyed=True)
def request_targets(campaign_id: str, request: TargetsRequest, call: Call) -> TargetsView | Answer:
    """Have a coupon put into the box of each of these customers, once for each batch_id."""
    done = wiring.coupons().request_targets(
        campaign_id, request.batch_id, request.customers, request.send, by=call.caller, key=call.key
    )
    told = wiring.coupons().told(done.value)
    return Answer(TargetsView.of(done.value, told), REPLAYED if done.replayed else {})


@routes.get("/v1/ops/campaigns/{campaign_id}/targets/{batch_id}", who=Group.OPS)
def targets(campaign_id: str, batch_id: str) -> TargetsView:
    """How many have their coupon, how many have heard of it, and why others have not."""
    batch = wiring.coupons().batch(campaign_id, batch_id, BatchKind.TARGETS)
    return TargetsView.of(batch, wiring.coupons().told(batch))


@routes.post("/v1/ops/campaigns/{campaign_id}/batches/{batch_id}/void", status=202, who=Group.OPS, keyed=True)
def void_batch(campaign_id: str, batch_id: str, request: VoidRequest, call: Call) -> BatchView | Answer:
    """Make a batch void, but for what checkouts have of it now, and issue no more of it."""
    done = wiring.coupons().void_batch(campaign_id, batch_id, request.reason, by=call.caller, key=call.key)
    return Answer(BatchView.of(done.value), REPLAYED if done.replayed else {})


@routes.post("/v1/ops/groups/{group}/members", who=Group.OPS)
def members(group: str, request: MembersRequest) -> MembersView:
    """Put customers into a group, and take others out; to ask again changes nothing."""
    wiring.coupons().change_group(group, request.add, request.remove)
    return MembersView(group, len(set(request.add)), len(set(request.remove)))


@routes.post("/v1/ops/coupons/{coupon_id}/void", who=Group.OPS, keyed=True)
def void_coupon(coupon_id: str, request: VoidRequest, call: Call) -> VoidedView | Answer:
    """Make a coupon void that no checkout has; what was bound for it goes back to its budget."""
    done = wiring.coupons().void(coupon_id, request.reason, by=call.caller, key=call.key)
    return Answer(VoidedView.of(done.value), REPLAYED if done.replayed else {})


@routes.post("/v1/me/coupons", status=201, who=SIGNED_IN, keyed=True)
def register_coupon(request: RegisterRequest, call: Call) -> CouponView | Answer:
    """Put a code into my coupons; one answer for wrong, used and foreign codes."""
    with refusals(customer_id=call.caller.id):
        done = wiring.coupons().register(request.code, by=call.caller, key=call.key, ip=call.ip)
    return Answer(CouponView.of(done.value), REPLAYED if done.replayed else {})


@routes.get("/v1/me/campaigns", who=SIGNED_IN)
def my_campaigns(call: Call) -> OffersView:
    """The campaigns whose coupon I may take, or have taken."""
    return OffersView.of(wiring.coupons().offered(call.caller))


@routes.post("/v1/me/campaigns/{campaign_id}/coupon", status=201, who=SIGNED_IN, keyed=True)
def take_coupon(campaign_id: str, call: Call) -> CouponView | Answer:
    """Take the campaign's coupon: one for each customer, and 200 for who has it already."""
    with refusals(customer_id=call.caller.id, campaign_id=campaign_id):
        done = wiring.coupons().take(campaign_id, by=call.caller)
    replayed = done.replayed
    return Answer(CouponView.of(done.value), REPLAYED if replayed else {}, 200 if replayed else 201)


@routes.get("/v1/me/coupons", who=SIGNED_IN)
def my_coupons(call: Call) -> CouponsView:
    """My coupons, without the unused ones of exhausted campaigns."""
    limit = limit_of(call.query, COUPONS_IN_PAGE, COUPONS_IN_PAGE)
    return CouponsView.of(*wiring.coupons().mine(call.caller, limit, coupon_after(call.query)))


@routes.lambda_function(name="coupons_issue")
@background
def coupons_issue(event: dict[str, Any], _: Any) -> int:
    """Issues a batch or makes it void, from wherever another run stopped; hands on what it cannot finish."""
    asked = fact_of(event).data_as(CodeBatchRequested)
    return wiring.coupons().carry_on(asked.campaign_id, asked.batch_id, until=utc_now() + RUN).issued


@routes.lambda_function(name="coupons_publish")
@background
def coupons_publish(event: dict[str, Any], _: Any) -> int:
    """This table's facts, from its stream to the bus."""
    return carry(event, client("events"))
