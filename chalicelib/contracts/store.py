"""The table `<stage>-contracts`.

| pk                     | sk         | row                                                  |
|------------------------|------------|------------------------------------------------------|
| CONTRACT#<contract_id> | CONTRACT   | a contract                                           |
| CAR#<car_id>           | CAR        | a car; `contract_id` is absent while it is free      |
| TAG#<key_tag>          | TAG        | on which car this tag hangs: one tag, one car        |
| FACT#<contract_id>     | <time>#<id>| a published fact                                     |

Everything personal in a contract (drivers, address, card token) is in its one attribute `personal`, which no
condition, index or fact ever reads: erasing a person is one update that removes it. The table is encrypted
at rest.
"""

from typing import Any

import msgspec
from pynamodb.attributes import ListAttribute, MapAttribute, NumberAttribute, UnicodeAttribute

from chalicelib.contracts.model import (
    AlreadySigned,
    Application,
    Assignment,
    Billing,
    Car,
    CarDiffers,
    CarTaken,
    Contract,
    Driver,
    Handover,
    KeyTagTaken,
    MovedOn,
    NotTheCarsKey,
    State,
    UnknownCar,
)
from chalicelib.kernel.clock import moment, stamp
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.settings import SETTINGS
from chalicelib.kernel.tables import AllOrNothing, Item, Raw, table_name


class ContractsItem(Item):
    class Meta:
        table_name = table_name("contracts")
        region = SETTINGS.region


class ContractItem(ContractsItem):
    contract_id = UnicodeAttribute()
    customer_id = UnicodeAttribute()
    plan_id = UnicodeAttribute()
    months = NumberAttribute()
    monthly_fee = NumberAttribute()
    handover_at = UnicodeAttribute()
    signed_at = UnicodeAttribute()
    fingerprint = UnicodeAttribute()
    state = UnicodeAttribute()
    billing = UnicodeAttribute()
    car_id = UnicodeAttribute(null=True)
    key_tag = UnicodeAttribute(null=True)
    version = NumberAttribute()
    personal = MapAttribute[str, Any]()  # type: ignore[no-untyped-call]


class CarItem(ContractsItem):
    car_id = UnicodeAttribute()
    plate = UnicodeAttribute()
    model = UnicodeAttribute()
    key_tags = ListAttribute(of=UnicodeAttribute)
    contract_id = UnicodeAttribute(null=True)


class TagItem(ContractsItem):
    car_id = UnicodeAttribute()


class ContractStore:
    def find(self, contract_id: str) -> Contract | None:
        item = ContractItem.load(f"CONTRACT#{contract_id}", "CONTRACT")
        return _contract(item) if item else None

    def sign(self, contract: Contract, fact: Fact) -> None:
        write = AllOrNothing()
        write.put(_contract_item(contract), only_if=ContractItem.pk.does_not_exist(), otherwise=AlreadySigned)
        write.fact(ContractItem, fact)
        write.commit()

    def assign(self, before: Contract, after: Contract, to: Assignment, fact: Fact) -> None:
        write = AllOrNothing()
        write.update(
            ContractItem(f"CONTRACT#{before.contract_id}", "CONTRACT"),
            ContractItem.state.set(after.state),
            ContractItem.car_id.set(to.car_id),
            ContractItem.key_tag.set(to.key_tag),
            ContractItem.version.set(after.version),
            only_if=(ContractItem.state == before.state) & (ContractItem.version == before.version),
            otherwise=MovedOn,
        )
        write.update(
            CarItem(f"CAR#{to.car_id}", "CAR"),
            CarItem.contract_id.set(after.contract_id),
            only_if=CarItem.key_tags.contains(to.key_tag) & CarItem.contract_id.does_not_exist(),
            otherwise=lambda car: _why_not(car, to.key_tag),
        )
        write.fact(ContractItem, fact)
        write.commit()

    def find_car(self, car_id: str) -> Car | None:
        item = CarItem.load(f"CAR#{car_id}", "CAR")
        return _car(item) if item else None

    def register(self, car: Car) -> None:
        write = AllOrNothing()
        write.put(_car_item(car), only_if=CarItem.pk.does_not_exist(), otherwise=CarDiffers)
        for tag in car.key_tags:
            write.put(
                TagItem(f"TAG#{tag}", "TAG", car_id=car.car_id),
                only_if=TagItem.pk.does_not_exist(),
                otherwise=KeyTagTaken,
            )
        write.commit()


def _why_not(car: Raw | None, key_tag: str) -> Exception:
    """What is wrong with a car that could not be assigned, from the row as it stood."""
    if car is None:
        return UnknownCar()
    return CarTaken() if {"S": key_tag} in car["key_tags"]["L"] else NotTheCarsKey()


def _contract_item(contract: Contract) -> ContractItem:
    application, given = contract.application, contract.assignment
    return ContractItem(
        f"CONTRACT#{contract.contract_id}",
        "CONTRACT",
        contract_id=contract.contract_id,
        customer_id=contract.customer_id,
        plan_id=application.plan_id,
        months=application.months,
        monthly_fee=contract.monthly_fee,
        handover_at=stamp(application.handover.at),
        signed_at=stamp(contract.signed_at),
        fingerprint=application.fingerprint,
        state=contract.state,
        billing=contract.billing,
        car_id=given and given.car_id,
        key_tag=given and given.key_tag,
        version=contract.version,
        personal={
            "drivers": msgspec.to_builtins(list(application.drivers)),
            "address": application.handover.address,
            "card_token": application.card_token,
        },
    )


def _contract(item: ContractItem) -> Contract:
    personal = item.personal.attribute_values
    application = Application(
        plan_id=item.plan_id,
        months=int(item.months),
        handover=Handover(moment(item.handover_at), personal["address"]),
        card_token=personal["card_token"],
        drivers=msgspec.convert(personal["drivers"], tuple[Driver, ...]),
        fingerprint=item.fingerprint,
    )
    return Contract(
        contract_id=item.contract_id,
        customer_id=item.customer_id,
        application=application,
        monthly_fee=int(item.monthly_fee),
        signed_at=moment(item.signed_at),
        state=State(item.state),
        billing=Billing(item.billing),
        assignment=Assignment(item.car_id, item.key_tag) if item.car_id else None,
        version=int(item.version),
    )


def _car_item(car: Car) -> CarItem:
    return CarItem(
        f"CAR#{car.car_id}",
        "CAR",
        car_id=car.car_id,
        plate=car.plate,
        model=car.model,
        key_tags=list(car.key_tags),
    )


def _car(item: CarItem) -> Car:
    return Car(item.car_id, item.plate, item.model, tuple(map(str, item.key_tags)), item.contract_id)
