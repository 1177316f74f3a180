"""The smart-key store in memory: the same promises as `chalicelib.smartkeys.store`, in dictionaries."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

from msgspec.structs import replace

from chalicelib.kernel.audit import Line
from chalicelib.kernel.clock import KST
from chalicelib.kernel.facts import Fact
from chalicelib.smartkeys.model import (
    ANSWER_AGAIN,
    LINK_TRIES,
    TRIES,
    AlreadyIssued,
    AlreadySent,
    Asks,
    ContractOver,
    Entry,
    Grant,
    GrantMoved,
    GrantRevoked,
    GrantUsedUp,
    Kind,
    Link,
    LinkInvalid,
    LinkTaken,
    Order,
    Person,
    Session,
    SessionEnded,
    State,
    UnknownHolder,
)
from tests.memory import LOCK, MemoryLogs, MemoryLook, MemoryWrite


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
        self.asks_of: dict[str, Asks] = {}
        self.sent_for: set[str] = set()
        self.people: dict[tuple[str, str], Person] = {}
        self.over: set[str] = set()
        self.gone: set[tuple[str, str]] = set()
        self.facts: list[Fact] = []
        self.logs = MemoryLogs()
        self.private: dict[tuple[str, int], dict[str, object]] = {}

    def order(self, order_id: str) -> tuple[str, str] | None:
        return self.orders.get(order_id)

    def grant(self, grant_id: str) -> Grant | None:
        return self.grants.get(grant_id)

    def granted(self, look: MemoryLook, grant_id: str) -> Callable[[], Grant | None]:
        return look.row(lambda: self.grant(grant_id))

    def latest(self, contract_id: str, holder: str) -> Grant | None:
        place = self.places.get((contract_id, holder))
        return self.grants[place[-1]] if place else None

    def latest_of(self, contract_id: str) -> list[Grant]:
        return [
            self.grants[ids[-1]] for (named, _), ids in self.places.items() if named == contract_id and ids
        ]

    def of_contract(self, contract_id: str) -> list[Grant]:
        shown = {ids[-1] for (_, holder), ids in self.places.items() if holder.startswith("staff:") and ids}
        mine = [grant for grant in self.grants.values() if grant.contract_id == contract_id]
        return [grant for grant in mine if grant.kind is not Kind.STAFF or grant.grant_id in shown]

    def person(self, contract_id: str, holder: str) -> Person | None:
        return self.people.get((contract_id, holder))

    def asked(self, ask_id: str) -> bool:
        return ask_id in self.sent_for

    def log(self, grant_id: str, after: int, limit: int) -> list[Line]:
        return [line for line in self.logs[grant_id] if line.no > after][:limit]

    def of_phone(self, mark: str) -> list[Grant]:
        return [self.grants[grant_id] for grant_id in self.phones.get(mark, ())]

    def issued_on(self, day: date) -> list[Grant]:
        grants = [grant for grant in self.grants.values() if grant.kind is not Kind.STAFF]
        return [grant for grant in grants if grant.issued_at.astimezone(KST).date() == day]

    def save(
        self,
        order: Order,
        before: Grant | None,
        after: Grant,
        phone: str | None,
        link: Link | None,
        entry: Entry,
        fact: Fact | None,
    ) -> None:
        write = MemoryWrite()
        write.clause(
            holds=lambda: order.order_id not in self.orders,
            then=lambda: self.orders.update({order.order_id: (order.fingerprint, after.grant_id)}),
            otherwise=AlreadyIssued,
        )
        if before and before.grant_id == after.grant_id:
            self._move(write, before, after)
        else:
            self._begin(write, before, after)
        if order.shared:
            giver = self.grants[after.given_by or ""]
            alive = lambda: self.grants[giver.grant_id].state == State.LIVE  # noqa: E731
            write.clause(holds=alive, otherwise=GrantMoved)
        if phone:
            write.clause(then=lambda: self.phones.setdefault(phone, set()).add(after.grant_id))
        if person := order.person:
            write.clause(then=lambda: self.people.update({(after.contract_id, after.holder): person}))
        if link:
            self._send(write, link)
        self._tell(write, entry, fact)
        write.commit()

    def _begin(self, write: MemoryWrite, before: Grant | None, after: Grant) -> None:
        key = after.contract_id, after.holder
        place = self.places.setdefault(key, [])
        write.clause(holds=lambda: key not in self.gone, otherwise=UnknownHolder)
        write.clause(
            holds=lambda: (place[-1] if place else None) == (before.grant_id if before else None),
            then=lambda: place.append(after.grant_id),
            otherwise=GrantMoved,
        )
        write.clause(then=lambda: self.grants.update({after.grant_id: after}))
        if after.kind is not Kind.STAFF:
            write.clause(holds=lambda: after.contract_id not in self.over, otherwise=ContractOver)

    def renew(
        self, ask_id: str | None, before: Grant, after: Grant, link: Link, entry: Entry, fact: Fact
    ) -> None:
        write = MemoryWrite()
        if ask_id:
            write.clause(
                holds=lambda: ask_id not in self.sent_for,
                then=lambda: self.sent_for.add(ask_id),
                otherwise=AlreadySent,
            )
        self._move(write, before, after)
        self._send(write, link)
        self._tell(write, entry, fact)
        write.commit()

    def change_car(self, before: Grant, after: Grant, entry: Entry) -> None:
        write = MemoryWrite()
        self._move(write, before, after)
        self._tell(write, entry, None)
        write.commit()

    def _move(self, write: MemoryWrite, before: Grant, after: Grant) -> None:
        def unmoved() -> bool:
            now = self.grants[before.grant_id]
            read = now.send_no, now.not_after
            return now.state == State.LIVE and read == (before.send_no, before.not_after)

        def move() -> None:
            now = self.grants[before.grant_id]
            kept = replace(after, sent_at=now.sent_at, opened_at=now.opened_at, unlocked_at=now.unlocked_at)
            self.grants[after.grant_id] = kept

        write.clause(holds=unmoved, then=move, otherwise=GrantMoved)

    def _send(self, write: MemoryWrite, link: Link) -> None:
        def put() -> None:
            self.links.pop(link.replaces or "", None)
            self.links[link.mark] = link

        write.clause(then=put)

    def _tell(self, write: MemoryWrite, entry: Entry, fact: Fact | None) -> None:
        """The line, the log's head in the grant, and the fact."""
        line = entry.line

        def head() -> None:
            self.grants[line.log] = replace(self.grants[line.log], head=line.head)
            if entry.private is not None:
                self.private[line.log, line.no] = entry.private

        write.line(self.logs, line)
        write.clause(then=head)
        if fact:
            write.fact(self.facts, fact)

    def note(self, after: Grant, entry: Entry, fact: Fact | None = None) -> None:
        write = MemoryWrite()
        self._tell(write, entry, fact)
        write.commit()

    def close(self, contract_id: str) -> None:
        self.over.add(contract_id)

    def retire(self, contract_id: str, holder: str) -> None:
        self.gone.add((contract_id, holder))

    def take_use(self, grant: Grant, command_id: str, at: datetime) -> None:
        with LOCK:
            now = self.grants.get(grant.grant_id)
            if now is None:
                raise GrantRevoked()
            if now.state != State.LIVE or at >= now.not_after:
                raise now.refusal(at) or GrantUsedUp()
            if command_id not in now.uses:
                if len(now.uses) >= (grant.max_uses or 0):
                    raise GrantUsedUp()
                self.grants[grant.grant_id] = replace(now, uses=(*now.uses, command_id))

    def return_use(self, grant_id: str, command_id: str) -> None:
        with LOCK:
            if now := self.grants.get(grant_id):
                uses = tuple(each for each in now.uses if each != command_id)
                self.grants[grant_id] = replace(now, uses=uses)

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

    def died(self, after: Grant, entry: Entry, fact: Fact) -> None:
        def unmoved() -> bool:
            now = self.grants[after.grant_id]
            return now.send_no == after.died_no and now.died_no != after.died_no

        def die() -> None:
            self.grants[after.grant_id] = replace(self.grants[after.grant_id], died_no=after.died_no)

        write = MemoryWrite()
        write.clause(holds=unmoved, then=die, otherwise=GrantMoved)
        self._tell(write, entry, fact)
        write.commit()

    def open(
        self, link: Link, key_mark: str | None, session: Session, after: Grant, entry: Entry, fact: Fact
    ) -> None:
        at = session.proven_at

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
        self._tell(write, entry, fact)
        write.commit()

    def session(self, mark: str, grant_id: str) -> tuple[Session, Grant] | None:
        session = self.sessions.get(mark)
        return (session, self.grants[grant_id]) if session and session.grant_id == grant_id else None

    def end_session(self, mark: str) -> None:
        self.sessions.pop(mark, None)

    def try_session(self, mark: str, grant_id: str, at: datetime) -> Session:
        with LOCK:
            session = self.sessions.get(mark)
            if session is None or session.grant_id != grant_id or session.is_over(at):
                raise SessionEnded()
            self.sessions[mark] = replace(session, tries_left=session.tries_left - 1)
            return self.sessions[mark]

    def proven(self, session: Session, after: Grant, entry: Entry) -> None:
        write = MemoryWrite()
        fresh = replace(session, tries_left=TRIES)
        write.clause(
            holds=lambda: session.mark in self.sessions,
            then=lambda: self.sessions.update({session.mark: fresh}),
            otherwise=SessionEnded,
        )
        self._tell(write, entry, None)
        write.commit()

    def close_session(self, session: Session, after: Grant, entry: Entry, fact: Fact) -> None:
        def close() -> None:
            del self.sessions[session.mark]
            self.grants[after.grant_id] = replace(self.grants[after.grant_id], died_no=after.died_no)

        write = MemoryWrite()
        write.clause(holds=lambda: session.mark in self.sessions, then=close, otherwise=SessionEnded)
        self._tell(write, entry, fact)
        write.commit()

    def revoke(self, before: Grant, after: Grant, link_mark: str, entry: Entry, fact: Fact) -> None:
        def end() -> None:
            self.grants[after.grant_id] = replace(
                self.grants[after.grant_id],
                state=after.state,
                revoked_at=after.revoked_at,
                revoked_by=after.revoked_by,
                revoked_for=after.revoked_for,
            )
            self.links.pop(link_mark, None)

        def unmoved() -> bool:
            now = self.grants[before.grant_id]
            return now.state == State.LIVE and now.send_no == before.send_no

        write = MemoryWrite()
        write.clause(holds=unmoved, then=end, otherwise=GrantMoved)
        self._tell(write, entry, fact)
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

    def asks(self, phone: str) -> Asks:
        return self.asks_of.get(phone, Asks())

    def save_asks(self, phone: str, seen: Asks, asks: Asks) -> None:
        write = MemoryWrite()
        write.clause(
            holds=lambda: self.asks(phone) == seen,
            then=lambda: self.asks_of.update({phone: asks}),
            otherwise=GrantMoved,
        )
        write.commit()
