"""One race, several shops: what each made of it, and the table that shows them side by side.

The race: 2,000 buyers with a coupon each, 5,000 won off, 16 workers, a budget of 3,000,000 won: enough for
600. Then 300 orders are each sent twice at the same moment, and all of them are cancelled.
"""

from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from infra.local import race
from infra.local.place import STAGE
from infra.local.race import AMOUNT, BUDGET, PROCESSES
from tests.bench.record import WRITES

ATTEMPTS, ORDERS, REFUSALS = 2_000, 300, 10_000
LEGS = "tests.bench.legs"
MEASURED_BEFORE = (
    "* not run here: measured beforehand in this race on two cores, PostgreSQL 15, 16 workers. "
    "The counts are solid, the rates within a factor of two."
)


@dataclass(frozen=True)
class Side:
    """`counter`: what it counted itself as given away. `rate`: granted a second."""

    name: str
    cap: str
    granted: int
    over: int
    counter: str
    rate: float
    twice: str
    cancelled: str
    run_here: bool = True


QUOTED = (
    Side(
        "django-oscar 4.2.1",
        "money",
        2_000,
        7_000_000,
        "775,000",
        47,
        "300 orders, losers get a raw IntegrityError",
        "restores nothing",
        False,
    ),
    Side(
        "Saleor 3.24",
        "count only",
        604,
        4 * AMOUNT,
        "600 uses",
        4.4,
        "45 uses burnt for 150 orders, 30 raw database errors",
        "restores nothing",
        False,
    ),
    Side("Medusa 2.17", "money", 2_000, 7_000_000, "690,000", 30, "counted twice", "restores nothing", False),
    Side(
        "Medusa 2.21.2",
        "money (row lock since 2.18)",
        600,
        0,
        "exact",
        14,
        "counted twice",
        "not on cancel; of 400 concurrent reverts 383 lost",
        False,
    ),
    Side(
        "Vendure 3.7.3",
        "count only (row lock)",
        600,
        0,
        "derived",
        12,
        "counted once, but 56 of 60 orders settled twice",
        "restores",
        False,
    ),
)


@dataclass(frozen=True)
class Ours:
    """`charged`: discounts taken for the orders sent twice; `back`: won that came back of theirs."""

    buyers: race.Buyers
    race: race.Outcome
    heard_twice: dict[str, int]
    charged: int
    heard_cancelled: dict[str, int]
    back: int

    @property
    def once(self) -> bool:
        """Every order charged once, and both who sent it were told of the grant."""
        told = {"granted": ORDERS, "replayed": ORDERS}
        return self.charged == ORDERS and self.heard_twice == told

    @property
    def restored(self) -> bool:
        return self.back == ORDERS * AMOUNT

    def side(self) -> Side:
        counted = self.race.budget - self.race.available
        return Side(
            "handover",
            "money",
            self.race.granted,
            max(0, self.race.won - self.race.budget),
            f"{counted:,}",
            self.race.granted_per_second,
            f"{self.charged} orders, {words(self.heard_twice)}",
            f"restores {self.back:,} of {self.charged * AMOUNT:,}",
        )


def ours(stack: dict[str, Any]) -> Ours:
    """The race and what follows it, on this stack's DynamoDB."""
    ((people),) = [line["people"] for line in _ask(stack, "people", count=ATTEMPTS)]
    buyers = race.stage(stack, people, ATTEMPTS)
    outcome = race.run(buyers)
    again = race.stage(stack, people[:ORDERS], ORDERS)
    (sent,) = _ask(stack, "twice", tickets=again.tickets, campaign_id=again.campaign_id)
    (back,) = _ask(stack, "cancel", checkouts=sent["checkouts"], campaign_id=again.campaign_id)
    return Ours(
        buyers,
        outcome,
        sent["heard"],
        sent["rows"]["reserved"] // AMOUNT,
        back["heard"],
        back["rows"]["available"] - sent["rows"]["available"],
    )


@dataclass(frozen=True)
class Refused:
    """What so many orders did to a campaign that is spent. `reads`: of the record, which every refusal makes;
    `proofs`: of one process at the most."""

    heard: dict[str, int]
    reads: int
    writes: int
    proofs: int
    seconds: float
    others: dict[str, int]

    @property
    def proofs_a_second(self) -> float:
        """One at the start, then one for every full second."""
        return self.proofs / (int(self.seconds) + 1)


def refused(buyers: race.Buyers) -> Refused:
    (told,) = _ask(buyers.stack, "refusals", tickets=buyers.tickets, times=REFUSALS)
    calls = told["calls"]
    reads = calls.pop(f"GetItem {STAGE}-checkout", 0)
    writes = sum(number for name, number in calls.items() if name.split()[0] in WRITES)
    return Refused(told["heard"], reads, writes, told["most_proofs"], told["seconds"], calls)


def _ask(stack: dict[str, Any], what: str, **task: Any) -> list[dict[str, Any]]:
    return list(race.asked(stack, LEGS, what, {"processes": PROCESSES, **task}))


def words(heard: dict[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in sorted(heard.items()))


def show(sides: list[Side]) -> None:
    affordable = BUDGET // AMOUNT
    title = f"{ATTEMPTS:,} attempts on a budget of {BUDGET:,}, {AMOUNT:,} each: it pays for {affordable}"
    table = Table(title=title, title_justify="left", show_lines=True)
    for name in ("", "cap", "granted", "over", "own counter", "granted/s", "same order twice", "cancel"):
        table.add_column(name, justify="right" if name in ("granted", "over", "granted/s") else "left")
    for side in sides:
        table.add_row(
            side.name if side.run_here else f"{side.name} *",
            side.cap,
            f"{side.granted:,}",
            f"{side.over:+,}" if side.over else "0",
            side.counter,
            f"{side.rate:,.1f}".removesuffix(".0"),
            side.twice,
            side.cancelled,
        )
    console = Console(width=160)
    console.print(table)
    if not all(side.run_here for side in sides):
        console.print(MEASURED_BEFORE, soft_wrap=True)
