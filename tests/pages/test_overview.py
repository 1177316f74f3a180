"""The overview, from contexts that say what the test wants."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from chalicelib.pages.model import MOST_ROWS, Delayed, Funnel, Overview, Step, Stuck, Trouble
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


@dataclass
class Appointments:
    found: list[Delayed] = field(default_factory=list)

    def troubles(self, limit: int) -> list[Delayed]:
        return self.found[:limit]


def overview_of(
    grants: Grants | None = None,
    shipments: Shipments | None = None,
    appointments: Appointments | None = None,
    at: datetime = NOON,
) -> Overview:
    asked = grants or Grants(), shipments or Shipments(), appointments or Appointments()
    return OverviewService(*asked, now=lambda: at).overview()


def test_today_is_the_day_in_seoul() -> None:
    grants = Grants()
    just_after_midnight = datetime(2026, 3, 1, 15, 1, tzinfo=UTC)
    overview_of(grants, at=just_after_midnight)
    assert grants.days == [date(2026, 3, 2)]


def test_the_funnel_counts_every_key_once() -> None:
    people = (stuck(1, Step.SENT), stuck(2, Step.SENT), stuck(3, Step.OPENED), stuck(4, Step.WAITING))
    grants = Grants(Funnel(issued=31, unlocked=26, ended=1, stuck=people))
    shown = OverviewView.of(overview_of(grants)).funnel
    assert shown.issued == shown.unlocked + shown.opened + shown.sent + shown.waiting + shown.ended
    assert (shown.opened, shown.sent, shown.waiting, shown.stuck) == (1, 2, 1, 4)


def test_whoever_waits_longest_is_named_first() -> None:
    people = (stuck(1, Step.SENT, NOON), stuck(2, Step.OPENED, NOON - AN_HOUR))
    grants = Grants(Funnel(issued=2, unlocked=0, ended=0, stuck=people))
    shown = OverviewView.of(overview_of(grants))
    assert [each.contract_id for each in shown.stuck] == ["con_2", "con_1"]


def test_a_long_list_of_troubles_says_that_there_are_more() -> None:
    many = [Trouble(f"shp_{number}", "con_1", "stalled", NOON) for number in range(MOST_ROWS + 1)]
    few, lots = overview_of(shipments=Shipments(many[:3])), overview_of(shipments=Shipments(many))
    assert (len(few.troubles), few.more_troubles) == (3, False)
    assert (len(lots.troubles), lots.more_troubles) == (MOST_ROWS, True)


def test_handovers_in_trouble_are_shown_as_they_are_told() -> None:
    many = [Delayed(f"apt_{number}", "con_1", "locked_out", NOON, 4_000) for number in range(MOST_ROWS + 1)]
    shown = OverviewView.of(overview_of(appointments=Appointments(many)))
    assert (len(shown.delayed), shown.more_delayed, shown.more_troubles) == (MOST_ROWS, True, False)
    assert (shown.delayed[0].kind, shown.delayed[0].parking_cost) == ("locked_out", 4_000)
