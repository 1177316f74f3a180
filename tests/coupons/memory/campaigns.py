"""Campaigns and their budgets in memory."""

import functools
from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from chalicelib.coupons.model import (
    AlreadyDone,
    Asked,
    BudgetTooSmall,
    Campaign,
    CampaignClosed,
    CampaignMoved,
    Change,
    Coupon,
    Mode,
    Move,
    NotAsFound,
    NotBound,
    Plan,
    Shard,
    ShardShort,
    Snapshot,
    State,
    Switch,
    UnknownCampaign,
    spread,
)
from chalicelib.kernel.clock import stamp
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.money import Won
from tests.coupons.memory.rows import MemoryRows
from tests.memory import LOCK, MemoryWrite


class MemoryCampaigns(MemoryRows):
    def create(self, write: MemoryWrite, campaign: Campaign, budgets: Sequence[Won], fact: Fact) -> None:
        def make() -> None:
            uses = [None] * len(budgets) if campaign.uses is None else spread(campaign.uses, len(budgets))
            self.campaigns[campaign.campaign_id] = campaign
            self.shards[campaign.campaign_id] = [
                Shard(budget, uses_left=count) for budget, count in zip(budgets, uses, strict=True)
            ]

        write.clause(
            holds=lambda: campaign.campaign_id not in self.campaigns, then=make, otherwise=AlreadyDone
        )
        write.fact(self.facts, fact)

    def campaign(self, campaign_id: str) -> Campaign | None:
        return self.campaigns.get(campaign_id)

    def recent(self, limit: int, after: str | None) -> tuple[list[str], str | None]:
        named = {
            f"{stamp(each.created_at)}#{each.campaign_id}": each.campaign_id
            for each in self.campaigns.values()
            if each.created_at
        }
        page = sorted((name for name in named if after is None or name < after), reverse=True)[:limit]
        return [named[name] for name in page], page[-1] if len(page) == limit else None

    def snapshot(self, campaign: Campaign) -> Snapshot:
        with LOCK:
            found = self.campaigns[campaign.campaign_id]
            return Snapshot(found, tuple(self.shards[campaign.campaign_id]))

    def switch(self, write: MemoryWrite, campaign: Campaign, state: Switch) -> None:
        shards = self.shards[campaign.campaign_id]

        def turn() -> None:
            self._change(campaign.campaign_id, state=state)
            shards[: campaign.in_use] = [replace(each, state=state) for each in shards[: campaign.in_use]]

        write.clause(holds=lambda: self._as_seen(campaign), then=turn, otherwise=CampaignMoved)

    def top_up(
        self, write: MemoryWrite, campaign: Campaign, change: Change, parts: Sequence[Won], asked: Asked
    ) -> None:
        name, uses = campaign.campaign_id, spread(change.uses, campaign.shards)

        def add() -> None:
            now = self.campaigns[name]
            more = None if now.uses is None else now.uses + change.uses
            self._change(name, budget=now.budget + change.amount, uses=more, left=None, mode=Mode.SHARDED)
            for number, part in enumerate(parts):
                move = Move(available=part, uses_left=uses[number] if campaign.uses is not None else 0)
                shard = replace(self.shards[name][number], state=campaign.state)
                self.shards[name][number] = move.applied(shard)

        self.add_asked(write, asked)
        self._add_change(write, campaign, change)
        write.clause(holds=lambda: self._as_seen(campaign), then=add, otherwise=CampaignMoved)

    def cut(
        self, write: MemoryWrite, campaign: Campaign, change: Change, parts: Sequence[Won], asked: Asked
    ) -> None:
        name = campaign.campaign_id
        self.add_asked(write, asked)
        self._add_change(write, campaign, change)
        write.clause(
            holds=lambda: self._as_seen(campaign),
            then=lambda: self._change(name, budget=self.campaigns[name].budget - change.amount),
            otherwise=CampaignMoved,
        )
        for number, part in enumerate(parts):
            self.add_move(
                write,
                name,
                number,
                Move(available=-part),
                functools.partial(_has, part),
                ShardShort,
            )

    def change(self, campaign_id: str, name: str) -> Change | None:
        return self.changes.get((campaign_id, name))

    def _add_change(self, write: MemoryWrite, campaign: Campaign, change: Change) -> None:
        key = (campaign.campaign_id, change.name)
        write.clause(
            holds=lambda: key not in self.changes,
            then=lambda: self.changes.update({key: change}),
            otherwise=AlreadyDone,
        )

    def merge(self, write: MemoryWrite, seen: Snapshot) -> None:
        name, shards = seen.campaign.campaign_id, self.shards[seen.campaign.campaign_id]

        def unmoved() -> bool:
            same = [(a.available, a.uses_left) for a in shards] == [
                (a.available, a.uses_left) for a in seen.shards
            ]
            return (
                same and all(shard.state is Switch.OPEN for shard in shards) and self._as_seen(seen.campaign)
            )

        def together() -> None:
            none = None if seen.uses_left is None else 0
            shards[0] = replace(shards[0], available=seen.available, uses_left=seen.uses_left)
            shards[1:] = [
                replace(each, available=0, uses_left=none, state=Switch.MERGED) for each in shards[1:]
            ]
            self._change(name, mode=Mode.SINGLE, moves=seen.campaign.moves + 1)

        write.clause(holds=unmoved, then=together, otherwise=CampaignMoved)

    def note_left(self, campaign: Campaign, left: Won) -> bool:
        with LOCK:
            now = self.campaigns[campaign.campaign_id]
            news = now.budget == campaign.budget and (now.left is None or now.left > left)
            if news:
                self._change(campaign.campaign_id, left=left)
            return news

    def forget_left(self, campaign_id: str) -> None:
        with LOCK:
            if campaign_id not in self.campaigns:
                raise UnknownCampaign()
            self._change(campaign_id, left=None)

    def asked(self, request_id: str) -> Asked | None:
        return self.requests.get(request_id)

    # --- budgets bound at issue ----------------------------------------------------------------------------

    def bind(self, write: MemoryWrite, campaign: Campaign, amount: Won, count: int) -> None:
        name, limited = campaign.campaign_id, campaign.uses is not None
        move = Plan(limited=limited).bound(amount, count)[0]
        if amount < 0:
            self.add_move(write, name, 0, move, lambda shard: shard.reserved >= -amount, NotBound)
            return

        def fits(shard: Shard) -> bool:
            counted = not limited or (shard.uses_left or 0) >= count
            return shard.state is not Switch.CLOSED and shard.available >= amount and counted

        def why(shard: Shard) -> Exception:
            if shard.state is Switch.CLOSED:
                return CampaignClosed()
            uses = shard.uses_left or 0 if limited else count
            return BudgetTooSmall(most=min(shard.available // campaign.terms.value, uses))

        self.add_move(write, name, 0, move, fits, why)

    def take_back(self, write: MemoryWrite, coupon: Coupon, after: State) -> None:
        write.clause(
            holds=lambda: self.coupons[coupon.code_hash] == coupon,
            then=lambda: self.coupons.update({coupon.code_hash: replace(coupon, state=after, worth=0)}),
            otherwise=NotBound,
        )

    def reclaimable(self, until: datetime, limit: int) -> list[tuple[str, datetime, str]]:
        due = sorted((at, name, place) for (name, at), place in self.reclaims.items() if at < until)
        return [(name, at, place) for at, name, place in due[:limit]]

    def reclaim_at(self, write: MemoryWrite, campaign_id: str, at: datetime, place: str = "") -> None:
        write.clause(then=lambda: self.reclaims.update({(campaign_id, at): place}))

    def reclaimed(self, write: MemoryWrite, campaign_id: str, due: datetime) -> None:
        def forget() -> None:
            self.reclaims.pop((campaign_id, due), None)

        write.clause(then=forget)

    # --- for those who check -------------------------------------------------------------------------------

    def coupons_of(self, hashes: Sequence[str]) -> list[Coupon]:
        return [self.coupons[each] for each in hashes if each in self.coupons]

    def uses_of(self, campaign_id: str, customer_ids: Sequence[str]) -> dict[str, int]:
        counted = ((each, self.uses.get((campaign_id, each))) for each in customer_ids)
        return {each: count for each, count in counted if count is not None}

    def repair(
        self, write: MemoryWrite, campaign_id: str, shard: int, pot: str, found: Won, amount: Won
    ) -> None:
        move = Move(**{pot: amount})
        self.add_move(write, campaign_id, shard, move, lambda each: getattr(each, pot) == found, NotAsFound)

    def _change(self, campaign_id: str, **changes: object) -> None:
        self.campaigns[campaign_id] = replace(self.campaigns[campaign_id], **changes)

    def _as_seen(self, seen: Campaign) -> bool:
        now = self.campaigns[seen.campaign_id]
        return (now.state, now.mode, now.moves) == (seen.state, seen.mode, seen.moves)


def _has(part: Won, shard: Shard) -> bool:
    return shard.available >= part
