"""Sets the scene of the recovery story through the deployed API: people, cars, contracts, packed keys."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from infra.deploy import stack_name
from infra.local import histories, people
from infra.local.cast import Part, Stage, cast, each, pack, sign
from infra.local.client import POOL, Api
from infra.local.place import HOST, LOCAL, MQTT_PORT, STAGE, client
from infra.local.processes import Process
from infra.local.things import Workshop, workshop
from infra.package import ROOT

THINGS = LOCAL / "story-things"
BEHAVIOURS = LOCAL / "story-behaviours.json"
FLEET = Process("story-fleet")
FLEET_SECONDS = 60.0
PLANNED_SECONDS = 90.0
WARM_CALLS = 32
Count = Callable[[str, int], Callable[[int], None]]


class NotSet(Exception):
    """The scene could not be set; the sentence says what is missing."""


@dataclass(frozen=True)
class Scene:
    """What the story plays with. `delta`: by so much the carriers' histories move to end today."""

    stack: dict[str, Any]
    stage: Stage
    parts: list[Part]
    delta: timedelta

    def webhooks(self, part: Part) -> list[bytes]:
        return list(histories.webhooks(part.carrier, part.history, part.tracking, self.delta))

    def secret(self, carrier: str) -> str:
        return str(self.stack["carriers"][carrier]["webhook_secret"])

    def texts(self) -> dict[str, list[str]]:
        """Phone -> the texts sent to it, for the phones of this story."""
        sent = json.loads(POOL.request("GET", self.stack["sms_outbox_url"]).data)["sms_messages"]
        ours = {part.phone for part in self.parts}
        return {phone: [one["Message"] for one in texts] for phone, texts in sent.items() if phone in ours}

    def invoke(self, function: str, event: dict[str, Any]) -> Any:
        """A background Lambda's own answer, as its schedule would get it."""
        answer = client("lambda").invoke(FunctionName=function_name(function), Payload=json.dumps(event))
        body = json.loads(answer["Payload"].read())
        if answer.get("FunctionError"):
            raise NotSet(f"{function} failed: {body}")
        return body

    def rows(self, context: str) -> list[dict[str, Any]]:
        """Every row of a context's table: bookkeeping after the play, never a serving path."""
        pages = client("dynamodb").get_paginator("scan")
        return [
            row
            for page in pages.paginate(TableName=f"{STAGE}-{context}", ConsistentRead=True)
            for row in page["Items"]
        ]


def function_name(function: str) -> str:
    """The deployed name of the function that `.chalice/config.json` calls so."""
    logical = "".join(word.capitalize() for word in function.split("_"))
    found = client("cloudformation").describe_stack_resource(
        StackName=stack_name(STAGE, "app"), LogicalResourceId=logical
    )
    return str(found["StackResourceDetail"]["PhysicalResourceId"])


def set_scene(stack: dict[str, Any], count: Count) -> Scene:
    """Everything up to the moment the carriers have the parcels."""
    now = datetime.now(UTC)
    scene = Scene(stack, stage_of(stack), cast(), histories.delta(now))
    _do(count, "customers", scene.parts, lambda part: enrol(stack, part))
    stranded = [part for part in scene.parts if part.stranded]
    shop = Workshop(workshop().iot, workshop().key_of, THINGS)
    _do(count, "cars with a telematics unit", stranded, lambda part: shop.provision(part.car_id))
    _start_fleet(stranded, Path(stack["mqtt"]["ca_file"]))
    _do(count, "contracts signed, cars assigned", scene.parts, lambda part: sign(scene.stage, part))
    _wait_until_planned(scene, count("shipments planned", len(scene.parts)))
    _do(count, "keys packed and handed over", scene.parts, lambda part: pack(scene.stage, part, scene.delta))
    warm = scene.stage.public
    _do(count, "functions warmed", range(WARM_CALLS), lambda _: warm.get("/v1/plans").expect(200))
    return scene


def _do(count: Count, what: str, parts: Any, act: Callable[[Any], Any]) -> None:
    done = count(what, len(parts))

    def run(part: Any) -> None:
        act(part)
        done(1)

    each(parts, run)


def stage_of(stack: dict[str, Any]) -> Stage:
    tokens = {role: _sign_in(stack, people.User(**stack["users"][role])) for role in ("ops", "packer")}
    base = stack["api_url"]
    return Stage(base, Api(base, token=tokens["ops"]), Api(base, token=tokens["packer"]))


def _sign_in(stack: dict[str, Any], user: people.User) -> str:
    return people.sign_in(client("cognito-idp"), stack["user_pool"]["client_id"], user)


def enrol(stack: dict[str, Any], part: Part) -> None:
    user = people.create(client("cognito-idp"), stack["user_pool"]["id"], part.username)
    part.token = _sign_in(stack, user)


def _start_fleet(stranded: list[Part], ca_file: Path) -> None:
    BEHAVIOURS.write_text(json.dumps({part.car_id: ["offline"] for part in stranded if part.offline}))
    FLEET.stop()
    command = [sys.executable, "-m", "infra.local.car", "--things", str(THINGS), "--ca", str(ca_file)]
    where = ["--host", HOST, "--port", str(MQTT_PORT), "--behaviours", str(BEHAVIOURS)]
    FLEET.start(command + where, dict(os.environ), ROOT)
    FLEET.wait_for("ready:", FLEET_SECONDS)


def _wait_until_planned(scene: Scene, done: Callable[[int], None]) -> None:
    """Planning is the work of a fact's consumer, so it follows the assignment by a moment."""
    ours = {part.contract_id for part in scene.parts}
    until, planned = time.monotonic() + PLANNED_SECONDS, 0
    while planned < len(ours):
        if time.monotonic() > until:
            raise NotSet(f"only {planned} of {len(ours)} shipments were planned")
        rows = scene.rows("keys")
        now = sum(row["sk"]["S"] == "SHIPMENT" and row["contract_id"]["S"] in ours for row in rows)
        done(now - planned)
        planned = now
        time.sleep(0.5)


@contextmanager
def schedule_held(function: str) -> Iterator[None]:
    """The story invokes the sweep itself; in between, its own schedule would find parcels half told."""
    events, rule = client("events"), f"{STAGE}-{function}"
    events.disable_rule(Name=rule)
    try:
        yield
    finally:
        events.enable_rule(Name=rule)
