"""The sweep takes what is due, each once, and reads nothing else; on memory and on DynamoDB."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from chalicelib.kernel.facts import Fact
from tests.billing.conftest import World, dynamodb_world, memory_world
from tests.billing.examples import FEE, activated, paid, told
from tests.conftest import Hands


def of(name: str, fact: Fact) -> Fact:
    data = fact.data | {"contract_id": f"con_{name}", "customer_id": name, "payment_id": f"pay_{name}"}
    return told(fact.type, fact.at, id=f"{fact.id}_{name}", **data)


def started(world: World, *names: str, months: int = 3) -> None:
    for name in names:
        world.hear(of(name, paid(months=months)), of(name, activated()))


def test_an_idle_sweep_is_sixteen_queries_and_reads_nothing(world: World) -> None:
    started(world, "kim", "lee")
    report = world.service.sweep()
    assert (report.found, report.claimed, report.queries, report.oldest) == (0, 0, 16, None)


def test_a_sweep_reads_what_is_due_and_nothing_else(world: World) -> None:
    started(world, *(f"n{number}" for number in range(12)), months=1)
    started(world, "kim")
    world.clock.move(days=40)
    report = world.service.sweep()
    assert (report.found, report.claimed, report.queries) == (1, 1, 16)
    assert report.age(world.clock()) == timedelta(days=9).total_seconds()
    assert list(world.gateway.charged) == ["con_kim-1-1"]


def test_sweeps_at_once_charge_each_contract_once() -> None:
    world = memory_world(Hands())
    names = [f"n{number:02d}" for number in range(30)]
    started(world, *names)
    world.clock.move(days=31)
    with ThreadPoolExecutor(4) as pool:
        reports = [each.result() for each in [pool.submit(world.service.sweep) for _ in range(4)]]
    assert sum(report.claimed for report in reports) == len(names)
    assert sorted(world.gateway.calls) == [f"con_{name}-1-1" for name in names]
    assert world.gateway.taken == FEE * len(names)


def test_the_index_holds_an_account_only_while_a_timer_runs(dynamodb: Any) -> None:
    def indexed() -> list[str]:
        rows = dynamodb.scan(TableName="test-billing", IndexName="due")["Items"]
        return sorted(row["pk"]["S"] for row in rows)

    world = dynamodb_world(Hands(), dynamodb)
    started(world, "kim", months=2)
    started(world, "lee", months=1)
    assert indexed() == ["ACCOUNT#con_kim"]
    world.tick(days=31)
    assert indexed() == []
