import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from msgspec.structs import replace

from chalicelib.contracts.model import (
    Assignment,
    Car,
    CarDiffers,
    CarTaken,
    Contract,
    Delivery,
    KeyStatus,
    KeyTagTaken,
    NotAssigned,
    NotTheCarsKey,
    UnknownCar,
    UnknownContract,
    label_hash,
)
from chalicelib.contracts.schemas import ContractAssigned
from chalicelib.contracts.service import ContractService
from chalicelib.kernel.errors import Conflict, HandoverError
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.states import IllegalMove
from tests.conftest import ROOT
from tests.contracts.examples import ADDRESS, CAR_1, CAR_2, FIRST_CAR, IN_TWO_WEEKS, KIM, LEE
from tests.contracts.memory import NoKeys

Facts = Callable[[], list[Fact]]


@pytest.fixture
def contract(service: ContractService) -> Contract:
    service.register_car(CAR_1)
    service.register_car(CAR_2)
    return service.sign(FIRST_CAR, by=KIM, key="k1").value


def test_an_assigned_contract_has_its_car_and_the_car_its_contract(
    service: ContractService, contract: Contract
) -> None:
    done = service.assign(contract.contract_id, Assignment("car-0001", "tag-0001-b"))
    assert (done.value.state, done.value.version, done.replayed) == ("preparing", 2, False)
    stored, _ = service.get(contract.contract_id, by=KIM)
    assert stored == done.value
    assert service.car("car-0001") == replace(CAR_1, contract_id=contract.contract_id)


def test_the_published_fact_is_the_sample(service: ContractService, contract: Contract, facts: Facts) -> None:
    service.assign(contract.contract_id, Assignment("car-0001", "tag-0001-a"))
    fact = facts()[-1]
    assert fact.envelope() == json.loads((ROOT / "events/facts/ContractAssigned.json").read_text())
    assert fact.data_as(ContractAssigned) == ContractAssigned(
        contract.contract_id, "car-0001", "tag-0001-a", IN_TWO_WEEKS
    )


def test_the_same_assignment_again_changes_nothing(
    service: ContractService, contract: Contract, facts: Facts
) -> None:
    first = service.assign(contract.contract_id, Assignment("car-0001", "tag-0001-a"))
    again = service.assign(contract.contract_id, Assignment("car-0001", "tag-0001-a"))
    assert (again.value, again.replayed) == (first.value, True)
    assert len(facts()) == 2


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
    assert len(facts()) == 1


def test_a_car_is_promised_once(service: ContractService, contract: Contract) -> None:
    service.assign(contract.contract_id, Assignment("car-0001", "tag-0001-a"))
    other = service.sign(FIRST_CAR, by=LEE, key="k1").value
    with pytest.raises(CarTaken):
        service.assign(other.contract_id, Assignment("car-0001", "tag-0001-b"))
    assert service.get(other.contract_id, by=LEE)[0] == other


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
    stored, _ = service.get(contract.contract_id, by=KIM)
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


def test_a_contract_shows_where_its_key_is(service: ContractService, contract: Contract) -> None:
    status = KeyStatus("shp_1", "tag-0001-a", "in_transit", "6060-1234")
    assert isinstance(service.keys, NoKeys)
    service.keys.known[contract.contract_id] = status
    assert service.get(contract.contract_id, by=KIM)[1] == status


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
