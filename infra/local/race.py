"""The race for a campaign's last won: 2,000 attempts from 16 processes at a budget for 600.

The racers run in a process of their own (`racers.py`), straight at the stack's DynamoDB, with the real
services and stores; this module says who races and what came of it.
"""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from infra.local.cast import Part, cast, each, sign
from infra.local.place import STAGE
from infra.local.scene import Scene, enrol
from infra.package import ROOT

BUDGET = 3_000_000
AMOUNT = 5_000
BUYERS = 50
PROCESSES = 16
RACERS = "infra.local.racers"
People = list[tuple[str, str]]
"""Pairs of customer id and contract id."""


class NotRaced(Exception):
    """The racers failed; their own words."""


@dataclass(frozen=True)
class Buyers:
    """A campaign, and for every attempt its customer, contract and registered coupon."""

    stack: dict[str, Any]
    campaign_id: str
    tickets: list[tuple[str, str, str]]


@dataclass(frozen=True)
class Outcome:
    """`granted` and `refused` as the buyers were told; the rest counted in DynamoDB afterwards.

    `others` counts answers that were neither, by name. `granting_seconds` ends with the last grant.
    The budget was looked at `looks` times meanwhile; `wrong_looks` times it was not available + reserved.
    """

    attempts: int
    granted: int
    refused: int
    others: dict[str, int]
    seconds: float
    granting_seconds: float
    looks: int
    wrong_looks: int
    budget: int
    amount: int
    available: int
    reserved: int
    granted_rows: int
    won: int
    used_coupons: int

    @property
    def affordable(self) -> int:
        return self.budget // self.amount

    @property
    def granted_per_second(self) -> float:
        return self.granted / self.granting_seconds

    @property
    def adds_up(self) -> bool:
        """Exactly what the budget pays for, told to the buyers as it stands in every table."""
        granted = min(self.affordable, self.attempts)
        counts = (self.granted, self.granted_rows, self.used_coupons)
        return (
            set(counts) == {granted}
            and self.granted + self.refused == self.attempts
            and self.won == self.reserved == granted * self.amount == self.budget - self.available
            and self.wrong_looks == 0
        )


def prepare(scene: Scene, attempts: int, count: Callable[[str, int], Callable[[int], None]]) -> Buyers:
    """A fresh campaign whose coupons lie in the boxes of customers who have signed and not paid yet."""
    buyers = cast()[:BUYERS]
    done = count("buyers with a contract", len(buyers))

    def enter(part: Part) -> None:
        enrol(scene.stack, part)
        sign(scene.stage, part)
        done(1)

    each(buyers, enter)
    people = [(subject_of(part.token), part.contract_id) for part in buyers]
    return stage(scene.stack, people, attempts, count("coupons registered", attempts))


def stage(
    stack: dict[str, Any], people: People, attempts: int, done: Callable[[int], None] = lambda _: None
) -> Buyers:
    """Through the services: campaign, codes, registration. `done` hears of each coupon registered."""
    task = {"people": people, "attempts": attempts, "budget": BUDGET, "amount": AMOUNT}
    for line in asked(stack, RACERS, "stage", task):
        if "tickets" in line:
            return Buyers(stack, line["campaign_id"], line["tickets"])
        done(line["registered"])
    raise NotRaced("no campaign was staged")


def run(buyers: Buyers, processes: int = PROCESSES) -> Outcome:
    task = {"campaign_id": buyers.campaign_id, "tickets": buyers.tickets, "processes": processes}
    (result,) = asked(buyers.stack, RACERS, "race", task)
    seen, rows = result["seen"], result["rows"]
    return Outcome(
        attempts=len(buyers.tickets),
        granted=seen.pop("granted", 0),
        refused=seen.pop("refused", 0),
        others=seen,
        seconds=result["took"]["ended"],
        granting_seconds=result["took"]["last_grant"],
        looks=result["looks"],
        wrong_looks=result["wrong"],
        budget=rows["budget"],
        amount=AMOUNT,
        available=rows["available"],
        reserved=rows["reserved"],
        granted_rows=rows["checkouts"],
        won=rows["discounts"],
        used_coupons=rows["used_coupons"],
    )


def raw_transactions(stack: dict[str, Any], processes: int = PROCESSES, seconds: float = 3.0) -> float:
    """Bare transactions of a redemption's shape per second: what the local DynamoDB itself can do."""
    (result,) = asked(stack, RACERS, "raw", {"processes": processes, "seconds": seconds})
    return float(result["per_second"])


def subject_of(token: str) -> str:
    """Whose id token it is; the stack has verified it before."""
    claims = token.split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["sub"])


def asked(stack: dict[str, Any], module: str, what: str, task: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What a process of its own tells line by line, which reads its task as `racers.py` does."""
    command = [sys.executable, "-m", module, what]
    environment = {**os.environ, **_environment(stack)}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as racers:
        assert racers.stdin
        assert racers.stdout
        with racers.stdin:
            json.dump(task, racers.stdin)
        for line in racers.stdout:
            yield json.loads(line)
    if racers.returncode:
        raise NotRaced(f"{module} {what} ended with {racers.returncode}")


def _environment(stack: dict[str, Any]) -> dict[str, str]:
    """The racers' AWS is the local stack, and never the caller's own account."""
    where = stack["aws"]
    return {
        "STAGE": STAGE,
        "AWS_ENDPOINT_URL": where["endpoint_url"],
        "AWS_REGION": where["region"],
        "AWS_DEFAULT_REGION": where["region"],
        "AWS_ACCESS_KEY_ID": where["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": where["secret_access_key"],
        "OFFICES_URL": stack["outside"]["offices_url"],
        "POWERTOOLS_METRICS_DISABLED": "true",
        "POWERTOOLS_METRICS_NAMESPACE": "handover",
    }
