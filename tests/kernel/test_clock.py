from datetime import UTC, datetime, timedelta, timezone

import pytest

from chalicelib.kernel.clock import moment, stamp
from tests.conftest import NOON


def test_stamps_sort_as_times_do() -> None:
    times = [NOON.replace(year=7), NOON, NOON + timedelta(microseconds=1), NOON.replace(year=9998)]
    assert sorted(map(stamp, reversed(times))) == list(map(stamp, times))
    assert {len(stamp(at)) for at in times} == {27}


def test_a_stamp_is_utc_whatever_the_offset() -> None:
    seoul = timezone(timedelta(hours=9))
    assert stamp(datetime(2026, 3, 2, 12, tzinfo=seoul)) == stamp(NOON) == "2026-03-02T03:00:00.000000Z"


def test_a_moment_comes_back() -> None:
    assert moment(stamp(NOON)) == NOON
    assert moment("2026-03-02T12:00:00+09:00").tzinfo is UTC


def test_a_time_without_an_offset_is_none() -> None:
    with pytest.raises(ValueError, match="offset"):
        moment("2026-03-02T12:00:00")
