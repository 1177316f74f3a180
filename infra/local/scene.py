"""Sets the scene of the recovery story through the deployed API: people, cars, contracts, packed keys."""

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from infra.local import histories, people
from infra.local.cast import Part, Stage, assign, cast, each, pack, settle, sign
from infra.local.client import POOL, Api
from infra.local.place import HOST, LOCAL, MQTT_PORT, STAGE, client
from infra.local.processes import Process
from infra.local.things import Workshop, workshop
from infra.package import ROOT

THINGS = LOCAL / "story-things"
BEHAVIOURS = LOCAL / "story-behaviours.json"
FLEET = Process("story-fleet")
FLEET_SECONDS = 60.0
STILL_SECONDS = 60.0
"""So long without any progress means that something is broken, and not slow."""

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
        answer = client("lambda").invoke(FunctionName=f"{STAGE}-{function}", Payload=json.dumps(event))
        body = json.loads(answer["Payload"].read())
        if answer.get("FunctionError"):
            raise NotSet(f"{function} failed: {body}")
        return body

    def payments(self) -> list[dict[str, Any]]:
        """What the payment gateway itself says it took: order_id, amount and what is left of it."""
        answer = POOL.request("GET", f"{self.stack['outside']['payments_url']}/payments")
        return list(json.loads(answer.data)["payments"])

    def rows(self, context: str) -> list[dict[str, Any]]:
        """Every row of a context's table: bookkeeping after the play, never a serving path."""
        pages = client("dynamodb").get_paginator("scan")
        return [
            row
            for page in pages.paginate(TableName=f"{STAGE}-{context}", ConsistentRead=True)
            for row in page["Items"]
        ]


def set_scene(stack: dict[str, Any], count: Count) -> Scene:
    """Everything up to the moment the carriers have the parcels."""
    now = datetime.now(UTC)
    scene = Scene(stack, stage_of(stack), cast(), histories.delta(now))
    _do(count, "customers", scene.parts, lambda part: enrol(stack, part))
    stranded = [part for part in scene.parts if part.stranded]
    FLEET.stop()
    shutil.rmtree(THINGS, ignore_errors=True)  # those of an earlier stack, which knows them no more
    shop = Workshop(workshop().iot, workshop().key_of, THINGS)
    _do(count, "cars with a telematics unit", stranded, lambda part: shop.provision(part.car_id))
    _start_fleet(stranded, Path(stack["mqtt"]["ca_file"]))
    _do(count, "contracts signed", scene.parts, lambda part: sign(scene.stage, part))
    _do(count, "first months paid", scene.parts, lambda part: settle(scene.stage, part))
    _wait(count, "contracts confirmed", scene, "contracts", confirmed)
    _do(count, "cars assigned", scene.parts, lambda part: assign(scene.stage, part))
    _wait(count, "shipments planned", scene, "keys", lambda row: row["sk"]["S"] == "SHIPMENT")
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
    command = [sys.executable, "-m", "infra.local.car", "--things", str(THINGS), "--ca", str(ca_file)]
    where = ["--host", HOST, "--port", str(MQTT_PORT), "--behaviours", str(BEHAVIOURS)]
    FLEET.start(command + where, dict(os.environ), ROOT)
    FLEET.wait_for("ready:", FLEET_SECONDS)


def confirmed(row: dict[str, Any]) -> bool:
    """Paid, as contracts heard from the checkout."""
    return row["sk"]["S"] == "CONTRACT" and row["state"]["S"] not in ("applied", "awaiting_payment")


def _wait(
    count: Count, what: str, scene: Scene, context: str, counts: Callable[[dict[str, Any]], bool]
) -> None:
    """Until every contract has a row that counts: the work of a fact's consumer follows by a moment."""
    ours = {part.contract_id for part in scene.parts}
    done, moved, seen = count(what, len(ours)), time.monotonic(), 0
    while seen < len(ours):
        rows = scene.rows(context)
        now = sum(counts(row) and row["contract_id"]["S"] in ours for row in rows)
        moved = time.monotonic() if now > seen else moved
        if time.monotonic() > moved + STILL_SECONDS:
            raise NotSet(f"only {now} of {len(ours)}: {what}")
        done(now - seen)
        seen = now
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
