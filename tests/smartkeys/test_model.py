from datetime import datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as some
from msgspec.structs import replace

from chalicelib.kernel.states import IllegalMove
from chalicelib.smartkeys.model import (
    ASKS,
    ASKS_WINDOW,
    LIFE,
    LINK_LIFE,
    START,
    Event,
    Grant,
    State,
    TooManyAsks,
    decide,
    funnel_of,
    link_code,
    phone_mark,
    session_token,
    with_ask,
)
from tests.conftest import NOON
from tests.smartkeys.examples import order

MOVES = {(State.LIVE, Event.REVOKE), (State.LIVE, Event.T_NOT_AFTER)}
GRANT = decide(order(), None, "car-0001", NOON)


@pytest.mark.parametrize(("state", "event"), list(product(State, Event)))
def test_a_grant_moves_only_where_the_table_says(state: State, event: Event) -> None:
    assert LIFE.allows(state, event) == ((state, event) in MOVES)
    if (state, event) not in MOVES:
        with pytest.raises(IllegalMove):
            LIFE.after(state, event)


def test_every_state_is_reached_and_every_open_one_has_a_timer() -> None:
    assert LIFE.reachable(START) == LIFE.states == set(State)
    assert LIFE.ends == {State.REVOKED, State.EXPIRED}
    assert LIFE.allows(State.LIVE, Event.T_NOT_AFTER)


def test_a_grant_expires_by_the_clock_alone() -> None:
    moment = timedelta(microseconds=1)
    assert GRANT.state_at(GRANT.not_after - moment) == State.LIVE
    assert GRANT.state_at(GRANT.not_after) == State.EXPIRED
    revoked = replace(GRANT, state=State.REVOKED)
    assert revoked.state_at(GRANT.not_after) == State.REVOKED


def test_r08_codes_and_tokens_are_long_stable_and_never_alike() -> None:
    known = {link_code(key, grant, number) for key in "ab" for grant in "xy" for number in (1, 2)}
    assert len(known) == 8
    assert {len(code) for code in known} == {22}
    assert link_code("a", "x", 1) == link_code("a", "x", 1)
    assert len(session_token("a", "x", 1)) == 43
    assert not session_token("a", "x", 1).startswith(link_code("a", "x", 1))
    assert phone_mark("a", "+821012345678") != phone_mark("b", "+821012345678")


def test_a_link_lives_a_day_and_not_longer_than_its_grant() -> None:
    assert GRANT.link_until == NOON + LINK_LIFE
    last_hour = GRANT.not_after - timedelta(hours=1)
    assert GRANT.with_new_link(last_hour).link_until == GRANT.not_after


@given(some.lists(some.integers(0, 40), max_size=30))
def test_no_ten_minutes_hold_more_than_three_asks(minutes: list[int]) -> None:
    asks: tuple[datetime, ...] = ()
    answered = []
    for at in sorted(NOON + timedelta(minutes=minute) for minute in minutes):
        try:
            asks = with_ask(asks, at)
        except TooManyAsks as refused:
            free = at + timedelta(seconds=refused.retry_after)
            assert at < free <= at + ASKS_WINDOW + timedelta(seconds=1)
            with_ask(asks, free)
            continue
        answered.append(at)
    for first, over in zip(answered, answered[ASKS:], strict=False):
        assert over - first >= ASKS_WINDOW


maybe_time = some.none() | some.just(NOON)
any_grant = some.builds(
    replace,
    some.just(GRANT),
    state=some.sampled_from([State.LIVE, State.REVOKED]),
    not_after=some.sampled_from([NOON - timedelta(hours=1), NOON + timedelta(hours=1)]),
    sent_at=maybe_time,
    opened_at=maybe_time,
    unlocked_at=maybe_time,
)


@given(some.lists(any_grant, max_size=20))
def test_the_funnel_always_adds_up(grants: list[Grant]) -> None:
    funnel = funnel_of(grants, NOON)
    assert funnel.issued == len(grants)
    assert funnel.issued == funnel.unlocked + funnel.revoked + funnel.expired + len(funnel.stuck)
    assert funnel.issued >= funnel.sent >= funnel.opened >= funnel.unlocked
