"""Deadlines: each rung once, however many sweeps run, whatever breaks off, however long nobody swept."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.contracts.model import Handover, MovedOn
from chalicelib.contracts.service import ContractService
from chalicelib.contracts.store import ContractStore
from chalicelib.kernel.calendar import DAY
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.states import IllegalMove
from tests.conftest import NOON, Hands
from tests.contracts.conftest import service_of
from tests.contracts.examples import FIRST_CAR, IN_TWO_WEEKS, KIM, OPS, Story, asks
from tests.contracts.memory import Desk, HouseKeys
from tests.contracts.test_life import World

Facts = Callable[[], list[Fact]]


class Killed(Exception):
    """The Lambda died here."""


def test_sweeps_at_once_ring_once(service: ContractService, facts: Facts, clock: Hands) -> None:
    ids = [service.sign(FIRST_CAR, by=KIM, key=str(n)).value.contract_id for n in range(6)]
    told = len(facts())
    clock.move(hours=48)
    with ThreadPoolExecutor(3) as hands:
        reports = list(hands.map(lambda _: service.sweep(), range(3)))
    assert sum(report.claimed for report in reports) == len(ids)
    rung = Counter(fact.subject for fact in facts()[told:] if fact.type == "ContractExpired")
    assert rung == dict.fromkeys(ids, 1)


def test_a_sweep_that_dies_anywhere_loses_and_repeats_nothing() -> None:
    world = World()
    service, store = world.service, world.store
    for number in range(6):
        service.sign(FIRST_CAR, by=KIM, key=str(number))
    world.clock.move(hours=48)
    told = len(world.facts)
    save, calls = store.save, iter([True, False, True, False, False, True] + [False] * 50)

    def dying(*arguments: Any) -> None:
        before, after = next(calls), next(calls)
        if before:
            raise Killed
        save(*arguments)
        if after:
            raise Killed

    store.save = dying  # type: ignore[assignment, method-assign]
    for _ in range(8):
        try:
            service.sweep()
        except Killed:
            continue
    rung = Counter((fact.subject, fact.type) for fact in world.facts[told:])
    assert set(rung.values()) == {1}
    assert len({subject for subject, _ in rung}) == 7


def test_an_outage_of_three_days_loses_nothing(service: ContractService, facts: Facts, clock: Hands) -> None:
    story = Story(service).preparing()
    clock.at = IN_TWO_WEEKS + 3 * DAY
    for _ in range(3):
        service.sweep()
    assert story.now.state == "at_risk"
    assert [fact.type for fact in facts()[-2:]] == ["ContractAtRisk", "ContractDeadlinePassed"]


def test_a_deadline_that_changes_nothing_rings_again_and_counts(
    service: ContractService, facts: Facts, clock: Hands
) -> None:
    story = Story(service).confirmed()
    for rung in (1, 2, 3):
        assert story.now.due_at is not None
        clock.at = story.now.due_at
        service.sweep()
        assert facts()[-1].data == {
            "contract_id": story.id,
            "timer": "T.assign_by",
            "state": "confirmed",
            "rung": rung,
        }


def test_five_business_days_before_the_handover_a_car_must_be_chosen(service: ContractService) -> None:
    story = Story(service).confirmed()
    assert story.now.due_at == IN_TWO_WEEKS - 7 * DAY


def test_what_moved_on_does_not_ring(service: ContractService, clock: Hands, facts: Facts) -> None:
    story = Story(service)
    clock.move(hours=48)
    due = [each for shard in range(16) for page in service.store.due(shard, clock.at) for each in page]
    story.confirmed()
    told = len(facts())
    assert [service._rings(each) for each in due] == [False]
    assert len(facts()) == told


def test_an_end_leaves_no_timer_behind(
    table: Any, clock: Hands, desk: Desk, house: HouseKeys, new_id: Callable[[str], str]
) -> None:
    service = service_of(ContractStore(), desk, house, clock, new_id)
    story = Story(service)
    armed = {"due_at", "due_shard", "timer"}
    assert armed <= attributes(table, story.id)
    service.cancel(story.id, asks("cancel"))
    assert not armed & attributes(table, story.id)


def attributes(table: Any, contract_id: str) -> set[str]:
    key = {"pk": {"S": f"CONTRACT#{contract_id}"}, "sk": {"S": "CONTRACT"}}
    return set(table.get_item(TableName="test-contracts", Key=key)["Item"])


def test_no_index_holds_anything_personal(table: Any) -> None:
    described = table.describe_table(TableName="test-contracts")["Table"]
    projections = {index["IndexName"]: index["Projection"] for index in described["GlobalSecondaryIndexes"]}
    assert projections["due"] == {"ProjectionType": "KEYS_ONLY"}
    assert projections["customer"]["ProjectionType"] == "INCLUDE"
    assert "personal" not in projections["customer"]["NonKeyAttributes"]


# ---- deadlines follow what others agree on -----------------------------------------------------------------


def test_an_appointment_moves_the_handover_in_its_own_transaction(
    service: ContractService, begin: Callable[[], Any], clock: Hands
) -> None:
    story = Story(service).preparing()
    seen, later = service.standing(story.id), IN_TWO_WEEKS + 2 * DAY
    write = begin()
    service.move(write, story.id, "handover", later, "부산광역시 해운대구 1", seen.version)
    assert service.standing(story.id) == seen
    write.commit()
    standing = service.standing(story.id)
    assert (standing.handover_at, standing.address) == (later, "부산광역시 해운대구 1")
    assert standing.version == seen.version + 1
    assert story.now.due_at == later - timedelta(hours=2)
    assert service.delivery(story.id).handover_at == later


def test_whoever_saw_an_older_contract_moves_nothing(
    service: ContractService, begin: Callable[[], Any]
) -> None:
    story = Story(service).preparing()
    seen = service.standing(story.id)
    write = begin()
    service.move(write, story.id, "handover", IN_TWO_WEEKS + DAY, None, seen.version)
    service.access_proven(story.id, NOON)
    with pytest.raises(MovedOn):
        write.commit()
    with pytest.raises(MovedOn):
        service.move(begin(), story.id, "handover", IN_TWO_WEEKS + DAY, None, seen.version)
    assert service.standing(story.id).handover_at == IN_TWO_WEEKS


def test_a_return_is_moved_only_when_it_is_due(service: ContractService, begin: Callable[[], Any]) -> None:
    story = Story(service).active()
    with pytest.raises(IllegalMove):
        service.move(begin(), story.id, "return", IN_TWO_WEEKS, None, story.now.version)
    service.breach(story.id, asks("breach", by=OPS))
    write = begin()
    service.move(write, story.id, "return", IN_TWO_WEEKS + 5 * DAY, "여기", story.now.version)
    write.commit()
    assert story.now.giving_back == Handover(IN_TWO_WEEKS + 5 * DAY, "여기")
    assert story.now.due_at == IN_TWO_WEEKS + 6 * DAY
