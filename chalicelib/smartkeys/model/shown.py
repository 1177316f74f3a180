"""What people are shown of smart keys: their own page, a contract's keys, a grant's log."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from chalicelib.smartkeys.model.grants import COMMAND_LIFE, Grant
from chalicelib.smartkeys.model.people import Asker


class Driver(Protocol):
    @property
    def number(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def phone(self) -> str: ...
    @property
    def verified(self) -> bool: ...


class Car(Protocol):
    @property
    def car_id(self) -> str: ...
    @property
    def plate(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def contract_id(self) -> str | None:
        """Which contract has it now."""


class CarState(Protocol):
    """What is not known is None."""

    @property
    def online(self) -> bool: ...
    @property
    def last_seen(self) -> datetime | None: ...
    @property
    def locked(self) -> bool | None: ...
    @property
    def doors_open(self) -> bool | None: ...
    @property
    def battery_percent(self) -> int | None: ...
    @property
    def position(self) -> tuple[float, float] | None: ...
    @property
    def position_at(self) -> datetime | None: ...
    @property
    def reported_at(self) -> datetime | None: ...
    @property
    def stopped(self) -> bool: ...


class OpenKey(Struct, frozen=True):
    """What a holder's page shows. `located`: their proof is fresh enough to be told where the car is."""

    grant: Grant
    car: Car
    state: CarState
    proven_until: datetime
    located: bool


class HeldKeys(Struct, frozen=True):
    """What somebody signed in sees of a contract's smart keys. `names`: of the holders they may know.

    `located`: they have proven freshly enough who they are to be told where the car is.
    """

    asker: Asker
    car: Car | None
    state: CarState | None
    grants: list[Grant]
    names: Mapping[str, str]
    drivers: Sequence[Driver]
    located: bool


class Revoked(Struct, frozen=True):
    """`certain_at`: from then on no command that it gave before can open the car any more."""

    grant_id: str
    revoked_at: datetime
    certain_at: datetime

    @classmethod
    def of(cls, grant: Grant) -> "Revoked":
        revoked_at = grant.revoked_at or grant.not_after
        return cls(grant.grant_id, revoked_at, revoked_at + COMMAND_LIFE)
