from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib.kernel.errors import HandoverError, Malformed
from chalicelib.kernel.facts import Fact
from chalicelib.smartkeys.model import ASKS, LinkInvalid, TooManyAsks
from chalicelib.smartkeys.service import SmartKeyService
from tests.conftest import Hands
from tests.smartkeys.examples import BORN, KIM, LEE, PHONE, code_of, overtaken, rescued

Facts = Callable[[], list[Fact]]
LEES_PROOF = "851231"


def links_sent(facts: Facts) -> list[tuple[str, int]]:
    data = [fact.data for fact in facts() if fact.type == "SmartKeyLinkIssued"]
    return [(each["contract_id"], each["send_no"]) for each in data]


def test_the_customer_gets_a_new_link_and_the_old_one_dies(service: SmartKeyService, facts: Facts) -> None:
    grant = rescued(service)
    old = code_of(service, grant)
    service.resend("010-1234-5678", BORN, None)
    assert links_sent(facts) == [(KIM, 1), (KIM, 2)]
    with pytest.raises(LinkInvalid):
        service.exchange(old, BORN, None)
    assert service.exchange(code_of(service, grant, send_no=2), BORN, None)


def test_a_new_link_comes_also_after_the_old_ones_day(
    service: SmartKeyService, facts: Facts, clock: Hands
) -> None:
    grant = rescued(service)
    clock.move(days=3)
    service.resend(PHONE, BORN, None)
    assert service.exchange(code_of(service, grant, send_no=2), BORN, None)


def test_nothing_is_sent_without_phone_proof_and_a_live_grant(
    service: SmartKeyService, facts: Facts, clock: Hands
) -> None:
    grant = rescued(service)
    service.resend("+821099999999", BORN, None)
    service.resend(PHONE, "000000", None)
    service.revoke(KIM, grant.grant_id, by="olga")
    service.resend(PHONE, BORN, None)
    assert links_sent(facts) == [(KIM, 1)]


def test_an_ended_grant_sends_nothing(service: SmartKeyService, facts: Facts, clock: Hands) -> None:
    rescued(service)
    clock.move(days=7)
    service.resend(PHONE, BORN, None)
    assert links_sent(facts) == [(KIM, 1)]


def test_the_proof_says_whose_link_a_shared_phone_gets(service: SmartKeyService, facts: Facts) -> None:
    rescued(service, KIM, "evt_1")
    rescued(service, LEE, "evt_2")
    service.resend(PHONE, LEES_PROOF, None)
    assert links_sent(facts)[2:] == [(LEE, 2)]


def test_the_same_key_sends_once(service: SmartKeyService, facts: Facts) -> None:
    rescued(service)
    for key in ("key-1", "key-1", "key-2"):
        service.resend(PHONE, BORN, key)
    assert links_sent(facts) == [(KIM, 1), (KIM, 2), (KIM, 3)]


def test_a_number_may_ask_three_times_in_any_ten_minutes(service: SmartKeyService, clock: Hands) -> None:
    for _ in range(ASKS):
        service.resend(PHONE, "000000", None)
        clock.move(minutes=3)
    with pytest.raises(TooManyAsks) as refused:
        service.resend(PHONE, BORN, None)
    assert 60 <= refused.value.retry_after <= 61
    clock.move(seconds=refused.value.retry_after)
    service.resend(PHONE, BORN, None)
    with pytest.raises(TooManyAsks):
        service.resend(PHONE, BORN, None)
    service.resend("+821087654321", BORN, None)


def test_asking_at_once_from_everywhere_counts_too(service: SmartKeyService, facts: Facts) -> None:
    rescued(service)

    def ask(_: int) -> bool:
        try:
            service.resend(PHONE, BORN, None)
        except HandoverError:
            return False
        return True

    with ThreadPoolExecutor(8) as askers:
        answered = sum(askers.map(ask, range(8)))
    assert 1 <= answered <= ASKS
    assert len(links_sent(facts)) <= 1 + answered


def test_an_ask_that_was_overtaken_counts_both(service: SmartKeyService) -> None:
    def twice() -> None:
        for _ in range(2):
            service.resend(PHONE, "000000", None)

    overtaken(service, "asks", twice).resend(PHONE, "000000", None)
    with pytest.raises(TooManyAsks):
        service.resend(PHONE, BORN, None)


def test_what_is_no_number_is_malformed(service: SmartKeyService) -> None:
    for text in ("hello", "0101234567", "02-123-4567"):
        with pytest.raises(Malformed):
            service.resend(text, BORN, None)
