"""Nothing of a real sale can be wrong in one row without that row's being named."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from unittest.mock import ANY

import pytest
import time_machine
from msgspec.structs import replace

from chalicelib import wiring
from chalicelib.kernel import aws
from tests.api import Api
from tests.conftest import NOON
from tests.ledger.story import Story, reconciled, rows

Row = dict[str, Any]


@pytest.fixture
def story(api: Api) -> Iterator[Story]:
    with time_machine.travel(NOON, tick=False):
        yield Story(api)


def found(story: Story) -> list[tuple[str, int]]:
    later = NOON + timedelta(hours=1)  # nothing is under way any more
    runs = replace(wiring.ledger_runs(), now=lambda: later, pause=lambda _: None)
    differences = runs.look(story.campaign_id, full=True).found
    return [(each.item, each.amount) for each in differences]


def put(context: str, row: Row) -> None:
    aws.client("dynamodb").put_item(TableName=f"test-{context}", Item=row)


def of(context: str, start: str) -> list[Row]:
    return [row for row in rows(context) if row["pk"]["S"].startswith(start)]


def changes(story: Story) -> Iterator[tuple[str, Row, Row, str, int | None]]:
    """(table, row, the row made wrong, the name it has in a difference, by how much)."""
    shard = next(row for row in of("coupons", "SHARD#") if row["reserved"]["N"] == "5000")
    for pot, sign in (("available", 1), ("reserved", 1), ("captured", 1), ("refunded", -1)):
        wrong = shard | {pot: {"N": str(int(shard[pot]["N"]) + 137)}}
        yield "coupons", shard, wrong, f"shard {shard['pk']['S']}", sign * 137
    for pot, sign in (("uses_reserved", 1), ("uses_captured", 1), ("uses_refunded", -1)):
        wrong = shard | {pot: {"N": str(int(shard[pot]["N"]) + 3)}}
        yield "coupons", shard, wrong, f"shard {shard['pk']['S']}", sign * 3
    yield "coupons", shard, shard | {"state": {"S": "PAUSED"}}, f"shard {shard['pk']['S']}", 0
    (campaign,) = of("coupons", f"CAMPAIGN#{story.campaign_id}")
    yield "coupons", campaign, campaign | {"state": {"S": "CLOSED"}}, f"campaign {campaign['pk']['S']}", 0
    limit = {"uses": {"N": str(int(campaign["uses"]["N"]) + 1)}}
    yield "coupons", campaign, campaign | limit, f"campaign {campaign['pk']['S']}", 1
    budget = {"budget": {"N": str(int(campaign["budget"]["N"]) + 137)}}
    yield "coupons", campaign, campaign | budget, f"campaign {campaign['pk']['S']}", -137
    coupons = {row["coupon_id"]["S"]: row for row in of("coupons", "COUPON#")}
    used, free = coupons[story.coupons[0]], coupons[story.coupons[1]]
    yield "coupons", used, used | {"state": {"S": "REGISTERED"}}, f"coupon {story.coupons[0]}", 5_000
    yield "coupons", used, used | {"used_by": {"S": "chk_x"}}, f"coupon {story.coupons[0]}", 5_000
    yield "coupons", free, free | {"state": {"S": "USED"}}, f"coupon {story.coupons[1]}", 5_000
    (uses,) = of("coupons", "USES#")
    yield "coupons", uses, uses | {"used": {"N": "3"}}, f"uses {uses['pk']['S']}", 1
    for name in ("captured", "reserved"):
        (record,) = of("checkout", f"CHECKOUT#{story.checkouts[name]}")
        item = f"checkout {record['pk']['S']}"
        for field, value in (("discount", {"N": "4863"}), ("state", {"S": "CANCELLED"})):
            yield "checkout", record, record | {field: value}, item, None
        split = {"split": {"S": record["split"]["S"].replace("5000", "4863")}}
        yield "checkout", record, record | split, item, None
        yield "checkout", record, record | {"customer_id": {"S": "lee"}}, item, None
        yield "checkout", record, record | {"points_used": {"N": "9"}}, item, None
        for coupon_id in ("x", record["coupon_id"]["S"].replace(story.campaign_id, "cmp_x")):
            yield "checkout", record, record | {"coupon_id": {"S": coupon_id}}, item, None
        other = "REFUNDED" if name == "captured" else "CAPTURING"
        yield "checkout", record, record | {"state": {"S": other}}, item, None
    (wallet,) = (row for row in of("points", "WALLET#") if row["sk"]["S"] == "WALLET")
    purse = "wallet kim WALLET"
    yield "points", wallet, wallet | {"debt": {"N": "37"}}, purse, 37
    lots = wallet["lots"]["S"].replace("48600", "48637")
    yield "points", wallet, wallet | {"lots": {"S": lots}}, purse, 37
    held = wallet["held"]["S"].replace(story.checkouts["reserved"], "chk_x")
    yield "points", wallet, wallet | {"held": {"S": held}}, "wallet kim", 700
    held = wallet["held"]["S"].replace("700", "663")
    yield "points", wallet, wallet | {"held": {"S": held}}, "wallet kim", -37
    for row in of("ledger", "BOOK#"):
        wrong = row | {"entry": {"S": row["entry"]["S"].replace("5000]", "4863]", 1)}}
        if wrong != row:
            yield "ledger", row, wrong, f"ledger {row['pk']['S']}|{row['sk']['S']}", None


def test_c14_whatever_row_of_a_real_sale_is_wrong_is_named(story: Story) -> None:
    assert found(story) == []
    tried = 0
    for context, row, wrong, name, amount in changes(story):
        put(context, wrong)
        named = found(story)
        assert {item for item, _ in named} <= {name, name + " WALLET"}, (row["pk"], named)
        assert named, (row["pk"], wrong)
        assert amount is None or amount in {each for _, each in named}, (row["pk"], named)
        put(context, row)
        tried += 1
    assert found(story) == []
    assert tried >= 24


def test_c14_what_is_missing_is_named_too(story: Story) -> None:
    client = aws.client("dynamodb")
    for context, start in (("ledger", "BOOK#"), ("checkout", "CHECKOUT#")):
        for row in of(context, start):
            name = row["pk"]["S"] if context == "checkout" else f"{row['pk']['S']}|{row['sk']['S']}"
            if "created" in name:
                continue  # nobody else tells of it
            client.delete_item(TableName=f"test-{context}", Key={"pk": row["pk"], "sk": row["sk"]})
            assert {item for item, _ in found(story)} == {f"{context} {name}"}
            put(context, row)
    for context, start, name in (
        ("coupons", "CAMPAIGN#", f"campaign CAMPAIGN#{story.campaign_id}"),
        ("coupons", "USES#", f"uses USES#{story.campaign_id}#kim"),
        ("points", "WALLET#", "wallet kim WALLET"),
    ):
        row = next(row for row in of(context, start) if row["sk"]["S"] in ("CAMPAIGN", "USES", "WALLET"))
        client.delete_item(TableName=f"test-{context}", Key={"pk": row["pk"], "sk": row["sk"]})
        assert name in {item for item, _ in found(story)}
        put(context, row)


def test_a_row_that_cannot_be_read_keeps_no_other_book_waiting(story: Story) -> None:
    """Else one shard that is lost would end the reconciliation of all campaigns, every night."""
    shard = of("coupons", "SHARD#")[0]
    aws.client("dynamodb").delete_item(TableName="test-coupons", Key={"pk": shard["pk"], "sk": shard["sk"]})
    story.said("/v1/ops/reconciliations", {}, 202)
    assert reconciled() == {"run_id": ANY, "state": "DONE", "differences": 1}
    (run,) = wiring.ledger_runs().newest(1)
    named = [(each.item, each.found) for each in run.differences]
    assert named == [(f"book {story.campaign_id}", f"LookupError: {shard['pk']['S']}")]


def test_c14_what_came_after_a_checkpoint_is_read_against_it(story: Story) -> None:
    """A night later: the reservation ran out, a part of what was paid came back."""
    runs = replace(wiring.ledger_runs(), pause=lambda _: None)
    with time_machine.travel(NOON + timedelta(days=1), tick=False):
        assert runs.look(story.campaign_id).found == []
        assert runs.store.checkpoint(story.campaign_id)
        wiring.checkout().sweep()
        back = {"refund_id": "r1", "amount": 100_000, "reason": "a scratch"}
        story.said(f"/v1/checkouts/{story.checkouts['captured']}/refunds", back, 200)
    with time_machine.travel(NOON + timedelta(days=2), tick=False):
        looked = runs.look(story.campaign_id)
        assert (looked.found, len(looked.spent)) == ([], 1)
        captured, refunded = runs.spent(story.campaign_id)
        assert (captured.net, refunded.captured) == (5_000, 0)
        assert refunded.refunded > 0
        (shard, *_) = of("coupons", "SHARD#")
        put("coupons", shard | {"available": {"N": str(int(shard["available"]["N"]) + 137)}})
        (wrong,) = runs.look(story.campaign_id).found
        assert (wrong.item, wrong.amount) == (f"shard {shard['pk']['S']}", 137)


def test_the_entry_of_a_reservation_is_the_same_by_its_fact_and_by_its_record(story: Story) -> None:
    """Booked from the fact; else every sale would differ."""
    books = wiring.ledger_books()
    rows_of = {row.cause: row.entry for row in books.rows(story.campaign_id, NOON, NOON)}
    for record in wiring.checkout().records(story.checkouts.values()):
        for entry in wiring.checkout().entries_of(record):
            assert rows_of[entry.cause] == entry
