"""The way back: due, overdue, returned, looked over, settled, closed; and no end while a key is out."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from chalicelib.contracts.model import Line, NotYetHappened
from chalicelib.contracts.service import ContractService
from chalicelib.kernel.calendar import DAY
from chalicelib.kernel.errors import KeyReused
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.states import IllegalMove
from tests.conftest import Hands
from tests.contracts.examples import AGENT, CAR_1_KEY_A, FIRST_CAR, IN_TWO_WEEKS, KIM, OPS, Story, asks
from tests.contracts.memory import HouseKeys

Facts = Callable[[], list[Fact]]
BACK = IN_TWO_WEEKS + 3 * DAY


def test_a_breach_ends_a_contract_with_its_price(
    service: ContractService, facts: Facts, clock: Hands
) -> None:
    story = Story(service).active()
    clock.at = IN_TWO_WEEKS + DAY
    shown = service.breach(story.id, asks("breach", by=OPS, preview=True)).value
    told = service.breach(story.id, asks("breach", by=OPS, quote=shown.quote)).value
    assert (told.state, told.charge, told.lines) == ("return_scheduled", shown.charge, shown.lines)
    assert told.charge > 0
    assert [fact.type for fact in facts()[-2:]] == ["ContractEnding", "ReturnScheduled"]


def test_a_car_is_due_back_within_a_business_day(service: ContractService, clock: Hands) -> None:
    story = Story(service)
    story.due_back()
    standing = service.standing(story.id)
    assert standing.return_at is not None
    assert standing.return_address == standing.address
    clock.at = standing.return_at + DAY
    service.sweep()
    assert story.now.state == "return_overdue"


@pytest.mark.parametrize("late", [False, True])
def test_a_returned_car_is_looked_over(
    service: ContractService, facts: Facts, clock: Hands, late: bool
) -> None:
    story = Story(service).due_back()
    if late:
        clock.at = BACK
        service.sweep()
    for _ in range(2):
        service.received(story.id, BACK)
    assert story.now.state == "inspection"
    assert [fact.type for fact in facts()].count("ContractReturned") == 1


def test_a_return_heard_before_it_is_due_changes_nothing(service: ContractService) -> None:
    story = Story(service).active()
    service.received(story.id, BACK)
    assert story.now.state == "active"


def test_nobody_says_today_what_happens_tomorrow(service: ContractService, clock: Hands) -> None:
    story = Story(service).due_back()
    with pytest.raises(NotYetHappened):
        service.take_back(story.id, asks("back", by=OPS), clock.at + timedelta(hours=1))
    assert story.now.state == "return_scheduled"


def test_operations_take_a_car_back_when_no_appointment_says_so(
    service: ContractService, clock: Hands
) -> None:
    story = Story(service).due_back()
    clock.at = BACK
    done = [service.take_back(story.id, asks("back", by=OPS), BACK) for _ in range(2)]
    assert [each.replayed for each in done] == [False, True]
    assert story.now.state == "inspection"


def test_damage_has_its_price_and_the_car_is_free(service: ContractService, facts: Facts) -> None:
    story = Story(service).inspection()
    service.inspect(story.id, asks("inspect", by=AGENT), [Line("scratch", 80_000)])
    assert story.now.state == "settling"
    assert facts()[-1].data["charges"] == [{"what": "scratch", "amount": 80_000}]
    assert service.car("car-0001").contract_id is None
    with pytest.raises(KeyReused):
        service.inspect(story.id, asks("another", by=AGENT, key="inspect"), [])
    with pytest.raises(IllegalMove):
        service.inspect(story.id, asks("again", by=OPS), [])


def test_a_car_whose_key_is_out_is_not_rented_on(
    service: ContractService, house: HouseKeys, facts: Facts, clock: Hands
) -> None:
    house.out = ["tag-0001-a"]
    story = Story(service).settling()
    assert service.car("car-0001").contract_id == story.id
    service.settled(story.id, BACK)
    service.settled(story.id, BACK + DAY)
    assert (story.now.state, story.now.why, story.now.settled_at) == ("settling", "keys_outstanding", BACK)
    clock.move(days=1)
    service.sweep()
    assert story.now.state == "settling"
    house.out = []
    clock.move(days=1)
    service.sweep()
    assert (story.now.state, story.now.why) == ("closed", None)
    assert facts()[-1].type == "ContractClosed"
    assert service.car("car-0001").contract_id is None


def test_a_settled_contract_with_all_keys_home_is_closed_once(service: ContractService, facts: Facts) -> None:
    story = Story(service).settling()
    for _ in range(2):
        service.settled(story.id, BACK)
    assert (story.now.state, story.now.due_at) == ("closed", None)
    assert [fact.type for fact in facts()].count("ContractClosed") == 1


def test_settled_is_heard_of_contracts_that_ended_otherwise_too(service: ContractService) -> None:
    story = Story(service)
    service.cancel(story.id, asks("cancel"))
    service.settled(story.id, BACK)
    assert story.now.state == "cancelled"


def test_a_car_that_is_never_recovered_stays_nobody_elses(service: ContractService, clock: Hands) -> None:
    story = Story(service).due_back()
    for _ in range(2):
        assert story.now.due_at is not None
        clock.at = story.now.due_at
        service.sweep()
    assert (story.now.state, story.now.due_at) == ("terminated", None)
    assert service.car("car-0001").contract_id == story.id


def test_a_customers_contracts_newest_first(service: ContractService, clock: Hands) -> None:
    story = Story(service)
    ids = [story.id]
    for number in range(4):
        clock.move(minutes=1)
        ids.append(service.sign(FIRST_CAR, by=KIM, key=f"more {number}").value.contract_id)
    first = service.mine(KIM, 3, None)
    rest = service.mine(KIM, 3, first[-1][0].position)
    assert [each.contract_id for each, _ in (*first, *rest)] == list(reversed(ids))
    assert {billing for _, billing in first} == {"not_started"}
    story.confirmed().service.assign(story.id, CAR_1_KEY_A)
    last = service.mine(KIM, 10, None)[-1][0]
    assert (last.state, last.months, last.car and last.car.plate) == ("preparing", 6, "12가 3456")
    assert last.handover_at == IN_TWO_WEEKS
