"""What doors and devices know of cars."""

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable

    from chalicelib.contracts.service import ContractService


class RegisteredCars(Struct, frozen=True):
    """Only operations name a car by themselves; no command and no enrolment loads contracts for it."""

    contracts: "Callable[[], ContractService]"

    def exists(self, car_id: str) -> None:
        self.contracts().car(car_id)
