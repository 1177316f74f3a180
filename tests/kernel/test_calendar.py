from datetime import date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.kernel.calendar import KOREA, KST, Calendar
from infra import holidays

HOURS = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def seoul(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=KST)


@pytest.mark.parametrize(
    ("start", "work", "end", "because"),
    [
        ("2026-02-13 17:30", 4 * HOURS, "2026-02-19 12:30", "Seollal"),
        ("2026-05-22 17:00", 2 * HOURS, "2026-05-26 10:00", "Buddha's birthday, made up for on the Monday"),
        ("2026-04-30 16:00", 4 * HOURS, "2026-05-04 11:00", "Labour Day"),
        ("2026-07-16 17:59", 1 * HOURS, "2026-07-20 09:59", "Constitution Day"),
        ("2026-09-23 15:00", 8 * HOURS, "2026-09-28 14:00", "Chuseok"),
        ("2026-06-02 18:00", 1 * MINUTE, "2026-06-04 09:01", "an election day"),
        ("2025-01-24 17:00", 2 * HOURS, "2025-01-31 10:00", "a holiday announced late"),
    ],
)
def test_business_time_in_korea(start: str, work: timedelta, end: str, because: str) -> None:
    assert KOREA.after(seoul(start), work) == seoul(end), because


def counted(calendar: Calendar, start: datetime, end: datetime) -> int:
    """Minutes of business, one by one."""
    here, minutes = start, 0
    while here < end:
        minutes += calendar.is_business(here.date()) and 9 <= here.hour < 18
        here += MINUTE
    return minutes


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 700 * 24 * 60).map(lambda minutes: seoul("2025-01-01 00:00") + minutes * MINUTE),
    st.integers(1, 1200),
)
def test_it_agrees_with_counting_the_minutes(start: datetime, minutes: int) -> None:
    end = KOREA.after(start, minutes * MINUTE).astimezone(KST)
    assert counted(KOREA, start, end) == minutes
    assert counted(KOREA, start, end - MINUTE) == minutes - 1


def test_a_day_announced_late_moves_what_would_end_on_it() -> None:
    tuesday = date(2026, 3, 10)
    moved = KOREA.with_overrides(closed=frozenset({tuesday}), opened=frozenset())
    assert KOREA.after(seoul("2026-03-09 17:00"), 2 * HOURS) == seoul("2026-03-10 10:00")
    assert moved.after(seoul("2026-03-09 17:00"), 2 * HOURS) == seoul("2026-03-11 10:00")


def test_a_holiday_can_be_taken_back() -> None:
    labour_day = date(2026, 5, 1)
    assert not KOREA.is_business(labour_day)
    assert KOREA.with_overrides(frozenset(), frozenset({labour_day})).is_business(labour_day)


def test_the_dates_are_those_of_the_pinned_library() -> None:
    assert holidays.FILE.read_text() == holidays.written()
