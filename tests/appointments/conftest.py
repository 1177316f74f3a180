"""Each behaviour is tested twice: on the memory store and on DynamoDB."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from chalicelib.appointments.model import Appointment, Heard, Moved, Which, Wish, slot_of
from chalicelib.appointments.service import AppointmentService, Store, appointment_id_of
from chalicelib.appointments.store import AppointmentStore
from chalicelib.kernel.auth import Caller
from chalicelib.kernel.done import Done
from chalicelib.kernel.facts import Fact, fact_of
from chalicelib.kernel.tables import AllOrNothing
from tests.appointments.examples import (
    AGENT,
    CON_KIM,
    GARAGE,
    IN_TWO_WEEKS,
    KIM,
    PREVIEWS,
    TARIFF,
    Contracts,
    SmartKeys,
    fact,
    said,
)
from tests.appointments.memory import MemoryAppointments
from tests.conftest import Hands
from tests.memory import MemoryWrite


@dataclass
class World:
    """The appointments service, its clock, and what it asks of others."""

    service: AppointmentService
    store: Store
    clock: Hands
    contracts: Contracts
    smartkeys: SmartKeys
    facts_of_store: Callable[[], list[Fact]]

    def paid(self, contract_id: str = CON_KIM, at: datetime = IN_TWO_WEEKS) -> None:
        """The contract is paid now; its handover is agreed with that."""
        self.contracts.becomes("confirmed", contract_id, handover_at=at)
        customer = contract_id.removeprefix("con_")
        self.service.paid(contract_id, customer, at, fact("ContractPaid", self.clock()))
        self.clock.move(seconds=1)

    def returning(self, at: datetime = IN_TWO_WEEKS) -> None:
        self.contracts.becomes("return_scheduled", return_at=at)
        self.service.returning(CON_KIM, at)

    def told(self, name: str, number: int = 1, contract_id: str = CON_KIM) -> None:
        self.service.told(contract_id, fact(name, self.clock(), number))

    def unlocked(self, at: datetime | None = None) -> None:
        at = at or self.clock()
        self.service.unlocked(CON_KIM, at, fact("SmartKeyUnlocked", at))

    def say(
        self,
        word: str,
        at: datetime | None = None,
        which: Which = Which.HANDOVER,
        by: Caller = AGENT,
        **more: Any,
    ) -> Heard:
        words = said(word, at or self.clock(), **more)
        return self.service.say(appointment_id_of(CON_KIM, which), words, by, "ko")

    def move_to(
        self,
        at: datetime,
        *,
        which: Which = Which.HANDOVER,
        address: str | None = None,
        by: Caller = KIM,
        key: str = "k1",
        quote: str | None = None,
        preview: bool = False,
    ) -> Done[Moved]:
        wish = Wish(which, at, address, quote, f"{which} {at} {address}", preview)
        return self.service.reschedule(CON_KIM, wish, by, key)

    def until(self, moment: datetime) -> None:
        self.clock.at = moment

    def at_the_door(self, minutes_late: float = 0) -> None:
        """Kim's car stands there, an hour before the end of its window."""
        self.paid()
        self.contracts.becomes("ready")
        self.until(IN_TWO_WEEKS - timedelta(hours=2))
        self.say("depart")
        self.until(IN_TWO_WEEKS + timedelta(minutes=minutes_late))
        self.say("arrived", place=GARAGE, tariff=TARIFF)

    def locked_out(self) -> None:
        self.at_the_door()
        self.clock.move(minutes=5)
        self.say("access_failed")

    def sweep(self) -> int:
        return self.service.sweep().claimed

    def here(self, which: Which = Which.HANDOVER, contract_id: str = CON_KIM) -> Appointment:
        found = self.store.appointment(appointment_id_of(contract_id, which))
        assert found is not None
        return found

    def state(self, which: Which = Which.HANDOVER) -> str:
        return self.here(which).state.value

    def taken(self, at: datetime, which: Which = Which.HANDOVER) -> int:
        slot = slot_of(at)
        return self.store.taken(which, slot.day).get(slot.starts_at, 0)

    def facts(self, name: str | None = None) -> list[Fact]:
        """Every fact written so far (of that name), oldest first."""
        found = sorted(self.facts_of_store(), key=lambda each: (each.time, each.id))
        return [each for each in found if name in (None, each.type)]

    def said(self) -> list[str]:
        return [each.type for each in self.facts()]


def memory_world(clock: Hands) -> World:
    store, contracts, smartkeys = MemoryAppointments(), Contracts(), SmartKeys()
    service = AppointmentService(store, contracts, contracts, smartkeys, PREVIEWS, MemoryWrite, clock)
    return World(service, store, clock, contracts, smartkeys, lambda: list(store.published))


def stored_facts(client: Any) -> list[Fact]:
    pages = client.get_paginator("scan").paginate(TableName="test-appointments")
    rows = [row for page in pages for row in page["Items"]]
    return [fact_of({"detail": msgspec.json.decode(row["fact"]["S"])}) for row in rows if "fact" in row]


def dynamodb_world(clock: Hands, client: Any) -> World:
    store, contracts, smartkeys = AppointmentStore(), Contracts(), SmartKeys()
    service = AppointmentService(store, contracts, contracts, smartkeys, PREVIEWS, AllOrNothing, clock)
    return World(service, store, clock, contracts, smartkeys, lambda: stored_facts(client))


@pytest.fixture(params=["memory", "dynamodb"])
def world(request: pytest.FixtureRequest, clock: Hands) -> World:
    if request.param == "dynamodb":
        return dynamodb_world(clock, request.getfixturevalue("dynamodb"))
    return memory_world(clock)
