"""Business time in Korea: Monday to Friday, 9 to 18 o'clock in Seoul, but not on public holidays.

The holidays are those of a pinned library, written out once (`kernel/holidays.py`); days that are announced
late, or taken back, are overrides handed in by whoever keeps them.
"""

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from chalicelib.kernel.holidays import PUBLIC_HOLIDAYS

KST = ZoneInfo("Asia/Seoul")
OPENS = time(9)
CLOSES = time(18)
BUSINESS_DAY = timedelta(hours=9)
"""What a deadline of "one business day" means in business time."""
DAY = timedelta(days=1)
SATURDAY = 5


class Calendar(Struct, frozen=True):
    """`closed`: days without business beside the weekends. `opened`: days with business in spite of all."""

    closed: frozenset[date]
    opened: frozenset[date] = frozenset()

    def is_business(self, day: date) -> bool:
        return day in self.opened or (day.weekday() < SATURDAY and day not in self.closed)

    def after(self, start: datetime, work: timedelta) -> datetime:
        """UTC; the moment at which so much business time has passed since `start`."""
        here, left = start.astimezone(KST), work
        while True:
            here = self._in_hours(here)
            closing = datetime.combine(here.date(), CLOSES, KST)
            if here + left <= closing:
                return (here + left).astimezone(UTC)
            left -= closing - here
            here = datetime.combine(here.date() + DAY, OPENS, KST)

    def before(self, end: datetime, work: timedelta) -> datetime:
        """UTC; the last moment from which so much business time is left until `end`."""
        here, left = end.astimezone(KST), work
        while True:
            opening = datetime.combine(here.date(), OPENS, KST)
            here = min(here, datetime.combine(here.date(), CLOSES, KST))
            if self.is_business(here.date()) and here > opening:
                if here - left >= opening:
                    return (here - left).astimezone(UTC)
                left -= here - opening
            here = datetime.combine(here.date() - DAY, CLOSES, KST)

    def with_overrides(self, closed: frozenset[date], opened: frozenset[date]) -> "Calendar":
        return replace(self, closed=(self.closed | closed) - opened, opened=(self.opened | opened) - closed)

    def _in_hours(self, at: datetime) -> datetime:
        """`at` itself, or the next opening."""
        if self.is_business(at.date()) and at.time() < CLOSES:
            return max(at, datetime.combine(at.date(), OPENS, KST))
        day = at.date() + DAY
        while not self.is_business(day):
            day += DAY
        return datetime.combine(day, OPENS, KST)


def months_after(start: datetime, months: int) -> datetime:
    """The same day and time in Seoul, so many months on; the month's last day where it has no such day."""
    local = start.astimezone(KST)
    year, month = divmod(local.year * 12 + local.month - 1 + months, 12)
    day = min(local.day, monthrange(year, month + 1)[1])
    return local.replace(year=year, month=month + 1, day=day).astimezone(UTC)


KOREA = Calendar(closed=PUBLIC_HOLIDAYS)
