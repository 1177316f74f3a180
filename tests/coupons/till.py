"""What a checkout does with coupons, and nothing else of it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from chalicelib.coupons.model import Grant, Snapshot, Split
from chalicelib.coupons.service import CouponService
from chalicelib.kernel.auth import Caller
from chalicelib.kernel.money import Leg
from tests.coupons.examples import KIM


@dataclass
class Till:
    """Remembers what was granted to whom, and the legs of the entries its movements would have."""

    service: CouponService
    held: dict[str, tuple[str, str, Grant]] = field(default_factory=dict)
    legs: list[Leg] = field(default_factory=list)

    def reserve(
        self, checkout_id: str, coupon_id: str, amount: int, by: Caller = KIM, least: int | None = None
    ) -> Grant:
        def attempt(grant: Grant) -> Grant:
            write = self.service.budgets.begin(attempts=1)
            self.service.hold(
                write,
                coupon_id=coupon_id,
                customer_id=by.id,
                checkout_id=checkout_id,
                split=grant.split,
                amount=grant.amount,
            )
            write.commit()
            return grant

        grant = self.service.spend(coupon_id, amount, attempt, least)
        self.held[checkout_id] = (coupon_id, by.id, grant)
        self.legs += self.service.legs(coupon_id, grant.split, grant.amount, "reserved")
        return grant

    def capture(self, checkout_id: str) -> None:
        coupon_id, customer_id, grant = self.held[checkout_id]
        write = self.service.budgets.begin()
        self.service.capture(
            write,
            coupon_id=coupon_id,
            customer_id=customer_id,
            checkout_id=checkout_id,
            split=grant.split,
            amount=grant.amount,
        )
        write.commit()
        self.legs += self.service.legs(coupon_id, grant.split, grant.amount, "captured")

    def release(self, checkout_id: str) -> None:
        coupon_id, customer_id, grant = self.held[checkout_id]

        def attempt(into: int | None) -> int | None:
            write = self.service.budgets.begin(attempts=1)
            self.service.release(
                write,
                coupon_id=coupon_id,
                customer_id=customer_id,
                checkout_id=checkout_id,
                split=grant.split,
                amount=grant.amount,
                into=into,
                at=self.service.now(),
            )
            write.commit()
            return into

        into = self.service.giving_back(coupon_id, attempt)
        self.legs += self.service.legs(coupon_id, grant.split, grant.amount, "released", into)

    def refund(self, checkout_id: str, split: Split | None = None, back: int = 0, whole: bool = True) -> None:
        """Without `split` and `back` all of it."""
        coupon_id, customer_id, grant = self.held[checkout_id]
        split = grant.split if split is None else split
        back = back or sum(part for _, part in split) or grant.amount

        def attempt(into: int | None) -> int | None:
            write = self.service.budgets.begin(attempts=1)
            self.service.refund(
                write,
                coupon_id=coupon_id,
                customer_id=customer_id,
                checkout_id=checkout_id,
                split=split,
                back=back,
                whole=whole,
                into=into,
                at=self.service.now(),
            )
            write.commit()
            return into

        into = self.service.giving_back(coupon_id, attempt)
        self.legs += self.service.legs(coupon_id, split, back, "refunded", into)


def stands(seen: Snapshot) -> tuple[int, int, int, int]:
    """Available, reserved, captured, refunded; and that they are the whole budget, of money and of uses."""
    assert seen.campaign.budget == seen.available + seen.reserved + seen.captured - seen.refunded
    if seen.campaign.uses is not None:
        held = sum(shard.uses_reserved + shard.uses_captured - shard.uses_refunded for shard in seen.shards)
        assert seen.campaign.uses == (seen.uses_left or 0) + held
    assert all(min(shard.available, shard.reserved, shard.captured) >= 0 for shard in seen.shards)
    return seen.available, seen.reserved, seen.captured, seen.refunded


def tries(attempt: Callable[[], object], *refusals: type[Exception]) -> bool:
    try:
        attempt()
    except refusals:
        return False
    return True
