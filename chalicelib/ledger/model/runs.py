"""A reconciliation as it goes on, what it may build on the next time, and the repair of what it found."""

import hashlib
from collections import Counter
from datetime import datetime
from enum import StrEnum

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from chalicelib.kernel.errors import Conflict, NotFound, Refused
from chalicelib.kernel.money import Entry, Leg, Won
from chalicelib.kernel.states import Table
from chalicelib.ledger.model.books import NO_CAMPAIGN
from chalicelib.ledger.model.witnesses import Difference

MOST_KEPT = 200
"""Differences named in one run; of the others only the number is kept."""


class UnknownRun(NotFound):
    """There is no such reconciliation."""


class UnknownDifference(NotFound):
    """This reconciliation found no such difference."""


class RunKnown(Conflict):
    """This reconciliation was asked for before."""


class RunMoved(Conflict):
    """Another run is further on with this reconciliation."""


class NotRepairable(Refused):
    """This is no counter: it cannot be put right by a booked movement."""


class SamePerson(Refused):
    """Somebody else must approve this repair."""


class NoLongerSo(Refused):
    """This is no longer as it was found; reconcile again."""


class AlreadyRepaired(Conflict):
    """This difference was repaired before."""


class RunState(StrEnum):
    REQUESTED = "REQUESTED"
    RUNNING = "RUNNING"
    DONE = "DONE"


class RunEvent(StrEnum):
    STEP = "step"
    END = "end"


class Runner(StrEnum):
    LEDGER = "ledger"


RUNS = Table(
    # where it stands    what happens   where it then stands  who may say so
    (RunState.REQUESTED, RunEvent.STEP, RunState.RUNNING, {Runner.LEDGER}),
    (RunState.RUNNING, RunEvent.STEP, RunState.RUNNING, {Runner.LEDGER}),
    (RunState.REQUESTED, RunEvent.END, RunState.DONE, {Runner.LEDGER}),
    (RunState.RUNNING, RunEvent.END, RunState.DONE, {Runner.LEDGER}),
)


class Run(Struct, frozen=True):
    """`campaign_id`: only this one's book, from its beginning; None: all books, each from its checkpoint on.

    `behind`: the last book that was done; `steps` grows with each. `more`: differences that are not kept.
    """

    run_id: str
    by: str
    at: datetime
    campaign_id: str | None = None
    state: RunState = RunState.REQUESTED
    behind: str | None = None
    steps: int = 0
    checked: int = 0
    differences: tuple[Difference, ...] = ()
    more: int = 0
    ended_at: datetime | None = None

    @property
    def open(self) -> bool:
        return self.state is not RunState.DONE

    @property
    def wrong(self) -> int:
        return len(self.differences) + self.more

    def and_book(self, book: str, checked: int, found: list[Difference]) -> "Run":
        room = MOST_KEPT - len(self.differences)
        return replace(
            self,
            state=RUNS.after(self.state, RunEvent.STEP),
            behind=book,
            steps=self.steps + 1,
            checked=self.checked + checked,
            differences=(*self.differences, *found[:room]),
            more=self.more + max(0, len(found) - room),
        )

    def ended(self, at: datetime) -> "Run":
        after = RUNS.after(self.state, RunEvent.END)
        return replace(self, state=after, steps=self.steps + 1, ended_at=at)

    def difference(self, number: int) -> Difference:
        if not 0 <= number < len(self.differences):
            raise UnknownDifference()
        return self.differences[number]


class Checkpoint(Struct, frozen=True):
    """A book's accounts as they stood before `until`, when nothing was wrong with them. Customers' points are
    one account for each pot: a checkpoint does not grow with the customers."""

    book: str
    until: datetime
    sums: dict[str, Won]

    @property
    def digest(self) -> str:
        return hashlib.sha256(
            msgspec.json.encode([self.book, self.until, self.sums], order="sorted")
        ).hexdigest()


def collapsed(sums: Counter[str]) -> Counter[str]:
    found: Counter[str] = Counter()
    for account, amount in sums.items():
        owner, _, pot = account.rpartition("/")
        found[f"points/*/{pot}" if owner.startswith("points/") else account] += amount
    return Counter({account: amount for account, amount in found.items() if amount})


class Pot(Struct, frozen=True):
    """One counter of a campaign's budget."""

    campaign_id: str
    shard: int
    pot: str


class Wallet(Struct, frozen=True):
    """A customer's lots and debt, which follow from the wallet's own entries."""

    customer_id: str


Repairable = Pot | Wallet


def counter_of(difference: Difference) -> Repairable:
    """NotRepairable for all else: the books and the records are never changed."""
    match difference.item.split(" "):
        case ["wallet", customer_id, "WALLET"]:
            return Wallet(customer_id)
    match difference.account.split("/"):
        case ["campaign", campaign_id, shard, ("available" | "reserved" | "captured") as pot] if (
            difference.item.startswith("shard ") and isinstance(difference.found, int)
        ):
            return Pot(campaign_id, int(shard), pot)
    raise NotRepairable()


class RepairState(StrEnum):
    PROPOSED = "PROPOSED"
    DONE = "DONE"


class RepairEvent(StrEnum):
    APPROVE = "approve"


class Person(StrEnum):
    SECOND = "second person"


REPAIRS = Table(
    # where it stands        what happens          where it then stands  who may say so
    (RepairState.PROPOSED, RepairEvent.APPROVE, RepairState.DONE, {Person.SECOND}),
)


class Repair(Struct, frozen=True):
    """The correction of one difference of one run, made once: proposed by one person, approved by another.
    Who asked for the run has proposed what it finds."""

    repair_id: str
    run_id: str
    number: int
    proposed_by: str
    reason: str
    at: datetime
    state: RepairState = RepairState.PROPOSED
    approved_by: str | None = None

    def approved(self, by: str, at: datetime) -> "Repair":
        if by == self.proposed_by:
            raise SamePerson()
        after = REPAIRS.after(self.state, RepairEvent.APPROVE)
        return replace(self, state=after, approved_by=by, at=at)

    def entry(self, difference: Difference) -> Entry:
        """As a movement of its own: what the books hold stays, what was counted from them is put right."""
        amount, counter = difference.amount, counter_of(difference)
        book, account = NO_CAMPAIGN, difference.account
        if isinstance(counter, Pot):
            book = counter.campaign_id
        else:
            account = f"points/{counter.customer_id}/{account}"
        legs = (Leg(f"derived/{account}", -amount), Leg("repairs", amount))
        about: dict[str, str | int | None] = {
            "item": difference.item,
            "proposed_by": self.proposed_by,
            "approved_by": self.approved_by,
            "reason": self.reason,
        }
        return Entry(f"{book}/repaired/{self.repair_id}", "repaired", book, self.at, legs, about)
