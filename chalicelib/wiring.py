"""Builds each service once with its real store, gateway and clock; the only importer of all contexts.

Imports stand inside the builders, so that a Lambda loads only the contexts it uses.
"""

import functools
from secrets import token_hex
from typing import TYPE_CHECKING

from chalicelib.kernel.aws import client
from chalicelib.kernel.clock import utc_now
from chalicelib.kernel.ids import new_id
from chalicelib.kernel.secrets import Secrets

if TYPE_CHECKING:
    from chalicelib.appointments.service import AppointmentService
    from chalicelib.billing.service import BillingService
    from chalicelib.checkout.service import CheckoutService, PaymentService
    from chalicelib.contracts.service import ContractService
    from chalicelib.coupons.service import CouponService
    from chalicelib.devices.service import DeviceService
    from chalicelib.documents.service import DocumentService
    from chalicelib.doors.service import DoorDesk, DoorService
    from chalicelib.incidents.service import IncidentService
    from chalicelib.journey.service import JourneyService
    from chalicelib.kernel.previews import Previews
    from chalicelib.keys.model import CarrierReport
    from chalicelib.keys.service import KeyService
    from chalicelib.ledger.service import BookService, LookService, RunService, SettlementService
    from chalicelib.ledger.store import Books
    from chalicelib.notices.service import NoticeService
    from chalicelib.pages.service import OverviewService, WalletService
    from chalicelib.pages.store import PageFiles
    from chalicelib.parking.service import ParkingService
    from chalicelib.points.service import AwardService, ConversionService, PointService, PointTimers
    from chalicelib.smartkeys.service import SmartKeyService


@functools.cache
def secrets() -> Secrets:
    return Secrets(lambda: client("secretsmanager"))


@functools.cache
def previews() -> "Previews":
    from chalicelib.kernel.previews import Previews

    return Previews(functools.partial(secrets().text, "preview-key"))


@functools.cache
def contracts() -> "ContractService":
    from chalicelib.contracts.gateway import Offices
    from chalicelib.contracts.service import ContractService
    from chalicelib.contracts.store import ContractStore
    from chalicelib.kernel.settings import SETTINGS
    from chalicelib.neighbours.contracts import BillingOfContracts, KeysOfContracts

    offices = Offices(SETTINGS.offices_url)
    return ContractService(
        ContractStore(),
        KeysOfContracts(keys),
        BillingOfContracts(billing),
        licences=offices,
        recalls=offices,
        previews=previews(),
        now=utc_now,
        new_id=new_id,
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
    from chalicelib.neighbours.keys import ContractsOfKeys

    return KeyService(KeyStore(), ContractsOfKeys(contracts), _CarriersOfKeys(), _ReliefOfKeys(), now=utc_now)


@functools.cache
def coupons() -> "CouponService":
    from chalicelib.coupons.service import Budgets, CouponService
    from chalicelib.coupons.store import CouponStore
    from chalicelib.kernel.tables import AllOrNothing

    store = CouponStore()
    secret = functools.partial(secrets().text, "code-key")
    budgets = Budgets(store, books(), AllOrNothing, utc_now)
    return CouponService(store, budgets, secret, now=utc_now, new_id=new_id, texts=_texts_of_gifts)


def _texts_of_gifts(campaign_id: str, batch_id: str) -> dict[str, int]:
    """Notices ask coupons in turn: they are built when operations look at a batch."""
    return notices().texts_of(campaign_id, batch_id)


@functools.cache
def points() -> "PointService":
    from chalicelib.kernel.tables import AllOrNothing
    from chalicelib.points.service import PointService
    from chalicelib.points.store import PointStore

    return PointService(PointStore(), AllOrNothing, now=utc_now, new_id=new_id)


@functools.cache
def point_awards() -> "AwardService":
    from chalicelib.neighbours.points import ContractsOfPoints
    from chalicelib.points.service import AwardService
    from chalicelib.points.store import PointStore

    return AwardService(PointStore(), points(), ContractsOfPoints(contracts), now=utc_now)


@functools.cache
def point_conversions() -> "ConversionService":
    from chalicelib.kernel.settings import SETTINGS
    from chalicelib.points.gateway import SignedPartners, once
    from chalicelib.points.service import ConversionService
    from chalicelib.points.store import PointStore

    office = SignedPartners(once, SETTINGS.partners_url, secrets().text)
    return ConversionService(PointStore(), points(), office, now=utc_now)


@functools.cache
def point_timers() -> "PointTimers":
    from chalicelib.points.service import PointTimers

    return PointTimers(points(), point_conversions())


@functools.cache
def checkout() -> "CheckoutService":
    from chalicelib.checkout.service import CheckoutService
    from chalicelib.checkout.store import CheckoutStore
    from chalicelib.kernel.tables import AllOrNothing

    return CheckoutService(
        CheckoutStore(),
        coupons(),
        points(),
        books(),
        contracts(),
        payments(),
        AllOrNothing,
        now=utc_now,
        new_id=new_id,
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


@functools.cache
def billing() -> "BillingService":
    from chalicelib.billing.service import BillingService
    from chalicelib.billing.store import BillingStore
    from chalicelib.neighbours.billing import ContractsOfBilling, PaymentsOfBilling

    return BillingService(
        BillingStore(), ContractsOfBilling(contracts), PaymentsOfBilling(checkout, payments), now=utc_now
    )


@functools.cache
def appointments() -> "AppointmentService":
    from chalicelib.appointments.service import AppointmentService
    from chalicelib.appointments.store import AppointmentStore
    from chalicelib.kernel.tables import AllOrNothing
    from chalicelib.neighbours.appointments import ContractsOfAppointments

    others = ContractsOfAppointments(contracts, smartkeys)
    return AppointmentService(
        AppointmentStore(), others, others, others, previews(), AllOrNothing, now=utc_now
    )


@functools.cache
def doors() -> "DoorService":
    from chalicelib.doors.gateway import DirectMessenger, IotPublisher
    from chalicelib.doors.service import DoorService
    from chalicelib.doors.store import DoorStore
    from chalicelib.kernel.settings import SETTINGS
    from chalicelib.kernel.tables import Look
    from chalicelib.neighbours.doors import SmartKeysOfDoors

    way = DirectMessenger if SETTINGS.command_transport == "direct" else IotPublisher
    return DoorService(
        DoorStore(),
        SmartKeysOfDoors(smartkeys),
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
    from chalicelib.neighbours.cars import RegisteredCars

    return DoorDesk(DoorStore(), RegisteredCars(contracts), now=utc_now, new_id=new_id)


@functools.cache
def smartkeys() -> "SmartKeyService":
    from chalicelib.contracts.model import phone_number, proven
    from chalicelib.neighbours.smartkeys import BillingOfSmartKeys, DoorsOfSmartKeys
    from chalicelib.smartkeys.service import SmartKeyService
    from chalicelib.smartkeys.store import SmartKeyStore

    return SmartKeyService(
        SmartKeyStore(),
        contracts(),
        DoorsOfSmartKeys(doors),
        BillingOfSmartKeys(billing),
        link_key=functools.partial(secrets().text, "link-key"),
        phone_number=phone_number,
        proven=proven,
        now=utc_now,
        new_id=new_id,
    )


@functools.cache
def notices() -> "NoticeService":
    from chalicelib.kernel.settings import SETTINGS
    from chalicelib.neighbours.notices import CustomersOfNotices, GiftsOfNotices, PointsOfNotices
    from chalicelib.notices.gateway import SignedCalls, SnsSms
    from chalicelib.notices.model import Caps
    from chalicelib.notices.service import NoticeService
    from chalicelib.notices.store import NoticeStore

    return NoticeService(
        NoticeStore(),
        smartkeys(),
        smartkeys(),  # it also knows the people that operations named
        GiftsOfNotices(coupons),
        PointsOfNotices(points),
        CustomersOfNotices(contracts),
        SignedCalls(functools.partial(secrets().text, "opt-out-key")),
        SnsSms(functools.partial(client, "sns", attempts=1)),
        site_url=SETTINGS.site_url,
        opt_out=SETTINGS.opt_out_number,
        caps=Caps(SETTINGS.sms_parts_per_day, SETTINGS.sms_parts_for_links),
        number_key=functools.partial(secrets().text, "link-key"),
        now=utc_now,
        new_id=new_id,
    )


@functools.cache
def incidents() -> "IncidentService":
    from chalicelib.incidents.gateway import WorkQueue
    from chalicelib.incidents.service import IncidentService
    from chalicelib.incidents.store import IncidentStore
    from chalicelib.kernel.settings import SETTINGS
    from chalicelib.neighbours.incidents import SmartKeysOfIncidents

    return IncidentService(
        IncidentStore(),
        SmartKeysOfIncidents(smartkeys),
        contracts(),
        WorkQueue(functools.partial(client, "sqs"), f"{SETTINGS.stage}-incidents-work"),
        now=utc_now,
        new_id=new_id,
    )


@functools.cache
def page_files() -> "PageFiles":
    from chalicelib.pages.store import PageFiles

    return PageFiles()


@functools.cache
def overview() -> "OverviewService":
    from chalicelib.neighbours.pages import AppointmentsOfPages, GrantsOfPages, ShipmentsOfPages
    from chalicelib.pages.service import OverviewService

    return OverviewService(
        GrantsOfPages(smartkeys), ShipmentsOfPages(keys), AppointmentsOfPages(appointments), now=utc_now
    )


@functools.cache
def wallet() -> "WalletService":
    from chalicelib.neighbours.pages import PointsOfPages
    from chalicelib.pages.service import WalletService

    return WalletService(PointsOfPages(points), coupons(), now=utc_now)


@functools.cache
def journey() -> "JourneyService":
    from chalicelib.journey.service import JourneyService
    from chalicelib.journey.store import JourneyStore
    from chalicelib.neighbours.journey import ContractsOfJourney

    return JourneyService(JourneyStore(), ContractsOfJourney(contracts))


@functools.cache
def books() -> "Books":
    """Where whoever moves money posts its entries."""
    from chalicelib.ledger.store import Books

    return Books()


@functools.cache
def ledger_books() -> "BookService":
    from chalicelib.ledger.service import BookService
    from chalicelib.ledger.store import BookStore, RunStore

    return BookService(BookStore(), RunStore())


@functools.cache
def ledger_settlements() -> "SettlementService":
    from chalicelib.ledger.service import SettlementService
    from chalicelib.ledger.store import SponsorStore

    return SettlementService(SponsorStore(), ledger_books(), now=utc_now)


@functools.cache
def ledger_runs() -> "RunService":
    from chalicelib.kernel.tables import AllOrNothing
    from chalicelib.ledger.service import RunService
    from chalicelib.ledger.store import RunStore, SponsorStore
    from chalicelib.neighbours.ledger import CheckoutsOfLedger, CountersOfLedger

    return RunService(
        RunStore(),
        ledger_books(),
        SponsorStore(),
        CheckoutsOfLedger(checkout),
        CountersOfLedger(coupons, points),
        AllOrNothing,
        now=utc_now,
        new_id=new_id,
    )


@functools.cache
def ledger_lookup() -> "LookService":
    from chalicelib.kernel.settings import SETTINGS
    from chalicelib.ledger.gateway import ApiLog
    from chalicelib.ledger.service import LookService
    from chalicelib.neighbours.ledger import CheckoutsOfLedger, CouponsOfLedger, PointsOfLedger

    log = ApiLog(functools.partial(client, "logs"), f"/aws/lambda/{SETTINGS.stage}-api")
    return LookService(
        ledger_books(),
        CheckoutsOfLedger(checkout),
        CouponsOfLedger(coupons),
        PointsOfLedger(points),
        log,
        now=utc_now,
    )


@functools.cache
def documents() -> "DocumentService":
    from chalicelib.documents.gateway import S3Files
    from chalicelib.documents.service import DocumentService
    from chalicelib.documents.store import DocumentStore
    from chalicelib.kernel.settings import SETTINGS
    from chalicelib.neighbours.documents import ContractsOfDocuments

    files = S3Files(functools.partial(client, "s3"), SETTINGS.documents_bucket)
    return DocumentService(
        DocumentStore(), files, ContractsOfDocuments(contracts), now=utc_now, new_id=new_id
    )


@functools.cache
def devices() -> "DeviceService":
    from chalicelib.devices.gateway import IotRegistry
    from chalicelib.devices.service import DeviceService
    from chalicelib.devices.store import DeviceStore
    from chalicelib.doors.model import car_key
    from chalicelib.neighbours.cars import RegisteredCars

    registry = IotRegistry(functools.partial(client, "iot"), functools.partial(client, "iot-data"))
    return DeviceService(
        DeviceStore(),
        RegisteredCars(contracts),
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
