"""Links, sessions and who asked for one."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from chalicelib.kernel.clock import moment, stamp
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.tables import AllOrNothing, Look
from chalicelib.smartkeys.model import (
    ANSWER_AGAIN,
    TRIES,
    Asks,
    Entry,
    Grant,
    GrantMoved,
    Link,
    LinkInvalid,
    LinkTaken,
    Session,
    SessionEnded,
    State,
)
from chalicelib.smartkeys.store.items import (
    AsksItem,
    CodeItem,
    GrantItem,
    SessionItem,
    code_key,
    gone_by,
    grant_key,
    grant_of,
    head_of,
    link_of,
    note,
    session_item,
    session_key,
    session_of,
    write_line,
)


class LinkStore:
    def take_try(self, mark: str, key_mark: str | None, at: datetime) -> Link:
        fresh = CodeItem.used_at.does_not_exist() & (CodeItem.expires_at > stamp(at))
        repeated = (CodeItem.used_key == (key_mark or "none")) & (CodeItem.used_at > stamp(at - ANSWER_AGAIN))
        write = AllOrNothing()
        write.update(
            code_key(mark),
            CodeItem.tries_left.add(-1),
            only_if=(CodeItem.tries_left > 0) & (fresh | repeated),
            otherwise=LinkInvalid,
        )
        write.commit()
        item = CodeItem.load(f"CODE#{mark}", "CODE")
        if item is None or (item.used_at and item.used_key != key_mark):
            raise LinkInvalid()  # another exchange or a newer link came in between
        return link_of(mark, item)

    def give_back(self, mark: str) -> None:
        write = AllOrNothing()
        few = CodeItem.tries_left < TRIES
        write.update(code_key(mark), CodeItem.tries_left.add(1), only_if=few, otherwise=LinkInvalid)
        with suppress(LinkInvalid):
            write.commit()

    def died(self, after: Grant, entry: Entry, fact: Fact) -> None:
        write = AllOrNothing()
        write.update(
            grant_key(after.grant_id),
            GrantItem.died_no.set(after.died_no or 0),
            *head_of(after),
            only_if=(GrantItem.send_no == after.died_no) & (GrantItem.died_no != after.died_no),
            otherwise=GrantMoved,
        )
        write_line(write, entry, fact)
        write.commit()

    def open(
        self, link: Link, key_mark: str | None, session: Session, after: Grant, entry: Entry, fact: Fact
    ) -> None:
        at = session.proven_at
        write = AllOrNothing()
        write.update(
            code_key(link.mark),
            CodeItem.used_at.set(stamp(at)),
            CodeItem.used_key.set(key_mark or ""),
            CodeItem.tries_left.set(TRIES),
            only_if=CodeItem.grant_id.exists() & CodeItem.used_at.does_not_exist(),
            otherwise=LinkTaken,
        )
        write.update(
            grant_key(link.grant_id),
            GrantItem.opened_at.set(GrantItem.opened_at | stamp(at)),
            *head_of(after),
            only_if=GrantItem.state == State.LIVE,
            otherwise=LinkInvalid,
        )
        write.put(session_item(session))
        write_line(write, entry, fact)
        write.commit()

    def session(self, mark: str, grant_id: str) -> tuple[Session, Grant] | None:
        look = Look()
        session = look.row(SessionItem, f"SESSION#{mark}", "SESSION")
        grant = look.row(GrantItem, f"GRANT#{grant_id}", "GRANT")
        look.fetch()
        found, of = session(), grant()
        if found is None or of is None or found.grant_id != grant_id:
            return None
        return session_of(mark, found), grant_of(of)

    def try_session(self, mark: str, grant_id: str, at: datetime) -> Session:
        write = AllOrNothing()
        tries = SessionItem.tries_left
        left = (SessionItem.grant_id == grant_id) & (tries.does_not_exist() | (tries > 0))
        write.update(
            session_key(mark),
            tries.set((tries | TRIES) - 1),
            only_if=left & (SessionItem.expires_at > stamp(at)),
            otherwise=SessionEnded,
        )
        write.commit()
        item = SessionItem.load(f"SESSION#{mark}", "SESSION")
        if item is None:
            raise SessionEnded()
        return session_of(mark, item)

    def proven(self, session: Session, after: Grant, entry: Entry) -> None:
        write = AllOrNothing()
        write.update(
            session_key(session.mark),
            SessionItem.proven_at.set(stamp(session.proven_at)),
            SessionItem.tries_left.set(TRIES),
            only_if=SessionItem.grant_id.exists(),
            otherwise=SessionEnded,
        )
        note(write, after, entry)
        write.commit()

    def end_session(self, mark: str) -> None:
        write = AllOrNothing()
        write.delete(session_key(mark))
        write.commit()

    def close_session(self, session: Session, after: Grant, entry: Entry, fact: Fact) -> None:
        write = AllOrNothing()
        there = SessionItem.grant_id.exists()
        write.delete(session_key(session.mark), only_if=there, otherwise=SessionEnded)
        died = GrantItem.died_no
        note(write, after, entry, died.set(after.died_no) if after.died_no else died.remove(), fact=fact)
        write.commit()

    def asks(self, phone: str) -> Asks:
        item = AsksItem.load(f"PHONE#{phone}", "ASKS")
        return Asks(_moments(item.times), _moments(item.missed)) if item else Asks()

    def save_asks(self, phone: str, seen: Asks, asks: Asks) -> None:
        times, missed = _stamps(asks.times), _stamps(asks.missed)
        item = AsksItem(f"PHONE#{phone}", "ASKS", times=times, missed=missed, ttl=gone_by(asks.times[-1]))
        missed_as_seen = AsksItem.missed == _stamps(seen.missed)
        if not seen.missed:
            missed_as_seen |= AsksItem.missed.does_not_exist()
        as_seen = (AsksItem.times == _stamps(seen.times)) & missed_as_seen
        write = AllOrNothing()
        write.put(item, only_if=as_seen if seen.times else AsksItem.pk.does_not_exist(), otherwise=GrantMoved)
        write.commit()


def _moments(texts: Sequence[str]) -> tuple[datetime, ...]:
    return tuple(map(moment, texts))


def _stamps(times: Sequence[datetime]) -> list[str]:
    return [stamp(at) for at in times]
