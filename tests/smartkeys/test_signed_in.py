"""Who somebody signed in is to a contract's car: its customer, a driver, or staff with a reason."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from chalicelib.kernel.auth import Caller
from chalicelib.smartkeys.model import (
    STAFF_WINDOW,
    ContractOver,
    GrantRevoked,
    NoSmartKey,
    NotAssigned,
    ReasonNeeded,
    UnknownContract,
)
from chalicelib.smartkeys.service import SmartKeyService
from tests.conftest import NOON, Hands
from tests.smartkeys.examples import DUL, HANA, KIM, OLGA, Contracts, Press, order, rescued, still
from tests.smartkeys.test_share import gift


def test_the_customer_acts_by_their_own_key_as_proven_as_their_sign_in(service: SmartKeyService) -> None:
    grant = rescued(service)
    holder = service.holder_of(KIM, HANA, None, NOON)
    assert (holder.grant_id, holder.car_id, holder.proven_at) == (grant.grant_id, "car-0001", NOON)
    assert holder.refusal is None


def test_r09_a_driver_known_by_phone_has_proven_nothing_more(service: SmartKeyService) -> None:
    """Whoever holds the phone could sign in; to unlock they use the link and what it asks."""
    rescued(service)
    given = service.share(gift(), HANA).grant
    holder = service.holder_of(KIM, DUL, None, NOON)
    assert (holder.grant_id, holder.proven_at) == (given.grant_id, None)


def test_without_a_key_there_is_a_word_for_it(service: SmartKeyService) -> None:
    for caller in (HANA, DUL):
        holder = service.holder_of(KIM, caller, None, NOON)
        assert isinstance(holder.refusal, NoSmartKey)
        assert (holder.car_id, holder.actions) == ("car-0001", ())
        assert {"ko", "en"} == set(holder.refusal.extra["messages"])


def test_a_key_that_was_ended_is_refused_as_such(service: SmartKeyService) -> None:
    grant = rescued(service)
    service.revoke(KIM, grant.grant_id, by="olga")
    assert isinstance(service.holder_of(KIM, HANA, None, NOON).refusal, GrantRevoked)


@pytest.mark.parametrize(
    "stranger",
    [
        Caller("lee"),
        Caller("x", phone="+821099999999"),
        Caller("x", phone=""),
        Caller("p", phone="+821033333333"),
    ],
)
def test_nobody_else_knows_the_contract(service: SmartKeyService, stranger: Caller) -> None:
    rescued(service)
    for ask in (service.holder_of, lambda *_: service.sees(KIM, stranger)):
        with pytest.raises(UnknownContract):
            ask(KIM, stranger, None, NOON)
    for known in (HANA, DUL, OLGA):
        service.sees(KIM, known)


def test_staff_need_a_reason_and_get_a_quarter_of_an_hour(service: SmartKeyService, clock: Hands) -> None:
    with pytest.raises(ReasonNeeded):
        service.holder_of(KIM, OLGA, None, NOON)
    first = service.holder_of(KIM, OLGA, "bag in the boot", NOON)
    again = service.holder_of(KIM, OLGA, "child seat", NOON)
    assert (first.who, first.reason, again.reason) == ("staff:olga", "bag in the boot", "child seat")
    assert first.grant_id == again.grant_id
    assert first.not_after == NOON + STAFF_WINDOW
    clock.move(minutes=15)
    later = service.holder_of(KIM, OLGA, "bag in the boot", clock())
    assert later.grant_id != first.grant_id
    assert [grant.grant_id for grant in service.of_contract(KIM)] == [later.grant_id]
    assert service.funnel(NOON.date()).issued == 0


def test_the_first_press_of_staff_is_not_a_moment_too_early(service: SmartKeyService, clock: Hands) -> None:
    """Doors took the time before our own clock went on."""
    clock.move(seconds=0.01)
    assert service.holder_of(KIM, OLGA, "bag in the boot", NOON).refusal is None


def test_what_was_ended_of_staff_stays_so_for_the_quarter(service: SmartKeyService, clock: Hands) -> None:
    holder = service.holder_of(KIM, OLGA, "bag in the boot", NOON)
    service.revoke(KIM, holder.grant_id, by="boss")
    assert isinstance(service.holder_of(KIM, OLGA, "again", NOON).refusal, GrantRevoked)
    assert isinstance(still(service, Press(holder.grant_id), NOON), GrantRevoked)


def test_staff_open_no_car_that_has_gone_to_another_contract(service: SmartKeyService) -> None:
    assert isinstance(service.contracts, Contracts)
    service.contracts.change(open=False)
    known = service.holder_of(KIM, OLGA, "recover the car", NOON)
    service.contracts.change(holds=False)
    assert isinstance(still(service, Press(known.grant_id), NOON), GrantRevoked)
    with pytest.raises(ContractOver):
        service.holder_of(KIM, replace(OLGA, id="otto"), "recover the car", NOON)


def test_before_there_is_a_car_there_is_nothing_to_open(service: SmartKeyService) -> None:
    assert isinstance(service.contracts, Contracts)
    service.contracts.change(car_id=None)
    for caller, reason in ((HANA, None), (OLGA, "why")):
        with pytest.raises(NotAssigned):
            service.holder_of(KIM, caller, reason, NOON)
    with pytest.raises(NotAssigned):
        service.issue(order(not_after=NOON + timedelta(days=1)))
