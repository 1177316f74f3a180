"""All or nothing, on the strict DynamoDB."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError
from pynamodb.attributes import NumberAttribute

from chalicelib.kernel.aws import client
from chalicelib.kernel.errors import Busy, Conflict, Conflicted, Malformed, NotFound
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.tables import AllOrNothing, Item, Look, cursor, position, table_name
from tests.conftest import NOON


class Purse(Item):
    class Meta:
        table_name = table_name("coupons")

    won = NumberAttribute(default=0)


class Chest(Item):
    class Meta:
        table_name = table_name("keys")

    gold = NumberAttribute(default=0)


class PurseEmpty(Conflict):
    """Nothing left."""


class PurseGone(NotFound):
    """No such purse."""


def purse(name: str, won: int = 0) -> Purse:
    return Purse(f"PURSE#{name}", "PURSE", won=won)


def take(name: str, amount: int, write: AllOrNothing) -> None:
    write.update(
        purse(name),
        Purse.won.add(-amount),
        only_if=Purse.won >= amount,
        otherwise=PurseEmpty,
    )


def balance(name: str) -> int | None:
    found = Purse.load(f"PURSE#{name}", "PURSE")
    return int(found.won) if found else None


def test_nothing_is_written_when_one_clause_fails(dynamodb: Any) -> None:
    purse("a", 100).save()
    write = AllOrNothing()
    write.put(purse("b", 1))
    take("a", 200, write)
    with pytest.raises(PurseEmpty):
        write.commit()
    assert (balance("a"), balance("b")) == (100, None)


def test_the_first_failing_clause_in_our_order_says_why(dynamodb: Any) -> None:
    """PynamoDB's own transaction would report checks before updates and updates last."""
    write = AllOrNothing()
    take("a", 1, write)
    write.check(purse("b"), only_if=Purse.pk.exists(), otherwise=PurseGone)
    with pytest.raises(PurseEmpty):
        write.commit()


def test_the_loser_is_told_what_was_in_the_way(dynamodb: Any) -> None:
    purse("a", 7).save()
    for others in (0, 1):
        write = AllOrNothing()
        write.put(
            purse("a", 9),
            only_if=Purse.pk.does_not_exist(),
            otherwise=lambda old: PurseGone(str(Purse.from_raw_data(old or {}).won)),
        )
        if others:
            write.put(purse("c"))
        with pytest.raises(PurseGone, match="7"):
            write.commit()


def test_sixteen_threads_never_take_more_than_there_is(dynamodb: Any) -> None:
    purse("a", 30).save()

    def attempt(number: int) -> bool:
        write = AllOrNothing()
        take("a", 1, write)
        write.put(purse(f"got{number}"))
        try:
            write.commit()
        except PurseEmpty:
            return False
        return True

    with ThreadPoolExecutor(16) as threads:
        assert sum(threads.map(attempt, range(80))) == 30
    assert balance("a") == 0


def test_a_fact_is_a_row_of_the_same_transaction(dynamodb: Any) -> None:
    fact = Fact.of("PurseOpened", "coupons", "a", at=NOON, id="evt_1", data={"won": 1})
    write = AllOrNothing()
    write.put(purse("a", 1))
    write.fact(Purse, fact)
    write.commit()
    row = dynamodb.get_item(
        TableName="test-coupons",
        Key={"pk": {"S": "FACT#a"}, "sk": {"S": "2026-03-02T03:00:00.000000Z#evt_1"}},
    )["Item"]
    assert row["fact"]["S"] == fact.json()


def test_a_cursor_is_opaque_and_comes_back() -> None:
    assert position(cursor("COUPON#7")) == "COUPON#7"
    with pytest.raises(Malformed):
        position("한글")


def test_one_look_finds_rows_of_several_tables(dynamodb: Any) -> None:
    purse("a", 100).save()
    Chest("CHEST#b", "CHEST", gold=7).save()
    look = Look()
    found, same = look.row(Purse, "PURSE#a", "PURSE"), look.row(Purse, "PURSE#a", "PURSE")
    missing, chest = look.row(Purse, "PURSE#z", "PURSE"), look.row(Chest, "CHEST#b", "CHEST")
    look.fetch()
    (a, again, b) = (found(), same(), chest())
    assert a is not None
    assert again is not None
    assert b is not None
    assert (a.won, again.won, b.gold, missing()) == (100, 100, 7, None)


def test_a_look_asks_again_for_what_the_table_had_no_room_for(dynamodb: Any) -> None:
    purse("a", 100).save()
    told: list[bool] = []

    def unprocessed(parsed: Any, **_: Any) -> None:
        if not told:
            keys = [{"pk": {"S": "PURSE#a"}, "sk": {"S": "PURSE"}}]
            left = {"test-coupons": {"Keys": keys, "ConsistentRead": True}}
            parsed.update({"Responses": {}, "UnprocessedKeys": left})
        told.append(True)

    events = client("dynamodb").meta.events
    events.register("after-call.dynamodb.BatchGetItem", unprocessed)
    try:
        look = Look()
        found = look.row(Purse, "PURSE#a", "PURSE")
        look.fetch()
    finally:
        events.unregister("after-call.dynamodb.BatchGetItem", unprocessed)
    assert len(told) == 2
    assert found() is not None


REACHED = {"endpoint_url": "https://dynamodb.test"}
BROKEN = {"Error": {"Code": "InternalServerError"}, "ResponseMetadata": {"HTTPStatusCode": 500}}


@pytest.mark.parametrize(
    "trouble",
    [
        ConnectTimeoutError(**REACHED),
        EndpointConnectionError(**REACHED),
        ReadTimeoutError(**REACHED),
        ClientError(BROKEN, "TransactWriteItems"),  # type: ignore[arg-type]
    ],
)
def test_a_dynamodb_that_cannot_be_reached_or_broke_is_busy_and_not_a_fault_of_ours(
    dynamodb: Any, trouble: Exception
) -> None:
    """Nobody knows whether it was written, so it is not tried again here."""
    purse("a", 7).save()
    tried = []

    def fail(**_: Any) -> None:
        tried.append(1)
        raise trouble

    events = client("dynamodb").meta.events
    events.register("before-call.dynamodb.TransactWriteItems", fail)
    try:
        write = AllOrNothing()
        take("a", 1, write)
        take("b", 1, write)
        with pytest.raises(Busy) as refusal:
            write.commit()
    finally:
        events.unregister("before-call.dynamodb.TransactWriteItems", fail)
    assert not isinstance(refusal.value, Conflicted)
    assert (len(tried), balance("a")) == (1, 7)
