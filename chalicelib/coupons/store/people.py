"""Groups of customers, and all that is known of one coupon, on DynamoDB."""

from collections.abc import Sequence
from typing import Any

from pynamodb.expressions.condition import size

from chalicelib.coupons.model import Asked, Coupon, Record, TooManyGroups, Voided
from chalicelib.coupons.store.items import (
    CouponItem,
    MemberItem,
    add_asked,
    add_void,
    coupon_of,
    coupon_row,
    member_row,
    voided_of,
)
from chalicelib.kernel.aws import client
from chalicelib.kernel.clock import moment
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.tables import AllOrNothing, Look, Raw

MOST_GROUPS = 50
MOST_IN_A_LOOK = 100


class PeopleStore:
    def change_group(self, name: str, customers: Sequence[str], *, joins: bool) -> None:
        write = AllOrNothing()
        for customer in customers:
            if joins:
                groups = MemberItem.groups
                few = groups.does_not_exist() | groups.contains(name) | (size(groups) < MOST_GROUPS)  # type: ignore[no-untyped-call]
                write.update(member_row(customer), groups.add({name}), only_if=few, otherwise=TooManyGroups)
            else:
                write.update(member_row(customer), MemberItem.groups.delete({name}))
        write.commit()

    def groups(self, customers: Sequence[str]) -> dict[str, frozenset[str]]:
        found: dict[str, frozenset[str]] = {}
        for first in range(0, len(customers), MOST_IN_A_LOOK):
            look, some = Look(), customers[first : first + MOST_IN_A_LOOK]
            rows = [look.row(MemberItem, (key := member_row(each)).pk, key.sk) for each in some]
            look.fetch()
            for customer, row in zip(some, rows, strict=True):
                member = row()
                found[customer] = frozenset(member.groups or ()) if member else frozenset()
        return found

    def record(self, code_hash: str) -> Record | None:
        key = coupon_row(code_hash)
        answer = client("dynamodb").get_item(
            TableName=CouponItem.Meta.table_name,
            Key={"pk": {"S": key.pk}, "sk": {"S": key.sk}},
            ConsistentRead=True,
        )
        return _record(answer["Item"]) if "Item" in answer else None

    def records(self, owner: str, limit: int, after: str | None) -> tuple[list[Record], str | None]:
        asked: dict[str, Any] = {
            "TableName": CouponItem.Meta.table_name,
            "IndexName": "owner",
            "KeyConditionExpression": "#owner = :owner AND coupon_id > :after",
            "ExpressionAttributeNames": {"#owner": "owner"},
            "ExpressionAttributeValues": {":owner": {"S": owner}, ":after": {"S": after or " "}},
            "Limit": limit,
        }
        answer = client("dynamodb").query(**asked)
        records = [_record(row) for row in answer["Items"]]
        more = "LastEvaluatedKey" in answer
        return records, records[-1].coupon.coupon_id if records and more else None

    def void(self, write: AllOrNothing, coupon: Coupon, done: Voided, asked: Asked, fact: Fact) -> None:
        add_asked(write, asked)
        add_void(write, coupon, done)
        write.fact(CouponItem, fact)


def _record(raw: Raw) -> Record:
    row = CouponItem.from_raw_data(raw)
    return Record(
        coupon=coupon_of(row),
        batch_id=row.batch_id,
        number=None if row.number is None else int(row.number),
        registered_at=moment(row.registered_at) if row.registered_at else None,
        tried=tuple(sorted(value["S"] for name, value in raw.items() if name.startswith("tried_"))),
        voided=voided_of(row),
    )
