"""Recording what happens to a contract, and telling it in order."""

from collections.abc import Iterator
from typing import Protocol

from msgspec import Struct

from chalicelib.journey.model import Event, Page
from chalicelib.kernel.auth import Caller, Group
from chalicelib.kernel.facts import Fact


class Store(Protocol):
    def record(self, event: Event) -> bool:
        """False when it was recorded before."""

    def newest_first(self, contract_id: str, after: str | None) -> Iterator[tuple[str, Event]]:
        """Each with its position, from behind `after` on; no more pages are read than are asked for."""


class Contracts(Protocol):
    """NotFound when there is no such contract, or it is another customer's."""

    def owned(self, contract_id: str, customer_id: str) -> None: ...

    def exists(self, contract_id: str) -> None: ...


class JourneyService(Struct, frozen=True):
    """`most_read`: rows one request reads at most, since some are not for the one who asks."""

    store: Store
    contracts: Contracts
    most_read: int = 500

    def record(self, fact: Fact) -> bool:
        """False when nothing was new: heard before, or about no contract."""
        contract_id = fact.data.get("contract_id")
        if not isinstance(contract_id, str) or not contract_id:
            return False
        return self.store.record(Event(fact.id, contract_id, fact.type, fact.at, fact.data))

    def timeline(self, contract_id: str, by: Caller, limit: int, after: str | None) -> Page:
        """All of it for operations, what is the customer's for its customer."""
        is_ops = Group.OPS in by.groups
        if is_ops:
            self.contracts.exists(contract_id)
        else:
            self.contracts.owned(contract_id, by.id)
        shown: list[Event] = []
        for read, (position, event) in enumerate(self.store.newest_first(contract_id, after), start=1):
            seen = event if is_ops else event.for_customer()
            if seen and len(shown) == limit:
                return Page(tuple(shown), after)
            if seen:
                shown.append(seen)
            after = position
            if read == self.most_read:
                return Page(tuple(shown), after)
        return Page(tuple(shown), None)
