"""What a checkout does with a coupon.

Methods with `write` add to the caller's transaction all that the movement changes here. `split` is the
grant's, and of a refund the part that comes back, shard by shard in the grant's order, with its first shard
first even when that gets nothing. `into` is what `giving_back` said.
"""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from chalicelib.coupons.model import (
    Campaign,
    Coupon,
    Grant,
    Split,
    State,
    UnknownCampaign,
    UnknownCoupon,
    entries,
    parts_of,
)
from chalicelib.coupons.service.desk import Desk
from chalicelib.kernel.money import Leg, Won
from chalicelib.kernel.tables import Write

T = TypeVar("T")


class Holds(Desk, frozen=True):
    def offer(self, coupon_id: str) -> Campaign:
        """The coupon's campaign, unless it is closed or known to be spent; reads nothing when cached."""
        campaign = self._campaign_of(coupon_id)
        campaign.refuse_outside(self.now())
        least = campaign.terms.least_grant
        self.budgets.refuse_known(campaign, least, least)
        return campaign

    def spend(
        self, coupon_id: str, amount: Won, attempt: Callable[[Grant], T], least: Won | None = None
    ) -> T:
        """Calls `attempt` with grants of `amount` until one commits; see `Budgets.spend`.

        A campaign whose budget is bound at issue is paused by a flag a second old at most: no row that its
        coupons share is touched when they are used.
        """
        return self.budgets.spend(self._campaign_of(coupon_id), amount, attempt, least)

    def giving_back(self, coupon_id: str, attempt: Callable[[int | None], T]) -> T:
        """Calls `attempt`, which is to release or refund, until it commits."""
        return self.budgets.giving_back(self._campaign_of(coupon_id), attempt)

    def hold(
        self, write: Write, *, coupon_id: str, customer_id: str, checkout_id: str, split: Split, amount: Won
    ) -> None:
        campaign, used = self._used(coupon_id, customer_id, checkout_id)
        self.store.hold(write, campaign, used, Grant(amount, split))

    def capture(
        self, write: Write, *, coupon_id: str, customer_id: str, checkout_id: str, split: Split, amount: Won
    ) -> None:
        campaign, used = self._used(coupon_id, customer_id, checkout_id)
        self.store.capture(write, campaign, used, Grant(amount, split))

    def release(
        self,
        write: Write,
        *,
        coupon_id: str,
        customer_id: str,
        checkout_id: str,
        split: Split,
        amount: Won,
        into: int | None,
        at: datetime,
    ) -> None:
        """The coupon is its owner's again, unless the campaign is over. NotHeld, ShardMerged."""
        campaign, used = self._used(coupon_id, customer_id, checkout_id)
        self.store.release(write, campaign, used, Grant(amount, split), into, _afterwards(campaign, at))

    def refund(
        self,
        write: Write,
        *,
        coupon_id: str,
        customer_id: str,
        checkout_id: str,
        split: Split,
        back: Won,
        whole: bool,
        into: int | None,
        at: datetime,
    ) -> None:
        """`back` of the discount; with the last of it (`whole`) the coupon comes back too, as if released."""
        campaign, used = self._used(coupon_id, customer_id, checkout_id)
        after = _afterwards(campaign, at) if whole else None
        self.store.refund(write, campaign, used, Grant(back, split), into, after)

    def legs(
        self, coupon_id: str, split: Split, amount: Won, what: str, into: int | None = None
    ) -> tuple[Leg, ...]:
        """Of the checkout's entry; asks nobody. `what`: reserved, captured, released or refunded."""
        return entries.legs(parts_of(coupon_id)[0], split, amount, what, into)

    def _used(self, coupon_id: str, customer_id: str, checkout_id: str) -> tuple[Campaign, Coupon]:
        campaign = self._campaign_of(coupon_id)
        _, code_hash = parts_of(coupon_id)
        return campaign, Coupon(campaign.campaign_id, code_hash, State.USED, customer_id, checkout_id)

    def _campaign_of(self, coupon_id: str) -> Campaign:
        campaign_id, _ = parts_of(coupon_id)
        try:
            return self.budgets.campaign(campaign_id)
        except UnknownCampaign:
            raise UnknownCoupon() from None


def _afterwards(campaign: Campaign, at: datetime) -> State:
    return State.VOID if campaign.over(at) else State.REGISTERED
