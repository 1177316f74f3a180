"""Customers' coupons in memory."""

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from chalicelib.coupons.model import (
    AlreadyDone,
    Asked,
    CodeRefused,
    Coupon,
    Record,
    State,
    Switch,
    TooManyCodes,
)
from chalicelib.coupons.store.items import lane_of
from tests.coupons.memory.rows import MemoryRows
from tests.memory import LOCK, MemoryWrite

LIMITS = ((5, 5), (10, 3600))
"""So many tries in so many seconds."""
CUSTOMERS_NEAR = 10


class MemoryBox(MemoryRows):
    def coupon(self, code_hash: str) -> Coupon | None:
        return self.coupons.get(code_hash)

    def look(self, code_hash: str, customer_id: str) -> tuple[Coupon | None, frozenset[str]]:
        with LOCK:
            return self.coupons.get(code_hash), self.members.get(customer_id, frozenset())

    def standing(self, customer_id: str, hashes: Sequence[str]) -> tuple[list[Coupon | None], frozenset[str]]:
        with LOCK:
            found = [self.coupons.get(each) for each in hashes]
            return found, self.members.get(customer_id, frozenset())

    def count_try(self, customer_id: str, near: str | None, at: datetime) -> None:
        with LOCK:
            for who, times in ((near, CUSTOMERS_NEAR), (customer_id, 1)):
                for key, most, seconds in self._limits(who or "", at):
                    if self.tries[key] >= most * times:
                        raise TooManyCodes(retry_after=seconds)
            self._count(customer_id, at, 1)

    def count_failure(self, near: str, at: datetime) -> None:
        with LOCK:
            self._count(near, at, 1)

    def forgive_try(self, customer_id: str, at: datetime) -> None:
        with LOCK:
            self._count(customer_id, at, -1)

    def _count(self, who: str, at: datetime, tries: int) -> None:
        for key, *_ in self._limits(who, at):
            self.tries[key] += tries

    def _limits(self, who: str, at: datetime) -> list[tuple[tuple[str, str], int, int]]:
        now = int(at.timestamp())
        return [((who, f"{span}:{now // span}"), most, span - now % span) for most, span in LIMITS]

    def register(self, coupon: Coupon, asked: Asked, at: datetime) -> None:
        def taken() -> Exception:
            return AlreadyDone() if self.coupons[coupon.code_hash] == coupon else CodeRefused("RACE")

        write = MemoryWrite()
        self.add_asked(write, asked)
        write.clause(
            holds=lambda: self.coupons[coupon.code_hash].state is State.ISSUED,
            then=lambda: self._box(coupon, at),
            otherwise=taken,
        )
        write.clause(then=lambda: self.forgive_try(str(coupon.owner), at))
        write.commit()

    def _box(self, coupon: Coupon, at: datetime) -> None:
        self.coupons[coupon.code_hash] = coupon
        self.boxed[coupon.campaign_id] += 1
        before = self.records_of.get(coupon.code_hash, Record(coupon))
        self.records_of[coupon.code_hash] = replace(before, registered_at=at)

    def take(self, write: MemoryWrite, coupon: Coupon, batch_id: str, at: datetime) -> None:
        def put() -> None:
            self._box(coupon, at)
            before = self.records_of[coupon.code_hash]
            self.records_of[coupon.code_hash] = replace(before, batch_id=batch_id)
            lane = (coupon.campaign_id, lane_of(coupon.code_hash))
            self.taken.setdefault(lane, []).append(coupon.code_hash)

        new = coupon.code_hash not in self.coupons
        write.clause(
            holds=lambda: new and coupon.code_hash not in self.coupons, then=put, otherwise=AlreadyDone
        )

    def owned(self, owner: str, limit: int, after: str | None) -> tuple[list[Coupon], str | None]:
        mine = sorted(
            (
                each
                for each in self.coupons.values()
                if each.owner == owner and each.coupon_id > (after or "")
            ),
            key=lambda coupon: coupon.coupon_id,
        )
        page = mine[:limit]
        return page, page[-1].coupon_id if len(mine) > limit else None

    def offered(self, at: datetime, limit: int) -> list[str]:
        found = [
            name
            for name, each in self.campaigns.items()
            if each.terms.download and not each.terms.closed(at) and each.state is not Switch.CLOSED
        ]
        return found[:limit]
