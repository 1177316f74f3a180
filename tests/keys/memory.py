"""The keys store in memory: the same promises as `chalicelib.keys.store`, in dictionaries."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from msgspec.structs import replace

from chalicelib.kernel.facts import Fact
from chalicelib.keys.model import (
    AlreadyPlanned,
    Change,
    Happened,
    History,
    KeyTagTaken,
    MovedOn,
    Shipment,
    State,
    Tracking,
    TrackingNumberTaken,
)
from chalicelib.keys.store import NUMBER_KEPT, due_shard, fact_of
from tests.memory import LOCK, MemoryWrite

PAGE = 3


class MemoryKeys:
    def __init__(self) -> None:
        self.shipments: dict[str, Shipment] = {}
        self.logs: dict[str, dict[str, Happened]] = {}
        self.tags: dict[str, tuple[str, bool]] = {}
        self.numbers: dict[Tracking, tuple[str, datetime]] = {}
        self.early: dict[Tracking, dict[str, Happened]] = {}
        self.published: list[Fact] = []

    def plan(self, shipment: Shipment) -> None:
        id_, tag = shipment.shipment_id, shipment.delivery.key_tag

        def add() -> None:
            self.shipments[id_], self.logs[id_], self.tags[tag] = shipment, {}, (id_, True)

        write = MemoryWrite()
        write.clause(holds=lambda: id_ not in self.shipments, then=add, otherwise=AlreadyPlanned)
        write.clause(holds=lambda: not self.tags.get(tag, ("", False))[1], otherwise=KeyTagTaken)
        write.commit()

    def history(self, shipment_id: str) -> History | None:
        with LOCK:
            shipment = self.shipments.get(shipment_id)
            return History(shipment, tuple(self.logs[shipment_id].values())) if shipment else None

    def shipment(self, shipment_id: str) -> Shipment | None:
        return self.shipments.get(shipment_id)

    def by_tag(self, key_tag: str) -> str | None:
        return self.tags.get(key_tag, (None, False))[0]

    def by_tracking(self, tracking: Tracking) -> str | None:
        return self.numbers[tracking][0] if tracking in self.numbers else None

    def save(self, changes: Sequence[Change], at: datetime) -> None:
        write = MemoryWrite()
        for change in changes:
            self._save(write, change, at)
        write.commit()

    def _save(self, write: MemoryWrite, change: Change, at: datetime) -> None:
        before, after = change.before, change.after
        write.clause(
            holds=lambda: self.shipments[before.shipment_id].version == before.version,
            then=lambda: self._put(after, change),
            otherwise=MovedOn,
        )
        number = after.tracking
        if number and number != before.tracking:
            owner, since = self.numbers.get(number, (after.shipment_id, at))
            write.clause(
                holds=lambda: owner == after.shipment_id or since < at - NUMBER_KEPT,
                then=lambda: self.numbers.update({number: (after.shipment_id, at)}),
                otherwise=TrackingNumberTaken,
            )
        if after.ended and not before.ended:
            closed = (after.shipment_id, False)
            write.clause(then=lambda: self.tags.update({after.delivery.key_tag: closed}))

    def ring(self, change: Change) -> None:
        before, after = change.before, change.after

        def unchanged() -> bool:
            now = self.shipments[before.shipment_id]
            return (now.state, now.due_at) == (before.state, before.due_at)

        def ring() -> None:
            now = self.shipments[before.shipment_id]
            rung = replace(now, state=after.state, since=after.since, due_at=after.due_at, rung=after.rung)
            self._put(replace(rung, version=now.version + 1), change)

        write = MemoryWrite()
        write.clause(holds=unchanged, then=ring, otherwise=MovedOn)
        write.commit()

    def _put(self, after: Shipment, change: Change) -> None:
        self.shipments[after.shipment_id] = after
        for happened, moved in change.news:
            assert happened.id not in self.logs[after.shipment_id]
            self.logs[after.shipment_id][happened.id] = happened
            if moved:
                self.published.append(fact_of(happened, moved))

    def keep(self, tracking: Tracking, news: Sequence[Happened]) -> None:
        write = MemoryWrite()
        early = self.early.setdefault(tracking, {})
        write.clause(
            holds=lambda: tracking not in self.numbers,
            then=lambda: early.update({each.id: each for each in news}),
            otherwise=MovedOn,
        )
        write.commit()

    def kept(self, tracking: Tracking) -> list[Happened]:
        return sorted(self.early.get(tracking, {}).values(), key=lambda each: each.order)

    def due(self, shard: int, until: datetime) -> Iterator[list[Shipment]]:
        found = self._due(shard, until)
        for start in range(0, max(len(found), 1), PAGE):
            yield found[start : start + PAGE]

    def first_due(self, shard: int, until: datetime) -> datetime | None:
        return next((each.due_at for each in self._due(shard, until)), None)

    def _due(self, shard: int, until: datetime) -> list[Shipment]:
        with LOCK:
            running = [each for each in self.shipments.values() if each.due_at and each.due_at <= until]
        mine = [each for each in running if due_shard(each.shipment_id) == str(shard)]
        return sorted(mine, key=lambda each: each.due_at or until)

    def troubles(self, state: State, limit: int) -> list[Shipment]:
        found = [each for each in self.shipments.values() if each.state is state]
        return sorted(found, key=lambda each: each.since)[:limit]
