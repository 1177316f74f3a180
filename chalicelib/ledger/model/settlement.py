"""What a sponsor pays for its campaigns: by booking day in Seoul, summed up by months.

A period ends with its last day; an hour later it is closed: no row is booked that late, since no function
holds a clock for so long. What is refunded later is a negative line of the period it was booked in.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta

from msgspec import Struct

from chalicelib.kernel.errors import Conflict, NotFound, Refused
from chalicelib.kernel.money import Entry, Won, percent_of
from chalicelib.ledger.model.books import month_of, starts

CLOSES_AFTER = timedelta(hours=1)
ROUNDING = "share = |net| x percent / 100, rounded down, with the sign of net; over the days as they add up"


class UnknownPeriod(NotFound):
    """There is no such settlement."""


class UnknownCampaign(NotFound):
    """There is no such campaign."""


class UnknownSponsor(NotFound):
    """There is no such sponsor."""


class SponsorKnown(Conflict):
    """There is a sponsor of that id."""


class SponsorDiffers(Refused):
    """There is a sponsor of that id and another name."""


class OthersPerson(Refused):
    """This person belongs to another sponsor."""


class StatementChanged(Conflict):
    """The books of this closed period do not add up to its statement any more."""


class Sponsored(Struct, frozen=True):
    """A campaign as the settlement knows it; without a sponsor we pay ourselves."""

    campaign_id: str
    name: str
    sponsor_id: str | None
    percent: int
    created_at: datetime


class Sponsor(Struct, frozen=True):
    sponsor_id: str
    name: str


class Spent(Struct, frozen=True):
    """One day of a campaign. `count`: captures."""

    day: date
    captured: Won = 0
    refunded: Won = 0
    count: int = 0

    @property
    def net(self) -> Won:
        return self.captured - self.refunded

    def and_(self, other: "Spent") -> "Spent":
        return Spent(
            self.day,
            self.captured + other.captured,
            self.refunded + other.refunded,
            self.count + other.count,
        )


def spent_by(entry: Entry, day: date) -> Spent | None:
    """Only captures and refunds spend; in between money is only held."""
    if entry.what not in ("captured", "refunded"):
        return None
    moved = sum(
        leg.amount
        for leg in entry.legs
        if leg.account.startswith(f"campaign/{entry.book}/") and leg.account.endswith("/captured")
    )
    if entry.what == "captured":
        return Spent(day, captured=moved, count=1)
    return Spent(day, refunded=-moved)


def by_day(parts: Iterable[Spent]) -> tuple[Spent, ...]:
    """One for each day on which something was spent, in order."""
    days: dict[date, Spent] = {}
    for part in parts:
        days[part.day] = days[part.day].and_(part) if part.day in days else part
    return tuple(days[day] for day in sorted(days) if days[day] != Spent(day))


def share_of(net: Won, percent: int) -> Won:
    share = percent_of(abs(net), percent)
    return share if net >= 0 else -share


class Line(Struct, frozen=True):
    """A campaign's day, and what of it the sponsor pays."""

    campaign_id: str
    day: date
    captured: Won
    refunded: Won
    net: Won
    count: int
    share: Won


class Statement(Struct, frozen=True):
    """`preliminary`: the period is not closed."""

    sponsor_id: str
    period: str
    preliminary: bool
    lines: tuple[Line, ...]

    @property
    def sums(self) -> dict[str, Won]:
        found = Counter({"captured": 0, "refunded": 0, "net": 0, "count": 0, "share": 0})
        for line in self.lines:
            for name in found:
                found[name] += getattr(line, name)
        return dict(found)

    @property
    def csv(self) -> str:
        """The same bytes for the same lines (RFC 4180)."""
        head = "period,campaign_id,day,captured,refunded,net,count,sponsor_share"
        rows = [
            f"{self.period},{line.campaign_id},{line.day.isoformat()},{line.captured},{line.refunded},"
            f"{line.net},{line.count},{line.share}"
            for line in self.lines
        ]
        s = self.sums
        total = f"{self.period},total,,{s['captured']},{s['refunded']},{s['net']},{s['count']},{s['share']}"
        return "\r\n".join((head, *rows, total, ""))

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.csv.encode()).hexdigest()


def lines_of(campaign: Sponsored, days: Sequence[Spent]) -> list[Line]:
    """The days' shares add up to the share of the whole period, to the won."""
    lines, so_far, paid = [], 0, 0
    for spent in days:
        so_far += spent.net
        share = share_of(so_far, campaign.percent) - paid
        paid += share
        lines.append(
            Line(
                campaign.campaign_id,
                spent.day,
                spent.captured,
                spent.refunded,
                spent.net,
                spent.count,
                share,
            )
        )
    return lines


PERIOD = re.compile(r"20[0-9]{2}-(0[1-9]|1[0-2])", re.ASCII)


def period_of(text: str, at: datetime) -> str:
    """UnknownPeriod for what is no month, or has not begun."""
    if not PERIOD.fullmatch(text) or text > month_of(at):
        raise UnknownPeriod()
    return text


def start_of(period: str) -> datetime:
    return starts(date(int(period[:4]), int(period[5:]), 1))


def end_of(period: str) -> datetime:
    year, month = int(period[:4]), int(period[5:])
    return starts(date(year + month // 12, month % 12 + 1, 1))


def closed(period: str, at: datetime) -> bool:
    return at >= end_of(period) + CLOSES_AFTER
