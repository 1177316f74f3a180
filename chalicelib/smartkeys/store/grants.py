"""Grants, their holders and their logs."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import date, datetime
from typing import Any

from pynamodb.attributes import UnicodeAttribute
from pynamodb.expressions.condition import size
from pynamodb.expressions.update import Action

from chalicelib.kernel.audit import Line
from chalicelib.kernel.clock import stamp
from chalicelib.kernel.errors import HandoverError
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.tables import AllOrNothing, Raw, Rows, read_log
from chalicelib.smartkeys.model import (
    AlreadyIssued,
    AlreadySent,
    ContractOver,
    Entry,
    Grant,
    GrantMoved,
    GrantRevoked,
    GrantUsedUp,
    Kind,
    Link,
    Order,
    Person,
    State,
    UnknownHolder,
)
from chalicelib.smartkeys.store.items import (
    ASK_KEPT,
    AskItem,
    GrantItem,
    HolderItem,
    OrderItem,
    OverItem,
    PersonItem,
    PhoneItem,
    code_key,
    grant_item,
    grant_key,
    grant_of,
    head_of,
    holder_key,
    note,
    order_item,
    over_key,
    person_item,
    person_of,
    phone_item,
    write_line,
    write_link,
)


class GrantStore:
    def order(self, order_id: str) -> tuple[str, str] | None:
        item = OrderItem.load(f"ORDER#{order_id}", "ORDER")
        return (item.fingerprint, item.grant_id) if item else None

    def asked(self, ask_id: str) -> bool:
        return AskItem.load(f"ASK#{ask_id}", "ASK") is not None

    def grant(self, grant_id: str) -> Grant | None:
        item = GrantItem.load(f"GRANT#{grant_id}", "GRANT")
        return grant_of(item) if item else None

    def granted(self, look: Rows, grant_id: str) -> Callable[[], Grant | None]:
        row = look.row(GrantItem, f"GRANT#{grant_id}", "GRANT")
        return lambda: grant_of(item) if (item := row()) else None

    def latest(self, contract_id: str, holder: str) -> Grant | None:
        item = HolderItem.load(f"CONTRACT#{contract_id}", f"HOLDER#{holder}")
        return self.grant(item.latest) if item and item.latest else None

    def latest_of(self, contract_id: str) -> list[Grant]:
        return self._all(item.latest for item in self._holders(contract_id) if item.latest)

    def of_contract(self, contract_id: str) -> list[Grant]:
        return self._all(grant_id for item in self._holders(contract_id) for grant_id in item.grants or ())

    def _holders(self, contract_id: str) -> list[HolderItem]:
        mine = HolderItem.sk.startswith("HOLDER#")
        return list(HolderItem.query(f"CONTRACT#{contract_id}", mine, consistent_read=True))

    def of_phone(self, mark: str) -> list[Grant]:
        grants = PhoneItem.query(f"PHONE#{mark}", PhoneItem.sk.startswith("GRANT#"), consistent_read=True)
        return self._all(item.grant_id for item in grants)

    def _all(self, grant_ids: Iterable[str]) -> list[Grant]:
        return [grant for grant in map(self.grant, grant_ids) if grant]

    def issued_on(self, day: date) -> list[Grant]:
        return [grant_of(item) for item in GrantItem.issued.query(day.isoformat())]

    def person(self, contract_id: str, holder: str) -> Person | None:
        item = PersonItem.load(f"PERSON#{contract_id}", holder)
        return person_of(item) if item else None

    def log(self, grant_id: str, after: int, limit: int) -> list[Line]:
        return read_log(GrantItem, grant_id, after, limit)

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
        write = AllOrNothing()
        write.put(order_item(order, after), only_if=OrderItem.pk.does_not_exist(), otherwise=AlreadyIssued)
        if before and before.grant_id == after.grant_id:
            _move(write, before, after)
        else:
            _begin(write, before, after)
        if order.shared and after.given_by:
            lives = GrantItem.state == State.LIVE
            write.check(grant_key(after.given_by), only_if=lives, otherwise=GrantMoved)
        if phone:
            write.put(phone_item(phone, after))
        if order.person:
            write.put(person_item(order.person, after))
        if link:
            write_link(write, link)
        write_line(write, entry, fact)
        write.commit()

    def renew(
        self, ask_id: str | None, before: Grant, after: Grant, link: Link, entry: Entry, fact: Fact
    ) -> None:
        write = AllOrNothing()
        if ask_id:
            kept = int((entry.line.at + ASK_KEPT).timestamp())
            item = AskItem(f"ASK#{ask_id}", "ASK", grant_id=after.grant_id, ttl=kept)
            write.put(item, only_if=AskItem.pk.does_not_exist(), otherwise=AlreadySent)
        _move(write, before, after)
        write_link(write, link)
        write_line(write, entry, fact)
        write.commit()

    def change_car(self, before: Grant, after: Grant, entry: Entry) -> None:
        write = AllOrNothing()
        _move(write, before, after)
        write_line(write, entry, None)
        write.commit()

    def note(self, after: Grant, entry: Entry, fact: Fact | None = None) -> None:
        write = AllOrNothing()
        note(write, after, entry, fact=fact)
        write.commit()

    def revoke(self, before: Grant, after: Grant, link_mark: str, entry: Entry, fact: Fact) -> None:
        write = AllOrNothing()
        write.update(
            grant_key(after.grant_id),
            GrantItem.state.set(after.state),
            GrantItem.revoked_at.set(stamp(entry.line.at)),
            GrantItem.revoked_by.set(after.revoked_by or ""),
            GrantItem.revoked_for.set(after.revoked_for)
            if after.revoked_for
            else GrantItem.revoked_for.remove(),
            *head_of(after),
            only_if=(GrantItem.state == State.LIVE) & (GrantItem.send_no == before.send_no),
            otherwise=GrantMoved,
        )
        write.delete(code_key(link_mark))
        write_line(write, entry, fact)
        write.commit()

    def close(self, contract_id: str) -> None:
        write = AllOrNothing()
        write.put(over_key(contract_id))
        write.commit()

    def retire(self, contract_id: str, holder: str) -> None:
        write = AllOrNothing()
        write.update(holder_key(contract_id, holder), HolderItem.gone.set(True))
        write.commit()

    def take_use(self, grant: Grant, command_id: str, at: datetime) -> None:
        write = AllOrNothing()
        room = GrantItem.uses.does_not_exist() | (
            GrantItem.uses.contains(command_id) | (size(GrantItem.uses) < (grant.max_uses or 0))  # type: ignore[no-untyped-call]
        )
        write.update(
            grant_key(grant.grant_id),
            GrantItem.uses.add({command_id}),
            only_if=(GrantItem.state == State.LIVE) & (GrantItem.not_after > stamp(at)) & room,
            otherwise=lambda old: _why_not(old, at),
        )
        write.commit()

    def return_use(self, grant_id: str, command_id: str) -> None:
        write = AllOrNothing()
        write.update(
            grant_key(grant_id),
            GrantItem.uses.delete({command_id}),
            only_if=GrantItem.uses.contains(command_id),
            otherwise=GrantMoved,
        )
        with suppress(GrantMoved):
            write.commit()

    def mark_sent(self, grant_id: str, at: datetime) -> None:
        _once(grant_id, GrantItem.sent_at, at)

    def mark_unlocked(self, grant_id: str, at: datetime, fact: Fact) -> None:
        _once(grant_id, GrantItem.unlocked_at, at, fact)


def _begin(write: AllOrNothing, before: Grant | None, after: Grant) -> None:
    """A new grant takes the holder's place, if the place is still as it was read and still to be had.

    What staff had before is in the logs only: they get a grant every quarter of an hour.
    """
    write.put(grant_item(after), only_if=GrantItem.pk.does_not_exist(), otherwise=AlreadyIssued)
    as_read = (HolderItem.latest == before.grant_id) if before else HolderItem.latest.does_not_exist()
    is_staff = after.kind is Kind.STAFF
    grants = [after.grant_id] if is_staff else (HolderItem.grants | []).append([after.grant_id])
    write.update(
        holder_key(after.contract_id, after.holder),
        HolderItem.latest.set(after.grant_id),
        HolderItem.grants.set(grants),
        only_if=HolderItem.gone.does_not_exist() & as_read,
        otherwise=lambda old: UnknownHolder() if old and "gone" in old else GrantMoved(),
    )
    if not is_staff:
        over = over_key(after.contract_id)
        write.check(over, only_if=OverItem.pk.does_not_exist(), otherwise=ContractOver)


def _move(write: AllOrNothing, before: Grant, after: Grant) -> None:
    """What has changed of a live grant, if nobody ended it, sent a link or changed its window meanwhile."""
    as_read = (GrantItem.send_no == before.send_no) & (GrantItem.not_after == stamp(before.not_after))
    write.update(
        grant_key(after.grant_id),
        *head_of(after),
        *_changes(before, after),
        only_if=(GrantItem.state == State.LIVE) & as_read,
        otherwise=GrantMoved,
    )


def _changes(before: Grant, after: Grant) -> list[Action]:
    """One for each of the terms that an order, a link or a swap may change."""
    rows: list[tuple[Any, Any, Any]] = [
        (GrantItem.car_id, before.car_id, after.car_id),
        (GrantItem.not_before, stamp(before.not_before), stamp(after.not_before)),
        (GrantItem.not_after, stamp(before.not_after), stamp(after.not_after)),
        (GrantItem.link_until, stamp(before.link_until), stamp(after.link_until)),
        (GrantItem.send_no, before.send_no, after.send_no),
        (GrantItem.actions, list(before.actions), list(after.actions)),
        (GrantItem.max_uses, before.max_uses, after.max_uses),
        (GrantItem.uses, before.uses, after.uses),
        (GrantItem.incident_id, before.incident_id, after.incident_id),
        (GrantItem.given_by, before.given_by, after.given_by),
        (GrantItem.died_no, before.died_no, after.died_no),
    ]
    return [name.set(now) if now else name.remove() for name, was, now in rows if was != now]


def _why_not(old: Raw | None, at: datetime) -> HandoverError:
    """What has become of a grant that gave no use."""
    if not old:
        return GrantRevoked()
    return grant_of(GrantItem.from_raw_data(old)).refusal(at) or GrantUsedUp()


def _once(grant_id: str, attribute: UnicodeAttribute, at: datetime, fact: Fact | None = None) -> None:
    write = AllOrNothing()
    write.update(
        grant_key(grant_id),
        attribute.set(stamp(at)),
        only_if=GrantItem.pk.exists() & attribute.does_not_exist(),
        otherwise=GrantMoved,
    )
    if fact:
        write.fact(GrantItem, fact)
    with suppress(GrantMoved):
        write.commit()
