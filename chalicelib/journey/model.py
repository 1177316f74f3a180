"""What a contract's timeline shows, and to whom."""

from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

VISIBLE: dict[str, tuple[str, ...]] = {
    # fact                     what the customer sees of it
    # contracts
    "ContractSigned": ("plan_id", "months"),
    "ContractVerified": (),
    "ContractRejected": (),
    "ContractExpired": ("from_state",),
    "ContractPaid": ("amount", "monthly_fee", "months", "handover_at"),
    "ContractPaymentRefused": ("amount",),
    "ContractAssigned": ("handover_at",),
    "ContractReady": (),
    "ContractAtRisk": ("handover_at",),
    "ContractActivated": ("handed_over_at", "access_proven_at", "starts_at"),
    "AccessLost": ("at", "fault"),
    "AccessRestored": ("at",),
    "ContractRenewed": ("months", "monthly_fee", "ends_at"),
    "ContractCancelled": ("cause", "refund", "charge", "lines"),
    "ContractEnding": ("ends_at", "charge", "lines", "why"),
    "ContractUncancelled": (),
    "SwapRequested": ("fault",),
    "SwapDone": (),
    "SwapWithdrawn": (),
    "ReturnScheduled": ("return_at",),
    "ReturnOverdue": (),
    "ContractReturned": ("at",),
    "ContractInspected": ("charges",),
    "ContractClosed": (),
    "ContractTerminated": (),
    "DriverAdded": ("number",),
    "DriverRemoved": ("number",),
    "DriverVerified": ("number",),
    "DriverRejected": ("number",),
    # billing
    "BillingStarted": ("at",),
    "ChargePaid": ("amount", "period_from", "period_to"),
    "ChargeFailed": ("amount", "attempt"),
    "BillingBlocked": (),
    "RefundPaid": ("amount",),
    "PaymentMethodChanged": (),
    "GapOpened": ("at",),
    "GapClosed": ("from_at", "to_at"),
    "ContractSettled": ("balance",),
    # appointments
    "AppointmentMoved": ("which", "at", "address_changed"),
    "AppointmentConfirmed": ("which", "at"),
    "AppointmentCancelled": ("which",),
    "AppointmentMissed": ("which", "by"),
    "PartnerDeparted": ("which", "occurred_at"),
    "CarArrived": ("which", "occurred_at"),
    "CarLockedOut": ("parked_at", "tariff_per_hour"),
    "LockoutEnded": ("minutes", "parking_cost"),
    "HandoverCompleted": ("at",),
    "ReturnCompleted": ("at",),
    # keys
    "KeyShipmentMoved": ("to_state", "occurred_at"),
    "KeyShipmentLate": ("to_state", "occurred_at"),
    "KeyShipmentMisdelivered": ("to_state", "occurred_at"),
    "KeyShipmentMismatched": ("to_state", "occurred_at"),
    "KeyShipmentVerified": ("to_state", "occurred_at"),
    # smartkeys
    "SmartKeyLinkIssued": ("holder",),
    "SmartKeyLinkDied": (),
    "SmartKeyOpened": (),
    "SmartKeyRevoked": (),
    "SmartKeyStaffIssued": (),
    "SmartKeyUnlocked": ("at",),
    # notices
    "NoticeSent": ("template",),
    "CustomerTold": ("template",),
}
"""Never what names another contract, a car, a key, a person of ours, or why a card was refused."""

OPS_ONLY = frozenset(
    {
        "AppointmentAtRisk",
        "AppointmentOverdue",
        "BillingStartLate",
        "ContractDeadlinePassed",
        "KeyCustodyChanged",
        "KeyFound",
        "KeyLost",
        "KeyRekeyed",
        "KeyShipmentEscalated",
        "NoticeFailed",
        "SmartKeyAsksStopped",
        "SmartKeySessionEnded",
        "TransferDue",
        "VerificationOverdue",
    }
)
"""Known, and not the customer's; so is whatever stands in neither list."""


class Event(Struct, frozen=True):
    """One published fact about a contract, under the fact's own id. `at`: when it was published."""

    id: str
    contract_id: str
    type: str
    at: datetime
    data: dict[str, Any]

    @property
    def moved_nothing(self) -> bool:
        """A timer rang, or a wrong label was scanned: work for us, no news for a customer."""
        return "to_state" in self.data and self.data.get("from_state") == self.data["to_state"]

    def for_customer(self) -> "Event | None":
        """What the customer may see of it, if anything."""
        if self.type not in VISIBLE or self.moved_nothing:
            return None
        shown = {name: self.data[name] for name in VISIBLE[self.type] if name in self.data}
        return replace(self, data=shown)


class Page(Struct, frozen=True):
    """`last`: the position behind which the next page begins; None at the end."""

    events: tuple[Event, ...]
    last: str | None
