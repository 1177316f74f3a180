"""Written down before it happens, in a chain that shows every change to it afterwards."""

import json
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from chalicelib.doors.model import (
    DENIALS_AN_HOUR,
    Action,
    ActionNotGranted,
    Asked,
    CarBusy,
    Event,
    NoSuchCommand,
    NotAccepted,
    State,
)
from chalicelib.kernel.audit import Line, broken_at, line_after, proves
from chalicelib.kernel.auth import Caller, Group
from chalicelib.kernel.errors import NotFound
from tests.doors.conftest import rows
from tests.doors.world import CAR, HORN, KIM, LOCK, UNLOCK, GrantRevoked, World


def told(world: World, of: str = "commands") -> list[tuple[str, str]]:
    return [(line.what, line.who) for line in world.log(of)]


def test_r14_a_command_is_on_record_before_it_is_published(world: World) -> None:
    seen: list[list[tuple[str, str]]] = []
    world.air.then = lambda _: seen.append(told(world))
    command = world.press(UNLOCK, "k1")
    assert seen == [[("requested", KIM.who)]]
    (line,) = world.log()
    assert (line.no, line.about["command_id"], line.about["action"]) == (1, command.command_id, "unlock")
    assert {"grant_id", "contract_id", "counter", "trace_id", "place"} <= set(line.about)


def test_r14_where_nothing_can_be_written_nothing_is_published(world: World) -> None:
    class Full(Exception): ...

    def full(*_: Any, **__: Any) -> None:
        raise Full

    world.store.open = full  # type: ignore[method-assign]
    with pytest.raises(Full):
        world.press(UNLOCK, "k1")
    assert world.air.published == []


def test_r14_a_death_between_the_line_and_the_publish_leaves_the_line_and_no_command(world: World) -> None:
    world.air.breaks = MemoryError("the Lambda died here")
    with pytest.raises(MemoryError):
        world.press(UNLOCK, "k1")
    (line,) = world.log()
    command_id = str(line.about["command_id"])
    assert world.log(command_id) == []
    world.clock.move(seconds=75)
    world.service.sweep()
    world.service.sweep()
    assert told(world, command_id) == [("T.expires_at", "clock"), ("T.grace", "clock")]


def test_r14_what_became_of_a_command_goes_on_from_the_cars_line(world: World) -> None:
    command = world.press(UNLOCK, "k1")
    world.answer(command, Event.RECEIVED)
    world.clock.move(seconds=20)
    world.look(command)
    world.answer(command, Event.SUCCEEDED)
    lines = world.log(command.command_id)
    assert [(line.what, line.who) for line in lines] == [
        ("published", "service"),
        ("received", f"car:{CAR}"),
        ("T.expires_at", "clock"),
        ("succeeded", f"car:{CAR}"),
    ]
    (given,) = world.log()
    assert lines[0].prev == given.mark
    assert lines[-1].about == {"state": "SUCCEEDED", "late": True}


def test_r14_every_attempt_that_did_not_leave_is_on_record_with_its_reason(world: World) -> None:
    running = world.press(UNLOCK, "k1")
    world.sent(UNLOCK, "k2", by="partner")
    with pytest.raises(CarBusy):
        world.press(HORN, "k3")
    with pytest.raises(Exception, match="does not allow"):
        world.press(LOCK, "k4", by="valet")
    world.holders.ended[KIM.grant_id] = GrantRevoked()
    with pytest.raises(GrantRevoked):
        world.press(LOCK, "k5")
    world.holders.ended.clear()
    world.answer(running, Event.SUCCEEDED)
    world.connect(online=False)
    world.press(LOCK, "k6")
    lines = world.log("denied")
    assert [(line.what, line.about.get("code")) for line in lines] == [
        ("joined", None),
        ("denied", "BUSY"),
        ("denied", "ACTION_NOT_GRANTED"),
        ("denied", "GRANT_REVOKED"),
        ("not_sent", "VEHICLE_OFFLINE"),
    ]
    assert lines[0].about["joined"] == running.command_id
    assert len(world.air.published) == 1


def test_r14_as_many_lines_as_publishes_and_refused_publishes(world: World) -> None:
    for number, action in enumerate((UNLOCK, LOCK, HORN, Action.HAZARD_ON)):
        world.air.breaks = NotAccepted() if action is HORN else None
        command = world.press(action, f"k{number}")
        world.press(action, f"k{number}")
        if command.state is State.SENT:
            world.answer(command, Event.SUCCEEDED)
    ids = [str(line.about["command_id"]) for line in world.log()]
    published = [id_ for id_ in ids if "published" in [what for what, _ in told(world, id_)]]
    assert (len(ids), len(published), len(world.air.published)) == (4, 3, 3)
    assert published == [payload["command_id"] for _, payload, _ in world.air.published]


def test_whoever_goes_on_being_denied_is_counted_and_has_no_line(world: World) -> None:
    for number in range(DENIALS_AN_HOUR + 5):
        with pytest.raises(ActionNotGranted):
            world.press(LOCK, f"k{number}", by="valet")
    assert len(world.log("denied")) == DENIALS_AN_HOUR
    assert world.refusals() == ["denied"] * 5
    world.clock.move(hours=1)
    with pytest.raises(ActionNotGranted):
        world.press(LOCK, "k", by="valet")
    assert len(world.log("denied")) == DENIALS_AN_HOUR + 1


def test_a_device_check_on_a_car_in_service_uses_counters_of_the_same_row(lasting: World) -> None:
    lasting.answer(lasting.press(LOCK, "k1"), Event.SUCCEEDED)
    store: Any = lasting.store
    assert store.reserve(CAR, 3, "operator", lasting.clock()) == 2
    assert lasting.press(LOCK, "k2").counter == 5
    assert [line.what for line in lasting.log()] == ["requested", *["device_check"] * 3, "requested"]


def test_staff_act_with_a_reason_that_is_kept_beside_the_line(world: World) -> None:
    olga = Caller("olga", frozenset({Group.OPS}))
    asked = Asked(UNLOCK, "the key broke off", ip="192.0.2.9", agent="desk")
    world.service.send_for("con_1", olga, asked, "k1")
    (line,) = world.log()
    assert line.who == "customer:grt_staff_olga"
    assert "the key broke off" not in msgspec.json.encode(line).decode()


def test_the_personal_part_can_be_erased_and_the_chain_still_holds(lasting: World, dynamodb: Any) -> None:
    lasting.press(UNLOCK, "k1")
    for row in rows(dynamodb):
        if "private" in row:
            private = json.loads(row["private"]["S"])
            line = msgspec.json.decode(row["line"]["S"], type=Line)
            assert (private["ip"], proves(line, private)) == ("192.0.2.7", True)
            assert not proves(line, {**private, "ip": "192.0.2.8"})
            del row["private"]
            dynamodb.put_item(TableName="test-doors", Item=row)
    assert len(lasting.log()) == 1


@dataclass
class Hand:
    """Somebody with every right on the table, at work on the car's log."""

    client: Any

    def __post_init__(self) -> None:
        self.rows = {int(row["sk"]["S"]): row for row in rows(self.client) if row["pk"]["S"] == f"LOG#{CAR}"}

    def line(self, number: int) -> Line:
        return msgspec.json.decode(self.rows[number]["line"]["S"], type=Line)

    def drop(self, *numbers: int) -> None:
        for number in numbers:
            key = {name: self.rows[number][name] for name in ("pk", "sk")}
            self.client.delete_item(TableName="test-doors", Key=key)

    def put(self, number: int, line: Line) -> None:
        row = {**self.rows[number], "line": {"S": msgspec.json.encode(line).decode()}}
        self.client.put_item(TableName="test-doors", Item=row)

    def change(self) -> None:
        self.put(2, msgspec.structs.replace(self.line(2), who="customer:somebody else"))

    def replace_the_end(self) -> None:
        """The chain alone would not tell; the end that is kept apart does."""
        end = self.line(4)
        forged = line_after(self.line(3).head, CAR, at=end.at, what=end.what, who="nobody", about={})
        assert broken_at([self.line(3), forged]) is None
        self.put(4, forged)

    def add(self) -> None:
        end = self.line(4)
        more = line_after(end.head, CAR, at=end.at, what="requested", who="somebody else", about={})
        row = {**self.rows[4], "sk": {"S": "0000000005"}, "line": {"S": msgspec.json.encode(more).decode()}}
        self.client.put_item(TableName="test-doors", Item=row)


@pytest.mark.parametrize(
    "touch",
    [
        Hand.change,
        lambda hand: hand.drop(3),
        lambda hand: hand.drop(4),
        lambda hand: hand.drop(1, 2, 3, 4),
        Hand.replace_the_end,
        Hand.add,
    ],
    ids=[
        "a changed word",
        "a line taken out",
        "the end cut off",
        "all of it gone",
        "another end",
        "one more",
    ],
)
def test_r14_whoever_touches_the_log_is_found_out(lasting: World, dynamodb: Any, touch: Any) -> None:
    for number in range(4):
        lasting.answer(lasting.press(LOCK, f"k{number}"), Event.ALREADY_DONE)
    assert lasting.desk.log(CAR, "commands", 0, 100).whole
    touch(Hand(dynamodb))
    assert not lasting.desk.log(CAR, "commands", 0, 100).whole


def test_a_log_is_read_page_by_page_and_each_page_follows_the_last(world: World) -> None:
    for number in range(5):
        world.answer(world.press(LOCK, f"k{number}"), Event.ALREADY_DONE)
    seen: list[int] = []
    after: int | None = 0
    while after is not None:
        page = world.desk.log(CAR, "commands", after, 2)
        assert page.whole
        seen += [line.no for line in page.lines]
        after = page.next
    assert seen == [1, 2, 3, 4, 5]
    assert world.desk.log(CAR, "commands", 5, 2).lines == []
    assert world.desk.log(CAR, "commands", 5, 2).whole


def test_a_log_whose_lines_have_outlived_their_year_is_empty_and_whole(world: World) -> None:
    page = world.desk.log("car-0002", "commands", 0, 10)
    assert (page.lines, page.whole) == ([], True)


def test_another_cars_command_and_an_unknown_car_have_no_log_here(world: World) -> None:
    command = world.press(UNLOCK, "k1")
    joined = world.sent(UNLOCK, "k2", by="partner")
    assert joined.command == command
    for of in (command.command_id, "cmd_nobody_sent", "x" * 3000):
        with pytest.raises(NoSuchCommand):
            world.desk.log("car-0002", of, 0, 10)
    with pytest.raises(NotFound):
        world.desk.log("bicycle", "commands", 0, 10)
