"""The conformance run tells a unit that keeps the protocol from those that break it, and names what."""

import asyncio
import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from infra.device_check import bench as on_bench
from infra.device_check.__main__ import line, main
from infra.device_check.bench import Bench, CannotTell, Heard, Unfit
from infra.device_check.checks import CHECKS, COUNTERS, Finding, run
from infra.local.car import Body, Message, Unit, now_ms

CAR, KEY = "car-0001", "ab" * 32


@dataclass
class Loop:
    """A unit without a broker: what it would publish is heard at once."""

    unit: Unit
    topic: str = "cars/{}/{}"
    qos: int = 1
    retained: bool = False
    deaf: bool = False
    stateless: bool = False
    again: bool = False
    late: int = 0
    _waiting: deque[Heard] = field(default_factory=deque)

    def say(self, channel: str, message: Message) -> None:
        topic = self.topic.format(CAR, channel)
        self._waiting.append(Heard(topic, json.dumps(message).encode(), self.qos, self.retained))

    async def send(self, payload: bytes) -> None:
        answer = None if self.deaf else self.unit.receive(payload, now_ms() + self.late)
        for _ in range(1 + self.again) if answer else ():
            self.say("acks", answer or {})
        if answer and not self.stateless:
            self.say("state", self.unit.state(now_ms() + self.late))

    async def heard(self, seconds: float) -> Heard | None:
        return self._waiting.popleft() if self._waiting else None

    async def interrupt(self) -> None:
        self.say("state", self.unit.state(now_ms() + self.late))


def checked(loop: Loop) -> list[Finding]:
    bench = Bench(CAR, KEY, loop, counter=0)
    return asyncio.run(run(bench, lambda _: None))


def broken(loop: Loop) -> set[str]:
    """The first words of each promise that was broken."""
    return {finding.promise for finding in checked(loop) if finding.wrong is not None}


def test_the_reference_car_keeps_every_promise() -> None:
    found = checked(Loop(Unit(CAR, KEY)))
    assert [finding for finding in found if finding.wrong or finding.skipped] == []
    assert len(found) == len(CHECKS) + len(on_bench.MANNERS)


def test_a_run_uses_fewer_counters_than_are_kept_for_it() -> None:
    bench = Bench(CAR, KEY, Loop(Unit(CAR, KEY)), counter=0)
    asyncio.run(run(bench, lambda _: None))
    assert bench.counter <= COUNTERS


class Trusting(Unit):
    def _signature(self, command: Message) -> str:
        return str(command["sig"])


class Forgetful(Unit):
    """Does everything again, since it keeps no answers; its counter it keeps."""

    def _objection(self, command: Message, at: int) -> str | None:
        self.memory.answers.clear()
        if command["counter"] == self.memory.counter:
            self.memory.counter -= 1
        return super()._objection(command, at)


class Countless(Unit):
    def _objection(self, command: Message, at: int) -> str | None:
        self.memory.counter = 0
        return super()._objection(command, at)


class Timeless(Unit):
    def _out_of_time(self, command: Message, at: int) -> str | None:
        return None


class Patient(Unit):
    """Takes any life, but keeps the time."""

    def _out_of_time(self, command: Message, at: int) -> str | None:
        reason = super()._out_of_time(command, at)
        return None if reason == "LIFE_TOO_LONG" else reason


class Strict(Unit):
    def _out_of_time(self, command: Message, at: int) -> str | None:
        return "NOT_YET_VALID" if command["issued_at"] > at else super()._out_of_time(command, at)


class Moved(Unit):
    """A forgery moves its counter."""

    def receive(self, payload: bytes, at: int) -> Message | None:
        answer = super().receive(payload, at)
        if answer and answer.get("reason") == "BAD_SIGNATURE":
            self.memory.counter = max(self.memory.counter, json.loads(payload)["counter"])
        return answer


class Mute(Unit):
    """Answers, but with a nonce of its own."""

    def _answer(self, command: Message, *rest: Any) -> Message:
        return {**super()._answer(command, *rest), "nonce": "0" * 16}


class Slang(Unit):
    def _answer(self, command: Message, *rest: Any) -> Message:
        return {**super()._answer(command, *rest), "at": "now"}


class Obedient(Unit):
    """Does what it does not know."""

    def _objection(self, command: Message, at: int) -> str | None:
        reason = super()._objection(command, at)
        return None if reason == "NOT_SUPPORTED" else reason


class Chatty(Unit):
    """Answers what is no command."""

    def receive(self, payload: bytes, at: int) -> Message | None:
        answer = super().receive(payload, at)
        nothing = {"command_id": "", "nonce": ""}
        return answer or self._answer(nothing, "rejected", "NOT_SUPPORTED", at)


class Picky(Unit):
    """Refuses fields it does not know."""

    def receive(self, payload: bytes, at: int) -> Message | None:
        known = b'"later"' not in payload
        return super().receive(payload, at) if known else None


class Amnesiac(Loop):
    """Loses its memory with its connection."""

    async def interrupt(self) -> None:
        self.unit.memory.answers.clear()
        await super().interrupt()


CHANGED = "refuses a command that was changed on its way: BAD_SIGNATURE"
OTHERS = {
    CHANGED,
    "refuses another car's command: BAD_SIGNATURE",
    "refuses a command under another key: BAD_SIGNATURE",
    "believes nothing in a command before its signature",
    "lets no forgery move its counter",
}
REPEATED = "answers a repeated command with the same answer, and does nothing"
AT_ONCE = "does a command once that comes twice at the same moment"
OVERTAKEN, OLD = "refuses an overtaken command: OUT_OF_ORDER", "refuses an old counter: OLD_COUNTER"
EXPIRED = "refuses a command whose time is over: EXPIRED"
LONG = "refuses a command that claims more than thirty seconds: LIFE_TOO_LONG"
FUTURE = "refuses a command from the future: NOT_YET_VALID"
SKEW = "bears a clock that is a little ahead"
NOISE = "does not answer what is no command, and lives on"
FIELDS = "ignores fields it does not know"
ACTION = "refuses an action it does not know: NOT_SUPPORTED"
VERSION = "refuses a version it does not know: NOT_SUPPORTED"
BACK = "comes back when its connection ends, reports its state, and remembers"
REPORTS = "reports its state after every change"


@pytest.mark.parametrize(
    ("what", "unit", "promises"),
    [
        ("believes any signature", lambda: Loop(Trusting(CAR, KEY)), OTHERS),
        ("forgets its answers", lambda: Loop(Forgetful(CAR, KEY)), {REPEATED, AT_ONCE, OVERTAKEN, BACK}),
        ("keeps no counter", lambda: Loop(Countless(CAR, KEY)), {OVERTAKEN, OLD}),
        ("has no clock", lambda: Loop(Timeless(CAR, KEY)), {EXPIRED, LONG, FUTURE}),
        ("takes any life", lambda: Loop(Patient(CAR, KEY)), {LONG}),
        ("bears no skew", lambda: Loop(Strict(CAR, KEY)), {SKEW}),
        ("lets forgeries count", lambda: Loop(Moved(CAR, KEY)), {"lets no forgery move its counter"}),
        ("says it without being asked", lambda: Loop(Unit(CAR, KEY), again=True), {on_bench.ONCE}),
        ("says times as text", lambda: Loop(Slang(CAR, KEY)), {on_bench.FITS}),
        ("publishes with QoS 0", lambda: Loop(Unit(CAR, KEY), qos=0), {on_bench.DELIVERED}),
        ("retains", lambda: Loop(Unit(CAR, KEY), retained=True), {on_bench.DELIVERED}),
        ("never reports", lambda: Loop(Unit(CAR, KEY), stateless=True), {REPORTS}),
        ("answers noise", lambda: Loop(Chatty(CAR, KEY)), {NOISE, on_bench.FITS}),
        ("is strict about fields", lambda: Loop(Picky(CAR, KEY)), {FIELDS}),
        ("forgets with its connection", lambda: Amnesiac(Unit(CAR, KEY)), {BACK}),
        ("has the wrong time", lambda: Loop(Unit(CAR, KEY), late=7_000), {on_bench.ON_TIME}),
    ],
    ids=lambda it: it if isinstance(it, str) else "",
)
def test_a_unit_that_breaks_a_promise_is_told_which(
    what: str, unit: Callable[[], Loop], promises: set[str]
) -> None:
    assert broken(unit()) == promises


def test_a_unit_that_does_what_it_does_not_know_is_told_so() -> None:
    class Anything(Body):
        def act(self, action: str) -> tuple[str, str | None]:
            return super().act(action) if action != "start_engine" else ("succeeded", None)

    assert broken(Loop(Obedient(CAR, KEY, Anything()))) == {ACTION, VERSION}


@pytest.mark.parametrize(
    ("unit", "what"),
    [
        (lambda: Loop(Unit(CAR, KEY), deaf=True), f"did not answer on cars/{CAR}/acks within 5 seconds"),
        (
            lambda: Loop(Unit(CAR, KEY), topic="cars/{}-2/{}"),
            f"did not answer on cars/{CAR}/acks within 5 seconds",
        ),
        (lambda: Loop(Mute(CAR, KEY)), "answered with the nonce '0000000000000000', not the command's"),
    ],
)
def test_a_unit_that_gives_no_true_answer_fails_at_the_first_check(
    unit: Callable[[], Loop], what: str
) -> None:
    first = checked(unit())[0]
    assert (first.promise, first.wrong) == ("answers a true command, with its nonce", what)


def test_a_silent_unit_is_not_asked_everything_else() -> None:
    first, rest = checked(Loop(Unit(CAR, KEY), deaf=True))
    assert (first.wrong is not None, rest.skipped is not None) == (True, True)


def test_a_unit_that_drives_cannot_be_tested() -> None:
    with pytest.raises(Unfit, match="IN_MOTION: it must stand still"):
        checked(Loop(Unit(CAR, KEY, Body(moving=True))))


def test_what_this_run_cannot_do_is_said_and_not_counted_as_wrong() -> None:
    class Bound(Loop):
        async def interrupt(self) -> None:
            raise CannotTell("no certificate")

    (skipped,) = [finding for finding in checked(Bound(Unit(CAR, KEY))) if finding.skipped]
    assert (skipped.promise, skipped.skipped) == (BACK, "no certificate")


def test_the_report_has_a_line_for_each_promise_and_says_what_it_saw() -> None:
    lines = [line(finding) for finding in checked(Loop(Timeless(CAR, KEY)))]
    assert f"  ok      {REPEATED}" in lines
    assert f"  BROKEN  {EXPIRED}\n          it said succeeded, not rejected EXPIRED" in lines


def test_a_unit_that_reports_what_it_was_told_once_is_noticed() -> None:
    class Frozen(Unit):
        def state(self, at: int) -> Message:
            return {**super().state(at), "locked": True}

    found = {finding.promise: finding.wrong for finding in checked(Loop(Frozen(CAR, KEY)))}
    assert found[REPORTS] == "did not report its state within 5 seconds"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ([""], "say which unit: make device-check THING=car-0001"),
        (["nowhere", "--host", "192.0.2.7"], "nowhere holds no command.key"),
        (["{folder}", "--host", "192.0.2.7"], "with --host, say --ca and --service too"),
    ],
)
def test_what_cannot_be_run_is_one_sentence(
    given: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "command.key").write_text(KEY)
    assert main([word.replace("{folder}", str(tmp_path)) for word in given]) == 2
    assert capsys.readouterr().err == f"device-check: {sentence}\n"
