"""Campaigns and their budgets on DynamoDB."""

from collections.abc import Sequence
from datetime import datetime

from pynamodb.expressions.condition import Condition

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
from chalicelib.coupons.store.items import (
    AskedItem,
    CampaignItem,
    ChangeItem,
    CouponItem,
    ListedItem,
    ShardItem,
    UsesItem,
    add_asked,
    added,
    campaign_of,
    campaign_row,
    coupon_of,
    coupon_row,
    shard_of,
    shard_row,
    stored,
    together,
    uses_row,
)
from chalicelib.kernel.clock import moment, stamp
from chalicelib.kernel.errors import Conflicted
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.money import Won
from chalicelib.kernel.tables import AllOrNothing, Look, Raw


class CampaignStore:
    def create(self, write: AllOrNothing, campaign: Campaign, budgets: Sequence[Won], fact: Fact) -> None:
        write.put(stored(campaign), only_if=CampaignItem.pk.does_not_exist(), otherwise=AlreadyDone)
        uses = [None] * len(budgets) if campaign.uses is None else spread(campaign.uses, len(budgets))
        for shard, (budget, count) in enumerate(zip(budgets, uses, strict=True)):
            row = shard_row(campaign.campaign_id, shard)
            row.available, row.reserved, row.captured, row.refunded = budget, 0, 0, 0
            row.uses_left, row.uses_reserved, row.uses_captured, row.uses_refunded = count, 0, 0, 0
            row.state = Switch.OPEN.value
            write.put(row)
        if campaign.created_at is not None:
            listed = _listed("CAMPAIGNS", campaign.created_at, campaign.campaign_id)
            write.put(listed)
        write.fact(CampaignItem, fact)

    def campaign(self, campaign_id: str) -> Campaign | None:
        key = campaign_row(campaign_id)
        row = CampaignItem.load(key.pk, key.sk)
        return campaign_of(row) if row else None

    def recent(self, limit: int, after: str | None) -> tuple[list[str], str | None]:
        below = ListedItem.sk < after if after else None
        found = ListedItem.query(
            "CAMPAIGNS", below, limit=limit, page_size=limit, scan_index_forward=False, consistent_read=True
        )
        rows = list(found)
        return [row.campaign_id for row in rows], rows[-1].sk if len(rows) == limit else None

    def snapshot(self, campaign: Campaign) -> Snapshot:
        shards = [shard_row(campaign.campaign_id, shard) for shard in range(campaign.shards)]
        first, *rest = together(campaign_row(campaign.campaign_id), *shards)
        return Snapshot(
            campaign_of(CampaignItem.from_raw_data(first)),
            tuple(shard_of(ShardItem.from_raw_data(row)) for row in rest),
        )

    def switch(self, write: AllOrNothing, campaign: Campaign, state: Switch) -> None:
        """Shards that were merged stay so."""
        actions = [CampaignItem.state.set(state.value)]
        if state is Switch.CLOSED:
            actions += [CampaignItem.offered.remove(), CampaignItem.offered_until.remove()]
        write.update(
            campaign_row(campaign.campaign_id), *actions, only_if=_as_seen(campaign), otherwise=_moved
        )
        for shard in range(campaign.in_use):
            write.update(shard_row(campaign.campaign_id, shard), ShardItem.state.set(state.value))

    def top_up(
        self, write: AllOrNothing, campaign: Campaign, change: Change, parts: Sequence[Won], asked: Asked
    ) -> None:
        add_asked(write, asked)
        self._add_change(write, campaign, change)
        actions = [CampaignItem.budget.add(change.amount), CampaignItem.mode.set(Mode.SHARDED.value)]
        if campaign.uses is not None:
            actions.append(CampaignItem.uses.add(change.uses))
        write.update(
            campaign_row(campaign.campaign_id),
            *actions,
            CampaignItem.left.remove(),
            only_if=_as_seen(campaign),
            otherwise=_moved,
        )
        uses = spread(change.uses, campaign.shards)
        for shard, part in enumerate(parts):
            more = [ShardItem.available.add(part), ShardItem.state.set(campaign.state.value)]
            if campaign.uses is not None:
                more.append(ShardItem.uses_left.add(uses[shard]))
            write.update(shard_row(campaign.campaign_id, shard), *more)

    def cut(
        self, write: AllOrNothing, campaign: Campaign, change: Change, parts: Sequence[Won], asked: Asked
    ) -> None:
        add_asked(write, asked)
        self._add_change(write, campaign, change)
        write.update(
            campaign_row(campaign.campaign_id),
            CampaignItem.budget.add(-change.amount),
            only_if=_as_seen(campaign),
            otherwise=_moved,
        )
        for shard, part in enumerate(parts):
            if part:
                write.update(
                    shard_row(campaign.campaign_id, shard),
                    ShardItem.available.add(-part),
                    only_if=ShardItem.available >= part,
                    otherwise=ShardShort,
                )

    def change(self, campaign_id: str, name: str) -> Change | None:
        row = ChangeItem.load(f"CHANGE#{campaign_id}#{name}", "CHANGE")
        return Change(name, int(row.amount), int(row.uses)) if row else None

    def _add_change(self, write: AllOrNothing, campaign: Campaign, change: Change) -> None:
        row = ChangeItem(f"CHANGE#{campaign.campaign_id}#{change.name}", "CHANGE")
        row.amount, row.uses = change.amount, change.uses
        write.put(row, only_if=ChangeItem.pk.does_not_exist(), otherwise=AlreadyDone)

    def merge(self, write: AllOrNothing, seen: Snapshot) -> None:
        campaign, (first, *others) = seen.campaign, seen.shards
        write.update(
            campaign_row(campaign.campaign_id),
            CampaignItem.mode.set(Mode.SINGLE.value),
            CampaignItem.moves.add(1),
            only_if=_as_seen(campaign) & (CampaignItem.moves == campaign.moves),
            otherwise=_moved,
        )
        total = [ShardItem.available.set(seen.available)]
        if seen.uses_left is not None:
            total.append(ShardItem.uses_left.set(seen.uses_left))
        row = shard_row(campaign.campaign_id, 0)
        write.update(row, *total, only_if=_holds(first), otherwise=CampaignMoved)
        for shard, other in enumerate(others, start=1):
            emptied = [ShardItem.available.set(0), ShardItem.state.set(Switch.MERGED.value)]
            if seen.uses_left is not None:
                emptied.append(ShardItem.uses_left.set(0))
            row = shard_row(campaign.campaign_id, shard)
            write.update(row, *emptied, only_if=_holds(other), otherwise=CampaignMoved)

    def note_left(self, campaign: Campaign, left: Won) -> bool:
        write = AllOrNothing(attempts=1)
        write.update(
            campaign_row(campaign.campaign_id),
            CampaignItem.left.set(left),
            only_if=(CampaignItem.budget == campaign.budget)
            & (CampaignItem.left.does_not_exist() | (CampaignItem.left > left)),
            otherwise=AlreadyDone,
        )
        try:
            write.commit()
        except (AlreadyDone, Conflicted):
            return False  # somebody knows better, or somebody else will note it
        return True

    def forget_left(self, campaign_id: str) -> None:
        write = AllOrNothing()
        write.update(
            campaign_row(campaign_id),
            CampaignItem.left.remove(),
            only_if=CampaignItem.pk.exists(),
            otherwise=UnknownCampaign,
        )
        write.commit()

    def asked(self, request_id: str) -> Asked | None:
        row = AskedItem.load(f"ASKED#{request_id}", "ASKED")
        return Asked(request_id, row.what) if row else None

    # --- budgets bound at issue ----------------------------------------------------------------------------

    def bind(self, write: AllOrNothing, campaign: Campaign, amount: Won, count: int) -> None:
        limited = campaign.uses is not None
        move = Plan(limited=limited).bound(amount, count)[0]
        if amount < 0:
            holds = ShardItem.reserved >= -amount
            write.update(shard_row(campaign.campaign_id, 0), *added(move), only_if=holds, otherwise=NotBound)
            return
        value = campaign.terms.value

        def too_small(old: Raw | None) -> Exception:
            shard = shard_of(ShardItem.from_raw_data(old)) if old else Shard(0)
            if shard.state is Switch.CLOSED:
                return CampaignClosed()
            uses = shard.uses_left or 0 if limited else count
            return BudgetTooSmall(most=min(shard.available // value, uses))

        holds = (ShardItem.state != Switch.CLOSED.value) & (ShardItem.available >= amount)
        if limited:
            holds &= ShardItem.uses_left >= count
        write.update(shard_row(campaign.campaign_id, 0), *added(move), only_if=holds, otherwise=too_small)

    def take_back(self, write: AllOrNothing, coupon: Coupon, after: State) -> None:
        write.update(
            coupon_row(coupon.code_hash),
            CouponItem.state.set(after.value),
            CouponItem.worth.set(0),
            only_if=(CouponItem.state == coupon.state.value) & (CouponItem.worth == coupon.worth),
            otherwise=NotBound,
        )

    def reclaimable(self, until: datetime, limit: int) -> list[tuple[str, datetime, str]]:
        rows = ListedItem.query("RECLAIM", ListedItem.sk < stamp(until), limit=limit, consistent_read=True)
        return [(row.campaign_id, moment(row.sk.partition("#")[0]), row.place or "") for row in rows]

    def reclaim_at(self, write: AllOrNothing, campaign_id: str, at: datetime, place: str = "") -> None:
        row = _listed("RECLAIM", at, campaign_id)
        row.place = place or None
        write.put(row)

    def reclaimed(self, write: AllOrNothing, campaign_id: str, due: datetime) -> None:
        write.delete(_listed("RECLAIM", due, campaign_id))

    # --- for those who check -------------------------------------------------------------------------------

    def coupons_of(self, hashes: Sequence[str]) -> list[Coupon]:
        if not hashes:
            return []
        look = Look()
        rows = [look.row(CouponItem, key.pk, key.sk) for key in map(coupon_row, hashes)]
        look.fetch()
        return [coupon_of(found) for found in (row() for row in rows) if found]

    def uses_of(self, campaign_id: str, customer_ids: Sequence[str]) -> dict[str, int]:
        look = Look()
        keys = {each: uses_row(campaign_id, each) for each in customer_ids}
        rows = {each: look.row(UsesItem, key.pk, key.sk) for each, key in keys.items()}
        if rows:
            look.fetch()
        return {each: int(found.used) for each, row in rows.items() if (found := row())}

    def repair(
        self, write: AllOrNothing, campaign_id: str, shard: int, pot: str, found: Won, amount: Won
    ) -> None:
        column = getattr(ShardItem, pot)
        row = shard_row(campaign_id, shard)
        write.update(row, column.add(amount), only_if=column == found, otherwise=NotAsFound)


def _listed(where: str, at: datetime, campaign_id: str) -> ListedItem:
    return ListedItem(where, f"{stamp(at)}#{campaign_id}", campaign_id=campaign_id)


def _as_seen(campaign: Campaign) -> Condition:
    """Neither switched nor merged since."""
    state, mode = campaign.state.value, campaign.mode.value
    same: Condition = (CampaignItem.state == state) & (CampaignItem.mode == mode)
    return same


def _moved(old: Raw | None) -> Exception:
    return CampaignMoved() if old else UnknownCampaign()


def _holds(shard: Shard) -> Condition:
    """Exactly what was seen."""
    same: Condition = (ShardItem.available == shard.available) & (ShardItem.state == Switch.OPEN.value)
    return same if shard.uses_left is None else same & (ShardItem.uses_left == shard.uses_left)
