"""The contracts store in memory: the same promises as `chalicelib.contracts.store`, in dictionaries."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from msgspec.structs import replace

from chalicelib.contracts.model import (
    AlreadyAsked,
    AlreadyRefused,
    AlreadySigned,
    Answered,
    Car,
    CarBlocked,
    CarDiffers,
    CarTaken,
    Contract,
    Driver,
    Due,
    KeyStatus,
    KeyTagTaken,
    Listed,
    MovedOn,
    NotTheCarsKey,
    OfficeAway,
    Step,
    UnknownCar,
    Verdict,
)
from chalicelib.kernel.clock import stamp
from chalicelib.kernel.deadlines import shard_of
from chalicelib.kernel.facts import Fact
from chalicelib.neighbours.contracts import BillingOfContracts
from tests.memory import MemoryLook, MemoryWrite


class MemoryContracts:
    def __init__(self) -> None:
        self.contracts: dict[str, Contract] = {}
        self.cars: dict[str, Car] = {}
        self.tags: dict[str, str] = {}
        self.asked: dict[tuple[str, str], Answered] = {}
        self.refused: set[tuple[str, str]] = set()
        self.facts: list[Fact] = []

    def find(self, contract_id: str) -> Contract | None:
        return self.contracts.get(contract_id)

    def found(self, look: MemoryLook, contract_id: str) -> Callable[[], Contract | None]:
        return look.row(lambda: self.find(contract_id))

    def sign(self, contract: Contract, fact: Fact) -> None:
        write = MemoryWrite()
        write.clause(
            holds=lambda: contract.contract_id not in self.contracts,
            then=lambda: self.contracts.update({contract.contract_id: contract}),
            otherwise=AlreadySigned,
        )
        write.fact(self.facts, fact)
        write.commit()

    def save(self, step: Step, facts: Sequence[Fact], answered: Answered | None = None) -> None:
        write = MemoryWrite()
        if answered is not None:
            key = (step.after.contract_id, answered.record_id)
            write.clause(
                holds=lambda: key not in self.asked,
                then=lambda: self.asked.update({key: answered}),
                otherwise=AlreadyAsked,
            )
        self.add(write, step, facts)
        write.commit()

    def add(self, write: MemoryWrite, step: Step, facts: Sequence[Fact]) -> None:
        before, after, take, frees = step.before, step.after, step.takes, step.frees

        def as_before() -> bool:
            now = self.contracts[before.contract_id]
            return (now.state, now.version) == (before.state, before.version)

        def hold(car_id: str, contract_id: str | None) -> None:
            self.cars[car_id] = replace(self.cars[car_id], contract_id=contract_id)

        write.clause(
            holds=as_before,
            then=lambda: self.contracts.update({after.contract_id: after}),
            otherwise=MovedOn,
        )
        if take is not None:
            write.clause(holds=lambda: take.car_id in self.cars, otherwise=UnknownCar)
            write.clause(
                holds=lambda: take.key_tag in self.cars[take.car_id].key_tags, otherwise=NotTheCarsKey
            )
            write.clause(holds=lambda: self.cars[take.car_id].contract_id is None, otherwise=CarTaken)
            write.clause(
                holds=lambda: not self.cars[take.car_id].blocked,
                then=lambda: hold(take.car_id, after.contract_id),
                otherwise=CarBlocked,
            )
        if frees is not None:
            write.clause(
                holds=lambda: self.cars[frees].contract_id == after.contract_id,
                then=lambda: hold(frees, None),
                otherwise=MovedOn,
            )
        for fact in facts:
            write.fact(self.facts, fact)

    def answered(self, contract_id: str, record_id: str) -> Answered | None:
        return self.asked.get((contract_id, record_id))

    def refuse_payment(self, contract_id: str, checkout_id: str, fact: Fact) -> None:
        key = (contract_id, checkout_id)
        write = MemoryWrite()
        write.clause(
            holds=lambda: key not in self.refused,
            then=lambda: self.refused.add(key),
            otherwise=AlreadyRefused,
        )
        write.fact(self.facts, fact)
        write.commit()

    def mine(self, customer_id: str, limit: int, after: str | None) -> list[Listed]:
        theirs = [_listed(each) for each in self.contracts.values() if each.customer_id == customer_id]
        newest = sorted(theirs, key=lambda each: each.position, reverse=True)
        return [each for each in newest if after is None or each.position < after][:limit]

    def due(self, shard: int, until: datetime) -> Iterator[list[Due]]:
        yield [
            Due(each.contract_id, each.due_at)
            for each in list(self.contracts.values())
            if each.due_at and each.due_at <= until and shard_of(each.contract_id) == str(shard)
        ]

    def find_car(self, car_id: str) -> Car | None:
        return self.cars.get(car_id)

    def register(self, car: Car) -> None:
        write = MemoryWrite()
        write.clause(
            holds=lambda: car.car_id not in self.cars,
            then=lambda: self.cars.update({car.car_id: car}),
            otherwise=CarDiffers,
        )
        for tag in car.key_tags:
            write.clause(
                holds=lambda tag=tag: tag not in self.tags,  # type: ignore[misc]
                then=lambda tag=tag: self.tags.update({tag: car.car_id}),  # type: ignore[misc]
                otherwise=KeyTagTaken,
            )
        write.commit()

    def save_car(self, before: Car, after: Car) -> None:
        def hear() -> None:
            self.cars[after.car_id] = replace(self.cars[after.car_id], key_news=after.key_news)

        write = MemoryWrite()
        write.clause(
            holds=lambda: self.cars[after.car_id].key_news == before.key_news, then=hear, otherwise=MovedOn
        )
        write.commit()


def _listed(contract: Contract) -> Listed:
    return Listed(
        contract.contract_id,
        contract.state,
        contract.plan_id,
        contract.months,
        contract.handover.at,
        contract.car,
        f"{stamp(contract.signed_at)}#{contract.contract_id}",
    )


class HouseKeys:
    """keys: `known` shipments, and the tags that are `out`."""

    def __init__(self) -> None:
        self.known: dict[str, KeyStatus] = {}
        self.out: list[str] = []

    def status(self, contract_id: str) -> KeyStatus | None:
        return self.known.get(contract_id)

    def outstanding(self, contract_id: str) -> list[str]:
        return self.out


class Prices(BillingOfContracts, frozen=True):
    """billing's own prices; no account was opened."""

    def standing(self, contract_id: str) -> str:
        return "not_started"


class Desk:
    """Both offices: whoever they do not name may drive, and no car is recalled."""

    def __init__(self) -> None:
        self.refused: dict[str, str] = {}
        self.recalled: dict[str, str] = {}
        self.away = False
        self.asked: list[str] = []
        self.slow: Callable[[], None] = lambda: None

    def check(self, driver: Driver, at: datetime) -> Verdict:
        self._answer(driver.licence_no)
        reason = self.refused.get(driver.licence_no)
        return Verdict(True) if reason is None else Verdict(False, reason)

    def open_recall(self, car_id: str) -> str | None:
        self._answer(car_id)
        return self.recalled.get(car_id)

    def _answer(self, about: str) -> None:
        if self.away:
            raise OfficeAway()
        self.asked.append(about)
        self.slow()
