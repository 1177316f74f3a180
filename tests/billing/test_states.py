"""The table: every row has an entry point, every cell without a row refuses, every open state has a timer."""

from collections.abc import Callable, Sequence

import pytest

from chalicelib.billing.model import BILLING, BILLING_START, Billing, BillingEvent, Book, Ledger
from chalicelib.kernel.auth import Caller
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.states import IllegalMove
from tests.billing.conftest import World
from tests.billing.examples import START, activated, cancelled, inspected, paid, returned
from tests.billing.memory import MemoryBilling
from tests.conftest import Hands


def test_every_state_is_reached_and_can_end() -> None:
    assert BILLING.states == frozenset(Billing)
    assert BILLING.reachable(BILLING_START) == BILLING.states
    assert BILLING.ends == {Billing.CLOSED}
    assert all(Billing.CLOSED in BILLING.reachable(state) for state in Billing)


def test_every_open_state_has_a_timer() -> None:
    timed = {state for state, event, _, _ in BILLING.rows if event.startswith("T.")}
    assert timed == BILLING.states - BILLING.ends


@pytest.mark.parametrize("state", list(Billing))
@pytest.mark.parametrize("event", list(BillingEvent))
def test_what_is_no_row_is_refused(state: Billing, event: BillingEvent) -> None:
    if (state, event) in {(row[0], row[1]) for row in BILLING.rows}:
        assert BILLING.after(state, event) in Billing
    else:
        with pytest.raises(IllegalMove):
            BILLING.after(state, event)


def never_started(world: World) -> None:
    world.hear(paid())
    world.tick(days=20)


def cancelled_before_the_start(world: World) -> None:
    world.hear(paid(), cancelled(START))
    world.tick(days=1)


def to_the_end(world: World) -> None:
    world.hear(paid(months=2), activated())
    world.tick(days=61)
    world.hear(returned(world.clock()), inspected(world.clock()))
    world.tick(days=1)


def written_off(world: World) -> None:
    world.hear(paid(months=3), activated())
    world.gateway.declining.add("tok_good")
    world.tick(days=31)
    world.tick(days=60)


def paid_at_last(world: World) -> None:
    world.hear(paid(months=3), activated())
    world.gateway.declining.add("tok_good")
    world.tick(days=31)
    world.gateway.declining.clear()
    world.tick(days=3)


def paid_after_the_block(world: World) -> None:
    world.hear(paid(months=3), activated())
    world.gateway.declining.add("tok_good")
    world.tick(days=31)
    world.tick(days=20)
    for token, key in (("tok_empty", "k1"), ("tok_new", "k2")):
        world.service.change_card("con_kim", token, token, by=Caller("kim"), key=key)


class Watching(MemoryBilling):
    """Notes from which state to which each change led, and what came with it."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[tuple[Billing, Billing, str]] = set()

    def save(self, before: Book, after: Book, facts: Sequence[Fact]) -> None:
        super().save(before, after, facts)
        came = [fact.type for fact in facts]
        asked = {each.payment_id for each in after.charges} - {each.payment_id for each in before.charges}
        came += ["asked"] if asked else []
        came += ["let go"] if after.on(Ledger.BAD_DEBT) != before.on(Ledger.BAD_DEBT) else []
        self.seen |= {(before.account.state, after.account.state, each) for each in came}


S, E = Billing, BillingEvent
WITNESSES = [
    # row                                    story                    leads to       and comes with
    (S.NOT_STARTED, E.ACCESS_PROVEN, to_the_end, S.CURRENT, "BillingStarted"),
    (S.NOT_STARTED, E.ENDED, cancelled_before_the_start, S.CLOSED, "ContractSettled"),
    (S.NOT_STARTED, E.T_START_BY, never_started, S.NOT_STARTED, "BillingStartLate"),
    (S.CURRENT, E.T_NEXT_CHARGE, to_the_end, S.CURRENT, "asked"),
    (S.CURRENT, E.CHARGED, to_the_end, S.CURRENT, "ChargePaid"),
    (S.CURRENT, E.CHARGE_FAILED, written_off, S.PAST_DUE, "ChargeFailed"),
    (S.CURRENT, E.ENDED, to_the_end, S.CLOSED, "ContractSettled"),
    (S.PAST_DUE, E.T_NEXT_CHARGE, written_off, S.PAST_DUE, "asked"),
    (S.PAST_DUE, E.CHARGED, paid_at_last, S.CURRENT, "ChargePaid"),
    (S.PAST_DUE, E.CHARGE_FAILED, written_off, S.PAST_DUE, "ChargeFailed"),
    (S.PAST_DUE, E.T_DUNNING_BY, written_off, S.BLOCKED, "BillingBlocked"),
    (S.BLOCKED, E.CHARGED, paid_after_the_block, S.CURRENT, "ChargePaid"),
    (S.BLOCKED, E.CHARGE_FAILED, paid_after_the_block, S.BLOCKED, "ChargeFailed"),
    (S.BLOCKED, E.T_WRITE_OFF, written_off, S.CLOSED, "let go"),
]


def test_every_row_has_a_witness() -> None:
    rows = {(before, event, after) for before, event, after, _ in BILLING.rows}
    assert {(before, event, after) for before, event, _, after, _ in WITNESSES} == rows


@pytest.mark.parametrize("story", list(dict.fromkeys(witness[2] for witness in WITNESSES)))
def test_a_story_goes_through_its_rows(story: Callable[[World], None]) -> None:
    store = Watching()
    story(World(store, Hands(), lambda: store.published))
    wanted = {(before, after, came) for before, _, told, after, came in WITNESSES if told == story}
    assert wanted <= store.seen
