"""Cars of these tests' own, on the air of the deployed stack, each with a holder of its smart key."""

import asyncio
import json
import threading
import time
import uuid
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import aiomqtt
import boto3

from chalicelib.doors.model import car_key
from chalicelib.smartkeys.model import link_code
from infra.local.car import Behaviour, Broker, Car
from infra.local.cast import pay
from infra.local.client import Api
from infra.local.people import User, sign_in
from infra.local.things import Workshop

STAGE = "local"
BIRTH_DATE = "1991-07-15"
PATIENCE = 60.0

T = TypeVar("T")


def until(holds: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """The first true answer."""
    end = time.monotonic() + seconds
    while not (answer := holds()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)
    return answer


@dataclass
class Garage:
    """Makes cars with contracts and smart keys, through the deployed API and AWS's own."""

    stack: dict[str, Any]
    folder: Path
    broker: Broker = field(init=False)

    def __post_init__(self) -> None:
        mqtt = self.stack["mqtt"]
        self.broker = Broker(mqtt["host"], mqtt["port"], mqtt["ca_file"])
        self.ops, self.customer = self._signed_in("ops"), self._signed_in("customer")
        self.public = Api(self.stack["api_url"])
        self.workshop = Workshop(
            self.aws("iot"), lambda it: car_key(self.secret("command-key"), it), self.folder
        )

    def aws(self, service: str) -> Any:
        given = self.stack["aws"]
        session: Any = boto3.Session(given["access_key_id"], given["secret_access_key"])
        return session.client(service, endpoint_url=given["endpoint_url"], region_name=given["region"])

    def secret(self, name: str) -> str:
        answer = self.aws("secretsmanager").get_secret_value(SecretId=f"{STAGE}/handover/{name}")
        return str(answer["SecretString"])

    def _signed_in(self, role: str) -> Api:
        user, pool = User(**self.stack["users"][role]), self.stack["user_pool"]
        return Api(self.stack["api_url"], token=sign_in(self.aws("cognito-idp"), pool["client_id"], user))

    def make(self, *behaviours: str) -> "Drive":
        """A car that is provisioned and not yet connected, and its customer's open session."""
        car_id = f"test-{uuid.uuid4().hex[:8]}"
        car = {"car_id": car_id, "plate": "12가 3456", "model": "Casper", "key_tags": [f"tag-{car_id}"]}
        self.ops.post("/v1/ops/cars", car).expect(201)
        driver = {"name": "김민지", "phone": "+821012345678", "birth_date": BIRTH_DATE}
        contract = {
            "plan_id": "first-car",
            "months": 3,
            "handover": {"at": (datetime.now(UTC) + timedelta(days=9)).isoformat(), "address": "서울 중구 1"},
            "card_token": "tok_visa",
            "drivers": [{**driver, "licence_no": "11-12-345678-01"}],
        }
        contract_id = self.customer.post("/v1/contracts", contract).expect(201)["contract_id"]
        pay(self.customer, contract_id)
        until(lambda: self.ops.get(f"/v1/contracts/{contract_id}").expect(200)["state"] == "confirmed")
        self.ops.post(
            f"/v1/ops/contracts/{contract_id}/assign", {"car_id": car_id, "key_tag": f"tag-{car_id}"}
        ).expect(200)
        tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
        order = {"holder": "customer", "reason": "test", "not_after": tomorrow}
        grant = self.ops.post(f"/v1/ops/contracts/{contract_id}/smart-keys", order).expect(201)
        code = link_code(self.secret("link-key"), grant["grant_id"], 1)
        proof = {"code": code, "proof": BIRTH_DATE.replace("-", "")}
        answer = self.public.post("/v1/smart-key/exchange", proof)
        answer.expect(204)
        holder = Api(self.stack["api_url"], cookie=answer.headers["Set-Cookie"].split(";")[0])
        return Drive(self, car_id, self.workshop.provision(car_id), Behaviour.of(list(behaviours)), holder)


class Tapped(Car):
    """A car whose wire is tapped: every payload that came for it, as it came."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.heard: list[bytes] = []

    async def _hear(self, client: aiomqtt.Client, payload: bytes) -> None:
        self.heard.append(payload)
        await super()._hear(client, payload)


@dataclass
class Drive:
    """One car and whoever holds its smart key."""

    garage: Garage
    car_id: str
    thing: Path
    behaviour: Behaviour
    holder: Api

    @contextmanager
    def on_air(self) -> Iterator["Tapped"]:
        """Connected, in a thread of its own, and known to be online."""
        car = Tapped(self.thing, self.garage.broker, self.behaviour)
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever)
        thread.start()

        def run(work: Coroutine[Any, Any, T]) -> T:
            return asyncio.run_coroutine_threadsafe(work, loop).result(PATIENCE)

        async def start() -> "asyncio.Task[None]":
            return asyncio.create_task(car.drive())

        async def stop() -> None:
            driving.cancel()
            await asyncio.gather(driving, return_exceptions=True)

        driving = run(start())
        try:
            until(lambda: car.online.is_set() and self.online())
            yield car
        finally:
            run(stop())
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    def new_code(self) -> str:
        """Of a second link, since making the drive has used the first."""
        key = self.holder.get("/v1/smart-key").expect(200)
        tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
        order = {"holder": "customer", "reason": "test", "not_after": tomorrow}
        path = f"/v1/ops/contracts/{key['contract_id']}/smart-keys"
        self.garage.ops.post(path, order).expect(201)
        return link_code(self.garage.secret("link-key"), key["grant_id"], 2)

    def online(self) -> bool:
        return bool(self.holder.get("/v1/smart-key").expect(200)["car"]["online"])

    def press(self, action: str, key: str | None = None) -> dict[str, Any]:
        answer = self.holder.post("/v1/smart-key/commands", {"action": action}, key=key)
        return dict(answer.expect(202))

    def look(self, command: dict[str, Any]) -> dict[str, Any]:
        return dict(self.holder.get(f"/v1/smart-key/commands/{command['command_id']}").expect(200))

    def settled(self, command: dict[str, Any], seconds: float = PATIENCE) -> dict[str, Any]:
        """As it is once it is no longer on its way; on a busy machine the car's answer may be late."""
        on_its_way = ("REQUESTED", "SENT", "DELIVERED", "UNKNOWN")
        return dict(until(lambda: (it := self.look(command))["state"] not in on_its_way and it, seconds))

    def unsure(self, command: dict[str, Any]) -> dict[str, Any]:
        """As it is once its life is over and nobody has answered."""
        return dict(until(lambda: (it := self.look(command))["state"] == "UNKNOWN" and it))

    def nonce(self, command: dict[str, Any]) -> str:
        """What nobody but the car and the service may know; these tests are root."""
        key = {"pk": {"S": f"CMD#{command['command_id']}"}, "sk": {"S": "COMMAND"}}
        row = self.garage.aws("dynamodb").get_item(TableName=f"{STAGE}-doors", Key=key, ConsistentRead=True)
        return str(row["Item"]["nonce"]["S"])

    def refused(self) -> dict[str, int]:
        """The verdicts on record about messages under this car's name, and how many there were of each."""
        answer = self.garage.aws("dynamodb").query(
            TableName=f"{STAGE}-doors",
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": f"REFUSED#{self.car_id}"}},
        )
        return {row["sk"]["S"].split("#")[1]: int(row["times"]["N"]) for row in answer["Items"]}

    def say(self, topic: str, message: dict[str, Any]) -> None:
        """Publishes with this car's certificate, whatever the topic."""

        async def publish() -> None:
            car = Car(self.thing, self.garage.broker)
            async with car._client() as client:
                await client.publish(topic, json.dumps(message), qos=1)

        asyncio.run(publish())

    def may_hear(self, topic: str) -> bool:
        async def subscribe() -> bool:
            car = Car(self.thing, self.garage.broker)
            try:
                async with car._client() as client:
                    granted: Any = await client.subscribe(topic, qos=1)
                    return not granted[0].is_failure
            except aiomqtt.MqttError:
                return False

        return asyncio.run(subscribe())
