"""What a contract is, and every change it can go through.

A change is thought first (`Step`) and stored afterwards, all of it or nothing: the contract before and after,
what the world is told, and which car is taken or set free.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from chalicelib.contracts.model.cars import Assignment, CarName
from chalicelib.contracts.model.errors import (
    ConsentTooEarly,
    DriverNamed,
    DriverTooYoung,
    FirstDriverStays,
    HandoverOutOfReach,
    MovedOn,
    NoCarOffered,
    NotAssigned,
    NotPayable,
    NotYetHappened,
    NotYours,
    SameCar,
    TooLate,
    TooManyDrivers,
    UnknownHolder,
)
from chalicelib.contracts.model.life import (
    AWAITED,
    DUE_BACK,
    IN_USE,
    LIFE,
    START,
    WITHIN,
    Action,
    Event,
    Role,
    State,
)
from chalicelib.contracts.model.people import (
    DRIVING_AGE,
    MOST_DRIVERS,
    Check,
    Driver,
    Named,
    Verdict,
    label_hash,
)
from chalicelib.contracts.model.plans import plan_named
from chalicelib.contracts.model.timers import Times, next_ring
from chalicelib.contracts.model.values import (
    AccessNews,
    Admission,
    Application,
    Cause,
    Delivery,
    Handover,
    Licensed,
    Line,
    Money,
    MoneyFacts,
    News,
    Outcome,
    Payment,
    Standing,
    Term,
    written,
)
from chalicelib.kernel.calendar import BUSINESS_DAY, DAY, KOREA, months_after
from chalicelib.kernel.money import Won
from chalicelib.kernel.states import IllegalMove

LONGEST_NOTICE = timedelta(days=365)
CLOCKS_DIFFER = timedelta(minutes=5)
CONSENT_HOLDS = timedelta(days=30)
"""Consent to a higher recurring fee counts only within 30 days before it applies
(Enforcement Decree of the E-Commerce Act, 전자상거래법 시행령, in force since 2025-02-14)."""


class Contract(Struct, frozen=True):
    """`terms`: the signed one first, at the fee of the day it was signed, then one for each renewal.

    `handed_over_at` and `access_proven_at` are first times, in whichever order they are heard; after a loss
    of access before the handover only a new proof counts. `locked_out`: access is lost now. `ends_at`: the
    end of all terms; `cancel_at`: the earlier one that was asked for. `last_number`: so many drivers were
    ever named. `why`: one word for why it stands where it stands. `timer` rings at `due_at`, and has done so
    `rung` times since the state was entered. `version` grows by one with every change.
    """

    contract_id: str
    customer_id: str
    plan_id: str
    terms: tuple[Term, ...]
    handover: Handover
    card_token: str
    drivers: tuple[Named, ...]
    last_number: int
    fingerprint: str
    signed_at: datetime
    since: datetime
    state: State = START
    payment: Payment | None = None
    assignment: Assignment | None = None
    car: CarName | None = None
    swap_to: Assignment | None = None
    handed_over_at: datetime | None = None
    access_proven_at: datetime | None = None
    access_lost_at: datetime | None = None
    locked_out: bool = False
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    cancel_at: datetime | None = None
    giving_back: Handover | None = None
    settled_at: datetime | None = None
    why: str | None = None
    timer: Event | None = None
    due_at: datetime | None = None
    rung: int = 0
    version: int = 1

    @property
    def months(self) -> int:
        return sum(term.months for term in self.terms)

    @property
    def monthly_fee(self) -> Won:
        """Of the term that was agreed last."""
        return self.terms[-1].monthly_fee

    @property
    def first_fee(self) -> Won:
        return self.terms[0].monthly_fee

    @property
    def end(self) -> datetime | None:
        return self.cancel_at or self.ends_at

    @property
    def money_facts(self) -> MoneyFacts:
        paid = self.payment.amount if self.payment else None
        return MoneyFacts(self.terms, self.handover.at, paid, self.starts_at)

    # ---- how every change is made -------------------------------------------------------------------------

    def moved(self, event: Event, role: Role, at: datetime, **changes: Any) -> "Contract":
        """As its row says. IllegalMove when there is none, NotYours when it is somebody else's to say."""
        state = LIFE.after(self.state, event)
        if event not in LIFE.choices(self.state, role):
            raise NotYours(f"{event.value} is not for {role.value}")
        after = replace(self, **changes)
        return after if state is self.state else replace(after, state=state, since=at)._armed(at)

    def within(self, action: Action) -> None:
        """IllegalMove unless this is possible where the contract stands."""
        if self.state not in WITHIN[action]:
            raise IllegalMove(f"{action.value} is not possible in state {self.state.value}")

    def _armed(self, at: datetime, rung: int = 0) -> "Contract":
        back = self.giving_back.at if self.giving_back else None
        times = Times(self.since, self.handover.at, self.ends_at, self.cancel_at, back)
        timer, due_at = next_ring(self.state, times, rung, at) or (None, None)
        return replace(self, timer=timer, due_at=due_at, rung=rung)

    def _news(self, kind: str, **data: Any) -> News:
        return News(kind, {"contract_id": self.contract_id, **data})

    # ---- verification and payment -------------------------------------------------------------------------

    @property
    def unchecked(self) -> tuple[Named, ...]:
        return tuple(named for named in self.drivers if named.check is Check.PENDING)

    def verified(self, verdicts: dict[int, Verdict], at: datetime) -> "Step | None":
        """What the office said of drivers, by number. One refusal ends an application; a driver named later
        is refused alone. None when none of them is waiting for it any more, or the contract is over."""
        verdicts = {
            named.number: verdicts[named.number] for named in self.unchecked if named.number in verdicts
        }
        if not verdicts or self.state not in (State.APPLIED, *WITHIN[Action.ADD_DRIVER]):
            return None
        told = {number: Check.VALID if verdict.ok else Check.REFUSED for number, verdict in verdicts.items()}
        drivers = tuple(replace(named, check=told.get(named.number, named.check)) for named in self.drivers)
        reasons = [verdict.reason for verdict in verdicts.values() if not verdict.ok]
        if self.state is State.APPLIED:
            if reasons:
                changes = {"drivers": drivers, "why": reasons[0]}
                after = self.moved(Event.VERIFICATION_FAILED, Role.SYSTEM, at, **changes)
                return Step.of(self, after, self._news("ContractRejected", reason=reasons[0]))
            after = self.moved(Event.DRIVERS_VERIFIED, Role.SYSTEM, at, drivers=drivers)
            return Step.of(self, after, self._news("ContractVerified"))
        news = [
            self._news("DriverVerified", number=number)
            if verdict.ok
            else self._news("DriverRejected", number=number, reason=verdict.reason)
            for number, verdict in verdicts.items()
        ]
        return Step.of(self, replace(self, drivers=drivers), *news)

    def payable(self) -> Won:
        """The first month's fee. NotPayable says why there is nothing to pay."""
        if self.state is State.APPLIED:
            raise NotPayable("the licences are still being verified")
        if self.payment is not None:
            raise NotPayable("this contract is paid")
        if self.state is not State.AWAITING_PAYMENT:
            raise NotPayable(f"the contract is {self.state.value}")
        return self.first_fee

    def paid(self, payment: Payment, at: datetime) -> "Step":
        after = self.moved(Event.PAID, Role.SYSTEM, at, payment=payment)
        news = self._news(
            "ContractPaid",
            checkout_id=payment.checkout_id,
            payment_id=payment.payment_id,
            customer_id=self.customer_id,
            handover_at=self.handover.at,
            monthly_fee=self.first_fee,
            months=self.months,
            amount=payment.amount,
        )
        return Step.of(self, after, news)

    def payment_refused(self, payment: Payment) -> News:
        return self._news(
            "ContractPaymentRefused",
            checkout_id=payment.checkout_id,
            payment_id=payment.payment_id,
            amount=payment.amount,
        )

    # ---- the car and access to it -------------------------------------------------------------------------

    def assigned(self, to: Assignment, car: CarName, at: datetime) -> "Step":
        after = self.moved(Event.VEHICLE_KEY_SLOT_ASSIGNED, Role.OPS, at, assignment=to, car=car)
        news = self._news(
            "ContractAssigned", car_id=to.car_id, key_tag=to.key_tag, handover_at=self.handover.at
        )
        return Step.of(self, after, news, takes=to)

    def access_proven(self, proven_at: datetime, at: datetime, car_id: str | None = None) -> "Step | None":
        """The customer has opened the car, or holds its key. None when that changes nothing."""
        if self.assignment is None or car_id not in (None, self.assignment.car_id):
            return None
        if self.access_lost_at is not None and proven_at <= self.access_lost_at:
            return None
        if self.state in IN_USE:
            return self.access_restored(Role.SYSTEM, proven_at, proven_at) if self.locked_out else None
        if self.state not in AWAITED:
            return None
        if self.access_proven_at is None:
            return replace(self, access_proven_at=proven_at, locked_out=False)._advanced(self, at)
        first = min(proven_at, self.access_proven_at)
        return Step.of(self, replace(self, access_proven_at=first)) if first < self.access_proven_at else None

    def handed_over(self, handed_over_at: datetime, at: datetime) -> "Step | None":
        """The agent has given the car to the customer. None when that changes nothing."""
        if self.state not in AWAITED or self.handed_over_at is not None:
            return None
        return replace(self, handed_over_at=handed_over_at)._advanced(self, at)

    def _advanced(self, before: "Contract", at: datetime) -> "Step":
        """Through as many rows as proven access and handover allow; billing starts at the later of both."""
        here, news = self, list[News]()
        if here.access_proven_at and here.state in (State.PREPARING, State.AT_RISK):
            here = here.moved(Event.CAR_AND_ACCESS_READY, Role.SYSTEM, at, why=None)
            news.append(here._news("ContractReady"))
        if here.access_proven_at and here.handed_over_at and here.state is State.READY:
            starts_at = max(here.access_proven_at, here.handed_over_at)
            ends_at = months_after(starts_at, here.months)
            here = here.moved(Event.HANDOVER_CONFIRMED, Role.SYSTEM, at, starts_at=starts_at, ends_at=ends_at)
            news.append(
                here._news(
                    "ContractActivated",
                    handed_over_at=here.handed_over_at,
                    access_proven_at=here.access_proven_at,
                    starts_at=starts_at,
                )
            )
        return Step.of(before, here, *news)

    def access_lost(self, role: Role, lost: AccessNews, at: datetime) -> "Step":
        happened(lost.at, at)
        if self.locked_out:
            raise IllegalMove("access is lost already")
        changes: dict[str, Any] = {"access_lost_at": lost.at, "locked_out": True}
        if self.state is State.READY:
            changes |= {"access_proven_at": None, "why": "access_lost"}
        after = self.moved(Event.ACCESS_LOST, role, at, **changes)
        news = [self._news("AccessLost", at=lost.at, fault=lost.fault, cause=lost.cause)]
        if after.state is State.AT_RISK:
            news.append(after._at_risk("access_lost"))
        return Step.of(self, after, *news)

    def access_restored(self, role: Role, restored_at: datetime, at: datetime) -> "Step":
        happened(restored_at, at)
        after = self.moved(Event.ACCESS_RESTORED, role, at, locked_out=False)
        if not self.locked_out:
            raise IllegalMove("access is not lost")
        return Step.of(self, after, self._news("AccessRestored", at=restored_at))

    def _at_risk(self, why: str) -> News:
        car_id = self.assignment.car_id if self.assignment else ""
        return self._news("ContractAtRisk", car_id=car_id, handover_at=self.handover.at, why=why)

    def outcome(self, money: Money | None = None, **more: Any) -> Outcome:
        told = Outcome(self.contract_id, self.state, **more)
        if money is None:
            return told
        return replace(told, refund=money.refund, charge=money.charge, lines=money.lines)

    @property
    def delivery(self) -> Delivery:
        """NotAssigned before the contract has a car and a key."""
        if self.assignment is None:
            raise NotAssigned()
        return Delivery(
            contract_id=self.contract_id,
            customer_id=self.customer_id,
            car_id=self.assignment.car_id,
            key_tag=self.assignment.key_tag,
            label_hash=label_hash(self.handover.address),
            handover_at=self.handover.at,
        )

    @property
    def standing(self) -> Standing:
        return Standing(
            contract_id=self.contract_id,
            customer_id=self.customer_id,
            state=self.state,
            car_id=self.assignment.car_id if self.assignment else None,
            plate=self.car.plate if self.car else None,
            model=self.car.model if self.car else None,
            handover_at=self.handover.at,
            address=self.handover.address,
            return_at=self.giving_back.at if self.giving_back else None,
            return_address=self.back_address,
            starts_at=self.starts_at,
            ends_at=self.end,
            version=self.version,
        )

    @property
    def admission(self) -> Admission:
        drivers = tuple(
            Licensed(str(named.number), named.driver.name, named.driver.phone, named.check is Check.VALID)
            for named in self.drivers
        )
        return Admission(
            contract_id=self.contract_id,
            customer_id=self.customer_id,
            car_id=self.assignment.car_id if self.assignment else None,
            open=self.state in (*AWAITED, *IN_USE, *DUE_BACK),
            ends_at=self.end or months_after(self.handover.at, self.months),
            drivers=drivers,
        )

    # ---- what customers change by themselves --------------------------------------------------------------

    def fault(self, at: datetime) -> Cause:
        """Ours when there is no car on the eve of the handover, or no access to it when it counts."""
        ours = {
            State.CONFIRMED: at >= self.handover.at - DAY,
            State.PREPARING: at >= self.handover.at,
            State.AT_RISK: self.access_proven_at is None,
        }
        return Cause.COMPANY if ours.get(self.state) else Cause.CUSTOMER

    def cancelled(self, role: Role, cause: Cause, money: Money, at: datetime) -> "Step":
        after = self.moved(Event.CANCEL, role, at, why=cause.value)
        frees = self.assignment.car_id if self.assignment else None
        news = self._news("ContractCancelled", cause=cause.value, **money.words)
        return Step.of(self, after, news, frees=frees)

    def cancel_requested(self, role: Role, money: Money, at: datetime) -> "Step":
        after = self.moved(Event.CANCEL_REQUESTED, role, at, cancel_at=money.effective_at, why="cancel")
        return Step.of(self, after, after._ending("cancel", money))

    def uncancelled(self, role: Role, at: datetime) -> "Step":
        if self.cancel_at is not None and at >= self.cancel_at:
            raise TooLate()
        after = self.moved(Event.UNCANCEL, role, at, cancel_at=None, why=None)
        return Step.of(self, after, self._news("ContractUncancelled"))

    def _ending(self, why: str, money: Money) -> News:
        lines = written(money.lines)
        return self._news(
            "ContractEnding", ends_at=money.effective_at, charge=money.charge, lines=lines, why=why
        )

    def renewal(self, months: int, at: datetime) -> Term:
        """At today's price of the plan. ConsentTooEarly when that is higher and the term has long to go."""
        added = Term(months, plan_named(self.plan_id).monthly_fee(months))
        if self.ends_at and added.monthly_fee > self.monthly_fee and self.ends_at - at > CONSENT_HOLDS:
            raise ConsentTooEarly()
        return added

    def renewed(self, role: Role, added: Term, at: datetime) -> "Step":
        terms = (*self.terms, added)
        months = sum(term.months for term in terms)
        ends_at = months_after(self.starts_at or at, months)
        after = self.moved(Event.RENEWED, role, at, terms=terms, ends_at=ends_at)._armed(at)
        news = self._news(
            "ContractRenewed", months=added.months, monthly_fee=added.monthly_fee, ends_at=ends_at
        )
        return Step.of(self, after, news)

    def swap_requested(self, role: Role, reason: Literal["defect", "preference"], at: datetime) -> "Step":
        after = self.moved(Event.SWAP_REQUESTED, role, at, why=reason)
        fault = "ours" if reason == "defect" else "customer"
        return Step.of(self, after, self._news("SwapRequested", fault=fault))

    def swap_offered(self, to: Assignment) -> "Step":
        """The new car is kept for this contract until it is handed over or the swap withdrawn."""
        if self.state is not State.SWAP_PENDING:
            raise IllegalMove(f"a swap is not possible in state {self.state.value}")
        if self.assignment and to.car_id == self.assignment.car_id:
            raise SameCar()
        frees = self.swap_to.car_id if self.swap_to else None
        return Step.of(self, replace(self, swap_to=to), takes=to, frees=frees)

    def swap_done(self, role: Role, car: CarName | None, at: datetime) -> "Step":
        if self.state is State.SWAP_PENDING and self.swap_to is None:
            raise NoCarOffered()
        changes = {"assignment": self.swap_to, "car": car, "swap_to": None, "locked_out": False, "why": None}
        after = self.moved(Event.SWAP_DONE, role, at, **changes)
        assert after.assignment is not None
        assert self.assignment is not None
        news = self._news(
            "SwapDone",
            car_id=after.assignment.car_id,
            former_car_id=self.assignment.car_id,
            key_tag=after.assignment.key_tag,
        )
        opens = [self._news("AccessRestored", at=at)] if self.locked_out else []
        return Step.of(self, after, news, *opens, frees=self.assignment.car_id)

    def swap_withdrawn(self, role: Role, at: datetime) -> "Step":
        after = self.moved(Event.SWAP_WITHDRAWN, role, at, swap_to=None, why=None)
        frees = self.swap_to.car_id if self.swap_to else None
        return Step.of(self, after, self._news("SwapWithdrawn"), frees=frees)

    def rescheduled(self, which: str, at: datetime, address: str | None, now: datetime) -> "Step":
        """`which`: handover or return. Deadlines follow the new time."""
        if which == "handover":
            self.within(Action.RESCHEDULE_HANDOVER)
            after = replace(self, handover=Handover(at, address or self.handover.address))._armed(now)
            proven_late = after.state is State.AT_RISK and after.access_proven_at is not None
            return after._advanced(self, now) if proven_late else Step.of(self, after)
        self.within(Action.RESCHEDULE_RETURN)
        return Step.of(
            self, replace(self, giving_back=Handover(at, address or self.back_address))._armed(now)
        )

    @property
    def back_address(self) -> str:
        return self.giving_back.address if self.giving_back else self.handover.address

    # ---- drivers ------------------------------------------------------------------------------------------

    def driver(self, holder: str) -> Named:
        """`holder`: "customer", or a driver's number."""
        number = "1" if holder == "customer" else holder
        for named in self.drivers:
            if str(named.number) == number:
                return named
        raise UnknownHolder()

    def with_driver(self, driver: Driver, at: datetime) -> "Step":
        self.within(Action.ADD_DRIVER)
        if any(named.driver.licence_no == driver.licence_no for named in self.drivers):
            raise DriverNamed()
        if len(self.drivers) >= MOST_DRIVERS:
            raise TooManyDrivers()
        if driver.age_on(at.date()) < DRIVING_AGE:
            raise DriverTooYoung()
        number = self.last_number + 1
        after = replace(self, drivers=(*self.drivers, Named(number, driver)), last_number=number)
        return Step.of(self, after, self._news("DriverAdded", number=number))

    def without_driver(self, number: str) -> "Step | None":
        """None when that driver was removed before."""
        if number not in map(str, range(1, self.last_number + 1)):
            raise UnknownHolder()
        if number == "1":
            raise FirstDriverStays()
        drivers = tuple(named for named in self.drivers if str(named.number) != number)
        if drivers == self.drivers:
            return None
        self.within(Action.REMOVE_DRIVER)
        return Step.of(self, replace(self, drivers=drivers), self._news("DriverRemoved", number=int(number)))

    # ---- the end ------------------------------------------------------------------------------------------

    def breached(self, role: Role, money: Money, at: datetime) -> "Step":
        changes = {"cancel_at": money.effective_at, "why": "breach", "giving_back": self._back_from(at)}
        after = self.moved(Event.BREACH_TERMINATE, role, at, **changes)
        return Step.of(self, after, after._ending("breach", money), after._return_scheduled())

    def _back_from(self, at: datetime) -> Handover:
        """Within one business day of the end, where the car was brought."""
        return Handover(KOREA.after(at, BUSINESS_DAY), self.handover.address)

    def _return_scheduled(self) -> News:
        return self._news(
            "ReturnScheduled", return_at=self.giving_back.at if self.giving_back else self.since
        )

    def returned(self, role: Role, returned_at: datetime, at: datetime) -> "Step":
        happened(returned_at, at)
        after = self.moved(Event.VEHICLE_AND_KEYS_RECEIVED, role, at)
        return Step.of(self, after, self._news("ContractReturned", at=returned_at))

    def inspected(self, role: Role, charges: Sequence[Line], at: datetime, *, frees: str | None) -> "Step":
        """`charges`: what is owed for damage, each amount 0 or above."""
        after = self.moved(Event.INSPECTED, role, at)
        return Step.of(self, after, self._news("ContractInspected", charges=written(charges)), frees=frees)

    def closed(self, settled_at: datetime, at: datetime, *, keys_out: bool, frees: str | None) -> "Step":
        """The ledger sums to zero. While a key is out the contract stays open, and remembers that."""
        if keys_out:
            return Step.of(self, replace(self, settled_at=settled_at, why="keys_outstanding"))
        after = self.moved(Event.SETTLED, Role.SYSTEM, at, settled_at=settled_at, why=None)
        return Step.of(self, after, self._news("ContractClosed"), frees=frees)

    # ---- timers -------------------------------------------------------------------------------------------

    def rings(self, at: datetime) -> "Step":
        """What the timer that ran out does. MovedOn when none has."""
        if self.timer is None or self.due_at is None or self.due_at > at:
            raise MovedOn()
        event, changes = self.timer, dict[str, Any]()
        state = LIFE.after(self.state, event)
        if state is State.RETURN_SCHEDULED:
            why = "cancel" if self.cancel_at else "term"
            changes = {"giving_back": self._back_from(at), "why": why}
        elif state is not self.state:
            changes = {"why": event.value.removeprefix("T.")}
        after = self.moved(event, Role.SYSTEM, at, **changes)
        if after.state is self.state:
            after = after._armed(at, self.rung + 1)
        return Step.of(self, after, *after._rang(event, self))

    def _rang(self, event: Event, before: "Contract") -> list[News]:
        if event is Event.T_VERIFY_AGAIN:
            return [self._news("VerificationOverdue", rung=self.rung)]
        if self.state is before.state:
            data = {"timer": event.value, "state": self.state.value, "rung": self.rung}
            return [self._news("ContractDeadlinePassed", **data)]
        if self.state is State.RETURN_SCHEDULED:
            told = [self._return_scheduled()]
            over = Money(before.ends_at or before.since)
            return [self._ending("term", over), *told] if event is Event.TERM_END_NO_RENEW else told
        return [
            {
                State.EXPIRED: self._news("ContractExpired", from_state=before.state.value),
                State.AT_RISK: self._at_risk(event.value.removeprefix("T.")),
                State.RETURN_OVERDUE: self._news("ReturnOverdue"),
                State.TERMINATED: self._news("ContractTerminated"),
            }[self.state]
        ]


class Step(Struct, frozen=True):
    """One change, thought and not yet stored. `takes`: the car it takes. `frees`: the car it gives up."""

    before: Contract
    after: Contract
    news: tuple[News, ...] = ()
    takes: Assignment | None = None
    frees: str | None = None

    @classmethod
    def of(
        cls,
        before: Contract,
        after: Contract,
        *news: News,
        takes: Assignment | None = None,
        frees: str | None = None,
    ) -> "Step":
        return cls(before, replace(after, version=before.version + 1), news, takes, frees)


def happened(when: datetime, at: datetime) -> None:
    """NotYetHappened when that is still to come; clocks may differ by a little."""
    if when > at + CLOCKS_DIFFER:
        raise NotYetHappened()


def signed(contract_id: str, customer_id: str, application: Application, at: datetime) -> Contract:
    """The contract this application becomes, priced from the plan."""
    fee = plan_named(application.plan_id).monthly_fee(application.months)
    handover = application.handover
    if not at < handover.at <= at + LONGEST_NOTICE:
        raise HandoverOutOfReach()
    if any(driver.age_on(handover.at.date()) < DRIVING_AGE for driver in application.drivers):
        raise DriverTooYoung()
    drivers = tuple(Named(number, driver) for number, driver in enumerate(application.drivers, start=1))
    return Contract(
        contract_id=contract_id,
        customer_id=customer_id,
        plan_id=application.plan_id,
        terms=(Term(application.months, fee),),
        handover=handover,
        card_token=application.card_token,
        drivers=drivers,
        last_number=len(drivers),
        fingerprint=application.fingerprint,
        signed_at=at,
        since=at,
    )._armed(at)
