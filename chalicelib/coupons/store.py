"""Rows of the table `<stage>-coupons`, each kind under a partition key of its own:

CAMPAIGN#<campaign>            the terms, budget and switch
SHARD#<campaign>#<n>           one part of the budget: available, reserved, captured, refunded, switch
COUPON#<code hash>             one coupon; in the index `owner` once it is registered
USES#<campaign>#<customer>     how many of the campaign's coupons the customer uses
BATCH#<campaign>#<batch>       progress of issuing
TOPUP#<campaign>#<top-up>      one top-up, made once
ASKED#<request>                a keyed request that was carried out
TRIES#<customer>#<window>      wrong codes within some seconds; expires

The sort key repeats the kind.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError
from pynamodb.attributes import NumberAttribute, UnicodeAttribute, UnicodeSetAttribute
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex

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
    Kind,
    ReserveAt,
    Shard,
    ShardShort,
    Snapshot,
    Split,
    State,
    Switch,
    Terms,
    TooManyCodes,
    UnknownCampaign,
    UnknownCoupon,
    UserLimitReached,
)
from chalicelib.kernel.aws import client
from chalicelib.kernel.clock import moment, stamp
from chalicelib.kernel.errors import Conflicted
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.money import Won
from chalicelib.kernel.tables import BUSY_CODES, AllOrNothing, Item, Raw, table_name

TRIES_ALLOWED = 5
WINDOW_SECONDS = 5
TRIES_KEPT_SECONDS = 3600


class CampaignItem(Item):
    class Meta:
        table_name = table_name("coupons")

    name = UnicodeAttribute()
    kind = UnicodeAttribute()
    value = NumberAttribute()
    max_discount = NumberAttribute(null=True)
    min_order = NumberAttribute()
    per_user_limit = NumberAttribute(null=True)
    opens_at = UnicodeAttribute(null=True)
    closes_at = UnicodeAttribute(null=True)
    scope = UnicodeSetAttribute()
    reserve_at = UnicodeAttribute()
    budget = NumberAttribute()
    shards = NumberAttribute()
    request = UnicodeAttribute()
    state = UnicodeAttribute()
    left = NumberAttribute(null=True)


class ShardItem(Item):
    class Meta:
        table_name = table_name("coupons")

    available = NumberAttribute()
    reserved = NumberAttribute()
    captured = NumberAttribute()
    refunded = NumberAttribute()
    state = UnicodeAttribute()


class OwnerIndex(GlobalSecondaryIndex["CouponItem"]):  # type: ignore[no-untyped-call]
    class Meta:
        index_name = "owner"
        projection = AllProjection()

    owner = UnicodeAttribute(hash_key=True)
    coupon_id = UnicodeAttribute(range_key=True)


class CouponItem(Item):
    class Meta:
        table_name = table_name("coupons")

    campaign_id = UnicodeAttribute()
    code_hash = UnicodeAttribute()
    state = UnicodeAttribute()
    owner = UnicodeAttribute(null=True)
    coupon_id = UnicodeAttribute(null=True)
    registered_at = UnicodeAttribute(null=True)
    used_by = UnicodeAttribute(null=True)
    owned = OwnerIndex()


class UsesItem(Item):
    class Meta:
        table_name = table_name("coupons")

    used = NumberAttribute()


class BatchItem(Item):
    class Meta:
        table_name = table_name("coupons")

    campaign_id = UnicodeAttribute()
    batch_id = UnicodeAttribute()
    size = NumberAttribute()
    issued = NumberAttribute()


class TopUpItem(Item):
    class Meta:
        table_name = table_name("coupons")

    amount = NumberAttribute()


class AskedItem(Item):
    class Meta:
        table_name = table_name("coupons")

    what = UnicodeAttribute()


class TriesItem(Item):
    class Meta:
        table_name = table_name("coupons")

    tries = NumberAttribute()
    ttl = NumberAttribute()


def _campaign_row(campaign_id: str) -> CampaignItem:
    return CampaignItem(f"CAMPAIGN#{campaign_id}", "CAMPAIGN")


def _shard_row(campaign_id: str, shard: int) -> ShardItem:
    return ShardItem(f"SHARD#{campaign_id}#{shard}", "SHARD")


def _coupon_row(code_hash: str) -> CouponItem:
    return CouponItem(f"COUPON#{code_hash}", "COUPON")


def _batch_row(campaign_id: str, batch_id: str) -> BatchItem:
    return BatchItem(f"BATCH#{campaign_id}#{batch_id}", "BATCH")


def _tries_row(customer_id: str, at: datetime) -> TriesItem:
    return TriesItem(f"TRIES#{customer_id}#{int(at.timestamp()) // WINDOW_SECONDS}", "TRIES")


def _whole(number: float | None) -> int | None:
    return None if number is None else int(number)


def _stamp(at: datetime | None) -> str | None:
    return None if at is None else stamp(at)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else moment(text)


def _stored(campaign: Campaign) -> CampaignItem:
    row, terms = _campaign_row(campaign.campaign_id), campaign.terms
    row.name, row.kind, row.value = terms.name, terms.kind.value, terms.value
    row.max_discount, row.min_order = terms.max_discount, terms.min_order
    row.per_user_limit, row.scope = terms.per_user_limit, set(terms.scope)
    row.opens_at, row.closes_at = _stamp(terms.opens_at), _stamp(terms.closes_at)
    row.reserve_at = terms.reserve_at.value
    row.budget, row.shards, row.request = campaign.budget, campaign.shards, campaign.request
    row.state, row.left = campaign.state.value, campaign.left
    return row


def _campaign(row: CampaignItem) -> Campaign:
    terms = Terms(
        name=row.name,
        kind=Kind(row.kind),
        value=int(row.value),
        max_discount=_whole(row.max_discount),
        min_order=int(row.min_order),
        per_user_limit=_whole(row.per_user_limit),
        opens_at=_moment(row.opens_at),
        closes_at=_moment(row.closes_at),
        scope=frozenset(row.scope),
        reserve_at=ReserveAt(row.reserve_at),
    )
    return Campaign(
        campaign_id=row.pk.removeprefix("CAMPAIGN#"),
        terms=terms,
        budget=int(row.budget),
        shards=int(row.shards),
        request=row.request,
        state=Switch(row.state),
        left=_whole(row.left),
    )


def _shard(row: ShardItem) -> Shard:
    return Shard(
        int(row.available), int(row.reserved), int(row.captured), int(row.refunded), Switch(row.state)
    )


def _coupon(row: CouponItem) -> Coupon:
    return Coupon(row.campaign_id, row.code_hash, State(row.state), row.owner, row.used_by)


class CouponStore:
    """The store of `service.Store` on DynamoDB."""

    def create(self, campaign: Campaign, budgets: Sequence[Won], fact: Fact) -> None:
        write = AllOrNothing()
        write.put(_stored(campaign), only_if=CampaignItem.pk.does_not_exist(), otherwise=AlreadyDone)
        for shard, budget in enumerate(budgets):
            row = _shard_row(campaign.campaign_id, shard)
            row.available, row.reserved, row.captured, row.refunded = budget, 0, 0, 0
            row.state = Switch.OPEN.value
            write.put(row, only_if=ShardItem.pk.does_not_exist(), otherwise=AlreadyDone)
        write.fact(CampaignItem, fact)
        write.commit()

    def campaign(self, campaign_id: str) -> Campaign | None:
        key = _campaign_row(campaign_id)
        row = CampaignItem.load(key.pk, key.sk)
        return _campaign(row) if row else None

    def snapshot(self, campaign: Campaign) -> Snapshot:
        shards = [_shard_row(campaign.campaign_id, shard) for shard in range(campaign.shards)]
        first, *rest = _together(_campaign_row(campaign.campaign_id), *shards)
        return Snapshot(
            _campaign(CampaignItem.from_raw_data(first)),
            tuple(_shard(ShardItem.from_raw_data(row)) for row in rest),
        )

    def switch(self, campaign: Campaign, state: Switch) -> None:
        write = AllOrNothing()
        for row in self._all_rows(campaign):
            there = type(row).pk.exists()
            write.update(row, type(row).state.set(state.value), only_if=there, otherwise=UnknownCampaign)
        write.commit()

    def _all_rows(self, campaign: Campaign) -> list[Any]:
        shards = [_shard_row(campaign.campaign_id, shard) for shard in range(campaign.shards)]
        return [_campaign_row(campaign.campaign_id), *shards]

    def top_up(self, campaign: Campaign, top_up_id: str, parts: Sequence[Won], asked: Asked) -> None:
        first, *shards = self._all_rows(campaign)
        marker = TopUpItem(f"TOPUP#{campaign.campaign_id}#{top_up_id}", "TOPUP", amount=sum(parts))
        write = AllOrNothing()
        self._add_asked(write, asked)
        write.put(marker, only_if=TopUpItem.pk.does_not_exist(), otherwise=AlreadyDone)
        more = (CampaignItem.budget.add(sum(parts)), CampaignItem.left.remove())
        write.update(first, *more, only_if=CampaignItem.pk.exists(), otherwise=UnknownCampaign)
        for row, part in zip(shards, parts, strict=True):
            there = ShardItem.pk.exists()
            write.update(row, ShardItem.available.add(part), only_if=there, otherwise=UnknownCampaign)
        write.commit()

    def topped_up(self, campaign_id: str, top_up_id: str) -> Won | None:
        row = TopUpItem.load(f"TOPUP#{campaign_id}#{top_up_id}", "TOPUP")
        return int(row.amount) if row else None

    def note_left(self, campaign: Campaign, left: Won) -> None:
        write = AllOrNothing(attempts=1)
        write.update(
            _campaign_row(campaign.campaign_id),
            CampaignItem.left.set(left),
            only_if=(CampaignItem.budget == campaign.budget)
            & (CampaignItem.left.does_not_exist() | (CampaignItem.left > left)),
            otherwise=AlreadyDone,
        )
        try:
            write.commit()
        except (AlreadyDone, Conflicted):
            return  # somebody knows better, or somebody else will note it

    def asked(self, request_id: str) -> Asked | None:
        row = AskedItem.load(f"ASKED#{request_id}", "ASKED")
        return Asked(request_id, row.what) if row else None

    def _add_asked(self, write: AllOrNothing, asked: Asked) -> None:
        row = AskedItem(f"ASKED#{asked.request_id}", "ASKED", what=asked.what)
        write.put(row, only_if=AskedItem.pk.does_not_exist(), otherwise=AlreadyDone)

    # --- codes ---------------------------------------------------------------------------------------------

    def request(self, batch: Batch, asked: Asked, fact: Fact) -> None:
        row = _batch_row(batch.campaign_id, batch.batch_id)
        row.campaign_id, row.batch_id = batch.campaign_id, batch.batch_id
        row.size, row.issued = batch.count, batch.issued
        write = AllOrNothing()
        self._add_asked(write, asked)
        write.put(row, only_if=BatchItem.pk.does_not_exist(), otherwise=AlreadyDone)
        write.fact(BatchItem, fact)
        write.commit()

    def batch(self, campaign_id: str, batch_id: str) -> Batch | None:
        key = _batch_row(campaign_id, batch_id)
        row = BatchItem.load(key.pk, key.sk)
        return Batch(row.campaign_id, row.batch_id, int(row.size), int(row.issued)) if row else None

    def issue(self, batch: Batch, hashes: Sequence[str]) -> None:
        write = AllOrNothing()
        write.update(
            _batch_row(batch.campaign_id, batch.batch_id),
            BatchItem.issued.add(len(hashes)),
            only_if=BatchItem.issued == batch.issued,
            otherwise=BatchMoved,
        )
        for code_hash in hashes:
            row = _coupon_row(code_hash)
            row.campaign_id, row.code_hash, row.state = batch.campaign_id, code_hash, State.ISSUED.value
            write.put(row, only_if=CouponItem.pk.does_not_exist(), otherwise=CodeTaken)
        write.commit()

    # --- my coupons ----------------------------------------------------------------------------------------

    def coupon(self, code_hash: str) -> Coupon | None:
        key = _coupon_row(code_hash)
        row = CouponItem.load(key.pk, key.sk)
        return _coupon(row) if row else None

    def count_try(self, customer_id: str, at: datetime) -> None:
        write = AllOrNothing()
        write.update(
            _tries_row(customer_id, at),
            TriesItem.tries.add(1),
            TriesItem.ttl.set(int(at.timestamp()) + TRIES_KEPT_SECONDS),
            only_if=TriesItem.tries.does_not_exist() | (TriesItem.tries < TRIES_ALLOWED),
            otherwise=lambda _: TooManyCodes(retry_after=WINDOW_SECONDS),
        )
        write.commit()

    def forgive_try(self, customer_id: str, at: datetime) -> None:
        write = AllOrNothing()
        self._add_forgiving(write, customer_id, at)
        write.commit()

    def _add_forgiving(self, write: AllOrNothing, customer_id: str, at: datetime) -> None:
        write.update(_tries_row(customer_id, at), TriesItem.tries.add(-1))

    def register(self, coupon: Coupon, asked: Asked, at: datetime) -> None:
        owner = str(coupon.owner)

        def taken(old: Raw | None) -> Exception:
            found = old and _coupon(CouponItem.from_raw_data(old))
            return AlreadyDone() if found == coupon else CodeRefused()

        write = AllOrNothing()
        self._add_asked(write, asked)
        write.update(
            _coupon_row(coupon.code_hash),
            CouponItem.state.set(coupon.state.value),
            CouponItem.owner.set(owner),
            CouponItem.coupon_id.set(coupon.coupon_id),
            CouponItem.registered_at.set(stamp(at)),
            only_if=CouponItem.state == State.ISSUED.value,
            otherwise=taken,
        )
        self._add_forgiving(write, owner, at)
        write.commit()

    def owned(self, owner: str, limit: int, after: str | None) -> tuple[list[Coupon], str | None]:
        start = None
        if after is not None:
            key = _coupon_row(after.rpartition(".")[2])
            row = {"owner": owner, "coupon_id": after, "pk": key.pk, "sk": key.sk}
            start = {name: {"S": text} for name, text in row.items()}
        found = CouponItem.owned.query(owner, limit=limit, page_size=limit, last_evaluated_key=start)
        coupons = [_coupon(row) for row in found]
        last = found.last_evaluated_key
        return coupons, last["coupon_id"]["S"] if last else None

    # --- for the checkout ----------------------------------------------------------------------------------

    def hold(self, write: AllOrNothing, used: Coupon, per_user_limit: int | None, split: Split) -> None:
        customer = str(used.owner)

        def not_there(old: Raw | None) -> Exception:
            found = old and _coupon(CouponItem.from_raw_data(old))
            if not found or (found.owner, found.campaign_id) != (customer, used.campaign_id):
                return UnknownCoupon()
            return CouponUsed()

        write.update(
            _coupon_row(used.code_hash),
            CouponItem.state.set(State.USED.value),
            CouponItem.used_by.set(str(used.used_by)),
            only_if=(CouponItem.state == State.REGISTERED.value)
            & (CouponItem.owner == customer)
            & (CouponItem.campaign_id == used.campaign_id),
            otherwise=not_there,
        )
        if per_user_limit is not None:
            uses = UsesItem(f"USES#{used.campaign_id}#{customer}", "USES")
            below = UsesItem.used.does_not_exist() | (UsesItem.used < per_user_limit)
            write.update(uses, UsesItem.used.add(1), only_if=below, otherwise=UserLimitReached)
        for shard, part in split:
            self._add_debit(write, _shard_row(used.campaign_id, shard), part)

    def _add_debit(self, write: AllOrNothing, row: ShardItem, part: Won) -> None:
        def short(old: Raw | None) -> Exception:
            paused = old and ShardItem.from_raw_data(old).state == Switch.PAUSED.value
            return CampaignPaused() if paused else ShardShort()

        write.update(
            row,
            ShardItem.available.add(-part),
            ShardItem.reserved.add(part),
            only_if=(ShardItem.state == Switch.OPEN.value) & (ShardItem.available >= part),
            otherwise=short,
        )


def _together(*rows: Item) -> list[Raw]:
    """The rows as they stood at one instant. Conflicted when a writer held one of them."""
    gets = [
        {"Get": {"TableName": row.Meta.table_name, "Key": {"pk": {"S": row.pk}, "sk": {"S": row.sk}}}}
        for row in rows
    ]
    try:
        answer = client("dynamodb").transact_get_items(TransactItems=gets)
    except ClientError as error:
        reasons: list[dict[str, Any]] = error.response.get("CancellationReasons", [])  # type: ignore[assignment]
        codes = {error.response["Error"]["Code"], *(reason.get("Code") for reason in reasons)}
        if codes & BUSY_CODES:
            raise Conflicted() from error
        raise
    return [response["Item"] for response in answer["Responses"]]
