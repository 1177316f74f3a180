"""Registering a code into my coupons, and listing them."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from msgspec.structs import replace

from chalicelib.coupons.model import (
    BudgetExhausted,
    CodeRefused,
    Grant,
    State,
    TooManyCodes,
    hash_of,
    mark_of,
    spell,
)
from chalicelib.coupons.service import CouponService
from chalicelib.kernel.auth import Caller
from chalicelib.kernel.errors import KeyReused
from tests.conftest import Hands
from tests.coupons.examples import (
    FIVE_THOUSAND_OFF,
    KIM,
    LEE,
    OLGA,
    SECRET,
    campaign_of,
    codes_of,
    coupons_of,
)
from tests.coupons.uses import for_group, give_back, spend, use


@pytest.fixture
def campaign_id(service: CouponService) -> str:
    return campaign_of(service).campaign_id


@pytest.fixture
def codes(service: CouponService, campaign_id: str) -> tuple[str, ...]:
    return codes_of(service, campaign_id, 8)


def test_a_registered_code_is_in_my_box(service: CouponService, codes: tuple[str, ...]) -> None:
    boxed = service.register(codes[0].lower(), KIM, "k1").value
    assert (boxed.coupon.owner, boxed.coupon.state, boxed.terms.value) == ("kim", State.REGISTERED, 5_000)
    assert service.mine(KIM, 50, None) == ([boxed], None)
    assert service.mine(LEE, 50, None) == ([], None)


def test_registering_twice_answers_the_same(service: CouponService, codes: tuple[str, ...]) -> None:
    first = service.register(codes[0], KIM, "k1")
    same_key = service.register(codes[0], KIM, "k1")
    other_key = service.register(codes[0], KIM, "k2")
    assert first.value == same_key.value == other_key.value
    assert [first.replayed, same_key.replayed, other_key.replayed] == [False, True, True]


def test_a_key_stands_for_one_code(service: CouponService, codes: tuple[str, ...]) -> None:
    service.register(codes[0], KIM, "k1")
    with pytest.raises(KeyReused):
        service.register(codes[1], KIM, "k1")
    assert len(service.mine(KIM, 50, None)[0]) == 1


def test_many_want_one_code_and_one_gets_it(service: CouponService, codes: tuple[str, ...]) -> None:
    def wants(number: int) -> bool:
        try:
            return not service.register(codes[0], Caller(f"customer-{number}"), "k").replayed
        except CodeRefused:
            return False

    with ThreadPoolExecutor(16) as people:
        assert sum(people.map(wants, range(16))) == 1


def test_c12_all_codes_that_cannot_be_had_are_refused_in_the_same_words(
    service: CouponService, codes: tuple[str, ...], campaign_id: str
) -> None:
    """And after the same calls, so that no clock tells more than the words do. The log says which it was."""
    refused = refused_codes(service, codes, campaign_id)
    heard, why = set(), list[str | None]()
    for code in (*refused, codes[0][:-1] + "U"):
        counted = Counted(service.store)
        watched = replace(service, store=counted, budgets=replace(service.budgets, store=counted))
        with pytest.raises(CodeRefused) as refusal:
            watched.register(code, Caller(f"kim-{code}"), "k", f"10.0.0.{len(why)}")
        heard.add(repr((str(refusal.value), refusal.value.extra, type(refusal.value))))
        why.append(refusal.value.aside["why"])
        if code in refused:
            assert counted.calls == CALLS_OF_A_REFUSAL, why[-1]
    assert why == ["FOREIGN", "USED", "VOID", "UNKNOWN", "CLOSED", "OUTSIDE", "UNKNOWN"]
    assert len(heard) == 1


CALLS_OF_A_REFUSAL = ["count_try", "look", "campaign", "asked", "count_failure"]


class Counted:
    """A store that writes down what it is asked."""

    def __init__(self, store: Any) -> None:
        self.store = store
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        self.calls.append(name)
        return getattr(self.store, name)


def refused_codes(service: CouponService, codes: tuple[str, ...], campaign_id: str) -> list[str]:
    """A foreign, a used and a void one, one never issued, one of a closed campaign and one for others."""
    service.register(codes[0], LEE, "k1")
    use(service, service.register(codes[1], LEE, "k2").value.coupon, "chk_1")
    service.void(f"{campaign_id}.{hash_of(SECRET, codes[2])}", "printed twice", OLGA, "k3")
    closed, inside = (
        campaign_of(service, terms, key=key).campaign_id
        for key, terms in (("closed", FIVE_THOUSAND_OFF), ("inside", for_group("vip")))
    )
    of_closed, of_inside = codes_of(service, closed, 1)[0], codes_of(service, inside, 1)[0]
    service.close(closed, "over", by=OLGA)
    never_issued = spell(SECRET, campaign_id, "never", 1)
    return [codes[0], codes[1], codes[2], never_issued, of_closed, of_inside]


def test_of_ones_own_used_code_nothing_else_is_said(service: CouponService, codes: tuple[str, ...]) -> None:
    use(service, service.register(codes[0], KIM, "k1").value.coupon, "chk_1")
    with pytest.raises(CodeRefused) as refusal:
        service.register(codes[0], KIM, "k2")
    assert str(refusal.value) == str(CodeRefused())


def test_only_members_register_a_code_that_is_for_a_group(service: CouponService) -> None:
    campaign_id = campaign_of(service, for_group("vip")).campaign_id
    (code,) = codes_of(service, campaign_id, 1)
    service.change_group("vip", ["kim"], [])
    with pytest.raises(CodeRefused):
        service.register(code, LEE, "k1")
    assert service.register(code, KIM, "k1").value.coupon.owner == "kim"
    service.change_group("vip", [], ["kim"])
    assert service.register(code, KIM, "k1").replayed


def test_c12_a_mistyped_code_asks_nobody(service: CouponService, codes: tuple[str, ...]) -> None:
    typo = ("Z" if codes[0][0] != "Z" else "Y") + codes[0][1:]
    for attempt in range(20):
        with pytest.raises(CodeRefused):
            service.register(typo, KIM, f"k{attempt}")
    assert service.register(codes[0], KIM, "right").value.coupon.owner == "kim"


def guess(service: CouponService, campaign_id: str, by: Caller, number: int) -> None:
    """A code that passes the check symbols and was never issued."""
    service.register(spell(SECRET, campaign_id, "never", number), by, f"guess {number}")


def test_c12_five_wrong_codes_in_five_seconds_are_enough(
    service: CouponService, codes: tuple[str, ...], campaign_id: str, clock: Hands
) -> None:
    for number in range(5):
        with pytest.raises(CodeRefused):
            guess(service, campaign_id, KIM, number)
    with pytest.raises(TooManyCodes) as limit:
        guess(service, campaign_id, KIM, 5)
    assert limit.value.retry_after == 5
    with pytest.raises(TooManyCodes):
        service.register(codes[0], KIM, "k1")
    assert service.register(codes[1], LEE, "k1")
    clock.move(seconds=5)
    assert service.register(codes[0], KIM, "k1")


def test_c12_nobody_outruns_the_limit_by_asking_at_once(
    service: CouponService, codes: tuple[str, ...], campaign_id: str
) -> None:
    def tries(number: int) -> type[Exception] | None:
        try:
            guess(service, campaign_id, KIM, number)
        except (CodeRefused, TooManyCodes) as refusal:
            return type(refusal)
        return None

    with ThreadPoolExecutor(16) as people:
        answers = list(people.map(tries, range(40)))
    assert (answers.count(CodeRefused), answers.count(TooManyCodes)) == (5, 35)


def test_c12_after_ten_wrong_codes_an_account_is_locked_for_the_hour(
    service: CouponService, codes: tuple[str, ...], campaign_id: str, clock: Hands
) -> None:
    for number in range(10):
        clock.move(seconds=5)
        with pytest.raises(CodeRefused):
            guess(service, campaign_id, KIM, number)
    clock.move(seconds=5)
    with pytest.raises(TooManyCodes) as limit:
        service.register(codes[0], KIM, "k1")
    assert limit.value.retry_after == 3600 - 55
    clock.move(seconds=limit.value.retry_after)
    assert service.register(codes[0], KIM, "k1")


@pytest.mark.parametrize(("gap", "most"), [(0, 50), (5, 100)])
def test_c12_an_address_is_stopped_whatever_accounts_it_has(
    service: CouponService, codes: tuple[str, ...], campaign_id: str, clock: Hands, gap: int, most: int
) -> None:
    """As ten customers together are, so that nobody stops a whole carrier's alone."""

    def tries(number: int, ip: str) -> None:
        code = spell(SECRET, campaign_id, "never", number)
        service.register(code, Caller(f"robot-{number}"), "k", ip)

    for _ in range(most - 1):
        service.store.count_failure(mark_of(SECRET, "203.0.113.7"), clock())
        clock.move(seconds=gap)
    with pytest.raises(CodeRefused):
        tries(1, "203.0.113.7")
    clock.move(seconds=gap)
    with pytest.raises(TooManyCodes):
        tries(99, "203.0.113.7")
    with pytest.raises(CodeRefused):
        tries(99, "203.0.113.8")


def test_c12_nor_does_a_key_that_was_good_once_hide_guesses_from_the_address(
    service: CouponService, codes: tuple[str, ...], campaign_id: str, clock: Hands
) -> None:
    service.register(codes[0], KIM, "k", "203.0.113.7")
    for _ in range(49):
        service.store.count_failure(mark_of(SECRET, "203.0.113.7"), clock())
    with pytest.raises(KeyReused):
        service.register(spell(SECRET, campaign_id, "never", 1), KIM, "k", "203.0.113.7")
    with pytest.raises(TooManyCodes):
        service.register(codes[1], LEE, "k", "203.0.113.7")


def test_many_good_customers_of_one_address_are_no_guessers(
    service: CouponService, codes: tuple[str, ...]
) -> None:
    def registers(number: int) -> bool:
        return not service.register(codes[number], Caller(f"kim-{number}"), "k", "203.0.113.7").replayed

    with ThreadPoolExecutor(8) as people:
        assert sum(people.map(registers, range(8))) == 8


def test_good_codes_are_not_counted(service: CouponService, codes: tuple[str, ...]) -> None:
    for code in codes:
        assert service.register(code, KIM, code).value.coupon.owner == "kim"
        assert service.register(code, KIM, code).replayed


def test_my_coupons_come_in_pages(service: CouponService, campaign_id: str) -> None:
    ids = coupons_of(service, campaign_id, KIM, 7)
    found, after = [], None
    for size in (3, 3, 1):
        page, after = service.mine(KIM, 3, after)
        assert len(page) == size
        found += [boxed.coupon.coupon_id for boxed in page]
    assert after is None
    assert found == sorted(ids)


def test_the_coupons_of_an_exhausted_campaign_are_hidden_until_it_is_topped_up(
    service: CouponService, campaign_id: str, clock: Hands
) -> None:
    coupons_of(service, campaign_id, KIM, 2)
    spend_all(service, campaign_id)
    clock.move(seconds=2)
    assert service.mine(KIM, 50, None) == ([], None)
    assert service.usable("kim") == 0
    service.top_up(campaign_id, "t1", 10_000, by=OLGA, key="k")
    clock.move(seconds=2)
    assert len(service.mine(KIM, 50, None)[0]) == 2
    assert service.usable("kim") == 2


def test_a_coupon_is_back_within_a_second_of_a_restore(
    service: CouponService, campaign_id: str, clock: Hands
) -> None:
    coupons_of(service, campaign_id, KIM, 1)
    coupon_id, grant = spend_all(service, campaign_id)
    clock.move(seconds=1.01)
    assert service.usable("kim") == 0
    give_back(service, coupon_id, "lee", "chk_1", grant)
    clock.move(seconds=1.01)
    assert service.usable("kim") == 1


def spend_all(service: CouponService, campaign_id: str) -> tuple[str, Grant]:
    """Lee holds what there is, and is refused one more."""
    left = service.status(campaign_id).available
    coupon_id, another = coupons_of(service, campaign_id, LEE, 2)
    grant = spend(service, coupon_id, "lee", "chk_1", left)
    with pytest.raises(BudgetExhausted):
        spend(service, another, "lee", "chk_2", 5_000)
    return coupon_id, grant


def test_used_coupons_stay_in_the_box_with_the_checkout_that_has_them(
    service: CouponService, codes: tuple[str, ...], clock: Hands
) -> None:
    coupon = service.register(codes[0], KIM, "k").value.coupon
    use(service, coupon, "chk_1")
    ((boxed,), _) = service.mine(KIM, 50, None)
    assert (boxed.coupon.used_by, boxed.why_not, service.usable("kim")) == ("chk_1", "used", 0)


def test_what_was_left_before_a_top_up_is_not_noted_after_it(
    service: CouponService, campaign_id: str
) -> None:
    seen = service.status(campaign_id).campaign
    service.top_up(campaign_id, "t1", 10_000, by=OLGA, key="k")
    service.store.note_left(seen, 0)
    assert service.status(campaign_id).campaign.left is None
