"""The notices store in memory: the same promises as `chalicelib.notices.store`, in a dictionary."""

from datetime import datetime

from msgspec.structs import replace

from chalicelib.kernel.facts import Fact
from chalicelib.notices.model import AlreadySettled, BeingSent, Notice, State
from tests.memory import MemoryWrite


class MemoryNotices:
    def __init__(self) -> None:
        self.notices: dict[str, Notice] = {}
        self.facts: list[Fact] = []

    def claim(self, notice: Notice, at: datetime) -> None:
        found = self.notices.get(notice.notice_id)
        write = MemoryWrite()
        write.clause(holds=lambda: not found or found.state == State.PENDING, otherwise=AlreadySettled)
        write.clause(
            holds=lambda: not found or found.leased_until <= at,
            then=lambda: self.notices.update({notice.notice_id: notice}),
            otherwise=BeingSent,
        )
        write.commit()

    def settle(
        self, notice: Notice, state: State, reason: str | None, at: datetime, fact: Fact | None
    ) -> None:
        settled = replace(notice, state=state, reason=reason)
        write = MemoryWrite()
        write.clause(
            holds=lambda: self.notices[notice.notice_id].state == State.PENDING,
            then=lambda: self.notices.update({notice.notice_id: settled}),
            otherwise=AlreadySettled,
        )
        if fact:
            write.fact(self.facts, fact)
        write.commit()
