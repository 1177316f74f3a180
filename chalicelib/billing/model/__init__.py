"""Money of a contract, from the first month paid at the checkout to a ledger that sums to zero.

Four rules carry everything. Months run from the moment billing starts, on the same day of each month in
Seoul, counted from the first, so that a short month moves no later one. A month is paid in advance and costs
its fee times the part of it that was billed: nobody pays for time without access that is our fault, or after
the return. What is heard is kept and what follows from it is worked out anew, so that facts may come twice,
late and in any order. And each posting moves an amount from one ledger account to another under a cause of
its own: it can be made once only, and the ledger sums to zero by construction.

`states`, `terms`, `ledger` and `values` say what there is; `known` reads it; `book` is what happens to it.
"""

from chalicelib.billing.model.book import Book
from chalicelib.billing.model.ledger import Ledger, Posting
from chalicelib.billing.model.states import BILLING, BILLING_START, DUNNING, Billing, BillingEvent
from chalicelib.billing.model.terms import (
    COMPENSATION_PERCENT,
    EARLY_END_PERCENT,
    FREE_UNTIL,
    LATE_PERCENT,
    ContractFacts,
    Line,
    Money,
    Month,
    Span,
    Term,
    What,
    cancel_terms,
    end_terms,
    ends_at,
    month_end,
    months_of,
    renew_terms,
    without,
)
from chalicelib.billing.model.values import (
    Account,
    Card,
    CardChange,
    CardChanged,
    CardDeclined,
    Charge,
    ChargeState,
    Due,
    Gap,
    Heard,
    MovedOn,
    News,
    NoAccount,
    NotByHand,
    Payment,
    PaymentState,
    Refund,
    RefundState,
    Said,
    UnknownRefund,
)

__all__ = [
    "BILLING",
    "BILLING_START",
    "COMPENSATION_PERCENT",
    "DUNNING",
    "EARLY_END_PERCENT",
    "FREE_UNTIL",
    "LATE_PERCENT",
    "Account",
    "Billing",
    "BillingEvent",
    "Book",
    "Card",
    "CardChange",
    "CardChanged",
    "CardDeclined",
    "Charge",
    "ChargeState",
    "ContractFacts",
    "Due",
    "Gap",
    "Heard",
    "Ledger",
    "Line",
    "Money",
    "Month",
    "MovedOn",
    "News",
    "NoAccount",
    "NotByHand",
    "Payment",
    "PaymentState",
    "Posting",
    "Refund",
    "RefundState",
    "Said",
    "Span",
    "Term",
    "UnknownRefund",
    "What",
    "cancel_terms",
    "end_terms",
    "ends_at",
    "month_end",
    "months_of",
    "renew_terms",
    "without",
]
