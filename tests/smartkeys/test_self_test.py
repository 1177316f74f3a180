"""Before somebody drives to the door: would the customer's smart key open the car?"""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from chalicelib.smartkeys.service import SmartKeyService
from tests.conftest import NOON, Hands
from tests.smartkeys.examples import KIM, Cars, Seen, order, rescued


def test_a_live_key_and_a_car_that_answers_pass(service: SmartKeyService) -> None:
    rescued(service)
    assert service.self_test(KIM).passed


def test_without_a_key_nothing_opens(service: SmartKeyService) -> None:
    assert service.self_test(KIM).reasons == ("no_smart_key",)
    service.issue(order(holder="2"))
    assert service.self_test(KIM).reasons == ("no_smart_key",)


def test_a_key_that_was_ended_is_none(service: SmartKeyService) -> None:
    grant = rescued(service)
    service.revoke(KIM, grant.grant_id, by="olga")
    assert service.self_test(KIM).reasons == ("no_smart_key",)


def test_a_key_whose_time_is_over_is_none(service: SmartKeyService, clock: Hands) -> None:
    rescued(service)
    clock.move(days=8)
    assert "no_smart_key" in service.self_test(KIM).reasons


@pytest.mark.parametrize(
    ("online", "last_seen", "reasons"),
    [
        (False, NOON, ("car_offline",)),
        (True, NOON - timedelta(minutes=15), ("car_silent",)),
        (True, NOON - timedelta(minutes=14), ()),
        (False, None, ("car_offline", "car_silent")),
    ],
)
def test_a_car_that_does_not_answer_fails(
    service: SmartKeyService, online: bool, last_seen: datetime | None, reasons: tuple[str, ...]
) -> None:
    rescued(service)
    silent = replace(service, cars=Cars(Seen(online, last_seen)))
    assert silent.self_test(KIM).reasons == reasons


def test_every_cause_after_the_first_sends_no_second_text(
    service: SmartKeyService, facts: Callable[[], list[object]]
) -> None:
    for cause in ("KeyShipmentEscalated", "ContractAtRisk", "CarLockedOut"):
        service.rescue(KIM, cause, f"evt_{cause}")
    (grant,) = service.of_contract(KIM)
    assert (grant.reason, len(facts())) == ("KeyShipmentEscalated", 1)
