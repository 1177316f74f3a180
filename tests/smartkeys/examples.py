"""Memorable contracts, people and orders for the tests of this context, and the neighbours they meet."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from chalicelib.contracts.model import phone_number, proven
from chalicelib.kernel.auth import Caller, Group
from chalicelib.kernel.clock import Clock
from chalicelib.kernel.errors import HandoverError
from chalicelib.kernel.tables import Look
from chalicelib.smartkeys.model import Grant, Holder, Order, UnknownContract, UnknownHolder
from chalicelib.smartkeys.service import SmartKeyService, Store
from chalicelib.smartkeys.store import SmartKeyStore
from tests.conftest import NOON
from tests.memory import MemoryLook

KEY = "not a real link key"
BORN = "900115"
PHONE = "+821012345678"
PHONE_2 = "+821087654321"
KIM = "con_kim"
LEE = "con_lee"
HANA = Caller("kim", authenticated_at=NOON)
"""Whose contract KIM is."""
DUL = Caller("dul", authenticated_at=NOON, phone=PHONE_2)
"""Its driver 2."""
OLGA = Caller("olga", frozenset({Group.OPS}), authenticated_at=NOON)


@dataclass(frozen=True)
class Driver:
    number: str
    name: str
    phone: str
    verified: bool = True


@dataclass(frozen=True)
class Admission:
    customer_id: str
    car_id: str | None
    open: bool = True
    holds: bool = True
    """Its car is not free for others yet."""
    ends_at: datetime = NOON + timedelta(days=365)
    drivers: tuple[Driver, ...] = (
        Driver("1", "김하나", PHONE),
        Driver("2", "이둘", PHONE_2),
        Driver("3", "박셋", "+821033333333", verified=False),
    )


@dataclass(frozen=True)
class Party:
    phone: str
    language: str = "ko"


@dataclass(frozen=True)
class Car:
    car_id: str
    plate: str
    model: str
    contract_id: str | None


@dataclass(frozen=True)
class Seen:
    online: bool = True
    last_seen: datetime | None = NOON
    locked: bool | None = True
    doors_open: bool | None = False
    battery_percent: int | None = 80
    position: tuple[float, float] | None = (37.5665, 126.978)
    position_at: datetime | None = NOON
    reported_at: datetime | None = NOON
    stopped: bool = False


class Contracts:
    """Kim and Lee, each with a car, sharing one phone; driver 2 has another. `asked` counts proofs.

    `meanwhile` happens while the first of them is looked at. A test may change what is `known`.
    """

    def __init__(self) -> None:
        self.asked = 0
        self.meanwhile: list[Callable[[], object]] = []
        self.known = {KIM: Admission("kim", "car-0001"), LEE: Admission("lee", "car-0002")}

    def admission(self, contract_id: str) -> Admission:
        if contract_id not in self.known:
            raise UnknownContract()
        return self.known[contract_id]

    def admitted(self, _: object, contract_id: str) -> Callable[[], Admission]:
        return lambda: self.admission(contract_id)

    def change(self, contract_id: str = KIM, **changes: Any) -> None:
        self.known[contract_id] = dataclasses.replace(self.known[contract_id], **changes)

    def party(self, contract_id: str, holder: str) -> Party:
        number = "1" if holder == "customer" else holder
        named = {driver.number: driver for driver in self.admission(contract_id).drivers}
        if number not in named:
            raise UnknownHolder()
        return Party(named[number].phone)

    def proves(self, contract_id: str, holder: str, proof: str) -> bool:
        self.asked += 1
        while self.meanwhile:
            self.meanwhile.pop()()
        return proof == {KIM: BORN, LEE: "851231"}.get(contract_id)

    def car(self, car_id: str) -> Car:
        has = {known.car_id: contract_id for contract_id, known in self.known.items() if known.holds}
        return Car(car_id, "12가 3456", "Casper", has.get(car_id))


class Bills:
    def __init__(self) -> None:
        self.due: set[str] = set()

    def overdue(self, contract_id: str) -> bool:
        return contract_id in self.due


class Cars:
    """Online and just heard of, unless a test says otherwise."""

    def __init__(self, seen: Seen | None = None) -> None:
        self.seen = seen or Seen()

    def car_state(self, car_id: str) -> Seen:
        return self.seen


def service_on(store: Store, clock: Clock, new_id: Callable[[str], str]) -> SmartKeyService:
    return SmartKeyService(
        store, Contracts(), Cars(), Bills(), lambda: KEY, phone_number, proven, clock, new_id
    )


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


def admitted(service: SmartKeyService, token: str | None, at: datetime) -> Holder:
    """As doors asks: a refusal is raised."""
    holder = service.holder(token, at)
    if holder.refusal:
        raise holder.refusal
    return holder


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


@dataclass(frozen=True)
class Press:
    """A command about to leave for Kim's car."""

    grant_id: str
    command_id: str = "cmd_1"
    car_id: str = "car-0001"
    action: str = "unlock"
    contract_id: str = KIM


def still(
    service: SmartKeyService, press: Press, at: datetime, after_the_look: Callable[[], object] = lambda: None
) -> HandoverError | None:
    """What doors hears when it asks at the last moment."""
    look: Any = Look() if isinstance(service.store, SmartKeyStore) else MemoryLook()
    answer = service.still(look, press)
    look.fetch()
    after_the_look()
    return answer(at)
