"""What the checkout refuses, and what its customer may do then."""

from typing import ClassVar

from chalicelib.kernel.errors import Busy, Conflict, NotFound, Refused
from chalicelib.kernel.money import Won


class UnknownCheckout(NotFound):
    """There is no such checkout."""


class NoCatalogue(Refused):
    """Services are not sold yet."""


class SameItemTwice(Refused):
    """An order names each item once."""


class TooManyPoints(Refused):
    """Fewer points than that are enough to pay all of it."""

    def __init__(self, most: int) -> None:
        super().__init__(f"use {most} points or fewer", most=most)


class TooLittleForACard(Refused):
    """A card cannot pay so small a rest; use fewer points, or points for all of it."""

    code: ClassVar[str] = "TOO_LITTLE_FOR_A_CARD"

    def __init__(self, payable: Won, least: Won) -> None:
        super().__init__(payable=payable, least=least)


class AlreadyReserved(Conflict):
    """This request was granted before."""


class ReservationExpired(Refused):
    """This reservation has run out; start again."""


class ReservationCancelled(Refused):
    """This reservation was cancelled; start again."""


class BeingPaid(Conflict):
    """This is paid already, or is being paid right now."""


class AlreadyPaid(Refused):
    """This is paid; cancel the contract to have its money back."""


class CardDeclined(Refused):
    """The card cannot pay; try another one."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason=reason)
        self.reason = reason


class Unanswered(Busy):
    """The payment gateway did not answer; try again."""


class PaymentKnown(Conflict):
    """This payment was asked for before."""


class PaymentDiffers(Refused):
    """A payment of that name was asked for with another amount."""


class NotRefundable(Refused):
    """More than is left of this payment cannot be given back."""


class NothingPaid(Refused):
    """Only what was paid can be given back; cancel this reservation instead."""


class RefundDiffers(Refused):
    """A refund of that name was made with another amount."""


class RefundByCancelling(Refused):
    """Cancel the contract: its terms say what comes back, and the preview shows it first."""


class TooManyRefunds(Refused):
    """This was refunded in too many parts; give back all the rest at once."""


class RefundRefused(Refused):
    """The payment gateway will not give this back."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason=reason)
        self.reason = reason


class MovedOn(Conflict):
    """It is no longer where it was seen."""
