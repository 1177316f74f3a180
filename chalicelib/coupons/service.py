"""Use cases of campaigns, codes and coupons, and the spending of a budget that many draw on at once.

A budget is cut into shards, so that rivals rarely meet. One short shard proves nothing: after two of them all
shards are read at one instant, and either that sum is too small (exhausted, exactly) or the amount is taken
from several shards in one transaction. So nothing is overspent, refused wrongly, or stranded.
"""

import random
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from msgspec import Struct, field
from msgspec.structs import replace

from chalicelib.coupons import model
from chalicelib.coupons.model import (
    AlreadyDone,
    Asked,
    Batch,
    BatchDiffers,
    BatchMoved,
    Boxed,
    BudgetExhausted,
    Campaign,
    CampaignPaused,
    CodeRefused,
    Coupon,
    ShardShort,
    Snapshot,
    Split,
    Switch,
    Terms,
    TopUpDiffers,
    UnknownBatch,
    UnknownCampaign,
    UnknownCoupon,
)
from chalicelib.kernel.auth import Caller
from chalicelib.kernel.clock import Clock
from chalicelib.kernel.done import Done
from chalicelib.kernel.errors import Busy, Conflicted, KeyReused
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.ids import keyed_id
from chalicelib.kernel.money import Won
from chalicelib.kernel.tables import Write

T = TypeVar("T")
LONGEST_ID = 64
CACHE_AGE = timedelta(seconds=1)
TRIES = 12
FIRST_PAUSE_SECONDS = 0.005
LONGEST_PAUSE_SECONDS = 0.16
SHORT_SHARDS = 2
"""So many short shards, and the whole budget is looked at."""
CHUNK = 99
"""Codes stored with the batch's progress in one transaction of at most 100 rows."""


class Store(Protocol):
    """Every method is one call and happens entirely or not at all; reads are strongly consistent but `owned`.

    `asked` is written with the change: AlreadyDone, with nothing changed, when a row of that id is there.
    """

    def create(self, campaign: Campaign, budgets: Sequence[Won], fact: Fact) -> None:
        """AlreadyDone when a campaign of that id exists."""

    def campaign(self, campaign_id: str) -> Campaign | None: ...

    def snapshot(self, campaign: Campaign) -> Snapshot:
        """Serializable: the campaign and its shards at one instant. Conflicted when writers held a row."""

    def switch(self, campaign: Campaign, state: Switch) -> None: ...

    def top_up(self, campaign: Campaign, top_up_id: str, parts: Sequence[Won], asked: Asked) -> None:
        """Forgets `left`. AlreadyDone when that top-up was made."""

    def topped_up(self, campaign_id: str, top_up_id: str) -> Won | None: ...

    def note_left(self, campaign: Campaign, left: Won) -> None:
        """Best effort, and never after a top-up that `campaign` has not seen."""

    def asked(self, request_id: str) -> Asked | None: ...

    def request(self, batch: Batch, asked: Asked, fact: Fact) -> None:
        """AlreadyDone when the batch exists."""

    def batch(self, campaign_id: str, batch_id: str) -> Batch | None: ...

    def issue(self, batch: Batch, hashes: Sequence[str]) -> None:
        """The coupons and the batch's progress; BatchMoved when its progress is not `batch.issued`, CodeTaken
        when a coupon of that hash exists."""

    def coupon(self, code_hash: str) -> Coupon | None: ...

    def count_try(self, customer_id: str, at: datetime) -> None:
        """TooManyCodes when too many were counted lately and not forgiven."""

    def forgive_try(self, customer_id: str, at: datetime) -> None: ...

    def register(self, coupon: Coupon, asked: Asked, at: datetime) -> None:
        """Also forgives the try. AlreadyDone when it is this owner's already, CodeRefused when not free."""

    def owned(self, owner: str, limit: int, after: str | None) -> tuple[list[Coupon], str | None]:
        """By coupon id, after that one; and the id to go on after, None at the end. May lag a moment."""

    def hold(self, write: Write, used: Coupon, per_user_limit: int | None, split: Split) -> None:
        """Adds: the coupon out of its owner's box, the owner's count if there is a limit, the shards' parts.
        Refused in this order: UnknownCoupon, CouponUsed, UserLimitReached, CampaignPaused or ShardShort."""


class Budgets(Struct, frozen=True):
    """Campaigns as a process remembers them, for a second, and how an amount is taken from their shards."""

    store: Store
    now: Clock
    choose: Callable[[Sequence[int]], int] = random.choice
    pause: Callable[[float], None] = time.sleep
    campaigns: dict[str, tuple[datetime, Campaign]] = field(default_factory=dict)
    proofs: dict[str, tuple[datetime, Won]] = field(default_factory=dict)

    def campaign(self, campaign_id: str) -> Campaign:
        """At most a second old: what never changes may be trusted, the rest is a hint."""
        at = self.now()
        kept = self.campaigns.get(campaign_id)
        if kept is None or at - kept[0] > CACHE_AGE:
            kept = (at, self.current(campaign_id))
            self.campaigns[campaign_id] = kept
        return kept[1]

    def current(self, campaign_id: str) -> Campaign:
        campaign = self.store.campaign(campaign_id) if len(campaign_id) <= LONGEST_ID else None
        if campaign is None:
            raise UnknownCampaign()
        return campaign

    def snapshot(self, campaign: Campaign) -> Snapshot:
        for trial in range(TRIES):
            try:
                return self.store.snapshot(campaign)
            except Conflicted:
                self._wait(trial)
        raise Busy()

    def forget(self, campaign_id: str) -> None:
        self.campaigns.pop(campaign_id, None)
        self.proofs.pop(campaign_id, None)

    def refuse_known(self, campaign_id: str, amount: Won) -> None:
        """BudgetExhausted when a proof of the last second found less; reads and writes nothing."""
        proof = self.proofs.get(campaign_id)
        if proof and amount > proof[1] and self.now() - proof[0] <= CACHE_AGE:
            raise BudgetExhausted()

    def spend(self, campaign: Campaign, amount: Won, attempt: Callable[[Split], T]) -> T:
        """Calls `attempt` with one split after another until it commits; what it raises but ShardShort and
        Conflicted ends it. Busy, never BudgetExhausted, when rivals were always faster."""
        self.refuse_known(campaign.campaign_id, amount)
        short: set[int] = set()
        prove = campaign.left is not None and campaign.left < amount
        for trial in range(TRIES):
            split = self._proven(campaign, amount) if prove else self._from_one(campaign, amount, short)
            try:
                return attempt(split)
            except ShardShort:
                short.add(split[0][0])
                prove = prove or len(short) >= min(SHORT_SHARDS, campaign.shards)
            except Conflicted:
                self._wait(trial)
        raise Busy()

    def _from_one(self, campaign: Campaign, amount: Won, short: set[int]) -> Split:
        others = [shard for shard in range(campaign.shards) if shard not in short]
        return ((self.choose(others), amount),)

    def _proven(self, campaign: Campaign, amount: Won) -> Split:
        """A split of what all shards held at one instant, or BudgetExhausted."""
        at = self.now()
        seen = self.snapshot(campaign)
        if seen.campaign.state is Switch.PAUSED:
            raise CampaignPaused()
        try:
            return model.split([shard.available for shard in seen.shards], amount, self.choose)
        except BudgetExhausted:
            self._note(seen, at)
            raise

    def _note(self, seen: Snapshot, at: datetime) -> None:
        """For this process, and once for all the others."""
        campaign = seen.campaign
        self.proofs[campaign.campaign_id] = (at, seen.available)
        if campaign.left is None or campaign.left > seen.available:
            self.store.note_left(campaign, seen.available)
        self.campaigns[campaign.campaign_id] = (at, replace(campaign, left=seen.available))

    def _wait(self, trial: int) -> None:
        longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2**trial)
        self.pause(random.uniform(0.2, 1) * longest)


class CouponService(Struct, frozen=True):
    """`secret` gives the key of all codes."""

    store: Store
    budgets: Budgets
    secret: Callable[[], str]
    now: Clock
    new_id: Callable[[str], str]

    # --- campaigns -----------------------------------------------------------------------------------------

    def create(self, terms: Terms, budget: Won, by: Caller, key: str, request: str) -> Done[Campaign]:
        """`request` is the fingerprint of the body."""
        terms.refuse_unoffered()
        parts = model.shard_budgets(budget, terms.largest)
        campaign = Campaign(keyed_id("cmp", by.id, key), terms, budget, len(parts), request)
        data = {"campaign_id": campaign.campaign_id, "name": terms.name, "kind": terms.kind, "budget": budget}
        try:
            self.store.create(campaign, parts, self._fact("CampaignCreated", campaign.campaign_id, data))
            return Done(campaign)
        except AlreadyDone:
            made = self.budgets.current(campaign.campaign_id)
        if made.request != request:
            raise KeyReused()
        return Done(made, replayed=True)

    def status(self, campaign_id: str) -> Snapshot:
        return self.budgets.snapshot(self.budgets.current(campaign_id))

    def switch(self, campaign_id: str, state: Switch) -> Snapshot:
        """Linearizable: no debit that commits after this returns has met the old state."""
        self.store.switch(self.budgets.current(campaign_id), state)
        return self.status(campaign_id)

    def top_up(self, campaign_id: str, top_up_id: str, amount: Won, by: Caller, key: str) -> Done[Snapshot]:
        asked = _asked(by, key, "top-up", campaign_id, top_up_id, str(amount))
        campaign = self.budgets.current(campaign_id)
        try:
            self.store.top_up(campaign, top_up_id, model.spread(amount, campaign.shards), asked)
            self.budgets.forget(campaign_id)
            return Done(self.status(campaign_id))
        except AlreadyDone:
            self._asked_before(asked)
        if self.store.topped_up(campaign_id, top_up_id) != amount:
            raise TopUpDiffers()
        return Done(self.status(campaign_id), replayed=True)

    # --- codes ---------------------------------------------------------------------------------------------

    def request_codes(self, campaign_id: str, batch_id: str, count: int, by: Caller, key: str) -> Done[Batch]:
        asked = _asked(by, key, "codes", campaign_id, batch_id, str(count))
        batch = Batch(self.budgets.current(campaign_id).campaign_id, batch_id, count)
        data = {"campaign_id": campaign_id, "batch_id": batch_id, "count": count}
        try:
            self.store.request(batch, asked, self._fact("CodeBatchRequested", campaign_id, data))
            return Done(batch)
        except AlreadyDone:
            self._asked_before(asked)
        known = self.batch(campaign_id, batch_id)
        if known.count != count:
            raise BatchDiffers()
        return Done(known, replayed=True)

    def batch(self, campaign_id: str, batch_id: str) -> Batch:
        known = max(len(campaign_id), len(batch_id)) <= LONGEST_ID
        batch = self.store.batch(campaign_id, batch_id) if known else None
        if batch is None:
            raise UnknownBatch()
        return batch

    def codes(self, batch: Batch, first: int, most: int) -> tuple[str, ...]:
        """None until all are issued: a code is not shown before it works."""
        return batch.codes(self.secret(), first, most) if batch.done else ()

    def issue(self, campaign_id: str, batch_id: str) -> Batch:
        """To the end of the batch, from wherever this or another run stopped; holds one chunk at a time."""
        batch = self.batch(campaign_id, batch_id)
        while not batch.done:
            codes = batch.codes(self.secret(), batch.issued, CHUNK)
            try:
                self.store.issue(batch, [model.hash_of(self.secret(), code) for code in codes])
                batch = replace(batch, issued=batch.issued + len(codes))
            except BatchMoved:
                batch = self.batch(campaign_id, batch_id)
        return batch

    # --- my coupons ----------------------------------------------------------------------------------------

    def register(self, typed: str, by: Caller, key: str) -> Done[Boxed]:
        """CodeRefused alike for unknown, used and foreign codes, at once for what cannot be a code.

        A try is counted before the code is looked up and forgiven when it was good, so that nobody outruns
        the limit by asking many times at once.
        """
        code_hash = model.hash_of(self.secret(), model.read_code(typed))
        asked = _asked(by, key, "register", code_hash)
        at = self.now()
        self.store.count_try(by.id, at)
        coupon = self.store.coupon(code_hash)
        try:
            return Done(self._boxed(self._registered(coupon, by, asked, at)))
        except (AlreadyDone, CodeRefused) as refusal:
            before = self._asked_before(asked) or isinstance(refusal, AlreadyDone)
            if coupon is None or not before:
                raise
        self.store.forgive_try(by.id, at)
        return Done(self._boxed(coupon.owned_by(by.id)), replayed=True)

    def _registered(self, coupon: Coupon | None, by: Caller, asked: Asked, at: datetime) -> Coupon:
        if coupon is None:
            raise CodeRefused()
        mine = coupon.registered(by.id)
        self.store.register(mine, asked, at)
        return mine

    def mine(self, by: Caller, limit: int, after: str | None) -> tuple[list[Boxed], str | None]:
        """Without the unused coupons of exhausted campaigns, so a page may hold fewer than `limit`."""
        coupons, last = self.store.owned(by.id, limit, after)
        shown = [c for c in coupons if not c.hidden(self.budgets.campaign(c.campaign_id))]
        return [self._boxed(coupon) for coupon in shown], last

    def _boxed(self, coupon: Coupon) -> Boxed:
        return Boxed(coupon, self.budgets.campaign(coupon.campaign_id).terms)

    # --- for the checkout ----------------------------------------------------------------------------------

    def offer(self, coupon_id: str) -> Campaign:
        """The coupon's campaign, unless it is closed or known to be spent; reads nothing when cached."""
        campaign = self._campaign_of(coupon_id)
        campaign.terms.refuse_outside(self.now())
        self.budgets.refuse_known(campaign.campaign_id, campaign.terms.least)
        return campaign

    def spend(self, coupon_id: str, amount: Won, attempt: Callable[[Split], T]) -> T:
        """Calls `attempt` with splits of `amount` over the budget's shards until one commits."""
        return self.budgets.spend(self._campaign_of(coupon_id), amount, attempt)

    def hold(self, write: Write, *, coupon_id: str, customer_id: str, checkout_id: str, split: Split) -> None:
        """Adds to the caller's transaction all that the coupon's use changes here."""
        campaign = self._campaign_of(coupon_id)
        _, code_hash = model.parts_of(coupon_id)
        used = Coupon(campaign.campaign_id, code_hash, model.State.USED, customer_id, checkout_id)
        self.store.hold(write, used, campaign.terms.per_user_limit, split)

    def _campaign_of(self, coupon_id: str) -> Campaign:
        campaign_id, _ = model.parts_of(coupon_id)
        try:
            return self.budgets.campaign(campaign_id)
        except UnknownCampaign:
            raise UnknownCoupon() from None

    # --- helpers -------------------------------------------------------------------------------------------

    def _asked_before(self, asked: Asked) -> bool:
        """KeyReused when the key was used for something else."""
        before = self.store.asked(asked.request_id)
        if before is not None and before.what != asked.what:
            raise KeyReused()
        return before is not None

    def _fact(self, type: str, campaign_id: str, data: dict[str, object]) -> Fact:
        return Fact.of(type, "coupons", campaign_id, at=self.now(), id=self.new_id("evt"), data=data)


def _asked(by: Caller, key: str, use: str, *of: str) -> Asked:
    """A key belongs to its caller and to one use of it."""
    return Asked(keyed_id("req", by.id, use, key), " ".join(of))
