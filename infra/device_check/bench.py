"""The bench a unit is tested on: commands to it, what it says, and what is wrong with how it says it."""

import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any, Protocol

from infra.protocol import SKEW_MS, Message, misfit, signature

LIFE_MS = 15_000
PATIENCE_SECONDS = 5.0
"""So long a unit may take to answer, or to say that it has the command."""
FORMS = {"acks": "ack", "state": "state"}

FITS = "says only what the document describes"
DELIVERED = "speaks at least once (QoS 1), and never retained"
OWN_TOPICS = "speaks on its own topics only"
ON_TIME = "has the right time, within five seconds"
ONCE = "says an answer only when it was asked for"
ORDERED = "orders its reports by time and seq"
MANNERS = (FITS, DELIVERED, OWN_TOPICS, ON_TIME, ONCE, ORDERED)
"""What holds for everything a unit says, whatever it was asked."""


class Wrong(Exception):
    """What the unit got wrong, in one sentence."""


class Silent(Wrong):
    """It did not answer at all."""


class Unfit(Exception):
    """The unit cannot be tested as it stands; the sentence says what to do."""


class CannotTell(Exception):
    """This run has no way to test that; the sentence says why."""


@dataclass(frozen=True)
class Heard:
    topic: str
    payload: bytes
    qos: int = 1
    retained: bool = False


class Wire(Protocol):
    async def send(self, payload: bytes) -> None: ...

    async def heard(self, seconds: float) -> Heard | None:
        """The next thing the unit says; None when it says nothing for so long."""

    async def interrupt(self) -> None:
        """The unit's connection ends, once. CannotTell where this wire cannot do that."""


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass
class Bench:
    """`counter`: the highest the unit was sent. `wrong`: manners, and what spoke against them.

    `strange`: how many answers there were to what was no command.
    """

    car_id: str
    key: str
    wire: Wire
    counter: int
    now: Callable[[], int] = now_ms
    states: list[Message] = field(default_factory=list)
    wrong: dict[str, list[str]] = field(default_factory=dict)
    slowest: float = 0.0
    strange: int = 0
    interrupted: bool = False
    _due: Counter[str] = field(default_factory=Counter)
    _repeats: int = 0

    def command(self, action: str = "lock", *, key: str = "", car_id: str = "", **changes: Any) -> Message:
        """A true command with the next counter, but for what is asked to be otherwise."""
        if "counter" not in changes:
            self.counter += 1
        issued_at = changes.get("issued_at", self.now())
        command: Message = {
            "v": 1,
            "command_id": f"check-{token_hex(8)}",
            "grant_id": "device-check",
            "action": action,
            "counter": self.counter,
            "issued_at": issued_at,
            "expires_at": issued_at + LIFE_MS,
            "nonce": token_hex(8),
            **changes,
        }
        return {**command, "sig": signature(key or self.key, car_id or self.car_id, command)}

    async def send(self, command: Message) -> None:
        self._due[command["command_id"]] += 1
        await self.wire.send(json.dumps(command).encode())

    async def ask(self, command: Message) -> Message:
        """Its final answer. Silent when there is none."""
        await self.send(command)
        return await self.answer(command)

    async def answer(self, command: Message) -> Message:
        started, patience = time.monotonic(), PATIENCE_SECONDS
        while (left := started + patience - time.monotonic()) > 0:
            said = await self._next(left)
            if said is None:
                break
            channel, message = said
            if channel != "acks" or message.get("command_id") != command["command_id"]:
                continue
            self.slowest = max(self.slowest, time.monotonic() - started)
            if message.get("nonce") != command["nonce"]:
                raise Wrong(f"answered with the nonce {message.get('nonce')!r}, not the command's")
            if message.get("status") != "received":
                return message
            patience = LIFE_MS / 1000
        raise Silent(f"did not answer on cars/{self.car_id}/acks within {patience:g} seconds")

    async def do(self, action: str, *expected: str) -> Message:
        """A true command, which must end so: "succeeded" where nothing else is said."""
        return expect(await self.ask(self.command(action)), *(expected or ("succeeded",)))

    async def refuses(self, command: Message, *reasons: str) -> None:
        answer = await self.ask(command)
        if answer.get("status") != "rejected" or answer.get("reason") not in reasons:
            raise Wrong(f"said {_words(answer)}, not rejected {' or '.join(reasons)}")

    async def state(self) -> Message:
        """The next state it reports."""
        known = len(self.states)
        end = time.monotonic() + PATIENCE_SECONDS
        while len(self.states) == known and (left := end - time.monotonic()) > 0:
            if await self._next(left) is None:
                break
        if len(self.states) == known:
            raise Silent(f"did not report its state within {PATIENCE_SECONDS:g} seconds")
        return self.states[-1]

    async def interrupt(self) -> None:
        self.interrupted = True
        await self.wire.interrupt()

    async def settled(self, seconds: float = 0.3) -> None:
        """Until it has had nothing to say for a moment."""
        while await self._next(seconds) is not None:
            pass

    async def _next(self, seconds: float) -> tuple[str, Message] | None:
        """Channel and message; what is wrong with how it was said is noted."""
        heard = await self.wire.heard(seconds)
        if heard is None:
            return None
        channel = heard.topic.removeprefix(f"cars/{self.car_id}/")
        if channel not in FORMS:
            self._note(OWN_TOPICS, f"spoke on {heard.topic}")
            return channel, {}
        if heard.qos < 1 or heard.retained:
            self._note(DELIVERED, f"{channel}: " + ("retained" if heard.retained else f"QoS {heard.qos}"))
        message = _read(heard.payload)
        problem = misfit(FORMS[channel], message)
        if problem is not None:
            self._note(FITS, f"{channel}: {problem}")
        if isinstance(message, dict):
            self._look(channel, message)
        return channel, message if isinstance(message, dict) else {}

    def _look(self, channel: str, message: Message) -> None:
        at = message.get("at")
        if channel == "state":
            before = self.states[-1] if self.states else {}
            self.states.append(message)
            if before and _order(message) < _order(before):
                self._note(ORDERED, f"{_order(message)} after {_order(before)}")
        elif message.get("status") != "received":
            self._count(str(message.get("command_id")))
        if channel == "state" and isinstance(at, int) and abs(at - self.now()) > SKEW_MS:
            self._note(ON_TIME, f"is {(at - self.now()) / 1000:+.1f} seconds off")

    def _count(self, command_id: str) -> None:
        """A broker may deliver a command again, now and then and above all after an interruption."""
        if command_id not in self._due:
            self.strange += 1
        elif self._due[command_id] > 0:
            self._due[command_id] -= 1
        elif not self.interrupted:
            self._repeats += 1
            if self._repeats > len(self._due) / 4:
                self._note(ONCE, "says its answers again without being asked")

    def _note(self, manner: str, what: str) -> None:
        if what not in self.wrong.setdefault(manner, []):
            self.wrong[manner].append(what)


def expect(answer: Message, *statuses: str) -> Message:
    if answer.get("status") not in statuses:
        raise Wrong(f"said {_words(answer)}, not {' or '.join(statuses)}")
    return answer


def _words(answer: Message) -> str:
    return " ".join(str(answer[name]) for name in ("status", "reason") if answer.get(name))


def _order(state: Message) -> tuple[Any, Any]:
    return state.get("at", 0), state.get("seq", 0)


def _read(payload: bytes) -> Any:
    try:
        return json.loads(payload)
    except ValueError:
        return None
