"""What whoever hands out keys to a contract's car must know of it."""

from datetime import timedelta

from msgspec.structs import replace

from chalicelib.contracts.model import Check
from chalicelib.contracts.service import ContractService
from chalicelib.kernel.calendar import months_after
from tests.contracts.examples import IN_TWO_WEEKS, KIM_MINJI, PARK_JUN, Story


def test_before_there_is_a_car_nobody_is_let_in(service: ContractService) -> None:
    story = Story(service)
    seen = service.admission(story.id)
    assert (seen.customer_id, seen.car_id, seen.open) == ("kim", None, False)
    assert [(each.number, each.phone) for each in seen.drivers] == [
        ("1", KIM_MINJI.phone),
        ("2", PARK_JUN.phone),
    ]


def test_from_the_assignment_to_the_return_its_customer_is_let_in(service: ContractService) -> None:
    story = Story(service).preparing()
    seen = service.admission(story.id)
    assert (seen.car_id, seen.open) == ("car-0001", True)
    assert seen.ends_at == months_after(IN_TWO_WEEKS, 6)
    assert all(driver.verified for driver in seen.drivers)
    service.access_proven(story.id, IN_TWO_WEEKS - timedelta(days=1))
    service.handed_over(story.id, IN_TWO_WEEKS + timedelta(hours=1))
    assert service.admission(story.id).ends_at == story.now.ends_at


def test_a_driver_counts_when_the_office_has_confirmed_the_licence(service: ContractService) -> None:
    contract = Story(service).preparing().now
    pending = replace(
        contract, drivers=(contract.drivers[0], replace(contract.drivers[1], check=Check.PENDING))
    )
    assert [driver.verified for driver in pending.admission.drivers] == [True, False]


def test_until_it_is_brought_back_and_not_longer(service: ContractService) -> None:
    story = Story(service).due_back()
    assert service.admission(story.id).open
    service.received(story.id, IN_TWO_WEEKS + timedelta(days=1))
    assert not service.admission(story.id).open
