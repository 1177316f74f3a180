"""Customers' coupons on DynamoDB."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from pynamodb.expressions.update import Action

from chalicelib.coupons.model import AlreadyDone, Asked, CodeRefused, Coupon, State, TooManyCodes
from chalicelib.coupons.store.items import (
    HOUR_SECONDS,
    OFFERED,
    WINDOW_SECONDS,
    CampaignItem,
    CouponItem,
    MemberItem,
    TakenItem,
    TallyItem,
    TriesItem,
    add_asked,
    coupon_of,
    coupon_row,
    lane_of,
    member_row,
    new_coupon,
    tally_row,
    tries_rows,
)
from chalicelib.kernel.aws import client
from chalicelib.kernel.clock import stamp
from chalicelib.kernel.tables import AllOrNothing, Look, Raw

TRIES_ALLOWED = 5
TRIES_IN_AN_HOUR = 10
CUSTOMERS_NEAR = 10
"""An address may fail as often as so many customers: one alone must not stop all of a carrier's."""
TRIES_KEPT_SECONDS = 2 * HOUR_SECONDS


class BoxStore:
    def coupon(self, code_hash: str) -> Coupon | None:
        key = coupon_row(code_hash)
        row = CouponItem.load(key.pk, key.sk)
        return coupon_of(row) if row else None

    def look(self, code_hash: str, customer_id: str) -> tuple[Coupon | None, frozenset[str]]:
        (coupon,), groups = self.standing(customer_id, [code_hash])
        return coupon, groups

    def standing(self, customer_id: str, hashes: Sequence[str]) -> tuple[list[Coupon | None], frozenset[str]]:
        look, key = Look(), member_row(customer_id)
        member = look.row(MemberItem, key.pk, key.sk)
        rows = [look.row(CouponItem, (row := coupon_row(each)).pk, row.sk) for each in hashes]
        look.fetch()
        coupons = [coupon_of(found) if (found := row()) else None for row in rows]
        return coupons, _groups(member())

    # --- limits --------------------------------------------------------------------------------------------

    def count_try(self, customer_id: str, near: str | None, at: datetime) -> None:
        if near is not None:
            self._refuse_known(near, at)
        write = AllOrNothing()
        for row, most, seconds in _limits(customer_id, at):
            few = TriesItem.tries.does_not_exist() | (TriesItem.tries < most)
            write.update(row, *_one_more(at), only_if=few, otherwise=_too_many(seconds))
        write.commit()

    def _refuse_known(self, near: str, at: datetime) -> None:
        look = Look()
        limits = [(look.row(TriesItem, row.pk, row.sk), most, wait) for row, most, wait in _limits(near, at)]
        look.fetch()
        for found, most, wait in limits:
            if (row := found()) and row.tries >= most * CUSTOMERS_NEAR:
                raise TooManyCodes(retry_after=wait)

    def count_failure(self, near: str, at: datetime) -> None:
        write = AllOrNothing()
        for row, *_ in _limits(near, at):
            write.update(row, *_one_more(at))
        write.commit()

    def forgive_try(self, customer_id: str, at: datetime) -> None:
        write = AllOrNothing()
        self._add_forgiving(write, customer_id, at)
        write.commit()

    def _add_forgiving(self, write: AllOrNothing, customer_id: str, at: datetime) -> None:
        for row in tries_rows(customer_id, at):
            write.update(row, TriesItem.tries.add(-1))

    # --- into the box --------------------------------------------------------------------------------------

    def register(self, coupon: Coupon, asked: Asked, at: datetime) -> None:
        owner = str(coupon.owner)

        def taken(old: Raw | None) -> Exception:
            found = old and coupon_of(CouponItem.from_raw_data(old))
            return AlreadyDone() if found == coupon else CodeRefused("RACE", coupon.coupon_id)

        write = AllOrNothing()
        add_asked(write, asked)
        write.update(
            coupon_row(coupon.code_hash),
            CouponItem.state.set(coupon.state.value),
            CouponItem.owner.set(owner),
            CouponItem.coupon_id.set(coupon.coupon_id),
            CouponItem.registered_at.set(stamp(at)),
            only_if=CouponItem.state == State.ISSUED.value,
            otherwise=taken,
        )
        self._add_forgiving(write, owner, at)
        tally = tally_row(coupon.campaign_id, lane_of(coupon.code_hash))
        write.update(tally, TallyItem.registered.add(1))
        write.commit()

    def take(self, write: AllOrNothing, coupon: Coupon, batch_id: str, at: datetime) -> None:
        row, lane = new_coupon(coupon, batch_id, at), lane_of(coupon.code_hash)
        write.put(row, only_if=CouponItem.pk.does_not_exist(), otherwise=AlreadyDone)
        write.put(TakenItem(f"TAKEN#{coupon.campaign_id}#{lane}", coupon.code_hash, taken_at=stamp(at)))
        tally = tally_row(coupon.campaign_id, lane)
        write.update(tally, TallyItem.taken.add(1), TallyItem.registered.add(1))

    def owned(self, owner: str, limit: int, after: str | None) -> tuple[list[Coupon], str | None]:
        start = None
        if after is not None:
            key = coupon_row(after.rpartition(".")[2])
            row = {"owner": owner, "coupon_id": after, "pk": key.pk, "sk": key.sk}
            start = {name: {"S": text} for name, text in row.items()}
        found = CouponItem.owned.query(owner, limit=limit, page_size=limit, last_evaluated_key=start)
        coupons = [coupon_of(row) for row in found]
        last = found.last_evaluated_key
        return coupons, last["coupon_id"]["S"] if last else None

    def offered(self, at: datetime, limit: int) -> list[str]:
        answer = client("dynamodb").query(
            TableName=CampaignItem.Meta.table_name,
            IndexName="offered",
            KeyConditionExpression="offered = :offered AND offered_until > :now",
            ExpressionAttributeValues={":offered": {"S": OFFERED}, ":now": {"S": stamp(at)}},
            Limit=limit,
        )
        return [row["pk"]["S"].removeprefix("CAMPAIGN#") for row in answer["Items"]]


def _groups(row: MemberItem | None) -> frozenset[str]:
    return frozenset(row.groups or ()) if row else frozenset()


def _limits(who: str, at: datetime) -> Iterator[tuple[TriesItem, int, int]]:
    """Rows, how many tries each takes, and in how many seconds there are new ones."""
    short, long = tries_rows(who, at)
    yield short, TRIES_ALLOWED, WINDOW_SECONDS
    yield long, TRIES_IN_AN_HOUR, HOUR_SECONDS - int(at.timestamp()) % HOUR_SECONDS


def _one_more(at: datetime) -> tuple[Action, Action]:
    return TriesItem.tries.add(1), TriesItem.ttl.set(int(at.timestamp()) + TRIES_KEPT_SECONDS)


def _too_many(seconds: int) -> Callable[[Raw | None], Exception]:
    return lambda _: TooManyCodes(retry_after=seconds)
