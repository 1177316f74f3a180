"""The recovery story: what went wrong offline is put right online, every number checked in the rows.

`make run` brings the local stack up, plays once, prints a closing table, writes `.local/story.json`, and
serves on until Ctrl-C. It ends with 1 when a line does not add up.
"""

import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from infra.local import accounts, race
from infra.local.cast import KINDS, Part, each, receipt
from infra.local.client import Api
from infra.local.place import LOCAL, STACK_FILE
from infra.local.scene import FLEET, NotSet, Scene, schedule_held, set_scene
from infra.local.stack import KNOWN, down, up

LINK = re.compile(r"(https?://\S+)#([A-Za-z0-9_-]+)")
PATIENCE_SECONDS = 40.0
FINAL = {"SUCCEEDED", "ALREADY_DONE", "REJECTED", "FAILED", "NOT_SENT", "UNKNOWN_FINAL"}
ATTEMPTS = 2000


class Show:
    """The live display: one bar for each thing that is counted."""

    def __init__(self, console: Console) -> None:
        columns = (
            TextColumn("{task.description:<34}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        self._progress = Progress(*columns, console=console)

    @contextmanager
    def live(self) -> Iterator["Show"]:
        with self._progress:
            yield self

    def count(self, what: str, total: int) -> Callable[[int], None]:
        """A bar of `total`; the function returned adds to it."""
        task = self._progress.add_task(what, total=total)

        def add(by: int) -> None:
            self._progress.advance(task, by)

        return add


def carriers_report(scene: Scene, show: Show) -> None:
    """Each carrier posts what it knows of each parcel, step by step, signed."""
    posts = [(part, scene.webhooks(part)) for part in scene.parts]
    done = show.count("webhooks taken from carriers", sum(len(raws) for _, raws in posts))

    def post(one: tuple[Part, list[bytes]]) -> None:
        part, raws = one
        for raw in raws:
            scene.stage.public.webhook(part.carrier, scene.secret(part.carrier), raw).expect(200)
            done(1)

    each(posts, post)


def customers_scan(scene: Scene, show: Show) -> None:
    """Who has an envelope scans the tag in it; who should have one and has none says so."""
    said = [(part, body) for part in scene.parts if (body := receipt(part, scene.parts))]
    done = show.count("customers say what came", len(said))

    def say(one: tuple[Part, dict[str, Any]]) -> None:
        part, body = one
        scene.stage.customer(part).post(f"/v1/contracts/{part.contract_id}/key/receipt", body).expect(200)
        done(1)

    each(said, say)


def sweep(scene: Scene, show: Show) -> None:
    """The deadline job, invoked until nothing is due any more: each key climbs its ladder rung by rung."""
    done = show.count("overdue keys found by the sweep", KINDS["late"])
    while scene.invoke("keys_sweep", {})["claimed"]:
        pass
    done(accounts.shipments(scene)[accounts.STATES["late"]])


def look(scene: Scene) -> None:
    """Where each key is, as operations see it."""

    def ask(part: Part) -> None:
        part.key_state = scene.stage.ops.get(f"/v1/contracts/{part.contract_id}").expect(200)["key"]["state"]

    each(scene.parts, ask)


def links(scene: Scene, show: Show) -> dict[str, str]:
    """Phone -> code of every link that arrived by SMS."""
    expected = sum(part.stranded for part in scene.parts)
    done = show.count("links sent by SMS", expected)
    found: dict[str, str] = {}

    def look() -> int:
        texts = {phone: LINK.search(sent[-1]) for phone, sent in scene.texts().items() if sent}
        codes = {phone: link[2] for phone, link in texts.items() if link}
        done(len(codes) - len(found))
        found.update(codes)
        return len(found)

    patiently(look, expected)
    return found


def patiently(count: Callable[[], int], enough: int) -> None:
    """Until there are enough, or nothing has moved for too long: facts travel at the machine's own pace."""
    seen, moved = 0, time.monotonic()
    while (now := count()) < enough and time.monotonic() < moved + PATIENCE_SECONDS:
        seen, moved = now, time.monotonic() if now > seen else moved
        time.sleep(0.5)


def open_cars(scene: Scene, codes: dict[str, str], show: Show) -> None:
    """Each stranded customer opens the link, proves who they are, and presses unlock."""
    waiting = [part for part in scene.parts if part.phone in codes]
    opened = show.count("links opened", len(waiting))
    unlocked = show.count("cars unlocked over MQTT", len(waiting))

    def rescue(part: Part) -> None:
        body = {"code": codes[part.phone], "proof": part.proof}
        reply = scene.stage.public.post("/v1/smart-key/exchange", body)
        reply.expect(204)
        opened(1)
        holder = Api(scene.stage.base, cookie=reply.headers["Set-Cookie"].split(";")[0])
        part.outcome = press(holder)
        if part.outcome in ("SUCCEEDED", "ALREADY_DONE"):
            unlocked(1)

    each(waiting, rescue)


def press(holder: Api) -> str:
    """The final state of an unlock, with its reason when it is none of success."""
    command = holder.post("/v1/smart-key/commands", {"action": "unlock"}).expect(202)
    until = time.monotonic() + PATIENCE_SECONDS
    while command["state"] not in FINAL and time.monotonic() < until:
        time.sleep(0.3)
        command = holder.get(f"/v1/smart-key/commands/{command['command_id']}").expect(200)
    return str(command["state"] if command["state"] in ("SUCCEEDED", "ALREADY_DONE") else command["reason"])


def recovered(scene: Scene) -> None:
    """The last facts travel: each unlocked car is noted on its grant by a consumer of the bus."""
    inside = sum(part.outcome in accounts.GOT_IN for part in scene.parts)
    patiently(lambda: sum("unlocked_at" in grant for grant in accounts.grants(scene)), inside)


def play(scene: Scene, show: Show) -> None:
    carriers_report(scene, show)
    customers_scan(scene, show)
    sweep(scene, show)
    look(scene)
    open_cars(scene, links(scene, show), show)
    recovered(scene)


def told(console: Console, stack: dict[str, Any]) -> tuple[Scene, bool]:
    """Sets the scene, plays, and closes the accounts: whether everything added up."""
    with schedule_held("keys_sweep"):
        console.rule("Setting the scene: 200 contracts of a promotion", align="left")
        with Show(console).live() as show:
            scene = set_scene(stack, show.count)
            buyers = race.prepare(scene, ATTEMPTS, show.count)
        console.rule("What went wrong offline is put right online", align="left")
        started = time.monotonic()
        with Show(console).live() as show:
            play(scene, show)
        saw = accounts.seen(scene)
        console.rule("2,000 buyers race for 600 coupons", align="left")
        outcome = race.run(buyers)
        seconds = time.monotonic() - started
    lines = accounts.recovery_lines(scene, saw) + accounts.race_lines(outcome)
    accounts.show(console, lines, accounts.stuck(scene))
    told = accounts.record(lines, saw, outcome, seconds)
    accounts.written(LOCAL / "story.json", told)
    console.print(f"Played in {seconds:.0f} s; the figures are in {LOCAL / 'story.json'}", soft_wrap=True)
    return scene, bool(told["adds_up"])


def invite(console: Console, scene: Scene) -> None:
    """Where to look, and a fresh link to one of the rescued cars."""
    part = next(part for part in scene.parts if part.outcome in accounts.GOT_IN)
    until = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    order = {"holder": "customer", "reason": "a look around", "not_after": until}
    before = text = scene.texts()[part.phone][-1]
    scene.stage.ops.post(f"/v1/ops/contracts/{part.contract_id}/smart-keys", order).expect(201)
    patience = time.monotonic() + PATIENCE_SECONDS
    while text == before and time.monotonic() < patience:
        time.sleep(0.3)
        text = scene.texts()[part.phone][-1]
    link = LINK.search(text)
    console.rule("Look around", align="left")
    for what, where in (
        ("a smart key", f"{link[0] if link else text}   (birth date {part.proof})"),
        ("plans", f"{scene.stack['site_url']}/plans"),
        ("my contract", f"{scene.stack['site_url']}/my   (user customer, or one you make on /plans)"),
        ("partners", f"{scene.stack['site_url']}/partner   (users packer, courier and agent)"),
        ("operations", f"{scene.stack['site_url']}/ops   (user ops; passwords in {STACK_FILE})"),
        ("a sponsor", f"{scene.stack['site_url']}/sponsor   (user sponsor)"),
        ("texts sent", scene.stack["sms_outbox_url"]),
        ("the API", scene.stack["api_url"]),
    ):
        console.print(f"  {what:<12} {where}", soft_wrap=True)


def main() -> int:
    """Ctrl-C, or the end of the process that asked for it, ends all of it."""
    console = Console()
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, signal.default_int_handler)
    try:
        scene, adds_up = told(console, up())
        if not adds_up:
            console.print("[bold red]A line does not add up.[/]")
            return 1
        invite(console, scene)
        console.print("Serving; Ctrl-C ends all of it.")
        threading.Event().wait()
    except (*KNOWN, NotSet, race.NotRaced) as problem:
        print(f"handover: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        console.print("\nStopping.")
    finally:
        FLEET.stop()
        down()
    return 0


if __name__ == "__main__":
    sys.exit(main())
