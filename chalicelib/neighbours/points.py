"""What points knows of contracts."""

from typing import TYPE_CHECKING

from msgspec import Struct

from chalicelib.points.model import Rental

if TYPE_CHECKING:
    from collections.abc import Callable

    from chalicelib.contracts.service import ContractService


class ContractsOfPoints(Struct, frozen=True):
    """Only a car that was handed over or returned asks contracts."""

    contracts: "Callable[[], ContractService]"

    def rental(self, contract_id: str) -> "Rental":
        found = self.contracts().standing(contract_id)
        return Rental(found.customer_id, found.return_at)
