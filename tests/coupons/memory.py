"""The coupons store in memory: the same promises as `chalicelib.coupons.store`, in dictionaries."""

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from chalicelib.coupons.model import (
    AlreadyDone,
    Asked,
    Batch,
    BatchMoved,
    Campaign,
    CampaignPaused,
    CodeRefused,
    CodeTaken,
    Coupon,
    CouponUsed,
    Shard,
    ShardShort,
    Snapshot,
    Split,
    State,
    Switch,
    TooManyCodes,
    UnknownCoupon,
    UserLimitReached,
)
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.money import Won
from tests.memory import LOCK, MemoryWrite

TRIES_ALLOWED = 5
WINDOW_SECONDS = 5


class MemoryCoupons:
    def __init__(self) -> None:
        self.campaigns: dict[str, Campaign] = {}
        self.shards: dict[str, list[Shard]] = {}
        self.coupons: dict[str, Coupon] = {}
        self.uses: dict[tuple[str, str], int] = {}
        self.batches: dict[tuple[str, str], Batch] = {}
        self.top_ups: dict[tuple[str, str], Won] = {}
        self.requests: dict[str, Asked] = {}
        self.tries: dict[tuple[str, int], int] = {}
        self.facts: list[Fact] = []

    # --- campaigns -----------------------------------------------------------------------------------------

    def create(self, campaign: Campaign, budgets: Sequence[Won], fact: Fact) -> None:
        def make() -> None:
            self.campaigns[campaign.campaign_id] = campaign
            self.shards[campaign.campaign_id] = [Shard(budget) for budget in budgets]

        write = MemoryWrite()
        new = campaign.campaign_id not in self.campaigns
        write.clause(holds=lambda: new, then=make, otherwise=AlreadyDone)
        write.fact(self.facts, fact)
        write.commit()

    def campaign(self, campaign_id: str) -> Campaign | None:
        return self.campaigns.get(campaign_id)

    def snapshot(self, campaign: Campaign) -> Snapshot:
        with LOCK:
            found = self.campaigns[campaign.campaign_id]
            return Snapshot(found, tuple(self.shards[campaign.campaign_id]))

    def switch(self, campaign: Campaign, state: Switch) -> None:
        with LOCK:
            name = campaign.campaign_id
            self.campaigns[name] = replace(self.campaigns[name], state=state)
            self.shards[name][:] = [replace(shard, state=state) for shard in self.shards[name]]

    def top_up(self, campaign: Campaign, top_up_id: str, parts: Sequence[Won], asked: Asked) -> None:
        name, marker = campaign.campaign_id, (campaign.campaign_id, top_up_id)

        def add() -> None:
            now = self.campaigns[name]
            self.campaigns[name] = replace(now, budget=now.budget + sum(parts), left=None)
            for number, part in enumerate(parts):
                shard = self.shards[name][number]
                self.shards[name][number] = replace(shard, available=shard.available + part)

        write = MemoryWrite()
        self._add_asked(write, asked)
        write.clause(
            holds=lambda: marker not in self.top_ups,
            then=lambda: self.top_ups.update({marker: sum(parts)}),
            otherwise=AlreadyDone,
        )
        write.clause(then=add)
        write.commit()

    def topped_up(self, campaign_id: str, top_up_id: str) -> Won | None:
        return self.top_ups.get((campaign_id, top_up_id))

    def note_left(self, campaign: Campaign, left: Won) -> None:
        with LOCK:
            now = self.campaigns[campaign.campaign_id]
            if now.budget == campaign.budget and (now.left is None or now.left > left):
                self.campaigns[campaign.campaign_id] = replace(now, left=left)

    def asked(self, request_id: str) -> Asked | None:
        return self.requests.get(request_id)

    def _add_asked(self, write: MemoryWrite, asked: Asked) -> None:
        write.clause(
            holds=lambda: asked.request_id not in self.requests,
            then=lambda: self.requests.update({asked.request_id: asked}),
            otherwise=AlreadyDone,
        )

    # --- codes ---------------------------------------------------------------------------------------------

    def request(self, batch: Batch, asked: Asked, fact: Fact) -> None:
        key = (batch.campaign_id, batch.batch_id)
        write = MemoryWrite()
        self._add_asked(write, asked)
        write.clause(
            holds=lambda: key not in self.batches,
            then=lambda: self.batches.update({key: batch}),
            otherwise=AlreadyDone,
        )
        write.fact(self.facts, fact)
        write.commit()

    def batch(self, campaign_id: str, batch_id: str) -> Batch | None:
        return self.batches.get((campaign_id, batch_id))

    def issue(self, batch: Batch, hashes: Sequence[str]) -> None:
        key = (batch.campaign_id, batch.batch_id)

        def store() -> None:
            self.batches[key] = replace(batch, issued=batch.issued + len(hashes))
            self.coupons.update({each: Coupon(batch.campaign_id, each) for each in hashes})

        write = MemoryWrite()
        write.clause(holds=lambda: self.batches[key] == batch, then=store, otherwise=BatchMoved)
        write.clause(holds=lambda: not self.coupons.keys() & set(hashes), otherwise=CodeTaken)
        write.commit()

    # --- my coupons ----------------------------------------------------------------------------------------

    def coupon(self, code_hash: str) -> Coupon | None:
        return self.coupons.get(code_hash)

    def count_try(self, customer_id: str, at: datetime) -> None:
        key = (customer_id, int(at.timestamp()) // WINDOW_SECONDS)
        with LOCK:
            if self.tries.get(key, 0) >= TRIES_ALLOWED:
                raise TooManyCodes(retry_after=WINDOW_SECONDS)
            self.tries[key] = self.tries.get(key, 0) + 1

    def forgive_try(self, customer_id: str, at: datetime) -> None:
        with LOCK:
            self.tries[customer_id, int(at.timestamp()) // WINDOW_SECONDS] -= 1

    def register(self, coupon: Coupon, asked: Asked, at: datetime) -> None:
        def taken() -> Exception:
            return AlreadyDone() if self.coupons[coupon.code_hash] == coupon else CodeRefused()

        write = MemoryWrite()
        self._add_asked(write, asked)
        write.clause(
            holds=lambda: self.coupons[coupon.code_hash].state is State.ISSUED,
            then=lambda: self.coupons.update({coupon.code_hash: coupon}),
            otherwise=taken,
        )
        write.clause(then=lambda: self.forgive_try(str(coupon.owner), at))
        write.commit()

    def owned(self, owner: str, limit: int, after: str | None) -> tuple[list[Coupon], str | None]:
        mine = sorted(
            (
                each
                for each in self.coupons.values()
                if each.owner == owner and each.coupon_id > (after or "")
            ),
            key=lambda coupon: coupon.coupon_id,
        )
        page = mine[:limit]
        return page, page[-1].coupon_id if len(mine) > limit else None

    # --- for the checkout ----------------------------------------------------------------------------------

    def hold(self, write: MemoryWrite, used: Coupon, per_user_limit: int | None, split: Split) -> None:
        uses = (used.campaign_id, str(used.owner))

        def not_there() -> Exception:
            found = self.coupons.get(used.code_hash)
            if not found or (found.owner, found.campaign_id) != (used.owner, used.campaign_id):
                return UnknownCoupon()
            return CouponUsed()

        write.clause(
            holds=lambda: self.coupons.get(used.code_hash) == used.owned_by(str(used.owner)),
            then=lambda: self.coupons.update({used.code_hash: used}),
            otherwise=not_there,
        )
        if per_user_limit is not None:
            write.clause(
                holds=lambda: self.uses.get(uses, 0) < per_user_limit,
                then=lambda: self.uses.update({uses: self.uses.get(uses, 0) + 1}),
                otherwise=UserLimitReached,
            )
        for number, part in split:
            self._add_debit(write, self.shards[used.campaign_id], number, part)

    def _add_debit(self, write: MemoryWrite, shards: list[Shard], number: int, part: Won) -> None:
        def pay() -> None:
            shard = shards[number]
            shards[number] = replace(shard, available=shard.available - part, reserved=shard.reserved + part)

        write.clause(
            holds=lambda: shards[number].state is Switch.OPEN and shards[number].available >= part,
            then=pay,
            otherwise=lambda: CampaignPaused() if shards[number].state is Switch.PAUSED else ShardShort(),
        )
