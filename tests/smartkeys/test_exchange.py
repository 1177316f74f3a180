from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.kernel.errors import HandoverError
from chalicelib.kernel.facts import Fact
from chalicelib.smartkeys.model import LINK_TRIES, GrantExpired, LinkInvalid, ProofWrong, SessionEnded
from chalicelib.smartkeys.service import SmartKeyService
from tests.conftest import NOON, Hands
from tests.smartkeys.examples import BORN, KIM, LEE, PHONE, Contracts, admitted, code_of, order, rescued

Facts = Callable[[], list[Fact]]


def outcome(work: Callable[[], object]) -> object:
    try:
        return work()
    except HandoverError as error:
        return type(error)


def guess(service: SmartKeyService, code: str, times: int) -> None:
    for _ in range(times):
        with pytest.raises(ProofWrong):
            service.exchange(code, "000000", None)


def died(facts: Facts) -> list[Fact]:
    return [fact for fact in facts() if fact.type == "SmartKeyLinkDied"]


def test_code_and_proof_open_a_session(service: SmartKeyService, facts: Facts, clock: Hands) -> None:
    grant = rescued(service)
    token = service.exchange(code_of(service, grant), BORN, None)
    holder = admitted(service, token, NOON)
    assert (holder.grant_id, holder.contract_id, holder.car_id) == (grant.grant_id, KIM, "car-0001")
    assert holder.actions == ("unlock", "lock", "hazard_on", "hazard_off", "horn")
    assert holder.not_after == grant.not_after
    opened = facts()[-1]
    assert (opened.type, opened.data) == (
        "SmartKeyOpened",
        {"grant_id": grant.grant_id, "contract_id": KIM},
    )


def test_r08_a_code_opens_once(service: SmartKeyService) -> None:
    code = code_of(service, rescued(service))
    service.exchange(code, BORN, "key-1")
    for key in (None, "key-2"):
        with pytest.raises(LinkInvalid):
            service.exchange(code, BORN, key)


def test_r08_of_two_posts_at_once_one_wins(service: SmartKeyService, facts: Facts) -> None:
    code = code_of(service, rescued(service))
    with ThreadPoolExecutor(4) as phones:
        results = list(phones.map(lambda n: outcome(lambda: service.exchange(code, BORN, f"k{n}")), range(4)))
    assert len([token for token in results if isinstance(token, str)]) == 1
    assert results.count(LinkInvalid) == 3
    assert [fact.type for fact in facts()].count("SmartKeyOpened") == 1


def meanwhile(service: SmartKeyService, act: Callable[[], object]) -> None:
    assert isinstance(service.contracts, Contracts)
    service.contracts.meanwhile.append(act)


def test_a_rival_may_win_while_our_proof_is_looked_at(service: SmartKeyService, facts: Facts) -> None:
    code = code_of(service, rescued(service))
    meanwhile(service, lambda: service.exchange(code, BORN, "rival"))
    with pytest.raises(LinkInvalid):
        service.exchange(code, BORN, "ours")
    assert [fact.type for fact in facts()].count("SmartKeyOpened") == 1


def test_our_own_retry_may_win_and_both_hear_the_same(service: SmartKeyService, facts: Facts) -> None:
    code = code_of(service, rescued(service))
    heard: list[str] = []
    meanwhile(service, lambda: heard.append(service.exchange(code, BORN, "ours")))
    assert service.exchange(code, BORN, "ours") == heard[0]
    assert [fact.type for fact in facts()].count("SmartKeyOpened") == 1


def test_a_link_that_dies_while_the_proof_is_looked_at_opens_nothing(
    service: SmartKeyService, facts: Facts
) -> None:
    grant = rescued(service)
    for number, death in enumerate(
        (
            lambda: service.resend(PHONE, BORN, None),
            lambda: service.revoke(KIM, grant.grant_id, by="olga"),
        ),
        start=1,
    ):
        code = code_of(service, grant, send_no=number)
        meanwhile(service, death)
        with pytest.raises(LinkInvalid):
            service.exchange(code, BORN, None)
    assert "SmartKeyOpened" not in [fact.type for fact in facts()]


@pytest.mark.parametrize("service", ["dynamodb"], indirect=True)
def test_overtaken_between_paying_the_try_and_reading_the_link(
    service: SmartKeyService, dynamodb: Any
) -> None:
    """What another exchange has just taken is not a lost answer of ours."""
    code = code_of(service, rescued(service))
    rivals = ["rival"]

    def overtake(**_: Any) -> None:
        while rivals:
            service.exchange(code, BORN, rivals.pop())

    dynamodb.meta.events.register("after-call.dynamodb.UpdateItem", overtake)
    with pytest.raises(LinkInvalid):
        service.exchange(code, BORN, "ours")


def test_r08_a_lost_answer_is_given_again(service: SmartKeyService, facts: Facts, clock: Hands) -> None:
    code = code_of(service, rescued(service))
    token = service.exchange(code, BORN, "key-1")
    for _ in range(2 * LINK_TRIES):
        clock.move(seconds=59)
        assert service.exchange(code, BORN, "key-1") == token
    assert [fact.type for fact in facts()].count("SmartKeyOpened") == 1
    clock.move(seconds=10)
    with pytest.raises(LinkInvalid):
        service.exchange(code, BORN, "key-1")


def test_our_own_twin_in_flight_hears_the_same(service: SmartKeyService) -> None:
    code = code_of(service, rescued(service))
    with ThreadPoolExecutor(4) as phones:
        results = set(phones.map(lambda _: service.exchange(code, BORN, "key-1"), range(4)))
    assert len(results) == 1


def test_an_answer_is_given_again_also_just_after_the_link_ran_out(
    service: SmartKeyService, clock: Hands
) -> None:
    code = code_of(service, rescued(service))
    clock.move(hours=24, seconds=-1)
    token = service.exchange(code, BORN, "key-1")
    clock.move(minutes=5)
    assert service.exchange(code, BORN, "key-1") == token


def test_the_key_alone_is_no_proof(service: SmartKeyService) -> None:
    code = code_of(service, rescued(service))
    service.exchange(code, BORN, "key-1")
    for _ in range(LINK_TRIES):
        with pytest.raises(ProofWrong):
            service.exchange(code, "000000", "key-1")
    with pytest.raises(LinkInvalid):
        service.exchange(code, BORN, "key-1")


def test_r09_five_wrong_proofs_kill_the_code_and_tell_operations(
    service: SmartKeyService, facts: Facts
) -> None:
    grant = rescued(service)
    code = code_of(service, grant)
    guess(service, code, LINK_TRIES - 1)
    assert died(facts) == []
    guess(service, code, 1)
    for proof in ("000000", BORN):
        with pytest.raises(LinkInvalid):
            service.exchange(code, proof, None)
    (told,) = died(facts)
    assert told.data == {"grant_id": grant.grant_id, "contract_id": KIM, "send_no": 1}


def test_four_wrong_proofs_leave_the_fifth_try(service: SmartKeyService) -> None:
    code = code_of(service, rescued(service))
    guess(service, code, LINK_TRIES - 1)
    assert service.exchange(code, BORN, None)


def test_a_new_link_has_tries_of_its_own(service: SmartKeyService, facts: Facts) -> None:
    grant = rescued(service)
    guess(service, code_of(service, grant), LINK_TRIES)
    service.resend(PHONE, BORN, None)
    code = code_of(service, grant, send_no=2)
    guess(service, code, LINK_TRIES)
    assert [fact.data["send_no"] for fact in died(facts)] == [1, 2]


def test_r09_parallel_guesses_are_never_more_than_five(service: SmartKeyService, facts: Facts) -> None:
    code = code_of(service, rescued(service))
    with ThreadPoolExecutor(20) as guessers:
        results = list(
            guessers.map(lambda _: outcome(lambda: service.exchange(code, "000000", None)), range(20))
        )
    assert (results.count(ProofWrong), results.count(LinkInvalid)) == (LINK_TRIES, 20 - LINK_TRIES)
    assert isinstance(service.contracts, Contracts)
    assert service.contracts.asked == LINK_TRIES
    assert len(died(facts)) == 1


def test_r09_every_dead_code_gets_the_same_answer_for_the_same_work(
    service: SmartKeyService, clock: Hands
) -> None:
    """No proof is looked at, so neither words nor time tell an unknown code from a used or expired one."""
    dead = dead_codes(service, clock)
    assert isinstance(service.contracts, Contracts)
    service.contracts.asked = 0
    answers = set()
    for code in dead:
        with pytest.raises(LinkInvalid) as refused:
            service.exchange(code, BORN, None)
        answers.add((refused.value.code, str(refused.value), str(refused.value.extra)))
    assert len(answers) == 1
    assert service.contracts.asked == 0


def dead_codes(service: SmartKeyService, clock: Hands) -> list[str]:
    """Unknown, expired, superseded, revoked, used, and one whose tries are used up."""
    expired = code_of(service, rescued(service, LEE, "evt_1"))
    clock.move(hours=24)
    revoked = service.issue(order("o1", holder="2")).grant
    code_of_revoked = code_of(service, revoked)
    service.revoke(KIM, revoked.grant_id, by="olga")
    superseded = service.issue(order("o2")).grant
    code_of_superseded = code_of(service, superseded)
    service.issue(order("o3"))
    used = code_of(service, superseded, send_no=2)
    service.exchange(used, BORN, None)
    tried = code_of(service, service.issue(order("o4", LEE, "2")).grant)
    guess(service, tried, LINK_TRIES)
    return ["unknown", expired, code_of_revoked, code_of_superseded, used, tried]


def test_a_link_never_outlives_its_grant(service: SmartKeyService, clock: Hands) -> None:
    short = service.issue(order(not_after=NOON + timedelta(hours=1))).grant
    code = code_of(service, short)
    clock.move(minutes=59)
    token = service.exchange(code, BORN, None)
    clock.move(minutes=1)
    with pytest.raises(GrantExpired):
        admitted(service, token, clock())
    with pytest.raises(LinkInvalid):
        service.exchange(code, BORN, None)


def test_a_session_names_its_own_grant_and_no_other(service: SmartKeyService) -> None:
    """Grants are named in facts and lists: who knows one knows nothing."""
    kims, lees = rescued(service, KIM, "evt_1"), rescued(service, LEE, "evt_2")
    token = service.exchange(code_of(service, kims), BORN, None)
    secret = token.partition(".")[2]
    for other in (lees.grant_id, "grt_unknown"):
        with pytest.raises(SessionEnded):
            service.holder(f"{other}.{secret}", NOON)
        with pytest.raises(SessionEnded):
            service.step_up(f"{other}.{secret}", BORN)
    assert service.holder(token, NOON).grant_id == kims.grant_id


def test_no_token_but_the_real_one_is_a_session(service: SmartKeyService) -> None:
    token = service.exchange(code_of(service, rescued(service)), BORN, None)
    for other in (None, "", "x", token[:-1], token + "x"):
        with pytest.raises(SessionEnded):
            admitted(service, other, NOON)
