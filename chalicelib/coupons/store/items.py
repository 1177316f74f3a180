"""Rows of the table `<stage>-coupons`, each kind under a partition key of its own:

CAMPAIGN#<campaign>            the terms, budget and switch
CAMPAIGNS                      all campaigns, by the time they were made and by id: one row for each
SHARD#<campaign>#<n>           one part of the budget: available, reserved, captured, refunded, uses, switch
COUPON#<code hash>             one coupon; in the index `owner` once it is registered. `tried_<n>`: the last
                               checkout that tried it of those that fall on n, of 16
USES#<campaign>#<customer>     how many of the campaign's coupons the customer uses
BATCH#<campaign>               one row for each batch, by its name: progress of issuing
TARGETS#<campaign>#<batch>     whom the batch's coupons are for
TAKEN#<campaign>#<0..15>       one row for each coupon that a customer took, by its code's hash
TALLY#<campaign>#<0..15>       how many coupons were taken, and came into a box
MEMBER#<customer>              the groups a customer is in
CHANGE#<campaign>#<name>       one top-up or cut, made once
RECLAIM                        campaigns bound at issue, by the time when what is still bound comes back
ASKED#<request>                a keyed request that was carried out
TRIES#<who>#<window>           wrong codes of a customer, or of an address known by its keyed hash, within
                               some seconds and (window h<n>) within an hour; expires

The sort key repeats the kind, where the partition has one row.
"""

import zlib
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError
from pynamodb.attributes import (
    BooleanAttribute,
    ListAttribute,
    NumberAttribute,
    UnicodeAttribute,
    UnicodeSetAttribute,
)
from pynamodb.expressions.update import Action
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex

from chalicelib.coupons.model import (
    LANES,
    AlreadyDone,
    Asked,
    Campaign,
    Coupon,
    CouponMoved,
    Edge,
    Kind,
    Mode,
    Move,
    ReserveAt,
    Scope,
    Shard,
    State,
    Switch,
    Terms,
    Voided,
)
from chalicelib.kernel.aws import client
from chalicelib.kernel.clock import moment, stamp
from chalicelib.kernel.errors import Conflicted
from chalicelib.kernel.tables import BUSY_CODES, AllOrNothing, Item, Raw, table_name

WINDOW_SECONDS = 5
HOUR_SECONDS = 3600
OFFERED = "download"
"""The one partition of the index of campaigns whose coupons customers may take."""
NEVER = "9999"


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
    kinds = UnicodeSetAttribute(null=True)
    plans = UnicodeSetAttribute(null=True)
    groups = UnicodeSetAttribute(null=True)
    reserve_at = UnicodeAttribute()
    at_the_edge = UnicodeAttribute()
    sponsor_id = UnicodeAttribute(null=True)
    sponsor_percent = NumberAttribute()
    download = BooleanAttribute()
    description = UnicodeAttribute(null=True)
    budget = NumberAttribute()
    shards = NumberAttribute()
    request = UnicodeAttribute()
    state = UnicodeAttribute()
    left = NumberAttribute(null=True)
    uses = NumberAttribute(null=True)
    mode = UnicodeAttribute()
    moves = NumberAttribute()
    created_at = UnicodeAttribute(null=True)
    offered = UnicodeAttribute(null=True)
    offered_until = UnicodeAttribute(null=True)


class ListedItem(Item):
    """A campaign in a list of them: all there are, or those that have something to reclaim."""

    class Meta:
        table_name = table_name("coupons")

    campaign_id = UnicodeAttribute()
    place = UnicodeAttribute(null=True)


class ShardItem(Item):
    class Meta:
        table_name = table_name("coupons")

    available = NumberAttribute()
    reserved = NumberAttribute()
    captured = NumberAttribute()
    refunded = NumberAttribute()
    state = UnicodeAttribute()
    uses_left = NumberAttribute(null=True)
    uses_reserved = NumberAttribute()
    uses_captured = NumberAttribute()
    uses_refunded = NumberAttribute()


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
    batch_id = UnicodeAttribute(null=True)
    number = NumberAttribute(null=True)
    voided_at = UnicodeAttribute(null=True)
    voided_by = UnicodeAttribute(null=True)
    void_reason = UnicodeAttribute(null=True)
    worth = NumberAttribute(null=True)
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
    kind = UnicodeAttribute()
    send = BooleanAttribute()
    refused = NumberAttribute()
    request = UnicodeAttribute()
    created_at = UnicodeAttribute(null=True)
    touched_at = UnicodeAttribute(null=True)
    voided = NumberAttribute(null=True)
    voided_at = UnicodeAttribute(null=True)
    voided_by = UnicodeAttribute(null=True)
    void_reason = UnicodeAttribute(null=True)


class TargetsItem(Item):
    class Meta:
        table_name = table_name("coupons")

    customers: ListAttribute[Any] = ListAttribute()


class TakenItem(Item):
    class Meta:
        table_name = table_name("coupons")

    taken_at = UnicodeAttribute()


class TallyItem(Item):
    class Meta:
        table_name = table_name("coupons")

    taken = NumberAttribute(null=True)
    registered = NumberAttribute(null=True)


class MemberItem(Item):
    class Meta:
        table_name = table_name("coupons")

    groups = UnicodeSetAttribute(null=True)


class ChangeItem(Item):
    class Meta:
        table_name = table_name("coupons")

    amount = NumberAttribute()
    uses = NumberAttribute()


class AskedItem(Item):
    class Meta:
        table_name = table_name("coupons")

    what = UnicodeAttribute()


class TriesItem(Item):
    class Meta:
        table_name = table_name("coupons")

    tries = NumberAttribute()
    ttl = NumberAttribute()


def campaign_row(campaign_id: str) -> CampaignItem:
    return CampaignItem(f"CAMPAIGN#{campaign_id}", "CAMPAIGN")


def shard_row(campaign_id: str, shard: int) -> ShardItem:
    return ShardItem(f"SHARD#{campaign_id}#{shard}", "SHARD")


def uses_row(campaign_id: str, customer_id: str) -> UsesItem:
    return UsesItem(f"USES#{campaign_id}#{customer_id}", "USES")


def coupon_row(code_hash: str) -> CouponItem:
    return CouponItem(f"COUPON#{code_hash}", "COUPON")


def batch_row(campaign_id: str, batch_id: str) -> BatchItem:
    return BatchItem(f"BATCH#{campaign_id}", batch_id)


def new_coupon(coupon: Coupon, batch_id: str, at: datetime) -> CouponItem:
    """As it is issued; `at`: when it comes into its owner's box, if it has one."""
    row = coupon_row(coupon.code_hash)
    row.campaign_id, row.code_hash, row.state = coupon.campaign_id, coupon.code_hash, coupon.state.value
    row.batch_id, row.worth = batch_id, coupon.worth
    if coupon.owner is not None:
        row.owner, row.coupon_id, row.registered_at = coupon.owner, coupon.coupon_id, stamp(at)
    return row


def add_void(write: AllOrNothing, coupon: Coupon, done: Voided) -> None:
    """One that a checkout has stays with it, and is never used again. CouponMoved unless it is as seen."""
    as_read = CouponItem.state == coupon.state.value
    changes: list[Action] = []
    if coupon.state is not State.USED:
        changes.append(CouponItem.state.set(State.VOID.value))
    if coupon.state is not State.USED and coupon.worth is not None:
        as_read &= CouponItem.worth == coupon.worth
        changes.append(CouponItem.worth.set(0))
    write.update(
        coupon_row(coupon.code_hash),
        *changes,
        CouponItem.voided_at.set(stamp(done.at)),
        CouponItem.voided_by.set(done.by),
        CouponItem.void_reason.set(done.reason),
        only_if=as_read,
        otherwise=CouponMoved,
    )


def voided_of(row: "CouponItem | BatchItem") -> Voided | None:
    if row.voided_at is None or row.voided_by is None:
        return None
    return Voided(moment(row.voided_at), row.voided_by, row.void_reason or "")


def member_row(customer_id: str) -> MemberItem:
    return MemberItem(f"MEMBER#{customer_id}", "MEMBER")


def lane_of(code_hash: str) -> int:
    return zlib.crc32(code_hash.encode()) % LANES


def tally_row(campaign_id: str, lane: int) -> TallyItem:
    return TallyItem(f"TALLY#{campaign_id}#{lane}", "TALLY")


def tries_rows(who: str, at: datetime) -> tuple[TriesItem, TriesItem]:
    """Those of some seconds and of an hour."""
    seconds = int(at.timestamp())
    windows = (str(seconds // WINDOW_SECONDS), f"h{seconds // HOUR_SECONDS}")
    short, long = (TriesItem(f"TRIES#{who}#{window}", "TRIES") for window in windows)
    return short, long


def _whole(number: float | None) -> int | None:
    return None if number is None else int(number)


def _stamp(at: datetime | None) -> str | None:
    return None if at is None else stamp(at)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else moment(text)


def stored(campaign: Campaign) -> CampaignItem:
    row, terms = campaign_row(campaign.campaign_id), campaign.terms
    row.name, row.kind, row.value = terms.name, terms.kind.value, terms.value
    row.max_discount, row.min_order = terms.max_discount, terms.min_order
    row.per_user_limit = terms.per_user_limit
    row.kinds, row.plans, row.groups = map(set, (terms.scope.kinds, terms.scope.plans, terms.scope.groups))
    row.opens_at, row.closes_at = _stamp(terms.opens_at), _stamp(terms.closes_at)
    row.reserve_at, row.at_the_edge = terms.reserve_at.value, terms.at_the_edge.value
    row.sponsor_id, row.sponsor_percent = terms.sponsor_id, terms.sponsor_percent
    row.download, row.description = terms.download, terms.description or None
    if terms.download:
        row.offered, row.offered_until = OFFERED, _stamp(terms.closes_at) or NEVER
    row.budget, row.shards, row.request = campaign.budget, campaign.shards, campaign.request
    row.state, row.left = campaign.state.value, campaign.left
    row.uses, row.mode, row.moves = campaign.uses, campaign.mode.value, campaign.moves
    row.created_at = _stamp(campaign.created_at)
    return row


def campaign_of(row: CampaignItem) -> Campaign:
    terms = Terms(
        name=row.name,
        kind=Kind(row.kind),
        value=int(row.value),
        max_discount=_whole(row.max_discount),
        min_order=int(row.min_order),
        per_user_limit=_whole(row.per_user_limit),
        opens_at=_moment(row.opens_at),
        closes_at=_moment(row.closes_at),
        scope=Scope(*(frozenset(names or ()) for names in (row.kinds, row.plans, row.groups))),
        reserve_at=ReserveAt(row.reserve_at),
        at_the_edge=Edge(row.at_the_edge),
        sponsor_id=row.sponsor_id,
        sponsor_percent=int(row.sponsor_percent),
        download=row.download,
        description=row.description or "",
    )
    return Campaign(
        campaign_id=row.pk.removeprefix("CAMPAIGN#"),
        terms=terms,
        budget=int(row.budget),
        shards=int(row.shards),
        request=row.request,
        state=Switch(row.state),
        left=_whole(row.left),
        uses=_whole(row.uses),
        mode=Mode(row.mode),
        moves=int(row.moves),
        created_at=_moment(row.created_at),
    )


def shard_of(row: ShardItem) -> Shard:
    return Shard(
        available=int(row.available),
        reserved=int(row.reserved),
        captured=int(row.captured),
        refunded=int(row.refunded),
        state=Switch(row.state),
        uses_left=_whole(row.uses_left),
        uses_reserved=int(row.uses_reserved),
        uses_captured=int(row.uses_captured),
        uses_refunded=int(row.uses_refunded),
    )


def added(move: Move) -> list[Action]:
    return [getattr(ShardItem, pot).add(amount) for pot, amount in move.pots.items()]


def coupon_of(row: CouponItem) -> Coupon:
    state, worth = State(row.state), _whole(row.worth)
    doomed = row.voided_at is not None and state is not State.VOID
    return Coupon(row.campaign_id, row.code_hash, state, row.owner, row.used_by, worth, doomed)


def add_asked(write: AllOrNothing, asked: Asked) -> None:
    row = AskedItem(f"ASKED#{asked.request_id}", "ASKED", what=asked.what)
    write.put(row, only_if=AskedItem.pk.does_not_exist(), otherwise=AlreadyDone)


def together(*rows: Item) -> list[Raw]:
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
    for row, response in zip(rows, answer["Responses"], strict=True):
        if "Item" not in response:
            raise LookupError(row.pk)
    return [response["Item"] for response in answer["Responses"]]
