"""What smart keys need of others: their table, contracts and people, and how a car is."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Protocol

from chalicelib.kernel.audit import Line
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.tables import Rows
from chalicelib.smartkeys.model import Asks, Car, CarState, Driver, Entry, Grant, Link, Order, Person, Session


class Admission(Protocol):
    """`open`: its customer awaits the car, uses it, or has yet to bring it back."""

    @property
    def customer_id(self) -> str: ...
    @property
    def car_id(self) -> str | None: ...
    @property
    def open(self) -> bool: ...
    @property
    def ends_at(self) -> datetime: ...
    @property
    def drivers(self) -> Sequence[Driver]: ...


class Party(Protocol):
    @property
    def phone(self) -> str: ...
    @property
    def language(self) -> str: ...


class Contracts(Protocol):
    """`proves` compares in constant time. Unknown contracts, holders and cars raise NotFound."""

    def admission(self, contract_id: str) -> Admission: ...
    def admitted(self, look: Rows, contract_id: str) -> Callable[[], Admission]:
        """As `admission`, once `look` is fetched."""

    def party(self, contract_id: str, holder: str) -> Party: ...
    def proves(self, contract_id: str, holder: str, proof: str) -> bool: ...
    def car(self, car_id: str) -> Car: ...


class CarStates(Protocol):
    def car_state(self, car_id: str) -> CarState: ...


class Bills(Protocol):
    def overdue(self, contract_id: str) -> bool:
        """Whether charges have failed for so long that the contract is blocked."""


class Proves(Protocol):
    def __call__(self, proof: str, birth_date: date | None, licence_last4: str | None) -> bool: ...


class Command(Protocol):
    """About to leave for a car."""

    @property
    def command_id(self) -> str: ...
    @property
    def grant_id(self) -> str: ...
    @property
    def contract_id(self) -> str: ...
    @property
    def car_id(self) -> str: ...
    @property
    def action(self) -> str: ...


class Store(Protocol):
    """Every write is one transaction; reads of one row are strongly consistent.

    Each write with an entry raises LogMoved when the grant's log has another line of that number; a fact
    given with it is published by the same row.
    """

    def order(self, order_id: str) -> tuple[str, str] | None:
        """The fingerprint it came with, and the grant it became or joined."""

    def grant(self, grant_id: str) -> Grant | None: ...
    def granted(self, look: Rows, grant_id: str) -> Callable[[], Grant | None]:
        """As `grant`, once `look` is fetched."""

    def latest(self, contract_id: str, holder: str) -> Grant | None: ...
    def latest_of(self, contract_id: str) -> list[Grant]:
        """One for each holder."""

    def of_contract(self, contract_id: str) -> list[Grant]:
        """All, but of staff only the latest."""

    def of_phone(self, mark: str) -> list[Grant]: ...
    def issued_on(self, day: date) -> list[Grant]:
        """Without those of staff. By the day in Seoul; may lag by a moment."""

    def person(self, contract_id: str, holder: str) -> Person | None: ...

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
        """AlreadyIssued when the order is known; GrantMoved when `before` is not the latest, or changed;
        ContractOver or UnknownHolder when nobody, or not this holder, gets a new one."""

    def asked(self, ask_id: str) -> bool: ...
    def renew(
        self, ask_id: str | None, before: Grant, after: Grant, link: Link, entry: Entry, fact: Fact
    ) -> None:
        """AlreadySent when that ask is known; GrantMoved when the grant ended, or another link was faster."""

    def change_car(self, before: Grant, after: Grant, entry: Entry) -> None:
        """GrantMoved."""

    def take_try(self, mark: str, key_mark: str | None, at: datetime) -> Link:
        """One conditional write that costs the link a try. LinkInvalid, after the same work, for a link that
        is unknown, out of time or tries, or used: unless by this key within ANSWER_AGAIN."""

    def give_back(self, mark: str) -> None: ...
    def note(self, after: Grant, entry: Entry, fact: Fact | None = None) -> None:
        """Only the line, and what it publishes."""

    def died(self, after: Grant, entry: Entry, fact: Fact) -> None:
        """GrantMoved when there is a newer link, or its death is known."""

    def open(
        self, link: Link, key_mark: str | None, session: Session, after: Grant, entry: Entry, fact: Fact
    ) -> None:
        """LinkTaken when another exchange was faster; LinkInvalid when the grant ended meanwhile."""

    def session(self, mark: str, grant_id: str) -> tuple[Session, Grant] | None:
        """Both in one call; None unless there is such a session, and it is of that grant."""

    def try_session(self, mark: str, grant_id: str, at: datetime) -> Session:
        """One conditional write that costs the session a try. SessionEnded."""

    def proven(self, session: Session, after: Grant, entry: Entry) -> None:
        """A fresh proof, and all its tries again. SessionEnded when it has ended meanwhile."""

    def end_session(self, mark: str) -> None: ...
    def close_session(self, session: Session, after: Grant, entry: Entry, fact: Fact) -> None:
        """SessionEnded when it has ended already."""

    def revoke(self, before: Grant, after: Grant, link_mark: str, entry: Entry, fact: Fact) -> None:
        """The unused link dies with it. GrantMoved."""

    def close(self, contract_id: str) -> None:
        """From now on only staff get a new grant."""

    def retire(self, contract_id: str, holder: str) -> None:
        """This holder gets no new grant."""

    def take_use(self, grant: Grant, command_id: str, at: datetime) -> None:
        """Once for each command. GrantUsedUp, GrantRevoked or GrantExpired."""

    def return_use(self, grant_id: str, command_id: str) -> None: ...

    def mark_sent(self, grant_id: str, at: datetime) -> None:
        """Only the first time counts; unknown grants are somebody else's."""

    def mark_unlocked(self, grant_id: str, at: datetime, fact: Fact) -> None:
        """Only the first time counts, and is published in the same write."""

    def asks(self, phone: str) -> Asks: ...
    def save_asks(self, phone: str, seen: Asks, asks: Asks) -> None:
        """GrantMoved when they are no longer as `seen`."""

    def log(self, grant_id: str, after: int, limit: int) -> list[Line]:
        """The lines behind number `after`, oldest first."""
