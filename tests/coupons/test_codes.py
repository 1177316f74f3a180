"""Issuing codes in batches, and showing them once they work."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from chalicelib.coupons.model import (
    Batch,
    BatchDiffers,
    BatchKind,
    BatchMoved,
    BudgetTooSmall,
    CampaignClosed,
    CodeTaken,
    Coupon,
    ReserveAt,
    State,
    UnknownBatch,
    Voided,
    hash_of,
)
from chalicelib.coupons.schemas import CodeBatchContinued, CodeBatchRequested
from chalicelib.coupons.service import CouponService
from chalicelib.coupons.service.codes import CHUNK
from chalicelib.kernel.errors import KeyReused
from chalicelib.kernel.facts import Fact
from tests.conftest import NOON, ROOT, Hands
from tests.coupons.examples import FIVE_THOUSAND_OFF, KIM, OLGA, SECRET, campaign_of, codes_of
from tests.coupons.memory import MemoryCoupons

Facts = Callable[[], list[Fact]]


def test_a_batch_is_issued_to_its_last_code(service: CouponService) -> None:
    campaign_id = campaign_of(service).campaign_id
    codes = codes_of(service, campaign_id, 250)
    assert len(set(codes)) == 250
    batch = service.batch(campaign_id, "b1")
    assert (batch.count, batch.issued, batch.state, batch.kind) == (250, 250, "DONE", BatchKind.CODES)
    for code in (codes[0], codes[249]):
        stored = service.store.coupon(hash_of(SECRET, code))
        assert stored is not None
        assert (stored.campaign_id, stored.state) == (campaign_id, State.ISSUED)


def test_no_code_is_shown_before_all_of_them_work(service: CouponService) -> None:
    campaign_id = campaign_of(service).campaign_id
    batch = service.request_codes(campaign_id, "b1", 5, by=OLGA, key="k").value
    assert batch.state == "REQUESTED"
    assert service.codes(batch, 0, 5) == ()


def test_c13_a_batch_is_asked_for_once(service: CouponService, facts: Facts) -> None:
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

    def issue(self, *chunk: Any) -> None:
        self.left -= 1
        if self.left >= 0 and self.left % 2:
            raise Crash
        self.store.issue(*chunk)
        if self.left >= 0:
            raise Crash


def test_c13_a_run_stopped_anywhere_is_taken_up_where_it_stopped(service: CouponService) -> None:
    """Crashes before and after every write of the batch: the exact count, and no duplicate."""
    campaign_id = campaign_of(service).campaign_id
    service.request_codes(campaign_id, "b1", 250, by=OLGA, key="k")
    crashing = replace(service, store=Crashing(service.store, 5))
    crashes = 0
    for _ in range(10):
        try:
            batch = crashing.issue(campaign_id, "b1")
        except Crash:
            crashes += 1
    assert (crashes, batch.issued, batch.done) == (5, 250, True)
    hashes = sorted({hash_of(SECRET, code) for code in service.codes(batch, 0, 500)})
    assert len(hashes) == service.store.issued(campaign_id) == 250
    found = [*service.store.coupons_of(hashes[:100]), *service.store.coupons_of(hashes[150:])]
    assert [coupon.code_hash for coupon in found] == [*hashes[:100], *hashes[150:]]


def test_c13_a_run_hands_on_what_it_has_no_time_for(
    service: CouponService, facts: Facts, clock: Hands
) -> None:
    campaign_id = campaign_of(service).campaign_id
    service.request_codes(campaign_id, "b1", 2 * CHUNK, by=OLGA, key="k")
    slow = replace(service, now=Ticking(clock, seconds=60))
    runs = 0
    while not (batch := slow.issue(campaign_id, "b1", until=clock() + timedelta(seconds=100))).done:
        runs += 1
        told = facts()[-1]
        assert told.type == "CodeBatchContinued"
        assert told.data_as(CodeBatchContinued).batch_id == "b1"
        assert service.codes(batch, 0, 9) == ()
    assert runs >= 1
    assert len(set(service.codes(batch, 0, 1_000))) == 2 * CHUNK


class Ticking:
    """A clock that goes on with every look."""

    def __init__(self, clock: Hands, seconds: float) -> None:
        self.clock, self.seconds = clock, seconds

    def __call__(self) -> datetime:
        self.clock.move(seconds=self.seconds)
        return self.clock()


def test_c13_no_row_of_the_campaign_is_touched_for_a_code(
    service: CouponService, request: pytest.FixtureRequest
) -> None:
    """Neither is one added to any count: a batch knows by itself how far it is."""
    campaign_id = campaign_of(service).campaign_id
    service.request_codes(campaign_id, "b1", 250, by=OLGA, key="k")
    before = rows_of(service, request, campaign_id)
    service.issue(campaign_id, "b1")
    assert rows_of(service, request, campaign_id) == before
    assert before


def rows_of(service: CouponService, request: pytest.FixtureRequest, campaign_id: str) -> Any:
    """All that tells of the campaign but its coupons and batches."""
    stored: Any = service.store
    if isinstance(stored, MemoryCoupons):
        return repr([stored.campaigns, stored.shards, stored.boxed])
    rows = request.getfixturevalue("dynamodb").scan(TableName="test-coupons")["Items"]
    kinds = ("CAMPAIGN#", "SHARD#", "TALLY#")
    return sorted(repr(row) for row in rows if row["pk"]["S"].startswith(kinds))


def test_a_batch_shows_how_fast_it_goes(service: CouponService, clock: Hands) -> None:
    campaign_id = campaign_of(service).campaign_id
    batch = service.request_codes(campaign_id, "b1", 4 * CHUNK, by=OLGA, key="k").value
    assert (batch.per_second, batch.seconds_left) == (None, None)
    clock.move(seconds=10)
    with pytest.raises(Crash):
        replace(service, store=Crashing(service.store, 1)).issue(campaign_id, "b1")
    batch = service.batch(campaign_id, "b1")
    assert (batch.issued, batch.per_second, batch.seconds_left) == (CHUNK, 9.9, 30)


def test_a_campaigns_batches_come_in_pages(service: CouponService) -> None:
    campaign_id, other = (campaign_of(service, key=key).campaign_id for key in ("c1", "c2"))
    for name in ("b2", "b1", "b3"):
        codes_of(service, campaign_id, 2, name)
    codes_of(service, other, 5, "b9")
    page, after = service.batches(campaign_id, 2, None)
    rest, end = service.batches(campaign_id, 2, after)
    assert ([batch.batch_id for batch in page + rest], end) == (["b1", "b2", "b3"], None)
    assert (service.store.issued(campaign_id), service.store.issued(other)) == (6, 5)


def test_a_closed_campaign_issues_nothing_but_still_answers_a_retry(service: CouponService) -> None:
    campaign_id = campaign_of(service).campaign_id
    codes_of(service, campaign_id, 2)
    service.close(campaign_id, "over", by=OLGA)
    with pytest.raises(CampaignClosed):
        service.request_codes(campaign_id, "b2", 2, by=OLGA, key="k2")
    again = service.request_codes(campaign_id, "b1", 2, by=OLGA, key=f"{campaign_id} b1")
    assert again.replayed


def test_what_is_bound_at_issue_is_bound_once_with_the_batch_or_not_at_all(service: CouponService) -> None:
    terms = replace(FIVE_THOUSAND_OFF, reserve_at=ReserveAt.ISSUE)
    campaign_id = campaign_of(service, terms, budget=100_000).campaign_id
    with pytest.raises(BudgetTooSmall):
        service.request_codes(campaign_id, "b1", 21, by=OLGA, key="k1")
    with pytest.raises(UnknownBatch):
        service.batch(campaign_id, "b1")
    for key in ("k2", "k2", "k3"):
        service.request_codes(campaign_id, "b1", 15, by=OLGA, key=key)
    seen = service.status(campaign_id)
    assert (seen.available, seen.reserved) == (25_000, 75_000)
    service.issue(campaign_id, "b1")
    code, *_ = service.codes(service.batch(campaign_id, "b1"), 0, 1)
    assert service.register(code, OLGA, "k").value.coupon.worth == 5_000


class Overtaken:
    """A store that lets another run go first, once."""

    def __init__(self, service: CouponService) -> None:
        self.service = service
        self.first = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self.service.store, name)

    def issue(self, batch: Batch, *chunk: Any) -> None:
        if self.first:
            self.first = False
            self.service.issue(batch.campaign_id, batch.batch_id)
            code = batch.codes(SECRET, 0, 1)[0]
            self.service.register(code, OLGA, "k")
        self.service.store.issue(batch, *chunk)


def test_c13_a_run_that_was_overtaken_takes_no_coupon_back(service: CouponService) -> None:
    """An unconditional write of a late run would hand a registered coupon out again."""
    campaign_id = campaign_of(service).campaign_id
    service.request_codes(campaign_id, "b1", 150, by=OLGA, key="k")
    late = replace(service, store=Overtaken(service))
    batch = late.issue(campaign_id, "b1")
    assert batch.done
    registered = service.store.coupon(hash_of(SECRET, service.codes(batch, 0, 1)[0]))
    assert registered is not None
    assert (registered.state, registered.owner) == (State.REGISTERED, "olga")


class Late:
    """A store whose first look at a batch is from before anybody asked for it; `then` happens after it."""

    def __init__(self, store: Any, then: Callable[[], object]) -> None:
        self.store, self.then = store, then
        self.first = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def batch(self, *name: str) -> Batch | None:
        found: Batch | None = self.store.batch(*name)
        if self.first:
            self.first = False
            self.then()
        return found


def test_of_two_who_ask_for_a_batch_at_once_the_first_counts(service: CouponService) -> None:
    campaign_id = campaign_of(service).campaign_id
    for count, problem in ((7, BatchDiffers), (5, None)):
        name = f"b{count}"

        def first(name: str = name) -> None:
            service.request_codes(campaign_id, name, 5, by=OLGA, key=f"first {name}")

        late = replace(service, store=Late(service.store, first))
        if problem:
            with pytest.raises(problem):
                late.request_codes(campaign_id, name, count, by=OLGA, key=name)
        else:
            assert late.request_codes(campaign_id, name, count, by=OLGA, key=name).replayed
        assert service.batch(campaign_id, name).count == 5


def test_a_code_is_nobody_elses_even_if_two_were_spelt_alike(service: CouponService) -> None:
    campaign_id = campaign_of(service).campaign_id
    (code,) = codes_of(service, campaign_id, 1)
    mine = service.register(code, KIM, "k").value.coupon
    service.request_codes(campaign_id, "b2", 1, by=OLGA, key="k2")
    again = Coupon(campaign_id, mine.code_hash)
    with pytest.raises(CodeTaken):
        service.store.issue(service.batch(campaign_id, "b2"), [again], [], NOON)
    assert service.store.coupon(mine.code_hash) == mine
    assert service.batch(campaign_id, "b2").issued == 0


def test_a_batch_that_is_made_void_while_it_is_issued_grows_no_more(service: CouponService) -> None:
    campaign_id = campaign_of(service).campaign_id
    service.request_codes(campaign_id, "b1", 150, by=OLGA, key="k")

    def void() -> None:
        service.void_batch(campaign_id, "b1", "leaked", OLGA, "v")

    batch = replace(service, store=Late(service.store, void)).issue(campaign_id, "b1")
    assert (batch.issued, batch.state, service.store.issued(campaign_id)) == (0, "VOID", 0)


def test_a_batch_that_grows_while_it_is_made_void_frees_what_is_left_of_it_once(
    service: CouponService,
) -> None:
    terms = replace(FIVE_THOUSAND_OFF, reserve_at=ReserveAt.ISSUE)
    campaign_id = campaign_of(service, terms, budget=1_000_000).campaign_id
    service.request_codes(campaign_id, "b1", 150, by=OLGA, key="k")

    def grow() -> None:
        with pytest.raises(Crash):
            replace(service, store=Crashing(service.store, 1)).issue(campaign_id, "b1")

    late = replace(service, store=Late(service.store, grow))
    assert not late.void_batch(campaign_id, "b1", "leaked", OLGA, "v").replayed
    assert service.status(campaign_id).reserved == CHUNK * 5_000

    def other() -> None:
        service.void_batch(campaign_id, "b2", "leaked", OLGA, "v2")

    service.request_codes(campaign_id, "b2", 10, by=OLGA, key="k2")
    again = replace(service, store=Late(service.store, other))
    assert again.void_batch(campaign_id, "b2", "leaked", OLGA, "v3").replayed
    assert service.status(campaign_id).reserved == CHUNK * 5_000


def test_of_two_runs_that_make_a_batch_void_each_code_is_seen_to_once(service: CouponService) -> None:
    campaign_id = campaign_of(service).campaign_id
    codes_of(service, campaign_id, 100)
    service.void_batch(campaign_id, "b1", "leaked", OLGA, "v")
    stale = service.batch(campaign_id, "b1")
    service.carry_on(campaign_id, "b1")
    write = service.budgets.begin()
    service.store.void_some(write, stale, 96, [], Voided(NOON, "olga", "leaked"))
    with pytest.raises(BatchMoved):
        write.commit()
    assert service.batch(campaign_id, "b1").voided == 100


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


def test_c12_no_stored_row_holds_a_code(service: CouponService, request: pytest.FixtureRequest) -> None:
    codes = codes_of(service, campaign_of(service).campaign_id, 20)
    service.register(codes[0], OLGA, "k")
    stored: Any = service.store
    if not isinstance(stored, MemoryCoupons):
        stored = request.getfixturevalue("dynamodb").scan(TableName="test-coupons")["Items"]
    rows = repr(vars(stored) if isinstance(stored, MemoryCoupons) else stored)
    assert not [code for code in codes if code in rows or code.replace("-", "") in rows]
