"""Issuing codes in batches, and showing them once they work."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from chalicelib.coupons.model import Batch, BatchDiffers, State, UnknownBatch, hash_of
from chalicelib.coupons.schemas import CodeBatchRequested
from chalicelib.coupons.service import CouponService
from chalicelib.kernel.errors import KeyReused
from chalicelib.kernel.facts import Fact
from tests.conftest import ROOT
from tests.coupons.examples import OLGA, SECRET, campaign_of, codes_of
from tests.coupons.memory import MemoryCoupons

Facts = Callable[[], list[Fact]]


def test_a_batch_is_issued_to_its_last_code(service: CouponService) -> None:
    campaign_id = campaign_of(service).campaign_id
    codes = codes_of(service, campaign_id, 250)
    assert len(set(codes)) == 250
    assert service.batch(campaign_id, "b1") == Batch(campaign_id, "b1", 250, issued=250)
    for code in (codes[0], codes[249]):
        stored = service.store.coupon(hash_of(SECRET, code))
        assert stored is not None
        assert (stored.campaign_id, stored.state) == (campaign_id, State.ISSUED)


def test_no_code_is_shown_before_all_of_them_work(service: CouponService) -> None:
    campaign_id = campaign_of(service).campaign_id
    batch = service.request_codes(campaign_id, "b1", 5, by=OLGA, key="k").value
    assert batch.state == "REQUESTED"
    assert service.codes(batch, 0, 5) == ()


def test_a_batch_is_asked_for_once(service: CouponService, facts: Facts) -> None:
    campaign_id = campaign_of(service).campaign_id
    first = service.request_codes(campaign_id, "b1", 5, by=OLGA, key="k1")
    service.issue(campaign_id, "b1")
    for key in ("k1", "k2"):
        again = service.request_codes(campaign_id, "b1", 5, by=OLGA, key=key)
        assert (again.replayed, again.value.state) == (True, "DONE")
    assert not first.replayed
    assert [fact.type for fact in facts()] == ["CampaignCreated", "CodeBatchRequested"]


def test_a_batch_of_the_same_name_and_another_count_is_refused(service: CouponService) -> None:
    campaign_id = campaign_of(service).campaign_id
    service.request_codes(campaign_id, "b1", 5, by=OLGA, key="k1")
    with pytest.raises(BatchDiffers):
        service.request_codes(campaign_id, "b1", 6, by=OLGA, key="k2")
    with pytest.raises(KeyReused):
        service.request_codes(campaign_id, "b2", 6, by=OLGA, key="k1")


def test_issuing_a_finished_batch_again_changes_nothing(service: CouponService) -> None:
    campaign_id = campaign_of(service).campaign_id
    code, *_ = codes_of(service, campaign_id, 5)
    taken = service.register(code, OLGA, "k").value.coupon
    assert service.issue(campaign_id, "b1").issued == 5
    assert service.store.coupon(taken.code_hash) == taken


class Crash(Exception):
    """The Lambda was stopped."""


class Crashing:
    """A store whose `issue` ends a run before or after each write, `times` times."""

    def __init__(self, store: Any, times: int) -> None:
        self.store = store
        self.left = times

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def issue(self, batch: Batch, hashes: Sequence[str]) -> None:
        self.left -= 1
        if self.left >= 0 and self.left % 2:
            raise Crash
        self.store.issue(batch, hashes)
        if self.left >= 0:
            raise Crash


def test_a_run_stopped_anywhere_is_taken_up_where_it_stopped(service: CouponService) -> None:
    campaign_id = campaign_of(service).campaign_id
    service.request_codes(campaign_id, "b1", 500, by=OLGA, key="k")
    crashing = CouponService(
        Crashing(service.store, 7), service.budgets, service.secret, service.now, service.new_id
    )
    crashes = 0
    for _ in range(10):
        try:
            batch = crashing.issue(campaign_id, "b1")
        except Crash:
            crashes += 1
    assert (crashes, batch) == (7, Batch(campaign_id, "b1", 500, issued=500))
    hashes = {hash_of(SECRET, code) for code in service.codes(batch, 0, 500)}
    assert all(service.store.coupon(each) for each in hashes)


class Overtaken:
    """A store that lets another run go first, once."""

    def __init__(self, service: CouponService) -> None:
        self.service = service
        self.first = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self.service.store, name)

    def issue(self, batch: Batch, hashes: Sequence[str]) -> None:
        if self.first:
            self.first = False
            self.service.issue(batch.campaign_id, batch.batch_id)
            code = batch.codes(SECRET, 0, 1)[0]
            self.service.register(code, OLGA, "k")
        self.service.store.issue(batch, hashes)


def test_a_run_that_was_overtaken_takes_no_coupon_back(service: CouponService) -> None:
    """An unconditional write of a late run would hand a registered coupon out again."""
    campaign_id = campaign_of(service).campaign_id
    service.request_codes(campaign_id, "b1", 150, by=OLGA, key="k")
    late = CouponService(Overtaken(service), service.budgets, service.secret, service.now, service.new_id)
    batch = late.issue(campaign_id, "b1")
    assert batch.done
    registered = service.store.coupon(hash_of(SECRET, service.codes(batch, 0, 1)[0]))
    assert registered is not None
    assert (registered.state, registered.owner) == (State.REGISTERED, "olga")


@pytest.mark.parametrize("batch_id", ["nobody", "x" * 5_000, "\x00"])
def test_unknown_batches_are_not_found(service: CouponService, batch_id: str) -> None:
    campaign_id = campaign_of(service).campaign_id
    with pytest.raises(UnknownBatch):
        service.batch(campaign_id, batch_id)
    with pytest.raises(UnknownBatch):
        service.issue(campaign_id, batch_id)


def test_the_published_fact_is_the_sample(service: CouponService, facts: Facts) -> None:
    campaign_id = campaign_of(service).campaign_id
    service.request_codes(campaign_id, "spring-1", 200, by=OLGA, key="k")
    fact = facts()[-1]
    assert fact.envelope() == json.loads((ROOT / "events/facts/CodeBatchRequested.json").read_text())
    assert fact.data_as(CodeBatchRequested) == CodeBatchRequested(campaign_id, "spring-1", 200)


def test_no_stored_row_holds_a_code(service: CouponService, request: pytest.FixtureRequest) -> None:
    codes = codes_of(service, campaign_of(service).campaign_id, 20)
    service.register(codes[0], OLGA, "k")
    stored: Any = service.store
    if not isinstance(stored, MemoryCoupons):
        stored = request.getfixturevalue("dynamodb").scan(TableName="test-coupons")["Items"]
    rows = repr(vars(stored) if isinstance(stored, MemoryCoupons) else stored)
    assert not [code for code in codes if code in rows or code.replace("-", "") in rows]
