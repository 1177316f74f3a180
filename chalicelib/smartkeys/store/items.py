"""The rows, and how they become values and values become them."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
from pynamodb.attributes import (
    BooleanAttribute,
    ListAttribute,
    NumberAttribute,
    UnicodeAttribute,
    UnicodeSetAttribute,
)
from pynamodb.expressions.update import Action
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex

from chalicelib.kernel.audit import Head
from chalicelib.kernel.clock import KST, moment, stamp
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.tables import AllOrNothing, Item, table_name
from chalicelib.smartkeys.model import (
    SESSION_LIFE,
    TRIES,
    Entry,
    Grant,
    Kind,
    Link,
    Order,
    Person,
    Session,
    State,
)

TABLE = table_name("smartkeys")
KEPT = timedelta(days=1)
ASK_KEPT = timedelta(days=31)
LOG_KEPT = timedelta(days=731)


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
    issued_on = UnicodeAttribute(null=True)
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
    max_uses = NumberAttribute(null=True)
    incident_id = UnicodeAttribute(null=True)
    given_by = UnicodeAttribute(null=True)
    uses = UnicodeSetAttribute(null=True)
    state = UnicodeAttribute()
    log_no = NumberAttribute(default=0)
    log_mark = UnicodeAttribute(default=Head().mark)
    died_no = NumberAttribute(null=True)
    sent_at = UnicodeAttribute(null=True)
    opened_at = UnicodeAttribute(null=True)
    unlocked_at = UnicodeAttribute(null=True)
    revoked_at = UnicodeAttribute(null=True)
    revoked_by = UnicodeAttribute(null=True)
    revoked_for = UnicodeAttribute(null=True)


class HolderItem(Item):
    class Meta:
        table_name = TABLE

    latest = UnicodeAttribute(null=True)
    grants: ListAttribute[Any] = ListAttribute(null=True)
    gone = BooleanAttribute(null=True)


class OverItem(Item):
    class Meta:
        table_name = TABLE


class PersonItem(Item):
    class Meta:
        table_name = TABLE

    personal = UnicodeAttribute()
    ttl = NumberAttribute()


class OrderItem(Item):
    class Meta:
        table_name = TABLE

    fingerprint = UnicodeAttribute()
    grant_id = UnicodeAttribute()
    contract_id = UnicodeAttribute()
    issuer = UnicodeAttribute()
    not_after = UnicodeAttribute()


class AskItem(Item):
    class Meta:
        table_name = TABLE

    grant_id = UnicodeAttribute()
    ttl = NumberAttribute()


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
    proven_at = UnicodeAttribute(null=True)
    send_no = NumberAttribute(default=0)
    tries_left = NumberAttribute(default=TRIES)
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
    missed: ListAttribute[Any] = ListAttribute(default=list)
    ttl = NumberAttribute()


def grant_key(grant_id: str) -> GrantItem:
    return GrantItem(f"GRANT#{grant_id}", "GRANT")


def holder_key(contract_id: str, holder: str) -> HolderItem:
    return HolderItem(f"CONTRACT#{contract_id}", f"HOLDER#{holder}")


def over_key(contract_id: str) -> OverItem:
    return OverItem(f"CONTRACT#{contract_id}", "OVER")


def code_key(mark: str) -> CodeItem:
    return CodeItem(f"CODE#{mark}", "CODE")


def session_key(mark: str) -> SessionItem:
    return SessionItem(f"SESSION#{mark}", "SESSION")


def gone_by(at: datetime) -> int:
    return int((at + KEPT).timestamp())


def write_line(write: AllOrNothing, entry: Entry, fact: Fact | None) -> None:
    ttl = int((entry.line.at + LOG_KEPT).timestamp())
    write.line(GrantItem, entry.line, private=entry.private, fact=fact, ttl=ttl)


def head_of(after: Grant) -> list[Action]:
    return [GrantItem.log_no.set(after.head.no), GrantItem.log_mark.set(after.head.mark)]


def note(write: AllOrNothing, after: Grant, entry: Entry, *actions: Action, fact: Fact | None = None) -> None:
    """A line, and what little of the grant changes with it."""
    write.update(grant_key(after.grant_id), *actions, *head_of(after), only_if=GrantItem.pk.exists())
    write_line(write, entry, fact)


def write_link(write: AllOrNothing, link: Link) -> None:
    if link.replaces:
        write.delete(code_key(link.replaces))
    write.put(code_item(link))


def order_item(order: Order, grant: Grant) -> OrderItem:
    return OrderItem(
        f"ORDER#{order.order_id}",
        "ORDER",
        fingerprint=order.fingerprint,
        grant_id=grant.grant_id,
        contract_id=order.contract_id,
        issuer=order.issuer,
        not_after=stamp(order.not_after),
    )


def phone_item(phone: str, grant: Grant) -> PhoneItem:
    key = f"PHONE#{phone}", f"GRANT#{grant.grant_id}"
    return PhoneItem(*key, grant_id=grant.grant_id, ttl=gone_by(grant.not_after))


def person_item(person: Person, grant: Grant) -> PersonItem:
    """Everything personal in one attribute, which can be removed without the rest."""
    personal = msgspec.json.encode(person).decode()
    key = f"PERSON#{grant.contract_id}", grant.holder
    return PersonItem(*key, personal=personal, ttl=gone_by(grant.not_after))


def person_of(item: PersonItem) -> Person:
    return msgspec.json.decode(item.personal, type=Person)


def session_item(session: Session) -> SessionItem:
    return SessionItem(
        f"SESSION#{session.mark}",
        "SESSION",
        grant_id=session.grant_id,
        expires_at=stamp(session.expires_at),
        proven_at=stamp(session.proven_at),
        send_no=session.send_no,
        tries_left=session.tries_left,
        ttl=gone_by(session.expires_at),
    )


def session_of(mark: str, item: SessionItem) -> Session:
    """One from before there were proofs was proven when it began."""
    expires_at = moment(item.expires_at)
    proven_at = moment(item.proven_at) if item.proven_at else expires_at - SESSION_LIFE
    send_no, tries_left = int(item.send_no), int(item.tries_left)
    return Session(mark, item.grant_id, expires_at, proven_at, send_no, tries_left)


def code_item(link: Link) -> CodeItem:
    return CodeItem(
        f"CODE#{link.mark}",
        "CODE",
        grant_id=link.grant_id,
        contract_id=link.contract_id,
        holder=link.holder,
        send_no=link.send_no,
        expires_at=stamp(link.expires_at),
        tries_left=link.tries_left,
        ttl=gone_by(link.expires_at),
    )


def link_of(mark: str, item: CodeItem) -> Link:
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


def grant_item(grant: Grant) -> GrantItem:
    """A new grant; what happens to it later is written by updates."""
    day = grant.issued_at.astimezone(KST).date().isoformat()
    return GrantItem(
        f"GRANT#{grant.grant_id}",
        "GRANT",
        grant_id=grant.grant_id,
        issued_on=None if grant.kind is Kind.STAFF else day,
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
        max_uses=grant.max_uses,
        incident_id=grant.incident_id,
        given_by=grant.given_by,
        state=grant.state,
        log_no=grant.head.no,
        log_mark=grant.head.mark,
    )


def grant_of(item: GrantItem) -> Grant:
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
        max_uses=_number(item.max_uses),
        incident_id=item.incident_id,
        given_by=item.given_by,
        state=State(item.state),
        head=Head(int(item.log_no), item.log_mark),
        uses=tuple(sorted(item.uses or ())),
        died_no=_number(item.died_no),
        sent_at=_moment(item.sent_at),
        opened_at=_moment(item.opened_at),
        unlocked_at=_moment(item.unlocked_at),
        revoked_at=_moment(item.revoked_at),
        revoked_by=item.revoked_by,
        revoked_for=item.revoked_for or None,
    )


def _number(found: float | None) -> int | None:
    return None if found is None else int(found)


def _moment(text: str | None) -> datetime | None:
    return moment(text) if text else None
