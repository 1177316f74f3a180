"""A customer's points: lots that expire, awards that happen once, and points taken to partners.

Owns the table `<stage>-points`. Publishes PointsExpiring; hears ContractActivated, ContractReturned,
CheckoutCaptured and CheckoutRefunded.
"""
