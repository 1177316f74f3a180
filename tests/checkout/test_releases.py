"""Giving a reservation back unpaid: whoever does it, everything is back, once."""

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from chalicelib.checkout.model import (
    ANSWERED_WITHIN,
    AlreadyPaid,
    BeingPaid,
    CardDeclined,
    Checkout,
    NothingPaid,
    Payment,
    PaymentState,
    Refund,
    ReservationCancelled,
    ReservationExpired,
    State,
    UnknownCheckout,
)
from chalicelib.checkout.schemas import CheckoutReleased
from chalicelib.kernel.deadlines import SHARDS
from chalicelib.kernel.errors import Conflict, HandoverError
from tests.checkout.bank import EMPTY, OTHER
from tests.checkout.conftest import FEE, Shop, memory_shop
from tests.checkout.memory import MemoryCheckouts
from tests.conftest import ROOT, Hands
from tests.coupons.examples import FIVE_THOUSAND_OFF, KIM, LEE, OLGA, with_limit


def composite(shop: Shop, key: str = "k1") -> tuple[str, Checkout]:
    """Of Kim, with 5,000 of a campaign and 20,000 of 30,000 points."""
    campaign, (coupon,) = shop.with_coupons(KIM, terms=with_limit(FIVE_THOUSAND_OFF, 1))
    shop.give_points(KIM, 30_000)
    return campaign.campaign_id, shop.reserve(coupon, KIM, key, points=20_000).value


def everything_is_back(shop: Shop, campaign_id: str) -> None:
    available, reserved, captured = shop.pots(campaign_id)
    assert (reserved, captured) == (0, 0)
    assert available > 0
    assert shop.balance(KIM) == 30_000


@pytest.mark.parametrize("who", [KIM, OLGA])
def test_c07_a_cancelled_reservation_gives_coupon_and_points_back_at_once(shop: Shop, who: object) -> None:
    campaign_id, held = composite(shop)
    assert shop.balance(KIM) == 10_000
    done = shop.checkout.cancel(held.checkout_id, by=who)  # type: ignore[arg-type]
    assert (done.value.state, done.replayed) == (State.CANCELLED, False)
    everything_is_back(shop, campaign_id)
    again = shop.checkout.cancel(held.checkout_id, by=KIM)
    assert (again.value, again.replayed) == (done.value, True)
    everything_is_back(shop, campaign_id)
    assert shop.said() == ["CheckoutReserved", "CheckoutReleased"]
    assert not any(shop.books_agree(held.checkout_id).values())
    used_again = shop.reserve(held.coupon_id, KIM, "k2", points=30_000).value
    assert (used_again.discount, used_again.payable) == (5_000, FEE - 35_000)


def test_a_reservation_that_is_paid_or_being_paid_is_not_cancelled(shop: Shop) -> None:
    paid = shop.reserved(KIM)
    shop.capture(paid, KIM)
    with pytest.raises(AlreadyPaid):
        shop.checkout.cancel(paid, KIM)
    shop.bank.deaf = True
    waits = shop.reserved(LEE)
    shop.capture(waits, LEE)
    with pytest.raises(BeingPaid):
        shop.checkout.cancel(waits, LEE)


def test_only_its_owner_and_operations_cancel_a_reservation(shop: Shop) -> None:
    checkout_id = shop.reserved(KIM)
    for unknown in (checkout_id, "chk_nobody", "x" * 5_000):
        with pytest.raises(UnknownCheckout):
            shop.checkout.cancel(unknown, LEE)
    assert shop.look(checkout_id).state is State.RESERVED


def test_what_was_cancelled_cannot_be_paid(shop: Shop) -> None:
    checkout_id = shop.reserved(KIM)
    shop.checkout.cancel(checkout_id, KIM)
    with pytest.raises(ReservationCancelled):
        shop.capture(checkout_id, KIM)
    assert shop.bank.asked == []


# --- by the timer ------------------------------------------------------------------------------------------


def test_c06_nobody_paid_in_time_and_everything_is_back(shop: Shop, clock: Hands) -> None:
    campaign_id, held = composite(shop)
    clock.move(minutes=14)
    assert shop.checkout.sweep().found == 0
    clock.move(minutes=1)
    assert (shop.checkout.sweep().claimed, shop.checkout.sweep().found) == (1, 0)
    assert shop.look(held.checkout_id).state is State.EXPIRED
    everything_is_back(shop, campaign_id)
    with pytest.raises(ReservationExpired):
        shop.capture(held.checkout_id, KIM)
    assert shop.checkout.cancel(held.checkout_id, KIM).value.state is State.EXPIRED
    assert shop.facts()[-1].data["why"] == "expired"
    assert not any(shop.books_agree(held.checkout_id).values())


def test_what_keeps_nothing_is_over_at_its_time_without_a_sweep(shop: Shop, clock: Hands) -> None:
    """However many a customer makes, under however many keys: they are no work for anybody."""
    names = [shop.reserved(KIM, f"k{number}") for number in range(20)]
    clock.move(minutes=14)
    assert shop.look(names[0]).state is State.RESERVED
    clock.move(minutes=1)
    assert shop.checkout.sweep().found == 0
    seen = shop.checkout.checkout(names[0], KIM)
    assert (seen.state, seen.settled_at, seen.due_at) == (State.EXPIRED, seen.expires_at, None)
    assert [shop.reserve(None, KIM, "k0").value, shop.look(names[0])] == [seen, seen]
    with pytest.raises(ReservationExpired):
        shop.capture(names[0], KIM)
    with pytest.raises(NothingPaid):
        shop.refund(names[0], "r1", 1)
    assert shop.said() == ["CheckoutReserved"] * 20
    assert shop.capture(shop.reserved(KIM, "later"), KIM).value.state is State.CAPTURED


def test_what_keeps_nothing_waits_for_the_bank_as_long_as_any_other(shop: Shop, clock: Hands) -> None:
    held = shop.reserve(None, KIM, "k1").value
    with pytest.raises(CardDeclined):
        shop.capture(held.checkout_id, KIM, EMPTY)
    assert shop.look(held.checkout_id).due_at is None
    shop.bank.deaf = True
    waits = shop.capture(held.checkout_id, KIM, OTHER, key="c2").value
    assert (waits.state, waits.due_at) == (State.CAPTURING, held.expires_at + ANSWERED_WITHIN)
    clock.at = held.expires_at + ANSWERED_WITHIN
    shop.checkout.sweep()
    assert shop.look(held.checkout_id).state is State.EXPIRED


def test_c06_a_declined_card_leaves_the_reservation_whole_until_its_time(shop: Shop, clock: Hands) -> None:
    campaign_id, held = composite(shop)
    with pytest.raises(CardDeclined):
        shop.capture(held.checkout_id, KIM, EMPTY)
    assert (shop.pots(campaign_id)[1], shop.balance(KIM)) == (5_000, 10_000)
    assert shop.capture(held.checkout_id, KIM, OTHER, key="c2").value.state is State.CAPTURED
    shop.sweep_until_rest()
    assert (shop.pots(campaign_id)[2], shop.balance(KIM)) == (5_000, 10_000)
    assert shop.bank.kept == FEE - 25_000


def test_c06_one_that_waits_for_the_bank_is_held_half_an_hour_longer_and_no_more(
    shop: Shop, clock: Hands
) -> None:
    campaign_id, held = composite(shop)
    shop.bank.deaf = True
    assert shop.capture(held.checkout_id, KIM).value.state is State.CAPTURING
    clock.at = held.expires_at
    shop.checkout.sweep()
    assert (shop.look(held.checkout_id).state, shop.balance(KIM)) == (State.CAPTURING, 10_000)
    clock.at = held.expires_at + ANSWERED_WITHIN
    shop.checkout.sweep()
    assert shop.look(held.checkout_id).state is State.EXPIRED
    everything_is_back(shop, campaign_id)
    shop.bank.deaf = False
    shop.sweep_until_rest()
    assert shop.bank.kept == 0
    assert shop.bank.charges == {}, "what was never sent is not sent after its time"
    assert shop.reserve(None, KIM, "k2").value.state is State.RESERVED
    assert shop.capture(shop.reserved(KIM, "k3"), KIM).value.state is State.CAPTURED, "the claim is gone"


@pytest.mark.parametrize("who_asks", ["customer", "sweep"])
def test_c06_a_payment_that_turns_out_paid_after_its_time_goes_back_in_full(
    shop: Shop, clock: Hands, who_asks: str
) -> None:
    campaign_id, held = composite(shop)
    shop.bank.mute = True
    payment_id = str(shop.capture(held.checkout_id, KIM).value.payment_id)
    assert shop.bank.kept == FEE - 25_000
    for _ in range(4):
        clock.move(minutes=15)
        shop.checkout.sweep()
    assert shop.look(held.checkout_id).state is State.EXPIRED
    shop.bank.mute = False
    if who_asks == "sweep":
        shop.sweep_until_rest()
    with pytest.raises(ReservationExpired, match="goes back"):
        shop.capture(held.checkout_id, KIM)
    payment = shop.payments.find(payment_id)
    assert payment
    assert (payment.state, payment.left) == (PaymentState.PAID, 0)
    shop.sweep_until_rest()
    assert shop.bank.kept == 0
    everything_is_back(shop, campaign_id)
    assert "CheckoutCaptured" not in shop.said()


def test_what_a_card_paid_as_the_reservation_is_given_up_starts_back_at_once(
    shop: Shop, clock: Hands
) -> None:
    shop.bank.mute = True
    held = shop.reserve(None, KIM, "k1").value
    shop.capture(held.checkout_id, KIM)
    clock.at = held.expires_at
    shop.checkout.sweep()
    shop.bank.mute = False
    shop.bank.deaf = True  # only the payment's own timer is silent
    clock.at = held.expires_at + ANSWERED_WITHIN - timedelta(seconds=1)
    shop.checkout.sweep()
    shop.bank.deaf = False
    clock.move(seconds=1)
    shop.checkout.sweep()
    assert shop.look(held.checkout_id).state is State.EXPIRED
    clock.move(minutes=1)
    shop.checkout.sweep()
    assert shop.bank.kept == 0


@pytest.fixture
def a_minute(clock: Hands) -> Callable[[], Callable[[], float]]:
    """A run of one minute from now: its seconds left."""

    def begins() -> Callable[[], float]:
        end = clock() + timedelta(minutes=1)
        return lambda: (end - clock()).total_seconds()

    return begins


def test_c06_a_silent_gateway_keeps_nothing_that_is_due_from_going_back(
    shop: Shop, clock: Hands, a_minute: Callable[[], Callable[[], float]]
) -> None:
    shop.bank.deaf = True
    unknown = [f"chg_{number}" for number in range(10)]
    for payment_id in unknown:
        shop.payments.charge(payment_id, FEE, OTHER, "monthly fee")
    campaign_id, held = composite(shop)
    shop.give_points(LEE, 1_000)
    shop.reserve(None, LEE, "k1", points=1_000)
    clock.at = held.expires_at
    shop.bank.lasts = lambda: clock.move(seconds=10)
    left = a_minute()
    report = shop.checkout.sweep(left)
    assert (report.found, report.claimed, report.oldest) == (
        12,
        2 + 4,
        held.reserved_at + timedelta(minutes=1),
    )
    assert left() >= 20, "a question that lasts longest still ends in time"
    everything_is_back(shop, campaign_id)
    assert shop.said().count("CheckoutReleased") == 2
    for _ in range(2):
        clock.move(minutes=3)
        shop.checkout.sweep(a_minute())
    rungs = [payment.rung for payment in map(shop.payments.find, unknown) if payment]
    assert sorted(rungs) == [1] * 8 + [2] * 2, "what waited longest is asked for first"


def test_what_a_run_has_no_time_for_stays_due(shop: Shop, clock: Hands) -> None:
    campaign_id, held = composite(shop)
    clock.at = held.expires_at
    late = shop.checkout.sweep(lambda: 4.9)
    assert (late.found, late.claimed, late.oldest) == (1, 0, held.expires_at)
    assert shop.look(held.checkout_id) == held
    assert shop.checkout.sweep(lambda: 5.0).claimed == 1
    everything_is_back(shop, campaign_id)


def test_a_run_short_of_time_does_not_always_serve_the_same_shard_first(clock: Hands) -> None:
    class Seen(MemoryCheckouts):
        def due(self, shard: int, until: datetime) -> Iterator[Sequence[Payment | Refund | Checkout]]:
            looked.append(shard)
            return super().due(shard, until)

    shop, first = memory_shop(clock, str), set()
    for _ in range(SHARDS):
        looked: list[int] = []
        replace(shop.checkout, store=Seen()).sweep()
        assert sorted(looked) == list(range(SHARDS))
        first.add(looked[0])
        clock.move(minutes=1)
    assert len(first) == SHARDS


def test_c05_cancel_expire_and_capture_at_once_end_in_one_of_them(shop: Shop, clock: Hands) -> None:
    campaign_id, held = composite(shop)
    clock.move(minutes=14, seconds=59)
    name = held.checkout_id

    def end(number: int) -> None:
        with suppress(Conflict, HandoverError):
            (
                lambda: shop.checkout.cancel(name, KIM),
                lambda: shop.capture(name, KIM),
                lambda: shop.checkout.expire(name),
            )[number % 3]()

    with ThreadPoolExecutor(6) as hands:
        list(hands.map(end, range(9)))
    clock.move(minutes=1)
    shop.checkout.sweep()
    paid = shop.look(name).state is State.CAPTURED
    assert shop.bank.kept == (FEE - 25_000 if paid else 0)
    assert shop.balance(KIM) == (10_000 if paid else 30_000)
    assert shop.pots(campaign_id)[1:] == (0, 5_000 if paid else 0)
    assert len([fact for fact in shop.said() if fact != "CheckoutReserved"]) == 1


def test_a_reservation_that_was_paid_has_no_timer_any_more(shop: Shop, clock: Hands) -> None:
    shop.capture(shop.reserved(KIM), KIM)
    assert [page for page in shop.checkout.unfinished() if page] == []
    clock.move(days=9)
    assert shop.checkout.sweep().found == 0


def test_the_published_fact_is_the_sample(shop: Shop) -> None:
    _, held = composite(shop)
    shop.checkout.cancel(held.checkout_id, KIM)
    fact = shop.facts()[-1]
    sample = json.loads((ROOT / "events/facts/CheckoutReleased.json").read_text())
    assert replace(fact, id=sample["id"]).envelope() == sample
    assert fact.data_as(CheckoutReleased) == CheckoutReleased(
        held.checkout_id, "order-1", held.campaign_id, 5_000, 20_000, "cancelled"
    )
