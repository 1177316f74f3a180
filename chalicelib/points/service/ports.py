"""What the services of points need from others."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Protocol

from chalicelib.kernel.facts import Fact
from chalicelib.kernel.tables import Write
from chalicelib.points.model import (
    Birthday,
    Booked,
    Change,
    Conversion,
    Due,
    Earning,
    Lots,
    Movement,
    Proposal,
    Rental,
    Wallet,
)


class Drawn(Protocol):
    """Points that have left a wallet, by lot."""

    @property
    def lots(self) -> Lots: ...


class WalletStore(Protocol):
    """Methods with `write` only add clauses to a transaction; every other one is one strongly consistent
    call, but `due`."""

    def wallet(self, customer_id: str) -> Wallet:
        """An empty one where there is none."""

    def change(self, write: Write, change: Change) -> None:
        """The wallet and its new movements; WalletMoved when it is not as it was read."""

    def once(self, write: Write, booked: Booked) -> None:
        """AlreadyBooked when that cause was."""

    def booked(self, cause: str) -> Booked | None: ...

    def movements(self, customer_id: str, limit: int, before: int | None) -> Sequence[Movement]:
        """Newest first. What cannot be read any more is left out."""

    def publish(self, write: Write, fact: Fact) -> None: ...

    def due(self, shard: int, until: datetime) -> Iterator[Sequence[Due]]:
        """Wallets and conversions whose time has come; may lag a moment behind."""


class AwardStore(Protocol):
    """As WalletStore."""

    def earning(self, checkout_id: str) -> Earning | None: ...

    def earn(self, write: Write, before: Earning | None, after: Earning) -> None:
        """WalletMoved when it is not as it was read."""

    def propose(self, proposal: Proposal) -> None:
        """Commits; AlreadyBooked when there is one of that id."""

    def proposal(self, grant_id: str) -> Proposal | None: ...

    def birthday(self, customer_id: str) -> Birthday | None: ...

    def declare(self, before: Birthday | None, after: Birthday) -> None:
        """Commits; MovedOn when it is not as it was read."""

    def born(self, name: str) -> Iterator[str]:
        """Customers with that birthday (mm-dd); may lag a moment behind."""

    def celebrated(self) -> date | None:
        """The last day whose birthdays are done."""

    def celebrate(self, before: date | None, day: date) -> None:
        """Commits; MovedOn when another run was faster."""


class ConversionStore(Protocol):
    """As WalletStore."""

    def open(self, write: Write, conversion: Conversion) -> None:
        """AlreadyBooked when there is one of that id."""

    def conversion(self, conversion_id: str) -> Conversion | None: ...

    def end(self, write: Write, after: Conversion) -> None:
        """MovedOn unless it is still open."""

    def mark(self, before: Conversion, after: Conversion) -> None:
        """Commits rung and due time; MovedOn unless it is as `before` says."""


class Contracts(Protocol):
    def rental(self, contract_id: str) -> Rental: ...


class PartnerOffice(Protocol):
    """Each call is safe to repeat: a conversion's id stands for one transfer, for ever.

    PartnerRefused is final; Unanswered says nothing about what happened.
    """

    def transfer(self, partner_id: str, conversion_id: str, account: str, points: int) -> None:
        """`points` are the partner's own."""

    def find(self, partner_id: str, conversion_id: str) -> bool:
        """False when the partner never heard of it; PartnerRefused when that is how it ended."""
