"""Who has a key: exactly one holder at every moment, as far as we know, and every change of it in a ledger.

Nothing in the ledger is ever edited. What turns out to have been otherwise is one more entry, from the holder
we believed in to the holder we believe in now.
"""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from chalicelib.keys.model.journey import Event, State


class Holder(StrEnum):
    DEPOT = "depot"
    CARRIER = "carrier"
    COURIER = "courier"
    CUSTOMER = "customer"
    ELSEWHERE = "elsewhere"
    UNKNOWN = "unknown"
    WRITTEN_OFF = "written_off"


HOME = (Holder.DEPOT, Holder.WRITTEN_OFF)
"""With these a key is accounted for, and its contract may close."""

BROUGHT_BY = {
    State.PACKED: Holder.DEPOT,
    State.HANDED_TO_CARRIER: Holder.CARRIER,
    State.IN_TRANSIT: Holder.CARRIER,
    State.OUT_FOR_DELIVERY: Holder.COURIER,
    State.ATTEMPT_FAILED: Holder.CARRIER,
    State.EXCEPTION: Holder.CARRIER,
    State.DELIVERED: Holder.CUSTOMER,
    State.UNCONFIRMED: Holder.CUSTOMER,
    State.VERIFIED: Holder.CUSTOMER,
    State.WRONG_KEY: Holder.ELSEWHERE,
    State.WRONG_ADDRESS: Holder.ELSEWHERE,
    State.RETURNING: Holder.CARRIER,
    State.RETURNED: Holder.DEPOT,
    State.RESTOCKED: Holder.DEPOT,
    State.CANCELLED: Holder.DEPOT,
    State.LOST: Holder.UNKNOWN,
    State.WRITTEN_OFF: Holder.WRITTEN_OFF,
}
"""Who has the key once its shipment stands there; where a state is missing, whoever had it before."""
HANDED_OVER = {Event.RECOVERED: Holder.COURIER, Event.FOUND: Holder.COURIER}
"""Events that say it themselves, whatever the state: one of our people has the key in their hand."""
GIVEN_BACK = {Event.RECOVERED: Holder.COURIER, Event.SCAN_RECEIVED_HUB: Holder.DEPOT}
"""How a key leaves its customer when the contract is over; its shipment ended long ago."""


def holder_after(before: Holder, event: Event, then: State) -> Holder:
    return HANDED_OVER.get(event) or BROUGHT_BY.get(then, before)


class Held(Struct, frozen=True):
    """A key and who has it. `shipment_id`: its latest way, `open` while that has not ended. `contract_id`:
    whose shipment moved it last. `seq`: how many entries its ledger has."""

    key_tag: str
    car_id: str
    holder: Holder
    since: datetime
    seq: int
    shipment_id: str
    contract_id: str
    open: bool

    @property
    def home(self) -> bool:
        return self.holder in HOME


class Entry(Struct, frozen=True):
    """One line of a key's ledger. `at`: when it happened; `recorded_at`: when we believed it."""

    key_tag: str
    car_id: str
    contract_id: str
    shipment_id: str
    seq: int
    from_kind: Holder
    holder_kind: Holder
    at: datetime
    recorded_at: datetime
    event: Event
    event_id: str

    @property
    def news(self) -> str | None:
        """What it means for renting the car."""
        if self.holder_kind is Holder.UNKNOWN:
            return "KeyLost"
        if self.holder_kind is Holder.WRITTEN_OFF:
            return "KeyRekeyed"
        return "KeyFound" if self.from_kind is Holder.UNKNOWN else None


def unaccounted(held: Held, ledger: Iterable[Entry], first: Holder = Holder.DEPOT) -> int:
    """How many keys the ledger lost or made: nothing but zero is right. Every entry takes from one holder and
    gives to another, and in the end the holder has the one key there is."""
    balance = {first: 1}
    for entry in ledger:
        balance[entry.from_kind] = balance.get(entry.from_kind, 0) - 1
        balance[entry.holder_kind] = balance.get(entry.holder_kind, 0) + 1
    balance[held.holder] = balance.get(held.holder, 0) - 1
    return sum(map(abs, balance.values()))
