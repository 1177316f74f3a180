"""What documents know of contracts."""

from typing import TYPE_CHECKING

from msgspec import Struct

from chalicelib.documents.model import NamedDriver, Signed

if TYPE_CHECKING:
    from collections.abc import Callable

    from chalicelib.contracts.service import ContractService


class ContractsOfDocuments(Struct, frozen=True):
    """A certificate is a contract's only while the car itself says so."""

    contracts: "Callable[[], ContractService]"

    def owned(self, contract_id: str, customer_id: str) -> None:
        self.contracts().owned(contract_id, customer_id)

    def copy(self, contract_id: str) -> "Signed":
        from chalicelib.contracts.model import masked, plan_named

        found, rules = self.contracts().copy(contract_id), self.contracts().money_rules()
        plan, first = plan_named(found.plan_id), found.terms[0]
        drivers = (named.driver for named in found.drivers)
        return Signed(
            contract_id=contract_id,
            plan_ko=plan.ko.name,
            plan_en=plan.en.name,
            months=first.months,
            monthly_fee=first.monthly_fee,
            signed_at=found.signed_at,
            handover_at=found.handover.at,
            address=found.handover.address,
            drivers=tuple(NamedDriver(each.name, masked(each.licence_no)) for each in drivers),
            free_until_hours=rules.free_until_hours,
            late_percent=rules.late_percent,
            early_end_percent=rules.early_end_percent,
        )

    def car_of(self, contract_id: str) -> str | None:
        car_id = self.contracts().standing(contract_id).car_id
        return car_id if car_id and self.contracts().car(car_id).contract_id == contract_id else None

    def car_exists(self, car_id: str) -> None:
        self.contracts().car(car_id)
