"""What ends a smart key, and that nothing is done with it afterwards."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.doors.model import TTL
from chalicelib.kernel.facts import Fact
from chalicelib.smartkeys.model import (
    COMMAND_LIFE,
    ENDINGS,
    ContractOver,
    Grant,
    GrantExpired,
    GrantMoved,
    GrantRevoked,
    LinkGone,
    LinkInvalid,
    State,
    UnknownHolder,
)
from chalicelib.smartkeys.service import SmartKeyService
from tests.conftest import NOON, Hands
from tests.smartkeys.examples import (
    BORN,
    DUL,
    HANA,
    KIM,
    LEE,
    OLGA,
    Contracts,
    Press,
    admitted,
    code_of,
    order,
    overtaken,
    rescued,
    still,
)
from tests.smartkeys.test_share import gift

Facts = Callable[[], list[Fact]]


def states(service: SmartKeyService, contract_id: str = KIM) -> dict[str, State]:
    return {grant.holder: grant.state for grant in service.of_contract(contract_id)}


def everybody(service: SmartKeyService) -> dict[str, Grant]:
    """Kim, driver 2 and Olga of operations each have a key to Kim's car."""
    rescued(service)
    service.share(gift(), HANA)
    service.holder_of(KIM, OLGA, "bag in the boot", NOON)
    return {grant.holder: grant for grant in service.of_contract(KIM)}


def test_r11_no_command_leaves_after_the_revocation(service: SmartKeyService) -> None:
    grant = rescued(service)
    token = service.exchange(code_of(service, grant), BORN, None)
    assert still(service, Press(grant.grant_id), NOON) is None
    revoked = service.revoke(KIM, grant.grant_id, by="olga", reason="stolen phone")
    assert isinstance(still(service, Press(grant.grant_id), NOON), GrantRevoked)
    assert isinstance(service.holder(token, NOON).refusal, GrantRevoked)
    assert revoked.certain_at - revoked.revoked_at == COMMAND_LIFE


def test_revoking_promises_as_much_as_a_command_lives() -> None:
    assert COMMAND_LIFE == TTL


@pytest.mark.parametrize("max_uses", [None, 3])
def test_r11_a_revocation_between_two_looks_wins(service: SmartKeyService, max_uses: int | None) -> None:
    grant = service.issue(order(max_uses=max_uses)).grant
    press, revoke = Press(grant.grant_id), lambda: service.revoke(KIM, grant.grant_id, by="olga")
    verdict = still(service, press, NOON, after_the_look=revoke)
    assert isinstance(verdict, GrantRevoked) or max_uses is None
    assert isinstance(still(service, Press(grant.grant_id), NOON), GrantRevoked)


def test_r11_codes_links_and_sessions_end_with_the_grant(service: SmartKeyService) -> None:
    grant = rescued(service)
    code = code_of(service, grant)
    service.revoke(KIM, grant.grant_id, by="olga")
    with pytest.raises(LinkInvalid):
        service.exchange(code, BORN, None)
    with pytest.raises(LinkGone):
        service.link(grant.grant_id, 1)


@pytest.mark.parametrize("cause", [cause for cause, ending in ENDINGS.items() if ending.for_good])
def test_r11_the_end_of_a_contract_ends_all_its_keys(service: SmartKeyService, cause: str) -> None:
    everybody(service)
    lees = rescued(service, LEE, "evt_2")
    staff_stay = cause == "ContractReturned"
    assert service.end(KIM, cause, NOON) == (2 if staff_stay else 3)
    assert service.end(KIM, cause, NOON) == 0
    ended = states(service)
    assert (ended["customer"], ended["2"]) == (State.REVOKED, State.REVOKED)
    assert (ended["staff:olga"] == State.LIVE) == staff_stay
    assert service.of_contract(LEE) == [lees]


def test_r11_an_order_that_was_under_way_when_the_contract_ended_gives_nothing(
    service: SmartKeyService, facts: Facts
) -> None:
    late = overtaken(service, "latest", lambda: service.end(KIM, "ContractClosed", NOON))
    with pytest.raises(ContractOver):
        late.issue(order())
    assert (service.of_contract(KIM), facts()) == ([], [])


def test_r11_a_contract_that_ended_stops_commands_before_anybody_heard(service: SmartKeyService) -> None:
    keys = everybody(service)
    assert isinstance(service.contracts, Contracts)
    service.contracts.change(open=False)
    verdicts = {holder: still(service, Press(grant.grant_id), NOON) for holder, grant in keys.items()}
    assert isinstance(verdicts["customer"], GrantRevoked)
    assert isinstance(verdicts["2"], GrantRevoked)
    assert verdicts["staff:olga"] is None


def test_r11_a_driver_no_longer_named_loses_the_key_and_gets_no_other(service: SmartKeyService) -> None:
    keys = everybody(service)
    assert isinstance(service.contracts, Contracts)
    named = service.contracts.known[KIM].drivers
    late = overtaken(service, "latest", lambda: service.dismiss(KIM, "2"))
    with pytest.raises((UnknownHolder, GrantMoved)):
        late.issue(order("o2", holder="2"))
    service.contracts.change(drivers=(named[0], named[2]))
    assert isinstance(still(service, Press(keys["2"].grant_id), NOON), GrantRevoked)
    assert (service.dismiss(KIM, "2"), service.dismiss(KIM, "9")) == (0, 0)
    assert (states(service)["2"], states(service)["customer"]) == (State.REVOKED, State.LIVE)
    with pytest.raises(UnknownHolder):
        service.issue(order("o3", holder="2"))


def test_r11_the_end_of_the_givers_key_ends_what_they_gave(service: SmartKeyService) -> None:
    keys = everybody(service)
    service.revoke(KIM, keys["customer"].grant_id, by="olga", reason="theft suspected")
    assert states(service) == {
        "customer": State.REVOKED,
        "2": State.REVOKED,
        "staff:olga": State.LIVE,
    }


def test_r11_a_gift_is_no_longer_than_what_its_giver_has_left(service: SmartKeyService, clock: Hands) -> None:
    service.issue(order(not_after=NOON + timedelta(days=9)))
    given = service.share(gift(), HANA).grant
    token = service.exchange(code_of(service, given), BORN, None)
    service.issue(order("o2", not_after=NOON + timedelta(days=1)))
    clock.move(hours=25)
    assert isinstance(still(service, Press(given.grant_id), clock()), GrantExpired)
    assert isinstance(service.holder(token, clock()).refusal, GrantExpired)


def test_what_operations_gave_a_driver_does_not_end_with_the_customers(service: SmartKeyService) -> None:
    own = rescued(service)
    service.issue(order("o2", holder="2"))
    service.revoke(KIM, own.grant_id, by="olga")
    assert states(service)["2"] == State.LIVE


def test_a_gift_under_way_when_its_giver_lost_the_key_is_not_given(service: SmartKeyService) -> None:
    own = rescued(service)
    late = overtaken(service, "latest", lambda: service.revoke(KIM, own.grant_id, by="olga"))
    with pytest.raises(GrantRevoked):
        late.share(gift(), HANA)
    assert states(service) == {"customer": State.REVOKED}


def test_r11_unpaid_bills_take_back_what_was_given_away_and_lock_nobody_out(
    service: SmartKeyService, clock: Hands
) -> None:
    everybody(service)
    assert service.end(KIM, "BillingBlocked", NOON) == 1
    assert states(service) == {"customer": State.LIVE, "2": State.REVOKED, "staff:olga": State.LIVE}
    clock.move(hours=1)
    service.share(gift("g2"), HANA)
    assert service.end(KIM, "BillingBlocked", NOON) == 0
    assert states(service)["customer"] == State.LIVE


def test_after_a_swap_the_same_key_opens_the_new_car_and_only_that(
    service: SmartKeyService, facts: Facts
) -> None:
    keys = everybody(service)
    token = service.exchange(code_of(service, keys["customer"]), BORN, None)
    told = len(facts())
    assert isinstance(service.contracts, Contracts)
    service.contracts.change(car_id="car-0009")
    press = Press(keys["customer"].grant_id)
    assert isinstance(still(service, press, NOON), GrantRevoked)
    assert (service.follow(KIM), service.follow(KIM)) == (3, 0)
    assert admitted(service, token, NOON).car_id == "car-0009"
    assert isinstance(still(service, press, NOON), GrantRevoked)
    assert still(service, Press(press.grant_id, car_id="car-0009"), NOON) is None
    assert len(facts()) == told


def test_who_is_signed_in_need_not_wait_for_the_fact_of_a_swap(service: SmartKeyService) -> None:
    everybody(service)
    assert isinstance(service.contracts, Contracts)
    service.contracts.change(car_id="car-0009")
    for caller, reason in ((HANA, None), (DUL, None), (OLGA, "bag in the boot")):
        assert service.holder_of(KIM, caller, reason, NOON).car_id == "car-0009"


def test_what_ended_by_itself_needs_no_end(service: SmartKeyService, clock: Hands) -> None:
    grant = rescued(service)
    clock.move(days=8)
    assert service.end(KIM, "ContractClosed", clock()) == 0
    assert isinstance(still(service, Press(grant.grant_id), clock()), GrantExpired)


@pytest.mark.parametrize("service", ["dynamodb"], indirect=True)
def test_an_end_that_broke_off_is_finished_the_second_time(service: SmartKeyService, dynamodb: Any) -> None:
    everybody(service)
    crashes = [1]

    def crash(**_: Any) -> None:
        if crashes and len([1 for state in states(service).values() if state == State.REVOKED]) == 1:
            crashes.pop()
            raise RuntimeError("the Lambda died")

    dynamodb.meta.events.register("before-call.dynamodb.TransactWriteItems", crash)
    with pytest.raises(RuntimeError):
        service.end(KIM, "ContractClosed", NOON)
    assert service.end(KIM, "ContractClosed", NOON) == 2
    assert set(states(service).values()) == {State.REVOKED}
