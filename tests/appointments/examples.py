"""Memorable contracts, callers and words of partners for the tests of this context."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from chalicelib.appointments.model import Position, Said
from chalicelib.kernel.auth import Caller, Group
from chalicelib.kernel.errors import Conflict, NotFound
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.previews import Previews
from tests.conftest import NOON

KIM = Caller("kim")
LEE = Caller("lee")
OPS = Caller("olga", frozenset({Group.OPS}))
AGENT = Caller("anna", frozenset({Group.AGENT}))
COURIER = Caller("carl", frozenset({Group.COURIER}))
PACKER = Caller("paula", frozenset({Group.PACKER}))

IN_TWO_WEEKS = NOON + timedelta(days=14)
"""The agreed handover: a Monday at twelve in Seoul, in the window from 11 to 13."""
HOME = "서울시 중구 세종대로 110"
GARAGE = Position(37.56635, 126.97796)
TARIFF = 4_000
CON_KIM = "con_kim"


class ContractMovedOn(Conflict):
    """The contract changed while we looked."""


class Standing(Struct, frozen=True):
    contract_id: str
    customer_id: str
    state: str = "preparing"
    plate: str | None = "12가 3456"
    model: str | None = "Avante"
    handover_at: datetime = IN_TWO_WEEKS
    address: str = HOME
    return_at: datetime | None = None
    return_address: str = HOME
    version: int = 1


@dataclass
class Contracts:
    """Everybody has a contract: kim has con_kim. `racing`: so many moves meet somebody who was faster."""

    known: dict[str, Standing] = field(default_factory=dict)
    moves: list[tuple[str, str, datetime, str | None]] = field(default_factory=list)
    racing: int = 0

    def standing(self, contract_id: str) -> Standing:
        name = contract_id.removeprefix("con_")
        if name == contract_id or name == "nobody":
            raise NotFound()
        return self.known.setdefault(contract_id, Standing(contract_id, name))

    def owned(self, contract_id: str, customer_id: str) -> None:
        if self.standing(contract_id).customer_id != customer_id:
            raise NotFound()

    def becomes(self, state: str, contract_id: str = CON_KIM, **more: Any) -> None:
        self.known[contract_id] = replace(self.standing(contract_id), state=state, **more)

    def move(
        self, write: Any, contract_id: str, which: str, at: datetime, address: str | None, seen_version: int
    ) -> None:
        before = self.standing(contract_id)
        if self.racing or before.version != seen_version:
            self.racing = max(0, self.racing - 1)
            raise ContractMovedOn()
        after = replace(before, version=seen_version + 1)
        if which == "handover":
            after = replace(after, handover_at=at, address=address or before.address)
        else:
            after = replace(after, return_at=at, return_address=address or before.return_address)
        self._write(write, contract_id, after)
        self.moves.append((contract_id, which, at, address))

    def _write(self, write: Any, contract_id: str, after: Standing) -> None:
        if hasattr(write, "clause"):
            write.clause(then=lambda: self.known.update({contract_id: after}))
        else:
            self.known[contract_id] = after

    def ready(self, contract_id: str) -> bool:
        return self.standing(contract_id).state == "ready"


@dataclass
class SmartKeys:
    reasons: tuple[str, ...] = ("no_smart_key",)

    @property
    def passed(self) -> bool:
        return not self.reasons

    def self_test(self, contract_id: str) -> "SmartKeys":
        return self


PREVIEWS = Previews(lambda: "a secret of the tests")


def fact(name: str, at: datetime = NOON, number: int = 1, **data: Any) -> Fact:
    return Fact.of(name, "contracts", CON_KIM, at=at, id=f"evt_{name}_{number}", data=data)


def said(word: str, at: datetime, *, place: Position | None = None, tariff: int | None = None) -> Said:
    return Said(word, at, place, tariff)
