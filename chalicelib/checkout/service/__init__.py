"""Reserving what a customer is about to pay, at the server's price, taking the money for it once, and giving
it back.

`checkouts`: reserving. `captures`: paying. `releases`: giving back unpaid. `refunds`: giving back paid.
`sweep`: what is due. `payments`: the card alone. `desk`: what all share, `ports`: what they ask of others.
"""

from chalicelib.checkout.service.checkouts import CheckoutService
from chalicelib.checkout.service.payments import PaymentService

__all__ = ["CheckoutService", "PaymentService"]
