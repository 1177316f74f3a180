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
    from datetime import date, datetime

    from chalicelib.checkout.service import CheckoutService
    from chalicelib.contracts.model import KeyStatus
    from chalicelib.contracts.service import ContractService
    from chalicelib.coupons.service import CouponService
    from chalicelib.doors.service import DoorService, Holder
    from chalicelib.keys.model import Delivery
    from chalicelib.keys.service import KeyService
    from chalicelib.notices.service import NoticeService
    from chalicelib.pages.model import Funnel as DayOfKeys
    from chalicelib.pages.model import Trouble
    from chalicelib.pages.service import OverviewService
    from chalicelib.pages.store import PageFiles
    from chalicelib.smartkeys.service import CarState, SmartKeyService


@functools.cache
def secrets() -> Secrets:
    return Secrets(lambda: client("secretsmanager"))


class _KeysOfContracts:
    """keys is built when a contract is shown, not before: most requests about contracts never need it."""

    def status(self, contract_id: str) -> "KeyStatus | None":
        from chalicelib.contracts.model import KeyStatus

        found = keys().status(contract_id)
        return KeyStatus(found.shipment_id, found.key_tag, found.state, found.tracking) if found else None


@functools.cache
def contracts() -> "ContractService":
    from chalicelib.contracts.service import ContractService
    from chalicelib.contracts.store import ContractStore

    return ContractService(ContractStore(), _KeysOfContracts(), now=utc_now, new_id=new_id)


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


@functools.cache
def keys() -> "KeyService":
    from chalicelib.keys.gateway import SignedCarriers
    from chalicelib.keys.service import KeyService
    from chalicelib.keys.store import KeyStore

    return KeyService(KeyStore(), _ContractsOfKeys(), SignedCarriers(secrets().text), now=utc_now)


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

    return CheckoutService(CheckoutStore(), coupons(), contracts(), AllOrNothing, now=utc_now, new_id=new_id)


class _SmartKeysOfDoors:
    """smartkeys asks doors about cars in turn, and cars need no smart key: built when a person asks."""

    def holder(self, token: str | None, at: "datetime") -> "Holder":
        return smartkeys().holder(token, at)


@functools.cache
def doors() -> "DoorService":
    from chalicelib.doors.gateway import IotPublisher
    from chalicelib.doors.service import DoorService
    from chalicelib.doors.store import DoorStore

    return DoorService(
        DoorStore(),
        _SmartKeysOfDoors(),
        IotPublisher(functools.partial(client, "iot-data", attempts=1)),
        master=functools.partial(secrets().text, "command-key"),
        now=utc_now,
        new_id=new_id,
        new_nonce=functools.partial(token_hex, 8),
    )


class _DoorsOfSmartKeys:
    """Only a holder's page asks how the car is."""

    def car_state(self, car_id: str) -> "CarState":
        return doors().car_state(car_id)


@functools.cache
def smartkeys() -> "SmartKeyService":
    from chalicelib.contracts.model import phone_number
    from chalicelib.smartkeys.service import SmartKeyService
    from chalicelib.smartkeys.store import SmartKeyStore

    return SmartKeyService(
        SmartKeyStore(),
        contracts(),
        _DoorsOfSmartKeys(),
        link_key=functools.partial(secrets().text, "link-key"),
        phone_number=phone_number,
        now=utc_now,
        new_id=new_id,
    )


@functools.cache
def notices() -> "NoticeService":
    from chalicelib.kernel.settings import SETTINGS
    from chalicelib.notices.gateway import SnsSms
    from chalicelib.notices.service import NoticeService
    from chalicelib.notices.store import NoticeStore

    return NoticeService(
        NoticeStore(),
        smartkeys(),
        contracts(),
        SnsSms(functools.partial(client, "sns", attempts=1)),
        site_url=SETTINGS.site_url,
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


@functools.cache
def overview() -> "OverviewService":
    from chalicelib.pages.service import OverviewService

    return OverviewService(_GrantsOfPages(), _ShipmentsOfPages(), now=utc_now)
