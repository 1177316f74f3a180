"""The keys store in memory: the same promises as `chalicelib.keys.store`, in dictionaries."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime

from msgspec.structs import replace

from chalicelib.kernel.deadlines import shard_of
from chalicelib.kernel.facts import Fact
from chalicelib.keys.model import (
    AlreadyAnnounced,
    AlreadyPlanned,
    Change,
    Entry,
    Happened,
    Held,
    History,
    KeyTagTaken,
    MovedOn,
    Override,
    Shipment,
    State,
    Tracking,
    TrackingNumberTaken,
)
from chalicelib.keys.store import FOR_EVER, NUMBER_KEPT, fact_of, fact_of_day, facts_of
from tests.memory import LOCK, MemoryWrite

PAGE = 3


class MemoryKeys:
    def __init__(self) -> None:
        self.shipments: dict[str, Shipment] = {}
        self.logs: dict[str, dict[str, Happened]] = {}
        self.keys: dict[str, Held] = {}
        self.ledgers: dict[str, list[Entry]] = {}
        self.contracts: dict[str, list[tuple[str, str]]] = {}
        self.cars: dict[str, str] = {}
        self.orders: dict[str, Override] = {}
        self.numbers: dict[Tracking, tuple[str, datetime]] = {}
        self.early: dict[Tracking, dict[str, Happened]] = {}
        self.published: list[Fact] = []

    def plan(self, shipment: Shipment) -> None:
        id_, delivery = shipment.shipment_id, shipment.delivery
        tag = delivery.key_tag

        def add() -> None:
            self.shipments[id_], self.logs[id_] = shipment, {}
            known = self.keys.get(tag)
            fresh = Held(
                tag,
                delivery.car_id,
                shipment.holder,
                shipment.planned_at,
                0,
                id_,
                delivery.contract_id,
                open=True,
            )
            self.keys[tag] = replace(known, shipment_id=id_, open=True) if known else fresh
            self.contracts.setdefault(delivery.contract_id, []).append((id_, tag))
            self.cars[delivery.car_id] = id_

        write = MemoryWrite()
        write.clause(holds=lambda: id_ not in self.shipments, then=add, otherwise=AlreadyPlanned)
        write.clause(holds=lambda: tag not in self.keys or not self.keys[tag].open, otherwise=KeyTagTaken)
        write.clause(
            holds=lambda: tag not in self.keys or self.keys[tag].seq == shipment.moves, otherwise=MovedOn
        )
        write.commit()

    def history(self, shipment_id: str) -> History | None:
        with LOCK:
            shipment = self.shipments.get(shipment_id)
            return History(shipment, tuple(self.logs[shipment_id].values())) if shipment else None

    def shipment(self, shipment_id: str) -> Shipment | None:
        return self.shipments.get(shipment_id)

    def by_tag(self, key_tag: str) -> str | None:
        return self.keys[key_tag].shipment_id if key_tag in self.keys else None

    def by_contract(self, contract_id: str) -> list[tuple[str, str]]:
        return list(self.contracts.get(contract_id, ()))

    def by_car(self, car_id: str) -> str | None:
        return self.cars.get(car_id)

    def held(self, key_tag: str) -> Held | None:
        return self.keys.get(key_tag)

    def ledger(self, key_tag: str, limit: int) -> list[Entry]:
        return list(reversed(self.ledgers.get(key_tag, [])))[:limit]

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
        self._hold(write, change)

    def _hold(self, write: MemoryWrite, change: Change) -> None:
        before, after, entries = change.before, change.after, change.entries
        tag = after.delivery.key_tag
        if not entries and after.ended == before.ended:
            return

        def move() -> None:
            held = replace(self.keys[tag], open=not after.ended)
            if entries:
                contract_id = after.delivery.contract_id
                held = replace(
                    held,
                    holder=after.holder,
                    since=entries[-1].at,
                    seq=after.moves,
                    contract_id=contract_id,
                )
            self.keys[tag] = held
            self.ledgers.setdefault(tag, []).extend(entries)
            self.published.extend(fact for entry in entries for fact in facts_of(entry))

        def ours() -> bool:
            held = self.keys[tag]
            return (held.shipment_id, held.seq) == (after.shipment_id, before.moves)

        write.clause(holds=ours, then=move, otherwise=MovedOn)

    def ring(self, change: Change) -> None:
        before, after = change.before, change.after

        def unchanged() -> bool:
            now = self.shipments[before.shipment_id]
            return (now.version, now.due_at) == (before.version, before.due_at)

        write = MemoryWrite()
        write.clause(holds=unchanged, then=lambda: self._put(after, change), otherwise=MovedOn)
        self._hold(write, change)
        write.commit()

    def _put(self, after: Shipment, change: Change) -> None:
        self.shipments[after.shipment_id] = after
        for news in change.news:
            assert news.happened.id not in self.logs[after.shipment_id]
            self.logs[after.shipment_id][news.happened.id] = news.happened
            if news.said:
                self.published.append(fact_of(news.happened, news.said))

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

    def armed(self, shard: int) -> Iterator[list[Shipment]]:
        return self.due(shard, FOR_EVER)

    def first_due(self, shard: int, until: datetime) -> datetime | None:
        return next((each.due_at for each in self._due(shard, until)), None)

    def _due(self, shard: int, until: datetime) -> list[Shipment]:
        with LOCK:
            running = [each for each in self.shipments.values() if each.due_at and each.due_at <= until]
        mine = [each for each in running if shard_of(each.shipment_id) == str(shard)]
        return sorted(mine, key=lambda each: each.due_at or until)

    def announce(self, override: Override, order_id: str) -> None:
        with LOCK:
            if order_id in self.orders:
                raise AlreadyAnnounced()
            self.orders[order_id] = override
            self.published.append(fact_of_day(override))

    def announced(self, order_id: str) -> Override | None:
        return self.orders.get(order_id)

    def overrides(self, since: date) -> list[Override]:
        return [each for each in self.orders.values() if each.day >= since]

    def troubles(self, state: State, limit: int) -> list[Shipment]:
        found = [each for each in self.shipments.values() if each.state is state]
        return sorted(found, key=lambda each: each.since)[:limit]
