"""What keys knows of contracts."""

from typing import TYPE_CHECKING

from msgspec import Struct

from chalicelib.keys.model import Delivery

if TYPE_CHECKING:
    from collections.abc import Callable

    from chalicelib.contracts.service import ContractService


class ContractsOfKeys(Struct, frozen=True):
    """Only planning asks contracts; scans, webhooks and sweeps never load them."""

    contracts: "Callable[[], ContractService]"

    def delivery(self, contract_id: str) -> "Delivery":
        found = self.contracts().delivery(contract_id)
        return Delivery(
            contract_id=found.contract_id,
            customer_id=found.customer_id,
            car_id=found.car_id,
            key_tag=found.key_tag,
            label_hash=found.label_hash,
            handover_at=found.handover_at,
        )
