"""Booking what is heard, reconciling, repairing, settling with sponsors, and looking things up.

`books`: what is booked and read. `runs`: reconciliation. `settlements`: sponsors. `lookup`: operations.
"""

from chalicelib.ledger.service.books import BookService
from chalicelib.ledger.service.lookup import LookService
from chalicelib.ledger.service.runs import RunService
from chalicelib.ledger.service.settlements import SettlementService

__all__ = [
    "BookService",
    "LookService",
    "RunService",
    "SettlementService",
]
