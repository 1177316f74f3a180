"""Physical keys on their way to customers: custody, scans, carriers' words, deadlines.

Owns the table `<stage>-keys`. Hears ContractAssigned. Publishes KeyShipmentMoved, and the same data under the
names KeyShipmentLate, KeyShipmentMisdelivered, KeyShipmentMismatched and KeyShipmentVerified.
"""
