"""Which facts end which smart keys of a contract."""

from msgspec import Struct

from chalicelib.smartkeys.model.grants import UNLOCK
from chalicelib.smartkeys.model.people import Kind

GUESTS = frozenset({Kind.CUSTOMER, Kind.DRIVER, Kind.PERSON})
EVERYBODY = frozenset(Kind)


class Ending(Struct, frozen=True):
    """Whose keys end, and whether the contract never gets one again."""

    kinds: frozenset[Kind]
    for_good: bool = True


ENDINGS = {
    "ContractCancelled": Ending(EVERYBODY),
    "ContractExpired": Ending(EVERYBODY),
    "ContractTerminated": Ending(EVERYBODY),
    "ContractClosed": Ending(EVERYBODY),
    "ContractReturned": Ending(GUESTS),
    "BillingBlocked": Ending(frozenset({Kind.DRIVER}), for_good=False),
}
"""After a return staff still work on the car. Who cannot pay loses the keys they have given away; their own
is ended by a person, or with the contract: nobody is locked out of a car with their child in it by a bank."""


def proves_access(action: str, state: str) -> bool:
    """Whether a settled command shows that its holder got into the car."""
    return action == UNLOCK and state in ("SUCCEEDED", "ALREADY_DONE")


def opened_nothing(action: str, state: str) -> bool:
    """Whether a settled command has certainly not opened the car, so that its use may be given back."""
    return action == UNLOCK and state in ("NOT_SENT", "REJECTED", "FAILED")
