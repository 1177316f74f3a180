"""Who gets a smart key and who loses it: orders of people and of facts, sharing, links, and what is known of
each."""

import functools
from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from chalicelib.kernel.audit import About, salted
from chalicelib.kernel.auth import Caller
from chalicelib.kernel.clock import Clock, stamp
from chalicelib.kernel.errors import KeyReused, Malformed
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.ids import keyed_id
from chalicelib.kernel.logs import End, LogPage, page_of
from chalicelib.kernel.states import IllegalMove
from chalicelib.kernel.tables import LogMoved
from chalicelib.smartkeys.model import (
    AUTOMATIC,
    CUSTOMER,
    ENDINGS,
    LIFE,
    NO_SMART_KEY,
    PROOF_HOLDS,
    RESCUE_WINDOW,
    AlreadyIssued,
    Asker,
    BillOverdue,
    ContractOver,
    Driver,
    Entry,
    Event,
    Funnel,
    Grant,
    GrantMoved,
    HeldKeys,
    Kind,
    LicenceNotVerified,
    Link,
    NoSmartKey,
    NotAssigned,
    OnlyOperations,
    OnlyTheCustomer,
    Order,
    Origin,
    Revoked,
    SelfTest,
    State,
    Told,
    UnknownContract,
    UnknownGrant,
    UnknownHolder,
    Withheld,
    capped,
    decide,
    funnel_of,
    kind_of,
    latest_first,
    link_code,
    mark_of,
    opened_nothing,
    person_mark,
    phone_mark,
    proves_access,
    self_test,
)
from chalicelib.smartkeys.service.ports import (
    Admission,
    Bills,
    CarStates,
    Contracts,
    Party,
    Proves,
    Store,
)

T = TypeVar("T")
ATTEMPTS = 10


class Issued(Struct, frozen=True):
    grant: Grant
    replayed: bool


class Grants(Struct, frozen=True):
    """`link_key`: the secret that codes and tokens are derived from. `phone_number`: E.164 or ValueError.

    `proven`: compares a proof in constant time.
    """

    store: Store
    contracts: Contracts
    cars: CarStates
    bills: Bills
    link_key: Callable[[], str]
    phone_number: Callable[[str], str]
    proven: Proves
    now: Clock
    new_id: Callable[[str], str]

    # ---- issuing ------------------------------------------------------------------------------------------

    def rescue(self, contract_id: str, reason: str, cause: str) -> Grant | None:
        """The customer of a stranded contract gets in. `cause` is the fact's id: heard twice, done once.

        None when a person has revoked the key before, or the contract is over.
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
        except (Withheld, ContractOver):
            return None

    def issue(self, order: Order) -> Issued:
        """A live grant for this holder and, unless it is one a fact merely widens, a link on its way.

        The same order again is answered with the same grant, whatever has become of it.
        """
        if order.person is not None:
            person = replace(order.person, phone=self._number(order.person.phone, "/person/phone"))
            words = person_mark(self.link_key(), order.fingerprint)
            order = replace(order, person=person, fingerprint=words)
        return while_it_moves(lambda: self._issue(order))

    def share(self, order: Order, caller: Caller) -> Issued:
        """The contract's customer gives one of its drivers a key, within their own."""
        if self._asker(self.contracts.admission(order.contract_id), caller).holder != CUSTOMER:
            raise OnlyTheCustomer()
        if order.kind is not Kind.DRIVER:
            raise UnknownHolder()
        if self.store.order(order.order_id) is None and self.bills.overdue(order.contract_id):
            raise BillOverdue()
        return self.issue(order)

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
        at, admission, order = self.now(), self.contracts.admission(order.contract_id), self._named(order)
        car_id = self._admitted(order, admission)
        giver = self._giver(order, at)
        order = capped(order, admission.ends_at, giver)
        before = self.store.latest(order.contract_id, order.holder)
        after = decide(order, before, car_id, at, given_by=giver.grant_id if giver else None)
        same_link = before and (before.grant_id, before.send_no) == (after.grant_id, after.send_no)
        link = None if same_link or not order.by_link else self._link(before, after)
        new = before is None or before.grant_id != after.grant_id
        what = Told.ISSUED if new else Told.WINDOW_CHANGED
        after, entry = self._decided(after, what, order.issuer, order.reason, at, after.terms)
        fact = self._link_issued(after, at) if link else self._staff_issued(after, at)
        self.store.save(order, before, after, self._phone_mark(order, admission), link, entry, fact)
        return Issued(after, replayed=False)

    def _named(self, order: Order) -> Order:
        """With the person it is for, so that they are kept as long as their key."""
        if order.kind is not Kind.PERSON or order.person is not None:
            return order
        person = self.store.person(order.contract_id, order.holder)
        if person is None:
            raise UnknownHolder()
        return replace(order, person=person)

    def _admitted(self, order: Order, admission: Admission) -> str:
        """The car that this holder may be given a key to."""
        if admission.car_id is None:
            raise NotAssigned()
        if order.kind is Kind.STAFF:
            if self.contracts.car(admission.car_id).contract_id != order.contract_id:
                raise ContractOver()
        elif not admission.open:
            raise ContractOver()
        elif order.kind is Kind.DRIVER and not _driver(admission, order.holder).verified:
            raise LicenceNotVerified()
        return admission.car_id

    def _giver(self, order: Order, at: datetime) -> Grant | None:
        if not order.shared:
            return None
        own = self.store.latest(order.contract_id, CUSTOMER)
        if own is None:
            raise NoSmartKey()
        if refusal := own.refusal(at):
            raise refusal
        return own

    def _phone_mark(self, order: Order, admission: Admission) -> str | None:
        if order.kind is Kind.STAFF:
            return None
        if order.person is not None:
            return phone_mark(self.link_key(), order.person.phone)
        return phone_mark(self.link_key(), _driver(admission, order.holder).phone)

    # ---- people -------------------------------------------------------------------------------------------

    def party(self, contract_id: str, holder: str) -> Party:
        """Whom a text is for. NotFound."""
        if kind_of(holder) is not Kind.PERSON:
            return self.contracts.party(contract_id, holder)
        person = self.store.person(contract_id, holder)
        if person is None:
            raise UnknownHolder()
        return person

    def _number(self, phone: str, where: str) -> str:
        try:
            return self.phone_number(phone)
        except ValueError as problem:
            raise Malformed("not a phone number", ((where, "a mobile number"),)) from problem

    def _proves(self, contract_id: str, holder: str, proof: str) -> bool:
        if kind_of(holder) is not Kind.PERSON:
            return self.contracts.proves(contract_id, holder, proof)
        person = self.store.person(contract_id, holder)
        return person is not None and self.proven(proof, person.birth_date, person.licence_last4)

    def _asker(self, admission: Admission, caller: Caller) -> Asker:
        """UnknownContract when it is another customer's, and they are none of its verified drivers."""
        if admission.customer_id == caller.id:
            return Asker(caller.id, CUSTOMER)
        for driver in admission.drivers[1:]:
            if driver.verified and driver.phone == caller.phone:
                return Asker(caller.id, driver.number)
        raise UnknownContract()

    # ---- ending -------------------------------------------------------------------------------------------

    def revoke(self, contract_id: str, grant_id: str, by: str, reason: str | None = None) -> Revoked:
        """Ends its sessions, which read the grant each time, its unused link, and what its holder gave away.

        Twice is once.
        """
        ended = while_it_moves(lambda: self._revoke(contract_id, grant_id, by, reason))
        for given in self.store.latest_of(contract_id) if ended.kind is Kind.CUSTOMER else ():
            if given.given_by == grant_id:
                self._ended(given, "its giver's key was ended")
        return Revoked.of(ended)

    def take_back(self, contract_id: str, grant_id: str, caller: Caller) -> Revoked:
        """The customer ends a key that one of their drivers has."""
        asker, grant = self._seen_by(contract_id, grant_id, caller)
        if asker.holder != CUSTOMER:
            raise OnlyTheCustomer()
        if grant.kind is not Kind.DRIVER:
            raise OnlyOperations()
        return self.revoke(contract_id, grant_id, caller.id, "taken back")

    def _revoke(self, contract_id: str, grant_id: str, by: str, reason: str | None) -> Grant:
        at, grant = self.now(), self._of(contract_id, grant_id)
        if grant.state != State.REVOKED:
            state = LIFE.after(grant.state_at(at), Event.REVOKE)
            ended = replace(grant, state=state, revoked_at=at, revoked_by=by, revoked_for=reason)
            after, entry = self._decided(ended, Told.REVOKED, by, reason, at, {})
            fact = self._fact("Revoked", after, at)
            self.store.revoke(grant, after, self._mark(grant), entry, fact)
            grant = after
        return grant

    def end(self, contract_id: str, cause: str, heard_at: datetime) -> int:
        """What a fact ends, as ENDINGS says: so many keys. Keys given after a passing cause stay."""
        ending, ended = ENDINGS[cause], 0
        if ending.for_good:
            self.store.close(contract_id)
        for grant in self.store.latest_of(contract_id):
            if grant.kind in ending.kinds and (ending.for_good or grant.issued_at <= heard_at):
                ended += self._ended(grant, cause)
        return ended

    def dismiss(self, contract_id: str, number: str) -> int:
        """This driver is no longer named: no key, and no new one."""
        self.store.retire(contract_id, number)
        grant = self.store.latest(contract_id, number)
        return 0 if grant is None else self._ended(grant, "DriverRemoved")

    def _ended(self, grant: Grant, cause: str) -> int:
        if not grant.is_live(self.now()):
            return 0
        with suppress(IllegalMove):  # its time ran out just now
            self.revoke(grant.contract_id, grant.grant_id, AUTOMATIC, cause)
        return 1

    def follow(self, contract_id: str) -> int:
        """Live keys open the car that the contract has now; who holds one needs no new link."""
        car_id, moved = self.contracts.admission(contract_id).car_id, 0
        for seen in self.store.latest_of(contract_id):
            if car_id is not None and seen.car_id != car_id and seen.is_live(self.now()):
                moved += while_it_moves(functools.partial(self._move, seen.grant_id, car_id))
        return moved

    def _move(self, grant_id: str, car_id: str) -> int:
        at, grant = self.now(), self._grant(grant_id)
        if grant.car_id == car_id or not grant.is_live(at):
            return 0
        moved = replace(grant, car_id=car_id)
        after, entry = moved.told(Told.CAR_CHANGED, AUTOMATIC, at, {"former_car_id": grant.car_id})
        self.store.change_car(grant, after, entry)
        return 1

    # ---- what others tell, and ask ------------------------------------------------------------------------

    def of_contract(self, contract_id: str) -> list[Grant]:
        """Latest first. NotFound."""
        self.contracts.admission(contract_id)
        return latest_first(self.store.of_contract(contract_id), self.now())

    def held(self, contract_id: str, caller: Caller) -> HeldKeys:
        """What this customer or driver may see; of the car only while it is theirs to use."""
        at, admission = self.now(), self.contracts.admission(contract_id)
        asker = self._asker(admission, caller)
        grants = [grant for grant in self.store.latest_of(contract_id) if asker.sees(grant.holder)]
        owner = asker.holder == CUSTOMER
        theirs = admission.open and (owner or any(grant.refusal(at) is None for grant in grants))
        car_id = admission.car_id if theirs else None
        names = {each.number: each.name for each in admission.drivers} if owner else {}
        for grant in grants:
            if grant.kind is Kind.PERSON and (person := self.store.person(contract_id, grant.holder)):
                names[grant.holder] = person.name
        proven_at = caller.authenticated_at if owner else None
        return HeldKeys(
            asker,
            self.contracts.car(car_id) if car_id else None,
            self.cars.car_state(car_id) if car_id else None,
            latest_first(grants, at),
            names,
            admission.drivers[1:] if owner else (),
            located=proven_at is not None and at < proven_at + PROOF_HOLDS,
        )

    def log(self, contract_id: str, grant_id: str, after: int, limit: int) -> LogPage:
        read = functools.partial(self.store.log, grant_id)
        return page_of(read, lambda: End(self._of(contract_id, grant_id).head), after, limit, self.now())

    def sent(self, grant_id: str, at: datetime) -> None:
        self.store.mark_sent(grant_id, at)

    def settled(
        self, grant_id: str, action: str, state: str, at: datetime, command_id: str | None = None
    ) -> None:
        """The first time a grant opens its car is news; unknown grants are somebody else's."""
        if command_id and opened_nothing(action, state):
            self.store.return_use(grant_id, command_id)
        grant = self.store.grant(grant_id) if proves_access(action, state) else None
        if grant and grant.unlocked_at is None:
            self.store.mark_unlocked(grant_id, at, self._fact("Unlocked", grant, self.now(), at=stamp(at)))

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

    # ---- the parts of all of these ------------------------------------------------------------------------

    def _grant(self, grant_id: str) -> Grant:
        if grant := self.store.grant(grant_id):
            return grant
        raise UnknownGrant()

    def _of(self, contract_id: str, grant_id: str) -> Grant:
        grant = self._grant(grant_id)
        if grant.contract_id != contract_id:
            raise UnknownGrant()
        return grant

    def _seen_by(self, contract_id: str, grant_id: str, caller: Caller) -> tuple[Asker, Grant]:
        asker = self._asker(self.contracts.admission(contract_id), caller)
        grant = self._of(contract_id, grant_id)
        if not asker.sees(grant.holder):
            raise UnknownGrant()
        return asker, grant

    def _mark(self, grant: Grant) -> str:
        return mark_of(link_code(self.link_key(), grant.grant_id, grant.send_no))

    def _link(self, before: Grant | None, after: Grant) -> Link:
        return Link(
            mark=self._mark(after),
            grant_id=after.grant_id,
            contract_id=after.contract_id,
            holder=after.holder,
            send_no=after.send_no,
            expires_at=after.link_until,
            replaces=self._mark(before) if before else None,
        )

    def _decided(
        self, grant: Grant, what: Told, who: str, reason: str | None, at: datetime, about: About
    ) -> tuple[Grant, Entry]:
        """What a person writes may name people, so it is private; a fact's name is not."""
        if who == AUTOMATIC or reason is None:
            return grant.told(what, who, at, {**about, "cause": reason})
        return grant.told(what, who, at, about, salted({"reason": reason}))

    def _told(
        self, grant: Grant, what: Told, who: str, at: datetime, origin: Origin | None, **about: str | int
    ) -> tuple[Grant, Entry]:
        private = salted({"ip": origin.ip, "agent": origin.agent}) if origin else None
        return grant.told(what, who, at, {"send_no": grant.send_no, **about}, private)

    def _link_issued(self, grant: Grant, at: datetime) -> Fact:
        return self._fact("LinkIssued", grant, at, send_no=grant.send_no, holder=grant.kind.value)

    def _staff_issued(self, grant: Grant, at: datetime) -> Fact | None:
        """Its customer sees that; what else is issued without a link only widens a grant."""
        return self._fact("StaffIssued", grant, at) if grant.kind is Kind.STAFF else None

    def _fact(self, name: str, grant: Grant, now: datetime, **more: int | str) -> Fact:
        data = {"grant_id": grant.grant_id, "contract_id": grant.contract_id, **more}
        id_ = self.new_id("evt")
        return Fact.of(f"SmartKey{name}", "smartkeys", grant.grant_id, at=now, id=id_, data=data)


def _driver(admission: Admission, holder: str) -> Driver:
    number = "1" if holder == CUSTOMER else holder
    for driver in admission.drivers:
        if driver.number == number:
            return driver
    raise UnknownHolder()


def while_it_moves(work: Callable[[], T]) -> T:
    """Reads, decides and writes again as long as somebody else was faster."""
    for _ in range(ATTEMPTS):
        with suppress(AlreadyIssued, GrantMoved, LogMoved):
            return work()
    raise GrantMoved()
