"""What a number and a day may have, and that what must wait is never lost."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from msgspec.structs import replace

from chalicelib.kernel.facts import Fact
from chalicelib.notices.model import (
    TEXTS,
    TEXTS_WINDOW,
    Caps,
    NumberLimit,
    SmsUnavailable,
    State,
    Template,
    after_cap,
    number_mark,
    with_text,
)
from chalicelib.notices.service import NoticeService
from tests.conftest import NOON, Hands
from tests.notices.conftest import PHONE, Outbox

Facts = Callable[[], list[Fact]]
QUESTION = Template.KEY_QUESTION


def of_type(facts: Facts, name: str) -> list[dict[str, Any]]:
    return [fact.data for fact in facts() if fact.type == name]


def test_r13_a_number_gets_three_texts_in_ten_minutes_whatever_they_say(
    service: NoticeService, outbox: Outbox, clock: Hands
) -> None:
    service.send_link("grt_kim", 1)
    clock.move(minutes=3)
    service.tell(QUESTION, "con_kim", "evt_1")
    service.tell(Template.CHARGE_FAILED, "con_kim", "evt_2")
    assert service.send_link("grt_kim", 2) == State.WAITING
    assert service.tell(QUESTION, "con_1", "evt_3") == State.SENT
    assert len([phone for phone, _ in outbox.texts if phone == PHONE]) == TEXTS
    assert [notice.reason for notice in service.spending().waiting] == ["NUMBER_LIMIT"]

    clock.move(minutes=6, seconds=59)
    assert service.sweep().claimed == 0
    clock.move(seconds=1)
    assert service.sweep().claimed == 1
    assert outbox.texts[-1][1].endswith("k#grt_kim-2ccccccccccccc")
    assert service.spending().waiting == ()


def test_a_text_that_waits_is_not_sent_when_its_event_comes_again(
    service: NoticeService, outbox: Outbox, clock: Hands
) -> None:
    for number in range(1, 5):
        service.send_link("grt_kim", number)
    clock.move(minutes=1)
    assert service.send_link("grt_kim", 4) is None
    assert len(outbox.texts) == 3


def test_r13_a_number_that_was_tried_in_vain_gets_no_more_for_it(
    service: NoticeService, outbox: Outbox, clock: Hands
) -> None:
    """Whoever gave no answer may have sent it."""
    for number in range(1, 4):
        outbox.problem, outbox.lost = TimeoutError(), True
        with pytest.raises(TimeoutError):
            service.send_link("grt_kim", number)
    clock.move(minutes=1)
    service.sweep()
    assert len(outbox.texts) == TEXTS
    clock.move(minutes=10)
    assert service.sweep().claimed == 3


def test_r13_a_day_has_a_cap_and_its_last_parts_are_for_links(
    service: NoticeService, outbox: Outbox, facts: Facts
) -> None:
    for number in range(8):
        service.tell(QUESTION, f"con_{number}", f"evt_{number}")
    assert len(outbox.texts) == service.caps.parts - service.caps.for_links == 6
    for number in range(8):
        service.send_link(f"grt_{number + 100}", 1)
    assert len(outbox.texts) == service.caps.parts == 10
    spending = service.spending()
    assert (spending.spent, len(spending.waiting)) == (10, 6)
    assert {notice.reason for notice in spending.waiting} == {"DAILY_CAP"}


def test_r13_operations_hear_once_a_day_that_texts_wait(
    service: NoticeService, facts: Facts, clock: Hands
) -> None:
    for number in range(9):
        service.tell(QUESTION, f"con_{number}", f"evt_{number}")
    assert of_type(facts, "SmsCapReached") == [{"day": "2026-03-02", "whose": "others", "parts": 6}]
    for number in range(9):
        service.send_link(f"grt_{number}", 1)
    assert [data["whose"] for data in of_type(facts, "SmsCapReached")] == ["others", "links"]
    clock.move(days=1)
    for number in range(20, 29):
        service.tell(QUESTION, f"con_{number}", f"evt_{number}")
    assert [data["day"] for data in of_type(facts, "SmsCapReached")][2:] == ["2026-03-03"]


def test_r13_what_waited_for_the_next_day_goes_out_then(
    service: NoticeService, outbox: Outbox, clock: Hands
) -> None:
    for number in range(9):
        service.tell(QUESTION, f"con_{number}", f"evt_{number}")
    clock.move(hours=11)
    assert (service.sweep().claimed, len(outbox.texts)) == (3, 6)
    clock.move(minutes=90)
    assert service.sweep().claimed == 3
    assert len({phone for phone, _ in outbox.texts}) == len(outbox.texts) == 9
    assert service.spending().spent == 3


def test_what_waits_for_a_cap_goes_out_soon_after_it_was_raised(
    service: NoticeService, outbox: Outbox, clock: Hands
) -> None:
    for number in range(9):
        service.tell(QUESTION, f"con_{number}", f"evt_{number}")
    raised = replace(service, caps=Caps(parts=100, for_links=4))
    clock.move(minutes=60)
    assert raised.sweep().claimed == 3
    assert len(outbox.texts) == 9


def test_a_text_that_the_provider_turned_away_costs_nothing(service: NoticeService, outbox: Outbox) -> None:
    outbox.problem = SmsUnavailable("Throttled")
    with pytest.raises(SmsUnavailable):
        service.send_link("grt_kim", 1)
    assert service.spending().spent == 0


def test_a_cap_of_nothing_lets_nothing_out(service: NoticeService, outbox: Outbox) -> None:
    silent = replace(service, caps=Caps(parts=0, for_links=0))
    assert silent.send_link("grt_kim", 1) == State.WAITING
    assert outbox.texts == []


@given(some.lists(some.integers(0, 1200), max_size=12))
@settings(max_examples=25)
def test_no_window_of_ten_minutes_ever_holds_more_texts(gaps: list[int]) -> None:
    """The next text goes as soon as the limit says, and never earlier."""
    at, times = NOON, tuple[datetime, ...]()
    sent: list[datetime] = []
    for gap in gaps:
        at = until(times, at + timedelta(seconds=gap))
        times = with_text(times, at)
        sent.append(at)
    assert all(later - earlier >= TEXTS_WINDOW for earlier, later in zip(sent, sent[TEXTS:], strict=False))


def until(times: Sequence[datetime], at: datetime) -> datetime:
    try:
        with_text(times, at)
    except NumberLimit as limit:
        return limit.until
    return at


def test_a_number_is_known_by_a_hash_that_cannot_be_guessed() -> None:
    assert number_mark("a key", PHONE) == number_mark("a key", PHONE) != number_mark("another", PHONE)
    assert "1012345678" not in number_mark("a key", PHONE)


@pytest.mark.parametrize(("since_noon", "earliest"), [(0, 30), (11 * 60 + 50, 12 * 60)])
def test_those_who_wait_for_a_cap_do_not_all_look_again_at_once(since_noon: int, earliest: int) -> None:
    at, first = (NOON + timedelta(minutes=minutes) for minutes in (since_noon, earliest))
    times = {after_cap(f"ntc_{number}", at) for number in range(100)}
    assert len(times) > 50
    assert all(first <= each < first + timedelta(minutes=30) for each in times)


def test_r13_texts_to_one_number_at_once_are_no_more_than_three(
    service: NoticeService, outbox: Outbox
) -> None:
    with ThreadPoolExecutor(8) as runs:
        states = list(runs.map(lambda number: service.send_link("grt_kim", number), range(8)))
    assert len(outbox.texts) == states.count(State.SENT) <= TEXTS
    assert service.spending().spent == len(outbox.texts)
