"""Time without access through our fault is not charged; on memory and on DynamoDB."""

from datetime import timedelta

from chalicelib.billing.model import Ledger
from tests.billing.conftest import World
from tests.billing.examples import FEE, START, activated, lost, paid, restored, told

DAY = timedelta(days=1)
PER_DAY = 10_000


def test_a_gap_of_two_days_is_taken_off_the_next_month(world: World) -> None:
    world.hear(paid(), activated(), lost(START + 3 * DAY), restored(START + 5 * DAY))
    assert world.balance() == -2 * PER_DAY
    assert sorted(world.said()) == ["BillingStarted", "GapClosed", "GapOpened"]
    world.tick(days=31)
    assert world.gateway.charged == {"con_kim-1-1": (FEE - 2 * PER_DAY, "tok_good")}


def test_the_same_news_twice_and_in_another_order_is_one_gap(world: World) -> None:
    gone, back = lost(START + 3 * DAY), restored(START + 5 * DAY)
    world.hear(back, gone, activated(), back, gone, paid(), gone)
    assert world.balance() == -2 * PER_DAY


def test_gaps_that_overlap_count_once(world: World) -> None:
    swap = told("SwapRequested", START + 4 * DAY, fault="ours")
    done = told("SwapDone", START + 6 * DAY, car_id="c", former_car_id="d", key_tag="t")
    world.hear(paid(), activated(), lost(START + 3 * DAY), restored(START + 5 * DAY), swap, done)
    assert world.balance() == -3 * PER_DAY


def test_a_swap_the_customer_wished_for_is_no_gap(world: World) -> None:
    swap = told("SwapRequested", START + 4 * DAY, fault="customer")
    world.hear(paid(), activated(), swap, told("SwapWithdrawn", START + 6 * DAY))
    assert (world.balance(), world.book.gaps) == (0, ())


def test_access_lost_through_the_customers_fault_is_charged(world: World) -> None:
    world.hear(paid(), activated(), lost(START + 3 * DAY, "customer"), restored(START + 5 * DAY))
    assert world.balance() == 0


def test_nobody_is_charged_while_locked_out(world: World) -> None:
    world.hear(paid(), activated(), lost(START + 30 * DAY))
    world.tick(days=31)
    world.tick(days=5)
    assert world.gateway.calls == []
    world.hear(restored(START + 36 * DAY))
    world.tick(minutes=1)
    ours = 10_000 + 51_667  # the last day of 31, and five of the next month's 30 in the customer's favour
    assert world.gateway.charged == {"con_kim-1-1": (FEE - ours, "tok_good")}


def test_a_whole_month_without_access_costs_nothing(world: World) -> None:
    world.hear(paid(months=4), activated(), lost(START + 31 * DAY), restored(START + 70 * DAY))
    world.tick(days=70)
    assert [each.state for each in world.book.charges][:3] == ["paid", "covered", "paid"]
    assert world.gateway.charged == {"con_kim-2-1": (FEE - 9 * PER_DAY, "tok_good")}


def test_a_gap_heard_of_months_later_is_still_paid_back(world: World) -> None:
    world.hear(paid(months=4), activated())
    world.tick(days=65)
    late = START + 65 * DAY
    world.hear(lost(START + 3 * DAY, said_at=late), restored(START + 5 * DAY, said_at=late))
    assert world.balance() == -2 * PER_DAY
    world.tick(days=40)
    assert world.gateway.taken == 3 * FEE - 2 * PER_DAY


def test_news_that_a_gap_was_shorter_takes_the_difference_back(world: World) -> None:
    world.hear(paid(), activated(), lost(START + 3 * DAY), restored(START + 9 * DAY))
    assert world.balance() == -6 * PER_DAY
    world.hear(restored(START + 4 * DAY, said_at=START + 10 * DAY))
    assert world.balance() == -PER_DAY
    assert world.said("GapClosed") == ["GapClosed", "GapClosed"]


def test_access_proven_at_the_handover_ends_what_was_lost_before(world: World) -> None:
    world.hear(paid(), lost(START - DAY), activated())
    assert world.book.gaps == ()


def test_access_lost_after_it_was_proven_is_a_gap_from_the_start_of_billing(world: World) -> None:
    world.hear(paid(), lost(START + timedelta(hours=1)))
    world.hear(told("ContractActivated", START + DAY, handed_over_at=START + DAY, access_proven_at=START))
    assert [gap.from_at for gap in world.book.gaps] == [START + DAY]


def test_a_month_that_was_driven_becomes_income_and_the_gap_does_not(world: World) -> None:
    world.hear(paid(), activated(), lost(START + 3 * DAY), restored(START + 5 * DAY))
    world.tick(days=31)
    assert world.balance(Ledger.INCOME) == -(FEE - 2 * PER_DAY)
    assert world.balance(Ledger.DEFERRED) == -FEE
