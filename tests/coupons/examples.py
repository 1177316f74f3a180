"""Memorable people, campaigns and codes for the tests of coupons and checkout."""

from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from chalicelib.coupons.model import Campaign, Coupon, Kind, State, Terms
from chalicelib.coupons.service import CouponService
from chalicelib.coupons.store.items import coupon_row
from chalicelib.kernel.auth import Caller, Group
from tests.coupons.memory import MemoryCoupons

OLGA = Caller("olga", frozenset({Group.OPS}))


class Line(Struct, frozen=True):
    kind: str
    plan: str | None
    amount: int


KIM = Caller("kim")
LEE = Caller("lee")

SECRET = "a code key for tests"
FIVE_THOUSAND_OFF = Terms("Spring", Kind.FIXED, 5_000)
TEN_PERCENT_OFF = Terms("Summer", Kind.PERCENT, 10, max_discount=30_000, min_order=100_000)
THREE_MILLION = 3_000_000


def campaign_of(
    service: CouponService,
    terms: Terms = FIVE_THOUSAND_OFF,
    budget: int = THREE_MILLION,
    key: str = "c1",
    uses: int | None = None,
) -> Campaign:
    return service.create(terms, budget, by=OLGA, key=key, request=f"{terms}{budget}", uses=uses).value


def codes_of(service: CouponService, campaign_id: str, count: int, batch_id: str = "b1") -> tuple[str, ...]:
    """Requested and issued."""
    service.request_codes(campaign_id, batch_id, count, by=OLGA, key=f"{campaign_id} {batch_id}")
    return service.codes(service.issue(campaign_id, batch_id), 0, count)


def coupons_of(service: CouponService, campaign_id: str, by: Caller, count: int = 1) -> list[str]:
    """Ids of coupons in the customer's box."""
    batch = f"for-{by.id}"
    codes = codes_of(service, campaign_id, count, batch)
    return [service.register(code, by, key=code).value.coupon.coupon_id for code in codes]


def given(service: CouponService, campaign_id: str, by: Caller, name: str = "h1") -> str:
    """The id of a coupon put straight into the customer's box."""
    worth = service.budgets.current(campaign_id).terms.worth
    coupon = Coupon(campaign_id, name, State.REGISTERED, by.id, worth=worth)
    if isinstance(service.store, MemoryCoupons):
        service.store.coupons[name] = coupon
    else:
        row = coupon_row(name)
        row.campaign_id, row.code_hash, row.state = campaign_id, name, coupon.state.value
        row.owner, row.coupon_id, row.worth = by.id, coupon.coupon_id, worth
        row.save()
    return coupon.coupon_id


def line(amount: int, kind: str = "contract_fee", plan: str | None = None) -> Line:
    return Line(kind, plan, amount)


def with_limit(terms: Terms, per_user: int) -> Terms:
    return replace(terms, per_user_limit=per_user)


def campaign_body(**changes: Any) -> dict[str, Any]:
    """The body of POST /v1/ops/campaigns."""
    return {"name": "Spring", "kind": "fixed", "value": 5_000, "budget": THREE_MILLION, **changes}
