"""Memorable contracts, people and orders for the tests of this context, and the neighbours they meet."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from chalicelib.kernel.errors import NotFound
from chalicelib.smartkeys.model import Grant, Order
from chalicelib.smartkeys.service import SmartKeyService, Store
from tests.conftest import NOON

KEY = "not a real link key"
BORN = "900115"
PHONE = "+821012345678"
KIM = "con_kim"
LEE = "con_lee"


@dataclass(frozen=True)
class Delivery:
    car_id: str


@dataclass(frozen=True)
class Party:
    phone: str
    language: str = "ko"


@dataclass(frozen=True)
class Car:
    car_id: str
    plate: str
    model: str


@dataclass(frozen=True)
class Seen:
    online: bool = True
    last_seen: datetime | None = NOON


class Contracts:
    """Kim and Lee, each with a car, sharing one phone; driver 2 has another. `asked` counts proofs.

    `meanwhile` happens while the first of them is looked at.
    """

    def __init__(self) -> None:
        self.asked = 0
        self.meanwhile: list[Callable[[], object]] = []

    def delivery(self, contract_id: str) -> Delivery:
        return Delivery({KIM: "car-0001", LEE: "car-0002"}[self._known(contract_id)])

    def party(self, contract_id: str, holder: str) -> Party:
        self._known(contract_id)
        return Party({"customer": PHONE, "2": "+821087654321"}[holder])

    def proves(self, contract_id: str, holder: str, proof: str) -> bool:
        self.asked += 1
        while self.meanwhile:
            self.meanwhile.pop()()
        return proof == {KIM: BORN, LEE: "851231"}[contract_id]

    def car(self, car_id: str) -> Car:
        return Car(car_id, "12가 3456", "Casper")

    def _known(self, contract_id: str) -> str:
        if contract_id not in (KIM, LEE):
            raise NotFound()
        return contract_id


class Cars:
    """Online and just heard of, unless a test says otherwise."""

    def __init__(self, seen: Seen | None = None) -> None:
        self.seen = seen or Seen()

    def car_state(self, car_id: str) -> Seen:
        return self.seen


def order(name: str = "o1", contract_id: str = KIM, holder: str = "customer", **changes: Any) -> Order:
    """What a person of operations asks for."""
    plain = Order(
        order_id=f"ord_{name}",
        fingerprint="fp",
        grant_id=f"grt_{name}",
        contract_id=contract_id,
        holder=holder,
        reason="called us",
        issuer="olga",
        not_after=NOON + timedelta(days=2),
    )
    return replace(plain, **changes)


def rescued(service: SmartKeyService, contract_id: str = KIM, cause: str = "evt_late") -> Grant:
    grant = service.rescue(contract_id, "KeyShipmentEscalated", cause)
    assert grant is not None
    return grant


def code_of(service: SmartKeyService, grant: Grant, send_no: int = 1) -> str:
    return service.link(grant.grant_id, send_no).code


class OvertakenStore:
    """A store on which somebody else acts right after the first answer to `read`."""

    def __init__(self, store: Store, read: str, act: Callable[[], object]) -> None:
        self._store, self._read, self._acts = store, read, [act]

    def __getattr__(self, name: str) -> Any:
        def overtaken_read(*given: object) -> object:
            seen = getattr(self._store, name)(*given)
            while self._acts:
                self._acts.pop()()
            return seen

        return overtaken_read if name == self._read else getattr(self._store, name)


def overtaken(service: SmartKeyService, read: str, act: Callable[[], object]) -> SmartKeyService:
    return replace(service, store=OvertakenStore(service.store, read, act))
