"""What incidents know of smart keys."""

from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec import Struct

from chalicelib.incidents.model import Key
from chalicelib.kernel.states import IllegalMove

if TYPE_CHECKING:
    from collections.abc import Callable

    from chalicelib.incidents.service import Order as IncidentOrder
    from chalicelib.smartkeys.service import SmartKeyService


class SmartKeysOfIncidents(Struct, frozen=True):
    """Only the work itself gives and ends smart keys."""

    smartkeys: "Callable[[], SmartKeyService]"

    def issue(self, order: "IncidentOrder") -> "Key":
        from chalicelib.smartkeys.model import CUSTOMER, Order

        asked = Order(
            order_id=order.order_id,
            fingerprint=order.order_id,
            grant_id=order.grant_id,
            contract_id=order.contract_id,
            holder=CUSTOMER,
            reason=order.reason,
            issuer=order.issuer,
            not_after=order.not_after,
            incident_id=order.incident_id,
        )
        grant = self.smartkeys().issue(asked).grant
        return Key(grant.grant_id, grant.grant_id != order.grant_id, grant.unlocked_at is not None)

    def revoke(self, contract_id: str, grant_id: str, by: str, reason: str) -> None:
        with suppress(IllegalMove):  # its time was over
            self.smartkeys().revoke(contract_id, grant_id, by, reason)
