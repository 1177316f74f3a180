"""Builds each service once with its real store, gateway and clock; the only importer of all contexts.

Imports stand inside the builders, so that a Lambda loads only the contexts it uses.
"""

import functools
from contextlib import suppress
from secrets import token_hex
from typing import TYPE_CHECKING

from chalicelib.kernel.aws import client
from chalicelib.kernel.clock import utc_now
from chalicelib.kernel.ids import new_id
from chalicelib.kernel.secrets import Secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date, datetime
    from typing import Literal

    from chalicelib.appointments.service import AppointmentService, SelfTest, Standing
    from chalicelib.billing.model import Card, ContractFacts, Payment
    from chalicelib.billing.model import Money as Terms
    from chalicelib.billing.model import Term as AgreedTerm
    from chalicelib.billing.service import BillingService
    from chalicelib.checkout.service import CheckoutService, PaymentService
    from chalicelib.contracts.model import Cause, KeyStatus, Money, MoneyFacts, MoneyRules, Term
    from chalicelib.contracts.service import ContractService
    from chalicelib.coupons.service import CouponService
    from chalicelib.devices.service import DeviceService
    from chalicelib.documents.model import Signed
    from chalicelib.documents.service import DocumentService
    from chalicelib.doors.service import DoorDesk, DoorService, Holder
    from chalicelib.incidents.model import Key
    from chalicelib.incidents.service import IncidentService
    from chalicelib.incidents.service import Order as IncidentOrder
    from chalicelib.journey.service import JourneyService
    from chalicelib.kernel.auth import Caller
    from chalicelib.kernel.errors import HandoverError
    from chalicelib.kernel.previews import Previews
    from chalicelib.kernel.tables import Rows, Write
    from chalicelib.keys.model import CarrierReport, Delivery
    from chalicelib.keys.service import KeyService
    from chalicelib.notices.service import NoticeService
    from chalicelib.pages.model import Delayed, Trouble
    from chalicelib.pages.model import Funnel as DayOfKeys
    from chalicelib.pages.service import OverviewService
    from chalicelib.pages.store import PageFiles
    from chalicelib.parking.service import ParkingService
    from chalicelib.smartkeys.model import CarState
    from chalicelib.smartkeys.service import Command as LeavingCommand
    from chalicelib.smartkeys.service import SmartKeyService


@functools.cache
def secrets() -> Secrets:
    return Secrets(lambda: client("secretsmanager"))


@functools.cache
def previews() -> "Previews":
    from chalicelib.kernel.previews import Previews

    return Previews(functools.partial(secrets().text, "preview-key"))


class _KeysOfContracts:
    """keys is built when a contract is shown or closed, not before: most requests never need it."""

    def status(self, contract_id: str) -> "KeyStatus | None":
        from chalicelib.contracts.model import KeyStatus

        found = keys().status(contract_id)
        return KeyStatus(found.shipment_id, found.key_tag, found.state, found.tracking) if found else None

    def outstanding(self, contract_id: str) -> "Sequence[str]":
        return keys().outstanding(contract_id)


class _BillingOfContracts:
    """Prices are pure functions of billing's model; only a view asks how an account stands."""

    def standing(self, contract_id: str) -> str:
        return billing().standing(contract_id)

    def rules(self) -> "MoneyRules":
        from chalicelib.billing.model import EARLY_END_PERCENT, FREE_UNTIL, LATE_PERCENT
        from chalicelib.contracts.model import MoneyRules

        return MoneyRules(int(FREE_UNTIL.total_seconds()) // 3600, LATE_PERCENT, EARLY_END_PERCENT)

    def cancel_terms(self, facts: "MoneyFacts", cause: "Cause", at: "datetime") -> "Money":
        from chalicelib.billing import model

        return self._money(model.cancel_terms(self._facts(facts), cause.value, at))

    def end_terms(self, facts: "MoneyFacts", why: "Literal['cancel', 'breach']", at: "datetime") -> "Money":
        from chalicelib.billing import model

        return self._money(model.end_terms(self._facts(facts), why, at))

    def renew_terms(self, facts: "MoneyFacts", added: "Term") -> "Money":
        from chalicelib.billing import model

        return self._money(model.renew_terms(self._facts(facts), self._term(added)))

    def _facts(self, facts: "MoneyFacts") -> "ContractFacts":
        from chalicelib.billing.model import ContractFacts

        terms = tuple(map(self._term, facts.terms))
        return ContractFacts(terms, facts.handover_at, facts.paid, facts.starts_at)

    def _term(self, term: "Term") -> "AgreedTerm":
        from chalicelib.billing.model import Term

        return Term(term.months, term.monthly_fee)

    def _money(self, found: "Terms") -> "Money":
        from chalicelib.contracts.model import Line, Money

        lines = tuple(Line(str(line.what), line.amount) for line in found.lines)
        return Money(found.effective_at, found.refund, found.charge, lines)


@functools.cache
def contracts() -> "ContractService":
    from chalicelib.contracts.gateway import Offices
    from chalicelib.contracts.service import ContractService
    from chalicelib.contracts.store import ContractStore
    from chalicelib.kernel.settings import SETTINGS

    offices = Offices(SETTINGS.offices_url)
    return ContractService(
        ContractStore(),
        _KeysOfContracts(),
        _BillingOfContracts(),
        licences=offices,
        recalls=offices,
        previews=previews(),
        now=utc_now,
        new_id=new_id,
    )


class _ContractsOfKeys:
    """Only planning asks contracts; scans, webhooks and sweeps never load them."""

    def delivery(self, contract_id: str) -> "Delivery":
        from chalicelib.keys.model import Delivery

        found = contracts().delivery(contract_id)
        return Delivery(
            contract_id=found.contract_id,
            customer_id=found.customer_id,
            car_id=found.car_id,
            key_tag=found.key_tag,
            label_hash=found.label_hash,
            handover_at=found.handover_at,
        )


class _CarriersOfKeys:
    """Only a webhook needs the readers of what carriers write."""

    def report(self, carrier: str, raw: bytes, signature: str) -> "CarrierReport":
        from chalicelib.keys.gateway import SignedCarriers

        return SignedCarriers(secrets().text).report(carrier, raw, signature)


class _ReliefOfKeys:
    def hand_on(self, shard: int) -> None:
        from chalicelib.kernel.settings import SETTINGS
        from chalicelib.keys.gateway import DueQueue

        DueQueue(functools.partial(client, "sqs"), f"{SETTINGS.stage}-keys-due").hand_on(shard)


@functools.cache
def keys() -> "KeyService":
    from chalicelib.keys.service import KeyService
    from chalicelib.keys.store import KeyStore

    return KeyService(KeyStore(), _ContractsOfKeys(), _CarriersOfKeys(), _ReliefOfKeys(), now=utc_now)


@functools.cache
def coupons() -> "CouponService":
    from chalicelib.coupons.service import Budgets, CouponService
    from chalicelib.coupons.store import CouponStore

    store = CouponStore()
    secret = functools.partial(secrets().text, "code-key")
    return CouponService(store, Budgets(store, utc_now), secret, now=utc_now, new_id=new_id)


@functools.cache
def checkout() -> "CheckoutService":
    from chalicelib.checkout.service import CheckoutService
    from chalicelib.checkout.store import CheckoutStore
    from chalicelib.kernel.tables import AllOrNothing

    return CheckoutService(
        CheckoutStore(), coupons(), contracts(), payments(), AllOrNothing, now=utc_now, new_id=new_id
    )


@functools.cache
def payments() -> "PaymentService":
    from chalicelib.checkout.gateway import TossPayments, once
    from chalicelib.checkout.service import PaymentService
    from chalicelib.checkout.store import PaymentStore
    from chalicelib.kernel.settings import SETTINGS
    from chalicelib.kernel.tables import AllOrNothing

    secret = functools.partial(secrets().text, "payments-key")
    gateway = TossPayments(once, SETTINGS.payments_url, secret)
    return PaymentService(PaymentStore(), gateway, AllOrNothing, now=utc_now)


class _ContractsOfBilling:
    """Only the first payment and a customer's own requests ask contracts; sweeps never load them."""

    def owned(self, contract_id: str, customer_id: str) -> None:
        contracts().owned(contract_id, customer_id)

    def card_token(self, contract_id: str) -> str | None:
        return contracts().card_token(contract_id)


class _PaymentsOfBilling:
    """The checkout's gateway in billing's words."""

    def charge(self, payment_id: str, amount: int, card_token: str, what: str) -> "Payment":
        from chalicelib.billing.model import Payment, PaymentState
        from chalicelib.checkout.model import PaymentState as Taken

        found = payments().charge(payment_id, amount, card_token, what)
        known = {Taken.PAID: PaymentState.PAID, Taken.DECLINED: PaymentState.DECLINED}
        return Payment(known.get(found.state, PaymentState.UNKNOWN), found.reason or "")

    def refund(self, payment_id: str, refund_id: str, amount: int) -> "Payment":
        from chalicelib.billing.model import Payment, PaymentState
        from chalicelib.checkout.model import NotRefundable, RefundState

        try:
            found = payments().refund(payment_id, refund_id, amount)
        except NotRefundable as problem:
            return Payment(PaymentState.DECLINED, str(problem))
        known = {RefundState.DONE: PaymentState.PAID, RefundState.REFUSED: PaymentState.DECLINED}
        return Payment(known.get(found.state, PaymentState.UNKNOWN), found.reason or "")

    def verify(self, card_token: str) -> "Card":
        from chalicelib.billing.model import Card, CardDeclined
        from chalicelib.checkout.model import CardDeclined as Declined

        try:
            found = payments().verify(card_token)
        except Declined as problem:
            raise CardDeclined(str(problem)) from problem
        return Card(card_token, found.brand, found.last4)


@functools.cache
def billing() -> "BillingService":
    from chalicelib.billing.service import BillingService
    from chalicelib.billing.store import BillingStore

    return BillingService(BillingStore(), _ContractsOfBilling(), _PaymentsOfBilling(), now=utc_now)


class _ContractsOfAppointments:
    """Sweeps ask nobody; contracts and smart keys are loaded when somebody chooses, leaves or looks."""

    def owned(self, contract_id: str, customer_id: str) -> None:
        contracts().owned(contract_id, customer_id)

    def standing(self, contract_id: str) -> "Standing":
        return contracts().standing(contract_id)

    def move(
        self,
        write: "Write",
        contract_id: str,
        which: str,
        at: "datetime",
        address: str | None,
        seen_version: int,
    ) -> None:
        contracts().move(write, contract_id, which, at, address, seen_version)

    def ready(self, contract_id: str) -> bool:
        return contracts().standing(contract_id).state == "ready"

    def self_test(self, contract_id: str) -> "SelfTest":
        return smartkeys().self_test(contract_id)


@functools.cache
def appointments() -> "AppointmentService":
    from chalicelib.appointments.service import AppointmentService
    from chalicelib.appointments.store import AppointmentStore
    from chalicelib.kernel.tables import AllOrNothing

    others = _ContractsOfAppointments()
    return AppointmentService(
        AppointmentStore(), others, others, others, previews(), AllOrNothing, now=utc_now
    )


class _RegisteredCars:
    """Only operations name a car by themselves; no command and no enrolment loads contracts for it."""

    def exists(self, car_id: str) -> None:
        contracts().car(car_id)


class _SmartKeysOfDoors:
    """smartkeys asks doors about cars in turn, and cars need no smart key: built when a person asks."""

    def holder(self, token: str | None, at: "datetime") -> "Holder":
        return smartkeys().holder(token, at)

    def of_contract(self, contract_id: str, caller: "Caller", reason: str | None, at: "datetime") -> "Holder":
        return smartkeys().holder_of(contract_id, caller, reason, at)

    def sees(self, contract_id: str, caller: "Caller", _at: "datetime") -> None:
        smartkeys().sees(contract_id, caller)

    def still(self, look: "Rows", command: "LeavingCommand") -> "Callable[[datetime], HandoverError | None]":
        return smartkeys().still(look, command)


@functools.cache
def doors() -> "DoorService":
    from chalicelib.doors.gateway import DirectMessenger, IotPublisher
    from chalicelib.doors.service import DoorService
    from chalicelib.doors.store import DoorStore
    from chalicelib.kernel.settings import SETTINGS
    from chalicelib.kernel.tables import Look

    way = DirectMessenger if SETTINGS.command_transport == "direct" else IotPublisher
    return DoorService(
        DoorStore(),
        _SmartKeysOfDoors(),
        way(functools.partial(client, "iot-data", attempts=1)),
        master=functools.partial(secrets().text, "command-key"),
        now=utc_now,
        new_id=new_id,
        new_nonce=functools.partial(token_hex, 8),
        new_look=Look,
    )


@functools.cache
def door_desk() -> "DoorDesk":
    from chalicelib.doors.service import DoorDesk
    from chalicelib.doors.store import DoorStore

    return DoorDesk(DoorStore(), _RegisteredCars(), now=utc_now, new_id=new_id)


class _DoorsOfSmartKeys:
    """Only a holder's page asks how the car is."""

    def car_state(self, car_id: str) -> "CarState":
        return doors().car_state(car_id)


class _BillingOfSmartKeys:
    """Asked only when a customer gives a key away."""

    def overdue(self, contract_id: str) -> bool:
        return billing().standing(contract_id) == "blocked"


@functools.cache
def smartkeys() -> "SmartKeyService":
    from chalicelib.contracts.model import phone_number, proven
    from chalicelib.smartkeys.service import SmartKeyService
    from chalicelib.smartkeys.store import SmartKeyStore

    return SmartKeyService(
        SmartKeyStore(),
        contracts(),
        _DoorsOfSmartKeys(),
        _BillingOfSmartKeys(),
        link_key=functools.partial(secrets().text, "link-key"),
        phone_number=phone_number,
        proven=proven,
        now=utc_now,
        new_id=new_id,
    )


@functools.cache
def notices() -> "NoticeService":
    from chalicelib.kernel.settings import SETTINGS
    from chalicelib.notices.gateway import SnsSms
    from chalicelib.notices.model import Caps
    from chalicelib.notices.service import NoticeService
    from chalicelib.notices.store import NoticeStore

    return NoticeService(
        NoticeStore(),
        smartkeys(),
        smartkeys(),  # it also knows the people that operations named
        SnsSms(functools.partial(client, "sns", attempts=1)),
        site_url=SETTINGS.site_url,
        caps=Caps(SETTINGS.sms_parts_per_day, SETTINGS.sms_parts_for_links),
        number_key=functools.partial(secrets().text, "link-key"),
        now=utc_now,
        new_id=new_id,
    )


class _SmartKeysOfIncidents:
    """Only the work itself gives and ends smart keys."""

    def issue(self, order: "IncidentOrder") -> "Key":
        from chalicelib.incidents.model import Key
        from chalicelib.smartkeys.model import CUSTOMER, Order

        asked = Order(
            order_id=order.order_id,
            fingerprint=order.order_id,
            grant_id=order.grant_id,
            contract_id=order.contract_id,
            holder=CUSTOMER,
            reason=order.reason,
            issuer=order.issuer,
            not_after=order.not_after,
            incident_id=order.incident_id,
        )
        grant = smartkeys().issue(asked).grant
        return Key(grant.grant_id, grant.grant_id != order.grant_id, grant.unlocked_at is not None)

    def revoke(self, contract_id: str, grant_id: str, by: str, reason: str) -> None:
        from chalicelib.kernel.states import IllegalMove

        with suppress(IllegalMove):  # its time was over
            smartkeys().revoke(contract_id, grant_id, by, reason)


@functools.cache
def incidents() -> "IncidentService":
    from chalicelib.incidents.gateway import WorkQueue
    from chalicelib.incidents.service import IncidentService
    from chalicelib.incidents.store import IncidentStore
    from chalicelib.kernel.settings import SETTINGS

    return IncidentService(
        IncidentStore(),
        _SmartKeysOfIncidents(),
        contracts(),
        WorkQueue(functools.partial(client, "sqs"), f"{SETTINGS.stage}-incidents-work"),
        now=utc_now,
        new_id=new_id,
    )


@functools.cache
def page_files() -> "PageFiles":
    from chalicelib.pages.store import PageFiles

    return PageFiles()


class _GrantsOfPages:
    def funnel(self, day: "date") -> "DayOfKeys":
        from chalicelib.pages.model import Funnel, Step, Stuck
        from chalicelib.smartkeys.model import Stage

        steps = {Stage.ISSUED: Step.WAITING, Stage.SENT: Step.SENT, Stage.OPENED: Step.OPENED}
        found = smartkeys().funnel(day)
        stuck = tuple(
            Stuck(each.contract_id, each.car_id, steps[each.stage], each.link_died, each.issued_at)
            for each in found.stuck
        )
        return Funnel(found.issued, found.unlocked, found.revoked + found.expired, stuck)


class _ShipmentsOfPages:
    def troubles(self, limit: int) -> "list[Trouble]":
        from chalicelib.pages.model import Trouble

        found = keys().troubles(limit)
        return [Trouble(each.shipment_id, each.contract_id, each.kind, each.since) for each in found]

    def oldest_due(self, at: "datetime") -> "datetime | None":
        return keys().oldest_due(at)


class _AppointmentsOfPages:
    def troubles(self, limit: int) -> "list[Delayed]":
        from chalicelib.pages.model import Delayed

        found = appointments().troubles(limit)
        return [
            Delayed(each.appointment_id, each.contract_id, each.kind, each.since, each.parking_cost)
            for each in found
        ]


@functools.cache
def overview() -> "OverviewService":
    from chalicelib.pages.service import OverviewService

    return OverviewService(_GrantsOfPages(), _ShipmentsOfPages(), _AppointmentsOfPages(), now=utc_now)


class _ContractsOfJourney:
    """Recording asks nobody; only who looks at a timeline must be allowed to."""

    def owned(self, contract_id: str, customer_id: str) -> None:
        contracts().owned(contract_id, customer_id)

    def exists(self, contract_id: str) -> None:
        contracts().standing(contract_id)


@functools.cache
def journey() -> "JourneyService":
    from chalicelib.journey.service import JourneyService
    from chalicelib.journey.store import JourneyStore

    return JourneyService(JourneyStore(), _ContractsOfJourney())


class _ContractsOfDocuments:
    """A certificate is a contract's only while the car itself says so."""

    def owned(self, contract_id: str, customer_id: str) -> None:
        contracts().owned(contract_id, customer_id)

    def copy(self, contract_id: str) -> "Signed":
        from chalicelib.contracts.model import masked, plan_named
        from chalicelib.documents.model import NamedDriver, Signed

        found, rules = contracts().copy(contract_id), contracts().money_rules()
        plan, first = plan_named(found.plan_id), found.terms[0]
        drivers = (named.driver for named in found.drivers)
        return Signed(
            contract_id=contract_id,
            plan_ko=plan.ko.name,
            plan_en=plan.en.name,
            months=first.months,
            monthly_fee=first.monthly_fee,
            signed_at=found.signed_at,
            handover_at=found.handover.at,
            address=found.handover.address,
            drivers=tuple(NamedDriver(each.name, masked(each.licence_no)) for each in drivers),
            free_until_hours=rules.free_until_hours,
            late_percent=rules.late_percent,
            early_end_percent=rules.early_end_percent,
        )

    def car_of(self, contract_id: str) -> str | None:
        car_id = contracts().standing(contract_id).car_id
        return car_id if car_id and contracts().car(car_id).contract_id == contract_id else None

    def car_exists(self, car_id: str) -> None:
        contracts().car(car_id)


@functools.cache
def documents() -> "DocumentService":
    from chalicelib.documents.gateway import S3Files
    from chalicelib.documents.service import DocumentService
    from chalicelib.documents.store import DocumentStore
    from chalicelib.kernel.settings import SETTINGS

    files = S3Files(functools.partial(client, "s3"), SETTINGS.documents_bucket)
    return DocumentService(DocumentStore(), files, _ContractsOfDocuments(), now=utc_now, new_id=new_id)


@functools.cache
def devices() -> "DeviceService":
    from chalicelib.devices.gateway import IotRegistry
    from chalicelib.devices.service import DeviceService
    from chalicelib.devices.store import DeviceStore
    from chalicelib.doors.model import car_key

    registry = IotRegistry(functools.partial(client, "iot"), functools.partial(client, "iot-data"))
    return DeviceService(
        DeviceStore(),
        _RegisteredCars(),
        registry,
        code_key=functools.partial(secrets().text, "enrolment-key"),
        command_key=lambda car_id: car_key(secrets().text("command-key"), car_id),
        now=utc_now,
    )


@functools.cache
def parking() -> "ParkingService":
    from chalicelib.parking.service import ParkingService
    from chalicelib.parking.store import ParkingStore

    return ParkingService(ParkingStore())
