"""A batch under failures of every kind: processes gone between any two calls, answers lost, others busy."""

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from chalicelib.incidents.model import State, Work
from chalicelib.incidents.service import IncidentService
from chalicelib.kernel.errors import Busy, Refused
from chalicelib.kernel.facts import Fact
from tests.conftest import Hands
from tests.incidents.examples import (
    OLGA,
    OSCAR,
    Contracts,
    Crash,
    Queue,
    SmartKeys,
    adds_up,
    all_rows,
    contracts_named,
    opened,
)
from tests.incidents.memory import MemoryIncidents

Facts = Callable[[], list[Fact]]
READS = {"incident", "latest", "cohort", "rows", "rows_of_contract", "counted", "finished", "facts", "logs"}


class NumberChanged(Refused):
    """This customer's number is being changed."""


class Unreliable:
    """What it stands for, with a call in so many lost before or after its deed."""

    def __init__(self, inner: Any, dice: random.Random, odds: float) -> None:
        self._inner, self._dice, self._odds = inner, dice, odds

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._inner, name)
        if name in READS:
            return real

        def call(*given: Any) -> Any:
            if self._dice.random() < self._odds:
                raise self._dice.choice((Crash, Busy))()
            answer = real(*given)
            if self._dice.random() < self._odds:
                raise self._dice.choice((Crash, Busy))()
            return answer

        return call


class GoneAfter:
    """What it stands for, in a process that is gone at call number `fatal` of all that are counted."""

    def __init__(self, inner: Any, calls: list[str], fatal: int, answered: bool) -> None:
        self._inner, self._calls, self._fatal, self._answered = inner, calls, fatal, answered

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._inner, name)
        if not callable(real):
            return real

        def call(*given: Any) -> Any:
            self._calls.append(name)
            if len(self._calls) == self._fatal and not self._answered:
                raise Crash()
            answer = real(*given)
            if len(self._calls) == self._fatal:
                raise Crash()
            return answer

        return call


def in_any_order(queue: Queue, dice: random.Random) -> None:
    """Some pieces come twice, and none when it should."""
    queue.pieces += [(piece, 0) for piece, _ in dice.sample(queue.pieces, len(queue.pieces) // 4)]
    dice.shuffle(queue.pieces)


def test_r15_a_thousand_rows_with_failures_run_twice_give_each_holder_one_live_grant_and_one_text(
    service: IncidentService, smartkeys: SmartKeys, queue: Queue, clock: Hands, request: pytest.FixtureRequest
) -> None:
    in_memory = request.node.callspec.params["service"] == "memory"
    count = 1000 if in_memory else 25
    dice = random.Random(15)
    fragile = replace(
        service,
        store=Unreliable(service.store, dice, 0.03),
        smartkeys=Unreliable(smartkeys, dice, 0.03),
    )
    named = contracts_named(count)
    smartkeys.refused = {contract_id: NumberChanged() for contract_id in dice.sample(named, count // 10)}
    incident_id = opened(service, count).incident_id
    service.give(incident_id, OLGA, None)
    if count > 100:
        service.approve(incident_id, OSCAR)

    service.spread(incident_id, Work.ISSUE, 1)
    in_any_order(queue, dice)
    queue.run(fragile)
    first = service.see(incident_id)
    assert first.funnel.failed >= count // 20
    assert len(queue.problems) > count // 100
    assert adds_up(service, incident_id)

    clock.move(hours=1)
    smartkeys.refused = {}
    service.give(incident_id, OLGA, None)
    service.spread(incident_id, Work.ISSUE, 2)
    in_any_order(queue, dice)
    queue.run(service)
    last = service.see(incident_id)
    assert (last.incident.state, last.funnel.issued) == (State.DONE, count)
    assert Counter(smartkeys.texts) == dict.fromkeys(named, 1)
    assert set(smartkeys.live) == set(named)
    assert {row.contract_id: row.grant_id for row in all_rows(service, last)} == smartkeys.live
    assert adds_up(service, incident_id)

    assert service.give(incident_id, OLGA, None).replayed
    service.revoke(incident_id, OSCAR, "wrong list")
    service.spread(incident_id, Work.REVOKE, 3)
    in_any_order(queue, dice)
    queue.run(fragile)
    queue.pieces, queue.failed = [(piece, 0) for piece in queue.failed], []
    queue.run(service)
    assert (service.see(incident_id).incident.state, smartkeys.live) == (State.REVOKED, {})
    assert service.see(incident_id).funnel.revoked == count
    assert adds_up(service, incident_id)


@pytest.mark.parametrize("answered", [False, True])
def test_r15_a_process_that_is_gone_between_any_two_calls_is_resumed(
    clock: Hands, new_id: Callable[[str], str], answered: bool
) -> None:
    """Given, and taken back, three rows at a time: once for every call there is."""
    fatal, calls = 0, list[str]()
    while len(calls) >= fatal:
        fatal, calls = fatal + 1, []
        keys, queue = SmartKeys(), Queue(clock)
        sound = IncidentService(MemoryIncidents(), keys, Contracts(), queue, clock, new_id)
        doomed = replace(
            sound,
            store=GoneAfter(sound.store, calls, fatal, answered),
            smartkeys=GoneAfter(keys, calls, fatal, answered),
        )
        incident_id = opened(sound).incident_id
        sound.give(incident_id, OLGA, None)
        sound.spread(incident_id, Work.ISSUE, 1)
        queue.run(doomed)
        assert sound.see(incident_id).incident.state == State.DONE
        assert (sorted(keys.texts), set(keys.live)) == (contracts_named(3), set(contracts_named(3)))
        assert adds_up(sound, incident_id)
        sound.revoke(incident_id, OSCAR, "wrong list")
        sound.spread(incident_id, Work.REVOKE, 2)
        queue.run(doomed)
        assert (sound.see(incident_id).incident.state, keys.live) == (State.REVOKED, {})
        assert adds_up(sound, incident_id)
    assert fatal > 20
