"""The overview, from contexts that say what the test wants."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from chalicelib.pages.model import MOST_ROWS, Funnel, Step, Stuck, Trouble
from chalicelib.pages.schemas import OverviewView
from chalicelib.pages.service import OverviewService

NOON = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
AN_HOUR = timedelta(hours=1)


def stuck(number: int, step: Step, since: datetime = NOON) -> Stuck:
    return Stuck(f"con_{number}", f"car-{number:04d}", step, link_died=False, since=since)


@dataclass
class Grants:
    found: Funnel = field(default_factory=lambda: Funnel(issued=0, unlocked=0, ended=0, stuck=()))
    days: list[date] = field(default_factory=list)

    def funnel(self, day: date) -> Funnel:
        self.days.append(day)
        return self.found


@dataclass
class Shipments:
    found: list[Trouble] = field(default_factory=list)
    due: datetime | None = None

    def troubles(self, limit: int) -> list[Trouble]:
        return self.found[:limit]

    def oldest_due(self, at: datetime) -> datetime | None:
        return self.due


def test_today_is_the_day_in_seoul() -> None:
    grants = Grants()
    just_after_midnight = datetime(2026, 3, 1, 15, 1, tzinfo=UTC)
    OverviewService(grants, Shipments(), now=lambda: just_after_midnight).overview()
    assert grants.days == [date(2026, 3, 2)]


def test_the_funnel_counts_every_key_once() -> None:
    people = (stuck(1, Step.SENT), stuck(2, Step.SENT), stuck(3, Step.OPENED), stuck(4, Step.WAITING))
    grants = Grants(Funnel(issued=31, unlocked=26, ended=1, stuck=people))
    shown = OverviewView.of(OverviewService(grants, Shipments(), now=lambda: NOON).overview()).funnel
    assert shown.issued == shown.unlocked + shown.opened + shown.sent + shown.waiting + shown.ended
    assert (shown.opened, shown.sent, shown.waiting, shown.stuck) == (1, 2, 1, 4)


def test_whoever_waits_longest_is_named_first() -> None:
    people = (stuck(1, Step.SENT, NOON), stuck(2, Step.OPENED, NOON - AN_HOUR))
    grants = Grants(Funnel(issued=2, unlocked=0, ended=0, stuck=people))
    shown = OverviewView.of(OverviewService(grants, Shipments(), now=lambda: NOON).overview())
    assert [each.contract_id for each in shown.stuck] == ["con_2", "con_1"]


def test_a_long_list_of_troubles_says_that_there_are_more() -> None:
    many = [Trouble(f"shp_{number}", "con_1", "stalled", NOON) for number in range(MOST_ROWS + 1)]
    few = OverviewService(Grants(), Shipments(many[:3]), now=lambda: NOON).overview()
    lots = OverviewService(Grants(), Shipments(many), now=lambda: NOON).overview()
    assert (len(few.troubles), few.more_troubles) == (3, False)
    assert (len(lots.troubles), lots.more_troubles) == (MOST_ROWS, True)
