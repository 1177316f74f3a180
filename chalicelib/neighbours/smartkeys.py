"""What smart keys know of doors and billing."""

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable

    from chalicelib.billing.service import BillingService
    from chalicelib.doors.service import DoorService
    from chalicelib.smartkeys.model import CarState


class DoorsOfSmartKeys(Struct, frozen=True):
    """Only a holder's page asks how the car is."""

    doors: "Callable[[], DoorService]"

    def car_state(self, car_id: str) -> "CarState":
        return self.doors().car_state(car_id)


class BillingOfSmartKeys(Struct, frozen=True):
    """Asked only when a customer gives a key away."""

    billing: "Callable[[], BillingService]"

    def overdue(self, contract_id: str) -> bool:
        return self.billing().standing(contract_id) == "blocked"
