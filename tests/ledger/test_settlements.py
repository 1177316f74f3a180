"""A sponsor pays what its campaigns captured, month by month, to the won and to the byte."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.kernel.money import Entry, Leg
from chalicelib.ledger.model import (
    Checkpoint,
    OthersPerson,
    Spent,
    Sponsor,
    SponsorDiffers,
    Sponsored,
    StatementChanged,
    UnknownPeriod,
    UnknownSponsor,
    lines_of,
    share_of,
)
from tests.checkout.hook import Call, calls_go_through
from tests.conftest import NOON
from tests.ledger.conftest import OLGA, SALLY, Office
from tests.ledger.world import CAMPAIGN

MARCH, APRIL = "2026-03", "2026-04"
LAST_OF_MARCH = datetime(2026, 3, 31, 14, 59, 59, tzinfo=UTC)
"""A second before April in Seoul."""


def moved(what: str, amount: int, at: datetime, n: int = 0, campaign: str = CAMPAIGN) -> Entry:
    pots = f"campaign/{campaign}/0"
    other, sign = ("reserved", 1) if what == "captured" else ("available", -1)
    legs = (Leg(f"{pots}/captured", sign * amount), Leg(f"{pots}/{other}", -sign * amount))
    return Entry(f"chk_{n}/{what}", what, campaign, at, legs)


@pytest.fixture
def acme(office: Office) -> Office:
    office.settlements.add_sponsor(Sponsor("acme", "Acme"))
    office.settlements.add_person("acme", "sally")
    office.campaign(percent=50)
    return office


def test_each_day_has_its_line_and_the_shares_add_up(acme: Office) -> None:
    acme.post(
        moved("captured", 5_001, NOON, 1),
        moved("captured", 4_000, NOON + timedelta(hours=20), 2),
        moved("refunded", 1_000, NOON + timedelta(hours=21), 1),
        moved("released", 700, NOON, 3),
    )
    statement = acme.settlements.mine(MARCH, SALLY)
    lines = [(line.day, line.captured, line.refunded, line.net, line.count) for line in statement.lines]
    assert lines == [
        (date(2026, 3, 2), 5_001, 0, 5_001, 1),
        (date(2026, 3, 3), 4_000, 1_000, 3_000, 1),
    ]
    assert statement.sums["share"] == share_of(8_001, 50) == 4_000
    assert statement.preliminary


def test_c14_the_settlement_is_the_ledger_and_is_exported_again_to_the_byte(acme: Office) -> None:
    entries = [moved("captured", 1_000 + n, NOON + timedelta(hours=7 * n), n) for n in range(20)]
    entries += [moved("refunded", 300, NOON + timedelta(hours=8 * n), n) for n in range(5)]
    acme.post(*entries)
    acme.clock.at = datetime(2026, 4, 5, tzinfo=UTC)
    first = acme.settlements.mine(MARCH, SALLY)
    captured = sum(leg.amount for e in entries for leg in e.legs if leg.account.endswith("/captured"))
    assert (first.sums["net"], first.preliminary) == (captured, False)
    again = acme.settlements.of("acme", MARCH)
    assert again.csv.encode() == first.csv.encode()
    assert first.csv.splitlines()[-1] == f"2026-03,total,,20190,1500,18690,20,{share_of(18_690, 50)}"


def test_the_days_before_a_checkpoint_are_not_read_again(acme: Office) -> None:
    """A month of a large campaign is more than one request can read."""
    acme.post(moved("captured", 5_000, NOON, 1))
    kept = Spent(date(2026, 3, 2), 7_000, 1_000, 2)
    acme.runs.store.keep(Checkpoint(CAMPAIGN, datetime(2026, 3, 2, 15, tzinfo=UTC), {}), [kept])
    acme.post(moved("captured", 300, NOON + timedelta(days=1), 2))
    statement = acme.settlements.mine(MARCH, SALLY)
    assert [(line.day.day, line.net) for line in statement.lines] == [(2, 6_000), (3, 300)]
    acme.clock.at = datetime(2026, 4, 20, tzinfo=UTC)
    assert acme.settlements.mine(APRIL, SALLY).lines == ()


def test_the_days_of_a_settlement_are_read_as_they_are(acme: Office) -> None:
    """A replica that had not heard of last night's days would have a closed month kept without them."""
    acme.runs.store.keep(Checkpoint(CAMPAIGN, NOON, {}), [Spent(date(2026, 3, 1), 900, 0, 1)])
    asked = []

    def noted(real: Call) -> Call:
        def call(client: Any, operation: str, request: dict[str, Any]) -> Any:
            asked.append((operation, request.get("ConsistentRead")))
            return real(client, operation, request)

        return call

    with calls_go_through(noted):
        assert acme.books.spent(CAMPAIGN, NOON - timedelta(days=1), NOON)
    assert {consistent for operation, consistent in asked if operation == "Query"} <= {True}


def test_c14_a_late_refund_is_a_negative_line_of_the_period_it_was_booked_in(acme: Office) -> None:
    acme.post(moved("captured", 5_000, LAST_OF_MARCH, 1))
    acme.clock.at = datetime(2026, 4, 20, tzinfo=UTC)
    march = acme.settlements.mine(MARCH, SALLY)
    acme.post(moved("refunded", 5_000, datetime(2026, 4, 3, tzinfo=UTC), 1))
    april = acme.settlements.mine(APRIL, SALLY)
    assert [(line.day, line.net, line.share) for line in april.lines] == [(date(2026, 4, 3), -5_000, -2_500)]
    assert acme.settlements.mine(MARCH, SALLY) == march


def test_a_period_is_closed_an_hour_after_its_end_in_seoul(acme: Office) -> None:
    end = datetime(2026, 3, 31, 15, tzinfo=UTC)
    acme.clock.at = end + timedelta(minutes=59)
    assert acme.settlements.mine(MARCH, SALLY).preliminary
    acme.post(moved("captured", 5_000, LAST_OF_MARCH, 1))
    acme.clock.at = end + timedelta(hours=1)
    assert not acme.settlements.mine(MARCH, SALLY).preliminary


def test_a_closed_period_whose_books_were_changed_is_not_exported(acme: Office) -> None:
    acme.clock.at = datetime(2026, 4, 5, tzinfo=UTC)
    acme.settlements.mine(MARCH, SALLY)
    acme.post(moved("captured", 5_000, LAST_OF_MARCH, 1))
    with pytest.raises(StatementChanged):
        acme.settlements.mine(MARCH, SALLY)


def test_a_sponsor_sees_its_own_only(acme: Office) -> None:
    acme.settlements.add_sponsor(Sponsor("other", "Other"))
    acme.settlements.add_person("other", "otis")
    acme.campaign("cmp_other", sponsor="other")
    acme.campaign("cmp_ours", sponsor=None)
    acme.post(moved("captured", 9_000, NOON, 9, campaign="cmp_other"))
    assert [each.campaign_id for each in acme.settlements.campaigns(SALLY)] == [CAMPAIGN]
    assert acme.settlements.mine(MARCH, SALLY).lines == ()
    for nobody in (OLGA,):
        with pytest.raises(UnknownSponsor):
            acme.settlements.mine(MARCH, nobody)
    with pytest.raises(OthersPerson):
        acme.settlements.add_person("other", "sally")
    with pytest.raises(UnknownSponsor):
        acme.settlements.add_person("nobody", "sam")
    with pytest.raises(UnknownSponsor):
        acme.settlements.of("nobody", MARCH)


@pytest.mark.parametrize("period", ["2026-02", "2026-05", "2026-13", "2026-3", "march", "２０２６-03", ""])
def test_there_is_no_settlement_of_what_is_no_month_of_ours(acme: Office, period: str) -> None:
    with pytest.raises(UnknownPeriod):
        acme.settlements.mine(period, SALLY)


def test_the_periods_go_from_the_first_campaign_to_now(acme: Office) -> None:
    acme.clock.at = datetime(2026, 5, 2, tzinfo=UTC)
    assert acme.settlements.periods(SALLY) == [("2026-05", False), (APRIL, True), (MARCH, True)]


def test_the_same_sponsor_may_be_added_again_and_no_other_under_its_id(acme: Office) -> None:
    assert acme.settlements.add_sponsor(Sponsor("acme", "Acme")).replayed
    with pytest.raises(SponsorDiffers):
        acme.settlements.add_sponsor(Sponsor("acme", "Another"))
    acme.settlements.add_person("acme", "sally")


@settings(max_examples=50)
@given(
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), max_size=31),
    st.integers(0, 100),
)
def test_shares_of_days_always_add_up_to_the_share_of_the_period(
    days: list[tuple[int, int]], percent: int
) -> None:
    campaign = Sponsored(CAMPAIGN, "Spring", "acme", percent, NOON)
    spent = [Spent(date(2026, 3, n + 1), captured, refunded) for n, (captured, refunded) in enumerate(days)]
    lines = lines_of(campaign, spent)
    net = sum(each.net for each in spent)
    assert sum(line.share for line in lines) == share_of(net, percent)
    assert share_of(-net, percent) == -share_of(net, percent)
