"""Coupons put straight into the boxes of customers that were named, and what is told of them."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from msgspec.structs import replace

from chalicelib.coupons.model import (
    BatchDiffers,
    BatchKind,
    BudgetTooSmall,
    CodeRefused,
    GiftOver,
    NobodyInGroup,
    ReserveAt,
    UnknownBatch,
    UnknownCoupon,
    hash_of,
)
from chalicelib.coupons.schemas import CouponGiven
from chalicelib.coupons.service import CouponService
from chalicelib.kernel.auth import Caller
from chalicelib.kernel.errors import KeyReused
from chalicelib.kernel.facts import Fact
from tests.conftest import ROOT, Hands
from tests.coupons.examples import FIVE_THOUSAND_OFF, KIM, LEE, OLGA, SECRET, TEN_PERCENT_OFF, campaign_of
from tests.coupons.test_codes import Crash, Crashing
from tests.coupons.uses import for_group, use

Facts = Callable[[], list[Fact]]
PEOPLE = [f"customer-{number}" for number in range(60)]


@pytest.fixture
def campaign_id(service: CouponService) -> str:
    return campaign_of(service).campaign_id


def give(
    service: CouponService,
    campaign_id: str,
    customers: list[str],
    send: bool = False,
    key: str = "k1",
    batch_id: str = "t1",
) -> None:
    service.request_targets(campaign_id, batch_id, customers, send, by=OLGA, key=key)
    service.issue(campaign_id, batch_id)


def boxes(service: CouponService, customers: list[str]) -> list[int]:
    return [len(service.mine(Caller(each), 50, None)[0]) for each in customers]


def test_each_customer_gets_one_coupon_however_often_they_are_named_or_it_is_asked(
    service: CouponService, campaign_id: str
) -> None:
    for _ in range(2):
        give(service, campaign_id, ["kim", "lee", "kim"])
    assert boxes(service, ["kim", "lee", "park"]) == [1, 1, 0]
    batch = service.batch(campaign_id, "t1")
    assert (batch.kind, batch.count, batch.issued, batch.state) == (BatchKind.TARGETS, 2, 2, "DONE")
    assert (service.store.issued(campaign_id), service.store.registered(campaign_id)) == (2, 2)


def test_c13_a_run_that_is_stopped_anywhere_gives_each_target_one_coupon_and_one_word_of_it(
    service: CouponService, facts: Facts
) -> None:
    campaign_id = campaign_of(service).campaign_id
    service.request_targets(campaign_id, "t1", PEOPLE, True, by=OLGA, key="k1")
    crashing = replace(service, store=Crashing(service.store, 3))
    for _ in range(6):
        try:
            crashing.issue(campaign_id, "t1")
        except Crash:
            continue
    assert service.batch(campaign_id, "t1").done
    assert boxes(service, PEOPLE) == [1] * len(PEOPLE)
    given = [fact.data["number"] for fact in facts() if fact.type == "CouponGiven"]
    assert sorted(given) == list(range(len(PEOPLE)))


def test_a_list_is_what_it_was_when_it_was_first_asked_for(service: CouponService, campaign_id: str) -> None:
    first = service.request_targets(campaign_id, "t1", ["kim"], False, by=OLGA, key="k1")
    again = service.request_targets(campaign_id, "t1", ["kim"], False, by=OLGA, key="k2")
    assert [first.replayed, again.replayed] == [False, True]
    for customers, send in ((["kim", "lee"], False), (["kim"], True)):
        with pytest.raises(BatchDiffers):
            service.request_targets(campaign_id, "t1", customers, send, by=OLGA, key="k3")
        with pytest.raises(KeyReused):
            service.request_targets(campaign_id, "t2", customers, send, by=OLGA, key="k1")
    with pytest.raises(BatchDiffers):
        service.request_codes(campaign_id, "t1", 1, by=OLGA, key="k4")


def test_only_members_of_the_campaigns_groups_are_given_one(service: CouponService) -> None:
    campaign_id = campaign_of(service, for_group("vip", "staff")).campaign_id
    with pytest.raises(NobodyInGroup):
        give(service, campaign_id, PEOPLE)
    service.change_group("vip", PEOPLE[:2], [])
    service.change_group("staff", PEOPLE[1:3], [])
    service.change_group("others", PEOPLE[5:], [])
    give(service, campaign_id, PEOPLE)
    batch = service.batch(campaign_id, "t1")
    assert (batch.issued, batch.refused) == (3, len(PEOPLE) - 3)
    assert boxes(service, PEOPLE[:5]) == [1, 1, 1, 0, 0]


def test_what_is_bound_at_issue_is_bound_for_all_targets_or_for_none(service: CouponService) -> None:
    terms = replace(FIVE_THOUSAND_OFF, reserve_at=ReserveAt.ISSUE)
    campaign_id = campaign_of(service, terms, budget=14_999).campaign_id
    with pytest.raises(BudgetTooSmall):
        give(service, campaign_id, ["kim", "lee", "park"])
    give(service, campaign_id, ["kim", "lee"])
    seen = service.status(campaign_id)
    assert (seen.available, seen.reserved) == (4_999, 10_000)
    ((boxed,), _) = service.mine(KIM, 50, None)
    assert boxed.coupon.worth == 5_000


def test_the_code_of_a_gift_is_its_owners_and_nobody_elses(service: CouponService, campaign_id: str) -> None:
    give(service, campaign_id, ["kim"], send=True)
    gift = service.gift(campaign_id, "t1", 0)
    assert service.register(gift.code, KIM, "k").replayed
    with pytest.raises(CodeRefused):
        service.register(gift.code, LEE, "k")


def test_a_gift_is_told_of_in_the_campaigns_terms(service: CouponService, clock: Hands) -> None:
    end = clock() + timedelta(days=9)
    for key, terms, worth in (
        ("c1", FIVE_THOUSAND_OFF, (5_000, None)),
        ("c2", TEN_PERCENT_OFF, (None, 10)),
    ):
        campaign_id = campaign_of(service, replace(terms, closes_at=end), key=key).campaign_id
        give(service, campaign_id, ["kim", "lee"], key=key)
        gift = service.gift(campaign_id, "t1", 1)
        assert (gift.customer_id, gift.amount, gift.percent, gift.until) == ("lee", *worth, end)
        assert service.store.coupon(hash_of(SECRET, gift.code)).owner == "lee"  # type: ignore[union-attr]


def test_there_is_no_use_in_telling_of_what_is_over(
    service: CouponService, campaign_id: str, clock: Hands
) -> None:
    give(service, campaign_id, ["kim", "lee", "park"])
    use(service, service.mine(KIM, 50, None)[0][0].coupon, "chk_1")
    service.void(service.mine(LEE, 50, None)[0][0].coupon.coupon_id, "a mistake", OLGA, "k")
    assert service.gift(campaign_id, "t1", 2).customer_id == "park"
    service.close(campaign_id, "over", by=OLGA)
    for number in range(3):
        with pytest.raises(GiftOver):
            service.gift(campaign_id, "t1", number)
    for number in (3, -1, 10**9):
        with pytest.raises(UnknownCoupon):
            service.gift(campaign_id, "t1", number)
    service.request_codes(campaign_id := campaign_of(service, key="c9").campaign_id, "b1", 1, OLGA, "k9")
    with pytest.raises(UnknownBatch):
        service.gift(campaign_id, "b1", 0)


def test_a_gift_is_told_only_when_that_was_asked_for(
    service: CouponService, campaign_id: str, facts: Facts
) -> None:
    give(service, campaign_id, ["kim"])
    assert not [fact for fact in facts() if fact.type == "CouponGiven"]
    assert service.told(service.batch(campaign_id, "t1")).sent == 0


def test_what_became_of_the_texts_always_adds_up(service: CouponService, campaign_id: str) -> None:
    give(service, campaign_id, PEOPLE[:10], send=True)
    counts = {"SENT": 3, "NO_CONSENT": 2, "OPTED_OUT": 1}
    told = replace(service, texts=lambda *_: counts).told(service.batch(campaign_id, "t1"))
    assert (told.sent, told.waiting, told.refused) == (3, 4, {"NO_CONSENT": 2, "OPTED_OUT": 1})
    assert told.sent + told.waiting + sum(told.refused.values()) == 10


def test_the_published_fact_is_the_sample_and_names_nobody(service: CouponService, facts: Facts) -> None:
    sample = json.loads((ROOT / "events/facts/CouponGiven.json").read_text())
    campaign_id = campaign_of(service).campaign_id
    give(service, campaign_id, ["kim"], send=True, batch_id="spring-1")
    fact = facts()[-1]
    assert fact.envelope() == sample
    assert fact.data_as(CouponGiven) == CouponGiven(campaign_id, "spring-1", 0)
    assert "kim" not in fact.json()


def test_a_target_of_an_unknown_campaign_is_not_found(service: CouponService) -> None:
    with pytest.raises(UnknownBatch):
        service.batch("cmp_unknown", "t1", BatchKind.TARGETS)
