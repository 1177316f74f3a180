"""What the memory store keeps, and what all its parts use."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime

from msgspec.structs import replace

from chalicelib.coupons.model import (
    AlreadyDone,
    Asked,
    Batch,
    Campaign,
    Change,
    Coupon,
    CouponMoved,
    Move,
    Record,
    Shard,
    State,
    Voided,
)
from chalicelib.kernel.errors import HandoverError
from chalicelib.kernel.facts import Fact
from tests.memory import MemoryWrite


class MemoryRows:
    def __init__(self) -> None:
        self.campaigns: dict[str, Campaign] = {}
        self.shards: dict[str, list[Shard]] = {}
        self.coupons: dict[str, Coupon] = {}
        self.uses: dict[tuple[str, str], int] = {}
        self.batch_rows: dict[tuple[str, str], Batch] = {}
        self.changes: dict[tuple[str, str], Change] = {}
        self.reclaims: dict[tuple[str, datetime], str] = {}
        self.tried: dict[str, dict[int, str]] = {}
        self.requests: dict[str, Asked] = {}
        self.tries: Counter[tuple[str, str]] = Counter()
        self.targets_of: dict[tuple[str, str], tuple[str, ...]] = {}
        self.records_of: dict[str, Record] = {}
        self.taken: dict[tuple[str, int], list[str]] = {}
        self.boxed: Counter[str] = Counter()
        self.members: dict[str, frozenset[str]] = {}
        self.facts: list[Fact] = []

    def add_asked(self, write: MemoryWrite, asked: Asked) -> None:
        write.clause(
            holds=lambda: asked.request_id not in self.requests,
            then=lambda: self.requests.update({asked.request_id: asked}),
            otherwise=AlreadyDone,
        )

    def add_void(self, write: MemoryWrite, coupon: Coupon, done: Voided) -> None:
        name = coupon.code_hash

        def put() -> None:
            worth, now = None if coupon.worth is None else 0, self.coupons[name]
            used = coupon.state is State.USED
            self.coupons[name] = (
                replace(now, doomed=True) if used else replace(now, state=State.VOID, worth=worth)
            )
            self.records_of[name] = replace(self.records_of.get(name, Record(coupon)), voided=done)

        write.clause(holds=lambda: self.coupons[name] == coupon, then=put, otherwise=CouponMoved)

    def add_move(
        self,
        write: MemoryWrite,
        campaign_id: str,
        number: int,
        move: Move,
        holds: Callable[[Shard], bool],
        otherwise: type[HandoverError] | Callable[[Shard], Exception],
    ) -> None:
        shards = self.shards[campaign_id]

        def apply() -> None:
            shards[number] = move.applied(shards[number])

        def why() -> Exception:
            return otherwise() if isinstance(otherwise, type) else otherwise(shards[number])

        write.clause(holds=lambda: holds(shards[number]), then=apply, otherwise=why)
