"""What a redemption costs beside ever more of everything: past redemptions, campaigns, codes, points.

`python -m tests.bench.growth`. On the strict DynamoDB: one of each is made through the application, its rows
are copied 10 to 10,000 times, and a redemption with points is played beside them. The exponent is the slope
of the cost over the number in a log-log diagram: 0 is a cost that does not grow.
"""

import json
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.bench.counted import index_units, read_units, write_units
from tests.bench.record import WRITES, Call, Case, Counter, Row, Shop, recorded, signed, unseen

NUMBERS = (10, 100, 1_000, 10_000)
BATCH = 25


@dataclass(frozen=True)
class Cost:
    calls: int
    write_units: int
    read_units: float
    rows: int

    @classmethod
    def of(cls, case: Case) -> "Cost":
        writes = [call for call in case.calls if call.operation in WRITES]
        return cls(
            len(case.calls),
            sum(write_units(call, case.rows) for call in writes) + index_units(writes),
            sum(map(read_units, case.calls)),
            sum(len(call.images) for call in writes),
        )


class Crowded:
    """A shop where the rows of what was done once are there so many times."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.there = 1

    def until(self, number: int, rows: list[tuple[str, Row]]) -> None:
        names = range(self.there, number)
        for table, row in rows:
            for start in range(0, len(names), BATCH):
                puts = [{"PutRequest": {"Item": _another(row, n)}} for n in names[start : start + BATCH]]
                with unseen():
                    self._client.batch_write_item(RequestItems={table: puts})
        self.there = number


def _another(row: Row, number: int) -> Row:
    """Its own row, in the same place of every index; one of many in the same partition, as the first was."""
    key = "pk" if _alone(row) else "sk"
    return {**row, key: {"S": f"{row[key]['S']}~{number}"}}


def _alone(row: Row) -> bool:
    """In its partition: then the sort key is a word."""
    return str(row["sk"]["S"]).isalpha()


def made_by(calls: list[Call]) -> list[tuple[str, Row]]:
    """The rows that came to be or got into an index, one of each kind."""
    rows: dict[tuple[str, str, bool], Row] = {}
    for call in calls:
        for table, before, after in call.images:
            if after is not None and (before is None or after.keys() - before.keys()):
                rows.setdefault((table, after["pk"]["S"].partition("#")[0], _alone(after)), after)
    return [(table, row) for (table, *_), row in rows.items()]


def growth(shop: Shop, contract_id: str) -> Iterator[tuple[str, list[Cost]]]:
    """Of each thing there can be many of: what a redemption costs beside so many."""
    from chalicelib.kernel import aws

    counter = Counter(shop, codes=99)
    number = iter(range(10**6))

    def redeem() -> Cost:
        order = counter.order(contract_id, f"grown-{next(number)}", points=100)
        answers: list[Any] = []
        case = shop.once("grown", order, lambda event: answers.append(shop.ask(event)))
        checkout_id = json.loads(answers[0]["body"])["checkout_id"]
        shop.ask(counter.about(checkout_id, "cancel", {}))  # only so many may have points held at once
        return Cost.of(case)

    redeem()
    for what, act in things(counter).items():
        with recorded() as calls:
            act()
        crowd, rows = Crowded(aws.client("dynamodb")), made_by(calls)
        print(f"{what}: copies of", ", ".join(sorted(row["pk"]["S"].partition("#")[0] for _, row in rows)))
        costs = []
        for many in NUMBERS:
            crowd.until(many, rows)
            costs.append(redeem())
        yield what, costs


def things(counter: Counter) -> dict[str, Callable[[], Any]]:
    return {
        "past redemptions": lambda: counter.captured("past", points=100),
        "campaigns and codes": lambda: counter.coded("another", 1, budget=3_000_000),
        "coupons in the box": counter.coupon,
        "movements of points": lambda: counter.grant(100, "once more"),
    }


def exponent(costs: list[float]) -> float:
    """The slope of the least squares over log numbers and log costs."""
    xs, ys = [math.log(n) for n in NUMBERS], [math.log(cost) for cost in costs]
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    slope = sum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True)) / sum((a - x) ** 2 for a in xs)
    return round(slope, 4)


def main() -> None:
    from moto import mock_aws

    from tests.strict import strict

    random.seed(1)
    with mock_aws(), strict(), recorded() as every:
        shop = Shop(every)
        for what, costs in growth(shop, signed(shop, "sign")):
            by_name = {name: [getattr(cost, name) for cost in costs] for name in Cost.__annotations__}
            print(what, by_name)
            worst = max((exponent(series) for series in by_name.values()), key=abs)
            line = {"what": f"growth of a redemption with {what}, 10 to 10,000", "ours": worst}
            print(json.dumps({**line, "yardstick": None, "unit": "exponent", "goal": 0.0}), flush=True)


if __name__ == "__main__":
    main()
