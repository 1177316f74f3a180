"""Batches: of codes to be given away, and of coupons for customers that were named."""

import hashlib
from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from chalicelib.coupons import model
from chalicelib.coupons.model import (
    AlreadyDone,
    Asked,
    Batch,
    BatchDiffers,
    BatchKind,
    BatchMoved,
    Boxed,
    Campaign,
    CampaignClosed,
    Coupon,
    CouponMoved,
    Gift,
    GiftOver,
    Kind,
    NobodyInGroup,
    State,
    Told,
    UnknownBatch,
    UnknownCoupon,
    Voided,
)
from chalicelib.coupons.service.budgets import LONGEST_ID, TRIES
from chalicelib.coupons.service.desk import Desk, asked_by
from chalicelib.kernel.auth import Caller
from chalicelib.kernel.done import Done
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.money import Won
from chalicelib.kernel.tables import Write

CHUNK = 99
"""Codes stored with the batch's progress in one transaction of at most 100 rows."""
GIVEN_CHUNK = 49
"""Coupons put into boxes, each with the fact of it, beside the batch's progress and the campaign's count."""
VOID_CHUNK = 96
"""Coupons made void with the batch's progress and what goes back to the budget."""


class Codes(Desk, frozen=True):
    # --- asking --------------------------------------------------------------------------------------------

    def request_codes(self, campaign_id: str, batch_id: str, count: int, by: Caller, key: str) -> Done[Batch]:
        """BudgetTooSmall where the budget is bound at issue and does not cover them."""
        asked = asked_by(by, key, "codes", campaign_id, batch_id, str(count))
        campaign = self.budgets.current(campaign_id)
        batch = Batch(campaign_id, batch_id, count, request=f"codes {count}", created_at=self.now())
        return self._known(batch, asked) or self._request(campaign, batch, (), asked)

    def request_targets(
        self, campaign_id: str, batch_id: str, customers: Sequence[str], send: bool, by: Caller, key: str
    ) -> Done[Batch]:
        """A coupon for each of them once, however often they are named; not for those whom the campaign is
        not for. NobodyInGroup when that is all of them."""
        customers = tuple(dict.fromkeys(customers))
        request = f"targets {send} {hashlib.sha256(' '.join(customers).encode()).hexdigest()}"
        asked = asked_by(by, key, "targets", campaign_id, batch_id, request)
        campaign = self.budgets.current(campaign_id)
        kind, at = BatchKind.TARGETS, self.now()
        batch = Batch(campaign_id, batch_id, 0, kind=kind, send=send, request=request, created_at=at)
        if known := self._known(batch, asked):
            return known
        inside = self._inside(campaign, customers)
        if not inside:
            raise NobodyInGroup()
        batch = replace(batch, count=len(inside), refused=len(customers) - len(inside))
        return self._request(campaign, batch, inside, asked)

    def _inside(self, campaign: Campaign, customers: Sequence[str]) -> tuple[str, ...]:
        wanted = campaign.terms.scope.groups
        if not wanted:
            return tuple(customers)
        groups = self.store.groups(customers)
        return tuple(each for each in customers if groups[each] & wanted)

    def _known(self, batch: Batch, asked: Asked) -> Done[Batch] | None:
        """What a batch of that name has come to, asked for before in the same words."""
        known = self.store.batch(batch.campaign_id, batch.batch_id)
        if known is None:
            return None
        self.asked_before(asked)
        if known.request != batch.request:
            raise BatchDiffers()
        return Done(known, replayed=True)

    def _request(
        self, campaign: Campaign, batch: Batch, customers: Sequence[str], asked: Asked
    ) -> Done[Batch]:
        if campaign.over(self.now()):
            raise CampaignClosed()
        write = self.budgets.begin()
        self.store.request(write, batch, customers, asked, self._news("CodeBatchRequested", batch))
        self.budgets.bind(write, campaign, batch.count, batch.batch_id)
        try:
            write.commit()
        except AlreadyDone:
            self.asked_before(asked)
            if (known := self._known(batch, asked)) is None:
                raise
            return known
        return Done(batch)

    # --- looking -------------------------------------------------------------------------------------------

    def batches(self, campaign_id: str, limit: int, after: str | None) -> tuple[list[Batch], str | None]:
        """By name, after that one; and the name to go on after, None at the end."""
        return self.store.batches(self.budgets.current(campaign_id).campaign_id, limit, after)

    def batch(self, campaign_id: str, batch_id: str, kind: BatchKind | None = None) -> Batch:
        """UnknownBatch, also when it is of another kind."""
        known = max(len(campaign_id), len(batch_id)) <= LONGEST_ID
        batch = self.store.batch(campaign_id, batch_id) if known else None
        if batch is None or kind not in (None, batch.kind):
            raise UnknownBatch()
        return batch

    def codes(self, batch: Batch, first: int, most: int) -> tuple[str, ...]:
        """None until all are issued: a code is not shown before it works, nor when it does no longer."""
        return batch.codes(self.secret(), first, most) if batch.state == "DONE" else ()

    def told(self, batch: Batch) -> Told:
        """What became of the texts to its customers so far."""
        counts = dict(self.texts(batch.campaign_id, batch.batch_id)) if batch.send else {}
        sent = counts.pop("SENT", 0)
        asked = batch.issued if batch.send else 0
        return Told(sent, max(0, asked - sent - sum(counts.values())), counts)

    def gift(self, campaign_id: str, batch_id: str, number: int) -> Gift:
        """What a target may be told of. GiftOver when there is no use in telling."""
        batch = self.batch(campaign_id, batch_id, BatchKind.TARGETS)
        code = "".join(batch.codes(self.secret(), number, 1))
        coupon = self.store.coupon(model.hash_of(self.secret(), code)) if code else None
        if coupon is None or coupon.owner is None:
            raise UnknownCoupon()
        boxed = Boxed(coupon, self.budgets.current(campaign_id), self.now())
        if boxed.why_not in ("used", "void", "expired") or coupon.hidden(boxed.campaign):
            raise GiftOver()
        terms = boxed.terms
        fixed = terms.kind is Kind.FIXED
        return Gift(
            coupon.owner,
            code,
            terms.value if fixed else None,
            None if fixed else terms.value,
            terms.closes_at,
        )

    # --- issuing -------------------------------------------------------------------------------------------

    def issue(self, campaign_id: str, batch_id: str, until: datetime | None = None) -> Batch:
        """To the end of the batch, from wherever this or another run stopped; holds one chunk at a time.
        After `until` it hands the rest on."""
        batch = self.batch(campaign_id, batch_id)
        campaign, customers = self.budgets.current(campaign_id), self.store.targets(batch)
        while not batch.done and batch.voided is None:
            if until is not None and self.now() >= until:
                self.store.tell(self._news("CodeBatchContinued", batch))
                break
            coupons, at = self._next(campaign, batch, customers), self.now()
            told = [self._given(batch, n, each) for n, each in enumerate(coupons, batch.issued) if batch.send]
            try:
                self.store.issue(batch, coupons, told, at)
                batch = replace(batch, issued=batch.issued + len(coupons), touched_at=at)
            except BatchMoved:
                batch = self.batch(campaign_id, batch_id)
        return batch

    def carry_on(self, campaign_id: str, batch_id: str, until: datetime | None = None) -> Batch:
        """With whatever is to be done for the batch: to issue it, or to make it void."""
        if self.batch(campaign_id, batch_id).voided is None:
            return self.issue(campaign_id, batch_id, until)
        return self._void_rest(campaign_id, batch_id, until)

    def _next(self, campaign: Campaign, batch: Batch, customers: Sequence[str]) -> list[Coupon]:
        new = Coupon(campaign.campaign_id, "", worth=campaign.terms.worth)
        if batch.kind is BatchKind.CODES:
            hashes = batch.hashes(self.secret(), batch.issued, CHUNK)
            return [replace(new, code_hash=code_hash) for code_hash in hashes]
        boxed = replace(new, state=State.REGISTERED)
        hashes = batch.hashes(self.secret(), batch.issued, GIVEN_CHUNK)
        owners = customers[batch.issued : batch.issued + GIVEN_CHUNK]
        return [replace(boxed, code_hash=each, owner=who) for each, who in zip(hashes, owners, strict=True)]

    # --- taking back ---------------------------------------------------------------------------------------

    def void_batch(self, campaign_id: str, batch_id: str, reason: str, by: Caller, key: str) -> Done[Batch]:
        """No more of its codes are issued, the next run makes void those there are, and what was bound for
        them goes back to the budget. One that a checkout has is void as soon as it is given back, and what it
        took off goes to the budget then."""
        asked = asked_by(by, key, "void-batch", campaign_id, batch_id, reason)
        for trial in range(TRIES):
            batch = self.batch(campaign_id, batch_id)
            if self.asked_before(asked) or batch.voided is not None:
                return Done(batch, replayed=True)
            done = Voided(self.now(), by.id, reason)
            write = self.budgets.begin()
            self.store.void_batch(write, batch, done, asked, self._news("CodeBatchVoided", batch))
            self._add_way_back(write, batch, batch.count - batch.issued, None, "unissued")
            try:
                write.commit()
                return Done(replace(batch, voided=0, void=done))
            except (AlreadyDone, BatchMoved):
                self.budgets.wait(trial)
        raise BatchMoved()

    def _void_rest(self, campaign_id: str, batch_id: str, until: datetime | None) -> Batch:
        batch = self.batch(campaign_id, batch_id)
        while batch.void is not None and batch.voided is not None and batch.voided < batch.issued:
            if until is not None and self.now() >= until:
                self.store.tell(self._news("CodeBatchContinued", batch))
                break
            seen = min(VOID_CHUNK, batch.issued - batch.voided)
            hashes = batch.hashes(self.secret(), batch.voided, seen)
            live = [each for each in self.store.coupons_of(hashes) if each.state is not State.VOID]
            idle = [each for each in live if each.state is not State.USED]
            write = self.budgets.begin()
            self.store.void_some(write, batch, seen, live, batch.void)
            worth = sum(each.worth or 0 for each in idle)
            self._add_way_back(write, batch, len(idle), worth, str(batch.voided))
            try:
                write.commit()
                batch = replace(batch, voided=batch.voided + seen)
            except (BatchMoved, CouponMoved):
                batch = self.batch(campaign_id, batch_id)
        return batch

    def _add_way_back(self, write: Write, batch: Batch, count: int, worth: Won | None, name: str) -> None:
        """`worth` of so many coupons; None: of new ones."""
        campaign = self.budgets.current(batch.campaign_id)
        worth = count * (campaign.terms.worth or 0) if worth is None else worth
        if worth:
            self.budgets.unbind(write, campaign, worth, count, f"{batch.batch_id}/void/{name}")

    def _given(self, batch: Batch, number: int, coupon: Coupon) -> Fact:
        """Neither code nor customer: who tells of it asks for both."""
        data = {"campaign_id": batch.campaign_id, "batch_id": batch.batch_id, "number": number}
        return Fact.of(
            "CouponGiven", "coupons", coupon.coupon_id, at=self.now(), id=self.new_id("evt"), data=data
        )

    def _news(self, type: str, batch: Batch) -> Fact:
        data = {"campaign_id": batch.campaign_id, "batch_id": batch.batch_id, "count": batch.count}
        return self.fact(type, batch.campaign_id, data)
