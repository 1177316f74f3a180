"""Appointments made, moved, kept and missed; what partners say on the way, and what other contexts tell."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from typing import Protocol, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from chalicelib.appointments import model
from chalicelib.appointments.model import (
    CAPACITY,
    CONTRACTS_WITH,
    TOLD,
    AccessNotReady,
    AlreadyMade,
    Appointment,
    Change,
    Event,
    Happened,
    Heard,
    History,
    Moved,
    MovedOn,
    NotNow,
    Role,
    Said,
    Seen,
    Slot,
    SlotFull,
    State,
    Terms,
    UnknownAppointment,
    Which,
    Wish,
    job_key,
)
from chalicelib.kernel import deadlines
from chalicelib.kernel.auth import Caller, Group
from chalicelib.kernel.calendar import KST
from chalicelib.kernel.clock import Clock, stamp
from chalicelib.kernel.deadlines import Report
from chalicelib.kernel.done import Done
from chalicelib.kernel.errors import Busy, Conflict, KeyReused, Malformed
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.ids import keyed_id
from chalicelib.kernel.money import Won
from chalicelib.kernel.previews import HOLDS_FOR, Previews
from chalicelib.kernel.states import IllegalMove
from chalicelib.kernel.tables import Write, cursor, position

T = TypeVar("T")
TRIES = 8
"""How often a change is thought over again when somebody else was faster."""
CONFIRMED = "#confirmed"
"""Marks the confirmation that comes with a customer's own reschedule."""
NEAREST = 3
"""So many free slots are named in place of a full one."""
A_DAY = timedelta(days=1)


class Store(Protocol):
    """`make` and `save` add to a transaction; reads of one appointment are strongly consistent, lists may lag
    a moment."""

    def make(self, write: Write, change: Change, *, kept: bool) -> None:
        """AlreadyMade; SlotFull unless the slot is `kept` also when it is full."""

    def save(self, write: Write, change: Change) -> None:
        """MovedOn when the appointment is not as it was. A new time takes its slot and gives the old one
        back: SlotFull; a cancellation gives it back."""

    def ring(self, change: Change) -> None:
        """In a transaction of its own. MovedOn unless state and due time are as they were."""

    def history(self, appointment_id: str) -> History | None: ...
    def appointment(self, appointment_id: str) -> Appointment | None: ...
    def due(self, shard: int, until: datetime) -> Iterator[Sequence[Appointment]]: ...
    def troubles(self, state: State, limit: int) -> Sequence[Appointment]:
        """Longest in that state first."""

    def jobs(self, day: str, limit: int, after: str = "") -> Sequence[Appointment]:
        """Open ones, earliest first, from behind the `job_key` given."""

    def taken(self, which: Which, day: str) -> dict[datetime, int]:
        """By the start of the slot; slots that took none are missing."""


class Standing(Protocol):
    """A contract as it is now. `version` is handed back to `move`."""

    @property
    def contract_id(self) -> str: ...
    @property
    def customer_id(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def plate(self) -> str | None: ...
    @property
    def model(self) -> str | None: ...
    @property
    def handover_at(self) -> datetime: ...
    @property
    def address(self) -> str: ...
    @property
    def return_at(self) -> datetime | None: ...
    @property
    def return_address(self) -> str: ...
    @property
    def version(self) -> int: ...


class Contracts(Protocol):
    def owned(self, contract_id: str, customer_id: str) -> None:
        """NotFound when it is unknown or another customer's."""

    def standing(self, contract_id: str) -> Standing:
        """NotFound when it is unknown."""

    def move(
        self, write: Write, contract_id: str, which: str, at: datetime, address: str | None, seen_version: int
    ) -> None:
        """Adds the contract's new time (and place, unless None) to the transaction. A Conflict, at once or at
        the commit, when the contract is not as it was seen."""


class Access(Protocol):
    def ready(self, contract_id: str) -> bool:
        """Whether its customer has proven that they can open the car."""


class SelfTest(Protocol):
    @property
    def passed(self) -> bool: ...
    @property
    def reasons(self) -> tuple[str, ...]: ...


class SmartKeys(Protocol):
    def self_test(self, contract_id: str) -> SelfTest:
        """Whether the customer's smart key would open the car now."""


class Trouble(Struct, frozen=True):
    """`kind`: its state. `parking_cost`: so far, of a car that stands locked out."""

    appointment_id: str
    contract_id: str
    kind: str
    since: datetime
    parking_cost: Won | None


class _Offer(Struct, frozen=True):
    """What a wish becomes."""

    change: Change
    made: bool
    terms: Terms


def appointment_id_of(contract_id: str, which: Which) -> str:
    """A contract has one handover and one return: whatever makes it, makes it once."""
    return keyed_id("apt", contract_id, which)


def _roles(by: Caller) -> tuple[Role, ...]:
    known = {Group.OPS: Role.OPS, Group.AGENT: Role.AGENT, Group.COURIER: Role.COURIER}
    return tuple(role for group, role in known.items() if group in by.groups)


def _choosers(by: Caller) -> tuple[Role, ...]:
    return (Role.OPS,) if Group.OPS in by.groups else (Role.CUSTOMER,)


class AppointmentService(Struct, frozen=True):
    """`begin` opens a transaction."""

    store: Store
    contracts: Contracts
    access: Access
    smartkeys: SmartKeys
    previews: Previews
    begin: Callable[[], Write]
    now: Clock

    # ---- what customers and operations choose ----------------------------------------------------------

    def slots(self, which: Which, day: date) -> list[tuple[Slot, int]]:
        """The windows of that day in Seoul, and how many cars each still takes; what has begun takes none."""
        return self._free(which, datetime.combine(day, time(12), KST), self.now())

    def of_contract(self, contract_id: str, by: Caller) -> list[Seen]:
        standing = self._standing(contract_id, by)
        found = (self.store.appointment(appointment_id_of(contract_id, which)) for which in Which)
        return [_seen(appointment, standing) for appointment in found if appointment]

    def reschedule(self, contract_id: str, wish: Wish, by: Caller, key: str) -> Done[Moved]:
        """The same key again hears the first answer. SlotFull names the nearest free slots."""
        if wish.preview:
            return Done(self._previewed(contract_id, wish, by))
        event_id = f"reschedule#{keyed_id('rsc', by.id, key)}"
        return _while_it_moves(lambda: self._reschedule(contract_id, wish, by, event_id))

    def _previewed(self, contract_id: str, wish: Wish, by: Caller) -> Moved:
        """What it would do and cost, for ten minutes; nothing is changed."""
        at = self.now()
        at = at.replace(microsecond=at.microsecond // 1000 * 1000)  # as exactly as a quote can say it
        standing = self._standing(contract_id, by)
        history = self.store.history(appointment_id_of(contract_id, wish.which))
        offer = self._offer(standing, history, wish, by, event_id="preview", at=at)
        self._refuse_full(offer.change)
        moved = _moved(offer.change.then, offer.terms)
        token = self.previews.token(_subject(history, wish, contract_id), at)
        return replace(moved, quote=token, quote_until=at + HOLDS_FOR)

    def _reschedule(self, contract_id: str, wish: Wish, by: Caller, event_id: str) -> Done[Moved]:
        standing = self._standing(contract_id, by)
        history = self.store.history(appointment_id_of(contract_id, wish.which))
        known = history.known(event_id) if history else None
        if history and known:
            return Done(_answer(history, known, wish), replayed=True)
        at = self.now()
        if wish.quote:
            at = self.previews.moment(_subject(history, wish, contract_id), wish.quote, at)
        offer = self._offer(standing, history, wish, by, event_id, at)
        write = self.begin()
        if offer.made:
            self.store.make(write, offer.change, kept=False)
        else:
            self.store.save(write, offer.change)
        self.contracts.move(write, contract_id, wish.which, wish.at, wish.address, standing.version)
        try:
            write.commit()
        except SlotFull:
            raise self._full(offer.change.then) from None
        return Done(_moved(offer.change.then, offer.terms))

    def _offer(
        self, standing: Standing, history: History | None, wish: Wish, by: Caller, event_id: str, at: datetime
    ) -> _Offer:
        """The customer who moves it has confirmed it with that; what operations move waits for them."""
        if standing.state not in CONTRACTS_WITH[wish.which]:
            raise NotNow(f"the contract is {standing.state}")
        roles = _choosers(by)
        model.refuse_out_of_reach(wish.at, roles, at)
        here = history.appointment if history else None
        terms = model.terms_of_change(here, roles, at)
        now = self.now()
        moved = Happened(
            event_id,
            Event.RESCHEDULE,
            now,
            now,
            by.id,
            wish.fingerprint,
            to=wish.at,
            charge=terms.charge,
            address_changed=wish.address is not None and wish.address != _address(standing, wish.which),
        )
        news = [moved]
        if Role.CUSTOMER in roles:
            news.append(Happened(event_id + CONFIRMED, Event.CUSTOMER_CONFIRM, now, now, by.id))
        contract_id = standing.contract_id
        base = history or History(_proposed(standing.customer_id, contract_id, wish.which, wish.at, now))
        return _Offer(base.told(*news), history is None, terms)

    def confirm(self, contract_id: str, appointment_id: str, by: Caller) -> Done[Appointment]:
        """What is confirmed stays so: asking twice is asking once."""
        self.contracts.owned(contract_id, by.id)
        return _while_it_moves(lambda: self._confirm(contract_id, appointment_id, by))

    def _confirm(self, contract_id: str, appointment_id: str, by: Caller) -> Done[Appointment]:
        history = self._history(appointment_id)
        here = history.appointment
        if here.contract_id != contract_id:
            raise UnknownAppointment()
        if here.state is State.CONFIRMED:
            return Done(here, replayed=True)
        if Event.CUSTOMER_CONFIRM not in here.choices(Role.CUSTOMER):
            raise IllegalMove(f"an appointment that is {here.state.value} cannot be confirmed")
        now = self.now()
        confirmed = Happened(
            f"confirm#{stamp(here.since)}", Event.CUSTOMER_CONFIRM, max(now, here.since), now, by.id
        )
        return Done(self._save(history.told(confirmed)).then)

    # ---- what partners do ------------------------------------------------------------------------------

    def jobs(self, limit: int, token: str | None) -> tuple[list[Seen], str | None]:
        """Today's and tomorrow's in Seoul, earliest first, with a token when there are more."""
        today = self.now().astimezone(KST).date()
        days = [today.isoformat(), (today + A_DAY).isoformat()]
        start, _, after = position(token).partition("/") if token else (days[0], "", "")
        if start not in days:
            raise Malformed("unknown cursor", (("/cursor", "not a cursor of this list"),))
        found: list[Appointment] = []
        for day in days[days.index(start) :]:
            if len(found) <= limit:
                found += self.store.jobs(day, limit + 1 - len(found), after if day == start else "")
        shown = found[:limit]
        more = cursor(f"{shown[-1].slot.day}/{job_key(shown[-1])}") if len(found) > limit else None
        return [self._job(each) for each in shown], more

    def _job(self, appointment: Appointment) -> Seen:
        return _seen(appointment, self.contracts.standing(appointment.contract_id))

    def say(self, appointment_id: str, said: Said, by: Caller, language: str) -> Heard:
        """One step of a partner; the same word and time are the same step. AccessNotReady on departure."""
        return _while_it_moves(lambda: self._say(appointment_id, said, by, language))

    def _say(self, appointment_id: str, said: Said, by: Caller, language: str) -> Heard:
        history, now = self._history(appointment_id), self.now()
        here = history.appointment
        said.allowed(here.which, [role.value for role in _roles(by)], now)
        if history.known(said.id):
            return Heard(here, counted=True, replayed=True)
        change = history.told(said.happened(by.id, now))
        if said.word == "depart":
            self._refuse_departure(change, language)
        self._save(change)
        counted = change.then.state is not here.state or bool(change.said)
        return Heard(change.then, counted, replayed=False)

    def _refuse_departure(self, change: Change, language: str) -> None:
        """The car does not leave before somebody can open it."""
        if not change.then.departed:
            raise IllegalMove(f"nobody departs for an appointment that is {change.before.state.value}")
        contract_id = change.before.contract_id
        if change.before.which is Which.RETURN or self.access.ready(contract_id):
            return
        test = self.smartkeys.self_test(contract_id)
        if not test.passed:
            next_step = model.NEXT_STEP[language]
            raise AccessNotReady(next_step, reasons=["key_not_proven", *test.reasons], next_step=next_step)

    # ---- what other contexts tell ----------------------------------------------------------------------

    def paid(self, contract_id: str, customer_id: str, at: datetime, fact: Fact) -> None:
        """The time that was signed is the customer's choice, and its slot is kept even when it is full."""
        appointment_id = appointment_id_of(contract_id, Which.HANDOVER)
        if self.store.appointment(appointment_id) is None:
            self._make(_proposed(customer_id, contract_id, Which.HANDOVER, at, self.now()))
        self._told(appointment_id, fact, Event.CUSTOMER_CONFIRM)

    def told(self, contract_id: str, fact: Fact) -> None:
        """An appointment that is not there yet is made from what the contract says, so that no fact is lost
        that came before the one that makes it."""
        which, event = TOLD[fact.type]
        appointment_id = appointment_id_of(contract_id, which)
        if self.store.appointment(appointment_id) is None:
            self._make(self._bare(contract_id, which, fact), over=event is Event.CANCEL)
        self._told(appointment_id, fact, event)

    def returning(self, contract_id: str, at: datetime) -> None:
        """The return is proposed for that time; one that its customer has chosen stays."""
        if self.store.appointment(appointment_id_of(contract_id, Which.RETURN)) is None:
            customer_id = self.contracts.standing(contract_id).customer_id
            self._make(_proposed(customer_id, contract_id, Which.RETURN, at, self.now()))

    def unlocked(self, contract_id: str, at: datetime, fact: Fact) -> None:
        """A smart key has opened the car, which counts if it stood locked out then, however late we hear."""
        appointment_id = appointment_id_of(contract_id, Which.HANDOVER)
        if self.store.appointment(appointment_id):
            self._told(appointment_id, fact, Event.SMART_UNLOCK_OK, at)

    def _bare(self, contract_id: str, which: Which, fact: Fact) -> Appointment:
        standing = self.contracts.standing(contract_id)
        at = standing.handover_at if which is Which.HANDOVER else standing.return_at or fact.at
        return _proposed(standing.customer_id, contract_id, which, at, self.now())

    def _make(self, bare: Appointment, *, over: bool = False) -> None:
        """Unless it is there. `over`: what is cancelled before it was ever proposed is nobody's news."""
        now, by = bare.made_at, Role.SYSTEM
        first = Happened("made", Event.RESCHEDULE, now, now, by, to=bare.at)
        change = Change(bare, bare, (), (model.moved(bare, first),))
        if over:
            cancel = Happened("over", Event.CANCEL, now, now, by)
            change = replace(History(bare).told(cancel), said=())
        write = self.begin()
        self.store.make(write, change, kept=True)
        with suppress(AlreadyMade):
            write.commit()

    def _told(self, appointment_id: str, fact: Fact, event: Event, at: datetime | None = None) -> None:
        def tell() -> None:
            now = self.now()
            happened = Happened(f"fact#{fact.id}", event, at or fact.at, now, Role.SYSTEM)
            change = self._history(appointment_id).told(happened)
            if change.fresh:
                self._save(change)

        _while_it_moves(tell)

    # ---- deadlines -------------------------------------------------------------------------------------

    def sweep(self) -> Report:
        """Rings every timer that ran out, each once, however many sweeps run at a time or break off."""
        now = self.now()
        return deadlines.sweep(lambda shard: self.store.due(shard, now), lambda each: self._rings(each, now))

    def _rings(self, appointment: Appointment, now: datetime) -> bool:
        try:
            self.store.ring(model.rung(appointment, now))
        except MovedOn:
            return False
        return True

    def troubles(self, limit: int) -> list[Trouble]:
        """Cars nobody can open first, then by how long it has lasted."""
        found = [each for state in model.TROUBLES for each in self.store.troubles(state, limit)]
        found.sort(key=lambda each: (each.state is not State.LOCKED_OUT, each.since))
        return [
            Trouble(
                each.appointment_id, each.contract_id, each.state, each.since, each.cost_so_far(self.now())
            )
            for each in found[:limit]
        ]

    # ---- asked by the above ----------------------------------------------------------------------------

    def _standing(self, contract_id: str, by: Caller) -> Standing:
        if Group.OPS not in by.groups:
            self.contracts.owned(contract_id, by.id)
        return self.contracts.standing(contract_id)

    def _history(self, appointment_id: str) -> History:
        history = self.store.history(appointment_id)
        if history is None:
            raise UnknownAppointment()
        return history

    def _save(self, change: Change) -> Change:
        write = self.begin()
        self.store.save(write, change)
        write.commit()
        return change

    def _free(self, which: Which, day: datetime, now: datetime) -> list[tuple[Slot, int]]:
        slots = model.slots_of(day)
        taken = self.store.taken(which, slots[0].day)
        return [
            (slot, max(0, CAPACITY - taken.get(slot.starts_at, 0)) if slot.starts_at > now else 0)
            for slot in slots
        ]

    def _refuse_full(self, change: Change) -> None:
        """A courtesy of the preview; the condition of the write is the rule."""
        slot = change.then.slot
        taken = self.store.taken(change.then.which, slot.day).get(slot.starts_at, 0)
        if slot != change.before.slot and taken >= CAPACITY:
            raise self._full(change.then)

    def _full(self, wanted: Appointment) -> SlotFull:
        """With the free slots nearest to what was wanted."""
        now, starts = self.now(), wanted.slot.starts_at
        days = (starts + A_DAY * shift for shift in (-1, 0, 1))
        free = [slot for day in days for slot, left in self._free(wanted.which, day, now) if left]
        soon = now + model.CHANGE_UNTIL
        near = sorted(
            (slot for slot in free if slot.starts_at > soon), key=lambda s: abs(s.starts_at - starts)
        )
        return SlotFull(
            free=[{"starts_at": stamp(s.starts_at), "ends_at": stamp(s.ends_at)} for s in near[:NEAREST]]
        )


def _proposed(customer_id: str, contract_id: str, which: Which, at: datetime, now: datetime) -> Appointment:
    return model.proposed(appointment_id_of(contract_id, which), contract_id, customer_id, which, at, now)


def _address(standing: Standing, which: Which) -> str:
    return standing.address if which is Which.HANDOVER else standing.return_address


def _seen(appointment: Appointment, standing: Standing) -> Seen:
    address = _address(standing, appointment.which)
    return Seen(appointment, address, standing.plate, standing.model, standing.state == "ready")


def _moved(then: Appointment, terms: Terms) -> Moved:
    return Moved(then.contract_id, then.appointment_id, then.which, then.at, then.state, terms)


def _answer(history: History, known: Happened, wish: Wish) -> Moved:
    """As it was answered then, whatever has happened since."""
    if known.code != wish.fingerprint:
        raise KeyReused()
    last = history.known(known.id + CONFIRMED) or known
    assert last.outcome is not None
    then = replace(history.appointment, at=known.to or history.appointment.at, state=last.outcome)
    return _moved(then, Terms(known.charge))


def _subject(history: History | None, wish: Wish, contract_id: str) -> str:
    version = history.appointment.version if history else 0
    return f"reschedule|{contract_id}|{wish.which}|{version}|{stamp(wish.at)}"


def _while_it_moves(work: Callable[[], T]) -> T:
    """Thought over again, from what is then stored, whenever somebody else was faster."""
    for _ in range(TRIES):
        try:
            return work()
        except IllegalMove:
            raise
        except Conflict:
            continue
    raise Busy()
