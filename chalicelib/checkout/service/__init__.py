"""Reserving what a customer is about to pay, at the server's price, and taking the money for it, once."""

from chalicelib.checkout.service.checkouts import CheckoutService
from chalicelib.checkout.service.payments import PaymentService

__all__ = ["CheckoutService", "PaymentService"]
