"""What points are given for: how many, for how long, and how often."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from chalicelib.kernel.calendar import months_after
from chalicelib.kernel.money import Won, percent_of
from chalicelib.points.model.errors import BirthdayFixed, OwnGrant, UnknownGrant
from chalicelib.points.model.wallet import Movement, What

EARNED_PERCENT = 1
EARNED_MONTHS = 24
GRANTED_MONTHS = 12
"""Of points that operations give without saying how long they last."""
MOST_ALONE = 100_000
"""So many one customer gets in a day from people who ask nobody else."""
ASKED_FOR = timedelta(days=7)
"""So long a grant waits for a second person."""
BIRTHDAY_CHANGES_AFTER_MONTHS = 12
DAY = timedelta(days=1)
MOST_DAYS_CAUGHT_UP = 366
"""On more days nobody has a second birthday."""


class Award(Struct, frozen=True):
    points: int
    months: int


AWARDS = {
    What.SIGNED_UP: Award(3_000, 12),
    What.BIRTHDAY: Award(5_000, 3),
    What.RETURNED_IN_TIME: Award(2_000, 12),
}
"""Each once by its cause: a customer's first car, a calendar year, a contract."""


def first_car(customer_id: str) -> str:
    """The cause of the award for it: who has had the award has had a car."""
    return f"signup/{customer_id}"


class Rental(Struct, frozen=True):
    """Whose contract it is, and by when the car was to be back."""

    customer_id: str
    return_at: datetime | None


class Booked(Struct, frozen=True):
    """That a cause has had its movement. `request` tells a retry from another one; `lot`: what it gave."""

    cause: str
    request: str = ""
    lot: str = ""


class Earning(Struct, frozen=True):
    """What the card money of one checkout has earned, whatever order its facts come in: a refund may be heard
    before the payment. `given` is what its customer has by now; `lot` is where it came to."""

    checkout_id: str
    customer_id: str
    paid: Won = 0
    lot: str = ""
    given: int = 0
    refunds: Mapping[str, Won] = {}

    @property
    def changes(self) -> int:
        return len(self.refunds) + bool(self.lot)

    @property
    def owed(self) -> int:
        """One percent of what stays paid; nothing before the payment was heard of."""
        return percent_of(max(0, self.paid - sum(self.refunds.values())), EARNED_PERCENT)

    def captured(self, paid: Won, lot: str) -> "Earning":
        return replace(self, paid=paid, lot=lot)

    def refunded(self, refund_id: str, card: Won) -> "Earning":
        return replace(self, refunds={**self.refunds, refund_id: card})

    def settled(self) -> "Earning":
        return replace(self, given=self.owed)


class Grant(Struct, frozen=True):
    """What operations give by hand. `until`: at least so long it lasts; None: as long as any grant.
    `request` is the fingerprint of the body."""

    customer_id: str
    points: int
    reason: str
    until: datetime | None
    request: str


class Proposal(Struct, frozen=True):
    """A grant that one person may not give alone. `by`: who asked for it."""

    grant_id: str
    grant: Grant
    by: str
    at: datetime

    def approve(self, customer_id: str, points: int, by: str, at: datetime) -> None:
        """OwnGrant, and UnknownGrant when it is over or another one than is said."""
        if at > self.at + ASKED_FOR or (customer_id, points) != (self.grant.customer_id, self.grant.points):
            raise UnknownGrant()
        if by == self.by:
            raise OwnGrant()


class Given(Struct, frozen=True):
    """What became of a grant. `lot`: where its points came to, empty while it waits for a second person."""

    grant_id: str
    request: str
    lot: str = ""


def given_alone(movements: Iterable[Movement], since: datetime) -> int:
    return sum(
        each.points - each.debt
        for each in movements
        if each.entry.at > since and each.entry.what == What.GRANTED and "approved_by" not in each.entry.about
    )


class Birthday(Struct, frozen=True):
    """Month and day, no year."""

    customer_id: str
    month: int
    day: int
    changed_at: datetime

    @property
    def name(self) -> str:
        return name_of(self.month, self.day)

    def to(self, month: int, day: int, at: datetime) -> "Birthday":
        """BirthdayFixed before a year has passed, unless it stays what it is."""
        if (month, day) == (self.month, self.day):
            return self
        if at < months_after(self.changed_at, BIRTHDAY_CHANGES_AFTER_MONTHS):
            raise BirthdayFixed()
        return Birthday(self.customer_id, month, day, at)


def name_of(month: int, day: int) -> str:
    return f"{month:02d}-{day:02d}"


def exists(month: int, day: int) -> bool:
    """In some year: 29 February does."""
    try:
        date(2000, month, day)
    except ValueError:
        return False
    return True


def born_on(day: date) -> tuple[str, ...]:
    """Whose birthday is celebrated on that day. Who was born on 29 February celebrates on the 28th when there
    is no 29th."""
    names = (name_of(day.month, day.day),)
    leaps = (day + DAY).month == 2
    return (*names, name_of(2, 29)) if names == ("02-28",) and not leaps else names


def days_to_celebrate(done: date | None, today: date) -> tuple[date, ...]:
    """Those after the last one that is done, up to today; only today where nothing is known."""
    first = max(done + DAY, today - (MOST_DAYS_CAUGHT_UP - 1) * DAY) if done else today
    return tuple(first + number * DAY for number in range((today - first).days + 1))
