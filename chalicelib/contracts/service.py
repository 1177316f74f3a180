"""Signing a contract, giving it a car, and what other contexts may ask about it."""

from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

from msgspec import Struct

from chalicelib.contracts.model import (
    PLANS,
    AlreadySigned,
    Application,
    Assignment,
    Car,
    CarDiffers,
    Contract,
    Delivery,
    KeyStatus,
    MovedOn,
    NotAssigned,
    Party,
    Plan,
    UnknownCar,
    UnknownContract,
    label_hash,
    signed,
)
from chalicelib.kernel.auth import Caller, Group
from chalicelib.kernel.clock import Clock, stamp
from chalicelib.kernel.done import Done
from chalicelib.kernel.errors import KeyReused, NotFound
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.ids import keyed_id
from chalicelib.kernel.money import Won

T = TypeVar("T")
LONGEST_ID = 64


class Store(Protocol):
    """Each method is one write, all or nothing; reads are strongly consistent."""

    def find(self, contract_id: str) -> Contract | None: ...

    def sign(self, contract: Contract, fact: Fact) -> None:
        """AlreadySigned when there is a contract of that id."""

    def assign(self, before: Contract, after: Contract, to: Assignment, fact: Fact) -> None:
        """MovedOn when the contract is not as `before` says; UnknownCar, NotTheCarsKey or CarTaken."""

    def find_car(self, car_id: str) -> Car | None: ...

    def register(self, car: Car) -> None:
        """CarDiffers when there is a car of that id; KeyTagTaken when a tag hangs on another car."""


class Keys(Protocol):
    def status(self, contract_id: str) -> KeyStatus | None:
        """None while nothing is planned for this contract."""


class ContractService(Struct, frozen=True):
    store: Store
    keys: Keys
    now: Clock
    new_id: Callable[[str], str]

    def plans(self) -> tuple[Plan, ...]:
        return PLANS

    def sign(self, application: Application, by: Caller, key: str) -> Done[Contract]:
        """A retry hears what the first request heard, also when the application would be refused by now."""
        contract_id = keyed_id("con", by.id, key)
        known = self.store.find(contract_id)
        if known is None:
            contract = signed(contract_id, by.id, application, at=self.now())
            try:
                self.store.sign(contract, self._signed_fact(contract))
                return Done(contract)
            except AlreadySigned:
                known = self._contract(contract_id)
        if known.application.fingerprint != application.fingerprint:
            raise KeyReused()
        return Done(known, replayed=True)

    def assign(self, contract_id: str, to: Assignment) -> Done[Contract]:
        """Naturally idempotent: the same car and key again are the same assignment."""
        before = self._contract(contract_id)
        if before.assignment == to:
            return Done(before, replayed=True)
        after = before.assigned(to)
        try:
            self.store.assign(before, after, to, self._assigned_fact(after, to))
        except MovedOn:
            winner = self._contract(contract_id)
            if winner.assignment != to:
                raise
            return Done(winner, replayed=True)
        return Done(after)

    def register_car(self, car: Car) -> Done[Car]:
        try:
            self.store.register(car)
        except CarDiffers:
            known = self.car(car.car_id)
            if not known.same_as(car):
                raise
            return Done(known, replayed=True)
        return Done(car)

    def get(self, contract_id: str, by: Caller) -> tuple[Contract, KeyStatus | None]:
        """The contract and where its key is: for its customer, and for operations."""
        contract = self._contract(contract_id)
        if Group.OPS not in by.groups:
            self._must_belong(contract, by.id)
        return contract, self.keys.status(contract_id)

    def fee(self, contract_id: str, customer_id: str) -> Won:
        """The first month's, as signed. UnknownContract when it is another customer's."""
        contract = self._contract(contract_id)
        self._must_belong(contract, customer_id)
        return contract.monthly_fee

    def delivery(self, contract_id: str) -> Delivery:
        """NotAssigned before the contract has a car and a key."""
        contract = self._contract(contract_id)
        if contract.assignment is None:
            raise NotAssigned()
        handover = contract.application.handover
        return Delivery(
            contract_id=contract_id,
            customer_id=contract.customer_id,
            car_id=contract.assignment.car_id,
            key_tag=contract.assignment.key_tag,
            label_hash=label_hash(handover.address),
            handover_at=handover.at,
        )

    def party(self, contract_id: str, holder: str) -> Party:
        """`holder`: "customer", or a driver's number from 1."""
        driver = self._contract(contract_id).driver(holder)
        return Party(driver.name, driver.phone, driver.language)

    def proves(self, contract_id: str, holder: str, proof: str) -> bool:
        """Whether `proof` is something only the holder should know; False for a holder nobody named."""
        try:
            driver = self._contract(contract_id).driver(holder)
        except NotFound:
            return False
        return driver.proven_by(proof)

    def car(self, car_id: str) -> Car:
        car = self.store.find_car(car_id)
        if car is None:
            raise UnknownCar()
        return car

    def _contract(self, contract_id: str) -> Contract:
        found = self.store.find(contract_id) if len(contract_id) <= LONGEST_ID else None
        if found is None:
            raise UnknownContract()
        return found

    def _must_belong(self, contract: Contract, customer_id: str) -> None:
        if contract.customer_id != customer_id:
            raise UnknownContract()

    def _signed_fact(self, contract: Contract) -> Fact:
        application = contract.application
        data = {
            "contract_id": contract.contract_id,
            "plan_id": application.plan_id,
            "months": application.months,
        }
        return self._fact("ContractSigned", contract, data)

    def _assigned_fact(self, contract: Contract, to: Assignment) -> Fact:
        data = {
            "contract_id": contract.contract_id,
            "car_id": to.car_id,
            "key_tag": to.key_tag,
            "handover_at": stamp(contract.application.handover.at),
        }
        return self._fact("ContractAssigned", contract, data)

    def _fact(self, kind: str, contract: Contract, data: Mapping[str, object]) -> Fact:
        return Fact.of(
            kind, "contracts", contract.contract_id, at=self.now(), id=self.new_id("evt"), data=data
        )
