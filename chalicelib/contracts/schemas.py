"""What this context reads and answers over HTTP, and the data of the facts it publishes."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from chalicelib.contracts.model import (
    START,
    Application,
    Assignment,
    Car,
    Contract,
    Driver,
    Handover,
    KeyStatus,
    Plan,
    label_hash,
    licence,
    masked,
    phone_number,
)
from chalicelib.kernel.errors import Malformed
from chalicelib.kernel.ids import fingerprint

Name = Annotated[str, Meta(pattern=r"\S", max_length=80)]
# The last group is for Python, whose `$` also matches before a line's end.
CarId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$(?!\n)", description="Also its MQTT client id.")]
KeyTag = Annotated[str, Meta(pattern=r"^[A-Za-z0-9:_-]{1,64}$(?!\n)")]


class HealthView(Struct, frozen=True):
    status: Literal["ok"]
    version: str


class TermView(Struct, frozen=True):
    months: int
    monthly_fee: int


class PlanView(Struct, frozen=True):
    plan_id: str
    name: str
    terms: list[TermView]

    @classmethod
    def of(cls, plan: Plan, language: str) -> "PlanView":
        name = plan.name_en if language == "en" else plan.name_ko
        return cls(plan.plan_id, name, [TermView(months, fee) for months, fee in plan.terms])


class PlansView(Struct, frozen=True):
    plans: list[PlanView]

    @classmethod
    def of(cls, plans: tuple[Plan, ...], language: str) -> "PlansView":
        return cls([PlanView.of(plan, language) for plan in plans])


class HandoverBody(Struct, frozen=True):
    at: Annotated[datetime, Meta(tz=True)]
    address: Annotated[str, Meta(pattern=r"\S", max_length=200)]


class DriverBody(Struct, frozen=True):
    """`phone`: E.164 or a Korean mobile in any spelling."""

    name: Name
    phone: Annotated[str, Meta(max_length=40)]
    birth_date: date
    licence_no: Annotated[str, Meta(max_length=40)]
    language: Literal["ko", "en"] = "ko"

    def driver(self) -> Driver:
        return Driver(
            name=self.name.strip(),
            phone=phone_number(self.phone),
            birth_date=self.birth_date,
            licence_no=licence(self.licence_no),
            language=self.language,
        )

    def wrong(self, pointer: str) -> Iterator[tuple[str, str]]:
        for name, read, text in (
            ("phone", phone_number, self.phone),
            ("licence_no", licence, self.licence_no),
        ):
            try:
                read(text)
            except ValueError as problem:
                yield f"{pointer}/{name}", str(problem)


class SignRequest(Struct, frozen=True):
    plan_id: Annotated[str, Meta(max_length=64)]
    months: Annotated[int, Meta(ge=1, le=120)]
    handover: HandoverBody
    card_token: Annotated[str, Meta(min_length=1, max_length=200)]
    drivers: Annotated[list[DriverBody], Meta(min_length=1, max_length=5)]

    def application(self) -> Application:
        """Malformed, naming every wrong field at once."""
        wrong = [found for n, driver in enumerate(self.drivers) for found in driver.wrong(f"/drivers/{n}")]
        if wrong:
            raise Malformed("the body does not fit", tuple(wrong))
        return Application(
            plan_id=self.plan_id,
            months=self.months,
            handover=Handover(self.handover.at, self.handover.address.strip()),
            card_token=self.card_token,
            drivers=tuple(driver.driver() for driver in self.drivers),
            fingerprint=fingerprint(self),
        )


class SignedView(Struct, frozen=True):
    """The answer as it was when the contract was signed; a replay says the same, whatever happened since."""

    contract_id: str
    state: str
    monthly_fee: int

    @classmethod
    def of(cls, contract: Contract) -> "SignedView":
        return cls(contract.contract_id, START, contract.monthly_fee)


class HandoverView(Struct, frozen=True):
    """`label_hash`: what a scan of the parcel's label must say."""

    at: datetime
    address: str
    label_hash: str

    @classmethod
    def of(cls, handover: Handover) -> "HandoverView":
        return cls(handover.at, handover.address, label_hash(handover.address))


class DriverView(Struct, frozen=True):
    """`number`: how a smart key names its holder. What proves a person (birth date, licence) is not shown."""

    number: int
    name: str
    phone: str
    licence_no: str

    @classmethod
    def of(cls, number: int, driver: Driver) -> "DriverView":
        return cls(number, driver.name, driver.phone, masked(driver.licence_no))


class KeyView(Struct, frozen=True):
    shipment_id: str
    key_tag: str
    state: str
    tracking: str | None

    @classmethod
    def of(cls, key: KeyStatus | None) -> "KeyView | None":
        return cls(key.shipment_id, key.key_tag, key.state, key.tracking) if key else None


class ContractView(Struct, frozen=True):
    contract_id: str
    state: str
    billing: str
    plan_id: str
    months: int
    monthly_fee: int
    signed_at: datetime
    handover: HandoverView
    drivers: list[DriverView]
    car_id: str | None
    key: KeyView | None

    @classmethod
    def of(cls, contract: Contract, key: KeyStatus | None) -> "ContractView":
        application = contract.application
        return cls(
            contract_id=contract.contract_id,
            state=contract.state,
            billing=contract.billing,
            plan_id=application.plan_id,
            months=application.months,
            monthly_fee=contract.monthly_fee,
            signed_at=contract.signed_at,
            handover=HandoverView.of(application.handover),
            drivers=[DriverView.of(n, driver) for n, driver in enumerate(application.drivers, start=1)],
            car_id=contract.assignment.car_id if contract.assignment else None,
            key=KeyView.of(key),
        )


class AssignRequest(Struct, frozen=True):
    car_id: CarId
    key_tag: KeyTag

    def assignment(self) -> Assignment:
        return Assignment(self.car_id, self.key_tag)


class AssignedView(Struct, frozen=True):
    contract_id: str
    state: str
    car_id: str
    key_tag: str

    @classmethod
    def of(cls, contract: Contract, to: Assignment) -> "AssignedView":
        return cls(contract.contract_id, contract.state, to.car_id, to.key_tag)


class CarRequest(Struct, frozen=True):
    car_id: CarId
    plate: Annotated[str, Meta(pattern=r"\S", max_length=20)]
    model: Name
    key_tags: Annotated[list[KeyTag], Meta(min_length=1, max_length=10)]

    def car(self) -> Car:
        tags = tuple(sorted(set(self.key_tags)))
        return Car(self.car_id, self.plate.strip(), self.model.strip(), tags)


class CarView(Struct, frozen=True):
    car_id: str
    plate: str
    model: str
    key_tags: list[str]
    contract_id: str | None

    @classmethod
    def of(cls, car: Car) -> "CarView":
        return cls(car.car_id, car.plate, car.model, list(car.key_tags), car.contract_id)


class ContractSigned(Struct, frozen=True):
    """Published when a customer has signed."""

    contract_id: str
    plan_id: str
    months: int


class ContractAssigned(Struct, frozen=True):
    """Published when a contract has got its car and the key that will be sent."""

    contract_id: str
    car_id: str
    key_tag: str
    handover_at: datetime
