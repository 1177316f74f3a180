from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.kernel.errors import KeyReused, NotFound
from chalicelib.kernel.facts import Fact
from chalicelib.smartkeys.model import (
    AUTOMATIC,
    RESCUE_WINDOW,
    BadWindow,
    LinkGone,
    LinkInvalid,
    State,
    mark_of,
)
from chalicelib.smartkeys.service import SmartKeyService
from tests.conftest import NOON, Hands
from tests.smartkeys.examples import BORN, KIM, LEE, code_of, order, overtaken, rescued

Facts = Callable[[], list[Fact]]


def kinds(facts: Facts) -> Counter[str]:
    return Counter(fact.type for fact in facts())


def test_a_stranded_customer_gets_one_grant_and_one_link(service: SmartKeyService, facts: Facts) -> None:
    grant = rescued(service)
    assert (grant.contract_id, grant.holder, grant.car_id) == (KIM, "customer", "car-0001")
    assert (grant.issuer, grant.reason, grant.state) == (AUTOMATIC, "KeyShipmentEscalated", State.LIVE)
    assert (grant.not_before, grant.not_after) == (NOON, NOON + RESCUE_WINDOW)
    (fact,) = facts()
    assert (fact.type, fact.subject) == ("SmartKeyLinkIssued", grant.grant_id)
    about = {"grant_id": grant.grant_id, "contract_id": KIM}
    assert fact.data == {**about, "send_no": 1, "holder": "customer"}


def test_the_same_fact_twice_is_once_for_ever(service: SmartKeyService, facts: Facts, clock: Hands) -> None:
    first = rescued(service)
    assert rescued(service) == first
    clock.move(days=30)
    again = rescued(service)
    assert (again.grant_id, again.state) == (first.grant_id, State.EXPIRED)
    assert len(facts()) == 1


def test_a_second_cause_widens_the_grant_and_sends_nothing(
    service: SmartKeyService, facts: Facts, clock: Hands
) -> None:
    first = rescued(service, cause="evt_late")
    clock.move(days=5)
    second = rescued(service, cause="evt_wrong_address")
    assert second.grant_id == first.grant_id
    assert service.of_contract(KIM) == [second]
    assert second.not_after == clock() + RESCUE_WINDOW
    assert len(facts()) == 1


def test_two_causes_at_once_give_one_grant_and_one_link(service: SmartKeyService, facts: Facts) -> None:
    with ThreadPoolExecutor(8) as people:
        causes = [f"evt_{number % 4}" for number in range(16)]
        grants = list(people.map(lambda cause: rescued(service, cause=cause), causes))
    assert len({grant.grant_id for grant in grants}) == 1
    assert len(service.of_contract(KIM)) == 1
    assert len(facts()) == 1


def test_a_cause_overtaken_after_it_looked_joins_the_winners_grant(
    service: SmartKeyService, facts: Facts
) -> None:
    late = overtaken(service, "latest", lambda: rescued(service, cause="evt_2"))
    joined = rescued(late, cause="evt_1")
    assert service.of_contract(KIM) == [joined]
    assert len(facts()) == 1


def test_an_order_overtaken_by_the_grants_end_becomes_a_grant_of_its_own(
    service: SmartKeyService, facts: Facts
) -> None:
    first = rescued(service)
    late = overtaken(service, "latest", lambda: service.revoke(KIM, first.grant_id, by="olga"))
    assert late.issue(order()).grant.grant_id != first.grant_id
    assert kinds(facts) == {"SmartKeyLinkIssued": 2, "SmartKeyRevoked": 1}


def test_a_window_widened_meanwhile_is_not_narrowed(service: SmartKeyService, clock: Hands) -> None:
    rescued(service, cause="evt_1")

    def later() -> None:
        clock.move(hours=1)
        rescued(service, cause="evt_2")

    rescued(overtaken(service, "latest", later), cause="evt_3")
    (grant,) = service.of_contract(KIM)
    assert grant.not_after == clock() + RESCUE_WINDOW


def test_a_new_cause_after_the_end_gives_a_new_grant(
    service: SmartKeyService, facts: Facts, clock: Hands
) -> None:
    first = rescued(service, cause="evt_late")
    clock.move(days=8)
    second = rescued(service, cause="evt_wrong_key")
    assert second.grant_id != first.grant_id
    assert [grant.state for grant in service.of_contract(KIM)] == [State.LIVE, State.EXPIRED]
    assert len(facts()) == 2


def test_what_a_person_ended_no_fact_brings_back(service: SmartKeyService, facts: Facts) -> None:
    grant = rescued(service)
    service.revoke(KIM, grant.grant_id, by="olga")
    assert service.rescue(KIM, "KeyShipmentMisdelivered", "evt_other") is None
    assert kinds(facts) == {"SmartKeyLinkIssued": 1, "SmartKeyRevoked": 1}


def test_a_person_may_bring_it_back(service: SmartKeyService) -> None:
    first = rescued(service)
    service.revoke(KIM, first.grant_id, by="olga")
    second = service.issue(order()).grant
    assert second.grant_id != first.grant_id
    assert service.exchange(code_of(service, second), BORN, None)


def test_operations_asking_again_sends_a_new_link_for_the_same_grant(
    service: SmartKeyService, facts: Facts
) -> None:
    first = rescued(service)
    old = code_of(service, first)
    issued = service.issue(order(not_after=NOON + timedelta(days=30)))
    assert (issued.grant.grant_id, issued.grant.send_no) == (first.grant_id, 2)
    assert issued.grant.not_after == NOON + timedelta(days=30)
    assert [fact.data["send_no"] for fact in facts()] == [1, 2]
    with pytest.raises(LinkInvalid):
        service.exchange(old, BORN, None)
    assert service.exchange(code_of(service, first, send_no=2), BORN, None)


def test_a_retry_hears_the_grant_also_when_its_window_is_over(
    service: SmartKeyService, facts: Facts, clock: Hands
) -> None:
    first = service.issue(order())
    clock.move(days=9)
    again = service.issue(order())
    assert (first.replayed, again.replayed) == (False, True)
    assert again.grant.grant_id == first.grant.grant_id
    assert len(facts()) == 1


def test_a_key_stands_for_one_body(service: SmartKeyService, facts: Facts) -> None:
    service.issue(order())
    with pytest.raises(KeyReused):
        service.issue(order(fingerprint="another"))
    assert len(facts()) == 1


def test_r10_every_holder_has_a_grant_of_their_own(service: SmartKeyService) -> None:
    customer = service.issue(order("o1")).grant
    driver = service.issue(order("o2", holder="2")).grant
    service.revoke(KIM, driver.grant_id, by="olga")
    assert service.exchange(code_of(service, customer), BORN, None)
    with pytest.raises(LinkGone):
        service.link(driver.grant_id, 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"not_after": NOON},
        {"not_after": NOON + timedelta(days=400)},
        {"not_before": NOON + timedelta(days=3), "not_after": NOON + timedelta(days=2)},
    ],
)
def test_a_window_must_lie_ahead_and_end(
    service: SmartKeyService, facts: Facts, changes: dict[str, Any]
) -> None:
    with pytest.raises(BadWindow):
        service.issue(order(**changes))
    assert (service.of_contract(KIM), facts()) == ([], [])


def test_an_unknown_contract_gets_nothing(service: SmartKeyService, facts: Facts) -> None:
    for wish in (lambda: service.issue(order(contract_id="con_x")), lambda: service.of_contract("con_x")):
        with pytest.raises(NotFound):
            wish()
    assert facts() == []


def test_contracts_do_not_mix(service: SmartKeyService) -> None:
    kims, lees = rescued(service, KIM, "evt_1"), rescued(service, LEE, "evt_2")
    assert service.of_contract(KIM) == [kims]
    assert service.of_contract(LEE) == [lees]


def test_a_link_is_the_same_every_time_and_gone_when_it_is_over(
    service: SmartKeyService, clock: Hands
) -> None:
    grant = rescued(service)
    link = service.link(grant.grant_id, 1)
    assert service.link(grant.grant_id, 1) == link
    assert (link.contract_id, link.holder) == (KIM, "customer")
    assert len(link.code) == 22
    assert link.code not in repr(link)
    assert mark_of(link.code) != link.code
    with pytest.raises(LinkGone):
        service.link(grant.grant_id, 2)
    clock.move(hours=24)
    with pytest.raises(LinkGone):
        service.link(grant.grant_id, 1)
