"""The reference car: a telematics unit that follows device protocol v1 (docs/asyncapi.yaml) to the letter.

    python -m infra.local.car --things .local/things --host 127.0.0.1 --port 8883 --ca .local/ca.pem \
        [--behaviours behaviours.json]

Every folder of `--things` is one car: its name is the car_id, thing name and client id, and it holds
certificate.pem, private.key, command.key (64 hex digits) and, once it was enrolled, configuration.json.
`behaviours.json` is {car_id: [behaviour, ...]}:

    slow[:seconds]  does its work at once, says `received`, and answers only later
    deaf            connected, reports its state, hears no command
    replaying       says every answer twice, and all its old answers again
    offline         never connects
    ingest          speaks by Basic Ingest, to the rules that its enrolment named
    moving          drives: a door command is refused
    door_open       a door stands open: it cannot lock

`Unit` decides and does no I/O; `Car` connects a unit to the broker. Nothing here imports the service: the
canonical string and the checks are written again, as a device maker would.
"""

import argparse
import asyncio
import contextlib
import hashlib
import hmac
import json
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from infra.identity import CERTIFICATE, PRIVATE_KEY, keep_secret
from infra.protocol import misfit

COMMAND_KEY, CONFIGURATION, MEMORY = "command.key", "configuration.json", "memory.json"

LONGEST_LIFE_MS = 30_000
SKEW_MS = 5_000
REMEMBERED = 32
SESSION_SECONDS = 300
STATE_EVERY_SECONDS = 60.0
SLOW_SECONDS = 3.0
SIGNED = ("command_id", "grant_id", "action", "counter", "issued_at", "expires_at", "nonce")

Message = dict[str, Any]


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass
class Body:
    """What a command can move, and what can be in its way."""

    locked: bool = True
    door_open: bool = False
    moving: bool = False
    hazard_on: bool = False
    horns: int = 0
    battery_percent: int = 87
    position: tuple[float, float] = (37.5663, 126.9779)

    def act(self, action: str) -> tuple[str, str | None]:
        """The status of the answer, and its reason."""
        if action in ("unlock", "lock") and self.moving:
            return "rejected", "IN_MOTION"
        if action == "lock" and self.door_open:
            return "rejected", "DOOR_OPEN"
        if action == "horn":
            self.horns += 1
            return "succeeded", None
        name, value = {
            "unlock": ("locked", False),
            "lock": ("locked", True),
            "hazard_on": ("hazard_on", True),
            "hazard_off": ("hazard_on", False),
        }[action]
        if getattr(self, name) is value:
            return "already_done", None
        setattr(self, name, value)
        return "succeeded", None


ACTIONS = ("unlock", "lock", "hazard_on", "hazard_off", "horn")


@dataclass
class Memory:
    """What a unit must keep over a restart: its highest counter and its last answers; nothing without `path`.

    A new command key starts a new memory.
    """

    owner: str
    path: Path | None = None
    counter: int = 0
    answers: dict[str, Message] = field(default_factory=dict)

    @classmethod
    def at(cls, path: Path, key: str) -> "Memory":
        owner = hashlib.sha256(key.encode()).hexdigest()[:16]
        kept = json.loads(path.read_text()) if path.exists() else {}
        if kept.get("owner") != owner:
            return cls(owner, path)
        return cls(owner, path, kept["counter"], kept["answers"])

    def keep(self, counter: int, answer: Message) -> None:
        self.counter = max(self.counter, counter)
        self.answers[answer["command_id"]] = answer
        for old in list(self.answers)[:-REMEMBERED]:
            del self.answers[old]
        if self.path is not None:
            kept = {"owner": self.owner, "counter": self.counter, "answers": self.answers}
            keep_secret(self.path, json.dumps(kept))


class Unit:
    """Verifies a command as a real unit must, carries it out at most once, and says what became of it."""

    def __init__(self, car_id: str, key: str, body: Body | None = None, memory: Memory | None = None) -> None:
        self.car_id = car_id
        self.body = body or Body()
        self.memory = memory or Memory("")
        self.executed: list[str] = []
        self.refused: list[str] = []
        self._key = bytes.fromhex(key)
        self._seq = 0

    def receive(self, payload: bytes, at: int) -> Message | None:
        """The ack, or None where there is nothing that could be answered. `at`: epoch milliseconds."""
        command = _read(payload)
        if command is None:
            return None
        reason = self._objection(command, at)
        if reason == "REPLAYED":
            self.refused.append(reason)
            return self.memory.answers[command["command_id"]]
        status = "rejected"
        if reason is None:
            # First the memory, then the act: whoever loses power in between did it at most once, and says so.
            self.memory.keep(command["counter"], self._answer(command, "failed", "DEVICE_FAULT", at))
            self.executed.append(command["action"])
            status, reason = self.body.act(command["action"])
        if reason is not None:
            self.refused.append(reason)
        answer = self._answer(command, status, reason, at)
        if reason != "BAD_SIGNATURE":
            self.memory.keep(command["counter"], answer)
        return answer

    def _objection(self, command: Message, at: int) -> str | None:
        """Why not. Nothing in a command is believed before its signature."""
        if not hmac.compare_digest(self._signature(command), str(command["sig"])):
            return "BAD_SIGNATURE"
        if command["command_id"] in self.memory.answers:
            return "REPLAYED"
        if command["counter"] <= self.memory.counter:
            near = command["counter"] > self.memory.counter - REMEMBERED
            return "OUT_OF_ORDER" if near else "OLD_COUNTER"
        if command["v"] != 1 or command["action"] not in ACTIONS:
            return "NOT_SUPPORTED"
        return self._out_of_time(command, at)

    def _out_of_time(self, command: Message, at: int) -> str | None:
        if command["expires_at"] - command["issued_at"] > LONGEST_LIFE_MS:
            return "LIFE_TOO_LONG"
        if command["expires_at"] <= at:
            return "EXPIRED"
        return "NOT_YET_VALID" if command["issued_at"] > at + SKEW_MS else None

    def _signature(self, command: Message) -> str:
        parts = (command["v"], self.car_id, *(command[name] for name in SIGNED))
        canonical = "\n".join(str(part) for part in parts)
        return hmac.new(self._key, canonical.encode(), hashlib.sha256).hexdigest()

    def _answer(self, command: Message, status: str, reason: str | None, at: int) -> Message:
        answer: Message = {
            "v": 1,
            "command_id": command["command_id"],
            "nonce": command["nonce"],
            "status": status,
            "state": {"locked": self.body.locked, "doors_open": self.body.door_open},
            "at": at,
        }
        return answer if reason is None else {**answer, "reason": reason}

    def state(self, at: int) -> Message:
        self._seq += 1
        lat, lon = self.body.position
        return {
            "v": 1,
            "at": at,
            "seq": self._seq,
            "locked": self.body.locked,
            "doors_open": self.body.door_open,
            "ignition_on": self.body.moving,
            "moving": self.body.moving,
            "battery_percent": self.body.battery_percent,
            "position": {"lat": lat, "lon": lon},
        }


def _read(payload: bytes) -> Message | None:
    try:
        command = json.loads(payload)
    except ValueError:
        return None
    if not isinstance(command, dict):
        return None
    numbers = ("v", "counter", "issued_at", "expires_at")
    words = ("command_id", "grant_id", "action", "nonce", "sig")
    fits = all(type(command.get(name)) is int for name in numbers)
    return command if fits and all(type(command.get(name)) is str for name in words) else None


@dataclass(frozen=True)
class Behaviour:
    answer_after: float = 0.0
    deaf: bool = False
    replaying: bool = False
    offline: bool = False
    moving: bool = False
    door_open: bool = False
    ingest: bool = False

    @classmethod
    def of(cls, words: list[str] | str) -> "Behaviour":
        behaviour = cls()
        for word in words.split(",") if isinstance(words, str) else words:
            name, _, seconds = word.strip().partition(":")
            if name == "slow":
                behaviour = replace(behaviour, answer_after=float(seconds or SLOW_SECONDS))
            else:
                behaviour = replace(behaviour, **{name: True})
        return behaviour


@dataclass(frozen=True)
class Broker:
    host: str
    port: int
    ca_file: str


class Car:
    """A unit on the air. `online` is set while it is connected and subscribed."""

    def __init__(
        self,
        thing: Path,
        broker: Broker,
        behaviour: Behaviour | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.car_id = thing.name
        self.behaviour = behaviour or Behaviour()
        self.online = asyncio.Event()
        key = (thing / COMMAND_KEY).read_text().strip()
        body = Body(moving=self.behaviour.moving, door_open=self.behaviour.door_open)
        self.unit = Unit(self.car_id, key, body, Memory.at(thing / MEMORY, key))
        self.said: list[Message] = []
        self._rules = {}
        if (thing / CONFIGURATION).exists():
            named = json.loads((thing / CONFIGURATION).read_text())
            self._rules = {"acks": named["acks_rule"], "state": named["state_rule"]}
        self._thing = thing
        self._broker = broker
        self._say = say

    async def drive(self) -> None:
        """Connects, serves, and connects again, until cancelled."""
        pause = 0.5
        while not self.behaviour.offline:
            try:
                async with self._client() as client:
                    pause = 0.5
                    await self._serve(client)
            except* aiomqtt.MqttError as problems:
                self._say(f"{self.car_id} lost the broker: {problems.exceptions}")
            finally:
                self.online.clear()
            await asyncio.sleep(pause)
            pause = min(pause * 2, 10.0)

    def _client(self) -> aiomqtt.Client:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = SESSION_SECONDS
        context = ssl.create_default_context(cafile=self._broker.ca_file)
        context.load_cert_chain(self._thing / CERTIFICATE, self._thing / PRIVATE_KEY)
        return aiomqtt.Client(
            self._broker.host,
            self._broker.port,
            identifier=self.car_id,
            protocol=aiomqtt.ProtocolVersion.V5,
            clean_start=False,
            properties=properties,
            tls_context=context,
            keepalive=30,
        )

    async def _serve(self, client: aiomqtt.Client) -> None:
        granted: Any = await client.subscribe(f"cars/{self.car_id}/commands", qos=1)
        if granted[0].is_failure:
            raise aiomqtt.MqttError(f"may not hear its commands: {granted[0]}")
        await self._report(client)
        self.online.set()
        self._say(f"{self.car_id} is online")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_reporting(client))
            async for message in client.messages:
                if not self.behaviour.deaf:
                    tasks.create_task(self._hear(client, bytes(message.payload)))

    async def _keep_reporting(self, client: aiomqtt.Client) -> None:
        while True:
            await asyncio.sleep(STATE_EVERY_SECONDS)
            await self._report(client)

    async def _report(self, client: aiomqtt.Client) -> None:
        await self._tell(client, "state", "state", self.unit.state(now_ms()))

    async def _hear(self, client: aiomqtt.Client, payload: bytes) -> None:
        answer = self.unit.receive(payload, now_ms())
        if answer is None:
            return
        self._say(f"{self.car_id} {answer['status']} {answer.get('reason', '')} {answer['command_id']}")
        if self.behaviour.answer_after:
            await self._answer(client, {**answer, "status": "received"})
            await asyncio.sleep(self.behaviour.answer_after)
        await self._answer(client, answer)
        await self._report(client)
        if self.behaviour.replaying:
            for old in self.said[-REMEMBERED:]:
                await self._answer(client, old)

    async def _answer(self, client: aiomqtt.Client, answer: Message) -> None:
        self.said.append(answer)
        await self._tell(client, "acks", "ack", answer)

    async def _tell(self, client: aiomqtt.Client, channel: str, kind: str, message: Message) -> None:
        """Nothing that the document does not describe. Basic Ingest goes to the rule alone and costs less."""
        problem = misfit(kind, message)
        if problem is not None:
            raise ValueError(f"{kind}: {problem}")
        rule = f"$aws/rules/{self._rules[channel]}/" if self.behaviour.ingest else ""
        await client.publish(f"{rule}cars/{self.car_id}/{channel}", json.dumps(message), qos=1)


async def drive_all(cars: list[Car], say: Callable[[str], None]) -> None:
    async with asyncio.TaskGroup() as tasks:
        for car in cars:
            tasks.create_task(car.drive())
        for car in cars:
            if not car.behaviour.offline:
                await car.online.wait()
        say(f"ready: {len(cars)} cars")


def main() -> None:
    options = argparse.ArgumentParser(description="Simulated cars, many in one process.")
    options.add_argument("--things", type=Path, required=True)
    options.add_argument("--behaviours", type=Path)
    options.add_argument("--host", default="127.0.0.1")
    options.add_argument("--port", type=int, default=8883)
    options.add_argument("--ca", required=True, help="the broker's trust root, a PEM file")
    given = options.parse_args()
    wanted: dict[str, list[str]] = json.loads(given.behaviours.read_text()) if given.behaviours else {}

    def say(line: str) -> None:
        print(line, flush=True)

    async def run() -> None:
        broker = Broker(given.host, given.port, given.ca)
        things = sorted(path.parent for path in given.things.glob(f"*/{COMMAND_KEY}"))
        cars = [Car(thing, broker, Behaviour.of(wanted.get(thing.name, [])), say) for thing in things]
        await drive_all(cars, say)

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run())


if __name__ == "__main__":
    main()
