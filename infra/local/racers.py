"""The race's own process: many buyers of one campaign's coupons, each through the real checkout service.

`python -m infra.local.racers stage|race|raw` reads its task as JSON and answers in JSON lines, of which the
last is the result. The environment names stage, endpoint and credentials (see `race.py`). Workers are forked
after everything is imported, and make their own AWS clients.
"""

import json
import multiprocessing
import secrets
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from chalicelib import wiring
from chalicelib.checkout import store as _checkout  # imported before the fork, as are the ones below
from chalicelib.checkout.model import Item, Kind, Order
from chalicelib.contracts import store as _contracts
from chalicelib.coupons import store as _coupons
from chalicelib.coupons.model import BudgetExhausted, Terms
from chalicelib.coupons.model import Kind as CouponKind
from chalicelib.kernel import aws
from chalicelib.kernel.auth import Caller, Group
from chalicelib.kernel.errors import Busy
from chalicelib.kernel.tables import table_name

IMPORTED = (_checkout, _contracts, _coupons)
OPERATOR = Caller("race", frozenset({Group.OPS}))
WORKERS = 8
RAW_SHARDS = 16
WATCH_SECONDS = 0.1
READY_SECONDS = 60.0
FORK = multiprocessing.get_context("fork")
Task = dict[str, Any]


def say(**line: Any) -> None:
    print(json.dumps(line), flush=True)


# --- a campaign with coupons in boxes ----------------------------------------------------------------------


def stage(task: Task) -> None:
    """`people`: pairs of customer and contract; the attempts are dealt among them."""
    coupons, people, attempts = wiring.coupons(), task["people"], task["attempts"]
    terms = Terms("Race", CouponKind.FIXED, task["amount"], per_user_limit=-(-attempts // len(people)))
    run = secrets.token_hex(8)
    campaign_id = coupons.create(terms, task["budget"], OPERATOR, run, run).value.campaign_id
    coupons.request_codes(campaign_id, run, attempts, OPERATOR, run)
    codes = coupons.codes(coupons.issue(campaign_id, run), 0, attempts)

    def register(number: int) -> list[str]:
        customer, contract = people[number % len(people)]
        coupon = coupons.register(codes[number], Caller(customer), f"{run} {number}").value.coupon
        return [customer, contract, coupon.coupon_id]

    tickets = []
    with ThreadPoolExecutor(WORKERS) as hands:
        for ticket in hands.map(register, range(attempts)):
            tickets.append(ticket)
            say(registered=1)
    say(campaign_id=campaign_id, tickets=tickets)


# --- the race ----------------------------------------------------------------------------------------------


def race(task: Task) -> None:
    """Every ticket is tried once; a Busy answer is tried again, as its Retry-After asks."""
    tickets, processes, campaign_id = task["tickets"], task["processes"], task["campaign_id"]
    start_line = FORK.Barrier(processes, timeout=READY_SECONDS)

    def buy(number: int) -> Task:
        checkout = wiring.checkout()
        _, _, coupon = tickets[number]
        attempt(checkout, "nobody", "con_none", coupon)  # makes the connection, and reads what it has to
        start_line.wait()
        started = last_grant = time.monotonic()
        seen: Counter[str] = Counter()
        for customer, contract, coupon in tickets[number::processes]:
            answer = attempt(checkout, customer, contract, coupon)
            seen[answer] += 1
            last_grant = time.monotonic() if answer == "granted" else last_grant
        return {"seen": seen, "started": started, "last_grant": last_grant, "ended": time.monotonic()}

    watched = FORK.Event()
    watcher, heard = _watch(campaign_id, watched)
    results = list(in_processes(processes, buy))
    watched.set()
    looks, wrong = heard.recv()
    watcher.join()
    seen: Counter[str] = sum((Counter(result["seen"]) for result in results), Counter())
    started = min(result["started"] for result in results)
    took = {what: max(result[what] for result in results) - started for what in ("last_grant", "ended")}
    say(seen=seen, took=took, looks=looks, wrong=wrong, rows=rows_of(campaign_id))


def attempt(checkout: Any, customer: str, contract: str, coupon: str, key: str | None = None) -> str:
    """One order, one key (its coupon's, if none is given): granted, refused, or what else came."""
    while True:
        try:
            checkout.reserve(order_of(contract, coupon), Caller(customer), key or coupon)
        except Busy:
            time.sleep(0.05)
        except BudgetExhausted:
            return "refused"
        except Exception as problem:
            return type(problem).__name__
        else:
            return "granted"


def order_of(contract: str, coupon: str) -> Order:
    return Order(f"order-{coupon[-12:]}", (Item(Kind.CONTRACT_FEE, contract),), coupon, 0, coupon)


def in_processes(count: int, work: Callable[[int], Task]) -> Iterator[Task]:
    """The answers of `work(0)`, `work(1)`, ... each in a process forked from this one."""

    def run(number: int, end: Any) -> None:
        aws.client.cache_clear()
        end.send(work(number))

    children = []
    for number in range(count):
        here, there = FORK.Pipe(duplex=False)
        child = FORK.Process(target=run, args=(number, there), daemon=True)
        child.start()
        there.close()
        children.append((child, here))
    for child, here in children:
        yield here.recv()
        child.join()


def _watch(campaign_id: str, done: Any) -> tuple[Any, Any]:
    """Looks at the budget again and again while the race is on: (looks, looks that did not add up)."""
    here, there = FORK.Pipe(duplex=False)

    def look() -> None:
        aws.client.cache_clear()
        looks = wrong = 0
        while not done.is_set():
            seen = wiring.coupons().status(campaign_id)
            wrong += seen.campaign.budget != seen.available + seen.reserved
            looks += 1
            done.wait(WATCH_SECONDS)
        there.send((looks, wrong))

    watcher = FORK.Process(target=look, daemon=True)
    watcher.start()
    return watcher, here


def rows_of(campaign_id: str) -> Task:
    """What DynamoDB holds of the campaign: bookkeeping after the race, never a serving path."""
    checkouts = [row for row in _scan("checkout") if row.get("coupon_id", "").startswith(campaign_id + ".")]
    coupons = [row for row in _scan("coupons") if row.get("campaign_id") == campaign_id]
    shards = [row for row in _scan("coupons") if row["pk"].startswith(f"SHARD#{campaign_id}#")]
    (campaign,) = (row for row in _scan("coupons") if row["pk"] == f"CAMPAIGN#{campaign_id}")
    return {
        "checkouts": len(checkouts),
        "discounts": sum(int(row["discount"]) for row in checkouts),
        "used_coupons": sum(row.get("state") == "USED" for row in coupons),
        "available": sum(int(row["available"]) for row in shards),
        "reserved": sum(int(row["reserved"]) for row in shards),
        "budget": int(campaign["budget"]),
    }


def _scan(context: str) -> Iterator[dict[str, str]]:
    pages = aws.client("dynamodb").get_paginator("scan")
    for page in pages.paginate(TableName=table_name(context), ConsistentRead=True):
        for row in page["Items"]:
            yield {name: str(next(iter(value.values()))) for name, value in row.items()}


# --- the yardstick -----------------------------------------------------------------------------------------


def raw(task: Task) -> None:
    """Bare transactions of a redemption's shape: a put and three updates, all conditional."""
    run = secrets.token_hex(8)

    start_line = FORK.Barrier(task["processes"], timeout=READY_SECONDS)

    def work(number: int) -> Task:
        client, count = aws.client("dynamodb"), 0
        client.transact_write_items(TransactItems=_raw_items(run, f"{number}#first", 0))
        start_line.wait()
        until = time.monotonic() + task["seconds"]
        while time.monotonic() < until:
            client.transact_write_items(TransactItems=_raw_items(run, f"{number}#{count}", count))
            count += 1
        return {"count": count}

    count = sum(result["count"] for result in in_processes(task["processes"], work))
    say(per_second=count / task["seconds"])


def _raw_items(run: str, name: str, count: int) -> list[Task]:
    def put(what: str) -> Task:
        item = {"pk": {"S": f"RAW#{run}#{what}"}, "sk": {"S": "RAW"}, "text": {"S": "x" * 400}}
        new = "attribute_not_exists(pk)"
        return {"Put": {"TableName": table_name("checkout"), "Item": item, "ConditionExpression": new}}

    def update(what: str) -> Task:
        return {
            "Update": {
                "TableName": table_name("coupons"),
                "Key": {"pk": {"S": f"RAW#{run}#{what}"}, "sk": {"S": "RAW"}},
                "UpdateExpression": "ADD used :one",
                "ConditionExpression": "attribute_not_exists(used) OR used < :most",
                "ExpressionAttributeValues": {":one": {"N": "1"}, ":most": {"N": "1000000"}},
            }
        }

    return [
        put(f"record#{name}"),
        update(f"coupon#{name}"),
        update(f"uses#{name}"),
        update(f"shard#{count % RAW_SHARDS}"),
    ]


if __name__ == "__main__":
    {"stage": stage, "race": race, "raw": raw}[sys.argv[1]](json.load(sys.stdin))
