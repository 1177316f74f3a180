"""An entry is posted with what it tells of, once, and never changed."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from chalicelib.kernel.facts import Fact
from chalicelib.kernel.money import Entry, Leg
from chalicelib.kernel.tables import AllOrNothing
from chalicelib.ledger.model import AlreadyBooked, Reserved, booked
from chalicelib.ledger.store import Books
from tests.conftest import NOON
from tests.ledger.conftest import Office, stored_facts
from tests.ledger.memory import MemoryBooks
from tests.memory import MemoryWrite


def entry_of(cause: str = "chk_1/captured", amount: int = 5_000) -> Entry:
    legs = (Leg("campaign/cmp_1/0/reserved", -amount), Leg("campaign/cmp_1/0/captured", amount))
    return Entry(cause, "captured", "cmp_1", NOON, legs)


@dataclass(frozen=True)
class Desk:
    books: Any
    begin: Callable[[], Any]
    facts: Callable[[], list[Fact]]

    def post(self, entry: Entry, fact: Fact | None = None) -> None:
        write = self.begin()
        self.books.post(write, entry, fact)
        write.commit()


@pytest.fixture(params=["memory", "dynamodb"])
def desk(request: pytest.FixtureRequest) -> Desk:
    if request.param == "memory":
        books = MemoryBooks()
        return Desk(books, MemoryWrite, lambda: books.facts)
    client = request.getfixturevalue("dynamodb")
    return Desk(Books(), AllOrNothing, lambda: stored_facts(client))


def test_an_entry_carries_the_fact_it_is(desk: Desk) -> None:
    fact = Fact.of(
        "CheckoutCaptured", "checkout", "chk_1", at=NOON, id="evt_1", data={"checkout_id": "chk_1"}
    )
    desk.post(entry_of(), fact)
    desk.post(entry_of("chk_2/captured"))
    assert desk.facts() == [fact]


def test_no_cause_is_booked_twice(desk: Desk) -> None:
    desk.post(entry_of())
    with pytest.raises(AlreadyBooked):
        desk.post(entry_of(amount=4_000))


def test_a_row_that_was_changed_or_put_elsewhere_does_not_prove_itself() -> None:
    row = booked(entry_of())
    assert row.whole
    assert (row.cause, row.book, row.at) == ("chk_1/captured", "cmp_1", NOON)
    assert not replace(row, text=row.text.replace("5000", "5001")).whole
    assert not replace(row, mark="0" * 16).whole
    assert not replace(row, sk=row.sk + "x").whole


# --- what is heard -----------------------------------------------------------------------------------------


def reserved(n: int = 1, points: int = 700, coupon: str | None = "cmp_1.code") -> Reserved:
    split = ((0, 3_000), (2, 2_000)) if coupon else ()
    return Reserved(f"chk_{n}", "order-1", "kim", coupon, coupon and "cmp_1", split, points, NOON)


def test_a_reservation_is_booked_once_however_often_it_is_heard(office: Office) -> None:
    assert office.books.reserve(reserved())
    assert not office.books.reserve(reserved())
    rows = list(office.books.rows("cmp_1", NOON, NOON + timedelta(hours=1)))
    assert [row.entry for row in rows] == [reserved().entry]
    assert sum(rows[0].holds.values()) == 0
    assert rows[0].holds["campaign/cmp_1/2/reserved"] == 2_000
    assert rows[0].holds["points/kim/held"] == 700


def test_a_checkout_is_found_by_whom_what_and_with_which_coupon(office: Office) -> None:
    office.books.reserve(reserved(1))
    office.books.reserve(replace(reserved(2, points=0, coupon=None), at=NOON + timedelta(hours=1)))
    find = office.books.store.checkouts_of
    assert find(("customer", "kim"), 10) == ["chk_2", "chk_1"]
    assert find(("customer", "kim"), 1) == ["chk_2"]
    assert find(("order", "order-1"), 10) == ["chk_2", "chk_1"]
    assert find(("coupon", "cmp_1.code"), 10) == ["chk_1"]
    assert find(("customer", "lee"), 10) == []
