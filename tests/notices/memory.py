"""The notices store in memory: the same promises as `chalicelib.notices.store`, in dictionaries."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, datetime

from chalicelib.kernel.deadlines import shard_of
from chalicelib.kernel.facts import Fact
from chalicelib.notices.model import (
    AlreadyHeard,
    AlreadySettled,
    AlreadyTold,
    Consents,
    ConsentsMoved,
    Notice,
    State,
    TakenUp,
    TextsMoved,
)
from tests.memory import LOCK, MemoryWrite


class MemoryNotices:
    def __init__(self) -> None:
        self.notices: dict[str, Notice] = {}
        self.numbers: dict[str, tuple[datetime, ...]] = {}
        self.days: Counter[date] = Counter()
        self.told: set[tuple[date, str]] = set()
        self.texts: Counter[tuple[str, str, str]] = Counter()
        self.agreed: dict[str, Consents] = {}
        self.struck: dict[str, datetime] = {}
        self.facts: list[Fact] = []

    def begin(self, notice: Notice) -> None:
        write = MemoryWrite()
        write.clause(
            holds=lambda: notice.notice_id not in self.notices,
            then=lambda: self.notices.update({notice.notice_id: notice}),
            otherwise=AlreadyHeard,
        )
        write.commit()

    def due(self, shard: int, until: datetime) -> Iterator[Sequence[Notice]]:
        due = [each for each in self._open() if each.due_at and each.due_at <= until]
        yield [each for each in due if shard_of(each.notice_id) == str(shard)]

    def _open(self) -> list[Notice]:
        with LOCK:
            return sorted(
                (each for each in self.notices.values() if each.due_at),
                key=lambda each: (each.due_at, each.notice_id),
            )

    def move(self, before: Notice, after: Notice) -> None:
        name = before.notice_id
        write = MemoryWrite()
        write.clause(
            holds=lambda: (
                (self.notices[name].state, self.notices[name].due_at) == (before.state, before.due_at)
            ),
            then=lambda: self.notices.update({name: after}),
            otherwise=TakenUp,
        )
        write.commit()

    def settle(self, notice: Notice, at: datetime, fact: Fact | None) -> None:
        write = MemoryWrite()
        write.clause(
            holds=lambda: self.notices[notice.notice_id].state == State.PENDING,
            then=lambda: self.notices.update({notice.notice_id: notice}),
            otherwise=AlreadySettled,
        )
        if fact:
            write.fact(self.facts, fact)
        if notice.gift:
            outcome = notice.reason or notice.state.value
            name = (notice.gift.campaign_id, notice.gift.batch_id, outcome)
            write.clause(then=lambda: self.texts.update([name]))
        write.commit()

    def texts_of(self, campaign_id: str, batch_id: str) -> dict[str, int]:
        counted = self.texts.items()
        return {outcome: n for (*batch, outcome), n in counted if batch == [campaign_id, batch_id]}

    def waiting(self, most: int, at: datetime) -> list[Notice]:
        return [each for each in self._open() if each.state == State.WAITING][:most]

    def texts_to(self, number: str) -> Sequence[datetime]:
        return self.numbers.get(number, ())

    def save_texts(self, number: str, seen: Sequence[datetime], times: Sequence[datetime]) -> None:
        write = MemoryWrite()
        write.clause(
            holds=lambda: tuple(self.texts_to(number)) == tuple(seen),
            then=lambda: self.numbers.update({number: tuple(times)}),
            otherwise=TextsMoved,
        )
        write.commit()

    def spend(self, day: date, parts: int, most: int) -> bool:
        with LOCK:
            fits = self.days[day] + parts <= most
            self.days[day] += parts if fits else 0
            return fits

    def give_back(self, day: date, parts: int) -> None:
        with LOCK:
            self.days[day] -= parts

    def spent(self, day: date) -> int:
        return self.days[day]

    def tell_cap(self, day: date, whose: str, at: datetime, fact: Fact) -> None:
        write = MemoryWrite()
        write.clause(
            holds=lambda: (day, whose) not in self.told,
            then=lambda: self.told.add((day, whose)),
            otherwise=AlreadyTold,
        )
        write.fact(self.facts, fact)
        write.commit()

    def consents(self, customer_id: str) -> Consents:
        return self.agreed.get(customer_id, Consents(customer_id))

    def agree(self, before: Consents, after: Consents) -> None:
        write = MemoryWrite()
        write.clause(
            holds=lambda: self.consents(before.customer_id).version == before.version,
            then=lambda: self.agreed.update({after.customer_id: after}),
            otherwise=ConsentsMoved,
        )
        write.commit()

    def strike_off(self, number: str, at: datetime) -> None:
        with LOCK:
            self.struck[number] = max(at, self.struck.get(number, at))

    def struck_off(self, number: str) -> datetime | None:
        return self.struck.get(number)
