from datetime import UTC, date, datetime, timedelta

import pytest

from chalicelib.smartkeys.model import Stage
from chalicelib.smartkeys.service import SmartKeyService
from tests.conftest import NOON, Hands
from tests.smartkeys.examples import BORN, KIM, LEE, code_of, order, rescued
from tests.smartkeys.test_exchange import guess

TODAY = date(2026, 3, 2)


def test_every_grant_of_the_day_is_counted_where_it_stands(service: SmartKeyService) -> None:
    opened = rescued(service, KIM, "evt_1")
    service.exchange(code_of(service, opened), BORN, None)
    service.settled(opened.grant_id, "unlock", "SUCCEEDED", NOON)
    sent = rescued(service, LEE, "evt_2")
    service.sent(sent.grant_id, NOON)
    waiting = service.issue(order(holder="2")).grant
    funnel = service.funnel(TODAY)
    assert (funnel.issued, funnel.sent, funnel.opened, funnel.unlocked) == (3, 2, 1, 1)
    stuck = {each.grant_id: (each.stage, each.car_id) for each in funnel.stuck}
    assert stuck == {
        sent.grant_id: (Stage.SENT, "car-0002"),
        waiting.grant_id: (Stage.ISSUED, "car-0001"),
    }


def test_a_fact_counts_once_and_the_first_time_stays(service: SmartKeyService) -> None:
    grant = rescued(service)
    for minutes in (1, 0, 2):
        service.sent(grant.grant_id, NOON + timedelta(minutes=minutes))
        service.settled(grant.grant_id, "unlock", "ALREADY_DONE", NOON + timedelta(minutes=minutes))
    (seen,) = service.of_contract(KIM)
    assert seen.sent_at == seen.unlocked_at == NOON + timedelta(minutes=1)


@pytest.mark.parametrize(
    ("action", "state"),
    [("unlock", "UNKNOWN"), ("unlock", "REJECTED"), ("lock", "SUCCEEDED"), ("horn", "SUCCEEDED")],
)
def test_only_an_open_car_is_unlocked(service: SmartKeyService, action: str, state: str) -> None:
    grant = rescued(service)
    service.settled(grant.grant_id, action, state, NOON)
    assert service.funnel(TODAY).unlocked == 0


def test_facts_about_other_peoples_grants_pass_by(service: SmartKeyService) -> None:
    service.sent("grt_unknown", NOON)
    service.settled("staff_17", "unlock", "SUCCEEDED", NOON)
    assert service.funnel(TODAY).issued == 0


def test_facts_may_overtake_each_other(service: SmartKeyService) -> None:
    grant = rescued(service)
    service.settled(grant.grant_id, "unlock", "SUCCEEDED", NOON)
    funnel = service.funnel(TODAY)
    assert (funnel.sent, funnel.opened, funnel.unlocked, funnel.stuck) == (1, 1, 1, ())


def test_ended_before_it_opened_is_not_stuck(service: SmartKeyService, clock: Hands) -> None:
    revoked = rescued(service, KIM, "evt_1")
    service.revoke(KIM, revoked.grant_id, by="olga")
    rescued(service, LEE, "evt_2")
    assert (service.funnel(TODAY).revoked, len(service.funnel(TODAY).stuck)) == (1, 1)
    clock.move(days=7)
    funnel = service.funnel(TODAY)
    assert (funnel.issued, funnel.revoked, funnel.expired, funnel.stuck) == (2, 1, 1, ())


def test_a_dead_link_shows_among_the_stuck(service: SmartKeyService) -> None:
    grant = rescued(service)
    guess(service, code_of(service, grant), 5)
    assert [each.link_died for each in service.funnel(TODAY).stuck] == [True]
    service.issue(order())
    assert [each.link_died for each in service.funnel(TODAY).stuck] == [False]


def test_a_day_begins_at_midnight_in_seoul(service: SmartKeyService, clock: Hands) -> None:
    clock.at = datetime(2026, 3, 2, 14, 59, tzinfo=UTC)
    rescued(service, KIM, "evt_1")
    clock.at = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
    rescued(service, LEE, "evt_2")
    assert [service.funnel(day).issued for day in (TODAY, date(2026, 3, 3))] == [1, 1]
