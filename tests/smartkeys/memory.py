"""The smart-key store in memory: the same promises as `chalicelib.smartkeys.store`, in dictionaries."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from msgspec.structs import replace

from chalicelib.kernel.clock import KST
from chalicelib.kernel.facts import Fact
from chalicelib.smartkeys.model import (
    ANSWER_AGAIN,
    LINK_TRIES,
    AlreadyIssued,
    Grant,
    GrantMoved,
    Link,
    LinkInvalid,
    LinkTaken,
    Order,
    Session,
    State,
)
from tests.memory import LOCK, MemoryWrite


@dataclass(frozen=True)
class Use:
    at: datetime
    key_mark: str | None


class MemorySmartKeys:
    def __init__(self) -> None:
        self.orders: dict[str, tuple[str, str]] = {}
        self.grants: dict[str, Grant] = {}
        self.places: dict[tuple[str, str], list[str]] = {}
        self.links: dict[str, Link] = {}
        self.uses: dict[str, Use] = {}
        self.sessions: dict[str, Session] = {}
        self.phones: dict[str, set[str]] = {}
        self.asked: dict[str, tuple[datetime, ...]] = {}
        self.facts: list[Fact] = []

    def order(self, order_id: str) -> tuple[str, str] | None:
        return self.orders.get(order_id)

    def grant(self, grant_id: str) -> Grant | None:
        return self.grants.get(grant_id)

    def latest(self, contract_id: str, holder: str) -> Grant | None:
        place = self.places.get((contract_id, holder))
        return self.grants[place[-1]] if place else None

    def of_contract(self, contract_id: str) -> list[Grant]:
        return [grant for grant in self.grants.values() if grant.contract_id == contract_id]

    def of_phone(self, mark: str) -> list[Grant]:
        return [self.grants[grant_id] for grant_id in self.phones.get(mark, ())]

    def issued_on(self, day: date) -> list[Grant]:
        return [grant for grant in self.grants.values() if grant.issued_at.astimezone(KST).date() == day]

    def save(
        self, order: Order, before: Grant | None, after: Grant, phone: str, sending: tuple[Link, Fact] | None
    ) -> None:
        write = MemoryWrite()
        write.clause(
            holds=lambda: order.order_id not in self.orders,
            then=lambda: self.orders.update({order.order_id: (order.fingerprint, after.grant_id)}),
            otherwise=AlreadyIssued,
        )
        if before and before.grant_id == after.grant_id:
            self._move(write, before, after, lambda now: now.not_after == before.not_after)
        else:
            place = self.places.setdefault((after.contract_id, after.holder), [])
            write.clause(
                holds=lambda: (place[-1] if place else None) == (before.grant_id if before else None),
                then=lambda: place.append(after.grant_id),
                otherwise=GrantMoved,
            )
            write.clause(then=lambda: self.grants.update({after.grant_id: after}))
        write.clause(then=lambda: self.phones.setdefault(phone, set()).add(after.grant_id))
        if sending:
            self._send(write, *sending)
        write.commit()

    def renew(self, before: Grant, after: Grant, link: Link, fact: Fact) -> None:
        write = MemoryWrite()
        self._move(write, before, after, lambda now: True)
        self._send(write, link, fact)
        write.commit()

    def _move(
        self, write: MemoryWrite, before: Grant, after: Grant, as_read: Callable[[Grant], bool]
    ) -> None:
        def unmoved() -> bool:
            now = self.grants[before.grant_id]
            return now.state == State.LIVE and now.send_no == before.send_no and as_read(now)

        def move() -> None:
            self.grants[after.grant_id] = replace(
                self.grants[before.grant_id],
                not_before=after.not_before,
                not_after=after.not_after,
                send_no=after.send_no,
                link_until=after.link_until,
                asked_by=after.asked_by,
                died_no=after.died_no,
            )

        write.clause(holds=unmoved, then=move, otherwise=GrantMoved)

    def _send(self, write: MemoryWrite, link: Link, fact: Fact) -> None:
        def put() -> None:
            self.links.pop(link.replaces or "", None)
            self.links[link.mark] = link

        write.clause(then=put)
        write.fact(self.facts, fact)

    def take_try(self, mark: str, key_mark: str | None, at: datetime) -> Link:
        with LOCK:
            link, use = self.links.get(mark), self.uses.get(mark)
            if link is None or link.tries_left <= 0:
                raise LinkInvalid()
            if use is None and link.expires_at <= at:
                raise LinkInvalid()
            if use and (use.key_mark is None or use.key_mark != key_mark or use.at <= at - ANSWER_AGAIN):
                raise LinkInvalid()
            self.links[mark] = replace(link, tries_left=link.tries_left - 1, used=use is not None)
            return self.links[mark]

    def give_back(self, mark: str) -> None:
        with LOCK:
            link = self.links[mark]
            self.links[mark] = replace(link, tries_left=min(link.tries_left + 1, LINK_TRIES))

    def died(self, link: Link, fact: Fact) -> None:
        with LOCK:
            grant = self.grants[link.grant_id]
            if grant.send_no == link.send_no and grant.died_no is None:
                self.grants[link.grant_id] = replace(grant, died_no=link.send_no)
                self.facts.append(fact)

    def open(self, link: Link, key_mark: str | None, session: Session, at: datetime, fact: Fact) -> None:
        def use() -> None:
            self.uses[link.mark] = Use(at, key_mark)
            self.links[link.mark] = replace(self.links[link.mark], tries_left=LINK_TRIES, used=True)
            grant = self.grants[link.grant_id]
            self.grants[link.grant_id] = replace(grant, opened_at=grant.opened_at or at)

        write = MemoryWrite()
        unused = lambda: link.mark in self.links and link.mark not in self.uses  # noqa: E731
        write.clause(holds=unused, otherwise=LinkTaken)
        live = lambda: self.grants[link.grant_id].state == State.LIVE  # noqa: E731
        write.clause(holds=live, then=use, otherwise=LinkInvalid)
        write.clause(then=lambda: self.sessions.update({session.mark: session}))
        write.fact(self.facts, fact)
        write.commit()

    def session(self, mark: str) -> Session | None:
        return self.sessions.get(mark)

    def end_session(self, mark: str) -> None:
        self.sessions.pop(mark, None)

    def revoke(self, grant: Grant, link_mark: str, by: str, at: datetime, fact: Fact) -> None:
        def end() -> None:
            now = self.grants[grant.grant_id]
            self.grants[grant.grant_id] = replace(now, state=State.REVOKED, revoked_at=at, revoked_by=by)
            self.links.pop(link_mark, None)

        def unmoved() -> bool:
            now = self.grants[grant.grant_id]
            return now.state == State.LIVE and now.send_no == grant.send_no

        write = MemoryWrite()
        write.clause(holds=unmoved, then=end, otherwise=GrantMoved)
        write.fact(self.facts, fact)
        write.commit()

    def mark_sent(self, grant_id: str, at: datetime) -> None:
        with LOCK:
            if grant := self.grants.get(grant_id):
                self.grants[grant_id] = replace(grant, sent_at=grant.sent_at or at)

    def mark_unlocked(self, grant_id: str, at: datetime, fact: Fact) -> None:
        with LOCK:
            if self.grants[grant_id].unlocked_at is None:
                self.grants[grant_id] = replace(self.grants[grant_id], unlocked_at=at)
                self.facts.append(fact)

    def asks(self, phone: str) -> tuple[datetime, ...]:
        return self.asked.get(phone, ())

    def save_asks(self, phone: str, seen: Sequence[datetime], asks: Sequence[datetime]) -> None:
        write = MemoryWrite()
        write.clause(
            holds=lambda: self.asks(phone) == tuple(seen),
            then=lambda: self.asked.update({phone: tuple(asks)}),
            otherwise=GrantMoved,
        )
        write.commit()
