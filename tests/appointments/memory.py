"""The appointments store in memory, and the contexts it asks, as the tests want them."""

from collections.abc import Iterator
from datetime import datetime

from msgspec.structs import replace

from chalicelib.appointments.model import (
    CAPACITY,
    JOBS,
    TROUBLES,
    AlreadyMade,
    Appointment,
    Change,
    Happened,
    History,
    MovedOn,
    Slot,
    SlotFull,
    State,
    Which,
    job_key,
)
from chalicelib.appointments.store import fact_of
from chalicelib.kernel.deadlines import shard_of
from chalicelib.kernel.facts import Fact
from tests.memory import LOCK, MemoryWrite

PAGE = 3


class MemoryAppointments:
    def __init__(self) -> None:
        self.appointments: dict[str, Appointment] = {}
        self.logs: dict[str, dict[str, Happened]] = {}
        self.slots: dict[tuple[Which, datetime], int] = {}
        self.published: list[Fact] = []

    def make(self, write: MemoryWrite, change: Change, *, kept: bool) -> None:
        id_ = change.then.appointment_id
        write.clause(
            holds=lambda: id_ not in self.appointments,
            then=lambda: self._put(change.then, change),
            otherwise=AlreadyMade,
        )
        if not change.then.ended:
            self._take(write, change.then, kept=kept)

    def save(self, write: MemoryWrite, change: Change) -> None:
        before, after = change.before, change.after
        write.clause(
            holds=lambda: self.appointments[before.appointment_id].version == before.version,
            then=lambda: self._put(after, change),
            otherwise=MovedOn,
        )
        left = after.state is State.CANCELLED and before.state is not State.CANCELLED
        if left or after.slot != before.slot:
            write.clause(then=lambda: self._count(before.which, before.slot, -1))
        if after.slot != before.slot and not after.ended:
            self._take(write, after, kept=False)

    def ring(self, change: Change) -> None:
        before = change.before

        def unchanged() -> bool:
            now = self.appointments[before.appointment_id]
            return (now.state, now.due_at) == (before.state, before.due_at)

        def ring() -> None:
            version = self.appointments[before.appointment_id].version + 1
            self._put(replace(change.then, version=version), change)

        write = MemoryWrite()
        write.clause(holds=unchanged, then=ring, otherwise=MovedOn)
        write.commit()

    def _take(self, write: MemoryWrite, after: Appointment, *, kept: bool) -> None:
        slot = after.slot
        write.clause(
            holds=lambda: kept or self.slots.get((after.which, slot.starts_at), 0) < CAPACITY,
            then=lambda: self._count(after.which, slot, 1),
            otherwise=SlotFull,
        )

    def _count(self, which: Which, slot: Slot, by: int) -> None:
        self.slots[which, slot.starts_at] = self.slots.get((which, slot.starts_at), 0) + by

    def _put(self, after: Appointment, change: Change) -> None:
        self.appointments[after.appointment_id] = after
        log = self.logs.setdefault(after.appointment_id, {})
        for happened in change.fresh:
            assert happened.id not in log
            log[happened.id] = happened
        self.published += [fact_of(change.before, news) for news in change.said]

    def history(self, appointment_id: str) -> History | None:
        with LOCK:
            appointment = self.appointments.get(appointment_id)
            return History(appointment, tuple(self.logs[appointment_id].values())) if appointment else None

    def appointment(self, appointment_id: str) -> Appointment | None:
        return self.appointments.get(appointment_id)

    def due(self, shard: int, until: datetime) -> Iterator[list[Appointment]]:
        with LOCK:
            running = [each for each in self.appointments.values() if each.due_at and each.due_at <= until]
        mine = [each for each in running if shard_of(each.appointment_id) == str(shard)]
        found = sorted(mine, key=lambda each: each.due_at or until)
        for start in range(0, max(len(found), 1), PAGE):
            yield found[start : start + PAGE]

    def troubles(self, state: State, limit: int) -> list[Appointment]:
        found = [each for each in self.appointments.values() if each.state is state and state in TROUBLES]
        return sorted(found, key=lambda each: each.since)[:limit]

    def jobs(self, day: str, limit: int, after: str = "") -> list[Appointment]:
        found = [each for each in self.appointments.values() if each.state in JOBS and each.slot.day == day]
        return sorted((each for each in found if job_key(each) > after), key=job_key)[:limit]

    def taken(self, which: Which, day: str) -> dict[datetime, int]:
        return {
            starts: count
            for (kind, starts), count in self.slots.items()
            if kind is which and Slot(starts, starts).day == day
        }
