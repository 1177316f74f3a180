"""Composite payment: what is bought, priced by the server, less a coupon and points, reserved, then
paid for with a card, and given back in the same proportion.

Owns the table `<stage>-checkout` and the payment gateway. Publishes CheckoutReserved, CheckoutCaptured,
CheckoutDeclined, CheckoutReleased, CheckoutRefunded and RefundRefused; hears the last of these,
ContractCancelled and ContractPaymentRefused.
"""
