from datetime import timedelta
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from msgspec.structs import replace

from chalicelib.incidents.model import (
    APPROVAL_SIZE,
    BATCH,
    IN_WORK,
    PER_SECOND,
    ROW,
    START,
    UNKNOWN,
    BadWindow,
    Event,
    Happened,
    Incident,
    Key,
    OtherTerms,
    Outcome,
    Row,
    SecondPersonNeeded,
    State,
    Work,
    dry_run_of,
    funnel_of,
    left_out,
)
from chalicelib.kernel.states import IllegalMove
from tests.conftest import NOON

KEY_POST = Incident("inc_1", "Key post", "wrong keys", 3, "olga", NOON, "fp")
BIG = replace(KEY_POST, affected=APPROVAL_SIZE + 1)
WEEK = NOON + timedelta(days=7)


def test_every_state_of_a_batch_is_reached_and_only_a_revoked_one_is_final() -> None:
    assert BATCH.reachable(START) == BATCH.states == set(State)
    assert BATCH.ends == {State.REVOKED}


def test_every_outcome_is_reached_and_only_a_revoked_key_is_final() -> None:
    assert ROW.reachable(Outcome.QUEUED) == ROW.states == set(Outcome)
    assert ROW.ends == {Outcome.REVOKED}


@pytest.mark.parametrize(("state", "event"), list(product(State, Event)))
def test_a_batch_moves_only_where_the_table_says(state: State, event: Event) -> None:
    rows = {(a, e) for a, e, _, _ in BATCH.rows}
    if (state, event) not in rows:
        with pytest.raises(IllegalMove):
            BATCH.after(state, event)


def test_a_small_batch_starts_at_once_and_a_large_one_waits_for_a_second_person() -> None:
    small = replace(KEY_POST, affected=APPROVAL_SIZE).asked("olga", None, 0, NOON)
    assert (small.state, small.run, small.not_after) == (State.RUNNING, 1, WEEK)
    large = BIG.asked("olga", None, 0, NOON)
    assert (large.state, large.run) == (State.AWAITING_APPROVAL, 0)


def test_r15_many_small_batches_of_one_person_are_a_large_one() -> None:
    assert KEY_POST.asked("olga", None, APPROVAL_SIZE - 3, NOON).state == State.RUNNING
    assert KEY_POST.asked("olga", None, APPROVAL_SIZE - 2, NOON).state == State.AWAITING_APPROVAL


def test_r15_the_second_person_is_another_one() -> None:
    waiting = BIG.asked("olga", None, 0, NOON)
    with pytest.raises(SecondPersonNeeded):
        waiting.approved("olga", NOON)
    running = waiting.approved("oscar", NOON)
    assert (running.state, running.issuer) == (State.RUNNING, "oscar")


def test_approval_comes_too_late_when_the_keys_would_be_over() -> None:
    waiting = BIG.asked("olga", NOON + timedelta(hours=1), 0, NOON)
    with pytest.raises(BadWindow):
        waiting.approved("oscar", NOON + timedelta(hours=1))


@pytest.mark.parametrize("days", [-1, 0, 367])
def test_keys_end_in_the_future_and_within_a_year(days: int) -> None:
    with pytest.raises(BadWindow):
        KEY_POST.asked("olga", NOON + timedelta(days=days), 0, NOON)


def test_what_was_approved_keeps_its_terms() -> None:
    with pytest.raises(OtherTerms):
        KEY_POST.asked("olga", WEEK, 0, NOON).asked("olga", WEEK + timedelta(days=1), 0, NOON)


def test_asked_again_nothing_starts_over_until_the_work_should_have_been_done() -> None:
    running = KEY_POST.asked("olga", None, 0, NOON)
    soon, late = NOON + timedelta(minutes=1), NOON + IN_WORK + timedelta(minutes=1)
    assert running.asked("oscar", None, 0, soon) == running
    assert running.asked("oscar", None, 0, late).run == 2
    revoking = running.revoked("olga", "fixed", NOON)
    assert revoking.revoked("olga", "fixed", soon) == revoking
    assert revoking.revoked("olga", "fixed", late).run == 3


@given(affected=some.integers(1, 2000), work=some.sampled_from(Work))
@settings(max_examples=25)
def test_the_pieces_of_a_run_hold_every_row_once(affected: int, work: Work) -> None:
    incident = replace(KEY_POST, affected=affected)
    pieces = list(incident.pieces(work, 1, NOON))
    rows = [row for piece in pieces for row in range(piece.first, piece.first + piece.count)]
    assert rows == list(range(affected))
    assert len(pieces) == incident.count_of_pieces(work)


def test_r15_texts_take_their_turns_at_the_pace_the_provider_takes_them() -> None:
    pieces = list(replace(KEY_POST, affected=10_000).pieces(Work.ISSUE, 1, NOON))
    assert {piece.count for piece in pieces} == {PER_SECOND}
    assert [piece.due - NOON for piece in pieces[:3]] == [timedelta(seconds=n) for n in range(3)]
    assert pieces[-1].due - NOON == timedelta(seconds=10_000 / PER_SECOND - 1)


@given(some.lists(some.sampled_from(Happened), max_size=8), some.booleans())
@settings(max_examples=50)
def test_whatever_is_heard_a_row_never_falls_behind_what_was_proven(
    heard: list[Happened], unlocked: bool
) -> None:
    claimed = Row("inc_1", "con_kim", NOON).touched(1, Happened.CLAIMED, NOON)
    row = claimed.with_key(Key("grt_kim", unlocked=unlocked), NOON)
    order = [
        Outcome.UNREACHABLE,
        Outcome.ISSUED,
        Outcome.SENT,
        Outcome.OPENED,
        Outcome.UNLOCKED,
        Outcome.REVOKED,
    ]
    for event in heard:
        if event in (Happened.TEXT_REFUSED, Happened.KEY_KEPT):
            continue
        after = row.heard(event, NOON) or row
        assert order.index(after.outcome) >= order.index(row.outcome)
        row = after
    if unlocked and Happened.KEY_REVOKED not in heard:
        assert row.outcome == Outcome.UNLOCKED


@given(
    affected=some.integers(0, 100),
    counted=some.dictionaries(
        some.sampled_from([o for o in Outcome if o not in UNKNOWN]), some.integers(0, 9)
    ),
)
@settings(max_examples=30)
def test_the_funnel_always_adds_up(affected: int, counted: dict[Outcome, int]) -> None:
    funnel = funnel_of(affected, counted)
    parts = [getattr(funnel, name) for name in funnel.__struct_fields__ if name != "affected"]
    assert sum(parts) == funnel.affected == affected


@pytest.mark.parametrize(
    ("state", "car_id", "reason"),
    [
        ("preparing", "car-1", None),
        ("active", "car-1", None),
        ("return_overdue", "car-1", None),
        ("preparing", None, "NO_CAR"),
        ("closed", "car-1", "CONTRACT_CLOSED"),
        ("cancelled", None, "CONTRACT_CANCELLED"),
    ],
)
def test_only_who_may_need_the_car_gets_a_key(state: str, car_id: str | None, reason: str | None) -> None:
    assert left_out(state, car_id) == reason


def test_a_dry_run_adds_its_pieces() -> None:
    found = dry_run_of([{"issue": 98, "NO_CAR": 2}, {"issue": 5}])
    assert (found.checked, found.outcomes) == (105, {"NO_CAR": 2, "issue": 103})
