"""One coupon's life, and what its owner sees of it."""

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from chalicelib.coupons.model import (
    LIFE,
    Boxed,
    Campaign,
    CodeRefused,
    Coupon,
    CouponUsed,
    CouponVoid,
    Event,
    State,
    Switch,
    UnknownCoupon,
    parts_of,
)
from chalicelib.kernel.states import IllegalMove
from tests.conftest import NOON
from tests.coupons.examples import FIVE_THOUSAND_OFF

MOVES = {
    (State.ISSUED, Event.REGISTER): State.REGISTERED,
    (State.REGISTERED, Event.REDEEM): State.USED,
    (State.USED, Event.GIVE_BACK): State.REGISTERED,
    (State.USED, Event.EXPIRE): State.VOID,
    (State.ISSUED, Event.VOID): State.VOID,
    (State.REGISTERED, Event.VOID): State.VOID,
}


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("event", Event)
def test_a_coupon_moves_only_along_its_rows(state: State, event: Event) -> None:
    if (state, event) in MOVES:
        assert LIFE.after(state, event) is MOVES[state, event]
    else:
        with pytest.raises(IllegalMove):
            LIFE.after(state, event)
    assert LIFE.reachable(State.ISSUED) == set(State)
    assert LIFE.ends == {State.VOID}


def test_used_and_foreign_coupons_are_refused_alike() -> None:
    mine = Coupon("cmp_1", "h").registered("kim")
    assert mine.registered("kim") == mine
    for taken in (mine, replace(mine, state=State.USED), replace(mine, state=State.VOID, owner="lee")):
        with pytest.raises(CodeRefused) as refusal:
            taken.registered("lee")
        assert (str(refusal.value), refusal.value.extra) == ("This code cannot be registered.", {})
    with pytest.raises(CodeRefused):
        replace(mine, state=State.USED, used_by="chk_1").registered("kim")


def test_a_coupons_id_carries_its_campaigns() -> None:
    assert parts_of(Coupon("cmp_1", "abc").coupon_id) == ("cmp_1", "abc")
    with pytest.raises(UnknownCoupon):
        parts_of("cmp_1")


def test_what_a_checkout_has_cannot_be_made_void() -> None:
    mine = Coupon("cmp_1", "h", worth=5_000).registered("kim")
    mine.refuse_void()
    for state, problem in ((State.USED, CouponUsed), (State.VOID, CouponVoid)):
        with pytest.raises(problem):
            replace(mine, state=state).refuse_void()


@pytest.mark.parametrize(
    ("state", "at", "switch", "why_not"),
    [
        (State.REGISTERED, NOON, Switch.OPEN, None),
        (State.REGISTERED, NOON - timedelta(days=2), Switch.OPEN, "not_yet"),
        (State.REGISTERED, NOON + timedelta(days=2), Switch.OPEN, "expired"),
        (State.REGISTERED, NOON, Switch.CLOSED, "expired"),
        (State.REGISTERED, NOON, Switch.PAUSED, "paused"),
        (State.USED, NOON + timedelta(days=2), Switch.PAUSED, "used"),
        (State.VOID, NOON + timedelta(days=2), Switch.PAUSED, "void"),
    ],
)
def test_its_owner_sees_why_it_cannot_be_used(
    state: State, at: datetime, switch: Switch, why_not: str | None
) -> None:
    day = timedelta(days=1)
    terms = replace(FIVE_THOUSAND_OFF, opens_at=NOON - day, closes_at=NOON + day)
    campaign = Campaign("cmp_1", terms, 10_000, 1, "fp", switch)
    assert Boxed(Coupon("cmp_1", "h", state, "kim"), campaign, at).why_not == why_not
