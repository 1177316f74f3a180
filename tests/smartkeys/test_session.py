from collections.abc import Callable
from datetime import timedelta

import pytest

from chalicelib.kernel.facts import Fact
from chalicelib.kernel.states import IllegalMove
from chalicelib.smartkeys.model import (
    SESSION_LIFE,
    GrantRevoked,
    LinkInvalid,
    NotYetValid,
    SessionEnded,
    State,
    UnknownGrant,
)
from chalicelib.smartkeys.service import SmartKeyService
from tests.conftest import NOON, Hands
from tests.smartkeys.examples import BORN, KIM, LEE, admitted, code_of, order, rescued

Facts = Callable[[], list[Fact]]


@pytest.fixture
def token(service: SmartKeyService) -> str:
    return service.exchange(code_of(service, rescued(service)), BORN, None)


def test_the_page_shows_the_car(service: SmartKeyService, token: str) -> None:
    key = service.view(token)
    assert (key.car.plate, key.car.model, key.state.online, key.state.last_seen) == (
        "12가 3456",
        "Casper",
        True,
        NOON,
    )


def test_signing_out_ends_the_session_and_not_the_grant(service: SmartKeyService, token: str) -> None:
    service.sign_out(token)
    service.sign_out(token)
    service.sign_out(None)
    with pytest.raises(SessionEnded):
        admitted(service, token, NOON)
    assert service.of_contract(KIM)[0].state == State.LIVE


def test_r11_revoking_ends_sessions_and_the_unused_link(
    service: SmartKeyService, facts: Facts, token: str
) -> None:
    (grant,) = service.of_contract(KIM)
    service.issue(order())
    unused = code_of(service, grant, send_no=2)
    for _ in range(2):
        service.revoke(KIM, grant.grant_id, by="olga")
    with pytest.raises(GrantRevoked):
        admitted(service, token, NOON)
    with pytest.raises(LinkInvalid):
        service.exchange(unused, BORN, None)
    (revoked,) = service.of_contract(KIM)
    assert (revoked.state, revoked.revoked_at, revoked.revoked_by) == (State.REVOKED, NOON, "olga")
    (told,) = [fact for fact in facts() if fact.type == "SmartKeyRevoked"]
    assert told.data == {"grant_id": grant.grant_id, "contract_id": KIM}


def test_only_the_contracts_own_grant_is_revoked(service: SmartKeyService, token: str) -> None:
    (grant,) = service.of_contract(KIM)
    for contract_id, grant_id in ((LEE, grant.grant_id), (KIM, "grt_x")):
        with pytest.raises(UnknownGrant):
            service.revoke(contract_id, grant_id, by="olga")
    assert admitted(service, token, NOON)


def test_what_is_over_cannot_be_revoked(service: SmartKeyService, clock: Hands) -> None:
    grant = rescued(service)
    clock.move(days=7)
    with pytest.raises(IllegalMove):
        service.revoke(KIM, grant.grant_id, by="olga")


def test_a_key_for_later_waits_for_its_time(service: SmartKeyService, clock: Hands) -> None:
    later = NOON + timedelta(hours=2)
    grant = service.issue(order(not_before=later)).grant
    token = service.exchange(code_of(service, grant), BORN, None)
    with pytest.raises(NotYetValid):
        admitted(service, token, clock())
    assert admitted(service, token, later).grant_id == grant.grant_id


def test_a_session_ends_by_itself(service: SmartKeyService) -> None:
    grant = service.issue(order(not_after=NOON + timedelta(days=200))).grant
    token = service.exchange(code_of(service, grant), BORN, None)
    assert admitted(service, token, NOON + SESSION_LIFE - timedelta(seconds=1))
    with pytest.raises(SessionEnded):
        admitted(service, token, NOON + SESSION_LIFE)


def test_a_widened_grant_keeps_its_sessions(service: SmartKeyService, clock: Hands, token: str) -> None:
    clock.move(days=6)
    rescued(service, cause="evt_wrong_address")
    clock.move(days=6)
    assert admitted(service, token, clock())
