"""What journey knows of contracts."""

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable

    from chalicelib.contracts.service import ContractService


class ContractsOfJourney(Struct, frozen=True):
    """Recording asks nobody; only who looks at a timeline must be allowed to."""

    contracts: "Callable[[], ContractService]"

    def owned(self, contract_id: str, customer_id: str) -> None:
        self.contracts().owned(contract_id, customer_id)

    def exists(self, contract_id: str) -> None:
        self.contracts().standing(contract_id)
