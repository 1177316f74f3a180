"""What else happens to a campaign on the local DynamoDB, from many processes at once.

`python -m tests.bench.legs people|twice|cancel|refusals` reads its task and answers as `infra.local.racers`
does: buyers with a contract each; every order sent twice at the same moment; every checkout cancelled twice
at the same moment; a campaign that is spent, and asked again and again, every call counted.
"""

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

from chalicelib import wiring
from chalicelib.contracts.model import Application, Driver, Handover
from chalicelib.contracts.model.contract import signed
from chalicelib.contracts.store import ContractStore
from chalicelib.kernel import aws
from chalicelib.kernel.auth import Caller
from chalicelib.kernel.errors import Busy
from chalicelib.kernel.facts import Fact
from infra.local.racers import FORK, READY_SECONDS, Task, attempt, in_processes, order_of, rows_of, say

READS = ("GetItem", "BatchGetItem", "Query")
PROOF = "TransactGetItems"
Noted = list[tuple[str, tuple[str, ...], float]]
"""Calls: operation, tables, when."""


# --- buyers ------------------------------------------------------------------------------------------------


def people(task: Task) -> None:
    """`count` customers, each with a contract that waits to be paid, straight into the store."""
    now = datetime.now(UTC)
    driver = Driver("손님", "+821012345678", date(1990, 1, 15), "111234567801")
    application = Application(
        "promotion", 6, Handover(now + timedelta(days=9), "서울특별시 중구"), "tok", (driver,), ""
    )

    def sign(number: int) -> Task:
        made, store = [], ContractStore()
        for each in range(number, task["count"], task["processes"]):
            name = f"buyer-{each:04d}"
            contract = signed(f"con_{name}", name, application, now)
            fact = Fact.of(
                "ContractSigned", "contracts", contract.contract_id, at=now, id=f"evt_{name}", data={}
            )
            store.sign(contract, fact)
            made.append([name, contract.contract_id])
        return {"made": made}

    results = in_processes(task["processes"], sign)
    say(people=[pair for result in results for pair in result["made"]])


# --- the same order twice, the same cancellation twice ------------------------------------------------------


def twice(task: Task) -> None:
    """`heard`: granted and replayed, or what else came. `checkouts`: pairs of customer and checkout."""
    tickets, pairs = task["tickets"], task["processes"] // 2
    meetings = [FORK.Barrier(2, timeout=READY_SECONDS) for _ in range(pairs)]

    def buy(number: int) -> Task:
        checkout, made = wiring.checkout(), []
        heard: Counter[str] = Counter()
        for customer, contract, coupon in tickets[number % pairs :: pairs]:
            meetings[number % pairs].wait()
            try:
                done = _patiently(checkout.reserve, order_of(contract, coupon), Caller(customer), coupon)
            except Exception as problem:
                heard[type(problem).__name__] += 1
            else:
                heard["replayed" if done.replayed else "granted"] += 1
                made.append((customer, done.value.checkout_id))
        return {"heard": heard, "made": made}

    results = list(in_processes(pairs * 2, buy))
    heard: Counter[str] = sum((Counter(result["heard"]) for result in results), Counter())
    told = [pair for result in results for pair in result["made"]]
    say(heard=heard, checkouts=sorted(set(told)), rows=rows_of(task["campaign_id"]))


def cancel(task: Task) -> None:
    """Every one of `checkouts`, each by two processes at the same moment."""
    checkouts, pairs = task["checkouts"], task["processes"] // 2
    meetings = [FORK.Barrier(2, timeout=READY_SECONDS) for _ in range(pairs)]

    def give_back(number: int) -> Task:
        service: Any = wiring.checkout()
        heard: Counter[str] = Counter()
        for customer, checkout_id in checkouts[number % pairs :: pairs]:
            meetings[number % pairs].wait()
            try:
                done = _patiently(service.cancel, checkout_id, Caller(customer))
            except Exception as problem:
                heard[type(problem).__name__] += 1
            else:
                heard[done.value.state] += 1
        return {"heard": heard}

    results = in_processes(pairs * 2, give_back)
    heard: Counter[str] = sum((Counter(result["heard"]) for result in results), Counter())
    say(heard=heard, rows=rows_of(task["campaign_id"]))


def _patiently(act: Any, *what: Any) -> Any:
    while True:
        try:
            return act(*what)
        except Busy:
            time.sleep(0.05)


# --- a spent campaign ---------------------------------------------------------------------------------------


def refusals(task: Task) -> None:
    """`times` orders with coupons of a spent campaign, each with a key of its own."""
    tickets, times, processes = task["tickets"], task["times"], task["processes"]
    start_line = FORK.Barrier(processes, timeout=READY_SECONDS)

    def ask(number: int) -> Task:
        checkout, noted = wiring.checkout(), _noted()
        start_line.wait()
        started = time.monotonic()
        heard: Counter[str] = Counter()
        for each in range(number, times, processes):
            customer, contract, coupon = tickets[each % len(tickets)]
            heard[attempt(checkout, customer, contract, coupon, f"again-{each}")] += 1
        calls = Counter(f"{operation} {' '.join(tables)}" for operation, tables, _ in noted)
        proofs = [at for operation, _, at in noted if operation == PROOF]
        return {
            "heard": heard,
            "calls": calls,
            "seconds": time.monotonic() - started,
            "proofs": len(proofs),
            "gap": min((later - at for at, later in pairwise(proofs)), default=None),
        }

    results = list(in_processes(processes, ask))
    gaps = [result["gap"] for result in results if result["gap"] is not None]
    say(
        heard=sum((Counter(result["heard"]) for result in results), Counter()),
        calls=sum((Counter(result["calls"]) for result in results), Counter()),
        seconds=max(result["seconds"] for result in results),
        most_proofs=max(result["proofs"] for result in results),
        proofs=sum(result["proofs"] for result in results),
        shortest_gap=min(gaps, default=None),
    )


def _noted() -> Noted:
    """Grows by every call to DynamoDB from now on."""
    noted: Noted = []

    def note(params: dict[str, Any], model: Any, **_: Any) -> None:
        noted.append((model.name, tuple(sorted(set(_tables(json.loads(params["body"]))))), time.monotonic()))

    aws.client("dynamodb").meta.events.register("before-call.dynamodb", note)
    return noted


def _tables(body: Any) -> Iterator[str]:
    if isinstance(body, dict):
        if "TableName" in body:
            yield body["TableName"]
        yield from body.get("RequestItems", ())
        for each in body.values():
            yield from _tables(each)
    elif isinstance(body, list):
        for each in body:
            yield from _tables(each)


if __name__ == "__main__":
    {"people": people, "twice": twice, "cancel": cancel, "refusals": refusals}[sys.argv[1]](
        json.load(sys.stdin)
    )
