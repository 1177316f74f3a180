"""Composite payment: what is bought, priced by the server, less a coupon's discount, reserved, then paid for.

Owns the table `<stage>-checkout` and the payment gateway. Publishes CheckoutReserved, CheckoutCaptured and
CheckoutDeclined; hears nothing.
"""
