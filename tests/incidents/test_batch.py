"""What operations do with an incident, and what becomes of its rows."""

from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise

import pytest

from chalicelib.incidents.model import (
    APPROVAL_SIZE,
    IN_WORK,
    Happened,
    Outcome,
    Piece,
    RowInWork,
    SecondPersonNeeded,
    State,
    UnknownIncident,
    Work,
)
from chalicelib.incidents.service import IncidentService
from chalicelib.kernel.audit import Head, broken_at
from chalicelib.kernel.errors import Busy, KeyReused, Refused
from chalicelib.kernel.facts import Fact
from tests.conftest import NOON, Hands
from tests.incidents.examples import (
    OLGA,
    OSCAR,
    Contracts,
    Crash,
    Queue,
    SmartKeys,
    Standing,
    adds_up,
    all_rows,
    contracts_named,
    opened,
)

Facts = Callable[[], list[Fact]]
Run = Callable[[], None]


class NoSuchPhone(Refused):
    """This customer has no phone."""


def outcomes(service: IncidentService, incident_id: str) -> list[str]:
    return [row.outcome.value for row in all_rows(service, service.see(incident_id))]


def test_an_incident_knows_whom_it_affects_and_sends_nothing(
    service: IncidentService, smartkeys: SmartKeys, facts: Facts
) -> None:
    named = [*contracts_named(3), "con_0001"]
    incident = service.open("Key post", "wrong keys", named, OLGA, "k1", "fp").value
    assert [
        row.contract_id for row in all_rows(service, service.see(incident.incident_id))
    ] == contracts_named(3)
    assert service.see(incident.incident_id).funnel.queued == incident.affected == 3
    assert (smartkeys.texts, [fact.type for fact in facts()]) == ([], ["IncidentOpened"])


def test_the_same_key_opens_one_incident(service: IncidentService) -> None:
    first = opened(service)
    again = service.open("Key post", "wrong keys", contracts_named(3), OLGA, "k1", "fp-k1")
    assert (again.value, again.replayed) == (first, True)
    with pytest.raises(KeyReused):
        service.open("Other", "wrong keys", contracts_named(3), OLGA, "k1", "fp-2")


def test_nobody_knows_an_incident_that_was_not_opened(service: IncidentService) -> None:
    with pytest.raises(UnknownIncident):
        service.see("inc_none")


def test_the_newest_incident_stands_first(service: IncidentService, clock: Hands) -> None:
    made = []
    for key in ("k1", "k2", "k3"):
        made.append(opened(service, key=key).incident_id)
        clock.move(minutes=1)
    page, last = service.latest(2, None)
    rest, end = service.latest(2, last)
    assert [each.incident.incident_id for each in [*page, *rest]] == made[::-1]
    assert end is None


def test_a_small_batch_gives_everybody_one_key_and_is_done(
    service: IncidentService, smartkeys: SmartKeys, facts: Facts, work: Run
) -> None:
    incident_id = opened(service).incident_id
    assert not service.give(incident_id, OLGA, None).replayed
    work()
    seen = service.see(incident_id)
    assert (seen.incident.state, seen.funnel.issued) == (State.DONE, 3)
    assert smartkeys.texts == contracts_named(3)
    assert [fact.type for fact in facts()] == ["IncidentOpened", "IncidentWorkStarted", "IncidentWorkDone"]
    assert adds_up(service, incident_id)


def test_r15_a_batch_that_is_done_is_asked_again_and_nothing_changes(
    service: IncidentService, smartkeys: SmartKeys, facts: Facts, work: Run, queue: Queue
) -> None:
    incident_id = opened(service).incident_id
    service.give(incident_id, OLGA, None)
    work()
    told = len(facts())
    assert service.give(incident_id, OSCAR, None).replayed
    service.spread(incident_id, Work.ISSUE, 1)
    queue.run(service)
    assert (len(smartkeys.texts), len(facts())) == (3, told)


def test_r15_a_dry_run_says_what_would_happen_and_changes_nothing(
    service: IncidentService, smartkeys: SmartKeys, contracts: Contracts, work: Run
) -> None:
    contracts.others = {"con_0001": None, "con_0002": Standing("closed")}
    incident_id = opened(service, 120).incident_id
    assert service.dry_run(incident_id, OLGA).dry_run is not None
    work()
    seen = service.see(incident_id)
    assert seen.dry_run is not None
    assert seen.dry_run.checked == 120
    assert seen.dry_run.outcomes == {"issue": 118, "UNKNOWN_CONTRACT": 1, "CONTRACT_CLOSED": 1}
    assert (seen.incident.state, seen.funnel.queued) == (State.DRAFT, 120)
    assert (smartkeys.texts, smartkeys.orders) == ([], {})


def test_a_dry_run_in_between_does_not_hold_up_the_batch(
    service: IncidentService, work: Run, queue: Queue
) -> None:
    incident_id = opened(service).incident_id
    service.give(incident_id, OLGA, None)
    service.spread(incident_id, Work.ISSUE, 1)
    service.dry_run(incident_id, OSCAR)
    work()
    assert service.see(incident_id).incident.state == State.DONE


def test_r15_a_large_batch_waits_for_a_second_person(service: IncidentService, smartkeys: SmartKeys) -> None:
    incident_id = opened(service, APPROVAL_SIZE + 1).incident_id
    assert service.give(incident_id, OLGA, None).value.incident.state == State.AWAITING_APPROVAL
    assert service.give(incident_id, OLGA, None).replayed
    with pytest.raises(SecondPersonNeeded):
        service.approve(incident_id, OLGA)
    assert smartkeys.texts == []
    assert service.approve(incident_id, OSCAR).value.incident.state == State.RUNNING
    assert service.approve(incident_id, OSCAR).replayed
    service.work(Piece(incident_id, Work.ISSUE, 1, 0, 3, NOON))
    assert smartkeys.texts == contracts_named(3)


def test_who_needs_no_key_is_left_out_with_a_reason(
    service: IncidentService, smartkeys: SmartKeys, contracts: Contracts, work: Run
) -> None:
    contracts.others = {"con_0000": None, "con_0001": Standing("active", None)}
    smartkeys.refused = {"con_0002": NoSuchPhone()}
    incident_id = opened(service, 4).incident_id
    service.give(incident_id, OLGA, None)
    work()
    rows = all_rows(service, service.see(incident_id))
    assert [(row.outcome, row.reason) for row in rows] == [
        (Outcome.SKIPPED, "UNKNOWN_CONTRACT"),
        (Outcome.SKIPPED, "NO_CAR"),
        (Outcome.FAILED, "NO_SUCH_PHONE"),
        (Outcome.ISSUED, None),
    ]
    assert service.see(incident_id).incident.state == State.DONE
    assert adds_up(service, incident_id)


def test_another_run_is_for_those_who_have_no_key_yet(
    service: IncidentService, smartkeys: SmartKeys, contracts: Contracts, work: Run
) -> None:
    contracts.others = {"con_0000": Standing("active", None), "con_0003": None}
    smartkeys.refused = {"con_0001": NoSuchPhone()}
    incident_id = opened(service, 4).incident_id
    service.give(incident_id, OLGA, None)
    work()
    contracts.others, smartkeys.refused = {"con_0003": Standing("closed")}, {}
    assert not service.give(incident_id, OLGA, None).replayed
    work()
    assert outcomes(service, incident_id) == ["issued", "issued", "issued", "skipped"]
    assert smartkeys.texts == ["con_0002", "con_0000", "con_0001"]
    assert service.see(incident_id).incident.state == State.DONE
    assert adds_up(service, incident_id)


def test_a_row_that_cannot_be_done_now_keeps_no_other_waiting(
    service: IncidentService, smartkeys: SmartKeys, queue: Queue, work: Run
) -> None:
    tries: list[str] = []

    def busy(contract_id: str) -> None:
        if contract_id == "con_0000":
            tries.append(contract_id)
            if len(tries) < 3:
                raise Busy()

    smartkeys.before = busy
    incident_id = opened(service).incident_id
    service.give(incident_id, OLGA, None)
    work()
    assert [str(problem) for problem in queue.problems] == ["{'BUSY': 1}"] * 2
    assert smartkeys.texts == ["con_0001", "con_0002", "con_0000"]
    assert service.see(incident_id).incident.state == State.DONE


def test_what_failed_for_good_stays_queued_until_it_is_asked_for_again(
    service: IncidentService, smartkeys: SmartKeys, queue: Queue, clock: Hands, work: Run
) -> None:
    def away(_: str) -> None:
        raise Busy()

    smartkeys.before = away
    incident_id = opened(service).incident_id
    service.give(incident_id, OLGA, None)
    work()
    seen = service.see(incident_id)
    assert (len(queue.failed), seen.funnel.queued, seen.incident.state) == (1, 3, State.RUNNING)
    assert service.give(incident_id, OLGA, None).replayed

    smartkeys.before = lambda _: None
    clock.at += IN_WORK + timedelta(minutes=1)
    assert not service.give(incident_id, OLGA, None).replayed
    work()
    assert (outcomes(service, incident_id), len(smartkeys.texts)) == (["issued"] * 3, 3)


@pytest.mark.parametrize("lost", ["before", "after"])
def test_a_crash_around_issuing_is_resumed_with_one_key(
    service: IncidentService, smartkeys: SmartKeys, work: Run, lost: str
) -> None:
    crashes = ["con_0001"]

    def crash(contract_id: str) -> None:
        if contract_id in crashes:
            crashes.remove(contract_id)
            raise Crash()

    setattr(smartkeys, lost, crash)
    incident_id = opened(service).incident_id
    service.give(incident_id, OLGA, None)
    work()
    assert (sorted(smartkeys.texts), outcomes(service, incident_id)) == (contracts_named(3), ["issued"] * 3)


def test_the_funnel_follows_the_facts_in_any_order(service: IncidentService, work: Run) -> None:
    incident_id = opened(service).incident_id
    service.give(incident_id, OLGA, None)
    work()
    rows = all_rows(service, service.see(incident_id))
    one, two, three = [(row.contract_id, row.grant_id or "") for row in rows]
    for contract_id, grant_id in (one, two, three):
        service.heard(contract_id, grant_id, Happened.TEXT_SENT)
        service.heard(contract_id, grant_id, Happened.TEXT_SENT)
    service.heard(*two, Happened.CAR_UNLOCKED)
    service.heard(*two, Happened.LINK_OPENED)
    service.heard(*three, Happened.LINK_OPENED)
    service.heard(one[0], "grt_other", Happened.CAR_UNLOCKED)
    service.heard("con_other", "grt_other", Happened.TEXT_SENT)
    assert outcomes(service, incident_id) == ["sent", "unlocked", "opened"]
    service.heard(*three, Happened.KEY_REVOKED)
    funnel = service.see(incident_id).funnel
    assert (funnel.sent, funnel.opened, funnel.unlocked, funnel.revoked) == (1, 0, 1, 1)
    assert adds_up(service, incident_id)


def test_who_cannot_be_texted_is_seen_and_may_still_be_reached(service: IncidentService, work: Run) -> None:
    incident_id = opened(service, 1).incident_id
    service.give(incident_id, OLGA, None)
    work()
    (row,) = all_rows(service, service.see(incident_id))
    service.heard(row.contract_id, row.grant_id or "", Happened.TEXT_REFUSED)
    assert service.see(incident_id).funnel.unreachable == 1
    service.heard(row.contract_id, row.grant_id or "", Happened.TEXT_SENT)
    assert service.see(incident_id).funnel.sent == 1


def test_who_has_opened_the_car_already_is_counted_so(
    service: IncidentService, smartkeys: SmartKeys, work: Run
) -> None:
    smartkeys.live, smartkeys.unlocked = {"con_0001": "grt_older"}, {"con_0001"}
    incident_id = opened(service).incident_id
    service.give(incident_id, OLGA, None)
    work()
    assert outcomes(service, incident_id) == ["issued", "unlocked", "issued"]


def test_news_of_a_key_that_is_just_being_issued_comes_again(
    service: IncidentService, smartkeys: SmartKeys, queue: Queue, clock: Hands, work: Run
) -> None:
    """The text may go out before the row knows its grant."""

    def hear_and_crash(contract_id: str) -> None:
        smartkeys.after = lambda _: None
        with pytest.raises(RowInWork):
            service.heard(contract_id, smartkeys.live[contract_id], Happened.TEXT_SENT)
        raise Crash()

    smartkeys.after = hear_and_crash
    incident_id = opened(service, 1).incident_id
    service.give(incident_id, OLGA, None)
    work()
    service.heard("con_0000", smartkeys.live["con_0000"], Happened.TEXT_SENT)
    assert outcomes(service, incident_id) == ["sent"]


def test_r15_revoking_ends_every_key_and_leaves_the_rest_without(
    service: IncidentService, smartkeys: SmartKeys, contracts: Contracts, work: Run, facts: Facts
) -> None:
    contracts.others = {"con_0001": None}
    incident_id = opened(service).incident_id
    service.give(incident_id, OLGA, None)
    work()
    assert not service.revoke(incident_id, OSCAR, "wrong list").replayed
    assert service.revoke(incident_id, OSCAR, "wrong list").replayed
    work()
    seen = service.see(incident_id)
    assert outcomes(service, incident_id) == ["revoked", "skipped", "revoked"]
    assert (seen.incident.state, smartkeys.live) == (State.REVOKED, {})
    assert set(smartkeys.reasons) == {"oscar: wrong list"}
    assert adds_up(service, incident_id)
    assert service.revoke(incident_id, OSCAR, "wrong list").replayed


def test_r15_a_row_that_the_fact_has_moved_first_is_no_obstacle(
    service: IncidentService, smartkeys: SmartKeys, queue: Queue, work: Run
) -> None:
    incident_id = opened(service).incident_id
    service.give(incident_id, OLGA, None)
    work()
    grants = dict(smartkeys.live)

    def heard(contract_id: str) -> None:
        service.heard(contract_id, grants[contract_id], Happened.KEY_REVOKED)

    smartkeys.after = heard
    service.revoke(incident_id, OSCAR, "wrong list")
    work()
    assert (outcomes(service, incident_id), queue.problems) == (["revoked"] * 3, [])
    assert service.see(incident_id).incident.state == State.REVOKED


def test_r15_revoking_an_incident_leaves_a_key_that_had_another_cause(
    service: IncidentService, smartkeys: SmartKeys, work: Run
) -> None:
    smartkeys.live = {"con_0001": "grt_older"}
    incident_id = opened(service).incident_id
    service.give(incident_id, OLGA, None)
    work()
    service.revoke(incident_id, OSCAR, "wrong list")
    work()
    assert smartkeys.live == {"con_0001": "grt_older"}
    assert outcomes(service, incident_id) == ["revoked", "kept", "revoked"]
    service.heard("con_0001", "grt_older", Happened.KEY_REVOKED)
    assert outcomes(service, incident_id) == ["revoked"] * 3
    assert adds_up(service, incident_id)


def test_r15_many_small_batches_of_one_person_need_a_second_one_too(
    service: IncidentService, clock: Hands
) -> None:
    states = []
    for key in ("k1", "k2", "k3"):
        incident_id = opened(service, 40, key).incident_id
        states.append(service.give(incident_id, OLGA, None).value.incident.state)
    assert states == [State.RUNNING, State.RUNNING, State.AWAITING_APPROVAL]
    service.approve(incident_id, OSCAR)
    clock.move(days=1)
    assert (
        service.give(opened(service, 40, "k4").incident_id, OLGA, None).value.incident.state == State.RUNNING
    )


def test_r15_revoking_in_the_midst_of_issuing_leaves_no_live_key(
    service: IncidentService, smartkeys: SmartKeys, queue: Queue, facts: Facts, work: Run
) -> None:
    """Every row before, at and behind the one that is just being issued, and a run that goes on unaware."""
    meanwhile: list[str] = ["con_0002"]

    def revoke(contract_id: str) -> None:
        if contract_id in meanwhile:
            meanwhile.remove(contract_id)
            service.revoke(incident_id, OSCAR, "wrong list")
            work()

    smartkeys.before = revoke
    incident_id = opened(service, 5).incident_id
    service.give(incident_id, OLGA, None)
    work()
    assert smartkeys.live == {}
    assert service.see(incident_id).incident.state == State.REVOKED
    assert outcomes(service, incident_id) == ["revoked", "revoked", "revoked", "skipped", "skipped"]
    assert adds_up(service, incident_id)


@pytest.mark.parametrize("lost", ["before", "after"])
def test_r15_a_crash_while_revoking_is_resumed(
    service: IncidentService, smartkeys: SmartKeys, work: Run, lost: str
) -> None:
    incident_id = opened(service).incident_id
    service.give(incident_id, OLGA, None)
    work()
    crashes = contracts_named(3)

    def crash(contract_id: str) -> None:
        if contract_id in crashes:
            crashes.remove(contract_id)
            raise Crash()

    setattr(smartkeys, lost, crash)
    service.revoke(incident_id, OLGA, "wrong list")
    work()
    assert (smartkeys.live, len(smartkeys.reasons)) == ({}, 3)
    assert service.see(incident_id).incident.state == State.REVOKED


def test_a_batch_that_nobody_started_can_be_withdrawn(
    service: IncidentService, smartkeys: SmartKeys, work: Run
) -> None:
    incident_id = opened(service).incident_id
    service.revoke(incident_id, OLGA, "false alarm")
    work()
    assert outcomes(service, incident_id) == ["skipped"] * 3
    assert (service.see(incident_id).incident.state, smartkeys.texts) == (State.REVOKED, [])


def test_two_incidents_share_one_pace(service: IncidentService, queue: Queue) -> None:
    for key in ("k1", "k2"):
        incident_id = opened(service, 60, key).incident_id
        service.give(incident_id, OLGA, None)
        service.spread(incident_id, Work.ISSUE, 1)
    turns = [piece.due for piece, _ in queue.pieces]
    assert len(turns) == 6
    assert all(later - earlier >= timedelta(seconds=1) for earlier, later in pairwise(turns))


def test_a_piece_that_comes_early_goes_back(service: IncidentService, queue: Queue) -> None:
    incident_id = opened(service, 60).incident_id
    service.give(incident_id, OLGA, None)
    service.spread(incident_id, Work.ISSUE, 1)
    late = queue.pieces[-1][0]
    assert service.work(late) == 0
    assert queue.pieces[-1][0] == late
    assert service.see(incident_id).funnel.queued == 60


def test_rows_come_in_pages(service: IncidentService, work: Run) -> None:
    incident = opened(service, 603)
    rows = [row for first in range(0, 603, 250) for row in service.rows(incident, first, 250)]
    assert [row.contract_id for row in rows] == contracts_named(603)


def test_r14_every_step_of_an_incident_is_in_a_log_that_cannot_be_changed_unseen(
    service: IncidentService, work: Run, facts: Facts, request: pytest.FixtureRequest
) -> None:
    from chalicelib.incidents.store import IncidentItem, IncidentStore
    from chalicelib.kernel.tables import read_log

    incident_id = opened(service).incident_id
    service.give(incident_id, OLGA, None)
    work()
    service.revoke(incident_id, OSCAR, "wrong list")
    work()
    in_memory = not isinstance(service.store, IncidentStore)
    lines = service.store.logs[incident_id] if in_memory else read_log(IncidentItem, incident_id)  # type: ignore[attr-defined]
    assert [(line.what, line.who, line.about["state"]) for line in lines] == [
        ("IncidentOpened", OLGA, "draft"),
        ("IncidentWorkStarted", OLGA, "running"),
        ("IncidentWorkDone", "worker", "done"),
        ("IncidentWorkStarted", OSCAR, "revoking"),
        ("IncidentWorkDone", "worker", "revoked"),
    ]
    assert all("wrong" not in str(line) for line in lines), "free text can be erased"
    assert broken_at(lines, Head()) is None
    assert lines[-1].head == service.see(incident_id).incident.head
