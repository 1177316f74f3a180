"""A contract from the signature to its end, on two axes: access to the car, and billing.

Access and billing are separate tables because nobody pays while locked out: billing starts at the later of
the handover and the first proven access. The rows come from the company's own process; a timer's event is
written `T.name`.
"""

import hashlib
import hmac
import re
import unicodedata
from datetime import date, datetime, timedelta
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from chalicelib.kernel.errors import Conflict, NotFound, Refused
from chalicelib.kernel.money import Won
from chalicelib.kernel.states import Table


class Role(StrEnum):
    CUSTOMER = "customer"
    OPS = "ops"
    AGENT = "agent"
    SYSTEM = "system"
    """Other contexts' facts, the checks of outside offices, and timers."""


class State(StrEnum):
    APPLIED = "applied"
    AWAITING_PAYMENT = "awaiting_payment"
    CONFIRMED = "confirmed"
    PREPARING = "preparing"
    AT_RISK = "at_risk"
    READY = "ready"
    ACTIVE = "active"
    SWAP_PENDING = "swap_pending"
    CANCEL_SCHEDULED = "cancel_scheduled"
    RETURN_SCHEDULED = "return_scheduled"
    RETURN_OVERDUE = "return_overdue"
    INSPECTION = "inspection"
    SETTLING = "settling"
    CANCELLED = "cancelled"
    CLOSED = "closed"
    EXPIRED = "expired"
    REJECTED = "rejected"
    TERMINATED = "terminated"


class Event(StrEnum):
    DRIVERS_VERIFIED = "drivers_verified"
    VERIFICATION_FAILED = "verification_failed"
    PAID = "paid"
    VEHICLE_KEY_SLOT_ASSIGNED = "vehicle_key_slot_assigned"
    CAR_AND_ACCESS_READY = "car_and_access_ready"
    ACCESS_LOST = "access_lost"
    HANDOVER_CONFIRMED = "handover_confirmed"
    CANCEL = "cancel"
    RENEWED = "renewed"
    CANCEL_REQUESTED = "cancel_requested"
    UNCANCEL = "uncancel"
    SWAP_REQUESTED = "swap_requested"
    SWAP_DONE = "swap_done"
    SWAP_WITHDRAWN = "swap_withdrawn"
    TERM_END_NO_RENEW = "term_end_no_renew"
    BREACH_TERMINATE = "breach_terminate"
    VEHICLE_AND_KEYS_RECEIVED = "vehicle_and_keys_received"
    INSPECTED = "inspected"
    SETTLED = "settled"
    T_VERIFY_BY = "T.verify_by"
    T_PAY_BY = "T.pay_by"
    T_ASSIGN_BY = "T.assign_by"
    T_ACCESS_GATE = "T.access_gate"
    T_HANDOVER_AT = "T.handover_at"
    T_HANDOVER_WINDOW = "T.handover_window"
    T_RENEW_BY = "T.renew_by"
    T_SWAP_BY = "T.swap_by"
    T_TERM_END = "T.term_end"
    T_RETURN_BY = "T.return_by"
    T_RECOVER_BY = "T.recover_by"
    T_INSPECT_BY = "T.inspect_by"
    T_SETTLE_BY = "T.settle_by"


BY_SYSTEM = {Role.SYSTEM}
BY_OPS = {Role.OPS}
BY_AGENT = {Role.AGENT}
BY_CUSTOMER = {Role.CUSTOMER}
BY_CUSTOMER_OR_OPS = {Role.CUSTOMER, Role.OPS}

START = State.APPLIED
LIFE = Table(
    (State.APPLIED, Event.DRIVERS_VERIFIED, State.AWAITING_PAYMENT, BY_SYSTEM),
    (State.APPLIED, Event.VERIFICATION_FAILED, State.REJECTED, BY_SYSTEM),
    (State.APPLIED, Event.T_VERIFY_BY, State.EXPIRED, BY_SYSTEM),
    # Only until licence checks and payment exist: without this row no contract could get a car at all.
    (State.APPLIED, Event.VEHICLE_KEY_SLOT_ASSIGNED, State.PREPARING, BY_OPS),
    (State.AWAITING_PAYMENT, Event.PAID, State.CONFIRMED, BY_SYSTEM),
    (State.AWAITING_PAYMENT, Event.T_PAY_BY, State.EXPIRED, BY_SYSTEM),
    (State.AWAITING_PAYMENT, Event.CANCEL, State.CANCELLED, BY_CUSTOMER_OR_OPS),
    (State.CONFIRMED, Event.VEHICLE_KEY_SLOT_ASSIGNED, State.PREPARING, BY_OPS),
    (State.CONFIRMED, Event.CANCEL, State.CANCELLED, BY_CUSTOMER_OR_OPS),
    (State.CONFIRMED, Event.T_ASSIGN_BY, State.CONFIRMED, BY_SYSTEM),
    (State.PREPARING, Event.CAR_AND_ACCESS_READY, State.READY, BY_SYSTEM),
    (State.PREPARING, Event.CANCEL, State.CANCELLED, BY_CUSTOMER_OR_OPS),
    (State.PREPARING, Event.T_ACCESS_GATE, State.AT_RISK, BY_SYSTEM),
    (State.AT_RISK, Event.CAR_AND_ACCESS_READY, State.READY, BY_SYSTEM),
    (State.AT_RISK, Event.CANCEL, State.CANCELLED, BY_CUSTOMER_OR_OPS),
    (State.AT_RISK, Event.T_HANDOVER_AT, State.AT_RISK, BY_SYSTEM),
    (State.READY, Event.HANDOVER_CONFIRMED, State.ACTIVE, BY_AGENT),
    (State.READY, Event.ACCESS_LOST, State.AT_RISK, BY_SYSTEM),
    (State.READY, Event.CANCEL, State.CANCELLED, BY_CUSTOMER_OR_OPS),
    (State.READY, Event.T_HANDOVER_WINDOW, State.AT_RISK, BY_SYSTEM),
    (State.ACTIVE, Event.RENEWED, State.ACTIVE, BY_CUSTOMER),
    (State.ACTIVE, Event.CANCEL_REQUESTED, State.CANCEL_SCHEDULED, BY_CUSTOMER_OR_OPS),
    (State.ACTIVE, Event.SWAP_REQUESTED, State.SWAP_PENDING, BY_CUSTOMER_OR_OPS),
    (State.ACTIVE, Event.TERM_END_NO_RENEW, State.RETURN_SCHEDULED, BY_SYSTEM),
    (State.ACTIVE, Event.T_RENEW_BY, State.ACTIVE, BY_SYSTEM),
    (State.ACTIVE, Event.BREACH_TERMINATE, State.RETURN_SCHEDULED, BY_OPS),
    (State.SWAP_PENDING, Event.SWAP_DONE, State.ACTIVE, BY_AGENT),
    (State.SWAP_PENDING, Event.SWAP_WITHDRAWN, State.ACTIVE, BY_CUSTOMER_OR_OPS),
    (State.SWAP_PENDING, Event.T_SWAP_BY, State.SWAP_PENDING, BY_SYSTEM),
    (State.CANCEL_SCHEDULED, Event.UNCANCEL, State.ACTIVE, BY_CUSTOMER_OR_OPS),
    (State.CANCEL_SCHEDULED, Event.T_TERM_END, State.RETURN_SCHEDULED, BY_SYSTEM),
    (State.RETURN_SCHEDULED, Event.VEHICLE_AND_KEYS_RECEIVED, State.INSPECTION, BY_AGENT),
    (State.RETURN_SCHEDULED, Event.T_RETURN_BY, State.RETURN_OVERDUE, BY_SYSTEM),
    (State.RETURN_OVERDUE, Event.VEHICLE_AND_KEYS_RECEIVED, State.INSPECTION, BY_AGENT),
    (State.RETURN_OVERDUE, Event.T_RECOVER_BY, State.TERMINATED, BY_SYSTEM),
    (State.INSPECTION, Event.INSPECTED, State.SETTLING, BY_AGENT),
    (State.INSPECTION, Event.T_INSPECT_BY, State.INSPECTION, BY_SYSTEM),
    (State.SETTLING, Event.SETTLED, State.CLOSED, BY_SYSTEM),
    (State.SETTLING, Event.T_SETTLE_BY, State.SETTLING, BY_SYSTEM),
)


class Billing(StrEnum):
    NOT_STARTED = "not_started"
    CURRENT = "current"
    PAST_DUE = "past_due"
    BLOCKED = "blocked"
    CLOSED = "closed"


class BillingEvent(StrEnum):
    ACCESS_PROVEN = "access_proven"
    """The handover has happened and the car was opened, whichever came later."""
    CHARGED = "charged"
    CHARGE_FAILED = "charge_failed"
    ENDED = "ended"
    """The contract reached one of its ends and its ledger sums to zero."""
    T_NEXT_CHARGE = "T.next_charge"
    T_DUNNING_BY = "T.dunning_by"
    T_START_BY = "T.start_by"
    T_WRITE_OFF = "T.write_off"


BILLING_START = Billing.NOT_STARTED
BILLING = Table(
    (Billing.NOT_STARTED, BillingEvent.ACCESS_PROVEN, Billing.CURRENT, BY_SYSTEM),
    (Billing.NOT_STARTED, BillingEvent.ENDED, Billing.CLOSED, BY_SYSTEM),
    (Billing.NOT_STARTED, BillingEvent.T_START_BY, Billing.NOT_STARTED, BY_SYSTEM),
    (Billing.CURRENT, BillingEvent.CHARGED, Billing.CURRENT, BY_SYSTEM),
    (Billing.CURRENT, BillingEvent.CHARGE_FAILED, Billing.PAST_DUE, BY_SYSTEM),
    (Billing.CURRENT, BillingEvent.ENDED, Billing.CLOSED, BY_SYSTEM),
    (Billing.CURRENT, BillingEvent.T_NEXT_CHARGE, Billing.CURRENT, BY_SYSTEM),
    (Billing.PAST_DUE, BillingEvent.CHARGED, Billing.CURRENT, BY_SYSTEM),
    (Billing.PAST_DUE, BillingEvent.ENDED, Billing.CLOSED, BY_SYSTEM),
    (Billing.PAST_DUE, BillingEvent.T_DUNNING_BY, Billing.BLOCKED, BY_SYSTEM),
    (Billing.BLOCKED, BillingEvent.CHARGED, Billing.CURRENT, BY_SYSTEM),
    (Billing.BLOCKED, BillingEvent.ENDED, Billing.CLOSED, BY_SYSTEM),
    (Billing.BLOCKED, BillingEvent.T_WRITE_OFF, Billing.CLOSED, {Role.SYSTEM, Role.OPS}),
)


class UnknownContract(NotFound):
    """There is no such contract."""


class UnknownCar(NotFound):
    """There is no such car."""


class UnknownHolder(NotFound):
    """This contract names no such driver."""


class UnknownPlan(NotFound):
    """There is no such plan."""


class TermNotOffered(Refused):
    """This plan is not offered for so many months."""


class HandoverOutOfReach(Refused):
    """The handover must lie ahead, and within a year."""


class DriverTooYoung(Refused):
    """Every driver must be of driving age on the day of the handover."""


class NotTheCarsKey(Refused):
    """This key tag belongs to another car."""


class NotAssigned(Conflict):
    """This contract has no car yet."""


class CarTaken(Conflict):
    """This car is promised to another contract."""


class CarDiffers(Conflict):
    """This car is already registered with other particulars."""


class KeyTagTaken(Conflict):
    """This key tag hangs on another car."""


class MovedOn(Conflict):
    """The contract has changed since it was read."""


class AlreadySigned(Conflict):
    """This contract was signed before."""


class Plan(Struct, frozen=True):
    """`terms`: (months, monthly fee), shortest first."""

    plan_id: str
    name_ko: str
    name_en: str
    terms: tuple[tuple[int, Won], ...]

    def monthly_fee(self, months: int) -> Won:
        for offered, fee in self.terms:
            if offered == months:
                return fee
        raise TermNotOffered(
            f"{self.plan_id} is offered for {', '.join(str(m) for m, _ in self.terms)} months"
        )


PLANS = (
    Plan("first-car", "첫 차", "First car", ((3, 490_000), (6, 460_000), (12, 430_000))),
    Plan("family", "패밀리", "Family", ((3, 790_000), (6, 750_000), (12, 700_000))),
    Plan("electric", "전기차", "Electric", ((3, 690_000), (6, 650_000), (12, 610_000))),
    Plan("promotion", "첫 달 프로모션", "Promotion", ((3, 390_000), (6, 370_000), (12, 350_000))),
)
"""The price list; a contract keeps the fee it was signed at."""


def plan_named(plan_id: str) -> Plan:
    for plan in PLANS:
        if plan.plan_id == plan_id:
            return plan
    raise UnknownPlan()


class Driver(Struct, frozen=True):
    """`phone` in E.164; `licence_no` as `licence` wrote it."""

    name: str
    phone: str
    birth_date: date
    licence_no: str
    language: str = "ko"

    def age_on(self, day: date) -> int:
        birthday_ahead = (day.month, day.day) < (self.birth_date.month, self.birth_date.day)
        return day.year - self.birth_date.year - birthday_ahead

    def proven_by(self, proof: str) -> bool:
        """Birth date as eight or six digits, or the last four digits of the licence; separators do not count.

        Every candidate is compared, each in constant time, so that the time taken tells nothing.
        """
        given = re.sub(r"[\s./\-]", "", unicodedata.normalize("NFKC", proof)).encode()
        born, licence_digits = (
            self.birth_date.isoformat().replace("-", ""),
            re.sub(r"\D", "", self.licence_no),
        )
        accepted = (born, born[2:], licence_digits[-4:])
        matches = [hmac.compare_digest(given, each.encode()) for each in accepted]
        return any(matches)


class Handover(Struct, frozen=True):
    """Where and when the car is brought."""

    at: datetime
    address: str


class Application(Struct, frozen=True):
    """What a customer signs. `drivers`: at least one, the first the customer. `fingerprint`: the body's."""

    plan_id: str
    months: int
    handover: Handover
    card_token: str
    drivers: tuple[Driver, ...]
    fingerprint: str


class Assignment(Struct, frozen=True):
    """A car, and which of its keys is sent."""

    car_id: str
    key_tag: str


class Contract(Struct, frozen=True):
    """`monthly_fee` is the fee of the day it was signed; `version` grows by one with every change."""

    contract_id: str
    customer_id: str
    application: Application
    monthly_fee: Won
    signed_at: datetime
    state: State = START
    billing: Billing = BILLING_START
    assignment: Assignment | None = None
    version: int = 1

    def assigned(self, assignment: Assignment) -> "Contract":
        state = LIFE.after(self.state, Event.VEHICLE_KEY_SLOT_ASSIGNED)
        return replace(self, state=state, assignment=assignment, version=self.version + 1)

    def driver(self, holder: str) -> Driver:
        """`holder`: "customer", or a driver's number from 1 in the order they were named."""
        number = "1" if holder == "customer" else holder
        for position, driver in enumerate(self.application.drivers, start=1):
            if str(position) == number:
                return driver
        raise UnknownHolder()


class Car(Struct, frozen=True):
    """`key_tags`: the tags on its physical keys. `contract_id`: whose it is now, None while it is free."""

    car_id: str
    plate: str
    model: str
    key_tags: tuple[str, ...]
    contract_id: str | None = None

    def same_as(self, other: "Car") -> bool:
        return replace(self, contract_id=None) == replace(other, contract_id=None)


class Delivery(Struct, frozen=True):
    """What whoever packs and tracks the key must know. The label's hash stands for the address."""

    contract_id: str
    customer_id: str
    car_id: str
    key_tag: str
    label_hash: str
    handover_at: datetime


class Party(Struct, frozen=True):
    """Whom a text is for."""

    name: str
    phone: str
    language: str


class KeyStatus(Struct, frozen=True):
    """Where the key of a contract is. `tracking`: the carrier's number, once there is one."""

    shipment_id: str
    key_tag: str
    state: str
    tracking: str | None


LONGEST_NOTICE = timedelta(days=365)
DRIVING_AGE = 18
"""Road Traffic Act (도로교통법), article 82(1)1."""


def signed(contract_id: str, customer_id: str, application: Application, at: datetime) -> Contract:
    """The contract this application becomes, priced from the plan."""
    fee = plan_named(application.plan_id).monthly_fee(application.months)
    handover = application.handover.at
    if not at < handover <= at + LONGEST_NOTICE:
        raise HandoverOutOfReach()
    if any(driver.age_on(handover.date()) < DRIVING_AGE for driver in application.drivers):
        raise DriverTooYoung()
    return Contract(contract_id, customer_id, application, fee, signed_at=at)


def phone_number(text: str) -> str:
    """E.164 from E.164 or a Korean form; ValueError otherwise.

    A Korean number must be a mobile, 010 and eight digits: nobody can be texted a link on any other.
    """
    digits = re.sub(r"[\s.()\-]", "", unicodedata.normalize("NFKC", text))
    national = "0" + digits[3:] if digits.startswith("+82") else digits
    if re.fullmatch(r"010[0-9]{8}", national):
        return "+82" + national[1:]
    if re.fullmatch(r"\+[1-9][0-9]{6,14}", digits) and not digits.startswith("+82"):
        return digits
    raise ValueError("not a mobile number: 010 and eight digits, or + and a country code")


def licence(text: str) -> str:
    """Letters and digits without separators; ValueError without four digits to prove oneself by."""
    number = re.sub(r"[\s./\-]", "", unicodedata.normalize("NFKC", text)).upper()
    if not (re.fullmatch(r"[0-9A-Z가-힣]{5,20}", number) and len(re.findall(r"[0-9]", number)) >= 4):
        raise ValueError("not a licence number")
    return number


def masked(licence_no: str) -> str:
    """The first two characters. The end stays hidden: its last four digits open a smart key."""
    return licence_no[:2] + "*" * (len(licence_no) - 2)


def label_hash(address: str) -> str:
    """Hex SHA-256 of the address, blind to case, spacing and Unicode form: two prints of one label agree."""
    folded = " ".join(unicodedata.normalize("NFKC", address).casefold().split())
    return hashlib.sha256(folded.encode()).hexdigest()
