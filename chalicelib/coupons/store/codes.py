"""Batches of codes and of coupons for targets on DynamoDB."""

from collections.abc import Sequence
from datetime import datetime

from chalicelib.coupons.model import (
    LANES,
    AlreadyDone,
    Asked,
    Batch,
    BatchKind,
    BatchMoved,
    CodeTaken,
    Coupon,
    Voided,
)
from chalicelib.coupons.store.items import (
    BatchItem,
    CouponItem,
    TakenItem,
    TallyItem,
    TargetsItem,
    add_asked,
    add_void,
    batch_row,
    lane_of,
    new_coupon,
    tally_row,
    voided_of,
)
from chalicelib.kernel.clock import moment, stamp
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.tables import AllOrNothing, Look

MOST_SUMMED = 100
"""Batches in one call, when all of a campaign's are added up."""


class CodeStore:
    def request(
        self, write: AllOrNothing, batch: Batch, customers: Sequence[str], asked: Asked, fact: Fact
    ) -> None:
        add_asked(write, asked)
        write.put(_row(batch), only_if=BatchItem.pk.does_not_exist(), otherwise=AlreadyDone)
        if customers:
            write.put(TargetsItem(*_targets(batch), customers=list(customers)))
        write.fact(BatchItem, fact)

    def batch(self, campaign_id: str, batch_id: str) -> Batch | None:
        key = batch_row(campaign_id, batch_id)
        row = BatchItem.load(key.pk, key.sk)
        return _batch(row) if row else None

    def batches(self, campaign_id: str, limit: int, after: str | None) -> tuple[list[Batch], str | None]:
        key = batch_row(campaign_id, "").pk
        beyond = BatchItem.sk > after if after else None
        found = BatchItem.query(key, beyond, limit=limit, page_size=limit, consistent_read=True)
        batches = [_batch(row) for row in found]
        more = found.last_evaluated_key
        return batches, batches[-1].batch_id if batches and more else None

    def targets(self, batch: Batch) -> tuple[str, ...]:
        row = TargetsItem.load(*_targets(batch)) if batch.kind is BatchKind.TARGETS else None
        return tuple(row.customers) if row else ()

    def issue(self, batch: Batch, coupons: Sequence[Coupon], facts: Sequence[Fact], at: datetime) -> None:
        write = AllOrNothing()
        write.update(
            batch_row(batch.campaign_id, batch.batch_id),
            BatchItem.issued.add(len(coupons)),
            BatchItem.touched_at.set(stamp(at)),
            only_if=(BatchItem.issued == batch.issued) & BatchItem.voided.does_not_exist(),
            otherwise=BatchMoved,
        )
        for number, coupon in enumerate(coupons, batch.issued):
            row = new_coupon(coupon, batch.batch_id, at)
            row.number = number
            write.put(row, only_if=CouponItem.pk.does_not_exist(), otherwise=CodeTaken)
        for fact in facts:
            write.fact(BatchItem, fact)
        boxed = sum(coupon.owner is not None for coupon in coupons)
        if boxed:
            tally = tally_row(batch.campaign_id, lane_of(coupons[0].code_hash))
            write.update(tally, TallyItem.registered.add(boxed))
        write.commit()

    def void_batch(self, write: AllOrNothing, batch: Batch, done: Voided, asked: Asked, fact: Fact) -> None:
        add_asked(write, asked)
        write.update(
            batch_row(batch.campaign_id, batch.batch_id),
            BatchItem.voided.set(0),
            BatchItem.voided_at.set(stamp(done.at)),
            BatchItem.voided_by.set(done.by),
            BatchItem.void_reason.set(done.reason),
            only_if=(BatchItem.issued == batch.issued) & BatchItem.voided.does_not_exist(),
            otherwise=BatchMoved,
        )
        write.fact(BatchItem, fact)

    def void_some(
        self, write: AllOrNothing, batch: Batch, seen: int, coupons: Sequence[Coupon], done: Voided
    ) -> None:
        write.update(
            batch_row(batch.campaign_id, batch.batch_id),
            BatchItem.voided.add(seen),
            only_if=BatchItem.voided == (batch.voided or 0),
            otherwise=BatchMoved,
        )
        for coupon in coupons:
            add_void(write, coupon, done)

    def tell(self, fact: Fact) -> None:
        write = AllOrNothing()
        write.fact(BatchItem, fact)
        write.commit()

    # --- counts --------------------------------------------------------------------------------------------

    def issued(self, campaign_id: str) -> int:
        issued, after = sum(int(tally.taken or 0) for tally in self._tallies(campaign_id)), None
        while True:
            page, after = self.batches(campaign_id, MOST_SUMMED, after)
            issued += sum(batch.issued for batch in page)
            if after is None:
                return issued

    def registered(self, campaign_id: str) -> int:
        return sum(int(tally.registered or 0) for tally in self._tallies(campaign_id))

    def _tallies(self, campaign_id: str) -> list[TallyItem]:
        look = Look()
        keys = [tally_row(campaign_id, lane) for lane in range(LANES)]
        rows = [look.row(TallyItem, key.pk, key.sk) for key in keys]
        look.fetch()
        return [tally for row in rows if (tally := row())]

    def downloads(
        self, campaign_id: str, lane: int, limit: int, after: str | None
    ) -> tuple[list[str], str | None]:
        beyond = TakenItem.sk > after if after else None
        key = f"TAKEN#{campaign_id}#{lane}"
        found = TakenItem.query(key, beyond, limit=limit, page_size=limit, consistent_read=True)
        hashes = [row.sk for row in found]
        return hashes, hashes[-1] if hashes and found.last_evaluated_key else None


def _targets(batch: Batch) -> tuple[str, str]:
    return f"TARGETS#{batch.campaign_id}#{batch.batch_id}", "TARGETS"


def _row(batch: Batch) -> BatchItem:
    row = batch_row(batch.campaign_id, batch.batch_id)
    row.campaign_id, row.batch_id = batch.campaign_id, batch.batch_id
    row.size, row.issued, row.refused = batch.count, batch.issued, batch.refused
    row.kind, row.send, row.request = batch.kind.value, batch.send, batch.request
    row.created_at = stamp(batch.created_at) if batch.created_at else None
    return row


def _batch(row: BatchItem) -> Batch:
    return Batch(
        campaign_id=row.campaign_id,
        batch_id=row.batch_id,
        count=int(row.size),
        issued=int(row.issued),
        kind=BatchKind(row.kind),
        send=row.send,
        refused=int(row.refused),
        request=row.request,
        created_at=moment(row.created_at) if row.created_at else None,
        touched_at=moment(row.touched_at) if row.touched_at else None,
        voided=None if row.voided is None else int(row.voided),
        void=voided_of(row),
    )
