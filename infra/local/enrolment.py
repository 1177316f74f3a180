"""How a telematics unit becomes a car (docs/asyncapi.yaml, Enrolment), as a real unit must do it.

With a claim certificate, which many units share, it asks AWS IoT for a certificate of its own, and turns that
into a car's with its serial number and the code that operations were given for it. Nothing here imports the
service. `python -m infra.local.enrolment --help` does it by hand.
"""

import argparse
import asyncio
import json
import secrets
import ssl
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiomqtt

from infra.identity import CERTIFICATE, PRIVATE_KEY, keep_secret
from infra.local.car import COMMAND_KEY, CONFIGURATION, Broker, Message
from infra.protocol import misfit

CREATE = "$aws/certificates/create/json"
PROVISION = "$aws/provisioning-templates/{template}/provision/json"
PATIENCE_SECONDS = 20.0
MAY_ASK_AGAIN = ("InvocationError", "Throttled", "InternalFailure")
PAUSES_SECONDS = (0.5, 1.0, 2.0, 4.0)


class EnrolmentRefused(Exception):
    """AWS IoT said no, and gives no reason to whoever is not known."""


class NotNow(EnrolmentRefused):
    """AWS IoT could not ask whoever decides; the same request may be made again."""


@dataclass(frozen=True)
class Identity:
    """What a unit gets for good. `configuration`: the names of the Basic Ingest rules."""

    car_id: str
    certificate_id: str
    certificate: str
    private_key: str
    command_key: str
    configuration: dict[str, str]

    def keep(self, folder: Path) -> Path:
        """The car's folder. Each file is there whole or not at all, and what makes it a car comes last."""
        thing = folder / self.car_id
        thing.mkdir(parents=True, exist_ok=True)
        keep_secret(thing / CONFIGURATION, json.dumps(self.configuration))
        keep_secret(thing / PRIVATE_KEY, self.private_key)
        keep_secret(thing / CERTIFICATE, self.certificate)
        keep_secret(thing / COMMAND_KEY, self.command_key)
        return thing


class Asking:
    """A connection under a claim certificate. Requests are answered on it, and nowhere else."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self._client = client

    async def hear(self, *topics: str) -> None:
        for topic in topics:
            for answer in ("accepted", "rejected"):
                granted: Any = await self._client.subscribe(f"{topic}/{answer}", qos=1)
                if granted[0].is_failure:
                    raise EnrolmentRefused(f"may not hear {topic}/{answer}")

    async def ask(self, topic: str, request: Message, form: str) -> Message:
        """`form`: what the document calls the answer."""
        await self._client.publish(topic, json.dumps(request), qos=1)
        async with asyncio.timeout(PATIENCE_SECONDS):
            async for message in self._client.messages:
                answer: Message = json.loads(bytes(message.payload))
                if str(message.topic) == f"{topic}/accepted":
                    problem = misfit(form, answer)
                    if problem is not None:
                        raise EnrolmentRefused(f"the answer is none: {problem}")
                    return answer
                if str(message.topic) == f"{topic}/rejected":
                    refused = NotNow if answer.get("errorCode") in MAY_ASK_AGAIN else EnrolmentRefused
                    raise refused(f"{answer.get('errorCode')}: {answer.get('errorMessage')}")
        raise EnrolmentRefused("the connection ended")

    async def ask_until_sure(self, topic: str, request: Message, form: str) -> Message:
        """The same request, with the same certificate, is enrolled at most once however often it is made."""
        for pause in PAUSES_SECONDS:
            try:
                return await self.ask(topic, request, form)
            except NotNow:
                await asyncio.sleep(pause)
        return await self.ask(topic, request, form)


async def enrol(claim: Path, broker: Broker, template: str, parameters: dict[str, str]) -> Identity:
    """`claim`: the folder of the claim certificate. EnrolmentRefused: then nothing has been gained."""
    context = ssl.create_default_context(cafile=broker.ca_file)
    context.load_cert_chain(claim / CERTIFICATE, claim / PRIVATE_KEY)
    provision = PROVISION.format(template=template)
    async with aiomqtt.Client(
        broker.host,
        broker.port,
        identifier=f"claim:{secrets.token_hex(8)}",
        protocol=aiomqtt.ProtocolVersion.V5,
        tls_context=context,
    ) as client:
        asking = Asking(client)
        await asking.hear(CREATE, provision)
        made = await asking.ask(CREATE, {}, "certificateAnswer")
        request = {"certificateOwnershipToken": made["certificateOwnershipToken"], "parameters": parameters}
        accepted = await asking.ask_until_sure(provision, request, "enrolmentAnswer")
    configuration = dict(accepted["deviceConfiguration"])
    return Identity(
        accepted["thingName"],
        made["certificateId"],
        made["certificatePem"],
        made["privateKey"],
        configuration.pop("command_key"),
        configuration,
    )


def main() -> int:
    options = argparse.ArgumentParser(description="Enrol one unit as the car it was ordered for.")
    options.add_argument("--claim", type=Path, required=True, help="folder of the claim certificate")
    options.add_argument("--things", type=Path, required=True, help="where the car's folder is made")
    options.add_argument("--host", required=True)
    options.add_argument("--port", type=int, default=8883)
    options.add_argument("--ca", required=True, help="the broker's trust root, a PEM file")
    options.add_argument("--template", required=True, help="<stage>_car")
    options.add_argument("--serial", required=True)
    given = options.parse_args()
    code = sys.stdin.readline().strip()  # not an argument: other users of the machine see those
    broker, parameters = Broker(given.host, given.port, given.ca), {"Serial": given.serial, "Code": code}
    try:
        identity = asyncio.run(enrol(given.claim, broker, given.template, parameters))
    except (EnrolmentRefused, aiomqtt.MqttError, TimeoutError) as problem:
        print(f"not enrolled: {problem or 'no answer'}", file=sys.stderr)
        return 1
    print(f"enrolled as {identity.car_id}: {identity.keep(given.things)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
