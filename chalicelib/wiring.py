"""Builds each service once with its real store, gateway and clock; the only importer of all contexts.

Imports stand inside the builders, so that a Lambda loads only the contexts it uses.
"""

import functools
from contextlib import suppress
from datetime import timedelta
from secrets import token_hex
from typing import TYPE_CHECKING

from chalicelib.kernel.aws import client
from chalicelib.kernel.clock import utc_now
from chalicelib.kernel.ids import new_id
from chalicelib.kernel.secrets import Secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from datetime import date, datetime
    from typing import Literal

    from chalicelib.appointments.service import AppointmentService, SelfTest, Standing
    from chalicelib.billing.model import Card, ContractFacts, Payment
    from chalicelib.billing.model import Money as Terms
    from chalicelib.billing.model import Term as AgreedTerm
    from chalicelib.billing.service import BillingService
    from chalicelib.checkout.model import Checkout
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
    from chalicelib.kernel.money import Entry
    from chalicelib.kernel.previews import Previews
    from chalicelib.kernel.tables import Rows, Write
    from chalicelib.keys.model import CarrierReport, Delivery
    from chalicelib.keys.service import KeyService
    from chalicelib.ledger.model import (
        Balance,
        Counted,
        Counts,
        Difference,
        Found,
        Held,
        Pot,
        Purse,
        Record,
        Repairable,
    )
    from chalicelib.ledger.service import BookService, LookService, RunService, SettlementService
    from chalicelib.ledger.store import Books
    from chalicelib.notices.service import Gift, NoticeService, Party
    from chalicelib.pages.model import Delayed, Expiring, Trouble
    from chalicelib.pages.model import Funnel as DayOfKeys
    from chalicelib.pages.service import OverviewService, WalletService
    from chalicelib.pages.store import PageFiles
    from chalicelib.parking.service import ParkingService
    from chalicelib.points.model import Rental
    from chalicelib.points.service import AwardService, ConversionService, PointService, PointTimers
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


class _ContractsOfPoints:
    """Only a car that was handed over or returned asks contracts."""

    def rental(self, contract_id: str) -> "Rental":
        from chalicelib.points.model import Rental

        found = contracts().standing(contract_id)
        return Rental(found.customer_id, found.return_at)


@functools.cache
def point_awards() -> "AwardService":
    from chalicelib.points.service import AwardService
    from chalicelib.points.store import PointStore

    return AwardService(PointStore(), points(), _ContractsOfPoints(), now=utc_now)


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
        """Of what a checkout was paid with, coupon and points go back with the card's money."""
        from chalicelib.billing.model import Payment, PaymentState
        from chalicelib.checkout.model import NotRefundable, RefundState, TooManyRefunds

        try:
            found = checkout().refund_card(payment_id, refund_id, amount)
        except (NotRefundable, TooManyRefunds) as problem:
            return Payment(PaymentState.DECLINED, str(problem))
        known = {RefundState.DONE: PaymentState.PAID, RefundState.REFUSED: PaymentState.DECLINED}
        return Payment(known.get(found.state, PaymentState.UNKNOWN), amount=found.amount)

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


class _GiftsOfNotices:
    """Only advertising needs a coupon's code, and only as it goes out."""

    def gift(self, campaign_id: str, batch_id: str, number: int) -> "Gift":
        return coupons().gift(campaign_id, batch_id, number)


class _CustomersOfNotices:
    def customer(self, customer_id: str) -> "Party":
        return contracts().customer(customer_id)


@functools.cache
def notices() -> "NoticeService":
    from chalicelib.kernel.settings import SETTINGS
    from chalicelib.notices.gateway import SignedCalls, SnsSms
    from chalicelib.notices.model import Caps
    from chalicelib.notices.service import NoticeService
    from chalicelib.notices.store import NoticeStore

    return NoticeService(
        NoticeStore(),
        smartkeys(),
        smartkeys(),  # it also knows the people that operations named
        _GiftsOfNotices(),
        _CustomersOfNotices(),
        SignedCalls(functools.partial(secrets().text, "opt-out-key")),
        SnsSms(functools.partial(client, "sns", attempts=1)),
        site_url=SETTINGS.site_url,
        opt_out=SETTINGS.opt_out_number,
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


class _PointsOfPages:
    def balance(self, customer_id: str) -> "tuple[int, Expiring | None]":
        from chalicelib.pages.model import Expiring

        found = points().standing(customer_id)
        at, first = found.expiring[0] if found.expiring else (None, 0)
        return found.balance, Expiring(first, at) if at else None


@functools.cache
def wallet() -> "WalletService":
    from chalicelib.pages.service import WalletService

    return WalletService(_PointsOfPages(), coupons(), now=utc_now)


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


@functools.cache
def books() -> "Books":
    """Where whoever moves money posts its entries."""
    from chalicelib.ledger.store import Books

    return Books()


class _CheckoutsOfLedger:
    """Records as the books are read against them."""

    def records(self, checkout_ids: "Collection[str]") -> "dict[str, Record]":
        return {each.checkout_id: self._record(each) for each in checkout().records(checkout_ids)}

    def unfinished(self) -> "list[tuple[str, str]]":
        from chalicelib.checkout.model import Checkout
        from chalicelib.checkout.service import CheckoutService
        from chalicelib.kernel.deadlines import SHARDS

        service: CheckoutService = checkout()
        until = utc_now() + timedelta(days=1)
        pages = (page for shard in range(SHARDS) for page in service.store.due(shard, until))
        open_ones = (each for page in pages for each in page if isinstance(each, Checkout))
        return [(each.campaign_id or "-", each.checkout_id) for each in open_ones]

    def _record(self, found: "Checkout") -> "Record":
        from chalicelib.checkout.model import State
        from chalicelib.ledger.model import Record

        active = found.state in (State.RESERVED, State.CAPTURING, State.CAPTURED)
        return Record(
            found.checkout_id,
            found.campaign_id or "-",
            found.customer_id,
            found.order_id,
            found.coupon_id,
            found.state.value,
            active,
            found.reserved_at,
            self._entries(found),
            tuple(self._odd(found)),
            tuple(self._counted(found)),
        )

    def _counted(self, found: "Checkout") -> "Iterator[str]":
        """The first of the shards that pay it counts it."""
        from chalicelib.checkout.model import State

        pots = {State.RESERVED: "uses_reserved", State.CAPTURED: "uses_captured"}
        pots[State.CAPTURING] = pots[State.RESERVED]
        if found.split and found.state in pots:
            yield f"campaign/{found.campaign_id}/{found.split[0][0]}/{pots[found.state]}"
            yield f"campaign/{found.campaign_id}/uses"

    def _odd(self, found: "Checkout") -> "Iterator[tuple[str, int | str | None, int | str | None]]":
        """Fields that follow from others of the same record."""
        from chalicelib.checkout.model import State

        if found.split and sum(won for _, won in found.split) != found.discount:
            yield "discount", sum(won for _, won in found.split), found.discount
        if sum(points for _, points in found.lots) != found.points_used:
            yield "points_used", sum(points for _, points in found.lots), found.points_used
        waits = found.payment_id is not None
        if found.state in (State.RESERVED, State.CAPTURING) and waits != (found.state is State.CAPTURING):
            yield "state", State.CAPTURING if waits else State.RESERVED, found.state.value
        spent = found.left.total == 0 and bool(found.refunds)
        if found.state in (State.CAPTURED, State.REFUNDED) and spent != (found.state is State.REFUNDED):
            yield "state", State.REFUNDED if spent else State.CAPTURED, found.state.value

    def _entries(self, found: "Checkout") -> "tuple[Entry, ...]":
        """None of a record that contradicts itself: then all that the books say of it is missing in it."""
        from chalicelib.kernel.money import Unbalanced

        try:
            return tuple(entry for entry in checkout().entries_of(found) if entry.legs)
        except (AssertionError, IndexError, KeyError, ValueError, Unbalanced):
            return ()


class _CountersOfLedger:
    """Budgets, coupons, uses and wallets as their own rows tell them."""

    def budget(self, campaign_id: str) -> "list[Counted]":
        from chalicelib.coupons.model import UnknownCampaign
        from chalicelib.ledger.model import Counted

        try:
            seen = coupons().status(campaign_id)
        except UnknownCampaign:
            return []
        limit = {f"campaign/{campaign_id}/budget": -seen.campaign.budget}
        found = [Counted(f"campaign CAMPAIGN#{campaign_id}", limit)]
        for number, shard in enumerate(seen.shards):
            account = f"campaign/{campaign_id}/{number}"
            holds = {
                f"{account}/available": shard.available,
                f"{account}/reserved": shard.reserved,
                f"{account}/captured": shard.captured - shard.refunded,
            }
            found.append(Counted(f"shard SHARD#{campaign_id}#{number}", holds))
        return found

    def counts(self, campaign_id: str) -> "Counts":
        from chalicelib.coupons.model import Switch
        from chalicelib.ledger.model import Counted, Counts

        seen = coupons().status(campaign_id)
        row = f"campaign CAMPAIGN#{campaign_id}"
        states, uses = {row: seen.campaign.state.value}, []
        for number, shard in enumerate(seen.shards):
            name, account = f"shard SHARD#{campaign_id}#{number}", f"campaign/{campaign_id}/{number}"
            if shard.state is not Switch.MERGED:
                states[name] = shard.state.value
            holds = {
                f"{account}/uses_reserved": shard.uses_reserved,
                f"{account}/uses_captured": shard.uses_captured - shard.uses_refunded,
            }
            uses.append(Counted(name, holds))
        if seen.campaign.uses is not None and seen.uses_left is not None:
            uses.append(Counted(row, {f"campaign/{campaign_id}/uses": seen.campaign.uses - seen.uses_left}))
        return Counts(() if seen.campaign.terms.bound else tuple(uses), states)

    def coupons(self, coupon_ids: "Collection[str]") -> "dict[str, Held]":
        from chalicelib.coupons.model import State
        from chalicelib.ledger.model import Held

        names, found = sorted(coupon_ids), {}
        for start in range(0, len(names), 100):
            for each in coupons().coupons_by_id(names[start : start + 100]):
                found[each.coupon_id] = Held(each.state is State.USED, each.used_by)
        return found

    def uses(self, campaign_id: str, customer_ids: "Collection[str]") -> "dict[str, int]":
        names = sorted(customer_ids)
        found: dict[str, int] = {}
        for start in range(0, len(names), 100):
            found |= coupons().used(campaign_id, names[start : start + 100])
        return found

    def purse(self, customer_id: str) -> "Purse":
        from chalicelib.ledger.model import Difference, Purse

        witness = points().witness(customer_id)
        held = {name: sum(each for _, each in lots) for name, lots in witness.stored.held.items()}
        wrong = tuple(
            Difference(
                f"wallet {customer_id} {each.item}",
                each.account,
                each.expected,
                each.found,
                each.found - each.expected,
            )
            for each in witness.differences
        )
        return Purse(customer_id, held, wrong)

    def correct(self, write: "Write", counter: "Repairable", difference: "Difference") -> None:
        from chalicelib.kernel.errors import Conflict
        from chalicelib.ledger.model import Pot

        if isinstance(counter, Pot):
            self._correct_pot(write, counter, int(difference.found or 0), -difference.amount)
        elif difference not in self.purse(counter.customer_id).wrong:
            raise Conflict()
        else:
            points().repair(write, points().witness(counter.customer_id))

    def _correct_pot(self, write: "Write", pot: "Pot", found: int, amount: int) -> None:
        """Captured and refunded are two columns; what the books call captured is their difference."""
        from chalicelib.kernel.errors import Conflict

        shard = coupons().status(pot.campaign_id).shards[pot.shard]
        more = shard.refunded if pot.pot == "captured" else 0
        if getattr(shard, pot.pot) - more != found:
            raise Conflict()
        coupons().repair(
            write,
            campaign_id=pot.campaign_id,
            shard=pot.shard,
            pot=pot.pot,
            found=found + more,
            amount=amount,
        )


class _CouponsOfLedger:
    def by_code(self, code: str) -> "Found | None":
        from chalicelib.coupons.model import CodeRefused, hash_of, read_code

        try:
            code_hash = hash_of(secrets().text("code-key"), read_code(code))
        except CodeRefused:
            return None
        return self._found(code_hash)

    def by_id(self, coupon_id: str) -> "Found | None":
        from chalicelib.coupons.model import UnknownCoupon, parts_of

        try:
            found = self._found(parts_of(coupon_id)[1])
        except UnknownCoupon:
            return None
        return found if found and found.coupon_id == coupon_id else None

    def _found(self, code_hash: str) -> "Found | None":
        from chalicelib.ledger.model import Found

        each = coupons().store.coupon(code_hash)
        return Found(each.coupon_id, each.state.value, each.owner, each.used_by) if each else None


class _PointsOfLedger:
    def standing(self, customer_id: str) -> "Balance":
        from chalicelib.ledger.model import Balance

        wallet = points().wallet(customer_id)
        return Balance(wallet.balance(utc_now()), wallet.on_hold, wallet.debt)


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

    return RunService(
        RunStore(),
        ledger_books(),
        SponsorStore(),
        _CheckoutsOfLedger(),
        _CountersOfLedger(),
        AllOrNothing,
        now=utc_now,
        new_id=new_id,
    )


@functools.cache
def ledger_lookup() -> "LookService":
    from chalicelib.kernel.settings import SETTINGS
    from chalicelib.ledger.gateway import ApiLog
    from chalicelib.ledger.service import LookService

    log = ApiLog(functools.partial(client, "logs"), f"/aws/lambda/{SETTINGS.stage}-api")
    return LookService(
        ledger_books(), _CheckoutsOfLedger(), _CouponsOfLedger(), _PointsOfLedger(), log, now=utc_now
    )


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
