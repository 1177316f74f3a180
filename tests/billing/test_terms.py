"""What a change costs: each row can be checked with a pocket calculator."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.billing.model import (
    ContractFacts,
    Money,
    Month,
    Span,
    Term,
    cancel_terms,
    end_terms,
    ends_at,
    month_end,
    months_of,
    renew_terms,
    without,
)
from chalicelib.kernel.calendar import KST, months_after
from tests.billing.conftest import memory_world
from tests.billing.examples import activated, cancelled, ending, paid
from tests.conftest import Hands


def seoul(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=KST).astimezone(UTC)


HANDOVER = seoul("2026-03-10 10:00")
THREE_MONTHS = ContractFacts((Term(3, 490_000),), HANDOVER, paid=490_000)
TWELVE_MONTHS = ContractFacts((Term(12, 430_000),), HANDOVER, paid=430_000)
WITH_COUPON = ContractFacts((Term(3, 490_000),), HANDOVER, paid=440_000)
UNPAID = ContractFacts((Term(3, 490_000),), HANDOVER)
WITH_POINTS_ALONE = ContractFacts((Term(3, 490_000),), HANDOVER, paid=0)

CANCELLATIONS = [
    # contract      who        when               back       because
    (THREE_MONTHS, "customer", "2026-03-09 09:59", 490_000, "more than 24 hours before: all of it"),
    (THREE_MONTHS, "customer", "2026-03-09 10:00", 343_000, "24 hours before: less 10 % of 1,470,000"),
    (THREE_MONTHS, "customer", "2026-03-10 09:00", 343_000, "an hour before: less 10 % of 1,470,000"),
    (WITH_COUPON, "customer", "2026-03-01 10:00", 440_000, "what was paid; the coupon goes its own way"),
    (WITH_COUPON, "customer", "2026-03-10 09:00", 293_000, "440,000 less 147,000"),
    (TWELVE_MONTHS, "customer", "2026-03-10 09:00", 0, "10 % of 5,160,000 is more than was paid: no claim"),
    (THREE_MONTHS, "company", "2026-03-10 09:00", 637_000, "all of it and 10 % of 1,470,000"),
    (THREE_MONTHS, "company", "2026-03-10 11:00", 637_000, "the car never came: all of it and 10 %"),
    (UNPAID, "customer", "2026-03-10 09:00", 0, "nothing was paid, nothing is owed"),
    (UNPAID, "company", "2026-03-10 09:00", 0, "nothing was paid, nothing is owed"),
    (WITH_POINTS_ALONE, "customer", "2026-03-10 09:00", 0, "points are not deducted from"),
    (WITH_POINTS_ALONE, "company", "2026-03-10 09:00", 147_000, "10 % of 1,470,000, whatever paid"),
]


@pytest.mark.parametrize(("facts", "cause", "at", "back", "because"), CANCELLATIONS)
def test_a_cancellation_before_the_handover(
    facts: ContractFacts, cause: str, at: str, back: int, because: str
) -> None:
    money = cancel_terms(facts, cause, seoul(at))  # type: ignore[arg-type]
    assert (money.refund, money.charge) == (back, 0), because
    assert sum(line.amount for line in money.lines) == back


STARTED = ContractFacts((Term(6, 460_000),), HANDOVER, 460_000, starts_at=HANDOVER)
RENEWED = ContractFacts((Term(3, 490_000), Term(3, 460_000)), HANDOVER, 490_000, starts_at=HANDOVER)

EARLY_ENDS = [
    # contract  why       when              takes effect        owed      because
    (STARTED, "cancel", "2026-03-20 12:00", "2026-04-10 10:00", 230_000, "10 % of five months more"),
    (STARTED, "cancel", "2026-08-20 12:00", "2026-09-10 10:00", 0, "the last month is paid: nothing remains"),
    (STARTED, "breach", "2026-08-10 10:00", "2026-08-10 10:00", 46_000, "at once: 10 % of one month more"),
    (STARTED, "term", "2026-09-05 10:00", "2026-09-10 10:00", 0, "the term's own end"),
    (RENEWED, "cancel", "2026-05-20 12:00", "2026-06-10 10:00", 138_000, "10 % of three months at 460,000"),
]


@pytest.mark.parametrize(("facts", "why", "at", "effective", "owed", "because"), EARLY_ENDS)
def test_an_end_after_the_handover(
    facts: ContractFacts, why: str, at: str, effective: str, owed: int, because: str
) -> None:
    money = end_terms(facts, why, seoul(at))  # type: ignore[arg-type]
    assert (money.effective_at, money.refund, money.charge) == (seoul(effective), 0, owed), because


MONTHS = [
    # start               months  then                because
    ("2026-03-10 10:00", 1, "2026-04-10 10:00", "the same day and time"),
    ("2026-01-31 10:00", 1, "2026-02-28 10:00", "February has no 31st"),
    ("2026-01-31 10:00", 2, "2026-03-31 10:00", "and March is not moved by it"),
    ("2028-01-31 10:00", 1, "2028-02-29 10:00", "a leap year"),
    ("2026-11-30 10:00", 3, "2027-02-28 10:00", "over the end of the year"),
    ("2026-03-01 00:30", 1, "2026-04-01 00:30", "in Seoul, where UTC is still in the day before"),
]


@pytest.mark.parametrize(("start", "months", "then", "because"), MONTHS)
def test_months_end_on_the_same_day_in_seoul(start: str, months: int, then: str, because: str) -> None:
    assert months_after(seoul(start), months) == seoul(then), because


def test_a_renewal_costs_nothing_now_and_moves_the_end() -> None:
    money = renew_terms(STARTED, Term(3, 400_000))
    assert money == Money(seoul("2026-12-10 10:00"), 0, 0, ())
    assert ends_at(STARTED) == seoul("2026-09-10 10:00")
    assert ends_at(THREE_MONTHS) is None


def test_a_month_ends_where_the_next_begins() -> None:
    assert month_end(STARTED, HANDOVER) == seoul("2026-04-10 10:00")
    assert month_end(STARTED, seoul("2026-04-10 10:00")) == seoul("2026-05-10 10:00")
    assert month_end(STARTED, seoul("2027-01-01 00:00")) == seoul("2026-09-10 10:00")


MARCH = Month(0, Span(seoul("2026-03-01 00:00"), seoul("2026-04-01 00:00")), 310_000)

SHARES = [
    # not billed                                        price     because
    ([], 310_000, "the whole month"),
    ([("03-02 00:00", "03-04 00:00")], 290_000, "two days of 10,000 are not charged"),
    ([("03-02 00:00", "03-04 00:00"), ("03-03 00:00", "03-05 00:00")], 280_000, "what overlaps counts once"),
    ([("02-20 00:00", "03-02 00:00")], 300_000, "only what lies inside the month"),
    ([("03-01 00:00", "03-01 00:01")], 309_993, "a minute is 6.94 won: rounded down, so 7 are not charged"),
    ([("02-01 00:00", "05-01 00:00")], 0, "no access, no charge"),
]


@pytest.mark.parametrize(("free", "price", "because"), SHARES)
def test_time_that_is_not_billed_costs_nothing(free: list[tuple[str, str]], price: int, because: str) -> None:
    spans = [Span(seoul(f"2026-{begin}"), seoul(f"2026-{end}")) for begin, end in free]
    assert MARCH.price(without(MARCH.span, spans)) == price, because


moments = st.integers(-50, 50).map(lambda hours: MARCH.span.from_at + timedelta(hours=18 * hours))


@given(st.lists(st.tuples(moments, moments).filter(lambda pair: pair[0] < pair[1])), st.integers(0, 10**6))
@settings(max_examples=50, deadline=None)
def test_what_is_billed_and_what_is_not_make_up_the_month(
    pairs: list[tuple[datetime, datetime]], fee: int
) -> None:
    month = Month(0, MARCH.span, fee)
    billed = without(month.span, [Span(*pair) for pair in pairs])
    rest = without(month.span, billed)
    assert sum(each.length for each in (*billed, *rest)) == month.span.length
    assert 0 <= fee - month.price(billed) - month.price(rest) <= 1
    assert all(first.to_at < second.from_at for first, second in pairwise(billed))


@given(st.integers(0, 4 * 365 * 24), st.integers(1, 36))
@settings(max_examples=50, deadline=None)
def test_the_months_of_a_contract_leave_no_moment_out(hours: int, months: int) -> None:
    start = HANDOVER + timedelta(hours=hours)
    found = months_of((Term(months, 1),), start)
    assert [each.number for each in found] == list(range(months))
    assert all(one.span.to_at == two.span.from_at for one, two in pairwise(found))
    days = {each.span.to_at.astimezone(KST).day for each in found}
    anchor = start.astimezone(KST).day
    assert max(days) <= anchor
    assert anchor > 28 or days == {anchor}


@pytest.mark.parametrize(("facts", "cause", "at", "back", "because"), CANCELLATIONS)
def test_what_was_previewed_is_what_is_paid_back(
    facts: ContractFacts, cause: str, at: str, back: int, because: str
) -> None:
    world = memory_world(Hands(seoul(at)))
    preview = cancel_terms(facts, cause, seoul(at))  # type: ignore[arg-type]
    if facts.paid is not None:
        world.hear(paid(seoul("2026-03-01 09:00"), amount=facts.paid))
    world.hear(cancelled(seoul(at), **{line.what: line.amount for line in preview.lines}))
    world.tick(minutes=10)
    by_hand = sum(each.amount for each in world.book.refunds if not each.payment_id)
    assert world.gateway.given_back + by_hand == preview.refund == back, because


def test_an_early_end_that_was_previewed_is_what_is_owed() -> None:
    world = memory_world(Hands(HANDOVER))
    world.hear(paid(HANDOVER, months=6, fee=460_000), activated(HANDOVER))
    preview = end_terms(STARTED, "cancel", seoul("2026-03-20 12:00"))
    (line,) = preview.lines
    world.hear(ending(seoul("2026-03-20 12:00"), preview.effective_at, early_end=line.amount))
    assert world.balance() == preview.charge == 230_000
