"""The contracts store in memory: the same promises as `chalicelib.contracts.store`, in dictionaries."""

from msgspec.structs import replace

from chalicelib.contracts.model import (
    AlreadySigned,
    Assignment,
    Car,
    CarDiffers,
    CarTaken,
    Contract,
    KeyStatus,
    KeyTagTaken,
    MovedOn,
    NotTheCarsKey,
    UnknownCar,
)
from chalicelib.kernel.facts import Fact
from tests.memory import MemoryWrite


class MemoryContracts:
    def __init__(self) -> None:
        self.contracts: dict[str, Contract] = {}
        self.cars: dict[str, Car] = {}
        self.tags: dict[str, str] = {}
        self.facts: list[Fact] = []

    def find(self, contract_id: str) -> Contract | None:
        return self.contracts.get(contract_id)

    def sign(self, contract: Contract, fact: Fact) -> None:
        write = MemoryWrite()
        write.clause(
            holds=lambda: contract.contract_id not in self.contracts,
            then=lambda: self.contracts.update({contract.contract_id: contract}),
            otherwise=AlreadySigned,
        )
        write.fact(self.facts, fact)
        write.commit()

    def assign(self, before: Contract, after: Contract, to: Assignment, fact: Fact) -> None:
        def as_before() -> bool:
            now = self.contracts[before.contract_id]
            return (now.state, now.version) == (before.state, before.version)

        def give() -> None:
            self.contracts[after.contract_id] = after
            self.cars[to.car_id] = replace(self.cars[to.car_id], contract_id=after.contract_id)

        write = MemoryWrite()
        write.clause(holds=as_before, otherwise=MovedOn)
        write.clause(holds=lambda: to.car_id in self.cars, otherwise=UnknownCar)
        write.clause(holds=lambda: to.key_tag in self.cars[to.car_id].key_tags, otherwise=NotTheCarsKey)
        write.clause(holds=lambda: self.cars[to.car_id].contract_id is None, then=give, otherwise=CarTaken)
        write.fact(self.facts, fact)
        write.commit()

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


class NoKeys:
    """keys, before anything is planned."""

    def __init__(self) -> None:
        self.known: dict[str, KeyStatus] = {}

    def status(self, contract_id: str) -> KeyStatus | None:
        return self.known.get(contract_id)
