"""Signing a contract, everything it goes through until it is closed, and what other contexts ask about it."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

from msgspec import Struct
from msgspec.structs import replace

from chalicelib.contracts.model import (
    DUE_BACK,
    PLANS,
    AccessNews,
    Admission,
    AlreadyAsked,
    AlreadyRefused,
    AlreadySigned,
    Answered,
    Application,
    Assignment,
    Captured,
    Car,
    CarBlocked,
    CarDiffers,
    CarUnderRecall,
    Cause,
    Check,
    Contract,
    Delivery,
    Driver,
    Due,
    Fee,
    KeyNews,
    KeyStatus,
    Line,
    Listed,
    Money,
    MoneyFacts,
    MoneyRules,
    MovedOn,
    News,
    NotYours,
    OfficeAway,
    Outcome,
    Party,
    Payment,
    Plan,
    Role,
    Standing,
    State,
    Step,
    Term,
    UnknownCar,
    UnknownContract,
    Verdict,
    signed,
)
from chalicelib.kernel.auth import Caller, Group
from chalicelib.kernel.clock import Clock, stamp
from chalicelib.kernel.deadlines import Report, sweep
from chalicelib.kernel.done import Done
from chalicelib.kernel.errors import Busy, KeyReused, NotFound, Stale
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.ids import keyed_id
from chalicelib.kernel.money import Won
from chalicelib.kernel.previews import HOLDS_FOR, Previews
from chalicelib.kernel.tables import Rows, Write

LONGEST_ID = 64
PATIENCE = timedelta(seconds=3)
"""So long a customer who has signed waits for the licences of all drivers, and one question more."""
TRIES = 8
"""How often a change is thought over again when somebody else was faster."""


class Store(Protocol):
    """Each method that writes does so entirely or not at all; reads are strongly consistent, but for lists
    and what is due, which may lag a moment."""

    def find(self, contract_id: str) -> Contract | None: ...
    def found(self, look: Rows, contract_id: str) -> Callable[[], Contract | None]:
        """As `find`, once `look` is fetched."""

    def sign(self, contract: Contract, fact: Fact) -> None:
        """AlreadySigned when there is a contract of that id."""

    def save(self, step: Step, facts: Sequence[Fact], answered: Answered | None = None) -> None:
        """AlreadyAsked when that request was granted; MovedOn when contract or freed car is not as it was;
        UnknownCar, NotTheCarsKey, CarBlocked or CarTaken for the car to take."""

    def add(self, write: Write, step: Step, facts: Sequence[Fact]) -> None:
        """The same as clauses of a larger transaction."""

    def answered(self, contract_id: str, record_id: str) -> Answered | None: ...

    def refuse_payment(self, contract_id: str, checkout_id: str, fact: Fact) -> None:
        """AlreadyRefused the second time."""

    def mine(self, customer_id: str, limit: int, after: str | None) -> Sequence[Listed]:
        """Newest first. `after`: the position of the last one already known."""

    def due(self, shard: int, until: datetime) -> Iterator[Sequence[Due]]: ...

    def find_car(self, car_id: str) -> Car | None: ...

    def register(self, car: Car) -> None:
        """CarDiffers when there is a car of that id; KeyTagTaken when a tag hangs on another car."""

    def save_car(self, before: Car, after: Car) -> None:
        """What was heard of its keys. MovedOn when that is not as it was."""


class Keys(Protocol):
    def status(self, contract_id: str) -> KeyStatus | None:
        """None while nothing is planned for this contract."""

    def outstanding(self, contract_id: str) -> Sequence[str]:
        """Tags of its keys that are not back in the house."""


class Billing(Protocol):
    """Prices changes; the same question always gets the same answer."""

    def standing(self, contract_id: str) -> str: ...

    def rules(self) -> MoneyRules: ...

    def cancel_terms(self, facts: MoneyFacts, cause: Cause, at: datetime) -> Money: ...

    def end_terms(self, facts: MoneyFacts, why: Literal["cancel", "breach"], at: datetime) -> Money: ...

    def renew_terms(self, facts: MoneyFacts, added: Term) -> Money: ...


class Licences(Protocol):
    def check(self, driver: Driver, at: datetime) -> Verdict:
        """Whether they may drive this class of car then. OfficeAway when nobody answers."""


class Recalls(Protocol):
    def open_recall(self, car_id: str) -> str | None:
        """The open campaign, if any. OfficeAway when nobody answers."""


class Wish(Struct, frozen=True):
    """One keyed request. `words`: its fingerprint. `seen`: the version the caller changes, if they say so.
    `quote`: the token of the preview they agreed to. `preview`: only the price, nothing changed."""

    by: Caller
    key: str
    words: str
    seen: int | None = None
    quote: str | None = None
    preview: bool = False


Think = Callable[[Contract, datetime, Role], tuple[Step, Outcome]]


class ContractService(Struct, frozen=True):
    store: Store
    keys: Keys
    billing: Billing
    licences: Licences
    recalls: Recalls
    previews: Previews
    now: Clock
    new_id: Callable[[str], str]

    # ---- plans, signing, looking --------------------------------------------------------------------------

    def plans(self) -> tuple[Plan, ...]:
        return PLANS

    def money_rules(self) -> MoneyRules:
        return self.billing.rules()

    def sign(self, application: Application, by: Caller, key: str) -> Done[Contract]:
        """A retry hears what the first request heard, also when the application would be refused by now."""
        contract_id = keyed_id("con", by.id, key)
        known = self.store.find(contract_id)
        if known is None:
            contract = signed(contract_id, by.id, application, at=self.now())
            terms = {"plan_id": contract.plan_id, "months": contract.months}
            news = News("ContractSigned", {"contract_id": contract_id, **terms})
            try:
                self.store.sign(contract, self._fact(contract_id, news))
            except AlreadySigned:
                known = self._contract(contract_id)
            else:
                with contextlib.suppress(Busy):  # who is slow today must not cost us a customer
                    self.verify(contract_id, until=self.now() + PATIENCE)
                return Done(contract)
        if known.fingerprint != application.fingerprint:
            raise KeyReused()
        return Done(known, replayed=True)

    def get(self, contract_id: str, by: Caller) -> tuple[Contract, str, KeyStatus | None]:
        """The contract, its billing and where its key is: for its customer, and for operations."""
        contract, _ = self._theirs(contract_id, by)
        return contract, self.billing.standing(contract_id), self.keys.status(contract_id)

    def mine(self, by: Caller, limit: int, after: str | None) -> list[tuple[Listed, str]]:
        """With the billing of each, newest first."""
        found = self.store.mine(by.id, limit, after)
        return [(each, self.billing.standing(each.contract_id)) for each in found]

    # ---- verification and payment -------------------------------------------------------------------------

    def verify(self, contract_id: str, until: datetime | None = None) -> None:
        """Asks the office about every driver it has not answered for. OfficeAway: ask again later.

        `until`: somebody waits, and no question is begun after it.
        """
        seen = self._contract(contract_id)
        when, verdicts = max(self.now(), seen.handover.at), {}
        for named in seen.unchecked:
            if until is not None and self.now() > until:
                raise OfficeAway()
            verdicts[named.number] = self.licences.check(named.driver, when)
        self._heard(contract_id, lambda contract, at: contract.verified(verdicts, at))

    def fee(self, contract_id: str, customer_id: str) -> Fee:
        """The first month's, as signed, while it is not paid. UnknownContract when it is somebody else's."""
        contract = self._owned(contract_id, customer_id)
        due = contract.first_fee if contract.state is State.APPLIED else contract.payable()
        return Fee(due, contract.plan_id)

    def payable(self, contract_id: str, customer_id: str) -> Won:
        """The same, when it can be paid now; NotPayable says why not."""
        return self._owned(contract_id, customer_id).payable()

    def captured(self, captured: Captured) -> None:
        """Each contract is paid once; whatever cannot be taken any more goes back, and is told once."""
        for contract_id, payment in captured.shares():
            self._pay(contract_id, payment)

    def _pay(self, contract_id: str, payment: Payment) -> None:
        def think(contract: Contract, at: datetime) -> Step | None:
            return contract.paid(payment, at) if contract.state is State.AWAITING_PAYMENT else None

        contract = self._heard(contract_id, think)
        if contract.payment is None or contract.payment.checkout_id != payment.checkout_id:
            fact = self._fact(contract_id, contract.payment_refused(payment))
            with contextlib.suppress(AlreadyRefused):
                self.store.refuse_payment(contract_id, payment.checkout_id, fact)

    # ---- the car and access to it -------------------------------------------------------------------------

    def assign(self, contract_id: str, to: Assignment) -> Done[Contract]:
        """Naturally idempotent: the same car and key again are the same assignment."""
        before = self._contract(contract_id)
        if before.assignment == to:
            return Done(before, replayed=True)
        step = before.assigned(to, self.car(to.car_id).name, self.now())
        self._fit(to.car_id)
        try:
            self._save(step)
        except MovedOn:
            winner = self._contract(contract_id)
            if winner.assignment != to:
                raise
            return Done(winner, replayed=True)
        return Done(step.after)

    def _fit(self, car_id: str) -> None:
        """A courtesy about lost keys, a rule about recalls."""
        if self.car(car_id).blocked:
            raise CarBlocked()
        campaign = self.recalls.open_recall(car_id)
        if campaign is not None:
            raise CarUnderRecall(campaign)

    def access_proven(self, contract_id: str, proven_at: datetime, car_id: str | None = None) -> None:
        self._heard(contract_id, lambda contract, at: contract.access_proven(proven_at, at, car_id))

    def handed_over(self, contract_id: str, handed_over_at: datetime) -> None:
        self._heard(contract_id, lambda contract, at: contract.handed_over(handed_over_at, at))

    def access(self, contract_id: str, wish: Wish, news: AccessNews) -> Done[Outcome]:
        """Operations say that access is lost, or back. A loss after the handover is a gap in billing."""

        def change(contract: Contract, at: datetime, role: Role) -> Step:
            return (
                contract.access_lost(role, news, at)
                if news.lost
                else contract.access_restored(role, news.at, at)
            )

        return self._once(contract_id, wish, _plain(change))

    # ---- what customers change by themselves --------------------------------------------------------------

    def cancel(self, contract_id: str, wish: Wish, cause: Cause | None = None) -> Done[Outcome]:
        """Before the handover at once, after it at the end of the paid month. `cause`: operations may say
        whose fault it is."""

        def think(contract: Contract, at: datetime, role: Role) -> tuple[Step, Outcome]:
            if cause is not None and role is not Role.OPS:
                raise NotYours("whose fault it is, operations say")
            if contract.starts_at is None:
                whose = Cause.CUSTOMER if contract.payment is None else cause or contract.fault(at)
                money = self.billing.cancel_terms(contract.money_facts, whose, at)
                step = contract.cancelled(role, whose, money, at)
            else:
                money = self.billing.end_terms(contract.money_facts, "cancel", at)
                step = contract.cancel_requested(role, money, at)
            return step, step.after.outcome(money, effective_at=money.effective_at)

        return self._once(contract_id, wish, think)

    def uncancel(self, contract_id: str, wish: Wish) -> Done[Outcome]:
        return self._once(
            contract_id, wish, _plain(lambda contract, at, role: contract.uncancelled(role, at))
        )

    def renew(self, contract_id: str, wish: Wish, months: int) -> Done[Outcome]:
        def think(contract: Contract, at: datetime, role: Role) -> tuple[Step, Outcome]:
            added = contract.renewal(months, at)
            step = contract.renewed(role, added, at)
            money = self.billing.renew_terms(contract.money_facts, added)
            more = {"ends_at": step.after.ends_at, "monthly_fee": added.monthly_fee}
            return step, step.after.outcome(money, **more)

        return self._once(contract_id, wish, think)

    def swap(self, contract_id: str, wish: Wish, reason: Literal["defect", "preference"]) -> Done[Outcome]:
        return self._once(
            contract_id, wish, _plain(lambda contract, at, role: contract.swap_requested(role, reason, at))
        )

    def withdraw_swap(self, contract_id: str, wish: Wish) -> Done[Outcome]:
        return self._once(
            contract_id, wish, _plain(lambda contract, at, role: contract.swap_withdrawn(role, at))
        )

    def offer_swap(self, contract_id: str, wish: Wish, to: Assignment) -> Done[Outcome]:
        """Keeps another car for a contract whose swap is pending."""

        def think(contract: Contract, *_: object) -> tuple[Step, Outcome]:
            step = contract.swap_offered(to)
            self._fit(to.car_id)
            return step, step.after.outcome()

        return self._once(contract_id, wish, think)

    def finish_swap(self, contract_id: str, wish: Wish) -> Done[Outcome]:
        """The new car is handed over, and the former one is free in the same write."""

        def think(contract: Contract, at: datetime, role: Role) -> tuple[Step, Outcome]:
            car = self.car(contract.swap_to.car_id).name if contract.swap_to else None
            step = contract.swap_done(role, car, at)
            return step, step.after.outcome()

        return self._once(contract_id, wish, think, staff=True)

    def add_driver(self, contract_id: str, wish: Wish, driver: Driver) -> Done[Outcome]:
        def think(contract: Contract, at: datetime, _: Role) -> tuple[Step, Outcome]:
            step = contract.with_driver(driver, at)
            return step, step.after.outcome(number=step.after.last_number)

        return self._once(contract_id, wish, think)

    def remove_driver(self, contract_id: str, number: str, by: Caller) -> None:
        """The same again changes nothing."""
        self._theirs(contract_id, by)
        self._heard(contract_id, lambda contract, _: contract.without_driver(number))

    # ---- the end ------------------------------------------------------------------------------------------

    def breach(self, contract_id: str, wish: Wish) -> Done[Outcome]:
        def think(contract: Contract, at: datetime, role: Role) -> tuple[Step, Outcome]:
            money = self.billing.end_terms(contract.money_facts, "breach", at)
            step = contract.breached(role, money, at)
            return step, step.after.outcome(money, effective_at=money.effective_at)

        return self._once(contract_id, wish, think)

    def received(self, contract_id: str, returned_at: datetime) -> None:
        """Car and keys came back, as the appointment says; late or repeated news changes nothing."""

        def think(contract: Contract, at: datetime) -> Step | None:
            due_back = contract.state in DUE_BACK
            return contract.returned(Role.SYSTEM, min(returned_at, at), at) if due_back else None

        self._heard(contract_id, think)

    def take_back(self, contract_id: str, wish: Wish, returned_at: datetime) -> Done[Outcome]:
        """The same, said by operations when no appointment can."""
        return self._once(
            contract_id, wish, _plain(lambda contract, at, role: contract.returned(role, returned_at, at))
        )

    def inspect(self, contract_id: str, wish: Wish, charges: Sequence[Line]) -> Done[Outcome]:
        """The car is free for others, unless one of its keys is still out."""

        def think(contract: Contract, at: datetime, role: Role) -> tuple[Step, Outcome]:
            frees = None if self.keys.outstanding(contract_id) else self._held(contract)
            step = contract.inspected(role, charges, at, frees=frees)
            return step, step.after.outcome()

        return self._once(contract_id, wish, think, staff=True)

    def settled(self, contract_id: str, settled_at: datetime) -> None:
        """The ledger sums to zero: the contract is closed as soon as no key is out."""

        def think(contract: Contract, at: datetime) -> Step | None:
            return self._closing(contract, settled_at, at) if contract.state is State.SETTLING else None

        self._heard(contract_id, think)

    def _closing(self, contract: Contract, settled_at: datetime, at: datetime) -> Step | None:
        keys_out = bool(self.keys.outstanding(contract.contract_id))
        if keys_out and contract.settled_at is not None:
            return None
        return contract.closed(settled_at, at, keys_out=keys_out, frees=self._held(contract))

    def _held(self, contract: Contract) -> str | None:
        """The car it still keeps from others."""
        car = self.store.find_car(contract.assignment.car_id) if contract.assignment else None
        return car.car_id if car and car.contract_id == contract.contract_id else None

    # ---- timers -------------------------------------------------------------------------------------------

    def sweep(self) -> Report:
        """Rings every timer that ran out, each once, however many sweeps run at a time or break off."""
        now = self.now()
        return sweep(lambda shard: self.store.due(shard, now), self._rings)

    def _rings(self, due: Due) -> bool:
        contract, now = self._contract(due.contract_id), self.now()
        try:
            self._save(self._settled_late(contract, now) or contract.rings(now))
        except (MovedOn, Busy):  # somebody else took it, or it stays due
            return False
        return True

    def _settled_late(self, contract: Contract, now: datetime) -> Step | None:
        """Its last key has come back since its ledger was settled."""
        if contract.state is not State.SETTLING or contract.settled_at is None:
            return None
        return self._closing(contract, contract.settled_at, now)

    # ---- cars ---------------------------------------------------------------------------------------------

    def register_car(self, car: Car) -> Done[Car]:
        try:
            self.store.register(car)
        except CarDiffers:
            known = self.car(car.car_id)
            if not known.same_as(car):
                raise
            return Done(known, replayed=True)
        return Done(car)

    def car(self, car_id: str) -> Car:
        car = self.store.find_car(car_id)
        if car is None:
            raise UnknownCar()
        return car

    def key_heard(self, car_id: str, news: KeyNews) -> None:
        """A lost key blocks its car until the locks know new keys."""
        for _ in range(TRIES):
            before = self.car(car_id)
            after = before.heard(news)
            if after == before:
                return
            with contextlib.suppress(MovedOn):
                self.store.save_car(before, after)
                return
        raise Busy()

    # ---- what other contexts ask --------------------------------------------------------------------------

    def owned(self, contract_id: str, customer_id: str) -> None:
        """UnknownContract when it is another customer's."""
        self._owned(contract_id, customer_id)

    def standing(self, contract_id: str) -> Standing:
        return self._contract(contract_id).standing

    def move(
        self, write: Write, contract_id: str, which: str, at: datetime, address: str | None, seen_version: int
    ) -> None:
        """Adds the new time and place of handover or return to the transaction of whoever agreed on them."""
        contract = self._contract(contract_id)
        if contract.version != seen_version:
            raise MovedOn()
        step = contract.rescheduled(which, at, address, self.now())
        self.store.add(write, step, self._facts(step))

    def delivery(self, contract_id: str) -> Delivery:
        """NotAssigned before the contract has a car and a key."""
        return self._contract(contract_id).delivery

    def admission(self, contract_id: str) -> Admission:
        return self._contract(contract_id).admission

    def admitted(self, look: Rows, contract_id: str) -> Callable[[], Admission]:
        """As `admission`, once `look` is fetched. UnknownContract."""
        row = self.store.found(look, contract_id)

        def admission() -> Admission:
            if (contract := row()) is None:
                raise UnknownContract()
            return contract.admission

        return admission

    def copy(self, contract_id: str) -> Contract:
        """All of it, for whoever writes it down; it has seen to whose it is."""
        return self._contract(contract_id)

    def card_token(self, contract_id: str) -> str:
        """The card it was signed with."""
        return self._contract(contract_id).card_token

    def party(self, contract_id: str, holder: str) -> Party:
        """`holder`: "customer", or a driver's number from 1."""
        driver = self._contract(contract_id).driver(holder).driver
        return Party(driver.name, driver.phone, driver.language)

    def customer(self, customer_id: str) -> Party:
        """As the newest of their contracts names them. UnknownContract when they have none."""
        newest = self.store.mine(customer_id, 1, None)
        if not newest:
            raise UnknownContract()
        return self.party(newest[0].contract_id, "customer")

    def proves(self, contract_id: str, holder: str, proof: str) -> bool:
        """Whether `proof` is something only the holder should know; False for a holder nobody named, and for
        one whose licence is not verified."""
        try:
            named = self._contract(contract_id).driver(holder)
        except NotFound:
            return False
        return named.check is Check.VALID and named.driver.proven_by(proof)

    # ---- how requests and facts become changes ------------------------------------------------------------

    def _once(self, contract_id: str, wish: Wish, think: Think, *, staff: bool = False) -> Done[Outcome]:
        """Previewed, or granted once: a retry hears the first answer. A preview and its commit run the same
        `think`, for the same moment when the commit brings the preview's token."""
        record_id = keyed_id("ask", wish.by.id, wish.key)
        known = None if wish.preview else self.store.answered(contract_id, record_id)
        for _ in range(TRIES):
            if known is not None:
                if known.words != wish.words:
                    raise KeyReused()
                return Done(known.outcome, replayed=True)
            contract, role = self._theirs(contract_id, wish.by, staff=staff)
            if wish.seen is not None and wish.seen != contract.version:
                raise Stale()
            now = self.now()
            now -= timedelta(microseconds=now.microsecond % 1000)  # as exact as the token of a preview
            subject = f"{contract_id}|{contract.version}|{wish.words}"
            at = self.previews.moment(subject, wish.quote, now) if wish.quote else now
            step, outcome = think(contract, at, role)
            if wish.preview:
                token = self.previews.token(subject, at)
                return Done(replace(outcome, quote=token, quote_until=at + HOLDS_FOR))
            try:
                self._save(step, Answered(record_id, wish.words, outcome))
                return Done(outcome)
            except MovedOn:
                continue
            except AlreadyAsked:
                known = self.store.answered(contract_id, record_id)
        raise Busy()

    def _heard(self, contract_id: str, think: Callable[[Contract, datetime], Step | None]) -> Contract:
        """The contract as it then is. Thought over again whenever somebody else was faster."""
        for _ in range(TRIES):
            contract = self._contract(contract_id)
            step = think(contract, self.now())
            if step is None:
                return contract
            with contextlib.suppress(MovedOn):
                self._save(step)
                return step.after
        raise Busy()

    def _save(self, step: Step, answered: Answered | None = None) -> None:
        self.store.save(step, self._facts(step), answered)

    def _facts(self, step: Step) -> list[Fact]:
        return [self._fact(step.after.contract_id, news) for news in step.news]

    def _fact(self, contract_id: str, news: News) -> Fact:
        data = {name: _written(value) for name, value in news.data.items()}
        return Fact.of(news.kind, "contracts", contract_id, at=self.now(), id=self.new_id("evt"), data=data)

    def _contract(self, contract_id: str) -> Contract:
        found = self.store.find(contract_id) if len(contract_id) <= LONGEST_ID else None
        if found is None:
            raise UnknownContract()
        return found

    def _owned(self, contract_id: str, customer_id: str) -> Contract:
        contract = self._contract(contract_id)
        if contract.customer_id != customer_id:
            raise UnknownContract()
        return contract

    def _theirs(self, contract_id: str, by: Caller, *, staff: bool = False) -> tuple[Contract, Role]:
        """The contract and as whom they act on it. `staff`: agents may, on everybody's."""
        if Group.OPS in by.groups:
            return self._contract(contract_id), Role.OPS
        if staff and Group.AGENT in by.groups:
            return self._contract(contract_id), Role.AGENT
        return self._owned(contract_id, by.id), Role.CUSTOMER


def _plain(change: Callable[[Contract, datetime, Role], Step]) -> Think:
    """A change without money: its outcome is where the contract then stands."""

    def think(contract: Contract, at: datetime, role: Role) -> tuple[Step, Outcome]:
        step = change(contract, at, role)
        return step, step.after.outcome()

    return think


def _written(value: Any) -> Any:
    return stamp(value) if isinstance(value, datetime) else value
