"""The unit under test, over MQTT 5 and mutual TLS."""

import asyncio
import contextlib
import secrets
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from infra.device_check.bench import LIFE_MS, CannotTell, Heard
from infra.identity import CERTIFICATE, PRIVATE_KEY
from infra.local.car import SESSION_SECONDS, Broker


@dataclass
class MqttWire:
    """Publishes commands as the service does, and hears everything under the car's name."""

    thing: Path
    broker: Broker
    client: aiomqtt.Client
    _waiting: asyncio.Queue[Heard] = field(default_factory=asyncio.Queue)

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, thing: Path, broker: Broker, service: Path) -> AsyncIterator["MqttWire"]:
        name = f"device-check-{secrets.token_hex(4)}"
        async with _client(broker, service, name) as client:
            wire = cls(thing, broker, client)
            await client.subscribe(f"cars/{wire.car_id}/#", qos=1)
            listening = asyncio.create_task(wire._listen())
            try:
                yield wire
            finally:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)

    @property
    def car_id(self) -> str:
        return self.thing.resolve().name

    async def _listen(self) -> None:
        async for message in self.client.messages:
            if str(message.topic) != f"cars/{self.car_id}/commands":  # our own
                heard = Heard(str(message.topic), bytes(message.payload), message.qos, bool(message.retain))
                self._waiting.put_nowait(heard)

    async def send(self, payload: bytes) -> None:
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.MessageExpiryInterval = LIFE_MS // 1000
        await self.client.publish(f"cars/{self.car_id}/commands", payload, qos=1, properties=properties)

    async def heard(self, seconds: float) -> Heard | None:
        try:
            async with asyncio.timeout(seconds):
                return await self._waiting.get()
        except TimeoutError:
            return None

    async def interrupt(self) -> None:
        """Connects in the unit's name: a broker keeps one connection for each client id."""
        if not (self.thing / PRIVATE_KEY).exists():
            raise CannotTell("the unit's own certificate and key are not in its folder")
        async with _client(self.broker, self.thing, self.car_id, clean_start=False):
            pass


def _client(broker: Broker, identity: Path, name: str, clean_start: bool = True) -> aiomqtt.Client:
    context = ssl.create_default_context(cafile=broker.ca_file)
    context.load_cert_chain(identity / CERTIFICATE, identity / PRIVATE_KEY)
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = 0 if clean_start else SESSION_SECONDS
    return aiomqtt.Client(
        broker.host,
        broker.port,
        identifier=name,
        protocol=aiomqtt.ProtocolVersion.V5,
        clean_start=clean_start,
        properties=properties,
        tls_context=context,
    )
