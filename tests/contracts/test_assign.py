import functools
import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from msgspec.structs import replace

from chalicelib.contracts.model import (
    Assignment,
    Car,
    CarBlocked,
    CarDiffers,
    CarTaken,
    CarUnderRecall,
    Contract,
    Delivery,
    KeyNews,
    KeyStatus,
    KeyTagTaken,
    NotAssigned,
    NotTheCarsKey,
    OfficeAway,
    UnknownCar,
    UnknownContract,
    label_hash,
)
from chalicelib.contracts.schemas import ContractAssigned
from chalicelib.contracts.service import ContractService
from chalicelib.kernel.calendar import DAY
from chalicelib.kernel.errors import Conflict, HandoverError
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.states import IllegalMove
from tests.conftest import NOON
from tests.contracts.examples import ADDRESS, CAR_1, CAR_2, FIRST_CAR, IN_TWO_WEEKS, KIM, LEE, confirmed
from tests.contracts.memory import Desk, HouseKeys

Facts = Callable[[], list[Fact]]


@pytest.fixture
def contract(service: ContractService) -> Contract:
    service.register_car(CAR_1)
    service.register_car(CAR_2)
    contract_id = service.sign(FIRST_CAR, by=KIM, key="k1").value.contract_id
    confirmed(contract_id, service=service)
    return service.get(contract_id, by=KIM)[0]


def test_an_assigned_contract_has_its_car_and_the_car_its_contract(
    service: ContractService, contract: Contract
) -> None:
    done = service.assign(contract.contract_id, Assignment("car-0001", "tag-0001-b"))
    assert (done.value.state, done.value.version, done.replayed) == ("preparing", 4, False)
    stored, *_ = service.get(contract.contract_id, by=KIM)
    assert stored == done.value
    assert service.car("car-0001") == replace(CAR_1, contract_id=contract.contract_id)


def test_the_published_fact_says_which_car_and_key(
    service: ContractService, contract: Contract, facts: Facts
) -> None:
    service.assign(contract.contract_id, Assignment("car-0001", "tag-0001-a"))
    fact = facts()[-1]
    assert fact.data_as(ContractAssigned) == ContractAssigned(
        contract.contract_id, "car-0001", "tag-0001-a", IN_TWO_WEEKS
    )


def test_the_same_assignment_again_changes_nothing(
    service: ContractService, contract: Contract, facts: Facts
) -> None:
    first = service.assign(contract.contract_id, Assignment("car-0001", "tag-0001-a"))
    again = service.assign(contract.contract_id, Assignment("car-0001", "tag-0001-a"))
    assert (again.value, again.replayed) == (first.value, True)
    assert len(facts()) == 4


@pytest.mark.parametrize(
    ("car_id", "key_tag", "refusal"),
    [
        ("car-9999", "tag-0001-a", UnknownCar),
        ("car-0001", "tag-0002-a", NotTheCarsKey),
        ("car-0001", "tag-0001", NotTheCarsKey),
        ("car-0001", "tag-9999-z", NotTheCarsKey),
    ],
)
def test_only_a_cars_own_key_goes_with_it(
    service: ContractService,
    contract: Contract,
    facts: Facts,
    car_id: str,
    key_tag: str,
    refusal: type[HandoverError],
) -> None:
    with pytest.raises(refusal):
        service.assign(contract.contract_id, Assignment(car_id, key_tag))
    assert service.get(contract.contract_id, by=KIM)[0] == contract
    assert len(facts()) == 3


def test_a_car_is_promised_once(service: ContractService, contract: Contract) -> None:
    service.assign(contract.contract_id, Assignment("car-0001", "tag-0001-a"))
    other = service.sign(FIRST_CAR, by=LEE, key="k1").value
    confirmed(other.contract_id, service=service)
    with pytest.raises(CarTaken):
        service.assign(other.contract_id, Assignment("car-0001", "tag-0001-b"))
    assert service.get(other.contract_id, by=LEE)[0].state == "confirmed"


def test_an_assigned_contract_gets_no_second_car(service: ContractService, contract: Contract) -> None:
    service.assign(contract.contract_id, Assignment("car-0001", "tag-0001-a"))
    with pytest.raises(IllegalMove):
        service.assign(contract.contract_id, Assignment("car-0002", "tag-0002-a"))
    assert service.car("car-0002") == CAR_2


def test_of_two_cars_at_once_one_wins_and_the_other_stays_free(
    service: ContractService, contract: Contract
) -> None:
    def attempt(n: int) -> Contract | Conflict:
        car = (CAR_1, CAR_2)[n % 2]
        try:
            return service.assign(contract.contract_id, Assignment(car.car_id, car.key_tags[0])).value
        except Conflict as lost:
            return lost

    with ThreadPoolExecutor(16) as hands:
        outcomes = list(hands.map(attempt, range(16)))
    stored, *_ = service.get(contract.contract_id, by=KIM)
    assert {each for each in outcomes if isinstance(each, Contract)} == {stored}
    owners = {service.car(car.car_id).contract_id for car in (CAR_1, CAR_2)}
    assert owners == {contract.contract_id, None}


def test_an_unknown_contract_gets_no_car(service: ContractService, contract: Contract) -> None:
    with pytest.raises(UnknownContract):
        service.assign("con_nobody", Assignment("car-0001", "tag-0001-a"))
    assert service.car("car-0001") == CAR_1


def test_keys_asks_what_to_deliver_where(service: ContractService, contract: Contract) -> None:
    with pytest.raises(NotAssigned):
        service.delivery(contract.contract_id)
    service.assign(contract.contract_id, Assignment("car-0001", "tag-0001-a"))
    assert service.delivery(contract.contract_id) == Delivery(
        contract.contract_id, "kim", "car-0001", "tag-0001-a", label_hash(ADDRESS), IN_TWO_WEEKS
    )


def test_a_contract_shows_where_its_key_is(
    service: ContractService, contract: Contract, house: HouseKeys
) -> None:
    status = KeyStatus("shp_1", "tag-0001-a", "in_transit", "6060-1234")
    house.known[contract.contract_id] = status
    assert service.get(contract.contract_id, by=KIM)[2] == status


def test_a_car_is_registered_once(service: ContractService) -> None:
    assert not service.register_car(CAR_1).replayed
    assert service.register_car(CAR_1).replayed
    with pytest.raises(CarDiffers):
        service.register_car(replace(CAR_1, plate="99하 9999"))
    assert service.car("car-0001") == CAR_1


def test_registering_again_after_the_assignment_tells_whose_it_is(
    service: ContractService, contract: Contract
) -> None:
    service.assign(contract.contract_id, Assignment("car-0001", "tag-0001-a"))
    again = service.register_car(CAR_1)
    assert (again.value.contract_id, again.replayed) == (contract.contract_id, True)


def test_a_key_tag_hangs_on_one_car(service: ContractService) -> None:
    service.register_car(CAR_1)
    with pytest.raises(KeyTagTaken):
        service.register_car(Car("car-0003", "56다 7890", "Ray", ("tag-0003-a", "tag-0001-b")))
    with pytest.raises(UnknownCar):
        service.car("car-0003")


@pytest.mark.parametrize("signed_only", [True, False])
def test_only_a_paid_contract_gets_a_car(service: ContractService, desk: Desk, signed_only: bool) -> None:
    service.register_car(CAR_1)
    desk.away = signed_only
    contract_id = service.sign(FIRST_CAR, by=KIM, key="k1").value.contract_id
    desk.away = False
    with pytest.raises(IllegalMove):
        service.assign(contract_id, Assignment("car-0001", "tag-0001-a"))
    assert service.car("car-0001") == CAR_1


def test_a_car_with_an_open_recall_is_not_rented(
    service: ContractService, contract: Contract, desk: Desk
) -> None:
    desk.recalled["car-0001"] = "brakes-2026"
    with pytest.raises(CarUnderRecall, match="brakes-2026"):
        service.assign(contract.contract_id, Assignment("car-0001", "tag-0001-a"))
    assert service.car("car-0001") == CAR_1


def test_nobody_knows_is_not_a_yes(service: ContractService, contract: Contract, desk: Desk) -> None:
    desk.away = True
    with pytest.raises(OfficeAway):
        service.assign(contract.contract_id, Assignment("car-0001", "tag-0001-a"))
    assert service.car("car-0001") == CAR_1


def test_a_lost_key_blocks_its_car_until_the_locks_are_changed(
    service: ContractService, contract: Contract
) -> None:
    service.key_heard("car-0001", KeyNews("tag-0001-b", lost=True, at=NOON))
    assert service.car("car-0001").blocked
    with pytest.raises(CarBlocked):
        service.assign(contract.contract_id, Assignment("car-0001", "tag-0001-a"))
    service.key_heard("car-0001", KeyNews("tag-0001-b", lost=False, at=NOON + DAY))
    assert (
        service.assign(contract.contract_id, Assignment("car-0001", "tag-0001-a")).value.state == "preparing"
    )


def test_a_key_lost_while_we_looked_blocks_too(service: ContractService, contract: Contract) -> None:
    step = contract.assigned(Assignment("car-0001", "tag-0001-a"), CAR_1.name, NOON)
    service.key_heard("car-0001", KeyNews("tag-0001-a", lost=True, at=NOON))
    with pytest.raises(CarBlocked):
        service.store.save(step, [])


def test_news_of_keys_may_come_in_any_order_and_again() -> None:
    told = (
        KeyNews("tag-0001-a", lost=True, at=NOON),
        KeyNews("tag-0001-a", lost=False, at=NOON + DAY),
        KeyNews("tag-0001-b", lost=True, at=NOON),
    )
    for order in itertools.permutations(told):
        car = functools.reduce(lambda car, news: car.heard(news), (*order, *order), CAR_1)
        assert {each.key_tag: each.lost for each in car.key_news} == {"tag-0001-a": False, "tag-0001-b": True}
