"""What this context reads and answers over HTTP, and the data of the facts it publishes and hears."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from chalicelib.contracts.model import (
    START,
    AccessNews,
    Action,
    Application,
    Assignment,
    Captured,
    Car,
    CarName,
    Cause,
    Check,
    Contract,
    Driver,
    Handover,
    KeyNews,
    KeyStatus,
    Line,
    Listed,
    MoneyRules,
    Named,
    Outcome,
    Plan,
    actions,
    label_hash,
    licence,
    masked,
    phone_number,
    plan_named,
)
from chalicelib.kernel.errors import Malformed
from chalicelib.kernel.ids import fingerprint
from chalicelib.kernel.money import Won
from chalicelib.kernel.tables import cursor, position

Name = Annotated[str, Meta(pattern=r"\S", max_length=80)]
# The last group is for Python, whose `$` also matches before a line's end.
CarId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$(?!\n)", description="Also its MQTT client id.")]
KeyTag = Annotated[str, Meta(pattern=r"^[A-Za-z0-9:_-]{1,64}$(?!\n)")]
Word = Annotated[str, Meta(pattern=r"^[a-z0-9_]{1,40}$(?!\n)")]
"""A reason or a cause as one word: free text could name somebody."""
Amount = Annotated[int, Meta(ge=0, le=1_000_000_000)]
Time = Annotated[datetime, Meta(tz=True)]
Quote = Annotated[str, Meta(max_length=200, description="The preview that was agreed to.")]
Months = Annotated[int, Meta(ge=1, le=120)]
PlanId = Annotated[str, Meta(max_length=64)]


class HealthView(Struct, frozen=True):
    status: Literal["ok"]
    version: str


class TermView(Struct, frozen=True):
    months: int
    monthly_fee: int


class PlanView(Struct, frozen=True):
    """`example`: a model of this class. `good_for`: for people who never owned a car."""

    plan_id: str
    name: str
    car_class: str
    seats: int
    luggage: str
    fuel: str
    example: str
    good_for: str
    terms: list[TermView]

    @classmethod
    def of(cls, plan: Plan, language: str) -> "PlanView":
        words = plan.words(language)
        return cls(
            plan_id=plan.plan_id,
            name=words.name,
            car_class=words.car_class,
            seats=plan.seats,
            luggage=words.luggage,
            fuel=words.fuel,
            example=plan.example,
            good_for=words.good_for,
            terms=[TermView(months, fee) for months, fee in plan.terms],
        )


class PlansView(Struct, frozen=True):
    plans: list[PlanView]

    @classmethod
    def of(cls, plans: tuple[Plan, ...], language: str) -> "PlansView":
        return cls([PlanView.of(plan, language) for plan in plans])


class QuoteRequest(Struct, frozen=True):
    plan_id: PlanId
    months: Months


class QuoteView(Struct, frozen=True):
    """`first_payment`: what signing costs now; `total`: all months together."""

    plan_id: str
    months: int
    monthly_fee: int
    first_payment: int
    total: int
    cancel: MoneyRules

    @classmethod
    def of(cls, request: QuoteRequest, rules: MoneyRules) -> "QuoteView":
        fee = plan_named(request.plan_id).monthly_fee(request.months)
        return cls(request.plan_id, request.months, fee, fee, fee * request.months, rules)


class HandoverBody(Struct, frozen=True):
    at: Time
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

    def named(self) -> Driver:
        """Malformed, naming every wrong field at once."""
        wrong = tuple(self.wrong(""))
        if wrong:
            raise Malformed("the body does not fit", wrong)
        return self.driver()

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
    plan_id: PlanId
    months: Months
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
    verified: bool

    @classmethod
    def of(cls, named: Named) -> "DriverView":
        driver = named.driver
        shown = masked(driver.licence_no)
        return cls(named.number, driver.name, driver.phone, shown, named.check is Check.VALID)


class CarNameView(Struct, frozen=True):
    plate: str
    model: str

    @classmethod
    def of(cls, car: CarName | None) -> "CarNameView | None":
        return cls(car.plate, car.model) if car else None


class ReturnView(Struct, frozen=True):
    at: datetime
    address: str


class KeyView(Struct, frozen=True):
    shipment_id: str
    key_tag: str
    state: str
    tracking: str | None

    @classmethod
    def of(cls, key: KeyStatus | None) -> "KeyView | None":
        return cls(key.shipment_id, key.key_tag, key.state, key.tracking) if key else None


class ContractView(Struct, frozen=True, kw_only=True):
    """`actions`: what its customer may do now. `ends_at`: of the term, or earlier when a cancellation is
    scheduled. `why`: one word for why it stands where it stands."""

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
    car: CarNameView | None
    key: KeyView | None
    starts_at: datetime | None
    ends_at: datetime | None
    return_: ReturnView | None = field(name="return")
    actions: list[Action]
    why: str | None

    @classmethod
    def of(cls, contract: Contract, billing: str, key: KeyStatus | None) -> "ContractView":
        back = contract.giving_back
        return cls(
            contract_id=contract.contract_id,
            state=contract.state,
            billing=billing,
            plan_id=contract.plan_id,
            months=contract.months,
            monthly_fee=contract.monthly_fee,
            signed_at=contract.signed_at,
            handover=HandoverView.of(contract.handover),
            drivers=[DriverView.of(named) for named in contract.drivers],
            car_id=contract.assignment.car_id if contract.assignment else None,
            car=CarNameView.of(contract.car),
            key=KeyView.of(key),
            starts_at=contract.starts_at,
            ends_at=contract.end,
            return_=ReturnView(back.at, back.address) if back else None,
            actions=list(actions(contract.state)),
            why=contract.why,
        )


class ListedView(Struct, frozen=True):
    contract_id: str
    state: str
    billing: str
    plan_id: str
    months: int
    handover_at: datetime
    car: CarNameView | None

    @classmethod
    def of(cls, listed: Listed, billing: str) -> "ListedView":
        return cls(
            listed.contract_id,
            listed.state,
            billing,
            listed.plan_id,
            listed.months,
            listed.handover_at,
            CarNameView.of(listed.car),
        )


class ContractList(Struct, frozen=True):
    """Newest first. `cursor`: for the page after this one; null when there is none."""

    contracts: list[ListedView]
    cursor: str | None

    @classmethod
    def of(cls, found: Sequence[tuple[Listed, str]], limit: int) -> "ContractList":
        more = cursor(found[-1][0].position) if len(found) == limit else None
        return cls([ListedView.of(listed, billing) for listed, billing in found], more)


USUAL_LIMIT = 10
MOST_LIMIT = 50


def position_of(query: dict[str, str]) -> str | None:
    """Where the last page ended."""
    token = query.get("cursor")
    last = position(token) if token else None
    if last is not None and not re.fullmatch(r"[0-9T:.Z-]{27}#con_[0-9a-z]{26}", last):
        raise Malformed("unknown cursor", (("cursor", "not a cursor of this list"),))
    return last


def version_of(if_match: str | None) -> int | None:
    """The version an If-Match names; None without one."""
    if not if_match:
        return None
    found = re.fullmatch(r'"([0-9]{1,9})"', if_match.strip())
    if found is None:
        raise Malformed("If-Match does not fit", (("If-Match", "the ETag of the contract"),))
    return int(found[1])


class LineView(Struct, frozen=True):
    """`amount`: + comes back to the customer, - they owe it."""

    what: str
    amount: int


class StandingView(Struct, frozen=True):
    """Where the contract stands after this."""

    contract_id: str
    state: str

    @classmethod
    def of(cls, outcome: Outcome) -> "StandingView":
        return cls(outcome.contract_id, outcome.state)


def _lines(outcome: Outcome) -> list[LineView]:
    return [LineView(line.what, line.amount) for line in outcome.lines]


class CancelRequest(Struct, frozen=True):
    """`cause`: for operations, whose fault it is when the facts alone would say otherwise."""

    quote: Quote | None = None
    cause: Literal["company", "customer"] | None = None

    @property
    def words(self) -> str:
        return f"cancel {self.cause}"

    def whose(self) -> Cause | None:
        return Cause(self.cause) if self.cause else None


class CancelView(Struct, frozen=True):
    """A preview brings `quote`: with it the same price holds until `quote_until`."""

    contract_id: str
    state: str
    effective_at: datetime | None
    refund: int
    charge: int
    lines: list[LineView]
    quote: str | None
    quote_until: datetime | None

    @classmethod
    def of(cls, outcome: Outcome) -> "CancelView":
        return cls(
            outcome.contract_id,
            outcome.state,
            outcome.effective_at,
            outcome.refund,
            outcome.charge,
            _lines(outcome),
            outcome.quote,
            outcome.quote_until,
        )


class RenewRequest(Struct, frozen=True):
    months: Months
    quote: Quote | None = None

    @property
    def words(self) -> str:
        return f"renew {self.months}"


class RenewView(Struct, frozen=True):
    """`monthly_fee`: of the added months. A preview brings `quote`."""

    contract_id: str
    state: str
    ends_at: datetime | None
    monthly_fee: int | None
    refund: int
    charge: int
    lines: list[LineView]
    quote: str | None
    quote_until: datetime | None

    @classmethod
    def of(cls, outcome: Outcome) -> "RenewView":
        return cls(
            outcome.contract_id,
            outcome.state,
            outcome.ends_at,
            outcome.monthly_fee,
            outcome.refund,
            outcome.charge,
            _lines(outcome),
            outcome.quote,
            outcome.quote_until,
        )


class SwapRequest(Struct, frozen=True):
    """A defect is our fault: no fee runs until the swap is done."""

    reason: Literal["defect", "preference"]

    @property
    def words(self) -> str:
        return f"swap {self.reason}"


class DriverAddedView(Struct, frozen=True):
    """`verified`: never yet; the licence is checked next, and only then may they get a smart key."""

    contract_id: str
    number: int | None
    verified: bool
    refund: int
    charge: int
    lines: list[LineView]
    quote: str | None
    quote_until: datetime | None

    @classmethod
    def of(cls, outcome: Outcome) -> "DriverAddedView":
        return cls(
            outcome.contract_id,
            outcome.number,
            False,
            outcome.refund,
            outcome.charge,
            _lines(outcome),
            outcome.quote,
            outcome.quote_until,
        )


class BreachRequest(Struct, frozen=True):
    reason: Word
    quote: Quote | None = None

    @property
    def words(self) -> str:
        return f"breach {self.reason}"


class ChargeBody(Struct, frozen=True):
    what: Word
    amount: Amount


class InspectRequest(Struct, frozen=True):
    """Damage and its price; no charges when there is none."""

    charges: Annotated[list[ChargeBody], Meta(max_length=20)]

    @property
    def words(self) -> str:
        return f"inspect {fingerprint(self)}"

    def lines(self) -> list[Line]:
        return [Line(charge.what, charge.amount) for charge in self.charges]


class AccessRequest(Struct, frozen=True):
    lost: bool
    at: Time
    fault: Literal["ours", "customer"] = "ours"
    cause: Word = "unknown"

    @property
    def words(self) -> str:
        return f"access {fingerprint(self)}"

    def news(self) -> AccessNews:
        return AccessNews(self.lost, _utc(self.at, "/at"), self.fault, self.cause)


class ReturnedRequest(Struct, frozen=True):
    at: Time

    @property
    def words(self) -> str:
        return f"returned {fingerprint(self)}"

    @property
    def when(self) -> datetime:
        return _utc(self.at, "/at")


def _utc(at: datetime, pointer: str) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError as problem:
        raise Malformed("the body does not fit", ((pointer, "out of range"),)) from problem


class AssignRequest(Struct, frozen=True):
    car_id: CarId
    key_tag: KeyTag

    @property
    def words(self) -> str:
        return f"offer {self.car_id} {self.key_tag}"

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
    """`blocked`: one of its keys is lost, and its locks still know it."""

    car_id: str
    plate: str
    model: str
    key_tags: list[str]
    contract_id: str | None
    blocked: bool

    @classmethod
    def of(cls, car: Car) -> "CarView":
        return cls(car.car_id, car.plate, car.model, list(car.key_tags), car.contract_id, car.blocked)


class ContractSigned(Struct, frozen=True):
    """Published when a customer has signed."""

    contract_id: str
    plan_id: str
    months: int


class ContractVerified(Struct, frozen=True):
    """Published when every named driver may drive: now it can be paid."""

    contract_id: str


class ContractRejected(Struct, frozen=True):
    """Published when a named driver may not drive. `reason`: no_licence, suspended, expired, wrong_class or
    refused."""

    contract_id: str
    reason: str


class VerificationOverdue(Struct, frozen=True):
    """Published while the office does not answer; the check is then tried again."""

    contract_id: str
    rung: int


class ContractExpired(Struct, frozen=True):
    """Published when an application was not verified or not paid in time."""

    contract_id: str
    from_state: str


class ContractPaid(Struct, frozen=True):
    """Published when the first fee is paid. `amount`: what came, after coupons and points."""

    contract_id: str
    checkout_id: str
    payment_id: str | None
    customer_id: str
    handover_at: datetime
    monthly_fee: Won
    months: int
    amount: Won


class ContractPaymentRefused(Struct, frozen=True):
    """Published when a payment came for a contract that cannot take it any more: it goes back in full."""

    contract_id: str
    checkout_id: str
    payment_id: str | None
    amount: Won


class ContractAssigned(Struct, frozen=True):
    """Published when a contract has got its car and the key that will be sent."""

    contract_id: str
    car_id: str
    key_tag: str
    handover_at: datetime


class ContractReady(Struct, frozen=True):
    """Published when its customer is proven to be able to open the car."""

    contract_id: str


class ContractAtRisk(Struct, frozen=True):
    """Published when a handover would fail. `why`: access_gate, handover_window or access_lost."""

    contract_id: str
    car_id: str
    handover_at: datetime
    why: str


class ContractActivated(Struct, frozen=True):
    """Published when the car is handed over and was opened; billing starts at the later of the two."""

    contract_id: str
    handed_over_at: datetime
    access_proven_at: datetime
    starts_at: datetime


class AccessLost(Struct, frozen=True):
    """Published when the customer cannot open the car any more. `cause`: one word."""

    contract_id: str
    at: datetime
    fault: Literal["ours", "customer"]
    cause: str


class AccessRestored(Struct, frozen=True):
    """Published when the customer can open the car again."""

    contract_id: str
    at: datetime


class ContractCancelled(Struct, frozen=True):
    """Published when a contract is cancelled before its handover, with the money that moves because of it."""

    contract_id: str
    cause: Cause
    refund: Won
    charge: Won
    lines: list[LineView]


class ContractEnding(Struct, frozen=True):
    """Published when the end of a running contract is fixed. `why`: cancel, term or breach."""

    contract_id: str
    ends_at: datetime
    charge: Won
    lines: list[LineView]
    why: Literal["cancel", "term", "breach"]


class ContractUncancelled(Struct, frozen=True):
    """Published when a scheduled cancellation is taken back; its lines are void."""

    contract_id: str


class ContractRenewed(Struct, frozen=True):
    """Published when months were added: how many, at which fee, and when all of them end."""

    contract_id: str
    months: int
    monthly_fee: Won
    ends_at: datetime


class SwapRequested(Struct, frozen=True):
    """Published when the customer needs another car."""

    contract_id: str
    fault: Literal["ours", "customer"]


class SwapDone(Struct, frozen=True):
    """Published when the other car is handed over. `key_tag`: its key."""

    contract_id: str
    car_id: str
    former_car_id: str
    key_tag: str


class SwapWithdrawn(Struct, frozen=True):
    """Published when the customer keeps the car after all."""

    contract_id: str


class DriverAdded(Struct, frozen=True):
    """Published when one more driver was named; the licence is not checked yet."""

    contract_id: str
    number: int


class DriverRemoved(Struct, frozen=True):
    """Published when a driver is not named any more."""

    contract_id: str
    number: int


class DriverVerified(Struct, frozen=True):
    """Published when a driver who was named later may drive."""

    contract_id: str
    number: int


class DriverRejected(Struct, frozen=True):
    """Published when a driver who was named later may not drive."""

    contract_id: str
    number: int
    reason: str


class ReturnScheduled(Struct, frozen=True):
    """Published when the car must come back, by when."""

    contract_id: str
    return_at: datetime


class ReturnOverdue(Struct, frozen=True):
    """Published when the car did not come back in time."""

    contract_id: str


class ContractTerminated(Struct, frozen=True):
    """Published when the car was not recovered: the contract ends without it."""

    contract_id: str


class ContractReturned(Struct, frozen=True):
    """Published when car and keys came back."""

    contract_id: str
    at: datetime


class ContractInspected(Struct, frozen=True):
    """Published when the car was looked over. `charges`: what is owed for damage, amounts above 0."""

    contract_id: str
    charges: list[LineView]


class ContractClosed(Struct, frozen=True):
    """Published at the end: the ledger sums to zero and no key is out."""

    contract_id: str


class ContractDeadlinePassed(Struct, frozen=True):
    """Published when a timer rang and the contract stays where it is. `rung`: for the how-manieth time."""

    contract_id: str
    timer: str
    state: str
    rung: int


class OfContract(Struct, frozen=True):
    """Heard: any fact of which only the contract matters."""

    contract_id: str


class CapturedItem(Struct, frozen=True):
    kind: str
    ref: str
    amount: Won


class CheckoutCaptured(Struct, frozen=True):
    """Heard from checkout: paid for good."""

    checkout_id: str
    payment_id: str | None
    items: list[CapturedItem]
    paid: Won

    def captured(self) -> Captured:
        fees = tuple((item.ref, item.amount) for item in self.items if item.kind == "contract_fee")
        return Captured(self.checkout_id, self.payment_id, fees, self.paid)


class KeyShipmentVerified(Struct, frozen=True):
    """Heard from keys: the customer holds the right key, or has opened the car with it."""

    contract_id: str
    car_id: str
    occurred_at: datetime


class Happened(Struct, frozen=True):
    """Heard: SmartKeyUnlocked, HandoverCompleted, ReturnCompleted."""

    contract_id: str
    at: datetime


class OfKey(Struct, frozen=True):
    """Heard from keys: KeyLost, KeyFound, KeyRekeyed."""

    key_tag: str
    car_id: str

    def news(self, lost: bool, at: datetime) -> KeyNews:
        return KeyNews(self.key_tag, lost, at)
