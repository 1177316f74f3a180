"""The reference car refuses everything a real one must, each for its own reason, and acts at most once."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from chalicelib.doors.model import Action, Command, car_key, millis, signature
from infra.local.car import Behaviour, Body, Memory, Unit
from tests.conftest import NOON
from tests.doors.world import CAR, CAR_KEY, MASTER, unit

AT = millis(NOON) + 800
FIRST = Command("cmd_1", "grt_kim", "con_1", CAR, Action.UNLOCK, NOON, "00000000000000aa", counter=1)


def signed(command: Command = FIRST, key: str = CAR_KEY, **changes: Any) -> bytes:
    """The envelope as the service makes it; with `changes`, signed anew."""
    envelope = {**command.envelope(key), **changes}
    del envelope["sig"]
    return json.dumps({**envelope, "sig": signature(key, command.car_id, envelope)}).encode()


def flipped(name: str) -> bytes:
    envelope = json.loads(signed())
    value = envelope[name]
    envelope[name] = value + 1 if isinstance(value, int) else ("f" if value[0] != "f" else "e") + value[1:]
    return json.dumps(envelope).encode()


def test_a_true_command_is_carried_out_and_answered_with_its_nonce() -> None:
    car = unit()
    answer = car.receive(signed(), AT)
    assert answer is not None
    assert (answer["status"], answer["nonce"], car.executed) == ("succeeded", FIRST.nonce, ["unlock"])
    assert not car.body.locked


def test_r05_a_repeated_command_is_not_carried_out_again_and_hears_the_first_answer() -> None:
    car = unit()
    first = car.receive(signed(), AT)
    assert car.receive(signed(), AT + 5) == first
    assert (car.executed, car.refused) == (["unlock"], ["REPLAYED"])


@pytest.mark.parametrize(
    "name", ["command_id", "grant_id", "action", "counter", "issued_at", "expires_at", "nonce", "sig", "v"]
)
def test_r05_a_flipped_bit_anywhere_is_a_bad_signature(name: str) -> None:
    car = unit()
    answer = car.receive(flipped(name), AT)
    assert answer is not None
    assert (answer["status"], answer["reason"], car.executed) == ("rejected", "BAD_SIGNATURE", [])


@pytest.mark.parametrize(
    ("why", "payload", "reason"),
    [
        ("another car's command", lambda: signed(replace(FIRST, car_id="car-0002")), "BAD_SIGNATURE"),
        ("another car's key", lambda: signed(key=car_key(MASTER, "car-0002")), "BAD_SIGNATURE"),
        ("expired", lambda: signed(replace(FIRST, requested_at=NOON - timedelta(seconds=15))), "EXPIRED"),
        ("too long a life", lambda: signed(expires_at=millis(NOON) + 30_001), "LIFE_TOO_LONG"),
        (
            "from the future",
            lambda: signed(replace(FIRST, requested_at=NOON + timedelta(7))),
            "NOT_YET_VALID",
        ),
        ("an unknown action", lambda: signed(action="start_engine"), "NOT_SUPPORTED"),
        ("an unknown version", lambda: signed(v=2), "NOT_SUPPORTED"),
    ],
)
def test_r05_each_is_refused_for_its_own_reason(why: str, payload: Callable[[], bytes], reason: str) -> None:
    car = unit()
    answer = car.receive(payload(), AT)
    assert answer is not None, why
    assert (answer["status"], answer["reason"], car.executed) == ("rejected", reason, [])


def test_r02_a_car_that_is_back_a_second_after_a_commands_life_does_nothing() -> None:
    car = unit()
    answer = car.receive(signed(), millis(FIRST.expires_at) + 1000)
    assert answer is not None
    assert (answer["status"], answer["reason"], car.executed) == ("rejected", "EXPIRED", [])


def test_r05_a_command_that_was_overtaken_is_out_of_order_and_an_ancient_one_is_old() -> None:
    car = unit()
    car.receive(signed(replace(FIRST, command_id="cmd_50", counter=50)), AT)
    overtaken = car.receive(signed(replace(FIRST, command_id="cmd_49", counter=49)), AT)
    ancient = car.receive(signed(replace(FIRST, command_id="cmd_2", counter=2)), AT)
    assert overtaken is not None
    assert ancient is not None
    assert (overtaken["reason"], ancient["reason"]) == ("OUT_OF_ORDER", "OLD_COUNTER")
    assert car.executed == ["unlock"]


def test_r05_a_refused_forgery_does_not_move_the_counter() -> None:
    car = unit()
    car.receive(signed(counter=1000, key=car_key("not our master", CAR)), AT)
    assert car.receive(signed(), AT)["status"] == "succeeded"  # type: ignore[index]


@pytest.mark.parametrize("noise", [b"", b"\xff", b"[]", b"{}", b'{"v": 1}', b"null", b'{"v": "1", "sig": 7}'])
def test_noise_is_not_answered(noise: bytes) -> None:
    assert unit().receive(noise, AT) is None


@pytest.mark.parametrize(
    ("body", "action", "expected"),
    [
        (Body(), "unlock", ("succeeded", None)),
        (Body(), "lock", ("already_done", None)),
        (Body(locked=False), "lock", ("succeeded", None)),
        (Body(locked=False, door_open=True), "lock", ("rejected", "DOOR_OPEN")),
        (Body(moving=True), "unlock", ("rejected", "IN_MOTION")),
        (Body(moving=True), "hazard_on", ("succeeded", None)),
        (Body(hazard_on=True), "hazard_off", ("succeeded", None)),
        (Body(), "horn", ("succeeded", None)),
    ],
)
def test_what_a_car_can_do_depends_on_how_it_stands(body: Body, action: str, expected: object) -> None:
    assert body.act(action) == expected


def test_a_restarted_unit_remembers_its_counter_and_its_answers(tmp_path: Path) -> None:
    path = tmp_path / "memory.json"
    first = Unit(CAR, CAR_KEY, memory=Memory.at(path, CAR_KEY)).receive(signed(), AT)
    again = Unit(CAR, CAR_KEY, memory=Memory.at(path, CAR_KEY))
    assert again.receive(signed(), AT) == first
    assert again.executed == []
    assert Memory.at(path, car_key("a new master", CAR)).counter == 0


def test_a_unit_remembers_a_bounded_number_of_answers() -> None:
    car = unit()
    for number in range(1, 101):
        car.receive(signed(replace(FIRST, command_id=f"cmd_{number}", counter=number)), AT)
    assert (len(car.memory.answers), car.memory.counter) == (32, 100)


def test_behaviours_are_words() -> None:
    assert Behaviour.of(["slow:20", "moving"]) == Behaviour(answer_after=20, moving=True)
    assert Behaviour.of("slow,door_open") == Behaviour(answer_after=3, door_open=True)
    with pytest.raises(TypeError):
        Behaviour.of("flying")
