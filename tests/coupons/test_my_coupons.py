"""Registering a code into my coupons, and listing them."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib.coupons.model import CodeRefused, State, TooManyCodes, spell
from chalicelib.coupons.service import CouponService
from chalicelib.kernel.auth import Caller
from chalicelib.kernel.errors import KeyReused
from tests.conftest import Hands
from tests.coupons.examples import KIM, LEE, OLGA, SECRET, campaign_of, codes_of, coupons_of


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


def test_wrong_and_foreign_codes_are_refused_in_the_same_words(
    service: CouponService, codes: tuple[str, ...], campaign_id: str
) -> None:
    service.register(codes[0], LEE, "k1")
    never_issued = spell(SECRET, campaign_id, "never", 1)
    refusals = []
    for code in (codes[0], never_issued, codes[0][:-1] + "U"):
        with pytest.raises(CodeRefused) as refusal:
            service.register(code, KIM, f"try {code}")
        refusals.append((str(refusal.value), refusal.value.extra))
    assert len(set(map(repr, refusals))) == 1


def test_a_mistyped_code_asks_nobody(service: CouponService, codes: tuple[str, ...]) -> None:
    typo = ("Z" if codes[0][0] != "Z" else "Y") + codes[0][1:]
    for attempt in range(20):
        with pytest.raises(CodeRefused):
            service.register(typo, KIM, f"k{attempt}")
    assert service.register(codes[0], KIM, "right").value.coupon.owner == "kim"


def guess(service: CouponService, campaign_id: str, by: Caller, number: int) -> None:
    """A code that passes the check symbols and was never issued."""
    service.register(spell(SECRET, campaign_id, "never", number), by, f"guess {number}")


def test_five_wrong_codes_in_five_seconds_are_enough(
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


def test_nobody_outruns_the_limit_by_asking_at_once(
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
    service.store.note_left(service.status(campaign_id).campaign, 4_999)
    clock.move(seconds=2)
    assert service.mine(KIM, 50, None) == ([], None)
    service.top_up(campaign_id, "t1", 10_000, by=OLGA, key="k")
    clock.move(seconds=2)
    assert len(service.mine(KIM, 50, None)[0]) == 2


def test_what_was_left_before_a_top_up_is_not_noted_after_it(
    service: CouponService, campaign_id: str
) -> None:
    seen = service.status(campaign_id).campaign
    service.top_up(campaign_id, "t1", 10_000, by=OLGA, key="k")
    service.store.note_left(seen, 0)
    assert service.status(campaign_id).campaign.left is None
