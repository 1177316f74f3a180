"""Money is a whole number of won; there is no fraction to lose. What moves is written down as entries of
double-entry bookkeeping: legs on accounts, whose sum is 0.

Accounts are paths, from the owner to the pot, like `campaign/cmp_1/available` or `points/kim/balance`.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec import Struct

Won = int
About = dict[str, str | int | None]


def percent_of(amount: Won, percent: int) -> Won:
    """Rounded down, so that a discount never exceeds its percentage."""
    return amount * percent // 100


def shares(amount: Won, weights: Sequence[int]) -> tuple[Won, ...]:
    """Adds up to exactly `amount`, each as near to its weight as whole won allow, none above its weight when
    `amount` is not above their sum: the largest remainders are rounded up (Hamilton's method)."""
    total = sum(weights)
    if total == 0:
        return tuple(0 for _ in weights)
    parts = [amount * weight // total for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda place: (-(amount * weights[place] % total), place))
    for place in by_remainder[: amount - sum(parts)]:
        parts[place] += 1
    return tuple(parts)


class Unbalanced(Exception):
    """The legs of an entry do not add up to 0: a fault of ours, never a customer's."""


class Leg(Struct, frozen=True, array_like=True):
    """What an account gets (above 0) or gives (below 0)."""

    account: str
    amount: Won


class Entry(Struct, frozen=True):
    """One movement of money, never changed. `cause` names what made it, and no cause has two entries;
    `what` is its kind; `book` the pile it lies in: a campaign's id, or a word."""

    cause: str
    what: str
    book: str
    at: datetime
    legs: tuple[Leg, ...]
    about: About = {}

    def __post_init__(self) -> None:
        if sum(leg.amount for leg in self.legs) != 0:
            raise Unbalanced(self.cause)


def balances(entries: Iterable[Entry]) -> Counter[str]:
    """account -> what it holds after all of them."""
    found: Counter[str] = Counter()
    for entry in entries:
        for leg in entry.legs:
            found[leg.account] += leg.amount
    return found
