"""Issuing smart keys, handing them over by link, and telling who may act on a car."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import date, datetime
from typing import Protocol, TypeVar

from msgspec import Struct

from chalicelib.kernel.clock import Clock, stamp
from chalicelib.kernel.errors import KeyReused, Malformed
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.ids import keyed_id
from chalicelib.smartkeys.model import (
    AUTOMATIC,
    CUSTOMER,
    LIFE,
    NO_SMART_KEY,
    RESCUE_WINDOW,
    SESSION_LIFE,
    AlreadyIssued,
    Event,
    Funnel,
    Grant,
    GrantMoved,
    Holder,
    Link,
    LinkGone,
    LinkTaken,
    LinkToSend,
    Order,
    ProofWrong,
    SelfTest,
    Session,
    SessionEnded,
    State,
    UnknownGrant,
    Withheld,
    decide,
    funnel_of,
    link_code,
    mark_of,
    phone_mark,
    proves_access,
    self_test,
    session_token,
    with_ask,
)

T = TypeVar("T")
ATTEMPTS = 5


class Delivery(Protocol):
    @property
    def car_id(self) -> str: ...


class Party(Protocol):
    @property
    def phone(self) -> str: ...


class Car(Protocol):
    @property
    def car_id(self) -> str: ...
    @property
    def plate(self) -> str: ...
    @property
    def model(self) -> str: ...


class CarState(Protocol):
    @property
    def online(self) -> bool: ...
    @property
    def last_seen(self) -> datetime | None: ...


class Contracts(Protocol):
    """`proves` compares in constant time. Unknown contracts, holders and cars raise NotFound."""

    def delivery(self, contract_id: str) -> Delivery: ...
    def party(self, contract_id: str, holder: str) -> Party: ...
    def proves(self, contract_id: str, holder: str, proof: str) -> bool: ...
    def car(self, car_id: str) -> Car: ...


class CarStates(Protocol):
    def car_state(self, car_id: str) -> CarState: ...


class Store(Protocol):
    """Every write is one transaction; reads of one row are strongly consistent."""

    def order(self, order_id: str) -> tuple[str, str] | None:
        """The fingerprint it came with, and the grant it became or joined."""

    def grant(self, grant_id: str) -> Grant | None: ...
    def latest(self, contract_id: str, holder: str) -> Grant | None: ...
    def of_contract(self, contract_id: str) -> list[Grant]: ...
    def of_phone(self, mark: str) -> list[Grant]: ...
    def issued_on(self, day: date) -> list[Grant]:
        """By the day in Seoul; may lag by a moment."""

    def save(
        self, order: Order, before: Grant | None, after: Grant, phone: str, sending: tuple[Link, Fact] | None
    ) -> None:
        """AlreadyIssued when the order is known; GrantMoved when `before` is not the latest, or changed."""

    def renew(self, before: Grant, after: Grant, link: Link, fact: Fact) -> None:
        """GrantMoved when the grant ended, or another link was faster."""

    def take_try(self, mark: str, key_mark: str | None, at: datetime) -> Link:
        """One conditional write that costs the link a try. LinkInvalid, after the same work, for a link that
        is unknown, out of time or tries, or used: unless by this key within ANSWER_AGAIN."""

    def give_back(self, mark: str) -> None: ...
    def died(self, link: Link, fact: Fact) -> None:
        """Once per link; later calls change nothing."""

    def open(self, link: Link, key_mark: str | None, session: Session, at: datetime, fact: Fact) -> None:
        """LinkTaken when another exchange was faster; LinkInvalid when the grant ended meanwhile."""

    def session(self, mark: str) -> Session | None: ...
    def end_session(self, mark: str) -> None: ...
    def revoke(self, grant: Grant, link_mark: str, by: str, at: datetime, fact: Fact) -> None:
        """The unused link dies with it. GrantMoved."""

    def mark_sent(self, grant_id: str, at: datetime) -> None:
        """Only the first time counts; unknown grants are somebody else's."""

    def mark_unlocked(self, grant_id: str, at: datetime, fact: Fact) -> None:
        """Only the first time counts, and is published in the same write."""

    def asks(self, phone: str) -> Sequence[datetime]: ...
    def save_asks(self, phone: str, seen: Sequence[datetime], asks: Sequence[datetime]) -> None:
        """GrantMoved when they are no longer as `seen`."""


class Issued(Struct, frozen=True):
    grant: Grant
    replayed: bool


class OpenKey(Struct, frozen=True):
    """What a holder's page shows."""

    holder: Holder
    car: Car
    state: CarState


class SmartKeyService(Struct, frozen=True):
    """`link_key`: the secret that codes and tokens are derived from. `phone_number`: E.164 or ValueError."""

    store: Store
    contracts: Contracts
    cars: CarStates
    link_key: Callable[[], str]
    phone_number: Callable[[str], str]
    now: Clock
    new_id: Callable[[str], str]

    def rescue(self, contract_id: str, reason: str, cause: str) -> Grant | None:
        """The customer of a stranded contract gets in. `cause` is the fact's id: heard twice, done once.

        None when a person has revoked the key before.
        """
        order = Order(
            order_id=keyed_id("ord", "fact", cause),
            fingerprint=cause,
            grant_id=keyed_id("grt", "fact", cause),
            contract_id=contract_id,
            holder=CUSTOMER,
            reason=reason,
            issuer=AUTOMATIC,
            not_after=self.now() + RESCUE_WINDOW,
        )
        try:
            return self.issue(order).grant
        except Withheld:
            return None

    def issue(self, order: Order) -> Issued:
        """A live grant for this holder and, unless it is one a fact merely widens, a link on its way."""
        return _while_it_moves(lambda: self._issue(order))

    def _known(self, order: Order) -> Grant | None:
        found = self.store.order(order.order_id)
        if found is None:
            return None
        fingerprint, grant_id = found
        if fingerprint != order.fingerprint:
            raise KeyReused()
        return self.store.grant(grant_id)

    def _issue(self, order: Order) -> Issued:
        if known := self._known(order):
            return Issued(known.seen_at(self.now()), replayed=True)
        at = self.now()
        phone = phone_mark(self.link_key(), self.contracts.party(order.contract_id, order.holder).phone)
        before = self.store.latest(order.contract_id, order.holder)
        after = decide(order, before, self.contracts.delivery(order.contract_id).car_id, at)
        same_link = before and (before.grant_id, before.send_no) == (after.grant_id, after.send_no)
        self.store.save(order, before, after, phone, None if same_link else self._sending(before, after, at))
        return Issued(after, replayed=False)

    def resend(self, phone: str, proof: str, key: str | None) -> None:
        """A new link for this phone's live grant, if the proof fits; silent about whether there was one.

        With several grants the one that has waited longest for a link is served. The same `key` sends once.
        """
        at = self.now()
        mark = phone_mark(self.link_key(), self._number(phone))
        _while_it_moves(lambda: self._count_ask(mark, at))
        for grant in sorted(self.store.of_phone(mark), key=lambda grant: grant.link_until):
            if grant.is_live(at) and self.contracts.proves(grant.contract_id, grant.holder, proof):
                self._renew(grant, at, mark_of(key) if key else None)
                break

    def _number(self, phone: str) -> str:
        try:
            return self.phone_number(phone)
        except ValueError as problem:
            raise Malformed("not a phone number", (("/phone", "a mobile number"),)) from problem

    def _count_ask(self, phone: str, at: datetime) -> None:
        seen = self.store.asks(phone)
        self.store.save_asks(phone, seen, with_ask(seen, at))

    def _renew(self, grant: Grant, at: datetime, asked_by: str | None) -> None:
        if asked_by and grant.asked_by == asked_by:
            return
        after = grant.with_new_link(at, asked_by)
        try:
            self.store.renew(grant, after, *self._sending(grant, after, at))
        except GrantMoved:
            return  # another request has just sent one, or a person has ended the grant

    def link(self, grant_id: str, send_no: int) -> LinkToSend:
        """LinkGone when there is nothing left that this link could open."""
        grant, at = self._grant(grant_id), self.now()
        if not grant.is_live(at) or send_no != grant.send_no or at >= grant.link_until:
            raise LinkGone()
        code = link_code(self.link_key(), grant_id, send_no)
        return LinkToSend(grant.contract_id, grant.holder, code)

    def exchange(self, code: str, proof: str, key: str | None) -> str:
        """The session token. A try is paid before the proof is looked at: parallel guesses are no cheaper."""
        at = self.now()
        key_mark = mark_of(key) if key else None
        link = self.store.take_try(mark_of(code), key_mark, at)
        if not self.contracts.proves(link.contract_id, link.holder, proof):
            self._tell_if_dead(link, at)
            raise ProofWrong()
        token = session_token(self.link_key(), link.grant_id, link.send_no)
        if link.used:
            self.store.give_back(link.mark)
            return token
        session = Session(mark_of(token), link.grant_id, at + SESSION_LIFE)
        opened = self._fact("SmartKeyOpened", link.grant_id, link.contract_id, at)
        try:
            self.store.open(link, key_mark, session, at, opened)
        except LinkTaken:  # by our own twin, and it answers; or by another, and it refuses
            return self.exchange(code, proof, key)
        return token

    def _tell_if_dead(self, link: Link, at: datetime) -> None:
        if link.tries_left == 0 and not link.used:
            fact = self._fact("SmartKeyLinkDied", link.grant_id, link.contract_id, at, send_no=link.send_no)
            self.store.died(link, fact)

    def holder(self, token: str | None, at: datetime) -> Holder:
        """Who this session is and what it may do. SessionEnded, GrantRevoked, GrantExpired, NotYetValid."""
        session = self.store.session(mark_of(token)) if token else None
        if session is None or at >= session.expires_at:
            raise SessionEnded()
        grant = self._grant(session.grant_id)
        grant.require_usable(at)
        return Holder(grant.grant_id, grant.contract_id, grant.car_id, grant.actions, grant.not_after)

    def view(self, token: str | None) -> OpenKey:
        holder = self.holder(token, self.now())
        return OpenKey(holder, self.contracts.car(holder.car_id), self.cars.car_state(holder.car_id))

    def sign_out(self, token: str | None) -> None:
        if token:
            self.store.end_session(mark_of(token))

    def revoke(self, contract_id: str, grant_id: str, by: str) -> None:
        """Ends its sessions, which read the grant each time, and its unused link. Twice is once."""
        _while_it_moves(lambda: self._revoke(contract_id, grant_id, by))

    def _revoke(self, contract_id: str, grant_id: str, by: str) -> None:
        at = self.now()
        grant = self._grant(grant_id)
        if grant.contract_id != contract_id:
            raise UnknownGrant()
        if grant.state == State.REVOKED:
            return
        LIFE.after(grant.state_at(at), Event.REVOKE)
        fact = self._fact("SmartKeyRevoked", grant_id, contract_id, at)
        self.store.revoke(grant, self._mark(grant), by, at, fact)

    def of_contract(self, contract_id: str) -> list[Grant]:
        """Latest first. NotFound."""
        self.contracts.party(contract_id, CUSTOMER)
        grants = [grant.seen_at(self.now()) for grant in self.store.of_contract(contract_id)]
        return sorted(grants, key=lambda grant: grant.issued_at, reverse=True)

    def sent(self, grant_id: str, at: datetime) -> None:
        self.store.mark_sent(grant_id, at)

    def settled(self, grant_id: str, action: str, state: str, at: datetime) -> None:
        """The first time a grant opens its car is news; unknown grants are somebody else's."""
        grant = self.store.grant(grant_id) if proves_access(action, state) else None
        if grant and grant.unlocked_at is None:
            self.store.mark_unlocked(grant_id, at, self._unlocked(grant, at))

    def self_test(self, contract_id: str) -> SelfTest:
        """Whether the customer's smart key would open the car, asked before somebody drives it there."""
        grant = self.store.latest(contract_id, CUSTOMER)
        if grant is None:
            return SelfTest((NO_SMART_KEY,))
        state = self.cars.car_state(grant.car_id)
        return self_test(grant, state.online, state.last_seen, self.now())

    def funnel(self, day: date) -> Funnel:
        """Of the grants issued on that day in Seoul."""
        return funnel_of(self.store.issued_on(day), self.now())

    def _grant(self, grant_id: str) -> Grant:
        if grant := self.store.grant(grant_id):
            return grant
        raise UnknownGrant()

    def _mark(self, grant: Grant) -> str:
        return mark_of(link_code(self.link_key(), grant.grant_id, grant.send_no))

    def _sending(self, before: Grant | None, after: Grant, at: datetime) -> tuple[Link, Fact]:
        link = Link(
            mark=self._mark(after),
            grant_id=after.grant_id,
            contract_id=after.contract_id,
            holder=after.holder,
            send_no=after.send_no,
            expires_at=after.link_until,
            replaces=self._mark(before) if before else None,
        )
        fact = self._fact("SmartKeyLinkIssued", after.grant_id, after.contract_id, at, send_no=after.send_no)
        return link, fact

    def _unlocked(self, grant: Grant, at: datetime) -> Fact:
        data = {"grant_id": grant.grant_id, "contract_id": grant.contract_id, "at": stamp(at)}
        now, name = self.now(), "SmartKeyUnlocked"
        return Fact.of(name, "smartkeys", grant.grant_id, at=now, id=self.new_id("evt"), data=data)

    def _fact(self, type: str, grant_id: str, contract_id: str, at: datetime, **more: int) -> Fact:
        data = {"grant_id": grant_id, "contract_id": contract_id, **more}
        return Fact.of(type, "smartkeys", grant_id, at=at, id=self.new_id("evt"), data=data)


def _while_it_moves(work: Callable[[], T]) -> T:
    """Reads, decides and writes again as long as somebody else was faster."""
    for _ in range(ATTEMPTS):
        with suppress(AlreadyIssued, GrantMoved):
            return work()
    raise GrantMoved()
