"""Groups of customers; one coupon looked up, and made void."""

import json
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from chalicelib.coupons.model import (
    Asked,
    Coupon,
    CouponMoved,
    CouponUsed,
    CouponVoid,
    NotHeld,
    Record,
    ReserveAt,
    State,
    TooManyGroups,
    UnknownCoupon,
    UnknownGroup,
    Voided,
    hash_of,
)
from chalicelib.coupons.schemas import CouponVoided
from chalicelib.coupons.service import CouponService
from chalicelib.kernel.errors import KeyReused
from chalicelib.kernel.facts import Fact
from tests.conftest import NOON, ROOT, Hands
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
from tests.coupons.test_codes import Crash, Crashing, Ticking
from tests.coupons.till import Till, stands
from tests.coupons.uses import give_back, spend, use

PEOPLE = [f"customer-{number}" for number in range(101)]


def members(service: CouponService, name: str) -> int:
    return sum(name in groups for groups in service.store.groups(PEOPLE).values())


def test_a_group_is_what_was_said_however_often(service: CouponService) -> None:
    service.change_group("vip", PEOPLE, [])
    for _ in range(2):
        service.change_group("staff", PEOPLE[:3], [])
    assert (members(service, "vip"), members(service, "staff")) == (101, 3)
    for _ in range(2):
        service.change_group("vip", PEOPLE[:1], PEOPLE[1:20])
    assert (members(service, "vip"), members(service, "staff")) == (82, 3)


@pytest.mark.parametrize("name", ["", "x" * 65, "a/b", "vip\n", "한"])
def test_a_group_has_a_plain_name(service: CouponService, name: str) -> None:
    with pytest.raises(UnknownGroup):
        service.change_group(name, ["kim"], [])


def test_nobody_is_in_more_groups_than_a_row_can_hold(service: CouponService) -> None:
    for number in range(50):
        service.change_group(f"group-{number}", ["kim"], [])
    with pytest.raises(TooManyGroups):
        service.change_group("one-more", ["lee", "kim"], [])
    service.change_group("group-7", ["kim"], [])
    assert len(service.store.groups(["kim"])["kim"]) == 50
    assert service.store.groups(["lee"]) == {"lee": frozenset()}
    service.change_group("group-7", [], ["kim"])
    service.change_group("one-more", ["kim"], [])


def test_a_coupon_is_found_by_its_code_and_by_its_id(service: CouponService, clock: Hands) -> None:
    campaign_id = campaign_of(service).campaign_id
    codes = codes_of(service, campaign_id, 3)
    clock.move(minutes=1)
    coupon = service.register(codes[1], KIM, "k").value.coupon
    record = service.find(code=codes[1].lower())
    assert record == service.find(coupon_id=coupon.coupon_id)
    assert record == Record(coupon, "b1", 1, registered_at=clock())
    assert service.find(code=codes[2]).coupon.state is State.ISSUED
    for wrong in ("AAAAA-AAAAA-AAAAA", "", "U" * 15, codes[0][:-1]):
        with pytest.raises(UnknownCoupon):
            service.find(code=wrong)
    for wrong in ("cmp_1", f"cmp_other.{coupon.code_hash}", f"{campaign_id}.", "." * 190):
        with pytest.raises(UnknownCoupon):
            service.find(coupon_id=wrong)


def test_every_checkout_that_tried_a_coupon_is_known_and_their_number_is_bounded(
    service: CouponService,
) -> None:
    campaign_id = campaign_of(service).campaign_id
    (coupon_id,) = coupons_of(service, campaign_id, KIM)
    for number in range(24):
        grant = spend(service, coupon_id, "kim", f"chk_{number}", 5_000)
        give_back(service, coupon_id, "kim", f"chk_{number}", grant)
    tried = service.find(coupon_id=coupon_id).tried
    assert "chk_23" in tried
    assert 8 < len(tried) <= 16


def test_a_customers_coupons_come_in_pages_with_all_that_is_known(service: CouponService) -> None:
    campaign_id = campaign_of(service).campaign_id
    ids = coupons_of(service, campaign_id, KIM, 5)
    page, after = service.of_customer("kim", 3)
    rest, end = service.of_customer("kim", 3, after)
    assert [record.coupon.coupon_id for record in page + rest] == sorted(ids)
    assert end is None
    assert all(record.registered_at == NOON and record.batch_id == "for-kim" for record in page)
    assert service.of_customer("lee") == ([], None)


def test_a_void_coupon_can_neither_be_registered_nor_used(
    service: CouponService, facts: Callable[[], list[Fact]], clock: Hands
) -> None:
    campaign_id = campaign_of(service).campaign_id
    (coupon_id,) = coupons_of(service, campaign_id, KIM)
    done = service.void(coupon_id, "printed twice", OLGA, "k")
    assert (done.value.coupon.state, done.value.voided) == (
        State.VOID,
        Voided(clock(), "olga", "printed twice"),
    )
    with pytest.raises(CouponVoid):
        spend(service, coupon_id, "kim", "chk_1", 5_000)
    ((boxed,), _) = service.mine(KIM, 50, None)
    assert boxed.why_not == "void"
    sample = json.loads((ROOT / "events/facts/CouponVoided.json").read_text())
    fact = facts()[-1]
    assert (fact.type, set(fact.data)) == ("CouponVoided", set(sample["data"]))
    assert fact.data_as(CouponVoided) == CouponVoided(campaign_id, coupon_id)


def test_a_coupon_is_made_void_once_and_a_key_stands_for_one(service: CouponService) -> None:
    campaign_id = campaign_of(service).campaign_id
    first, second = coupons_of(service, campaign_id, KIM, 2)
    assert not service.void(first, "a mistake", OLGA, "k").replayed
    assert service.void(first, "a mistake", OLGA, "k").replayed
    assert service.void(first, "another word", OLGA, "k2").replayed
    with pytest.raises(KeyReused):
        service.void(second, "a mistake", OLGA, "k")
    with pytest.raises(UnknownCoupon):
        service.void(f"{campaign_id}.unknown", "a mistake", OLGA, "k3")


def test_what_a_checkout_has_is_not_made_void(service: CouponService) -> None:
    campaign_id = campaign_of(service).campaign_id
    (coupon_id,) = coupons_of(service, campaign_id, KIM)
    spend(service, coupon_id, "kim", "chk_1", 5_000)
    with pytest.raises(CouponUsed):
        service.void(coupon_id, "a mistake", OLGA, "k")


def test_what_was_bound_for_a_void_coupon_goes_back_to_the_budget_once(service: CouponService) -> None:
    terms = replace(FIVE_THOUSAND_OFF, reserve_at=ReserveAt.ISSUE)
    campaign_id = campaign_of(service, terms, budget=20_000).campaign_id
    codes = codes_of(service, campaign_id, 3)
    coupon = service.register(codes[0], LEE, "k").value.coupon
    for key in ("k1", "k1", "k2"):
        service.void(coupon.coupon_id, "a mistake", OLGA, key)
    seen = service.status(campaign_id)
    assert (seen.available, seen.reserved) == (10_000, 10_000)
    assert service.find(coupon_id=coupon.coupon_id).coupon.worth == 0


def test_a_batch_is_made_void_but_for_what_checkouts_have(
    service: CouponService, facts: Callable[[], list[Fact]]
) -> None:
    campaign_id = campaign_of(service).campaign_id
    codes = codes_of(service, campaign_id, 99)
    used, boxed = (service.register(code, KIM, code).value.coupon for code in codes[:2])
    grant = spend(service, used.coupon_id, "kim", "chk_1", 5_000)
    first = service.void_batch(campaign_id, "b1", "leaked", OLGA, "k")
    again = service.void_batch(campaign_id, "b1", "leaked", OLGA, "k")
    assert (first.value.state, first.replayed, again.replayed) == ("VOIDING", False, True)
    assert (facts()[-1].type, service.codes(first.value, 0, 9)) == ("CodeBatchVoided", ())
    done = service.carry_on(campaign_id, "b1")
    assert (done.state, done.voided) == ("VOID", 99)
    found = service.store.coupons_of([hash_of(SECRET, code) for code in codes])
    assert Counter(coupon.state for coupon in found) == {State.USED: 1, State.VOID: 98}
    assert service.find(coupon_id=used.coupon_id).coupon.state is State.USED
    give_back(service, used.coupon_id, "kim", "chk_1", grant)
    with pytest.raises(CouponVoid):
        spend(service, used.coupon_id, "kim", "chk_2", 5_000)
    assert {each.why_not for each in service.mine(KIM, 50, None)[0]} == {"void"}
    assert service.find(coupon_id=boxed.coupon_id).voided == Voided(NOON, "olga", "leaked")
    with pytest.raises(KeyReused):
        service.void_batch(campaign_id, "b1", "another word", OLGA, "k")


def test_a_run_that_is_stopped_anywhere_makes_the_whole_batch_void_and_frees_its_money_once(
    service: CouponService, clock: Hands
) -> None:
    """A part of it is not even issued."""
    terms = replace(FIVE_THOUSAND_OFF, reserve_at=ReserveAt.ISSUE)
    campaign_id = campaign_of(service, terms, budget=1_000_000).campaign_id
    service.request_codes(campaign_id, "b1", 130, by=OLGA, key="k")
    with pytest.raises(Crash):
        replace(service, store=Crashing(service.store, 1)).issue(campaign_id, "b1")
    assert service.status(campaign_id).available == 1_000_000 - 130 * 5_000
    service.void_batch(campaign_id, "b1", "leaked", OLGA, "v")
    assert service.status(campaign_id).available == 1_000_000 - 99 * 5_000
    service.issue(campaign_id, "b1")
    slow = replace(service, now=Ticking(clock, 60))
    for _ in range(5):
        slow.carry_on(campaign_id, "b1", until=clock() + timedelta(seconds=100))
    seen, batch = service.status(campaign_id), service.batch(campaign_id, "b1")
    assert (batch.state, batch.issued, batch.voided) == ("VOID", 99, 99)
    assert (seen.available, seen.reserved) == (1_000_000, 0)


@pytest.mark.parametrize("paid", [False, True])
def test_what_was_bound_for_a_coupon_that_came_back_void_is_free_at_once(
    service: CouponService, paid: bool, clock: Hands
) -> None:
    """Its batch was made void while a checkout had it; the campaign has no end."""
    terms = replace(FIVE_THOUSAND_OFF, reserve_at=ReserveAt.ISSUE)
    campaign_id = campaign_of(service, terms, budget=10_000, uses=2).campaign_id
    first, second = coupons_of(service, campaign_id, KIM, 2)
    till = Till(service)
    till.reserve("chk_1", first, 5_000)
    till.reserve("chk_2", second, 3_000)
    if paid:
        till.capture("chk_1")
        till.capture("chk_2")
    service.void_batch(campaign_id, "for-kim", "leaked", OLGA, "v")
    assert service.carry_on(campaign_id, "for-kim").state == "VOID"
    for name in ("chk_1", "chk_2"):
        till.refund(name) if paid else till.release(name)
        with pytest.raises(NotHeld):
            till.refund(name) if paid else till.release(name)
    seen = service.status(campaign_id)
    assert stands(seen) == (8_000, 2_000, 8_000 * paid, 8_000 * paid)
    assert seen.uses_left == 2
    assert {service.find(coupon_id=each).coupon.state for each in (first, second)} == {State.REGISTERED}
    with pytest.raises(CouponVoid):
        till.reserve("chk_3", first, 5_000)
    service.close(campaign_id, "the rest too", OLGA)
    clock.move(hours=2)
    assert service.reclaim_due() == 2_000
    assert stands(service.status(campaign_id))[:2] == (10_000, 0)


def test_so_is_each_part_of_what_it_paid(service: CouponService) -> None:
    terms = replace(FIVE_THOUSAND_OFF, reserve_at=ReserveAt.ISSUE)
    campaign_id = campaign_of(service, terms, budget=5_000, uses=1).campaign_id
    (coupon_id,) = coupons_of(service, campaign_id, KIM)
    till = Till(service)
    till.reserve("chk_1", coupon_id, 5_000)
    till.capture("chk_1")
    till.refund("chk_1", back=1_000, whole=False)
    assert stands(service.status(campaign_id)) == (0, 1_000, 5_000, 1_000)
    service.void_batch(campaign_id, "for-kim", "leaked", OLGA, "v")
    service.carry_on(campaign_id, "for-kim")
    till.refund("chk_1", back=2_000, whole=False)
    assert stands(service.status(campaign_id)) == (2_000, 1_000, 5_000, 3_000)
    till.refund("chk_1", back=2_000)
    assert stands(service.status(campaign_id)) == (4_000, 1_000, 5_000, 5_000)
    assert service.status(campaign_id).uses_left == 1


def test_a_coupon_that_is_worth_something_else_meanwhile_is_looked_at_again(service: CouponService) -> None:
    """Used and given back in between: what is then bound for it must go back, and nothing else."""
    terms = replace(FIVE_THOUSAND_OFF, reserve_at=ReserveAt.ISSUE)
    campaign_id = campaign_of(service, terms).campaign_id
    (coupon_id,) = coupons_of(service, campaign_id, KIM)
    stale = replace(service.find(coupon_id=coupon_id).coupon, worth=4_000)
    write = service.budgets.begin()
    done, fact = Voided(NOON, "olga", "a mistake"), service.fact("CouponVoided", coupon_id, {})
    service.store.void(write, stale, done, Asked("req_1", "void"), fact)
    with pytest.raises(CouponMoved):
        write.commit()


class Used:
    """A store whose coupon is used between the look at it and the write."""

    def __init__(self, service: CouponService) -> None:
        self.service, self.first = service, True

    def __getattr__(self, name: str) -> Any:
        return getattr(self.service.store, name)

    def void(self, write: Any, before: Coupon, *rest: Any) -> None:
        self._use(before)
        self.service.store.void(write, before, *rest)

    def void_some(self, write: Any, batch: Any, seen: int, coupons: list[Coupon], done: Voided) -> None:
        for coupon in coupons:
            self._use(coupon)
        self.service.store.void_some(write, batch, seen, coupons, done)

    def _use(self, coupon: Coupon) -> None:
        if self.first:
            self.first = False
            use(self.service, coupon, "chk_1")


def test_a_coupon_that_is_used_meanwhile_is_looked_at_again(service: CouponService) -> None:
    campaign_id = campaign_of(service).campaign_id
    (coupon_id,) = coupons_of(service, campaign_id, KIM)
    with pytest.raises(CouponUsed):
        replace(service, store=Used(service)).void(coupon_id, "a mistake", OLGA, "k")
    assert service.find(coupon_id=coupon_id).voided is None
    (coupon_id,) = coupons_of(service, campaign_id, LEE)
    service.void_batch(campaign_id, "for-lee", "leaked", OLGA, "v")
    replace(service, store=Used(service)).carry_on(campaign_id, "for-lee")
    found = service.find(coupon_id=coupon_id).coupon
    assert (found.state, found.doomed) == (State.USED, True)
