import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from msgspec.structs import replace

from chalicelib.contracts.model import HandoverOutOfReach, UnknownContract
from chalicelib.contracts.schemas import ContractSigned
from chalicelib.contracts.service import ContractService
from chalicelib.kernel.errors import KeyReused
from chalicelib.kernel.facts import Fact
from tests.conftest import ROOT, Hands
from tests.contracts.examples import ADDRESS, ANOTHER_BODY, FIRST_CAR, KIM, KIM_MINJI, LEE, OPS

Facts = Callable[[], list[Fact]]


def test_a_signed_contract_is_there_as_it_was_signed(service: ContractService) -> None:
    done = service.sign(FIRST_CAR, by=KIM, key="k1")
    assert not done.replayed
    contract, billing, key = service.get(done.value.contract_id, by=KIM)
    assert (contract.customer_id, contract.handover, contract.card_token) == (
        "kim",
        FIRST_CAR.handover,
        "tok_visa",
    )
    assert tuple(named.driver for named in contract.drivers) == FIRST_CAR.drivers
    assert (billing, key) == ("not_started", None)


def test_the_same_key_signs_once(service: ContractService, facts: Facts) -> None:
    first = service.sign(FIRST_CAR, by=KIM, key="k1")
    again = service.sign(FIRST_CAR, by=KIM, key="k1")
    assert (again.value.contract_id, again.replayed) == (first.value.contract_id, True)
    assert len(facts()) == 2


def test_twenty_at_once_sign_once(service: ContractService, facts: Facts) -> None:
    with ThreadPoolExecutor(20) as people:
        done = list(people.map(lambda _: service.sign(FIRST_CAR, by=KIM, key="k1"), range(20)))
    assert len({each.value.contract_id for each in done}) == 1
    assert sum(not each.replayed for each in done) == 1
    assert [fact.type for fact in facts()] == ["ContractSigned", "ContractVerified"]


def test_a_key_stands_for_one_body(service: ContractService, facts: Facts) -> None:
    service.sign(FIRST_CAR, by=KIM, key="k1")
    with pytest.raises(KeyReused):
        service.sign(ANOTHER_BODY, by=KIM, key="k1")
    assert len(facts()) == 2


def test_a_customer_is_reached_as_the_newest_of_their_contracts_names_them(
    service: ContractService, clock: Hands
) -> None:
    with pytest.raises(UnknownContract):
        service.customer("kim")
    service.sign(FIRST_CAR, by=KIM, key="k1")
    clock.move(days=1)
    moved = replace(KIM_MINJI, phone="+821055556666")
    service.sign(replace(ANOTHER_BODY, drivers=(moved,)), by=KIM, key="k2")
    assert service.customer("kim").phone == "+821055556666"


def test_keys_are_each_customers_own(service: ContractService) -> None:
    kims = service.sign(FIRST_CAR, by=KIM, key="k1").value
    lees = service.sign(ANOTHER_BODY, by=LEE, key="k1").value
    assert kims.contract_id != lees.contract_id


def test_a_retry_after_the_handover_still_hears_the_contract(service: ContractService, clock: Hands) -> None:
    first = service.sign(FIRST_CAR, by=KIM, key="k1")
    clock.move(days=30)
    assert service.sign(FIRST_CAR, by=KIM, key="k1").value.contract_id == first.value.contract_id


def test_a_refused_application_leaves_its_key_free(service: ContractService, facts: Facts) -> None:
    yesterday = replace(FIRST_CAR, handover=replace(FIRST_CAR.handover, at=Hands().at))
    with pytest.raises(HandoverOutOfReach):
        service.sign(yesterday, by=KIM, key="k1")
    assert facts() == []
    assert not service.sign(FIRST_CAR, by=KIM, key="k1").replayed


def test_the_published_fact_is_the_sample_and_names_nobody(service: ContractService, facts: Facts) -> None:
    contract = service.sign(FIRST_CAR, by=KIM, key="k1").value
    fact, *_ = facts()
    assert fact.envelope() == json.loads((ROOT / "events/facts/ContractSigned.json").read_text())
    assert fact.data_as(ContractSigned) == ContractSigned(contract.contract_id, "first-car", 6)
    personal = (KIM_MINJI.name, KIM_MINJI.phone, KIM_MINJI.licence_no, ADDRESS, "tok_visa", "1990")
    assert not [each for each in personal if each in fact.json()]


def test_a_contract_is_its_customers_and_operations(service: ContractService) -> None:
    contract_id = service.sign(FIRST_CAR, by=KIM, key="k1").value.contract_id
    assert service.get(contract_id, by=OPS)[0].contract_id == contract_id
    with pytest.raises(UnknownContract):
        service.get(contract_id, by=LEE)


@pytest.mark.parametrize("contract_id", ["con_nobody", "x" * 5000, "\x00", "CONTRACT"])
def test_unknown_ids_are_not_found(service: ContractService, contract_id: str) -> None:
    with pytest.raises(UnknownContract):
        service.get(contract_id, by=OPS)


def test_checkout_asks_what_the_first_month_costs(service: ContractService) -> None:
    contract_id = service.sign(FIRST_CAR, by=KIM, key="k1").value.contract_id
    assert service.fee(contract_id, "kim").amount == 460_000
    with pytest.raises(UnknownContract):
        service.fee(contract_id, "lee")


def test_notices_asks_whom_to_text(service: ContractService) -> None:
    contract_id = service.sign(FIRST_CAR, by=KIM, key="k1").value.contract_id
    assert service.party(contract_id, "customer").phone == "+821012345678"
    second = service.party(contract_id, "2")
    assert (second.name, second.phone, second.language) == ("Park Jun", "+821087654321", "en")


def test_smartkeys_asks_for_proof(service: ContractService) -> None:
    contract_id = service.sign(FIRST_CAR, by=KIM, key="k1").value.contract_id
    assert service.proves(contract_id, "customer", "900115")
    assert service.proves(contract_id, "2", "19920229")
    assert not service.proves(contract_id, "2", "900115")
    assert not service.proves(contract_id, "9", "900115")
    assert not service.proves("con_nobody", "customer", "900115")
