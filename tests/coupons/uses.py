"""What a checkout does with a coupon, as short as tests of boxes need it."""

from typing import Any

from msgspec.structs import replace

from chalicelib.coupons.model import Coupon, Grant, Scope, Terms
from chalicelib.coupons.service import CouponService
from tests.coupons.examples import FIVE_THOUSAND_OFF


def spend(service: CouponService, coupon_id: str, customer_id: str, checkout_id: str, amount: int) -> Grant:
    def attempt(grant: Grant) -> Grant:
        write = service.budgets.begin()
        service.hold(write, **_use(coupon_id, customer_id, checkout_id, grant))
        write.commit()
        return grant

    return service.spend(coupon_id, amount, attempt)


def give_back(
    service: CouponService, coupon_id: str, customer_id: str, checkout_id: str, grant: Grant
) -> None:
    def attempt(into: int | None) -> None:
        write = service.budgets.begin()
        use = _use(coupon_id, customer_id, checkout_id, grant)
        service.release(write, **use, into=into, at=service.now())
        write.commit()

    service.giving_back(coupon_id, attempt)


def _use(coupon_id: str, customer_id: str, checkout_id: str, grant: Grant) -> dict[str, Any]:
    return {
        "coupon_id": coupon_id,
        "customer_id": customer_id,
        "checkout_id": checkout_id,
        "split": grant.split,
        "amount": grant.amount,
    }


def use(service: CouponService, coupon: Coupon, checkout_id: str) -> None:
    spend(service, coupon.coupon_id, str(coupon.owner), checkout_id, 5_000)


def for_group(*names: str, terms: Terms = FIVE_THOUSAND_OFF, **changes: Any) -> Terms:
    return replace(terms, scope=Scope(groups=frozenset(names)), **changes)
