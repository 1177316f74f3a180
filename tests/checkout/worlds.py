"""The two worlds a schedule can be played in: stores in memory, and DynamoDB with its calls intercepted."""

import contextlib
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.checkout.store import CheckoutItem, CheckoutStore, _checkout
from chalicelib.coupons.model import Coupon
from chalicelib.coupons.store import CouponItem, CouponStore, ShardItem, _shard
from chalicelib.kernel.aws import client
from chalicelib.kernel.errors import Conflicted
from chalicelib.kernel.tables import AllOrNothing
from tests.checkout.hook import Call, calls_go_through
from tests.checkout.memory import MemoryCheckouts
from tests.checkout.schedules import CAMPAIGN, Faults, LostAnswer, View
from tests.checkout.stage import Stage
from tests.coupons.memory import MemoryCoupons
from tests.memory import MemoryWrite

WRITES = ("TransactWriteItems", "PutItem", "UpdateItem")


class _Staged:
    """A store whose calls are steps, and may lose their answer; `hold` and `add` only add clauses."""

    def __init__(self, store: Any, stage: Stage, faults: Faults) -> None:
        self._store, self._stage, self._faults = store, stage, faults

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if name in ("hold", "add"):
            return found

        def call(*arguments: Any) -> Any:
            acting = self._stage.step()
            if acting and name == "snapshot" and self._faults.conflicts():
                raise Conflicted()
            answer = found(*arguments)
            if acting and self._faults.loses():
                raise LostAnswer
            return answer

        return call


class _StagedWrite(MemoryWrite):
    def __init__(self, stage: Stage, faults: Faults, attempts: int) -> None:
        super().__init__()
        self._stage, self._faults, self._attempts = stage, faults, attempts

    def commit(self) -> None:
        for _ in range(self._attempts):
            acting = self._stage.step()
            if acting and self._faults.conflicts():
                continue
            super().commit()
            if acting and self._faults.loses():
                raise LostAnswer
            return
        raise Conflicted()


class MemoryWorld:
    def __init__(self, stage: Stage, faults: Faults, store: MemoryCoupons | None = None) -> None:
        self.stage, self.faults = stage, faults
        self.store, self.records = store or MemoryCoupons(), MemoryCheckouts()
        self.coupons = _Staged(self.store, stage, faults)
        self.checkouts = _Staged(self.records, stage, faults)

    def begin(self, attempts: int = 5) -> MemoryWrite:
        return _StagedWrite(self.stage, self.faults, attempts)

    def view(self) -> View:
        return View(
            budget=self.store.campaigns[CAMPAIGN].budget,
            shards=list(self.store.shards[CAMPAIGN]),
            granted=list(self.records.checkouts.values()),
            used_by={coupon.coupon_id: coupon.used_by for coupon in self.store.coupons.values()},
            uses={customer: count for (_, customer), count in self.store.uses.items()},
        )

    def give(self, coupon: Coupon) -> None:
        self.store.coupons[coupon.code_hash] = coupon


class DynamoWorld:
    """Needs `calls_are_steps` around it."""

    def __init__(self, stage: Stage, faults: Faults) -> None:
        self.stage, self.faults = stage, faults
        self.coupons, self.checkouts = CouponStore(), CheckoutStore()
        self.begin = AllOrNothing
        self.written = True

    def view(self) -> View | None:
        if not self.written:
            return None
        self.written = False
        kinds: dict[str, list[Any]] = {"CAMPAIGN": [], "SHARD": [], "COUPON": [], "USES": []}
        for row in client("dynamodb").scan(TableName="test-coupons")["Items"]:
            kinds.get(row["sk"]["S"], []).append(row)
        shards = {row["pk"]["S"]: _shard(ShardItem.from_raw_data(row)) for row in kinds["SHARD"]}
        return View(
            budget=int(kinds["CAMPAIGN"][0]["budget"]["N"]),
            shards=[shards[f"SHARD#{CAMPAIGN}#{number}"] for number in range(len(shards))],
            granted=[_checkout(row) for row in CheckoutItem.scan(CheckoutItem.state.exists())],
            used_by={row["coupon_id"]["S"]: row.get("used_by", {}).get("S") for row in kinds["COUPON"]},
            uses={row["pk"]["S"].rpartition("#")[2]: int(row["used"]["N"]) for row in kinds["USES"]},
        )

    def give(self, coupon: Coupon) -> None:
        CouponItem(
            f"COUPON#{coupon.code_hash}",
            "COUPON",
            campaign_id=coupon.campaign_id,
            code_hash=coupon.code_hash,
            state=coupon.state.value,
            owner=coupon.owner,
            coupon_id=coupon.coupon_id,
        ).save()


def _conflict(operation: str) -> ClientError:
    reasons = [{"Code": "TransactionConflict"}, {"Code": "None"}]
    error: Any = {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons}
    return ClientError(error, operation)


def calls_are_steps(world: DynamoWorld) -> contextlib.AbstractContextManager[None]:
    """Every DynamoDB call of an actor: a step, perhaps a conflict, perhaps a lost answer."""

    def staging(call: Call) -> Call:
        def staged(client: Any, operation: str, request: dict[str, Any]) -> Any:
            acting = world.stage.step()
            if acting and operation.startswith("Transact") and world.faults.conflicts():
                raise _conflict(operation)
            world.written |= operation in WRITES
            answer = call(client, operation, request)
            if acting and world.faults.loses():
                raise LostAnswer
            return answer

        return staged

    return calls_go_through(staging)
