"""Batches of codes and of coupons for targets in memory."""

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from chalicelib.coupons.model import AlreadyDone, Asked, Batch, BatchMoved, CodeTaken, Coupon, Record, Voided
from chalicelib.kernel.facts import Fact
from tests.coupons.memory.rows import MemoryRows
from tests.memory import MemoryWrite


class MemoryCodes(MemoryRows):
    def request(
        self, write: MemoryWrite, batch: Batch, customers: Sequence[str], asked: Asked, fact: Fact
    ) -> None:
        key = (batch.campaign_id, batch.batch_id)
        self.add_asked(write, asked)
        write.clause(
            holds=lambda: key not in self.batch_rows,
            then=lambda: self.batch_rows.update({key: batch}),
            otherwise=AlreadyDone,
        )
        write.clause(then=lambda: self.targets_of.update({key: tuple(customers)}))
        write.fact(self.facts, fact)

    def batch(self, campaign_id: str, batch_id: str) -> Batch | None:
        return self.batch_rows.get((campaign_id, batch_id))

    def batches_of(self, campaign_id: str) -> list[Batch]:
        found = [batch for (campaign, _), batch in self.batch_rows.items() if campaign == campaign_id]
        return sorted(found, key=lambda batch: batch.batch_id)

    def batches(self, campaign_id: str, limit: int, after: str | None) -> tuple[list[Batch], str | None]:
        found = [batch for batch in self.batches_of(campaign_id) if batch.batch_id > (after or "")]
        return found[:limit], found[limit - 1].batch_id if len(found) > limit else None

    def targets(self, batch: Batch) -> Sequence[str]:
        return self.targets_of[batch.campaign_id, batch.batch_id]

    def issue(self, batch: Batch, coupons: Sequence[Coupon], facts: Sequence[Fact], at: datetime) -> None:
        key = (batch.campaign_id, batch.batch_id)

        def store() -> None:
            after = batch.issued + len(coupons)
            self.batch_rows[key] = replace(self.batch_rows[key], issued=after, touched_at=at)
            for number, coupon in enumerate(coupons, batch.issued):
                boxed = at if coupon.owner else None
                self.coupons[coupon.code_hash] = coupon
                self.records_of[coupon.code_hash] = Record(coupon, batch.batch_id, number, boxed)
                self.boxed.update([batch.campaign_id] if coupon.owner else [])

        write = MemoryWrite()
        hashes = {coupon.code_hash for coupon in coupons}
        write.clause(
            holds=lambda: self._batch_as_seen(batch) and self.batch_rows[key].voided is None,
            then=store,
            otherwise=BatchMoved,
        )
        write.clause(holds=lambda: not self.coupons.keys() & hashes, otherwise=CodeTaken)
        for fact in facts:
            write.fact(self.facts, fact)
        write.commit()

    def _batch_as_seen(self, batch: Batch) -> bool:
        now = self.batch_rows[batch.campaign_id, batch.batch_id]
        return (now.issued, now.voided) == (batch.issued, batch.voided)

    def void_batch(self, write: MemoryWrite, batch: Batch, done: Voided, asked: Asked, fact: Fact) -> None:
        key = (batch.campaign_id, batch.batch_id)
        self.add_asked(write, asked)
        write.clause(
            holds=lambda: self._batch_as_seen(batch),
            then=lambda: self.batch_rows.update({key: replace(self.batch_rows[key], voided=0, void=done)}),
            otherwise=BatchMoved,
        )
        write.fact(self.facts, fact)

    def void_some(
        self, write: MemoryWrite, batch: Batch, seen: int, coupons: Sequence[Coupon], done: Voided
    ) -> None:
        key, voided = (batch.campaign_id, batch.batch_id), (batch.voided or 0) + seen
        write.clause(
            holds=lambda: self._batch_as_seen(batch),
            then=lambda: self.batch_rows.update({key: replace(self.batch_rows[key], voided=voided)}),
            otherwise=BatchMoved,
        )
        for coupon in coupons:
            self.add_void(write, coupon, done)

    def tell(self, fact: Fact) -> None:
        self.facts.append(fact)

    def issued(self, campaign_id: str) -> int:
        taken = sum(len(hashes) for (name, _), hashes in self.taken.items() if name == campaign_id)
        return taken + sum(batch.issued for batch in self.batches_of(campaign_id))

    def registered(self, campaign_id: str) -> int:
        return self.boxed[campaign_id]

    def downloads(
        self, campaign_id: str, lane: int, limit: int, after: str | None
    ) -> tuple[list[str], str | None]:
        mine = sorted(each for each in self.taken.get((campaign_id, lane), []) if each > (after or ""))
        return mine[:limit], mine[limit - 1] if len(mine) > limit else None
