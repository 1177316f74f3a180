"""Smart keys on DynamoDB, table `<stage>-smartkeys`.

| pk | sk | holds |
|---|---|---|
| GRANT#<grant_id> | GRANT | the grant; `issued_on` (day in Seoul) and `grant_id` make the index `issued` |
| CONTRACT#<contract_id> | HOLDER#<holder> | the holder's latest grant, and all of them, oldest first |
| ORDER#<order_id> | ORDER | an order's fingerprint and what became of it, kept for ever |
| CODE#<sha256 of the code> | CODE | a link: tries left, expiry, who used it when |
| SESSION#<sha256 of the token> | SESSION | a session |
| PHONE#<keyed hash> | GRANT#<grant_id> | a grant that this phone may ask a link for |
| PHONE#<keyed hash> | ASKS | when it last asked |

Codes, sessions and phones go by TTL, a day after their use is over.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import Any

from pynamodb.attributes import ListAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex

from chalicelib.kernel.clock import KST, moment, stamp
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.tables import AllOrNothing, Item, table_name
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

TABLE = table_name("smartkeys")
KEPT = timedelta(days=1)


class IssuedIndex(GlobalSecondaryIndex["GrantItem"]):  # type: ignore[no-untyped-call]
    class Meta:
        index_name = "issued"
        projection = AllProjection()

    issued_on = UnicodeAttribute(hash_key=True)
    grant_id = UnicodeAttribute(range_key=True)


class GrantItem(Item):
    class Meta:
        table_name = TABLE

    issued = IssuedIndex()
    grant_id = UnicodeAttribute()
    issued_on = UnicodeAttribute()
    contract_id = UnicodeAttribute()
    holder = UnicodeAttribute()
    car_id = UnicodeAttribute()
    reason = UnicodeAttribute()
    issuer = UnicodeAttribute()
    not_before = UnicodeAttribute()
    not_after = UnicodeAttribute()
    issued_at = UnicodeAttribute()
    link_until = UnicodeAttribute()
    send_no = NumberAttribute()
    actions: ListAttribute[Any] = ListAttribute()
    state = UnicodeAttribute()
    asked_by = UnicodeAttribute(null=True)
    died_no = NumberAttribute(null=True)
    sent_at = UnicodeAttribute(null=True)
    opened_at = UnicodeAttribute(null=True)
    unlocked_at = UnicodeAttribute(null=True)
    revoked_at = UnicodeAttribute(null=True)
    revoked_by = UnicodeAttribute(null=True)


class HolderItem(Item):
    class Meta:
        table_name = TABLE

    latest = UnicodeAttribute()
    grants: ListAttribute[Any] = ListAttribute()


class OrderItem(Item):
    class Meta:
        table_name = TABLE

    fingerprint = UnicodeAttribute()
    grant_id = UnicodeAttribute()
    contract_id = UnicodeAttribute()
    reason = UnicodeAttribute()
    issuer = UnicodeAttribute()
    not_after = UnicodeAttribute()


class CodeItem(Item):
    class Meta:
        table_name = TABLE

    grant_id = UnicodeAttribute()
    contract_id = UnicodeAttribute()
    holder = UnicodeAttribute()
    send_no = NumberAttribute()
    expires_at = UnicodeAttribute()
    tries_left = NumberAttribute()
    used_at = UnicodeAttribute(null=True)
    used_key = UnicodeAttribute(null=True)
    ttl = NumberAttribute()


class SessionItem(Item):
    class Meta:
        table_name = TABLE

    grant_id = UnicodeAttribute()
    expires_at = UnicodeAttribute()
    ttl = NumberAttribute()


class PhoneItem(Item):
    class Meta:
        table_name = TABLE

    grant_id = UnicodeAttribute()
    ttl = NumberAttribute()


class AsksItem(Item):
    class Meta:
        table_name = TABLE

    times: ListAttribute[Any] = ListAttribute()
    ttl = NumberAttribute()


def _grant_key(grant_id: str) -> GrantItem:
    return GrantItem(f"GRANT#{grant_id}", "GRANT")


def _code_key(mark: str) -> CodeItem:
    return CodeItem(f"CODE#{mark}", "CODE")


def _gone_by(at: datetime) -> int:
    return int((at + KEPT).timestamp())


class SmartKeyStore:
    def order(self, order_id: str) -> tuple[str, str] | None:
        item = OrderItem.load(f"ORDER#{order_id}", "ORDER")
        return (item.fingerprint, item.grant_id) if item else None

    def grant(self, grant_id: str) -> Grant | None:
        item = GrantItem.load(f"GRANT#{grant_id}", "GRANT")
        return _grant(item) if item else None

    def latest(self, contract_id: str, holder: str) -> Grant | None:
        item = HolderItem.load(f"CONTRACT#{contract_id}", f"HOLDER#{holder}")
        return self.grant(item.latest) if item else None

    def of_contract(self, contract_id: str) -> list[Grant]:
        holders = HolderItem.query(f"CONTRACT#{contract_id}", consistent_read=True)
        return self._all(grant_id for item in holders for grant_id in item.grants)

    def of_phone(self, mark: str) -> list[Grant]:
        grants = PhoneItem.query(f"PHONE#{mark}", PhoneItem.sk.startswith("GRANT#"), consistent_read=True)
        return self._all(item.grant_id for item in grants)

    def _all(self, grant_ids: Iterable[str]) -> list[Grant]:
        return [grant for grant in map(self.grant, grant_ids) if grant]

    def issued_on(self, day: date) -> list[Grant]:
        return [_grant(item) for item in GrantItem.issued.query(day.isoformat())]

    def save(
        self, order: Order, before: Grant | None, after: Grant, phone: str, sending: tuple[Link, Fact] | None
    ) -> None:
        write = AllOrNothing()
        write.put(_order_item(order, after), only_if=OrderItem.pk.does_not_exist(), otherwise=AlreadyIssued)
        if before and before.grant_id == after.grant_id:
            _move(write, before, after, GrantItem.not_after == stamp(before.not_after))
        else:
            _begin(write, before, after)
        write.put(_phone_item(phone, after))
        if sending:
            _link(write, *sending)
        write.commit()

    def renew(self, before: Grant, after: Grant, link: Link, fact: Fact) -> None:
        write = AllOrNothing()
        _move(write, before, after)
        _link(write, link, fact)
        write.commit()

    def take_try(self, mark: str, key_mark: str | None, at: datetime) -> Link:
        fresh = CodeItem.used_at.does_not_exist() & (CodeItem.expires_at > stamp(at))
        repeated = (CodeItem.used_key == (key_mark or "none")) & (CodeItem.used_at > stamp(at - ANSWER_AGAIN))
        write = AllOrNothing()
        write.update(
            _code_key(mark),
            CodeItem.tries_left.add(-1),
            only_if=(CodeItem.tries_left > 0) & (fresh | repeated),
            otherwise=LinkInvalid,
        )
        write.commit()
        item = CodeItem.load(f"CODE#{mark}", "CODE")
        if item is None or (item.used_at and item.used_key != key_mark):
            raise LinkInvalid()  # another exchange or a newer link came in between
        return _link_of(mark, item)

    def give_back(self, mark: str) -> None:
        write = AllOrNothing()
        few = CodeItem.tries_left < LINK_TRIES
        write.update(_code_key(mark), CodeItem.tries_left.add(1), only_if=few, otherwise=LinkInvalid)
        with suppress(LinkInvalid):
            write.commit()

    def died(self, link: Link, fact: Fact) -> None:
        write = AllOrNothing()
        write.update(
            _grant_key(link.grant_id),
            GrantItem.died_no.set(link.send_no),
            only_if=(GrantItem.send_no == link.send_no) & GrantItem.died_no.does_not_exist(),
            otherwise=GrantMoved,
        )
        write.fact(GrantItem, fact)
        with suppress(GrantMoved):
            write.commit()

    def open(self, link: Link, key_mark: str | None, session: Session, at: datetime, fact: Fact) -> None:
        write = AllOrNothing()
        write.update(
            _code_key(link.mark),
            CodeItem.used_at.set(stamp(at)),
            CodeItem.used_key.set(key_mark or ""),
            CodeItem.tries_left.set(LINK_TRIES),
            only_if=CodeItem.grant_id.exists() & CodeItem.used_at.does_not_exist(),
            otherwise=LinkTaken,
        )
        write.update(
            _grant_key(link.grant_id),
            GrantItem.opened_at.set(GrantItem.opened_at | stamp(at)),
            only_if=GrantItem.state == State.LIVE,
            otherwise=LinkInvalid,
        )
        write.put(_session_item(session))
        write.fact(GrantItem, fact)
        write.commit()

    def session(self, mark: str) -> Session | None:
        item = SessionItem.load(f"SESSION#{mark}", "SESSION")
        return Session(mark, item.grant_id, moment(item.expires_at)) if item else None

    def end_session(self, mark: str) -> None:
        write = AllOrNothing()
        write.delete(SessionItem(f"SESSION#{mark}", "SESSION"))
        write.commit()

    def revoke(self, grant: Grant, link_mark: str, by: str, at: datetime, fact: Fact) -> None:
        write = AllOrNothing()
        write.update(
            _grant_key(grant.grant_id),
            GrantItem.state.set(State.REVOKED),
            GrantItem.revoked_at.set(stamp(at)),
            GrantItem.revoked_by.set(by),
            only_if=(GrantItem.state == State.LIVE) & (GrantItem.send_no == grant.send_no),
            otherwise=GrantMoved,
        )
        write.delete(_code_key(link_mark))
        write.fact(GrantItem, fact)
        write.commit()

    def mark_sent(self, grant_id: str, at: datetime) -> None:
        _once(grant_id, GrantItem.sent_at, at)

    def mark_unlocked(self, grant_id: str, at: datetime, fact: Fact) -> None:
        _once(grant_id, GrantItem.unlocked_at, at, fact)

    def asks(self, phone: str) -> tuple[datetime, ...]:
        item = AsksItem.load(f"PHONE#{phone}", "ASKS")
        return tuple(moment(text) for text in item.times) if item else ()

    def save_asks(self, phone: str, seen: Sequence[datetime], asks: Sequence[datetime]) -> None:
        times = [stamp(at) for at in asks]
        item = AsksItem(f"PHONE#{phone}", "ASKS", times=times, ttl=_gone_by(asks[-1]))
        unchanged = AsksItem.times == [stamp(at) for at in seen]
        write = AllOrNothing()
        write.put(item, only_if=unchanged if seen else AsksItem.pk.does_not_exist(), otherwise=GrantMoved)
        write.commit()


def _begin(write: AllOrNothing, before: Grant | None, after: Grant) -> None:
    """A new grant takes the holder's place, if the place is still as it was read."""
    write.put(_grant_item(after), only_if=GrantItem.pk.does_not_exist(), otherwise=AlreadyIssued)
    write.update(
        HolderItem(f"CONTRACT#{after.contract_id}", f"HOLDER#{after.holder}"),
        HolderItem.latest.set(after.grant_id),
        HolderItem.grants.set((HolderItem.grants | []).append([after.grant_id])),
        only_if=(HolderItem.latest == before.grant_id) if before else HolderItem.pk.does_not_exist(),
        otherwise=GrantMoved,
    )


def _move(write: AllOrNothing, before: Grant, after: Grant, as_read: Condition | None = None) -> None:
    """The window (with `as_read`) and the link of a grant, if nobody ended it or sent a link meanwhile."""
    only_if = (GrantItem.state == State.LIVE) & (GrantItem.send_no == before.send_no)
    actions: list[Action] = []
    if as_read is not None:
        only_if &= as_read
        actions += [
            GrantItem.not_before.set(stamp(after.not_before)),
            GrantItem.not_after.set(stamp(after.not_after)),
        ]
    if after.send_no != before.send_no:
        actions += [
            GrantItem.send_no.set(after.send_no),
            GrantItem.link_until.set(stamp(after.link_until)),
            GrantItem.asked_by.set(after.asked_by) if after.asked_by else GrantItem.asked_by.remove(),
            GrantItem.died_no.remove(),
        ]
    write.update(_grant_key(after.grant_id), *actions, only_if=only_if, otherwise=GrantMoved)


def _link(write: AllOrNothing, link: Link, fact: Fact) -> None:
    if link.replaces:
        write.delete(_code_key(link.replaces))
    write.put(_code_item(link))
    write.fact(GrantItem, fact)


def _once(grant_id: str, attribute: UnicodeAttribute, at: datetime, fact: Fact | None = None) -> None:
    write = AllOrNothing()
    write.update(
        _grant_key(grant_id),
        attribute.set(stamp(at)),
        only_if=GrantItem.pk.exists() & attribute.does_not_exist(),
        otherwise=GrantMoved,
    )
    if fact:
        write.fact(GrantItem, fact)
    with suppress(GrantMoved):
        write.commit()


def _order_item(order: Order, grant: Grant) -> OrderItem:
    return OrderItem(
        f"ORDER#{order.order_id}",
        "ORDER",
        fingerprint=order.fingerprint,
        grant_id=grant.grant_id,
        contract_id=order.contract_id,
        reason=order.reason,
        issuer=order.issuer,
        not_after=stamp(order.not_after),
    )


def _phone_item(phone: str, grant: Grant) -> PhoneItem:
    key = f"PHONE#{phone}", f"GRANT#{grant.grant_id}"
    return PhoneItem(*key, grant_id=grant.grant_id, ttl=_gone_by(grant.not_after))


def _session_item(session: Session) -> SessionItem:
    return SessionItem(
        f"SESSION#{session.mark}",
        "SESSION",
        grant_id=session.grant_id,
        expires_at=stamp(session.expires_at),
        ttl=_gone_by(session.expires_at),
    )


def _code_item(link: Link) -> CodeItem:
    return CodeItem(
        f"CODE#{link.mark}",
        "CODE",
        grant_id=link.grant_id,
        contract_id=link.contract_id,
        holder=link.holder,
        send_no=link.send_no,
        expires_at=stamp(link.expires_at),
        tries_left=link.tries_left,
        ttl=_gone_by(link.expires_at),
    )


def _link_of(mark: str, item: CodeItem) -> Link:
    return Link(
        mark=mark,
        grant_id=item.grant_id,
        contract_id=item.contract_id,
        holder=item.holder,
        send_no=int(item.send_no),
        expires_at=moment(item.expires_at),
        tries_left=int(item.tries_left),
        used=item.used_at is not None,
    )


def _grant_item(grant: Grant) -> GrantItem:
    """A new grant; what happens to it later is written by updates."""
    return GrantItem(
        f"GRANT#{grant.grant_id}",
        "GRANT",
        grant_id=grant.grant_id,
        issued_on=grant.issued_at.astimezone(KST).date().isoformat(),
        contract_id=grant.contract_id,
        holder=grant.holder,
        car_id=grant.car_id,
        reason=grant.reason,
        issuer=grant.issuer,
        not_before=stamp(grant.not_before),
        not_after=stamp(grant.not_after),
        issued_at=stamp(grant.issued_at),
        link_until=stamp(grant.link_until),
        send_no=grant.send_no,
        actions=list(grant.actions),
        state=grant.state,
    )


def _grant(item: GrantItem) -> Grant:
    return Grant(
        grant_id=item.grant_id,
        contract_id=item.contract_id,
        holder=item.holder,
        car_id=item.car_id,
        reason=item.reason,
        issuer=item.issuer,
        not_before=moment(item.not_before),
        not_after=moment(item.not_after),
        issued_at=moment(item.issued_at),
        link_until=moment(item.link_until),
        send_no=int(item.send_no),
        actions=tuple(item.actions),
        state=State(item.state),
        asked_by=item.asked_by,
        died_no=None if item.died_no is None else int(item.died_no),
        sent_at=_maybe(item.sent_at),
        opened_at=_maybe(item.opened_at),
        unlocked_at=_maybe(item.unlocked_at),
        revoked_at=_maybe(item.revoked_at),
        revoked_by=item.revoked_by,
    )


def _maybe(text: str | None) -> datetime | None:
    return moment(text) if text else None
