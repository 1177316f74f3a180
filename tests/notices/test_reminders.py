"""That points expire soon is told once; of those that were given, only to who agreed to advertising."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from chalicelib.kernel.auth import Caller
from chalicelib.kernel.clock import KST
from chalicelib.kernel.facts import Fact
from chalicelib.notices.model import Caps, Expiring, Notice, State, Template
from chalicelib.notices.service import NoticeService
from tests.conftest import NOON, Hands
from tests.notices.conftest import SITE, Outbox, Points

APRIL = datetime(2026, 4, 1, tzinfo=KST)
MIDNIGHT = datetime(2026, 3, 2, tzinfo=KST)


@pytest.fixture
def service(service: NoticeService) -> NoticeService:
    return replace(service, caps=Caps(parts=100, for_links=40))


def told(service: NoticeService, customer: int = 7, end: datetime = APRIL) -> State | None:
    return service.remind(Expiring(str(customer), end))


def why(service: NoticeService, customer: int = 7) -> tuple[State | None, str | None]:
    """Where it stands, and the reason that is kept with it."""
    noted: list[str | None] = []

    class Noting:
        def __getattr__(self, name: str) -> Any:
            return getattr(service.store, name)

        def settle(self, notice: Notice, at: datetime, fact: Fact | None) -> None:
            noted.append(notice.reason)
            service.store.settle(notice, at, fact)

    return told(replace(service, store=Noting()), customer), noted[0]


def test_points_that_a_payment_earned_are_told_of_once(service: NoticeService, outbox: Outbox) -> None:
    assert [told(service) for _ in range(3)] == [State.SENT, None, None]
    text = f"[핸드오버] 700P가 3/31 이후 사라져요\n{SITE}/my"
    assert outbox.texts == [("+821000000007", text)]
    assert told(service, end=datetime(2026, 5, 1, tzinfo=KST)) == State.SENT


def test_points_that_were_given_are_advertising(
    service: NoticeService, outbox: Outbox, points: Points
) -> None:
    points.earned, points.given = 0, 5_000
    assert why(service) == (State.FAILED, "NO_CONSENT")
    service.agree(Caller("8"), True, False)
    assert told(service, 8) == State.SENT
    assert why(replace(service, opt_out=""), 9) == (State.FAILED, "NO_OPT_OUT_NUMBER")
    text = f"(광고)[핸드오버] 5,000P가 3/31 이후 사라져요\n{SITE}/my\n무료수신거부 080-000-0000"
    assert outbox.texts == [("+821000000008", text)]


def test_whoever_wants_no_advertising_hears_of_what_they_earned_only(
    service: NoticeService, outbox: Outbox, points: Points
) -> None:
    points.given = 5_000
    service.agree(Caller("8"), True, False)
    assert [told(service, customer) for customer in (7, 8)] == [State.SENT] * 2
    assert [text.splitlines()[0] for _, text in outbox.texts] == [
        "[핸드오버] 700P가 3/31 이후 사라져요",
        "(광고)[핸드오버] 5,700P가 3/31 이후 사라져요",
    ]


def test_what_is_said_at_midnight_is_told_in_the_morning_and_only_if_it_is_still_so(
    service: NoticeService, outbox: Outbox, points: Points, clock: Hands
) -> None:
    service.agree(Caller("8"), True, True)
    clock.at = MIDNIGHT
    assert [told(service, customer) for customer in (7, 8)] == [State.WAITING] * 2
    (first, _) = service.spending().waiting
    assert (first.reason, first.due_at) == ("NIGHT_REST", MIDNIGHT + timedelta(hours=8))
    clock.move(hours=8)
    points.earned = 0
    assert service.sweep().claimed == 2
    assert outbox.texts == []


def test_a_month_s_reminders_leave_half_to_what_customers_must_know_and_go_on_the_next_days(
    service: NoticeService, outbox: Outbox, clock: Hands
) -> None:
    few = replace(service, caps=Caps(parts=10, for_links=4))
    for customer in range(1, 9):
        told(few, customer)
    assert (len(outbox.texts), len(few.spending().waiting)) == (3, 5)
    assert few.tell(Template.CHARGE_FAILED, "con_kim", "evt_1") == State.SENT
    for _ in range(2):
        clock.move(days=1)
        few.sweep()
    assert len(outbox.texts) == 9
    assert few.spending().waiting == ()


def test_what_is_gone_is_not_told_of(service: NoticeService, outbox: Outbox, clock: Hands) -> None:
    clock.at = APRIL + timedelta(hours=12)
    assert why(service) == (State.FAILED, "TOO_LATE")
    assert outbox.texts == []


def test_points_that_were_spent_meanwhile_are_not_told_of(service: NoticeService, points: Points) -> None:
    points.earned = 0
    assert why(service) == (State.FAILED, "NOTHING_EXPIRES")


def test_whoever_cannot_be_reached_is_given_up(service: NoticeService, points: Points) -> None:
    service.agree(Caller("404"), True, False)
    points.given = 10
    assert why(service, 404) == (State.FAILED, "NO_NUMBER")


def test_who_agrees_during_the_night_is_told_of_all_in_the_morning(
    service: NoticeService, outbox: Outbox, points: Points, clock: Hands
) -> None:
    points.given = 5_000
    clock.at = MIDNIGHT
    told(service)
    clock.at = NOON
    service.agree(Caller("7"), True, False)
    service.sweep()
    assert [text.splitlines()[0] for _, text in outbox.texts] == [
        "(광고)[핸드오버] 5,700P가 3/31 이후 사라져요"
    ]
