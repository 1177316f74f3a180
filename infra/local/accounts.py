"""The closing accounts of the story: what it saw from outside, beside the rows that must say the same."""

import json
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from infra.local.cast import KINDS, Part
from infra.local.race import Outcome
from infra.local.scene import Scene, confirmed

STATES = {"late": "stalled", "wrong_address": "wrong_address", "wrong_key": "wrong_key", "fine": "verified"}
WORDS = {
    "fine": "keys home and proven",
    "late": "keys late",
    "wrong_address": "keys at a wrong address",
    "wrong_key": "keys of another car",
}
GOT_IN = ("SUCCEEDED", "ALREADY_DONE")


@dataclass(frozen=True)
class Seen:
    """The story's own counts, taken at the API and the SMS outbox."""

    contracts: int
    paid: int
    links_sent: int
    links_opened: int
    unlocked: int
    still_stuck: int


@dataclass(frozen=True)
class Line:
    """`seen` from outside, `rows` counted in DynamoDB, `expected` by the script of the play."""

    what: str
    seen: int
    rows: int
    expected: int

    @property
    def adds_up(self) -> bool:
        return self.seen == self.rows == self.expected


def _texts(row: dict[str, Any]) -> dict[str, str]:
    return {name: str(next(iter(value.values()))) for name, value in row.items()}


def seen(scene: Scene) -> Seen:
    stranded = [part for part in scene.parts if part.stranded]
    inside = [part for part in stranded if part.outcome in GOT_IN]
    opened = [part for part in stranded if part.outcome]
    return Seen(
        contracts=sum(bool(part.contract_id) for part in scene.parts),
        paid=sum(bool(part.paid) for part in scene.parts),
        links_sent=sum(map(len, scene.texts().values())),
        links_opened=len(opened),
        unlocked=len(inside),
        still_stuck=len(stranded) - len(inside),
    )


def shipments(scene: Scene) -> Counter[str]:
    """State -> how many of this story's shipments stand there."""
    ours = {part.contract_id for part in scene.parts}
    rows = (_texts(row) for row in scene.rows("keys"))
    return Counter(row["state"] for row in rows if row["sk"] == "SHIPMENT" and row["contract_id"] in ours)


def grants(scene: Scene) -> list[dict[str, str]]:
    ours = {part.contract_id for part in scene.parts}
    rows = (_texts(row) for row in scene.rows("smartkeys"))
    return [row for row in rows if row["sk"] == "GRANT" and row["contract_id"] in ours]


def recovery_lines(scene: Scene, saw: Seen) -> list[Line]:
    states, held = shipments(scene), grants(scene)
    stranded = sum(count for kind, count in KINDS.items() if kind != "fine")
    offline = sum(part.offline for part in scene.parts)
    keys = Counter(part.key_state for part in scene.parts)
    return [
        *payment_lines(scene, saw),
        *(Line(what, keys[STATES[kind]], states[STATES[kind]], KINDS[kind]) for kind, what in WORDS.items()),
        Line("links sent", saw.links_sent, sum("sent_at" in row for row in held), stranded),
        Line("links opened", saw.links_opened, sum("opened_at" in row for row in held), stranded),
        Line("cars unlocked", saw.unlocked, sum("unlocked_at" in row for row in held), stranded - offline),
        Line("still stuck", saw.still_stuck, sum("unlocked_at" not in row for row in held), offline),
    ]


def payment_lines(scene: Scene, saw: Seen) -> list[Line]:
    """Paid as the customers heard, as the gateway says, in checkout's rows and in the contracts'."""
    everyone, ours = sum(KINDS.values()), {part.contract_id for part in scene.parts}
    contracts = [row for row in scene.rows("contracts") if row["sk"]["S"] == "CONTRACT"]
    signed = [row for row in contracts if row["contract_id"]["S"] in ours]
    rows = [_texts(row) for row in scene.rows("checkout")]
    checkouts = [row for row in rows if row["sk"] == "CHECKOUT" and _refs(row) & ours]
    captured = [row for row in checkouts if row["state"] == "CAPTURED"]
    names = {row["pk"].removeprefix("CHECKOUT#") for row in checkouts}
    asked = {row["payment_id"] for row in rows if row["sk"] == "PAYMENT" and row.get("checkout_id") in names}
    taken = [each for each in scene.payments() if each["order_id"] in asked]
    won = sum(amount for row in captured for _, _, amount, *_ in json.loads(row["items"]))
    told = sum(part.paid for part in scene.parts)
    return [
        Line("contracts of the promotion", saw.contracts, len(signed), everyone),
        Line("contracts paid", saw.paid, sum(map(confirmed, signed)), everyone),
        Line("payments at the gateway", len(taken), len(captured), everyone),
        Line("won at the gateway", sum(each["left"] for each in taken), won, told),
    ]


def _refs(checkout: dict[str, str]) -> set[str]:
    return {ref for _, ref, *_ in json.loads(checkout["items"])}


def race_lines(race: Outcome) -> list[Line]:
    return [
        Line("coupon attempts", race.granted + race.refused, race.attempts, race.attempts),
        Line("coupons granted", race.granted, race.granted_rows, race.affordable),
        Line("won granted", race.granted * race.amount, race.budget - race.available, race.budget),
    ]


def stuck(scene: Scene) -> list[Part]:
    return [part for part in scene.parts if part.stranded and part.outcome not in GOT_IN]


def show(console: Console, lines: list[Line], still: list[Part]) -> None:
    table = Table(title="The story in numbers", title_justify="left")
    for name, side in (
        ("", "left"),
        ("seen", "right"),
        ("rows", "right"),
        ("expected", "right"),
        ("", "left"),
    ):
        table.add_column(name, justify=side)  # type: ignore[arg-type]
    for line in lines:
        verdict = "[green]adds up[/]" if line.adds_up else "[bold red]does not add up[/]"
        table.add_row(line.what, f"{line.seen:,}", f"{line.rows:,}", f"{line.expected:,}", verdict)
    console.print(table)
    for part in still:
        where = f"{part.plate}, key {part.kind.replace('_', ' ')}, contract {part.contract_id}"
        console.print(f"  still stuck: {where}: {part.outcome}", soft_wrap=True)


def record(lines: list[Line], saw: Seen, race: Outcome, seconds: float) -> dict[str, Any]:
    """What `.local/story.json` holds."""
    by_name = {line.what: line.rows for line in lines}
    return {
        "adds_up": all(line.adds_up for line in lines),
        **asdict(saw),
        **{kind: by_name[what] for kind, what in WORDS.items() if kind != "fine"},
        "attempts": race.attempts,
        "granted": race.granted,
        "refused": race.refused,
        "seconds": round(seconds, 1),
    }


def written(path: Any, told: dict[str, Any]) -> None:
    path.write_text(json.dumps(told, indent=1) + "\n")
