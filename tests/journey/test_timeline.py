"""A contract's timeline: complete, in order, nothing twice, and nothing that is not for the reader."""

import itertools
from typing import Any

import pytest
from msgspec.structs import replace

from chalicelib.journey.service import JourneyService
from chalicelib.kernel.errors import NotFound
from tests.journey.conftest import KIM, LEE, OLGA, fact, told, types


def test_what_happened_is_told_newest_first(journey: JourneyService) -> None:
    for name, hours in (("ContractSigned", 0), ("ContractPaid", 2), ("ContractVerified", 1)):
        assert journey.record(fact(name, hours))
    assert types(told(journey)) == ["ContractPaid", "ContractVerified", "ContractSigned"]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_whatever_order_they_come_in_and_however_often_the_timeline_is_the_same(
    journey: JourneyService, order: tuple[int, ...]
) -> None:
    facts = [fact("ContractSigned", 0), fact("ContractVerified", 1), fact("ContractPaid", 2)]
    heard = [journey.record(facts[number]) for number in (*order, *order)]
    assert heard == [True] * 3 + [False] * 3
    assert types(told(journey)) == ["ContractPaid", "ContractVerified", "ContractSigned"]


def test_two_facts_of_the_same_moment_are_both_told(journey: JourneyService) -> None:
    journey.record(fact("ContractReturned", id="evt_1"))
    journey.record(fact("ReturnCompleted", id="evt_2"))
    assert set(types(told(journey))) == {"ContractReturned", "ReturnCompleted"}


@pytest.mark.parametrize("nobody", [None, "", 7, ["con_kim"]])
def test_a_fact_about_no_contract_is_nobody_s(journey: JourneyService, nobody: Any) -> None:
    assert not journey.record(fact("KeyCustodyChanged", contract=nobody))


def test_a_customer_sees_the_amount_and_not_why_the_card_was_refused(journey: JourneyService) -> None:
    journey.record(fact("ChargeFailed", amount=690_000, attempt=2, reason="stolen_card", charge_id="chg_1"))
    (shown,) = told(journey)
    assert shown.data == {"amount": 690_000, "attempt": 2}
    (full,) = told(journey, by=OLGA)
    assert full.data["reason"] == "stolen_card"


def test_what_is_for_operations_only_is_not_told_to_the_customer(journey: JourneyService) -> None:
    journey.record(fact("KeyShipmentEscalated", rung=2, action="ops"))
    journey.record(fact("SomethingNobodyKnowsYet", 1))
    journey.record(fact("KeyShipmentMoved", 2, from_state="planned", to_state="planned"))
    journey.record(fact("KeyShipmentMoved", 3, from_state="planned", to_state="packed", car_id="car-1"))
    assert [(event.type, event.data) for event in told(journey)] == [
        ("KeyShipmentMoved", {"to_state": "packed"})
    ]
    assert len(told(journey, by=OLGA)) == 4


def test_another_s_timeline_is_not_there(journey: JourneyService) -> None:
    journey.record(fact("ContractSigned"))
    for contract, who in (("con_kim", LEE), ("con_nobody", KIM), ("con_nobody", OLGA)):
        with pytest.raises(NotFound):
            journey.timeline(contract, who, 10, None)
    assert told(journey, LEE, "con_lee") == []


def pages(journey: JourneyService, limit: int) -> list[list[str]]:
    """Every page of kim's timeline, as hours."""
    found, after = [], None
    for _ in range(100):
        page = journey.timeline("con_kim", KIM, limit, after)
        found.append([event.id for event in page.events])
        after = page.last
        if after is None:
            return found
    raise AssertionError("it never ends")


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 6, 10])
def test_pages_join_without_a_gap_or_a_repetition(journey: JourneyService, limit: int) -> None:
    """Every third fact is not for the customer, and takes no room on a page."""
    wanted: list[str] = []
    for hours in range(9):
        name = "KeyLost" if hours % 3 == 0 else "ChargePaid"
        journey.record(fact(name, hours, id=f"evt_{hours}"))
        if name == "ChargePaid":
            wanted.insert(0, f"evt_{hours}")
    found = pages(journey, limit)
    assert [event for page in found for event in page] == wanted
    assert [len(page) for page in found[:-1]] == [limit] * (len(found) - 1)


def test_one_request_reads_no_more_than_its_bound(
    journey: JourneyService,
) -> None:
    journey.record(fact("ContractSigned"))
    for hours in range(1, 6):
        journey.record(fact("KeyCustodyChanged", hours))
    found = pages(replace(journey, most_read=3), 10)
    assert found[0] == []
    assert [event for page in found for event in page] == ["evt_ContractSigned_0"]
