"""Where an entry lies, and what shows that it was not changed."""

import hashlib
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta

import msgspec
from msgspec import Struct

from chalicelib.kernel.calendar import KST
from chalicelib.kernel.errors import Conflict
from chalicelib.kernel.money import Entry, Leg, Unbalanced, Won

NO_CAMPAIGN = "-"
"""The book of what no campaign pays."""
LANES = 8
"""A book's month is spread over so many partitions; one cause's entries lie in the same one."""
DAY = timedelta(days=1)


class AlreadyBooked(Conflict):
    """This movement is in the books."""


class Booked(Struct, frozen=True):
    """A row of the books as it is found. `mark` was made of the entry as it was posted."""

    pk: str
    sk: str
    text: str
    mark: str

    @property
    def name(self) -> str:
        return f"{self.pk}|{self.sk}"

    @property
    def whole(self) -> bool:
        """Neither changed, nor moved to another place."""
        entry = self.entry
        return (
            entry is not None
            and mark_of(self.text) == self.mark
            and (self.pk, self.sk) == (place_of(entry), sort_of(entry))
        )

    @property
    def entry(self) -> Entry | None:
        """None when it cannot be read, or does not add up to 0."""
        try:
            return msgspec.json.decode(self.text, type=Entry)
        except (msgspec.MsgspecError, Unbalanced):
            return None

    @property
    def cause(self) -> str:
        """By its name, whatever stands inside."""
        return self.sk.partition("#")[2]

    @property
    def subject(self) -> str:
        return subject_of(self.cause)

    @property
    def book(self) -> str:
        return self.pk.split("#")[1]

    @property
    def at(self) -> datetime:
        return datetime.fromisoformat(self.sk.partition("#")[0])

    @property
    def holds(self) -> Counter[str]:
        """What can be read of the legs, even if they do not add up."""
        found: Counter[str] = Counter()
        with suppress(msgspec.MsgspecError):
            for leg in msgspec.json.decode(self.text, type=_Legs).legs:
                found[leg.account] += leg.amount
        return found


class _Legs(Struct):
    legs: tuple[Leg, ...]


def booked(entry: Entry) -> Booked:
    text = msgspec.json.encode(entry).decode()
    return Booked(place_of(entry), sort_of(entry), text, mark_of(text))


def mark_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def subject_of(cause: str) -> str:
    """The checkout, or the campaign, whose doing it was."""
    return cause.partition("/")[0]


def lane_of(subject: str) -> int:
    return zlib.crc32(subject.encode()) % LANES


def month_of(at: datetime) -> str:
    return at.astimezone(KST).strftime("%Y-%m")


def day_of(at: datetime) -> date:
    """The booking day: in Seoul, by the clock of whoever wrote the entry."""
    return at.astimezone(KST).date()


def starts(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=KST)


def months(first: datetime, last: datetime) -> Iterator[str]:
    """From the month of one to the month of the other."""
    here, end = day_of(first).replace(day=1), day_of(last)
    while here <= end:
        yield here.strftime("%Y-%m")
        here = (here + 31 * DAY).replace(day=1)


def page_of(book: str, month: str, lane: int) -> str:
    return f"BOOK#{book}#{month}#{lane}"


def place_of(entry: Entry) -> str:
    return page_of(entry.book, month_of(entry.at), lane_of(subject_of(entry.cause)))


def sort_of(entry: Entry) -> str:
    return f"{stamped(entry.at)}#{entry.cause}"


def stamped(at: datetime) -> str:
    """As `kernel.clock.stamp`: a fixed width, so that names sort as times do."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


Reference = tuple[str, str]
"""By what a checkout is found: a kind (`customer`, `order`, `coupon`) and an id."""


class Reserved(Struct, frozen=True):
    """A reservation as its fact tells it. `split`: what each shard of the campaign's budget set aside."""

    checkout_id: str
    order_id: str
    customer_id: str
    coupon_id: str | None
    campaign_id: str | None
    split: tuple[tuple[int, Won], ...]
    points: int
    at: datetime

    @property
    def entry(self) -> Entry | None:
        """As the checkout's record gives it; None when only a card will pay, and nothing moves."""
        legs = []
        for shard, part in self.split:
            account = f"campaign/{self.campaign_id}/{shard}"
            legs += [Leg(f"{account}/available", -part), Leg(f"{account}/reserved", part)]
        legs += [
            Leg(f"points/{self.customer_id}/balance", -self.points),
            Leg(f"points/{self.customer_id}/held", self.points),
        ]
        moved = tuple(leg for leg in legs if leg.amount)
        about: dict[str, str | int | None] = {
            "customer_id": self.customer_id,
            "order_id": self.order_id,
            "coupon_id": self.coupon_id,
        }
        book = self.campaign_id or NO_CAMPAIGN
        cause = f"{self.checkout_id}/reserved"
        return Entry(cause, "reserved", book, self.at, moved, about) if moved else None

    @property
    def references(self) -> tuple[Reference, ...]:
        found = (("customer", self.customer_id), ("order", self.order_id), ("coupon", self.coupon_id))
        return tuple((kind, name) for kind, name in found if name)
