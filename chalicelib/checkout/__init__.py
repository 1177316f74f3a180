"""Composite payment: what is bought, priced by the server, less a coupon's discount, reserved for a while.

Owns the table `<stage>-checkout`. Publishes CheckoutReserved; hears nothing.
"""
