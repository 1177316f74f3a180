"""Logs that nobody can change unnoticed."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.kernel.audit import GENESIS, Head, Line, broken_at, line_after, proves, salted
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.tables import AllOrNothing, LogMoved, read_log
from tests.conftest import NOON
from tests.kernel.test_tables import Purse

IP = {"ip": "203.0.113.7", "agent": "Mozilla/5.0"}


def written(count: int, log: str = "car-0001") -> list[Line]:
    lines: list[Line] = []
    head = Head()
    for number in range(count):
        private = salted(IP)
        lines.append(
            line_after(
                head, log, at=NOON, what="requested", who="grt_1", about={"counter": number}, private=private
            )
        )
        head = lines[-1].head
    return lines


def test_every_line_follows_the_one_before() -> None:
    lines = written(5)
    assert (lines[0].prev, [line.no for line in lines]) == (GENESIS, [1, 2, 3, 4, 5])
    assert broken_at(lines, Head()) is None
    assert broken_at(lines[2:]) is None, "a log whose beginning has gone by its time to live"
    assert broken_at(lines[2:], Head()) == 3


CHANGES: dict[str, Any] = {
    "log": "car-0002",
    "no": 99,
    "at": NOON.replace(year=2020),
    "what": "denied",
    "who": "staff:1",
    "about": {"counter": 7},
    "private_mark": None,
    "prev": "f" * 64,
    "mark": "f" * 64,
}


@given(st.sampled_from(sorted(CHANGES)), st.integers(0, 4))
@settings(max_examples=40)
def test_no_part_of_a_line_can_be_changed_unnoticed(part: str, place: int) -> None:
    lines = written(5)
    lines[place] = msgspec.structs.replace(lines[place], **{part: CHANGES[part]})
    assert broken_at(lines, Head()) is not None


@pytest.mark.parametrize("place", range(4))
def test_no_line_can_be_taken_out_or_moved_unnoticed(place: int) -> None:
    lines = written(5)
    assert broken_at(lines[:place] + lines[place + 1 :], Head()) == place + 2
    lines[place], lines[place + 1] = lines[place + 1], lines[place]
    assert broken_at(lines, Head()) == place + 2


def test_the_end_of_a_log_cannot_be_lost_unnoticed() -> None:
    """The head stands in another row; the log must reach it."""
    lines = written(3)
    assert lines[:2][-1].head != lines[-1].head


def test_what_is_personal_can_be_erased_and_is_proven_while_it_is_there() -> None:
    private = salted(IP)
    line = line_after(Head(), "car-0001", at=NOON, what="requested", who="grt_1", about={}, private=private)
    assert "203.0.113.7" not in msgspec.json.encode(line).decode()
    assert proves(line, private)
    assert not proves(line, {**private, "ip": "203.0.113.8"})
    assert not proves(line, salted(IP)), "the salt is part of it"
    assert broken_at([line], Head()) is None


def test_a_log_is_read_as_it_was_written_and_a_number_is_taken_once(dynamodb: Any) -> None:
    lines = written(3)
    for line in lines:
        write = AllOrNothing()
        write.line(Purse, line, private=salted(IP), ttl=1)
        write.commit()
    assert read_log(Purse, "car-0001") == lines
    assert read_log(Purse, "car-0001", after=1, limit=1) == [lines[1]]
    again = AllOrNothing()
    again.line(Purse, lines[1])
    with pytest.raises(LogMoved):
        again.commit()


def test_a_line_can_carry_the_fact_it_tells_of(dynamodb: Any) -> None:
    line = written(1)[0]
    fact = Fact.of("CommandRequested", "doors", "cmd_1", at=NOON, id="evt_1", data={"car_id": "car-0001"})
    write = AllOrNothing()
    write.line(Purse, line, fact=fact)
    write.commit()
    row = dynamodb.get_item(
        TableName="test-coupons", Key={"pk": {"S": "LOG#car-0001"}, "sk": {"S": "0000000001"}}
    )["Item"]
    assert msgspec.json.decode(row["fact"]["S"])["id"] == "evt_1"
    assert "private" not in row
