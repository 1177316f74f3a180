"""The double-entry ledger of a contract: each posting takes from one account what it gives to another."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from chalicelib.billing.model.terms import What
from chalicelib.kernel.money import Won


class Ledger(StrEnum):
    """The accounts of a contract's double-entry ledger."""

    RECEIVABLE = "receivable"
    """What the customer owes us; below zero, what we owe them."""
    CASH = "cash"
    DEFERRED = "deferred"
    """Months paid in advance and not yet driven."""
    INCOME = "income"
    PENALTIES = "penalties"
    SERVICES = "services"
    DAMAGES = "damages"
    COMPENSATION = "compensation"
    REFUNDS_DUE = "refunds_due"
    """Promised back, and not yet confirmed by the gateway."""
    BAD_DEBT = "bad_debt"


AGAINST: dict[str, Ledger] = {
    What.FIRST_MONTH: Ledger.DEFERRED,
    What.GAP: Ledger.DEFERRED,
    What.UNUSED_DAYS: Ledger.DEFERRED,
    What.LATE_CANCELLATION: Ledger.PENALTIES,
    What.EARLY_END: Ledger.PENALTIES,
    What.COMPENSATION: Ledger.COMPENSATION,
}
"""The other side of a line; a word not named here is a service of somebody else's."""


class Posting(Struct, frozen=True):
    """`cause` names what made it, and is its key: nothing is posted twice. `amount` is above zero."""

    cause: str
    what: str
    debit: Ledger
    credit: Ledger
    amount: Won
    at: datetime

    def on(self, account: Ledger) -> Won:
        return self.amount * ((self.debit is account) - (self.credit is account))
