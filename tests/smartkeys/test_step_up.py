"""A session is a phone that proved something once; now and then it must prove it again."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from chalicelib.doors.model import POLICY, Action
from chalicelib.kernel.errors import HandoverError
from chalicelib.kernel.facts import Fact
from chalicelib.smartkeys.model import PROOF_HOLDS, TRIES, GrantRevoked, ProofWrong, SessionEnded, Token
from chalicelib.smartkeys.service import SmartKeyService
from tests.conftest import NOON, Hands
from tests.smartkeys.examples import BORN, KIM, PHONE, Contracts, admitted, code_of, rescued

Facts = Callable[[], list[Fact]]


@pytest.fixture
def token(service: SmartKeyService) -> str:
    return service.exchange(code_of(service, rescued(service)), BORN, None)


def missed(service: SmartKeyService, token: str, times: int) -> None:
    for _ in range(times):
        with pytest.raises(ProofWrong):
            service.step_up(token, "000000")


def test_r09_the_exchange_is_a_proof_and_a_step_up_is_a_fresh_one(
    service: SmartKeyService, token: str, clock: Hands
) -> None:
    assert service.holder(token, NOON).proven_at == NOON
    clock.move(days=3)
    stale = service.view(token)
    assert (stale.located, stale.proven_until) == (False, NOON + PROOF_HOLDS)
    service.step_up(token, BORN)
    fresh = service.view(token)
    assert (fresh.located, fresh.proven_until) == (True, clock() + PROOF_HOLDS)
    assert service.holder(token, clock()).proven_at == clock()


def test_what_the_page_says_of_the_proof_is_what_doors_asks_for() -> None:
    assert POLICY[Action.UNLOCK].prove_again_after == PROOF_HOLDS


def test_r09_five_wrong_proofs_end_the_session_and_operations_are_told(
    service: SmartKeyService, token: str, facts: Facts
) -> None:
    (grant,) = service.of_contract(KIM)
    missed(service, token, TRIES - 1)
    assert service.holder(token, NOON)
    missed(service, token, 1)
    with pytest.raises(SessionEnded):
        service.holder(token, NOON)
    with pytest.raises(SessionEnded):
        service.step_up(token, BORN)
    told = [fact.data for fact in facts() if fact.type == "SmartKeySessionEnded"]
    assert told == [{"grant_id": grant.grant_id, "contract_id": KIM}]
    assert service.of_contract(KIM)[0].link_died


def test_a_right_proof_gives_all_tries_back(service: SmartKeyService, token: str) -> None:
    for _ in range(3):
        missed(service, token, TRIES - 1)
        service.step_up(token, BORN)
    assert service.holder(token, NOON)


def test_r09_guesses_at_once_are_never_more_than_five(service: SmartKeyService, token: str) -> None:
    assert isinstance(service.contracts, Contracts)
    service.contracts.asked = 0

    def guess(_: int) -> None:
        with pytest.raises(HandoverError):
            service.step_up(token, "000000")

    with ThreadPoolExecutor(8) as phones:
        list(phones.map(guess, range(12)))
    assert service.contracts.asked <= TRIES
    with pytest.raises(SessionEnded):
        service.holder(token, NOON)


def test_r09_no_session_is_told_from_an_ended_one_and_no_proof_is_looked_at(
    service: SmartKeyService, token: str
) -> None:
    service.sign_out(token)
    assert isinstance(service.contracts, Contracts)
    service.contracts.asked = 0
    answers = set()
    for dead in (None, "", "unknown", token):
        with pytest.raises(SessionEnded) as refused:
            service.step_up(dead, BORN)
        answers.add((refused.value.code, str(refused.value)))
    assert (len(answers), service.contracts.asked) == (1, 0)


def test_an_ended_grant_is_not_proven_again(service: SmartKeyService, token: str) -> None:
    (grant,) = service.of_contract(KIM)
    service.revoke(KIM, grant.grant_id, by="olga")
    with pytest.raises(GrantRevoked):
        service.step_up(token, BORN)


def test_a_session_lost_to_guesses_comes_back_with_a_new_link(
    service: SmartKeyService, token: str, clock: Hands
) -> None:
    missed(service, token, TRIES)
    service.resend(PHONE, BORN, None)
    (grant,) = service.of_contract(KIM)
    again = service.exchange(code_of(service, grant, send_no=2), BORN, None)
    assert admitted(service, again, clock())


def test_r09_asking_again_is_no_way_to_guess_the_proof(
    service: SmartKeyService, facts: Facts, clock: Hands
) -> None:
    """Whoever found a phone could ask for ever, and read the text that answers the right proof."""
    rescued(service)
    assert isinstance(service.contracts, Contracts)
    for _ in range(20):
        service.resend(PHONE, "000000", None)
        clock.move(minutes=4)
    assert service.contracts.asked == TRIES
    service.resend(PHONE, BORN, None)
    assert [fact.type for fact in facts()] == ["SmartKeyLinkIssued", "SmartKeyAsksStopped"]
    clock.move(days=1)
    service.resend(PHONE, BORN, None)
    assert facts()[-1].data["send_no"] == 2


def test_r09_whoever_knows_a_number_cannot_kill_its_link(service: SmartKeyService, clock: Hands) -> None:
    grant = rescued(service)
    for _ in range(8):
        service.resend(PHONE, "000000", None)
        clock.move(minutes=4)
    assert service.exchange(code_of(service, grant), BORN, None)


def test_right_proofs_are_never_counted_as_guesses(service: SmartKeyService, clock: Hands) -> None:
    rescued(service)
    for _ in range(3 * TRIES):
        service.resend(PHONE, BORN, None)
        clock.move(minutes=4)
    assert service.of_contract(KIM)[0].send_no == 3 * TRIES + 1


@pytest.mark.parametrize("service", ["dynamodb"], indirect=True)
def test_a_session_from_before_there_were_proofs_was_proven_when_it_began(
    service: SmartKeyService, token: str, dynamodb: Any
) -> None:
    dynamodb.update_item(
        TableName="test-smartkeys",
        Key={"pk": {"S": f"SESSION#{Token.read(token).mark}"}, "sk": {"S": "SESSION"}},
        UpdateExpression="REMOVE proven_at, tries_left, send_no",
    )
    assert service.holder(token, NOON).proven_at == NOON
    missed(service, token, TRIES)
    with pytest.raises(SessionEnded):
        service.holder(token, NOON)
