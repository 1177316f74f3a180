"""What a contract is made of, and what is said about it; none of it changes anything."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from msgspec import Struct

from chalicelib.contracts.model.cars import CarName
from chalicelib.contracts.model.people import Driver
from chalicelib.kernel.money import Won


class Cause(StrEnum):
    """Whose fault it is that a contract ends before its handover."""

    CUSTOMER = "customer"
    COMPANY = "company"


class Handover(Struct, frozen=True):
    """Where and when the car is brought, or given back."""

    at: datetime
    address: str


class Application(Struct, frozen=True):
    """What a customer signs. `drivers`: at least one, the first the customer. `fingerprint`: the body's."""

    plan_id: str
    months: int
    handover: Handover
    card_token: str
    drivers: tuple[Driver, ...]
    fingerprint: str


class Term(Struct, frozen=True):
    months: int
    monthly_fee: Won


class Fee(Struct, frozen=True):
    """What is due first, and for which plan."""

    amount: Won
    plan: str


class Payment(Struct, frozen=True):
    """`amount`: what really came for this contract, after coupons and points."""

    checkout_id: str
    payment_id: str | None
    amount: Won


class Captured(Struct, frozen=True):
    """A paid checkout. `items`: what each contract's fee was; `paid`: the money that came for all of them.
    `payment_id`: None when nothing had to be paid."""

    checkout_id: str
    payment_id: str | None
    items: tuple[tuple[str, Won], ...]
    paid: Won

    def shares(self) -> Iterator[tuple[str, Payment]]:
        """In proportion, the last one taking what rounding leaves, so that shares add up to `paid`."""
        total, left = sum(amount for _, amount in self.items), self.paid
        for position, (contract_id, amount) in enumerate(self.items, start=1):
            share = left if position == len(self.items) else self.paid * amount // (total or 1)
            left -= share
            yield contract_id, Payment(self.checkout_id, self.payment_id, share)


class AccessNews(Struct, frozen=True):
    """Operations' word on access since `at`. `cause`: one word."""

    lost: bool
    at: datetime
    fault: Literal["ours", "customer"]
    cause: str


class Line(Struct, frozen=True):
    """`amount`: + comes back to the customer, - they owe it."""

    what: str
    amount: Won


class Money(Struct, frozen=True):
    """The price of a change, and when the change takes effect. sum(lines) = refund - charge."""

    effective_at: datetime
    refund: Won = 0
    charge: Won = 0
    lines: tuple[Line, ...] = ()

    @property
    def words(self) -> dict[str, Any]:
        return {"refund": self.refund, "charge": self.charge, "lines": written(self.lines)}


class MoneyFacts(Struct, frozen=True):
    """What the price of a change depends on. `paid`: the card money that came, None before payment."""

    terms: tuple[Term, ...]
    handover_at: datetime
    paid: Won | None
    starts_at: datetime | None


class MoneyRules(Struct, frozen=True):
    """What a quote promises about changing one's mind. Percentages of the fee of what would be left."""

    free_until_hours: int
    late_percent: int
    early_end_percent: int


class News(Struct, frozen=True):
    """What the world is told: a fact without its envelope."""

    kind: str
    data: dict[str, Any]


class Outcome(Struct, frozen=True, omit_defaults=True):
    """What whoever asked for a change hears, the first time and every time after."""

    contract_id: str
    state: str
    refund: Won = 0
    charge: Won = 0
    lines: tuple[Line, ...] = ()
    effective_at: datetime | None = None
    ends_at: datetime | None = None
    monthly_fee: Won | None = None
    number: int | None = None
    quote: str | None = None
    quote_until: datetime | None = None


class Answered(Struct, frozen=True):
    """A request that was granted. `words`: what was asked, so that a key stands for one request."""

    record_id: str
    words: str
    outcome: Outcome


class Delivery(Struct, frozen=True):
    """What whoever packs and tracks the key must know. The label's hash stands for the address."""

    contract_id: str
    customer_id: str
    car_id: str
    key_tag: str
    label_hash: str
    handover_at: datetime


class Standing(Struct, frozen=True):
    """Where a contract stands, for contexts that go on from there. `ends_at`: None before it is active."""

    contract_id: str
    customer_id: str
    state: str
    car_id: str | None
    plate: str | None
    model: str | None
    handover_at: datetime
    address: str
    return_at: datetime | None
    return_address: str
    starts_at: datetime | None
    ends_at: datetime | None
    version: int


class Licensed(Struct, frozen=True):
    """A driver as whoever hands out keys knows them. `verified`: the office has confirmed the licence."""

    number: str
    name: str
    phone: str
    verified: bool


class Admission(Struct, frozen=True):
    """For whom a contract's car may be opened, and until when. `car_id`: None before it has one.

    `open`: its customer awaits the car, uses it, or has yet to bring it back. `ends_at`: as agreed, or as
    planned while it has not begun.
    """

    contract_id: str
    customer_id: str
    car_id: str | None
    open: bool
    ends_at: datetime
    drivers: tuple[Licensed, ...]


class KeyStatus(Struct, frozen=True):
    """Where the key of a contract is. `tracking`: the carrier's number, once there is one."""

    shipment_id: str
    key_tag: str
    state: str
    tracking: str | None


class Listed(Struct, frozen=True):
    """One of a customer's contracts, as a list shows it. `position` continues the list after it."""

    contract_id: str
    state: str
    plan_id: str
    months: int
    handover_at: datetime
    car: CarName | None
    position: str


class Due(Struct, frozen=True):
    contract_id: str
    due_at: datetime | None


def written(lines: Sequence[Line]) -> list[dict[str, Any]]:
    return [{"what": line.what, "amount": line.amount} for line in lines]
