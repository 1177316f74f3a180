"""What appointments knows of contracts and smart keys."""

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from chalicelib.appointments.service import SelfTest, Standing
    from chalicelib.contracts.service import ContractService
    from chalicelib.kernel.tables import Write
    from chalicelib.smartkeys.service import SmartKeyService


class ContractsOfAppointments(Struct, frozen=True):
    """Sweeps ask nobody; contracts and smart keys are loaded when somebody chooses, leaves or looks."""

    contracts: "Callable[[], ContractService]"
    smartkeys: "Callable[[], SmartKeyService]"

    def owned(self, contract_id: str, customer_id: str) -> None:
        self.contracts().owned(contract_id, customer_id)

    def standing(self, contract_id: str) -> "Standing":
        return self.contracts().standing(contract_id)

    def move(
        self,
        write: "Write",
        contract_id: str,
        which: str,
        at: "datetime",
        address: str | None,
        seen_version: int,
    ) -> None:
        self.contracts().move(write, contract_id, which, at, address, seen_version)

    def ready(self, contract_id: str) -> bool:
        return self.contracts().standing(contract_id).state == "ready"

    def self_test(self, contract_id: str) -> "SelfTest":
        return self.smartkeys().self_test(contract_id)
