"""Physical keys on their way to customers and back: scans, carriers' words, deadlines, and who has each key.

Owns the table `<stage>-keys` and the queue `<stage>-keys-due`. Hears ContractAssigned, SwapDone,
ContractCancelled, AppointmentMoved and CarOpenedWithKey. Publishes KeyShipmentMoved (the same data under the
names KeyShipmentLate, KeyShipmentMisdelivered, KeyShipmentMismatched and KeyShipmentVerified),
KeyShipmentEscalated, KeyCustodyChanged, KeyLost, KeyFound, KeyRekeyed and CalendarChanged.
"""
