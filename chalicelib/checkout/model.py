"""What a checkout is: priced lines, a discount, what remains to be paid, and for how long it is kept."""

from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from chalicelib.kernel.errors import Conflict, NotFound, Refused
from chalicelib.kernel.money import Won

RESERVED_FOR = timedelta(minutes=15)


class UnknownCheckout(NotFound):
    """There is no such checkout."""


class NoCatalogue(Refused):
    """Services are not sold yet."""


class NoPoints(Refused):
    """Points cannot be used yet."""


class SameItemTwice(Refused):
    """An order names each item once."""


class AlreadyReserved(Conflict):
    """This request was granted before."""


class Kind(StrEnum):
    CONTRACT_FEE = "contract_fee"
    SERVICE = "service"


class Item(Struct, frozen=True):
    """`ref` names what is bought: the contract whose fee is due, or a service."""

    kind: Kind
    ref: str


class Order(Struct, frozen=True):
    """As asked for, without a price. `request` is the fingerprint of the body."""

    order_id: str
    items: tuple[Item, ...]
    coupon_id: str | None
    points: int
    request: str

    def refuse_impossible(self) -> None:
        """What no price can make possible."""
        if self.points:
            raise NoPoints()
        if len(set(self.items)) < len(self.items):
            raise SameItemTwice()
        if any(item.kind is Kind.SERVICE for item in self.items):
            raise NoCatalogue()


class State(StrEnum):
    RESERVED = "RESERVED"


class Checkout(Struct, frozen=True):
    """`split` says how much of the discount each shard of the campaign's budget paid, so that it can go back.

    Its id comes from its owner's Idempotency-Key: this record is what makes a retry harmless, for ever.
    """

    checkout_id: str
    customer_id: str
    order_id: str
    items: tuple[tuple[Item, Won], ...]
    coupon_id: str | None
    discount: Won
    split: tuple[tuple[int, Won], ...]
    request: str
    reserved_at: datetime
    state: State = State.RESERVED
    points_used: int = 0

    @property
    def total(self) -> Won:
        return sum(amount for _, amount in self.items)

    @property
    def payable(self) -> Won:
        return self.total - self.discount

    @property
    def expires_at(self) -> datetime:
        return self.reserved_at + RESERVED_FOR

    @property
    def campaign_id(self) -> str | None:
        return self.coupon_id and self.coupon_id.partition(".")[0]
