"""Grants, not links: every holder has an own one, within what its giver may give."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from chalicelib.kernel.auth import Caller
from chalicelib.kernel.errors import KeyReused, Malformed, NotFound
from chalicelib.kernel.facts import Fact
from chalicelib.smartkeys.model import (
    BadWindow,
    BillOverdue,
    ContractOver,
    GrantEnded,
    GrantExpired,
    GrantRevoked,
    GrantUsedUp,
    LicenceNotVerified,
    LinkInvalid,
    MoreThanOwn,
    NoSmartKey,
    OnlyOperations,
    OnlyTheCustomer,
    Order,
    Person,
    State,
    TooManyAsks,
    UnknownContract,
    UnknownGrant,
    UnknownHolder,
    Withheld,
)
from chalicelib.smartkeys.schemas import ContractKeys
from chalicelib.smartkeys.service import SmartKeyService
from tests.conftest import NOON, Hands
from tests.smartkeys.examples import (
    BORN,
    DUL,
    HANA,
    KIM,
    LEE,
    PHONE,
    PHONE_2,
    Bills,
    Contracts,
    Press,
    admitted,
    code_of,
    order,
    rescued,
    still,
)

Facts = Callable[[], list[Fact]]
WEEK = NOON + timedelta(days=7)
AUNT = Person("고모", "010-5555-6666", "ko", birth_date=date(1961, 3, 4))


def gift(name: str = "g1", **changes: Any) -> Order:
    """What Kim gives driver 2 for three days."""
    plain = order(name, holder="2", issuer="kim", reason="shared", shared=True)
    return replace(plain, not_after=NOON + timedelta(days=3), **changes)


def test_r10_a_driver_gets_a_grant_and_a_link_of_their_own(service: SmartKeyService, facts: Facts) -> None:
    own = rescued(service)
    given = service.share(gift(), HANA).grant
    assert (given.holder, given.given_by, given.grant_id != own.grant_id) == ("2", own.grant_id, True)
    assert [fact.data["holder"] for fact in facts()] == ["customer", "driver"]
    token = service.exchange(code_of(service, given), BORN, None)
    assert admitted(service, token, NOON).who == f"driver:{given.grant_id}"


def test_r10_nobody_gives_more_than_they_have(service: SmartKeyService) -> None:
    """Neither longer, nor earlier, nor more actions."""
    later = NOON + timedelta(hours=1)
    own = order(not_before=later, not_after=WEEK, actions=("unlock", "lock"))
    with pytest.raises(NoSmartKey):
        service.share(gift(), HANA)
    service.issue(own)
    with pytest.raises(Exception, match="has not begun"):
        service.share(gift(), HANA)
    service.issue(order("o2", not_before=NOON, not_after=WEEK))
    with pytest.raises(MoreThanOwn):
        service.share(gift(actions=("unlock", "horn")), HANA)
    given = service.share(replace(gift("g2"), not_after=NOON + timedelta(days=300)), HANA).grant
    assert (given.not_before, given.not_after) == (NOON, WEEK)
    assert given.actions == ("unlock", "lock")


def test_r10_a_key_for_so_many_uses_cannot_be_multiplied_by_giving_it_away(service: SmartKeyService) -> None:
    service.issue(order(max_uses=1))
    with pytest.raises(MoreThanOwn):
        service.share(gift(), HANA)


def test_r10_a_drivers_key_ends_with_the_contract_whoever_gives_it(service: SmartKeyService) -> None:
    assert isinstance(service.contracts, Contracts)
    service.contracts.change(ends_at=NOON + timedelta(days=1))
    given = service.issue(order(holder="2", not_after=WEEK)).grant
    assert given.not_after == NOON + timedelta(days=1)
    service.contracts.change(ends_at=NOON)
    with pytest.raises(BadWindow):
        service.issue(order("o2", holder="2", not_after=WEEK))


def test_only_the_customer_gives_keys_away(service: SmartKeyService) -> None:
    rescued(service)
    for caller, refusal in ((DUL, OnlyTheCustomer), (Caller("lee"), UnknownContract)):
        with pytest.raises(refusal):
            service.share(gift(), caller)
    with pytest.raises(UnknownHolder):
        service.share(replace(gift(), holder="customer"), HANA)


@pytest.mark.parametrize(("holder", "refusal"), [("3", LicenceNotVerified), ("9", UnknownHolder)])
def test_only_a_verified_driver_of_the_contract_gets_one(
    service: SmartKeyService, holder: str, refusal: type[Exception]
) -> None:
    rescued(service)
    with pytest.raises(refusal):
        service.share(replace(gift(), holder=holder), HANA)


def test_who_has_bills_to_pay_gives_nothing_away(service: SmartKeyService) -> None:
    rescued(service)
    first = service.share(gift(), HANA)
    assert isinstance(service.bills, Bills)
    service.bills.due.add(KIM)
    assert service.share(gift(), HANA).grant.grant_id == first.grant.grant_id
    with pytest.raises(BillOverdue):
        service.share(gift("g2"), HANA)


def test_sharing_twice_with_one_key_is_sharing_once(service: SmartKeyService, facts: Facts) -> None:
    rescued(service)
    with ThreadPoolExecutor(4) as presses:
        given = list(presses.map(lambda _: service.share(gift(), HANA).grant.grant_id, range(4)))
    assert len(set(given)) == 1
    assert [fact.type for fact in facts()] == ["SmartKeyLinkIssued"] * 2
    with pytest.raises(KeyReused):
        service.share(gift(fingerprint="another"), HANA)


def test_r10_what_operations_ended_only_operations_give_again(service: SmartKeyService) -> None:
    rescued(service)
    given = service.share(gift(), HANA).grant
    service.revoke(KIM, given.grant_id, by="olga", reason="court order")
    with pytest.raises(Withheld):
        service.share(gift("g2"), HANA)
    again = service.issue(order("o2", holder="2")).grant
    service.take_back(KIM, again.grant_id, HANA)
    assert service.share(gift("g3"), HANA).grant.is_live(NOON)


def test_r10_each_is_listed_sent_again_and_taken_back(service: SmartKeyService, facts: Facts) -> None:
    own = rescued(service)
    given = service.share(gift(), HANA).grant
    assert {each.grant_id for each in service.held(KIM, HANA).grants} == {own.grant_id, given.grant_id}
    assert [each.grant_id for each in service.held(KIM, DUL).grants] == [given.grant_id]
    assert [service.send_mine(KIM, given.grant_id, HANA, "k1") for _ in range(2)] == [True, False]
    assert service.send_mine(KIM, given.grant_id, DUL, "k1")
    assert [fact.data["send_no"] for fact in facts()] == [1, 1, 2, 3]
    revoked = service.take_back(KIM, given.grant_id, HANA)
    assert revoked == service.take_back(KIM, given.grant_id, HANA)
    assert service.held(KIM, DUL).grants[0].state == State.REVOKED
    assert {each.grant_id for each in service.of_contract(KIM) if each.is_live(NOON)} == {own.grant_id}


def test_what_is_not_ones_own_is_unknown(service: SmartKeyService) -> None:
    own = rescued(service)
    given = service.share(gift(), HANA).grant
    lees = rescued(service, LEE, "evt_2")
    for caller, grant_id in ((DUL, own.grant_id), (HANA, lees.grant_id), (HANA, "grt_x")):
        with pytest.raises(UnknownGrant):
            service.send_mine(KIM, grant_id, caller, "k1")
        with pytest.raises(UnknownGrant):
            service.take_back(KIM, grant_id, caller)
    for stranger in (
        Caller("lee"),
        Caller("x", phone="+821099999999"),
        Caller("park", phone="+821033333333"),
    ):
        with pytest.raises(UnknownContract):
            service.held(KIM, stranger)
        with pytest.raises(UnknownContract):
            service.send_mine(KIM, given.grant_id, stranger, "k1")


def test_some_keys_end_only_by_operations(service: SmartKeyService) -> None:
    own = rescued(service)
    given = service.share(gift(), HANA).grant
    with pytest.raises(OnlyOperations):
        service.take_back(KIM, own.grant_id, HANA)
    with pytest.raises(OnlyTheCustomer):
        service.take_back(KIM, given.grant_id, DUL)


def test_where_the_car_is_they_see_while_it_is_theirs(service: SmartKeyService) -> None:
    assert (service.held(KIM, DUL).car, service.held(KIM, HANA).car is None) == (None, False)
    service.issue(order(holder="2"))
    seen = service.held(KIM, DUL)
    assert seen.car is not None
    assert seen.state is not None
    assert (dict(seen.names), list(seen.drivers)) == ({}, [])
    assert dict(service.held(KIM, HANA).names)["2"] == "이둘"
    assert isinstance(service.contracts, Contracts)
    service.contracts.change(open=False)
    gone = service.held(KIM, HANA)
    assert (gone.car, gone.state) == (None, None)


def test_r09_a_driver_known_by_phone_is_not_told_where_the_car_is(
    service: SmartKeyService, clock: Hands
) -> None:
    """Nor is a customer who signed in long ago."""
    service.issue(order(holder="2"))
    located = {caller.id: service.held(KIM, caller).located for caller in (HANA, DUL)}
    assert located == {"kim": True, "dul": False}
    assert ContractKeys.of(service.held(KIM, DUL)).car.position is None  # type: ignore[union-attr]
    assert ContractKeys.of(service.held(KIM, HANA)).car.position is not None  # type: ignore[union-attr]
    clock.move(hours=24)
    assert not service.held(KIM, HANA).located
    assert not service.held(KIM, replace(HANA, authenticated_at=None)).located


def test_operations_send_again_once_for_each_key_and_only_what_lives(service: SmartKeyService) -> None:
    grant = rescued(service)
    first = [service.send_again(KIM, grant.grant_id, "olga", key) for key in ("k1", "k1", "k2", "k1")]
    assert (first, service.of_contract(KIM)[0].send_no) == ([True, False, True, False], 3)
    service.revoke(KIM, grant.grant_id, by="olga")
    with pytest.raises(GrantEnded):
        service.send_again(KIM, grant.grant_id, "olga", "k3")
    assert service.send_again(KIM, grant.grant_id, "olga", "k1") is False
    with pytest.raises(UnknownGrant):
        service.send_again(LEE, grant.grant_id, "olga", "k4")


def named() -> Order:
    return order(holder="person:aunt000001", person=AUNT)


def test_a_person_named_by_operations_opens_the_car_with_a_proof_of_their_own(
    service: SmartKeyService,
) -> None:
    grant = service.issue(named()).grant
    assert service.party(KIM, grant.holder).phone == "+821055556666"
    code = code_of(service, grant)
    for proof in (BORN, "1961"):
        with pytest.raises(Exception, match="does not match"):
            service.exchange(code, proof, None)
    token = service.exchange(code, "610304", None)
    assert admitted(service, token, NOON).who == f"person:{grant.grant_id}"
    service.resend("010-5555-6666", "610304", None)
    assert service.of_contract(KIM)[0].send_no == 2
    assert dict(service.held(KIM, HANA).names)[grant.holder] == "고모"


@pytest.mark.parametrize("service", ["dynamodb"], indirect=True)
def test_a_named_person_is_kept_until_a_day_after_their_key(service: SmartKeyService, dynamodb: Any) -> None:
    """Everything personal stands in one attribute of one row, which goes by itself."""
    grant = service.issue(named()).grant
    key = {"pk": {"S": f"PERSON#{KIM}"}, "sk": {"S": grant.holder}}

    def row() -> dict[str, Any]:
        found: dict[str, Any] = dynamodb.get_item(TableName="test-smartkeys", Key=key)["Item"]
        return found

    assert set(row()) == {"pk", "sk", "personal", "ttl"}
    for until in (grant.not_after, WEEK):
        service.issue(order(f"until_{until.day}", holder=grant.holder, not_after=until))
        assert int(row()["ttl"]["N"]) == (until + timedelta(days=1)).timestamp()
    others = [each for each in dynamodb.scan(TableName="test-smartkeys")["Items"] if each["pk"] != key["pk"]]
    assert [word for word in ("고모", "5555", "1961") if word in str(others)] == []


def test_who_was_never_named_gets_nothing(service: SmartKeyService) -> None:
    with pytest.raises(NotFound):
        service.issue(order(holder="person:nobody0001"))
    with pytest.raises(Malformed) as refused:
        service.issue(replace(named(), person=replace(AUNT, phone="02-123-4567")))
    assert refused.value.fields[0][0] == "/person/phone"


def test_r10_a_key_for_so_many_uses_opens_no_oftener(service: SmartKeyService) -> None:
    grant = service.issue(order(max_uses=2)).grant
    with ThreadPoolExecutor(8) as presses:
        verdicts = list(
            presses.map(lambda n: still(service, Press(grant.grant_id, f"cmd_{n}"), NOON), range(8))
        )
    assert verdicts.count(None) == 2
    assert {type(verdict) for verdict in verdicts} == {type(None), GrantUsedUp}
    assert still(service, Press(grant.grant_id, action="lock"), NOON) is None


def test_a_use_that_opened_nothing_comes_back_and_one_that_did_not_never(service: SmartKeyService) -> None:
    grant = service.issue(order(max_uses=1)).grant
    press = Press(grant.grant_id)
    for state in ("NOT_SENT", "REJECTED", "FAILED"):
        assert [still(service, press, NOON) for _ in range(2)] == [None, None]
        for _ in range(2):
            service.settled(grant.grant_id, "unlock", state, NOON, press.command_id)
    assert still(service, press, NOON) is None
    for state in ("UNKNOWN", "UNKNOWN_FINAL", "SUCCEEDED"):
        service.settled(grant.grant_id, "unlock", state, NOON, press.command_id)
    assert isinstance(still(service, Press(grant.grant_id, "cmd_2"), NOON), GrantUsedUp)
    assert service.of_contract(KIM)[0].uses_left == 0


def test_a_new_number_of_uses_begins_anew(service: SmartKeyService) -> None:
    grant = service.issue(order(max_uses=1)).grant
    assert still(service, Press(grant.grant_id), NOON) is None
    service.issue(order("o2", max_uses=1))
    assert still(service, Press(grant.grant_id, "cmd_2"), NOON) is None


def test_an_incident_never_shortens_a_key_and_sends_one_link(service: SmartKeyService, facts: Facts) -> None:
    own = service.issue(order(not_after=NOON + timedelta(days=30))).grant
    rescue = order("i1", not_after=NOON + timedelta(days=1), incident_id="inc_1")
    for _ in range(2):
        grant = service.issue(rescue).grant
    assert (grant.grant_id, grant.not_after) == (own.grant_id, own.not_after)
    assert (grant.incident_id, [fact.data["send_no"] for fact in facts()]) == ("inc_1", [1, 2])


def test_a_contract_that_is_over_gets_no_key(service: SmartKeyService) -> None:
    assert isinstance(service.contracts, Contracts)
    service.contracts.change(open=False)
    with pytest.raises(ContractOver):
        service.issue(order())
    assert service.rescue(KIM, "KeyShipmentEscalated", "evt_1") is None


@pytest.mark.parametrize(("at", "refusal"), [(NOON + timedelta(days=3), GrantExpired), (NOON, GrantRevoked)])
def test_a_giver_whose_own_key_is_over_gives_nothing(
    service: SmartKeyService, clock: Hands, at: datetime, refusal: type[Exception]
) -> None:
    own = service.issue(order(not_after=NOON + timedelta(days=2))).grant
    if refusal is GrantRevoked:
        service.revoke(KIM, own.grant_id, by="olga")
    clock.at = at
    with pytest.raises(refusal):
        service.share(replace(gift(), not_after=at + timedelta(days=1)), HANA)


def test_strangers_who_ask_for_a_number_do_not_keep_its_owner_waiting(service: SmartKeyService) -> None:
    grant = rescued(service)
    for _ in range(3):
        service.resend(PHONE, "000000", None)
    assert [service.send_mine(KIM, grant.grant_id, HANA, f"k{number}") for number in range(3)] == [True] * 3
    with pytest.raises(TooManyAsks):
        service.send_mine(KIM, grant.grant_id, HANA, "k4")


def test_a_link_made_anew_ends_the_one_before(service: SmartKeyService) -> None:
    rescued(service)
    given = service.share(gift(), HANA).grant
    old = code_of(service, given)
    service.send_mine(KIM, given.grant_id, HANA, "k1")
    with pytest.raises(LinkInvalid):
        service.exchange(old, BORN, None)
    assert service.party(KIM, "2").phone == PHONE_2
