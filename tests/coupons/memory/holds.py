"""What a checkout changes, in memory."""

import zlib
from collections.abc import Callable

from msgspec.structs import replace

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
    Shard,
    ShardMerged,
    ShardShort,
    State,
    Switch,
    UnknownCoupon,
    UserLimitReached,
)
from tests.coupons.memory.rows import MemoryRows
from tests.memory import MemoryWrite


class MemoryHolds(MemoryRows):
    def hold(self, write: MemoryWrite, campaign: Campaign, used: Coupon, grant: Grant) -> None:
        name, checkout = used.code_hash, str(used.used_by)
        uses, limit = (used.campaign_id, str(used.owner)), campaign.terms.per_user_limit

        def mine() -> bool:
            found = self.coupons.get(name)
            free = found is not None and replace(found, worth=None) == used.owned_by(str(used.owner))
            return free and (not campaign.terms.bound or ((found and found.worth) or 0) >= grant.amount)

        def take() -> None:
            self.coupons[name] = replace(self.coupons[name], state=State.USED, used_by=used.used_by)
            self.tried.setdefault(name, {})[zlib.crc32(checkout.encode()) % 16] = checkout

        def not_there() -> Exception:
            found = self.coupons.get(name)
            if not found or (found.owner, found.campaign_id) != (used.owner, used.campaign_id):
                return UnknownCoupon()
            return CouponVoid() if found.state is State.VOID or found.doomed else CouponUsed()

        write.clause(holds=mine, then=take, otherwise=not_there)
        if limit is not None:
            write.clause(
                holds=lambda: self.uses.get(uses, 0) < limit,
                then=lambda: self.uses.update({uses: self.uses.get(uses, 0) + 1}),
                otherwise=UserLimitReached,
            )
        for number, move in _plan(campaign).held(grant.split).items():
            self.add_move(write, used.campaign_id, number, move, _covers(move), _short)

    def capture(self, write: MemoryWrite, campaign: Campaign, used: Coupon, grant: Grant) -> None:
        if campaign.terms.bound:
            self._add_worth(write, used, -grant.amount)
            moves = _plan(campaign).bound_captured(grant.amount)
        else:
            moves = _plan(campaign).captured(grant.split)
        for number, move in moves.items():
            self.add_move(write, used.campaign_id, number, move, _holds(move), NotBound)

    def release(
        self,
        write: MemoryWrite,
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
        for number, move in moves.items():
            self._add_credit(write, used.campaign_id, number, move)

    def refund(
        self,
        write: MemoryWrite,
        campaign: Campaign,
        used: Coupon,
        back: Grant,
        into: int | None,
        after: State | None,
    ) -> None:
        plan, whole = _plan(campaign), after is not None
        stays = campaign.terms.bound and into is None
        again = back.amount if stays else 0
        if after is not None:
            self._give_back(write, campaign, used, after, again, stays=stays)
        elif again:
            self._add_worth(write, used, again)
        if campaign.terms.bound:
            moves = plan.bound_refunded(back.amount, free=not stays, whole=whole)
        else:
            moves = plan.refunded(back.split, into, whole=whole)
        for number, move in moves.items():
            self._add_credit(write, used.campaign_id, number, move)

    def _give_back(
        self,
        write: MemoryWrite,
        campaign: Campaign,
        used: Coupon,
        after: State,
        worth: int,
        *,
        stays: bool,
    ) -> None:
        name, uses = used.code_hash, (used.campaign_id, str(used.owner))

        def back() -> None:
            found = self.coupons[name]
            bound = None if found.worth is None else found.worth + worth
            self.coupons[name] = replace(found, state=after, used_by=None, worth=bound)

        def held() -> bool:
            return self._by_checkout(used) and not (stays and self.coupons[name].doomed)

        write.clause(holds=held, then=back, otherwise=lambda: self._doomed(used))
        if campaign.terms.per_user_limit is not None:
            write.clause(
                holds=lambda: self.uses.get(uses, 0) >= 1,
                then=lambda: self.uses.update({uses: self.uses[uses] - 1}),
                otherwise=NotHeld,
            )

    def _add_worth(self, write: MemoryWrite, used: Coupon, worth: int) -> None:
        name = used.code_hash

        def change() -> None:
            found = self.coupons[name]
            self.coupons[name] = replace(found, worth=(found.worth or 0) + worth)

        def holds() -> bool:
            found = self.coupons[name]
            return (
                self._by_checkout(used)
                and (found.worth or 0) + worth >= 0
                and not (worth > 0 and found.doomed)
            )

        write.clause(holds=holds, then=change, otherwise=lambda: self._doomed(used))

    def _doomed(self, used: Coupon) -> Exception:
        return (
            CouponDoomed() if self._by_checkout(used) and self.coupons[used.code_hash].doomed else NotHeld()
        )

    def _by_checkout(self, used: Coupon) -> bool:
        found = self.coupons.get(used.code_hash)
        return found is not None and (found.state, found.used_by) == (State.USED, used.used_by)

    def _add_credit(self, write: MemoryWrite, campaign_id: str, number: int, move: Move) -> None:
        gets = move.available > 0 or move.uses_left > 0

        def merged(shard: Shard) -> bool:
            return gets and shard.state is Switch.MERGED

        self.add_move(
            write,
            campaign_id,
            number,
            move,
            lambda shard: _holds(move)(shard) and not merged(shard),
            lambda shard: ShardMerged() if merged(shard) else NotBound(),
        )


def _covers(move: Move) -> Callable[[Shard], bool]:
    def covers(shard: Shard) -> bool:
        counted = not move.uses_left or (shard.uses_left or 0) >= -move.uses_left
        return shard.state is Switch.OPEN and shard.available >= -move.available and counted

    return covers


def _short(shard: Shard) -> Exception:
    if shard.state is Switch.CLOSED:
        return CampaignClosed()
    return CampaignPaused() if shard.state is Switch.PAUSED else ShardShort()


def _holds(move: Move) -> Callable[[Shard], bool]:
    return lambda shard: shard.reserved >= -min(move.reserved, 0)


def _plan(campaign: Campaign) -> Plan:
    return Plan(limited=campaign.uses is not None)
