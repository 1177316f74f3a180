"""A customer's points: lots that expire, what is held for open checkouts, and every movement between them.

Points last to the end of a month in Seoul, so those of one kind and month are one lot, named after both: the
name says all that has to be known to give points back. What expires first is spent first.

A hold is no movement: it lies in the wallet until it is captured or released. A wallet is therefore the sum
of its movements less its holds, and `witness` proves it.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from chalicelib.kernel.calendar import KST, months_after
from chalicelib.kernel.money import About, Entry, Leg
from chalicelib.points.model.errors import (
    AlreadyBooked,
    LastsTooLong,
    NotEnoughPoints,
    NotHeld,
    TooManyHolds,
)

LONGEST_MONTHS = 24
"""With two kinds a wallet has at most fifty lots that last."""
GRACE = timedelta(days=30)
"""At least so long points last that come back from a refund after their lot has expired."""
WARNED_BEFORE = timedelta(days=30)
MOST_HOLDS = 10
BOOK = "-"
"""No campaign pays for points."""

Lots = tuple[tuple[str, int], ...]
"""Points by lot, first expiring first."""


class Kind(StrEnum):
    """EARNED by paying, or GIVEN for something else. The value ends a lot's name."""

    EARNED = "e"
    GIVEN = "g"


class What(StrEnum):
    SIGNED_UP = "signed_up"
    BIRTHDAY = "birthday"
    RETURNED_IN_TIME = "returned_in_time"
    EARNED = "earned"
    GRANTED = "granted"
    SPENT = "spent"
    REFUNDED = "refunded"
    EXPIRED = "expired"
    CLAWED_BACK = "clawed_back"
    CONVERTED = "converted"
    NOT_CONVERTED = "not_converted"
    DEBT_PAID = "debt_paid"


class Pot(StrEnum):
    """Accounts of a customer. GRANTED is where points come from: it holds less than 0, as does DEBT."""

    BALANCE = "balance"
    HELD = "held"
    SPENT = "spent"
    GRANTED = "granted"
    EXPIRED = "expired"
    CONVERTED = "converted"
    DEBT = "debt"


def lot_lasting(until: datetime, kind: Kind) -> str:
    """The lot whose points last until then, and on to the end of that month."""
    last = (until - timedelta(microseconds=1)).astimezone(KST)
    return f"{last:%y%m}{kind.value}"


def expiry(lot: str) -> datetime:
    """The first moment at which its points are gone."""
    year, month = divmod(2000 * 12 + int(lot[:2]) * 12 + int(lot[2:4]), 12)
    return datetime(year, month + 1, 1, tzinfo=KST).astimezone(UTC)


def lot_for(months: int, kind: Kind, at: datetime) -> str:
    return lot_lasting(months_after(at, months), kind)


def lot_until(until: datetime, at: datetime) -> str:
    """LastsTooLong beyond what any points last, or when it is over by now."""
    if not at < until <= months_after(at, LONGEST_MONTHS):
        raise LastsTooLong()
    return lot_lasting(until, Kind.GIVEN)


def total(lots: Lots) -> int:
    return sum(points for _, points in lots)


def taken(lots: Lots, points: int) -> Lots:
    """So many of them, from the first lots."""
    return tuple(_first(lots, points))


def _first(lots: Lots, points: int) -> Iterator[tuple[str, int]]:
    for lot, there in lots:
        if points <= 0:
            return
        yield lot, min(there, points)
        points -= there


def together(*changes: Lots) -> Lots:
    """Added up by lot; points taken away are below 0."""
    found: Counter[str] = Counter()
    for lots in changes:
        for lot, points in lots:
            found[lot] += points
    return tuple(sorted((lot, points) for lot, points in found.items() if points))


def negative(lots: Lots) -> Lots:
    return tuple((lot, -points) for lot, points in lots)


class Draw(Struct, frozen=True):
    """Points that leave a wallet, and the lots they are from."""

    points: int
    lots: Lots


class Movement(Struct, frozen=True):
    """An entry as it stands in its customer's list. `lots`: what changed in each; `owned`: what is the
    customer's after it, held points too."""

    no: int
    entry: Entry
    lots: Lots
    owned: int

    @property
    def points(self) -> int:
        return _on(self.entry, Pot.BALANCE)

    @property
    def debt(self) -> int:
        """What it added to the debt; below 0 when it paid some."""
        return -_on(self.entry, Pot.DEBT)

    @property
    def expires_at(self) -> datetime | None:
        """Of points that came, the first that go again."""
        return min((expiry(lot) for lot, points in self.lots if points > 0), default=None)


class Standing(Struct, frozen=True):
    """What a customer has at one moment. `expiring`: when which part of the balance goes, soonest first."""

    balance: int
    held: int
    debt: int
    expiring: tuple[tuple[datetime, int], ...]


class Wallet(Struct, frozen=True):
    """`lots` can be spent while they last; `held` are out of them, by checkout. `debt` is what was spent and
    then clawed back: the next points that come pay it. `version` counts its changes, `entries` its movements.
    Of the lots up to `warned` the customer was told that they expire.
    """

    customer_id: str
    lots: Lots = ()
    held: Mapping[str, Lots] = {}
    debt: int = 0
    version: int = 0
    entries: int = 0
    warned: str = ""

    @property
    def owned(self) -> int:
        return total(self.lots) + self.on_hold

    @property
    def on_hold(self) -> int:
        return sum(map(total, self.held.values()))

    @property
    def due_at(self) -> datetime | None:
        """When the next of its lots expires, or its customer is to be told that it will."""
        ends = [expiry(lot) for lot, _ in self.lots[:1]]
        warnings = [expiry(lot) - WARNED_BEFORE for lot, _ in self.lots if lot > self.warned]
        return min(ends + warnings[:1], default=None)

    def live(self, at: datetime) -> Lots:
        return _lasting(self.lots, at)

    def balance(self, at: datetime) -> int:
        """What can be spent: expired points cannot, whether or not anybody has swept them out."""
        return total(self.live(at))

    def standing(self, at: datetime) -> "Standing":
        by_end = Counter[datetime]()
        for lot, points in self.live(at):
            by_end[expiry(lot)] += points
        return Standing(self.balance(at), self.on_hold, self.debt, tuple(by_end.items()))

    def expiring(self, end: datetime, at: datetime) -> tuple[int, int]:
        """How many earned, and how many given points of the balance are gone at `end`."""
        ends = tuple(each for each in self.live(at) if expiry(each[0]) == end)
        earned = total(tuple(each for each in ends if each[0].endswith(Kind.EARNED)))
        return earned, total(ends) - earned

    # --- for a checkout ------------------------------------------------------------------------------------

    def draw(self, points: int, at: datetime) -> Draw:
        """First expiring first. NotEnoughPoints."""
        live = self.live(at)
        if not 0 < points <= total(live):
            raise NotEnoughPoints()
        return Draw(points, taken(live, points))

    def holding(self, lots: Lots, name: str) -> "Change":
        if name in self.held:
            raise AlreadyBooked()
        if len(self.held) >= MOST_HOLDS:
            raise TooManyHolds()
        return self._changed(lots=self._less(lots), held={**self.held, name: together(lots)})

    def captured(self, lots: Lots, name: str, at: datetime) -> "Change":
        pots = ((Pot.BALANCE, -total(lots)), (Pot.SPENT, total(lots)))
        entry = self._entry(f"{name}/captured", What.SPENT, at, {"checkout_id": name}, *pots)
        return self._changed(held=self._without(lots, name)).and_moved(entry, negative(lots))

    def released(self, lots: Lots, name: str, at: datetime) -> "Change":
        """Back into their lots, as they were: what has expired meanwhile is swept out as if it had lain
        there, so that a hold never makes points last longer."""
        paid = taken(_lasting(lots, at), self.debt)
        kept = together(self.lots, lots, negative(paid))
        back = self._changed(lots=kept, held=self._without(lots, name), debt=self.debt - total(paid))
        if not paid:
            return back
        pots = ((Pot.BALANCE, -total(paid)), (Pot.DEBT, total(paid)))
        entry = self._entry(f"{name}/released", What.DEBT_PAID, at, {"checkout_id": name}, *pots)
        return back.and_moved(entry, negative(paid))

    def refunded(self, lots: Lots, cause: str, at: datetime, about: About) -> "Change":
        """Into the lots they were spent from. Points whose lot has expired meanwhile last for GRACE."""
        return self._received(together(_with_grace(lots, at)), Pot.SPENT, cause, What.REFUNDED, at, about)

    def _less(self, lots: Lots) -> Lots:
        """NotEnoughPoints when they are not there."""
        left = together(self.lots, negative(lots))
        if any(points < 0 for _, points in left):
            raise NotEnoughPoints()
        return left

    def _without(self, lots: Lots, name: str) -> Mapping[str, Lots]:
        """NotHeld unless exactly these are held under that name."""
        if self.held.get(name) != together(lots):
            raise NotHeld()
        return {other: lots for other, lots in self.held.items() if other != name}

    # --- what comes, and what goes again -------------------------------------------------------------------

    def granted(self, points: int, lot: str, cause: str, what: What, at: datetime, about: About) -> "Change":
        return self._received(((lot, points),), Pot.GRANTED, cause, what, at, about)

    def clawed_back(self, points: int, lot: str, cause: str, at: datetime, about: About) -> "Change":
        """From the lot they came to, then from the first to expire; what is not there any more is owed."""
        live = self.live(at)
        own = tuple(each for each in live if each[0] == lot)
        others = tuple(each for each in live if each[0] != lot)
        gone = together(taken(own + others, points))
        owed = points - total(gone)
        pots = ((Pot.GRANTED, points), (Pot.BALANCE, -total(gone)), (Pot.DEBT, -owed))
        entry = self._entry(cause, What.CLAWED_BACK, at, about, *pots)
        return self._changed(lots=self._less(gone), debt=self.debt + owed).and_moved(entry, negative(gone))

    def converted(self, draw: Draw, conversion_id: str, at: datetime) -> "Change":
        pots = ((Pot.BALANCE, -draw.points), (Pot.CONVERTED, draw.points))
        about: About = {"conversion_id": conversion_id}
        entry = self._entry(f"{conversion_id}/converted", What.CONVERTED, at, about, *pots)
        return self._changed(lots=self._less(draw.lots)).and_moved(entry, negative(draw.lots))

    def not_converted(self, draw: Draw, conversion_id: str, at: datetime) -> "Change":
        cause, about = f"{conversion_id}/refused", {"conversion_id": conversion_id}
        lots = together(_with_grace(draw.lots, at))
        return self._received(lots, Pot.CONVERTED, cause, What.NOT_CONVERTED, at, {**about})

    def swept(self, at: datetime) -> "Change":
        """Every lot whose time is over goes, each by an entry of its own; of what is next to go its customer
        is told."""
        change = self.warned_of(self.unwarned(at))
        for lot, points in self.lots:
            if expiry(lot) <= at:
                here = change.after
                pots = ((Pot.BALANCE, -points), (Pot.EXPIRED, points))
                cause = f"{self.customer_id}/{here.entries + 1}/expired"
                entry = self._entry(cause, What.EXPIRED, at, {"lot": lot}, *pots)
                lots = tuple(each for each in here.lots if each[0] != lot)
                without = replace(change, after=replace(here, lots=lots))
                change = without.and_moved(entry, ((lot, -points),))
        return change

    def unwarned(self, at: datetime) -> Lots:
        """What expires next, and soon, and its customer was not told."""
        untold = tuple(each for each in self.live(at) if each[0] > self.warned)
        first = expiry(untold[0][0]) if untold else at
        return tuple(each for each in untold if expiry(each[0]) == first <= at + WARNED_BEFORE)

    def warned_of(self, lots: Lots) -> "Change":
        return self._changed(warned=max((lot for lot, _ in lots), default=self.warned))

    def _received(
        self, lots: Lots, source: Pot, cause: str, what: What, at: datetime, about: About
    ) -> "Change":
        paid = taken(lots, self.debt)
        kept = together(lots, negative(paid))
        pots = ((source, -total(lots)), (Pot.BALANCE, total(kept)), (Pot.DEBT, total(paid)))
        entry = self._entry(cause, what, at, about, *pots)
        after = self._changed(lots=together(self.lots, kept), debt=self.debt - total(paid))
        return after.and_moved(entry, kept)

    def _changed(self, **changes: object) -> "Change":
        return Change(self, replace(self, version=self.version + 1, **changes))

    def _entry(self, cause: str, what: What, at: datetime, about: About, *pots: tuple[Pot, int]) -> Entry:
        legs = tuple(_leg(self.customer_id, pot, points) for pot, points in pots if points)
        return Entry(cause, what.value, BOOK, at, legs, about)


class Change(Struct, frozen=True):
    """A wallet before and after, and the movements that made the difference; a hold makes none."""

    before: Wallet
    after: Wallet
    movements: tuple[Movement, ...] = ()

    def and_moved(self, entry: Entry, lots: Lots) -> "Change":
        """With one more, of which `after` has all but the number."""
        no = self.after.entries + 1
        owned = self.after.owned
        movement = Movement(no, entry, lots, owned)
        return replace(self, after=replace(self.after, entries=no), movements=(*self.movements, movement))


class Due(Struct, frozen=True):
    """Something whose time has come: a customer's wallet, or a `conversion`."""

    id: str
    due_at: datetime
    conversion: bool = False


def legs(customer_id: str, points: int, what: str) -> tuple[Leg, ...]:
    """What `points` of a checkout move when it is reserved, captured, released or refunded."""
    source, target = STEPS[what]
    return (_leg(customer_id, source, -points), _leg(customer_id, target, points)) if points else ()


STEPS = {
    "reserved": (Pot.BALANCE, Pot.HELD),
    "captured": (Pot.HELD, Pot.SPENT),
    "released": (Pot.HELD, Pot.BALANCE),
    "refunded": (Pot.SPENT, Pot.BALANCE),
}


def _leg(customer_id: str, pot: Pot, points: int) -> Leg:
    return Leg(f"points/{customer_id}/{pot.value}", points)


def _on(entry: Entry, pot: Pot) -> int:
    return sum(leg.amount for leg in entry.legs if leg.account.endswith(f"/{pot.value}"))


def _lasting(lots: Lots, at: datetime) -> Lots:
    return tuple(each for each in lots if expiry(each[0]) > at)


def _with_grace(lots: Lots, at: datetime) -> Lots:
    return tuple(
        (lot if expiry(lot) > at else lot_lasting(at + GRACE, Kind(lot[4:])), points) for lot, points in lots
    )
