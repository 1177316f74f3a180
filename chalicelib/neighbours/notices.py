"""What notices know of gifts, points and customers."""

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from chalicelib.contracts.service import ContractService
    from chalicelib.coupons.service import CouponService
    from chalicelib.notices.service import Gift, Party
    from chalicelib.points.service import PointService


class GiftsOfNotices(Struct, frozen=True):
    """Only advertising needs a coupon's code, and only as it goes out."""

    coupons: "Callable[[], CouponService]"

    def gift(self, campaign_id: str, batch_id: str, number: int) -> "Gift":
        return self.coupons().gift(campaign_id, batch_id, number)


class PointsOfNotices(Struct, frozen=True):
    """Only who has points that expire needs them."""

    points: "Callable[[], PointService]"

    def expiring(self, customer_id: str, end: "datetime") -> tuple[int, int]:
        return self.points().expiring(customer_id, end)


class CustomersOfNotices(Struct, frozen=True):
    contracts: "Callable[[], ContractService]"

    def customer(self, customer_id: str) -> "Party":
        return self.contracts().customer(customer_id)
