"""What a checkout changes here, on DynamoDB."""

import zlib
from collections.abc import Callable

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.operand import Path
from pynamodb.expressions.update import Action

from chalicelib.coupons.model import (
    Campaign,
    CampaignClosed,
    CampaignPaused,
    Coupon,
    CouponDoomed,
    CouponUsed,
    CouponVoid,
    Grant,
    Move,
    NotBound,
    NotHeld,
    Plan,
    ShardMerged,
    ShardShort,
    State,
    Switch,
    UnknownCoupon,
    UserLimitReached,
)
from chalicelib.coupons.store.items import (
    CouponItem,
    ShardItem,
    UsesItem,
    added,
    coupon_of,
    coupon_row,
    shard_row,
    uses_row,
)
from chalicelib.kernel.tables import AllOrNothing, Raw

TRIED = 16


class HoldStore:
    def hold(self, write: AllOrNothing, campaign: Campaign, used: Coupon, grant: Grant) -> None:
        customer, checkout = str(used.owner), str(used.used_by)

        def not_there(old: Raw | None) -> Exception:
            found = old and coupon_of(CouponItem.from_raw_data(old))
            if not found or (found.owner, found.campaign_id) != (customer, used.campaign_id):
                return UnknownCoupon()
            return CouponVoid() if found.state is State.VOID or found.doomed else CouponUsed()

        mine = (
            (CouponItem.state == State.REGISTERED.value)
            & (CouponItem.owner == customer)
            & (CouponItem.campaign_id == used.campaign_id)
            & CouponItem.voided_at.does_not_exist()
        )
        if campaign.terms.bound:
            mine &= CouponItem.worth >= grant.amount
        write.update(
            coupon_row(used.code_hash),
            CouponItem.state.set(State.USED.value),
            CouponItem.used_by.set(checkout),
            Path(f"tried_{zlib.crc32(checkout.encode()) % TRIED}").set(checkout),
            only_if=mine,
            otherwise=not_there,
        )
        limit = campaign.terms.per_user_limit
        if limit is not None:
            below = UsesItem.used.does_not_exist() | (UsesItem.used < limit)
            uses = uses_row(used.campaign_id, customer)
            write.update(uses, UsesItem.used.add(1), only_if=below, otherwise=UserLimitReached)
        for shard, move in _plan(campaign).held(grant.split).items():
            self._add_debit(write, shard_row(used.campaign_id, shard), move)

    def _add_debit(self, write: AllOrNothing, row: ShardItem, move: Move) -> None:
        def short(old: Raw | None) -> Exception:
            state = old and ShardItem.from_raw_data(old).state
            if state == Switch.CLOSED.value:
                return CampaignClosed()
            return CampaignPaused() if state == Switch.PAUSED.value else ShardShort()

        covered = (ShardItem.state == Switch.OPEN.value) & (ShardItem.available >= -move.available)
        if move.uses_left:
            covered &= ShardItem.uses_left >= -move.uses_left
        write.update(row, *added(move), only_if=covered, otherwise=short)

    def capture(self, write: AllOrNothing, campaign: Campaign, used: Coupon, grant: Grant) -> None:
        if campaign.terms.bound:
            write.update(
                coupon_row(used.code_hash),
                CouponItem.worth.add(-grant.amount),
                only_if=_by_checkout(used) & (CouponItem.worth >= grant.amount),
                otherwise=NotHeld,
            )
            moves = _plan(campaign).bound_captured(grant.amount)
        else:
            moves = _plan(campaign).captured(grant.split)
        for shard, move in moves.items():
            row = shard_row(used.campaign_id, shard)
            write.update(row, *added(move), only_if=ShardItem.reserved >= -move.reserved, otherwise=NotBound)

    def release(
        self,
        write: AllOrNothing,
        campaign: Campaign,
        used: Coupon,
        grant: Grant,
        into: int | None,
        after: State,
    ) -> None:
        freed = grant.amount if campaign.terms.bound and into is not None else 0
        stays = campaign.terms.bound and into is None
        self._give_back(write, campaign, used, after, -freed, stays=stays)
        if campaign.terms.bound:
            moves = _plan(campaign).bound(-freed, -1) if freed else {}
        else:
            moves = _plan(campaign).released(grant.split, into)
        for shard, move in moves.items():
            self._add_credit(write, shard_row(used.campaign_id, shard), move)

    def refund(
        self,
        write: AllOrNothing,
        campaign: Campaign,
        used: Coupon,
        back: Grant,
        into: int | None,
        after: State | None,
    ) -> None:
        """`after` is None while some of the discount stays spent."""
        plan, whole = _plan(campaign), after is not None
        stays = campaign.terms.bound and into is None
        again = back.amount if stays else 0
        if after is not None:
            self._give_back(write, campaign, used, after, again, stays=stays)
        elif again:
            write.update(
                coupon_row(used.code_hash),
                CouponItem.worth.add(again),
                only_if=_by_checkout(used) & CouponItem.voided_at.does_not_exist(),
                otherwise=_doomed_or_not_held(used),
            )
        if campaign.terms.bound:
            moves = plan.bound_refunded(back.amount, free=not stays, whole=whole)
        else:
            moves = plan.refunded(back.split, into, whole=whole)
        for shard, move in moves.items():
            self._add_credit(write, shard_row(used.campaign_id, shard), move)

    def _give_back(
        self,
        write: AllOrNothing,
        campaign: Campaign,
        used: Coupon,
        after: State,
        worth: int,
        *,
        stays: bool,
    ) -> None:
        """The coupon and its owner's count; `worth` is added to what is bound for it, which `stays` so."""
        held = _by_checkout(used)
        if stays:
            held &= CouponItem.voided_at.does_not_exist()
        actions: list[Action] = [CouponItem.state.set(after.value), CouponItem.used_by.remove()]
        if worth:
            actions.append(CouponItem.worth.add(worth))
        write.update(coupon_row(used.code_hash), *actions, only_if=held, otherwise=_doomed_or_not_held(used))
        if campaign.terms.per_user_limit is not None:
            uses = uses_row(used.campaign_id, str(used.owner))
            write.update(uses, UsesItem.used.add(-1), only_if=UsesItem.used >= 1, otherwise=NotHeld)

    def _add_credit(self, write: AllOrNothing, row: ShardItem, move: Move) -> None:
        """ShardMerged when it would give something to a shard that is used no longer."""
        gets = move.available > 0 or move.uses_left > 0
        held = ShardItem.reserved >= -min(move.reserved, 0)
        if gets:
            held &= ShardItem.state != Switch.MERGED.value

        def why(old: Raw | None) -> Exception:
            merged = gets and old and ShardItem.from_raw_data(old).state == Switch.MERGED.value
            return ShardMerged() if merged else NotBound()

        write.update(row, *added(move), only_if=held, otherwise=why)


def _doomed_or_not_held(used: Coupon) -> Callable[[Raw | None], Exception]:
    def why(old: Raw | None) -> Exception:
        found = old and coupon_of(CouponItem.from_raw_data(old))
        held = found and (found.state, found.used_by) == (State.USED, used.used_by)
        return CouponDoomed() if found and held and found.doomed else NotHeld()

    return why


def _by_checkout(used: Coupon) -> Condition:
    by: Condition = (CouponItem.state == State.USED.value) & (CouponItem.used_by == str(used.used_by))
    return by


def _plan(campaign: Campaign) -> Plan:
    return Plan(limited=campaign.uses is not None)
